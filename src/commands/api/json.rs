//! JSON of others as text: looked into and laid out anew without being understood, so that no number changes.

use crate::error::{Code, Error};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::str::FromStr;

/// JSON that lies deeper than this is too much for many who read it; the most that `serde_json` reads.
const DEEPEST: usize = 128;

/// A JSON pointer (RFC 6901): the way to a part of a document.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
}

/// Why a text is no pointer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PointerError {
    #[error("a JSON pointer starts with '/', such as /data/0/name")]
    Start,
    #[error("in a JSON pointer '~' is written as ~0, and '/' within a name as ~1")]
    Escape,
}

/// Why there is no such part.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    #[error("the answer is no JSON, so that --select finds nothing in it")]
    NoJson,
    #[error("the answer has nothing at {0}")]
    Nothing(String),
}

impl From<PartError> for Error {
    fn from(error: PartError) -> Self {
        Self::new(Code::Unreachable, error.to_string())
            .with_hint("the same line without --select    shows the whole answer")
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let mut parts = text.split('/');
        if parts.next() != Some("") {
            return Err(PointerError::Start);
        }
        let steps = parts.map(unescaped).collect::<Option<_>>().ok_or(PointerError::Escape)?;
        Ok(Self { text: text.to_owned(), steps })
    }
}

fn unescaped(step: &str) -> Option<String> {
    let known = step.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    known.then(|| step.replace("~1", "/").replace("~0", "~"))
}

/// A body as JSON; nothing where it is none.
pub(super) fn parse(body: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(body).ok()
}

impl Pointer {
    /// The part of a body that it leads to. Of several members of one name the last counts.
    pub(super) fn part<'a>(&self, body: &'a [u8]) -> Result<&'a RawValue, PartError> {
        let whole = parse(body).ok_or(PartError::NoJson)?;
        let found = self.steps.iter().try_fold(whole, |value, step| child(value, step));
        found.ok_or_else(|| PartError::Nothing(self.text.clone()))
    }
}

fn child<'a>(value: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    if value.get().starts_with('[') {
        let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit()));
        let place: usize = step.parse().ok().filter(|_| plain)?;
        return serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(place).copied();
    }
    serde_json::from_str::<HashMap<String, &RawValue>>(value.get()).ok()?.remove(step)
}

/// A value as a script wants it: a text without its quotes, anything else as [`compact`] JSON.
pub(super) fn plain(value: &RawValue) -> String {
    let text = || serde_json::from_str::<String>(value.get()).ok();
    text().or_else(|| compact(value)).unwrap_or_else(|| value.get().to_owned())
}

/// The same value without white space between its parts, and so on one line; nothing where it lies too deep.
pub(super) fn compact(value: &RawValue) -> Option<String> {
    let json = value.get();
    let mut compact = String::with_capacity(json.len());
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for character in json.chars() {
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                ' ' | '\n' | '\r' | '\t' => continue,
                '"' => in_text = true,
                '[' | '{' => depth += 1,
                ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth > DEEPEST {
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

    fn part(pointer: &str) -> Result<String, String> {
        let pointer: Pointer = pointer.parse().map_err(|error: PointerError| error.to_string())?;
        pointer.part(BODY.as_bytes()).map(plain).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pointer_leads_to_a_part_and_no_number_changes() {
        for (pointer, value) in [
            ("/a/0", "1e400"),
            ("/a/2", "0.10"),
            ("/a/1/b~0~1c", "x\n\"y\\"),
            ("/a/1", r#"{"b~/c":"x\n\"y\\"}"#),
            ("/", "-0"),
            ("/d", "2.50"),
            ("", r#"{"a":[1e400,{"b~/c":"x\n\"y\\"},0.10],"":-0,"d":1,"d":2.50}"#),
        ] {
            assert_eq!(part(pointer).as_deref(), Ok(value), "{pointer}");
        }
        for pointer in ["/a/3", "/a/00", "/a/-", "/a/+1", "/a/", "/a/18446744073709551616", "/b", "/d/0", "/a/1/b~0"] {
            assert_eq!(part(pointer), Err(format!("the answer has nothing at {pointer}")));
        }
        for pointer in ["a", "/a~", "/~2", "/~"] {
            assert!(pointer.parse::<Pointer>().is_err(), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_told_from_it() {
        for body in [&b""[..], b"{", b"[1] x", b"\xff", b"\"a\nb\"", b"\xef\xbb\xbf1", b"nul"] {
            assert!(parse(body).is_none(), "{body:?}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (depth, fits) in [(DEEPEST, true), (DEEPEST + 1, false), (100_000, false)] {
            let text = nested(depth);
            assert_eq!(compact(parse(text.as_bytes()).unwrap()).is_some(), fits, "{depth}");
        }
        let brackets = format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200));
        assert_eq!(compact(parse(brackets.as_bytes()).unwrap()), Some(brackets.clone()));
    }
}
