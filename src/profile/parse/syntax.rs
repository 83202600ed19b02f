//! Decodes the bytes of a store, and converts the errors of the TOML parser to faults.

use super::fault::{StoreError, UnlocatedFault};
use super::{StoreProblem, conflict, path};
use std::ops::Range;
use toml_parser::lexer::TokenKind;
use toml_parser::{ParseError, Source};

/// Problem: a string without quotes.
const UNQUOTED_TEXT: &str = "a text that is not in quotes";
/// Problem: a header or dotted key below a key whose value is a scalar, a list or an inline table.
const CONTINUED_KEY: &str = "this key has a value already and cannot be continued";
/// Problem: an invalid escape in a string with double quotes.
const INVALID_ESCAPE: &str = "an escape that TOML does not have; a backslash is written twice";
/// Problem: an invalid number, date or boolean.
const INVALID_SCALAR: &str = "no number, no date, not true or false; a text needs quotes";
/// Problem: a control character that is invalid in a string or comment.
const CONTROL_CHARACTER: &str = "a control character, which TOML does not allow";
/// Problem: text after the end of a value or header, for example because a quote closed a string too early.
const TRAILING_TEXT: &str = "the line goes on where it should end";

/// Decodes the bytes of a store as UTF-8. A byte-order mark stays in the text.
///
/// # Errors
/// Returns a [`StoreError`] if the bytes are UTF-16 or not valid UTF-8.
pub(in crate::profile) fn decode(bytes: Vec<u8>) -> Result<String, StoreError> {
    // A store starts with ASCII characters, so a zero in the first two bytes is half of a UTF-16 character.
    let has_zero_byte = bytes.iter().take(2).any(|byte| *byte == 0);
    if has_zero_byte || bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UnlocatedFault::new(0, StoreProblem::Utf16).into_store_error(""));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = std::str::from_utf8(&error.as_bytes()[..offset]).unwrap_or_default();
        UnlocatedFault::new(offset, StoreProblem::NotUtf8 { offset }).into_store_error(before)
    })
}

/// Converts a parser error to a fault with an offset and a key path. Neither the parser's message nor the faulty text
/// is copied, because the text may be a secret.
pub(super) fn syntax_fault(text: &str, error: &ParseError) -> UnlocatedFault {
    let span = error.unexpected().map_or(text.len()..text.len(), |span| span.start()..span.end());
    if let Some(line_start) = conflict::leftover_marker_start(text, span.start) {
        return UnlocatedFault::new(line_start, StoreProblem::ConflictMarkers { profiles: Vec::new() });
    }
    let (offset, problem) = locate_problem(text, &span, error.description());
    let has_value = matches!(problem, StoreProblem::DuplicateKey | StoreProblem::Syntax(CONTINUED_KEY));
    let path = if has_value { path::declared_key_path(text, offset) } else { path::known_key_path(text, offset) };
    let fault = UnlocatedFault::new(offset, problem);
    path.iter().rev().fold(fault, |fault, key| fault.under(key))
}

/// Returns the offset to report to the user, and the problem that the parser's `message` about `span` describes.
fn locate_problem(text: &str, span: &Range<usize>, message: &str) -> (usize, StoreProblem) {
    // An unclosed string can extend over several lines, and the parser may report the error in any of these lines.
    if let Some(unclosed_start) = unclosed_text_start(text, span.start) {
        return (unclosed_start, StoreProblem::Syntax("a text that is not closed by its quotes"));
    }
    if message.starts_with("string values must be quoted") && span.is_empty() {
        return (span.start, StoreProblem::Syntax("a value is missing"));
    }
    if message.starts_with("unexpected key or value")
        && let Some(word_start) = unquoted_word_start(text, span.start)
    {
        return (word_start, StoreProblem::Syntax(UNQUOTED_TEXT));
    }
    // For a carriage return without a line feed, the parser reports the offset after the carriage return.
    let step_back = usize::from(message.starts_with("carriage return"));
    (span.start.saturating_sub(step_back), problem_from_message(message))
}

/// Returns the start of the first string that starts at or before `offset` and has no closing quotes.
fn unclosed_text_start(text: &str, offset: usize) -> Option<usize> {
    let mut tokens = Source::new(text).lex().take_while(|token| token.span().start() <= offset);
    let unclosed = tokens.find(|token| {
        let span = token.span();
        let closing_quotes = match token.kind() {
            TokenKind::BasicString => "\"",
            TokenKind::LiteralString => "'",
            TokenKind::MlBasicString => "\"\"\"",
            TokenKind::MlLiteralString => "'''",
            _ => return false,
        };
        let token_text = &text[span.start()..span.end()];
        token_text.len() < 2 * closing_quotes.len() || !token_text.ends_with(closing_quotes)
    })?;
    Some(unclosed.span().start())
}

/// Returns the start of the unquoted word that ends at `offset`, such as base64 text before its padding.
fn unquoted_word_start(text: &str, offset: usize) -> Option<usize> {
    let last = Source::new(text).lex().take_while(|token| token.span().start() < offset).last()?;
    let ends_here = last.kind() == TokenKind::Atom && last.span().end() == offset;
    ends_here.then_some(last.span().start())
}

/// Problems for the parser's messages, each with the start of the message. The first entry that matches is used.
#[rustfmt::skip]
const PROBLEMS_BY_MESSAGE_START: [(&str, StoreProblem); 44] = [
    ("duplicate key", StoreProblem::DuplicateKey),
    ("cannot recurse further", StoreProblem::TooDeep),
    ("recursion limit", StoreProblem::TooDeep),
    ("cannot extend value", StoreProblem::Syntax(CONTINUED_KEY)),
    ("key with no value", StoreProblem::Syntax("a key without '=' and a value")),
    ("missing assignment", StoreProblem::Syntax("a key without '=' and a value")),
    ("missing value", StoreProblem::Syntax("a value is missing")),
    ("missing key", StoreProblem::Syntax("a key is missing")),
    ("string values must be quoted", StoreProblem::Syntax(UNQUOTED_TEXT)),
    ("missing opening quote", StoreProblem::Syntax(UNQUOTED_TEXT)),
    ("missing comma", StoreProblem::Syntax("a comma is missing")),
    ("extra comma", StoreProblem::Syntax("a comma too many")),
    ("extra", StoreProblem::Syntax("a '=' too many")),
    ("unexpected `=`", StoreProblem::Syntax("a '=' too many")),
    ("unclosed array table", StoreProblem::Syntax("a header that is not closed by ']]'")),
    ("unclosed table", StoreProblem::Syntax("a header that is not closed by ']'")),
    ("unclosed array", StoreProblem::Syntax("a list that is not closed by ']'")),
    ("unclosed inline table", StoreProblem::Syntax("a table that is not closed by '}'")),
    ("carriage return", StoreProblem::Syntax("a carriage return without a line feed")),
    ("missing escaped value", StoreProblem::Syntax(INVALID_ESCAPE)),
    ("too few unicode", StoreProblem::Syntax(INVALID_ESCAPE)),
    ("invalid escape", StoreProblem::Syntax(INVALID_ESCAPE)),
    ("invalid value", StoreProblem::Syntax(INVALID_ESCAPE)),
    ("invalid unquoted key", StoreProblem::Syntax("a key with characters that need quotes")),
    ("unquoted keys cannot be empty", StoreProblem::Syntax("a key is missing")),
    ("unexpected leading zero", StoreProblem::Syntax("a number with a leading zero")),
    ("unexpected sign", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid boolean", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid float", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid date", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid time", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid integer", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid mantissa", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid fraction", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid exponent", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid hexadecimal", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid octal", StoreProblem::Syntax(INVALID_SCALAR)),
    ("invalid binary", StoreProblem::Syntax(INVALID_SCALAR)),
    // `locate_problem` handles unclosed strings first, so an invalid string contains an invalid character.
    ("invalid basic string", StoreProblem::Syntax(CONTROL_CHARACTER)),
    ("invalid literal string", StoreProblem::Syntax(CONTROL_CHARACTER)),
    ("invalid multi-line", StoreProblem::Syntax(CONTROL_CHARACTER)),
    ("invalid comment character", StoreProblem::Syntax(CONTROL_CHARACTER)),
    ("unexpected key or value", StoreProblem::Syntax(TRAILING_TEXT)),
    ("unexpected content", StoreProblem::Syntax(TRAILING_TEXT)),
];

fn problem_from_message(message: &str) -> StoreProblem {
    let known = PROBLEMS_BY_MESSAGE_START.iter().find(|(start, _)| message.starts_with(start));
    known.map_or(StoreProblem::Syntax("this is not valid TOML"), |(_, problem)| problem.clone())
}
