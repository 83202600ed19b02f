//! Selects and reformats parts of a JSON response as text. Does not parse numbers, so each number keeps its exact text.

use crate::error::{Code, Error, Hint};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::str::FromStr;

/// Maximum nesting depth of a value that is printed as JSON. `serde_json` and many other parsers reject deeper JSON.
const MAX_DEPTH: usize = 128;

/// JSON pointer (RFC 6901) to a part of a document.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
}

/// Reason why a text is not a JSON pointer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PointerError {
    #[error("a JSON pointer starts with '/', such as /data/0/name")]
    MissingSlash,
    #[error("in a JSON pointer '~' is written as ~0, and '/' within a name as ~1")]
    InvalidEscape,
}

/// Reason why `--select` selects no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SelectError {
    #[error("the answer is no JSON, so that --select finds nothing in it")]
    NotJson,
    #[error("the answer has nothing at {0}")]
    NotFound(String),
}

impl From<SelectError> for Error {
    fn from(error: SelectError) -> Self {
        Self::new(Code::Unreachable, error.to_string())
            .with_hint(Hint::advice("the same line without --select").remark("shows the whole answer"))
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let mut parts = text.split('/');
        if parts.next() != Some("") {
            return Err(PointerError::MissingSlash);
        }
        let steps = parts.map(unescape).collect::<Option<_>>().ok_or(PointerError::InvalidEscape)?;
        Ok(Self { text: text.to_owned(), steps })
    }
}

fn unescape(step: &str) -> Option<String> {
    let is_valid = step.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    is_valid.then(|| step.replace("~1", "/").replace("~0", "~"))
}

/// Checks the syntax of a body; `None` if the body is not JSON.
pub(super) fn parse(body: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(body).ok()
}

impl Pointer {
    /// Returns the part of the body that the pointer selects. If an object repeats a member name, the last member
    /// counts.
    ///
    /// # Errors
    /// Returns an error if the body is not JSON, or if the pointer selects no part of it.
    pub(super) fn find<'a>(&self, body: &'a [u8]) -> Result<&'a RawValue, SelectError> {
        let root = parse(body).ok_or(SelectError::NotJson)?;
        let found = self.steps.iter().try_fold(root, |value, step| child(value, step));
        found.ok_or_else(|| SelectError::NotFound(self.text.clone()))
    }
}

fn child<'a>(value: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    if value.get().starts_with('[') {
        let is_index = step == "0" || (!step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit()));
        let index: usize = step.parse().ok().filter(|_| is_index)?;
        return serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(index).copied();
    }
    serde_json::from_str::<HashMap<String, &RawValue>>(value.get()).ok()?.remove(step)
}

/// Returns the content of a JSON string, and any other value as [`compact`] JSON. A value that is nested too deeply is
/// returned as received.
pub(super) fn plain_text(value: &RawValue) -> String {
    let string_content = || serde_json::from_str::<String>(value.get()).ok();
    string_content().or_else(|| compact(value)).unwrap_or_else(|| value.get().to_owned())
}

/// Removes the white space between tokens, so that the value is on one line. Returns `None` if the value is nested
/// deeper than [`MAX_DEPTH`].
pub(super) fn compact(value: &RawValue) -> Option<String> {
    let json = value.get();
    let mut compact = String::with_capacity(json.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                ' ' | '\n' | '\r' | '\t' => continue,
                '"' => in_string = true,
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth > MAX_DEPTH {
                return None;
            }
        }
        compact.push(character);
    }
    Some(compact)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#" { "a": [ 1e400, {"b~/c": "x\n\"y\\" } , 0.10 ], "": -0, "d": 1, "d": 2.50 } "#;

    fn find(pointer: &str) -> Result<String, String> {
        let pointer: Pointer = pointer.parse().map_err(|error: PointerError| error.to_string())?;
        pointer.find(BODY.as_bytes()).map(plain_text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pointer_selects_a_part_and_keeps_numbers_unchanged() {
        for (pointer, value) in [
            ("/a/0", "1e400"),
            ("/a/2", "0.10"),
            ("/a/1/b~0~1c", "x\n\"y\\"),
            ("/a/1", r#"{"b~/c":"x\n\"y\\"}"#),
            ("/", "-0"),
            ("/d", "2.50"),
            ("", r#"{"a":[1e400,{"b~/c":"x\n\"y\\"},0.10],"":-0,"d":1,"d":2.50}"#),
        ] {
            assert_eq!(find(pointer).as_deref(), Ok(value), "{pointer}");
        }
        for pointer in ["/a/3", "/a/00", "/a/-", "/a/+1", "/a/", "/a/18446744073709551616", "/b", "/d/0", "/a/1/b~0"] {
            assert_eq!(find(pointer), Err(format!("the answer has nothing at {pointer}")));
        }
        for pointer in ["a", "/a~", "/~2", "/~"] {
            assert!(pointer.parse::<Pointer>().is_err(), "{pointer}");
        }
    }

    #[test]
    fn invalid_json_and_deeply_nested_json_are_rejected() {
        for body in [&b""[..], b"{", b"[1] x", b"\xff", b"\"a\nb\"", b"\xef\xbb\xbf1", b"nul"] {
            assert!(parse(body).is_none(), "{body:?}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false), (100_000, false)] {
            let text = nested(depth);
            assert_eq!(compact(parse(text.as_bytes()).unwrap()).is_some(), fits, "{depth}");
        }
        let brackets = format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200));
        assert_eq!(compact(parse(brackets.as_bytes()).unwrap()), Some(brackets.clone()));
    }
}
