//! `neto recipient`: who can open the secrets of the store.

use crate::error::{Code, Error, did_you_mean};
use crate::output::humanize::count;
use crate::output::{Align, Cell, Column, Format, Narrow, Row, render};
use crate::profile::{
    Document, Edit, Entry, NameError, Profile, ProfileName, RecipientName, Section, Store, Value, near,
};
use crate::secret::check_recipient;
use crate::workflow::{Run, locked_edit, sealing};
use clap::{Args, Subcommand};
use serde::Serialize;

/// List, add and remove those who can open the secrets
///
/// A recipient is a name and an age public key. Adding and removing one seals anew what that concerns, in one
/// change of the store; tokens stay good.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  neto recipient list\n  neto recipient add bob age1...")]
pub(crate) struct RecipientArgs {
    #[command(subcommand)]
    verb: RecipientVerb,
}

#[derive(Debug, Subcommand)]
enum RecipientVerb {
    /// Let somebody open the secrets of the store
    #[command(after_help = "\
Examples:
  neto recipient add bob age1...    the line that bob's `neto init` printed
  neto recipient add ci age1...     for jobs, which get the identity as a secret")]
    Add {
        /// Their name
        #[arg(value_name = "NAME")]
        name: String,
        /// Their age public key
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Seal to somebody no longer
    ///
    /// They have seen the secrets, and git's history still opens to them: rotate the keys.
    #[command(after_help = "Examples:\n  neto recipient remove bob\n  neto recipient remove bob && neto rotate --all")]
    Remove {
        /// Their name
        #[arg(value_name = "RECIPIENT")]
        name: String,
    },
    /// List the recipients and what they can open
    #[command(after_help = "\
Examples:
  neto recipient list
  neto recipient list -p acme    those who can open the secret of acme")]
    List {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
    },
}

#[derive(Serialize)]
struct RecipientRow {
    recipient: String,
    key: String,
    own: bool,
    trusted: bool,
    profiles: usize,
}

impl Row for RecipientRow {
    const FIELDS: &'static [&'static str] = &["recipient", "key", "own", "trusted", "profiles"];
    const MARKS: bool = true;

    fn columns() -> Vec<Column> {
        let column = |title, align, narrow| Column { title, align, narrow };
        vec![
            column("RECIPIENT", Align::Left, Narrow::Keep),
            column("OPENS", Align::Right, Narrow::Drop),
            column("TRUSTED", Align::Left, Narrow::Keep),
            column("KEY", Align::Left, Narrow::Cut),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let trusted = if self.trusted { "yes" } else { "no" };
        let opens = count(self.profiles, "profile");
        vec![Cell::plain(&self.recipient), Cell::plain(opens), Cell::plain(trusted), Cell::plain(&self.key)]
    }

    fn marked(&self) -> bool {
        self.own
    }
}

/// Runs one of the verbs.
pub(crate) fn run(args: &RecipientArgs, run: &Run<'_>) -> Result<(), Error> {
    match &args.verb {
        RecipientVerb::Add { name, key } => add(run, name, key),
        RecipientVerb::Remove { name } => remove(run, name),
        RecipientVerb::List { output } => list(run, *output),
    }
}

fn add(run: &Run<'_>, name: &str, key: &str) -> Result<(), Error> {
    let name: RecipientName = name
        .parse()
        .map_err(|error: NameError| Error::new(Code::Usage, format!("the first argument is not a name: {error}")))?;
    check_recipient(key).map_err(|error| {
        Error::new(Code::Usage, format!("the second argument is no key: {error}"))
            .with_hint(format!("neto identity show    prints it, where '{name}' works"))
    })?;
    // Who types a key trusts it; the re-sealing below looks for that.
    locked_edit::memory(run, |memory| memory.trust_recipient(&name, key))?;
    reseal_all(run, &format!("Added '{name}'"), |document| match document.store().recipients.get(&name) {
        Some(known) if known == key => Ok(Vec::new()),
        Some(_) => Err(Error::new(Code::Store, format!("there is a recipient '{name}' with another key"))
            .with_hint(format!("neto recipient remove {name}"))),
        None => Ok(vec![Edit::set(&Section::Recipients, &[name.as_str()], Value::Text(key.to_owned()))]),
    })
}

fn remove(run: &Run<'_>, name: &str) -> Result<(), Error> {
    let store = run.context.store()?;
    let opened = known(store, name)?;
    let key = store.recipients.iter().find(|(known, _)| known.as_str() == name).map(|(_, key)| key.clone());
    let outcome = reseal_all(run, &format!("Removed '{name}'"), |document| {
        known(document.store(), name)?;
        if document.store().recipients.len() == 1 {
            return Err(Error::new(Code::Store, "the last recipient cannot be removed: nobody could open the secrets")
                .with_hint("neto recipient add NAME KEY    first, for somebody else"));
        }
        refuse_without(document.store(), name)?;
        Ok(without(document, name))
    });
    // What could not be sealed anew is told after what concerns the one who was taken out.
    if outcome.as_ref().is_err_and(|error| error.code() != Code::Partial) {
        return outcome;
    }
    // Unless it stands there under another name still.
    let gone = |key: &String| !store.recipients.iter().any(|(known, other)| known.as_str() != name && other == key);
    if let Some(key) = key.filter(gone) {
        locked_edit::memory(run, |memory| memory.forget_recipient(&key))?;
    }
    if opened.is_empty() {
        return outcome;
    }
    let names: Vec<&str> = opened.iter().map(ProfileName::as_str).collect();
    let seen = count(opened.len(), "profile");
    run.ui.warn(&format!(
        "'{name}' has seen the secrets of {seen}, and git's history still opens to them: {}",
        names.join(", ")
    ));
    run.ui.note("New keys end that:");
    let sealed = run.context.store()?.profiles.iter().filter(|entry| is_sealed(entry)).count();
    let which = if sealed > 1 && names.len() == sealed { "--all".to_owned() } else { names.join(" ") };
    run.ui.note(&format!("  neto rotate {which}"));
    outcome
}

/// Refuses to take out the only one in a profile's own list: nobody could open its secret.
fn refuse_without(store: &Store, name: &str) -> Result<(), Error> {
    let profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let alone = |profile: &&Profile| {
        profile.recipients.as_ref().is_some_and(|names| names.iter().all(|known| known.as_str() == name))
    };
    let Some(first) = profiles.clone().find(alone) else { return Ok(()) };
    let all: Vec<&str> = profiles.filter(alone).map(|profile| profile.name.as_str()).collect();
    let message = format!("'{name}' is the only one who can open {}", all.join(", "));
    Err(Error::new(Code::Store, message).with_hint(format!("neto profile edit {} --recipient NAME", first.name)))
}

/// The recipient out of the table, and out of every profile's own list.
fn without(document: &Document, name: &str) -> Vec<Edit> {
    let mut edits = vec![Edit::unset(&Section::Recipients, &[name])];
    for profile in document.store().profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()) {
        let section = Section::Profile(profile.name.clone());
        let Some(names) = &profile.recipients else { continue };
        if document.declares(&section, &["recipients"]) && names.iter().any(|known| known.as_str() == name) {
            edits.push(Edit::set(&section, &["recipients"], Value::List(others(names, name))));
        }
    }
    if let Some(names) = &document.store().defaults.recipients
        && names.iter().any(|known| known.as_str() == name)
    {
        edits.push(Edit::set(&Section::Defaults, &["recipients"], Value::List(others(names, name))));
    }
    edits
}

fn others(names: &[RecipientName], name: &str) -> Vec<String> {
    names.iter().filter(|known| known.as_str() != name).map(ToString::to_string).collect()
}

fn is_sealed(entry: &Entry) -> bool {
    entry.profile.as_ref().is_ok_and(|profile| profile.sealed.is_some())
}

/// There is no recipient of that name; what there is.
pub(super) fn unknown(code: Code, name: &str, store: &Store) -> Error {
    let names: Vec<&str> = store.recipients.keys().map(RecipientName::as_str).collect();
    let near: Vec<String> = near(name, names.iter().copied()).into_iter().map(str::to_owned).collect();
    let hint = match (near.is_empty(), names.is_empty()) {
        (false, _) => did_you_mean(&near),
        (true, true) => "neto init    there is no recipient yet".to_owned(),
        (true, false) => format!("neto recipient list    there are {}", names.join(", ")),
    };
    Error::new(code, format!("there is no recipient '{name}'")).with_hint(hint)
}

/// The profiles that a recipient can open.
fn known(store: &Store, name: &str) -> Result<Vec<ProfileName>, Error> {
    let Some((_, key)) = store.recipients.iter().find(|(known, _)| known.as_str() == name) else {
        return Err(unknown(Code::Store, name, store));
    };
    let profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let opens = profiles.filter(|profile| profile.sealed.is_some() && store.recipient_keys(profile).contains(key));
    Ok(opens.map(|profile| profile.name.clone()).collect())
}

/// Changes the recipients and seals anew what that concerns. What this identity cannot open keeps its seal, is told,
/// and makes exit 8.
fn reseal_all(
    run: &Run<'_>,
    what: &str,
    change: impl FnOnce(&Document) -> Result<Vec<Edit>, Error>,
) -> Result<(), Error> {
    run.unlock(run.context.store()?.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()))?;
    let (mut failures, mut sealed, mut nothing) = (Vec::new(), 0, false);
    locked_edit::store(run, |document| {
        let edits = change(document)?;
        nothing = edits.is_empty();
        let resealing = sealing::with_resealing(run, &(), document, edits, ProfileName::clone)?;
        sealed = resealing.changed.iter().filter(|profile| profile.sealed.is_some()).count();
        failures = resealing.failures;
        Ok(resealing.edits)
    })?;
    if nothing {
        run.ui.note("Nothing changed");
        return Ok(());
    }
    run.ui.note(&format!("{what}; sealed {} anew", count(sealed, "secret")));
    let failed = failures.len();
    for error in &failures {
        run.ui.error(error.message(), error.hint());
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Error::new(Code::Partial, format!("{} kept the old seal", count(failed, "profile")))
        .with_hint("neto seal    by somebody who can open them"))
}

fn list(run: &Run<'_>, output: Format) -> Result<(), Error> {
    let store = run.context.store()?;
    let memory = run.context.vault.memory()?.borrow();
    let only = run.context.globals.profile.as_deref();
    if only.is_some() {
        run.context.choose(only)?;
    }
    let mut rows = Vec::new();
    for (name, key) in &store.recipients {
        let opens = known(store, name.as_str())?;
        if only.is_some_and(|only| !opens.iter().any(|profile| profile.as_str() == only)) {
            continue;
        }
        let own = run.context.vault.is_own(key);
        rows.push(RecipientRow {
            recipient: name.to_string(),
            key: key.clone(),
            own,
            trusted: own || memory.knows_recipient(key),
            profiles: opens.len(),
        });
    }
    if store.recipients.is_empty() {
        run.ui.note("There is no recipient yet. This makes you the first: neto init");
    }
    Ok(run.ui.answer(&render(&rows, output, &run.ui.look()))?)
}
