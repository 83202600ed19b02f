//! Type for secret text. Prevents accidental output: no `Display`, no `Serialize`, and a `Debug` that reveals nothing.
//! The text is wiped from memory when dropped.

use age::secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use zeroize::Zeroize as _;

/// Maximum length of an API token.
const MAX_TOKEN_BYTES: usize = 16_384;

/// Secret text. [`Secret::reveal`] is the only way to read the plaintext.
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
    /// Copies `text` into a secret and wipes `text`.
    #[must_use]
    pub fn new(mut text: String) -> Self {
        // `String::into_boxed_str` may reallocate and leave the old bytes in memory, so the text is copied and wiped
        // instead.
        let secret = Self(SecretString::from(Box::<str>::from(text.as_str())));
        text.zeroize();
        secret
    }

    /// Returns the plaintext.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reveal().len()
    }

    /// Returns true if the text has the format of an API token: `[A-Za-z0-9._~+/=-]{1,16384}`.
    #[must_use]
    pub fn is_token(&self) -> bool {
        (1..=MAX_TOKEN_BYTES).contains(&self.len()) && self.reveal().chars().all(is_token_character)
    }

    /// Returns true if the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }
}

/// Returns true if an API token may contain the character.
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
    fn r57_debug_output_hides_the_secret() {
        let secret = Secret::new("canary".to_owned());
        assert_eq!(format!("{secret:?} {:?}", Some(secret.clone())), "[redacted] Some([redacted])");
        assert_eq!((secret.reveal(), secret.len(), secret.is_empty()), ("canary", 6, false));
    }
}
