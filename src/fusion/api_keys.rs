//! The API keys of a tenant: the calls about them, and what is believed of the answers. Facts come from the published
//! reference ("API Keys").
//!
//! A regeneration "does not do a diff: you must send the complete object", so a key is asked for, and its roles are known,
//! before it is regenerated.

use super::list_answer::{self, Listed};
use super::{ApiPath, Call, Method, PathError};
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Where the keys of the tenant are that asks.
const KEYS: &str = "/api/v1/api-keys";

/// The longest name of a key that is believed, in bytes.
const LONGEST: usize = 255;

/// The longest appkey that is believed, in bytes.
const LONGEST_APPKEY: usize = 16_384;

/// What is known of one key; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name. Any text of 1 to 255 bytes: what a server says is not checked further.
    pub appname: String,
    /// Free text; empty where the server has none.
    pub description: String,
    /// What it may do; absent where the server does not say, which is not the same as nothing.
    pub roles: Option<Vec<String>>,
    /// When a token was last got with it, to the second; absent for never.
    pub last_login: Option<Timestamp>,
    /// The address that it was last used from; absent for never.
    pub last_ip: Option<String>,
}

/// The complete object of one key, as it is made and regenerated; not the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTerms {
    /// Its name.
    pub appname: String,
    /// Free text; empty where there is none.
    pub description: String,
    /// What it may do.
    pub roles: Vec<String>,
}

/// A key in an answer. Every field is optional in the reference.
#[derive(Deserialize)]
struct Wire {
    appname: Option<String>,
    description: Option<String>,
    roles: Option<Vec<String>>,
    last_login: Option<f64>,
    last_ip: Option<String>,
}

/// A new key in an answer.
#[derive(Deserialize)]
struct Issued {
    appname: Option<String>,
    appkey: Option<String>,
}

/// What a regeneration is sent: its path names the key.
#[derive(Serialize)]
struct Regeneration<'a> {
    description: &'a str,
    roles: &'a [String],
}

impl ApiKey {
    /// Where the keys of the tenant are that asks.
    #[must_use]
    pub fn list() -> ApiPath {
        ApiPath::fixed(KEYS)
    }

    /// Where the key `appname` is.
    ///
    /// # Errors
    /// [`PathError`] for a name that cannot stand in a path.
    pub fn place(appname: &str) -> Result<ApiPath, PathError> {
        place(appname, "")
    }

    /// The call that removes the key `appname`.
    ///
    /// # Errors
    /// As [`ApiKey::place`].
    pub fn remove(appname: &str) -> Result<Call, PathError> {
        Ok(Call { method: Method::DELETE, ..Call::get(Self::place(appname)?) })
    }

    /// Reads the body of [`ApiKey::list`].
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about "it" without its content.
    pub fn parse_list(body: &[u8]) -> Result<Listed<Self>, &'static str> {
        Listed::parse(body, Self::read)
    }

    fn read(wire: Wire) -> Option<Self> {
        Some(Self {
            appname: wire.appname.filter(|appname| (1..=LONGEST).contains(&appname.len()))?,
            description: wire.description.unwrap_or_default(),
            roles: wire.roles,
            last_login: wire.last_login.map(instant).transpose().ok()?.flatten(),
            last_ip: wire.last_ip.filter(|address| !address.is_empty()),
        })
    }
}

impl KeyTerms {
    /// The call that gives the key another appkey in place of the one that it has, and leaves it as it is otherwise.
    ///
    /// # Errors
    /// As [`ApiKey::place`].
    pub fn regenerate(&self) -> Result<Call, PathError> {
        let whole = Regeneration { description: &self.description, roles: &self.roles };
        Ok(writing(Method::PUT, place(&self.appname, "/regen")?, &whole))
    }

    /// The call that makes the key.
    ///
    /// # Errors
    /// As [`ApiKey::place`]: a name that no other call could name would make a key that nobody can change.
    pub fn create(&self) -> Result<Call, PathError> {
        ApiKey::place(&self.appname)?;
        Ok(writing(Method::POST, ApiKey::list(), self))
    }

    /// Reads the body of [`ApiKey::place`] of the key `appname`.
    ///
    /// # Errors
    /// As [`ApiKey::parse_list`]; also where the roles are not said.
    pub fn parse(appname: &str, body: &[u8]) -> Result<Self, &'static str> {
        let wire: Wire = list_answer::one(body, Some)?;
        is_about(appname, wire.appname.as_deref())?;
        Ok(Self {
            appname: appname.to_owned(),
            description: wire.description.unwrap_or_default(),
            roles: wire.roles.ok_or("it does not say which roles the key has")?,
        })
    }

    /// Reads the appkey out of the answer to one of the two calls.
    ///
    /// # Errors
    /// As [`ApiKey::parse_list`].
    pub fn parse_appkey(&self, body: &[u8]) -> Result<Secret, &'static str> {
        let issued: Issued = list_answer::one(body, Some)?;
        is_about(&self.appname, issued.appname.as_deref())?;
        let appkey = Secret::new(issued.appkey.ok_or("it holds no appkey")?);
        let fits = (1..=LONGEST_APPKEY).contains(&appkey.len());
        if fits && !appkey.reveal().chars().any(char::is_control) {
            Ok(appkey)
        } else {
            Err("its appkey is empty, or has characters or a length that no key has")
        }
    }
}

/// The path of one key, or of what lies below it.
fn place(appname: &str, below: &str) -> Result<ApiPath, PathError> {
    let mut path = format!("{KEYS}/");
    for byte in appname.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    // An empty name would be the path of all keys.
    if appname.is_empty() { Err(PathError::Empty) } else { (path + below).parse() }
}

fn writing(method: Method, path: ApiPath, body: &impl Serialize) -> Call {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Texts and lists of texts alone, which are always JSON.
    Call { method, path, headers: vec![json], body: Some(serde_json::to_vec(body).unwrap_or_default()) }
}

fn is_about(appname: &str, told: Option<&str>) -> Result<(), &'static str> {
    if told.is_none_or(|told| told == appname) { Ok(()) } else { Err("it is about another key") }
}

/// A time as the reference has it, in seconds since the epoch; 0 is never.
fn instant(seconds: f64) -> Result<Option<Timestamp>, jiff::Error> {
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
        let listed = Listed { rows: vec![whole, key(None)], unread: 1 };
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
        let told = |call: Call| {
            let body = call.body.map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
            format!("{} {} {body}", call.method, call.path.whole())
        };
        let named = "/api/v1/api-keys/soc%20automation";
        assert_eq!(ApiKey::place("soc automation").unwrap().whole(), named);
        assert_eq!(told(ApiKey::remove("soc automation").unwrap()), format!("DELETE {named} "));
        let complete = r#"{"description":"d \"q\"","roles":["admin"]}"#;
        assert_eq!(told(terms().regenerate().unwrap()), format!("PUT {named}/regen {complete}"));
        let whole = r#"{"appname":"soc automation","description":"d \"q\"","roles":["admin"]}"#;
        assert_eq!(told(terms().create().unwrap()), format!("POST /api/v1/api-keys {whole}"));
        for strange in ["", ".", "..", "a/b"] {
            assert!(ApiKey::place(strange).is_err(), "{strange:?} would be another place");
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
        assert!(parse(&format!("\"{}\"", "k".repeat(LONGEST_APPKEY + 1)), &own).is_err());
    }
}
