//! Output and prompts of a command: results go to stdout, messages to stderr.
//!
//! Owns the choice of stream, the volume and the use of color. Errors of stderr are ignored, because they cannot be
//! reported. Errors of stdout are returned, because a lost result must not look like a success.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Effects, Style};
use clap::builder::StyledStr;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use super::prompt::{self, Candidate, PromptError};
use super::sanitize::{sanitize_block, truncate_columns};
use super::table::RenderOptions;
use crate::disk;

const WARNING_STYLE: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow))).effects(Effects::BOLD);
const ERROR_STYLE: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red))).effects(Effects::BOLD);
const HINT_STYLE: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan))).effects(Effects::BOLD);
const DIMMED_STYLE: Style = Style::new().effects(Effects::DIMMED);

/// Facts about the standard streams, collected at startup.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "five facts that do not depend on each other")]
pub struct Streams {
    /// Whether stdin is a terminal, so that neto can prompt.
    pub stdin_terminal: bool,
    /// Whether stdout is a terminal.
    pub stdout_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_terminal: bool,
    /// Width of the terminal in columns; `None` if unknown.
    pub width: Option<usize>,
    /// Whether the environment disables color (`NO_COLOR`, `TERM=dumb`).
    pub no_color: bool,
    /// Whether the terminal cannot move the cursor (`TERM` is `dumb` or unset).
    pub is_dumb: bool,
}

/// Output stream of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output: results.
    Out,
    /// Standard error: messages, the status line and the picker.
    Err,
}

/// Use of color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment asks for none
    #[default]
    Auto,
    /// Also into pipes and files
    Always,
    /// Never
    Never,
}

/// Kinds of messages that neto prints to stderr, set with `-q` and `-v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Volume {
    /// Warnings and errors.
    Quiet,
    /// Notes, warnings and errors.
    #[default]
    Normal,
    /// Notes, warnings, errors, and the steps of neto's work.
    Verbose,
}

/// Output and prompts of a command.
pub struct Ui {
    stdout: RefCell<Box<dyn Write>>,
    stderr: RefCell<Box<dyn Write>>,
    streams: Streams,
    color: ColorChoice,
    volume: Volume,
    /// Width in columns of the status line now shown on stderr; 0 if none. The next output erases the line.
    status_width: Cell<usize>,
}

impl Ui {
    /// Creates a `Ui` that writes results to `stdout` and messages to `stderr`, with [`Volume::Normal`] and
    /// [`ColorChoice::Auto`].
    pub fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>, streams: Streams) -> Self {
        Self {
            stdout: RefCell::new(stdout),
            stderr: RefCell::new(stderr),
            streams,
            color: ColorChoice::Auto,
            volume: Volume::Normal,
            status_width: Cell::new(0),
        }
    }

    /// Sets the use of color. If the environment disables color, `Always` has no effect.
    pub fn set_color(&mut self, color: ColorChoice) {
        self.color = color;
    }

    /// Sets the volume of messages.
    pub fn set_volume(&mut self, volume: Volume) {
        self.volume = volume;
    }

    /// Returns the volume of messages.
    pub fn volume(&self) -> Volume {
        self.volume
    }

    /// Returns whether neto can prompt, which requires a terminal on stdin.
    pub fn can_prompt(&self) -> bool {
        self.streams.stdin_terminal
    }

    /// Erases the status line, and fails if stdin is not a terminal.
    fn prepare_prompt(&self) -> Result<(), PromptError> {
        self.show_status_line("");
        if self.can_prompt() { Ok(()) } else { Err(PromptError::NoTerminal) }
    }

    /// Asks a yes-or-no question; see [`prompt::confirm`].
    ///
    /// # Errors
    /// Returns the errors of [`prompt::confirm`].
    pub fn confirm(&self, question: &str) -> Result<bool, PromptError> {
        self.prepare_prompt()?;
        prompt::confirm(question)
    }

    /// Prompts for a line, with echo; see [`prompt::read_line`].
    ///
    /// # Errors
    /// Returns the errors of [`prompt::read_line`].
    pub fn prompt_line(&self, prompt: &str) -> Result<String, PromptError> {
        self.prepare_prompt()?;
        prompt::read_line(prompt)
    }

    /// Prompts for a text without echo; see [`prompt::read_hidden`].
    ///
    /// # Errors
    /// Returns the errors of [`prompt::read_hidden`].
    pub fn prompt_hidden(&self, prompt: &str) -> Result<Zeroizing<String>, PromptError> {
        self.prepare_prompt()?;
        prompt::read_hidden(prompt)
    }

    /// Returns whether neto can show a picker, which requires terminals on stdin and stderr. Stdout may be captured by
    /// a shell that evaluates the result.
    pub fn can_pick(&self) -> bool {
        self.streams.stdin_terminal && self.streams.stderr_terminal
    }

    /// Lets the user choose a candidate, with an interactive picker or, on a dumb terminal, from a numbered list.
    /// Returns the index of the candidate, or `None` if the user canceled.
    ///
    /// # Errors
    /// Returns [`PromptError::NoTerminal`] if stdin or stderr is not a terminal. Returns the errors of `prompt::pick`
    /// or `prompt::pick_by_number`.
    pub fn pick(&self, question: &str, candidates: &[Candidate]) -> Result<Option<usize>, PromptError> {
        if !self.can_pick() {
            return Err(PromptError::NoTerminal);
        }
        self.prepare_prompt()?;
        if self.streams.is_dumb {
            return prompt::pick_by_number(candidates);
        }
        prompt::pick(question, candidates, self.is_colored(OutputStream::Err))
    }

    /// Returns whether stdout is a terminal.
    pub fn is_stdout_terminal(&self) -> bool {
        self.streams.stdout_terminal
    }

    /// Returns the width of the terminal in columns; `None` if unknown.
    pub fn terminal_width(&self) -> Option<usize> {
        self.streams.width
    }

    /// Prints a help page or message from clap, with its styles if the stream uses color.
    ///
    /// # Errors
    /// Returns the errors of [`Ui::print`] for stdout. Errors of stderr are ignored.
    pub fn print_styled(&self, stream: OutputStream, page: &StyledStr) -> io::Result<()> {
        let text = if self.is_colored(stream) { page.ansi().to_string() } else { page.to_string() };
        self.write_raw(stream, text.as_bytes())
    }

    /// Returns the color and width for tables on stdout. The width is `None` if stdout is not a terminal.
    pub fn render_options(&self) -> RenderOptions {
        let width = self.streams.width.filter(|_| self.streams.stdout_terminal);
        RenderOptions { color: self.uses_color(self.streams.stdout_terminal), width }
    }

    /// Prints `text` to stdout without sanitizing it, and flushes.
    ///
    /// # Errors
    /// Returns the system's error, for example for a closed pipe or a full disk.
    pub fn print(&self, text: &str) -> io::Result<()> {
        self.write_stdout(text.as_bytes())
    }

    /// Prints a line like [`Ui::print`] while termination signals are deferred, so that a signal does not cut off the
    /// line.
    ///
    /// # Errors
    /// Returns the errors of [`Ui::print`].
    pub fn print_uninterrupted(&self, line: &str) -> io::Result<()> {
        let _deferral = disk::defer_signals();
        self.write_stdout(line.as_bytes())
    }

    /// Writes bytes to the stream unchanged.
    ///
    /// # Errors
    /// Returns the errors of [`Ui::print`] for stdout. Errors of stderr are ignored.
    pub(super) fn write_raw(&self, stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            _ if bytes.is_empty() => Ok(()),
            OutputStream::Out => self.write_stdout(bytes),
            OutputStream::Err => {
                self.write_stderr(bytes);
                Ok(())
            }
        }
    }

    pub(super) fn write_stdout(&self, bytes: &[u8]) -> io::Result<()> {
        self.show_status_line("");
        let mut stdout = self.stdout.borrow_mut();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Returns whether the stream is a terminal.
    pub(super) fn is_terminal(&self, stream: OutputStream) -> bool {
        match stream {
            OutputStream::Out => self.streams.stdout_terminal,
            OutputStream::Err => self.streams.stderr_terminal,
        }
    }

    /// Returns whether the stream uses color.
    pub(super) fn is_colored(&self, stream: OutputStream) -> bool {
        self.uses_color(self.is_terminal(stream))
    }

    /// Prints a note of one or more lines to stderr, unless the volume is [`Volume::Quiet`].
    pub fn note(&self, message: &str) {
        if self.volume >= Volume::Normal {
            self.write_message(&format!("{}\n", sanitize_block(message.trim_end_matches('\n'))));
        }
    }

    /// Returns whether stderr is a terminal.
    pub(super) fn is_stderr_terminal(&self) -> bool {
        self.streams.stderr_terminal
    }

    /// Shows a status line on stderr until the next output or status line. An empty `line` erases the current status
    /// line.
    pub(super) fn show_status_line(&self, line: &str) {
        let line = truncate_columns(line, self.streams.width.unwrap_or(80).saturating_sub(1));
        self.write_message(&line);
        self.status_width.set(line.width());
    }

    /// Prints a step of neto's work to stderr, if the volume is [`Volume::Verbose`]. Otherwise `message` is not called.
    pub fn verbose(&self, message: impl FnOnce() -> String) {
        if self.volume >= Volume::Verbose {
            let text = format!("{}\n", self.paint(DIMMED_STYLE, &sanitize_block(message().trim_end_matches('\n'))));
            self.write_message(&text);
        }
    }

    /// Prints a warning to stderr: `warning: ` and the message. Lines after the first are indented.
    pub fn warn(&self, message: &str) {
        let text = format!("{} {}\n", self.paint(WARNING_STYLE, "warning:"), sanitize_and_indent(message, "  "));
        self.write_message(&text);
    }

    /// Prints an error to stderr and, if given, a hint with the command to run next:
    ///
    /// ```text
    /// error: there is no profile 'acm'
    ///   hint: neto token acme
    /// ```
    pub fn error(&self, message: &str, hint: Option<&str>) {
        let mut text = format!("{} {}\n", self.paint(ERROR_STYLE, "error:"), sanitize_and_indent(message, "  "));
        if let Some(hint) = hint {
            let _ = writeln!(text, "  {} {}", self.paint(HINT_STYLE, "hint:"), sanitize_and_indent(hint, "        "));
        }
        self.write_message(&text);
    }

    fn uses_color(&self, is_terminal: bool) -> bool {
        match self.color {
            ColorChoice::Auto => is_terminal && !self.streams.no_color,
            ColorChoice::Always => !self.streams.no_color,
            ColorChoice::Never => false,
        }
    }

    /// Adds the escape sequences of `style`, if stderr uses color.
    fn paint(&self, style: Style, text: &str) -> String {
        if self.uses_color(self.streams.stderr_terminal) { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn write_message(&self, text: &str) {
        self.write_stderr(text.as_bytes());
    }

    /// Erases the status line and writes `bytes`. Uses one write, so that the messages of several processes do not mix.
    fn write_stderr(&self, bytes: &[u8]) {
        let width = self.status_width.take();
        let erase = if width > 0 { format!("\r{:width$}\r", "") } else { String::new() };
        let output = [erase.as_bytes(), bytes].concat();
        if !output.is_empty() {
            let mut stderr = self.stderr.borrow_mut();
            let _ = stderr.write_all(&output).and_then(|()| stderr.flush());
        }
    }
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui")
            .field("streams", &self.streams)
            .field("color", &self.color)
            .field("volume", &self.volume)
            .finish_non_exhaustive()
    }
}

/// Sanitizes the message and indents its lines after the first with `indent`. So a line inside a message cannot look
/// like another message.
fn sanitize_and_indent(message: &str, indent: &str) -> String {
    sanitize_block(message.trim_end_matches('\n')).replace('\n', &format!("\n{indent}"))
}

#[cfg(test)]
pub(super) mod tests;
