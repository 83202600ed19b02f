//! Binding of a secret to the public fields of its profile, and the differences between two bindings.
//!
//! A binding prevents a sealed secret from being used with a profile that was changed, for example to another URL.
//! Compares public values only. The only file that this module reads is the profile's `ca_file`.

use super::{CredentialId, NetoSecret};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::profile::{ApiUrl, Profile, ProfileName, SealedNote, hex};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Maximum size of a `ca_file`. For comparison, an operating system's root certificates take about 250 KiB.
const MAX_CA_FILE_BYTES: u64 = 4 * 1024 * 1024;

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
    /// A user account, with a user name and a password.
    Person {
        /// Name that the user logs in with.
        username: String,
    },
}

/// Profile fields that are also stored inside the sealed secret. If one of them changes, the secret must be sealed
/// again.
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
    /// The profile has neither a username nor this field of an API key.
    #[error("the profile '{profile}' declares no {field}")]
    Missing {
        /// Name of the profile.
        profile: ProfileName,
        /// Key of the missing field.
        field: &'static str,
    },
    /// The profile's `ca_file` cannot be read.
    #[error("the ca_file of the profile '{profile}' cannot be used: {error}")]
    CaFile {
        /// Name of the profile.
        profile: ProfileName,
        /// Error while reading the file.
        error: DiskError,
    },
}

/// Public field in which a secret and its profile differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingDifference {
    /// Key of the field.
    pub field: &'static str,
    /// Value stored with the secret; `None` if the secret has no such field.
    pub in_secret: Option<String>,
    /// Value in the profile now; `None` if the profile has no such field.
    pub declared: Option<String>,
}

/// Error for a secret that does not match its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Fields in which the secret and the profile differ; at least one.
    pub differences: Vec<BindingDifference>,
}

impl Account {
    /// Returns the account of `profile`: a user account if the profile has a username, otherwise an API key.
    ///
    /// # Errors
    /// Returns [`BindingError::Missing`] if an API key lacks its shortname or its appname.
    pub fn from_profile(profile: &Profile) -> Result<Self, BindingError> {
        if let Some(username) = &profile.username {
            return Ok(Self::Person { username: username.clone() });
        }
        let required = |field, value: &Option<String>| {
            value.clone().ok_or_else(|| BindingError::Missing { profile: profile.name.clone(), field })
        };
        let shortname = required("shortname", &profile.shortname)?;
        Ok(Self::ApiKey { shortname, appname: required("appname", &profile.appname)? })
    }

    /// Returns the values of shortname, appname and username.
    fn field_values(&self) -> [Option<&str>; 3] {
        match self {
            Self::ApiKey { shortname, appname } => [Some(shortname), Some(appname), None],
            Self::Person { username } => [None, None, Some(username)],
        }
    }
}

impl Binding {
    /// Computes the binding of `profile`, reading and hashing the profile's `ca_file` if the profile has one.
    ///
    /// # Errors
    /// Returns [`BindingError::Missing`] if an API key lacks its shortname or its appname. Returns
    /// [`BindingError::CaFile`] if the `ca_file` cannot be read or is larger than 4 MiB.
    pub fn from_profile(profile: &Profile) -> Result<Self, BindingError> {
        let account = Account::from_profile(profile)?;
        let ca_bytes = profile.ca_file.as_ref().map(|path| {
            let rules = ReadRules { cap: MAX_CA_FILE_BYTES, privacy: Privacy::Any };
            let bytes = disk::read(path, rules);
            bytes.map_err(|error| BindingError::CaFile { profile: profile.name.clone(), error })
        });
        let ca_sha256 = ca_bytes.transpose()?.map(|bytes| hex(&Sha256::digest(bytes)));
        Ok(Self { profile: profile.name.clone(), url: profile.url.clone(), account, ca_sha256 })
    }

    /// Returns the fields in which `self`, the binding stored with a secret, differs from `declared`, the profile's
    /// binding.
    pub(super) fn differences(&self, declared: &Self) -> Vec<BindingDifference> {
        let [shortname, appname, username] = self.account.field_values();
        let [shortname_now, appname_now, username_now] = declared.account.field_values();
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
    /// Returns a [`Mismatch`] error if `differences` is not empty.
    pub(super) fn ensure_none(differences: Vec<BindingDifference>) -> Result<(), Self> {
        if differences.is_empty() { Ok(()) } else { Err(Self { differences }) }
    }
}

/// Returns a difference for each field whose two values are unequal. Each item of `fields` is a field's key, its value
/// in the secret, and its value in the profile.
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

/// Compares a payload's id and recipients tag with `note`, the profile's plaintext `sealed` table. Returns the fields
/// that differ.
pub(super) fn compare_sealed_note(
    id: &CredentialId,
    recipients_tag: &str,
    note: Option<&SealedNote>,
) -> Vec<BindingDifference> {
    let (note_id, note_tag) = (note.map(|note| note.id.as_str()), note.map(|note| note.to.as_str()));
    unequal_fields(&[("sealed.id", Some(id.as_str()), note_id), ("sealed.to", Some(recipients_tag), note_tag)])
}

impl fmt::Display for BindingDifference {
    /// Writes a phrase that completes a message: `url ('x', while the profile declares 'y')`.
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
