//! Unit tests of `usage::suggest`.

use super::super::{full_tree, help_page::MAX_WIDTH};
use super::*;
use crate::context::GLOBAL_FLAGS_WITH_VALUE;
use std::ffi::OsString;

fn command_line(words: &[&str]) -> CommandLine {
    CommandLine::new(&["neto"].iter().chain(words).map(OsString::from).collect::<Vec<_>>())
}

#[test]
fn global_flags_with_a_value_match_the_command_tree() {
    let tree = full_tree(MAX_WIDTH);
    let tree_flags: Vec<String> = tree
        .get_arguments()
        .filter(|arg| arg.get_action().takes_values())
        .map(|arg| format!("--{}", arg.get_long().unwrap()))
        .collect();
    assert_eq!(tree_flags, GLOBAL_FLAGS_WITH_VALUE);
}

#[test]
fn suggested_commands_exist() {
    let tree = full_tree(MAX_WIDTH);
    let all = verb_paths(&tree);
    for (words, commands) in FOREIGN_VERBS {
        assert!(words.iter().all(|word| !word.is_empty()) && !commands.is_empty());
        for line in commands {
            let is_neto = *line == "neto --version";
            assert!(is_neto || all.contains(&without_flags(line).to_owned()), "{line}");
        }
    }
}

#[test]
fn the_typed_verb_is_found_after_flags_and_their_values() {
    let tree = full_tree(MAX_WIDTH);
    for (line, expected) in [
        ("neto", "neto"),
        ("neto -p token login --jobs x", "neto login"),
        ("neto --store=f -q profile add acme", "neto profile add"),
        ("neto profile --color always add", "neto profile add"),
        ("neto exec -- token", "neto exec"),
        ("neto nosuch token", "neto"),
    ] {
        let words = command_line(&line.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(typed_verb(&words, &tree), expected, "{line}");
    }
}

#[test]
fn a_flag_hint_considers_all_commands() {
    let tree = full_tree(MAX_WIDTH);
    let hint_text = |name: &str, path: &str, words: &[&str]| {
        flag_hint(name, path, &command_line(words), &tree).map(|hint| hint.to_string()).unwrap_or_default()
    };
    assert_eq!(hint_text("--json", "neto ls", &[]), "did you mean '-o json'?");
    assert_eq!(
        hint_text("--force", "neto", &["neto", "--force", "login"]),
        "neto login --force\n(it goes behind the verb)"
    );
    assert_eq!(hint_text("--overlap", "neto login", &["neto", "login"]), "it belongs to neto rotate");
    assert!(hint_text("--tag", "neto token", &["neto", "token"]).ends_with(" and others"));
    // `SECRET_FLAGS` omits --appname, because the store contains the appname in plaintext.
    for (path, line) in [
        ("neto profile add", "neto profile add\n(asks"),
        ("neto profile set-secret", "neto profile set-secret NAME\n(asks"),
        ("neto login", "neto profile add\n(asks"),
    ] {
        for flag in SECRET_FLAGS {
            assert!(hint_text(flag, path, &[]).starts_with(line), "{path} {flag}");
            assert!(!has_flag(find_command(&tree, path).unwrap(), flag), "{path} {flag}");
        }
    }
    assert_eq!(hint_text("--bogus", "neto token", &[]), "");
}
