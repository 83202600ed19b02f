//! Declaration of a profile: the profile as the store file declared it, recorded in the token file. While the store
//! file is unchanged, commands use the recorded profile instead of the store. Reading the store is slow if it has
//! thousands of profiles.

use crate::disk::{LockGuard, Stamp, StampedRead};
use crate::profile::{Profile, SecretLocation};
use serde::{Deserialize, Serialize};

/// Maximum length of a recorded declaration as JSON. A longer declaration is not recorded, so every command reads the
/// store.
const MAX_DECLARATION_BYTES: usize = 64 * 1024;

/// Version of the store file that a profile was read from.
#[derive(Debug, Clone, Copy)]
pub struct StoreReading {
    /// Stamp of the store file when its content was read.
    pub stamped_read: StampedRead,
    /// Value of `explicit` in the store. If true, no profile is used by default, not even the current or the only one.
    pub explicit: bool,
}

/// Profile as one version of the store file declared it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileDeclaration {
    /// Stamp of that version of the store file.
    pub store: Stamp,
    /// Value of `explicit` in the store. If true, no profile is used by default, not even the current or the only one.
    pub explicit: bool,
    /// Profile with the store's defaults filled in.
    pub profile: Profile,
}

impl StoreReading {
    /// Returns true if a new declaration should be recorded: `recorded`, the declaration in the token file, is missing
    /// or comes from another version of the store file. Always returns false if `profile` depends on more than the
    /// store's content, because no declaration can then be recorded.
    #[must_use]
    pub fn has_new_declaration(&self, profile: &Profile, recorded: Option<&ProfileDeclaration>) -> bool {
        let is_recorded = recorded.is_some_and(|declaration| self.stamped_read.matches(declaration.store));
        depends_only_on_store(profile) && !is_recorded
    }

    /// Returns the declaration to record with the token of `profile`. `guard` holds the lock of the token file and
    /// provides the time of the file system when it was acquired.
    ///
    /// Returns `None` in these cases:
    /// - The stamp might not identify the store's content, because the store changed shortly before it was read.
    /// - The profile depends on more than the store's content.
    /// - Serialization fails, or the JSON is longer than `MAX_DECLARATION_BYTES`.
    #[must_use]
    pub fn declaration(&self, profile: &Profile, guard: &LockGuard) -> Option<Box<ProfileDeclaration>> {
        let store =
            self.stamped_read.stable_stamp(|| guard.stamp_at_lock()).filter(|_| depends_only_on_store(profile))?;
        let declaration = Box::new(ProfileDeclaration { store, explicit: self.explicit, profile: profile.clone() });
        let json_length = serde_json::to_vec(&declaration).ok()?.len();
        (json_length <= MAX_DECLARATION_BYTES).then_some(declaration)
    }
}

/// Returns true if the profile depends only on the store's content.
fn depends_only_on_store(profile: &Profile) -> bool {
    // The environment profile does not come from the store. The path of a secret file depends on the store's directory:
    // after a move of the directory, the store has the same stamp but the path is wrong.
    !profile.name.is_env() && !matches!(profile.secret, SecretLocation::File(_))
}

impl ProfileDeclaration {
    /// Returns the version of the store file that this declaration was recorded from.
    #[must_use]
    pub fn reading(&self) -> StoreReading {
        StoreReading { stamped_read: StampedRead::of_known_content(self.store), explicit: self.explicit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{self, Lock, Privacy, ReadRules};
    use crate::profile::{ProfileName, Store, StoreFile};
    use std::fs;

    const TEXT: &[u8] = b"version = 1\n[profiles.a]\nurl = \"https://x.example\"\nsecret = { env = \"X\" }\n";

    /// Creates and loads a store file that contains `text`.
    fn store(text: &[u8]) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let file = StoreFile::new(directory.path().join("profiles.toml"), directory.path().join("locks"));
        assert!(file.save_new(&file.lock().try_lock().unwrap().unwrap(), text).unwrap());
        let store = file.load().unwrap().unwrap();
        (directory, store)
    }

    #[test]
    fn a_profile_survives_serialization() {
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
    fn unreliable_declarations_are_not_recorded() {
        let (directory, store) = store(TEXT);
        let guard = Lock::new(directory.path().join("lock")).try_lock().unwrap().unwrap();
        let reading = StoreReading { stamped_read: store.stamped_read.unwrap(), explicit: true };
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
    fn a_declaration_is_recorded_if_missing_or_outdated() {
        let (_directory, store) = store(TEXT);
        let profile = store.profiles[0].profile.clone().unwrap();
        let stamp =
            |device: u64| serde_json::json!({"device": device, "inode": 1, "size": 1, "modified": 1, "changed": 1});
        let [seen, other] = [1, 2].map(|device| serde_json::from_value::<Stamp>(stamp(device)).unwrap());
        let reading = StoreReading { stamped_read: StampedRead::of_known_content(seen), explicit: false };
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
