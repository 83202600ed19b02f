//! Converts TOML values to the types that keys expect, and reads the entries of tables.

use super::env_name::is_variable;
use super::fault::{UnlocatedFault, keep_earliest};
use super::tree::{TomlEntry, TomlKey, TomlKind, TomlTable, TomlValue};
use super::{EnvNameError, StoreProblem};
use crate::profile::format::TableSpec;
use crate::profile::{Span, SpanError, near_matches};
use std::borrow::Borrow;
use std::path::{Path, PathBuf};

/// Returns a fault at the position of a value.
pub(super) fn fault_at(value: &TomlValue<'_>, problem: impl Into<StoreProblem>) -> UnlocatedFault {
    UnlocatedFault::new(value.offset, problem)
}

fn type_fault(value: &TomlValue<'_>, expected: &'static str) -> UnlocatedFault {
    fault_at(value, StoreProblem::Type { expected })
}

/// Returns the fault of a key that `spec` does not describe.
fn unknown_key_fault(key: &TomlKey<'_>, spec: &TableSpec) -> UnlocatedFault {
    UnlocatedFault::new(key.offset, StoreProblem::UnknownKey { similar: nearest_match(&key.text, spec.key_names()) })
}

/// Returns the candidate that is most similar to `text`. Returns `None` if no candidate is similar, or if `text` is
/// longer than 64 bytes.
pub(super) fn nearest_match<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // The time and memory of a comparison grow with the lengths of both texts. Candidates have at most 64 bytes.
    if text.len() > 64 {
        return None;
    }
    near_matches(text, candidates).first().map(|best| (*best).to_owned())
}

pub(super) fn text<'a>(value: &'a TomlValue<'_>) -> Result<&'a str, UnlocatedFault> {
    as_text(value).ok_or_else(|| type_fault(value, "a text"))
}

fn as_text<'a>(value: &'a TomlValue<'_>) -> Option<&'a str> {
    if let TomlKind::Text(text) = &value.kind { Some(text) } else { None }
}

/// Parses a text that is not empty and contains no control characters, such as line endings.
pub(super) fn single_line(value: &TomlValue<'_>) -> Result<String, UnlocatedFault> {
    let text = text(value)?;
    if text.is_empty() {
        return Err(fault_at(value, StoreProblem::Empty));
    }
    if text.chars().any(char::is_control) {
        return Err(fault_at(value, StoreProblem::ControlCharacters));
    }
    Ok(text.to_owned())
}

pub(super) fn flag(value: &TomlValue<'_>) -> Result<bool, UnlocatedFault> {
    if let TomlKind::Flag(flag) = value.kind { Ok(flag) } else { Err(type_fault(value, "true or false")) }
}

pub(super) fn table<'a, 'i>(value: &'a TomlValue<'i>) -> Result<&'a TomlTable<'i>, UnlocatedFault> {
    if let TomlKind::Table(table) = &value.kind { Ok(table) } else { Err(type_fault(value, "a table")) }
}

/// Parses a list of texts. Returns each text with its TOML value, which has the position of the text.
pub(super) fn texts<'a, 'i>(value: &'a TomlValue<'i>) -> Result<Vec<(&'a TomlValue<'i>, &'a str)>, UnlocatedFault> {
    let expected = "a list of texts";
    let TomlKind::List(list) = &value.kind else { return Err(type_fault(value, expected)) };
    list.iter().map(|item| Ok((item, as_text(item).ok_or_else(|| type_fault(item, expected))?))).collect()
}

pub(super) fn owned_texts(value: &TomlValue<'_>) -> Result<Vec<String>, UnlocatedFault> {
    Ok(texts(value)?.into_iter().map(|(_, text)| text.to_owned()).collect())
}

pub(super) fn span(value: &TomlValue<'_>) -> Result<Span, UnlocatedFault> {
    match &value.kind {
        TomlKind::Integer(_) | TomlKind::Float => Err(fault_at(value, SpanError::MissingUnit)),
        TomlKind::Text(text) => text.parse().map_err(|error: SpanError| fault_at(value, error)),
        _ => Err(type_fault(value, "a length of time such as \"30s\"")),
    }
}

/// Parses a path and rejects a relative path, which would depend on the working directory.
pub(super) fn absolute_path(value: &TomlValue<'_>) -> Result<PathBuf, UnlocatedFault> {
    let path = Path::new(text(value)?);
    if path.is_absolute() { Ok(path.to_owned()) } else { Err(fault_at(value, StoreProblem::NotAbsolute)) }
}

/// Parses the name of an environment variable that neto reads. Accepts every valid name, even the name of a variable
/// that a profile must not set.
pub(super) fn variable_name(value: &TomlValue<'_>) -> Result<String, UnlocatedFault> {
    let name = text(value)?;
    if is_variable(name) { Ok(name.to_owned()) } else { Err(fault_at(value, EnvNameError::InvalidName)) }
}

/// Parses 16 lower-case hex digits.
pub(super) fn hex16(value: &TomlValue<'_>) -> Result<String, UnlocatedFault> {
    let text = text(value)?;
    let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_hex { Ok(text.to_owned()) } else { Err(fault_at(value, StoreProblem::Hex)) }
}

/// Parses a date without a time.
pub(super) fn date(value: &TomlValue<'_>) -> Result<jiff::civil::Date, UnlocatedFault> {
    let date = match &value.kind {
        TomlKind::Date(datetime) if datetime.time.is_none() && datetime.offset.is_none() => datetime.date,
        _ => None,
    };
    let to_civil_date = |date: toml::value::Date| {
        let signed = |number: u8| i8::try_from(number).ok();
        jiff::civil::Date::new(i16::try_from(date.year).ok()?, signed(date.month)?, signed(date.day)?).ok()
    };
    date.and_then(to_civil_date).ok_or_else(|| type_fault(value, "a date such as 2026-11-23"))
}

/// Calls `read` for every entry of a table. If `read` returns false, the key is unknown and becomes a fault. Debug
/// builds check that `read` knows exactly the keys in `spec`.
pub(super) fn for_each_known<'i>(
    table: &TomlTable<'i>,
    spec: &TableSpec,
    mut read: impl FnMut(&str, &TomlValue<'i>) -> Result<bool, UnlocatedFault>,
) -> Result<(), UnlocatedFault> {
    for_each_entry(table, |key, value| {
        let is_known = read(&key.text, value)?;
        debug_assert_eq!(is_known, spec.has_key(&key.text), "a key that is read is described, and the other way round");
        if is_known { Ok(()) } else { Err(unknown_key_fault(key, spec)) }
    })
}

/// Calls `read` for every entry of a table, even after a fault.
///
/// # Errors
/// Returns the fault with the lowest offset. Entries are not always sorted by offset, because a table can have several
/// parts in the file.
pub(super) fn for_each_entry<'i, E: Borrow<TomlEntry<'i>>>(
    entries: impl IntoIterator<Item = E>,
    mut read: impl FnMut(&TomlKey<'i>, &TomlValue<'i>) -> Result<(), UnlocatedFault>,
) -> Result<(), UnlocatedFault> {
    let mut earliest = None;
    for entry in entries {
        let (key, value) = entry.borrow();
        if let Err(fault) = read(key, value) {
            keep_earliest(&mut earliest, fault.under(&key.text));
        }
    }
    earliest.map_or(Ok(()), Err)
}
