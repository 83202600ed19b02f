//! What was meant by a word or a flag that is none.
//!
//! Owns the words that people bring from other programs (gh, kubectl, aws-vault, git). What was typed is only compared:
//! none of it stands in what comes out.

use clap::{Arg, Command};
use std::ffi::OsString;

/// The most that is offered.
const MOST: usize = 3;

/// Words from elsewhere, and the lines that do here what they do there.
const WORDS: [(&[&str], &[&str]); 23] = [
    (&["add", "new", "create", "register"], &["neto profile add", "neto recipient add"]),
    (&["list", "ls", "get-contexts"], &["neto ls", "neto profile list", "neto recipient list"]),
    (&["profiles", "tenants", "accounts", "contexts"], &["neto ls"]),
    (&["switch", "select", "checkout", "use-context", "context", "activate"], &["neto use", "neto profile use"]),
    (&["whoami", "current", "current-context", "which", "active"], &["neto profile current"]),
    (&["remove", "rm", "delete", "del"], &["neto profile remove", "neto recipient remove"]),
    (&["rename", "mv"], &["neto profile rename"]),
    (&["show", "get", "describe", "view", "info"], &["neto profile show", "neto identity show"]),
    (&["edit", "set", "config", "configure", "update"], &["neto profile edit"]),
    (&["auth", "signin", "sign-in", "authenticate"], &["neto login"]),
    (&["refresh", "renew"], &["neto login --force"]),
    (&["signout", "sign-out", "clear", "forget"], &["neto logout"]),
    (&["access-token", "print-access-token", "get-token", "bearer"], &["neto token"]),
    (&["env", "environment", "vars"], &["neto export"]),
    (&["run", "shell", "with"], &["neto exec"]),
    (&["curl", "request", "http"], &["neto api"]),
    (&["encrypt"], &["neto seal"]),
    (&["share", "invite", "recipients"], &["neto recipient add", "neto recipient list"]),
    (&["setup"], &["neto init"]),
    (&["serve", "server", "decoy"], &["neto proxy", "neto exec --decoy"]),
    (&["completion", "autocomplete"], &["neto completions"]),
    (&["check", "diagnose"], &["neto doctor"]),
    (&["version"], &["neto --version"]),
];

/// Flags from elsewhere, and what does that here.
const FLAGS: [(&str, &str); 9] = [
    ("--json", "-o json"),
    ("--csv", "-o csv"),
    ("--debug", "--verbose"),
    ("--trace", "--verbose"),
    ("--silent", "--quiet"),
    ("--config", "--store"),
    ("--no-color", "--color never"),
    ("--no-colour", "--color never"),
    ("--context", "--profile"),
];

/// What people call a secret where a flag takes it.
const SECRETS: [&str; 10] = [
    "--appkey",
    "--app-key",
    "--apikey",
    "--api-key",
    "--key",
    "--sharedsecret",
    "--shared-secret",
    "--secret",
    "--netosecret",
    "--password",
];

/// The lines that `word` may have meant, where it is no verb of the command at `path` (`neto`, or `neto profile`): what it
/// means elsewhere, verbs of that name elsewhere, mistyped or `near` names of that command, near ones anywhere.
pub(super) fn verbs(word: &str, path: &str, near: &[String], tree: &Command) -> Vec<String> {
    let all = lines(tree);
    let known = |line: &&&str| verb_of(line) == "neto" || all.iter().any(|full| *full == verb_of(line));
    let words = WORDS.iter().filter(|(words, _)| words.contains(&word)).flat_map(|(_, lines)| *lines);
    let words = nearest(path, words.filter(known).map(|line| (*line).to_owned()).collect());
    let elsewhere: Vec<String> = all.iter().filter(|line| name_of(line) == word).cloned().collect();
    let below = at(tree, path).into_iter().flat_map(|own| own.get_subcommands().filter(|verb| !verb.is_hide_set()));
    // clap does not know of two letters that changed places.
    let mistyped = crate::profile::near(word, below.map(Command::get_name));
    let near = if mistyped.is_empty() { near.iter().map(String::as_str).collect() } else { mistyped };
    let near: Vec<String> = near.into_iter().map(|name| format!("{path} {name}")).collect();
    let anywhere = || {
        let names = crate::profile::near(word, all.iter().map(|line| name_of(line)));
        all.iter().filter(|line| names.contains(&name_of(line))).cloned().collect()
    };
    let found = [words, elsewhere, near].into_iter().find(|lines| !lines.is_empty()).unwrap_or_else(anywhere);
    found.into_iter().take(MOST).collect()
}

/// What to do about a flag that the command at `path` does not have; nothing where no other has it either.
pub(super) fn flag(flag: &str, path: &str, arguments: &[OsString], tree: &Command) -> Option<String> {
    let own = at(tree, path)?;
    // A near name would take the secret for something that is no secret.
    if SECRETS.contains(&flag) {
        let line = if path == "neto profile set-secret" { "neto profile set-secret NAME" } else { "neto profile add" };
        return Some(format!("{line}    asks for it; no flag takes a secret"));
    }
    let here = FLAGS.iter().find(|(other, _)| *other == flag).map(|(_, here)| *here);
    if let Some(here) = here.filter(|here| has(own, here.split(' ').next().unwrap_or_default())) {
        return Some(format!("did you mean '{here}'?"));
    }
    let owners: Vec<String> =
        lines(tree).into_iter().filter(|line| at(tree, line).is_some_and(|verb| has(verb, flag))).collect();
    let typed = |line: &&String| line.split(' ').skip(1).all(|name| arguments.iter().any(|word| word == name));
    match owners.iter().find(typed) {
        Some(line) if line != path => Some(format!("{line} {flag}    it goes behind the verb")),
        _ if owners.is_empty() => None,
        _ => {
            let more = if owners.len() > MOST { " and others" } else { "" };
            Some(format!("it belongs to {}{more}", owners[..owners.len().min(MOST)].join(", ")))
        }
    }
}

/// The verb of a command line that cannot be read: `neto profile add`. Flags are passed over, and the values of those that
/// go before a verb.
pub(super) fn verb(arguments: &[OsString], tree: &Command) -> String {
    let (mut path, mut command) = ("neto".to_owned(), tree);
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if word.starts_with('-') {
            let takes_value = |arg: &Arg| is(arg, word) && arg.get_action().takes_values();
            if tree.get_arguments().any(takes_value) {
                words.next();
            }
            continue;
        }
        let Some(below) = command.find_subcommand(word) else { break };
        path = format!("{path} {word}");
        command = below;
    }
    path
}

/// Of these lines those of verbs right below the command at `path`, if there is any.
fn nearest(path: &str, lines: Vec<String>) -> Vec<String> {
    let below = |line: &str| verb_of(line).rsplit_once(' ').is_some_and(|(parent, _)| parent == path);
    let own: Vec<String> = lines.iter().filter(|line| below(line)).cloned().collect();
    if own.is_empty() { lines } else { own }
}

/// Every verb that users see, as it is typed: `neto`, `neto profile`, `neto profile add`.
pub(super) fn lines(tree: &Command) -> Vec<String> {
    fn below(path: &str, tree: &Command, lines: &mut Vec<String>) {
        for verb in tree.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
            let line = format!("{path} {}", verb.get_name());
            lines.push(line.clone());
            below(&line, verb, lines);
        }
    }
    let mut lines = Vec::new();
    below("neto", tree, &mut lines);
    lines
}

/// The command that is typed so.
pub(super) fn at<'t>(tree: &'t Command, path: &str) -> Option<&'t Command> {
    path.split(' ').skip(1).try_fold(tree, |command, name| command.find_subcommand(name))
}

/// A line without its flags.
fn verb_of(line: &str) -> &str {
    line.split(" -").next().unwrap_or(line)
}

fn name_of(line: &str) -> &str {
    line.rsplit(' ').next().unwrap_or(line)
}

/// Whether a command has this flag, `--long` or `-s`.
fn has(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| is(arg, flag))
}

fn is(arg: &Arg, flag: &str) -> bool {
    match flag.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| flag.strip_prefix('-') == Some(short.to_string().as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{built, help_page::WIDEST};
    use super::*;
    use crate::cli::GROUPS;

    #[test]
    fn what_is_offered_is_there() {
        let tree = built(WIDEST);
        let all = lines(&tree);
        let coming = |line: &str| GROUPS.iter().any(|group| group.verbs.contains(&name_of(line)));
        for (words, meant) in WORDS {
            assert!(words.iter().all(|word| !word.is_empty()) && !meant.is_empty());
            for line in meant {
                let own = *line == "neto --version";
                assert!(own || all.contains(&verb_of(line).to_owned()) || coming(verb_of(line)), "{line}");
            }
        }
    }

    #[test]
    fn the_verb_is_found_behind_flags_and_their_values() {
        let tree = built(WIDEST);
        for (line, wanted) in [
            ("neto", "neto"),
            ("neto -p token login --jobs x", "neto login"),
            ("neto --store=f -q profile add acme", "neto profile add"),
            ("neto profile --color always add", "neto profile add"),
            ("neto exec -- token", "neto exec"),
            ("neto nosuch token", "neto"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(verb(&words, &tree), wanted, "{line}");
        }
    }

    #[test]
    fn a_flag_is_looked_for_in_the_whole_tree() {
        let tree = built(WIDEST);
        let told = |name: &str, path: &str, words: &[&str]| {
            flag(name, path, &words.iter().map(OsString::from).collect::<Vec<_>>(), &tree).unwrap_or_default()
        };
        assert_eq!(told("--json", "neto ls", &[]), "did you mean '-o json'?");
        assert_eq!(
            told("--force", "neto", &["neto", "--force", "login"]),
            "neto login --force    it goes behind the verb"
        );
        assert_eq!(told("--overlap", "neto login", &["neto", "login"]), "it belongs to neto rotate");
        assert!(told("--tag", "neto token", &["neto", "token"]).ends_with(" and others"));
        // Not --appname, which stands in the store in clear.
        for (path, line) in [
            ("neto profile add", "neto profile add    asks"),
            ("neto profile set-secret", "neto profile set-secret NAME    asks"),
            ("neto login", "neto profile add    asks"),
        ] {
            for flag in SECRETS {
                assert!(told(flag, path, &[]).starts_with(line), "{path} {flag}");
                assert!(!has(at(&tree, path).unwrap(), flag), "{path} {flag}");
            }
        }
        assert_eq!(told("--bogus", "neto token", &[]), "");
    }
}
