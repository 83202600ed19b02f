//! Every example of every help page is a command line that the real parser takes.

use super::help_page::WIDEST;
use super::suggest::{at, lines};
use super::{built, read_from, typed};
use crate::cli::Cli;
use clap::Command;
use std::ffi::OsString;

/// On a terminal of 80 columns no example is broken.
const WIDEST_EXAMPLE: usize = 80;

/// The lines below `Examples:` of a help page, as they stand there.
fn examples(verb: &Command) -> Vec<String> {
    let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let listed = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    listed.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A line without its indent and the remark behind it.
fn command(line: &str) -> &str {
    let line = line.strip_prefix("  ").expect("an indent of two");
    line.split_once("    ").map_or(line, |(command, _)| command)
}

/// The simple commands of a shell's line, as words: what `|`, `&&`, `$(` and the like stand between. Knows quotes and
/// redirections as far as the examples use them.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let (mut word, mut quote, mut redirected) = (String::new(), None, false);
    let mut characters = line.chars().peekable();
    let end_word = |word: &mut String, redirected: &mut bool, commands: &mut Vec<Vec<String>>| {
        let whole = std::mem::take(word);
        if !whole.is_empty() && !std::mem::take(redirected) {
            commands.last_mut().unwrap().push(whole);
        }
    };
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (same, Some(open)) if same == open => quote = None,
            // What `$(` holds is a command of its own, quoted or not: prompts are in single quotes.
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

/// The command lines of neto in an example.
fn netos(line: &str) -> Vec<Vec<String>> {
    commands(command(line)).into_iter().filter(|words| words[0] == "neto").collect()
}

fn parsed(words: &[String]) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    read_from(typed(&words), &words)
}

#[test]
fn every_verb_has_two_examples_that_parse() {
    let tree = built(WIDEST);
    for verb in std::iter::once("neto".to_owned()).chain(lines(&tree)) {
        let examples = examples(at(&tree, &verb).unwrap());
        assert!(examples.len() >= 2, "{verb} --help has {} examples", examples.len());
        for example in &examples {
            assert!(example.chars().count() <= WIDEST_EXAMPLE, "{verb}: too wide for 80 columns: {example}");
            let netos = netos(example);
            assert!(!netos.is_empty(), "{verb}: no command line of neto: {example}");
            for words in netos.iter().filter(|words| words[1] != "help") {
                assert!(parsed(words).is_ok(), "{verb}: {example}\n{}", parsed(words).unwrap_err());
            }
        }
        let short = verb.replace("neto profile list", "neto ls").replace("neto profile use", "neto use");
        let long = verb.replace("neto ls", "neto profile list");
        let own = |line: &String| [&verb, &short, &long].iter().any(|verb| line.contains(&***verb));
        assert!(examples.iter().any(own), "{verb}: no example of its own");
    }
}

#[test]
fn remarks_of_a_page_stand_below_each_other() {
    let tree = built(WIDEST);
    for verb in lines(&tree) {
        let examples = examples(at(&tree, &verb).unwrap());
        let remarks = examples.iter().filter(|line| command(line).len() + 2 < line.len());
        let mut places: Vec<usize> = remarks.map(|line| line.rfind("    ").unwrap() + 4).collect();
        places.dedup();
        assert!(places.len() <= 1, "{verb}: {examples:#?}");
    }
}

#[test]
fn the_splitter_knows_what_the_examples_use() {
    for (line, wanted) in [
        ("  neto use -        back", &[&["neto", "use", "-"][..]][..]),
        ("  pass show a | neto profile add a --tag x", &[&["neto", "profile", "add", "a", "--tag", "x"]]),
        ("  eval \"$(neto export a)\"", &[&["neto", "export", "a"]]),
        ("  curl -H @<(neto token a -o header) \"$U/x\"", &[&["neto", "token", "a", "-o", "header"]]),
        ("  neto api GET '/d?a=1|2' > f.json", &[&["neto", "api", "GET", "/d?a=1|2"]]),
        ("  eval (neto a | slurp)     elvish", &[&["neto", "a"]]),
        ("  neto a && neto b", &[&["neto", "a"], &["neto", "b"]]),
    ] {
        assert_eq!(netos(line), wanted, "{line}");
    }
    let wrong = |line: &str| netos(line).iter().any(|words| parsed(words).is_err());
    assert!(wrong("  neto tokn") && wrong("  neto token --bogus") && wrong("  neto status --state gone"));
}
