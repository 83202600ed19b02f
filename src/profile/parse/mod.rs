//! Parses the text of a store into a [`Store`]; writes nothing.
//!
//! Owns the meaning of the file and the faults that the file can have. The TOML tree is converted without serde, so
//! that each fault has a line, a column and a key. A fault never contains a value, because a value can be a secret. A
//! fault inside a profile makes only that profile invalid; any other fault makes the whole file invalid.

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
pub use fault::{Fault, FilePosition, StoreError, StoreProblem};
pub use outline::{Outline, ProfileSummary};
pub(super) use syntax::decode;

use super::model::{Defaults, ProfileEntry, Store};
use super::{NameError, Profile, ProfileName, RecipientName, format};
use fault::{PositionCounter, UnlocatedFault};
use settings::{Recipients, UrlCache};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tree::{TomlError, TomlKind, TomlTable, TomlValue};
use value::fault_at;

/// Only supported version of the format.
const VERSION: &str = "1";

/// Data that is needed to parse any profile.
struct ParseContext<'a> {
    text: &'a Arc<String>,
    base_directory: &'a Path,
    recipients: &'a Recipients,
    defaults: &'a Defaults,
    urls: &'a UrlCache,
}

/// Name of a profile, and the profile or its fault. The fault has no line and column yet.
type UnlocatedProfile = (ProfileName, Result<Profile, UnlocatedFault>);

/// Parses the text of a store. Relative paths in the text are resolved against `base_directory`.
///
/// # Errors
/// Returns a [`StoreError`] if the file as a whole is invalid. The fault of a single profile is part of the [`Store`].
pub(super) fn parse(text: &Arc<String>, base_directory: &Path) -> Result<Store, StoreError> {
    parse_store(text, base_directory).map_err(|fault| fault.into_store_error(text))
}

fn parse_store(text: &Arc<String>, base_directory: &Path) -> Result<Store, UnlocatedFault> {
    let parsed = match tree::parse(text) {
        Err(TomlError::TooDeep(offset)) => return Err(UnlocatedFault::new(offset, StoreProblem::TooDeep)),
        Err(TomlError::Syntax(error)) => Err(error),
        Ok(document) => Ok(document),
    };
    // Conflict markers also cause ordinary syntax errors, so conflict markers are reported first.
    conflict::check_conflict(text)?;
    let document = parsed.map_err(|error| syntax::syntax_fault(text, &error))?;
    check_version(&document)?;
    value::for_each_known(&document, &format::TOP, |key, _| Ok(format::TOP.has_key(key)))?;
    let explicit = parse_key(&document, "explicit", value::flag)?.unwrap_or_default();
    let recipients =
        parse_key(&document, "recipients", |value| parse_recipients(value::table(value)?))?.unwrap_or_default();
    let urls = UrlCache::default();
    let defaults = |value: &TomlValue<'_>| settings::parse_defaults(value::table(value)?, &recipients, &urls);
    let defaults = parse_key(&document, "defaults", defaults)?.unwrap_or_default();
    let context = ParseContext { text, base_directory, recipients: &recipients, defaults: &defaults, urls: &urls };
    let unlocated = match document.into_iter().find(|(key, _)| key.text == "profiles") {
        Some((_, TomlValue { kind: TomlKind::Table(table), .. })) => parse_profiles(table, &context),
        Some((_, value)) => value::table(&value).map(|_| Vec::new()),
        None => Ok(Vec::new()),
    };
    let unlocated = unlocated.map_err(|fault| fault.under("profiles"))?;
    let profiles = locate_faults(text, unlocated);
    Ok(Store { explicit, recipients, defaults, profiles, stamped_read: None })
}

/// Reads the value of a top-level key. Returns `None` if the key is absent.
fn parse_key<'i, T>(
    document: &TomlTable<'i>,
    key: &str,
    read: impl FnOnce(&TomlValue<'i>) -> Result<T, UnlocatedFault>,
) -> Result<Option<T>, UnlocatedFault> {
    document.entry(key).map(|(_, value)| read(value)).transpose().map_err(|fault| fault.under(key))
}

/// Checks the version. Call this before reading other keys, because a later format may have unknown keys.
fn check_version(document: &TomlTable<'_>) -> Result<(), UnlocatedFault> {
    let Some((_, value)) = document.entry("version") else {
        return Err(UnlocatedFault::new(0, StoreProblem::Missing { key: "version" }));
    };
    let problem = match &value.kind {
        TomlKind::Integer(digits) if digits == VERSION => return Ok(()),
        TomlKind::Integer(_) => StoreProblem::Version,
        _ => StoreProblem::Type { expected: "a whole number" },
    };
    Err(fault_at(value, problem).under("version"))
}

fn parse_recipients(table: &TomlTable<'_>) -> Result<Recipients, UnlocatedFault> {
    let mut recipients = Recipients::new();
    value::for_each_entry(table, |key, value| {
        let name = key.text.parse::<RecipientName>().map_err(|error| UnlocatedFault::new(key.offset, error))?;
        let text = value::text(value)?;
        // Encryption checks the key completely. This earlier check only rejects identities and keys with blanks.
        if !text.starts_with("age1") || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(fault_at(value, StoreProblem::RecipientKey));
        }
        recipients.insert(name, text.to_owned());
        Ok(())
    })?;
    Ok(recipients)
}

/// Parses every profile and returns the profiles in the order of the file. Frees each part of the tree after parsing
/// that part.
fn parse_profiles(table: TomlTable<'_>, context: &ParseContext<'_>) -> Result<Vec<UnlocatedProfile>, UnlocatedFault> {
    let mut found: Vec<(usize, UnlocatedProfile)> = Vec::with_capacity(table.len());
    value::for_each_entry(table, |key, value| {
        let offset = key.offset;
        let name: ProfileName = key.text.parse().map_err(|error: NameError| UnlocatedFault::new(offset, error))?;
        let profile = profile::parse_profile(&name, offset, value, context);
        found.push((offset, (name, profile)));
        Ok(())
    })?;
    found.sort_by_key(|(offset, _)| *offset);
    Ok(found.into_iter().map(|(_, profile)| profile).collect())
}

/// Adds line and column to all faults. Sorts the offsets first, so that one pass over the text finds all positions.
fn locate_faults(text: &str, unlocated: Vec<UnlocatedProfile>) -> Vec<ProfileEntry> {
    let mut offsets: Vec<usize> =
        unlocated.iter().filter_map(|(_, profile)| Some(profile.as_ref().err()?.offset)).collect();
    offsets.sort_unstable();
    let mut counter = PositionCounter::new(text);
    let positions: BTreeMap<usize, FilePosition> =
        offsets.into_iter().map(|offset| (offset, counter.position(offset))).collect();
    let to_entry = |(name, profile): UnlocatedProfile| {
        let profile = profile.map_err(|fault| {
            let position = positions[&fault.offset];
            fault.under(name.as_str()).under("profiles").locate(position)
        });
        ProfileEntry { name, profile }
    };
    unlocated.into_iter().map(to_entry).collect()
}

/// Whether any table of the format has the key `key`. `[defaults]` is not listed here, because its keys are also keys
/// of a profile.
fn is_known_key(key: &str) -> bool {
    [format::TOP, format::PROFILE, format::SEALED, format::SOURCE].iter().any(|table| table.has_key(key))
}

#[cfg(test)]
mod tests;
