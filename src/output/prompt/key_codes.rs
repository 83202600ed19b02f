//! Decodes the bytes that a terminal sends into characters and special keys, such as arrow keys.

/// Decoded key, or one byte of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Control character, ASCII character, or one byte of a UTF-8 character.
    Byte(u8),
    /// Special key, sent as `ESC [ NUMBER LAST` or `ESC O LAST`. `number` is 0 if absent, and `u16::MAX` if the
    /// sequence has several numbers.
    Key { number: u16, last: u8 },
}

/// Position of the decoder in an escape sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum DecoderState {
    #[default]
    Text,
    Escape,
    /// After `ESC O`: the next byte ends the sequence.
    Function,
    /// After `ESC [`: the number read so far. A byte from 0x40 to 0x7e ends the sequence.
    Control(u16),
}

/// Decoder that takes one byte at a time.
#[derive(Debug, Default)]
pub(super) struct Decoder(DecoderState);

impl Decoder {
    /// Adds a byte and returns the key that the byte completes. Returns `None` inside a sequence. Also returns `None`
    /// for `ESC` followed by a byte that starts no known sequence.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Stroke> {
        let (state, stroke) = match (self.0, byte) {
            (DecoderState::Text | DecoderState::Escape, 0x1b) => (DecoderState::Escape, None),
            (DecoderState::Text, byte) => (DecoderState::Text, Some(Stroke::Byte(byte))),
            (DecoderState::Escape, b'[') => (DecoderState::Control(0), None),
            (DecoderState::Escape, b'O') => (DecoderState::Function, None),
            (DecoderState::Function, last) => (DecoderState::Text, Some(Stroke::Key { number: 0, last })),
            (DecoderState::Control(number), b'0'..=b'9') => {
                (DecoderState::Control(number.saturating_mul(10).saturating_add(u16::from(byte - b'0'))), None)
            }
            (DecoderState::Control(number), last @ 0x40..=0x7e) => {
                (DecoderState::Text, Some(Stroke::Key { number, last }))
            }
            (DecoderState::Control(_), _) => (DecoderState::Control(u16::MAX), None),
            (DecoderState::Escape, _) => (DecoderState::Text, None),
        };
        self.0 = state;
        stroke
    }

    /// Discards an unfinished sequence. Call this after a pause in the input. Returns whether the sequence was only
    /// `ESC`, which the Esc key sends.
    pub(super) fn end_sequence(&mut self) -> bool {
        std::mem::take(&mut self.0) == DecoderState::Escape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_keys_characters_and_esc_are_distinguished() {
        let key = |number, last| Stroke::Key { number, last };
        for (bytes, strokes, esc) in [
            (&b"a\r"[..], &[Stroke::Byte(b'a'), Stroke::Byte(b'\r')][..], false),
            (b"\x1b[A\x1bOB", &[key(0, b'A'), key(0, b'B')], false),
            (b"\x1b[6~\x1b[1;5C", &[key(6, b'~'), key(u16::MAX, b'C')], false),
            (b"\x1bx\x1b", &[], true),
            (b"\x1b\x1b", &[], true),
            (b"\x1b[", &[], false),
        ] {
            let mut decoder = Decoder::default();
            let found: Vec<Stroke> = bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect();
            assert_eq!((&*found, decoder.end_sequence()), (strokes, esc), "{bytes:?}");
            assert_eq!(decoder.feed(b'z'), Some(Stroke::Byte(b'z')), "after a pause a sequence is over");
        }
    }
}
