//! What fits at TAB, told to the shell that asks.
//!
//! Owns what completes which argument, and the answers. What there is to say of the line comes from the one tree
//! (`cli`), by the engine of `clap_complete`; names come from the store (`profile::Outline`). The shells' own part is
//! `commands::completions`. The library's shell texts are not used: in bash they let files' names be evaluated, in
//! PowerShell the line itself; in zsh the first TAB finds nothing where a package installed them; and none leaves
//! files and programs to the shell, which knows them best.
//!
//! Nothing is opened, asked or written here, and whatever is wrong (no store, a broken one, open to others) there is
//! just less to offer.
//!
//! The words of the line up to the cursor come as arguments behind `--`, the unfinished one last. The answer is lines:
//! first `names`, and then each that fits; or `files`, or `command N`: the shell itself completes a file, or what is a
//! command line from the N-th word on.

mod candidates;
mod names;
mod source;

use crate::cli::Cli;
use crate::commands::completions::{Shell, VARIABLE};
use crate::context::{Context, Globals, Process};
use crate::output::Ui;
use crate::usage;
use candidates::{Answer, Offer};
use clap::{ArgMatches, Command, CommandFactory as _, ValueEnum as _};
use clap_complete::engine;
use names::Names;
use source::Given;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The shell that asks, if this run is a question.
pub(crate) fn asking(process: &Process) -> Option<Shell> {
    // No command line begins so, and every run comes by here.
    process.arguments.get(1).filter(|word| *word == "--")?;
    Shell::from_str(&process.environment.text(VARIABLE)?, false).ok()
}

/// What fits, in the form that the shell takes.
pub(crate) fn answer(shell: Shell, process: Process, ui: &Ui) -> String {
    let mut words = process.arguments.get(2..).unwrap_or_default().to_vec();
    if let (Shell::Powershell, Some(last)) = (shell, words.last_mut()) {
        *last = last.to_str().and_then(|word| word.strip_prefix('=')).unwrap_or_default().into();
    }
    fitting(words, process, ui).render(shell)
}

/// `words` is the line up to the cursor, the command's own name first.
fn fitting(words: Vec<OsString>, process: Process, ui: &Ui) -> Answer {
    let Some((current, before)) = words.split_last().filter(|(_, before)| !before.is_empty()) else {
        return Answer::default();
    };
    let current = current.clone();
    let line = Line::read(before);
    let mut tree = Cli::command();
    tree.build();
    if let Some(place) = line.program(&tree) {
        return Answer::Command(place);
    }
    let folder = process.folder.clone();
    let given = Arc::new(Given::new(line.names(process, ui)));
    let mut tree = source::equip(tree, &given, line.deepest());
    let last = words.len() - 1;
    let found = engine::complete(&mut tree, words, last, Some(&folder)).unwrap_or_default();
    if given.wants_file() {
        return Answer::Files;
    }
    Answer::Names(candidates::kept(found.into_iter().filter_map(Offer::of).collect(), &current))
}

/// What was typed before the cursor.
struct Line<'a> {
    words: &'a [OsString],
    /// As far as it can be understood.
    matches: Option<ArgMatches>,
}

impl<'a> Line<'a> {
    fn read(words: &'a [OsString]) -> Self {
        Self { words, matches: usage::typed(words).ignore_errors(true).try_get_matches_from(words).ok() }
    }

    /// The arguments of the verb that was typed.
    fn deepest(&self) -> Option<&ArgMatches> {
        let mut found = self.matches.as_ref()?;
        while let Some((_, below)) = found.subcommand() {
            found = below;
        }
        Some(found)
    }

    /// The place of the word that is a program of its own, where the cursor stands in its command line.
    fn program(&self, tree: &Command) -> Option<usize> {
        let dashes = self.words.iter().position(|word| word == "--")?;
        let (mut verb, mut found) = (tree, self.matches.as_ref()?);
        while let Some((name, below)) = found.subcommand() {
            (verb, found) = (verb.find_subcommand(name)?, below);
        }
        verb.get_positionals().any(clap::Arg::is_last_set).then_some(dashes + 1)
    }

    /// The names of the store that the line means.
    fn names(&self, process: Process, ui: &Ui) -> Names {
        let store = self.deepest().and_then(|found| found.get_one::<PathBuf>("store"));
        let store = store.map(|path| from_home(path, process.environment.get("HOME")));
        let globals = Globals { profile: None, store, lock_timeout: Duration::ZERO };
        Names::new(Context::new(process, globals, ui).store_file())
    }
}

/// The path as the shell will hand it over: before it runs a command, it puts the home folder in for `~`.
fn from_home(path: &Path, home: Option<&OsStr>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => Path::new(home).join(below),
        _ => path.to_owned(),
    }
}
