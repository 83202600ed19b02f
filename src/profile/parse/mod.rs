//! Text -> [`Store`]: reading only.
//!
//! Owns what the file means and what can be wrong with it. The TOML is walked by hand, so that each
//! fault has its line, column and key, and none holds a value. What is wrong inside one profile is
//! that profile's fault; anything else is the file's.

mod conflict;
mod env_name;
mod fault;
mod outline;
mod path;
mod profile;
mod settings;
mod syntax;
mod tree;
mod value;

pub use env_name::{EnvNameError, check_env_name};
pub(super) use env_name::{VARIABLE_PATTERN, forbidden_variable_pattern};
pub use fault::{Fault, Place, Problem, StoreError};
pub use outline::{Outline, Sketch};
pub(super) use syntax::decode;

use super::model::{Defaults, Entry, Store};
use super::{NameError, Profile, ProfileName, RecipientName, format};
use fault::{Counter, Wrong};
use settings::{Recipients, Urls};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tree::{Kind, Table, TreeError, Value};
use value::wrong;

/// The only version of the format there is.
const VERSION: &str = "1";

/// What a profile is read against.
struct Context<'a> {
    text: &'a Arc<String>,
    folder: &'a Path,
    recipients: &'a Recipients,
    defaults: &'a Defaults,
    urls: &'a Urls,
}

/// A profile before the places of faults are counted.
type Raw = (ProfileName, Result<Profile, Wrong>);

/// Reads a store's text; relative paths in it start at `folder`.
///
/// # Errors
/// [`StoreError`] when the file as a whole cannot be used.
pub(super) fn parse(text: &Arc<String>, folder: &Path) -> Result<Store, StoreError> {
    read(text, folder).map_err(|wrong| wrong.into_store_error(text))
}

fn read(text: &Arc<String>, folder: &Path) -> Result<Store, Wrong> {
    let parsed = match tree::parse(text) {
        Err(TreeError::TooDeep(at)) => return Err(Wrong::new(at, Problem::TooDeep)),
        Err(TreeError::Syntax(error)) => Err(error),
        Ok(document) => Ok(document),
    };
    // Most of what is no TOML for its markers says so in other words.
    conflict::check_conflict(text)?;
    let document = parsed.map_err(|error| syntax::wrong_syntax(text, &error))?;
    check_version(&document)?;
    value::each_of(&document, &format::TOP, |key, _| Ok(format::TOP.has(key)))?;
    let explicit = in_key(&document, "explicit", value::flag)?.unwrap_or_default();
    let recipients = in_key(&document, "recipients", |value| recipients(value::table(value)?))?.unwrap_or_default();
    let urls = Urls::default();
    let defaults = |value: &Value<'_>| settings::defaults(value::table(value)?, &recipients, &urls);
    let defaults = in_key(&document, "defaults", defaults)?.unwrap_or_default();
    let context = Context { text, folder, recipients: &recipients, defaults: &defaults, urls: &urls };
    let raw = match document.into_iter().find(|(key, _)| key.text == "profiles") {
        Some((_, Value { kind: Kind::Table(table), .. })) => profiles(table, &context),
        Some((_, value)) => value::table(&value).map(|_| Vec::new()),
        None => Ok(Vec::new()),
    };
    let raw = raw.map_err(|wrong| wrong.under("profiles"))?;
    let profiles = with_places(text, raw);
    Ok(Store { explicit, recipients, defaults, profiles, seen: None })
}

/// Reads the value of a top-level key, if it is there.
fn in_key<'i, T>(
    document: &Table<'i>,
    key: &str,
    read: impl FnOnce(&Value<'i>) -> Result<T, Wrong>,
) -> Result<Option<T>, Wrong> {
    document.entry(key).map(|(_, value)| read(value)).transpose().map_err(|wrong| wrong.under(key))
}

/// A later format may have any other key, so the version is looked at before them.
fn check_version(document: &Table<'_>) -> Result<(), Wrong> {
    let Some((_, value)) = document.entry("version") else {
        return Err(Wrong::new(0, Problem::Missing { key: "version" }));
    };
    let problem = match &value.kind {
        Kind::Integer(digits) if digits == VERSION => return Ok(()),
        Kind::Integer(_) => Problem::Version,
        _ => Problem::Type { wanted: "a whole number" },
    };
    Err(wrong(value, problem).under("version"))
}

fn recipients(table: &Table<'_>) -> Result<Recipients, Wrong> {
    let mut recipients = Recipients::new();
    value::each(table, |key, value| {
        let name = key.text.parse::<RecipientName>().map_err(|error| Wrong::new(key.at, error))?;
        let text = value::text(value)?;
        // Whether it is a whole key is known where it is used; what must not happen is that an
        // identity or a blank is taken for one.
        if !text.starts_with("age1") || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong(value, Problem::RecipientKey));
        }
        recipients.insert(name, text.to_owned());
        Ok(())
    })?;
    Ok(recipients)
}

/// Reads every profile, in the order of the file; each part of the tree goes as soon as it is read.
fn profiles(table: Table<'_>, context: &Context<'_>) -> Result<Vec<Raw>, Wrong> {
    let mut found: Vec<(usize, Raw)> = Vec::with_capacity(table.len());
    value::each(table, |key, value| {
        let at = key.at;
        let name: ProfileName = key.text.parse().map_err(|error: NameError| Wrong::new(at, error))?;
        let profile = profile::profile(&name, at, value, context);
        found.push((at, (name, profile)));
        Ok(())
    })?;
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, raw)| raw).collect())
}

/// Counts the lines of all faults in one pass, however many there are and wherever they stand.
fn with_places(text: &str, raw: Vec<Raw>) -> Vec<Entry> {
    let mut faulty: Vec<usize> = raw.iter().filter_map(|(_, profile)| Some(profile.as_ref().err()?.at)).collect();
    faulty.sort_unstable();
    let mut counter = Counter::new(text);
    let places: BTreeMap<usize, Place> = faulty.into_iter().map(|at| (at, counter.place(at))).collect();
    let entry = |(name, profile): Raw| {
        let profile = profile.map_err(|wrong| {
            let place = places[&wrong.at];
            wrong.under(name.as_str()).under("profiles").into_fault(place)
        });
        Entry { name, profile }
    };
    raw.into_iter().map(entry).collect()
}

/// Whether `key` is a word of the format, wherever it stands in it.
fn is_known(key: &str) -> bool {
    [format::TOP, format::PROFILE, format::SEALED, format::SOURCE].iter().any(|form| form.has(key))
}

#[cfg(test)]
mod tests;
