//! Shell completion: prints the candidates for the word at the cursor.
//!
//! Owns which values complete which argument, and the output format. `clap_complete` finds flags and verbs in the
//! command tree (`cli`); names come from the profile store (`profile::Outline`). The shell scripts are in
//! `commands::completions`. The scripts of `clap_complete` are not used: in bash they evaluate file names, and in
//! PowerShell they evaluate the line. In zsh the first TAB finds nothing if a package installed the script. None of
//! these scripts leaves the completion of files and programs to the shell.
//!
//! Completion decrypts nothing, prompts for nothing and writes nothing. A missing, broken or too open store only
//! yields fewer candidates.
//!
//! The words up to the cursor are the arguments after `--`; the last word is unfinished. The output is `names` and one
//! candidate a line, `files`, or `command N`. For `files` the shell completes a file, for `command N` the command line
//! that starts at word N.

mod candidates;
mod names;
mod source;

use crate::cli::Cli;
use crate::commands::completions::{CompletionShell, VARIABLE};
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

/// Returns the shell that requests completion; `None` for an ordinary run.
pub(crate) fn requesting_shell(process: &Process) -> Option<CompletionShell> {
    // Cheap check first, because every run passes here; no ordinary command line starts with `--`.
    process.arguments.get(1).filter(|word| *word == "--")?;
    CompletionShell::from_str(&process.environment.text(VARIABLE)?, false).ok()
}

/// Returns the candidates in the format of the shell.
pub(crate) fn complete(shell: CompletionShell, process: Process, ui: &Ui) -> String {
    let mut words = process.arguments.get(2..).unwrap_or_default().to_vec();
    if let (CompletionShell::Powershell, Some(last)) = (shell, words.last_mut()) {
        *last = last.to_str().and_then(|word| word.strip_prefix('=')).unwrap_or_default().into();
    }
    complete_words(words, process, ui).render(shell)
}

/// Completes the last of `words`, the line up to the cursor, which starts with the command's own name.
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
    let last = words.len() - 1;
    let found = engine::complete(&mut tree, words, last, Some(&directory)).unwrap_or_default();
    if data.wants_file() {
        return Completion::Files;
    }
    Completion::Candidates(candidates::remove_unrequested_flags(
        found.into_iter().filter_map(ShellCandidate::from_engine).collect(),
        &current,
    ))
}

/// Complete words before the cursor.
struct TypedLine<'a> {
    words: &'a [OsString],
    /// Parsed arguments, as far as they are valid.
    matches: Option<ArgMatches>,
}

impl<'a> TypedLine<'a> {
    fn parse(words: &'a [OsString]) -> Self {
        Self { words, matches: usage::typed_tree(words).ignore_errors(true).try_get_matches_from(words).ok() }
    }

    /// Returns the arguments of the innermost subcommand.
    fn innermost_matches(&self) -> Option<&ArgMatches> {
        let mut matches = self.matches.as_ref()?;
        while let Some((_, below)) = matches.subcommand() {
            matches = below;
        }
        Some(matches)
    }

    /// Returns the index of the first word after `--`, if another program's command line starts there.
    fn command_index(&self, tree: &Command) -> Option<usize> {
        let dashes = self.words.iter().position(|word| word == "--")?;
        let (mut verb, mut matches) = (tree, self.matches.as_ref()?);
        while let Some((name, below)) = matches.subcommand() {
            (verb, matches) = (verb.find_subcommand(name)?, below);
        }
        verb.get_positionals().any(clap::Arg::is_last_set).then_some(dashes + 1)
    }

    /// Returns the names in the store that the line selects.
    fn store_names(&self, process: Process, ui: &Ui) -> StoreNames {
        let store = self.innermost_matches().and_then(|matches| matches.get_one::<PathBuf>("store"));
        let store = store.map(|path| expand_home(path, process.environment.get("HOME")));
        let globals = Globals { profile: None, store, lock_timeout: Duration::ZERO };
        StoreNames::new(Context::new(process, globals, ui).store_file())
    }
}

/// Expands a leading `~` to the home directory, as the shell does before it runs the command.
fn expand_home(path: &Path, home: Option<&OsStr>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => Path::new(home).join(below),
        _ => path.to_owned(),
    }
}
