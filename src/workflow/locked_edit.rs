//! Changing what lies on disk under its lock: the store, the memory of what was trusted, the current
//! profile, a cached token.

use crate::disk::{Lock, Locked};
use crate::error::Error;
use crate::output::Volume;
use crate::profile::{Current, Document, Edit, Profile, ProfileName};
use crate::secret::Memory;
use crate::session::{RotationError, Session, SessionError, acquire};
use crate::workflow::Run;
use std::path::Path;

/// Waits for a lock, telling the user after a second whom for.
pub(crate) fn hold(run: &Run<'_>, lock: &Lock, what: &str) -> Result<Locked, Error> {
    let tell = |holder: Option<u32>| {
        let whom = holder.map_or_else(|| "another neto".to_owned(), |pid| format!("neto process {pid}"));
        run.ui.note(&format!("waiting for {whom}, which holds {what}"));
    };
    let held = acquire(lock, run.context.globals.lock_timeout, &tell)?;
    run.ui.verbose(|| format!("has the lock of {what}"));
    Ok(held)
}

/// Changes the store: reads it again under its lock, so that nobody's change is lost, and writes it
/// whole or not at all. Returns the new document.
pub(crate) fn store(
    run: &Run<'_>,
    change: impl FnOnce(&Document) -> Result<Vec<Edit>, Error>,
) -> Result<Document, Error> {
    let file = run.context.store_file();
    let held = hold(run, &file.lock(), "the store")?;
    let mut before = None;
    let after = file.edit(&held, |document| {
        before = (run.ui.volume() == Volume::Verbose).then(|| document.bytes().to_vec());
        change(document)
    })?;
    if before.is_some_and(|before| before != after.bytes()) {
        wrote(run, file.path());
    }
    Ok(after)
}

/// Tells of a file that was written.
pub(crate) fn wrote(run: &Run<'_>, path: &Path) {
    run.ui.verbose(|| format!("wrote {}", path.display()));
}

/// Changes what this machine trusts.
pub(crate) fn memory(run: &Run<'_>, change: impl FnOnce(&mut Memory)) -> Result<(), Error> {
    let vault = &run.context.vault;
    let held = hold(run, &vault.memory_lock(), "the memory of what is trusted")?;
    vault.change_memory(&held, change)?;
    wrote(run, &run.context.paths.state.join("trust.json"));
    Ok(())
}

/// What neto itself wrote is trusted by that.
pub(crate) fn trust(run: &Run<'_>, profiles: &[Profile]) -> Result<(), Error> {
    if profiles.is_empty() {
        return Ok(());
    }
    memory(run, |memory| profiles.iter().for_each(|profile| memory.trust(profile)))
}

/// Changes the current profile.
pub(crate) fn current(run: &Run<'_>, change: impl FnOnce(Current) -> Current) -> Result<Current, Error> {
    let path = run.context.current_file();
    let _held = hold(run, &Lock::new(run.context.paths.state.join("locks/_current.lock")), "the current profile")?;
    let before = Current::load(&path)?;
    let after = change(before.clone());
    if after != before {
        after.save(&path)?;
        wrote(run, &path);
    }
    Ok(after)
}

/// Forgets the cached token of a profile, after whoever is getting one has finished; says whether there
/// was one.
pub(crate) fn forget_token(
    run: &Run<'_>,
    watch: &crate::workflow::Watch<'_>,
    profile: &ProfileName,
) -> Result<bool, Error> {
    let session = run.context.session(watch);
    if !session.tokens().file(profile).exists() && !session.lock_of(profile).path().exists() {
        return Ok(false);
    }
    let _held = hold_token(run, &session, profile)?;
    if session.needs_its_token(profile).map_err(SessionError::from)? {
        return Err(SessionError::from(RotationError::Unfinished).into());
    }
    let removed = session.tokens().remove(profile)?;
    if removed {
        run.ui.verbose(|| format!("{profile}: removed {}", session.tokens().file(profile).display()));
    }
    Ok(removed)
}

/// The profile got another credential, or is gone: a rotation that was begun for it does not matter any more.
pub(crate) fn abandon_rotation(
    run: &Run<'_>,
    watch: &crate::workflow::Watch<'_>,
    profile: &ProfileName,
) -> Result<(), Error> {
    let session = run.context.session(watch);
    if !session.is_begun(profile) {
        return Ok(());
    }
    let held = hold_token(run, &session, profile)?;
    Ok(session.abandon(profile, &held).map_err(SessionError::from)?)
}

fn hold_token(run: &Run<'_>, session: &Session<'_>, profile: &ProfileName) -> Result<Locked, Error> {
    hold(run, &session.lock_of(profile), &format!("the token of '{profile}'"))
}
