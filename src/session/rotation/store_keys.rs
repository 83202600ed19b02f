//! Writing new keys to the store: many profiles in one change, and only in place of the credential that each rotation
//! began with.

use super::record::{Rotation, RotationStatus};
use crate::disk::{Lock, LockGuard};
use crate::profile::{Edit, Profile, ProfileName, Store, StoreFileError};
use crate::session::error::{RotationError, SessionError};
use crate::session::lock_wait::LockOutcome;
use crate::session::pipeline::Session;
use crate::session::vault::VaultError;
use std::fmt;
use std::rc::Rc;

/// Number of attempts to change the store while an editor saves the file.
const MAX_ATTEMPTS: usize = 3;

impl Session<'_> {
    /// Waits for the lock of a profile; a rotation does not continue without the lock.
    pub(super) async fn lock_profile(&self, profile: &ProfileName) -> Result<LockGuard, SessionError> {
        self.wait_for_lock(&self.token_lock(profile), format_args!("the token of '{profile}'")).await
    }

    async fn wait_for_lock(&self, lock: &Lock, what: fmt::Arguments<'_>) -> Result<LockGuard, SessionError> {
        match self.wait(lock, what, || Ok(None::<LockGuard>)).await? {
            LockOutcome::Acquired(held) | LockOutcome::ObtainedMeanwhile(held) => Ok(held),
        }
    }

    /// Returns the current store, reading the file only if it changed.
    pub(super) fn current_store(&self) -> Result<Rc<Store>, RotationError> {
        let stamp = self.store.stamp();
        if let Some((known, store)) = &*self.loaded_store.borrow()
            && stamp == Some(*known)
        {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(self.store.load()?.ok_or(RotationError::Gone)?);
        let same = stamp.filter(|stamp| store.stamped_read.is_some_and(|seen| seen.matches(*stamp)));
        self.loaded_store.replace(same.map(|stamp| (stamp, Rc::clone(&store))));
        Ok(store)
    }

    /// Writes new keys to the store in one change. Returns for each rotation whether the profile now has the new key.
    ///
    /// # Errors
    /// [`RotationError`]; the store is then unchanged, and the new keys stay in the journal.
    pub(super) async fn store_keys(&self, rotations: &[Rotation]) -> Result<Vec<bool>, SessionError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.trust_names(rotations).await?;
        let held = self.wait_for_lock(&self.store.lock(), format_args!("the store")).await?;
        let mut attempts = 1;
        loop {
            match self.edit_store(&held, rotations) {
                Err(RotationError::Store(StoreFileError::ChangedMeanwhile(_))) if attempts < MAX_ATTEMPTS => {
                    attempts += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn edit_store(&self, held: &LockGuard, rotations: &[Rotation]) -> Result<Vec<bool>, RotationError> {
        let mut stored = Vec::with_capacity(rotations.len());
        self.store.edit(held, |document| {
            let mut edits: Vec<Edit> = Vec::new();
            for rotation in rotations {
                let profile = valid_profile(document.store(), &rotation.profile).ok();
                let status = profile.map(|profile| rotation.status_for(profile, self.issued_for(profile).as_ref()));
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

    /// Trusts the names of second keys before they are stored, because trust covers the key's name. In the opposite
    /// order, a crash in between would leave an untrusted profile.
    async fn trust_names(&self, rotations: &[Rotation]) -> Result<(), SessionError> {
        if rotations.iter().all(|rotation| rotation.beside.is_none()) {
            return Ok(());
        }
        let store = self.current_store()?;
        let held = self.wait_for_lock(&self.vault.trust_lock(), format_args!("the memory of what is trusted")).await?;
        let changed = self.vault.edit_trust_store(&held, |trusted| {
            for rotation in rotations.iter().filter(|rotation| rotation.beside.is_some()) {
                if let Ok(profile) = valid_profile(&store, &rotation.profile) {
                    trusted.trust_profile(&rotation.profile_with_new_key(profile));
                }
            }
        });
        Ok(changed.map_err(VaultError::Trust)?)
    }
}

/// Returns the profile, which must be present and valid.
pub(super) fn valid_profile<'s>(store: &'s Store, name: &ProfileName) -> Result<&'s Profile, RotationError> {
    store.entry(name).and_then(|entry| entry.profile.as_ref().ok()).ok_or(RotationError::Gone)
}
