//! Edits files under their locks: profile store, trust store, current profile, cached tokens.

use crate::disk::{Lock, LockGuard};
use crate::error::Error;
use crate::output::Volume;
use crate::profile::{Current, Document, Edit, Profile, ProfileName};
use crate::secret::TrustStore;
use crate::session::{Reporter as _, RotationError, Session, SessionError, acquire};
use crate::workflow::Run;
use std::path::Path;

/// Acquires a lock, waiting at most `--lock-timeout`. If the wait takes longer than a second, prints a note with
/// `lock_name`.
pub(crate) fn acquire_lock(run: &Run<'_>, lock: &Lock, lock_name: &str) -> Result<LockGuard, Error> {
    let report_wait = |holder| run.reporter().waiting_for_lock(lock_name, holder);
    let guard = acquire(lock, run.context.globals.lock_timeout, &report_wait)?;
    run.ui.verbose(|| format!("has the lock of {lock_name}"));
    Ok(guard)
}

/// Edits the store under its lock and returns the edited document. `change` receives the store as read under the lock,
/// so that no concurrent change is lost. Writes all edits or none.
pub(crate) fn edit_store(
    run: &Run<'_>,
    change: impl FnOnce(&Document) -> Result<Vec<Edit>, Error>,
) -> Result<Document, Error> {
    let file = run.context.store_file();
    let guard = acquire_lock(run, &file.lock(), "the store")?;
    let mut before = None;
    let after = file.edit(&guard, |document| {
        before = (run.ui.volume() == Volume::Verbose).then(|| document.bytes().to_vec());
        change(document)
    })?;
    if before.is_some_and(|before| before != after.bytes()) {
        report_written(run, file.path());
    }
    Ok(after)
}

/// Reports a written file in verbose output.
pub(crate) fn report_written(run: &Run<'_>, path: &Path) {
    run.ui.verbose(|| format!("wrote {}", path.display()));
}

/// Edits the trust store under its lock.
pub(crate) fn edit_trust_store(run: &Run<'_>, change: impl FnOnce(&mut TrustStore)) -> Result<(), Error> {
    let vault = &run.context.vault;
    let guard = acquire_lock(run, &vault.trust_lock(), "the memory of what is trusted")?;
    vault.edit_trust_store(&guard, change)?;
    report_written(run, &run.context.paths.state.join("trust.json"));
    Ok(())
}

/// Trusts profiles that neto itself wrote.
pub(crate) fn trust_profiles(run: &Run<'_>, profiles: &[Profile]) -> Result<(), Error> {
    if profiles.is_empty() {
        return Ok(());
    }
    edit_trust_store(run, |trust_store| profiles.iter().for_each(|profile| trust_store.trust_profile(profile)))
}

/// Edits the file of the current profile under its lock, and returns the new value.
pub(crate) fn edit_current_profile(run: &Run<'_>, change: impl FnOnce(Current) -> Current) -> Result<Current, Error> {
    let path = run.context.current_file();
    let _guard =
        acquire_lock(run, &Lock::new(run.context.paths.state.join("locks/_current.lock")), "the current profile")?;
    let before = Current::load(&path)?;
    let after = change(before.clone());
    if after != before {
        after.save(&path)?;
        report_written(run, &path);
    }
    Ok(after)
}

/// Removes the cached token of a profile under the profile's lock. Returns whether there was a token.
///
/// # Errors
/// Returns [`RotationError::Unfinished`] if a rotation still needs the token. Also returns an error if the lock cannot
/// be acquired or the file cannot be removed.
pub(crate) fn remove_cached_token(
    run: &Run<'_>,
    reporter: &crate::workflow::TerminalReporter<'_>,
    profile: &ProfileName,
) -> Result<bool, Error> {
    let session = run.context.session(reporter);
    if !session.token_files().file_path(profile).exists() && !session.token_lock(profile).path().exists() {
        return Ok(false);
    }
    let _guard = acquire_token_lock(run, &session, profile)?;
    if session.needs_cached_token(profile).map_err(SessionError::from)? {
        return Err(SessionError::from(RotationError::Unfinished).into());
    }
    let removed = session.token_files().remove(profile)?;
    if removed {
        run.ui.verbose(|| format!("{profile}: removed {}", session.token_files().file_path(profile).display()));
    }
    Ok(removed)
}

/// Abandons the unfinished rotation, if any, of a profile that was removed or received another credential.
pub(crate) fn abandon_rotation(
    run: &Run<'_>,
    reporter: &crate::workflow::TerminalReporter<'_>,
    profile: &ProfileName,
) -> Result<(), Error> {
    let session = run.context.session(reporter);
    if !session.has_unfinished_rotation(profile) {
        return Ok(());
    }
    let guard = acquire_token_lock(run, &session, profile)?;
    Ok(session.abandon_rotation(profile, &guard).map_err(SessionError::from)?)
}

fn acquire_token_lock(run: &Run<'_>, session: &Session<'_>, profile: &ProfileName) -> Result<LockGuard, Error> {
    acquire_lock(run, &session.token_lock(profile), &format!("the token of '{profile}'"))
}
