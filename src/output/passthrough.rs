//! Copies text from another program or server to stdout as it arrives.
//!
//! A file or pipe gets the exact bytes. A terminal gets sanitized text, even if an escape sequence or a character is
//! split between two writes.

use super::Ui;
use super::sanitize::sanitize_text;
use std::io;

/// Writer that copies foreign text to stdout.
pub struct Passthrough<'a> {
    ui: &'a Ui,
    /// First bytes of a character whose remaining bytes have not arrived.
    incomplete: Vec<u8>,
    /// Whether the last printed line still lacks a line feed. Maintained only for a terminal.
    is_line_open: bool,
}

impl Ui {
    /// Returns a writer that copies foreign text to stdout.
    pub fn passthrough(&self) -> Passthrough<'_> {
        Passthrough { ui: self, incomplete: Vec::new(), is_line_open: false }
    }
}

impl Passthrough<'_> {
    /// Prints the next piece of the text immediately. On a terminal, keeps an incomplete character at the end for the
    /// next call.
    ///
    /// # Errors
    /// Returns the errors of [`Ui::print`].
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if !self.ui.is_stdout_terminal() {
            return self.ui.write_stdout(piece);
        }
        self.incomplete.extend_from_slice(piece);
        let rest = self.incomplete.split_off(complete_length(&self.incomplete));
        let complete = std::mem::replace(&mut self.incomplete, rest);
        self.print_sanitized(&complete)
    }

    /// Ends the text. On a terminal, ends an unfinished line, so that the shell prompt starts on a new line.
    ///
    /// # Errors
    /// Returns the errors of [`Ui::print`].
    pub fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.incomplete);
        self.print_sanitized(&rest)?;
        if self.is_line_open { self.ui.print("\n") } else { Ok(()) }
    }

    fn print_sanitized(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        self.is_line_open = *last != b'\n';
        self.ui.print(&sanitize_text(&String::from_utf8_lossy(bytes)))
    }
}

/// Returns the length of `bytes`, not counting an incomplete UTF-8 character at the end.
fn complete_length(bytes: &[u8]) -> usize {
    let is_incomplete = |distance: &usize| match bytes[bytes.len() - distance] {
        0b1100_0000..=0b1101_1111 => *distance < 2,
        0b1110_0000..=0b1110_1111 => *distance < 3,
        0b1111_0000.. => *distance < 4,
        _ => false,
    };
    (1..=bytes.len().min(3)).find(is_incomplete).map_or(bytes.len(), |distance| bytes.len() - distance)
}

#[cfg(test)]
mod tests {
    use super::super::ui::Streams;
    use super::super::ui::tests::RecordedOutput;
    use super::*;

    /// Returns the output for `text` in pieces of `size` bytes, on a terminal or in a file.
    fn printed(stdout_terminal: bool, text: &[u8], size: usize) -> Vec<u8> {
        let stdout = RecordedOutput::default();
        let streams = Streams { stdout_terminal, ..Streams::default() };
        let ui = Ui::new(Box::new(stdout.clone()), Box::new(RecordedOutput::default()), streams);
        let mut writer = ui.passthrough();
        text.chunks(size).for_each(|piece| writer.write(piece).unwrap());
        writer.finish().unwrap();
        stdout.bytes()
    }

    #[test]
    fn r46_a_terminal_gets_sanitized_text_and_a_file_the_exact_bytes() {
        for (text, expected) in [
            (&b"a\x1b[2J\tb\n"[..], "a\\u{1b}[2J\tb\n"),
            ("ünï 日本 🎈\u{9b}31m\u{202e}".as_bytes(), "ünï 日本 🎈\\u{9b}31m\\u{202e}\n"),
            (b"a\xff\xc3(\xe6\x97", "a\u{fffd}\u{fffd}(\u{fffd}\n"),
            (b"\x80\x80\x80\x80\n", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n"),
            (b"", ""),
        ] {
            for size in 1..=text.len() + 1 {
                assert_eq!(String::from_utf8(printed(true, text, size)).unwrap(), expected, "{size}");
                assert_eq!(printed(false, text, size), text, "{size}");
            }
        }
    }
}
