//! The fields of a JSON object, taken one by one, each with its own reason when it is not as it must be.

use super::json::clean_name;
use super::{Json, Secret};
use crate::profile::UrlError;
use std::collections::BTreeMap;

/// One field that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field '{name}' {problem}")]
pub struct FieldFault {
    /// Which field.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

/// What is wrong with a field; never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It has another type.
    #[error("is {found}, not {wanted}")]
    Type {
        /// What kind of value it must be.
        wanted: &'static str,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A text without a character.
    #[error("is empty")]
    Empty,
    /// Line ends, tabs, escapes and their kin.
    #[error("holds control characters")]
    Control,
    /// No address that neto sends a credential to.
    #[error("is no usable address: {0}")]
    Url(UrlError),
    /// A text of another form than this field has.
    #[error("is not of the form that it must have")]
    Form,
}

/// What is left of an object as its fields are taken.
pub(super) struct Fields(BTreeMap<String, Json>);

impl Fields {
    /// The fields of an object; `None` for any other value.
    pub(super) fn of(json: Json) -> Option<Self> {
        if let Json::Object(fields) = json { Some(Self(fields)) } else { None }
    }

    /// Takes a field out, whatever it is.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Json, FieldFault> {
        self.0.remove(name).ok_or(FieldFault { name, problem: FieldProblem::Missing })
    }

    /// Takes a text: not empty, without control characters.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Secret, FieldFault> {
        check_text(self.take(name)?).map_err(|problem| FieldFault { name, problem })
    }

    /// Takes a text that is no secret and parses it; a parser's failure is [`FieldProblem::Form`].
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, FieldFault> {
        self.text(name)?.reveal().parse().map_err(|_| FieldFault { name, problem: FieldProblem::Form })
    }

    /// Takes an address.
    pub(super) fn url(&mut self, name: &'static str) -> Result<crate::profile::ApiUrl, FieldFault> {
        let text = self.text(name)?;
        text.reveal().parse().map_err(|error| FieldFault { name, problem: FieldProblem::Url(error) })
    }

    /// Takes a text that is no secret, where it is there; `null` is not.
    pub(super) fn open(&mut self, name: &'static str) -> Result<Option<String>, FieldFault> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(_) => Ok(Some(self.text(name)?.reveal().to_owned())),
        }
    }

    /// Takes a list of texts that are no secrets; also one text with `;` between them. Empty where it is not there.
    pub(super) fn list(&mut self, name: &'static str) -> Result<Vec<String>, FieldFault> {
        let words = match self.0.remove(name) {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::List(items)) => items.into_iter().map(check_text).collect::<Result<Vec<_>, _>>(),
            Some(other) => check_text(other).map(|text| vec![text]),
        };
        let words = words.map_err(|problem| FieldFault { name, problem })?;
        let words = words.iter().flat_map(|word| word.reveal().split(';')).map(str::trim);
        Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    /// Whether a field of that name is there and not yet taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names of what was not taken, cleaned.
    pub(super) fn rest(self) -> Vec<String> {
        self.0.keys().map(|name| clean_name(name)).collect()
    }
}

/// A text that is there: not empty, without control characters.
pub(super) fn check_text(json: Json) -> Result<Secret, FieldProblem> {
    match json {
        Json::Text(text) if text.is_empty() => Err(FieldProblem::Empty),
        Json::Text(text) if text.reveal().chars().any(char::is_control) => Err(FieldProblem::Control),
        Json::Text(text) => Ok(text),
        other => Err(FieldProblem::Type { wanted: "a text", found: other.kind() }),
    }
}
