//! Lines of several programs on one stream: each whole, with the name of whom it comes from before it.
//!
//! Owns where a line ends, what stands before it, and that on a terminal nothing in it steers. Does not know who speaks.

use super::Ui;
use super::sanitize::{clean, clean_text};
use super::ui::Stream;
use anstyle::{AnsiColor, Style};
use std::io;

/// The most of a line that is waited for, in bytes. What is longer comes in pieces, each on a line of its own.
const LONGEST: usize = 64 * 1024;

/// Whose lines are next to each other should not look alike.
const COLOURS: [AnsiColor; 5] =
    [AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue];

/// Who speaks, as it stands before each line.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Its name.
    pub name: &'a str,
    /// The place among those who speak, which gives the colour.
    pub place: usize,
    /// The columns of the longest name; on a terminal the lines begin below each other.
    pub widest: usize,
}

/// What one speaker says on one stream.
pub struct Lines<'a> {
    ui: &'a Ui,
    to: Stream,
    before: String,
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(ui: &'a Ui, to: Stream, speaker: Speaker<'_>) -> Self {
        let name = clean(speaker.name);
        let widest = if ui.is_shown(to) { speaker.widest } else { 0 };
        let before = format!("{name:widest$} | ");
        let style: Style = COLOURS[speaker.place % COLOURS.len()].on_default();
        let before = if ui.is_coloured(to) { format!("{style}{before}{style:#}") } else { before };
        Self { ui, to, before, held: Vec::new() }
    }

    /// Takes what was said. Lines that are whole by now are printed in one piece; on a terminal they are cleaned, else
    /// they stay as they came, to the byte.
    ///
    /// # Errors
    /// What the system says of standard output.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        let (mut text, mut start) = (Vec::new(), 0);
        while let Some(length) = next(&self.held[start..]) {
            self.put(&mut text, &self.held[start..start + length]);
            start += length;
        }
        self.held.drain(..start);
        self.ui.pass(self.to, &text)
    }

    /// Nothing more will be said: a line without an end gets one.
    ///
    /// # Errors
    /// As [`Lines::take`].
    pub fn end(self) -> io::Result<()> {
        let mut text = Vec::new();
        if !self.held.is_empty() {
            self.put(&mut text, &self.held);
        }
        self.ui.pass(self.to, &text)
    }

    fn put(&self, text: &mut Vec<u8>, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.extend_from_slice(self.before.as_bytes());
        if self.ui.is_shown(self.to) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            text.extend_from_slice(clean_text(&String::from_utf8_lossy(line)).as_bytes());
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }
}

/// How long the next line is, with its end, or the next piece of one that is too long; nothing where more has to come.
fn next(held: &[u8]) -> Option<usize> {
    let end = held.iter().take(LONGEST + 1).position(|byte| *byte == b'\n');
    end.map(|end| end + 1).or_else(|| (held.len() > LONGEST).then(|| between_characters(held)))
}

/// Where to cut a line that is too long: not within a character, if it is UTF-8.
fn between_characters(held: &[u8]) -> usize {
    let begins = |place: &usize| held[*place] & 0b1100_0000 != 0b1000_0000;
    (LONGEST - 3..=LONGEST).rev().find(begins).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::super::ui::Streams;
    use super::super::ui::tests::Page;
    use super::*;

    /// What comes of pieces, on a terminal or in a file.
    fn said(terminal: bool, plain: bool, pieces: &[&[u8]]) -> String {
        let (answer, talk) = (Page::default(), Page::default());
        let streams = Streams { stdout_terminal: terminal, plain, ..Streams::default() };
        let ui = Ui::new(Box::new(answer.clone()), Box::new(talk), streams);
        let mut lines = Lines::new(&ui, Stream::Out, Speaker { name: "acme", place: 0, widest: 6 });
        for piece in pieces {
            lines.take(piece).unwrap();
        }
        lines.end().unwrap();
        answer.text()
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let text = "one\n\ntwo ünï\nno end";
        let wanted = "acme | one\nacme | \nacme | two ünï\nacme | no end\n";
        for size in 1..text.len() {
            assert_eq!(said(false, false, &text.as_bytes().chunks(size).collect::<Vec<_>>()), wanted, "{size}");
        }
        assert_eq!(said(false, false, &[]), "");
    }

    #[test]
    fn r46_a_terminal_gets_them_aligned_and_clean() {
        let line = b"\x1b[31ma\tb\xff\r\n";
        assert_eq!(said(true, true, &[line]), "acme   | \\u{1b}[31ma\tb\u{fffd}\n");
        assert_eq!(said(true, false, &[b"x\n"]), "\x1b[36macme   | \x1b[0mx\n");
    }

    #[test]
    fn what_is_too_long_comes_in_pieces_between_characters() {
        let fits = "x".repeat(LONGEST);
        assert_eq!(said(false, false, &[fits.as_bytes(), b"\nb\n"]), format!("acme | {fits}\nacme | b\n"));
        let long = "é".repeat(LONGEST);
        let told = said(false, false, &[b"x", long.as_bytes(), b"\n"]);
        let pieces: Vec<&str> = told.lines().map(|line| line.strip_prefix("acme | ").unwrap()).collect();
        assert_eq!(pieces.concat(), format!("x{long}"));
        assert!(pieces.len() == 3 && pieces.iter().all(|piece| piece.len() <= LONGEST));
    }
}
