//! Questions at a terminal.
//!
//! Owns the terminal while a question stands: nothing is echoed that is secret, and however it ends (an answer,
//! Ctrl-C, a signal, an error) the terminal is as it was. Never asks when stdin is not a terminal. What the bytes of
//! a keyboard are is the work of `decode`, what they mean to a hidden text that of `keys`, and to a list that of `pick`,
//! where `fuzzy` says what fits.

mod decode;
mod fuzzy;
mod key_codes;
mod picker;

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Stdin, Write};

use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::sanitize::clean_block;
use crate::disk::{self, Ending, Held};
use key_codes::Keyboard;

pub use picker::Candidate;
pub(super) use picker::{numbered, pick};

/// Switches of terminals that mark what is pasted; others ignore them.
const MARK_PASTES: &str = "\x1b[?2004h";
const NO_MARKS: &str = "\x1b[?2004l";
/// Tenths of a second: a paste is over when the terminal stays silent this long, and so often a signal is looked for.
const SILENCE: u8 = 1;

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Stdin is not a terminal.
    #[error("there is nobody to ask: standard input is not a terminal")]
    NobodyToAsk,
    /// Ctrl-C or SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// SIGTERM.
    #[error("terminated")]
    Terminated,
    /// Ctrl-D, or the terminal went away.
    #[error("the question was left without an answer")]
    Closed,
    /// Larger than a secret can be.
    #[error("the answer is longer than {} KiB", key_codes::LONGEST / 1024)]
    TooLong,
    /// Not UTF-8.
    #[error("the answer is not UTF-8 text")]
    NotText,
    /// The terminal refused.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Asks a question that is answered with yes or no; anything but yes is no.
///
/// # Errors
/// Nobody to ask, Ctrl-D instead of an answer, or a terminal that fails.
pub fn confirm(question: &str) -> Result<bool, AskError> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line that is shown as it is typed; blanks around it are dropped.
///
/// # Errors
/// Nobody to ask, Ctrl-D instead of an answer, or a terminal that fails.
pub fn line(prompt: &str) -> Result<String, AskError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(AskError::NobodyToAsk);
    }
    let mut screen = screen();
    write!(screen, "{}", clean_block(prompt))?;
    screen.flush()?;
    let mut line = String::new();
    if stdin.lock().read_line(&mut line)? == 0 {
        return Err(AskError::Closed);
    }
    Ok(line.trim().to_owned())
}

/// Asks for a text that is not shown. What is pasted is taken whole, also over several lines (as `\n`) and whether
/// or not the terminal marks a paste as such; line ends at its end are dropped. May be empty.
///
/// # Errors
/// Nobody to ask, Ctrl-C, Ctrl-D instead of an answer, SIGINT or SIGTERM meanwhile, or a terminal that fails.
pub fn hidden(prompt: &str) -> Result<Zeroizing<String>, AskError> {
    if !io::stdin().is_terminal() {
        return Err(AskError::NobodyToAsk);
    }
    let mut terminal = Hidden::start(disk::hold())?;
    let prompt = clean_block(prompt).replace('\n', "\r\n");
    write!(terminal.screen, "{prompt}")?;
    terminal.screen.flush()?;
    key_codes::collect(&mut terminal)
}

/// The terminal that questions appear on, also where stderr goes elsewhere.
fn screen() -> Box<dyn Write> {
    match File::options().write(true).open("/dev/tty") {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::stderr()),
    }
}

/// The terminal while it hands over every key and shows none.
struct Raw {
    stdin: Stdin,
    before: Termios,
    taken: Termios,
    /// Dropped last: until the terminal is restored no signal may end the process.
    signals: Held,
}

impl Raw {
    fn start(signals: Held) -> Result<Self, AskError> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).map_err(io::Error::from)?;
        let mut taken = before.clone();
        taken.make_raw();
        taken.special_codes[SpecialCodeIndex::VMIN] = 0;
        taken.special_codes[SpecialCodeIndex::VTIME] = SILENCE;
        let raw = Self { stdin, before, taken, signals };
        raw.set(&raw.taken)?;
        Ok(raw)
    }

    fn set(&self, modes: &Termios) -> Result<(), AskError> {
        Ok(tcsetattr(&self.stdin, OptionalActions::Now, modes).map_err(io::Error::from)?)
    }

    /// Takes the terminal again where somebody set it otherwise meanwhile, as a shell does whose job was stopped; whether
    /// that was so.
    fn retake(&self) -> Result<bool, AskError> {
        let now = tcgetattr(&self.stdin).map_err(io::Error::from)?;
        let lost = now.local_modes != self.taken.local_modes;
        if lost {
            self.set(&self.taken)?;
        }
        Ok(lost)
    }

    /// Stops as Ctrl-Z does elsewhere, the terminal as it was meanwhile. Only where this process is a job of its own, and
    /// nobody waits for what it prints: a shell that waits for `$(...)` does not see that it stopped.
    fn stop(&self) -> Result<(), AskError> {
        let own = getpid();
        if getpgrp() == own && io::stdout().is_terminal() {
            self.set(&self.before)?;
            kill_process(own, Signal::TSTP).map_err(io::Error::from)?;
            self.set(&self.taken)?;
        }
        Ok(())
    }
}

impl Keyboard for Raw {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, AskError> {
        let read = rustix::io::read(&self.stdin, bytes);
        match self.signals.take() {
            Some(Ending::Interrupt) => return Err(AskError::Interrupted),
            Some(Ending::Terminate) => return Err(AskError::Terminated),
            Some(Ending::HangUp) => return Err(AskError::Closed),
            None => {}
        }
        match read {
            // Silence and a terminal that went away both read as nothing, but only the one has settings.
            Ok(0) if tcgetattr(&self.stdin).is_err() => Err(AskError::Closed),
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::INTR) => Ok(0),
            Err(rustix::io::Errno::IO) => Err(AskError::Closed),
            Err(errno) => Err(io::Error::from(errno).into()),
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // With it goes what was typed and not read: nothing of a paste is left to the shell.
        let _ = tcsetattr(&self.stdin, OptionalActions::Flush, &self.before);
    }
}

/// The terminal while a hidden text is typed.
struct Hidden {
    screen: Box<dyn Write>,
    raw: Raw,
}

impl Hidden {
    fn start(signals: Held) -> Result<Self, AskError> {
        let mut hidden = Self { raw: Raw::start(signals)?, screen: screen() };
        write!(hidden.screen, "{MARK_PASTES}")?;
        Ok(hidden)
    }
}

impl Keyboard for Hidden {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, AskError> {
        self.raw.read(bytes)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = write!(self.screen, "{NO_MARKS}\r\n").and_then(|()| self.screen.flush());
    }
}
