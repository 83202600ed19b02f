//! Parses and generates age identity files, whose keys decrypt secrets.
//!
//! Does not read files or handle passphrases: the caller passes the plaintext of a protected identity file.

use super::Secret;
use super::plugin::{PluginIdentity, PluginRecipient};
use age::secrecy::ExposeSecret as _;
use age::x25519;
use jiff::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Key of an identity file.
#[derive(Clone)]
enum IdentityKey {
    /// Native key, `AGE-SECRET-KEY-1...`.
    Native(x25519::Identity),
    /// Key of a plugin, `AGE-PLUGIN-NAME-1...`, and its public key. Plugins write the public key into a comment above
    /// the key. The public key is `None` if the comment is missing or contains another plugin's key.
    Plugin(PluginIdentity, Option<PluginRecipient>),
}

/// Keys of an identity file; at least one key.
#[derive(Clone)]
pub struct Identities(Vec<IdentityKey>);

/// Reasons why a text is not a supported identity file. Line numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The file has only comments and blank lines.
    #[error("it holds no key")]
    NoKey,
    /// The line is an age secret key of an unsupported kind, such as a post-quantum key.
    #[error("line {line} is an age key of a kind that this version of neto does not know")]
    Unsupported {
        /// Line number.
        line: usize,
    },
    /// The file contains a private key in PEM format, most likely an SSH key.
    #[error("it holds an SSH key, not an age identity")]
    Ssh,
    /// The line is a public key instead of a secret key.
    #[error("line {line} is a public key where the secret one belongs")]
    PublicKey {
        /// Line number.
        line: usize,
    },
    /// The line is not a valid age key. Comments and blank lines are allowed.
    #[error("line {line} is no age key")]
    InvalidLine {
        /// Line number.
        line: usize,
    },
}

impl Identities {
    /// Parses the text of an age identity file. Each line is a key, a comment that starts with `#`, or blank.
    ///
    /// # Errors
    /// Returns an [`IdentityError`] for the first invalid line, or if there is no key. The error never contains text
    /// from the file.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut keys, mut plugin_recipient) = (Vec::new(), None);
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if let Some(comment) = line.strip_prefix('#') {
                let last_word = comment.split_whitespace().last();
                plugin_recipient = last_word.and_then(|word| PluginRecipient::parse(word).ok()).or(plugin_recipient);
            } else if !line.is_empty() {
                keys.push(parse_key(line, index + 1, &mut plugin_recipient)?);
            }
        }
        if keys.is_empty() { Err(IdentityError::NoKey) } else { Ok(Self(keys)) }
    }

    /// Generates a native key. Returns the text of an identity file, in the format of `age-keygen`, and the public key.
    #[must_use]
    pub fn generate(now: Timestamp) -> (Secret, String) {
        let identity = x25519::Identity::generate();
        let public_key = identity.to_public().to_string();
        let created = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let secret_key = identity.to_string();
        let secret_key = secret_key.expose_secret();
        let text = format!("# created: {created}\n# public key: {public_key}\n{secret_key}\n");
        (Secret::new(text), public_key)
    }

    /// Returns the public keys, in the order of the file. Omits a plugin's key if its public key is not in the file.
    #[must_use]
    pub fn public_keys(&self) -> Vec<String> {
        let public_key = |key: &IdentityKey| match key {
            IdentityKey::Native(identity) => Some(identity.to_public().to_string()),
            IdentityKey::Plugin(_, recipient) => recipient.as_ref().map(|recipient| recipient.as_str().to_owned()),
        };
        self.0.iter().filter_map(public_key).collect()
    }

    /// Returns the native keys, which need no plugin.
    pub(super) fn native_keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().filter_map(|key| match key {
            IdentityKey::Native(identity) => Some(identity as &dyn age::Identity),
            IdentityKey::Plugin(..) => None,
        })
    }

    /// Returns the keys that belong to plugins.
    pub(super) fn plugin_keys(&self) -> impl Iterator<Item = &PluginIdentity> {
        self.0.iter().filter_map(|key| match key {
            IdentityKey::Native(_) => None,
            IdentityKey::Plugin(identity, _) => Some(identity),
        })
    }

    /// Returns the plugin programs that the keys need, such as `age-plugin-yubikey`, in the order of the file. Removes
    /// only adjacent duplicates.
    #[must_use]
    pub fn plugin_programs(&self) -> Vec<String> {
        let mut programs: Vec<String> = self.plugin_keys().map(|identity| identity.plugin().program()).collect();
        programs.dedup();
        programs
    }

    /// Returns true if at least one key needs a plugin. Each decryption may then require a touch or a PIN.
    #[must_use]
    pub fn has_plugin_keys(&self) -> bool {
        self.plugin_keys().next().is_some()
    }

    /// Returns the native key if the file has only this key. Returns `None` for several keys or a plugin's key.
    pub(super) fn into_single_native(mut self) -> Option<x25519::Identity> {
        let single_key = self.0.pop().filter(|_| self.0.is_empty());
        match single_key? {
            IdentityKey::Native(identity) => Some(identity),
            IdentityKey::Plugin(..) => None,
        }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Parses a key from line number `line`. `plugin_recipient` is the latest plugin public key found in a comment. A
/// plugin's key takes this public key. If the public key belongs to another plugin, the public key is discarded.
fn parse_key(
    text: &str,
    line: usize,
    plugin_recipient: &mut Option<PluginRecipient>,
) -> Result<IdentityKey, IdentityError> {
    if let Ok(identity) = text.parse() {
        return Ok(IdentityKey::Native(identity));
    }
    if let Ok(identity) = PluginIdentity::parse(text) {
        let recipient = plugin_recipient.take().filter(|recipient| recipient.plugin() == identity.plugin());
        return Ok(IdentityKey::Plugin(identity, recipient));
    }
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    Err(match upper.as_str() {
        upper if upper.starts_with("AGE-SECRET-KEY-") && !upper.starts_with("AGE-SECRET-KEY-1") => {
            IdentityError::Unsupported { line }
        }
        upper if upper.starts_with("-----BEGIN") && upper.contains("PRIVATE KEY") => IdentityError::Ssh,
        upper if upper.starts_with("AGE1") => IdentityError::PublicKey { line },
        _ => IdentityError::InvalidLine { line },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_identity_parses_with_its_public_key() {
        let now: Timestamp = "2026-11-23T17:04:00.5Z".parse().unwrap();
        let (one, public) = Identities::generate(now);
        assert!(
            one.reveal()
                .starts_with(&format!("# created: 2026-11-23T17:04:00Z\n# public key: {public}\nAGE-SECRET-KEY-1"))
        );
        let (other, second) = Identities::generate(now);
        let both = format!("\u{feff}{}\r\n\r\n  {}", one.reveal().replace('\n', "\r\n"), other.reveal());
        assert_eq!(Identities::parse(&both).unwrap().public_keys(), [public, second]);
    }

    #[test]
    fn errors_give_the_line_number_but_no_text() {
        let (valid, _) = Identities::generate(Timestamp::UNIX_EPOCH);
        let damaged = valid.reveal().replace("KEY-1", "KEY-1Q");
        for (text, error) in [
            ("", IdentityError::NoKey),
            ("# a comment\n\n", IdentityError::NoKey),
            ("\n\ncanary", IdentityError::InvalidLine { line: 3 }),
            (damaged.as_str(), IdentityError::InvalidLine { line: 3 }),
            ("#\nAGE-PLUGIN-YUBIKEY-1QQQ", IdentityError::InvalidLine { line: 2 }),
            ("AGE-SECRET-KEY-PQ-1QQQ", IdentityError::Unsupported { line: 1 }),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", IdentityError::Ssh),
            ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", IdentityError::PublicKey { line: 1 }),
        ] {
            let found = Identities::parse(text).map(|_| ()).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("canary"), "{found}");
        }
    }
}
