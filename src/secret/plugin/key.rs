//! Text form of plugin keys: identities `AGE-PLUGIN-NAME-1...` decrypt, recipients `age1NAME1...` encrypt. Only the
//! plugin interprets the data after the name.

use super::super::Secret;
use age_core::primitives::{bech32_decode, bech32_encode};
use std::fmt;
use zeroize::Zeroizing;

/// Names that look like a plugin's but belong to key types of the age format itself.
const RESERVED_NAMES: [&str; 3] = ["pq", "tag", "tagpq"];

/// Name of a plugin, with only `a-z`, `0-9` and `-`, because it becomes part of the name of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::secret) struct PluginName(String);

/// Identity that a plugin decrypts with. The text contains the private key, or only tells the plugin where to find the
/// key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::secret) struct PluginIdentity {
    plugin: PluginName,
    text: Secret,
}

/// Recipient (public key) that a plugin encrypts to. Each recipient has only one spelling, so recipients are comparable
/// as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::secret) struct PluginRecipient {
    plugin: PluginName,
    text: String,
}

/// Reason why a text is not a plugin key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PluginKeyError {
    /// Not bech32, another kind of key, or mistyped.
    #[error("this is no key of an age plugin (a character may be missing or mistyped)")]
    Malformed,
    /// Plugin name with characters that are not allowed in the name of its program.
    #[error("the name of an age plugin has only letters, digits and '-'")]
    InvalidName,
    /// Public key of the age format itself: `age1...`, `age1pq1...`, `age1tag1...`, `age1tagpq1...`.
    #[error("this is a key of age itself, not of a plugin")]
    NativeKey,
}

impl PluginName {
    fn parse(text: &str) -> Result<Self, PluginKeyError> {
        let allowed =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
        let is_valid = !text.is_empty() && text.chars().all(allowed);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(PluginKeyError::InvalidName) }
    }

    /// Returns the name of the program: `age-plugin-NAME`.
    pub(in crate::secret) fn program(&self) -> String {
        format!("age-plugin-{}", self.0)
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PluginIdentity {
    /// Parses `AGE-PLUGIN-NAME-1...`, in upper case.
    ///
    /// # Errors
    /// [`PluginKeyError`], which never contains any of the text.
    pub(in crate::secret) fn parse(text: &str) -> Result<Self, PluginKeyError> {
        let prefix = canonical_prefix(text, str::to_ascii_uppercase)?;
        let name = prefix.strip_prefix("AGE-PLUGIN-").and_then(|rest| rest.strip_suffix('-'));
        let name = name.ok_or(PluginKeyError::Malformed)?;
        Ok(Self { plugin: PluginName::parse(&name.to_ascii_lowercase())?, text: Secret::new(text.to_owned()) })
    }

    /// Returns the plugin of this key.
    pub(in crate::secret) fn plugin(&self) -> &PluginName {
        &self.plugin
    }

    /// Returns the text that was parsed.
    pub(in crate::secret) fn text(&self) -> &Secret {
        &self.text
    }
}

impl PluginRecipient {
    /// Parses `age1NAME1...`, in lower case.
    ///
    /// # Errors
    /// [`PluginKeyError`].
    pub(in crate::secret) fn parse(text: &str) -> Result<Self, PluginKeyError> {
        let prefix = canonical_prefix(text, str::to_owned)?;
        let name = match prefix.strip_prefix("age") {
            Some("") => return Err(PluginKeyError::NativeKey),
            Some(rest) => rest.strip_prefix('1').filter(|name| !name.is_empty()).ok_or(PluginKeyError::Malformed)?,
            None => return Err(PluginKeyError::Malformed),
        };
        if RESERVED_NAMES.contains(&name) {
            return Err(PluginKeyError::NativeKey);
        }
        Ok(Self { plugin: PluginName::parse(name)?, text: text.to_owned() })
    }

    /// Returns the plugin of this key.
    pub(in crate::secret) fn plugin(&self) -> &PluginName {
        &self.plugin
    }

    /// Returns the text form, as used in the profile store.
    pub(in crate::secret) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Returns the text before the last `1` of a bech32 text. Fails unless the checksum is valid and the spelling is
/// canonical: encoding the data again and applying `case` must give the same text.
fn canonical_prefix(text: &str, case: fn(&str) -> String) -> Result<String, PluginKeyError> {
    bech32_decode(
        text,
        |_| PluginKeyError::Malformed,
        |_| Ok(()),
        |prefix, data| {
            let data = Zeroizing::new(data.collect::<Vec<u8>>());
            let spelled = Zeroizing::new(bech32_encode(prefix, &data));
            let spelled = Zeroizing::new(case(&spelled));
            if *spelled == text { Ok(prefix.as_str().to_owned()) } else { Err(PluginKeyError::Malformed) }
        },
    )
}

#[cfg(test)]
mod tests;
