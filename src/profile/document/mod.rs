//! The only writer of the store's text.
//!
//! Applies edits by splicing the original text at positions that the parser reports. Comments, order,
//! line ends, byte-order mark and spacing of everything not edited survive byte for byte. Parses the
//! new text and compares it with what the edits promise before it is returned. Does no I/O.

mod apply;
mod blocks;
mod edit_plan;
mod expect;
mod inline;
mod layout;
mod new_blocks;
mod reader;
mod render;
mod section;
mod splice;

use super::parse::{self, Fault, StoreError};
use super::{PlaintextKey, ProfileName, Store};
use layout::Layout;
pub use render::EditValue;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Section of the file that holds keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Keys above every header.
    Top,
    /// `[recipients]`; created if missing.
    Recipients,
    /// `[defaults]`; created if missing.
    Defaults,
    /// An existing profile. A profile renamed in the same call is found by its old or new name.
    Profile(ProfileName),
}

/// One change of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Sets a key. An existing value is replaced in place. A new key replaces the first key that the
    /// same call removes from the section. Otherwise it goes after the section's last key.
    Set {
        /// Section of the key.
        section: Section,
        /// Path of the key within the section. For `env` it includes the variable, however that table is
        /// written.
        key: Vec<String>,
        /// New value.
        value: EditValue,
    },
    /// Removes a key; a comment after the key stays. A missing key is no error.
    Unset {
        /// Section of the key.
        section: Section,
        /// Path of the key, as in `Set`.
        key: Vec<String>,
    },
    /// Adds a profile: in name order if the profiles are sorted, else after the last profile.
    AddProfile {
        /// Name of the new profile.
        name: ProfileName,
        /// Keys and values, in order.
        entries: Vec<(String, EditValue)>,
    },
    /// Renames a profile in place.
    RenameProfile {
        /// Current name.
        from: ProfileName,
        /// New name.
        to: ProfileName,
    },
    /// Removes a profile, with the comments that belong to it.
    RemoveProfile {
        /// Profile to remove.
        name: ProfileName,
    },
    /// Replaces the text of a profile, as [`Document::profile_block`] returns it. The profile must be
    /// valid afterwards and keep its name.
    ReplaceBlock {
        /// Profile to replace.
        name: ProfileName,
        /// Text to replace; the file must still hold it.
        old_text: String,
        /// New text, in whole lines.
        new_text: String,
    },
}

impl Edit {
    /// Sets one key of a section.
    #[must_use]
    pub fn set(section: &Section, key: &[&str], value: EditValue) -> Self {
        Self::Set { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect(), value }
    }

    /// Removes one key of a section.
    #[must_use]
    pub fn unset(section: &Section, key: &[&str]) -> Self {
        Self::Unset { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect() }
    }
}

/// Failures of an edit; the file is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The store has no profile of this name.
    #[error("the store has no profile '{0}'")]
    UnknownProfile(ProfileName),
    /// The store already has a profile of this name.
    #[error("the store has a profile '{0}' already")]
    Exists(ProfileName),
    /// The lines of the profile hold other profiles too.
    #[error("the lines of the profile '{0}' hold other profiles too")]
    SharedLines(ProfileName),
    /// The lines of the profile differ from the text to replace.
    #[error("the profile '{0}' was changed meanwhile")]
    BlockChanged(ProfileName),
    /// A key would go under a value that is not a table.
    #[error("'{key}' is no table")]
    NotATable {
        /// Path of the value that is not a table.
        key: String,
    },
    /// The file, or a profile that was valid, would become invalid. The position of the fault refers
    /// to the changed text.
    #[error("the change would make the store invalid ({0})")]
    Invalid(Fault),
    /// The new text does not match the edits: a bug.
    #[error("the change did not come out as intended")]
    UnexpectedResult,
}

/// A store's file: its text, its parsed content, and the positions of its parts.
#[derive(Debug)]
pub struct Document {
    text: Arc<String>,
    directory: PathBuf,
    store: Store,
    layout: OnceLock<Layout>,
}

impl Document {
    /// Parses a file's bytes; relative paths in the file start at `directory`.
    ///
    /// # Errors
    /// [`StoreError`] if the file as a whole is invalid.
    pub fn parse(bytes: Vec<u8>, directory: &Path) -> Result<Self, StoreError> {
        let text = Arc::new(parse::decode(bytes)?);
        let store = parse::parse(&text, directory)?;
        Ok(Self { text, directory: directory.to_owned(), store, layout: OnceLock::new() })
    }

    /// Returns the parsed store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the bytes to write to the file.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns the plaintext secret under `key` of a profile, if present. Works for a profile with a
    /// fault too.
    pub fn plaintext_value(&self, profile: &ProfileName, key: PlaintextKey) -> Option<String> {
        let layout = self.layout();
        let path = Section::Profile(profile.clone()).key_path(&[key.key()]);
        let pair = layout.parts(&path).pairs.iter().map(|pair| &layout.pairs[*pair]).find(|pair| pair.path == path)?;
        let value = toml::de::DeValue::parse(&self.text[pair.value_span.clone()]).ok()?.into_inner();
        value.as_str().map(str::to_owned)
    }

    /// Returns the lines of a profile, with the comments that belong to it. Returns `None` if the
    /// profile is missing or shares its lines with other profiles.
    pub fn profile_block(&self, profile: &ProfileName) -> Option<String> {
        let lines = blocks::profile_lines(&self.text, self.layout(), profile)?;
        Some(lines.into_iter().map(|lines| &self.text[lines]).collect())
    }

    /// Returns whether the section itself holds `key`, as a value or a table; defaults do not count.
    pub fn declares(&self, section: &Section, key: &[&str]) -> bool {
        let layout = self.layout();
        let path = section.key_path(key);
        let parts = layout.parts(&path);
        let mut pairs = parts.pairs.iter().map(|pair| &layout.pairs[*pair].path);
        let mut headers = parts.headers.iter().map(|header| &layout.headers[*header].path);
        pairs.any(|found| found.starts_with(&path)) || headers.any(|found| found.starts_with(&path))
    }

    /// Applies all `edits` to this document in one pass. Names and positions are those before the
    /// call.
    ///
    /// # Errors
    /// [`EditError`] if an edit cannot be made. The new text is parsed again. The call fails if the
    /// file or a valid profile becomes invalid, or if the content differs from the edits.
    pub fn apply(&self, edits: &[Edit]) -> Result<Self, EditError> {
        let text = apply::apply(&self.text, self.layout(), edits)?;
        let after = Self::parse(text.into_bytes(), &self.directory).map_err(|error| EditError::Invalid(error.0))?;
        expect::check(self, &after, edits)?;
        Ok(after)
    }

    fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| Layout::parse(&self.text))
    }
}

impl Section {
    /// Returns the path of the section in the file.
    fn path(&self) -> Vec<String> {
        match self {
            Self::Top => vec![],
            Self::Recipients => vec!["recipients".to_owned()],
            Self::Defaults => vec!["defaults".to_owned()],
            Self::Profile(name) => vec!["profiles".to_owned(), name.to_string()],
        }
    }

    /// Returns the path of a key of this section.
    fn key_path<T: AsRef<str>>(&self, key: &[T]) -> Vec<String> {
        let mut path = self.path();
        path.extend(key.iter().map(|part| part.as_ref().to_owned()));
        path
    }
}

#[cfg(test)]
mod tests;
