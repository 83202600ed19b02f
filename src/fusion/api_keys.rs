//! API keys of a tenant: builds the calls that manage keys, and parses the responses, as described in the published
//! reference, chapter "API Keys".
//!
//! According to the reference, a regeneration "does not do a diff: you must send the complete object". Therefore a
//! caller must read the key's roles and description before regenerating the key.

use super::list_answer::{self, ListResponse};
use super::{ApiPath, Call, Method, PathError};
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Path of the calling tenant's list of keys.
const KEYS_PATH: &str = "/api/v1/api-keys";

/// Maximum accepted length of a key's name.
const MAX_APPNAME_BYTES: usize = 255;

/// Maximum accepted length of an appkey.
const MAX_APPKEY_BYTES: usize = 16_384;

/// Metadata of an API key, without the appkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Name of the key: any text of 1 to 255 bytes, not validated further.
    pub appname: String,
    /// Free text; empty if the response has none.
    pub description: String,
    /// Roles of the key. Absent if the response has no list of roles; an empty list means that the key has no roles.
    pub roles: Option<Vec<String>>,
    /// Time of the last login with the key, to the second; absent if the key was never used or the response has no
    /// time.
    pub last_login: Option<Timestamp>,
    /// IP address of the last login with the key; absent if the response has none.
    pub last_ip: Option<String>,
}

/// Complete definition of an API key, as sent to create or regenerate the key. Contains no appkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDefinition {
    /// Name of the key.
    pub appname: String,
    /// Free text; may be empty.
    pub description: String,
    /// Roles of the key.
    pub roles: Vec<String>,
}

/// API key as the server sends it. Every field is optional in the reference.
#[derive(Deserialize)]
struct ApiKeyWire {
    appname: Option<String>,
    description: Option<String>,
    roles: Option<Vec<String>>,
    last_login: Option<f64>,
    last_ip: Option<String>,
}

/// Response to a creation or regeneration. Every field is optional in the reference.
#[derive(Deserialize)]
struct IssuedKeyWire {
    appname: Option<String>,
    appkey: Option<String>,
}

/// Body of a regeneration request. The path of the request names the key.
#[derive(Serialize)]
struct RegenerationBody<'a> {
    description: &'a str,
    roles: &'a [String],
}

impl ApiKey {
    /// Returns the path for listing the calling tenant's keys.
    #[must_use]
    pub fn list_path() -> ApiPath {
        ApiPath::from_static(KEYS_PATH)
    }

    /// Returns the path of the key `appname`.
    ///
    /// # Errors
    /// Returns a [`PathError`] if the name is empty or a dot segment, or contains a slash or backslash.
    pub fn path_of(appname: &str) -> Result<ApiPath, PathError> {
        key_path(appname, "")
    }

    /// Returns the call that deletes the key `appname`.
    ///
    /// # Errors
    /// Fails with the same errors as [`ApiKey::path_of`].
    pub fn delete_call(appname: &str) -> Result<Call, PathError> {
        Ok(Call { method: Method::DELETE, ..Call::get(Self::path_of(appname)?) })
    }

    /// Parses the response to a `GET` of [`ApiKey::list_path`].
    ///
    /// # Errors
    /// Returns a description of the problem. The description calls the response "it" and quotes nothing from the body.
    pub fn parse_list(body: &[u8]) -> Result<ListResponse<Self>, &'static str> {
        ListResponse::parse(body, Self::from_wire)
    }

    fn from_wire(wire: ApiKeyWire) -> Option<Self> {
        Some(Self {
            appname: wire.appname.filter(|appname| (1..=MAX_APPNAME_BYTES).contains(&appname.len()))?,
            description: wire.description.unwrap_or_default(),
            roles: wire.roles,
            last_login: wire.last_login.map(parse_last_login).transpose().ok()?.flatten(),
            last_ip: wire.last_ip.filter(|address| !address.is_empty()),
        })
    }
}

impl KeyDefinition {
    /// Returns the call that replaces the appkey, and keeps the description and the roles of this definition.
    ///
    /// # Errors
    /// Fails with the same errors as [`ApiKey::path_of`].
    pub fn regenerate_call(&self) -> Result<Call, PathError> {
        let body = RegenerationBody { description: &self.description, roles: &self.roles };
        Ok(json_call(Method::PUT, key_path(&self.appname, "/regen")?, &body))
    }

    /// Returns the call that creates the key.
    ///
    /// # Errors
    /// Fails with the same errors as [`ApiKey::path_of`]. A key without a valid path could not be changed or deleted
    /// later.
    pub fn create_call(&self) -> Result<Call, PathError> {
        ApiKey::path_of(&self.appname)?;
        Ok(json_call(Method::POST, ApiKey::list_path(), self))
    }

    /// Parses the response to a `GET` of [`ApiKey::path_of`] for the key `appname`.
    ///
    /// # Errors
    /// Fails with the same errors as [`ApiKey::parse_list`]. Also fails if the response names another key or has no
    /// roles.
    pub fn parse(appname: &str, body: &[u8]) -> Result<Self, &'static str> {
        let wire: ApiKeyWire = list_answer::parse_one(body, Some)?;
        check_appname(appname, wire.appname.as_deref())?;
        Ok(Self {
            appname: appname.to_owned(),
            description: wire.description.unwrap_or_default(),
            roles: wire.roles.ok_or("it does not say which roles the key has")?,
        })
    }

    /// Parses the new appkey from the response to [`create_call`](Self::create_call) or
    /// [`regenerate_call`](Self::regenerate_call).
    ///
    /// # Errors
    /// Fails with the same errors as [`ApiKey::parse_list`]. Also fails if the response names another key or has no
    /// valid appkey.
    pub fn parse_appkey(&self, body: &[u8]) -> Result<Secret, &'static str> {
        let issued: IssuedKeyWire = list_answer::parse_one(body, Some)?;
        check_appname(&self.appname, issued.appname.as_deref())?;
        let appkey = Secret::new(issued.appkey.ok_or("it holds no appkey")?);
        let has_valid_length = (1..=MAX_APPKEY_BYTES).contains(&appkey.len());
        if has_valid_length && !appkey.reveal().chars().any(char::is_control) {
            Ok(appkey)
        } else {
            Err("its appkey is empty, or has characters or a length that no key has")
        }
    }
}

/// Returns the path of the key `appname`, percent-encoded, followed by `suffix`.
fn key_path(appname: &str, suffix: &str) -> Result<ApiPath, PathError> {
    let mut path = format!("{KEYS_PATH}/");
    for byte in appname.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    // Without this check, an empty name would result in the path of the list of all keys.
    if appname.is_empty() { Err(PathError::Empty) } else { (path + suffix).parse() }
}

fn json_call(method: Method, path: ApiPath, body: &impl Serialize) -> Call {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The body has only strings and lists of strings, so its serialization cannot fail.
    Call { method, path, headers: vec![json], body: Some(serde_json::to_vec(body).unwrap_or_default()) }
}

fn check_appname(expected: &str, received: Option<&str>) -> Result<(), &'static str> {
    if received.is_none_or(|received| received == expected) { Ok(()) } else { Err("it is about another key") }
}

/// Converts the server's seconds since the epoch to a time, and drops the fraction of a second. Returns `None` for 0,
/// which means never.
///
/// # Errors
/// Returns an error if the time is out of range.
fn parse_last_login(seconds: f64) -> Result<Option<Timestamp>, jiff::Error> {
    if seconds == 0.0 {
        return Ok(None);
    }
    let whole_seconds = SignedDuration::try_from_secs_f64(seconds.floor())?;
    Timestamp::from_duration(whole_seconds).map(Some)
}

#[cfg(test)]
mod tests;
