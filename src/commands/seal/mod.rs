//! `neto seal`: what is in clear is sealed, what is sealed to others than today's recipients anew.

pub(crate) mod check;
mod plaintext;

use crate::error::{Code, Error};
use crate::profile::{Document, Edit, Profile, ProfileName, SecretPlace, Store};
use crate::secret::{Binding, Opened, Verdict, recipients_tag};
use crate::workflow::{Fleet, Run, SelectArgs, locked_edit, sealing};
use clap::Args;
use plaintext::Pasted;

/// Seal what stands in clear in the store, and seal anew what other recipients should open
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
    /// Only say what is in clear or sealed to others; exit 9 when something is
    #[arg(long)]
    check: bool,
    /// With --accept: do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What is said of a profile whose secret stood in clear.
const SEALED: &str = "is sealed now";

/// What was shown of one profile: what it declares, and which credential is sealed in it.
type Accepted = (Binding, String);

/// What became of one profile.
enum Outcome {
    Sealed {
        edits: Vec<Edit>,
        how: String,
    },
    /// Taken out of the text, and to be sealed.
    Clear(Pasted),
    AsItIs,
}

/// Seals the selected profiles in one change.
pub(crate) fn run(args: &SealArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.all_or(run)?;
    let names: Vec<ProfileName> = selected.into_iter().map(|selected| selected.name.into_owned()).collect();
    if args.check {
        return check::run(run, &names, run.context.store()?);
    }
    if args.accept && args.select.selection().is_empty() {
        return Err(
            Error::new(Code::Usage, "--accept wants to be told which profile").with_hint("neto seal NAME --accept")
        );
    }
    let accepted = if args.accept { ask_to_accept(args, run, &names)? } else { Vec::new() };
    unlock(run, &names)?;
    let mut fleet = Fleet::new(run, "Sealing", names.iter());
    let mut sealed = Vec::new();
    let mut was_clear = false;
    let document = locked_edit::store(run, |document| {
        let outcomes = names.iter().map(|name| seal_one(args, run, document, name, &accepted)).collect();
        let mut edits = Vec::new();
        for (name, outcome) in names.iter().zip(seal_pasted(run, document, outcomes)) {
            match outcome {
                Ok(Outcome::Sealed { edits: own, how }) => {
                    was_clear |= how == SEALED;
                    edits.extend(own);
                    sealed.push((name.clone(), how));
                }
                Ok(_) => {}
                Err(error) => {
                    if fleet.failed(name, error).is_break() {
                        break;
                    }
                }
            }
        }
        Ok(edits)
    })?;
    let profiles = sealed.iter().filter_map(|(name, _)| document.store().entry(name)?.profile.clone().ok());
    locked_edit::trust(run, &profiles.collect::<Vec<_>>())?;
    for (name, how) in &sealed {
        run.ui.note(&format!("'{name}' {how}"));
    }
    if was_clear {
        run.ui.note("Editors' backups and git history may still hold it in clear: rotate keys that others could see");
    }
    if sealed.is_empty() && !fleet.has_failures() {
        run.ui.note("Everything is sealed to today's recipients");
    }
    fleet.end("neto seal")
}

/// Makes ready what opens those that are sealed to others than today's recipients.
fn unlock(run: &Run<'_>, names: &[ProfileName]) -> Result<(), Error> {
    let store = run.context.store()?;
    let profiles = names.iter().filter_map(|name| store.entry(name)?.profile.as_ref().ok());
    run.unlock(profiles.filter(|profile| !is_for_today(store, profile)))
}

/// Whether a sealed profile says that it is sealed to the recipients of today.
pub(crate) fn is_for_today(store: &Store, profile: &Profile) -> bool {
    let today = recipients_tag(&store.recipient_keys(profile));
    profile.sealed.as_ref().is_some_and(|note| note.to == today)
}

/// Seals what was taken out of the text. The store without it is read once for all, unless one of them makes it faulty:
/// then each is looked at alone, so that it fails alone.
fn seal_pasted(
    run: &Run<'_>,
    document: &Document,
    outcomes: Vec<Result<Outcome, Error>>,
) -> Vec<Result<Outcome, Error>> {
    let pasted = outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Outcome::Clear(pasted)) => Some(pasted.edits.clone()),
        _ => None,
    });
    let bare = document.apply(&pasted.flatten().collect::<Vec<_>>()).ok();
    let seal = |pasted: Pasted| match &bare {
        Some(bare) => pasted.sealed(run, bare),
        None => pasted.sealed(run, &document.apply(&pasted.edits)?),
    };
    let sealed = |outcome| match outcome {
        Outcome::Clear(pasted) => seal(pasted).map(|edits| Outcome::Sealed { edits, how: SEALED.to_owned() }),
        other => Ok(other),
    };
    outcomes.into_iter().map(|outcome| outcome.and_then(sealed)).collect()
}

fn seal_one(
    args: &SealArgs,
    run: &Run<'_>,
    document: &Document,
    name: &ProfileName,
    accepted: &[Accepted],
) -> Result<Outcome, Error> {
    let Some(entry) = document.store().entry(name) else { return Ok(Outcome::AsItIs) };
    let profile = entry.profile.as_ref().map_err(|fault| run.context.fault(name, fault.clone()))?;
    match &profile.secret {
        SecretPlace::Clear(keys) => Pasted::take(document, profile, keys).map(Outcome::Clear),
        SecretPlace::Sealed(text) if args.accept => {
            // The store may have changed while the question stood; only what was shown is accepted.
            let id = profile.sealed.as_ref().map(|note| note.id.clone()).unwrap_or_default();
            if !accepted.contains(&(Binding::of(profile)?, id)) {
                return Err(
                    Error::new(Code::Store, "it changed while you were asked").with_hint("neto seal NAME --accept")
                );
            }
            accept(run, document.store(), profile, text)
        }
        SecretPlace::Sealed(text) => seal_to_others(run, document.store(), profile, text),
        _ => Ok(Outcome::AsItIs),
    }
}

fn seal_to_others(run: &Run<'_>, store: &Store, profile: &Profile, text: &str) -> Result<Outcome, Error> {
    if is_for_today(store, profile) {
        return Ok(Outcome::AsItIs);
    }
    let opened = run.context.vault.open(text, &())?;
    crate::session::check_bound(&opened, &Binding::of(profile)?, profile)?;
    sealing::refuse_changed(run, profile)?;
    resealed(run, store, profile, &opened, "is sealed to today's recipients")
}

fn accept(run: &Run<'_>, store: &Store, profile: &Profile, text: &str) -> Result<Outcome, Error> {
    let opened = run.context.vault.open(text, &())?;
    resealed(run, store, profile, &opened, "is bound to what it declares now")
}

fn resealed(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    opened: &Opened,
    how: &'static str,
) -> Result<Outcome, Error> {
    let sealed = sealing::seal_again(run, store, profile, opened)?;
    let keys = store.recipient_keys(profile);
    let more = store.recipients.iter().filter(|(_, key)| keys.contains(key) && !opened.recipients.contains(key));
    let more: Vec<&str> = more.map(|(name, _)| name.as_str()).collect();
    // Whoever edits the file can take the list of a profile away, and with it let more people in.
    let more = if more.is_empty() { String::new() } else { format!(", now also to {}", more.join(", ")) };
    Ok(Outcome::Sealed { edits: sealed.edits(&profile.name), how: format!("{how}{more}") })
}

/// Shows what each of the profiles was bound to and declares now, and asks; what they declare now.
fn ask_to_accept(args: &SealArgs, run: &Run<'_>, names: &[ProfileName]) -> Result<Vec<Accepted>, Error> {
    let mut differ = false;
    let mut shown = Vec::new();
    for name in names {
        let profile = run.context.profile(name)?;
        let SecretPlace::Sealed(text) = &profile.secret else { continue };
        let opened = run.context.vault.open(text, &run.watch()).map_err(|error| Error::from(error).about(name))?;
        let Some(note) = &profile.sealed else { continue };
        let declared = Binding::of(profile)?;
        let mut told = Vec::new();
        if let Err(mismatch) = opened.check(&declared, note) {
            differ = true;
            told.extend(mismatch.differences.iter().map(|difference| difference.field));
            for difference in &mismatch.differences {
                let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                let (old, new) = (side(&difference.held), side(&difference.declared));
                run.ui.note(&format!("{name}: {} was {old}, is {new}", difference.field));
            }
        }
        // A whole profile with a seal of its own may have been pasted in: only the memory tells that.
        if let Verdict::Changed(changes) = run.context.vault.memory()?.borrow().verdict(profile) {
            differ = true;
            for change in changes.iter().filter(|change| !told.contains(&change.field.as_str())) {
                run.ui.note(&format!("{name}: {change}"));
            }
        }
        shown.push((declared, note.id.clone()));
    }
    if differ && !args.yes {
        let list: Vec<&str> = names.iter().map(ProfileName::as_str).collect();
        run.confirm("Bind the secret to this?", &format!("neto seal {} --accept --yes", list.join(" ")))?;
    }
    Ok(shown)
}
