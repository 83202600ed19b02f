//! `neto profile rename`: the same profile under another name.

use crate::disk::Durability;
use crate::error::{Code, Error};
use crate::profile::{Edit, NameError, Profile, ProfileName};
use crate::workflow::{Run, Watch, locked_edit, sealing};
use clap::Args;

/// Give a profile another name; its token and being current go along
///
/// The secret is bound to the name, so it is sealed anew.
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
    let old = run.context.choose(Some(&args.old))?.name;
    let new: ProfileName = args.new.parse().map_err(|error: NameError| {
        Error::new(Code::Usage, format!("the new name is not one: {error}"))
            .with_hint(format!("neto profile rename {old} acme-prod"))
    })?;
    if old.is_env() {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; it has no other name"));
    }
    let before = run.context.profile(&old)?;
    run.unlock([before])?;
    let mut trusted = Vec::new();
    let document = locked_edit::store(run, |document| {
        if document.store().entry(&new).is_some() {
            return Err(Error::new(Code::Store, format!("there is a profile '{new}' already"))
                .with_hint("neto profile list    shows which names are taken"));
        }
        let edits = vec![Edit::RenameProfile { from: old.clone(), to: new.clone() }];
        let name_before = |name: &ProfileName| if *name == new { old.clone() } else { name.clone() };
        let resealing = sealing::with_resealing(run, &(), document, edits, name_before)?.whole()?;
        trusted = resealing.changed;
        Ok(resealing.edits)
    })?;
    let profile = super::add::added(&document, &new)?;
    locked_edit::memory(run, |memory| {
        memory.rename(&old, &new);
        for profile in &trusted {
            memory.trust(profile);
        }
    })?;
    locked_edit::current(run, |current| current.renamed(&old, Some(&new)))?;
    run.ui.note(&format!("'{old}' is now '{new}'"));
    // The store is renamed by now; a token that does not come along costs one login.
    if let Err(error) = carry_token(run, before, &profile) {
        run.ui.warn(&format!("the token did not come along: {}", error.message()));
    }
    Ok(())
}

/// The token of the old name becomes the token of the new one. Where that fails the next command signs in.
fn carry_token(run: &Run<'_>, before: &Profile, after: &Profile) -> Result<(), Error> {
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    // In the order of their names, so that two renames in opposite directions never wait for each other.
    let mut both = [&before.name, &after.name];
    both.sort();
    let hold = |name: &ProfileName| locked_edit::hold(run, &session.lock_of(name), &format!("the token of '{name}'"));
    let _held = (hold(both[0])?, hold(both[1])?);
    let (tokens, keys) = (session.tokens(), &run.context.paths.keys);
    if let (Some(device), Some(was), Some(is)) =
        (keys.load_device()?, session.fingerprint(before), session.fingerprint(after))
        && let Ok(Some(mut token)) = tokens.load(&before.name, || Some(&device))
        && token.fingerprint == was
    {
        token.profile = after.name.clone();
        token.fingerprint = is;
        token.declaration = None;
        // The refresh token must never lie in two files: the old one goes before the new one comes.
        tokens.remove(&before.name)?;
        tokens.save(&token, &device, Durability::Durable)?;
    }
    tokens.remove(&before.name)?;
    Ok(())
}
