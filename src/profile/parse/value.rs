//! One value of the file as the type that its key takes.

use super::env_name::is_variable;
use super::fault::{Wrong, keep_first};
use super::tree::{Entry, Key, Kind, Table, Value};
use super::{EnvNameError, Problem};
use crate::profile::format::Form;
use crate::profile::{Span, SpanError, near};
use std::borrow::Borrow;
use std::path::{Path, PathBuf};

/// The fault of a value itself.
pub(super) fn wrong(value: &Value<'_>, problem: impl Into<Problem>) -> Wrong {
    Wrong::new(value.at, problem)
}

fn wrong_type(value: &Value<'_>, wanted: &'static str) -> Wrong {
    wrong(value, Problem::Type { wanted })
}

/// The fault of a key that means nothing beside those of `form`.
fn unknown(key: &Key<'_>, form: &Form) -> Wrong {
    Wrong::new(key.at, Problem::UnknownKey { near: nearest(&key.text, form.names()) })
}

/// The one of `known` that `text` comes closest to, if any comes close.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Comparing takes time and space by both lengths, and no known word is nearly as long.
    if text.len() > 64 {
        return None;
    }
    near(text, known).first().map(|near| (*near).to_owned())
}

pub(super) fn text<'a>(value: &'a Value<'_>) -> Result<&'a str, Wrong> {
    of_text(value).ok_or_else(|| wrong_type(value, "a text"))
}

fn of_text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    if let Kind::Text(text) = &value.kind { Some(text) } else { None }
}

/// A text that is sent or exported as one word.
pub(super) fn word(value: &Value<'_>) -> Result<String, Wrong> {
    let text = text(value)?;
    if text.is_empty() {
        return Err(wrong(value, Problem::Empty));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(value, Problem::ControlCharacters));
    }
    Ok(text.to_owned())
}

pub(super) fn flag(value: &Value<'_>) -> Result<bool, Wrong> {
    if let Kind::Flag(flag) = value.kind { Ok(flag) } else { Err(wrong_type(value, "true or false")) }
}

pub(super) fn table<'a, 'i>(value: &'a Value<'i>) -> Result<&'a Table<'i>, Wrong> {
    if let Kind::Table(table) = &value.kind { Ok(table) } else { Err(wrong_type(value, "a table")) }
}

/// A list of texts, each with its place.
pub(super) fn texts<'a, 'i>(value: &'a Value<'i>) -> Result<Vec<(&'a Value<'i>, &'a str)>, Wrong> {
    let wanted = "a list of texts";
    let Kind::List(list) = &value.kind else { return Err(wrong_type(value, wanted)) };
    list.iter().map(|item| Ok((item, of_text(item).ok_or_else(|| wrong_type(item, wanted))?))).collect()
}

pub(super) fn list(value: &Value<'_>) -> Result<Vec<String>, Wrong> {
    Ok(texts(value)?.into_iter().map(|(_, text)| text.to_owned()).collect())
}

pub(super) fn span(value: &Value<'_>) -> Result<Span, Wrong> {
    match &value.kind {
        Kind::Integer(_) | Kind::Float => Err(wrong(value, SpanError::Unit)),
        Kind::Text(text) => text.parse().map_err(|error: SpanError| wrong(value, error)),
        _ => Err(wrong_type(value, "a length of time such as \"30s\"")),
    }
}

/// A path that means the same wherever neto is started.
pub(super) fn absolute(value: &Value<'_>) -> Result<PathBuf, Wrong> {
    let path = Path::new(text(value)?);
    if path.is_absolute() { Ok(path.to_owned()) } else { Err(wrong(value, Problem::NotAbsolute)) }
}

/// The name of any variable, to be read.
pub(super) fn variable(value: &Value<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    if is_variable(name) { Ok(name.to_owned()) } else { Err(wrong(value, EnvNameError::Form)) }
}

pub(super) fn hex16(value: &Value<'_>) -> Result<String, Wrong> {
    let text = text(value)?;
    let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex { Ok(text.to_owned()) } else { Err(wrong(value, Problem::Hex)) }
}

/// A day without a time.
pub(super) fn date(value: &Value<'_>) -> Result<jiff::civil::Date, Wrong> {
    let found = match &value.kind {
        Kind::Date(found) if found.time.is_none() && found.offset.is_none() => found.date,
        _ => None,
    };
    let day = |date: toml::value::Date| {
        let part = |number: u8| i8::try_from(number).ok();
        jiff::civil::Date::new(i16::try_from(date.year).ok()?, part(date.month)?, part(date.day)?).ok()
    };
    found.and_then(day).ok_or_else(|| wrong_type(value, "a date such as 2026-11-23"))
}

/// Reads every entry of a table that has the keys of `form`; `read` says whether it knows the key. The two are held
/// against each other wherever that costs no user time.
pub(super) fn each_of<'i>(
    table: &Table<'i>,
    form: &Form,
    mut read: impl FnMut(&str, &Value<'i>) -> Result<bool, Wrong>,
) -> Result<(), Wrong> {
    each(table, |key, value| {
        let known = read(&key.text, value)?;
        debug_assert_eq!(known, form.has(&key.text), "a key that is read is described, and the other way round");
        if known { Ok(()) } else { Err(unknown(key, form)) }
    })
}

/// Reads every entry of a table; of several faults the first in the file is told, wherever parts of
/// the table stand.
pub(super) fn each<'i, E: Borrow<Entry<'i>>>(
    entries: impl IntoIterator<Item = E>,
    mut read: impl FnMut(&Key<'i>, &Value<'i>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let mut first = None;
    for entry in entries {
        let (key, value) = entry.borrow();
        if let Err(error) = read(key, value) {
            keep_first(&mut first, error.under(&key.text));
        }
    }
    first.map_or(Ok(()), Err)
}
