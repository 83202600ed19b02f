//! `neto seal`: encrypts plaintext secrets, and re-encrypts secrets whose recipients changed.

pub(crate) mod check;
mod plaintext;

use crate::error::{Code, Error, Hint};
use crate::profile::{Document, Edit, Profile, ProfileName, SecretLocation, Store};
use crate::secret::{Binding, OpenedSecret, TrustStatus, recipients_tag};
use crate::workflow::{Batch, Run, SelectArgs, locked_edit, sealing};
use clap::Args;
use plaintext::PlaintextSecret;

/// Encrypt plaintext secrets; re-encrypt after recipients change
///
/// Paste a NETOSECRET into a profile by hand as `netosecret = "..."` (or `appkey` and `sharedsecret`, or
/// `password`), then run this: it is replaced in place. Without PROFILE it means all of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto seal
  neto seal acme --accept      after you changed its url on purpose
  neto seal --check            for a pre-commit hook")]
pub(crate) struct SealArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Bind the secret to what the profile declares now, showing old and new
    #[arg(long, conflicts_with = "check")]
    accept: bool,
    /// Only report secrets in plaintext or encrypted to other recipients; exit 9 if there are any
    #[arg(long)]
    check: bool,
    /// With --accept: do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Result text for a profile whose plaintext secret was sealed.
const SEALED: &str = "is sealed now";

/// Binding that the user accepted for one profile, with the id of the sealed credential.
type AcceptedBinding = (Binding, String);

/// Result of sealing one profile.
enum SealOutcome {
    Sealed {
        edits: Vec<Edit>,
        message: String,
    },
    /// Secret found in plaintext and not sealed yet.
    Plaintext(PlaintextSecret),
    Unchanged,
}

/// Seals the selected profiles in one change.
pub(crate) fn run(args: &SealArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.resolve_or_all(run)?;
    let names: Vec<ProfileName> = selected.into_iter().map(|selected| selected.name.into_owned()).collect();
    if args.check {
        return check::run(run, &names, run.context.store()?);
    }
    if args.accept && args.select.selection().is_empty() {
        return Err(Error::new(Code::Usage, "--accept wants to be told which profile")
            .with_hint(Hint::command("neto seal NAME --accept")));
    }
    let accepted = if args.accept { confirm_accept(args, run, &names)? } else { Vec::new() };
    unlock(run, &names)?;
    let mut batch = Batch::new(run, "Sealing", names.iter());
    let mut sealed = Vec::new();
    let mut found_plaintext = false;
    let document = locked_edit::edit_store(run, |document| {
        let outcomes = names.iter().map(|name| seal_profile(args, run, document, name, &accepted)).collect();
        let mut edits = Vec::new();
        for (name, outcome) in names.iter().zip(seal_plaintext(run, document, outcomes)) {
            match outcome {
                Ok(SealOutcome::Sealed { edits: profile_edits, message }) => {
                    found_plaintext |= message == SEALED;
                    edits.extend(profile_edits);
                    sealed.push((name.clone(), message));
                }
                Ok(_) => {}
                Err(error) => {
                    if batch.failed(name, error).is_break() {
                        break;
                    }
                }
            }
        }
        Ok(edits)
    })?;
    let profiles = sealed.iter().filter_map(|(name, _)| document.store().entry(name)?.profile.clone().ok());
    locked_edit::trust_profiles(run, &profiles.collect::<Vec<_>>())?;
    for (name, message) in &sealed {
        run.ui.note(&format!("'{name}' {message}"));
    }
    if found_plaintext {
        run.ui.note("Editors' backups and git history may still hold it in clear: rotate keys that others could see");
    }
    if sealed.is_empty() && !batch.has_failures() {
        run.ui.note("Everything is sealed to today's recipients");
    }
    batch.finish("neto seal")
}

/// Unlocks the identities needed to re-encrypt the profiles whose recipients changed.
fn unlock(run: &Run<'_>, names: &[ProfileName]) -> Result<(), Error> {
    let store = run.context.store()?;
    let profiles = names.iter().filter_map(|name| store.entry(name)?.profile.as_ref().ok());
    run.unlock(profiles.filter(|profile| !is_sealed_to_current_recipients(store, profile)))
}

/// Checks whether a profile's secret is sealed to the recipients that the store declares now.
pub(crate) fn is_sealed_to_current_recipients(store: &Store, profile: &Profile) -> bool {
    let current_tag = recipients_tag(&store.recipient_keys(profile));
    profile.sealed.as_ref().is_some_and(|note| note.to == current_tag)
}

/// Seals the extracted plaintext secrets; other outcomes stay unchanged.
///
/// All extractions are applied to the store at once. If the resulting store is invalid, each extraction is applied
/// alone, so that only the faulty profile fails.
fn seal_plaintext(
    run: &Run<'_>,
    document: &Document,
    outcomes: Vec<Result<SealOutcome, Error>>,
) -> Vec<Result<SealOutcome, Error>> {
    let extractions = outcomes.iter().filter_map(|outcome| match outcome {
        Ok(SealOutcome::Plaintext(secret)) => Some(secret.edits.clone()),
        _ => None,
    });
    let without_plaintext = document.apply(&extractions.flatten().collect::<Vec<_>>()).ok();
    let seal = |secret: PlaintextSecret| match &without_plaintext {
        Some(without_plaintext) => secret.seal(run, without_plaintext),
        None => secret.seal(run, &document.apply(&secret.edits)?),
    };
    let seal_outcome = |outcome| match outcome {
        SealOutcome::Plaintext(secret) => {
            seal(secret).map(|edits| SealOutcome::Sealed { edits, message: SEALED.to_owned() })
        }
        other => Ok(other),
    };
    outcomes.into_iter().map(|outcome| outcome.and_then(seal_outcome)).collect()
}

fn seal_profile(
    args: &SealArgs,
    run: &Run<'_>,
    document: &Document,
    name: &ProfileName,
    accepted: &[AcceptedBinding],
) -> Result<SealOutcome, Error> {
    let Some(entry) = document.store().entry(name) else { return Ok(SealOutcome::Unchanged) };
    let profile = entry.profile.as_ref().map_err(|fault| run.context.fault_error(name, fault.clone()))?;
    match &profile.secret {
        SecretLocation::Plaintext(keys) => {
            PlaintextSecret::extract(document, profile, keys).map(SealOutcome::Plaintext)
        }
        SecretLocation::Sealed(sealed_text) if args.accept => {
            // The store may have changed during the confirmation. Only the binding that was shown is accepted.
            let id = profile.sealed.as_ref().map(|note| note.id.clone()).unwrap_or_default();
            if !accepted.contains(&(Binding::from_profile(profile)?, id)) {
                return Err(Error::new(Code::Store, "it changed while you were asked")
                    .with_hint(Hint::profile_command(|name| format!("neto seal {name} --accept"))));
            }
            accept_binding(run, document.store(), profile, sealed_text)
        }
        SecretLocation::Sealed(sealed_text) => reseal_to_current(run, document.store(), profile, sealed_text),
        _ => Ok(SealOutcome::Unchanged),
    }
}

fn reseal_to_current(run: &Run<'_>, store: &Store, profile: &Profile, sealed_text: &str) -> Result<SealOutcome, Error> {
    if is_sealed_to_current_recipients(store, profile) {
        return Ok(SealOutcome::Unchanged);
    }
    let opened = run.context.vault.open(sealed_text, &())?;
    crate::session::check_binding(&opened, &Binding::from_profile(profile)?, profile)?;
    sealing::refuse_changed(run, profile)?;
    reseal_with_message(run, store, profile, &opened, "is sealed to today's recipients")
}

fn accept_binding(run: &Run<'_>, store: &Store, profile: &Profile, sealed_text: &str) -> Result<SealOutcome, Error> {
    let opened = run.context.vault.open(sealed_text, &())?;
    reseal_with_message(run, store, profile, &opened, "is bound to what it declares now")
}

fn reseal_with_message(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    opened: &OpenedSecret,
    message: &'static str,
) -> Result<SealOutcome, Error> {
    let sealed = sealing::reseal(run, store, profile, opened)?;
    let keys = store.recipient_keys(profile);
    let added = store.recipients.iter().filter(|(_, key)| keys.contains(key) && !opened.recipients.contains(key));
    let added: Vec<&str> = added.map(|(name, _)| name.as_str()).collect();
    // Anyone who edits the file can delete a profile's recipient list. The secret is then sealed to all recipients of
    // the store, so the message names the new recipients.
    let added = if added.is_empty() { String::new() } else { format!(", now also to {}", added.join(", ")) };
    Ok(SealOutcome::Sealed { edits: sealed.edits(&profile.name), message: format!("{message}{added}") })
}

/// Shows how the binding of each sealed profile changes, and asks for confirmation. Asks only if a binding changes and
/// `--yes` is not given. Returns the accepted bindings.
fn confirm_accept(args: &SealArgs, run: &Run<'_>, names: &[ProfileName]) -> Result<Vec<AcceptedBinding>, Error> {
    let mut differ = false;
    let mut accepted = Vec::new();
    for name in names {
        let profile = run.context.profile(name)?;
        let SecretLocation::Sealed(sealed_text) = &profile.secret else { continue };
        let opened =
            run.context.vault.open(sealed_text, &run.reporter()).map_err(|error| Error::from(error).about(name))?;
        let Some(note) = &profile.sealed else { continue };
        let declared = Binding::from_profile(profile)?;
        let mut shown_fields = Vec::new();
        if let Err(mismatch) = opened.check_binding(&declared, note) {
            differ = true;
            shown_fields.extend(mismatch.differences.iter().map(|difference| difference.field));
            for difference in &mismatch.differences {
                let value_text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                let (old, new) = (value_text(&difference.in_secret), value_text(&difference.declared));
                run.ui.note(&format!("{name}: {} was {old}, is {new}", difference.field));
            }
        }
        // Somebody may have pasted a profile into the store together with its sealed secret. The binding then matches,
        // and only the trust store detects the change.
        if let TrustStatus::Changed(changes) = run.context.vault.trust_store()?.borrow().status(profile) {
            differ = true;
            for change in changes.iter().filter(|change| !shown_fields.contains(&change.field.as_str())) {
                run.ui.note(&format!("{name}: {change}"));
            }
        }
        accepted.push((declared, note.id.clone()));
    }
    if differ && !args.yes {
        let list: Vec<&str> = names.iter().map(ProfileName::as_str).collect();
        run.confirm("Bind the secret to this?", Hint::command(format!("neto seal {} --accept --yes", list.join(" "))))?;
    }
    Ok(accepted)
}
