//! Record of one rotation, as saved on disk.

use crate::fusion::KeyTerms;
use crate::profile::{Edit, EditValue, Profile, ProfileName, Section};
use crate::secret::SealedSecret;
use crate::token::Fingerprint;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::second;
use serde::{Deserialize, Serialize};

/// Version of the file format.
pub(super) const VERSION: u8 = 1;

/// Kind of rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationKind {
    /// Replaces the old key, which stops working at once.
    InPlace,
    /// Creates a second key; the old key works until it is removed.
    Beside,
}

/// Result of rotating one profile's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The new key, with this name, replaced the old key.
    Replaced(String),
    /// The profile has a second key with this name, and the old key still works.
    Beside(String),
    /// Another process rotated the key while this process waited.
    ByAnother,
}

/// Rotation and its stage. The record holds no plaintext secret; the new key is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub(super) v: u8,
    /// Profile whose key is rotated.
    pub profile: ProfileName,
    /// Fingerprint of the profile's tokens at the start: URL, tenant, key name and credential.
    pub(super) began_with: Fingerprint,
    /// Start of the rotation, in whole seconds.
    #[serde(with = "second::required")]
    pub began_at: Timestamp,
    /// Name of the first key, if the new key is a second key and the first is not removed yet.
    pub beside: Option<String>,
    /// Terms of the new key: the roles and the description must stay.
    pub key: KeyTerms,
    /// Progress of the rotation.
    pub stage: Stage,
}

/// Progress of a rotation. Whether the key is stored is read from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Stage {
    /// The request for the key was sent, or is about to be sent.
    Asked,
    /// The server returned a key; holds the credential sealed for the store.
    Answered(SealedSecret),
}

/// Relation of a rotation to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RotationStatus {
    /// The profile still has the credential that the rotation began with.
    Pending,
    /// The profile has the new credential.
    Stored,
    /// The profile has a third credential.
    Overtaken,
}

impl Rotation {
    /// Returns the new credential, if the server has returned a key.
    #[must_use]
    pub fn sealed(&self) -> Option<&SealedSecret> {
        match &self.stage {
            Stage::Asked => None,
            Stage::Answered(sealed) => Some(sealed),
        }
    }

    /// Returns the relation to the profile, whose tokens have the fingerprint `now`.
    pub(super) fn status_for(&self, profile: &Profile, now: Option<&Fingerprint>) -> RotationStatus {
        let id = profile.sealed.as_ref().map(|note| &note.id);
        if self.sealed().is_some_and(|sealed| Some(&sealed.note.id) == id) {
            RotationStatus::Stored
        } else if now == Some(&self.began_with) {
            RotationStatus::Pending
        } else {
            RotationStatus::Overtaken
        }
    }

    /// Returns the edits that write the new key to the store; none before the server has returned a key.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        let Some(sealed) = self.sealed() else { return Vec::new() };
        let appname = Edit::Set {
            section: Section::Profile(self.profile.clone()),
            key: vec!["appname".to_owned()],
            value: EditValue::Text(self.key.appname.clone()),
        };
        std::iter::once(appname).chain(sealed.edits(&self.profile)).collect()
    }

    /// Returns the profile with the name of the new key. All other fields that a seal binds are unchanged.
    #[must_use]
    pub fn profile_with_new_key(&self, profile: &Profile) -> Profile {
        Profile { appname: Some(self.key.appname.clone()), ..profile.clone() }
    }
}
