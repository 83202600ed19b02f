//! Parsed content of a store: recipients, defaults and profiles. A profile is valid or holds its fault.

use super::{ApiUrl, Excerpt, Fault, ProfileName, RecipientName, Span};
use crate::disk::StampedRead;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Content of a store file.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// Whether a profile must always be named: no current profile, no fallback to the only profile.
    pub explicit: bool,
    /// Recipients that can decrypt the secrets: name to age public key, as typed.
    pub recipients: BTreeMap<RecipientName, String>,
    /// Settings that every profile inherits.
    pub defaults: Defaults,
    /// Profiles in the order of the file.
    pub profiles: Vec<ProfileEntry>,
    /// Identity of the file that the store was read from. Absent if the store has another origin or the system cannot
    /// identify the file.
    pub stamped_read: Option<StampedRead>,
}

/// Settings in `[defaults]`. An absent setting has neto's own default, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// URL of the API.
    pub url: Option<ApiUrl>,
    /// Time before its expiry at which a token becomes stale.
    pub leeway: Option<Span>,
    /// Time limit of one request with its retries.
    pub timeout: Option<Span>,
    /// Absolute path of a file of extra root certificates.
    pub ca_file: Option<PathBuf>,
    /// Additional environment variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// Recipients that the profiles' secrets are encrypted to.
    pub recipients: Option<Vec<RecipientName>>,
}

/// One `[profiles.NAME]` table.
#[derive(Debug, Clone)]
pub struct ProfileEntry {
    /// Name of the profile, always valid: an invalid name fails the whole file.
    pub name: ProfileName,
    /// Profile with the defaults filled in, or its fault.
    pub profile: Result<Profile, Fault>,
}

/// Profile with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Name of the profile.
    pub name: ProfileName,
    /// URL of the API.
    pub url: ApiUrl,
    /// Shortname of the tenant. Present with `appname` for an API key; absent for a person.
    pub shortname: Option<String>,
    /// Name of the API key. May be absent in a skeleton, or before the secret is encrypted.
    pub appname: Option<String>,
    /// User name of a person who logs in; never together with `shortname` or `appname`.
    pub username: Option<String>,
    /// Labels for selection, in the order of the file.
    pub tags: Vec<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether calls that write need confirmation.
    pub protected: bool,
    /// Time before its expiry at which a token becomes stale; default: 60 s.
    pub leeway: Span,
    /// Time limit of one request with its retries; default: 30 s.
    pub timeout: Span,
    /// Absolute path of a file of extra root certificates.
    pub ca_file: Option<PathBuf>,
    /// Additional environment variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// Recipients that the secret is encrypted to; absent means all recipients of the store.
    pub recipients: Option<Vec<RecipientName>>,
    /// Location of the secret.
    pub secret: SecretLocation,
    /// Facts about an encrypted secret that are known without decrypting it.
    pub sealed: Option<SealedNote>,
}

/// Value of an additional variable. `{token}`, `{url}`, `{shortname}`, `{appname}`, `{profile}`, `{appkey}` and
/// `{sharedsecret}` are replaced; any other brace is literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvTemplate(pub String);

/// Location of a profile's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretLocation {
    /// No secret: the profile is a skeleton.
    None,
    /// Plaintext in the store, until `neto seal` encrypts it. Lists the keys that are present; their values stay in
    /// the text.
    #[serde(rename = "Clear")]
    Plaintext(Vec<PlaintextKey>),
    /// Encrypted in the store: an armored age file.
    Sealed(Excerpt),
    /// Printed by a program that is run without a shell. The first word is the program.
    Command(Vec<String>),
    /// In a file with an absolute path.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// Key that can hold a plaintext secret until `neto seal` encrypts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlaintextKey {
    /// Complete NETOSECRET.
    Netosecret,
    /// API key.
    Appkey,
    /// Signing secret of the account.
    Sharedsecret,
    /// Password of a person.
    Password,
}

/// Inline table `sealed`: facts that listing and checking need without decrypting the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedNote {
    /// 16 random hex digits that change only with a new credential.
    pub id: String,
    /// First 16 hex digits of the SHA-256 of the sorted recipient keys.
    pub to: String,
    /// Day on which the credential was first sealed.
    pub since: Date,
}

impl PlaintextKey {
    /// All keys, in the order in which they are looked for.
    pub const ALL: [Self; 4] = [Self::Netosecret, Self::Appkey, Self::Sharedsecret, Self::Password];

    /// Returns the key as the store spells it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Netosecret => "netosecret",
            Self::Appkey => "appkey",
            Self::Sharedsecret => "sharedsecret",
            Self::Password => "password",
        }
    }
}

impl Profile {
    /// Leeway of a profile that declares none.
    pub const DEFAULT_LEEWAY: Span = Span::from_seconds(60);
    /// Timeout of a profile that declares none.
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

    /// Whether the NETOSECRET is read from outside the store at login.
    #[must_use]
    pub fn is_source(&self) -> bool {
        matches!(self, Self::Command(_) | Self::File(_) | Self::Env(_))
    }
}

impl Store {
    /// Returns the entry of the profile `name`.
    #[must_use]
    pub fn entry(&self, name: &ProfileName) -> Option<&ProfileEntry> {
        self.profiles.iter().find(|entry| entry.name == *name)
    }

    /// Returns the profile names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &ProfileName> {
        self.profiles.iter().map(|entry| &entry.name)
    }

    /// Returns a profile that has the API key `appname` and the tenant and URL of `profile`.
    #[must_use]
    pub fn profile_with_key(&self, profile: &Profile, appname: &str) -> Option<&Profile> {
        self.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()).find(|other| {
            other.appname.as_deref() == Some(appname)
                && other.shortname == profile.shortname
                && other.url == profile.url
        })
    }

    /// Returns the public keys that the secret of `profile` is to be encrypted to today, sorted and without
    /// duplicates. Skips names that the store does not declare; the parser rejects them earlier.
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

/// Returns at most three candidates that are similar to the mistyped `text`, best first.
pub fn near_matches<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let text = text.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&text, candidate);
    let limit = (text.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let prefix = !text.is_empty() && candidate.starts_with(&text);
            (if prefix { 1 } else { distance(candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}
