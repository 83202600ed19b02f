//! Bytes as editors and spreadsheets save them, to text with plain line ends.

use zeroize::Zeroizing;

/// Why bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Neither UTF-8 nor marked as UTF-16.
    #[error("not UTF-8, nor UTF-16 with a byte-order mark (at byte {at})")]
    Encoding {
        /// The first wrong byte, from 0.
        at: usize,
    },
    /// UTF-16 that is cut, or holds half a character.
    #[error("damaged UTF-16 (at byte {at})")]
    Utf16 {
        /// The first wrong byte, from 0.
        at: usize,
    },
    /// NULs: UTF-16 without its mark, or no text at all.
    #[error("no text: it holds NUL bytes (UTF-16 wants a byte-order mark)")]
    Nul,
}

/// UTF-8 with or without a byte-order mark, or UTF-16 with one; every line end becomes a line feed.
pub(super) fn decode(bytes: Vec<u8>) -> Result<Zeroizing<String>, TextError> {
    let bytes = Zeroizing::new(bytes);
    let text = match bytes[..] {
        [0xff, 0xfe, ref rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, ref rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, ref rest @ ..] => utf8(rest, 3)?,
        ref all => utf8(all, 0)?,
    };
    if text.contains('\0') { Err(TextError::Nul) } else { Ok(plain_line_ends(text)) }
}

fn utf8(bytes: &[u8], mark: usize) -> Result<Zeroizing<String>, TextError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => Err(TextError::Encoding { at: mark + error.valid_up_to() }),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, TextError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(TextError::Utf16 { at: 2 + pairs.len() * 2 });
    }
    // Three bytes of UTF-8 are the most that a unit becomes; a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    let mut at = 2;
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let character = character.map_err(|_| TextError::Utf16 { at })?;
        at += character.len_utf16() * 2;
        text.push(character);
    }
    Ok(text)
}

fn plain_line_ends(text: Zeroizing<String>) -> Zeroizing<String> {
    if !text.contains('\r') {
        return text;
    }
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let both = character == '\r' && characters.peek() == Some(&'\n');
        if !both {
            plain.push(if character == '\r' { '\n' } else { character });
        }
    }
    plain
}
