//! Which profiles are meant where several may be: names, globs, tags, all.

use super::{Entry, NameError, ProfileName, Store, near};
use glob::Pattern;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names and globs, united.
    pub names: Vec<String>,
    /// Tags that must all be there.
    pub tags: Vec<String>,
    /// Tags of which none may be there.
    pub not_tags: Vec<String>,
    /// Every profile.
    pub all: bool,
}

/// What it means when nothing was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenNone {
    /// Every profile.
    All,
    /// It is an error: the verb wants to be told.
    Refuse,
}

/// Why a selection selects nothing.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A word that is neither a name nor a glob.
    #[error("an argument is not the name of a profile: {0}")]
    Name(NameError),
    /// A name that the store does not have.
    #[error("there is no profile '{name}'")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Names that may have been meant, best first.
        near: Vec<String>,
        /// Whether there is no profile at all.
        empty: bool,
    },
    /// A glob that no name fits, or tags that no profile has.
    #[error("no profile matches {what}")]
    Nothing {
        /// What was asked for, as typed.
        what: String,
        /// What there is: some names, or the tags.
        there_is: String,
        /// Whether there is no profile at all.
        empty: bool,
    },
    /// Nothing was named and the verb wants to be told.
    #[error("no profile is named")]
    Untold,
}

impl Selection {
    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tags.is_empty() && self.not_tags.is_empty() && !self.all
    }

    /// Whether it can only mean one profile: a single plain name.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.all
            && self.tags.is_empty()
            && self.not_tags.is_empty()
            && matches!(&self.names[..], [name] if !is_glob(name))
    }

    /// The selected entries in the order of the store. A faulty profile is selected by name, glob or
    /// `all`; its tags are unknown, so never by tag.
    ///
    /// # Errors
    /// [`SelectionError`] when a word fits nothing or nothing is left.
    pub fn resolve<'a>(&self, store: &'a Store, when_none: WhenNone) -> Result<Vec<&'a Entry>, SelectionError> {
        if self.is_empty() && when_none == WhenNone::Refuse {
            return Err(SelectionError::Untold);
        }
        let wanted = self.names.iter().map(|word| Word::parse(word, store)).collect::<Result<Vec<_>, _>>()?;
        let named = |entry: &Entry| wanted.is_empty() || wanted.iter().any(|word| word.fits(&entry.name));
        let selected: Vec<&Entry> =
            store.profiles.iter().filter(|entry| named(entry) && self.tags_hold(entry)).collect();
        let filtered = !(self.tags.is_empty() && self.not_tags.is_empty());
        if selected.is_empty() && (filtered || !self.names.is_empty()) {
            return Err(self.nothing(store));
        }
        Ok(selected)
    }

    fn tags_hold(&self, entry: &Entry) -> bool {
        if self.tags.is_empty() && self.not_tags.is_empty() {
            return true;
        }
        let Ok(profile) = &entry.profile else { return false };
        let has = |tag: &String| profile.tags.contains(tag);
        self.tags.iter().all(has) && !self.not_tags.iter().any(has)
    }

    fn nothing(&self, store: &Store) -> SelectionError {
        let mut what: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        what.extend(self.tags.iter().map(|tag| format!("--tag {tag}")));
        what.extend(self.not_tags.iter().map(|tag| format!("--not-tag {tag}")));
        let mut tags: Vec<&String> =
            store.profiles.iter().flat_map(|e| e.profile.iter().flat_map(|p| &p.tags)).collect();
        tags.sort();
        tags.dedup();
        let there_is = if self.tags.is_empty() && self.not_tags.is_empty() {
            format!("the profiles are {}", some(store.names().map(ProfileName::as_str)))
        } else if tags.is_empty() {
            "no profile has a tag".to_owned()
        } else {
            format!("the tags are {}", some(tags.into_iter().map(String::as_str)))
        };
        SelectionError::Nothing { what: what.join(" "), there_is, empty: store.profiles.is_empty() }
    }
}

enum Word {
    Name(ProfileName),
    Glob(Pattern),
}

impl Word {
    fn parse(text: &str, store: &Store) -> Result<Self, SelectionError> {
        if is_glob(text) {
            let pattern = Pattern::new(text).map(Self::Glob).map_err(|_| SelectionError::Name(NameError::Character))?;
            if store.names().any(|name| pattern.fits(name)) {
                return Ok(pattern);
            }
            let there_is = format!("the profiles are {}", some(store.names().map(ProfileName::as_str)));
            let empty = store.profiles.is_empty();
            return Err(SelectionError::Nothing { what: format!("'{text}'"), there_is, empty });
        }
        let name: ProfileName = text.parse().map_err(SelectionError::Name)?;
        if store.entry(&name).is_none() {
            let near = near(text, store.names().map(ProfileName::as_str)).into_iter().map(str::to_owned).collect();
            return Err(SelectionError::Unknown { name: name.to_string(), near, empty: store.profiles.is_empty() });
        }
        Ok(Self::Name(name))
    }

    fn fits(&self, name: &ProfileName) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Glob(pattern) => pattern.matches(name.as_str()),
        }
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// At most eight of them, for a message.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        ..=8 => names.join(", "),
        more => format!("{} and {} more", names[..8].join(", "), more - 8),
    }
}
