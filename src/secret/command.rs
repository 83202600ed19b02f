//! Running the program that prints a NETOSECRET: without a shell, within a time limit, its output shown to nobody.

use super::source::SourceEnvironment;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The most that is read, in bytes.
const OUTPUT_CAP: usize = 64 * 1024;

/// How often the program is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long output may still come once the program has ended: a helper that it left behind (an agent)
/// may hold the pipe open for ever.
const GRACE: Duration = Duration::from_millis(500);

/// Why a program yielded nothing. It never holds an argument or a line of output.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No word at all.
    #[error("no program is named")]
    NoProgram,
    /// Neither absolute nor a bare name, so that it would depend on the working directory.
    #[error("'{0}' is neither an absolute path nor the name of a program on PATH")]
    Relative(String),
    /// On no folder of `PATH`, or nothing at the absolute path.
    #[error("'{0}' was not found")]
    NotFound(String),
    /// It is there, but the system does not start it.
    #[error("'{program}' could not be run: {}", crate::disk::plain(source))]
    Run {
        /// The program as declared.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended with a failure of its own.
    #[error("'{program}' failed ({})", ending(*status))]
    Failed {
        /// The program as declared.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long and was ended.
    #[error("'{program}' was ended after {} s without an answer", limit.as_secs())]
    TimedOut {
        /// The program as declared.
        program: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It printed more than any NETOSECRET has.
    #[error("'{0}' printed more than 64 KiB")]
    TooMuch(String),
}

/// What comes from the thread that reads.
pub(super) enum Piece {
    Bytes(Zeroizing<Vec<u8>>),
    End,
}

/// How many pieces may wait to be looked at; a program that prints faster waits as well.
pub(super) const MOST_PIECES: usize = 16;

/// Runs the program `argv` and returns what it printed. Its standard error is neto's own; it has no input.
pub(super) fn run(
    argv: &[String],
    environment: &SourceEnvironment,
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
    let (program, arguments) = argv.split_first().ok_or(ProgramError::NoProgram)?;
    let path = find(program, environment.get("PATH"))?;
    let failed = |source| ProgramError::Run { program: program.clone(), source };
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(environment.of_child());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(failed)?;
    let (sender, pieces) = mpsc::sync_channel(MOST_PIECES);
    if let Some(output) = child.stdout.take() {
        // Not joined: it ends with the pipe, which a helper left behind may keep open.
        std::thread::spawn(move || read_pieces(output, &sender));
    }
    let waited = wait(&mut child, &pieces, limit, program);
    if waited.is_err() {
        // It may have ended by itself meanwhile; either way nothing of it is left.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, output) = waited?;
    if status.success() { Ok(output) } else { Err(ProgramError::Failed { program: program.clone(), status }) }
}

fn wait(
    child: &mut Child,
    pieces: &Receiver<Piece>,
    limit: Duration,
    program: &str,
) -> Result<(ExitStatus, Zeroizing<Vec<u8>>), ProgramError> {
    // Reserved at once: a vector that grows leaves copies of the secret behind.
    let mut output = Zeroizing::new(Vec::with_capacity(OUTPUT_CAP));
    let start = Instant::now();
    let mut closed = false;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        let piece = if closed { Err(RecvTimeoutError::Timeout) } else { pieces.recv_timeout(TICK) };
        match piece {
            Ok(Piece::Bytes(bytes)) if output.len() + bytes.len() > OUTPUT_CAP => {
                return Err(ProgramError::TooMuch(program.to_owned()));
            }
            Ok(Piece::Bytes(bytes)) => output.extend_from_slice(&bytes),
            Ok(Piece::End) | Err(RecvTimeoutError::Disconnected) => closed = true,
            Err(RecvTimeoutError::Timeout) if closed => std::thread::sleep(TICK),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ended.is_none() {
            let status =
                child.try_wait().map_err(|source| ProgramError::Run { program: program.to_owned(), source })?;
            ended = status.map(|status| (status, Instant::now()));
        }
        match ended {
            Some((status, at)) if closed || at.elapsed() > GRACE => return Ok((status, output)),
            None if start.elapsed() > limit => {
                return Err(ProgramError::TimedOut { program: program.to_owned(), limit });
            }
            _ => {}
        }
    }
}

/// Hands on what a program prints until it closes its output or nobody listens any more.
pub(super) fn read_pieces(mut output: impl Read, sender: &SyncSender<Piece>) {
    let mut buffer = Zeroizing::new([0; 4096]);
    loop {
        let piece = match output.read(buffer.as_mut_slice()) {
            Ok(0) => Piece::End,
            Ok(count) => Piece::Bytes(Zeroizing::new(buffer[..count].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => Piece::End,
        };
        let end = matches!(piece, Piece::End);
        // Nobody listens any more: the program was given up.
        if sender.send(piece).is_err() || end {
            return;
        }
    }
}

/// Where a program lies: as given when absolute, else on the absolute folders of `PATH`, never in the
/// working directory, where a git checkout may have put one.
///
/// # Errors
/// [`ProgramError::NotFound`] or [`ProgramError::Relative`].
pub fn find(program: &str, path: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
    let not_found = || ProgramError::NotFound(program.to_owned());
    if Path::new(program).is_absolute() {
        return Some(PathBuf::from(program)).filter(|file| file.is_file()).ok_or_else(not_found);
    }
    if program.contains(std::path::is_separator) || program.is_empty() {
        return Err(ProgramError::Relative(program.to_owned()));
    }
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::split_paths(path.unwrap_or_default()).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(&name)).find(|file| is_program(file)).ok_or_else(not_found)
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// How a program ended, in words: `exit code 3`.
pub(super) fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("ended by signal {signal}");
    }
    status.code().map_or_else(|| "without an exit code".to_owned(), |code| format!("exit code {code}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> SourceEnvironment {
        SourceEnvironment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn sh(script: &str, limit: Duration) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let variables = [
            ("PATH", "/usr/bin:/bin"),
            ("SEEN", "yes"),
            ("NETO_IDENTITY", "canary"),
            ("NETO_PASSPHRASE_FILE", "canary"),
        ];
        run(&argv, &environment(&variables), limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_output_comes_back_and_our_keys_do_not_go_in() {
        let output = sh(r#"printf '%s|%s%s' "$SEEN" "$NETO_IDENTITY" "$NETO_PASSPHRASE_FILE""#, LONG).unwrap();
        assert_eq!(output.as_slice(), b"yes|");
        assert_eq!(sh("cat", LONG).unwrap().as_slice(), b"");
    }

    #[test]
    fn each_failure_names_the_program_and_nothing_it_printed() {
        for (script, wanted) in [
            ("echo canary; exit 3", "'sh' failed (exit code 3)"),
            ("echo canary; kill -9 $$", "'sh' failed (ended by signal 9)"),
            ("while :; do echo canary; done", "'sh' printed more than 64 KiB"),
        ] {
            assert_eq!(sh(script, LONG).unwrap_err().to_string(), wanted, "{script}");
        }
        let error = sh("exec sleep 60", Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "'sh' was ended after 0 s without an answer");
    }

    #[test]
    fn a_helper_left_behind_does_not_hold_neto() {
        let (start, output) = (Instant::now(), sh("sleep 60 & echo $!", LONG).unwrap());
        assert!(start.elapsed() < LONG);
        let helper = std::str::from_utf8(&output).unwrap().trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(helper.unwrap(), rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn a_program_is_absolute_or_on_path_but_never_beside_us() {
        let message = |program: &str, path: &str| find(program, Some(OsStr::new(path))).unwrap_err().to_string();
        assert!(find("sh", Some(OsStr::new("/nowhere:/usr/bin:/bin"))).is_ok());
        assert!(find("/bin/sh", None).is_ok());
        assert_eq!(message("sh", ".::bin"), "'sh' was not found");
        assert_eq!(message("/nowhere/sh", "/bin"), "'/nowhere/sh' was not found");
        assert_eq!(message("./sh", "/bin"), "'./sh' is neither an absolute path nor the name of a program on PATH");
        assert!(matches!(run(&[], &environment(&[]), LONG), Err(ProgramError::NoProgram)));
    }
}
