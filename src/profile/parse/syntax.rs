//! What is judged before and around the TOML parser: encoding, depth, and its errors in own words.

use super::fault::{StoreError, Wrong};
use super::{Problem, path};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// How deep lists, tables and dotted keys may stand within one another.
pub(super) const DEEPEST: usize = 64;

/// The text of a store's bytes, its byte-order mark included.
///
/// # Errors
/// [`StoreError`] for what is not UTF-8.
pub(in crate::profile) fn decode(bytes: Vec<u8>) -> Result<String, StoreError> {
    // Every store starts with ASCII, so a zero among the first two bytes is half of such a letter.
    let half = bytes.iter().take(2).any(|byte| *byte == 0);
    if half || bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Wrong::new(0, Problem::Utf16).into_store_error(""));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = std::str::from_utf8(&error.as_bytes()[..offset]).unwrap_or_default();
        Wrong::new(offset, Problem::NotUtf8 { offset }).into_store_error(before)
    })
}

/// Fails for what is nested so deep that walking it would exhaust the stack. Reads tokens only, so
/// it holds for text of any kind.
pub(super) fn check_depth(text: &str) -> Result<(), Wrong> {
    let mut dots = 0;
    // For each bracket that is open, the dots before it.
    let mut open: Vec<usize> = Vec::new();
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open.push(dots),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => dots = open.pop().unwrap_or(0),
            TokenKind::Comma | TokenKind::Newline => dots = open.last().copied().unwrap_or(0),
            _ => continue,
        }
        if open.len() + dots > DEEPEST {
            return Err(Wrong::new(token.span().start(), Problem::TooDeep));
        }
    }
    Ok(())
}

/// The parser's error with its place and key, in words that hold nothing of the file.
pub(super) fn wrong_syntax(text: &str, error: &toml::de::Error) -> Wrong {
    let reported = error.span().map_or(text.len(), |span| span.start);
    // An open string swallows what follows; the user looks for where it opens.
    let opening = opening_of_string(text, reported);
    let mut wrong = match opening {
        Some(opening) => Wrong::new(opening, Problem::Syntax("a text that is not closed by its quotes")),
        None => Wrong::new(reported, in_own_words(error.message())),
    };
    for key in path::at(text, opening.unwrap_or(reported)).iter().rev() {
        wrong = wrong.under(key);
    }
    wrong
}

/// Where the string opens that the error `at` finds not closed: one that ends there without the
/// quotes it opens with.
fn opening_of_string(text: &str, at: usize) -> Option<usize> {
    let holding = |start: usize, end: usize| start <= at && at <= end;
    let token = Source::new(text).lex().find(|token| {
        let span = token.span();
        let quotes = match token.kind() {
            TokenKind::BasicString => "\"",
            TokenKind::LiteralString => "'",
            TokenKind::MlBasicString => "\"\"\"",
            TokenKind::MlLiteralString => "'''",
            _ => return false,
        };
        let raw = &text[span.start()..span.end()];
        let closed = raw.len() >= 2 * quotes.len() && raw.ends_with(quotes);
        !closed && holding(span.start(), span.end())
    })?;
    Some(token.span().start())
}

/// The parser's messages by how they start, in an order in which the first that fits holds.
const WORDS: [(&str, Problem); 24] = [
    ("duplicate key", Problem::DuplicateKey),
    ("cannot recurse further", Problem::TooDeep),
    ("recursion limit", Problem::TooDeep),
    ("cannot extend value", Problem::Syntax("this key has a value already and cannot be continued")),
    ("key with no value", Problem::Syntax("a key without '=' and a value")),
    ("missing assignment", Problem::Syntax("a key without '=' and a value")),
    ("missing value", Problem::Syntax("a value is missing")),
    ("string values must be quoted", Problem::Syntax("a text that is not in quotes")),
    ("missing opening quote", Problem::Syntax("a text that is not in quotes")),
    ("missing comma", Problem::Syntax("a comma is missing")),
    ("extra comma", Problem::Syntax("a comma too many")),
    ("extra", Problem::Syntax("a '=' too many")),
    ("unexpected `=`", Problem::Syntax("a '=' too many")),
    ("unclosed array table", Problem::Syntax("a header that is not closed by ']]'")),
    ("unclosed table", Problem::Syntax("a header that is not closed by ']'")),
    ("unclosed array", Problem::Syntax("a list that is not closed by ']'")),
    ("unclosed inline table", Problem::Syntax("a table that is not closed by '}'")),
    ("carriage return", Problem::Syntax("a carriage return without a line feed")),
    ("missing escaped value", Problem::Syntax("an escape that TOML does not have; a backslash is written twice")),
    ("too few unicode", Problem::Syntax("an escape that TOML does not have; a backslash is written twice")),
    ("invalid escape", Problem::Syntax("an escape that TOML does not have; a backslash is written twice")),
    ("invalid unquoted key", Problem::Syntax("a key with characters that need quotes")),
    ("unquoted keys cannot be empty", Problem::Syntax("a key is missing")),
    ("unexpected leading zero", Problem::Syntax("a number with a leading zero")),
];

fn in_own_words(message: &str) -> Problem {
    let known = WORDS.iter().find(|(start, _)| message.starts_with(start));
    known.map_or(Problem::Syntax("this is not valid TOML"), |(_, problem)| problem.clone())
}
