//! Builds an entry from its fields, or returns the reason why the entry is invalid. Does not depend on the file format.

use super::field;
use crate::profile::{ApiUrl, NameError, ProfileName};
use crate::secret::fields::JsonFields;
use crate::secret::json::sanitize_name;
use crate::secret::{Account, Credential, FieldError, FieldProblem, Json, JsonError, NetoSecret, NetoSecretError};
use std::collections::BTreeMap;
use std::fmt;

/// Credential from a file, with the profile settings that the file contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportEntry {
    /// Position in the file.
    pub location: EntryLocation,
    /// Profile name, if the file contains a name for the entry.
    pub name: Option<ProfileName>,
    /// API URL, if the file contains a URL for the entry.
    pub url: Option<ApiUrl>,
    /// Account of the credential: an API key or a person.
    pub account: Account,
    /// Secrets of the account.
    pub credential: Credential,
    /// Tags of the profile.
    pub tags: Vec<String>,
    /// Description of the profile.
    pub description: Option<String>,
    /// Sanitized names of unknown fields. Their values are dropped.
    pub(super) ignored: Vec<String>,
}

/// Position of an entry in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryLocation {
    /// Line number, from 1.
    Line(usize),
    /// Number of the item in a JSON array, from 1.
    Item(usize),
    /// Sanitized key of a JSON object with profile names as keys.
    Key(String),
    /// The whole JSON document: a file with one object of fields.
    Document,
}

/// Error for an invalid entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// Position in the file.
    pub location: EntryLocation,
    /// Reason why the entry is invalid.
    pub problem: EntryProblem,
}

/// Reason why an entry is invalid. Never contains a value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// The text is not a NETOSECRET.
    #[error(transparent)]
    Netosecret(#[from] NetoSecretError),
    /// A field is invalid or missing.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A field is missing, and an unknown key has a similar name.
    #[error("the field '{missing}' is missing, and there is a '{similar_key}'")]
    Misspelled {
        /// Name of the missing field.
        missing: &'static str,
        /// Sanitized unknown key.
        similar_key: String,
    },
    /// The line is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The field `name`, or the key of the JSON object, is not a valid profile name.
    #[error("the field 'name' is no profile's name: {0}")]
    Name(NameError),
    /// The JSON value is neither an object nor a text.
    #[error("it is {found}, not an object or a NETOSECRET")]
    NotAnObject {
        /// Kind of the value.
        found: &'static str,
    },
    /// Two keys name the same field.
    #[error("the field '{0}' is there twice")]
    Duplicate(&'static str),
    /// The value of a field differs from the value in the entry's NETOSECRET.
    #[error("the field '{0}' is not that of the NETOSECRET beside it")]
    Conflict(&'static str),
    /// The entry has a field of a person, and also a NETOSECRET or a field of an API key. Contains `username` or
    /// `password`.
    #[error("the field '{0}' is a person's, and others are of an API key")]
    MixedKinds(&'static str),
    /// The quote of a value is not closed. Contains the sanitized name of the variable.
    #[error("the quote of {0} is not closed")]
    UnclosedQuote(String),
    /// The value is or contains an expression. Contains the sanitized name of the variable.
    #[error("the value of {0} is no plain text")]
    Expression(String),
    /// The quote of a CSV cell is not closed. Contains the sanitized name or the number of the column.
    #[error("the quote of the column '{0}' is not closed")]
    UnclosedCell(String),
    /// Text follows the closing quote of a CSV cell. Contains the sanitized name or the number of the column.
    #[error("the column '{0}' goes on behind its quote")]
    TextAfterQuote(String),
    /// The CSV row has a cell with text beyond the last column.
    #[error("it has {cells} cells, and the header line {columns}")]
    TooManyCells {
        /// Number of cells in the row, including empty cells.
        cells: usize,
        /// Number of columns in the header line.
        columns: usize,
    },
}

impl ImportEntry {
    /// Returns true if both entries have the same account and secrets. Does not compare URLs or profile settings.
    #[must_use]
    pub fn is_same_credential(&self, other: &Self) -> bool {
        (&self.account, &self.credential) == (&other.account, &other.credential)
    }

    /// Builds an entry from a NETOSECRET, without a profile name, tags or a description.
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

    /// Builds an entry from fields. Each key may be the canonical name or another known name of its field.
    pub(super) fn from_fields(location: EntryLocation, fields: BTreeMap<String, Json>) -> Result<Self, EntryError> {
        parse_fields(location.clone(), fields).map_err(|problem| EntryError { location, problem })
    }
}

fn parse_fields(location: EntryLocation, fields: BTreeMap<String, Json>) -> Result<ImportEntry, EntryProblem> {
    let (mut fields, unknown_keys) = split_known_fields(fields)?;
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

/// Returns the known fields under their canonical names, and the unknown keys. Drops fields whose value is `null`.
fn split_known_fields(fields: BTreeMap<String, Json>) -> Result<(JsonFields, Vec<String>), EntryProblem> {
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
    if fields.contains("netosecret") {
        return parse_with_netosecret(location, fields);
    }
    let url = if fields.contains("url") { Some(fields.take_url("url")?) } else { None };
    let person_field = ["username", "password"].into_iter().find(|name| fields.contains(name));
    let (account, credential) = if let Some(name) = person_field {
        if API_KEY_FIELDS.iter().any(|field| fields.contains(field)) {
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

/// Fields of an API key that a person does not have.
const API_KEY_FIELDS: [&str; 4] = ["shortname", "appname", "appkey", "sharedsecret"];

/// Builds an entry from the field `netosecret`. The URL and the other fields of an API key are optional. If present,
/// they must be equal to those in the NETOSECRET.
fn parse_with_netosecret(location: EntryLocation, fields: &mut JsonFields) -> Result<ImportEntry, EntryProblem> {
    let secret = NetoSecret::from_secret(&fields.take_text("netosecret")?)?;
    if let Some(name) = ["username", "password"].into_iter().find(|name| fields.contains(name)) {
        return Err(EntryProblem::MixedKinds(name));
    }
    let url = if fields.contains("url") { Some(fields.take_url("url")?) } else { None };
    let (shortname, appname) = (fields.take_optional_text("shortname")?, fields.take_optional_text("appname")?);
    let appkey = fields.contains("appkey").then(|| fields.take_text("appkey")).transpose()?;
    let sharedsecret = fields.contains("sharedsecret").then(|| fields.take_text("sharedsecret")).transpose()?;
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
    let missing = FieldError { name, problem: FieldProblem::Missing };
    Ok(fields.take_optional_text(name)?.ok_or(missing)?)
}

/// Returns [`EntryProblem::Misspelled`] for a missing field if an unknown key is probably a misspelling of this field.
/// Returns any other problem unchanged.
fn suggest_misspelled_key(problem: EntryProblem, unknown_keys: &[String]) -> EntryProblem {
    let EntryProblem::Field(FieldError { name: missing, problem: FieldProblem::Missing }) = problem else {
        return problem;
    };
    match unknown_keys.iter().find(|key| field::closest_to_key(key) == Some(missing)) {
        Some(key) => EntryProblem::Misspelled { missing, similar_key: sanitize_name(key) },
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
