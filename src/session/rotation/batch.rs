//! Runs complete rotations: of many profiles at once, and of one profile before its next login. Also removes first
//! keys, and looks up rotations in the journal.

use super::new_key::StoredProfile;
use super::record::{Rotated, Rotation, RotationKind, Stage};
use super::store_keys::valid_profile;
use crate::disk::{DiskError, LockGuard};
use crate::fusion::{ApiKey, FusionError};
use crate::profile::{Profile, ProfileName};
use crate::session::concurrent::Jobs;
use crate::session::error::{RotationError, SessionError};
use crate::session::pipeline::Session;
use crate::session::reporter::Warning;
use crate::session::request::{AccessToken, LoadedProfile, TokenRequest};
use std::ops::ControlFlow;
use std::rc::Rc;

/// Maximum number of profiles whose new keys are written to the store in one change. Until this change, the store holds
/// keys that no longer work, so a batch must take only a few seconds.
const BATCH_SIZE: usize = 64;

impl Session<'_> {
    /// Rotates the keys of several profiles, at most `jobs` at once. `on_result` receives the results as they arrive,
    /// in any order. Once `on_result` returns `Break`, no further key is changed, and keys that were already changed
    /// are still stored. If the store cannot be written, no further key is changed, and each remaining profile gets
    /// `NotBegun`.
    ///
    /// # Errors
    /// Returns [`SessionError::Runtime`] if the event loop cannot be started. Errors of single profiles go to
    /// `on_result`.
    pub fn rotate_each(
        &self,
        profiles: &[&Profile],
        kind: RotationKind,
        jobs: Jobs,
        mut on_result: impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        self.is_concurrent.set(profiles.len() > 1);
        Self::block_on(async {
            let mut batches = profiles.chunks(BATCH_SIZE);
            while let Some(batch) = batches.next() {
                match self.rotate_batch(batch, kind, jobs, &mut on_result).await {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(cause) => {
                        let not_begun = || RotationError::NotBegun(Rc::clone(&cause)).into();
                        let _ = batches.flatten().try_for_each(|profile| on_result(&profile.name, Err(not_begun())));
                        break;
                    }
                }
            }
        })?;
        self.rotations.remove_old_keys(self.clock.now());
        Ok(())
    }

    /// Rotates one batch and stores its keys in one change. Returns `Break` if `on_result` did.
    ///
    /// # Errors
    /// Returns the reason if the store cannot be written.
    async fn rotate_batch(
        &self,
        batch: &[&Profile],
        kind: RotationKind,
        jobs: Jobs,
        on_result: &mut impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Rc<SessionError>> {
        let mut with_new_key = Vec::with_capacity(batch.len());
        let request = async |profile: &Profile| (profile.name.clone(), self.begin_or_resume(profile, kind).await);
        let requests = self.run_each_in_loop(batch.iter().copied(), jobs, request, |(name, result)| match result {
            Ok(Some(rotation)) => {
                with_new_key.push(rotation);
                ControlFlow::Continue(())
            }
            Ok(None) => on_result(&name, Ok(Rotated::ByAnother)),
            Err(error) => on_result(&name, Err(error)),
        });
        let request_flow = requests.await;
        let stored = match self.store_keys(&with_new_key).await {
            Ok(stored) => stored,
            Err(error) => {
                let cause = Rc::new(error);
                let not_stored = || RotationError::NotStored(Rc::clone(&cause)).into();
                let flow = with_new_key.iter().try_for_each(|rotation| on_result(&rotation.profile, Err(not_stored())));
                return if flow.is_break() { Ok(flow) } else { Err(cause) };
            }
        };
        let (stored, overtaken): (Vec<_>, Vec<_>) =
            with_new_key.into_iter().zip(stored).partition(|(_, stored)| *stored);
        let overtaken_flow = overtaken
            .iter()
            .try_for_each(|(rotation, _)| on_result(&rotation.profile, Err(RotationError::Overtaken.into())));
        let verify = async |(rotation, _): (Rotation, bool)| {
            let verified = self.lock_and_verify(&rotation).await;
            let to_rotated = if rotation.beside.is_some() { Rotated::Beside } else { Rotated::Replaced };
            (rotation.profile, verified.map(|()| to_rotated(rotation.key.appname)))
        };
        let verify_flow = self.run_each_in_loop(stored, jobs, verify, |(name, result)| on_result(&name, result)).await;
        let is_stopped = [request_flow, overtaken_flow, verify_flow].iter().any(ControlFlow::is_break);
        Ok(if is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Begins or resumes a rotation, and returns it once it has a new key. Returns `None` if the profile's credential
    /// in the store changed since `profile` was read.
    async fn begin_or_resume(&self, profile: &Profile, kind: RotationKind) -> Result<Option<Rotation>, SessionError> {
        let guard = self.lock_profile(&profile.name).await?;
        let store = self.current_store()?;
        let current = StoredProfile { store: &store, profile: valid_profile(&store, &profile.name)? };
        if let Some(rotation) = self.rotations.load(&profile.name)?
            && let Some(rotation) = self.resume(rotation, current, &guard).await?
        {
            return Ok(Some(rotation));
        }
        if current.profile.sealed.as_ref().map(|note| &note.id) != profile.sealed.as_ref().map(|note| &note.id) {
            return Ok(None);
        }
        self.begin(current, kind, &guard).await.map(Some)
    }

    /// Locks the profile and verifies its new key.
    async fn lock_and_verify(&self, rotation: &Rotation) -> Result<(), SessionError> {
        let guard = self.lock_profile(&rotation.profile).await?;
        let store = self.current_store()?;
        self.verify_new_key(rotation, valid_profile(&store, &rotation.profile)?, &guard).await.map(drop)
    }

    /// Finishes an unfinished rotation under the profile's lock, and returns a token for the new key. Returns `None` if
    /// there is no unfinished rotation, or if the rotation was overtaken. If finishing fails, returns the cached token
    /// if this token is usable.
    ///
    /// # Errors
    /// Returns the error if no cached token is usable. Always returns an error if the key is lost, or if the user must
    /// be prompted.
    pub(in crate::session) async fn finish_or_use_cached(
        &self,
        profile: &Profile,
        guard: &LockGuard,
    ) -> Result<Option<AccessToken>, SessionError> {
        if !self.rotations.has_unfinished(&profile.name) {
            return Ok(None);
        }
        self.reporter.warn(Warning::ResumingRotation(&profile.name));
        let error = match self.try_finish(profile, guard).await {
            Ok(access) => return Ok(access),
            // Do not use the cached token, which the server has just refused.
            Err(error @ SessionError::Rotation(RotationError::Lost)) => return Err(error),
            // The caller releases the lock, asks the user and retries.
            Err(SessionError::Vault(error)) if error.needs_interaction() => return Err(error.into()),
            Err(error) => error,
        };
        let Some(access) = self.usable_cached(profile) else { return Err(error) };
        self.reporter.warn(Warning::RotationProblem { profile: &profile.name, error: &error });
        Ok(Some(access))
    }

    async fn try_finish(&self, profile: &Profile, guard: &LockGuard) -> Result<Option<AccessToken>, SessionError> {
        let name = &profile.name;
        let Some(rotation) = self.rotations.load(name)? else { return Ok(None) };
        let store = self.current_store()?;
        let current = StoredProfile { store: &store, profile: valid_profile(&store, name)? };
        let Some(rotation) = self.resume(rotation, current, guard).await? else { return Ok(None) };
        if self.store_keys(std::slice::from_ref(&rotation)).await? != [true] {
            return Err(RotationError::Overtaken.into());
        }
        let store = self.current_store()?;
        let rotated = valid_profile(&store, name)?;
        // The caller may still have the profile that it read before the rotation.
        self.vault.record_rotated(profile, rotated);
        self.verify_new_key(&rotation, rotated, guard).await.map(Some)
    }

    /// Finishes an unfinished rotation of `profile`. Call this before using the profile's credential: the credential in
    /// the store may no longer work, even if the cached token is valid. Never prompts.
    ///
    /// # Errors
    /// Returns [`SessionError`] if the rotation cannot be finished and the cached token is not usable. With `offline`,
    /// returns `Rotation(Unfinished)` if a rotation is unfinished.
    pub async fn finish_rotation(&self, profile: &Profile, request: TokenRequest) -> Result<(), SessionError> {
        if profile.name.is_env() || !self.rotations.has_unfinished(&profile.name) {
            return Ok(());
        }
        if request.offline {
            return Err(RotationError::Unfinished.into());
        }
        let guard = self.lock_profile(&profile.name).await?;
        self.finish_or_use_cached(profile, &guard).await.map(drop)
    }

    /// Finishes the rotation like [`Session::finish_rotation`] on a new event loop; may prompt.
    ///
    /// # Errors
    /// Fails with the same errors as [`Session::finish_rotation`]. Also returns an error if the event loop cannot be
    /// started.
    pub fn finish_rotation_blocking(&self, profile: &Profile, request: TokenRequest) -> Result<(), SessionError> {
        if self.rotations.has_unfinished(&profile.name) {
            self.vault.unlock(profile, self.reporter)?;
            Self::block_on(self.finish_rotation(profile, request))??;
        }
        Ok(())
    }

    /// Removes the first key of `profile` at the server, after a second key was created. Returns the name of the
    /// removed key.
    ///
    /// # Errors
    /// Returns `Rotation(NoSecondKey)` if there is no second key, and `Rotation(StillUsed)` if a profile uses the first
    /// key. Returns `Rotation(Unfinished)` if a rotation is unfinished. Returns another error if the request fails, or
    /// a file cannot be used.
    pub async fn remove_first_key(&self, profile: &Profile) -> Result<String, SessionError> {
        if self.rotations.has_unfinished(&profile.name) {
            return Err(RotationError::Unfinished.into());
        }
        let finished = self.rotations.load_finished(&profile.name).map_err(RotationError::Disk)?;
        let second_key = finished
            .into_iter()
            .find_map(|rotation| rotation.beside.clone().map(|first_appname| (rotation, first_appname)));
        let Some((mut rotation, first_appname)) = second_key else { return Err(RotationError::NoSecondKey.into()) };
        let store = self.current_store()?;
        if let Some(user) = store.profile_with_key(profile, &first_appname) {
            return Err(RotationError::StillUsed { user: user.name.clone(), appname: first_appname }.into());
        }
        let access = self.obtain(LoadedProfile::new(profile, None), TokenRequest::default()).await?;
        let call = ApiKey::delete_call(&first_appname).map_err(RotationError::Name)?;
        match self.call_and_parse(profile, &access, &call, |_| Ok(())).await {
            // The key does not exist: an interrupted run may have removed it already.
            Ok(()) | Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => {}
            Err(error) => return Err(error),
        }
        rotation.beside = None;
        self.rotations.save_finished(&rotation).map_err(RotationError::Disk)?;
        Ok(first_appname)
    }

    /// Returns the profiles with an unfinished rotation, sorted by name.
    ///
    /// # Errors
    /// Returns [`DiskError`] if the directory cannot be listed.
    pub fn unfinished_rotations(&self) -> Result<Vec<ProfileName>, DiskError> {
        self.rotations.unfinished_profiles()
    }

    /// Returns whether the profile has an unfinished rotation.
    #[must_use]
    pub fn has_unfinished_rotation(&self, profile: &ProfileName) -> bool {
        self.rotations.has_unfinished(profile)
    }

    /// Returns whether the profile's cached token may be the only way to get the profile's new key.
    ///
    /// # Errors
    /// Returns [`RotationError`] if the rotation cannot be read.
    pub fn needs_cached_token(&self, profile: &ProfileName) -> Result<bool, RotationError> {
        Ok(self.rotations.load(profile)?.is_some_and(|rotation| rotation.stage == Stage::Asked))
    }

    /// Returns the rotation with the newest key that the journal holds for a profile. The store may lack this key.
    ///
    /// # Errors
    /// Returns [`RotationError`] if the journal cannot be read.
    pub fn newest_key(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        let unfinished = self.rotations.load(profile)?.filter(|rotation| rotation.sealed().is_some());
        Ok(match unfinished {
            Some(rotation) => Some(rotation),
            None => self.rotations.load_finished(profile)?.into_iter().next(),
        })
    }

    /// Abandons the rotation of a profile that was removed or gets another credential. A new key of the rotation stays
    /// in the journal. The caller holds the profile's lock.
    ///
    /// # Errors
    /// Returns [`RotationError`] if the rotation cannot be read or removed.
    pub fn abandon_rotation(&self, profile: &ProfileName, _guard: &LockGuard) -> Result<(), RotationError> {
        match self.rotations.load(profile) {
            Ok(None) => Ok(()),
            Ok(Some(rotation)) => Ok(self.rotations.finish(&rotation)?),
            // A damaged file cannot be resumed, so it is removed.
            Err(RotationError::Damaged(_)) => Ok(self.rotations.remove(profile)?),
            Err(error) => Err(error),
        }
    }
}
