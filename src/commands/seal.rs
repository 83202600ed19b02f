//! `neto seal`: what is in clear is sealed, what is sealed to others than today's recipients anew.

use super::shape::{set, unset};
use super::words::count;
use super::{Run, SelectArgs, change, reseal};
use crate::error::{Code, Error};
use crate::output::clean;
use crate::profile::{ClearKey, Document, Edit, Profile, ProfileName, SecretPlace, Section, Store, Value};
use crate::secret::{Binding, Credential, NetoSecret, Opened, Secret, Verdict, recipients_tag};
use clap::Args;

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

/// What was shown of one profile: what it declares, and which credential is sealed in it.
type Accepted = (Binding, String);

/// What became of one profile.
enum Outcome {
    Sealed { edits: Vec<Edit>, how: &'static str },
    AsItIs,
}

/// Seals the selected profiles in one change.
pub(crate) fn run(args: &SealArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.all_or(run)?;
    let names: Vec<ProfileName> = selected.into_iter().map(|selected| selected.name).collect();
    if args.check {
        return check(run, &names, run.context.store()?);
    }
    if args.accept && args.select.selection().is_empty() {
        return Err(
            Error::new(Code::Usage, "--accept wants to be told which profile").with_hint("neto seal NAME --accept")
        );
    }
    let accepted = if args.accept { ask_to_accept(args, run, &names)? } else { Vec::new() };
    let mut failures = Vec::new();
    let mut sealed = Vec::new();
    let mut was_clear = false;
    let document = change::store(run, |document| {
        let mut edits = Vec::new();
        for name in &names {
            match seal_one(args, run, document, name, &accepted) {
                Ok(Outcome::Sealed { edits: own, how }) => {
                    was_clear |= is_clear(document.store(), name);
                    edits.extend(own);
                    sealed.push((name.clone(), how));
                }
                Ok(Outcome::AsItIs) => {}
                Err(error) => failures.push(super::told(run, names.len(), error.about(name))),
            }
        }
        Ok(edits)
    })?;
    let profiles = sealed.iter().filter_map(|(name, _)| document.store().entry(name)?.profile.clone().ok());
    change::trust(run, &profiles.collect::<Vec<_>>())?;
    for (name, how) in &sealed {
        run.ui.note(&format!("'{name}' {how}"));
    }
    if was_clear {
        run.ui.note("Editors' backups and git history may still hold it in clear: rotate keys that others could see");
    }
    if sealed.is_empty() && failures.is_empty() {
        run.ui.note("Everything is sealed to today's recipients");
    }
    super::several(names.len(), failures)
}

fn is_clear(store: &Store, name: &ProfileName) -> bool {
    let profile = store.entry(name).and_then(|entry| entry.profile.as_ref().ok());
    profile.is_some_and(|profile| matches!(profile.secret, SecretPlace::Clear(_)))
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
        SecretPlace::Clear(keys) => seal_clear(run, document, profile, keys),
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

fn seal_clear(run: &Run<'_>, document: &Document, profile: &Profile, keys: &[ClearKey]) -> Result<Outcome, Error> {
    let section = Section::Profile(profile.name.clone());
    let mut edits: Vec<Edit> = Vec::new();
    if keys.contains(&ClearKey::Netosecret) && keys.len() > 1 {
        return Err(Error::new(Code::Store, "it has a netosecret and other secrets beside it; keep one of the two"));
    }
    let credential = if keys.contains(&ClearKey::Netosecret) {
        let secret = NetoSecret::parse(&clear_value(document, profile, ClearKey::Netosecret)?)?;
        edits.extend(missing_fields(document, profile, &secret)?);
        secret.credential()
    } else if keys.contains(&ClearKey::Password) {
        Credential::Person { password: Secret::new(clear_value(document, profile, ClearKey::Password)?) }
    } else {
        let appkey = Secret::new(clear_value(document, profile, ClearKey::Appkey)?);
        Credential::ApiKey {
            appkey,
            sharedsecret: Secret::new(clear_value(document, profile, ClearKey::Sharedsecret)?),
        }
    };
    edits.extend(keys.iter().map(|key| unset(&section, &[key.key()])));
    let bare = document.apply(&edits)?;
    let declared = super::profile::add::added(&bare, &profile.name)?;
    reseal::refuse_changed(run, &declared)?;
    let sealed = reseal::seal_new(run, bare.store(), &declared, &credential)?;
    edits.extend(reseal::edits(&profile.name, &sealed));
    Ok(Outcome::Sealed { edits, how: "is sealed now" })
}

fn clear_value(document: &Document, profile: &Profile, key: ClearKey) -> Result<String, Error> {
    document
        .clear_value(&profile.name, key)
        .ok_or_else(|| Error::new(Code::Store, format!("its secret stands in clear without the {}", key.key())))
}

/// The fields of a pasted NETOSECRET that the profile does not declare itself; those it declares must agree.
fn missing_fields(document: &Document, profile: &Profile, secret: &NetoSecret) -> Result<Vec<Edit>, Error> {
    let section = Section::Profile(profile.name.clone());
    let mut edits = Vec::new();
    for (key, declared, held) in
        [("shortname", &profile.shortname, &secret.shortname), ("appname", &profile.appname, &secret.appname)]
    {
        match declared {
            None => edits.push(set(&section, &[key], Value::Text(held.clone()))),
            Some(declared) if declared == held => {}
            Some(declared) => return Err(disagree(key, declared, held)),
        }
    }
    if document.declares(&section, &["url"]) {
        if profile.url != secret.url {
            return Err(disagree("url", &profile.url.to_string(), &secret.url.to_string()));
        }
    } else if document.store().defaults.url.as_ref() != Some(&secret.url) {
        edits.push(set(&section, &["url"], Value::Text(secret.url.to_string())));
    }
    Ok(edits)
}

fn disagree(key: &str, declared: &str, held: &str) -> Error {
    Error::new(Code::Store, format!("the profile declares the {key} '{declared}', its NETOSECRET has '{held}'"))
        .with_hint("neto profile edit    to take the line out; the NETOSECRET brings its own")
}

fn seal_to_others(run: &Run<'_>, store: &Store, profile: &Profile, text: &str) -> Result<Outcome, Error> {
    let today = recipients_tag(&store.recipient_keys(profile));
    if profile.sealed.as_ref().is_some_and(|note| note.to == today) {
        return Ok(Outcome::AsItIs);
    }
    let opened = run.context.vault.open(text)?;
    crate::session::check_bound(&opened, &Binding::of(profile)?, profile)?;
    reseal::refuse_changed(run, profile)?;
    resealed(run, store, profile, &opened, "is sealed to today's recipients")
}

fn accept(run: &Run<'_>, store: &Store, profile: &Profile, text: &str) -> Result<Outcome, Error> {
    let opened = run.context.vault.open(text)?;
    resealed(run, store, profile, &opened, "is bound to what it declares now")
}

fn resealed(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    opened: &Opened,
    how: &'static str,
) -> Result<Outcome, Error> {
    let sealed = reseal::seal_again(run, store, profile, opened)?;
    Ok(Outcome::Sealed { edits: reseal::edits(&profile.name, &sealed), how })
}

/// Shows what each of the profiles was bound to and declares now, and asks; what they declare now.
fn ask_to_accept(args: &SealArgs, run: &Run<'_>, names: &[ProfileName]) -> Result<Vec<Accepted>, Error> {
    let mut differ = false;
    let mut shown = Vec::new();
    for name in names {
        let profile = run.context.profile(name)?;
        let SecretPlace::Sealed(text) = &profile.secret else { continue };
        let opened = run.context.vault.open(text).map_err(|error| Error::from(error).about(name))?;
        let Some(note) = &profile.sealed else { continue };
        let declared = Binding::of(&profile)?;
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
        if let Verdict::Changed(changes) = run.context.vault.memory()?.borrow().verdict(&profile) {
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

fn check(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Result<(), Error> {
    let mut found = Vec::new();
    for name in names {
        let Some(entry) = store.entry(name) else { continue };
        let what = match &entry.profile {
            Err(fault) => Some(fault.to_string()),
            Ok(profile) => match &profile.secret {
                SecretPlace::Clear(_) => Some("its secret stands in clear".to_owned()),
                SecretPlace::Sealed(_) => {
                    let today = recipients_tag(&store.recipient_keys(profile));
                    let others = profile.sealed.as_ref().is_none_or(|note| note.to != today);
                    others.then(|| "it is sealed to others than declared".to_owned())
                }
                _ => None,
            },
        };
        found.extend(what.map(|what| format!("{name}: {what}")));
    }
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = found.iter().map(|line| clean(line)).collect();
    run.ui.answer(&format!("{}\n", lines.join("\n")))?;
    Err(Error::new(Code::Found, format!("{} not sealed as it should be", count(found.len(), "profile")))
        .with_hint("neto seal"))
}
