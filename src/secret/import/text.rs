//! Decodes files that editors and spreadsheets save, and normalizes their line endings to `\n`.

use zeroize::Zeroizing;

/// Reason why bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The bytes are neither UTF-8 nor UTF-16 with a byte-order mark.
    #[error("not UTF-8, nor UTF-16 with a byte-order mark (at byte {at})")]
    Encoding {
        /// Offset of the first invalid byte, from 0.
        at: usize,
    },
    /// The UTF-16 has an odd number of bytes or an unpaired surrogate.
    #[error("damaged UTF-16 (at byte {at})")]
    Utf16 {
        /// Offset of the first invalid byte, from 0.
        at: usize,
    },
    /// The text contains a NUL character: the file is UTF-16 without a byte-order mark, or binary.
    #[error("no text: it holds NUL bytes (UTF-16 wants a byte-order mark)")]
    Nul,
}

/// Decodes UTF-8 with or without a byte-order mark, and UTF-16 with a byte-order mark. Replaces `\r\n` and `\r` with
/// `\n`.
pub(super) fn decode(bytes: Vec<u8>) -> Result<Zeroizing<String>, TextError> {
    let bytes = Zeroizing::new(bytes);
    let text = match bytes[..] {
        [0xff, 0xfe, ref rest @ ..] => decode_utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, ref rest @ ..] => decode_utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, ref rest @ ..] => decode_utf8(rest, 3)?,
        ref bytes => decode_utf8(bytes, 0)?,
    };
    if text.contains('\0') { Err(TextError::Nul) } else { Ok(normalize_line_endings(text)) }
}

fn decode_utf8(bytes: &[u8], mark_len: usize) -> Result<Zeroizing<String>, TextError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => Err(TextError::Encoding { at: mark_len + error.valid_up_to() }),
    }
}

fn decode_utf16(bytes: &[u8], to_unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, TextError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(TextError::Utf16 { at: 2 + pairs.len() * 2 });
    }
    // Three bytes of UTF-8 are enough for a UTF-16 code unit. A growing string would leave copies of secrets in memory.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    let mut offset = 2;
    for character in char::decode_utf16(pairs.iter().map(|pair| to_unit(*pair))) {
        let character = character.map_err(|_| TextError::Utf16 { at: offset })?;
        offset += character.len_utf16() * 2;
        text.push(character);
    }
    Ok(text)
}

fn normalize_line_endings(text: Zeroizing<String>) -> Zeroizing<String> {
    if !text.contains('\r') {
        return text;
    }
    let mut normalized = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_crlf = character == '\r' && characters.peek() == Some(&'\n');
        if !is_crlf {
            normalized.push(if character == '\r' { '\n' } else { character });
        }
    }
    normalized
}
