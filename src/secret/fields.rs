//! Takes fields out of a JSON object one by one and checks each; an error names the field and the problem.

use super::json::sanitize_name;
use super::{Json, Secret};
use crate::profile::UrlError;
use std::collections::BTreeMap;

/// Error for a missing or invalid field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field '{name}' {problem}")]
pub struct FieldFault {
    /// Name of the field.
    pub name: &'static str,
    /// Problem of the field.
    pub problem: FieldProblem,
}

/// Problem of a field; never contains the field's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// The field is missing.
    #[error("is missing")]
    Missing,
    /// The field has the wrong type.
    #[error("is {found}, not {expected}")]
    Type {
        /// Expected kind of value.
        expected: &'static str,
        /// Actual kind of value.
        found: &'static str,
    },
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text contains control characters such as line ends, tabs and escapes.
    #[error("holds control characters")]
    Control,
    /// The text is not a URL that neto sends a credential to.
    #[error("is no usable address: {0}")]
    Url(UrlError),
    /// The text does not have the format of this field.
    #[error("is not of the form that it must have")]
    Form,
}

/// Fields of a JSON object that were not taken yet.
pub(super) struct JsonFields(BTreeMap<String, Json>);

impl JsonFields {
    /// Returns the fields of an object; `None` for any other value.
    pub(super) fn from_json(json: Json) -> Option<Self> {
        if let Json::Object(fields) = json { Some(Self(fields)) } else { None }
    }

    /// Takes a field with a value of any kind.
    pub(super) fn take_field(&mut self, name: &'static str) -> Result<Json, FieldFault> {
        self.0.remove(name).ok_or(FieldFault { name, problem: FieldProblem::Missing })
    }

    /// Takes a text that is not empty and has no control characters.
    pub(super) fn take_text(&mut self, name: &'static str) -> Result<Secret, FieldFault> {
        check_text(self.take_field(name)?).map_err(|problem| FieldFault { name, problem })
    }

    /// Takes a text that is not secret and parses it; a parse error becomes [`FieldProblem::Form`].
    pub(super) fn take_parsed<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, FieldFault> {
        self.take_text(name)?.reveal().parse().map_err(|_| FieldFault { name, problem: FieldProblem::Form })
    }

    /// Takes an API URL.
    pub(super) fn take_url(&mut self, name: &'static str) -> Result<crate::profile::ApiUrl, FieldFault> {
        let text = self.take_text(name)?;
        text.reveal().parse().map_err(|error| FieldFault { name, problem: FieldProblem::Url(error) })
    }

    /// Takes an optional text that is not secret; `null` counts as missing.
    pub(super) fn take_optional_text(&mut self, name: &'static str) -> Result<Option<String>, FieldFault> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(_) => Ok(Some(self.take_text(name)?.reveal().to_owned())),
        }
    }

    /// Takes a list of texts that are not secret: an array, or a single text with `;` as separator. A missing field or
    /// `null` is an empty list.
    pub(super) fn take_list(&mut self, name: &'static str) -> Result<Vec<String>, FieldFault> {
        let texts = match self.0.remove(name) {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::List(items)) => items.into_iter().map(check_text).collect::<Result<Vec<_>, _>>(),
            Some(other) => check_text(other).map(|text| vec![text]),
        };
        let texts = texts.map_err(|problem| FieldFault { name, problem })?;
        let items = texts.iter().flat_map(|text| text.reveal().split(';')).map(str::trim);
        Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// Whether a field of this name exists and was not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the sanitized names of the fields that were not taken.
    pub(super) fn remaining_names(self) -> Vec<String> {
        self.0.keys().map(|name| sanitize_name(name)).collect()
    }
}

/// Checks that a JSON value is a text that is not empty and has no control characters.
pub(super) fn check_text(json: Json) -> Result<Secret, FieldProblem> {
    match json {
        Json::Text(text) if text.is_empty() => Err(FieldProblem::Empty),
        Json::Text(text) if text.reveal().chars().any(char::is_control) => Err(FieldProblem::Control),
        Json::Text(text) => Ok(text),
        other => Err(FieldProblem::Type { expected: "a text", found: other.kind() }),
    }
}
