//! The only writer of the store's text.
//!
//! Owns how a change is spliced into what people wrote: the original text is cut at the places that
//! the parser gives and nothing else is touched, so comments, order, line ends, byte-order mark and
//! spacing of everything not edited survive byte for byte. What is spliced is read again and held
//! against what the edits promise before anybody sees it. Does no I/O.

mod apply;
mod blocks;
mod expect;
mod inline;
mod layout;
mod new_blocks;
mod reader;
mod render;
mod section;
mod splice;

use super::parse::{self, Fault, StoreError};
use super::{ClearKey, ProfileName, Store};
use layout::Layout;
pub use render::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A part of the file that holds keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The keys above every header.
    Top,
    /// `[recipients]`; made when it is not there.
    Recipients,
    /// `[defaults]`; made when it is not there.
    Defaults,
    /// A profile that is there, under its old or its new name when it is renamed in the same call.
    Profile(ProfileName),
}

/// One change of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Gives a key its value, in place where it has one, else after the last key of its section, or
    /// where the first key stood that the same call takes out of it.
    Set {
        /// Where.
        section: Section,
        /// The key, and for `env` the variable behind it, however that table is written.
        key: Vec<String>,
        /// What it becomes.
        value: Value,
    },
    /// Takes a key out; a comment behind it stays. One that is absent is fine.
    Unset {
        /// Where.
        section: Section,
        /// The key as in `Set`.
        key: Vec<String>,
    },
    /// A new profile: by name where the profiles stand in order, else after the last one.
    AddProfile {
        /// Its name.
        name: ProfileName,
        /// Its keys in their order.
        entries: Vec<(String, Value)>,
    },
    /// Another name, at the same place.
    RenameProfile {
        /// As it is called.
        from: ProfileName,
        /// As it will be called.
        to: ProfileName,
    },
    /// Takes a profile out, with the comment block directly above its header.
    RemoveProfile {
        /// Which.
        name: ProfileName,
    },
    /// Puts other text in the place of a profile's own, as [`Document::block`] gives it. The profile
    /// must be good afterwards, and have the same name.
    ReplaceBlock {
        /// Which.
        name: ProfileName,
        /// The text that is to go; it must still stand there.
        was: String,
        /// The text that comes, whole lines.
        text: String,
    },
}

impl Edit {
    /// Sets one key of a section.
    #[must_use]
    pub fn set(section: &Section, key: &[&str], value: Value) -> Self {
        Self::Set { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect(), value }
    }

    /// Removes one key of a section.
    #[must_use]
    pub fn unset(section: &Section, key: &[&str]) -> Self {
        Self::Unset { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect() }
    }
}

/// Why a change was not made; the file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// No such profile.
    #[error("the store has no profile '{0}'")]
    UnknownProfile(ProfileName),
    /// A profile of that name is there already.
    #[error("the store has a profile '{0}' already")]
    Exists(ProfileName),
    /// A profile that has no lines of its own.
    #[error("the lines of the profile '{0}' hold other profiles too")]
    NoLines(ProfileName),
    /// The lines of a profile are others than those that were to go.
    #[error("the profile '{0}' was changed meanwhile")]
    BlockChanged(ProfileName),
    /// A key is to stand under one that holds something else than a table.
    #[error("'{key}' is no table")]
    NotATable {
        /// Its path.
        key: String,
    },
    /// The file, or a profile in it that was good, would be invalid; the place is one of the file
    /// as it would have been.
    #[error("the change would make the store invalid ({0})")]
    Invalid(Fault),
    /// The text that came about does not say what the edits say: a bug.
    #[error("the change did not come out as intended")]
    Differs,
}

/// A store's file: its text, what it means, and where its parts stand.
#[derive(Debug)]
pub struct Document {
    text: Arc<String>,
    folder: PathBuf,
    store: Store,
    layout: OnceLock<Layout>,
}

impl Document {
    /// Reads a file's bytes; relative paths in it start at `folder`.
    ///
    /// # Errors
    /// [`StoreError`] when the file as a whole cannot be used.
    pub fn parse(bytes: Vec<u8>, folder: &Path) -> Result<Self, StoreError> {
        let text = Arc::new(parse::decode(bytes)?);
        let store = parse::parse(&text, folder)?;
        Ok(Self { text, folder: folder.to_owned(), store, layout: OnceLock::new() })
    }

    /// What the file means.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The file as it is to be written.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The secret that stands in clear under `key` of a profile, if one does; also of a profile with
    /// a fault.
    pub fn clear_value(&self, profile: &ProfileName, key: ClearKey) -> Option<String> {
        let layout = self.layout();
        let path = Section::Profile(profile.clone()).path_of(&[key.key()]);
        let pair = layout.parts(&path).pairs.iter().map(|pair| &layout.pairs[*pair]).find(|pair| pair.path == path)?;
        let value = toml::de::DeValue::parse(&self.text[pair.value.clone()]).ok()?.into_inner();
        value.as_str().map(str::to_owned)
    }

    /// The lines of a profile as they stand in the file, with the comment block above its header.
    /// Absent when there is no such profile, or when it shares its lines with others.
    pub fn block(&self, profile: &ProfileName) -> Option<String> {
        let lines = blocks::lines_of(&self.text, self.layout(), profile)?;
        Some(lines.into_iter().map(|lines| &self.text[lines]).collect())
    }

    /// Whether `key` is written in that very section, as a value or as a table; defaults do not count.
    pub fn declares(&self, section: &Section, key: &[&str]) -> bool {
        let layout = self.layout();
        let path = section.path_of(key);
        let parts = layout.parts(&path);
        let mut pairs = parts.pairs.iter().map(|pair| &layout.pairs[*pair].path);
        let mut headers = parts.headers.iter().map(|header| &layout.headers[*header].path);
        pairs.any(|found| found.starts_with(&path)) || headers.any(|found| found.starts_with(&path))
    }

    /// The document after all `edits`, which are made on one reading of this one. Names and places
    /// are those before the call.
    ///
    /// # Errors
    /// [`EditError`]; what comes about is read again, and nothing is given out that is no valid file,
    /// turns a good profile bad, or differs from what the edits say.
    pub fn apply(&self, edits: &[Edit]) -> Result<Self, EditError> {
        let text = apply::apply(&self.text, self.layout(), edits)?;
        let after = Self::parse(text.into_bytes(), &self.folder).map_err(|error| EditError::Invalid(error.0))?;
        expect::check(self, &after, edits)?;
        Ok(after)
    }

    fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| Layout::of(&self.text))
    }
}

impl Section {
    /// The path of the section in the file.
    fn path(&self) -> Vec<String> {
        match self {
            Self::Top => vec![],
            Self::Recipients => vec!["recipients".to_owned()],
            Self::Defaults => vec!["defaults".to_owned()],
            Self::Profile(name) => vec!["profiles".to_owned(), name.to_string()],
        }
    }

    /// The path of a key in it.
    fn path_of<T: AsRef<str>>(&self, key: &[T]) -> Vec<String> {
        let mut path = self.path();
        path.extend(key.iter().map(|part| part.as_ref().to_owned()));
        path
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
