//! What a token was issued for, as one value: when any of it changes, the token is not used again.

use crate::profile::ApiUrl;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The SHA-256 over url, account and credential, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// `account` is shortname and appname, or username; `credential` is the credential's id, or the
    /// declaration of the source that yields it. Never a secret.
    #[must_use]
    pub fn of(url: &ApiUrl, account: &[&str], credential: &[&str]) -> Self {
        let mut hash = Sha256::new();
        let groups: [&[&str]; 3] = [&[&url.with_version()], account, credential];
        for group in groups {
            // Lengths first, so that no two lists of parts run into the same bytes.
            hash.update((group.len() as u64).to_be_bytes());
            for part in group {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)]));
        Self(hash.finalize().into_iter().flat_map(digits).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_its_place_counts() {
        let url: ApiUrl = "https://a.example".parse().unwrap();
        let base = Fingerprint::of(&url, &["acme", "soc"], &["id"]);
        assert_eq!(base, Fingerprint::of(&"https://A.example/api/v1/".parse().unwrap(), &["acme", "soc"], &["id"]));
        for other in [
            Fingerprint::of(&"https://b.example".parse().unwrap(), &["acme", "soc"], &["id"]),
            Fingerprint::of(&url, &["acmes", "oc"], &["id"]),
            Fingerprint::of(&url, &["acme"], &["soc", "id"]),
            Fingerprint::of(&url, &["acme", "soc"], &["id2"]),
        ] {
            assert_ne!(base, other);
        }
    }
}
