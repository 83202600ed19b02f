//! Shell completion: finds the candidates for the word at the cursor.
//!
//! Owns which values complete which argument, and the output format. `clap_complete` finds flags and verbs in the
//! command tree (`cli`). Names come from the profile store (`profile::Outline`). The completion scripts are in
//! `commands::completions`.
//!
//! The scripts of `clap_complete` are not used. In bash they evaluate file names, and in PowerShell they evaluate the
//! line. In zsh the first TAB finds nothing if a package installed the script. These scripts do not let the shell
//! complete files and other programs' arguments.
//!
//! Completion decrypts nothing, prompts for nothing and writes nothing. If the store is missing, invalid or writable by
//! other users, completion offers no names from the store.
//!
//! A script passes the words up to the cursor as arguments after `--`. The last word is the word to complete. The first
//! line of the output is one of:
//!
//! - `names`: each further line is a candidate.
//! - `files`: the shell completes a file name.
//! - `command N`: the shell completes another program's command line, which starts at word N. `neto` is word 0.

mod candidates;
mod names;
mod source;

use crate::cli::Cli;
use crate::commands::completions::{COMPLETION_VARIABLE, CompletionShell};
use crate::context::{Context, Globals, Process};
use crate::output::Ui;
use crate::usage;
use candidates::{Completion, ShellCandidate};
use clap::{ArgMatches, Command, CommandFactory as _, ValueEnum as _};
use clap_complete::engine;
use names::StoreNames;
use source::CompletionData;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Returns the shell whose completion script started this process. Returns `None` for an ordinary run.
pub(crate) fn requesting_shell(process: &Process) -> Option<CompletionShell> {
    // Every run calls this function, so the cheap check comes first. No ordinary command line starts with `--`.
    process.arguments.get(1).filter(|word| *word == "--")?;
    CompletionShell::from_str(&process.environment.text(COMPLETION_VARIABLE)?, false).ok()
}

/// Returns the output for the completion script of `shell`.
pub(crate) fn complete(shell: CompletionShell, process: Process, ui: &Ui) -> String {
    let mut words = process.arguments.get(2..).unwrap_or_default().to_vec();
    // The PowerShell script adds `=` before the last word, because PowerShell before version 7.3 drops empty arguments.
    if let (CompletionShell::Powershell, Some(last)) = (shell, words.last_mut()) {
        *last = last.to_str().and_then(|word| word.strip_prefix('=')).unwrap_or_default().into();
    }
    complete_words(words, process, ui).render(shell)
}

/// Completes the last of `words`. The words are the command line up to the cursor, including `neto`.
fn complete_words(words: Vec<OsString>, process: Process, ui: &Ui) -> Completion {
    let Some((current, before)) = words.split_last().filter(|(_, before)| !before.is_empty()) else {
        return Completion::default();
    };
    let current = current.clone();
    let line = TypedLine::parse(before);
    let mut tree = Cli::command();
    tree.build();
    if let Some(index) = line.command_index(&tree) {
        return Completion::Command(index);
    }
    let directory = process.working_directory.clone();
    let data = Arc::new(CompletionData::new(line.store_names(process, ui)));
    let mut tree = source::add_completers(tree, &data, line.innermost_matches());
    let current_index = words.len() - 1;
    let candidates = engine::complete(&mut tree, words, current_index, Some(&directory)).unwrap_or_default();
    if data.wants_file() {
        return Completion::Files;
    }
    Completion::Candidates(candidates::remove_unrequested_flags(
        candidates.into_iter().filter_map(ShellCandidate::from_engine).collect(),
        &current,
    ))
}

/// Words before the word to complete, and the arguments that they contain.
struct TypedLine<'a> {
    words: &'a [OsString],
    /// Arguments, as far as clap accepts the words. `None` if the words request help.
    matches: Option<ArgMatches>,
}

impl<'a> TypedLine<'a> {
    fn parse(words: &'a [OsString]) -> Self {
        Self { words, matches: usage::typed_tree(words).ignore_errors(true).try_get_matches_from(words).ok() }
    }

    /// Returns the arguments of the innermost subcommand; `None` if the words request help.
    fn innermost_matches(&self) -> Option<&ArgMatches> {
        let mut matches = self.matches.as_ref()?;
        while let Some((_, subcommand_matches)) = matches.subcommand() {
            matches = subcommand_matches;
        }
        Some(matches)
    }

    /// Returns the index of the first word after `--`, if the verb takes another program's command line there.
    fn command_index(&self, tree: &Command) -> Option<usize> {
        let separator = self.words.iter().position(|word| word == "--")?;
        let (mut verb, mut matches) = (tree, self.matches.as_ref()?);
        while let Some((name, subcommand_matches)) = matches.subcommand() {
            (verb, matches) = (verb.find_subcommand(name)?, subcommand_matches);
        }
        verb.get_positionals().any(clap::Arg::is_last_set).then_some(separator + 1)
    }

    /// Returns the names in the store that a run with these words and this environment would use. Does not read the
    /// store yet.
    fn store_names(&self, process: Process, ui: &Ui) -> StoreNames {
        let store = self.innermost_matches().and_then(|matches| matches.get_one::<PathBuf>("store"));
        let store = store.map(|path| expand_home(path, process.environment.get("HOME")));
        let globals = Globals { profile: None, store, lock_timeout: Duration::ZERO };
        StoreNames::new(Context::new(process, globals, ui).store_file())
    }
}

/// Expands a leading `~` to the home directory. A shell expands `~` when it runs a command, not for completion.
fn expand_home(path: &Path, home: Option<&OsStr>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(relative_path), Some(home)) => Path::new(home).join(relative_path),
        _ => path.to_owned(),
    }
}
