//! Names that are safe as a file name, an argument and an environment value on every system.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Maximum length of a name, in characters.
const MAX_LENGTH: usize = 64;

/// Regular expression for names. Names that match [`DEVICE_PATTERN`] are invalid too.
pub(super) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9_-])?$";
/// Regular expression for the device names of Windows, with any extension.
pub(super) const DEVICE_PATTERN: &str = r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)";

/// Name of a profile: `[a-z0-9][a-z0-9._-]{0,63}`, no device name of Windows, no trailing dot. `env` is reserved for
/// the profile that `NETOSECRET` makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProfileName(String);

/// Name of a recipient in the store; same alphabet as a profile name.
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
    Start,
    /// Character other than lower-case letters, digits, `.`, `_` and `-`.
    #[error("a name holds only lower-case letters, digits, '.', '_' and '-'")]
    Character,
    /// Dot at the end, which Windows drops.
    #[error("a name does not end in a dot")]
    TrailingDot,
    /// Device name of Windows, such as `con`, `nul` or `com1`.
    #[error("a name is none of the device names of Windows")]
    Device,
    /// `env`.
    #[error("'env' is the profile that NETOSECRET makes; choose another name")]
    Reserved,
}

fn check_name(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if !(first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return Err(NameError::Start);
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')) {
        return Err(NameError::Character);
    }
    if text.len() > MAX_LENGTH {
        return Err(NameError::TooLong);
    }
    if text.ends_with('.') {
        return Err(NameError::TrailingDot);
    }
    let stem = text.split('.').next().unwrap_or(text);
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    if ["con", "prn", "aux", "nul"].contains(&stem) || numbered("com") || numbered("lpt") {
        return Err(NameError::Device);
    }
    Ok(())
}

impl ProfileName {
    /// Returns the name of the profile that `NETOSECRET` in the environment makes. No store can declare it.
    #[must_use]
    pub fn env() -> Self {
        Self("env".to_owned())
    }

    /// Whether this is the profile that `NETOSECRET` makes.
    #[must_use]
    pub fn is_env(&self) -> bool {
        self.0 == "env"
    }

    /// Derives a name from a tenant's `shortname`: lower-cased, other characters replaced by `-`.
    ///
    /// # Errors
    /// [`NameError`] when the derived text is not a valid name.
    pub fn from_shortname(shortname: &str) -> Result<Self, NameError> {
        let replace =
            |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '-' };
        shortname.chars().map(replace).collect::<String>().parse()
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
            ("Acme", NameError::Start),
            ("-acme", NameError::Start),
            (".acme", NameError::Start),
            ("ac me", NameError::Character),
            ("ac/me", NameError::Character),
            ("acmé", NameError::Character),
            ("acme.", NameError::TrailingDot),
            ("con", NameError::Device),
            ("nul.txt", NameError::Device),
            ("com0", NameError::Device),
            ("lpt9.x", NameError::Device),
            ("env", NameError::Reserved),
            (&"a".repeat(65), NameError::TooLong),
        ] {
            assert_eq!(bad.parse::<ProfileName>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_shortname_suggests_a_name() {
        assert_eq!(
            ProfileName::from_shortname("Acme Corp/EU").map(|name| name.to_string()),
            Ok("acme-corp-eu".to_owned())
        );
        assert_eq!(ProfileName::from_shortname("Ümlaut"), Err(NameError::Start));
    }
}
