//! `neto exec` for several profiles or with `-o json`: runs the program once for each profile, `--jobs` at a time.
//!
//! For each profile, neto first gets the token and then starts the program. A tenant that does not respond delays only
//! its own program. No lock is held while a program runs.

use super::stop::Stop;
use super::tied::tie_to_parent;
use super::{ExecArgs, ExecFormat, child, decoyed, exit_code, program_command, start_error};
use crate::decoy::{AuditLog, Endpoint, Listener, ReloadProfile, serve};
use crate::error::{Code, Error, Hint};
use crate::output::{LinePrefix, OutputStream, PrefixedLineWriter, render_json_line};
use crate::platform::exit_signal;
use crate::profile::{Profile, ProfileName};
use crate::session::Session;
use crate::workflow::batch::ReorderBuffer;
use crate::workflow::exported_variables::ExportedVariables;
use crate::workflow::{Batch, Run, TerminalReporter, decoy, record_first_seen_profiles};
use futures_util::future::{Either, select};
use serde::Serialize;
use std::borrow::Cow;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::process::{Command, ExitStatus};
use std::rc::Rc;

/// Maximum number of bytes that are captured from each output stream of a program, for `-o json`.
const MAX_CAPTURED_BYTES: usize = 16 * 1024 * 1024;

/// Data shared by the runs of all profiles.
struct ExecWorker<'a> {
    args: &'a ExecArgs,
    run: &'a Run<'a>,
    session: &'a Session<'a>,
    stop: &'a Stop,
    reload: ReloadProfile<'a>,
    /// Audit log of the requests to the decoys; `None` without `--audit`.
    audit: Option<Rc<AuditLog>>,
    /// Length of the longest profile name, in characters.
    name_width: usize,
}

/// Exit status of a program that has ended, and its captured output. The output is empty unless `-o json` was given.
struct FinishedProgram {
    status: ExitStatus,
    stdout: CapturedOutput,
    stderr: CapturedOutput,
}

/// Outcome for one profile: the program that ended, or the error if no program ran. `None` if the program was not
/// started because the run was stopped.
type ExecOutcome = Option<Result<FinishedProgram, Error>>;

/// First [`MAX_CAPTURED_BYTES`] bytes that a program printed on one stream.
#[derive(Default)]
struct CapturedOutput {
    bytes: Vec<u8>,
    truncated: bool,
}

/// JSON row of one profile.
#[derive(Serialize)]
struct ExecRow<'a> {
    profile: &'a ProfileName,
    shortname: Option<&'a str>,
    /// Exit code as in a shell: 128 + n for signal n, 126 or 127 if the program cannot be started. Null if neto failed
    /// before the start.
    exit_code: Option<u8>,
    signal: Option<i32>,
    stdout: Cow<'a, str>,
    stderr: Cow<'a, str>,
    /// Whether the program printed more than [`MAX_CAPTURED_BYTES`] bytes on a stream.
    truncated: bool,
    /// Reason why the program did not run; null if the program ran.
    error: Option<&'a str>,
}

/// Returns the selection for the example command in the hint about a missing program: the leading arguments that name
/// profiles. The arguments after these may be the program, typed without `--`. Returns `NAME` if the first argument is
/// not a profile, and `--all` without arguments.
fn example_selection(args: &ExecArgs, run: &Run<'_>) -> String {
    let store = run.context.store().ok();
    let is_profile =
        |name: &&String| store.is_some_and(|store| name.parse().is_ok_and(|name| store.entry(&name).is_some()));
    let names: Vec<&str> = args.select.names.iter().take_while(is_profile).map(String::as_str).collect();
    match names[..] {
        [] if args.select.names.is_empty() => "--all".to_owned(),
        [] => "NAME".to_owned(),
        _ => names.join(" "),
    }
}

/// Runs the program for each of the selected profiles.
pub(super) fn run(args: &ExecArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.command.is_empty() {
        return Err(Error::new(Code::Usage, "several profiles, or -o json, want a program; it stands behind --")
            .with_hint(Hint::command(format!("neto exec {} -- ./report.py", example_selection(args, run)))));
    }
    let selected = args.select.resolve_or_current(run)?;
    let mut batch = Batch::new(run, "Running", selected.iter().map(|selected| &*selected.name));
    let profiles = batch.with_secrets(selected);
    if args.decoy {
        args.decoy_args.prepare(run, &profiles, "neto exec --decoy")?;
    } else if args.with_secret {
        run.unlock(profiles.iter().copied())?;
    }
    let audit = args.decoy_args.open_audit(run)?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let stop = Stop::new();
    let reload = |profile: &Profile| decoy::reload_profile(run, profile);
    let name_width = profiles.iter().map(|profile| profile.name.as_str().len()).max().unwrap_or(0);
    let worker = ExecWorker { args, run, session: &session, stop: &stop, reload: &reload, audit, name_width };
    let mut rows = ReorderBuffer::new();
    let run_one = async |(index, profile)| (index, profile, worker.run_profile(index, profile).await);
    session.run_each(profiles.into_iter().enumerate(), args.jobs.jobs, run_one, |(index, profile, outcome)| {
        if args.output == ExecFormat::Json {
            worker.print_rows(rows.push(index, exec_row(profile, outcome.as_ref())));
        }
        match worker.profile_result(outcome) {
            Some(Err(error)) => {
                let code = error.code();
                if batch.failed(&profile.name, error).is_break() {
                    stop.request(Error::silent(code));
                }
            }
            Some(Ok(())) => batch.step_done(),
            None => {}
        }
        // A stopped run starts no further program, but waits for the programs that are running.
        ControlFlow::Continue(())
    })?;
    worker.print_rows(rows.into_remaining());
    decoy::warn_audit_failed(worker.audit.as_deref(), run);
    if let Some(reason) = stop.into_reason() {
        batch.stop(reason);
    }
    record_first_seen_profiles(run, &reporter);
    batch.finish_with(|failed| Some(Hint::command(format!("neto exec {} -- ...", failed?)).remark("for those alone")))
}

impl ExecWorker<'_> {
    /// Gets the token of a profile, and then runs its program.
    async fn run_profile(&self, index: usize, profile: &Profile) -> ExecOutcome {
        let (command, decoy_server) =
            match select(pin!(self.stop.wait_until_requested()), pin!(self.prepare_program(profile))).await {
                Either::Left(_) => return None,
                Either::Right((Ok(prepared), _)) => prepared,
                Either::Right((Err(error), _)) => return Some(Err(error)),
            };
        let running = async {
            match self.args.output {
                ExecFormat::Text => self.run_prefixed(command, index, profile).await,
                ExecFormat::Json => self.run_captured(command).await,
            }
        };
        let result = match decoy_server {
            Some(decoy_server) => serve(&[decoy_server], running).await,
            None => running.await,
        };
        Some(result.map_err(|error| start_error(&self.args.command[0], &error)))
    }

    /// Returns the command with the profile's environment. With `--decoy`, also returns the profile's decoy.
    async fn prepare_program<'p>(
        &'p self,
        profile: &'p Profile,
    ) -> Result<(Command, Option<(Listener, Endpoint<'p>)>), Error> {
        let Self { args, run, session, .. } = self;
        if args.decoy {
            let decoy_server =
                decoyed::start_decoy(args, run, session, profile, self.reload, self.audit.clone()).await?;
            let variables = decoy::decoy_variables(run, &decoy_server.1, args.with_secret);
            let command = tie_to_parent(&program_command(&args.command, profile, &variables, run));
            return Ok((command, Some(decoy_server)));
        }
        let token_request = args.token_args.token_request(false, false);
        let variables = ExportedVariables::obtain(run, session, profile, token_request, args.with_secret).await?;
        Ok((program_command(&args.command, profile, &variables, run), None))
    }

    /// Runs a program. Prints each line of its output as it arrives, with the profile name before the line.
    async fn run_prefixed(&self, command: Command, index: usize, profile: &Profile) -> io::Result<FinishedProgram> {
        let prefix = LinePrefix { name: profile.name.as_str(), index, width: self.name_width };
        let line_writer = |stream| PrefixedLineWriter::new(self.run.ui, stream, prefix);
        let (mut output, mut errors) = (line_writer(OutputStream::Out), line_writer(OutputStream::Err));
        let status = child::run(command, self.stop, |bytes| output.write(bytes), |bytes| errors.write(bytes)).await?;
        if let Err(error) = output.finish().and(errors.finish()) {
            self.stop.request(error);
        }
        Ok(FinishedProgram { status, stdout: CapturedOutput::default(), stderr: CapturedOutput::default() })
    }

    /// Runs a program, and captures its output.
    async fn run_captured(&self, command: Command) -> io::Result<FinishedProgram> {
        let (mut stdout, mut stderr) = (CapturedOutput::default(), CapturedOutput::default());
        let status = child::run(command, self.stop, |bytes| stdout.push(bytes), |bytes| stderr.push(bytes)).await?;
        Ok(FinishedProgram { status, stdout, stderr })
    }

    /// Returns the result of a profile: an error if neto failed, or if the program's exit code is not 0. Returns `None`
    /// if the program was not started, or if the run was stopped and a signal ended the program.
    fn profile_result(&self, outcome: ExecOutcome) -> Option<Result<(), Error>> {
        match outcome? {
            Ok(finished) if exit_signal(finished.status).is_some() && self.stop.is_requested() => None,
            outcome => Some(outcome.and_then(|finished| check_status(finished.status))),
        }
    }

    fn print_rows(&self, rows: impl IntoIterator<Item = Option<String>>) {
        for row in rows.into_iter().flatten() {
            if let Err(error) = self.run.ui.print(&row) {
                return self.stop.request(error);
            }
        }
    }
}

impl CapturedOutput {
    #[allow(clippy::unnecessary_wraps, reason = "what takes a program's words may fail")]
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let space = MAX_CAPTURED_BYTES - self.bytes.len();
        self.truncated |= bytes.len() > space;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(space)]);
        Ok(())
    }
}

/// Returns an error if the exit code of the program is not 0.
fn check_status(status: ExitStatus) -> Result<(), Error> {
    let message = match (exit_code(status), exit_signal(status)) {
        (0, _) => return Ok(()),
        (_, Some(signal)) => format!("ended by signal {signal}"),
        (code, None) => format!("exit {code}"),
    };
    Err(Error::new(Code::Exec(exit_code(status)), message))
}

/// Returns the JSON line of a profile; `None` if its program was not started.
fn exec_row(profile: &Profile, outcome: Option<&Result<FinishedProgram, Error>>) -> Option<String> {
    let mut row = ExecRow {
        profile: &profile.name,
        shortname: profile.shortname.as_deref(),
        exit_code: None,
        signal: None,
        stdout: Cow::Borrowed(""),
        stderr: Cow::Borrowed(""),
        truncated: false,
        error: None,
    };
    match outcome? {
        Ok(finished) => {
            (row.exit_code, row.signal) = (Some(exit_code(finished.status)), exit_signal(finished.status));
            row.stdout = String::from_utf8_lossy(&finished.stdout.bytes);
            row.stderr = String::from_utf8_lossy(&finished.stderr.bytes);
            row.truncated = finished.stdout.truncated || finished.stderr.truncated;
        }
        Err(error) => {
            row.error = Some(error.message());
            if let Code::Exec(status) = error.code() {
                row.exit_code = Some(status);
            }
        }
    }
    Some(render_json_line(&row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_output_is_truncated_at_the_limit() {
        let mut captured = CapturedOutput::default();
        captured.push(&vec![b'x'; MAX_CAPTURED_BYTES - 1]).unwrap();
        captured.push(b"y").unwrap();
        assert!(!captured.truncated && captured.bytes.len() == MAX_CAPTURED_BYTES);
        captured.push(b"").unwrap();
        assert!(!captured.truncated);
        captured.push(b"z").unwrap();
        assert!(captured.truncated && captured.bytes.len() == MAX_CAPTURED_BYTES && captured.bytes.ends_with(b"xy"));
    }
}
