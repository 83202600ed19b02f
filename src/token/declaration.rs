//! What the store declared when a token was last held against it: as long as the store is that very file, nobody need
//! read it to know whom the token is for, however many profiles it has.

use super::CachedToken;
use crate::disk::{Locked, Sighting, Stamp};
use crate::profile::{Profile, SecretPlace};
use serde::{Deserialize, Serialize};

/// The longest declaration that is kept beside a token, in bytes of JSON; a profile with a longer one is read from the
/// store each time.
const LONGEST: usize = 64 * 1024;

/// The store as a run read it.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Which file it was.
    pub file: Sighting,
    /// Whether it wants every profile to be named.
    pub explicit: bool,
}

/// One profile as one store file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The file.
    pub store: Stamp,
    /// Whether it wants every profile to be named.
    pub explicit: bool,
    /// The profile, with the defaults filled in.
    pub profile: Profile,
}

impl Reading {
    /// Whether there may be something to remember of `profile`, which was read so, that its token does not.
    #[must_use]
    pub fn is_news(&self, profile: &Profile, token: &CachedToken) -> bool {
        let known = token.declaration.as_ref().is_some_and(|declaration| self.file.is_of(declaration.store));
        stands_alone(profile) && !known
    }

    /// What to remember of `profile`, which was read so; nothing where the stamp of the file may stand for another
    /// content, where the content alone does not say what the profile is, or where it is too long.
    #[must_use]
    pub fn declaration(&self, profile: &Profile, held: &Locked) -> Option<Box<Declaration>> {
        let store = self.file.settled(held).filter(|_| stands_alone(profile))?;
        let declaration = Box::new(Declaration { store, explicit: self.explicit, profile: profile.clone() });
        let length = serde_json::to_vec(&declaration).ok()?.len();
        (length <= LONGEST).then_some(declaration)
    }
}

/// Whether the store's content alone says what the profile is.
fn stands_alone(profile: &Profile) -> bool {
    // One comes from elsewhere; the other's path starts at the store's folder, which can be moved with all that is in it.
    !profile.name.is_env() && !matches!(profile.secret, SecretPlace::File(_))
}

impl Declaration {
    /// The reading that this stands for.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading { file: Sighting::known(self.store), explicit: self.explicit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{self, Lock, Privacy, Rules};
    use crate::profile::{ProfileName, Store, StoreFile};
    use crate::secret::Secret;
    use crate::token::{Fingerprint, Lifetime};
    use jiff::Timestamp;
    use std::fs;

    const TEXT: &[u8] = b"version = 1\n[profiles.a]\nurl = \"https://x.example\"\nsecret = { env = \"X\" }\n";

    /// The store that a file of the list of good ones holds.
    fn store(text: &[u8]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let file = StoreFile::new(folder.path().join("profiles.toml"), folder.path().join("locks"));
        assert!(file.save_new(&file.lock().attempt().unwrap().unwrap(), text).unwrap());
        let store = file.load().unwrap().unwrap();
        (folder, store)
    }

    #[test]
    fn a_profile_comes_back_as_it_was_declared() {
        let valid = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stores/valid");
        let mut count = 0;
        for entry in fs::read_dir(valid).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            let (_folder, store) = store(&disk::read(&path, Rules { cap: 1 << 20, privacy: Privacy::Any }).unwrap());
            for profile in store.profiles.into_iter().filter_map(|entry| entry.profile.ok()) {
                let json = serde_json::to_string(&profile).unwrap();
                assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile, "{}", path.display());
                count += 1;
            }
        }
        assert!(count > 20, "{count} profiles");
    }

    #[test]
    fn what_was_read_a_moment_after_a_change_is_not_remembered() {
        let (folder, store) = store(TEXT);
        let held = Lock::new(folder.path().join("lock")).attempt().unwrap().unwrap();
        let reading = Reading { file: store.seen.unwrap(), explicit: true };
        let profile = store.profiles[0].profile.clone().unwrap();
        assert_eq!(reading.declaration(&profile, &held), None);
        let store = fs::metadata(folder.path().join("profiles.toml")).unwrap();
        let known = Declaration { store: crate::disk::Stamp::of(&store).unwrap(), explicit: true, profile };
        assert_eq!(known.reading().declaration(&known.profile, &held).as_deref(), Some(&known));
        let others = [
            Profile { secret: SecretPlace::File("/netosecret".into()), ..known.profile.clone() },
            Profile { name: ProfileName::env(), ..known.profile.clone() },
            Profile { description: Some("x".repeat(LONGEST)), ..known.profile.clone() },
        ];
        for other in others {
            assert_eq!(known.reading().declaration(&other, &held), None, "{}", other.name);
        }
    }

    #[test]
    fn what_is_known_or_cannot_be_is_no_news() {
        let (_folder, store) = store(TEXT);
        let profile = store.profiles[0].profile.clone().unwrap();
        let stamp =
            |device: u64| serde_json::json!({"device": device, "inode": 1, "size": 1, "modified": 1, "changed": 1});
        let [seen, other] = [1, 2].map(|device| serde_json::from_value::<Stamp>(stamp(device)).unwrap());
        let reading = Reading { file: Sighting::known(seen), explicit: false };
        let token = |store: Option<Stamp>| CachedToken {
            profile: profile.name.clone(),
            fingerprint: Fingerprint::of(&profile.url, &[], &[]),
            lifetime: Lifetime {
                obtained_at: Timestamp::UNIX_EPOCH,
                expires_at: Timestamp::UNIX_EPOCH,
                refresh_expires_at: None,
            },
            access: Secret::new("token".to_owned()),
            refresh: None,
            declaration: store.map(|store| Box::new(Declaration { store, explicit: false, profile: profile.clone() })),
        };
        assert!(reading.is_news(&profile, &token(None)) && reading.is_news(&profile, &token(Some(other))));
        assert!(!reading.is_news(&profile, &token(Some(seen))));
        let file = Profile { secret: SecretPlace::File("/netosecret".into()), ..profile.clone() };
        let env = Profile { name: ProfileName::env(), ..profile.clone() };
        assert!(!reading.is_news(&file, &token(None)) && !reading.is_news(&env, &token(None)));
    }
}
