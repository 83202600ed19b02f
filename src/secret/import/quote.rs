//! Parses the values of assignments in a shell, a `.env` file or Python: plain text, quoted or not.
//!
//! Refuses expressions, because their value is known only after a program evaluates them.

use zeroize::Zeroizing;

/// Opening and closing quotes: the quotes of shells and Python, and the typographic quotes of word processors.
const QUOTES: [(char, char); 4] = [('\'', '\''), ('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Initial capacity of a buffer for a value; enough for any real value.
const INITIAL_CAPACITY_BYTES: usize = 4096;

/// Parsed value of an assignment.
pub(super) struct AssignedValue {
    /// Value without quotes and escapes.
    pub(super) text: Zeroizing<String>,
    /// Number of bytes from the start of the value to the end of its last line.
    pub(super) consumed: usize,
}

/// Reason why a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueError {
    /// A quote is not closed.
    UnclosedQuote,
    /// The value is an expression, contains an expression, or continues after its closing quote.
    Expression,
}

/// Language whose quoting rules a value follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Shell or `.env` file: `NAME=VALUE`.
    Shell,
    /// Python: `NAME = VALUE`. Also used for a `.env` file with blanks before `=`. Backslashes are then read as in
    /// Python.
    Python,
}

/// Parses the value at the start of `text`, which must not start with blanks.
pub(super) fn parse_value(text: &str, language: Language) -> Result<AssignedValue, ValueError> {
    match QUOTES.iter().find(|(open, _)| text.starts_with(*open)) {
        Some(_) => parse_quoted(text, language),
        None => parse_unquoted(text),
    }
}

/// Returns true if `text` starts with a quote.
pub(super) fn is_quoted(text: &str) -> bool {
    QUOTES.iter().any(|(open, _)| text.starts_with(*open))
}

/// Parses an unquoted value, which ends at a comment or at the end of the line. Removes semicolons at its end.
fn parse_unquoted(text: &str) -> Result<AssignedValue, ValueError> {
    let line = text.split('\n').next().unwrap_or_default();
    let value = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
    let value = value.trim().trim_end_matches(';');
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let is_expression = match character {
            '(' | ')' | '[' | ']' | '{' | '}' | '`' | '"' | '\'' | '\\' => true,
            '$' => starts_expansion(characters.peek().copied()),
            _ => false,
        };
        if is_expression {
            return Err(ValueError::Expression);
        }
    }
    Ok(AssignedValue { text: Zeroizing::new(value.to_owned()), consumed: line.len() })
}

/// Parses a value made of adjacent quoted pieces. A shell joins the pieces: `'it'\''s'` is `it's`.
fn parse_quoted(value_text: &str, language: Language) -> Result<AssignedValue, ValueError> {
    // The capacity is reserved at once, because a growing string would leave copies of the secret in memory.
    let mut text = Zeroizing::new(String::with_capacity(value_text.len().min(INITIAL_CAPACITY_BYTES)));
    let mut remaining = value_text;
    while let Some(first) = remaining.chars().next() {
        let after = &remaining[first.len_utf8()..];
        if let Some((_, close)) = QUOTES.iter().find(|(open, _)| *open == first) {
            remaining = parse_quoted_piece(after, (first, *close), language, &mut text)?;
        } else if first == '\\' && language == Language::Shell {
            let next = after.chars().next().filter(|next| *next != '\n').ok_or(ValueError::Expression)?;
            text.push(next);
            remaining = &after[next.len_utf8()..];
        } else {
            break;
        }
    }
    let line = remaining.split('\n').next().unwrap_or_default();
    let tail = line.trim_start();
    if !(tail.is_empty() || tail.starts_with(['#', ';'])) {
        return Err(ValueError::Expression);
    }
    let consumed = value_text.len() - remaining.len() + line.len();
    Ok(AssignedValue { text, consumed })
}

/// Appends a quoted piece to `text`. `remaining` starts after the opening quote. Returns the text after the closing
/// quote.
fn parse_quoted_piece<'a>(
    mut remaining: &'a str,
    (open, close): (char, char),
    language: Language,
    text: &mut String,
) -> Result<&'a str, ValueError> {
    let is_double_in_shell = language == Language::Shell && open == '"';
    let has_escapes = is_double_in_shell || (language == Language::Python && open.is_ascii());
    while let Some(character) = remaining.chars().next() {
        remaining = &remaining[character.len_utf8()..];
        if character == close {
            return Ok(remaining);
        }
        let next = remaining.chars().next();
        match (character, next) {
            ('\\', Some(next)) if has_escapes => {
                if let Some(unescaped) = unescape(next, language) {
                    text.push(unescaped);
                    remaining = &remaining[next.len_utf8()..];
                } else {
                    text.push('\\');
                }
            }
            ('`', _) if is_double_in_shell => return Err(ValueError::Expression),
            ('$', next) if is_double_in_shell && starts_expansion(next) => return Err(ValueError::Expression),
            _ => text.push(character),
        }
    }
    Err(ValueError::UnclosedQuote)
}

/// Returns the character for a backslash followed by `next`. Returns `None` if the backslash is literal.
fn unescape(next: char, language: Language) -> Option<char> {
    match next {
        '\\' | '"' => Some(next),
        '$' | '`' if language == Language::Shell => Some(next),
        '\'' if language == Language::Python => Some(next),
        // In Python, these escapes are control characters. A line feed is returned for all three: a NETOSECRET may
        // contain any white space, and all other fields refuse control characters. A shell keeps the backslash and the
        // letter.
        'n' | 'r' | 't' if language == Language::Python => Some('\n'),
        _ => None,
    }
}

/// Returns true if a dollar sign followed by `next` starts an expansion.
fn starts_expansion(next: Option<char>) -> bool {
    next.is_some_and(|next| next.is_ascii_alphanumeric() || "_({*@#?$!-".contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Python, Shell};

    fn value(text: &str, language: Language) -> Result<String, ValueError> {
        parse_value(text, language).map(|value| value.text.to_string())
    }

    #[test]
    fn values_follow_the_quoting_rules_of_their_language() {
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
    fn expressions_and_unclosed_quotes_are_refused() {
        for (text, language, wanted) in [
            ("$(pass show acme)", Shell, ValueError::Expression),
            ("${APPKEY:-x}", Shell, ValueError::Expression),
            ("a$b", Shell, ValueError::Expression),
            ("`pass`", Shell, ValueError::Expression),
            ("\"a$b\"", Shell, ValueError::Expression),
            ("\"${A}\"", Shell, ValueError::Expression),
            ("\"`a`\"", Shell, ValueError::Expression),
            ("'a' 'b'", Shell, ValueError::Expression),
            ("'a'b", Shell, ValueError::Expression),
            ("os.environ[\"A\"]", Python, ValueError::Expression),
            ("\"a\" + b", Python, ValueError::Expression),
            ("'abc", Shell, ValueError::UnclosedQuote),
            ("\"abc\\\"", Shell, ValueError::UnclosedQuote),
            ("'it'\\''s", Shell, ValueError::UnclosedQuote),
        ] {
            assert_eq!(value(text, language), Err(wanted), "{text}");
        }
    }

    #[test]
    fn the_whole_line_is_consumed() {
        for (text, length) in [("abc # x\nrest", 7), ("'a\nb' # x\nrest", 9), ("'a';\nrest", 4)] {
            assert_eq!(parse_value(text, Shell).unwrap().consumed, length, "{text}");
        }
    }
}
