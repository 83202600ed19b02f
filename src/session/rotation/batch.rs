//! Rotations from their beginning to their end: of many profiles at once, and of the one that somebody is about to sign in
//! to.

use super::new_key::Now;
use super::record::{Rotation, Stage};
use super::store_keys::sound;
use super::{Kind, Rotated, RotationError};
use crate::disk::{DiskError, Locked};
use crate::fusion::{ApiKey, FusionError};
use crate::profile::{Profile, ProfileName};
use crate::session::{Access, Declared, Jobs, Session, SessionError, Want, Warning};
use std::ops::ControlFlow;
use std::rc::Rc;

/// So many keys go into the store in one change. Until then the old ones are dead for whoever reads the store, so it is
/// not more than are asked for in some seconds.
const BATCH: usize = 64;

impl Session<'_> {
    /// Gives each of the profiles a new key, `jobs` of them at once; `each` gets every result as it comes, in no order. Once
    /// it breaks no other key is changed, and what was changed is stored. Where the store cannot be written, no other key is
    /// changed either.
    ///
    /// # Errors
    /// [`SessionError::Runtime`]; what goes wrong with one profile goes to `each`.
    pub fn rotate_each(
        &self,
        profiles: &[&Profile],
        kind: Kind,
        jobs: Jobs,
        mut each: impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        self.is_fleet.set(profiles.len() > 1);
        self.block_on(async {
            let mut batches = profiles.chunks(BATCH);
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

    /// As many as go into the store together; whether `each` broke.
    ///
    /// # Errors
    /// Why the store cannot be written.
    async fn rotate_batch(
        &self,
        batch: &[&Profile],
        kind: Kind,
        jobs: Jobs,
        each: &mut impl FnMut(&ProfileName, Result<Rotated, SessionError>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Rc<SessionError>> {
        let mut answered = Vec::with_capacity(batch.len());
        let work = async |profile: &Profile| (profile.name.clone(), self.begin_or_resume(profile, kind).await);
        let asked = self.each_here(batch.iter().copied(), jobs, work, |(name, result)| match result {
            Ok(Some(rotation)) => {
                answered.push(rotation);
                ControlFlow::Continue(())
            }
            Ok(None) => each(&name, Ok(Rotated::ByAnother)),
            Err(error) => each(&name, Err(error)),
        });
        let all_asked = asked.await;
        let stored = match self.put(&answered).await {
            Ok(stored) => stored,
            Err(error) => {
                let why = Rc::new(error);
                let not_stored = || RotationError::NotStored(Rc::clone(&why)).into();
                let told = answered.iter().try_for_each(|rotation| each(&rotation.profile, Err(not_stored())));
                return if told.is_break() { Ok(told) } else { Err(why) };
            }
        };
        let (stored, overtaken): (Vec<_>, Vec<_>) = answered.into_iter().zip(stored).partition(|(_, stored)| *stored);
        let told = overtaken
            .iter()
            .try_for_each(|(rotation, _)| each(&rotation.profile, Err(RotationError::Overtaken.into())));
        let prove = async |(rotation, _): (Rotation, bool)| {
            let proved = self.prove_alone(&rotation).await;
            let done = if rotation.beside.is_some() { Rotated::Beside } else { Rotated::Replaced };
            (rotation.profile, proved.map(|()| done(rotation.key.appname)))
        };
        let proved = self.each_here(stored, jobs, prove, |(name, result)| each(&name, result)).await;
        let broke = [all_asked, told, proved].iter().any(ControlFlow::is_break);
        Ok(if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Brings a profile as far as a new key; nothing where another neto gave it one since `profile` was read.
    async fn begin_or_resume(&self, profile: &Profile, kind: Kind) -> Result<Option<Rotation>, SessionError> {
        let held = self.own(&profile.name).await?;
        let store = self.store_now()?;
        let now = Now { store: &store, profile: sound(&store, &profile.name)? };
        if let Some(rotation) = self.rotations.load(&profile.name)?
            && let Some(rotation) = self.resume(rotation, now, &held).await?
        {
            return Ok(Some(rotation));
        }
        if now.profile.sealed.as_ref().map(|note| &note.id) != profile.sealed.as_ref().map(|note| &note.id) {
            return Ok(None);
        }
        self.begin(now, kind, &held).await.map(Some)
    }

    /// Where another neto went on with it meanwhile, there is nothing left to do.
    async fn prove_alone(&self, rotation: &Rotation) -> Result<(), SessionError> {
        let held = self.own(&rotation.profile).await?;
        let store = self.store_now()?;
        self.prove(rotation, sound(&store, &rotation.profile)?, &held).await.map(drop)
    }

    /// Finishes what an earlier neto began for a profile that somebody is about to sign in to, while its lock is held;
    /// nothing where there is nothing. Where it cannot be finished, a token that still does is better than none.
    pub(in crate::session) async fn finish_begun(
        &self,
        profile: &Profile,
        held: &Locked,
    ) -> Result<Option<Access>, SessionError> {
        if !self.rotations.has(&profile.name) {
            return Ok(None);
        }
        self.watcher.warn(Warning::Finishing(&profile.name));
        let error = match self.finish(profile, held).await {
            Ok(access) => return Ok(access),
            // The server was just asked with the cached token, and did not take it.
            Err(error @ SessionError::Rotation(RotationError::Lost)) => return Err(error),
            // Who is asked without the lock comes back.
            Err(SessionError::Vault(error)) if error.wants_a_person() => return Err(error.into()),
            Err(error) => error,
        };
        let Some(access) = self.usable(profile) else { return Err(error) };
        self.watcher.warn(Warning::Unfinished { profile: &profile.name, error: &error });
        Ok(Some(access))
    }

    async fn finish(&self, profile: &Profile, held: &Locked) -> Result<Option<Access>, SessionError> {
        let name = &profile.name;
        let Some(rotation) = self.rotations.load(name)? else { return Ok(None) };
        let store = self.store_now()?;
        let now = Now { store: &store, profile: sound(&store, name)? };
        let Some(rotation) = self.resume(rotation, now, held).await? else { return Ok(None) };
        if self.put(std::slice::from_ref(&rotation)).await? != [true] {
            return Err(RotationError::Overtaken.into());
        }
        let store = self.store_now()?;
        let now = sound(&store, name)?;
        // Who is about to sign in read the store before.
        self.vault.note_renewed(profile, now);
        self.prove(&rotation, now, held).await.map(Some)
    }

    /// Finishes what an earlier neto began for a profile, for who wants its credential: that may be dead, though a cached
    /// token is good. Nobody is asked for anything.
    ///
    /// # Errors
    /// [`SessionError`]; `Rotation(Unfinished)` where no server is to be asked.
    pub async fn settle(&self, profile: &Profile, want: Want) -> Result<(), SessionError> {
        if profile.name.is_env() || !self.rotations.has(&profile.name) {
            return Ok(());
        }
        if want.offline {
            return Err(RotationError::Unfinished.into());
        }
        let held = self.own(&profile.name).await?;
        self.finish_begun(profile, &held).await.map(drop)
    }

    /// The same on an event loop of its own, where somebody may be asked.
    ///
    /// # Errors
    /// As [`Session::settle`].
    pub fn settle_alone(&self, profile: &Profile, want: Want) -> Result<(), SessionError> {
        if self.rotations.has(&profile.name) {
            self.vault.unlock(profile, self.watcher)?;
            self.block_on(self.settle(profile, want))??;
        }
        Ok(())
    }

    /// Removes the first key, beside which `profile` got a second one, at the server; its name.
    ///
    /// # Errors
    /// `Rotation` with `NoSecondKey`, `StillUsed` or `Unfinished`; else what the server says.
    pub async fn finish_beside(&self, profile: &Profile) -> Result<String, SessionError> {
        if self.rotations.has(&profile.name) {
            return Err(RotationError::Unfinished.into());
        }
        let kept = self.rotations.kept(&profile.name).map_err(RotationError::Disk)?;
        let second = kept.into_iter().find_map(|rotation| rotation.beside.clone().map(|first| (rotation, first)));
        let Some((mut rotation, first)) = second else { return Err(RotationError::NoSecondKey.into()) };
        let store = self.store_now()?;
        if let Some(user) = store.user_of(profile, &first) {
            return Err(RotationError::StillUsed { user: user.name.clone(), appname: first }.into());
        }
        let access = self.obtain(Declared { profile, reading: None }, Want::default()).await?;
        let call = ApiKey::remove(&first).map_err(RotationError::Name)?;
        match self.told(profile, &access, &call, |_| Ok(())).await {
            // It is gone already, as by a run that was ended before it could write so.
            Ok(()) | Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => {}
            Err(error) => return Err(error),
        }
        rotation.beside = None;
        self.rotations.keep(&rotation).map_err(RotationError::Disk)?;
        Ok(first)
    }

    /// The profiles with a rotation that was begun and is not finished.
    ///
    /// # Errors
    /// [`DiskError`] when they cannot be listed.
    pub fn unfinished(&self) -> Result<Vec<ProfileName>, DiskError> {
        self.rotations.begun()
    }

    /// Whether a rotation was begun for a profile and is not finished.
    #[must_use]
    pub fn is_begun(&self, profile: &ProfileName) -> bool {
        self.rotations.has(profile)
    }

    /// Whether the cached token of a profile may be all that opens the way to its key.
    ///
    /// # Errors
    /// [`RotationError`] when what was begun cannot be read.
    pub fn needs_its_token(&self, profile: &ProfileName) -> Result<bool, RotationError> {
        Ok(self.rotations.load(profile)?.is_some_and(|rotation| rotation.stage == Stage::Asked))
    }

    /// The newest key of a profile that is kept here, stored or not.
    ///
    /// # Errors
    /// [`RotationError`] when it cannot be read.
    pub fn newest_key(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        let begun = self.rotations.load(profile)?.filter(|rotation| rotation.sealed().is_some());
        Ok(match begun {
            Some(rotation) => Some(rotation),
            None => self.rotations.kept(profile)?.into_iter().next(),
        })
    }

    /// The profile is about to have another credential, or none: what was begun for it does not matter any more. A key that
    /// came of it is kept. The caller holds the profile's lock.
    ///
    /// # Errors
    /// [`RotationError`] when it cannot be read or removed.
    pub fn abandon(&self, profile: &ProfileName, _held: &Locked) -> Result<(), RotationError> {
        match self.rotations.load(profile) {
            Ok(None) => Ok(()),
            Ok(Some(rotation)) => Ok(self.rotations.set_aside(&rotation)?),
            // What cannot be read is of no use to anybody.
            Err(RotationError::Damaged(_)) => Ok(self.rotations.forget(profile)?),
            Err(error) => Err(error),
        }
    }
}
