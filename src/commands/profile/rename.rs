//! `neto profile rename`: renames a profile, its trust record and its cached token.

use crate::disk::Durability;
use crate::error::{Code, Error, Hint};
use crate::profile::{Edit, NameError, Profile, ProfileName};
use crate::workflow::{Run, TerminalReporter, locked_edit, sealing};
use clap::Args;

/// Give a profile another name; its token and being current go along
///
/// The secret is bound to the name, so it is encrypted again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  neto profile rename acme acme-prod\n  neto profile rename globex globex-eu")]
pub(crate) struct RenameArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    old: String,
    /// Its new name
    #[arg(value_name = "NEW")]
    new: String,
}

/// Renames one profile.
pub(crate) fn run(args: &RenameArgs, run: &Run<'_>) -> Result<(), Error> {
    let old = run.context.resolve(Some(&args.old))?.name;
    let new: ProfileName = args.new.parse().map_err(|error: NameError| {
        Error::new(Code::Usage, format!("the new name is not one: {error}"))
            .with_hint(Hint::command(format!("neto profile rename {old} acme-prod")))
    })?;
    if old.is_env() {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; it has no other name"));
    }
    let old_profile = run.context.profile(&old)?;
    run.unlock([old_profile])?;
    let mut trusted = Vec::new();
    let document = locked_edit::edit_store(run, |document| {
        if document.store().entry(&new).is_some() {
            return Err(Error::new(Code::Store, format!("there is a profile '{new}' already"))
                .with_hint(Hint::command("neto profile list").remark("shows which names are taken")));
        }
        let edits = vec![Edit::RenameProfile { from: old.clone(), to: new.clone() }];
        let old_name = |name: &ProfileName| if *name == new { old.clone() } else { name.clone() };
        let resealing = sealing::with_resealing(run, &(), document, edits, old_name)?.require_complete()?;
        trusted = resealing.changed;
        Ok(resealing.edits)
    })?;
    let profile = super::add::declared_profile(&document, &new)?;
    locked_edit::edit_trust_store(run, |trust_store| {
        trust_store.rename_profile(&old, &new);
        for profile in &trusted {
            trust_store.trust_profile(profile);
        }
    })?;
    locked_edit::edit_current_profile(run, |current| current.replace_name(&old, Some(&new)))?;
    run.ui.note(&format!("'{old}' is now '{new}'"));
    // The profile is already renamed in the store. If the token cannot be moved, the next command logs in.
    if let Err(error) = move_token(run, old_profile, &profile) {
        run.ui.warn(&format!("the token did not come along: {}", error.message()));
    }
    Ok(())
}

/// Moves the cached token to the new name. A token that was not issued for the old profile is removed.
fn move_token(run: &Run<'_>, old_profile: &Profile, new_profile: &Profile) -> Result<(), Error> {
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    // Locks are taken in name order, so that two renames in opposite directions cannot deadlock.
    let mut names = [&old_profile.name, &new_profile.name];
    names.sort();
    let lock_token = |name: &ProfileName| {
        locked_edit::acquire_lock(run, &session.token_lock(name), &format!("the token of '{name}'"))
    };
    let _locks = (lock_token(names[0])?, lock_token(names[1])?);
    let (tokens, keys) = (session.token_files(), &run.context.paths.keys);
    if let (Some(device), Some(old_fingerprint), Some(new_fingerprint)) =
        (keys.load_device()?, session.fingerprint(old_profile), session.fingerprint(new_profile))
        && let Ok(Some(mut token)) = tokens.load(&old_profile.name, || Some(&device))
        && token.fingerprint == old_fingerprint
    {
        token.profile = new_profile.name.clone();
        token.fingerprint = new_fingerprint;
        token.declaration = None;
        // The old file is removed before the new file is written, so that no refresh token exists twice.
        tokens.remove(&old_profile.name)?;
        tokens.save(&token, &device, Durability::Durable)?;
    }
    tokens.remove(&old_profile.name)?;
    Ok(())
}
