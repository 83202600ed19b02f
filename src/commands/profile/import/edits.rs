//! The changes of the store that an import makes.

use super::plan::Planned;
use super::{ImportArgs, What};
use crate::commands::profile::{add, set_secret};
use crate::error::Error;
use crate::profile::{Document, Edit, Profile, ProfileName, Section, Store, Value};
use crate::secret::Credential;
use crate::workflow::{Run, sealing};
use std::collections::BTreeMap;

/// The changes of the store, sealed.
pub(super) fn sealed(
    args: &ImportArgs,
    run: &Run<'_>,
    document: &Document,
    planned: &[Planned<'_>],
) -> Result<Vec<Edit>, Error> {
    let unaddressed = planned.iter().find(|planned| planned.what != What::Skip && planned.entry.url.is_none());
    if let Some(first) = unaddressed {
        sealing::tell_strange_address(run, first.name.as_str(), &first.url)?;
    }
    let mut edits = bare(args, document.store(), planned)?;
    // What the seals bind is what the store declares, defaults and all, so the reader itself says it: once for all.
    let bare = document.apply(&edits)?;
    let profiles = declared(&bare, planned)?;
    let changed: Vec<&Planned<'_>> = planned.iter().filter(|planned| planned.what != What::Skip).collect();
    let credentials: Vec<(&Profile, &Credential)> =
        profiles.iter().zip(changed.iter().map(|planned| &planned.entry.credential)).collect();
    let sealed = sealing::seal_all_new(run, bare.store(), &credentials)?;
    let mut sealed_of: BTreeMap<&ProfileName, _> =
        changed.iter().map(|planned| &planned.name).zip(sealed.iter()).collect();
    for edit in &mut edits {
        if let Edit::AddProfile { name, entries } = edit
            && let Some(sealed) = sealed_of.remove(name)
        {
            entries.extend(sealed.entries().map(|(key, value)| (key.to_owned(), value)));
        }
    }
    for (name, sealed) in sealed_of {
        edits.extend(sealed.edits(name));
    }
    Ok(edits)
}

/// The changes without the secrets.
pub(super) fn bare(args: &ImportArgs, store: &Store, planned: &[Planned<'_>]) -> Result<Vec<Edit>, Error> {
    let mut edits = Vec::new();
    for planned in planned {
        match planned.what {
            What::Add => edits.push(addition(args, store, planned)?),
            What::Replace => edits.extend(replacement(args, store, planned)),
            What::Skip => {}
        }
    }
    Ok(edits)
}

fn addition(args: &ImportArgs, store: &Store, planned: &Planned<'_>) -> Result<Edit, Error> {
    let (entry, default) = (planned.entry, store.defaults.url.as_ref());
    let mut entries = add::account(&entry.account);
    entries.extend(add::address(Some(&planned.url), default)?);
    let mut add = |key: &str, value: Option<Value>| entries.extend(value.map(|value| (key.to_owned(), value)));
    let tags = args.tags_of(entry);
    add("tags", (!tags.is_empty()).then_some(Value::List(tags)));
    add("description", entry.description.clone().map(Value::Text));
    add("recipients", (!args.recipients.is_empty()).then(|| Value::List(args.recipients.clone())));
    Ok(Edit::AddProfile { name: planned.name.clone(), entries })
}

fn replacement(args: &ImportArgs, store: &Store, planned: &Planned<'_>) -> Vec<Edit> {
    let section = Section::Profile(planned.name.clone());
    let mut edits = set_secret::without_secret(&planned.name, &planned.entry.account);
    let known = store.entry(&planned.name).and_then(|entry| entry.profile.as_ref().ok());
    let known = known.map(|profile| profile.tags.clone()).unwrap_or_default();
    let new: Vec<String> = args.tags_of(planned.entry).into_iter().filter(|tag| !known.contains(tag)).collect();
    if !new.is_empty() {
        edits.push(Edit::set(&section, &["tags"], Value::List(known.into_iter().chain(new).collect())));
    }
    edits
        .extend(planned.entry.description.clone().map(|text| Edit::set(&section, &["description"], Value::Text(text))));
    if !args.recipients.is_empty() {
        edits.push(Edit::set(&section, &["recipients"], Value::List(args.recipients.clone())));
    }
    edits
}

/// The profiles that get a credential, as the store declares them after the change.
pub(super) fn declared(document: &Document, planned: &[Planned<'_>]) -> Result<Vec<Profile>, Error> {
    let changed = planned.iter().filter(|planned| planned.what != What::Skip);
    changed.map(|planned| add::added(document, &planned.name)).collect()
}
