//! A part of a text that is kept whole anyway, without a copy of its own.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of a shared text. Two are equal when they read the same.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Excerpt {
    whole: Arc<String>,
    part: Range<usize>,
}

impl Excerpt {
    /// `part`, shared with `whole` where it lies within it.
    #[must_use]
    pub fn of(whole: &Arc<String>, part: &str) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let within = start..start.wrapping_add(part.len());
        match whole.get(within.clone()) {
            Some(_) => Self { whole: Arc::clone(whole), part: within },
            None => part.to_owned().into(),
        }
    }
}

impl Deref for Excerpt {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.part.clone()]
    }
}

impl From<String> for Excerpt {
    fn from(whole: String) -> Self {
        Self { part: 0..whole.len(), whole: Arc::new(whole) }
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
    fn a_part_is_shared_and_anything_else_copied() {
        let whole = Arc::new("one two".to_owned());
        for part in [&whole[..], &whole[4..], &whole[7..]] {
            let excerpt = Excerpt::of(&whole, part);
            assert_eq!((&*excerpt, excerpt.as_ptr()), (part, part.as_ptr()));
        }
        let copy = Excerpt::of(&whole, &String::from("two"));
        assert!(!Arc::ptr_eq(&copy.whole, &whole));
        assert_eq!(copy, Excerpt::of(&whole, &whole[4..]));
    }
}
