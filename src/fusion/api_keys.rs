//! The API keys of a tenant, as its server describes them. Facts come from the published reference ("API Keys").

use super::ApiPath;
use super::listed::{self, Listed};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// The longest name of a key that is believed, in bytes.
const LONGEST: usize = 255;

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

#[derive(Deserialize)]
struct Wire {
    appname: String,
    description: Option<String>,
    roles: Option<Vec<String>>,
    last_login: Option<f64>,
    last_ip: Option<String>,
}

impl ApiKey {
    /// Where the keys of the tenant are that asks.
    #[must_use]
    pub fn list() -> ApiPath {
        ApiPath::fixed("/api/v1/api-keys")
    }

    /// Reads the body of [`ApiKey::list`].
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about "it" without its content.
    pub fn parse_list(body: &[u8]) -> Result<Listed<Self>, &'static str> {
        Listed::parse(body, Self::read)
    }

    /// Reads the body of an answer about one key.
    ///
    /// # Errors
    /// As [`ApiKey::parse_list`].
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        listed::one(body, Self::read)
    }

    fn read(wire: Wire) -> Option<Self> {
        (1..=LONGEST).contains(&wire.appname.len()).then_some(())?;
        Some(Self {
            appname: wire.appname,
            description: wire.description.unwrap_or_default(),
            roles: wire.roles,
            last_login: wire.last_login.map(instant).transpose().ok()?.flatten(),
            last_ip: wire.last_ip.filter(|address| !address.is_empty()),
        })
    }
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
        let listed = Listed { rows: vec![whole.clone(), key(None)], unread: 1 };
        assert_eq!(ApiKey::parse_list(body.as_bytes()), Ok(listed));
        assert_eq!(ApiKey::parse(format!(r#"{{"data": {one}}}"#).as_bytes()), Ok(whole));
    }

    #[test]
    fn a_last_login_is_a_time_or_the_row_cannot_be_read() {
        let parse = |time: &str| {
            ApiKey::parse(format!(r#"{{"data": {{"appname": "soc", "last_login": {time}}}}}"#).as_bytes()).ok()
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
}
