//! Prompts at a terminal.
//!
//! Owns the terminal during a prompt: secrets are not echoed, and every end (answer, Ctrl-C, signal, error) restores
//! the terminal. Never prompts if stdin is not a terminal. `decode` decodes keyboard bytes, `key_codes` edits hidden
//! text, `picker` shows lists, `fuzzy` matches.

mod decode;
mod fuzzy;
mod key_codes;
mod picker;

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Stdin, Write};

use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::sanitize::sanitize_block;
use crate::disk::{self, SignalHold, TerminationSignal};
use key_codes::Keyboard;

pub use picker::Candidate;
pub(super) use picker::{pick, pick_by_number};

/// Enables bracketed paste; terminals without this feature ignore the sequence.
const ENABLE_BRACKETED_PASTE: &str = "\x1b[?2004h";
const DISABLE_BRACKETED_PASTE: &str = "\x1b[?2004l";
/// Read timeout in tenths of a second. A pause of this length ends a paste, and signals are checked at this interval.
const READ_TIMEOUT: u8 = 1;

/// Reason that a prompt got no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Stdin is not a terminal.
    #[error("there is nobody to ask: standard input is not a terminal")]
    NoTerminal,
    /// Ctrl-C or SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// SIGTERM.
    #[error("terminated")]
    Terminated,
    /// Ctrl-D, or the terminal was closed.
    #[error("the question was left without an answer")]
    Closed,
    /// Longer than the longest secret.
    #[error("the answer is longer than {} KiB", key_codes::MAX_ANSWER / 1024)]
    TooLong,
    /// Not UTF-8.
    #[error("the answer is not UTF-8 text")]
    NotText,
    /// The terminal returned an error.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Asks a yes-or-no question; every answer except yes counts as no.
///
/// # Errors
/// Stdin is not a terminal, Ctrl-D instead of an answer, or a terminal error.
pub fn confirm(question: &str) -> Result<bool, PromptError> {
    let answer = read_line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Reads a line with echo; surrounding whitespace is removed.
///
/// # Errors
/// Stdin is not a terminal, Ctrl-D instead of an answer, or a terminal error.
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

/// Reads a text without echo. A paste of several lines is read completely (with `\n`), with or without bracketed
/// paste. Trailing line ends are removed. The text may be empty.
///
/// # Errors
/// Stdin is not a terminal, Ctrl-C, Ctrl-D instead of an answer, a termination signal, or a terminal error.
pub fn read_hidden(prompt: &str) -> Result<Zeroizing<String>, PromptError> {
    if !io::stdin().is_terminal() {
        return Err(PromptError::NoTerminal);
    }
    let mut terminal = HiddenInput::start(disk::hold_signals())?;
    let prompt = sanitize_block(prompt).replace('\n', "\r\n");
    write!(terminal.output, "{prompt}")?;
    terminal.output.flush()?;
    key_codes::read_answer(&mut terminal)
}

/// Opens the controlling terminal for prompts, also if stderr is redirected. Falls back to stderr.
fn open_terminal() -> Box<dyn Write> {
    match File::options().write(true).open("/dev/tty") {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Terminal in raw mode: every key is read at once, without echo. Dropping the value restores the terminal.
struct RawTerminal {
    stdin: Stdin,
    saved_modes: Termios,
    raw_modes: Termios,
    /// Dropped last, so that no signal ends the process before the terminal is restored.
    signals: SignalHold,
}

impl RawTerminal {
    fn start(signals: SignalHold) -> Result<Self, PromptError> {
        let stdin = io::stdin();
        let saved_modes = tcgetattr(&stdin).map_err(io::Error::from)?;
        let mut raw_modes = saved_modes.clone();
        raw_modes.make_raw();
        raw_modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw_modes.special_codes[SpecialCodeIndex::VTIME] = READ_TIMEOUT;
        let raw = Self { stdin, saved_modes, raw_modes, signals };
        raw.set_modes(&raw.raw_modes)?;
        Ok(raw)
    }

    fn set_modes(&self, modes: &Termios) -> Result<(), PromptError> {
        Ok(tcsetattr(&self.stdin, OptionalActions::Now, modes).map_err(io::Error::from)?)
    }

    /// Sets raw mode again if another process changed the terminal, as a shell does after a stopped job. Returns
    /// whether raw mode was lost.
    fn reapply_raw_mode(&self) -> Result<bool, PromptError> {
        let current_modes = tcgetattr(&self.stdin).map_err(io::Error::from)?;
        let is_lost = current_modes.local_modes != self.raw_modes.local_modes;
        if is_lost {
            self.set_modes(&self.raw_modes)?;
        }
        Ok(is_lost)
    }

    /// Suspends the process like Ctrl-Z and restores the terminal meanwhile. Does nothing unless neto leads its own
    /// process group and stdout is a terminal: a shell that waits for `$(...)` does not notice a stopped process.
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
            // Both a timeout and a closed terminal read 0 bytes, but a closed terminal has no settings.
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
        // Flushing discards unread input, so that the rest of a paste does not reach the shell.
        let _ = tcsetattr(&self.stdin, OptionalActions::Flush, &self.saved_modes);
    }
}

/// Terminal during the input of a hidden text.
struct HiddenInput {
    output: Box<dyn Write>,
    raw: RawTerminal,
}

impl HiddenInput {
    fn start(signals: SignalHold) -> Result<Self, PromptError> {
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
