//! What the bytes of a keyboard mean while a hidden text is typed or pasted.
//!
//! crossterm's events are not used here: without marks around a paste they lose what goes beyond 1,024 bytes.

use zeroize::{Zeroize, Zeroizing};

use super::AskError;
use super::decode::{Decoder, Stroke};

/// The longest hidden answer, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// Bytes as they are typed.
pub(super) trait Keyboard {
    /// Reads what there is; 0 after a moment of silence.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, AskError>;
}

/// Reads until a line end that is followed by silence, so that a paste of several lines is taken whole.
pub(super) fn collect(keyboard: &mut impl Keyboard) -> Result<Zeroizing<String>, AskError> {
    let mut answer = Answer::default();
    let mut bytes = Zeroizing::new([0; 4096]);
    loop {
        let count = keyboard.read(&mut bytes[..])?;
        if count == 0 && answer.over() {
            return Err(AskError::TooLong);
        }
        if count == 0 && answer.ended {
            return answer.text();
        }
        if count == 0 {
            answer.decoder.pause();
        }
        for byte in &bytes[..count] {
            if let Err(end) = answer.take(*byte) {
                drain(keyboard);
                return Err(end);
            }
        }
    }
}

/// Takes back one character, which may be several bytes.
pub(super) fn erase(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// Drops what comes up to a moment of silence: what was pasted behind a Ctrl-C is nothing for the shell.
fn drain(keyboard: &mut impl Keyboard) {
    let mut bytes = Zeroizing::new([0; 4096]);
    // A key that is held down is not waited for.
    for _ in 0..64 {
        if !matches!(keyboard.read(&mut bytes[..]), Ok(1..)) {
            break;
        }
    }
}

/// What has been typed so far.
struct Answer {
    /// Never grows beyond what it was made with, because growing leaves a copy behind.
    bytes: Zeroizing<Vec<u8>>,
    decoder: Decoder,
    /// Inside of a marked paste, where a line end ends nothing.
    pasting: bool,
    /// Whether the last thing was a line end.
    ended: bool,
    /// Whether the last byte was a carriage return, so that a line feed after it is no second line end.
    returned: bool,
}

impl Default for Answer {
    fn default() -> Self {
        let bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        Self { bytes, decoder: Decoder::default(), pasting: false, ended: false, returned: false }
    }
}

impl Answer {
    fn take(&mut self, byte: u8) -> Result<(), AskError> {
        match self.decoder.take(byte) {
            Some(Stroke::Byte(byte)) => return self.key(byte),
            Some(Stroke::Key { number: 200, last: b'~' }) => self.paste(true),
            Some(Stroke::Key { number: 201, last: b'~' }) => self.paste(false),
            Some(Stroke::Key { .. }) | None => {}
        }
        Ok(())
    }

    fn paste(&mut self, begins: bool) {
        self.pasting = begins;
        self.ended = false;
        self.returned = false;
    }

    fn key(&mut self, byte: u8) -> Result<(), AskError> {
        let second = byte == b'\n' && self.returned;
        self.returned = byte == b'\r';
        match byte {
            b'\n' if second => return Ok(()),
            b'\r' | b'\n' => self.push(b'\n'),
            0x03 | 0x1c => return Err(AskError::Interrupted),
            0x04 if self.bytes.is_empty() => return Err(AskError::Closed),
            0x08 | 0x7f => erase(&mut self.bytes),
            0x15 => self.bytes.zeroize(),
            b'\t' | 0x20.. => self.push(byte),
            _ => {}
        }
        self.ended = matches!(byte, b'\r' | b'\n') && !self.pasting;
        Ok(())
    }

    /// Whether it holds the one byte that is too many; what comes then is read and dropped.
    fn over(&self) -> bool {
        self.bytes.len() > LONGEST
    }

    fn push(&mut self, byte: u8) {
        if !self.over() {
            self.bytes.push(byte);
        }
    }

    fn text(mut self) -> Result<Zeroizing<String>, AskError> {
        while self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
        }
        String::from_utf8(std::mem::take(&mut *self.bytes)).map(Zeroizing::new).map_err(|error| {
            error.into_bytes().zeroize();
            AskError::NotText
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is typed, in the chunks it comes in; an empty one is silence.
    struct Script<'a>(std::collections::VecDeque<&'a [u8]>);

    impl Keyboard for Script<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, AskError> {
            let Some(mut chunk) = self.0.pop_front() else { return Err(AskError::Terminated) };
            if chunk.len() > bytes.len() {
                let rest;
                (chunk, rest) = chunk.split_at(bytes.len());
                self.0.push_front(rest);
            }
            bytes[..chunk.len()].copy_from_slice(chunk);
            Ok(chunk.len())
        }
    }

    fn typed(chunks: &[&[u8]]) -> Result<String, AskError> {
        collect(&mut Script(chunks.iter().copied().collect())).map(|text| text.to_string())
    }

    #[test]
    fn an_answer_is_what_was_typed_or_pasted() {
        for (chunks, answer) in [
            (&[b"abc\r" as &[u8], b""] as &[&[u8]], "abc"),
            (&[b"a", b"", b"bc", b"", b"", b"\n", b""], "abc"),
            (&[b"\r", b""], ""),
            // A paste without marks: the last line may come without a line end.
            (&[b"one\rtwo\r", b"three", b"", b"", b"\r", b""], "one\ntwo\nthree"),
            (&[b"one\r\ntwo\r\n\r\n", b""], "one\ntwo"),
            // With marks: silence inside of the paste ends nothing, nor do its line ends.
            (&[b"\x1b[200~one\r", b"", b"two\n", b"\x1b[201~", b"", b"\r", b""], "one\ntwo"),
            (&[b"\x1b[20", b"0~one\x1b", b"[201~\r", b""], "one"),
            (&[b"\x1b[200~one\r\x1b[201~", b"", b"!\r", b""], "one\n!"),
            // Keys that are no text.
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
    fn there_may_be_no_answer() {
        let long = [b"x".repeat(LONGEST + 1), b"\r".to_vec()].concat();
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
        assert_eq!(typed(&[&long[2..], b""]).unwrap().len(), LONGEST - 1);
    }
}
