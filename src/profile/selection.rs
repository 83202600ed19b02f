//! Selects several profiles: by names, globs, tags, or all.

use super::{NameError, ProfileEntry, ProfileName, Store, near_matches};
use glob::Pattern;

/// Selection arguments, as typed.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names and globs; a profile has to match at least one.
    pub names: Vec<String>,
    /// Tags that a profile must all have.
    pub tags: Vec<String>,
    /// Tags of which a profile must have none.
    pub not_tags: Vec<String>,
    /// Selects every profile.
    pub all: bool,
}

/// Meaning of a selection without arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptySelection {
    /// Every profile.
    All,
    /// Fails: the command requires a selection.
    Refuse,
}

/// Reason why no profile is selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// Argument that is neither a name nor a glob.
    #[error("an argument is not the name of a profile: {0}")]
    Name(NameError),
    /// Name that the store does not declare.
    #[error("there is no profile '{name}'")]
    Unknown {
        /// Requested name.
        name: String,
        /// Similar declared names, best first.
        similar: Vec<String>,
        /// Whether the store has no profile at all.
        is_store_empty: bool,
    },
    /// Glob that matches no name, or tags that no profile has.
    #[error("no profile matches {requested}")]
    NoMatch {
        /// Requested names and tags, as typed.
        requested: String,
        /// Available names or tags, for a message.
        available: String,
        /// Whether the store has no profile at all.
        is_store_empty: bool,
    },
    /// No profile was named, and the command requires a selection.
    #[error("no profile is named")]
    NoneNamed,
}

impl Selection {
    /// Whether no argument was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty() && self.not_tags.is_empty() && !self.all
    }

    /// Whether the selection is a single plain name, which can only match one profile.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.all
            && self.tags.is_empty()
            && self.not_tags.is_empty()
            && matches!(&self.names[..], [name] if !is_glob(name))
    }

    /// Returns the selected entries in the order of the store. A faulty profile can be selected by name, glob or
    /// `all`. Its tags are unknown, so no tag selects it.
    ///
    /// # Errors
    /// [`SelectionError`] when an argument matches no profile or no profile is left.
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
        let filtered = !(self.tags.is_empty() && self.not_tags.is_empty());
        if selected.is_empty() && (filtered || !self.names.is_empty()) {
            return Err(self.no_match(store));
        }
        Ok(selected)
    }

    fn matches_tags(&self, entry: &ProfileEntry) -> bool {
        if self.tags.is_empty() && self.not_tags.is_empty() {
            return true;
        }
        let Ok(profile) = &entry.profile else { return false };
        let has = |tag: &String| profile.tags.contains(tag);
        self.tags.iter().all(has) && !self.not_tags.iter().any(has)
    }

    fn no_match(&self, store: &Store) -> SelectionError {
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
            let pattern = Pattern::new(text).map(Self::Glob).map_err(|_| SelectionError::Name(NameError::Character))?;
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
            Self::Name(own) => own == name,
            Self::Glob(pattern) => pattern.matches(name.as_str()),
        }
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Joins at most eight names for a message, with the number of the others.
fn summarize<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        ..=8 => names.join(", "),
        more => format!("{} and {} more", names[..8].join(", "), more - 8),
    }
}
