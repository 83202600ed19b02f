//! Builds the edits of the store for an import.

use super::plan::PlannedImport;
use super::{ImportAction, ImportArgs};
use crate::commands::profile::{add, set_secret};
use crate::error::Error;
use crate::profile::{Document, Edit, EditValue, Profile, ProfileName, Section, Store};
use crate::secret::Credential;
use crate::workflow::{Run, sealing};
use std::collections::BTreeMap;

/// Returns the edits of the store, including the sealed secrets.
pub(super) fn with_secrets(
    args: &ImportArgs,
    run: &Run<'_>,
    document: &Document,
    planned: &[PlannedImport<'_>],
) -> Result<Vec<Edit>, Error> {
    let without_url =
        planned.iter().find(|planned| planned.action != ImportAction::Skip && planned.entry.url.is_none());
    if let Some(planned) = without_url {
        sealing::warn_untrusted_url(run, planned.name.as_str(), &planned.url)?;
    }
    let mut edits = without_secrets(args, document.store(), planned)?;
    // Secrets are bound to the profiles as parsed from the store, with the store's defaults. The store is parsed once,
    // for all profiles.
    let unsealed = document.apply(&edits)?;
    let profiles = declared_profiles(&unsealed, planned)?;
    let changed: Vec<&PlannedImport<'_>> =
        planned.iter().filter(|planned| planned.action != ImportAction::Skip).collect();
    let credentials: Vec<(&Profile, &Credential)> =
        profiles.iter().zip(changed.iter().map(|planned| &planned.entry.credential)).collect();
    let sealed = sealing::seal_new_credentials(run, unsealed.store(), &credentials)?;
    let mut sealed_by_name: BTreeMap<&ProfileName, _> =
        changed.iter().map(|planned| &planned.name).zip(sealed.iter()).collect();
    for edit in &mut edits {
        if let Edit::AddProfile { name, entries } = edit
            && let Some(sealed) = sealed_by_name.remove(name)
        {
            entries.extend(sealed.toml_entries().map(|(key, value)| (key.to_owned(), value)));
        }
    }
    for (name, sealed) in sealed_by_name {
        edits.extend(sealed.edits(name));
    }
    Ok(edits)
}

/// Returns the edits of the store without the secrets.
pub(super) fn without_secrets(
    args: &ImportArgs,
    store: &Store,
    planned: &[PlannedImport<'_>],
) -> Result<Vec<Edit>, Error> {
    let mut edits = Vec::new();
    for planned in planned {
        match planned.action {
            ImportAction::Add => edits.push(addition(args, store, planned)?),
            ImportAction::Replace => edits.extend(replacement(args, store, planned)),
            ImportAction::Skip => {}
        }
    }
    Ok(edits)
}

fn addition(args: &ImportArgs, store: &Store, planned: &PlannedImport<'_>) -> Result<Edit, Error> {
    let (entry, default) = (planned.entry, store.defaults.url.as_ref());
    let mut entries = add::account_entries(&entry.account);
    entries.extend(add::url_entry(Some(&planned.url), default)?);
    let mut add = |key: &str, value: Option<EditValue>| entries.extend(value.map(|value| (key.to_owned(), value)));
    let tags = args.merged_tags(entry);
    add("tags", (!tags.is_empty()).then_some(EditValue::List(tags)));
    add("description", entry.description.clone().map(EditValue::Text));
    add("recipients", (!args.recipients.is_empty()).then(|| EditValue::List(args.recipients.clone())));
    Ok(Edit::AddProfile { name: planned.name.clone(), entries })
}

fn replacement(args: &ImportArgs, store: &Store, planned: &PlannedImport<'_>) -> Vec<Edit> {
    let section = Section::Profile(planned.name.clone());
    let mut edits = set_secret::reset_credential_edits(&planned.name, &planned.entry.account);
    let profile = store.entry(&planned.name).and_then(|entry| entry.profile.as_ref().ok());
    let existing_tags = profile.map(|profile| profile.tags.clone()).unwrap_or_default();
    let new_tags: Vec<String> =
        args.merged_tags(planned.entry).into_iter().filter(|tag| !existing_tags.contains(tag)).collect();
    if !new_tags.is_empty() {
        edits.push(Edit::set(
            &section,
            &["tags"],
            EditValue::List(existing_tags.into_iter().chain(new_tags).collect()),
        ));
    }
    edits.extend(
        planned.entry.description.clone().map(|text| Edit::set(&section, &["description"], EditValue::Text(text))),
    );
    if !args.recipients.is_empty() {
        edits.push(Edit::set(&section, &["recipients"], EditValue::List(args.recipients.clone())));
    }
    edits
}

/// Returns the profiles that get a new credential, as declared in the edited store.
pub(super) fn declared_profiles(document: &Document, planned: &[PlannedImport<'_>]) -> Result<Vec<Profile>, Error> {
    let changed = planned.iter().filter(|planned| planned.action != ImportAction::Skip);
    changed.map(|planned| add::declared_profile(document, &planned.name)).collect()
}
