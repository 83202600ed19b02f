//! Checks the new text after edits: applies the edits to the old values, and compares the result with
//! the new values. Does not use the code that edits the text. A bug in that code therefore fails the
//! check instead of damaging a store.

use super::render::EditValue;
use super::{Document, Edit, EditError, Section};
use crate::profile::{ProfileEntry, ProfileName};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value as Toml};

/// Checks that the values of `after` are the values of `before` with the edits applied. In a replaced
/// profile any valid value is accepted. Also checks that no valid profile became invalid.
pub(super) fn check(before: &Document, after: &Document, edits: &[Edit]) -> Result<(), EditError> {
    check_profiles(before, after, edits)?;
    let (mut expected, mut found) = (read_values(&before.text)?, read_values(&after.text)?);
    apply_edits(&mut expected, edits)?;
    copy_replaced_profiles(&mut expected, &found, edits);
    remove_empty_tables(&mut expected);
    remove_empty_tables(&mut found);
    if equal_tables(&expected, &found) { Ok(()) } else { Err(EditError::UnexpectedResult) }
}

fn read_values(text: &str) -> Result<Table, EditError> {
    Ok(to_table(DeTable::parse(text).map_err(|_| EditError::UnexpectedResult)?.get_ref()))
}

fn to_table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), to_value(value.get_ref()))).collect()
}

/// Converts a parsed value. Floats, and integers that do not fit into `i64`, become strings as written:
/// an invalid profile may contain a number that fits into no type.
fn to_value(value: &DeValue<'_>) -> Toml {
    match value {
        DeValue::String(text) => Toml::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Toml::Integer(number),
            Err(_) => Toml::String(number.to_string()),
        },
        DeValue::Float(number) => Toml::String(number.to_string()),
        DeValue::Boolean(flag) => Toml::Boolean(*flag),
        DeValue::Datetime(time) => Toml::Datetime(*time),
        DeValue::Array(items) => Toml::Array(items.iter().map(|item| to_value(item.get_ref())).collect()),
        DeValue::Table(table) => Toml::Table(to_table(table)),
    }
}

/// Checks that every profile is valid, except profiles that were already invalid before the edits.
/// Added and replaced profiles must be valid in any case.
fn check_profiles(before: &Document, after: &Document, edits: &[Edit]) -> Result<(), EditError> {
    let is_faulty = |entry: &&ProfileEntry| entry.profile.is_err();
    let mut excused: BTreeSet<&ProfileName> =
        before.store.profiles.iter().filter(is_faulty).map(|entry| &entry.name).collect();
    for edit in edits {
        match edit {
            Edit::RenameProfile { from, to } if excused.contains(from) => drop(excused.insert(to)),
            Edit::AddProfile { name, .. } | Edit::ReplaceBlock { name, .. } => drop(excused.remove(name)),
            _ => {}
        }
    }
    let new_fault =
        |entry: &ProfileEntry| entry.profile.as_ref().err().filter(|_| !excused.contains(&entry.name)).cloned();
    after.store.profiles.iter().find_map(new_fault).map_or(Ok(()), |fault| Err(EditError::Invalid(fault)))
}

/// Applies edits to parsed values: first the edits of keys, then the edits that remove, rename or add
/// profiles.
fn apply_edits(root: &mut Table, edits: &[Edit]) -> Result<(), EditError> {
    let mut old_names: BTreeMap<&ProfileName, &ProfileName> = BTreeMap::new();
    for edit in edits {
        if let Edit::RenameProfile { from, to } = edit {
            old_names.insert(to, from);
        }
    }
    let key_path = |section: &Section, key: &[String]| match section {
        Section::Profile(name) => Section::Profile((*old_names.get(name).unwrap_or(&name)).clone()).key_path(key),
        other => other.key_path(key),
    };
    for edit in edits {
        match edit {
            Edit::Set { section, key, value } => set_value(root, &key_path(section, key), value)?,
            Edit::Unset { section, key } => remove_value(root, &key_path(section, key)),
            _ => {}
        }
    }
    let profiles = root.entry("profiles").or_insert_with(|| Toml::Table(Table::new()));
    let profiles = profiles.as_table_mut().ok_or(EditError::UnexpectedResult)?;
    apply_name_edits(profiles, edits);
    Ok(())
}

/// Copies replaced profiles from `found` to `expected`, because the new text of a replaced profile may
/// have any values.
fn copy_replaced_profiles(expected: &mut Table, found: &Table, edits: &[Edit]) {
    for edit in edits {
        let Edit::ReplaceBlock { name, .. } = edit else { continue };
        let new_profile = found.get("profiles").and_then(|profiles| profiles.get(name.as_str()));
        let profiles = expected.get_mut("profiles").and_then(Toml::as_table_mut);
        if let (Some(new_profile), Some(profiles)) = (new_profile, profiles) {
            profiles.insert(name.to_string(), new_profile.clone());
        }
    }
}

fn apply_name_edits(profiles: &mut Table, edits: &[Edit]) {
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
            profiles.insert(name.to_string(), to_expected_value(&EditValue::Table(entries.clone())));
        }
    }
}

fn set_value(root: &mut Table, path: &[String], new: &EditValue) -> Result<(), EditError> {
    let Some((last, parents)) = path.split_last() else { return Err(EditError::UnexpectedResult) };
    let mut table = root;
    for (depth, key) in parents.iter().enumerate() {
        let child = table.entry(key.clone()).or_insert_with(|| Toml::Table(Table::new()));
        table = child.as_table_mut().ok_or_else(|| EditError::NotATable { key: parents[..=depth].join(".") })?;
    }
    table.insert(last.clone(), to_expected_value(new));
    Ok(())
}

fn remove_value(root: &mut Table, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(root, |table, key| table.get_mut(key).and_then(Toml::as_table_mut));
    if let Some(table) = parent {
        table.remove(last);
    }
}

fn to_expected_value(value: &EditValue) -> Toml {
    match value {
        EditValue::Text(text) | EditValue::Multiline(text) => Toml::String(text.clone()),
        EditValue::Flag(flag) => Toml::Boolean(*flag),
        EditValue::Integer(number) => Toml::Integer(*number),
        // A date that does not parse becomes a value that differs from any date, so the check fails.
        EditValue::Date(date) => date.to_string().parse().map_or(Toml::Boolean(false), Toml::Datetime),
        EditValue::List(items) => Toml::Array(items.iter().cloned().map(Toml::String).collect()),
        EditValue::Table(entries) => {
            Toml::Table(entries.iter().map(|(key, inner)| (key.clone(), to_expected_value(inner))).collect())
        }
    }
}

/// Removes tables without keys, but not profiles without keys. Whether a table remains after its last
/// key is removed depends on how the table is written.
fn remove_empty_tables(root: &mut Table) {
    for (name, section) in root.iter_mut() {
        let Toml::Table(section) = section else { continue };
        if name == "profiles" {
            section.iter_mut().for_each(|(_, profile)| remove_empty_entries(profile));
        } else {
            section.retain(|_, value| !is_empty_table(value));
        }
    }
    root.retain(|_, section| section.as_table().is_none_or(|section| !section.is_empty()));
}

fn remove_empty_entries(value: &mut Toml) {
    if let Toml::Table(table) = value {
        table.retain(|_, inner| !is_empty_table(inner));
    }
}

fn is_empty_table(value: &mut Toml) -> bool {
    remove_empty_entries(value);
    value.as_table().is_some_and(Table::is_empty)
}

fn equal_tables(expected: &Table, found: &Table) -> bool {
    expected.len() == found.len()
        && expected.iter().all(|(key, value)| found.get(key).is_some_and(|other| equal_values(value, other)))
}

/// Compares values, but ignores the difference between LF and CRLF in strings. Multi-line strings have
/// the line endings of the file.
fn equal_values(expected: &Toml, found: &Toml) -> bool {
    match (expected, found) {
        (Toml::Table(expected), Toml::Table(found)) => equal_tables(expected, found),
        (Toml::Array(expected), Toml::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| equal_values(expected, found))
        }
        (Toml::String(expected), Toml::String(found)) => {
            expected == found || expected.replace("\r\n", "\n") == found.replace("\r\n", "\n")
        }
        _ => expected == found,
    }
}
