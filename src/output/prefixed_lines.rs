//! Prints the output of several programs that run at the same time, line by line. Each line starts with a name that
//! identifies the program.
//!
//! Owns splitting into lines, the prefix, and sanitizing on a terminal. Does not run the programs.

use super::Ui;
use super::sanitize::{sanitize_line, sanitize_text};
use super::ui::OutputStream;
use anstyle::{AnsiColor, Style};
use std::io;

/// Maximum length of a line in bytes, without its line feed. A longer line is printed as several lines.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Colors of the prefixes, assigned in turn.
const PREFIX_COLORS: [AnsiColor; 5] =
    [AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue];

/// Prefix of every line of one program.
#[derive(Debug, Clone, Copy)]
pub struct LinePrefix<'a> {
    /// Name that identifies the program's output.
    pub name: &'a str,
    /// Index of the program. Selects the color of the prefix.
    pub index: usize,
    /// Width in columns of the longest name of all programs. On a terminal, names are padded to this width.
    pub width: usize,
}

/// Writer for the output of one program to one stream.
pub struct PrefixedLineWriter<'a> {
    ui: &'a Ui,
    stream: OutputStream,
    prefix: String,
    /// Bytes of the unfinished line.
    unfinished: Vec<u8>,
}

impl<'a> PrefixedLineWriter<'a> {
    /// Creates a writer to `stream` that prefixes each line.
    #[must_use]
    pub fn new(ui: &'a Ui, stream: OutputStream, prefix: LinePrefix<'_>) -> Self {
        let name = sanitize_line(prefix.name);
        let width = if ui.is_terminal(stream) { prefix.width } else { 0 };
        let plain_prefix = format!("{name:width$} | ");
        let style: Style = PREFIX_COLORS[prefix.index % PREFIX_COLORS.len()].on_default();
        let prefix = if ui.is_colored(stream) { format!("{style}{plain_prefix}{style:#}") } else { plain_prefix };
        Self { ui, stream, prefix, unfinished: Vec::new() }
    }

    /// Adds output and prints all lines that are now complete, in one write. On a terminal, lines are sanitized.
    /// Elsewhere their bytes are unchanged.
    ///
    /// # Errors
    /// Returns an error if writing to stdout fails. Errors of stderr are ignored.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unfinished.extend_from_slice(bytes);
        let (mut text, mut start) = (Vec::new(), 0);
        while let Some(length) = next_length(&self.unfinished[start..]) {
            self.push_line(&mut text, &self.unfinished[start..start + length]);
            start += length;
        }
        self.unfinished.drain(..start);
        self.ui.write_raw(self.stream, &text)
    }

    /// Ends the output. Prints an unfinished last line and adds a line feed.
    ///
    /// # Errors
    /// Returns the errors of [`PrefixedLineWriter::write`].
    pub fn finish(self) -> io::Result<()> {
        let mut text = Vec::new();
        if !self.unfinished.is_empty() {
            self.push_line(&mut text, &self.unfinished);
        }
        self.ui.write_raw(self.stream, &text)
    }

    fn push_line(&self, text: &mut Vec<u8>, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.extend_from_slice(self.prefix.as_bytes());
        if self.ui.is_terminal(self.stream) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            text.extend_from_slice(sanitize_text(&String::from_utf8_lossy(line)).as_bytes());
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }
}

/// Returns the length in bytes of the next line with its line feed. For a line longer than [`MAX_LINE_BYTES`], returns
/// the length of the next piece. Returns `None` if the line is incomplete.
fn next_length(unfinished: &[u8]) -> Option<usize> {
    let end = unfinished.iter().take(MAX_LINE_BYTES + 1).position(|byte| *byte == b'\n');
    end.map(|end| end + 1).or_else(|| (unfinished.len() > MAX_LINE_BYTES).then(|| split_point(unfinished)))
}

/// Returns the length of the first piece of a line longer than [`MAX_LINE_BYTES`]. Does not split a UTF-8 character.
fn split_point(unfinished: &[u8]) -> usize {
    let starts_character = |index: &usize| unfinished[*index] & 0b1100_0000 != 0b1000_0000;
    (MAX_LINE_BYTES - 3..=MAX_LINE_BYTES).rev().find(starts_character).unwrap_or(MAX_LINE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::super::ui::Streams;
    use super::super::ui::tests::RecordedOutput;
    use super::*;

    /// Returns the output for these pieces, on a terminal or in a file.
    fn output(terminal: bool, no_color: bool, pieces: &[&[u8]]) -> String {
        let (stdout, stderr) = (RecordedOutput::default(), RecordedOutput::default());
        let streams = Streams { stdout_terminal: terminal, no_color, ..Streams::default() };
        let ui = Ui::new(Box::new(stdout.clone()), Box::new(stderr), streams);
        let mut lines =
            PrefixedLineWriter::new(&ui, OutputStream::Out, LinePrefix { name: "acme", index: 0, width: 6 });
        for piece in pieces {
            lines.write(piece).unwrap();
        }
        lines.finish().unwrap();
        stdout.text()
    }

    #[test]
    fn lines_do_not_depend_on_the_chunk_size() {
        let text = "one\n\ntwo ünï\nno end";
        let expected = "acme | one\nacme | \nacme | two ünï\nacme | no end\n";
        for size in 1..text.len() {
            assert_eq!(output(false, false, &text.as_bytes().chunks(size).collect::<Vec<_>>()), expected, "{size}");
        }
        assert_eq!(output(false, false, &[]), "");
    }

    #[test]
    fn r46_lines_on_a_terminal_are_aligned_and_sanitized() {
        let line = b"\x1b[31ma\tb\xff\r\n";
        assert_eq!(output(true, true, &[line]), "acme   | \\u{1b}[31ma\tb\u{fffd}\n");
        assert_eq!(output(true, false, &[b"x\n"]), "\x1b[36macme   | \x1b[0mx\n");
    }

    #[test]
    fn long_lines_are_split_between_characters() {
        let fits = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(output(false, false, &[fits.as_bytes(), b"\nb\n"]), format!("acme | {fits}\nacme | b\n"));
        let long = "é".repeat(MAX_LINE_BYTES);
        let split = output(false, false, &[b"x", long.as_bytes(), b"\n"]);
        let pieces: Vec<&str> = split.lines().map(|line| line.strip_prefix("acme | ").unwrap()).collect();
        assert_eq!(pieces.concat(), format!("x{long}"));
        assert!(pieces.len() == 3 && pieces.iter().all(|piece| piece.len() <= MAX_LINE_BYTES));
    }
}
