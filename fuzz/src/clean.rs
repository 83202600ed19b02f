//! Sanitized text: it contains no terminal control characters or hidden text, and harmless characters are unchanged.

use neto::internals::output::{sanitize_block, sanitize_line, truncate_chars, truncate_columns};
use unicode_width::UnicodeWidthStr as _;

pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let line = sanitize_line(&text);
    assert!(!line.contains(is_hostile), "{line:?}");
    assert_eq!(sanitize_line(&line), line, "cleaning twice changes something");
    let block = sanitize_block(&text);
    assert!(!block.contains(|c| c != '\n' && is_hostile(c)), "{block:?}");
    assert_eq!(sanitize_block(&block), block, "cleaning twice changes something");
    assert_eq!(block.lines().count(), text.split_terminator('\n').count(), "lines came or went");
    check_harmless(&text, &line);
    let most = usize::from(input.first().copied().unwrap_or(0));
    assert!(truncate_chars(&text, most).chars().count() <= most.max(1));
    for shown in [&line, &block] {
        assert!(truncate_columns(shown, most).width() <= most, "{shown:?} does not fit {most} columns");
    }
    assert!(truncate_columns(&line, most) == line || line.width() > most, "cut though it fits");
}

/// Returns whether R-46 forbids this character.
fn is_hostile(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Checks that the text's characters are shown in order, each unchanged or as an escape.
fn check_harmless(text: &str, line: &str) {
    let mut shown = line.chars();
    for character in text.chars() {
        let next = shown.next().expect("a character went");
        if next == character {
            continue;
        }
        assert!(!character.is_alphanumeric() && !character.is_ascii_graphic(), "{character:?} was harmless");
        assert_eq!(next, '\\', "{character:?} became {next:?}");
        let escape: String = match shown.next() {
            Some('u') => shown.by_ref().take_while(|c| *c != '}').skip(1).collect(),
            short => {
                let plain = short
                    .and_then(|short| [('n', '\n'), ('r', '\r'), ('t', '\t')].into_iter().find(|(s, _)| *s == short));
                assert_eq!(plain.map(|(_, plain)| plain), Some(character));
                continue;
            }
        };
        assert_eq!(u32::from_str_radix(&escape, 16), Ok(u32::from(character)));
    }
    assert_eq!(shown.next(), None, "characters came");
}
