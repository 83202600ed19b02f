//! Trust store: the profile declarations, recipient keys and API addresses that this machine has trusted.
//! A declaration that was trusted once stays trusted, so declarations are added, not replaced.

use super::Json;
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use crate::profile::{ApiUrl, Profile, ProfileName, RecipientName, SecretLocation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Largest trust file, in bytes; enough for about 100,000 declarations.
const TRUST_FILE_CAP: u64 = 64 * 1024 * 1024;

/// File version that this program writes and reads.
const VERSION: u8 = 1;

/// Everything that this machine has trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustStore {
    /// Trusted declarations by profile name, the latest last.
    profiles: BTreeMap<String, Vec<TrustFields>>,
    /// Trusted recipients, the latest last.
    recipients: Vec<TrustedRecipient>,
    /// API addresses that were trusted without a profile: those in the store's `[defaults]`.
    addresses: BTreeSet<String>,
}

/// Trusted public key, with the recipient's name at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedRecipient {
    name: String,
    key: String,
}

/// Trust status of a profile as declared now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustStatus {
    /// The declaration is trusted.
    Trusted,
    /// The profile was never trusted before, and needs no external source. A sealed secret protects itself.
    FirstUse,
    /// The profile was trusted with other fields; holds the changes since the latest trusted declaration.
    Changed(Vec<TrustChange>),
    /// The profile was never trusted before, and its secret comes from this external source.
    UntrustedSource(String),
}

/// Profile field that differs from the trusted declaration. Values of these fields are never secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustChange {
    /// Key of the field in the profile store.
    pub field: String,
    /// Trusted value; `None` if the trusted declaration lacks the field.
    pub old: Option<String>,
    /// Value declared now; `None` if the profile lacks the field.
    pub new: Option<String>,
}

/// Reasons why the trust file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The trust file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The trust file has an unexpected format. neto neither guesses its meaning nor overwrites the file.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}

/// Declared fields of a profile that require trust, in the order of the trust file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFields {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shortname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<TrustSource>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TrustSource {
    Command(Vec<String>),
    File(String),
    Env(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    v: u8,
    profiles: BTreeMap<String, Vec<TrustFields>>,
    recipients: Vec<TrustedRecipient>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    addresses: BTreeSet<String>,
}

impl TrustStore {
    /// Loads the trust store; a missing file is an empty trust store.
    ///
    /// # Errors
    /// [`TrustError`] if the file exists and cannot be read, or has an unexpected format.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let bytes = match disk::read(path, ReadRules { cap: TRUST_FILE_CAP, privacy: Privacy::Own }) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        Self::parse(&bytes).ok_or_else(|| TrustError::Damaged(path.to_path_buf()))
    }

    /// Saves the trust store durably. The caller must have held the trust store's lock since loading.
    ///
    /// # Errors
    /// [`TrustError::Disk`]; the old file is then unchanged.
    pub fn save(&self, path: &Path) -> Result<(), TrustError> {
        let file = TrustFile {
            v: VERSION,
            profiles: self.profiles.clone(),
            recipients: self.recipients.clone(),
            addresses: self.addresses.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(|error| DiskError::Io {
            action: "write",
            path: path.to_path_buf(),
            source: error.into(),
        })?;
        bytes.push(b'\n');
        disk::replace(path, &bytes, Durability::Durable)?;
        disk::remove_stale_temp_files_beside(path);
        Ok(())
    }

    /// Returns whether this machine trusts `profile` as declared now.
    #[must_use]
    pub fn status(&self, profile: &Profile) -> TrustStatus {
        let declared = TrustFields::from_profile(profile);
        let trusted = self.profiles.get(profile.name.as_str()).map_or(&[][..], Vec::as_slice);
        if trusted.contains(&declared) {
            return TrustStatus::Trusted;
        }
        match (trusted.last(), &declared.source) {
            (Some(last), _) => TrustStatus::Changed(last.changes_to(&declared)),
            (None, Some(source)) => TrustStatus::UntrustedSource(source.to_string()),
            (None, None) => TrustStatus::FirstUse,
        }
    }

    /// Trusts `profile` as declared now.
    pub fn trust_profile(&mut self, profile: &Profile) {
        let declared = TrustFields::from_profile(profile);
        let trusted = self.profiles.entry(profile.name.to_string()).or_default();
        trusted.retain(|declaration| *declaration != declared);
        trusted.push(declared);
    }

    /// Trusts a public key as a recipient, under any name.
    pub fn trust_recipient(&mut self, name: &RecipientName, key: &str) {
        self.recipients.retain(|known| known.key != key);
        self.recipients.push(TrustedRecipient { name: name.to_string(), key: key.to_owned() });
    }

    /// Removes a recipient's key, so that the key needs trust again if it reappears in the profile store.
    pub fn forget_recipient(&mut self, key: &str) {
        self.recipients.retain(|known| known.key != key);
    }

    /// Trusts an API address.
    pub fn trust_address(&mut self, url: &ApiUrl) {
        self.addresses.insert(url.with_version());
    }

    /// Whether this machine trusts the address, on its own or as part of a profile.
    #[must_use]
    pub fn is_trusted_address(&self, url: &ApiUrl) -> bool {
        let url = url.with_version();
        self.addresses.contains(&url) || self.profiles.values().flatten().any(|known| known.url == url)
    }

    /// Returns the key that was trusted last under this name, for comparison with a new key.
    #[must_use]
    pub fn last_trusted_key(&self, name: &RecipientName) -> Option<&str> {
        self.recipients.iter().rfind(|known| known.name == name.as_str()).map(|known| known.key.as_str())
    }

    /// Whether this machine trusts the key as a recipient.
    #[must_use]
    pub fn is_trusted_recipient(&self, key: &str) -> bool {
        self.recipients.iter().any(|known| known.key == key)
    }

    /// Removes a profile's declarations, so that a new profile of the same name is not trusted.
    pub fn forget_profile(&mut self, profile: &ProfileName) {
        self.profiles.remove(profile.as_str());
    }

    /// Moves a profile's declarations to its new name.
    pub fn rename_profile(&mut self, from: &ProfileName, to: &ProfileName) {
        if let Some(known) = self.profiles.remove(from.as_str()) {
            self.profiles.insert(to.to_string(), known);
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        // `Json` rejects duplicate keys. serde would keep the last of them, and trust must not be ambiguous.
        Json::parse(text).ok()?;
        let file: TrustFile = serde_json::from_str(text).ok()?;
        let is_valid = file.v == VERSION && file.profiles.values().all(|known| !known.is_empty());
        is_valid.then_some(Self { profiles: file.profiles, recipients: file.recipients, addresses: file.addresses })
    }
}

impl TrustFields {
    fn from_profile(profile: &Profile) -> Self {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        Self {
            url: profile.url.with_version(),
            shortname: profile.shortname.clone(),
            appname: profile.appname.clone(),
            username: profile.username.clone(),
            ca_file: profile.ca_file.as_deref().map(path),
            source: match &profile.secret {
                SecretLocation::Command(argv) => Some(TrustSource::Command(argv.clone())),
                SecretLocation::File(file) => Some(TrustSource::File(path(file))),
                SecretLocation::Env(name) => Some(TrustSource::Env(name.clone())),
                SecretLocation::None | SecretLocation::Plaintext(_) | SecretLocation::Sealed(_) => None,
            },
        }
    }

    fn changes_to(&self, declared: &Self) -> Vec<TrustChange> {
        let source = |declaration: &Self| declaration.source.as_ref().map(ToString::to_string);
        let fields = [
            ("url", Some(self.url.clone()), Some(declared.url.clone())),
            ("shortname", self.shortname.clone(), declared.shortname.clone()),
            ("appname", self.appname.clone(), declared.appname.clone()),
            ("username", self.username.clone(), declared.username.clone()),
            ("ca_file", self.ca_file.clone(), declared.ca_file.clone()),
            ("secret", source(self), source(declared)),
        ];
        let changed = fields.into_iter().filter(|(_, old, new)| old != new);
        changed.map(|(field, old, new)| TrustChange { field: field.to_owned(), old, new }).collect()
    }
}

impl fmt::Display for TrustSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Each word is quoted, so that different commands never look the same.
            Self::Command(argv) => write!(f, "the command {argv:?}"),
            Self::File(path) => write!(f, "the file '{path}'"),
            Self::Env(name) => write!(f, "the variable '{name}'"),
        }
    }
}

impl fmt::Display for TrustChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let display = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{} was {}, is {}", self.field, display(&self.old), display(&self.new))
    }
}

#[cfg(test)]
mod tests;
