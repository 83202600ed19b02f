//! Public keys that secrets are sealed to, as the store has them.

use super::plugin::PluginRecipient;
use crate::profile::hex;
use age::x25519;
use sha2::{Digest as _, Sha256};

/// Keys whose every shared secret is zero, as they are spelled: the points of small order on the curve
/// in all their encodings. Anybody can open what is sealed to one, and age panics rather than do it.
const SMALL_ORDER: [&str; 14] = [
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

/// Why a text is no public key that neto seals to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// The secret half of a key: it must not be where a public key goes.
    #[error("this is a secret key, which must be shown to nobody; the public key starts with age1")]
    SecretKey,
    /// An SSH key.
    #[error("this is an SSH key; the public key must be age's own, which starts with age1")]
    Ssh,
    /// A key of age itself that the age library here cannot seal to.
    #[error("this kind of age key is not supported; supported are keys that age-keygen makes, and those of plugins")]
    Unsupported,
    /// A key that anybody could open.
    #[error("this key is no key of anybody: what is sealed to it everybody can open")]
    Weak,
    /// Anything else, a mistyped key for one.
    #[error("this is no age public key (a character may be missing or mistyped)")]
    Form,
}

/// Checks that `key` is a public key that secrets can be sealed to.
///
/// # Errors
/// [`RecipientError`] tells why it is not.
pub fn check_recipient(key: &str) -> Result<(), RecipientError> {
    parse(key).map(|_| ())
}

/// First 16 hex digits of the SHA-256 of the sorted keys, joined by line feeds: what a store says in clear
/// about whom a secret is sealed to. Order and repeats of `keys` do not matter.
#[must_use]
pub fn recipients_tag(keys: &[String]) -> String {
    let mut sorted: Vec<&str> = keys.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut tag = hex(&Sha256::digest(sorted.join("\n")));
    tag.truncate(16);
    tag
}

/// The program that sealing to `key` runs; none for a key of age itself, or for no key.
#[must_use]
pub fn plugin_of(key: &str) -> Option<String> {
    PluginRecipient::parse(key).ok().map(|recipient| recipient.plugin().program())
}

/// A public key.
pub(super) enum PublicKey {
    /// One that age itself seals to.
    Native(x25519::Recipient),
    /// One that a plugin seals to.
    Plugin(PluginRecipient),
}

/// Reads a public key.
pub(super) fn parse(key: &str) -> Result<PublicKey, RecipientError> {
    if SMALL_ORDER.contains(&key) {
        return Err(RecipientError::Weak);
    }
    match key.parse::<x25519::Recipient>() {
        // Keys are compared as text everywhere, so each has one spelling.
        Ok(parsed) if parsed.to_string() == key => return Ok(PublicKey::Native(parsed)),
        _ => {}
    }
    match PluginRecipient::parse(key) {
        Ok(recipient) => Ok(PublicKey::Plugin(recipient)),
        Err(_) => Err(diagnose(key)),
    }
}

fn diagnose(key: &str) -> RecipientError {
    let lower = key.trim_start().to_ascii_lowercase();
    // A bech32 text names its type before its last `1`: age1pq1..., age1tag1..., age1yubikey1...
    let typed = |rest: &str| rest.rsplit_once('1').is_some_and(|(kind, data)| !kind.is_empty() && data.len() > 6);
    if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
        RecipientError::SecretKey
    } else if lower.starts_with("ssh-") || lower.starts_with("ecdsa-") {
        RecipientError::Ssh
    } else if lower.strip_prefix("age1").is_some_and(typed) {
        RecipientError::Unsupported
    } else {
        RecipientError::Form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn only_a_native_key_is_taken_and_others_are_told_apart() {
        assert_eq!(check_recipient(ALICE), Ok(()));
        for (key, error) in [
            ("", RecipientError::Form),
            ("alice", RecipientError::Form),
            (&ALICE.to_uppercase(), RecipientError::Form),
            (&format!("{ALICE} "), RecipientError::Form),
            (&ALICE.replace("zvk", "zvq"), RecipientError::Form),
            ("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", RecipientError::SecretKey),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN", RecipientError::Ssh),
            ("age1pq1qqqqqqqqqqqqq", RecipientError::Unsupported),
        ] {
            assert_eq!(check_recipient(key), Err(error), "{key}");
        }
    }

    #[test]
    fn keys_that_anybody_opens_are_refused() {
        for key in SMALL_ORDER {
            assert!(key.parse::<x25519::Recipient>().is_ok_and(|parsed| parsed.to_string() == key), "{key}");
            assert_eq!(check_recipient(key), Err(RecipientError::Weak), "{key}");
            let sealing = std::panic::catch_unwind(|| age::encrypt(&key.parse::<x25519::Recipient>().unwrap(), b"x"));
            assert!(sealing.is_err(), "age seals to {key} by now");
        }
    }

    #[test]
    fn the_tag_is_of_the_set_of_keys() {
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        // printf 'a\nb' | sha256sum
        assert_eq!(recipients_tag(&keys(&["b", "a", "b"])), "7e18f737311b2dc3");
        assert_ne!(recipients_tag(&keys(&["a"])), recipients_tag(&keys(&["b"])));
    }
}
