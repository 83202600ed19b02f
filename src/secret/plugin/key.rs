//! Text form of plugin keys: identities `AGE-PLUGIN-NAME-1...` for decryption, recipients `age1NAME1...` for
//! encryption.
//!
//! Checks only the prefix and the checksum. Only the plugin can interpret the data after the name.

use super::super::Secret;
use age_core::primitives::{bech32_decode, bech32_encode};
use std::fmt;
use zeroize::Zeroizing;

/// Names that the age format itself uses in recipients, such as `age1pq1...`. These recipients look like recipients of
/// a plugin.
const RESERVED_NAMES: [&str; 3] = ["pq", "tag", "tagpq"];

/// Name of a plugin. Contains only `a-z`, `0-9` and `-`, because the name becomes part of a program name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::secret) struct PluginName(String);

/// Identity for decryption with a plugin. The text contains the private key, or only identifies a key that the plugin
/// can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::secret) struct PluginIdentity {
    plugin: PluginName,
    text: Secret,
}

/// Recipient (public key) for encryption with a plugin. Equal recipients have equal text, because the parser accepts
/// only the canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::secret) struct PluginRecipient {
    plugin: PluginName,
    text: String,
}

/// Reason why a text is not a valid plugin key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PluginKeyError {
    /// The text is a key of another kind, or is not canonical bech32, for example because of a typing error.
    #[error("this is no key of an age plugin (a character may be missing or mistyped)")]
    Malformed,
    /// The plugin name contains characters that are not allowed in a program name.
    #[error("the name of an age plugin has only letters, digits and '-'")]
    InvalidName,
    /// The text is a recipient of the age format itself: `age1...`, `age1pq1...`, `age1tag1...` or `age1tagpq1...`.
    #[error("this is a key of age itself, not of a plugin")]
    NativeKey,
}

impl PluginName {
    fn parse(text: &str) -> Result<Self, PluginKeyError> {
        let is_allowed =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
        let is_valid = !text.is_empty() && text.chars().all(is_allowed);
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
    /// Parses an identity `AGE-PLUGIN-NAME-1...` in upper case.
    ///
    /// # Errors
    /// Returns [`PluginKeyError`] if the text is not a valid identity. The error never contains a part of the text.
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

    /// Returns the text form, as parsed.
    pub(in crate::secret) fn text(&self) -> &Secret {
        &self.text
    }
}

impl PluginRecipient {
    /// Parses a recipient `age1NAME1...` in lower case.
    ///
    /// # Errors
    /// Returns [`PluginKeyError`] if the text is not a valid recipient of a plugin.
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

/// Returns the prefix of a bech32 text: the part before the last `1`. Fails if the checksum is invalid or the text is
/// not canonical. Canonical means that encoding the data again and applying `to_case` returns the same text.
fn canonical_prefix(text: &str, to_case: fn(&str) -> String) -> Result<String, PluginKeyError> {
    bech32_decode(
        text,
        |_| PluginKeyError::Malformed,
        |_| Ok(()),
        |prefix, data| {
            let data = Zeroizing::new(data.collect::<Vec<u8>>());
            let encoded = Zeroizing::new(bech32_encode(prefix, &data));
            let canonical = Zeroizing::new(to_case(&encoded));
            if *canonical == text { Ok(prefix.as_str().to_owned()) } else { Err(PluginKeyError::Malformed) }
        },
    )
}

#[cfg(test)]
mod tests;
