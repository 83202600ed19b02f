//! Makes text from other sources safe to show, and truncates and wraps text.
//!
//! Owns the list of hostile characters: characters that control a terminal, or reorder or hide text. These characters
//! are not removed but become visible escapes, so that a user notices a hostile name.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Sanitizes text for one line. All hostile characters, line feeds and tabs included, become escapes such as `\n` or
/// `\u{202e}`.
pub fn sanitize_line(text: &str) -> Cow<'_, str> {
    escape(text, is_hostile)
}

/// Sanitizes text like [`sanitize_line`], but keeps line feeds. For text of several lines that neto wrote.
pub fn sanitize_block(text: &str) -> Cow<'_, str> {
    escape(text, |character| character != '\n' && is_hostile(character))
}

/// Sanitizes text like [`sanitize_line`], but keeps line feeds and tabs. For text that other programs wrote.
pub(super) fn sanitize_text(text: &str) -> Cow<'_, str> {
    escape(text, |character| !matches!(character, '\n' | '\t') && is_hostile(character))
}

/// Replaces hostile characters in JSON text with JSON escapes, which do not change the parsed value. Keeps line feeds.
pub(super) fn sanitize_json(json: String) -> String {
    if is_ascii_block(json.as_bytes()) {
        return json;
    }
    rewrite(
        &json,
        |character| character != '\n' && is_hostile(character),
        |out, character| {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
    .into_owned()
}

/// Checks whether the text has only printable ASCII and line feeds, as most JSON does. For speed, checks the bytes in
/// chunks of 64 without a branch for each byte.
fn is_ascii_block(text: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    text.chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & plain(byte)))
}

/// Truncates text to `limit` characters (at least 1). A truncated text ends in `…`, which counts as a character.
pub fn truncate_chars(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

/// Truncates text to `columns` terminal columns. A truncated text ends in `…`, which takes one column; for 0 columns
/// the result is empty.
pub fn truncate_columns(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width >= columns {
            break;
        }
        short.push(character);
    }
    // An emoji with a variation selector can be wider than the sum of its characters.
    while short.width() >= columns.max(1) {
        short.pop();
    }
    if columns > 0 {
        short.push('…');
    }
    Cow::Owned(short)
}

/// Wraps text between words into lines of at most `columns` columns. A wider word gets its own line and is not split.
pub fn wrap_words(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Checks whether `character` is a control character, or can reorder or hide text: direction marks, zero-width
/// characters, line separators.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(text: &str, needs_escape: impl Fn(char) -> bool) -> Cow<'_, str> {
    rewrite(text, needs_escape, |out, character| match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            let _ = write!(out, "{}", other.escape_unicode());
        }
    })
}

fn rewrite(text: &str, needs_escape: impl Fn(char) -> bool, push_escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if needs_escape(character) { push_escape(&mut out, character) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r46_hostile_characters_become_escapes() {
        for (text, expected) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\x1b[2J\x07", r"\u{1b}[2J\u{7}"),
            ("\x7f\u{80}\u{9b}31m\u{9f}", r"\u{7f}\u{80}\u{9b}31m\u{9f}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", r"\u{202a}\u{202e}\u{2066}\u{2069}"),
            ("\u{200b}\u{200f}\u{feff}\u{61c}\u{2028}", r"\u{200b}\u{200f}\u{feff}\u{61c}\u{2028}"),
        ] {
            assert_eq!(sanitize_line(text), expected);
            assert_eq!(sanitize_line(&sanitize_line(text)), expected, "cleaning twice changes nothing");
        }
        assert_eq!(sanitize_block("a\nb\x1b\r\n"), "a\nb\\u{1b}\\r\n");
        assert!(matches!(sanitize_line("nothing to do"), Cow::Borrowed(_)));
    }

    #[test]
    fn r47_sanitized_json_parses_to_the_same_value() {
        let data = "del \x7f csi \u{9b} bidi \u{202e} bom \u{feff} quote \" end";
        let json = serde_json::to_string(data).unwrap();
        let cleaned = sanitize_json(json);
        assert!(!cleaned.contains(is_hostile));
        assert_eq!(serde_json::from_str::<String>(&cleaned).unwrap(), data);
        let lines = "{\n  \"plain\": \"ASCII\"\n}\n".repeat(9);
        assert_eq!(sanitize_json(lines.clone()), lines);
    }

    #[test]
    fn wrapping_does_not_split_words() {
        for (text, columns, lines) in [
            ("a bc def", 4, &["a bc", "def"][..]),
            ("a bc def", 100, &["a bc def"]),
            ("longer than", 3, &["longer", "than"]),
            ("日本 語", 6, &["日本", "語"]),
            ("日本 語", 7, &["日本 語"]),
            ("", 3, &[""]),
        ] {
            assert_eq!(wrap_words(text, columns), lines, "{text} in {columns}");
        }
    }

    #[test]
    fn long_text_is_truncated() {
        assert_eq!(truncate_chars("abc", 3), "abc");
        assert_eq!(truncate_chars("abcd", 3), "ab…");
        assert_eq!(truncate_chars(&"é".repeat(600), 500).chars().count(), 500);
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(truncate_columns(text, columns), expected, "{text} in {columns}");
        }
        let hearts = "❤\u{fe0f}".repeat(9);
        assert!((0..20).all(|columns| truncate_columns(&hearts, columns).width() <= columns));
    }
}
