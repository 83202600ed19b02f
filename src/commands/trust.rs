//! `neto trust`: takes the user's word for what came into the store from elsewhere.

use super::recipient;
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::profile::{ApiUrl, Profile, RecipientName, Store};
use crate::secret::{Verdict, plugin_of};
use crate::workflow::{Run, SelectArgs, locked_edit, sealing};
use clap::Args;

/// Trust what changed in the store, after looking at it
///
/// This machine remembers what it trusted: the address, account, roots and source of each profile and the
/// recipients' keys. What came into the file from elsewhere, such as a merge, is refused until this command has
/// shown it, old and new. It writes nothing to the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto trust acme
  neto trust --recipient bob
  neto trust --all")]
pub(crate) struct TrustArgs {
    /// Profiles by name or glob
    #[arg(value_name = "PROFILE")]
    names: Vec<String>,
    /// A recipient of the store by name (repeatable)
    #[arg(long = "recipient", value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// Every profile and every recipient
    #[arg(long, conflicts_with_all = ["names", "recipients"])]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Shows what is new and remembers it.
pub(crate) fn run(args: &TrustArgs, run: &Run<'_>) -> Result<(), Error> {
    let store = run.context.store()?;
    if args.names.is_empty() && args.recipients.is_empty() && !args.all {
        return Err(Error::new(Code::Usage, "nothing is named to trust")
            .with_hint("neto trust --all    or name profiles, or --recipient NAME"));
    }
    let profiles = untrusted(args, run)?;
    let recipients = strangers(args, run, store)?;
    let address = strange_default(args, run, store);
    if profiles.is_empty() && recipients.is_empty() && address.is_none() {
        run.ui.note("All of it is trusted already");
        return Ok(());
    }
    // Off a terminal the command itself is the word, as the contract has it.
    if !args.yes && run.context.process.terminal.stdin {
        run.confirm("Trust this from now on?", "neto trust --yes ...")?;
    }
    locked_edit::memory(run, |memory| {
        for profile in &profiles {
            memory.trust(profile);
        }
        for (name, key) in &recipients {
            memory.trust_recipient(name, key);
        }
        if let Some(url) = address {
            memory.trust_address(url);
        }
    })?;
    let counts =
        [(profiles.len(), "profile"), (recipients.len(), "recipient"), (usize::from(address.is_some()), "address")];
    let told: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(*n, what)).collect();
    run.ui.note(&format!("Trusted {}", told.join(" and ")));
    Ok(())
}

fn untrusted(args: &TrustArgs, run: &Run<'_>) -> Result<Vec<Profile>, Error> {
    if args.names.is_empty() && !args.all {
        return Ok(Vec::new());
    }
    let select = SelectArgs { names: args.names.clone(), all: args.all, ..SelectArgs::default() };
    let memory = run.context.vault.memory()?.borrow();
    let mut profiles = Vec::new();
    for profile in run.sound(select.all_or(run)?, !args.all)? {
        match memory.verdict(profile) {
            Verdict::Trusted => continue,
            Verdict::FirstSight => run.ui.note(&format!("{}: new here; url {}", profile.name, profile.url)),
            Verdict::Changed(changes) => {
                for change in changes {
                    run.ui.note(&format!("{}: {change}", profile.name));
                }
            }
            Verdict::UntrustedSource(source) => {
                run.ui.note(&format!("{}: its secret comes from {source}", profile.name));
            }
        }
        profiles.push(profile.clone());
    }
    Ok(profiles)
}

/// The address that every profile starts from, where `--all` is the first that this machine hears of it.
fn strange_default<'s>(args: &TrustArgs, run: &Run<'_>, store: &'s Store) -> Option<&'s ApiUrl> {
    let url = store.defaults.url.as_ref().filter(|_| args.all)?;
    if !sealing::is_strange_address(run, url).unwrap_or(false) {
        return None;
    }
    run.ui.note(&format!("defaults: new here; url {url}"));
    Some(url)
}

fn strangers(args: &TrustArgs, run: &Run<'_>, store: &Store) -> Result<Vec<(RecipientName, String)>, Error> {
    for name in &args.recipients {
        if !store.recipients.keys().any(|known| known.as_str() == name) {
            return Err(recipient::unknown(Code::Store, name, store));
        }
    }
    let memory = run.context.vault.memory()?.borrow();
    let meant = |name: &RecipientName| args.all || args.recipients.iter().any(|told| told == name.as_str());
    let new: Vec<(RecipientName, String)> = store
        .recipients
        .iter()
        .filter(|(name, key)| meant(name) && !memory.knows_recipient(key))
        .map(|(name, key)| (name.clone(), key.clone()))
        .collect();
    for (name, key) in &new {
        let program = plugin_of(key).map(|program| format!(" (sealing to it runs {program})")).unwrap_or_default();
        run.ui.note(&match memory.last_key_of(name) {
            Some(old) => format!("recipient {name}: was {old}, is {key}{program}"),
            None => format!("recipient {name}: new here; {key}{program}"),
        });
    }
    Ok(new)
}
