//! Profile as the store declared it, recorded inside the token file. While the store is unchanged, commands learn from
//! the recorded declaration who the token is for. They need not read the store, however many profiles it has.

use crate::disk::{LockGuard, Stamp, StampedRead};
use crate::profile::{Profile, SecretLocation};
use serde::{Deserialize, Serialize};

/// Maximum size of a recorded declaration, in bytes of JSON. A profile with a longer declaration is read from the store
/// each time.
const MAX_DECLARATION_BYTES: usize = 64 * 1024;

/// State of the store when this process read it.
#[derive(Debug, Clone, Copy)]
pub struct StoreReading {
    /// Store file at the time of reading.
    pub file: StampedRead,
    /// True if the store requires every command to name its profile.
    pub explicit: bool,
}

/// Profile as one version of the store file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileDeclaration {
    /// Store file that declares the profile.
    pub store: Stamp,
    /// True if the store requires every command to name its profile.
    pub explicit: bool,
    /// Profile with its defaults filled in.
    pub profile: Profile,
}

impl StoreReading {
    /// Returns true if `profile`, as read from this store file, can be recorded and differs from `recorded`.
    #[must_use]
    pub fn has_new_declaration(&self, profile: &Profile, recorded: Option<&ProfileDeclaration>) -> bool {
        let known = recorded.is_some_and(|declaration| self.file.matches(declaration.store));
        is_declared_by_store_alone(profile) && !known
    }

    /// Returns the declaration to record with the token of `profile`.
    ///
    /// Returns `None` if the store changed too recently for its stamp to identify its content. Also returns `None` if
    /// the profile depends on more than that content, or if its JSON is too long.
    #[must_use]
    pub fn declaration(&self, profile: &Profile, guard: &LockGuard) -> Option<Box<ProfileDeclaration>> {
        let store = self.file.stable_stamp(|| guard.stamp_at_lock()).filter(|_| is_declared_by_store_alone(profile))?;
        let declaration = Box::new(ProfileDeclaration { store, explicit: self.explicit, profile: profile.clone() });
        let length = serde_json::to_vec(&declaration).ok()?.len();
        (length <= MAX_DECLARATION_BYTES).then_some(declaration)
    }
}

/// Returns true if the store's content alone determines the profile.
fn is_declared_by_store_alone(profile: &Profile) -> bool {
    // The environment profile comes from elsewhere. A secret file's path is relative to the store's directory, which
    // can be moved with all its content.
    !profile.name.is_env() && !matches!(profile.secret, SecretLocation::File(_))
}

impl ProfileDeclaration {
    /// Returns the store state that this declaration was recorded from.
    #[must_use]
    pub fn reading(&self) -> StoreReading {
        StoreReading { file: StampedRead::of_known_content(self.store), explicit: self.explicit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{self, Lock, Privacy, ReadRules};
    use crate::profile::{ProfileName, Store, StoreFile};
    use std::fs;

    const TEXT: &[u8] = b"version = 1\n[profiles.a]\nurl = \"https://x.example\"\nsecret = { env = \"X\" }\n";

    /// Loads a store file that contains `text`.
    fn store(text: &[u8]) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let file = StoreFile::new(directory.path().join("profiles.toml"), directory.path().join("locks"));
        assert!(file.save_new(&file.lock().try_lock().unwrap().unwrap(), text).unwrap());
        let store = file.load().unwrap().unwrap();
        (directory, store)
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
            let (_directory, store) =
                store(&disk::read(&path, ReadRules { cap: 1 << 20, privacy: Privacy::Any }).unwrap());
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
        let (directory, store) = store(TEXT);
        let guard = Lock::new(directory.path().join("lock")).try_lock().unwrap().unwrap();
        let reading = StoreReading { file: store.stamped_read.unwrap(), explicit: true };
        let profile = store.profiles[0].profile.clone().unwrap();
        assert_eq!(reading.declaration(&profile, &guard), None);
        let store = fs::metadata(directory.path().join("profiles.toml")).unwrap();
        let known = ProfileDeclaration { store: crate::disk::Stamp::of(&store).unwrap(), explicit: true, profile };
        assert_eq!(known.reading().declaration(&known.profile, &guard).as_deref(), Some(&known));
        let others = [
            Profile { secret: SecretLocation::File("/netosecret".into()), ..known.profile.clone() },
            Profile { name: ProfileName::env(), ..known.profile.clone() },
            Profile { description: Some("x".repeat(MAX_DECLARATION_BYTES)), ..known.profile.clone() },
        ];
        for other in others {
            assert_eq!(known.reading().declaration(&other, &guard), None, "{}", other.name);
        }
    }

    #[test]
    fn what_is_known_or_cannot_be_is_no_news() {
        let (_directory, store) = store(TEXT);
        let profile = store.profiles[0].profile.clone().unwrap();
        let stamp =
            |device: u64| serde_json::json!({"device": device, "inode": 1, "size": 1, "modified": 1, "changed": 1});
        let [seen, other] = [1, 2].map(|device| serde_json::from_value::<Stamp>(stamp(device)).unwrap());
        let reading = StoreReading { file: StampedRead::of_known_content(seen), explicit: false };
        let recorded = |store: Stamp| ProfileDeclaration { store, explicit: false, profile: profile.clone() };
        assert!(
            reading.has_new_declaration(&profile, None)
                && reading.has_new_declaration(&profile, Some(&recorded(other)))
        );
        assert!(!reading.has_new_declaration(&profile, Some(&recorded(seen))));
        let file = Profile { secret: SecretLocation::File("/netosecret".into()), ..profile.clone() };
        let env = Profile { name: ProfileName::env(), ..profile.clone() };
        assert!(!reading.has_new_declaration(&file, None) && !reading.has_new_declaration(&env, None));
    }
}
