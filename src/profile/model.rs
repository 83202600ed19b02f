//! Parsed content of a store: recipients, defaults and profiles. An invalid profile is represented by its fault, so
//! that the other profiles stay usable.

use super::{ApiUrl, Excerpt, Fault, ProfileName, RecipientName, Span};
use crate::disk::StampedRead;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Content of a store file.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// Whether a profile must be selected explicitly: the current profile and the store's only profile are then not
    /// used.
    pub explicit: bool,
    /// Recipients: name to age public key, as written in the file.
    pub recipients: BTreeMap<RecipientName, String>,
    /// Settings that every profile inherits.
    pub defaults: Defaults,
    /// Profiles in the order of the file.
    pub profiles: Vec<ProfileEntry>,
    /// Stamp of the file that the store was read from. `None` if the store was not read from a file, or if the system
    /// cannot provide a stamp.
    pub stamped_read: Option<StampedRead>,
}

/// Settings that both `[defaults]` and a profile can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// URL of the API.
    pub url: Option<ApiUrl>,
    /// Length of the period before expiry in which a token counts as stale.
    pub leeway: Option<Span>,
    /// Time limit of one request, including its retries.
    pub timeout: Option<Span>,
    /// Absolute path of a file with extra root certificates.
    pub ca_file: Option<PathBuf>,
    /// Additional environment variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// Recipients to which the secrets are encrypted.
    pub recipients: Option<Vec<RecipientName>>,
}

/// Table `[profiles.NAME]`.
#[derive(Debug, Clone)]
pub struct ProfileEntry {
    /// Name of the profile. An invalid name is a fault of the whole file, not of the profile.
    pub name: ProfileName,
    /// Profile with the defaults filled in, or the first fault of the profile.
    pub profile: Result<Profile, Fault>,
}

/// Profile with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Name of the profile.
    pub name: ProfileName,
    /// URL of the API.
    pub url: ApiUrl,
    /// Shortname of the tenant; absent if `username` is present. Required for a sealed API key.
    pub shortname: Option<String>,
    /// Name of the API key; absent if `username` is present. Required for a sealed API key.
    pub appname: Option<String>,
    /// User name for logging in with a password instead of an API key.
    pub username: Option<String>,
    /// Tags for selecting profiles, in the order of the file.
    pub tags: Vec<String>,
    /// Free text for people who read the list of profiles.
    pub description: Option<String>,
    /// Whether neto asks for confirmation before API calls that write, and before it starts a decoy that can write.
    pub protected: bool,
    /// Length of the period before expiry in which a token counts as stale; default: 60 s.
    pub leeway: Span,
    /// Time limit of one request, including its retries; default: 30 s.
    pub timeout: Span,
    /// Absolute path of a file with extra root certificates.
    pub ca_file: Option<PathBuf>,
    /// Additional environment variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// Recipients to which the secret is encrypted; `None` means all recipients of the store.
    pub recipients: Option<Vec<RecipientName>>,
    /// Location of the secret.
    pub secret: SecretLocation,
    /// Metadata of the sealed secret; required if the secret is sealed.
    pub sealed: Option<SealedNote>,
}

/// Value of an additional environment variable, with placeholders. The placeholders are `{token}`, `{url}`,
/// `{shortname}`, `{appname}`, `{profile}` and, with `--with-secret`, `{appkey}` and `{sharedsecret}`. Any other brace
/// is literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvTemplate(pub String);

/// Location of a profile's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretLocation {
    /// No secret: the profile is a skeleton.
    None,
    /// Plaintext in the store, until `neto seal` encrypts it. Holds the keys that are present, but not their values.
    #[serde(rename = "Clear")]
    Plaintext(Vec<PlaintextKey>),
    /// Encrypted in the store. Holds the text of the armored age file.
    Sealed(Excerpt),
    /// Printed by a program that neto runs without a shell. Holds the program and its arguments.
    Command(Vec<String>),
    /// In the file at this path. A relative path in the store is joined to the store's directory.
    File(PathBuf),
    /// In the environment variable of this name.
    Env(String),
}

/// Keys that can hold a plaintext secret until `neto seal` encrypts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlaintextKey {
    /// NETOSECRET, which contains the whole credential.
    Netosecret,
    /// API key.
    Appkey,
    /// Shared secret of the tenant.
    Sharedsecret,
    /// Password of the profile's `username`.
    Password,
}

/// Table `sealed`: metadata that lets neto list and check a sealed secret without decrypting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedNote {
    /// Random id of the credential, 16 hex digits. Sealing the same credential again keeps the id.
    pub id: String,
    /// First 16 hex digits of the SHA-256 of the sorted recipient keys.
    pub to: String,
    /// Day on which the credential was first sealed.
    pub since: Date,
}

impl PlaintextKey {
    /// All keys.
    pub const ALL: [Self; 4] = [Self::Netosecret, Self::Appkey, Self::Sharedsecret, Self::Password];

    /// Returns the name of the key in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Netosecret => "netosecret",
            Self::Appkey => "appkey",
            Self::Sharedsecret => "sharedsecret",
            Self::Password => "password",
        }
    }
}

impl Profile {
    /// Leeway if neither the profile nor `[defaults]` declares a leeway.
    pub const DEFAULT_LEEWAY: Span = Span::from_seconds(60);
    /// Timeout if neither the profile nor `[defaults]` declares a timeout.
    pub const DEFAULT_TIMEOUT: Span = Span::from_seconds(30);
}

impl SecretLocation {
    /// Returns the label that `profile list` shows for the location.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Plaintext(_) => "clear",
            Self::Sealed(_) => "sealed",
            Self::Command(_) => "command",
            Self::File(_) => "file",
            Self::Env(_) => "env",
        }
    }
}

impl Store {
    /// Returns the entry of the profile `name`, if the store declares this profile.
    #[must_use]
    pub fn entry(&self, name: &ProfileName) -> Option<&ProfileEntry> {
        self.profiles.iter().find(|entry| entry.name == *name)
    }

    /// Returns the profile names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &ProfileName> {
        self.profiles.iter().map(|entry| &entry.name)
    }

    /// Returns the first valid profile with the API key `appname` and with the `shortname` and URL of `profile`. The
    /// result can be `profile` itself.
    #[must_use]
    pub fn profile_with_key(&self, profile: &Profile, appname: &str) -> Option<&Profile> {
        self.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()).find(|other| {
            other.appname.as_deref() == Some(appname)
                && other.shortname == profile.shortname
                && other.url == profile.url
        })
    }

    /// Returns the public keys to which the secret of `profile` should be encrypted, sorted and without duplicates.
    /// Skips recipient names that the store does not declare; the parser already rejects profiles with undeclared
    /// names.
    #[must_use]
    pub fn recipient_keys(&self, profile: &Profile) -> Vec<String> {
        let mut keys: Vec<String> = match &profile.recipients {
            None => self.recipients.values().cloned().collect(),
            Some(names) => names.iter().filter_map(|name| self.recipients.get(name).cloned()).collect(),
        };
        keys.sort();
        keys.dedup();
        keys
    }
}

/// Returns up to three candidates that are similar to `text`, best match first. The upper limit for the edit distance
/// is a third of the characters of `text`, but at least 1. A candidate that starts with `text` has distance 1.
pub fn near_matches<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let text = text.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&text, candidate);
    let limit = (text.chars().count() / 3).max(1);
    let mut matches: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let has_prefix = !text.is_empty() && candidate.starts_with(&text);
            (if has_prefix { 1 } else { distance(candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    matches.sort_unstable();
    matches.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}
