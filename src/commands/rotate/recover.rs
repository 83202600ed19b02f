//! `neto rotate --recover`: restores the newest key kept on this machine, after the store that held the key was lost.

use super::RotateArgs;
use crate::commands::login;
use crate::commands::profile::add::declared_profile;
use crate::error::{Code, Error, Hint};
use crate::output::humanize;
use crate::profile::{Document, Edit, Profile, ProfileName};
use crate::secret::{Binding, OpenedSecret, recipients_tag};
use crate::session::{Rotation, SessionError, VaultError};
use crate::workflow::{Run, locked_edit, sealing};

/// Writes the newest kept key of one profile to the store, and logs in with the key.
pub(super) fn run(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let mut selected = args.select.resolve_named(run)?;
    let (Some(selected_profile), true) = (selected.pop(), selected.is_empty()) else {
        return Err(Error::new(Code::Usage, "one profile at a time is recovered")
            .with_hint(Hint::command("neto rotate NAME --recover")));
    };
    let name = selected_profile.name.into_owned();
    let profile = selected_profile.profile?;
    recover(args, run, profile).map_err(|error| error.about(&name))
}

fn recover(args: &RotateArgs, run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let kept_rotation = run.context.session(&run.reporter()).newest_key(&profile.name).map_err(SessionError::from)?;
    let Some(kept_rotation) = kept_rotation else {
        return Err(Error::new(Code::Store, "no key of it is kept on this machine")
            .with_hint(Hint::set_secret().remark("with a key from the portal")));
    };
    let Some(sealed) = kept_rotation.sealed() else { return Err(Error::bug("a key that never came is kept")) };
    if profile.sealed.as_ref().is_some_and(|note| note.id == sealed.note.id) {
        run.ui.note(&format!("'{}' has the newest key that is kept here already", profile.name));
        return Ok(());
    }
    sealing::refuse_changed(run, profile)?;
    let opened = run.context.vault.open(&sealed.text, &run.reporter())?;
    args.confirm(run, "Replace the key of", &[profile])?;
    let document = locked_edit::edit_store(run, |document| edits(run, document, &kept_rotation, &opened))?;
    let profile = declared_profile(&document, &profile.name)?;
    locked_edit::trust_profiles(run, std::slice::from_ref(&profile))?;
    run.ui.note(&format!("'{}' has the key of {} again", profile.name, humanize::utc_minute(kept_rotation.began_at)));
    login::log_in(run, &profile)
}

/// Returns the edits that write the kept key. The secret is re-encrypted if the recipients have changed since the
/// rotation.
///
/// # Errors
/// Returns an error if the profile is invalid, or no longer has the fields that the key is bound to.
fn edits(
    run: &Run<'_>,
    document: &Document,
    kept_rotation: &Rotation,
    opened: &OpenedSecret,
) -> Result<Vec<Edit>, Error> {
    let (Some(sealed), store) = (kept_rotation.sealed(), document.store()) else { return Ok(Vec::new()) };
    let name: &ProfileName = &kept_rotation.profile;
    let declared = Profile {
        sealed: Some(sealed.note.clone()),
        ..kept_rotation.profile_with_new_key(&declared_profile(document, name)?)
    };
    opened.check_binding(&Binding::from_profile(&declared)?, &sealed.note).map_err(VaultError::Mismatch)?;
    let mut edits = kept_rotation.edits();
    if sealed.note.to != recipients_tag(&store.recipient_keys(&declared)) {
        edits.extend(sealing::reseal(run, store, &declared, opened)?.edits(name));
    }
    Ok(edits)
}
