//! Suggestions for an unknown verb or flag.
//!
//! Owns the verbs and flags of other programs (gh, kubectl, aws-vault, git) and their equivalents in neto. A suggestion
//! contains only names that neto has, because an unknown word may be a secret.

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

/// Returns the commands that the user may have meant by an unknown `word` after the command `path`, such as
/// `neto profile`.
///
/// The result is the first of these lists that is not empty, cut to [`MAX_SUGGESTIONS`]:
/// 1. equivalents of a verb of another program, preferably those below `path`,
/// 2. verbs named `word` below any command,
/// 3. similar verbs below `path`, or `clap_suggestions` if there are none,
/// 4. similar verbs below any command.
pub(super) fn similar_verbs(word: &str, path: &str, clap_suggestions: &[String], tree: &Command) -> Vec<String> {
    let all_verbs = verb_paths(tree);
    let equivalents =
        FOREIGN_VERBS.iter().filter(|(words, _)| words.contains(&word)).flat_map(|(_, commands)| *commands);
    let equivalents = prefer_subcommands(path, equivalents.map(|command| (*command).to_owned()).collect());
    let same_name: Vec<String> = all_verbs.iter().filter(|verb| last_word(verb) == word).cloned().collect();
    let subcommands = find_command(tree, path).into_iter().flat_map(Command::get_subcommands);
    let subcommands = subcommands.filter(|verb| !verb.is_hide_set());
    // clap's own suggestions miss words with two transposed letters.
    let similar = crate::profile::near_matches(word, subcommands.map(Command::get_name));
    let similar = if similar.is_empty() { clap_suggestions.iter().map(String::as_str).collect() } else { similar };
    let similar: Vec<String> = similar.into_iter().map(|name| format!("{path} {name}")).collect();
    let similar_anywhere = || {
        let names = crate::profile::near_matches(word, all_verbs.iter().map(|verb| last_word(verb)));
        all_verbs.iter().filter(|verb| names.contains(&last_word(verb))).cloned().collect()
    };
    let found =
        [equivalents, same_name, similar].into_iter().find(|list| !list.is_empty()).unwrap_or_else(similar_anywhere);
    found.into_iter().take(MAX_SUGGESTIONS).collect()
}

/// Returns a hint for a flag that the command `path` does not have. Returns `None` if neto has no command `path`, or no
/// hint for the flag.
pub(super) fn flag_hint(flag: &str, path: &str, command_line: &CommandLine, tree: &Command) -> Option<Hint> {
    let command = find_command(tree, path)?;
    // No flag of neto is suggested for a secret, because neto treats the values of its flags as public.
    if SECRET_FLAGS.contains(&flag) {
        let safe_command =
            if path == "neto profile set-secret" { "neto profile set-secret NAME" } else { "neto profile add" };
        return Some(Hint::command(safe_command).remark("asks for it; no flag takes a secret"));
    }
    let equivalent = FOREIGN_FLAGS.iter().find(|(foreign, _)| *foreign == flag).map(|(_, equivalent)| *equivalent);
    if let Some(equivalent) =
        equivalent.filter(|equivalent| has_flag(command, equivalent.split(' ').next().unwrap_or_default()))
    {
        return Some(Hint::did_you_mean(&[equivalent]));
    }
    let owners: Vec<String> = verb_paths(tree)
        .into_iter()
        .filter(|verb| find_command(tree, verb).is_some_and(|command| has_flag(command, flag)))
        .collect();
    let is_typed =
        |owner: &&String| owner.split(' ').skip(1).all(|name| command_line.words().iter().any(|word| word == name));
    match owners.iter().find(is_typed) {
        Some(owner) if owner != path => {
            Some(Hint::command(format!("{owner} {flag}")).remark("it goes behind the verb"))
        }
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

/// Returns the command path of a command line that clap rejects, such as `neto profile add`. Skips flags and the values
/// of global flags.
pub(super) fn typed_verb(command_line: &CommandLine, tree: &Command) -> String {
    let (mut path, mut command) = ("neto".to_owned(), tree);
    for word in command_line.positionals() {
        let Some(subcommand) = command.find_subcommand(word) else { break };
        path = format!("{path} {word}");
        command = subcommand;
    }
    path
}

/// Returns the commands directly below the command `path`, or all commands if none is below it.
fn prefer_subcommands(path: &str, commands: Vec<String>) -> Vec<String> {
    let is_subcommand =
        |command: &str| without_flags(command).rsplit_once(' ').is_some_and(|(parent, _)| parent == path);
    let subcommands: Vec<String> = commands.iter().filter(|command| is_subcommand(command)).cloned().collect();
    if subcommands.is_empty() { commands } else { subcommands }
}

/// Returns the path of every visible verb, such as `neto profile` and `neto profile add`.
pub(super) fn verb_paths(tree: &Command) -> Vec<String> {
    fn collect_paths(path: &str, tree: &Command, paths: &mut Vec<String>) {
        for verb in tree.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
            let verb_path = format!("{path} {}", verb.get_name());
            paths.push(verb_path.clone());
            collect_paths(&verb_path, verb, paths);
        }
    }
    let mut paths = Vec::new();
    collect_paths("neto", tree, &mut paths);
    paths
}

/// Returns the command with this path, such as `neto profile add`.
pub(super) fn find_command<'t>(tree: &'t Command, path: &str) -> Option<&'t Command> {
    path.split(' ').skip(1).try_fold(tree, |command, name| command.find_subcommand(name))
}

/// Returns the part of a command line before its first flag.
fn without_flags(line: &str) -> &str {
    line.split(" -").next().unwrap_or(line)
}

fn last_word(line: &str) -> &str {
    line.rsplit(' ').next().unwrap_or(line)
}

/// Checks whether a command has this flag, written as `--long` or `-s`.
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
