//! neto keeps the credentials of many Netography (Vectra) Fusion tenants.
//!
//! Profiles live in one TOML file, their secrets encrypted with age. neto caches an access token for each profile and
//! gives it to shells, scripts and programs.
//!
//! # Modules
//! Each module imports only modules above it in this list; `tests/layers.rs` checks this rule.
//!
//! | module | owns |
//! | --- | --- |
//! | [`environment`] | the environment variables of the process, as data |
//! | [`clock`] | the current time, from the system or fixed by a test |
//! | [`disk`] | private atomic writes, locks and directories; knows nothing of the domain |
//! | [`platform`] | system calls that differ between operating systems, except calls on files |
//! | [`output`] | streams, tables, JSON and CSV, shell text, prompts; knows nothing of the domain |
//! | [`profile`] | the profiles that the user declared: names, model, the TOML text and its edits |
//! | [`secret`] | secrets in memory, identities, recipients, encryption, sources, trust |
//! | [`token`] | cached tokens: file, freshness, fingerprint |
//! | [`fusion`] | requests to the Fusion API |
//! | [`session`] | getting an access token for a profile: cache, refresh, login; one login shared by many processes |
//! | [`decoy`] | a local server that forwards a program's requests; the program gets only a fake credential |
//! | [`context`] | facts of the process, paths, and the resolved profile of one run |
//! | [`error`] | messages, hints and exit codes |
//! | [`workflow`] | steps that several verbs share |
//! | [`commands`] | the verbs, one file for each |
//! | [`cli`] | the command tree and its dispatch |
//! | [`usage`] | parsing the command line, help pages, suggestions for mistyped words |
//! | [`completion`] | candidates for shell completion |
//!
//! Data flows in one direction: argv, command, profile, secret, server, access token, stdout.

#![allow(rustdoc::private_intra_doc_links, reason = "`cargo doc` of this repository documents the private modules")]

mod cli;
mod clock;
mod commands;
mod completion;
mod context;
mod decoy;
mod disk;
mod environment;
mod error;
mod fusion;
mod output;
mod platform;
mod profile;
mod secret;
mod session;
mod token;
mod usage;
mod workflow;

#[cfg(feature = "internals")]
pub mod internals;

pub use clock::Clock;
pub use context::{Process, Terminal};
pub use environment::Environment;
pub use platform::{forbid_core_dumps, parent_name};

use cli::Cli;
use commands::{exec, export};
use context::{CommandLine, Context, Globals};
use error::{Code, Error};
use output::{Streams, Ui, Volume};
use std::io::Write;
use workflow::Run;

/// Runs the command line of `process` and returns the exit code. Results go to `stdout`, messages to `stderr`.
#[must_use]
pub fn run(process: Process, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> u8 {
    let mut ui = Ui::new(stdout, stderr, streams(&process));
    if let Some(shell) = completion::requesting_shell(&process) {
        // Errors are ignored: a message would disturb the line that the user is typing.
        let _ = ui.print(&completion::complete(shell, process, &ui));
        return 0;
    }
    let line = CommandLine::new(&process.arguments);
    let failure_script = export::failure_script(&process, &line);
    let is_exec = line.verb() == Some("exec");
    let Err(error) = run_verb(process, &line, &mut ui) else { return 0 };
    if error.code() != Code::BrokenPipe
        && let Some(render_script) = failure_script
    {
        // Errors are ignored: if stdout is closed, the shell receives no text to evaluate.
        let _ = ui.print(&render_script());
    }
    if !error.message().is_empty() {
        ui.error(error.message(), error.hint().as_deref());
    }
    match error.code() {
        code @ (Code::Exec(_) | Code::Partial | Code::BrokenPipe | Code::Interrupted | Code::Terminated) => {
            code.status()
        }
        _ if is_exec => exec::NETO_FAILED_EXIT_CODE,
        code => code.status(),
    }
}

fn run_verb(process: Process, line: &CommandLine, ui: &mut Ui) -> Result<(), Error> {
    let Some(Cli { global, verb }) = usage::parse(&process.arguments, line, ui)? else { return Ok(()) };
    ui.set_color(global.color);
    ui.set_volume(match (global.quiet, global.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    });
    let globals =
        Globals { profile: global.profile, store: global.store, lock_timeout: global.lock_timeout.duration() };
    let context = Context::new(process, globals, ui);
    if context.paths.has_no_home {
        ui.warn(
            "the system names no home folder, so nothing is kept here; this names one:\nexport NETO_HOME=/some/folder",
        );
    }
    verb.run(&Run { context: &context, ui })
}

fn streams(process: &Process) -> Streams {
    let is_term_dumb = process.environment.text("TERM").map(|term| term == "dumb");
    Streams {
        stdin_terminal: process.terminal.stdin,
        stdout_terminal: process.terminal.stdout,
        stderr_terminal: process.terminal.stderr,
        width: process.terminal.width,
        no_color: process.environment.get("NO_COLOR").is_some() || is_term_dumb == Some(true),
        is_dumb: is_term_dumb != Some(false),
    }
}
