//! What is judged before and around the TOML parser: encoding, and its errors in own words.

use super::fault::{StoreError, Wrong};
use super::{Problem, conflict, path};
use std::ops::Range;
use toml_parser::lexer::TokenKind;
use toml_parser::{ParseError, Source};

/// A text that has no quotes.
const UNQUOTED: &str = "a text that is not in quotes";
/// A key that goes on below a value.
const CONTINUED: &str = "this key has a value already and cannot be continued";
/// A backslash in a text with double quotes.
const ESCAPE: &str = "an escape that TOML does not have; a backslash is written twice";
/// A number, a date or a flag that is none.
const SCALAR: &str = "no number, no date, not true or false; a text needs quotes";
/// What only an escape may stand for.
const CONTROL: &str = "a control character, which TOML does not allow";
/// Something behind a value, a header or a text that was closed early.
const LONGER: &str = "the line goes on where it should end";

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

/// The parser's error with its place and key, in words that hold nothing of the file.
pub(super) fn wrong_syntax(text: &str, error: &ParseError) -> Wrong {
    let span = error.unexpected().map_or(text.len()..text.len(), |span| span.start()..span.end());
    if let Some(line) = conflict::left_over(text, span.start) {
        return Wrong::new(line, Problem::ConflictMarkers { profiles: Vec::new() });
    }
    let (at, problem) = located(text, &span, error.description());
    let declared = matches!(problem, Problem::DuplicateKey | Problem::Syntax(CONTINUED));
    let path = if declared { path::declared_at(text, at) } else { path::at(text, at) };
    let wrong = Wrong::new(at, problem);
    path.iter().rev().fold(wrong, |wrong, key| wrong.under(key))
}

/// Where a user looks for what the parser found at `span`, and in which words it is told.
fn located(text: &str, span: &Range<usize>, message: &str) -> (usize, Problem) {
    // An open text swallows what follows, and the parser stumbles over any of it.
    if let Some(opening) = opening_of_text(text, span.start) {
        return (opening, Problem::Syntax("a text that is not closed by its quotes"));
    }
    if message.starts_with("string values must be quoted") && span.is_empty() {
        return (span.start, Problem::Syntax("a value is missing"));
    }
    if message.starts_with("unexpected key or value")
        && let Some(bare) = bare_before(text, span.start)
    {
        return (bare, Problem::Syntax(UNQUOTED));
    }
    // It is told where the line feed should stand.
    let back = usize::from(message.starts_with("carriage return"));
    (span.start.saturating_sub(back), in_own_words(message))
}

/// Where the first text opens, up to the error `at`, that lacks the quotes it opens with.
fn opening_of_text(text: &str, at: usize) -> Option<usize> {
    let mut tokens = Source::new(text).lex().take_while(|token| token.span().start() <= at);
    let open = tokens.find(|token| {
        let span = token.span();
        let quotes = match token.kind() {
            TokenKind::BasicString => "\"",
            TokenKind::LiteralString => "'",
            TokenKind::MlBasicString => "\"\"\"",
            TokenKind::MlLiteralString => "'''",
            _ => return false,
        };
        let raw = &text[span.start()..span.end()];
        raw.len() < 2 * quotes.len() || !raw.ends_with(quotes)
    })?;
    Some(open.span().start())
}

/// Where the word without quotes starts that ends `at`, as a base64 text does before its padding.
fn bare_before(text: &str, at: usize) -> Option<usize> {
    let last = Source::new(text).lex().take_while(|token| token.span().start() < at).last()?;
    let ends_here = last.kind() == TokenKind::Atom && last.span().end() == at;
    ends_here.then_some(last.span().start())
}

/// The parser's messages by how they start, in an order in which the first that fits holds.
#[rustfmt::skip]
const WORDS: [(&str, Problem); 44] = [
    ("duplicate key", Problem::DuplicateKey),
    ("cannot recurse further", Problem::TooDeep),
    ("recursion limit", Problem::TooDeep),
    ("cannot extend value", Problem::Syntax(CONTINUED)),
    ("key with no value", Problem::Syntax("a key without '=' and a value")),
    ("missing assignment", Problem::Syntax("a key without '=' and a value")),
    ("missing value", Problem::Syntax("a value is missing")),
    ("missing key", Problem::Syntax("a key is missing")),
    ("string values must be quoted", Problem::Syntax(UNQUOTED)),
    ("missing opening quote", Problem::Syntax(UNQUOTED)),
    ("missing comma", Problem::Syntax("a comma is missing")),
    ("extra comma", Problem::Syntax("a comma too many")),
    ("extra", Problem::Syntax("a '=' too many")),
    ("unexpected `=`", Problem::Syntax("a '=' too many")),
    ("unclosed array table", Problem::Syntax("a header that is not closed by ']]'")),
    ("unclosed table", Problem::Syntax("a header that is not closed by ']'")),
    ("unclosed array", Problem::Syntax("a list that is not closed by ']'")),
    ("unclosed inline table", Problem::Syntax("a table that is not closed by '}'")),
    ("carriage return", Problem::Syntax("a carriage return without a line feed")),
    ("missing escaped value", Problem::Syntax(ESCAPE)),
    ("too few unicode", Problem::Syntax(ESCAPE)),
    ("invalid escape", Problem::Syntax(ESCAPE)),
    ("invalid value", Problem::Syntax(ESCAPE)),
    ("invalid unquoted key", Problem::Syntax("a key with characters that need quotes")),
    ("unquoted keys cannot be empty", Problem::Syntax("a key is missing")),
    ("unexpected leading zero", Problem::Syntax("a number with a leading zero")),
    ("unexpected sign", Problem::Syntax(SCALAR)),
    ("invalid boolean", Problem::Syntax(SCALAR)),
    ("invalid float", Problem::Syntax(SCALAR)),
    ("invalid date", Problem::Syntax(SCALAR)),
    ("invalid time", Problem::Syntax(SCALAR)),
    ("invalid integer", Problem::Syntax(SCALAR)),
    ("invalid mantissa", Problem::Syntax(SCALAR)),
    ("invalid fraction", Problem::Syntax(SCALAR)),
    ("invalid exponent", Problem::Syntax(SCALAR)),
    ("invalid hexadecimal", Problem::Syntax(SCALAR)),
    ("invalid octal", Problem::Syntax(SCALAR)),
    ("invalid binary", Problem::Syntax(SCALAR)),
    // An open text was told before, so what is left in one is a character that does not belong there.
    ("invalid basic string", Problem::Syntax(CONTROL)),
    ("invalid literal string", Problem::Syntax(CONTROL)),
    ("invalid multi-line", Problem::Syntax(CONTROL)),
    ("invalid comment character", Problem::Syntax(CONTROL)),
    ("unexpected key or value", Problem::Syntax(LONGER)),
    ("unexpected content", Problem::Syntax(LONGER)),
];

fn in_own_words(message: &str) -> Problem {
    let known = WORDS.iter().find(|(start, _)| message.starts_with(start));
    known.map_or(Problem::Syntax("this is not valid TOML"), |(_, problem)| problem.clone())
}
