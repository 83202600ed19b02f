//! A text that must not be seen: no Display, no Serialize, a Debug that tells nothing, wiped when dropped.

use age::secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use zeroize::Zeroize as _;

/// A secret text. [`Secret::reveal`] is the only way to what it holds.
///
/// ```
/// let secret = neto::secret::Secret::new("canary".to_owned());
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// ```
/// It cannot be shown,
/// ```compile_fail,E0277
/// let secret = neto::secret::Secret::new("canary".to_owned());
/// format!("{secret}");
/// ```
/// and no JSON is made of it.
/// ```compile_fail,E0277
/// let secret = neto::secret::Secret::new("canary".to_owned());
/// let _ = serde_json::to_string(&secret);
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text in; its own memory is wiped, so that one copy remains.
    #[must_use]
    pub fn new(mut text: String) -> Self {
        // `into_boxed_str` may move the bytes and leave the old ones behind, so copy and wipe.
        let secret = Self(SecretString::from(Box::<str>::from(text.as_str())));
        text.zeroize();
        secret
    }

    /// The plaintext, for the one who sends or seals it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reveal().len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r57_debug_tells_nothing() {
        let secret = Secret::new("canary".to_owned());
        assert_eq!(format!("{secret:?} {:?}", Some(secret.clone())), "[redacted] Some([redacted])");
        assert_eq!((secret.reveal(), secret.len(), secret.is_empty()), ("canary", 6, false));
    }
}
