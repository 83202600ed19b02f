//! Selects any number of profiles by names, globs and tags, or all profiles.

use super::{NameError, ProfileEntry, ProfileName, Store, near_matches};
use glob::Pattern;

/// Arguments that select profiles, as typed.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names and globs. If the list is not empty, a selected profile matches at least one name or glob.
    pub names: Vec<String>,
    /// Required tags. A selected profile has all of these tags.
    pub tags: Vec<String>,
    /// Excluded tags. A selected profile has none of these tags.
    pub not_tags: Vec<String>,
    /// Whether `--all` was given, so that a selection without names and tags is valid.
    pub all: bool,
}

/// Meaning of a selection without arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptySelection {
    /// Selects every profile.
    All,
    /// Returns an error, because the command requires a selection.
    Refuse,
}

/// Reason why a selection fails.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// Argument that is neither a valid name nor a valid glob.
    #[error("an argument is not the name of a profile: {0}")]
    Name(NameError),
    /// Name that the store does not declare.
    #[error("there is no profile '{name}'")]
    Unknown {
        /// Requested name.
        name: String,
        /// Up to three similar names in the store, best match first.
        similar: Vec<String>,
        /// Whether the store has no profiles.
        is_store_empty: bool,
    },
    /// Glob that matches no name, or arguments that together match no profile.
    #[error("no profile matches {requested}")]
    NoMatch {
        /// Unmatched names, globs and tags, formatted for a message.
        requested: String,
        /// Names or tags in the store, formatted for a message.
        available: String,
        /// Whether the store has no profiles.
        is_store_empty: bool,
    },
    /// No selection arguments were given, but the command requires a selection.
    #[error("no profile is named")]
    NoneNamed,
}

impl Selection {
    /// Whether no selection argument was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty() && self.not_tags.is_empty() && !self.all
    }

    /// Whether the only argument is a name, not a glob. The selection then contains at most one profile.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.all
            && self.tags.is_empty()
            && self.not_tags.is_empty()
            && matches!(&self.names[..], [name] if !is_glob(name))
    }

    /// Returns the selected entries in the order of the store. A selection with tags or excluded tags never selects a
    /// faulty profile, because the tags of that profile are unknown.
    ///
    /// # Errors
    /// Returns a [`SelectionError`] if a name or glob is invalid or matches no profile. Also fails if names and tags
    /// together match no profile, or if the selection is empty and `if_empty` is [`EmptySelection::Refuse`].
    pub fn resolve<'a>(
        &self,
        store: &'a Store,
        if_empty: EmptySelection,
    ) -> Result<Vec<&'a ProfileEntry>, SelectionError> {
        if self.is_empty() && if_empty == EmptySelection::Refuse {
            return Err(SelectionError::NoneNamed);
        }
        let matchers =
            self.names.iter().map(|argument| NameMatcher::parse(argument, store)).collect::<Result<Vec<_>, _>>()?;
        let matches_name =
            |entry: &ProfileEntry| matchers.is_empty() || matchers.iter().any(|matcher| matcher.matches(&entry.name));
        let selected: Vec<&ProfileEntry> =
            store.profiles.iter().filter(|entry| matches_name(entry) && self.matches_tags(entry)).collect();
        let has_tag_filter = !(self.tags.is_empty() && self.not_tags.is_empty());
        if selected.is_empty() && (has_tag_filter || !self.names.is_empty()) {
            return Err(self.no_match_error(store));
        }
        Ok(selected)
    }

    fn matches_tags(&self, entry: &ProfileEntry) -> bool {
        if self.tags.is_empty() && self.not_tags.is_empty() {
            return true;
        }
        let Ok(profile) = &entry.profile else { return false };
        let has_tag = |tag: &String| profile.tags.contains(tag);
        self.tags.iter().all(has_tag) && !self.not_tags.iter().any(has_tag)
    }

    fn no_match_error(&self, store: &Store) -> SelectionError {
        let mut requested: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        requested.extend(self.tags.iter().map(|tag| format!("--tag {tag}")));
        requested.extend(self.not_tags.iter().map(|tag| format!("--not-tag {tag}")));
        let mut tags: Vec<&String> =
            store.profiles.iter().flat_map(|e| e.profile.iter().flat_map(|p| &p.tags)).collect();
        tags.sort();
        tags.dedup();
        let available = if self.tags.is_empty() && self.not_tags.is_empty() {
            format!("the profiles are {}", summarize(store.names().map(ProfileName::as_str)))
        } else if tags.is_empty() {
            "no profile has a tag".to_owned()
        } else {
            format!("the tags are {}", summarize(tags.into_iter().map(String::as_str)))
        };
        SelectionError::NoMatch { requested: requested.join(" "), available, is_store_empty: store.profiles.is_empty() }
    }
}

enum NameMatcher {
    Name(ProfileName),
    Glob(Pattern),
}

impl NameMatcher {
    fn parse(text: &str, store: &Store) -> Result<Self, SelectionError> {
        if is_glob(text) {
            let pattern =
                Pattern::new(text).map(Self::Glob).map_err(|_| SelectionError::Name(NameError::InvalidCharacter))?;
            if store.names().any(|name| pattern.matches(name)) {
                return Ok(pattern);
            }
            let available = format!("the profiles are {}", summarize(store.names().map(ProfileName::as_str)));
            let is_store_empty = store.profiles.is_empty();
            return Err(SelectionError::NoMatch { requested: format!("'{text}'"), available, is_store_empty });
        }
        let name: ProfileName = text.parse().map_err(SelectionError::Name)?;
        if store.entry(&name).is_none() {
            let similar =
                near_matches(text, store.names().map(ProfileName::as_str)).into_iter().map(str::to_owned).collect();
            return Err(SelectionError::Unknown {
                name: name.to_string(),
                similar,
                is_store_empty: store.profiles.is_empty(),
            });
        }
        Ok(Self::Name(name))
    }

    fn matches(&self, name: &ProfileName) -> bool {
        match self {
            Self::Name(requested) => requested == name,
            Self::Glob(pattern) => pattern.matches(name.as_str()),
        }
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Joins the first eight names for a message, and adds the number of the remaining names.
fn summarize<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        ..=8 => names.join(", "),
        count => format!("{} and {} more", names[..8].join(", "), count - 8),
    }
}
