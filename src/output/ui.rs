//! The two streams: the answer on stdout, the conversation on stderr.
//!
//! Owns where text goes, how loud neto is and whether it uses colour. What fails on stderr is ignored (there is
//! nobody left to tell); what fails on stdout is the caller's to handle, because the answer was not given.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Effects, Style};
use clap::builder::StyledStr;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use super::prompt::{self, AskError, Candidate};
use super::sanitize::{clean_block, fit};
use super::table::Look;
use crate::disk;

const WARNING: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow))).effects(Effects::BOLD);
const ERROR: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red))).effects(Effects::BOLD);
const HINT: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan))).effects(Effects::BOLD);
const ASIDE: Style = Style::new().effects(Effects::DIMMED);

/// What is known about the streams when neto starts.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "five facts that do not depend on each other")]
pub struct Streams {
    /// Whether stdin is a terminal, so that something can be asked.
    pub stdin_terminal: bool,
    /// Whether stdout is a terminal.
    pub stdout_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_terminal: bool,
    /// The terminal's columns, where they are known.
    pub width: Option<usize>,
    /// Whether the environment asks for no colour (`NO_COLOR`, `TERM=dumb`).
    pub plain: bool,
    /// Whether the terminal can only print (`TERM=dumb`, or unset), so that nothing can be drawn.
    pub dumb: bool,
}

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the answer.
    Out,
    /// Standard error: the conversation.
    Err,
}

/// When to use colour.
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

/// How much of the conversation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Volume {
    /// Warnings and errors.
    Quiet,
    /// Notes too.
    #[default]
    Normal,
    /// Also what neto does underway.
    Verbose,
}

/// Where a command speaks.
pub struct Ui {
    answer: RefCell<Box<dyn Write>>,
    talk: RefCell<Box<dyn Write>>,
    streams: Streams,
    color: ColorChoice,
    volume: Volume,
    /// The columns of a line that is to go before anything else is said.
    shown: Cell<usize>,
}

impl Ui {
    /// Speaks to these writers, at normal volume and with colour where the streams allow it.
    pub fn new(answer: Box<dyn Write>, talk: Box<dyn Write>, streams: Streams) -> Self {
        Self {
            answer: RefCell::new(answer),
            talk: RefCell::new(talk),
            streams,
            color: ColorChoice::Auto,
            volume: Volume::Normal,
            shown: Cell::new(0),
        }
    }

    /// Follows `--color`; never against `NO_COLOR`.
    pub fn set_color(&mut self, color: ColorChoice) {
        self.color = color;
    }

    /// Follows `-q` and `-v`.
    pub fn set_volume(&mut self, volume: Volume) {
        self.volume = volume;
    }

    /// How loud the conversation is.
    pub fn volume(&self) -> Volume {
        self.volume
    }

    /// Whether somebody is there to answer a question.
    pub fn can_ask(&self) -> bool {
        self.streams.stdin_terminal
    }

    /// Makes room for a question.
    fn asking(&self) -> Result<(), AskError> {
        self.show_line("");
        if self.can_ask() { Ok(()) } else { Err(AskError::NobodyToAsk) }
    }

    /// Asks a question that is answered with yes or no; anything but yes is no.
    ///
    /// # Errors
    /// Nobody to ask, or no answer.
    pub fn confirm(&self, question: &str) -> Result<bool, AskError> {
        self.asking()?;
        prompt::confirm(question)
    }

    /// Asks for a line that is shown as it is typed.
    ///
    /// # Errors
    /// Nobody to ask, or no answer.
    pub fn line(&self, prompt: &str) -> Result<String, AskError> {
        self.asking()?;
        prompt::line(prompt)
    }

    /// Asks for a text that is not shown; see [`prompt::hidden`].
    ///
    /// # Errors
    /// Nobody to ask, or no answer.
    pub fn hidden(&self, prompt: &str) -> Result<Zeroizing<String>, AskError> {
        self.asking()?;
        prompt::hidden(prompt)
    }

    /// Whether somebody can be shown a list to choose from: at a terminal that is typed at and drawn on. Standard output
    /// does not matter, since a shell may be about to evaluate it.
    pub fn can_pick(&self) -> bool {
        self.streams.stdin_terminal && self.streams.stderr_terminal
    }

    /// Lets choose one of these, in their order, by moving through the list or by typing a part of it; the place of the
    /// one that was chosen, or nothing where it was left. A terminal that can only print shows the list with numbers.
    ///
    /// # Errors
    /// Nobody to ask, or no answer.
    pub fn pick(&self, question: &str, candidates: &[Candidate]) -> Result<Option<usize>, AskError> {
        if !self.can_pick() {
            return Err(AskError::NobodyToAsk);
        }
        self.asking()?;
        if self.streams.dumb {
            return prompt::numbered(candidates);
        }
        prompt::pick(question, candidates, self.is_coloured(Stream::Err))
    }

    /// Whether the answer goes to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.streams.stdout_terminal
    }

    /// The terminal's columns, where they are known.
    pub fn columns(&self) -> Option<usize> {
        self.streams.width
    }

    /// Prints a page that clap laid out, with its styles where there is colour on the stream.
    ///
    /// # Errors
    /// As [`Ui::answer`], for standard output.
    pub fn page(&self, to: Stream, page: &StyledStr) -> io::Result<()> {
        let text = if self.is_coloured(to) { page.ansi().to_string() } else { page.to_string() };
        self.pass(to, text.as_bytes())
    }

    /// How a table for stdout should look.
    pub fn look(&self) -> Look {
        let width = self.streams.width.filter(|_| self.streams.stdout_terminal);
        Look { colour: self.colours(self.streams.stdout_terminal), width }
    }

    /// Prints exactly this text to stdout, now.
    ///
    /// # Errors
    /// What the system says, a closed pipe or a full disk included.
    pub fn answer(&self, text: &str) -> io::Result<()> {
        self.put(text.as_bytes())
    }

    /// The same for a line among many: a signal that ends the run waits until it is out, so that whoever reads gets it
    /// whole or not at all.
    ///
    /// # Errors
    /// As [`Ui::answer`].
    pub fn answer_whole(&self, line: &str) -> io::Result<()> {
        let _held = disk::hold();
        self.put(line.as_bytes())
    }

    /// Passes on what a program said, as it is.
    ///
    /// # Errors
    /// As [`Ui::answer`], for standard output; nobody is told that standard error takes nothing.
    pub(super) fn pass(&self, to: Stream, bytes: &[u8]) -> io::Result<()> {
        match to {
            _ if bytes.is_empty() => Ok(()),
            Stream::Out => self.put(bytes),
            Stream::Err => {
                self.talk(bytes);
                Ok(())
            }
        }
    }

    pub(super) fn put(&self, bytes: &[u8]) -> io::Result<()> {
        self.show_line("");
        let mut answer = self.answer.borrow_mut();
        answer.write_all(bytes)?;
        answer.flush()
    }

    /// Whether somebody looks at this stream, on a terminal.
    pub(super) fn is_shown(&self, stream: Stream) -> bool {
        match stream {
            Stream::Out => self.streams.stdout_terminal,
            Stream::Err => self.streams.stderr_terminal,
        }
    }

    /// Whether there is colour on this stream.
    pub(super) fn is_coloured(&self, stream: Stream) -> bool {
        self.colours(self.is_shown(stream))
    }

    /// Tells the user something; may have several lines. Not said when quiet.
    pub fn note(&self, message: &str) {
        if self.volume >= Volume::Normal {
            self.say(&format!("{}\n", clean_block(message.trim_end_matches('\n'))));
        }
    }

    /// Whether the conversation goes to a terminal.
    pub(super) fn talks_to_terminal(&self) -> bool {
        self.streams.stderr_terminal
    }

    /// Shows a line that stays where it is until another takes its place or something is said; empty for none.
    pub(super) fn show_line(&self, line: &str) {
        let line = fit(line, self.streams.width.unwrap_or(80).saturating_sub(1));
        self.say(&line);
        self.shown.set(line.width());
    }

    /// Tells what neto does underway, when asked to be verbose; else the message is not even made.
    pub fn verbose(&self, message: impl FnOnce() -> String) {
        if self.volume >= Volume::Verbose {
            let text = format!("{}\n", self.paint(ASIDE, &clean_block(message().trim_end_matches('\n'))));
            self.say(&text);
        }
    }

    /// Warns: `warning: ` and the message, its further lines indented.
    pub fn warn(&self, message: &str) {
        let text = format!("{} {}\n", self.paint(WARNING, "warning:"), indented(message, "  "));
        self.say(&text);
    }

    /// Says what is the case and, as a line to paste where there is one, what to do next:
    ///
    /// ```text
    /// error: there is no profile 'acm'
    ///   hint: neto token acme
    /// ```
    pub fn error(&self, message: &str, hint: Option<&str>) {
        let mut text = format!("{} {}\n", self.paint(ERROR, "error:"), indented(message, "  "));
        if let Some(hint) = hint {
            let _ = writeln!(text, "  {} {}", self.paint(HINT, "hint:"), indented(hint, "        "));
        }
        self.say(&text);
    }

    fn colours(&self, terminal: bool) -> bool {
        match self.color {
            ColorChoice::Auto => terminal && !self.streams.plain,
            ColorChoice::Always => !self.streams.plain,
            ColorChoice::Never => false,
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colours(self.streams.stderr_terminal) { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn say(&self, text: &str) {
        self.talk(text.as_bytes());
    }

    /// One write a message, so that those of several processes do not mix.
    fn talk(&self, bytes: &[u8]) {
        let blanks = self.shown.take();
        let over = if blanks > 0 { format!("\r{:blanks$}\r", "") } else { String::new() };
        let whole = [over.as_bytes(), bytes].concat();
        if !whole.is_empty() {
            let mut talk = self.talk.borrow_mut();
            let _ = talk.write_all(&whole).and_then(|()| talk.flush());
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

/// Cleaned, and every line after the first moved in, so that no message can feign another.
fn indented(message: &str, by: &str) -> String {
    clean_block(message.trim_end_matches('\n')).replace('\n', &format!("\n{by}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A stream that remembers what was written.
    #[derive(Clone, Default)]
    pub(in crate::output) struct Page(Rc<RefCell<Vec<u8>>>);

    impl Page {
        pub(in crate::output) fn bytes(&self) -> Vec<u8> {
            self.0.take()
        }

        pub(in crate::output) fn text(&self) -> String {
            String::from_utf8(self.bytes()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A pipe whose reader went away.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn ui(streams: Streams) -> (Ui, Page, Page) {
        let (answer, talk) = (Page::default(), Page::default());
        (Ui::new(Box::new(answer.clone()), Box::new(talk.clone()), streams), answer, talk)
    }

    #[test]
    fn the_answer_is_exact_and_the_talk_is_clean() {
        let (ui, answer, talk) = ui(Streams::default());
        ui.answer("a\x1bb").unwrap();
        ui.note("one\ntwo\x1b\n");
        ui.warn("late\nerror: feigned");
        ui.error("no such\nthing", Some("neto init\nneto login"));
        assert_eq!(answer.text(), "a\x1bb");
        let hint = "  hint: neto init\n        neto login\n";
        let expected = format!("one\ntwo\\u{{1b}}\nwarning: late\n  error: feigned\nerror: no such\n  thing\n{hint}");
        assert_eq!(talk.text(), expected);
    }

    #[test]
    fn the_volume_decides_what_is_said() {
        for (volume, said) in [
            (Volume::Quiet, "warning: w\n"),
            (Volume::Normal, "n\nwarning: w\n"),
            (Volume::Verbose, "n\nv\nwarning: w\n"),
        ] {
            let (mut ui, _, talk) = ui(Streams::default());
            ui.set_volume(volume);
            ui.note("n");
            ui.verbose(|| "v".to_owned());
            ui.warn("w");
            assert_eq!(talk.text(), said);
        }
    }

    #[test]
    fn colour_is_for_terminals() {
        let terminal = Streams { stdout_terminal: true, stderr_terminal: true, width: Some(80), ..Streams::default() };
        let pipe = Streams { width: Some(80), ..Streams::default() };
        for (streams, color, coloured) in [
            (terminal, ColorChoice::Auto, true),
            (terminal, ColorChoice::Never, false),
            (Streams { plain: true, ..terminal }, ColorChoice::Auto, false),
            (Streams { plain: true, ..terminal }, ColorChoice::Always, false),
            (pipe, ColorChoice::Auto, false),
            (pipe, ColorChoice::Always, true),
        ] {
            let (mut ui, _, talk) = ui(streams);
            ui.set_color(color);
            ui.warn("w");
            assert_eq!(talk.text().contains('\x1b'), coloured);
            assert_eq!(ui.look().colour, coloured);
            assert_eq!(ui.look().width, streams.width.filter(|_| streams.stdout_terminal));
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_panic() {
        let ui = Ui::new(Box::new(Gone), Box::new(Gone), Streams::default());
        ui.note("n");
        ui.error("e", None);
        assert_eq!(ui.answer("a").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
