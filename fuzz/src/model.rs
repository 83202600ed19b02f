//! A model of edits on plain TOML tables, without code of the product.

use neto::internals::profile::{Edit, EditValue, ProfileName, Section};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value as Toml};

/// Parses the values of a text. A number that is not an `i64` is kept as written.
pub fn values(text: &str) -> Table {
    table(DeTable::parse(text).expect("it was read").get_ref())
}

fn table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), read(value.get_ref()))).collect()
}

fn read(value: &DeValue<'_>) -> Toml {
    let number = |text: &str| Toml::String(format!("the number {text}"));
    match value {
        DeValue::String(text) => Toml::String(text.to_string()),
        DeValue::Integer(digits) => {
            let small = i64::from_str_radix(digits.as_str(), digits.radix()).map(Toml::Integer);
            small.unwrap_or_else(|_| number(digits.as_str()))
        }
        DeValue::Float(text) => number(text.as_str()),
        DeValue::Boolean(flag) => Toml::Boolean(*flag),
        DeValue::Datetime(time) => Toml::Datetime(*time),
        DeValue::Array(items) => Toml::Array(items.iter().map(|item| read(item.get_ref())).collect()),
        DeValue::Table(inner) => Toml::Table(table(inner)),
    }
}

/// Renders the values so that equivalent files give the same text. Empty tables are dropped, and line ends in texts are
/// normalized.
pub fn normalized(mut root: Table) -> String {
    if let Some(Toml::Table(profiles)) = root.get_mut("profiles") {
        // An empty profile still counts, but an empty table inside a profile does not.
        profiles.iter_mut().filter_map(|(_, profile)| profile.as_table_mut()).for_each(prune);
    }
    let profiles = root.remove("profiles").filter(|profiles| profiles.as_table().is_none_or(|all| !all.is_empty()));
    prune(&mut root);
    format!("{root:?} {profiles:?}").replace("\\r\\n", "\\n")
}

fn prune(table: &mut Table) {
    table.iter_mut().filter_map(|(_, value)| value.as_table_mut()).for_each(prune);
    table.retain(|_, value| value.as_table().is_none_or(|inner| !inner.is_empty()));
}

/// Returns the values after the edits, or `None` if the edits are contradictory.
pub fn edited(mut root: Table, edits: &[Edit]) -> Option<Table> {
    let mut old_names: BTreeMap<&ProfileName, &ProfileName> = BTreeMap::new();
    for edit in edits {
        if let Edit::RenameProfile { from, to } = edit {
            old_names.insert(to, from);
        }
    }
    for edit in edits {
        let (Edit::Set { section, key, .. } | Edit::Unset { section, key }) = edit else { continue };
        let mut path = match section {
            Section::Top => vec![],
            Section::Recipients => vec!["recipients"],
            Section::Defaults => vec!["defaults"],
            Section::Profile(name) => vec!["profiles", old_names.get(name).copied().unwrap_or(name).as_str()],
        };
        path.extend(key.iter().map(String::as_str));
        match edit {
            Edit::Set { value, .. } => set(&mut root, &path, value)?,
            _ => unset(&mut root, &path),
        }
    }
    rename(&mut root, edits)?;
    Some(root)
}

fn rename(root: &mut Table, edits: &[Edit]) -> Option<()> {
    let profiles = root.entry("profiles").or_insert_with(|| Toml::Table(Table::new())).as_table_mut()?;
    let mut come = Vec::new();
    for edit in edits {
        match edit {
            Edit::RemoveProfile { name } => drop(profiles.remove(name.as_str())?),
            Edit::RenameProfile { from, to } => come.push((to, profiles.remove(from.as_str())?)),
            _ => {}
        }
    }
    for edit in edits {
        if let Edit::AddProfile { name, entries } = edit {
            come.push((name, value(&EditValue::Table(entries.clone()))));
        }
    }
    let free = come.into_iter().all(|(name, profile)| profiles.insert(name.to_string(), profile).is_none());
    free.then_some(())
}

fn set(root: &mut Table, path: &[&str], new: &EditValue) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut table = root;
    for key in above {
        table = table.entry(*key).or_insert_with(|| Toml::Table(Table::new())).as_table_mut()?;
    }
    table.insert((*last).to_owned(), value(new));
    Some(())
}

fn unset(root: &mut Table, path: &[&str]) {
    let Some((last, above)) = path.split_last() else { return };
    let inner = above.iter().try_fold(root, |table, key| table.get_mut(*key).and_then(Toml::as_table_mut));
    if let Some(table) = inner {
        table.remove(*last);
    }
}

fn value(value: &EditValue) -> Toml {
    match value {
        EditValue::Text(text) | EditValue::Multiline(text) => Toml::String(text.clone()),
        EditValue::Flag(flag) => Toml::Boolean(*flag),
        EditValue::Integer(number) => Toml::Integer(*number),
        EditValue::Date(date) => Toml::Datetime(date.to_string().parse().expect("a day")),
        EditValue::List(items) => Toml::Array(items.iter().cloned().map(Toml::String).collect()),
        EditValue::Table(entries) => {
            Toml::Table(entries.iter().map(|(key, inner)| (key.clone(), self::value(inner))).collect())
        }
    }
}
