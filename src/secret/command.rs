//! Runs a program that prints a NETOSECRET. Uses no shell, and kills the program after a time limit.
//!
//! Never shows or logs the program's output, and withholds neto's own secrets from the program's environment. The
//! plugin module shares the program lookup and the output reader.

use crate::environment::Environment;
use crate::platform;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Maximum number of bytes that a program may print.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// Maximum interval between two checks for the exit of the program.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Time to wait for the end of the output after the program has exited. A background process that the program started,
/// such as an agent, may keep the pipe open forever.
const OUTPUT_GRACE_PERIOD: Duration = Duration::from_millis(500);

/// Reasons why a program's output cannot be used. The error never contains an argument or any output of the program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The command is an empty list.
    #[error("no program is named")]
    NoProgram,
    /// The program is a relative path with a separator, or empty. A relative path would depend on the working
    /// directory.
    #[error("'{0}' is neither an absolute path nor the name of a program on PATH")]
    RelativePath(String),
    /// No absolute directory of `PATH` contains an executable with this name, or the absolute path is not a file.
    #[error("'{0}' was not found")]
    NotFound(String),
    /// The operating system cannot start the program, or cannot query its exit status.
    #[error("'{program}' could not be run: {}", crate::disk::os_message(source))]
    Run {
        /// Program as named in the command.
        program: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The program exited with a nonzero exit code, or was ended by a signal.
    #[error("'{program}' failed ({})", describe_status(*status))]
    Failed {
        /// Program as named in the command.
        program: String,
        /// Exit status.
        status: ExitStatus,
    },
    /// The program exceeded the time limit and was killed.
    #[error("'{program}' was ended after {} s without an answer", limit.as_secs())]
    TimedOut {
        /// Program as named in the command.
        program: String,
        /// Time limit.
        limit: Duration,
    },
    /// The program printed more than 64 KiB, the maximum size of a NETOSECRET. The program was killed.
    #[error("'{0}' printed more than 64 KiB")]
    TooMuchOutput(String),
}

/// Message from the thread that reads a program's output. `End` also reports a read error.
pub(super) enum OutputChunk {
    Bytes(Zeroizing<Vec<u8>>),
    End,
}

/// Maximum number of chunks waiting to be processed. While the queue is full, the reader thread waits. The program then
/// waits too, once its pipe is full.
pub(super) const MAX_PENDING_CHUNKS: usize = 16;

/// Runs a program and returns its standard output. `argv` is the program and its arguments. The program inherits
/// standard error, and its standard input is empty. A program that has not exited after `limit` is killed.
pub(super) fn run(
    argv: &[String],
    environment: &Environment,
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
    let (program, arguments) = argv.split_first().ok_or(ProgramError::NoProgram)?;
    let path = find_program(program, environment.get("PATH"))?;
    let run_error = |source| ProgramError::Run { program: program.clone(), source };
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(environment.child_variables());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(run_error)?;
    let (sender, chunks) = mpsc::sync_channel(MAX_PENDING_CHUNKS);
    if let Some(output) = child.stdout.take() {
        // The thread ends when the pipe closes. The thread is not joined, because a background process of the program
        // may keep the pipe open.
        std::thread::spawn(move || read_chunks(output, &sender));
    }
    let outcome = collect_output(&mut child, &chunks, limit, program);
    if outcome.is_err() {
        // Errors are ignored, because the program may already have exited.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, output) = outcome?;
    if status.success() { Ok(output) } else { Err(ProgramError::Failed { program: program.clone(), status }) }
}

fn collect_output(
    child: &mut Child,
    chunks: &Receiver<OutputChunk>,
    limit: Duration,
    program: &str,
) -> Result<(ExitStatus, Zeroizing<Vec<u8>>), ProgramError> {
    // The full capacity is reserved first, because a growing vector leaves copies of the secret in memory.
    let mut output = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT_BYTES));
    let start = Instant::now();
    let mut is_closed = false;
    let mut exit: Option<(ExitStatus, Instant)> = None;
    loop {
        let chunk = if is_closed { Err(RecvTimeoutError::Timeout) } else { chunks.recv_timeout(POLL_INTERVAL) };
        match chunk {
            Ok(OutputChunk::Bytes(bytes)) if output.len() + bytes.len() > MAX_OUTPUT_BYTES => {
                return Err(ProgramError::TooMuchOutput(program.to_owned()));
            }
            Ok(OutputChunk::Bytes(bytes)) => output.extend_from_slice(&bytes),
            Ok(OutputChunk::End) | Err(RecvTimeoutError::Disconnected) => is_closed = true,
            Err(RecvTimeoutError::Timeout) if is_closed => std::thread::sleep(POLL_INTERVAL),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if exit.is_none() {
            let status =
                child.try_wait().map_err(|source| ProgramError::Run { program: program.to_owned(), source })?;
            exit = status.map(|status| (status, Instant::now()));
        }
        match exit {
            Some((status, exited_at)) if is_closed || exited_at.elapsed() > OUTPUT_GRACE_PERIOD => {
                return Ok((status, output));
            }
            None if start.elapsed() > limit => {
                return Err(ProgramError::TimedOut { program: program.to_owned(), limit });
            }
            _ => {}
        }
    }
}

/// Sends a program's output to `sender` in chunks. Stops at the end of the output, at a read error, or when the
/// receiver is dropped.
pub(super) fn read_chunks(mut output: impl Read, sender: &SyncSender<OutputChunk>) {
    let mut buffer = Zeroizing::new([0; 4096]);
    loop {
        let chunk = match output.read(buffer.as_mut_slice()) {
            Ok(0) => OutputChunk::End,
            Ok(count) => OutputChunk::Bytes(Zeroizing::new(buffer[..count].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => OutputChunk::End,
        };
        let is_end = matches!(chunk, OutputChunk::End);
        // Sending fails if the receiver was dropped. The output is then no longer needed.
        if sender.send(chunk).is_err() || is_end {
            return;
        }
    }
}

/// Returns the path of a program. An absolute path is returned as given. A bare name is searched for in the absolute
/// directories of `path`, the value of `PATH`. Relative directories of `PATH` are skipped, because a git checkout may
/// contain a program of that name.
///
/// # Errors
/// Returns [`ProgramError::NotFound`] or [`ProgramError::RelativePath`].
pub fn find_program(program: &str, path: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
    let not_found = || ProgramError::NotFound(program.to_owned());
    if Path::new(program).is_absolute() {
        return Some(PathBuf::from(program)).filter(|file| file.is_file()).ok_or_else(not_found);
    }
    if program.contains(std::path::is_separator) || program.is_empty() {
        return Err(ProgramError::RelativePath(program.to_owned()));
    }
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let directories = std::env::split_paths(path.unwrap_or_default()).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(&name)).find(|file| platform::is_program(file)).ok_or_else(not_found)
}

/// Describes an exit status for a message, such as `exit code 3` or `ended by signal 9`.
pub(super) fn describe_status(status: ExitStatus) -> String {
    if let Some(signal) = platform::exit_signal(status) {
        return format!("ended by signal {signal}");
    }
    status.code().map_or_else(|| "without an exit code".to_owned(), |code| format!("exit code {code}"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
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
    fn output_is_returned_and_neto_keys_are_not_inherited() {
        let output = sh(r#"printf '%s|%s%s' "$SEEN" "$NETO_IDENTITY" "$NETO_PASSPHRASE_FILE""#, LONG).unwrap();
        assert_eq!(output.as_slice(), b"yes|");
        assert_eq!(sh("cat", LONG).unwrap().as_slice(), b"");
    }

    #[test]
    fn errors_name_the_program_but_not_its_output() {
        for (script, expected) in [
            ("echo canary; exit 3", "'sh' failed (exit code 3)"),
            ("echo canary; kill -9 $$", "'sh' failed (ended by signal 9)"),
            ("while :; do echo canary; done", "'sh' printed more than 64 KiB"),
        ] {
            assert_eq!(sh(script, LONG).unwrap_err().to_string(), expected, "{script}");
        }
        let error = sh("exec sleep 60", Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "'sh' was ended after 0 s without an answer");
    }

    #[test]
    fn a_background_process_does_not_delay_neto() {
        let (start, output) = (Instant::now(), sh("sleep 60 & echo $!", LONG).unwrap());
        assert!(start.elapsed() < LONG);
        let helper = std::str::from_utf8(&output).unwrap().trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(helper.unwrap(), rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn programs_in_the_working_directory_are_not_found() {
        let message =
            |program: &str, path: &str| find_program(program, Some(OsStr::new(path))).unwrap_err().to_string();
        assert!(find_program("sh", Some(OsStr::new("/nowhere:/usr/bin:/bin"))).is_ok());
        assert!(find_program("/bin/sh", None).is_ok());
        assert_eq!(message("sh", ".::bin"), "'sh' was not found");
        assert_eq!(message("/nowhere/sh", "/bin"), "'/nowhere/sh' was not found");
        assert_eq!(message("./sh", "/bin"), "'./sh' is neither an absolute path nor the name of a program on PATH");
        assert!(matches!(run(&[], &environment(&[]), LONG), Err(ProgramError::NoProgram)));
    }
}
