//! Entries of a credential file: builds an entry from its fields, or returns why the entry is invalid.

use super::field;
use crate::profile::{ApiUrl, NameError, ProfileName};
use crate::secret::fields::JsonFields;
use crate::secret::json::sanitize_name;
use crate::secret::{Account, Credential, FieldFault, FieldProblem, Json, JsonError, NetoSecret, NetoSecretError};
use std::collections::BTreeMap;
use std::fmt;

/// Credential and profile settings from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportEntry {
    /// Position in the file.
    pub location: EntryLocation,
    /// Profile name, if the file gives a name.
    pub name: Option<ProfileName>,
    /// API URL, if the file gives a URL.
    pub url: Option<ApiUrl>,
    /// Account that logs in.
    pub account: Account,
    /// Secrets of the account.
    pub credential: Credential,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text.
    pub description: Option<String>,
    /// Sanitized names of unknown fields, whose values are dropped.
    pub(super) ignored: Vec<String>,
}

/// Position of an entry in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryLocation {
    /// Line number, from 1.
    Line(usize),
    /// Number of the item in a JSON list, from 1.
    Item(usize),
    /// Sanitized key in a JSON object.
    Key(String),
    /// The JSON document itself.
    Document,
}

/// Invalid entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// Position in the file.
    pub location: EntryLocation,
    /// Reason why the entry is invalid.
    pub problem: EntryProblem,
}

/// Reason why an entry is invalid; never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// Text that is not a NETOSECRET.
    #[error(transparent)]
    Netosecret(#[from] NetoSecretError),
    /// Invalid or missing field.
    #[error(transparent)]
    Field(#[from] FieldFault),
    /// Missing field, while an unknown key has a similar name.
    #[error("the field '{missing}' is missing, and there is a '{near}'")]
    Misspelled {
        /// Name of the missing field.
        missing: &'static str,
        /// Sanitized name of the similar key.
        near: String,
    },
    /// Line that is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Invalid profile name.
    #[error("the field 'name' is no profile's name: {0}")]
    Name(NameError),
    /// JSON value that is neither an object nor a NETOSECRET.
    #[error("it is {found}, not an object or a NETOSECRET")]
    NotAnObject {
        /// Kind of the value.
        found: &'static str,
    },
    /// Two keys for one field.
    #[error("the field '{0}' is there twice")]
    Duplicate(&'static str),
    /// Field that differs from the same field of the entry's NETOSECRET.
    #[error("the field '{0}' is not that of the NETOSECRET beside it")]
    Conflict(&'static str),
    /// Field of a person (user name or password) in the entry of an API key.
    #[error("the field '{0}' is a person's, and others are of an API key")]
    MixedKinds(&'static str),
    /// Sanitized name of a variable whose quote is not closed.
    #[error("the quote of {0} is not closed")]
    UnclosedQuote(String),
    /// Sanitized name of a variable whose value is an expression.
    #[error("the value of {0} is no plain text")]
    Expression(String),
    /// CSV column with an unclosed quote.
    #[error("the quote of the column '{0}' is not closed")]
    UnclosedCell(String),
    /// CSV column with text after the closing quote.
    #[error("the column '{0}' goes on behind its quote")]
    TextAfterQuote(String),
    /// CSV row with more cells than columns.
    #[error("it has {found} cells, and the header line {wanted}")]
    TooManyCells {
        /// Number of cells in the row.
        found: usize,
        /// Number of columns in the header.
        wanted: usize,
    },
}

impl ImportEntry {
    /// Returns true if the account and the secrets are equal. URLs are not compared.
    #[must_use]
    pub fn is_same_credential(&self, other: &Self) -> bool {
        (&self.account, &self.credential) == (&other.account, &other.credential)
    }

    /// Builds the entry of a NETOSECRET without further fields.
    pub(super) fn from_netosecret(location: EntryLocation, secret: NetoSecret) -> Self {
        let credential = secret.credential();
        Self {
            location,
            name: None,
            url: Some(secret.url),
            account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
            credential,
            tags: Vec::new(),
            description: None,
            ignored: secret.ignored,
        }
    }

    /// Builds an entry from fields under any of their names.
    pub(super) fn from_fields(location: EntryLocation, fields: BTreeMap<String, Json>) -> Result<Self, EntryError> {
        parse_fields(location.clone(), fields).map_err(|problem| EntryError { location, problem })
    }
}

fn parse_fields(location: EntryLocation, fields: BTreeMap<String, Json>) -> Result<ImportEntry, EntryProblem> {
    let (mut fields, unknown_keys) = with_canonical_names(fields)?;
    let name = fields
        .take_optional_text("name")?
        .map(|name| name.parse::<ProfileName>())
        .transpose()
        .map_err(EntryProblem::Name)?;
    let (tags, description) = (fields.take_list("tags")?, fields.take_optional_text("description")?);
    let mut entry =
        parse_credential(location, &mut fields).map_err(|problem| suggest_misspelled_key(problem, &unknown_keys))?;
    entry.ignored.extend(unknown_keys.iter().map(|name| sanitize_name(name)));
    Ok(ImportEntry { name, tags, description, ..entry })
}

/// Returns the known fields under their canonical names, and the unknown keys. Drops fields that are `null`.
fn with_canonical_names(fields: BTreeMap<String, Json>) -> Result<(JsonFields, Vec<String>), EntryProblem> {
    let (mut known, mut unknown_keys) = (BTreeMap::new(), Vec::new());
    for (key, value) in fields.into_iter().filter(|(_, value)| *value != Json::Null) {
        match field::from_key(&key) {
            Some(field) if known.insert(field.to_owned(), value).is_some() => {
                return Err(EntryProblem::Duplicate(field));
            }
            Some(_) => {}
            None => unknown_keys.push(key),
        }
    }
    let fields = JsonFields::from_json(Json::Object(known)).ok_or(EntryProblem::NotAnObject { found: "nothing" })?;
    Ok((fields, unknown_keys))
}

fn parse_credential(location: EntryLocation, fields: &mut JsonFields) -> Result<ImportEntry, EntryProblem> {
    if fields.has("netosecret") {
        return parse_with_netosecret(location, fields);
    }
    let url = if fields.has("url") { Some(fields.take_url("url")?) } else { None };
    let person_field = ["username", "password"].into_iter().find(|name| fields.has(name));
    let (account, credential) = if let Some(name) = person_field {
        if API_KEY_FIELDS.iter().any(|field| fields.has(field)) {
            return Err(EntryProblem::MixedKinds(name));
        }
        let username = required_text(fields, "username")?;
        (Account::Person { username }, Credential::Person { password: fields.take_text("password")? })
    } else {
        let account = Account::ApiKey {
            shortname: required_text(fields, "shortname")?,
            appname: required_text(fields, "appname")?,
        };
        let appkey = fields.take_text("appkey")?;
        (account, Credential::ApiKey { appkey, sharedsecret: fields.take_text("sharedsecret")? })
    };
    let (name, tags, description, ignored) = (None, Vec::new(), None, Vec::new());
    Ok(ImportEntry { location, name, url, account, credential, tags, description, ignored })
}

/// Fields that only an API key has.
const API_KEY_FIELDS: [&str; 4] = ["shortname", "appname", "appkey", "sharedsecret"];

/// Builds an entry from a NETOSECRET. Further fields must agree with the NETOSECRET.
fn parse_with_netosecret(location: EntryLocation, fields: &mut JsonFields) -> Result<ImportEntry, EntryProblem> {
    let secret = NetoSecret::from_secret(&fields.take_text("netosecret")?)?;
    if let Some(name) = ["username", "password"].into_iter().find(|name| fields.has(name)) {
        return Err(EntryProblem::MixedKinds(name));
    }
    let url = if fields.has("url") { Some(fields.take_url("url")?) } else { None };
    let (shortname, appname) = (fields.take_optional_text("shortname")?, fields.take_optional_text("appname")?);
    let appkey = fields.has("appkey").then(|| fields.take_text("appkey")).transpose()?;
    let sharedsecret = fields.has("sharedsecret").then(|| fields.take_text("sharedsecret")).transpose()?;
    for (name, is_equal) in [
        ("url", url.is_none_or(|url| url == secret.url)),
        ("shortname", shortname.is_none_or(|shortname| shortname == secret.shortname)),
        ("appname", appname.is_none_or(|appname| appname == secret.appname)),
        ("appkey", appkey.is_none_or(|appkey| appkey == secret.appkey)),
        ("sharedsecret", sharedsecret.is_none_or(|sharedsecret| sharedsecret == secret.sharedsecret)),
    ] {
        if !is_equal {
            return Err(EntryProblem::Conflict(name));
        }
    }
    Ok(ImportEntry::from_netosecret(location, secret))
}

fn required_text(fields: &mut JsonFields, name: &'static str) -> Result<String, EntryProblem> {
    let missing = FieldFault { name, problem: FieldProblem::Missing };
    Ok(fields.take_optional_text(name)?.ok_or(missing)?)
}

/// Adds the unknown key that is probably a misspelling of the missing field.
fn suggest_misspelled_key(problem: EntryProblem, unknown_keys: &[String]) -> EntryProblem {
    let EntryProblem::Field(FieldFault { name: missing, problem: FieldProblem::Missing }) = problem else {
        return problem;
    };
    match unknown_keys.iter().find(|key| field::closest_to_key(key) == Some(missing)) {
        Some(near) => EntryProblem::Misspelled { missing, near: sanitize_name(near) },
        None => problem,
    }
}

impl fmt::Display for EntryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Item(item) => write!(f, "item {item}"),
            Self::Key(key) => write!(f, "'{key}'"),
            Self::Document => f.write_str("the object"),
        }
    }
}
