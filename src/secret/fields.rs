//! Removes the fields of a JSON object one by one and checks the value of each field.
//!
//! Fields that no caller takes remain, so that the caller can report unknown fields. An error contains the field's name
//! and problem, but never its value.

use super::json::sanitize_name;
use super::{Json, Secret};
use crate::profile::UrlError;
use std::collections::BTreeMap;

/// Error for a missing or invalid field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field '{name}' {problem}")]
pub struct FieldError {
    /// Name of the field.
    pub name: &'static str,
    /// Reason why the field is invalid.
    pub problem: FieldProblem,
}

/// Reasons why a field is invalid. The problem never contains the field's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// The field is missing.
    #[error("is missing")]
    Missing,
    /// The field has the wrong type.
    #[error("is {found}, not {expected}")]
    WrongType {
        /// Expected kind of value, such as `a text`.
        expected: &'static str,
        /// Actual kind of value, such as `a number`.
        found: &'static str,
    },
    /// The text or the array is empty.
    #[error("is empty")]
    Empty,
    /// The text contains control characters, such as line endings, tabs or escape characters.
    #[error("holds control characters")]
    ControlCharacter,
    /// The text is not a valid API URL.
    #[error("is no usable address: {0}")]
    Url(UrlError),
    /// The text does not have the format of this field.
    #[error("is not of the form that it must have")]
    InvalidFormat,
}

/// Fields of a JSON object that have not been taken.
pub(super) struct JsonFields(BTreeMap<String, Json>);

impl JsonFields {
    /// Returns the fields of a JSON object, or `None` if the JSON value is not an object.
    pub(super) fn from_json(json: Json) -> Option<Self> {
        if let Json::Object(fields) = json { Some(Self(fields)) } else { None }
    }

    /// Takes the value of a required field, of any kind.
    pub(super) fn take_field(&mut self, name: &'static str) -> Result<Json, FieldError> {
        self.0.remove(name).ok_or(FieldError { name, problem: FieldProblem::Missing })
    }

    /// Takes a required text, which must not be empty or contain control characters.
    pub(super) fn take_text(&mut self, name: &'static str) -> Result<Secret, FieldError> {
        check_text(self.take_field(name)?).map_err(|problem| FieldError { name, problem })
    }

    /// Takes a required text that is not secret, and parses the text. A parse error becomes
    /// [`FieldProblem::InvalidFormat`].
    pub(super) fn take_parsed<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, FieldError> {
        self.take_text(name)?.reveal().parse().map_err(|_| FieldError { name, problem: FieldProblem::InvalidFormat })
    }

    /// Takes a required API URL.
    pub(super) fn take_url(&mut self, name: &'static str) -> Result<crate::profile::ApiUrl, FieldError> {
        let text = self.take_text(name)?;
        text.reveal().parse().map_err(|error| FieldError { name, problem: FieldProblem::Url(error) })
    }

    /// Takes an optional text that is not secret. Returns `None` if the field is missing or `null`.
    pub(super) fn take_optional_text(&mut self, name: &'static str) -> Result<Option<String>, FieldError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(_) => Ok(Some(self.take_text(name)?.reveal().to_owned())),
        }
    }

    /// Takes an optional list of texts that are not secret. The value is one text or an array of texts; each text is
    /// split at `;`. Items are trimmed, and empty items are dropped. A missing field or `null` is an empty list.
    pub(super) fn take_list(&mut self, name: &'static str) -> Result<Vec<String>, FieldError> {
        let texts = match self.0.remove(name) {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::Array(items)) => items.into_iter().map(check_text).collect::<Result<Vec<_>, _>>(),
            Some(other) => check_text(other).map(|text| vec![text]),
        };
        let texts = texts.map_err(|problem| FieldError { name, problem })?;
        let items = texts.iter().flat_map(|text| text.reveal().split(';')).map(str::trim);
        Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// Returns true if a field with this name exists and has not been taken.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the sanitized names of the fields that have not been taken.
    pub(super) fn remaining_names(self) -> Vec<String> {
        self.0.keys().map(|name| sanitize_name(name)).collect()
    }
}

/// Returns the text of a JSON string, which must not be empty or contain control characters.
pub(super) fn check_text(json: Json) -> Result<Secret, FieldProblem> {
    match json {
        Json::Text(text) if text.is_empty() => Err(FieldProblem::Empty),
        Json::Text(text) if text.reveal().chars().any(char::is_control) => Err(FieldProblem::ControlCharacter),
        Json::Text(text) => Ok(text),
        other => Err(FieldProblem::WrongType { expected: "a text", found: other.kind() }),
    }
}
