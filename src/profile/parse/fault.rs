//! What is wrong in a store: where, under which key, and what; never the value or the line.

use super::EnvNameError;
use crate::profile::{NameError, SpanError, UrlError};
use std::fmt;

/// So many profiles are named in one sentence.
const MOST_NAMED: usize = 10;

/// A place in the file as an editor counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1; a byte-order mark is not counted.
    pub column: usize,
}

/// One thing that is wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{problem}", label(key))]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// The path of the key, such as `profiles.acme.url`. It ends before the first part that is no
    /// plain word, and is empty where no key is known.
    pub key: String,
    /// What.
    pub problem: Problem,
}

/// What is wrong with a whole store, so that nothing in it can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(pub Fault);

/// The kinds of what can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML; in which way.
    #[error("{0}")]
    Syntax(&'static str),
    /// Declared twice.
    #[error("this key is declared twice")]
    DuplicateKey,
    /// A key that means nothing here.
    #[error("unknown key{}", nearest(near.as_deref()))]
    UnknownKey {
        /// The known key that was perhaps meant.
        near: Option<String>,
    },
    /// A value of another type than the key takes.
    #[error("must be {wanted}")]
    Type {
        /// What it takes, such as `a text`.
        wanted: &'static str,
    },
    /// A `version` other than 1.
    #[error("this version of the format is not known here")]
    Version,
    /// A key that has to be there.
    #[error("'{key}' is missing")]
    Missing {
        /// Its name.
        key: &'static str,
    },
    /// Two keys that exclude each other.
    #[error("stands beside '{other}', which excludes it")]
    Conflict {
        /// The other one.
        other: &'static str,
    },
    /// A `secret` table that is no source.
    #[error("must hold exactly one of 'command', 'file' and 'env'")]
    Source,
    /// Nothing where something has to be.
    #[error("is empty")]
    Empty,
    /// Line ends and their kin in what is sent as one word.
    #[error("holds control characters")]
    ControlCharacters,
    /// A path that depends on where neto is started.
    #[error("the path must be absolute")]
    NotAbsolute,
    /// Something else than 16 lower-case hex digits.
    #[error("must be 16 lower-case hex digits")]
    Hex,
    /// Something else than a public key of age.
    #[error("must be a public key of age (age1...)")]
    RecipientKey,
    /// A recipient that the store does not declare.
    #[error("names a recipient that is not in [recipients]")]
    UnknownRecipient {
        /// The declared one that was perhaps meant.
        near: Option<String>,
    },
    /// A name of a profile or recipient that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An address that nothing is sent to.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A length of time that is none.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// A variable that neto does not set.
    #[error(transparent)]
    EnvName(#[from] EnvNameError),
    /// Bytes that are no text.
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 {
        /// How many bytes stand before it.
        offset: usize,
    },
    /// A text as some editors of Windows write it.
    #[error("the file is UTF-16, not UTF-8")]
    Utf16,
    /// Arrays, tables or dotted keys within one another.
    #[error("nested deeper than {} levels", super::tree::DEEPEST)]
    TooDeep,
    /// What a merge left behind.
    #[error("conflict markers of a merge{}", around(profiles))]
    ConflictMarkers {
        /// The profiles between them.
        profiles: Vec<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

fn label(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

fn nearest(near: Option<&str>) -> String {
    near.map(|near| format!("; the nearest known one is '{near}'")).unwrap_or_default()
}

fn around(profiles: &[String]) -> String {
    let (named, others) = profiles.split_at(profiles.len().min(MOST_NAMED));
    match (named, others.len()) {
        ([], _) => String::new(),
        (named, 0) => format!(" around {}", named.join(", ")),
        (named, others) => format!(" around {} and {others} more", named.join(", ")),
    }
}

/// A fault whose line and column are not counted yet.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    /// The byte where it stands.
    pub(super) at: usize,
    /// The path of the key, innermost part first, as it is built on the way out.
    path: Vec<String>,
    problem: Problem,
}

impl Wrong {
    pub(super) fn new(at: usize, problem: impl Into<Problem>) -> Self {
        Self { at, path: Vec::new(), problem: problem.into() }
    }

    /// The same, known to stand under `key`.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(super) fn into_fault(self, place: Place) -> Fault {
        let parts = self.path.iter().rev().map(String::as_str);
        Fault { place, key: shown(parts), problem: self.problem }
    }

    pub(super) fn into_store_error(self, text: &str) -> StoreError {
        let place = Counter::new(text).place(self.at);
        StoreError(self.into_fault(place))
    }
}

/// Keeps of two faults the one that stands first in the file.
pub(super) fn keep_first(first: &mut Option<Wrong>, other: Wrong) {
    if first.as_ref().is_none_or(|first| other.at < first.at) {
        *first = Some(other);
    }
}

/// The path as it may be shown: a secret that was pasted where a key stands is no plain word, so
/// the path ends before it.
fn shown<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let plain = |part: &&str| {
        (1..=40).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    parts.take_while(plain).collect::<Vec<_>>().join(".")
}

/// Counts lines and columns. Offsets that rise cost one pass over the text for all of them.
pub(super) struct Counter<'a> {
    text: &'a str,
    offset: usize,
    place: Place,
}

impl<'a> Counter<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: start_of(text), place: Place { line: 1, column: 1 } }
    }

    /// The place of the byte at `offset`.
    pub(super) fn place(&mut self, offset: usize) -> Place {
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
            None => self.place.column += passed.chars().count(),
            Some(last) => {
                self.place.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                self.place.column = 1 + passed[last + 1..].chars().count();
            }
        }
        self.place
    }
}

/// Where the text starts behind its byte-order mark.
fn start_of(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let text = "\u{feff}a\r\né = 'x'\n\nlast";
        let mut counter = Counter::new(text);
        for (what, line, column) in [("a", 1, 1), ("=", 2, 3), ("last", 4, 1), ("x", 2, 6), ("\u{feff}", 1, 1)] {
            let offset = text.find(what).unwrap();
            assert_eq!(counter.place(offset), Place { line, column }, "{what}");
        }
        assert_eq!(counter.place(text.len()), Place { line: 4, column: 5 });
        assert_eq!(counter.place(text.len() + 9), Place { line: 4, column: 5 });
    }

    #[test]
    fn a_path_ends_before_what_is_no_plain_word() {
        for (parts, path) in [
            (&["profiles", "acme", "url"][..], "profiles.acme.url"),
            (&["profiles", "a b", "url"], "profiles"),
            (&["profiles", "eyJ1cmwiOiJodHRwczovL2FwaS5uZXRvZ3JhcGh5LmNvbSJ9"], "profiles"),
            (&["\u{1b}[31m"], ""),
        ] {
            assert_eq!(shown(parts.iter().copied()), path);
        }
    }
}
