//! `neto exec` of several profiles: the program once for each, so many at once.
//!
//! Each profile gets its token when its turn comes and its program after that, so that a tenant that does not answer
//! holds up nobody, and no lock is held while a program runs.

use super::stop::Stop;
use super::tied::tied;
use super::{ExecArgs, Form, child, code, command, decoyed, not_started, signal};
use crate::decoy::{Audit, Door, Reread, Site, serve};
use crate::error::{Code, Error};
use crate::output::{Lines, Speaker, Stream, json_line};
use crate::profile::{Profile, ProfileName};
use crate::session::Session;
use crate::workflow::batch::InOrder;
use crate::workflow::exported_variables::Variables;
use crate::workflow::{Fleet, Run, Watch, decoy, remember};
use futures_util::future::{Either, select};
use serde::Serialize;
use std::borrow::Cow;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::process::{Command, ExitStatus};
use std::rc::Rc;

/// The most that is kept of one stream for `-o json`, in bytes.
const MOST_KEPT: usize = 16 * 1024 * 1024;

/// What the work on every profile needs.
struct Work<'a> {
    args: &'a ExecArgs,
    run: &'a Run<'a>,
    session: &'a Session<'a>,
    stop: &'a Stop,
    reread: Reread<'a>,
    /// Where what goes through decoys is written down.
    audit: Option<Rc<Audit>>,
    /// The columns of the longest name.
    widest: usize,
}

/// A program that ran, and what was kept of its words.
struct Ran {
    status: ExitStatus,
    stdout: Kept,
    stderr: Kept,
}

/// What came of one profile; nothing where it was not begun.
type Outcome = Option<Result<Ran, Error>>;

/// The beginning of what a program printed on one stream.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

/// One profile in JSON.
#[derive(Serialize)]
struct ExecRow<'a> {
    profile: &'a ProfileName,
    shortname: Option<&'a str>,
    /// As a shell has it: 128 + n for signal n, 126 or 127 where there is no such program; null where neto failed before.
    exit_code: Option<u8>,
    signal: Option<i32>,
    stdout: Cow<'a, str>,
    stderr: Cow<'a, str>,
    /// Whether it printed more than is kept.
    truncated: bool,
    /// Why no program ran.
    error: Option<&'a str>,
}

/// For whom the program was meant where it is missing: the profiles that come first, since what follows may be the program
/// without its `--`.
fn meant(args: &ExecArgs, run: &Run<'_>) -> String {
    let store = run.context.store().ok();
    let is_there =
        |name: &&String| store.is_some_and(|store| name.parse().is_ok_and(|name| store.entry(&name).is_some()));
    let names: Vec<&str> = args.select.names.iter().take_while(is_there).map(String::as_str).collect();
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
            .with_hint(format!("neto exec {} -- ./report.py", meant(args, run))));
    }
    let selected = args.select.or_chosen(run)?;
    let mut fleet = Fleet::new(run, "Running", selected.iter().map(|one| &*one.name));
    let profiles = fleet.with_secrets(selected);
    if args.decoy {
        args.behind.prepare(run, &profiles, "neto exec --decoy")?;
    } else if args.with_secret {
        run.unlock(profiles.iter().copied())?;
    }
    let audit = args.behind.audit(run)?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let stop = Stop::new();
    let reread = |profile: &Profile| decoy::reread(run, profile);
    let widest = profiles.iter().map(|profile| profile.name.as_str().len()).max().unwrap_or(0);
    let work = Work { args, run, session: &session, stop: &stop, reread: &reread, audit, widest };
    let mut rows = InOrder::new();
    let one = async |(place, profile)| (place, profile, work.one(place, profile).await);
    session.each(profiles.into_iter().enumerate(), args.jobs.jobs, one, |(place, profile, outcome)| {
        if args.output == Form::Json {
            work.print(rows.put(place, row(profile, outcome.as_ref())));
        }
        match work.verdict(outcome) {
            Some(Err(error)) => {
                let code = error.code();
                if fleet.failed(&profile.name, error).is_break() {
                    stop.now(Error::silent(code));
                }
            }
            Some(Ok(())) => fleet.step(),
            None => {}
        }
        // Once the run is stopped nothing more is begun; what was begun comes to its end.
        ControlFlow::Continue(())
    })?;
    work.print(rows.rest());
    decoy::warn_of(work.audit.as_deref(), run);
    if let Some(reason) = stop.reason() {
        fleet.stop(reason);
    }
    remember(run, &watch);
    fleet.end_with(|failed| Some(format!("neto exec {} -- ...    for those alone", failed?)))
}

impl Work<'_> {
    /// Gets a profile's token, then runs its program.
    async fn one(&self, place: usize, profile: &Profile) -> Outcome {
        let (command, served) = match select(pin!(self.stop.comes()), pin!(self.ready(profile))).await {
            Either::Left(_) => return None,
            Either::Right((Ok(ready), _)) => ready,
            Either::Right((Err(error), _)) => return Some(Err(error)),
        };
        let running = async {
            match self.args.output {
                Form::Text => self.aloud(command, place, profile).await,
                Form::Json => self.kept(command).await,
            }
        };
        let ran = match served {
            Some(served) => serve(&[served], running).await,
            None => running.await,
        };
        Some(ran.map_err(|error| not_started(&self.args.command[0], &error)))
    }

    /// The program with its environment, and its decoy where it is to have one.
    async fn ready<'p>(&'p self, profile: &'p Profile) -> Result<(Command, Option<(Door, Site<'p>)>), Error> {
        let Self { args, run, session, .. } = self;
        if args.decoy {
            let served = decoyed::site(args, run, session, profile, self.reread, self.audit.clone()).await?;
            let variables = decoy::variables(run, &served.1, args.with_secret);
            let command = tied(&command(&args.command, profile, &variables, run));
            return Ok((command, Some(served)));
        }
        let want = args.want.want(false, false);
        let variables = Variables::obtained(run, session, profile, want, args.with_secret).await?;
        Ok((command(&args.command, profile, &variables, run), None))
    }

    /// Runs a program whose lines are printed as they come.
    async fn aloud(&self, command: Command, place: usize, profile: &Profile) -> io::Result<Ran> {
        let speaker = Speaker { name: profile.name.as_str(), place, widest: self.widest };
        let lines = |stream| Lines::new(self.run.ui, stream, speaker);
        let (mut output, mut errors) = (lines(Stream::Out), lines(Stream::Err));
        let status = child::run(command, self.stop, |bytes| output.take(bytes), |bytes| errors.take(bytes)).await?;
        if let Err(error) = output.end().and(errors.end()) {
            self.stop.now(error);
        }
        Ok(Ran { status, stdout: Kept::default(), stderr: Kept::default() })
    }

    /// Runs a program whose words are kept.
    async fn kept(&self, command: Command) -> io::Result<Ran> {
        let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
        let status = child::run(command, self.stop, |bytes| stdout.take(bytes), |bytes| stderr.take(bytes)).await?;
        Ok(Ran { status, stdout, stderr })
    }

    /// Whether a profile failed; nothing where it was not begun, or what stopped the run ended its program.
    fn verdict(&self, outcome: Outcome) -> Option<Result<(), Error>> {
        match outcome? {
            Ok(ran) if signal(ran.status).is_some() && self.stop.is_here() => None,
            outcome => Some(outcome.and_then(|ran| check(ran.status))),
        }
    }

    fn print(&self, rows: impl IntoIterator<Item = Option<String>>) {
        for row in rows.into_iter().flatten() {
            if let Err(error) = self.run.ui.answer(&row) {
                return self.stop.now(error);
            }
        }
    }
}

impl Kept {
    #[allow(clippy::unnecessary_wraps, reason = "what takes a program's words may fail")]
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = MOST_KEPT - self.bytes.len();
        self.truncated |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }
}

/// A program that fails fails its profile.
fn check(status: ExitStatus) -> Result<(), Error> {
    let what = match (code(status), signal(status)) {
        (0, _) => return Ok(()),
        (_, Some(signal)) => format!("ended by signal {signal}"),
        (code, None) => format!("exit {code}"),
    };
    Err(Error::new(Code::Exec(code(status)), what))
}

/// The line of a profile; nothing for one that was not begun.
fn row(profile: &Profile, outcome: Option<&Result<Ran, Error>>) -> Option<String> {
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
        Ok(ran) => {
            (row.exit_code, row.signal) = (Some(code(ran.status)), signal(ran.status));
            row.stdout = String::from_utf8_lossy(&ran.stdout.bytes);
            row.stderr = String::from_utf8_lossy(&ran.stderr.bytes);
            row.truncated = ran.stdout.truncated || ran.stderr.truncated;
        }
        Err(error) => {
            row.error = Some(error.message());
            if let Code::Exec(status) = error.code() {
                row.exit_code = Some(status);
            }
        }
    }
    Some(json_line(&row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stream_so_much_is_kept_and_no_more() {
        let mut kept = Kept::default();
        kept.take(&vec![b'x'; MOST_KEPT - 1]).unwrap();
        kept.take(b"y").unwrap();
        assert!(!kept.truncated && kept.bytes.len() == MOST_KEPT);
        kept.take(b"").unwrap();
        assert!(!kept.truncated);
        kept.take(b"z").unwrap();
        assert!(kept.truncated && kept.bytes.len() == MOST_KEPT && kept.bytes.ends_with(b"xy"));
    }
}
