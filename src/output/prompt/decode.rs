//! The bytes of a keyboard, taken apart: characters, and the sequences that other keys send.

/// What one byte, or several, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// A character, or a byte of one.
    Byte(u8),
    /// `ESC [ NUMBER LAST` or `ESC O LAST`; the number is 0 where there is none, and the largest where there are several.
    Key { number: u16, last: u8 },
}

/// Where in a sequence of bytes the next one stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Text,
    Escape,
    /// `ESC O`: one more byte belongs to the key.
    Function,
    /// `ESC [` and its number so far, up to a final byte.
    Control(u16),
}

/// Takes bytes as they come.
#[derive(Debug, Default)]
pub(super) struct Decoder(Part);

impl Decoder {
    /// What this byte ends; nothing inside of a sequence, and for what no key of a terminal sends.
    pub(super) fn take(&mut self, byte: u8) -> Option<Stroke> {
        let (part, stroke) = match (self.0, byte) {
            (Part::Text | Part::Escape, 0x1b) => (Part::Escape, None),
            (Part::Text, byte) => (Part::Text, Some(Stroke::Byte(byte))),
            (Part::Escape, b'[') => (Part::Control(0), None),
            (Part::Escape, b'O') => (Part::Function, None),
            (Part::Function, last) => (Part::Text, Some(Stroke::Key { number: 0, last })),
            (Part::Control(number), b'0'..=b'9') => {
                (Part::Control(number.saturating_mul(10).saturating_add(u16::from(byte - b'0'))), None)
            }
            (Part::Control(number), last @ 0x40..=0x7e) => (Part::Text, Some(Stroke::Key { number, last })),
            (Part::Control(_), _) => (Part::Control(u16::MAX), None),
            (Part::Escape, _) => (Part::Text, None),
        };
        self.0 = part;
        stroke
    }

    /// Nothing came for a moment, so what was begun is over: whether that was the Esc key by itself.
    pub(super) fn pause(&mut self) -> bool {
        std::mem::take(&mut self.0) == Part::Escape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_characters_and_from_esc() {
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
            let found: Vec<Stroke> = bytes.iter().filter_map(|byte| decoder.take(*byte)).collect();
            assert_eq!((&*found, decoder.pause()), (strokes, esc), "{bytes:?}");
            assert_eq!(decoder.take(b'z'), Some(Stroke::Byte(b'z')), "after a pause a sequence is over");
        }
    }
}
