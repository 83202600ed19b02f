//! Complete rotations: of many profiles at once, and of one profile before its next login.

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

/// Number of keys written to the store in one change. The store holds dead keys until this change, so a batch takes
/// only some seconds.
const BATCH_SIZE: usize = 64;

impl Session<'_> {
    /// Rotates the keys of several profiles, `jobs` of them at once. `each` receives the results as they arrive, in any
    /// order. Once `each` breaks, no further key is changed, and changed keys are stored. If the store cannot be
    /// written, no further key is changed either.
    ///
    /// # Errors
    /// [`SessionError::Runtime`]; an error of a single profile goes to `each`.
    pub fn rotate_each(
        &self,
        profiles: &[&Profile],
        kind: RotationKind,
        jobs: Jobs,
        mut each: impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        self.is_concurrent.set(profiles.len() > 1);
        self.block_on(async {
            let mut batches = profiles.chunks(BATCH_SIZE);
            while let Some(batch) = batches.next() {
                match self.rotate_batch(batch, kind, jobs, &mut each).await {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(why) => {
                        let not_begun = || RotationError::NotBegun(Rc::clone(&why)).into();
                        let _ = batches.flatten().try_for_each(|profile| each(&profile.name, Err(not_begun())));
                        break;
                    }
                }
            }
        })?;
        self.rotations.clear_old(self.clock.now());
        Ok(())
    }

    /// Rotates one batch and stores its keys in one change. Returns whether `each` broke.
    ///
    /// # Errors
    /// Reason why the store cannot be written.
    async fn rotate_batch(
        &self,
        batch: &[&Profile],
        kind: RotationKind,
        jobs: Jobs,
        each: &mut impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Rc<SessionError>> {
        let mut answered = Vec::with_capacity(batch.len());
        let work = async |profile: &Profile| (profile.name.clone(), self.begin_or_resume(profile, kind).await);
        let asked = self.run_each_in_loop(batch.iter().copied(), jobs, work, |(name, result)| match result {
            Ok(Some(rotation)) => {
                answered.push(rotation);
                ControlFlow::Continue(())
            }
            Ok(None) => each(&name, Ok(Rotated::ByAnother)),
            Err(error) => each(&name, Err(error)),
        });
        let all_asked = asked.await;
        let stored = match self.store_keys(&answered).await {
            Ok(stored) => stored,
            Err(error) => {
                let why = Rc::new(error);
                let not_stored = || RotationError::NotStored(Rc::clone(&why)).into();
                let flow = answered.iter().try_for_each(|rotation| each(&rotation.profile, Err(not_stored())));
                return if flow.is_break() { Ok(flow) } else { Err(why) };
            }
        };
        let (stored, overtaken): (Vec<_>, Vec<_>) = answered.into_iter().zip(stored).partition(|(_, stored)| *stored);
        let flow = overtaken
            .iter()
            .try_for_each(|(rotation, _)| each(&rotation.profile, Err(RotationError::Overtaken.into())));
        let prove = async |(rotation, _): (Rotation, bool)| {
            let proved = self.lock_and_verify(&rotation).await;
            let done = if rotation.beside.is_some() { Rotated::Beside } else { Rotated::Replaced };
            (rotation.profile, proved.map(|()| done(rotation.key.appname)))
        };
        let proved = self.run_each_in_loop(stored, jobs, prove, |(name, result)| each(&name, result)).await;
        let broke = [all_asked, flow, proved].iter().any(ControlFlow::is_break);
        Ok(if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Begins or resumes a rotation until the new key is on disk. Returns `None` if another process rotated the key
    /// since `profile` was read.
    async fn begin_or_resume(&self, profile: &Profile, kind: RotationKind) -> Result<Option<Rotation>, SessionError> {
        let held = self.lock_profile(&profile.name).await?;
        let store = self.current_store()?;
        let current = StoredProfile { store: &store, profile: valid_profile(&store, &profile.name)? };
        if let Some(rotation) = self.rotations.load(&profile.name)?
            && let Some(rotation) = self.resume(rotation, current, &held).await?
        {
            return Ok(Some(rotation));
        }
        if current.profile.sealed.as_ref().map(|note| &note.id) != profile.sealed.as_ref().map(|note| &note.id) {
            return Ok(None);
        }
        self.begin(current, kind, &held).await.map(Some)
    }

    /// Locks the profile and verifies its new key.
    async fn lock_and_verify(&self, rotation: &Rotation) -> Result<(), SessionError> {
        let held = self.lock_profile(&rotation.profile).await?;
        let store = self.current_store()?;
        self.verify_new_key(rotation, valid_profile(&store, &rotation.profile)?, &held).await.map(drop)
    }

    /// Finishes the rotation before a login to the profile, under its lock. Returns `None` if no rotation is
    /// unfinished. If the rotation cannot be finished, the cached token is returned while it is usable.
    pub(in crate::session) async fn finish_or_use_cached(
        &self,
        profile: &Profile,
        held: &LockGuard,
    ) -> Result<Option<AccessToken>, SessionError> {
        if !self.rotations.is_begun(&profile.name) {
            return Ok(None);
        }
        self.reporter.warn(Warning::Finishing(&profile.name));
        let error = match self.try_finish(profile, held).await {
            Ok(access) => return Ok(access),
            // The server has just refused the cached token.
            Err(error @ SessionError::Rotation(RotationError::Lost)) => return Err(error),
            // The caller releases the lock, asks the user and retries.
            Err(SessionError::Vault(error)) if error.needs_interaction() => return Err(error.into()),
            Err(error) => error,
        };
        let Some(access) = self.usable_cached(profile) else { return Err(error) };
        self.reporter.warn(Warning::Unfinished { profile: &profile.name, error: &error });
        Ok(Some(access))
    }

    async fn try_finish(&self, profile: &Profile, held: &LockGuard) -> Result<Option<AccessToken>, SessionError> {
        let name = &profile.name;
        let Some(rotation) = self.rotations.load(name)? else { return Ok(None) };
        let store = self.current_store()?;
        let current = StoredProfile { store: &store, profile: valid_profile(&store, name)? };
        let Some(rotation) = self.resume(rotation, current, held).await? else { return Ok(None) };
        if self.store_keys(std::slice::from_ref(&rotation)).await? != [true] {
            return Err(RotationError::Overtaken.into());
        }
        let store = self.current_store()?;
        let rotated = valid_profile(&store, name)?;
        // The login that follows uses a profile that was read before.
        self.vault.record_rotated(profile, rotated);
        self.verify_new_key(&rotation, rotated, held).await.map(Some)
    }

    /// Finishes the rotation for a caller that needs the credential. The credential may be dead even if the cached
    /// token is valid. The user is never asked.
    ///
    /// # Errors
    /// [`SessionError`]; `Rotation(Unfinished)` with `--offline`.
    pub async fn finish_rotation(&self, profile: &Profile, request: TokenRequest) -> Result<(), SessionError> {
        if profile.name.is_env() || !self.rotations.is_begun(&profile.name) {
            return Ok(());
        }
        if request.offline {
            return Err(RotationError::Unfinished.into());
        }
        let held = self.lock_profile(&profile.name).await?;
        self.finish_or_use_cached(profile, &held).await.map(drop)
    }

    /// Finishes the rotation like [`Session::finish_rotation`] on a new event loop; may ask the user.
    ///
    /// # Errors
    /// As [`Session::finish_rotation`].
    pub fn finish_rotation_blocking(&self, profile: &Profile, request: TokenRequest) -> Result<(), SessionError> {
        if self.rotations.is_begun(&profile.name) {
            self.vault.unlock(profile, self.reporter)?;
            self.block_on(self.finish_rotation(profile, request))??;
        }
        Ok(())
    }

    /// Removes the first key of `profile` at the server, after a second key was created. Returns the name of the
    /// removed key.
    ///
    /// # Errors
    /// `Rotation` with `NoSecondKey`, `StillUsed` or `Unfinished`; else the error of the request.
    pub async fn remove_first_key(&self, profile: &Profile) -> Result<String, SessionError> {
        if self.rotations.is_begun(&profile.name) {
            return Err(RotationError::Unfinished.into());
        }
        let kept = self.rotations.finished(&profile.name).map_err(RotationError::Disk)?;
        let second = kept.into_iter().find_map(|rotation| rotation.beside.clone().map(|first| (rotation, first)));
        let Some((mut rotation, first)) = second else { return Err(RotationError::NoSecondKey.into()) };
        let store = self.current_store()?;
        if let Some(user) = store.profile_with_key(profile, &first) {
            return Err(RotationError::StillUsed { user: user.name.clone(), appname: first }.into());
        }
        let access = self.obtain(LoadedProfile::new(profile, None), TokenRequest::default()).await?;
        let call = ApiKey::remove(&first).map_err(RotationError::Name)?;
        match self.call_and_parse(profile, &access, &call, |_| Ok(())).await {
            // An interrupted run may have removed the key already.
            Ok(()) | Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => {}
            Err(error) => return Err(error),
        }
        rotation.beside = None;
        self.rotations.save_finished(&rotation).map_err(RotationError::Disk)?;
        Ok(first)
    }

    /// Returns the profiles with an unfinished rotation.
    ///
    /// # Errors
    /// [`DiskError`] if the directory cannot be listed.
    pub fn unfinished_rotations(&self) -> Result<Vec<ProfileName>, DiskError> {
        self.rotations.begun_profiles()
    }

    /// Returns whether the profile has an unfinished rotation.
    #[must_use]
    pub fn has_unfinished_rotation(&self, profile: &ProfileName) -> bool {
        self.rotations.is_begun(profile)
    }

    /// Returns whether the profile's cached token may be the only access to its key.
    ///
    /// # Errors
    /// [`RotationError`] if the rotation cannot be read.
    pub fn needs_cached_token(&self, profile: &ProfileName) -> Result<bool, RotationError> {
        Ok(self.rotations.load(profile)?.is_some_and(|rotation| rotation.stage == Stage::Asked))
    }

    /// Returns the newest key of a profile that is kept on this machine, stored or not.
    ///
    /// # Errors
    /// [`RotationError`] if the key cannot be read.
    pub fn newest_key(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        let begun = self.rotations.load(profile)?.filter(|rotation| rotation.sealed().is_some());
        Ok(match begun {
            Some(rotation) => Some(rotation),
            None => self.rotations.finished(profile)?.into_iter().next(),
        })
    }

    /// Abandons the rotation of a profile that gets another credential or none. A new key of the rotation is kept. The
    /// caller holds the profile's lock.
    ///
    /// # Errors
    /// [`RotationError`] if the rotation cannot be read or removed.
    pub fn abandon_rotation(&self, profile: &ProfileName, _held: &LockGuard) -> Result<(), RotationError> {
        match self.rotations.load(profile) {
            Ok(None) => Ok(()),
            Ok(Some(rotation)) => Ok(self.rotations.finish(&rotation)?),
            // A damaged file cannot be resumed.
            Err(RotationError::Damaged(_)) => Ok(self.rotations.remove(profile)?),
            Err(error) => Err(error),
        }
    }
}
