//! Parses and checks recipients: the public keys, as written in the profile store, to which secrets are encrypted.
//!
//! Does not decide whether this machine trusts a recipient.

use super::plugin::PluginRecipient;
use crate::profile::hex;
use age::x25519;
use sha2::{Digest as _, Sha256};

/// Public keys that are points of small order on the curve, in all their encodings. Key exchange with these keys always
/// results in zero, so anybody could decrypt. The age library panics when it encrypts to these keys.
const WEAK_KEYS: [&str; 14] = [
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqsuwj9m",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqk67yly",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhzqqxqejhu",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz8ts72fzt7",
    "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
    "age1anllllllllllllllllllllllllllllllllllllllllllllllllls3hcv9z",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllllsh3g6la",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllalselrwrv",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllllsam3fc4",
];

/// Reasons why a text is not a valid recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// The text starts like an age secret key or a plugin identity, which must not be shown.
    #[error("this is a secret key, which must be shown to nobody; the public key starts with age1")]
    SecretKey,
    /// The text starts like an SSH public key.
    #[error("this is an SSH key; the public key must be age's own, which starts with age1")]
    Ssh,
    /// The text looks like an age public key with a type prefix. The type is unsupported, or the key contains a typing
    /// error.
    #[error("this kind of age key is not supported; supported are keys that age-keygen makes, and those of plugins")]
    Unsupported,
    /// The key is weak, so anybody could decrypt a secret encrypted to the key.
    #[error("this key is no key of anybody: what is sealed to it everybody can open")]
    Weak,
    /// The text is not an age public key, for example because a character is missing or mistyped.
    #[error("this is no age public key (a character may be missing or mistyped)")]
    InvalidKey,
}

/// Checks that `key` is a valid public key, native or of a plugin, in canonical form.
///
/// # Errors
/// Returns a [`RecipientError`] with the reason why the key is invalid.
pub fn check_recipient(key: &str) -> Result<(), RecipientError> {
    parse(key).map(|_| ())
}

/// Returns a tag of the set of keys: the first 16 hex digits of a SHA-256 hash. The input of the hash is the sorted
/// keys without duplicates, joined by line feeds. The store records this tag in plaintext beside each sealed secret.
#[must_use]
pub fn recipients_tag(keys: &[String]) -> String {
    let mut sorted: Vec<&str> = keys.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut tag = hex(&Sha256::digest(sorted.join("\n")));
    tag.truncate(16);
    tag
}

/// Returns the name of the plugin program that encrypts to `key`. Returns `None` for a native key or an invalid key.
#[must_use]
pub fn plugin_program(key: &str) -> Option<String> {
    PluginRecipient::parse(key).ok().map(|recipient| recipient.plugin().program())
}

/// Parsed public key of a recipient.
pub(super) enum RecipientKey {
    /// Key that requires no plugin.
    Native(x25519::Recipient),
    /// Key of a plugin.
    Plugin(PluginRecipient),
}

/// Parses a public key.
pub(super) fn parse(key: &str) -> Result<RecipientKey, RecipientError> {
    if WEAK_KEYS.contains(&key) {
        return Err(RecipientError::Weak);
    }
    match key.parse::<x25519::Recipient>() {
        // All other code compares keys as text, so only the canonical form of a key is valid.
        Ok(parsed) if parsed.to_string() == key => return Ok(RecipientKey::Native(parsed)),
        _ => {}
    }
    match PluginRecipient::parse(key) {
        Ok(recipient) => Ok(RecipientKey::Plugin(recipient)),
        Err(_) => Err(classify_invalid_key(key)),
    }
}

/// Returns the most likely reason why `key` is invalid.
fn classify_invalid_key(key: &str) -> RecipientError {
    let lower = key.trim_start().to_ascii_lowercase();
    // The last `1` of a bech32 text separates the prefix from the data: age1pq1..., age1tag1..., age1yubikey1...
    let has_type = |rest: &str| rest.rsplit_once('1').is_some_and(|(kind, data)| !kind.is_empty() && data.len() > 6);
    if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
        RecipientError::SecretKey
    } else if lower.starts_with("ssh-") || lower.starts_with("ecdsa-") {
        RecipientError::Ssh
    } else if lower.strip_prefix("age1").is_some_and(has_type) {
        RecipientError::Unsupported
    } else {
        RecipientError::InvalidKey
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn only_canonical_keys_are_accepted_and_others_are_classified() {
        assert_eq!(check_recipient(ALICE), Ok(()));
        for (key, error) in [
            ("", RecipientError::InvalidKey),
            ("alice", RecipientError::InvalidKey),
            (&ALICE.to_uppercase(), RecipientError::InvalidKey),
            (&format!("{ALICE} "), RecipientError::InvalidKey),
            (&ALICE.replace("zvk", "zvq"), RecipientError::InvalidKey),
            ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", RecipientError::SecretKey),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN", RecipientError::Ssh),
            ("age1pq1qqqqqqqqqqqqq", RecipientError::Unsupported),
        ] {
            assert_eq!(check_recipient(key), Err(error), "{key}");
        }
    }

    #[test]
    fn weak_keys_are_refused() {
        for key in WEAK_KEYS {
            assert!(key.parse::<x25519::Recipient>().is_ok_and(|parsed| parsed.to_string() == key), "{key}");
            assert_eq!(check_recipient(key), Err(RecipientError::Weak), "{key}");
            let sealing = std::panic::catch_unwind(|| age::encrypt(&key.parse::<x25519::Recipient>().unwrap(), b"x"));
            assert!(sealing.is_err(), "age seals to {key} by now");
        }
    }

    #[test]
    fn the_tag_ignores_order_and_duplicates() {
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        // printf 'a\nb' | sha256sum
        assert_eq!(recipients_tag(&keys(&["b", "a", "b"])), "7e18f737311b2dc3");
        assert_ne!(recipients_tag(&keys(&["a"])), recipients_tag(&keys(&["b"])));
    }
}
