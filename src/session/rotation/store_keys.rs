//! Where a new key belongs: the store, in one change for many profiles, and nowhere else than in place of the credential
//! that its rotation began with.

use super::RotationError;
use super::record::{Rotation, Standing};
use crate::disk::{Lock, Locked, Stamp};
use crate::profile::{Edit, Profile, ProfileName, Store, StoreFileError};
use crate::session::{Session, SessionError, Turn, VaultError};
use std::fmt;
use std::rc::Rc;

/// How often the store's change is tried where an editor comes in between.
const TRIES: usize = 3;

/// A store as it was read, and which file it was.
pub(in crate::session) type Read = (Stamp, Rc<Store>);

impl Session<'_> {
    /// Waits for the lock of a profile; a rotation goes on nowhere without it.
    pub(super) async fn own(&self, profile: &ProfileName) -> Result<Locked, SessionError> {
        self.wait_alone(&self.lock_of(profile), format_args!("the token of '{profile}'")).await
    }

    async fn wait_alone(&self, lock: &Lock, what: fmt::Arguments<'_>) -> Result<Locked, SessionError> {
        match self.wait(lock, what, || Ok(None::<Locked>)).await? {
            Turn::Mine(held) | Turn::Served(held) => Ok(held),
        }
    }

    /// The store as it lies there now; read again only where it is another file than it was.
    pub(super) fn store_now(&self) -> Result<Rc<Store>, RotationError> {
        let stamp = self.store.stamp();
        if let Some((known, store)) = &*self.read.borrow()
            && stamp == Some(*known)
        {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(self.store.load()?.ok_or(RotationError::Gone)?);
        let same = stamp.filter(|stamp| store.seen.is_some_and(|seen| seen.is_of(*stamp)));
        self.read.replace(same.map(|stamp| (stamp, Rc::clone(&store))));
        Ok(store)
    }

    /// Puts new keys into the store, all in one change; says of each whether the profile has it now.
    ///
    /// # Errors
    /// [`RotationError`]; the store is then as it was, and what is new lies where it lay.
    pub(super) async fn put(&self, rotations: &[Rotation]) -> Result<Vec<bool>, SessionError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.trust_names(rotations).await?;
        let held = self.wait_alone(&self.store.lock(), format_args!("the store")).await?;
        let mut tries = 1;
        loop {
            match self.change_store(&held, rotations) {
                Err(RotationError::Store(StoreFileError::ChangedMeanwhile(_))) if tries < TRIES => {
                    tries += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn change_store(&self, held: &Locked, rotations: &[Rotation]) -> Result<Vec<bool>, RotationError> {
        let mut stored = Vec::with_capacity(rotations.len());
        self.store.edit(held, |document| {
            let mut edits: Vec<Edit> = Vec::new();
            for rotation in rotations {
                let profile = sound(document.store(), &rotation.profile).ok();
                let standing = profile.map(|profile| rotation.standing(profile, self.issued_for(profile).as_ref()));
                if standing == Some(Standing::Pending) {
                    edits.extend(rotation.edits());
                }
                stored.push(matches!(standing, Some(Standing::Pending | Standing::Stored)));
            }
            Ok::<_, RotationError>(edits)
        })?;
        self.watcher.trace(&|| format!("put the new keys into {}", self.store.path().display()));
        Ok(stored)
    }

    /// A second key has another name, and the name is among what this machine trusts of a profile. Trusted before it stands
    /// in the store: the other way round, a crash in between would leave a profile that is not trusted.
    async fn trust_names(&self, rotations: &[Rotation]) -> Result<(), SessionError> {
        if rotations.iter().all(|rotation| rotation.beside.is_none()) {
            return Ok(());
        }
        let store = self.store_now()?;
        let held = self.wait_alone(&self.vault.memory_lock(), format_args!("the memory of what is trusted")).await?;
        let changed = self.vault.change_memory(&held, |memory| {
            for rotation in rotations.iter().filter(|rotation| rotation.beside.is_some()) {
                if let Ok(profile) = sound(&store, &rotation.profile) {
                    memory.trust(&rotation.declared(profile));
                }
            }
        });
        Ok(changed.map_err(VaultError::Memory)?)
    }
}

/// The profile of that name, which has to be there and sound.
pub(super) fn sound<'s>(store: &'s Store, name: &ProfileName) -> Result<&'s Profile, RotationError> {
    store.entry(name).and_then(|entry| entry.profile.as_ref().ok()).ok_or(RotationError::Gone)
}
