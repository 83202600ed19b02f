//! `neto recipient`: manages the age public keys that the secrets of the store are encrypted to.

use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{Cell, Column, Format, Row, Shrink, render_rows};
use crate::profile::{
    Document, Edit, EditValue, NameError, Profile, ProfileEntry, ProfileName, RecipientName, Section, Store,
    near_matches,
};
use crate::secret::check_recipient;
use crate::workflow::{Run, locked_edit, sealing};
use clap::{Args, Subcommand};
use serde::Serialize;

/// List, add and remove those who can open the secrets
///
/// A recipient is a name and an age public key. Adding or removing a recipient re-encrypts the secrets concerned, in
/// one change of the store; tokens stay valid.
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
    const HAS_MARKS: bool = true;

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("RECIPIENT", Shrink::Keep, |row| Cell::plain(&row.recipient)),
            Column::right("OPENS", Shrink::Drop, |row| Cell::plain(pluralize(row.profiles, "profile"))),
            Column::left("TRUSTED", Shrink::Keep, |row| Cell::plain(if row.trusted { "yes" } else { "no" })),
            Column::left("KEY", Shrink::Cut, |row| Cell::plain(&row.key)),
        ]
    }

    fn is_marked(&self) -> bool {
        self.own
    }
}

/// Runs a subcommand.
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
            .with_hint(Hint::command("neto identity show").remark(format!("prints it, where '{name}' works")))
    })?;
    // The user trusts the key by typing it. The resealing below requires trusted recipients.
    locked_edit::edit_trust_store(run, |trust_store| trust_store.trust_recipient(&name, key))?;
    reseal_all(run, &format!("Added '{name}'"), |document| match document.store().recipients.get(&name) {
        Some(known_key) if known_key == key => Ok(Vec::new()),
        Some(_) => Err(Error::new(Code::Store, format!("there is a recipient '{name}' with another key"))
            .with_hint(Hint::command(format!("neto recipient remove {name}")))),
        None => Ok(vec![Edit::set(&Section::Recipients, &[name.as_str()], EditValue::Text(key.to_owned()))]),
    })
}

fn remove(run: &Run<'_>, name: &str) -> Result<(), Error> {
    let store = run.context.store()?;
    let exposed = profiles_opened_by(store, name)?;
    let key = store.recipients.iter().find(|(recipient, _)| recipient.as_str() == name).map(|(_, key)| key.clone());
    let result = reseal_all(run, &format!("Removed '{name}'"), |document| {
        profiles_opened_by(document.store(), name)?;
        if document.store().recipients.len() == 1 {
            return Err(Error::new(Code::Store, "the last recipient cannot be removed: nobody could open the secrets")
                .with_hint(Hint::command("neto recipient add NAME KEY").remark("first, for somebody else")));
        }
        refuse_sole_recipient(document.store(), name)?;
        Ok(removal_edits(document, name))
    });
    // Exit code 8 means that the recipient was removed, but some secrets were not resealed. The warning below is then
    // still needed.
    if result.as_ref().is_err_and(|error| error.code() != Code::Partial) {
        return result;
    }
    // The key stays trusted while another recipient has the same key.
    let is_unused =
        |key: &String| !store.recipients.iter().any(|(recipient, other)| recipient.as_str() != name && other == key);
    if let Some(key) = key.filter(is_unused) {
        locked_edit::edit_trust_store(run, |trust_store| trust_store.forget_recipient(&key))?;
    }
    if exposed.is_empty() {
        return result;
    }
    let names: Vec<&str> = exposed.iter().map(ProfileName::as_str).collect();
    let count = pluralize(exposed.len(), "profile");
    run.ui.warn(&format!(
        "'{name}' has seen the secrets of {count}, and git's history still opens to them: {}",
        names.join(", ")
    ));
    run.ui.note("New keys end that:");
    let sealed = run.context.store()?.profiles.iter().filter(|entry| is_sealed(entry)).count();
    let selection = if sealed > 1 && names.len() == sealed { "--all".to_owned() } else { names.join(" ") };
    run.ui.note(&format!("  neto rotate {selection}"));
    result
}

/// Refuses to remove the only recipient of a profile, because nobody could then decrypt the profile's secret.
fn refuse_sole_recipient(store: &Store, name: &str) -> Result<(), Error> {
    let profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let is_sole = |profile: &&Profile| {
        profile.recipients.as_ref().is_some_and(|names| names.iter().all(|recipient| recipient.as_str() == name))
    };
    let Some(first_profile) = profiles.clone().find(is_sole) else { return Ok(()) };
    let names: Vec<&str> = profiles.filter(is_sole).map(|profile| profile.name.as_str()).collect();
    let message = format!("'{name}' is the only one who can open {}", names.join(", "));
    Err(Error::new(Code::Store, message)
        .with_hint(Hint::command(format!("neto profile edit {} --recipient NAME", first_profile.name))))
}

/// Returns the edits that remove a recipient from the table, the defaults and every profile's own list.
fn removal_edits(document: &Document, name: &str) -> Vec<Edit> {
    let mut edits = vec![Edit::unset(&Section::Recipients, &[name])];
    for profile in document.store().profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()) {
        let section = Section::Profile(profile.name.clone());
        let Some(names) = &profile.recipients else { continue };
        if document.declares(&section, &["recipients"]) && names.iter().any(|recipient| recipient.as_str() == name) {
            edits.push(Edit::set(&section, &["recipients"], EditValue::List(names_except(names, name))));
        }
    }
    if let Some(names) = &document.store().defaults.recipients
        && names.iter().any(|recipient| recipient.as_str() == name)
    {
        edits.push(Edit::set(&Section::Defaults, &["recipients"], EditValue::List(names_except(names, name))));
    }
    edits
}

fn names_except(names: &[RecipientName], name: &str) -> Vec<String> {
    names.iter().filter(|recipient| recipient.as_str() != name).map(ToString::to_string).collect()
}

fn is_sealed(entry: &ProfileEntry) -> bool {
    entry.profile.as_ref().is_ok_and(|profile| profile.sealed.is_some())
}

/// Returns the error for an unknown recipient. The hint contains similar names, or all names if no name is similar.
pub(super) fn unknown_recipient_error(code: Code, name: &str, store: &Store) -> Error {
    let names: Vec<&str> = store.recipients.keys().map(RecipientName::as_str).collect();
    let near: Vec<String> = near_matches(name, names.iter().copied()).into_iter().map(str::to_owned).collect();
    let hint = match (near.is_empty(), names.is_empty()) {
        (false, _) => Hint::did_you_mean(&near),
        (true, true) => Hint::command("neto init").remark("there is no recipient yet"),
        (true, false) => Hint::command("neto recipient list").remark(format!("there are {}", names.join(", "))),
    };
    Error::new(code, format!("there is no recipient '{name}'")).with_hint(hint)
}

/// Returns the profiles whose secret a recipient can decrypt.
///
/// # Errors
/// Returns an error if the store has no recipient with this name.
fn profiles_opened_by(store: &Store, name: &str) -> Result<Vec<ProfileName>, Error> {
    let Some((_, key)) = store.recipients.iter().find(|(recipient, _)| recipient.as_str() == name) else {
        return Err(unknown_recipient_error(Code::Store, name, store));
    };
    let profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let opened = profiles.filter(|profile| profile.sealed.is_some() && store.recipient_keys(profile).contains(key));
    Ok(opened.map(|profile| profile.name.clone()).collect())
}

/// Changes the recipients and reseals the affected secrets, in one edit of the store.
///
/// # Errors
/// Returns [`Code::Partial`] (exit 8) if some secrets could not be resealed. These secrets stay sealed to the previous
/// recipients, but the change of the recipients is saved.
fn reseal_all(
    run: &Run<'_>,
    summary: &str,
    change: impl FnOnce(&Document) -> Result<Vec<Edit>, Error>,
) -> Result<(), Error> {
    run.unlock(run.context.store()?.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()))?;
    let (mut failures, mut sealed, mut is_unchanged) = (Vec::new(), 0, false);
    locked_edit::edit_store(run, |document| {
        let edits = change(document)?;
        is_unchanged = edits.is_empty();
        let resealing = sealing::with_resealing(run, &(), document, edits, ProfileName::clone)?;
        sealed = resealing.changed.iter().filter(|profile| profile.sealed.is_some()).count();
        failures = resealing.failures;
        Ok(resealing.edits)
    })?;
    if is_unchanged {
        run.ui.note("Nothing changed");
        return Ok(());
    }
    run.ui.note(&format!("{summary}; sealed {} anew", pluralize(sealed, "secret")));
    let failed = failures.len();
    for error in &failures {
        run.ui.error(error.message(), error.hint().as_deref());
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Error::new(Code::Partial, format!("{} kept the old seal", pluralize(failed, "profile")))
        .with_hint(Hint::command("neto seal").remark("by somebody who can open them")))
}

fn list(run: &Run<'_>, output: Format) -> Result<(), Error> {
    let store = run.context.store()?;
    let trust_store = run.context.vault.trust_store()?.borrow();
    let profile_filter = run.context.globals.profile.as_deref();
    if profile_filter.is_some() {
        run.context.resolve(profile_filter)?;
    }
    let mut rows = Vec::new();
    for (name, key) in &store.recipients {
        let profiles = profiles_opened_by(store, name.as_str())?;
        if profile_filter.is_some_and(|filter| !profiles.iter().any(|profile| profile.as_str() == filter)) {
            continue;
        }
        let own = run.context.vault.is_own_key(key);
        rows.push(RecipientRow {
            recipient: name.to_string(),
            key: key.clone(),
            own,
            trusted: own || trust_store.is_trusted_recipient(key),
            profiles: profiles.len(),
        });
    }
    if store.recipients.is_empty() {
        run.ui.note("There is no recipient yet. This makes you the first: neto init");
    }
    Ok(run.ui.print(&render_rows(&rows, output, &run.ui.render_options()))?)
}
