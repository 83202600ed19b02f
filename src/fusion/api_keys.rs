//! API keys of a tenant: the calls that manage them, and the parsers of the answers. Facts come from the published
//! reference ("API Keys").
//!
//! A regeneration "does not do a diff: you must send the complete object". So a key and its roles are always read
//! before the key is regenerated.

use super::list_answer::{self, ListAnswer};
use super::{ApiPath, Call, Method, PathError};
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Path of the calling tenant's keys.
const KEYS_PATH: &str = "/api/v1/api-keys";

/// Maximum length of a key's name that is accepted, in bytes.
const MAX_APPNAME_BYTES: usize = 255;

/// Maximum length of an appkey that is accepted, in bytes.
const MAX_APPKEY_BYTES: usize = 16_384;

/// Metadata of one API key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Name of the key: any text of 1 to 255 bytes, not validated further.
    pub appname: String,
    /// Free text; empty if the server has none.
    pub description: String,
    /// Roles of the key; absent if the server does not say, which differs from an empty list.
    pub roles: Option<Vec<String>>,
    /// Time of the last login with the key, to the second; absent for never.
    pub last_login: Option<Timestamp>,
    /// IP address of the last use; absent for never.
    pub last_ip: Option<String>,
}

/// Complete definition of one key, as sent to create or regenerate the key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTerms {
    /// Name of the key.
    pub appname: String,
    /// Free text; empty if the server has none.
    pub description: String,
    /// Roles of the key.
    pub roles: Vec<String>,
}

/// Key in an answer. Every field is optional in the reference.
#[derive(Deserialize)]
struct ApiKeyWire {
    appname: Option<String>,
    description: Option<String>,
    roles: Option<Vec<String>>,
    last_login: Option<f64>,
    last_ip: Option<String>,
}

/// New key in an answer.
#[derive(Deserialize)]
struct IssuedKey {
    appname: Option<String>,
    appkey: Option<String>,
}

/// Body of a regeneration request, whose path names the key.
#[derive(Serialize)]
struct Regeneration<'a> {
    description: &'a str,
    roles: &'a [String],
}

impl ApiKey {
    /// Returns the path that lists the calling tenant's keys.
    #[must_use]
    pub fn list_path() -> ApiPath {
        ApiPath::from_static(KEYS_PATH)
    }

    /// Returns the path of the key `appname`.
    ///
    /// # Errors
    /// [`PathError`] if the name cannot be part of a path.
    pub fn path_of(appname: &str) -> Result<ApiPath, PathError> {
        key_path(appname, "")
    }

    /// Returns the call that deletes the key `appname`.
    ///
    /// # Errors
    /// See [`ApiKey::path_of`].
    pub fn remove(appname: &str) -> Result<Call, PathError> {
        Ok(Call { method: Method::DELETE, ..Call::get(Self::path_of(appname)?) })
    }

    /// Parses the answer to [`ApiKey::list_path`].
    ///
    /// # Errors
    /// Description of the problem, as a sentence about "it" that quotes nothing from the body.
    pub fn parse_list(body: &[u8]) -> Result<ListAnswer<Self>, &'static str> {
        ListAnswer::parse(body, Self::read)
    }

    fn read(wire: ApiKeyWire) -> Option<Self> {
        Some(Self {
            appname: wire.appname.filter(|appname| (1..=MAX_APPNAME_BYTES).contains(&appname.len()))?,
            description: wire.description.unwrap_or_default(),
            roles: wire.roles,
            last_login: wire.last_login.map(parse_last_login).transpose().ok()?.flatten(),
            last_ip: wire.last_ip.filter(|address| !address.is_empty()),
        })
    }
}

impl KeyTerms {
    /// Returns the call that replaces the key's appkey and changes nothing else.
    ///
    /// # Errors
    /// See [`ApiKey::path_of`].
    pub fn regenerate(&self) -> Result<Call, PathError> {
        let body = Regeneration { description: &self.description, roles: &self.roles };
        Ok(json_call(Method::PUT, key_path(&self.appname, "/regen")?, &body))
    }

    /// Returns the call that creates the key.
    ///
    /// # Errors
    /// See [`ApiKey::path_of`]: a key with a name that no path can contain could never be changed again.
    pub fn create(&self) -> Result<Call, PathError> {
        ApiKey::path_of(&self.appname)?;
        Ok(json_call(Method::POST, ApiKey::list_path(), self))
    }

    /// Parses the answer to [`ApiKey::path_of`] for the key `appname`.
    ///
    /// # Errors
    /// See [`ApiKey::parse_list`]; also if the answer has no roles.
    pub fn parse(appname: &str, body: &[u8]) -> Result<Self, &'static str> {
        let wire: ApiKeyWire = list_answer::parse_one(body, Some)?;
        check_appname(appname, wire.appname.as_deref())?;
        Ok(Self {
            appname: appname.to_owned(),
            description: wire.description.unwrap_or_default(),
            roles: wire.roles.ok_or("it does not say which roles the key has")?,
        })
    }

    /// Parses the appkey in the answer to a creation or regeneration.
    ///
    /// # Errors
    /// See [`ApiKey::parse_list`].
    pub fn parse_appkey(&self, body: &[u8]) -> Result<Secret, &'static str> {
        let issued: IssuedKey = list_answer::parse_one(body, Some)?;
        check_appname(&self.appname, issued.appname.as_deref())?;
        let appkey = Secret::new(issued.appkey.ok_or("it holds no appkey")?);
        let fits = (1..=MAX_APPKEY_BYTES).contains(&appkey.len());
        if fits && !appkey.reveal().chars().any(char::is_control) {
            Ok(appkey)
        } else {
            Err("its appkey is empty, or has characters or a length that no key has")
        }
    }
}

/// Returns the path of one key, followed by `below`.
fn key_path(appname: &str, below: &str) -> Result<ApiPath, PathError> {
    let mut path = format!("{KEYS_PATH}/");
    for byte in appname.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    // An empty name would give the path of all keys.
    if appname.is_empty() { Err(PathError::Empty) } else { (path + below).parse() }
}

fn json_call(method: Method, path: ApiPath, body: &impl Serialize) -> Call {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The body has only strings and lists of strings, so its serialization cannot fail.
    Call { method, path, headers: vec![json], body: Some(serde_json::to_vec(body).unwrap_or_default()) }
}

fn check_appname(appname: &str, answered: Option<&str>) -> Result<(), &'static str> {
    if answered.is_none_or(|answered| answered == appname) { Ok(()) } else { Err("it is about another key") }
}

/// Converts a time in the reference's form, seconds since the epoch; 0 means never.
fn parse_last_login(seconds: f64) -> Result<Option<Timestamp>, jiff::Error> {
    if seconds == 0.0 {
        return Ok(None);
    }
    let whole = SignedDuration::try_from_secs_f64(seconds.floor())?;
    Timestamp::from_duration(whole).map(Some)
}

#[cfg(test)]
mod tests;
