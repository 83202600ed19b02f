//! Faults in a store: position, key and problem; never the value or the line.

use super::EnvNameError;
use crate::profile::{NameError, SpanError, UrlError};
use std::fmt;

/// Maximum number of profiles that a message names.
const MAX_NAMED: usize = 10;

/// Position in the file, as an editor counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; a byte-order mark is not counted.
    pub column: usize,
}

/// Fault in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {}{problem}", key_prefix(key))]
pub struct Fault {
    /// Position of the fault.
    pub position: FilePosition,
    /// Path of the key, such as `profiles.acme.url`. The path ends before the first part that is not a plain word. It
    /// is empty if no key is known.
    pub key: String,
    /// Kind of the fault.
    pub problem: StoreProblem,
}

/// Fault that makes a whole store unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(pub Fault);

/// Kind of a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreProblem {
    /// Text that is not TOML, with the reason.
    #[error("{0}")]
    Syntax(&'static str),
    /// Key that is declared twice.
    #[error("this key is declared twice")]
    DuplicateKey,
    /// Key that the table does not have.
    #[error("unknown key{}", suggestion(similar.as_deref()))]
    UnknownKey {
        /// Similar known key, if any.
        similar: Option<String>,
    },
    /// Value of another type than the key takes.
    #[error("must be {expected}")]
    Type {
        /// Type that the key takes, such as `a text`.
        expected: &'static str,
    },
    /// `version` other than 1.
    #[error("this version of the format is not known here")]
    Version,
    /// Required key that is missing.
    #[error("'{key}' is missing")]
    Missing {
        /// Name of the key.
        key: &'static str,
    },
    /// Two keys that exclude each other.
    #[error("stands beside '{other}', which excludes it")]
    Conflict {
        /// Name of the other key.
        other: &'static str,
    },
    /// `secret` table that is not a source.
    #[error("must hold exactly one of 'command', 'file' and 'env'")]
    Source,
    /// Empty value that must not be empty.
    #[error("is empty")]
    Empty,
    /// Line ends or other control characters in a value that is sent as one word.
    #[error("holds control characters")]
    ControlCharacters,
    /// Relative path, which would depend on the working directory.
    #[error("the path must be absolute")]
    NotAbsolute,
    /// Text other than 16 lower-case hex digits.
    #[error("must be 16 lower-case hex digits")]
    Hex,
    /// Text other than an age public key.
    #[error("must be a public key of age (age1...)")]
    RecipientKey,
    /// Recipient that the store does not declare.
    #[error("names a recipient that is not in [recipients]")]
    UnknownRecipient {
        /// Similar declared recipient, if any.
        similar: Option<String>,
    },
    /// Invalid name of a profile or recipient.
    #[error(transparent)]
    Name(#[from] NameError),
    /// URL that neto does not use.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Invalid duration.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// Variable that neto does not set.
    #[error(transparent)]
    EnvName(#[from] EnvNameError),
    /// Bytes that are not UTF-8.
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Number of bytes before the invalid byte.
        offset: usize,
    },
    /// UTF-16 text, as some editors on Windows write it.
    #[error("the file is UTF-16, not UTF-8")]
    Utf16,
    /// Arrays, tables or dotted keys that are nested too deep.
    #[error("nested deeper than {} levels", super::tree::MAX_DEPTH)]
    TooDeep,
    /// Conflict markers of a merge.
    #[error("conflict markers of a merge{}", around_profiles(profiles))]
    ConflictMarkers {
        /// Profiles between the markers.
        profiles: Vec<String>,
    },
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

fn suggestion(similar: Option<&str>) -> String {
    similar.map(|similar| format!("; the nearest known one is '{similar}'")).unwrap_or_default()
}

fn around_profiles(profiles: &[String]) -> String {
    let (named, others) = profiles.split_at(profiles.len().min(MAX_NAMED));
    match (named, others.len()) {
        ([], _) => String::new(),
        (named, 0) => format!(" around {}", named.join(", ")),
        (named, others) => format!(" around {} and {others} more", named.join(", ")),
    }
}

/// Fault whose line and column are not counted yet.
#[derive(Debug, Clone)]
pub(super) struct UnlocatedFault {
    /// Byte offset of the fault.
    pub(super) at: usize,
    /// Path of the key, innermost part first: callers append the outer parts.
    path: Vec<String>,
    problem: StoreProblem,
}

impl UnlocatedFault {
    pub(super) fn new(at: usize, problem: impl Into<StoreProblem>) -> Self {
        Self { at, path: Vec::new(), problem: problem.into() }
    }

    /// Appends `key`, the next outer part of the path.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(super) fn locate(self, position: FilePosition) -> Fault {
        let parts = self.path.iter().rev().map(String::as_str);
        Fault { position, key: showable_path(parts), problem: self.problem }
    }

    pub(super) fn into_store_error(self, text: &str) -> StoreError {
        let position = PositionCounter::new(text).position(self.at);
        StoreError(self.locate(position))
    }
}

/// Keeps the fault that comes first in the file.
pub(super) fn keep_earliest(first: &mut Option<UnlocatedFault>, other: UnlocatedFault) {
    if first.as_ref().is_none_or(|first| other.at < first.at) {
        *first = Some(other);
    }
}

/// Returns the part of the path that can be shown. A secret that was pasted as a key is not a plain word, so the path
/// ends before it.
fn showable_path<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let plain = |part: &&str| {
        (1..=40).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    parts.take_while(plain).collect::<Vec<_>>().join(".")
}

/// Counts lines and columns. Rising offsets cost one pass over the text in total.
pub(super) struct PositionCounter<'a> {
    text: &'a str,
    offset: usize,
    position: FilePosition,
}

impl<'a> PositionCounter<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: text_start(text), position: FilePosition { line: 1, column: 1 } }
    }

    /// Returns the position of the byte at `offset`.
    pub(super) fn position(&mut self, offset: usize) -> FilePosition {
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        let mut end = offset.clamp(self.offset, self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let passed = &self.text[self.offset..end];
        self.offset = end;
        match passed.rfind('\n') {
            None => self.position.column += passed.chars().count(),
            Some(last) => {
                self.position.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                self.position.column = 1 + passed[last + 1..].chars().count();
            }
        }
        self.position
    }
}

/// Returns the offset of the text after its byte-order mark.
fn text_start(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let text = "\u{feff}a\r\né = 'x'\n\nlast";
        let mut counter = PositionCounter::new(text);
        for (what, line, column) in [("a", 1, 1), ("=", 2, 3), ("last", 4, 1), ("x", 2, 6), ("\u{feff}", 1, 1)] {
            let offset = text.find(what).unwrap();
            assert_eq!(counter.position(offset), FilePosition { line, column }, "{what}");
        }
        assert_eq!(counter.position(text.len()), FilePosition { line: 4, column: 5 });
        assert_eq!(counter.position(text.len() + 9), FilePosition { line: 4, column: 5 });
    }

    #[test]
    fn a_path_ends_before_what_is_no_plain_word() {
        for (parts, path) in [
            (&["profiles", "acme", "url"][..], "profiles.acme.url"),
            (&["profiles", "a b", "url"], "profiles"),
            (&["profiles", "eyJ1cmwiOiJodHRwczovL2FwaS5uZXRvZ3JhcGh5LmNvbSJ9"], "profiles"),
            (&["\u{1b}[31m"], ""),
        ] {
            assert_eq!(showable_path(parts.iter().copied()), path);
        }
    }
}
