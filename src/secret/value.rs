//! Secret text: no `Display`, no `Serialize`, a `Debug` that reveals nothing, wiped from memory when dropped.

use age::secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use zeroize::Zeroize as _;

/// Maximum length of a token, in bytes.
const MAX_TOKEN_BYTES: usize = 16_384;

/// Secret text. [`Secret::reveal`] is the only access to the plaintext.
///
/// ```
/// let secret = neto::internals::secret::Secret::new("canary".to_owned());
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// ```
/// `Secret` does not implement `Display`:
/// ```compile_fail,E0277
/// let secret = neto::internals::secret::Secret::new("canary".to_owned());
/// format!("{secret}");
/// ```
/// `Secret` does not implement `Serialize`:
/// ```compile_fail,E0277
/// let secret = neto::internals::secret::Secret::new("canary".to_owned());
/// let _ = serde_json::to_string(&secret);
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Copies `text` into a secret and wipes the original, so that a single copy remains.
    #[must_use]
    pub fn new(mut text: String) -> Self {
        // `into_boxed_str` may move the bytes and leave the old bytes in memory, so copy and wipe.
        let secret = Self(SecretString::from(Box::<str>::from(text.as_str())));
        text.zeroize();
        secret
    }

    /// Returns the plaintext, to send or to seal.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reveal().len()
    }

    /// Checks for the form of the API's tokens: `[A-Za-z0-9._~+/=-]{1,16384}`.
    #[must_use]
    pub fn is_token(&self) -> bool {
        (1..=MAX_TOKEN_BYTES).contains(&self.len()) && self.reveal().chars().all(is_token_character)
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }
}

/// Returns true for the characters that the API's tokens consist of.
pub(super) fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._~+/=-".contains(character)
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
