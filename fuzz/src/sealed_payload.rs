//! The plaintext of a sealed credential: only the specified format is read, all fields match the JSON, and writing
//! gives the same payload again.

use jiff::Timestamp;
use neto::internals::secret::{Account, Credential, Json, JsonError, OpenedSecret};
use serde_json::{Map, Value};

/// Fields of every payload, besides those of its account.
const COMMON_FIELDS: [&str; 7] = ["v", "profile", "url", "ca_sha256", "id", "recipients", "sealed_at"];

pub fn check(payload: &[u8]) {
    let opened = OpenedSecret::parse(payload);
    let Ok(text) = std::str::from_utf8(payload) else {
        assert!(opened.is_err(), "read from bytes that are no text");
        return;
    };
    check_json(text);
    match opened {
        Ok(opened) => {
            compare_with_json(&opened, &serde_json::from_str(text).expect("read from what is no JSON object"));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

/// Checks that the strict parser accepts only valid JSON, and rejects valid JSON only for a known reason.
fn check_json(text: &str) {
    match (Json::parse(text), serde_json::from_str::<Value>(text)) {
        (Ok(_), Err(error)) => panic!("more than JSON was read: {error}"),
        (Err(JsonError::Syntax { .. }), Ok(_)) => panic!("JSON was not read"),
        _ => {}
    }
}

fn compare_with_json(opened: &OpenedSecret, json: &Map<String, Value>) {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let mut fields = match (&opened.binding.account, &opened.credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => vec![
            ("shortname", shortname.as_str()),
            ("appname", appname.as_str()),
            ("appkey", appkey.reveal()),
            ("sharedsecret", sharedsecret.reveal()),
        ],
        (Account::Person { username }, Credential::Person { password }) => {
            vec![("username", username.as_str()), ("password", password.reveal())]
        }
        _ => panic!("a credential of another kind than its account"),
    };
    assert_eq!(json.len(), COMMON_FIELDS.len() + fields.len(), "fields that no payload has");
    fields.extend([("profile", opened.binding.profile.as_str()), ("id", opened.id.as_str())]);
    for (name, value) in fields {
        assert_eq!(text(name), Some(value));
        assert!(!value.is_empty() && !value.contains(char::is_control), "{name} is no word");
    }
    assert_eq!(text("ca_sha256"), opened.binding.ca_sha256.as_deref());
    assert_eq!(json.get("v"), Some(&Value::from(1)));
    assert_eq!(json.get("recipients"), Some(&Value::from(opened.recipients.clone())));
    assert!(!format!("{opened:?}").contains("c4n4ry"), "Debug shows a secret");
    check_round_trip(opened);
}

/// Checks that a written payload reads back unchanged, except that the time is in whole seconds.
fn check_round_trip(opened: &OpenedSecret) {
    let written = opened.render().expect("written");
    let whole = Timestamp::from_second(opened.sealed_at.as_second()).expect("a time");
    let again = OpenedSecret::parse(&written).expect("what neto writes is read");
    assert_eq!(again, OpenedSecret { sealed_at: whole, ..opened.clone() });
    assert_eq!(again.render().expect("written"), written);
}
