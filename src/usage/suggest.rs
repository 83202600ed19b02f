//! Suggestions for an unknown verb or flag.
//!
//! Owns the verbs and flags of other programs (gh, kubectl, aws-vault, git) and their equivalents in neto. Typed words are
//! only compared, and do not appear in a suggestion.

use crate::context::CommandLine;
use crate::error::Hint;
use clap::{Arg, Command};

/// Maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 3;

/// Verbs of other programs, and the neto commands that do the same.
const FOREIGN_VERBS: [(&[&str], &[&str]); 23] = [
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

/// Flags of other programs, and the neto flags that do the same.
const FOREIGN_FLAGS: [(&str, &str); 9] = [
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

/// Flags that take a secret in other programs.
const SECRET_FLAGS: [&str; 10] = [
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

/// Returns the commands that an unknown `word` below the command at `path` (`neto`, or `neto profile`) may stand for.
///
/// The first of these lists that is not empty:
/// 1. equivalents of a verb of another program,
/// 2. verbs with this name below other commands,
/// 3. similar verbs of this command, or else `near`, clap's suggestions,
/// 4. similar verbs of any command.
pub(super) fn similar_verbs(word: &str, path: &str, near: &[String], tree: &Command) -> Vec<String> {
    let all = verb_lines(tree);
    let exists = |line: &&&str| without_flags(line) == "neto" || all.iter().any(|full| *full == without_flags(line));
    let equivalents = FOREIGN_VERBS.iter().filter(|(words, _)| words.contains(&word)).flat_map(|(_, lines)| *lines);
    let equivalents = prefer_subcommands(path, equivalents.filter(exists).map(|line| (*line).to_owned()).collect());
    let same_name: Vec<String> = all.iter().filter(|line| last_word(line) == word).cloned().collect();
    let below =
        find_command(tree, path).into_iter().flat_map(|own| own.get_subcommands().filter(|verb| !verb.is_hide_set()));
    // clap does not recognize two transposed letters.
    let mistyped = crate::profile::near_matches(word, below.map(Command::get_name));
    let near = if mistyped.is_empty() { near.iter().map(String::as_str).collect() } else { mistyped };
    let near: Vec<String> = near.into_iter().map(|name| format!("{path} {name}")).collect();
    let near_anywhere = || {
        let names = crate::profile::near_matches(word, all.iter().map(|line| last_word(line)));
        all.iter().filter(|line| names.contains(&last_word(line))).cloned().collect()
    };
    let found =
        [equivalents, same_name, near].into_iter().find(|lines| !lines.is_empty()).unwrap_or_else(near_anywhere);
    found.into_iter().take(MAX_SUGGESTIONS).collect()
}

/// Returns the hint for a flag that the command at `path` does not have; `None` if no other command has it either.
pub(super) fn flag_hint(flag: &str, path: &str, line: &CommandLine, tree: &Command) -> Option<Hint> {
    let own = find_command(tree, path)?;
    // A similar flag would treat the secret as a public value.
    if SECRET_FLAGS.contains(&flag) {
        let line = if path == "neto profile set-secret" { "neto profile set-secret NAME" } else { "neto profile add" };
        return Some(Hint::command(line).remark("asks for it; no flag takes a secret"));
    }
    let equivalent = FOREIGN_FLAGS.iter().find(|(foreign, _)| *foreign == flag).map(|(_, equivalent)| *equivalent);
    if let Some(equivalent) =
        equivalent.filter(|equivalent| has_flag(own, equivalent.split(' ').next().unwrap_or_default()))
    {
        return Some(Hint::did_you_mean(&[equivalent]));
    }
    let owners: Vec<String> = verb_lines(tree)
        .into_iter()
        .filter(|line| find_command(tree, line).is_some_and(|verb| has_flag(verb, flag)))
        .collect();
    let is_typed = |owner: &&String| owner.split(' ').skip(1).all(|name| line.words().iter().any(|word| word == name));
    match owners.iter().find(is_typed) {
        Some(line) if line != path => Some(Hint::command(format!("{line} {flag}")).remark("it goes behind the verb")),
        _ if owners.is_empty() => None,
        _ => {
            let more = if owners.len() > MAX_SUGGESTIONS { " and others" } else { "" };
            Some(Hint::advice(format!(
                "it belongs to {}{more}",
                owners[..owners.len().min(MAX_SUGGESTIONS)].join(", ")
            )))
        }
    }
}

/// Returns the verb of a command line that does not parse: `neto profile add`. Skips flags, and the values of global
/// flags.
pub(super) fn typed_verb(line: &CommandLine, tree: &Command) -> String {
    let (mut path, mut command) = ("neto".to_owned(), tree);
    for word in line.positionals() {
        let Some(below) = command.find_subcommand(word) else { break };
        path = format!("{path} {word}");
        command = below;
    }
    path
}

/// Returns only the commands directly below the command at `path`, or all of them if none is there.
fn prefer_subcommands(path: &str, lines: Vec<String>) -> Vec<String> {
    let below = |line: &str| without_flags(line).rsplit_once(' ').is_some_and(|(parent, _)| parent == path);
    let own: Vec<String> = lines.iter().filter(|line| below(line)).cloned().collect();
    if own.is_empty() { lines } else { own }
}

/// Lists every visible verb as it is typed: `neto profile`, `neto profile add`.
pub(super) fn verb_lines(tree: &Command) -> Vec<String> {
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

/// Finds the command that is typed as `path`.
pub(super) fn find_command<'t>(tree: &'t Command, path: &str) -> Option<&'t Command> {
    path.split(' ').skip(1).try_fold(tree, |command, name| command.find_subcommand(name))
}

/// Returns a command line without its flags.
fn without_flags(line: &str) -> &str {
    line.split(" -").next().unwrap_or(line)
}

fn last_word(line: &str) -> &str {
    line.rsplit(' ').next().unwrap_or(line)
}

/// Checks whether a command has this flag, `--long` or `-s`.
fn has_flag(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| is_named(arg, flag))
}

fn is_named(arg: &Arg, flag: &str) -> bool {
    match flag.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| flag.strip_prefix('-') == Some(short.to_string().as_str())),
    }
}

#[cfg(test)]
mod tests;
