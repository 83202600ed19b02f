//! Names of profiles and recipients. Each name is safe as a file name, an argument and an environment variable's value,
//! on every system.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Maximum number of characters in a name. Names are ASCII, so each character is a byte.
const MAX_NAME_CHARS: usize = 64;

/// Regular expression for names. A name that also matches [`DEVICE_PATTERN`] is invalid.
pub(super) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9_-])?$";
/// Regular expression for the device names of Windows, with or without an extension.
pub(super) const DEVICE_PATTERN: &str = r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)";

/// Name of a profile: `[a-z0-9][a-z0-9._-]{0,63}`, but no trailing dot and no device name of Windows. Parsing rejects
/// `env`, which is reserved for the profile made from `NETOSECRET`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProfileName(String);

/// Name of a recipient in the store. Follows the rules of a profile name, except that `env` is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RecipientName(String);

/// Reason why a text is not a valid name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty text.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 64 characters.
    #[error("a name has at most 64 characters")]
    TooLong,
    /// First character that is not a lower-case letter or digit.
    #[error("a name starts with a lower-case letter or a digit")]
    InvalidStart,
    /// Character other than lower-case letters, digits, `.`, `_` and `-`.
    #[error("a name holds only lower-case letters, digits, '.', '_' and '-'")]
    InvalidCharacter,
    /// Trailing dot. Windows drops trailing dots from file names.
    #[error("a name does not end in a dot")]
    TrailingDot,
    /// Device name of Windows, such as `con`, `nul` or `com1`, with or without an extension.
    #[error("a name is none of the device names of Windows")]
    DeviceName,
    /// Name `env`, which is reserved.
    #[error("'env' is the profile that NETOSECRET makes; choose another name")]
    Reserved,
}

fn check_name(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if !(first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return Err(NameError::InvalidStart);
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')) {
        return Err(NameError::InvalidCharacter);
    }
    if text.len() > MAX_NAME_CHARS {
        return Err(NameError::TooLong);
    }
    if text.ends_with('.') {
        return Err(NameError::TrailingDot);
    }
    let stem = text.split('.').next().unwrap_or(text);
    let is_numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
    };
    if ["con", "prn", "aux", "nul"].contains(&stem) || is_numbered("com") || is_numbered("lpt") {
        return Err(NameError::DeviceName);
    }
    Ok(())
}

impl ProfileName {
    /// Returns `env`, the name of the profile made from the environment variable `NETOSECRET`. No store can declare a
    /// profile of this name.
    #[must_use]
    pub fn env() -> Self {
        Self("env".to_owned())
    }

    /// Whether this is `env`, the name of the profile made from `NETOSECRET`.
    #[must_use]
    pub fn is_env(&self) -> bool {
        self.0 == "env"
    }

    /// Derives a profile name from a tenant's `shortname`. Converts ASCII letters to lower case. Replaces each
    /// character that a name cannot contain with `-`.
    ///
    /// # Errors
    /// Returns a [`NameError`] if the derived text is still not a valid name.
    pub fn from_shortname(shortname: &str) -> Result<Self, NameError> {
        let to_name_char =
            |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '-' };
        shortname.chars().map(to_name_char).collect::<String>().parse()
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RecipientName {
    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        if text == "env" {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for RecipientName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ProfileName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<String> for RecipientName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RecipientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r42_names_are_safe_everywhere() {
        for good in ["a", "0", "acme", "acme-prod.eu_1", "com10", "console", "environment", &"a".repeat(64)] {
            assert!(good.parse::<ProfileName>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", NameError::Empty),
            ("Acme", NameError::InvalidStart),
            ("-acme", NameError::InvalidStart),
            (".acme", NameError::InvalidStart),
            ("ac me", NameError::InvalidCharacter),
            ("ac/me", NameError::InvalidCharacter),
            ("acmé", NameError::InvalidCharacter),
            ("acme.", NameError::TrailingDot),
            ("con", NameError::DeviceName),
            ("nul.txt", NameError::DeviceName),
            ("com0", NameError::DeviceName),
            ("lpt9.x", NameError::DeviceName),
            ("env", NameError::Reserved),
            (&"a".repeat(65), NameError::TooLong),
        ] {
            assert_eq!(bad.parse::<ProfileName>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_shortname_is_converted_to_a_profile_name() {
        assert_eq!(
            ProfileName::from_shortname("Acme Corp/EU").map(|name| name.to_string()),
            Ok("acme-corp-eu".to_owned())
        );
        assert_eq!(ProfileName::from_shortname("Ümlaut"), Err(NameError::InvalidStart));
    }
}
