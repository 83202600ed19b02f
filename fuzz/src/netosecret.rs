//! NETOSECRET: an accepted value is unchanged after writing and reading. A rejection has one of a few messages, none of
//! which contains a value.
//!
//! The input is used twice: as the pasted text, and as the JSON inside it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use neto::internals::profile::UrlError;
use neto::internals::secret::{FieldProblem, JsonError, NetoSecret, NetoSecretError};

const FIELDS: [&str; 5] = ["url", "shortname", "appname", "appkey", "sharedsecret"];
const KINDS: [&str; 6] = ["null", "true or false", "a number", "a text", "an array", "an object"];
/// Messages about the whole NETOSECRET.
const GENERAL_ERRORS: [&str; 5] = [
    "is empty",
    "is longer than 64 KiB",
    "is not base64",
    "is base64, but not of UTF-8 text",
    "is base64, but not of the right text: JSON nested more than 64 levels deep",
];
/// Messages about a URL.
const URL_ERRORS: [&str; 8] = [
    "the url cannot be read",
    "the url must be https (http only to a loopback address)",
    "the url must start with https://",
    "the url must not hold a user or password",
    "the url must not have a query",
    "the url must not have a fragment",
    "the url has a port that cannot be",
    "the url holds blanks, control characters or backslashes",
];

pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        read(text);
    }
    read(&BASE64_STANDARD.encode(input));
}

fn read(text: &str) {
    let mut secret = match NetoSecret::parse(text) {
        Ok(secret) => secret,
        Err(error) => return check_rejection(&error),
    };
    for field in [&secret.shortname, &secret.appname] {
        assert!(!field.is_empty() && !field.contains(char::is_control), "a field that is no word");
    }
    for field in [&secret.appkey, &secret.sharedsecret] {
        assert!(!field.is_empty() && !field.reveal().contains(char::is_control), "a secret that is no word");
    }
    assert!(!format!("{secret:?}").contains(text), "Debug shows the text");
    secret.ignored.clear();
    let written = secret.render();
    assert!(written.reveal().bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)), "not one word");
    let again = NetoSecret::parse(written.reveal()).expect("what neto writes is read");
    assert_eq!(again, secret);
    assert_eq!(again.render(), written);
}

/// Checks a rejection. It may contain only a position, a field name, or the host of a look-alike address.
fn check_rejection(error: &NetoSecretError) {
    let message = error.to_string();
    assert!(!message.contains(char::is_control), "a message of several lines: {message:?}");
    let said = message.strip_prefix("the NETOSECRET is base64, but not of the right text: ");
    match error {
        NetoSecretError::Json(JsonError::DuplicateKey { key, .. }) => {
            assert_eq!(said, Some(format!("JSON with the key '{key}' twice").as_str()));
            assert!(key.chars().count() <= 64, "{key}");
        }
        NetoSecretError::Json(JsonError::Syntax { line, column }) => {
            assert_eq!(said, Some(format!("not JSON (line {line}, column {column})").as_str()));
        }
        NetoSecretError::Field(fault) if matches!(fault.problem, FieldProblem::Url(UrlError::LookAlike(_))) => {
            let host = message.rsplit("what would be asked is ").next().unwrap_or_default();
            assert!(host.is_ascii() && !host.contains(['/', '@', ' ']), "more than a host: {message}");
        }
        _ => assert!(other_messages().any(|sentence| sentence == message), "other words: {message}"),
    }
}

/// All other permitted messages.
fn other_messages() -> impl Iterator<Item = String> {
    let whole = GENERAL_ERRORS.iter().map(|what| format!("the NETOSECRET {what}"));
    let kinds = KINDS.iter().map(|kind| format!("the NETOSECRET is base64 of JSON, but of {kind}, not of an object"));
    let address =
        URL_ERRORS.iter().map(|what| format!("in the NETOSECRET the field 'url' is no usable address: {what}"));
    let fields = FIELDS.iter().flat_map(|field| {
        let problems = ["is missing", "is empty", "holds control characters"].map(str::to_owned).into_iter();
        let problems = problems.chain(KINDS.iter().map(|kind| format!("is {kind}, not a text")));
        problems.map(move |problem| format!("in the NETOSECRET the field '{field}' {problem}"))
    });
    whole.chain(kinds).chain(address).chain(fields)
}
