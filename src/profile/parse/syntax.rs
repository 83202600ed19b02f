//! Checks the encoding of a store, and words the errors of the TOML parser.

use super::fault::{StoreError, UnlocatedFault};
use super::{StoreProblem, conflict, path};
use std::ops::Range;
use toml_parser::lexer::TokenKind;
use toml_parser::{ParseError, Source};

/// Text without quotes.
const UNQUOTED: &str = "a text that is not in quotes";
/// Key that continues below a value.
const CONTINUED: &str = "this key has a value already and cannot be continued";
/// Invalid escape in a text with double quotes.
const ESCAPE: &str = "an escape that TOML does not have; a backslash is written twice";
/// Invalid number, date or boolean.
const SCALAR: &str = "no number, no date, not true or false; a text needs quotes";
/// Character that has to be escaped.
const CONTROL: &str = "a control character, which TOML does not allow";
/// Text after the end of a value or header, or after a text that was closed early.
const LONGER: &str = "the line goes on where it should end";

/// Decodes the bytes of a store, including a byte-order mark.
///
/// # Errors
/// [`StoreError`] for bytes that are not UTF-8.
pub(in crate::profile) fn decode(bytes: Vec<u8>) -> Result<String, StoreError> {
    // Every store starts with ASCII, so a zero among the first two bytes is half of a UTF-16 character.
    let half = bytes.iter().take(2).any(|byte| *byte == 0);
    if half || bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UnlocatedFault::new(0, StoreProblem::Utf16).into_store_error(""));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = std::str::from_utf8(&error.as_bytes()[..offset]).unwrap_or_default();
        UnlocatedFault::new(offset, StoreProblem::NotUtf8 { offset }).into_store_error(before)
    })
}

/// Converts a parser error to a fault with its position and key, in words that hold nothing of the file.
pub(super) fn syntax_fault(text: &str, error: &ParseError) -> UnlocatedFault {
    let span = error.unexpected().map_or(text.len()..text.len(), |span| span.start()..span.end());
    if let Some(line) = conflict::leftover_marker(text, span.start) {
        return UnlocatedFault::new(line, StoreProblem::ConflictMarkers { profiles: Vec::new() });
    }
    let (at, problem) = locate_problem(text, &span, error.description());
    let is_declared = matches!(problem, StoreProblem::DuplicateKey | StoreProblem::Syntax(CONTINUED));
    let path = if is_declared { path::declared_key_path(text, at) } else { path::known_key_path(text, at) };
    let fault = UnlocatedFault::new(at, problem);
    path.iter().rev().fold(fault, |fault, key| fault.under(key))
}

/// Returns the offset where a user should look for the parser error at `span`, and the wording of the error.
fn locate_problem(text: &str, span: &Range<usize>, message: &str) -> (usize, StoreProblem) {
    // An unclosed text extends over the following lines, and the parser may fail anywhere in them.
    if let Some(opening) = unclosed_text_start(text, span.start) {
        return (opening, StoreProblem::Syntax("a text that is not closed by its quotes"));
    }
    if message.starts_with("string values must be quoted") && span.is_empty() {
        return (span.start, StoreProblem::Syntax("a value is missing"));
    }
    if message.starts_with("unexpected key or value")
        && let Some(bare) = unquoted_word_start(text, span.start)
    {
        return (bare, StoreProblem::Syntax(UNQUOTED));
    }
    // The parser reports the offset where the line feed should be.
    let back = usize::from(message.starts_with("carriage return"));
    (span.start.saturating_sub(back), translate(message))
}

/// Returns the start of the first text, up to the error `at`, that lacks its closing quotes.
fn unclosed_text_start(text: &str, at: usize) -> Option<usize> {
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

/// Returns the start of the unquoted word that ends `at`, such as a base64 text before its padding.
fn unquoted_word_start(text: &str, at: usize) -> Option<usize> {
    let last = Source::new(text).lex().take_while(|token| token.span().start() < at).last()?;
    let ends_here = last.kind() == TokenKind::Atom && last.span().end() == at;
    ends_here.then_some(last.span().start())
}

/// Wording for the parser's messages, by their start. The first match counts.
#[rustfmt::skip]
const MESSAGES: [(&str, StoreProblem); 44] = [
    ("duplicate key", StoreProblem::DuplicateKey),
    ("cannot recurse further", StoreProblem::TooDeep),
    ("recursion limit", StoreProblem::TooDeep),
    ("cannot extend value", StoreProblem::Syntax(CONTINUED)),
    ("key with no value", StoreProblem::Syntax("a key without '=' and a value")),
    ("missing assignment", StoreProblem::Syntax("a key without '=' and a value")),
    ("missing value", StoreProblem::Syntax("a value is missing")),
    ("missing key", StoreProblem::Syntax("a key is missing")),
    ("string values must be quoted", StoreProblem::Syntax(UNQUOTED)),
    ("missing opening quote", StoreProblem::Syntax(UNQUOTED)),
    ("missing comma", StoreProblem::Syntax("a comma is missing")),
    ("extra comma", StoreProblem::Syntax("a comma too many")),
    ("extra", StoreProblem::Syntax("a '=' too many")),
    ("unexpected `=`", StoreProblem::Syntax("a '=' too many")),
    ("unclosed array table", StoreProblem::Syntax("a header that is not closed by ']]'")),
    ("unclosed table", StoreProblem::Syntax("a header that is not closed by ']'")),
    ("unclosed array", StoreProblem::Syntax("a list that is not closed by ']'")),
    ("unclosed inline table", StoreProblem::Syntax("a table that is not closed by '}'")),
    ("carriage return", StoreProblem::Syntax("a carriage return without a line feed")),
    ("missing escaped value", StoreProblem::Syntax(ESCAPE)),
    ("too few unicode", StoreProblem::Syntax(ESCAPE)),
    ("invalid escape", StoreProblem::Syntax(ESCAPE)),
    ("invalid value", StoreProblem::Syntax(ESCAPE)),
    ("invalid unquoted key", StoreProblem::Syntax("a key with characters that need quotes")),
    ("unquoted keys cannot be empty", StoreProblem::Syntax("a key is missing")),
    ("unexpected leading zero", StoreProblem::Syntax("a number with a leading zero")),
    ("unexpected sign", StoreProblem::Syntax(SCALAR)),
    ("invalid boolean", StoreProblem::Syntax(SCALAR)),
    ("invalid float", StoreProblem::Syntax(SCALAR)),
    ("invalid date", StoreProblem::Syntax(SCALAR)),
    ("invalid time", StoreProblem::Syntax(SCALAR)),
    ("invalid integer", StoreProblem::Syntax(SCALAR)),
    ("invalid mantissa", StoreProblem::Syntax(SCALAR)),
    ("invalid fraction", StoreProblem::Syntax(SCALAR)),
    ("invalid exponent", StoreProblem::Syntax(SCALAR)),
    ("invalid hexadecimal", StoreProblem::Syntax(SCALAR)),
    ("invalid octal", StoreProblem::Syntax(SCALAR)),
    ("invalid binary", StoreProblem::Syntax(SCALAR)),
    // Unclosed texts were handled before, so the error is a character that is not allowed in a text.
    ("invalid basic string", StoreProblem::Syntax(CONTROL)),
    ("invalid literal string", StoreProblem::Syntax(CONTROL)),
    ("invalid multi-line", StoreProblem::Syntax(CONTROL)),
    ("invalid comment character", StoreProblem::Syntax(CONTROL)),
    ("unexpected key or value", StoreProblem::Syntax(LONGER)),
    ("unexpected content", StoreProblem::Syntax(LONGER)),
];

fn translate(message: &str) -> StoreProblem {
    let known = MESSAGES.iter().find(|(start, _)| message.starts_with(start));
    known.map_or(StoreProblem::Syntax("this is not valid TOML"), |(_, problem)| problem.clone())
}
