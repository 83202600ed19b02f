//! Faults in a store: position, key and problem. A fault never contains a value or the text of a line, because this
//! text can contain a secret.

use super::EnvNameError;
use crate::profile::{NameError, SpanError, UrlError};
use std::fmt;

/// Maximum number of profiles that a message about conflict markers names.
const MAX_NAMED_PROFILES: usize = 10;

/// Position in the file, as editors show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// Line number. The first line is 1.
    pub line: usize,
    /// Column in characters. The first column is 1. A byte-order mark does not count.
    pub column: usize,
}

/// Fault in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {}{problem}", key_prefix(key))]
pub struct Fault {
    /// Position of the fault.
    pub position: FilePosition,
    /// Path of the key, such as `profiles.acme.url`. The path ends before the first part that may be a secret. An empty
    /// path means that no key is known.
    pub key: String,
    /// Kind of the fault.
    pub problem: StoreProblem,
}

/// Fault that makes a whole store unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(pub Fault);

/// Kind of fault in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreProblem {
    /// Text that is not valid TOML. Holds the reason.
    #[error("{0}")]
    Syntax(&'static str),
    /// Key that is declared twice.
    #[error("this key is declared twice")]
    DuplicateKey,
    /// Key that this table cannot have.
    #[error("unknown key{}", suggestion(similar.as_deref()))]
    UnknownKey {
        /// Most similar key of the table, if any is similar.
        similar: Option<String>,
    },
    /// Value of a type that the key does not accept.
    #[error("must be {expected}")]
    Type {
        /// Type that the key accepts, such as `a text`.
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
    /// Key that cannot occur together with another key of the table.
    #[error("stands beside '{other}', which excludes it")]
    Conflict {
        /// Name of the other key.
        other: &'static str,
    },
    /// Table `secret` without exactly one of `command`, `file` and `env`.
    #[error("must hold exactly one of 'command', 'file' and 'env'")]
    Source,
    /// Empty value of a key that requires a value.
    #[error("is empty")]
    Empty,
    /// Control characters, such as line endings, in a value that must not contain them.
    #[error("holds control characters")]
    ControlCharacters,
    /// Relative path, which would depend on the working directory.
    #[error("the path must be absolute")]
    NotAbsolute,
    /// Text other than 16 lower-case hex digits.
    #[error("must be 16 lower-case hex digits")]
    Hex,
    /// Text that is not an age public key.
    #[error("must be a public key of age (age1...)")]
    RecipientKey,
    /// Recipient that the store does not declare.
    #[error("names a recipient that is not in [recipients]")]
    UnknownRecipient {
        /// Most similar declared recipient, if any is similar.
        similar: Option<String>,
    },
    /// Invalid name of a profile or recipient.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Invalid or insecure URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Invalid duration.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// Environment variable with an invalid or forbidden name.
    #[error(transparent)]
    EnvName(#[from] EnvNameError),
    /// Bytes that are not UTF-8.
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Number of bytes before the invalid byte.
        offset: usize,
    },
    /// UTF-16 text, which some editors on Windows write.
    #[error("the file is UTF-16, not UTF-8")]
    Utf16,
    /// Lists, tables or dotted keys that are nested too deeply.
    #[error("nested deeper than {} levels", super::tree::MAX_DEPTH)]
    TooDeep,
    /// Conflict markers of a Git merge.
    #[error("conflict markers of a merge{}", around_profiles(profiles))]
    ConflictMarkers {
        /// Names of the profiles with lines between the markers; empty if unknown.
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
    let (named, others) = profiles.split_at(profiles.len().min(MAX_NAMED_PROFILES));
    match (named, others.len()) {
        ([], _) => String::new(),
        (named, 0) => format!(" around {}", named.join(", ")),
        (named, others) => format!(" around {} and {others} more", named.join(", ")),
    }
}

/// Fault with a byte offset, before its line and column are known.
#[derive(Debug, Clone)]
pub(super) struct UnlocatedFault {
    /// Byte offset of the fault.
    pub(super) offset: usize,
    /// Parts of the key's path, innermost part first, because callers append the outer parts.
    path: Vec<String>,
    problem: StoreProblem,
}

impl UnlocatedFault {
    pub(super) fn new(offset: usize, problem: impl Into<StoreProblem>) -> Self {
        Self { offset, path: Vec::new(), problem: problem.into() }
    }

    /// Adds `key` as the next outer part of the key's path.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(super) fn locate(self, position: FilePosition) -> Fault {
        let parts = self.path.iter().rev().map(String::as_str);
        Fault { position, key: showable_path(parts), problem: self.problem }
    }

    pub(super) fn into_store_error(self, text: &str) -> StoreError {
        let position = PositionCounter::new(text).position(self.offset);
        StoreError(self.locate(position))
    }
}

/// Replaces `earliest` with `other` if `other` comes earlier in the file.
pub(super) fn keep_earliest(earliest: &mut Option<UnlocatedFault>, other: UnlocatedFault) {
    if earliest.as_ref().is_none_or(|earliest| other.offset < earliest.offset) {
        *earliest = Some(other);
    }
}

/// Joins the parts of a path. Stops before the first part that may be a secret that was pasted as a key. Each joined
/// part has at most 40 bytes: ASCII letters, digits, `.`, `_` and `-`.
fn showable_path<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let is_plain_word = |part: &&str| {
        (1..=40).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    parts.take_while(is_plain_word).collect::<Vec<_>>().join(".")
}

/// Converts byte offsets to lines and columns. Calls with rising offsets take one pass over the text in total.
pub(super) struct PositionCounter<'a> {
    text: &'a str,
    offset: usize,
    position: FilePosition,
}

impl<'a> PositionCounter<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: text_start(text), position: FilePosition { line: 1, column: 1 } }
    }

    /// Returns the position of the byte at `offset`, or of the end of the text if `offset` is larger.
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

/// Returns the length of the text's byte-order mark in bytes; 0 if there is no mark.
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
    fn a_path_ends_before_a_part_that_may_be_a_secret() {
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
