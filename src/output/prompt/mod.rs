//! Prompts on a terminal: questions, hidden input for secrets, and a picker.
//!
//! Owns the terminal during a prompt. Secrets are not echoed, and the terminal is restored after an answer, Ctrl-C, a
//! termination signal or an error. Never prompts if stdin is not a terminal.

mod fuzzy;
mod hidden;
mod key_codes;
mod picker;

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Stdin, Write};

use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::sanitize::sanitize_block;
use crate::disk::{self, SignalDeferral, TerminationSignal};
use hidden::Keyboard;

pub use picker::Candidate;
pub(super) use picker::{pick, pick_by_number};

/// Enables bracketed paste: the terminal marks the start and the end of a paste. A terminal without bracketed paste
/// ignores the sequence.
const ENABLE_BRACKETED_PASTE: &str = "\x1b[?2004h";
const DISABLE_BRACKETED_PASTE: &str = "\x1b[?2004l";
/// Read timeout in tenths of a second. A pause of this length ends a paste. Signals are checked after each read.
const READ_TIMEOUT_TENTHS: u8 = 1;

/// Reason why a prompt got no valid answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Stdin is not a terminal.
    #[error("there is nobody to ask: standard input is not a terminal")]
    NoTerminal,
    /// The user pressed Ctrl-C or Ctrl-\, or neto received SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// neto received SIGTERM.
    #[error("terminated")]
    Terminated,
    /// The user pressed Ctrl-D, the terminal was closed, or neto received SIGHUP.
    #[error("the question was left without an answer")]
    Closed,
    /// The answer is longer than the limit for hidden answers.
    #[error("the answer is longer than {} KiB", hidden::MAX_ANSWER_BYTES / 1024)]
    TooLong,
    /// The hidden answer is not UTF-8.
    #[error("the answer is not UTF-8 text")]
    NotText,
    /// Reading from or writing to the terminal failed.
    #[error("cannot use the terminal: {0}")]
    TerminalFailed(#[from] io::Error),
}

/// Asks a yes-or-no question. The answers `y` and `yes`, in upper or lower case, mean yes; every other answer means no.
///
/// # Errors
/// Returns the errors of [`read_line`].
pub fn confirm(question: &str) -> Result<bool, PromptError> {
    let answer = read_line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Reads a line with echo and removes whitespace around it. Ctrl-C ends the process as usual.
///
/// # Errors
/// Returns [`PromptError::NoTerminal`] if stdin is not a terminal. Returns [`PromptError::Closed`] if stdin ends, for
/// example after Ctrl-D, and [`PromptError::TerminalFailed`] if reading or writing fails.
pub fn read_line(prompt: &str) -> Result<String, PromptError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(PromptError::NoTerminal);
    }
    let mut terminal = open_terminal();
    write!(terminal, "{}", sanitize_block(prompt))?;
    terminal.flush()?;
    let mut line = String::new();
    if stdin.lock().read_line(&mut line)? == 0 {
        return Err(PromptError::Closed);
    }
    Ok(line.trim().to_owned())
}

/// Reads text without echo. Reads a paste of several lines completely, with or without bracketed paste, and converts
/// line endings to `\n`. Removes line endings at the end. The text may be empty.
///
/// # Errors
/// Returns any kind of [`PromptError`]. Ctrl-D returns [`PromptError::Closed`] only if no text was typed.
pub fn read_hidden(prompt: &str) -> Result<Zeroizing<String>, PromptError> {
    if !io::stdin().is_terminal() {
        return Err(PromptError::NoTerminal);
    }
    let mut terminal = HiddenInput::start(disk::defer_signals())?;
    let prompt = sanitize_block(prompt).replace('\n', "\r\n");
    write!(terminal.output, "{prompt}")?;
    terminal.output.flush()?;
    hidden::read_answer(&mut terminal)
}

/// Opens the controlling terminal for writing prompts, so that the user sees prompts even if stderr is redirected.
/// Falls back to stderr.
fn open_terminal() -> Box<dyn Write> {
    match File::options().write(true).open("/dev/tty") {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Terminal in raw mode: each key can be read as soon as it is pressed, without echo. Dropping the value restores the
/// saved modes.
struct RawTerminal {
    stdin: Stdin,
    saved_modes: Termios,
    raw_modes: Termios,
    /// Defers termination signals. Dropped only after `Drop` has restored the modes, so that no signal ends the process
    /// in raw mode.
    signals: SignalDeferral,
}

impl RawTerminal {
    fn start(signals: SignalDeferral) -> Result<Self, PromptError> {
        let stdin = io::stdin();
        let saved_modes = tcgetattr(&stdin).map_err(io::Error::from)?;
        let mut raw_modes = saved_modes.clone();
        raw_modes.make_raw();
        raw_modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw_modes.special_codes[SpecialCodeIndex::VTIME] = READ_TIMEOUT_TENTHS;
        let raw = Self { stdin, saved_modes, raw_modes, signals };
        raw.set_modes(&raw.raw_modes)?;
        Ok(raw)
    }

    fn set_modes(&self, modes: &Termios) -> Result<(), PromptError> {
        Ok(tcsetattr(&self.stdin, OptionalActions::Now, modes).map_err(io::Error::from)?)
    }

    /// Sets raw mode again if another process has changed the local modes of the terminal. A shell does so when it
    /// stops and continues neto. Returns whether raw mode was lost.
    fn reapply_raw_mode(&self) -> Result<bool, PromptError> {
        let current_modes = tcgetattr(&self.stdin).map_err(io::Error::from)?;
        let is_lost = current_modes.local_modes != self.raw_modes.local_modes;
        if is_lost {
            self.set_modes(&self.raw_modes)?;
        }
        Ok(is_lost)
    }

    /// Restores the terminal, suspends the process as Ctrl-Z does, and sets raw mode again when the process continues.
    ///
    /// Suspends only if neto leads its process group and stdout is a terminal. In other cases suspending is unsafe: a
    /// shell that waits for `$(...)` might not notice that neto has stopped.
    fn suspend(&self) -> Result<(), PromptError> {
        let pid = getpid();
        if getpgrp() == pid && io::stdout().is_terminal() {
            self.set_modes(&self.saved_modes)?;
            kill_process(pid, Signal::TSTP).map_err(io::Error::from)?;
            self.set_modes(&self.raw_modes)?;
        }
        Ok(())
    }
}

impl Keyboard for RawTerminal {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PromptError> {
        let read = rustix::io::read(&self.stdin, bytes);
        match self.signals.take_pending() {
            Some(TerminationSignal::Interrupt) => return Err(PromptError::Interrupted),
            Some(TerminationSignal::Terminate) => return Err(PromptError::Terminated),
            Some(TerminationSignal::HangUp) => return Err(PromptError::Closed),
            None => {}
        }
        match read {
            // A read returns 0 bytes after a timeout and for a closed terminal. Only a closed terminal has no modes.
            Ok(0) if tcgetattr(&self.stdin).is_err() => Err(PromptError::Closed),
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::INTR) => Ok(0),
            Err(rustix::io::Errno::IO) => Err(PromptError::Closed),
            Err(errno) => Err(io::Error::from(errno).into()),
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // `Flush` discards unread input, so that the rest of a paste does not reach the shell.
        let _ = tcsetattr(&self.stdin, OptionalActions::Flush, &self.saved_modes);
    }
}

/// Terminal in raw mode with bracketed paste, for reading a hidden answer.
struct HiddenInput {
    output: Box<dyn Write>,
    raw: RawTerminal,
}

impl HiddenInput {
    fn start(signals: SignalDeferral) -> Result<Self, PromptError> {
        let mut hidden = Self { raw: RawTerminal::start(signals)?, output: open_terminal() };
        write!(hidden.output, "{ENABLE_BRACKETED_PASTE}")?;
        Ok(hidden)
    }
}

impl Keyboard for HiddenInput {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PromptError> {
        self.raw.read(bytes)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        let _ = write!(self.output, "{DISABLE_BRACKETED_PASTE}\r\n").and_then(|()| self.output.flush());
    }
}
