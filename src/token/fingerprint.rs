//! Fingerprint of everything a token was issued for. If any part changes, the token is not used again.

use crate::profile::{ApiUrl, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 over url, account and credential, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Computes the fingerprint. `account` is shortname and appname, or username. `credential` is the credential's id,
    /// or the declaration of the secret source. No argument is a secret.
    #[must_use]
    pub fn of(url: &ApiUrl, account: &[&str], credential: &[&str]) -> Self {
        let mut hash = Sha256::new();
        let groups: [&[&str]; 3] = [&[&url.with_version()], account, credential];
        for group in groups {
            // Each list and part is preceded by its length, so that different lists never give the same bytes.
            hash.update((group.len() as u64).to_be_bytes());
            for part in group {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        Self(hex(&hash.finalize()))
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
