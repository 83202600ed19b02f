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
mod tests {
    use super::*;

    fn key(last_login: Option<i64>) -> ApiKey {
        ApiKey {
            appname: "soc".to_owned(),
            description: String::new(),
            roles: None,
            last_login: last_login.map(|seconds| Timestamp::from_second(seconds).unwrap()),
            last_ip: None,
        }
    }

    #[test]
    fn an_answer_as_the_reference_has_it() {
        let one = r#"{"appname": "soc", "description": "d", "roles": ["admin"], "last_login": 1700000000, "last_ip": "192.0.2.1"}"#;
        let whole = ApiKey {
            description: "d".to_owned(),
            roles: Some(vec!["admin".to_owned()]),
            last_ip: Some("192.0.2.1".to_owned()),
            ..key(Some(1_700_000_000))
        };
        let bare = r#"{"appname": "soc", "last_ip": ""}"#;
        let body = format!(r#"{{"meta": {{"code": 200}}, "data": [{one}, {bare}, {{"description": "d"}}]}}"#);
        let listed = ListAnswer { rows: vec![whole, key(None)], unreadable: 1 };
        assert_eq!(ApiKey::parse_list(body.as_bytes()), Ok(listed));
    }

    #[test]
    fn a_last_login_is_a_time_or_the_row_cannot_be_read() {
        let parse = |time: &str| {
            let body = format!(r#"{{"data": [{{"appname": "soc", "last_login": {time}}}]}}"#);
            ApiKey::parse_list(body.as_bytes()).ok().and_then(|listed| listed.rows.into_iter().next())
        };
        for (written, read) in [
            ("null", None),
            ("0", None),
            ("0.0", None),
            ("1700000000", Some(1_700_000_000)),
            ("1700000000.9", Some(1_700_000_000)),
            ("1.7e9", Some(1_700_000_000)),
        ] {
            assert_eq!(parse(written), Some(key(read)), "{written}");
        }
        for written in ["1e300", "9999999999999", "\"1700000000\"", "true", "[]", "-1e300"] {
            assert_eq!(parse(written), None, "{written}");
        }
    }

    fn terms() -> KeyTerms {
        let roles = vec!["admin".to_owned()];
        KeyTerms { appname: "soc automation".to_owned(), description: "d \"q\"".to_owned(), roles }
    }

    #[test]
    fn the_calls_are_those_of_the_reference() {
        let render = |call: Call| {
            let body = call.body.map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
            format!("{} {} {body}", call.method, call.path.as_str())
        };
        let named = "/api/v1/api-keys/soc%20automation";
        assert_eq!(ApiKey::path_of("soc automation").unwrap().as_str(), named);
        assert_eq!(render(ApiKey::remove("soc automation").unwrap()), format!("DELETE {named} "));
        let complete = r#"{"description":"d \"q\"","roles":["admin"]}"#;
        assert_eq!(render(terms().regenerate().unwrap()), format!("PUT {named}/regen {complete}"));
        let whole = r#"{"appname":"soc automation","description":"d \"q\"","roles":["admin"]}"#;
        assert_eq!(render(terms().create().unwrap()), format!("POST /api/v1/api-keys {whole}"));
        for strange in ["", ".", "..", "a/b"] {
            assert!(ApiKey::path_of(strange).is_err(), "{strange:?} would be another place");
            assert!(KeyTerms { appname: strange.to_owned(), ..terms() }.create().is_err(), "{strange:?}");
        }
    }

    #[test]
    fn the_terms_of_a_key_are_believed_with_its_roles_alone() {
        let parse = |body: &str| KeyTerms::parse("soc", body.as_bytes()).map(|key| (key.description, key.roles));
        let roles = vec!["a".to_owned()];
        for (body, wanted) in [
            (r#"{"data":{"appname":"soc","description":"d","roles":["a"],"last_login":1}}"#, Ok(("d", roles.clone()))),
            (r#"{"meta":{},"data":[{"roles":["a"]}]}"#, Ok(("", roles))),
            (r#"{"data":{"roles":[],"description":null}}"#, Ok(("", Vec::new()))),
            (r#"{"data":{"appname":"soc"}}"#, Err("it does not say which roles the key has")),
            (r#"{"data":{"appname":"other","roles":[]}}"#, Err("it is about another key")),
            (r#"{"data":[]}"#, Err("its data cannot be read")),
            (r#"{"data":[{"roles":[]},{"roles":[]}]}"#, Err("its data cannot be read")),
            (r#"{"data":{"roles":"a"}}"#, Err("its data cannot be read")),
            ("<html>", Err("it is not one JSON object")),
        ] {
            assert_eq!(parse(body), wanted.map(|(text, roles)| (text.to_owned(), roles)), "{body}");
        }
    }

    #[test]
    fn an_appkey_is_a_text_without_control_characters() {
        let parse = |appkey: &str, appname: &str| {
            let body = format!(r#"{{"data":{{"appname":"{appname}","appkey":{appkey}}}}}"#);
            terms().parse_appkey(body.as_bytes())
        };
        let own = terms().appname;
        assert_eq!(parse(r#""k-1""#, &own).unwrap().reveal(), "k-1");
        assert_eq!(parse(r#""k-1""#, "other").unwrap_err(), "it is about another key");
        for wrong in [r#""""#, r#""a\nb""#, r#""a\u0000""#, "5", "null", r#"["k"]"#] {
            assert!(parse(wrong, &own).is_err(), "{wrong}");
        }
        assert!(parse(&format!("\"{}\"", "k".repeat(MAX_APPKEY_BYTES + 1)), &own).is_err());
    }
}
