//! `neto profile remove`: removes profiles and their cached tokens.

use crate::error::{Code, Error, Hint};
use crate::profile::{Edit, ProfileName};
use crate::workflow::{Run, SelectArgs, TerminalReporter, locked_edit};
use clap::Args;

/// Remove profiles from the store, with their tokens
///
/// The API keys live on at the server. Asks first; off a terminal it needs --yes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile remove acme
  neto profile remove 'trial-*' --yes")]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Removes the selected profiles in one edit of the store. Then removes their trust records, rotations and cached
/// tokens.
pub(crate) fn run(args: &RemoveArgs, run: &Run<'_>) -> Result<(), Error> {
    let names: Vec<ProfileName> =
        args.select.resolve_named(run)?.into_iter().map(|selected| selected.name.into_owned()).collect();
    if names.iter().any(ProfileName::is_env) {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET holds; there is nothing to remove")
            .with_hint(Hint::command("unset NETOSECRET")));
    }
    if !args.yes {
        let list: Vec<&str> = names.iter().map(ProfileName::as_str).collect();
        let hint = Hint::command(format!("neto profile remove {} --yes", list.join(" ")));
        run.confirm(
            &format!("Remove {} with {} credential and token?", describe_profiles(&list), possessive(&list)),
            hint,
        )?;
    }
    locked_edit::edit_store(run, |document| {
        let existing = names.iter().filter(|name| document.store().entry(name).is_some());
        Ok(existing.map(|name| Edit::RemoveProfile { name: name.clone() }).collect())
    })?;
    locked_edit::edit_trust_store(run, |trust_store| names.iter().for_each(|name| trust_store.forget_profile(name)))?;
    let reporter = TerminalReporter(run.ui);
    for name in &names {
        locked_edit::abandon_rotation(run, &reporter, name)?;
        locked_edit::remove_cached_token(run, &reporter, name)?;
        locked_edit::edit_current_profile(run, |current| current.replace_name(name, None))?;
        run.ui.note(&format!("Removed '{name}'; its API key lives on at the server"));
    }
    Ok(())
}

fn describe_profiles(names: &[&str]) -> String {
    match names {
        [name] => format!("the profile '{name}'"),
        several if several.len() <= 5 => format!("the profiles {}", several.join(", ")),
        many => format!("{} profiles ({}, ...)", many.len(), many[..5].join(", ")),
    }
}

fn possessive(names: &[&str]) -> &'static str {
    if names.len() == 1 { "its" } else { "their" }
}
