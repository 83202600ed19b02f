//! Applies edits to the text of an existing store. No other module changes that text.
//!
//! Replaces only the byte ranges that an edit concerns, at positions that the TOML parser reports. All
//! other bytes stay the same: comments, order, spacing, line endings and byte-order mark. Before the
//! new text is returned, a check compares its values with the edits. Does no I/O.

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

/// Part of the file in which an edit sets and unsets keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Keys at the top level of the file, such as `version`.
    #[allow(dead_code, reason = "no command edits it yet; the tests and fuzz targets do")]
    Top,
    /// `[recipients]`; created if missing.
    Recipients,
    /// `[defaults]`; created if missing.
    Defaults,
    /// An existing profile. If the same call renames the profile, either name refers to the profile.
    Profile(ProfileName),
}

/// A change of the text of a store.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Sets a key. An existing key gets the new value in place. If the same call
    /// removes lines of the table, a new key takes the place of the first removed line. Otherwise the
    /// new key follows the last key of the table.
    Set {
        /// Section of the key.
        section: Section,
        /// Path of the key within the section. A key in a table has several parts, such as `env` and
        /// the name of the variable. The path does not depend on how the table is written.
        key: Vec<String>,
        /// New value.
        value: EditValue,
    },
    /// Removes a key or a table. A comment after the key's value stays. A missing key is not an error.
    Unset {
        /// Section of the key.
        section: Section,
        /// Path of the key, as in `Set`.
        key: Vec<String>,
    },
    /// Adds a profile. If all existing profiles have headers in name order, the new profile keeps that
    /// order. Otherwise the new profile follows the last profile.
    AddProfile {
        /// Name of the new profile.
        name: ProfileName,
        /// Keys and values, in order.
        entries: Vec<(String, EditValue)>,
    },
    /// Renames a profile wherever its name occurs as a key.
    RenameProfile {
        /// Current name.
        from: ProfileName,
        /// New name.
        to: ProfileName,
    },
    /// Removes a profile with its comments. [`Document::profile_block`] describes which comments belong
    /// to a profile.
    RemoveProfile {
        /// Profile to remove.
        name: ProfileName,
    },
    /// Replaces the text that [`Document::profile_block`] returns for a profile. The new profile must
    /// be valid and have the same name.
    ReplaceBlock {
        /// Profile to replace.
        name: ProfileName,
        /// Expected current text. The edit fails if the document has other text.
        old_text: String,
        /// New text, which must consist of whole lines.
        new_text: String,
    },
}

impl Edit {
    /// Creates an edit that sets one key of a section.
    #[must_use]
    pub fn set(section: &Section, key: &[&str], value: EditValue) -> Self {
        Self::Set { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect(), value }
    }

    /// Creates an edit that removes one key of a section.
    #[must_use]
    pub fn unset(section: &Section, key: &[&str]) -> Self {
        Self::Unset { section: section.clone(), key: key.iter().map(|part| (*part).to_owned()).collect() }
    }
}

/// Reasons why edits cannot be applied. If one edit fails, no edit of the call is applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The store has no profile of this name, or another edit of the call removes, renames or replaces
    /// the profile.
    #[error("the store has no profile '{0}'")]
    UnknownProfile(ProfileName),
    /// A profile of this name exists after the other edits of the call.
    #[error("the store has a profile '{0}' already")]
    Exists(ProfileName),
    /// The profile has no lines of its own: it is an entry of an inline table `profiles = { ... }`.
    #[error("the lines of the profile '{0}' hold other profiles too")]
    SharedLines(ProfileName),
    /// The text of the profile differs from `old_text` of [`Edit::ReplaceBlock`].
    #[error("the profile '{0}' was changed meanwhile")]
    BlockChanged(ProfileName),
    /// The path of a key leads through a value that is not a table.
    #[error("'{key}' is no table")]
    NotATable {
        /// Path of the value, from the top of the file, with dots between its parts.
        key: String,
    },
    /// The new text would be invalid: the file as a whole, an added or replaced profile, or a profile
    /// that was valid before. The position of the fault refers to the changed text.
    #[error("the change would make the store invalid ({0})")]
    Invalid(Fault),
    /// The values of the new text are not the values that the edits ask for. The cause is a bug, or an
    /// [`Edit::ReplaceBlock`] with a `new_text` that changes more than its profile.
    #[error("the change did not come out as intended")]
    UnexpectedResult,
}

/// Text of a store file, with its parsed content.
#[derive(Debug)]
pub struct Document {
    text: Arc<String>,
    directory: PathBuf,
    store: Store,
    layout: OnceLock<Layout>,
}

impl Document {
    /// Parses the bytes of a store file. Relative paths in the file are resolved against `directory`.
    ///
    /// # Errors
    /// Returns a [`StoreError`] if the file as a whole is invalid. An invalid profile is not an error.
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

    /// Returns the plaintext secret under `key` of a profile. The profile may be invalid. Returns
    /// `None` if the profile has no such key or the value is not a string.
    pub fn plaintext_value(&self, profile: &ProfileName, key: PlaintextKey) -> Option<String> {
        let layout = self.layout();
        let path = Section::Profile(profile.clone()).key_path(&[key.name()]);
        let pair = layout.parts(&path).pairs.iter().map(|pair| &layout.pairs[*pair]).find(|pair| pair.path == path)?;
        let value = toml::de::DeValue::parse(&self.text[pair.value_span.clone()]).ok()?.into_inner();
        value.as_str().map(str::to_owned)
    }

    /// Returns the lines of a profile and its comments. The comments are the comment lines directly
    /// above and below each table of the profile. Comments at the start or end of the file do not
    /// count, nor do comments directly above the next header.
    ///
    /// Returns `None` if the profile is missing or is an entry of an inline table `profiles = { ... }`.
    pub fn profile_block(&self, profile: &ProfileName) -> Option<String> {
        let lines = blocks::profile_lines(&self.text, self.layout(), profile)?;
        Some(lines.into_iter().map(|lines| &self.text[lines]).collect())
    }

    /// Returns true if the section contains `key`, as a value or as a table. Inherited defaults do not
    /// count.
    pub fn declares(&self, section: &Section, key: &[&str]) -> bool {
        let layout = self.layout();
        let path = section.key_path(key);
        let parts = layout.parts(&path);
        let mut pairs = parts.pairs.iter().map(|pair| &layout.pairs[*pair].path);
        let mut headers = parts.headers.iter().map(|header| &layout.headers[*header].path);
        pairs.any(|found| found.starts_with(&path)) || headers.any(|found| found.starts_with(&path))
    }

    /// Applies all `edits` at once and returns the new document. If several edits set or unset
    /// the same key, the last of these edits applies.
    ///
    /// # Errors
    /// Returns an [`EditError`] if an edit cannot be made, or if the check of the new text fails. The
    /// new text must be a store in which every valid profile stays valid. The values of the new text
    /// must be the values that the edits ask for.
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
    /// Returns the path of the section from the top of the file.
    fn path(&self) -> Vec<String> {
        match self {
            Self::Top => vec![],
            Self::Recipients => vec!["recipients".to_owned()],
            Self::Defaults => vec!["defaults".to_owned()],
            Self::Profile(name) => vec!["profiles".to_owned(), name.to_string()],
        }
    }

    /// Returns the path of a key of this section from the top of the file.
    fn key_path<T: AsRef<str>>(&self, key: &[T]) -> Vec<String> {
        let mut path = self.path();
        path.extend(key.iter().map(|part| part.as_ref().to_owned()));
        path
    }
}

#[cfg(test)]
mod tests;
