//! Edits of files under their locks: profile store, trust store, current profile, cached tokens.

use crate::disk::{Lock, LockGuard};
use crate::error::Error;
use crate::output::Volume;
use crate::profile::{Current, Document, Edit, Profile, ProfileName};
use crate::secret::TrustStore;
use crate::session::{RotationError, Session, SessionError, acquire};
use crate::workflow::Run;
use std::path::Path;

/// Waits for a lock. Prints a note after a second that names the process holding the lock.
pub(crate) fn acquire_lock(run: &Run<'_>, lock: &Lock, lock_name: &str) -> Result<LockGuard, Error> {
    let print_note = |holder: Option<u32>| {
        let holder = holder.map_or_else(|| "another neto".to_owned(), |pid| format!("neto process {pid}"));
        run.ui.note(&format!("waiting for {holder}, which holds {lock_name}"));
    };
    let held = acquire(lock, run.context.globals.lock_timeout, &print_note)?;
    run.ui.verbose(|| format!("has the lock of {lock_name}"));
    Ok(held)
}

/// Edits the store under its lock and returns the new document. Reads the store again under the lock, so that no
/// concurrent change is lost, and writes all edits or none.
pub(crate) fn edit_store(
    run: &Run<'_>,
    change: impl FnOnce(&Document) -> Result<Vec<Edit>, Error>,
) -> Result<Document, Error> {
    let file = run.context.store_file();
    let held = acquire_lock(run, &file.lock(), "the store")?;
    let mut before = None;
    let after = file.edit(&held, |document| {
        before = (run.ui.volume() == Volume::Verbose).then(|| document.bytes().to_vec());
        change(document)
    })?;
    if before.is_some_and(|before| before != after.bytes()) {
        report_written(run, file.path());
    }
    Ok(after)
}

/// Prints the path of a written file if the output is verbose.
pub(crate) fn report_written(run: &Run<'_>, path: &Path) {
    run.ui.verbose(|| format!("wrote {}", path.display()));
}

/// Edits the trust store under its lock.
pub(crate) fn edit_trust_store(run: &Run<'_>, change: impl FnOnce(&mut TrustStore)) -> Result<(), Error> {
    let vault = &run.context.vault;
    let held = acquire_lock(run, &vault.trust_lock(), "the memory of what is trusted")?;
    vault.edit_trust_store(&held, change)?;
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

/// Edits the current profile under its lock and returns the new value.
pub(crate) fn edit_current_profile(run: &Run<'_>, change: impl FnOnce(Current) -> Current) -> Result<Current, Error> {
    let path = run.context.current_file();
    let _held =
        acquire_lock(run, &Lock::new(run.context.paths.state.join("locks/_current.lock")), "the current profile")?;
    let before = Current::load(&path)?;
    let after = change(before.clone());
    if after != before {
        after.save(&path)?;
        report_written(run, &path);
    }
    Ok(after)
}

/// Removes the cached token of a profile and returns whether there was a token. Waits until no process is getting a
/// token for this profile.
///
/// # Errors
/// Includes [`RotationError::Unfinished`] if a rotation still needs the cached token.
pub(crate) fn remove_cached_token(
    run: &Run<'_>,
    reporter: &crate::workflow::TerminalReporter<'_>,
    profile: &ProfileName,
) -> Result<bool, Error> {
    let session = run.context.session(reporter);
    if !session.token_files().file_path(profile).exists() && !session.token_lock(profile).path().exists() {
        return Ok(false);
    }
    let _held = acquire_token_lock(run, &session, profile)?;
    if session.needs_cached_token(profile).map_err(SessionError::from)? {
        return Err(SessionError::from(RotationError::Unfinished).into());
    }
    let removed = session.token_files().remove(profile)?;
    if removed {
        run.ui.verbose(|| format!("{profile}: removed {}", session.token_files().file_path(profile).display()));
    }
    Ok(removed)
}

/// Abandons an unfinished rotation of a profile that was removed or received another credential.
pub(crate) fn abandon_rotation(
    run: &Run<'_>,
    reporter: &crate::workflow::TerminalReporter<'_>,
    profile: &ProfileName,
) -> Result<(), Error> {
    let session = run.context.session(reporter);
    if !session.has_unfinished_rotation(profile) {
        return Ok(());
    }
    let held = acquire_token_lock(run, &session, profile)?;
    Ok(session.abandon_rotation(profile, &held).map_err(SessionError::from)?)
}

fn acquire_token_lock(run: &Run<'_>, session: &Session<'_>, profile: &ProfileName) -> Result<LockGuard, Error> {
    acquire_lock(run, &session.token_lock(profile), &format!("the token of '{profile}'"))
}
