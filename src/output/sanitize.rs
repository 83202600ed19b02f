//! Text that others wrote, made fit to be shown.
//!
//! Owns what counts as harmless on a terminal and how a text is cut. What is removed is never dropped in
//! silence: it is shown as an escape, so that a hostile name looks hostile.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Text on one line: every character that steers a terminal or hides what is read (line ends too) becomes an
/// escape such as `\n` or `\u{202e}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    escape(text, is_hostile)
}

/// Like [`clean`], but line feeds stay: for text that neto itself laid out.
pub fn clean_block(text: &str) -> Cow<'_, str> {
    escape(text, |character| character != '\n' && is_hostile(character))
}

/// Like [`clean_block`], but tabs stay too: for text that others laid out.
pub(super) fn clean_text(text: &str) -> Cow<'_, str> {
    escape(text, |character| !matches!(character, '\n' | '\t') && is_hostile(character))
}

/// JSON whose strings hold nothing hostile in the raw: the same data, escaped as JSON does.
pub(super) fn clean_json(json: String) -> String {
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

/// Whether a text is lines of ASCII without controls, as most is; looks at many bytes at a time.
fn is_ascii_block(text: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    text.chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & plain(byte)))
}

/// At most `most` characters; what was cut shows as `…`.
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

/// At most `columns` columns of a terminal; what was cut shows as `…`.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
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
    // A sequence (an emoji with its selector) can be wider than its characters one by one.
    while short.width() >= columns.max(1) {
        short.pop();
    }
    if columns > 0 {
        short.push('…');
    }
    Cow::Owned(short)
}

/// Lines of at most so many columns, broken between words; a word that is wider stands alone, whole.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
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

/// Controls, and what turns or hides the text around it: marks of direction, invisible joiners, line separators.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    rewrite(text, hostile, |out, character| match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            let _ = write!(out, "{}", other.escape_unicode());
        }
    })
}

fn rewrite(text: &str, hostile: impl Fn(char) -> bool, put: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hostile(character) { put(&mut out, character) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r46_hostile_characters_become_escapes() {
        for (foreign, shown) in [
            ("plain ünïcode 日本", "plain ünïcode 日本"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\x1b[2J\x07", r"\u{1b}[2J\u{7}"),
            ("\x7f\u{80}\u{9b}31m\u{9f}", r"\u{7f}\u{80}\u{9b}31m\u{9f}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", r"\u{202a}\u{202e}\u{2066}\u{2069}"),
            ("\u{200b}\u{200f}\u{feff}\u{61c}\u{2028}", r"\u{200b}\u{200f}\u{feff}\u{61c}\u{2028}"),
        ] {
            assert_eq!(clean(foreign), shown);
            assert_eq!(clean(&clean(foreign)), shown, "cleaning twice changes nothing");
        }
        assert_eq!(clean_block("a\nb\x1b\r\n"), "a\nb\\u{1b}\\r\n");
        assert!(matches!(clean("nothing to do"), Cow::Borrowed(_)));
    }

    #[test]
    fn r47_json_keeps_the_data() {
        let data = "del \x7f csi \u{9b} bidi \u{202e} bom \u{feff} quote \" end";
        let json = serde_json::to_string(data).unwrap();
        let cleaned = clean_json(json);
        assert!(!cleaned.contains(is_hostile));
        assert_eq!(serde_json::from_str::<String>(&cleaned).unwrap(), data);
        let lines = "{\n  \"plain\": \"ASCII\"\n}\n".repeat(9);
        assert_eq!(clean_json(lines.clone()), lines);
    }

    #[test]
    fn words_stay_whole() {
        for (text, columns, lines) in [
            ("a bc def", 4, &["a bc", "def"][..]),
            ("a bc def", 100, &["a bc def"]),
            ("longer than", 3, &["longer", "than"]),
            ("日本 語", 6, &["日本", "語"]),
            ("日本 語", 7, &["日本 語"]),
            ("", 3, &[""]),
        ] {
            assert_eq!(wrap(text, columns), lines, "{text} in {columns}");
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "ab…");
        assert_eq!(shorten(&"é".repeat(600), 500).chars().count(), 500);
        for (text, columns, shown) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(fit(text, columns), shown, "{text} in {columns}");
        }
        let hearts = "❤\u{fe0f}".repeat(9);
        assert!((0..20).all(|columns| fit(&hearts, columns).width() <= columns));
    }
}
