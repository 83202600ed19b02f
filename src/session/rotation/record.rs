//! One rotation as it lies on disk.

use crate::fusion::KeyTerms;
use crate::profile::{Edit, Profile, ProfileName, Section, Value};
use crate::secret::Sealed;
use crate::token::Fingerprint;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::second;
use serde::{Deserialize, Serialize};

/// The version of the file that this program writes and reads.
pub(super) const VERSION: u8 = 1;

/// What was begun, and how far it came. Nothing of it is open: the key is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub(super) v: u8,
    /// Whose key.
    pub profile: ProfileName,
    /// What its tokens were issued for when it began: url, tenant, name and credential.
    pub(super) began_with: Fingerprint,
    /// When it began, in whole seconds.
    #[serde(with = "second::required")]
    pub began_at: Timestamp,
    /// The name of the first key, where the new one is a second one beside it that is still to be removed.
    pub beside: Option<String>,
    /// The new key, with the roles and the description that it has to keep.
    pub key: KeyTerms,
    /// How far it came.
    pub stage: Stage,
}

/// How far a rotation came; whether the store has the key is for the store to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Stage {
    /// The server is asked, or about to be.
    Asked,
    /// The server gave a key: the credential as the store is to have it.
    Answered(Sealed),
}

/// How a rotation stands to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The profile has the credential that it began with.
    Pending,
    /// The profile has the new one.
    Stored,
    /// The profile has neither.
    Overtaken,
}

impl Rotation {
    /// The new credential, once it came.
    #[must_use]
    pub fn sealed(&self) -> Option<&Sealed> {
        match &self.stage {
            Stage::Asked => None,
            Stage::Answered(sealed) => Some(sealed),
        }
    }

    /// How it stands to the profile, whose tokens are issued for `now`.
    pub(super) fn standing(&self, profile: &Profile, now: Option<&Fingerprint>) -> Standing {
        let id = profile.sealed.as_ref().map(|note| &note.id);
        if self.sealed().is_some_and(|sealed| Some(&sealed.note.id) == id) {
            Standing::Stored
        } else if now == Some(&self.began_with) {
            Standing::Pending
        } else {
            Standing::Overtaken
        }
    }

    /// What the store is to say, once the key came.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        let Some(sealed) = self.sealed() else { return Vec::new() };
        let appname = Edit::Set {
            section: Section::Profile(self.profile.clone()),
            key: vec!["appname".to_owned()],
            value: Value::Text(self.key.appname.clone()),
        };
        std::iter::once(appname).chain(sealed.edits(&self.profile)).collect()
    }

    /// The profile as it is declared with the new key, as far as a seal binds it.
    #[must_use]
    pub fn declared(&self, profile: &Profile) -> Profile {
        Profile { appname: Some(self.key.appname.clone()), ..profile.clone() }
    }
}
