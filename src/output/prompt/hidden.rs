//! Reads a hidden answer that is typed or pasted: collects characters and handles editing keys.
//!
//! Does not use crossterm's events: without bracketed paste, they lose all bytes of a paste after the first 1,024.

use zeroize::{Zeroize, Zeroizing};

use super::PromptError;
use super::key_codes::{Decoder, Stroke};

/// Maximum size of a hidden answer in bytes, including its line endings.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Source of keyboard bytes.
pub(super) trait Keyboard {
    /// Reads the available bytes into `bytes` and returns their number. Returns 0 after a pause without input.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PromptError>;
}

/// Reads an answer until a line ending and a pause after it. So a paste of several lines is read completely. Removes
/// line endings at the end of the answer.
pub(super) fn read_answer(keyboard: &mut impl Keyboard) -> Result<Zeroizing<String>, PromptError> {
    let mut answer = HiddenAnswer::default();
    let mut bytes = Zeroizing::new([0; 4096]);
    loop {
        let count = keyboard.read(&mut bytes[..])?;
        if count == 0 && answer.is_too_long() {
            return Err(PromptError::TooLong);
        }
        if count == 0 && answer.is_ended {
            return answer.into_text();
        }
        if count == 0 {
            answer.decoder.end_sequence();
        }
        for byte in &bytes[..count] {
            if let Err(error) = answer.feed(*byte) {
                discard_input(keyboard);
                return Err(error);
            }
        }
    }
}

/// Removes the last UTF-8 character, which may have several bytes.
pub(super) fn erase_character(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// Discards input until a pause. Otherwise the shell would read the rest of a paste after the prompt has failed.
fn discard_input(keyboard: &mut impl Keyboard) {
    let mut bytes = Zeroizing::new([0; 4096]);
    // The number of reads is limited, because a key that the user holds down sends bytes without end.
    for _ in 0..64 {
        if !matches!(keyboard.read(&mut bytes[..]), Ok(1..)) {
            break;
        }
    }
}

/// Hidden answer as typed so far, and the state of its input.
struct HiddenAnswer {
    /// Bytes of the answer. Never grows beyond its initial capacity, because a reallocation would leave a copy in
    /// memory.
    bytes: Zeroizing<Vec<u8>>,
    decoder: Decoder,
    /// Whether a bracketed paste is in progress. A line ending inside a paste does not end the answer.
    is_pasting: bool,
    /// Whether the last key was a line ending outside a paste.
    is_ended: bool,
    /// Whether the last byte was a carriage return. A line feed that follows then belongs to the same line ending.
    is_after_return: bool,
}

impl Default for HiddenAnswer {
    fn default() -> Self {
        let bytes = Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES + 1));
        Self { bytes, decoder: Decoder::default(), is_pasting: false, is_ended: false, is_after_return: false }
    }
}

impl HiddenAnswer {
    /// Decodes a byte and applies the key that the byte completes.
    fn feed(&mut self, byte: u8) -> Result<(), PromptError> {
        match self.decoder.feed(byte) {
            Some(Stroke::Byte(byte)) => return self.handle_byte(byte),
            Some(Stroke::Key { number: 200, last: b'~' }) => self.set_pasting(true),
            Some(Stroke::Key { number: 201, last: b'~' }) => self.set_pasting(false),
            Some(Stroke::Key { .. }) | None => {}
        }
        Ok(())
    }

    fn set_pasting(&mut self, is_pasting: bool) {
        self.is_pasting = is_pasting;
        self.is_ended = false;
        self.is_after_return = false;
    }

    fn handle_byte(&mut self, byte: u8) -> Result<(), PromptError> {
        let is_crlf = byte == b'\n' && self.is_after_return;
        self.is_after_return = byte == b'\r';
        match byte {
            b'\n' if is_crlf => return Ok(()),
            b'\r' | b'\n' => self.push(b'\n'),
            0x03 | 0x1c => return Err(PromptError::Interrupted),
            0x04 if self.bytes.is_empty() => return Err(PromptError::Closed),
            0x08 | 0x7f => erase_character(&mut self.bytes),
            0x15 => self.bytes.zeroize(),
            b'\t' | 0x20.. => self.push(byte),
            _ => {}
        }
        self.is_ended = matches!(byte, b'\r' | b'\n') && !self.is_pasting;
        Ok(())
    }

    /// Returns whether the answer is longer than [`MAX_ANSWER_BYTES`]. [`Self::push`] then ignores further bytes.
    fn is_too_long(&self) -> bool {
        self.bytes.len() > MAX_ANSWER_BYTES
    }

    fn push(&mut self, byte: u8) {
        if !self.is_too_long() {
            self.bytes.push(byte);
        }
    }

    /// Returns the answer without line endings at its end. An answer that is not UTF-8 is zeroized.
    fn into_text(mut self) -> Result<Zeroizing<String>, PromptError> {
        while self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
        }
        String::from_utf8(std::mem::take(&mut *self.bytes)).map(Zeroizing::new).map_err(|error| {
            error.into_bytes().zeroize();
            PromptError::NotText
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Typed input in chunks; an empty chunk is a pause.
    struct Script<'a>(std::collections::VecDeque<&'a [u8]>);

    impl Keyboard for Script<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PromptError> {
            let Some(mut chunk) = self.0.pop_front() else { return Err(PromptError::Terminated) };
            if chunk.len() > bytes.len() {
                let rest;
                (chunk, rest) = chunk.split_at(bytes.len());
                self.0.push_front(rest);
            }
            bytes[..chunk.len()].copy_from_slice(chunk);
            Ok(chunk.len())
        }
    }

    fn typed(chunks: &[&[u8]]) -> Result<String, PromptError> {
        read_answer(&mut Script(chunks.iter().copied().collect())).map(|text| text.to_string())
    }

    #[test]
    fn typed_and_pasted_answers_are_read_completely() {
        for (chunks, answer) in [
            (&[b"abc\r" as &[u8], b""] as &[&[u8]], "abc"),
            (&[b"a", b"", b"bc", b"", b"", b"\n", b""], "abc"),
            (&[b"\r", b""], ""),
            // A paste without brackets: the last line may have no line ending.
            (&[b"one\rtwo\r", b"three", b"", b"", b"\r", b""], "one\ntwo\nthree"),
            (&[b"one\r\ntwo\r\n\r\n", b""], "one\ntwo"),
            // A bracketed paste: neither a pause nor a line ending inside the paste ends the answer.
            (&[b"\x1b[200~one\r", b"", b"two\n", b"\x1b[201~", b"", b"\r", b""], "one\ntwo"),
            (&[b"\x1b[20", b"0~one\x1b", b"[201~\r", b""], "one"),
            (&[b"\x1b[200~one\r\x1b[201~", b"", b"!\r", b""], "one\n!"),
            // Keys that produce no text.
            (&[b"a\x1b[A\x1b[1;5C\x1bOP\x1bxb\x1b\x1b[3~c\x07\x1a\0\r", b""], "abc"),
            (&[b"a\x1b", b"", b"[b\r", b""], "a[b"),
            (
                "日é\x7f\x08x\x15ab\x7f\x7f\x7fc\x04d\r"
                    .as_bytes()
                    .chunks(1)
                    .chain([b"" as &[u8]])
                    .collect::<Vec<_>>()
                    .as_slice(),
                "cd",
            ),
        ] {
            assert_eq!(typed(chunks).unwrap(), answer, "{chunks:?}");
        }
    }

    #[test]
    fn interrupted_and_invalid_answers_are_errors() {
        let long = [b"x".repeat(MAX_ANSWER_BYTES + 1), b"\r".to_vec()].concat();
        for (chunks, error) in [
            (&[b"abc\x03" as &[u8]] as &[&[u8]], "interrupted"),
            (&[b"\x1b[200~abc", b"\x03"], "interrupted"),
            (&[b"\x1c"], "interrupted"),
            (&[b"\x04"], "the question was left without an answer"),
            (&[b"a\x7f\x04"], "the question was left without an answer"),
            (&[b"\xff\xfe\r", b""], "the answer is not UTF-8 text"),
            (&[&long, b""], "the answer is longer than 64 KiB"),
            (&[b"no line end", b""], "terminated"),
        ] {
            assert_eq!(typed(chunks).unwrap_err().to_string(), error);
        }
        assert_eq!(typed(&[&long[1..], b""]).unwrap_err().to_string(), "the answer is longer than 64 KiB");
        assert_eq!(typed(&[&long[2..], b""]).unwrap().len(), MAX_ANSWER_BYTES - 1);
    }
}
