//! What a secret is bound to: the open fields of its profile, and how two of them differ.

use super::{CredentialId, NetoSecret};
use crate::disk::{self, DiskError, Privacy, Rules};
use crate::profile::{ApiUrl, Profile, ProfileName, SealedNote, hex};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The largest file of root certificates; the system's own has some 250 KiB.
const CA_FILE_CAP: u64 = 4 * 1024 * 1024;

/// Who a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// An API key of a tenant.
    ApiKey {
        /// The tenant.
        shortname: String,
        /// The key's name.
        appname: String,
    },
    /// A person.
    Person {
        /// Who signs in.
        username: String,
    },
}

/// The fields that a sealed secret repeats and that must not change without the one who sealed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The profile's name.
    pub profile: ProfileName,
    /// Where the credential may be sent.
    pub url: ApiUrl,
    /// Whose it is.
    pub account: Account,
    /// SHA-256, in hex, of what the profile's `ca_file` holds; `None` without one.
    pub ca_sha256: Option<String>,
}

/// Why a profile has nothing to bind to.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// A field that every profile with a credential has.
    #[error("the profile '{profile}' declares no {field}")]
    Missing {
        /// Which profile.
        profile: ProfileName,
        /// Which field.
        field: &'static str,
    },
    /// The file of root certificates cannot be read.
    #[error("the ca_file of the profile '{profile}' cannot be used: {error}")]
    CaFile {
        /// Which profile.
        profile: ProfileName,
        /// What is wrong with the file.
        error: DiskError,
    },
}

/// One field in which a secret and its profile do not agree. None of these fields is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field's key.
    pub field: &'static str,
    /// What goes with the secret; absent when the field is.
    pub held: Option<String>,
    /// What the profile declares today; absent when the field is.
    pub declared: Option<String>,
}

/// A secret that does not belong to the profile as it is declared; at least one difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where they differ.
    pub differences: Vec<Difference>,
}

impl Account {
    /// Whose credential `profile` declares.
    ///
    /// # Errors
    /// [`BindingError::Missing`] names the field that is not there.
    pub fn of(profile: &Profile) -> Result<Self, BindingError> {
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
    /// What a secret of `profile` is bound to today; reads the profile's `ca_file`.
    ///
    /// # Errors
    /// [`BindingError`] when a field is missing or the file cannot be read.
    pub fn of(profile: &Profile) -> Result<Self, BindingError> {
        let account = Account::of(profile)?;
        let ca = profile.ca_file.as_ref().map(|path| {
            let rules = Rules { cap: CA_FILE_CAP, privacy: Privacy::Any };
            let bytes = disk::read(path, rules);
            bytes.map_err(|error| BindingError::CaFile { profile: profile.name.clone(), error })
        });
        let ca_sha256 = ca.transpose()?.map(|bytes| hex(&Sha256::digest(bytes)));
        Ok(Self { profile: profile.name.clone(), url: profile.url.clone(), account, ca_sha256 })
    }

    /// Where `self`, which goes with a secret, and `declared` differ.
    pub(super) fn differences(&self, declared: &Self) -> Vec<Difference> {
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
        differing(&fields)
    }
}

impl Mismatch {
    /// A failure when there is any difference.
    pub(super) fn unless_equal(differences: Vec<Difference>) -> Result<(), Self> {
        if differences.is_empty() { Ok(()) } else { Err(Self { differences }) }
    }
}

/// Those of (field, held, declared) in which the two differ.
pub(super) fn differing(fields: &[(&'static str, Option<&str>, Option<&str>)]) -> Vec<Difference> {
    let unequal = fields.iter().filter(|(_, held, declared)| held != declared);
    let owned = |value: Option<&str>| value.map(str::to_owned);
    unequal
        .map(|(field, held, declared)| Difference { field, held: owned(*held), declared: owned(*declared) })
        .collect()
}

/// Where a NETOSECRET and the profile that it is to serve differ.
pub(super) fn compare(secret: &NetoSecret, profile: &Profile) -> Vec<Difference> {
    let (url, url_now) = (secret.url.to_string(), profile.url.to_string());
    differing(&[
        ("url", Some(&url), Some(&url_now)),
        ("shortname", Some(&secret.shortname), profile.shortname.as_deref()),
        ("appname", Some(&secret.appname), profile.appname.as_deref()),
        ("username", None, profile.username.as_deref()),
    ])
}

/// Where a seal and the note beside it in clear differ.
pub(super) fn compare_note(id: &CredentialId, to: &str, note: Option<&SealedNote>) -> Vec<Difference> {
    let (note_id, note_to) = (note.map(|note| note.id.as_str()), note.map(|note| note.to.as_str()));
    differing(&[("sealed.id", Some(id.as_str()), note_id), ("sealed.to", Some(to), note_to)])
}

impl fmt::Display for Difference {
    /// Reads on from "bound to another" and the like: `url ('x', while the profile declares 'y')`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |value: &Option<String>| value.as_ref().map_or_else(|| "none".to_owned(), |value| format!("'{value}'"));
        write!(f, "{} ({}, while the profile declares {})", self.field, shown(&self.held), shown(&self.declared))
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
pub(super) mod tests {
    use super::*;
    use crate::profile::{SecretPlace, Span};
    use std::collections::BTreeMap;

    /// A sealed profile that declares nothing of note.
    pub(in crate::secret) fn profile() -> Profile {
        Profile {
            name: "acme".parse().unwrap(),
            url: "https://api.example".parse().unwrap(),
            shortname: Some("acme".to_owned()),
            appname: Some("soc".to_owned()),
            username: None,
            tags: Vec::new(),
            description: None,
            protected: false,
            leeway: Span::from_seconds(60),
            timeout: Span::from_seconds(30),
            ca_file: None,
            env: BTreeMap::new(),
            recipients: None,
            secret: SecretPlace::Sealed(String::new().into()),
            sealed: None,
        }
    }

    #[test]
    fn every_bound_field_counts_and_is_named_with_both_values() {
        let sealed = Binding::of(&profile()).unwrap();
        assert_eq!(sealed.differences(&sealed), []);
        let other = |change: fn(&mut Profile)| {
            let mut profile = profile();
            change(&mut profile);
            let differences = sealed.differences(&Binding::of(&profile).unwrap());
            Mismatch::unless_equal(differences).unwrap_err().to_string()
        };
        assert_eq!(
            other(|profile| profile.url = "https://evil.example".parse().unwrap()),
            "url ('https://api.example/api/v1', while the profile declares 'https://evil.example/api/v1')"
        );
        assert!(other(|profile| profile.name = "globex".parse().unwrap()).starts_with("name ('acme', while"));
        assert!(other(|profile| profile.shortname = Some("x".to_owned())).starts_with("shortname ('acme', while"));
        assert!(other(|profile| profile.appname = Some("x".to_owned())).starts_with("appname ('soc', while"));
        let person = other(|profile| profile.username = Some("alice".to_owned()));
        assert!(person.contains("shortname ('acme', while the profile declares none)"), "{person}");
        assert!(person.contains("username (none, while the profile declares 'alice')"), "{person}");
    }

    #[test]
    fn spellings_of_one_url_are_one_binding() {
        let mut spelled = profile();
        spelled.url = "https://API.example/api/v1/".parse().unwrap();
        assert_eq!(Binding::of(&spelled).unwrap(), Binding::of(&profile()).unwrap());
    }

    #[test]
    fn the_roots_count_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let mut with_roots = profile();
        with_roots.ca_file = Some(path.clone());
        assert!(matches!(Binding::of(&with_roots), Err(BindingError::CaFile { .. })));
        disk::replace(&path, b"abc", disk::Durability::Atomic).unwrap();
        let one = Binding::of(&with_roots).unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(one.ca_sha256.as_deref(), Some(known));
        disk::replace(&path, b"abd", disk::Durability::Atomic).unwrap();
        let fields: Vec<_> = one.differences(&Binding::of(&with_roots).unwrap()).iter().map(|d| d.field).collect();
        assert_eq!(fields, ["ca_file"]);
    }

    #[test]
    fn a_profile_without_its_account_binds_nothing() {
        for (missing, field) in [(true, "shortname"), (false, "appname")] {
            let mut profile = profile();
            *(if missing { &mut profile.shortname } else { &mut profile.appname }) = None;
            let error = Binding::of(&profile).unwrap_err().to_string();
            assert_eq!(error, format!("the profile 'acme' declares no {field}"));
        }
    }
}
