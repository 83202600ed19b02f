//! Tests of the examples on the help pages: the parser accepts each example, and a narrow terminal shows it on one
//! line.

use super::help_page::MAX_WIDTH;
use super::suggest::{find_command, verb_paths};
use super::{full_tree, parse_with, typed_tree};
use crate::cli::Cli;
use clap::Command;
use std::ffi::OsString;

/// Maximum width of an example, in characters. A terminal of 80 columns then shows the example on one line.
const MAX_EXAMPLE_WIDTH: usize = 80;

/// Returns the lines of a help page from `Examples:` to the next empty line, unchanged.
fn examples(verb: &Command) -> Vec<String> {
    let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let example_lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    example_lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Removes the indent of an example line, and the remark after the command.
fn without_remark(line: &str) -> &str {
    let line = line.strip_prefix("  ").expect("an indent of two");
    line.split_once("    ").map_or(line, |(command, _)| command)
}

/// Splits a shell line into simple commands, each a list of words. Commands end at `|`, `&&`, `$(` and similar
/// operators. Supports only the quotes and redirections that the examples use.
fn split_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let (mut word, mut quote, mut redirected) = (String::new(), None, false);
    let mut characters = line.chars().peekable();
    let end_word = |word: &mut String, redirected: &mut bool, commands: &mut Vec<Vec<String>>| {
        let finished = std::mem::take(word);
        if !finished.is_empty() && !std::mem::take(redirected) {
            commands.last_mut().unwrap().push(finished);
        }
    };
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (same, Some(open)) if same == open => quote = None,
            // `$(` starts a separate command even in single quotes, because the examples of `neto prompt` quote it.
            ('$' | '<', _) if characters.next_if_eq(&'(').is_some() => {
                (word, quote) = (String::new(), None);
                commands.push(Vec::new());
            }
            (_, Some(_)) => word.push(character),
            ('|' | '&' | ';' | '(' | ')', None) => {
                end_word(&mut word, &mut redirected, &mut commands);
                commands.push(Vec::new());
            }
            ('>' | '<', None) => {
                end_word(&mut word, &mut redirected, &mut commands);
                redirected = true;
            }
            (' ', None) => end_word(&mut word, &mut redirected, &mut commands),
            (other, None) => word.push(other),
        }
    }
    end_word(&mut word, &mut redirected, &mut commands);
    commands.retain(|words| !words.is_empty());
    commands
}

/// Returns the neto commands in an example line, each as a list of words.
fn neto_commands(line: &str) -> Vec<Vec<String>> {
    split_commands(without_remark(line)).into_iter().filter(|words| words[0] == "neto").collect()
}

fn parse_words(words: &[String]) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    parse_with(typed_tree(&words), &words)
}

#[test]
fn every_verb_has_two_examples_that_parse() {
    let tree = full_tree(MAX_WIDTH);
    for verb in std::iter::once("neto".to_owned()).chain(verb_paths(&tree)) {
        let examples = examples(find_command(&tree, &verb).unwrap());
        assert!(examples.len() >= 2, "{verb} --help has {} examples", examples.len());
        for example in &examples {
            assert!(example.chars().count() <= MAX_EXAMPLE_WIDTH, "{verb}: too wide for 80 columns: {example}");
            let commands = neto_commands(example);
            assert!(!commands.is_empty(), "{verb}: no command line of neto: {example}");
            for words in commands.iter().filter(|words| words[1] != "help") {
                assert!(parse_words(words).is_ok(), "{verb}: {example}\n{}", parse_words(words).unwrap_err());
            }
        }
        let short = verb.replace("neto profile list", "neto ls").replace("neto profile use", "neto use");
        let long = verb.replace("neto ls", "neto profile list");
        let names_verb = |line: &String| [&verb, &short, &long].iter().any(|verb| line.contains(&***verb));
        assert!(examples.iter().any(names_verb), "{verb}: no example of its own");
    }
}

#[test]
fn remarks_of_the_examples_on_a_page_are_aligned() {
    let tree = full_tree(MAX_WIDTH);
    for verb in verb_paths(&tree) {
        let examples = examples(find_command(&tree, &verb).unwrap());
        let remarks = examples.iter().filter(|line| without_remark(line).len() + 2 < line.len());
        let mut columns: Vec<usize> = remarks.map(|line| line.rfind("    ").unwrap() + 4).collect();
        columns.dedup();
        assert!(columns.len() <= 1, "{verb}: {examples:#?}");
    }
}

#[test]
fn split_commands_supports_the_shell_syntax_of_the_examples() {
    for (line, expected) in [
        ("  neto use -        back", &[&["neto", "use", "-"][..]][..]),
        ("  pass show a | neto profile add a --tag x", &[&["neto", "profile", "add", "a", "--tag", "x"]]),
        ("  eval \"$(neto export a)\"", &[&["neto", "export", "a"]]),
        ("  curl -H @<(neto token a -o header) \"$U/x\"", &[&["neto", "token", "a", "-o", "header"]]),
        ("  neto api GET '/d?a=1|2' > f.json", &[&["neto", "api", "GET", "/d?a=1|2"]]),
        ("  eval (neto a | slurp)     elvish", &[&["neto", "a"]]),
        ("  neto a && neto b", &[&["neto", "a"], &["neto", "b"]]),
    ] {
        assert_eq!(neto_commands(line), expected, "{line}");
    }
    let is_invalid = |line: &str| neto_commands(line).iter().any(|words| parse_words(words).is_err());
    assert!(
        is_invalid("  neto tokn") && is_invalid("  neto token --bogus") && is_invalid("  neto status --state gone")
    );
}
