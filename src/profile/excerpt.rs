//! Parts of a shared text. A profile shares the text of the store instead of copying its sealed secret.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Part of a shared text. Two excerpts are equal if their characters are equal, even in different texts.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Excerpt {
    source: Arc<String>,
    part: Range<usize>,
}

impl Excerpt {
    /// Creates an excerpt for `part`. Shares `source` if `part` is a slice of `source`; copies `part` otherwise.
    #[must_use]
    pub fn share(source: &Arc<String>, part: &str) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(source.as_ptr().addr());
        // Compares addresses: an equal text elsewhere in memory is copied.
        let range = start..start.wrapping_add(part.len());
        match source.get(range.clone()) {
            Some(_) => Self { source: Arc::clone(source), part: range },
            None => part.to_owned().into(),
        }
    }
}

impl Deref for Excerpt {
    type Target = str;

    fn deref(&self) -> &str {
        &self.source[self.part.clone()]
    }
}

impl From<String> for Excerpt {
    fn from(text: String) -> Self {
        Self { part: 0..text.len(), source: Arc::new(text) }
    }
}

impl Serialize for Excerpt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl PartialEq for Excerpt {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Excerpt {}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_the_source_are_shared_and_other_texts_copied() {
        let whole = Arc::new("one two".to_owned());
        for part in [&whole[..], &whole[4..], &whole[7..]] {
            let excerpt = Excerpt::share(&whole, part);
            assert_eq!((&*excerpt, excerpt.as_ptr()), (part, part.as_ptr()));
        }
        let copy = Excerpt::share(&whole, &String::from("two"));
        assert!(!Arc::ptr_eq(&copy.source, &whole));
        assert_eq!(copy, Excerpt::share(&whole, &whole[4..]));
    }
}
