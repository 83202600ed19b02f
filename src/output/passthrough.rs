//! Bytes that others wrote, passed on to standard output while they come.
//!
//! Owns that a file or a pipe gets them to the byte, and a terminal nothing that steers it, wherever the pieces break.

use super::Ui;
use super::sanitize::clean_text;
use std::io;

/// One such text.
pub struct Foreign<'a> {
    ui: &'a Ui,
    /// The beginning of a character whose rest has not come.
    held: Vec<u8>,
    /// Whether a line was begun and not ended.
    is_open: bool,
}

impl Ui {
    /// A text of others on standard output, of which nothing has come yet.
    pub fn foreign(&self) -> Foreign<'_> {
        Foreign { ui: self, held: Vec::new(), is_open: false }
    }
}

impl Foreign<'_> {
    /// Prints the next piece now.
    ///
    /// # Errors
    /// As [`Ui::answer`].
    pub fn put(&mut self, piece: &[u8]) -> io::Result<()> {
        if !self.ui.is_terminal() {
            return self.ui.put(piece);
        }
        self.held.extend_from_slice(piece);
        let rest = self.held.split_off(whole_characters(&self.held));
        let whole = std::mem::replace(&mut self.held, rest);
        self.show(&whole)
    }

    /// Nothing more will come: a line without an end gets one on a terminal, so that the prompt stands below it.
    ///
    /// # Errors
    /// As [`Ui::answer`].
    pub fn end(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.held);
        self.show(&rest)?;
        if self.is_open { self.ui.answer("\n") } else { Ok(()) }
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        self.is_open = *last != b'\n';
        self.ui.answer(&clean_text(&String::from_utf8_lossy(bytes)))
    }
}

/// How many of these bytes come before a character at their end that is only begun, if they are UTF-8.
fn whole_characters(bytes: &[u8]) -> usize {
    let begun = |back: &usize| match bytes[bytes.len() - back] {
        0b1100_0000..=0b1101_1111 => *back < 2,
        0b1110_0000..=0b1110_1111 => *back < 3,
        0b1111_0000.. => *back < 4,
        _ => false,
    };
    (1..=bytes.len().min(3)).find(begun).map_or(bytes.len(), |back| bytes.len() - back)
}

#[cfg(test)]
mod tests {
    use super::super::ui::Streams;
    use super::super::ui::tests::Page;
    use super::*;

    /// What comes of a text in pieces of this size, on a terminal or in a file.
    fn printed(stdout_terminal: bool, text: &[u8], size: usize) -> Vec<u8> {
        let page = Page::default();
        let streams = Streams { stdout_terminal, ..Streams::default() };
        let ui = Ui::new(Box::new(page.clone()), Box::new(Page::default()), streams);
        let mut foreign = ui.foreign();
        text.chunks(size).for_each(|piece| foreign.put(piece).unwrap());
        foreign.end().unwrap();
        page.bytes()
    }

    #[test]
    fn r46_a_terminal_gets_it_clean_wherever_it_breaks_and_a_file_to_the_byte() {
        for (text, shown) in [
            (&b"a\x1b[2J\tb\n"[..], "a\\u{1b}[2J\tb\n"),
            ("ünï 日本 🎈\u{9b}31m\u{202e}".as_bytes(), "ünï 日本 🎈\\u{9b}31m\\u{202e}\n"),
            (b"a\xff\xc3(\xe6\x97", "a\u{fffd}\u{fffd}(\u{fffd}\n"),
            (b"\x80\x80\x80\x80\n", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n"),
            (b"", ""),
        ] {
            for size in 1..=text.len() + 1 {
                assert_eq!(String::from_utf8(printed(true, text, size)).unwrap(), shown, "{size}");
                assert_eq!(printed(false, text, size), text, "{size}");
            }
        }
    }
}
