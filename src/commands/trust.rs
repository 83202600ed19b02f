//! `neto trust`: accepts changes that others made to the store.

use super::recipient;
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::profile::{ApiUrl, Profile, RecipientName, Store};
use crate::secret::{TrustStatus, plugin_program};
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

/// Shows untrusted profiles and recipients, and trusts them after confirmation.
pub(crate) fn run(args: &TrustArgs, run: &Run<'_>) -> Result<(), Error> {
    let store = run.context.store()?;
    if args.names.is_empty() && args.recipients.is_empty() && !args.all {
        return Err(Error::new(Code::Usage, "nothing is named to trust")
            .with_hint(Hint::command("neto trust --all").remark("or name profiles, or --recipient NAME")));
    }
    let profiles = untrusted_profiles(args, run)?;
    let recipients = untrusted_recipients(args, run, store)?;
    let default_url = untrusted_default_url(args, run, store);
    if profiles.is_empty() && recipients.is_empty() && default_url.is_none() {
        run.ui.note("All of it is trusted already");
        return Ok(());
    }
    // Without a terminal, running the command counts as the confirmation.
    if !args.yes && run.context.process.terminal.stdin {
        run.confirm("Trust this from now on?", Hint::command("neto trust --yes ..."))?;
    }
    locked_edit::edit_trust_store(run, |trust_store| {
        for profile in &profiles {
            trust_store.trust_profile(profile);
        }
        for (name, key) in &recipients {
            trust_store.trust_recipient(name, key);
        }
        if let Some(url) = default_url {
            trust_store.trust_url(url);
        }
    })?;
    let counts =
        [(profiles.len(), "profile"), (recipients.len(), "recipient"), (usize::from(default_url.is_some()), "address")];
    let parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| pluralize(*count, noun)).collect();
    run.ui.note(&format!("Trusted {}", parts.join(" and ")));
    Ok(())
}

fn untrusted_profiles(args: &TrustArgs, run: &Run<'_>) -> Result<Vec<Profile>, Error> {
    if args.names.is_empty() && !args.all {
        return Ok(Vec::new());
    }
    let select = SelectArgs { names: args.names.clone(), all: args.all, ..SelectArgs::default() };
    let trust_store = run.context.vault.trust_store()?.borrow();
    let mut profiles = Vec::new();
    for profile in run.valid_profiles(select.resolve_or_all(run)?, !args.all)? {
        match trust_store.status(profile) {
            TrustStatus::Trusted => continue,
            TrustStatus::FirstUse => run.ui.note(&format!("{}: new here; url {}", profile.name, profile.url)),
            TrustStatus::Changed(changes) => {
                for change in changes {
                    run.ui.note(&format!("{}: {change}", profile.name));
                }
            }
            TrustStatus::UntrustedSource(source) => {
                run.ui.note(&format!("{}: its secret comes from {source}", profile.name));
            }
        }
        profiles.push(profile.clone());
    }
    Ok(profiles)
}

/// Shows and returns the default URL of the store, if `--all` is given and the URL is not trusted.
fn untrusted_default_url<'s>(args: &TrustArgs, run: &Run<'_>, store: &'s Store) -> Option<&'s ApiUrl> {
    let url = store.defaults.url.as_ref().filter(|_| args.all)?;
    if !sealing::is_untrusted_url(run, url).unwrap_or(false) {
        return None;
    }
    run.ui.note(&format!("defaults: new here; url {url}"));
    Some(url)
}

fn untrusted_recipients(args: &TrustArgs, run: &Run<'_>, store: &Store) -> Result<Vec<(RecipientName, String)>, Error> {
    for name in &args.recipients {
        if !store.recipients.keys().any(|known| known.as_str() == name) {
            return Err(recipient::unknown_recipient_error(Code::Store, name, store));
        }
    }
    let trust_store = run.context.vault.trust_store()?.borrow();
    let is_selected =
        |name: &RecipientName| args.all || args.recipients.iter().any(|selected| selected == name.as_str());
    let untrusted: Vec<(RecipientName, String)> = store
        .recipients
        .iter()
        .filter(|(name, key)| is_selected(name) && !trust_store.is_trusted_recipient(key))
        .map(|(name, key)| (name.clone(), key.clone()))
        .collect();
    for (name, key) in &untrusted {
        let runs_plugin =
            plugin_program(key).map(|program| format!(" (sealing to it runs {program})")).unwrap_or_default();
        run.ui.note(&match trust_store.last_trusted_key(name) {
            Some(old_key) => format!("recipient {name}: was {old_key}, is {key}{runs_plugin}"),
            None => format!("recipient {name}: new here; {key}{runs_plugin}"),
        });
    }
    Ok(untrusted)
}
