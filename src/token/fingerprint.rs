//! Fingerprint of the URL, account and credential that a token was issued for. A cached token is used only while its
//! fingerprint equals the fingerprint of the profile.

use crate::profile::{ApiUrl, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 of URL, account and the description of the credential, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Computes the fingerprint. `account` holds the shortname and appname, or the username.
    ///
    /// `credential` describes the credential but contains no secret: the kind of its source, then an id, command, path
    /// or variable name. For the environment profile a keyed tag of the secret follows.
    #[must_use]
    pub fn of(url: &ApiUrl, account: &[&str], credential: &[&str]) -> Self {
        let mut hash = Sha256::new();
        let groups: [&[&str]; 3] = [&[&url.with_version()], account, credential];
        for group in groups {
            // Each list and each part is preceded by its length, so that different arguments never give the same bytes.
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
    fn every_argument_and_its_position_changes_the_fingerprint() {
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
