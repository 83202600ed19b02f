//! `neto rotate --recover`: the newest key that is kept on this machine goes back into the store, which was lost before it
//! was shared.

use super::RotateArgs;
use crate::commands::login;
use crate::commands::profile::add::added;
use crate::error::{Code, Error};
use crate::output::humanize;
use crate::profile::{Document, Edit, Profile, ProfileName};
use crate::secret::{Binding, Opened, recipients_tag};
use crate::session::{Rotation, SessionError, VaultError};
use crate::workflow::{Run, locked_edit, sealing};

/// Puts the newest key of one profile into the store, and signs in with it.
pub(super) fn run(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let mut selected = args.select.told(run)?;
    let (Some(one), true) = (selected.pop(), selected.is_empty()) else {
        return Err(
            Error::new(Code::Usage, "one profile at a time is recovered").with_hint("neto rotate NAME --recover")
        );
    };
    let name = one.name.into_owned();
    let profile = one.profile?;
    recover(args, run, profile).map_err(|error| error.about(&name))
}

fn recover(args: &RotateArgs, run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let kept = run.context.session(&run.watch()).newest_key(&profile.name).map_err(SessionError::from)?;
    let Some(kept) = kept else {
        return Err(Error::new(Code::Store, "no key of it is kept on this machine")
            .with_hint("neto profile set-secret NAME    with a key from the portal"));
    };
    let Some(sealed) = kept.sealed() else { return Err(Error::bug("a key that never came is kept")) };
    if profile.sealed.as_ref().is_some_and(|note| note.id == sealed.note.id) {
        run.ui.note(&format!("'{}' has the newest key that is kept here already", profile.name));
        return Ok(());
    }
    sealing::refuse_changed(run, profile)?;
    let opened = run.context.vault.open(&sealed.text, &run.watch())?;
    args.ask(run, "Replace the key of", &[profile])?;
    let document = locked_edit::store(run, |document| edits(run, document, &kept, &opened))?;
    let profile = added(&document, &profile.name)?;
    locked_edit::trust(run, std::slice::from_ref(&profile))?;
    run.ui.note(&format!("'{}' has the key of {} again", profile.name, humanize::minute(kept.began_at)));
    login::sign_in(run, &profile)
}

/// The key as it was sealed; anew where the recipients are others by now.
fn edits(run: &Run<'_>, document: &Document, kept: &Rotation, opened: &Opened) -> Result<Vec<Edit>, Error> {
    let (Some(sealed), store) = (kept.sealed(), document.store()) else { return Ok(Vec::new()) };
    let name: &ProfileName = &kept.profile;
    let declared = Profile { sealed: Some(sealed.note.clone()), ..kept.declared(&added(document, name)?) };
    opened.check(&Binding::of(&declared)?, &sealed.note).map_err(VaultError::Mismatch)?;
    let mut edits = kept.edits();
    if sealed.note.to != recipients_tag(&store.recipient_keys(&declared)) {
        edits.extend(sealing::seal_again(run, store, &declared, opened)?.edits(name));
    }
    Ok(edits)
}
