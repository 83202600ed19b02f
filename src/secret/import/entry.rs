//! One credential as it stands in a file, from its fields, or what is wrong with it.

use super::field;
use crate::profile::{ApiUrl, NameError, ProfileName};
use crate::secret::fields::Fields;
use crate::secret::json::clean_name;
use crate::secret::{Account, Credential, FieldFault, FieldProblem, Json, JsonFault, NetoSecret, NetoSecretError};
use std::collections::BTreeMap;
use std::fmt;

/// A credential, with what the file says of its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// What its profile is to be called, where the file says it.
    pub name: Option<ProfileName>,
    /// The API's address, where the file says it.
    pub url: Option<ApiUrl>,
    /// Who signs in.
    pub account: Account,
    /// With what.
    pub credential: Credential,
    /// Labels.
    pub tags: Vec<String>,
    /// Free text.
    pub description: Option<String>,
    /// The names, cleaned, of further fields; nothing else is kept of them.
    pub(super) ignored: Vec<String>,
}

/// Where in a file something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the line, from 1.
    Line(usize),
    /// In the item of the list, from 1.
    Item(usize),
    /// Under the key, cleaned.
    Key(String),
    /// It is the whole.
    Whole,
}

/// Something that should be a credential and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where it stands.
    pub place: Place,
    /// Why it is none.
    pub problem: Problem,
}

/// Why something is no credential; never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A text that is no NETOSECRET.
    #[error(transparent)]
    Netosecret(#[from] NetoSecretError),
    /// A field that is not as it must be.
    #[error(transparent)]
    Field(#[from] FieldFault),
    /// A field that is not there, and a key that may be meant for it; cleaned.
    #[error("the field '{missing}' is missing, and there is a '{near}'")]
    Near {
        /// The field.
        missing: &'static str,
        /// The key.
        near: String,
    },
    /// A line that is no JSON.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// A name that no profile can have.
    #[error("the field 'name' is no profile's name: {0}")]
    Name(NameError),
    /// Something else than fields or a NETOSECRET.
    #[error("it is {found}, not an object or a NETOSECRET")]
    NoFields {
        /// What it is instead.
        found: &'static str,
    },
    /// Two keys for one field.
    #[error("the field '{0}' is there twice")]
    Twice(&'static str),
    /// A field beside a NETOSECRET that says otherwise.
    #[error("the field '{0}' is not that of the NETOSECRET beside it")]
    Disagrees(&'static str),
    /// A person's field beside those of an API key.
    #[error("the field '{0}' is a person's, and others are of an API key")]
    OtherKind(&'static str),
    /// A variable whose quote is not closed; cleaned.
    #[error("the quote of {0} is not closed")]
    OpenQuote(String),
    /// A variable whose value a program works out; cleaned.
    #[error("the value of {0} is no plain text")]
    Expression(String),
    /// A cell of a CSV whose quote is not closed.
    #[error("the quote of the column '{0}' is not closed")]
    OpenCell(String),
    /// A cell of a CSV with text behind its quote.
    #[error("the column '{0}' goes on behind its quote")]
    BehindQuote(String),
    /// More cells than columns.
    #[error("it has {found} cells, and the header line {wanted}")]
    Cells {
        /// How many it has.
        found: usize,
        /// How many the header has.
        wanted: usize,
    },
}

impl Entry {
    /// Whether another place has the very same credential; of the addresses nothing is said.
    #[must_use]
    pub fn is_same_credential(&self, other: &Self) -> bool {
        (&self.account, &self.credential) == (&other.account, &other.credential)
    }

    /// The entry of a NETOSECRET alone.
    pub(super) fn of(place: Place, secret: NetoSecret) -> Self {
        let credential = secret.credential();
        Self {
            place,
            name: None,
            url: Some(secret.url),
            account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
            credential,
            tags: Vec::new(),
            description: None,
            ignored: secret.ignored,
        }
    }

    /// The entry of fields under whatever names.
    pub(super) fn read(place: Place, fields: BTreeMap<String, Json>) -> Result<Self, Wrong> {
        let at = place.clone();
        read(place, fields).map_err(|problem| Wrong { place: at, problem })
    }
}

fn read(place: Place, fields: BTreeMap<String, Json>) -> Result<Entry, Problem> {
    let (mut fields, others) = by_their_one_name(fields)?;
    let name = fields.open("name")?.map(|name| name.parse::<ProfileName>()).transpose().map_err(Problem::Name)?;
    let (tags, description) = (fields.list("tags")?, fields.open("description")?);
    let mut entry = credential(place, &mut fields).map_err(|problem| with_near(problem, &others))?;
    entry.ignored.extend(others.iter().map(|name| clean_name(name)));
    Ok(Entry { name, tags, description, ..entry })
}

/// The known fields, each under its one name, and the keys that are none. What is `null` is not there.
fn by_their_one_name(fields: BTreeMap<String, Json>) -> Result<(Fields, Vec<String>), Problem> {
    let (mut known, mut others) = (BTreeMap::new(), Vec::new());
    for (key, value) in fields.into_iter().filter(|(_, value)| *value != Json::Null) {
        match field::of_key(&key) {
            Some(field) if known.insert(field.to_owned(), value).is_some() => return Err(Problem::Twice(field)),
            Some(_) => {}
            None => others.push(key),
        }
    }
    let fields = Fields::of(Json::Object(known)).ok_or(Problem::NoFields { found: "nothing" })?;
    Ok((fields, others))
}

fn credential(place: Place, fields: &mut Fields) -> Result<Entry, Problem> {
    if fields.has("netosecret") {
        return beside_netosecret(place, fields);
    }
    let url = if fields.has("url") { Some(fields.url("url")?) } else { None };
    let person = ["username", "password"].into_iter().find(|name| fields.has(name));
    let (account, credential) = if let Some(name) = person {
        if API_KEY.iter().any(|other| fields.has(other)) {
            return Err(Problem::OtherKind(name));
        }
        let username = needed(fields, "username")?;
        (Account::Person { username }, Credential::Person { password: fields.text("password")? })
    } else {
        let account = Account::ApiKey { shortname: needed(fields, "shortname")?, appname: needed(fields, "appname")? };
        let appkey = fields.text("appkey")?;
        (account, Credential::ApiKey { appkey, sharedsecret: fields.text("sharedsecret")? })
    };
    let (name, tags, description, ignored) = (None, Vec::new(), None, Vec::new());
    Ok(Entry { place, name, url, account, credential, tags, description, ignored })
}

/// The fields that are of an API key alone.
const API_KEY: [&str; 4] = ["shortname", "appname", "appkey", "sharedsecret"];

/// A NETOSECRET says everything; what stands beside it has to say the same.
fn beside_netosecret(place: Place, fields: &mut Fields) -> Result<Entry, Problem> {
    let secret = NetoSecret::of(&fields.text("netosecret")?)?;
    if let Some(name) = ["username", "password"].into_iter().find(|name| fields.has(name)) {
        return Err(Problem::OtherKind(name));
    }
    let url = if fields.has("url") { Some(fields.url("url")?) } else { None };
    let (shortname, appname) = (fields.open("shortname")?, fields.open("appname")?);
    let appkey = fields.has("appkey").then(|| fields.text("appkey")).transpose()?;
    let sharedsecret = fields.has("sharedsecret").then(|| fields.text("sharedsecret")).transpose()?;
    for (name, agrees) in [
        ("url", url.is_none_or(|url| url == secret.url)),
        ("shortname", shortname.is_none_or(|shortname| shortname == secret.shortname)),
        ("appname", appname.is_none_or(|appname| appname == secret.appname)),
        ("appkey", appkey.is_none_or(|appkey| appkey == secret.appkey)),
        ("sharedsecret", sharedsecret.is_none_or(|sharedsecret| sharedsecret == secret.sharedsecret)),
    ] {
        if !agrees {
            return Err(Problem::Disagrees(name));
        }
    }
    Ok(Entry::of(place, secret))
}

fn needed(fields: &mut Fields, name: &'static str) -> Result<String, Problem> {
    let missing = FieldFault { name, problem: FieldProblem::Missing };
    Ok(fields.open(name)?.ok_or(missing)?)
}

/// A mistyped key helps more than the field that is missing.
fn with_near(problem: Problem, others: &[String]) -> Problem {
    let Problem::Field(FieldFault { name: missing, problem: FieldProblem::Missing }) = problem else { return problem };
    match others.iter().find(|other| field::near_key(other) == Some(missing)) {
        Some(near) => Problem::Near { missing, near: clean_name(near) },
        None => problem,
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Item(item) => write!(f, "item {item}"),
            Self::Key(key) => write!(f, "'{key}'"),
            Self::Whole => f.write_str("the object"),
        }
    }
}
