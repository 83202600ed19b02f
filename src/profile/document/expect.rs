//! What edits promise, computed on the values alone, against what the new text says.

use super::render::Value;
use super::{Document, Edit, EditError, Section};
use crate::profile::{Entry, ProfileName};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value as Toml};

/// Fails unless `after` says exactly what `before` says with the edits made, and no profile that was
/// good is bad.
pub(super) fn check(before: &Document, after: &Document, edits: &[Edit]) -> Result<(), EditError> {
    check_profiles(before, after, edits)?;
    let (mut expected, mut found) = (table(&before.text)?, table(&after.text)?);
    expect(&mut expected, edits)?;
    expect_replaced(&mut expected, &found, edits);
    prune(&mut expected);
    prune(&mut found);
    if same_table(&expected, &found) { Ok(()) } else { Err(EditError::Differs) }
}

fn table(text: &str) -> Result<Table, EditError> {
    Ok(written_table(DeTable::parse(text).map_err(|_| EditError::Differs)?.get_ref()))
}

fn written_table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), written(value.get_ref()))).collect()
}

/// A value of the file. A profile with a fault may hold numbers that no machine can, so a number that is no small
/// integer is what is written.
fn written(value: &DeValue<'_>) -> Toml {
    match value {
        DeValue::String(text) => Toml::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Toml::Integer(number),
            Err(_) => Toml::String(number.to_string()),
        },
        DeValue::Float(number) => Toml::String(number.to_string()),
        DeValue::Boolean(flag) => Toml::Boolean(*flag),
        DeValue::Datetime(time) => Toml::Datetime(*time),
        DeValue::Array(items) => Toml::Array(items.iter().map(|item| written(item.get_ref())).collect()),
        DeValue::Table(table) => Toml::Table(written_table(table)),
    }
}

/// A profile that was bad may stay so; any other must be good.
fn check_profiles(before: &Document, after: &Document, edits: &[Edit]) -> Result<(), EditError> {
    let bad = |entry: &&Entry| entry.profile.is_err();
    let mut excused: BTreeSet<&ProfileName> =
        before.store.profiles.iter().filter(bad).map(|entry| &entry.name).collect();
    for edit in edits {
        match edit {
            Edit::RenameProfile { from, to } if excused.contains(from) => drop(excused.insert(to)),
            Edit::AddProfile { name, .. } | Edit::ReplaceBlock { name, .. } => drop(excused.remove(name)),
            _ => {}
        }
    }
    let fault = |entry: &Entry| entry.profile.as_ref().err().filter(|_| !excused.contains(&entry.name)).cloned();
    after.store.profiles.iter().find_map(fault).map_or(Ok(()), |fault| Err(EditError::Invalid(fault)))
}

/// Makes the edits on the values, in the order in which they count: keys, then names.
fn expect(root: &mut Table, edits: &[Edit]) -> Result<(), EditError> {
    let mut old_names: BTreeMap<&ProfileName, &ProfileName> = BTreeMap::new();
    for edit in edits {
        if let Edit::RenameProfile { from, to } = edit {
            old_names.insert(to, from);
        }
    }
    let path_of = |section: &Section, key: &[String]| match section {
        Section::Profile(name) => Section::Profile((*old_names.get(name).unwrap_or(&name)).clone()).path_of(key),
        other => other.path_of(key),
    };
    for edit in edits {
        match edit {
            Edit::Set { section, key, value } => set(root, &path_of(section, key), value)?,
            Edit::Unset { section, key } => unset(root, &path_of(section, key)),
            _ => {}
        }
    }
    let profiles = root.entry("profiles").or_insert_with(|| Toml::Table(Table::new()));
    let profiles = profiles.as_table_mut().ok_or(EditError::Differs)?;
    expect_names(profiles, edits);
    Ok(())
}

/// What a user wrote into a profile is what is meant.
fn expect_replaced(expected: &mut Table, found: &Table, edits: &[Edit]) {
    for edit in edits {
        let Edit::ReplaceBlock { name, .. } = edit else { continue };
        let written = found.get("profiles").and_then(|profiles| profiles.get(name.as_str()));
        let profiles = expected.get_mut("profiles").and_then(Toml::as_table_mut);
        if let (Some(written), Some(profiles)) = (written, profiles) {
            profiles.insert(name.to_string(), written.clone());
        }
    }
}

fn expect_names(profiles: &mut Table, edits: &[Edit]) {
    let mut renamed = Vec::new();
    for edit in edits {
        match edit {
            Edit::RemoveProfile { name } => drop(profiles.remove(name.as_str())),
            Edit::RenameProfile { from, to } => {
                renamed.extend(profiles.remove(from.as_str()).map(|profile| (to, profile)));
            }
            _ => {}
        }
    }
    profiles.extend(renamed.into_iter().map(|(name, profile)| (name.to_string(), profile)));
    for edit in edits {
        if let Edit::AddProfile { name, entries } = edit {
            profiles.insert(name.to_string(), value(&Value::Table(entries.clone())));
        }
    }
}

fn set(root: &mut Table, path: &[String], new: &Value) -> Result<(), EditError> {
    let Some((last, above)) = path.split_last() else { return Err(EditError::Differs) };
    let mut table = root;
    for (depth, key) in above.iter().enumerate() {
        let inner = table.entry(key.clone()).or_insert_with(|| Toml::Table(Table::new()));
        table = inner.as_table_mut().ok_or_else(|| EditError::NotATable { key: above[..=depth].join(".") })?;
    }
    table.insert(last.clone(), value(new));
    Ok(())
}

fn unset(root: &mut Table, path: &[String]) {
    let Some((last, above)) = path.split_last() else { return };
    let inner = above.iter().try_fold(root, |table, key| table.get_mut(key).and_then(Toml::as_table_mut));
    if let Some(table) = inner {
        table.remove(last);
    }
}

fn value(value: &Value) -> Toml {
    match value {
        Value::Text(text) | Value::Block(text) => Toml::String(text.clone()),
        Value::Flag(flag) => Toml::Boolean(*flag),
        Value::Integer(number) => Toml::Integer(*number),
        Value::Date(date) => date.to_string().parse().map_or(Toml::Boolean(false), Toml::Datetime),
        Value::List(items) => Toml::Array(items.iter().cloned().map(Toml::String).collect()),
        Value::Table(entries) => {
            Toml::Table(entries.iter().map(|(key, inner)| (key.clone(), self::value(inner))).collect())
        }
    }
}

/// Takes out what is not there in one spelling and empty in another: tables without keys, but for
/// the profiles themselves.
fn prune(root: &mut Table) {
    for (name, section) in root.iter_mut() {
        let Toml::Table(section) = section else { continue };
        if name == "profiles" {
            section.iter_mut().for_each(|(_, profile)| prune_inner(profile));
        } else {
            section.retain(|_, value| !is_empty_after_pruning(value));
        }
    }
    root.retain(|_, section| section.as_table().is_none_or(|section| !section.is_empty()));
}

fn prune_inner(value: &mut Toml) {
    if let Toml::Table(table) = value {
        table.retain(|_, inner| !is_empty_after_pruning(inner));
    }
}

fn is_empty_after_pruning(value: &mut Toml) -> bool {
    prune_inner(value);
    value.as_table().is_some_and(Table::is_empty)
}

fn same_table(one: &Table, other: &Table) -> bool {
    one.len() == other.len() && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| same(value, found)))
}

/// Equal but for the line ends within texts, which are those of the file.
fn same(one: &Toml, other: &Toml) -> bool {
    match (one, other) {
        (Toml::Table(one), Toml::Table(other)) => same_table(one, other),
        (Toml::Array(one), Toml::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Toml::String(one), Toml::String(other)) => {
            one == other || one.replace("\r\n", "\n") == other.replace("\r\n", "\n")
        }
        _ => one == other,
    }
}
