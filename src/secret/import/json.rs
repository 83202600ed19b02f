//! JSON format: an object of fields, a list of objects, objects by profile name, or one object per line. A NETOSECRET
//! may replace an object.

use super::{EntryError, EntryLocation, EntryProblem, Import, ImportEntry, ImportError, ImportFormat, field};
use crate::profile::ProfileName;
use crate::secret::json::sanitize_name;
use crate::secret::{Json, NetoSecret};
use std::collections::BTreeMap;

/// Parses a text that starts with `{` or `[`.
pub(super) fn read(text: &str) -> Result<Import, ImportError> {
    let entries: Vec<_> = match Json::parse(text) {
        Ok(Json::List(items)) => {
            items.into_iter().enumerate().map(|(at, item)| parse_value(EntryLocation::Item(at + 1), item)).collect()
        }
        Ok(Json::Object(fields)) => parse_object(fields),
        Ok(other) => vec![parse_value(EntryLocation::Document, other)],
        Err(error) => parse_lines(text).ok_or(ImportError::Json(error))?,
    };
    let ignored = entries.iter().flatten().flat_map(|entry| entry.ignored.clone()).collect();
    Ok(Import { format: ImportFormat::Json, entries, ignored })
}

/// Parses one object per line, as written by `jq -c`. Returns `None` if the first line is not an object.
fn parse_lines(text: &str) -> Option<Vec<Result<ImportEntry, EntryError>>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let (_, first) = lines.peek()?;
    if !matches!(Json::parse(first), Ok(Json::Object(_))) {
        return None;
    }
    let parse_line = |(at, line)| match Json::parse(line) {
        Ok(json) => parse_value(EntryLocation::Line(at + 1), json),
        Err(error) => Err(EntryError { location: EntryLocation::Line(at + 1), problem: error.into() }),
    };
    Some(lines.map(parse_line).collect())
}

/// Parses the fields of one credential, or credentials by profile name.
fn parse_object(fields: BTreeMap<String, Json>) -> Vec<Result<ImportEntry, EntryError>> {
    let has_nested = fields.values().any(|value| matches!(value, Json::Object(_)));
    let has_known_key = fields.keys().any(|key| field::from_key(key).is_some());
    if has_known_key && !has_nested {
        return vec![ImportEntry::from_fields(EntryLocation::Document, fields)];
    }
    fields.into_iter().map(|(name, value)| parse_named(&name, value)).collect()
}

fn parse_named(key: &str, json: Json) -> Result<ImportEntry, EntryError> {
    let location = EntryLocation::Key(sanitize_name(key));
    let entry = parse_value(location.clone(), json)?;
    let name: ProfileName = match key.parse() {
        Ok(name) => name,
        Err(error) => return Err(EntryError { location, problem: EntryProblem::Name(error) }),
    };
    Ok(ImportEntry { name: entry.name.or(Some(name)), ..entry })
}

fn parse_value(location: EntryLocation, json: Json) -> Result<ImportEntry, EntryError> {
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
