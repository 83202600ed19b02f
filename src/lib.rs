//! neto keeps the credentials of every Netography (Vectra) Fusion tenant that a person or a team looks
//! after: declared in one TOML file, secrets sealed with age, one bearer token cached a profile, handed to
//! shells, scripts and programs on demand.
//!
//! # The house
//! A room imports only rooms above it in this list; a test keeps it so.
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`disk`] | bytes at rest: private atomic writes, locks, folders; knows no word of the domain |
//! | [`clock`] | now, from the system or fixed |
//! | [`profile`] | what the user declared: names, model, the only writer of the TOML, selection |
//! | [`secret`] | what is hidden: the `Secret` type, identities, seal and open, what was trusted |
//! | [`token`] | what was granted: the cached token, its file, its freshness |
//! | [`fusion`] | asking the server |
//! | [`session`] | the pipeline: profile, secret, cached token or login, access token; single flight |
//! | [`proxy`] | the decoy: a server that stands in for a tenant towards one program |
//! | [`output`] | what the user sees; knows no word of the domain |
//! | [`context`] | the facts of the process, turned into the stores and the chosen profile, once |
//! | `error` | kinds, hints, exit codes |
//! | `commands` | one verb, one file |
//! | `cli` | the command tree and dispatch |
//! | `completion` | what fits at TAB, from the tree and the store |
//!
//! Data goes one way: argv, command, profile, sealed secret, secret, cached token or server, access token,
//! view, stdout.

mod cli;
pub mod clock;
mod commands;
mod completion;
pub mod context;
pub mod decoy;
pub mod disk;
mod error;
pub mod fusion;
pub mod output;
pub mod profile;
pub mod secret;
pub mod session;
pub mod token;

mod usage;
mod workflow;

#[cfg(test)]
#[path = "man/tests.rs"]
mod man;

use cli::Cli;
use commands::{exec, export};
use context::{Context, Globals, Process};
use error::{Code, Error};
use output::{Streams, Ui, Volume};
use std::io::Write;
use workflow::Run;

/// Runs one command line from the facts of its process; returns the exit code.
#[must_use]
pub fn run(process: Process, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> u8 {
    let mut ui = Ui::new(stdout, stderr, streams(&process));
    if let Some(shell) = completion::asking(&process) {
        // Whatever goes wrong, a TAB finds nothing and disturbs nobody.
        let _ = ui.answer(&completion::answer(shell, process, &ui));
        return 0;
    }
    let failure = export::failure(&process);
    let is_exec = export::verb(&process).as_deref() == Some("exec");
    let Err(error) = start(process, &mut ui) else { return 0 };
    if error.code() != Code::Quiet
        && let Some(failure) = failure
    {
        // A stdout that takes no more than this reads nothing, so the shell has nothing to evaluate.
        let _ = ui.answer(&failure());
    }
    if !error.message().is_empty() {
        ui.error(error.message(), error.hint());
    }
    match error.code() {
        code @ (Code::Exec(_) | Code::Partial | Code::Quiet | Code::Interrupted | Code::Terminated) => code.status(),
        _ if is_exec => exec::OWN_FAILURE,
        code => code.status(),
    }
}

fn start(process: Process, ui: &mut Ui) -> Result<(), Error> {
    let Some(Cli { global, verb }) = usage::parse(&process.arguments, ui)? else { return Ok(()) };
    ui.set_color(global.color);
    ui.set_volume(match (global.quiet, global.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    });
    let globals =
        Globals { profile: global.profile, store: global.store, lock_timeout: global.lock_timeout.duration() };
    let context = Context::new(process, globals, ui);
    if context.paths.homeless {
        ui.warn(
            "the system names no home folder, so nothing is kept here; this names one:\nexport NETO_HOME=/some/folder",
        );
    }
    verb.run(&Run { context: &context, ui })
}

fn streams(process: &Process) -> Streams {
    let dumb = process.environment.text("TERM").map(|term| term == "dumb");
    Streams {
        stdin_terminal: process.terminal.stdin,
        stdout_terminal: process.terminal.stdout,
        stderr_terminal: process.terminal.stderr,
        width: process.terminal.width,
        plain: process.environment.get("NO_COLOR").is_some() || dumb == Some(true),
        dumb: dumb != Some(false),
    }
}
