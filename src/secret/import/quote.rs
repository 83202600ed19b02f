//! The value of an assignment: taken where it is plain text in a shell, in a `.env` file or in Python, and refused where
//! a program would have to work it out.

use zeroize::Zeroizing;

/// The quotes that shells and Python know, and those that word processors make of them.
const QUOTES: [(char, char); 4] = [('\'', '\''), ('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Room for any real value, in bytes.
const ROOM: usize = 4096;

/// A value, and how many bytes of the text it takes.
pub(super) struct Value {
    pub(super) text: Zeroizing<String>,
    pub(super) length: usize,
}

/// Why a value cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its quote is nowhere closed.
    Open,
    /// It is an expression, or holds one.
    Expression,
}

/// Who wrote it, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// `NAME=VALUE`: a shell, or a `.env` file.
    Shell,
    /// `NAME = VALUE`: Python; a `.env` file too, but then without backslashes and dollars.
    Python,
}

/// Reads the value at the start of `rest`, which follows an equals sign and its blanks.
pub(super) fn read(rest: &str, language: Language) -> Result<Value, Unfit> {
    match QUOTES.iter().find(|(open, _)| rest.starts_with(*open)) {
        Some(_) => quoted(rest, language),
        None => bare(rest),
    }
}

/// Whether the value at the start of `rest` stands in quotes.
pub(super) fn is_quoted(rest: &str) -> bool {
    QUOTES.iter().any(|(open, _)| rest.starts_with(*open))
}

/// Up to the end of the line, without a comment.
fn bare(rest: &str) -> Result<Value, Unfit> {
    let line = rest.split('\n').next().unwrap_or_default();
    let value = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
    let value = value.trim().trim_end_matches(';');
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let works = match character {
            '(' | ')' | '[' | ']' | '{' | '}' | '`' | '"' | '\'' | '\\' => true,
            '$' => starts_expansion(characters.peek().copied()),
            _ => false,
        };
        if works {
            return Err(Unfit::Expression);
        }
    }
    Ok(Value { text: Zeroizing::new(value.to_owned()), length: line.len() })
}

/// One word of quoted pieces: `'it'\''s'`.
fn quoted(rest: &str, language: Language) -> Result<Value, Unfit> {
    // Reserved at once: a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(rest.len().min(ROOM)));
    let mut left = rest;
    while let Some(first) = left.chars().next() {
        let after = &left[first.len_utf8()..];
        if let Some((_, close)) = QUOTES.iter().find(|(open, _)| *open == first) {
            left = piece(after, (first, *close), language, &mut text)?;
        } else if first == '\\' && language == Language::Shell {
            let next = after.chars().next().filter(|next| *next != '\n').ok_or(Unfit::Expression)?;
            text.push(next);
            left = &after[next.len_utf8()..];
        } else {
            break;
        }
    }
    let line = left.split('\n').next().unwrap_or_default();
    let tail = line.trim_start();
    if !(tail.is_empty() || tail.starts_with(['#', ';'])) {
        return Err(Unfit::Expression);
    }
    let length = rest.len() - left.len() + line.len();
    Ok(Value { text, length })
}

/// What stands between quotes, put to `text`; what follows the closing one.
fn piece<'a>(
    mut left: &'a str,
    (open, close): (char, char),
    language: Language,
    text: &mut String,
) -> Result<&'a str, Unfit> {
    let shell_double = language == Language::Shell && open == '"';
    let escapes = shell_double || (language == Language::Python && open.is_ascii());
    while let Some(character) = left.chars().next() {
        left = &left[character.len_utf8()..];
        if character == close {
            return Ok(left);
        }
        let next = left.chars().next();
        match (character, next) {
            ('\\', Some(next)) if escapes => {
                if let Some(meant) = escaped(next, language) {
                    text.push(meant);
                    left = &left[next.len_utf8()..];
                } else {
                    text.push('\\');
                }
            }
            ('`', _) if shell_double => return Err(Unfit::Expression),
            ('$', next) if shell_double && starts_expansion(next) => return Err(Unfit::Expression),
            _ => text.push(character),
        }
    }
    Err(Unfit::Open)
}

/// What a backslash makes of the character behind it; nothing where it stands for itself.
fn escaped(next: char, language: Language) -> Option<char> {
    match next {
        '\\' | '"' => Some(next),
        '$' | '`' if language == Language::Shell => Some(next),
        '\'' if language == Language::Python => Some(next),
        // In a shell two characters; in Python and most `.env` readers one, which no credential holds.
        'n' | 'r' | 't' if language == Language::Python => Some('\n'),
        _ => None,
    }
}

/// Whether a dollar before this character stands for something else.
fn starts_expansion(next: Option<char>) -> bool {
    next.is_some_and(|next| next.is_ascii_alphanumeric() || "_({*@#?$!-".contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Python, Shell};

    fn value(text: &str, language: Language) -> Result<String, Unfit> {
        read(text, language).map(|value| value.text.to_string())
    }

    #[test]
    fn plain_values_are_taken_as_their_language_means_them() {
        for (text, language, wanted) in [
            ("abc", Shell, "abc"),
            ("abc # note", Shell, "abc"),
            ("abc;", Shell, "abc"),
            ("a#c/+=", Shell, "a#c/+="),
            ("Acme Corp", Shell, "Acme Corp"),
            ("a$", Shell, "a$"),
            ("", Shell, ""),
            ("# note", Shell, ""),
            ("'a b' # note", Shell, "a b"),
            ("'a b';", Shell, "a b"),
            (r"'a\n$b`'", Shell, r"a\n$b`"),
            (r"'it'\''s'", Shell, "it's"),
            (r#""a\"b\\c\$d""#, Shell, r#"a"b\c$d"#),
            (r#""a\nb""#, Shell, r"a\nb"),
            ("\"a$ b\"", Shell, "a$ b"),
            ("\u{201c}a b\u{201d}", Shell, "a b"),
            ("'a\nb' # note\nc", Shell, "a\nb"),
            ("\"a$b`\"", Python, "a$b`"),
            (r"'it\'s \\ \d'", Python, r"it's \ \d"),
            ("'a'  # note", Python, "a"),
            ("'''a'''", Python, "a"),
        ] {
            assert_eq!(value(text, language).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_a_program_works_out_is_refused() {
        for (text, language, wanted) in [
            ("$(pass show acme)", Shell, Unfit::Expression),
            ("${APPKEY:-x}", Shell, Unfit::Expression),
            ("a$b", Shell, Unfit::Expression),
            ("`pass`", Shell, Unfit::Expression),
            ("\"a$b\"", Shell, Unfit::Expression),
            ("\"${A}\"", Shell, Unfit::Expression),
            ("\"`a`\"", Shell, Unfit::Expression),
            ("'a' 'b'", Shell, Unfit::Expression),
            ("'a'b", Shell, Unfit::Expression),
            ("os.environ[\"A\"]", Python, Unfit::Expression),
            ("\"a\" + b", Python, Unfit::Expression),
            ("'abc", Shell, Unfit::Open),
            ("\"abc\\\"", Shell, Unfit::Open),
            ("'it'\\''s", Shell, Unfit::Open),
        ] {
            assert_eq!(value(text, language), Err(wanted), "{text}");
        }
    }

    #[test]
    fn the_whole_line_is_consumed() {
        for (text, length) in [("abc # x\nrest", 7), ("'a\nb' # x\nrest", 9), ("'a';\nrest", 4)] {
            assert_eq!(read(text, Shell).unwrap().length, length, "{text}");
        }
    }
}
