//! Binding of a secret to the public fields of its profile, and the differences between two bindings.

use super::{CredentialId, NetoSecret};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::profile::{ApiUrl, Profile, ProfileName, SealedNote, hex};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Largest file of root certificates, in bytes; the system's own file has about 250 KiB.
const CA_FILE_CAP: u64 = 4 * 1024 * 1024;

/// Account that a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// An API key of a tenant.
    ApiKey {
        /// Shortname of the tenant.
        shortname: String,
        /// Name of the API key.
        appname: String,
    },
    /// A person.
    Person {
        /// Name that the person logs in with.
        username: String,
    },
}

/// Profile fields that a sealed secret repeats. These fields must not change unless the secret is sealed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Name of the profile.
    pub profile: ProfileName,
    /// API URL that the credential may be sent to.
    pub url: ApiUrl,
    /// Account of the credential.
    pub account: Account,
    /// SHA-256, in hex, of the contents of the profile's `ca_file`; `None` if the profile has no `ca_file`.
    pub ca_sha256: Option<String>,
}

/// Reasons why no binding can be computed for a profile.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The profile lacks a field that a credential requires.
    #[error("the profile '{profile}' declares no {field}")]
    Missing {
        /// Name of the profile.
        profile: ProfileName,
        /// Key of the missing field.
        field: &'static str,
    },
    /// The file of root certificates cannot be read.
    #[error("the ca_file of the profile '{profile}' cannot be used: {error}")]
    CaFile {
        /// Name of the profile.
        profile: ProfileName,
        /// Reason why the file cannot be read.
        error: DiskError,
    },
}

/// Field in which a secret and its profile differ. Values of these fields are never secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingDifference {
    /// Key of the field.
    pub field: &'static str,
    /// Value that belongs to the secret; `None` if the secret has no such field.
    pub in_secret: Option<String>,
    /// Value that the profile declares now; `None` if the profile has no such field.
    pub declared: Option<String>,
}

/// Error for a secret that does not belong to its profile as declared now; holds at least one difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Fields in which the secret and the profile differ.
    pub differences: Vec<BindingDifference>,
}

impl Account {
    /// Returns the account that `profile` declares.
    ///
    /// # Errors
    /// [`BindingError::Missing`] names the missing field.
    pub fn from_profile(profile: &Profile) -> Result<Self, BindingError> {
        if let Some(username) = &profile.username {
            return Ok(Self::Person { username: username.clone() });
        }
        let field = |field, value: &Option<String>| {
            value.clone().ok_or_else(|| BindingError::Missing { profile: profile.name.clone(), field })
        };
        let shortname = field("shortname", &profile.shortname)?;
        Ok(Self::ApiKey { shortname, appname: field("appname", &profile.appname)? })
    }

    fn fields(&self) -> [Option<&str>; 3] {
        match self {
            Self::ApiKey { shortname, appname } => [Some(shortname), Some(appname), None],
            Self::Person { username } => [None, None, Some(username)],
        }
    }
}

impl Binding {
    /// Computes the binding of `profile` as declared now; reads the profile's `ca_file`.
    ///
    /// # Errors
    /// [`BindingError`] when a field is missing or the file cannot be read.
    pub fn from_profile(profile: &Profile) -> Result<Self, BindingError> {
        let account = Account::from_profile(profile)?;
        let ca = profile.ca_file.as_ref().map(|path| {
            let rules = ReadRules { cap: CA_FILE_CAP, privacy: Privacy::Any };
            let bytes = disk::read(path, rules);
            bytes.map_err(|error| BindingError::CaFile { profile: profile.name.clone(), error })
        });
        let ca_sha256 = ca.transpose()?.map(|bytes| hex(&Sha256::digest(bytes)));
        Ok(Self { profile: profile.name.clone(), url: profile.url.clone(), account, ca_sha256 })
    }

    /// Returns the fields in which `self` (stored with a secret) and `declared` (the profile now) differ.
    pub(super) fn differences(&self, declared: &Self) -> Vec<BindingDifference> {
        let [shortname, appname, username] = self.account.fields();
        let [shortname_now, appname_now, username_now] = declared.account.fields();
        let (url, url_now) = (self.url.to_string(), declared.url.to_string());
        let fields = [
            ("name", Some(self.profile.as_str()), Some(declared.profile.as_str())),
            ("url", Some(url.as_str()), Some(url_now.as_str())),
            ("shortname", shortname, shortname_now),
            ("appname", appname, appname_now),
            ("username", username, username_now),
            ("ca_file", self.ca_sha256.as_deref(), declared.ca_sha256.as_deref()),
        ];
        unequal_fields(&fields)
    }
}

impl Mismatch {
    /// Fails if `differences` is not empty.
    pub(super) fn ensure_none(differences: Vec<BindingDifference>) -> Result<(), Self> {
        if differences.is_empty() { Ok(()) } else { Err(Self { differences }) }
    }
}

/// Returns the entries of (field, value in the secret, declared value) whose values differ.
pub(super) fn unequal_fields(fields: &[(&'static str, Option<&str>, Option<&str>)]) -> Vec<BindingDifference> {
    let owned = |value: Option<&str>| value.map(str::to_owned);
    let unequal = fields.iter().filter(|(_, in_secret, declared)| in_secret != declared);
    let difference = |(field, in_secret, declared): &(&'static str, Option<&str>, Option<&str>)| BindingDifference {
        field,
        in_secret: owned(*in_secret),
        declared: owned(*declared),
    };
    unequal.map(difference).collect()
}

/// Returns the fields in which a NETOSECRET and `profile` differ.
pub(super) fn compare_netosecret(secret: &NetoSecret, profile: &Profile) -> Vec<BindingDifference> {
    let (url, url_now) = (secret.url.to_string(), profile.url.to_string());
    unequal_fields(&[
        ("url", Some(&url), Some(&url_now)),
        ("shortname", Some(&secret.shortname), profile.shortname.as_deref()),
        ("appname", Some(&secret.appname), profile.appname.as_deref()),
        ("username", None, profile.username.as_deref()),
    ])
}

/// Returns the fields in which a sealed payload and the plaintext `sealed` table beside it differ.
pub(super) fn compare_note(id: &CredentialId, to: &str, note: Option<&SealedNote>) -> Vec<BindingDifference> {
    let (note_id, note_to) = (note.map(|note| note.id.as_str()), note.map(|note| note.to.as_str()));
    unequal_fields(&[("sealed.id", Some(id.as_str()), note_id), ("sealed.to", Some(to), note_to)])
}

impl fmt::Display for BindingDifference {
    /// Completes a phrase such as "bound to another": `url ('x', while the profile declares 'y')`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted =
            |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |value| format!("'{value}'"));
        write!(f, "{} ({}, while the profile declares {})", self.field, quoted(&self.in_secret), quoted(&self.declared))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.differences.iter().enumerate() {
            write!(f, "{}{difference}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
pub(super) mod tests;
