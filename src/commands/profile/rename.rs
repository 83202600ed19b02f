//! `neto profile rename`: renames a profile, with its cached token and trust.

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
    let before = run.context.profile(&old)?;
    run.unlock([before])?;
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
    locked_edit::edit_current_profile(run, |current| current.renamed(&old, Some(&new)))?;
    run.ui.note(&format!("'{old}' is now '{new}'"));
    // The profile is already renamed in the store. Without the cached token, only one login is lost.
    if let Err(error) = move_token(run, before, &profile) {
        run.ui.warn(&format!("the token did not come along: {}", error.message()));
    }
    Ok(())
}

/// Moves the cached token to the new name. If the move fails, the next command logs in.
fn move_token(run: &Run<'_>, before: &Profile, after: &Profile) -> Result<(), Error> {
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    // Locks are taken in name order, so that two renames in opposite directions cannot deadlock.
    let mut names = [&before.name, &after.name];
    names.sort();
    let lock_token = |name: &ProfileName| {
        locked_edit::acquire_lock(run, &session.token_lock(name), &format!("the token of '{name}'"))
    };
    let _held = (lock_token(names[0])?, lock_token(names[1])?);
    let (tokens, keys) = (session.token_files(), &run.context.paths.keys);
    if let (Some(device), Some(old_fingerprint), Some(new_fingerprint)) =
        (keys.load_device()?, session.fingerprint(before), session.fingerprint(after))
        && let Ok(Some(mut token)) = tokens.load(&before.name, || Some(&device))
        && token.fingerprint == old_fingerprint
    {
        token.profile = after.name.clone();
        token.fingerprint = new_fingerprint;
        token.declaration = None;
        // The old file is removed before the new file is written, so that no refresh token exists twice.
        tokens.remove(&before.name)?;
        tokens.save(&token, &device, Durability::Durable)?;
    }
    tokens.remove(&before.name)?;
    Ok(())
}
