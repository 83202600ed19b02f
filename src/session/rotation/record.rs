//! Record of one rotation, as the journal saves it.

use crate::fusion::KeyDefinition;
use crate::profile::{Edit, EditValue, Profile, ProfileName, Section};
use crate::secret::SealedSecret;
use crate::token::Fingerprint;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::second;
use serde::{Deserialize, Serialize};

/// Version of the file format; files with another version are rejected.
pub(super) const VERSION: u8 = 1;

/// Kind of rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationKind {
    /// The server replaces the old key, which stops working at once.
    InPlace,
    /// The server creates a second key; the old key works until it is removed.
    Beside,
}

/// Result of rotating one profile's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The new key, with this name, replaced the old key.
    Replaced(String),
    /// The profile has a second key with this name, and the first key still works.
    Beside(String),
    /// The profile got another credential before this rotation began, for example because another process rotated the
    /// key.
    ByAnother,
}

/// Rotation and its stage. Holds no plaintext secret: the new key is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub(super) v: u8,
    /// Profile whose key is rotated.
    pub profile: ProfileName,
    /// Fingerprint of the URL, tenant, key name and credential that the profile had at the start.
    pub(super) began_with: Fingerprint,
    /// Start of the rotation, in whole seconds.
    #[serde(with = "second::required")]
    pub began_at: Timestamp,
    /// Name of the first key. `None` if the new key replaced the first key, or if the first key was removed.
    pub beside: Option<String>,
    /// Name, roles and description of the new key. The roles and the description must equal those of the old key.
    pub key: KeyDefinition,
    /// Progress of the rotation.
    pub stage: Stage,
}

/// Progress of a rotation. The store itself shows whether it has the new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Stage {
    /// The request for the key was sent, or is about to be sent.
    Asked,
    /// The server returned a key; holds the new credential, sealed for the store.
    Answered(SealedSecret),
}

/// Relation of a rotation to the credential that the profile has in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RotationStatus {
    /// The profile still has the credential that the rotation began with.
    Pending,
    /// The profile has the new credential.
    Stored,
    /// The profile has neither the old nor the new credential.
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

    /// Returns the relation of the rotation to the credential of `profile`. `fingerprint` is the fingerprint of
    /// `profile`.
    pub(super) fn status_for(&self, profile: &Profile, fingerprint: Option<&Fingerprint>) -> RotationStatus {
        let stored_id = profile.sealed.as_ref().map(|seal_note| &seal_note.id);
        if self.sealed().is_some_and(|sealed| Some(&sealed.note.id) == stored_id) {
            RotationStatus::Stored
        } else if fingerprint == Some(&self.began_with) {
            RotationStatus::Pending
        } else {
            RotationStatus::Overtaken
        }
    }

    /// Returns the edits that write the new key to the store; empty if the server has not returned a key yet.
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

    /// Returns a copy of `profile` with the name of the new key.
    #[must_use]
    pub fn profile_with_new_key(&self, profile: &Profile) -> Profile {
        Profile { appname: Some(self.key.appname.clone()), ..profile.clone() }
    }
}
