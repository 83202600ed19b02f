//! Trust store: the profile declarations, recipient keys and API URLs that this machine trusts.
//!
//! Protects against changes to a shared profile store. A profile may switch between trusted declarations, so a new
//! declaration does not replace an older one. Does not ask the user and does not lock the file.

use super::Json;
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use crate::profile::{ApiUrl, Profile, ProfileName, RecipientName, SecretLocation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Maximum size of the trust file, enough for about 100,000 declarations.
const MAX_TRUST_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// File version that this program writes and reads.
const VERSION: u8 = 1;

/// Everything that this machine trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustStore {
    /// Trusted declarations by profile name, the most recently trusted last.
    profiles: BTreeMap<String, Vec<TrustRelevantFields>>,
    /// Trusted recipients, the most recently trusted last.
    recipients: Vec<TrustedRecipient>,
    /// API URLs that are trusted without a profile: URLs in the `[defaults]` of the profile store.
    urls: BTreeSet<String>,
}

/// Trusted public key, with the recipient's name when the key was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedRecipient {
    name: String,
    key: String,
}

/// Trust status of a profile with its current declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustStatus {
    /// The declaration is trusted.
    Trusted,
    /// No declaration of the profile is trusted yet, and the profile has no external source. The user need not confirm,
    /// because a sealed secret is bound to its profile.
    FirstUse,
    /// Only other declarations of the profile are trusted. Holds the changes since the most recently trusted
    /// declaration.
    Changed(Vec<TrustChange>),
    /// No declaration of the profile is trusted yet, and the secret comes from this external source.
    UntrustedSource(String),
}

/// Public profile field that differs from the trusted declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustChange {
    /// Key of the field in the profile store.
    pub field: String,
    /// Trusted value; `None` if the trusted declaration lacks the field.
    pub old: Option<String>,
    /// Current value; `None` if the profile lacks the field.
    pub new: Option<String>,
}

/// Reasons why the trust file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The trust file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The trust file does not have the expected format. neto does not overwrite the file.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}

/// Declaration of a profile: the fields that require trust, in the order of the trust file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustRelevantFields {
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
    source: Option<ExternalSource>,
}

/// External source of a profile's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExternalSource {
    Command(Vec<String>),
    File(String),
    Env(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    v: u8,
    profiles: BTreeMap<String, Vec<TrustRelevantFields>>,
    recipients: Vec<TrustedRecipient>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    addresses: BTreeSet<String>,
}

impl TrustStore {
    /// Loads the trust store. A missing file counts as an empty trust store.
    ///
    /// # Errors
    /// Returns [`TrustError::Disk`] if the file exists but cannot be read, or [`TrustError::Damaged`] if the format is
    /// unexpected.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let bytes = match disk::read(path, ReadRules { cap: MAX_TRUST_FILE_BYTES, privacy: Privacy::Own }) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        Self::parse(&bytes).ok_or_else(|| TrustError::Damaged(path.to_path_buf()))
    }

    /// Saves the trust store durably. The caller must hold the trust store's lock from loading until saving, so that no
    /// other process's change is lost.
    ///
    /// # Errors
    /// Returns [`TrustError::Disk`] if writing fails. The file then has either its old or its new contents.
    pub fn save(&self, path: &Path) -> Result<(), TrustError> {
        let file = TrustFile {
            v: VERSION,
            profiles: self.profiles.clone(),
            recipients: self.recipients.clone(),
            addresses: self.urls.clone(),
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

    /// Returns the trust status of `profile` with its current declaration.
    #[must_use]
    pub fn status(&self, profile: &Profile) -> TrustStatus {
        let declared = TrustRelevantFields::from_profile(profile);
        let trusted = self.profiles.get(profile.name.as_str()).map_or(&[][..], Vec::as_slice);
        if trusted.contains(&declared) {
            return TrustStatus::Trusted;
        }
        match (trusted.last(), &declared.source) {
            (Some(last_trusted), _) => TrustStatus::Changed(last_trusted.changes_to(&declared)),
            (None, Some(source)) => TrustStatus::UntrustedSource(source.to_string()),
            (None, None) => TrustStatus::FirstUse,
        }
    }

    /// Trusts the current declaration of `profile`. Earlier declarations stay trusted.
    pub fn trust_profile(&mut self, profile: &Profile) {
        let declared = TrustRelevantFields::from_profile(profile);
        let trusted = self.profiles.entry(profile.name.to_string()).or_default();
        trusted.retain(|declaration| *declaration != declared);
        trusted.push(declared);
    }

    /// Trusts a public key as a recipient. The key is trusted under every name; `name` is stored for
    /// [`TrustStore::last_trusted_key`].
    pub fn trust_recipient(&mut self, name: &RecipientName, key: &str) {
        self.recipients.retain(|recipient| recipient.key != key);
        self.recipients.push(TrustedRecipient { name: name.to_string(), key: key.to_owned() });
    }

    /// Stops trusting a recipient's key. If the key reappears in the profile store, the user must trust the key again.
    pub fn forget_recipient(&mut self, key: &str) {
        self.recipients.retain(|recipient| recipient.key != key);
    }

    /// Trusts an API URL independently of profiles.
    pub fn trust_url(&mut self, url: &ApiUrl) {
        self.urls.insert(url.with_version());
    }

    /// Returns true if the URL is trusted independently of profiles, or is part of any profile's trusted declaration.
    #[must_use]
    pub fn is_trusted_url(&self, url: &ApiUrl) -> bool {
        let url = url.with_version();
        self.urls.contains(&url) || self.profiles.values().flatten().any(|declaration| declaration.url == url)
    }

    /// Returns the key that was most recently trusted under `name`. Returns `None` if no trusted key has this name.
    #[must_use]
    pub fn last_trusted_key(&self, name: &RecipientName) -> Option<&str> {
        let last_trusted = self.recipients.iter().rfind(|recipient| recipient.name == name.as_str());
        last_trusted.map(|recipient| recipient.key.as_str())
    }

    /// Returns true if this machine trusts `key` as a recipient.
    #[must_use]
    pub fn is_trusted_recipient(&self, key: &str) -> bool {
        self.recipients.iter().any(|recipient| recipient.key == key)
    }

    /// Removes a profile's declarations, so that a new profile of the same name is not trusted.
    pub fn forget_profile(&mut self, profile: &ProfileName) {
        self.profiles.remove(profile.as_str());
    }

    /// Moves the declarations of the profile `from` to the name `to`, replacing any declarations of `to`. Changes
    /// nothing if `from` has no declarations.
    pub fn rename_profile(&mut self, from: &ProfileName, to: &ProfileName) {
        if let Some(declarations) = self.profiles.remove(from.as_str()) {
            self.profiles.insert(to.to_string(), declarations);
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        // `Json::parse` rejects duplicate keys. serde would keep the last value of a duplicate map key, and trust must
        // not be ambiguous.
        Json::parse(text).ok()?;
        let file: TrustFile = serde_json::from_str(text).ok()?;
        let is_valid = file.v == VERSION && file.profiles.values().all(|declarations| !declarations.is_empty());
        is_valid.then_some(Self { profiles: file.profiles, recipients: file.recipients, urls: file.addresses })
    }
}

impl TrustRelevantFields {
    fn from_profile(profile: &Profile) -> Self {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        Self {
            url: profile.url.with_version(),
            shortname: profile.shortname.clone(),
            appname: profile.appname.clone(),
            username: profile.username.clone(),
            ca_file: profile.ca_file.as_deref().map(path),
            source: match &profile.secret {
                SecretLocation::Command(argv) => Some(ExternalSource::Command(argv.clone())),
                SecretLocation::File(file) => Some(ExternalSource::File(path(file))),
                SecretLocation::Env(name) => Some(ExternalSource::Env(name.clone())),
                SecretLocation::None | SecretLocation::Plaintext(_) | SecretLocation::Sealed(_) => None,
            },
        }
    }

    /// Returns the fields in which `declared` differs from this trusted declaration.
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

impl fmt::Display for ExternalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Debug formatting quotes each word, so that different commands never look the same.
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
