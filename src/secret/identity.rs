//! Identities: the keys that open secrets, as an age identity file holds them.
//!
//! What a passphrase protects is opened before it comes here.

use super::Secret;
use super::plugin::{PluginIdentity, PluginRecipient};
use age::secrecy::ExposeSecret as _;
use age::x25519;
use jiff::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// One key of an identity file.
#[derive(Clone)]
enum Key {
    /// `AGE-SECRET-KEY-1...`
    Native(x25519::Identity),
    /// `AGE-PLUGIN-NAME-1...`, and its public key where a comment above it tells that, as plugins write it.
    Plugin(PluginIdentity, Option<PluginRecipient>),
}

/// The keys of one identity file, at least one.
#[derive(Clone)]
pub struct Identities(Vec<Key>);

/// Why a text is no identity file that opens secrets here, said of "it". Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Comments and blank lines alone.
    #[error("it holds no key")]
    NoKey,
    /// A key of a kind that came after this program.
    #[error("line {line} is an age key of a kind that this version of neto does not know")]
    Unsupported {
        /// The line.
        line: usize,
    },
    /// A private key of SSH.
    #[error("it holds an SSH key, not an age identity")]
    Ssh,
    /// A public key where the secret one belongs.
    #[error("line {line} is a public key where the secret one belongs")]
    PublicKey {
        /// The line.
        line: usize,
    },
    /// Anything else.
    #[error("line {line} is no age key")]
    Line {
        /// The line.
        line: usize,
    },
}

impl Identities {
    /// Reads an age identity file: a key a line, comments with `#`, blank lines.
    ///
    /// # Errors
    /// [`IdentityError`] names the line, never what is in it.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut keys, mut told) = (Vec::new(), None);
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if let Some(comment) = line.strip_prefix('#') {
                told = comment.split_whitespace().last().and_then(|word| PluginRecipient::parse(word).ok()).or(told);
            } else if !line.is_empty() {
                keys.push(parse_key(line, index + 1, &mut told)?);
            }
        }
        if keys.is_empty() { Err(IdentityError::NoKey) } else { Ok(Self(keys)) }
    }

    /// A new key: the text of its identity file, as `age-keygen` writes it, and the public key.
    #[must_use]
    pub fn generate(now: Timestamp) -> (Secret, String) {
        let key = x25519::Identity::generate();
        let public = key.to_public().to_string();
        let created = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let secret = key.to_string();
        let secret = secret.expose_secret();
        let text = format!("# created: {created}\n# public key: {public}\n{secret}\n");
        (Secret::new(text), public)
    }

    /// The public keys that others seal to, in the order of the file; that of a plugin's key as far as the file tells it.
    #[must_use]
    pub fn public_keys(&self) -> Vec<String> {
        let public = |key: &Key| match key {
            Key::Native(identity) => Some(identity.to_public().to_string()),
            Key::Plugin(_, recipient) => recipient.as_ref().map(|recipient| recipient.as_str().to_owned()),
        };
        self.0.iter().filter_map(public).collect()
    }

    /// The keys that are in the file itself, as age takes them.
    pub(super) fn native(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().filter_map(|key| match key {
            Key::Native(identity) => Some(identity as &dyn age::Identity),
            Key::Plugin(..) => None,
        })
    }

    /// The keys that plugins hold.
    pub(super) fn of_plugins(&self) -> impl Iterator<Item = &PluginIdentity> {
        self.0.iter().filter_map(|key| match key {
            Key::Native(_) => None,
            Key::Plugin(identity, _) => Some(identity),
        })
    }

    /// The programs of the plugins that hold keys, such as `age-plugin-yubikey`, in the order of the file.
    #[must_use]
    pub fn programs(&self) -> Vec<String> {
        let mut programs: Vec<String> = self.of_plugins().map(|identity| identity.plugin().program()).collect();
        programs.dedup();
        programs
    }

    /// Whether a plugin holds one of the keys, so that opening may want a touch or a PIN each time.
    #[must_use]
    pub fn need_plugins(&self) -> bool {
        self.of_plugins().next().is_some()
    }

    /// The one native key; nothing when there are more.
    pub(super) fn into_only(mut self) -> Option<x25519::Identity> {
        let last = self.0.pop().filter(|_| self.0.is_empty());
        match last? {
            Key::Native(identity) => Some(identity),
            Key::Plugin(..) => None,
        }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key; `told` is the public key that the comments above it tell.
fn parse_key(text: &str, line: usize, told: &mut Option<PluginRecipient>) -> Result<Key, IdentityError> {
    if let Ok(identity) = text.parse() {
        return Ok(Key::Native(identity));
    }
    if let Ok(identity) = PluginIdentity::parse(text) {
        let own = told.take().filter(|recipient| recipient.plugin() == identity.plugin());
        return Ok(Key::Plugin(identity, own));
    }
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    Err(match upper.as_str() {
        upper if upper.starts_with("AGE-SECRET-KEY-") && !upper.starts_with("AGE-SECRET-KEY-1") => {
            IdentityError::Unsupported { line }
        }
        upper if upper.starts_with("-----BEGIN") && upper.contains("PRIVATE KEY") => IdentityError::Ssh,
        upper if upper.starts_with("AGE1") => IdentityError::PublicKey { line },
        _ => IdentityError::Line { line },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_identity_reads_back_with_its_public_key() {
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
    fn what_is_no_identity_is_told_by_line_alone() {
        let (good, _) = Identities::generate(Timestamp::UNIX_EPOCH);
        let damaged = good.reveal().replace("KEY-1", "KEY-1Q");
        for (text, error) in [
            ("", IdentityError::NoKey),
            ("# a comment\n\n", IdentityError::NoKey),
            ("\n\ncanary", IdentityError::Line { line: 3 }),
            (damaged.as_str(), IdentityError::Line { line: 3 }),
            ("#\nAGE-PLUGIN-YUBIKEY-1QQQ", IdentityError::Line { line: 2 }),
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
