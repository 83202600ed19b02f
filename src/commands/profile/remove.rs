//! `neto profile remove`: profiles with their tokens.

use crate::error::{Code, Error};
use crate::profile::{Edit, ProfileName};
use crate::workflow::{Run, SelectArgs, Watch, locked_edit};
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

/// Removes the selected profiles in one change.
pub(crate) fn run(args: &RemoveArgs, run: &Run<'_>) -> Result<(), Error> {
    let names: Vec<ProfileName> =
        args.select.told(run)?.into_iter().map(|selected| selected.name.into_owned()).collect();
    if names.iter().any(ProfileName::is_env) {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET holds; there is nothing to remove")
            .with_hint("unset NETOSECRET"));
    }
    if !args.yes {
        let list: Vec<&str> = names.iter().map(ProfileName::as_str).collect();
        let line = format!("neto profile remove {} --yes", list.join(" "));
        run.confirm(&format!("Remove {} with {} credential and token?", quoted(&list), its(&list)), &line)?;
    }
    locked_edit::store(run, |document| {
        let there = names.iter().filter(|name| document.store().entry(name).is_some());
        Ok(there.map(|name| Edit::RemoveProfile { name: name.clone() }).collect())
    })?;
    locked_edit::memory(run, |memory| names.iter().for_each(|name| memory.forget(name)))?;
    let watch = Watch(run.ui);
    for name in &names {
        locked_edit::abandon_rotation(run, &watch, name)?;
        locked_edit::forget_token(run, &watch, name)?;
        locked_edit::current(run, |current| current.renamed(name, None))?;
        run.ui.note(&format!("Removed '{name}'; its API key lives on at the server"));
    }
    Ok(())
}

fn quoted(names: &[&str]) -> String {
    match names {
        [one] => format!("the profile '{one}'"),
        several if several.len() <= 5 => format!("the profiles {}", several.join(", ")),
        many => format!("{} profiles ({}, ...)", many.len(), many[..5].join(", ")),
    }
}

fn its(names: &[&str]) -> &'static str {
    if names.len() == 1 { "its" } else { "their" }
}
