//! Writes new keys to the store, for many profiles in one change. A new key replaces only the credential with which its
//! rotation began.

use super::record::{Rotation, RotationStatus};
use crate::disk::{Lock, LockGuard};
use crate::profile::{Edit, Profile, ProfileName, Store, StoreFileError};
use crate::session::error::{RotationError, SessionError};
use crate::session::lock_wait::LockOutcome;
use crate::session::pipeline::Session;
use crate::session::vault::VaultError;
use std::fmt;
use std::rc::Rc;

/// Maximum number of attempts to edit the store. An attempt fails if another program, such as an editor, saves the file
/// in the meantime.
const MAX_EDIT_ATTEMPTS: usize = 3;

impl Session<'_> {
    /// Waits for the lock of a profile. Unlike a login, a rotation fails without the lock.
    pub(super) async fn lock_profile(&self, profile: &ProfileName) -> Result<LockGuard, SessionError> {
        self.wait_for_lock(&self.token_lock(profile), format_args!("the token of '{profile}'")).await
    }

    async fn wait_for_lock(&self, lock: &Lock, lock_name: fmt::Arguments<'_>) -> Result<LockGuard, SessionError> {
        match self.wait_for_lock_or(lock, lock_name, || Ok(None::<LockGuard>)).await? {
            LockOutcome::Acquired(guard) | LockOutcome::ObtainedMeanwhile(guard) => Ok(guard),
        }
    }

    /// Returns the current store. Reads the file only if it changed since the last call.
    pub(super) fn current_store(&self) -> Result<Rc<Store>, RotationError> {
        let stamp = self.store.stamp();
        if let Some((loaded_stamp, store)) = &*self.loaded_store.borrow()
            && stamp == Some(*loaded_stamp)
        {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(self.store.load()?.ok_or(RotationError::Gone)?);
        let matching_stamp = stamp.filter(|stamp| store.stamped_read.is_some_and(|read| read.matches(*stamp)));
        self.loaded_store.replace(matching_stamp.map(|stamp| (stamp, Rc::clone(&store))));
        Ok(store)
    }

    /// Writes new keys to the store in one change. Returns for each rotation whether the profile now has the new key.
    ///
    /// # Errors
    /// Returns [`SessionError`] if a lock cannot be acquired, or a file cannot be written. The store is then unchanged,
    /// and the new keys stay in the journal.
    pub(super) async fn store_keys(&self, rotations: &[Rotation]) -> Result<Vec<bool>, SessionError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.trust_names(rotations).await?;
        let guard = self.wait_for_lock(&self.store.lock(), format_args!("the store")).await?;
        let mut attempts = 1;
        loop {
            match self.try_store_keys(&guard, rotations) {
                Err(RotationError::Store(StoreFileError::ChangedMeanwhile(_))) if attempts < MAX_EDIT_ATTEMPTS => {
                    attempts += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn try_store_keys(&self, guard: &LockGuard, rotations: &[Rotation]) -> Result<Vec<bool>, RotationError> {
        let mut stored = Vec::with_capacity(rotations.len());
        self.store.edit(guard, |document| {
            let mut edits: Vec<Edit> = Vec::new();
            for rotation in rotations {
                let profile = valid_profile(document.store(), &rotation.profile).ok();
                let status =
                    profile.map(|profile| rotation.status_for(profile, self.declared_fingerprint(profile).as_ref()));
                if status == Some(RotationStatus::Pending) {
                    edits.extend(rotation.edits());
                }
                stored.push(matches!(status, Some(RotationStatus::Pending | RotationStatus::Stored)));
            }
            Ok::<_, RotationError>(edits)
        })?;
        self.reporter.trace(&|| format!("put the new keys into {}", self.store.path().display()));
        Ok(stored)
    }

    /// Trusts the profiles with their second keys before the store is written, because trust covers the key's name. In
    /// the opposite order, a crash between the two writes would leave an untrusted profile.
    async fn trust_names(&self, rotations: &[Rotation]) -> Result<(), SessionError> {
        if rotations.iter().all(|rotation| rotation.beside.is_none()) {
            return Ok(());
        }
        let store = self.current_store()?;
        let guard = self.wait_for_lock(&self.vault.trust_lock(), format_args!("the memory of what is trusted")).await?;
        let result = self.vault.edit_trust_store(&guard, |trust_store| {
            for rotation in rotations.iter().filter(|rotation| rotation.beside.is_some()) {
                if let Ok(profile) = valid_profile(&store, &rotation.profile) {
                    trust_store.trust_profile(&rotation.profile_with_new_key(profile));
                }
            }
        });
        Ok(result.map_err(VaultError::Trust)?)
    }
}

/// Returns the profile if it is in the store and valid, else [`RotationError::Gone`].
pub(super) fn valid_profile<'s>(store: &'s Store, name: &ProfileName) -> Result<&'s Profile, RotationError> {
    store.entry(name).and_then(|entry| entry.profile.as_ref().ok()).ok_or(RotationError::Gone)
}
