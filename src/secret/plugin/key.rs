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
mod tests {
    use super::*;
    use bech32::{Bech32, ByteIterExt as _, Fe32, Fe32IterExt as _, Hrp};

    /// Returns the bech32 text of the data, in lower case.
    fn spelled(prefix: &str, data: &[u8]) -> String {
        bech32::encode::<Bech32>(Hrp::parse(prefix).unwrap(), data).unwrap()
    }

    #[test]
    fn only_a_plugins_own_public_key_is_one() {
        let good = spelled("age1toy", b"0123456789abcdef");
        let key = PluginRecipient::parse(&good).unwrap();
        assert_eq!((key.as_str(), key.plugin().program().as_str()), (good.as_str(), "age-plugin-toy"));
        let last = good.len() - 1;
        for text in [
            String::new(),
            "age1".to_owned(),
            good.to_uppercase(),
            good.replace("toy1x", "toy1X"),
            good.replace("age1toy", "age1tay"),
            format!("{}{}", &good[..last], if good.ends_with('q') { 'p' } else { 'q' }),
            good[..last].to_owned(),
            format!("{good} "),
            format!(" {good}"),
        ] {
            assert_ne!(text, good);
            assert_eq!(PluginRecipient::parse(&text), Err(PluginKeyError::Malformed), "{text}");
        }
        for (prefix, error) in [
            ("age", PluginKeyError::NativeKey),
            ("age1pq", PluginKeyError::NativeKey),
            ("age1tag", PluginKeyError::NativeKey),
            ("age1tagpq", PluginKeyError::NativeKey),
            ("age1", PluginKeyError::Malformed),
            ("aged1toy", PluginKeyError::Malformed),
            ("bc", PluginKeyError::Malformed),
        ] {
            let text = spelled(prefix, b"0123456789abcdef");
            assert_eq!(PluginRecipient::parse(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn r55_the_name_of_a_plugin_is_the_name_of_a_program_and_nothing_more() {
        for name in ["toy", "t-o-y", "7", "a1b", "-", "pqx"] {
            let recipient = PluginRecipient::parse(&spelled(&format!("age1{name}"), b"x")).unwrap();
            let identity = spelled(&format!("age-plugin-{name}-"), b"x").to_uppercase();
            assert_eq!(recipient.plugin(), PluginIdentity::parse(&identity).unwrap().plugin());
            assert_eq!(recipient.plugin().program(), format!("age-plugin-{name}"));
        }
        for name in ["../x", "a/b", "a.b", "a_b", "a+b", "a\\b", "a:b", "$x", "a;b", "~", "x`"] {
            let recipient = spelled(&format!("age1{name}"), b"x");
            assert_eq!(PluginRecipient::parse(&recipient), Err(PluginKeyError::InvalidName), "{name}");
            let identity = spelled(&format!("age-plugin-{name}-"), b"x").to_uppercase();
            assert_eq!(PluginIdentity::parse(&identity), Err(PluginKeyError::InvalidName), "{name}");
        }
    }

    #[test]
    fn an_identity_is_in_upper_case_and_tells_nothing() {
        let text = spelled("age-plugin-toy-", b"canary").to_uppercase();
        let identity = PluginIdentity::parse(&text).unwrap();
        assert_eq!((identity.text().reveal(), identity.plugin().to_string().as_str()), (text.as_str(), "toy"));
        assert!(!format!("{identity:?}").contains("AGE-PLUGIN"), "{identity:?}");
        for (text, error) in [
            (text.to_lowercase(), PluginKeyError::Malformed),
            (text.replace("TOY", "TOO"), PluginKeyError::Malformed),
            (spelled("age-plugin-toy", b"canary").to_uppercase(), PluginKeyError::Malformed),
            (spelled("age-plugin--", b"canary").to_uppercase(), PluginKeyError::InvalidName),
            (spelled("age-plugin-", b"canary").to_uppercase(), PluginKeyError::Malformed),
            (spelled("age-secret-key-", b"canary").to_uppercase(), PluginKeyError::Malformed),
        ] {
            assert_eq!(PluginIdentity::parse(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        let prefix = Hrp::parse("age1toy").unwrap();
        let mut digits: Vec<Fe32> = [b'x'].into_iter().bytes_to_fes().collect();
        // One byte takes two digits of five bits; the last two bits have no meaning.
        let text =
            |digits: &[Fe32]| digits.iter().copied().with_checksum::<Bech32>(&prefix).chars().collect::<String>();
        assert!(PluginRecipient::parse(&text(&digits)).is_ok());
        digits[1] = Fe32::try_from(digits[1].to_u8() | 1).unwrap();
        assert!(bech32::decode(&text(&digits)).is_ok_and(|(_, data)| data == b"x"));
        assert_eq!(PluginRecipient::parse(&text(&digits)), Err(PluginKeyError::Malformed));
    }
}
