//! What the store declared when a token was last held against it: as long as the store is that very file, nobody need
//! read it to know whom the token is for, however many profiles it has.

use super::CachedToken;
use crate::disk::{Locked, Sighting, Stamp};
use crate::profile::{Profile, SecretPlace};
use serde::{Deserialize, Serialize};

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
    /// What to remember of `profile`, which was read so; nothing where the stamp of the file may stand for another
    /// content, or where the content alone does not say what the profile is.
    #[must_use]
    pub fn declaration(&self, profile: &Profile, held: &Locked) -> Option<Box<Declaration>> {
        // Relative, it starts at the store's folder, which can be moved with all that is in it.
        if matches!(profile.secret, SecretPlace::File(_)) {
            return None;
        }
        let store = self.file.settled(held)?;
        Some(Box::new(Declaration { store, explicit: self.explicit, profile: profile.clone() }))
    }
}

impl Reading {
    /// Whether that is what the token remembers already.
    #[must_use]
    pub fn is_of(&self, token: &CachedToken) -> bool {
        token.declaration.as_ref().is_some_and(|declaration| self.file.is_of(declaration.store))
    }
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
    use crate::profile::{Store, StoreFile};
    use std::fs;

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
        let text = b"version = 1\n[profiles.a]\nurl = \"https://x.example\"\nsecret = { env = \"X\" }\n";
        let (folder, store) = store(text);
        let held = Lock::new(folder.path().join("lock")).attempt().unwrap().unwrap();
        let reading = Reading { file: store.seen.unwrap(), explicit: true };
        let profile = store.profiles[0].profile.clone().unwrap();
        assert_eq!(reading.declaration(&profile, &held), None);
        let store = fs::metadata(folder.path().join("profiles.toml")).unwrap();
        let known = Declaration { store: crate::disk::Stamp::of(&store).unwrap(), explicit: true, profile };
        assert_eq!(known.reading().declaration(&known.profile, &held).as_deref(), Some(&known));
        let elsewhere = Profile { secret: SecretPlace::File("/netosecret".into()), ..known.profile.clone() };
        assert_eq!(known.reading().declaration(&elsewhere, &held), None);
    }
}
