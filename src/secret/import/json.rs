//! JSON: an object with the fields, a list of such objects, objects by name, and NETOSECRETs in the place of any of them;
//! also an object a line.

use super::{Entry, Form, Import, ImportError, Place, Problem, Wrong, field};
use crate::profile::ProfileName;
use crate::secret::json::clean_name;
use crate::secret::{Json, NetoSecret};
use std::collections::BTreeMap;

/// Reads a text that starts with a brace or a bracket.
pub(super) fn read(text: &str) -> Result<Import, ImportError> {
    let found = match Json::parse(text) {
        Ok(Json::List(items)) => {
            items.into_iter().enumerate().map(|(at, item)| value(Place::Item(at + 1), item)).collect()
        }
        Ok(Json::Object(fields)) => object(fields),
        Ok(other) => vec![value(Place::Whole, other)],
        Err(fault) => by_line(text).ok_or(ImportError::Json(fault))?,
    };
    let ignored = found.iter().flatten().flat_map(|entry| entry.ignored.clone()).collect();
    Ok(Import { form: Form::Json, found, ignored })
}

/// An object a line, as `jq -c` writes them; nothing unless the first line is one.
fn by_line(text: &str) -> Option<Vec<Result<Entry, Wrong>>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let (_, first) = lines.peek()?;
    if !matches!(Json::parse(first), Ok(Json::Object(_))) {
        return None;
    }
    let read = |(at, line)| match Json::parse(line) {
        Ok(json) => value(Place::Line(at + 1), json),
        Err(fault) => Err(Wrong { place: Place::Line(at + 1), problem: fault.into() }),
    };
    Some(lines.map(read).collect())
}

/// The fields of one credential, or credentials by name.
fn object(fields: BTreeMap<String, Json>) -> Vec<Result<Entry, Wrong>> {
    let nested = fields.values().any(|value| matches!(value, Json::Object(_)));
    let known = fields.keys().any(|key| field::of_key(key).is_some());
    if known && !nested {
        return vec![Entry::read(Place::Whole, fields)];
    }
    fields.into_iter().map(|(name, value)| by_name(&name, value)).collect()
}

fn by_name(key: &str, json: Json) -> Result<Entry, Wrong> {
    let place = Place::Key(clean_name(key));
    let entry = value(place.clone(), json)?;
    let name: ProfileName = match key.parse() {
        Ok(name) => name,
        Err(error) => return Err(Wrong { place, problem: Problem::Name(error) }),
    };
    Ok(Entry { name: entry.name.or(Some(name)), ..entry })
}

fn value(place: Place, json: Json) -> Result<Entry, Wrong> {
    let problem = match json {
        Json::Object(fields) => return Entry::read(place, fields),
        Json::Text(text) => match NetoSecret::of(&text) {
            Ok(secret) => return Ok(Entry::of(place, secret)),
            Err(error) => error.into(),
        },
        other => Problem::NoFields { found: other.kind() },
    };
    Err(Wrong { place, problem })
}
