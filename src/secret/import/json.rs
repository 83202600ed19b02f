//! JSON format: one object of fields, an array of objects, an object with profile names as keys, or one object per
//! line.
//!
//! A NETOSECRET may replace an object in an array, under a profile name, or on any line after the first.

use super::{EntryError, EntryLocation, EntryProblem, Import, ImportEntry, ImportError, ImportFormat, field};
use crate::profile::ProfileName;
use crate::secret::json::sanitize_name;
use crate::secret::{Json, NetoSecret};
use std::collections::BTreeMap;

/// Parses JSON that starts with `{` or `[`.
pub(super) fn parse(text: &str) -> Result<Import, ImportError> {
    let entries: Vec<_> = match Json::parse(text) {
        Ok(Json::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| parse_entry(EntryLocation::Item(index + 1), item))
            .collect(),
        Ok(Json::Object(fields)) => parse_object(fields),
        Ok(other) => vec![parse_entry(EntryLocation::Document, other)],
        Err(error) => parse_lines(text).ok_or(ImportError::Json(error))?,
    };
    let ignored = entries.iter().flatten().flat_map(|entry| entry.ignored.clone()).collect();
    Ok(Import { format: ImportFormat::Json, entries, ignored })
}

/// Parses one value per line, as `jq -c` writes them. Returns `None` if the first non-blank line is not an object.
fn parse_lines(text: &str) -> Option<Vec<Result<ImportEntry, EntryError>>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let (_, first) = lines.peek()?;
    if !matches!(Json::parse(first), Ok(Json::Object(_))) {
        return None;
    }
    let parse_line = |(index, line)| match Json::parse(line) {
        Ok(json) => parse_entry(EntryLocation::Line(index + 1), json),
        Err(error) => Err(EntryError { location: EntryLocation::Line(index + 1), problem: error.into() }),
    };
    Some(lines.map(parse_line).collect())
}

/// Parses an object of fields, or an object with profile names as keys. An object of fields has at least one known
/// field and no object as a value.
fn parse_object(fields: BTreeMap<String, Json>) -> Vec<Result<ImportEntry, EntryError>> {
    let has_nested_object = fields.values().any(|value| matches!(value, Json::Object(_)));
    let has_known_key = fields.keys().any(|key| field::from_key(key).is_some());
    if has_known_key && !has_nested_object {
        return vec![ImportEntry::from_fields(EntryLocation::Document, fields)];
    }
    fields.into_iter().map(|(name, value)| parse_entry_of_profile(&name, value)).collect()
}

fn parse_entry_of_profile(key: &str, json: Json) -> Result<ImportEntry, EntryError> {
    let location = EntryLocation::Key(sanitize_name(key));
    let entry = parse_entry(location.clone(), json)?;
    let name: ProfileName = match key.parse() {
        Ok(name) => name,
        Err(error) => return Err(EntryError { location, problem: EntryProblem::Name(error) }),
    };
    Ok(ImportEntry { name: entry.name.or(Some(name)), ..entry })
}

fn parse_entry(location: EntryLocation, json: Json) -> Result<ImportEntry, EntryError> {
    let problem = match json {
        Json::Object(fields) => return ImportEntry::from_fields(location, fields),
        Json::Text(text) => match NetoSecret::from_secret(&text) {
            Ok(secret) => return Ok(ImportEntry::from_netosecret(location, secret)),
            Err(error) => error.into(),
        },
        other => EntryProblem::NotAnObject { found: other.kind() },
    };
    Err(EntryError { location, problem })
}
