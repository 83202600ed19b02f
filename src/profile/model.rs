//! The store as it is meant: recipients, defaults and profiles, each profile good or faulty.

use super::{ApiUrl, Excerpt, Fault, ProfileName, RecipientName, Span};
use crate::disk::Sighting;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that a store file declares.
#[derive(Debug, Clone, Default)]
pub struct Store {
    /// Whether a profile must always be named: no current one, no "only one there is".
    pub explicit: bool,
    /// Who can open the secrets: name to age public key, as typed.
    pub recipients: BTreeMap<RecipientName, String>,
    /// What every profile starts from.
    pub defaults: Defaults,
    /// The profiles in the order of the file.
    pub profiles: Vec<Entry>,
    /// The file that it was read from; absent where it comes from elsewhere, or the system cannot tell.
    pub seen: Option<Sighting>,
}

/// The `[defaults]`; what is absent has neto's own default, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The API's address.
    pub url: Option<ApiUrl>,
    /// How long before its expiry a token counts as stale.
    pub leeway: Option<Span>,
    /// How long one request with its retries may take.
    pub timeout: Option<Span>,
    /// A file of extra root certificates, absolute.
    pub ca_file: Option<PathBuf>,
    /// Further variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// The recipients that profiles are sealed to.
    pub recipients: Option<Vec<RecipientName>>,
}

/// One `[profiles.NAME]`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, good in any case: a bad one fails the whole file.
    pub name: ProfileName,
    /// What it declares with the defaults filled in, or what is wrong with it.
    pub profile: Result<Profile, Fault>,
}

/// A profile as it holds after the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// The API's address.
    pub url: ApiUrl,
    /// The tenant. Present with `appname` for an API key; absent for a person.
    pub shortname: Option<String>,
    /// The API key's name. A skeleton, or a profile still to be sealed, may lack it.
    pub appname: Option<String>,
    /// Who signs in, for a profile of a person; never beside `shortname` or `appname`.
    pub username: Option<String>,
    /// Labels for selection, in the order of the file.
    pub tags: Vec<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether writing calls ask first.
    pub protected: bool,
    /// How long before its expiry a token counts as stale; 60 s unless declared.
    pub leeway: Span,
    /// How long one request with its retries may take; 30 s unless declared.
    pub timeout: Span,
    /// A file of extra root certificates, absolute.
    pub ca_file: Option<PathBuf>,
    /// Further variables to export.
    pub env: BTreeMap<String, EnvTemplate>,
    /// The recipients that it is sealed to; absent means all of the store.
    pub recipients: Option<Vec<RecipientName>>,
    /// Where its secret is.
    pub secret: SecretPlace,
    /// What is known of a sealed secret without opening it.
    pub sealed: Option<SealedNote>,
}

/// The value of a further variable, in which `{token}`, `{url}`, `{shortname}`, `{appname}`,
/// `{profile}`, `{appkey}` and `{sharedsecret}` are replaced; any other brace is itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvTemplate(pub String);

/// Where the secret of a profile is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPlace {
    /// Nowhere: the profile is a skeleton.
    None,
    /// In clear in the store, until `neto seal`. These keys are there; their values stay in the text.
    Clear(Vec<ClearKey>),
    /// Sealed: an armored age file.
    Sealed(Excerpt),
    /// Printed by a program that is run without a shell; the first word is the program.
    Command(Vec<String>),
    /// In a file, absolute.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// A key under which a secret may stand in clear until it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClearKey {
    /// A whole NETOSECRET.
    Netosecret,
    /// The API key.
    Appkey,
    /// The account's signing secret.
    Sharedsecret,
    /// A person's password.
    Password,
}

/// The inline table `sealed`: what listing and checking need without opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedNote {
    /// 16 hex digits, random, new only with a new credential.
    pub id: String,
    /// First 16 hex digits of the SHA-256 of the sorted recipient keys.
    pub to: String,
    /// The day the credential came.
    pub since: Date,
}

impl ClearKey {
    /// All of them, in the order they are looked for.
    pub const ALL: [Self; 4] = [Self::Netosecret, Self::Appkey, Self::Sharedsecret, Self::Password];

    /// The key as the store has it.
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
    /// How long before its expiry a token counts as stale, unless declared.
    pub const USUAL_LEEWAY: Span = Span::from_seconds(60);
    /// How long one request with its retries may take, unless declared.
    pub const USUAL_TIMEOUT: Span = Span::from_seconds(30);
}

impl SecretPlace {
    /// The word that `profile list` shows for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Clear(_) => "clear",
            Self::Sealed(_) => "sealed",
            Self::Command(_) => "command",
            Self::File(_) => "file",
            Self::Env(_) => "env",
        }
    }

    /// Whether a NETOSECRET comes from elsewhere at login.
    #[must_use]
    pub fn is_source(&self) -> bool {
        matches!(self, Self::Command(_) | Self::File(_) | Self::Env(_))
    }
}

impl Store {
    /// The entry of that name.
    #[must_use]
    pub fn entry(&self, name: &ProfileName) -> Option<&Entry> {
        self.profiles.iter().find(|entry| entry.name == *name)
    }

    /// The names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &ProfileName> {
        self.profiles.iter().map(|entry| &entry.name)
    }

    /// A profile that has the API key `appname` of the tenant of `profile`.
    #[must_use]
    pub fn user_of(&self, profile: &Profile, appname: &str) -> Option<&Profile> {
        self.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()).find(|other| {
            other.appname.as_deref() == Some(appname)
                && other.shortname == profile.shortname
                && other.url == profile.url
        })
    }

    /// The public keys that `profile` is to be sealed to today, sorted and without repeats;
    /// a name that the store does not know is left out (the parser refuses it before).
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

/// The candidates that a mistyped `text` may have meant, best first, at most three.
pub fn near<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
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
