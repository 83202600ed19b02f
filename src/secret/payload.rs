//! Parses and renders the payload of a sealed secret: the JSON that is encrypted, with the credential and its binding.
//!
//! Accepts only version 1 of the payload. Does not encrypt, and does not check the binding against a profile.

use super::fields::{JsonFields, check_text};
use super::{Account, Binding, Credential, CredentialId, FieldError, FieldProblem, Json, JsonError};
use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

/// Payload version that this program writes and reads.
const VERSION: u8 = 1;

/// Decrypted payload of a sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSecret {
    /// Binding at the time of sealing.
    pub binding: Binding,
    /// Secret part of the credential.
    pub credential: Credential,
    /// Identifier of the credential.
    pub id: CredentialId,
    /// Public keys of the recipients to which the secret was sealed.
    pub recipients: Vec<String>,
    /// Time of sealing. neto writes whole seconds.
    pub sealed_at: Timestamp,
}

/// Reasons why a payload cannot be rendered.
#[derive(Debug, Clone, Copy)]
pub(super) enum RenderError {
    /// The credential is a password but the binding's account is an API key, or vice versa.
    KindMismatch,
    /// The payload could not be serialized.
    SerializationFailed,
}

/// Reasons why decrypted bytes are not a payload. The error never contains the value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The bytes are not UTF-8 text.
    #[error("no UTF-8 text")]
    Utf8,
    /// The text is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The JSON value is not an object.
    #[error("{found}, not an object")]
    NotObject {
        /// Kind of the JSON value, such as `an array`.
        found: &'static str,
    },
    /// The version is not 1. A newer version of neto, or another program, wrote the payload.
    #[error("a version other than 1")]
    UnsupportedVersion,
    /// A field is missing or invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The object has an unknown field. Holds the sanitized name of the field.
    #[error("the unknown field '{0}'")]
    UnknownField(String),
}

/// JSON object of the payload. neto writes the fields in this order.
#[derive(Serialize)]
struct PayloadJson<'a> {
    v: u8,
    profile: &'a str,
    url: &'a str,
    #[serde(flatten)]
    account: PayloadAccount<'a>,
    ca_sha256: Option<&'a str>,
    id: &'a str,
    recipients: &'a [String],
    sealed_at: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PayloadAccount<'a> {
    ApiKey { shortname: &'a str, appname: &'a str, appkey: &'a str, sharedsecret: &'a str },
    Person { username: &'a str, password: &'a str },
}

/// Initial capacity for all fields except the recipients. In practice these fields are much smaller.
const FIELDS_CAPACITY_BYTES: usize = 8 * 1024;

/// Renders the payload. The caller must sort `recipients` and remove duplicates.
pub(super) fn render(
    binding: &Binding,
    credential: &Credential,
    id: &CredentialId,
    recipients: &[String],
    now: Timestamp,
) -> Result<Zeroizing<Vec<u8>>, RenderError> {
    let account = match (&binding.account, credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
            PayloadAccount::ApiKey { shortname, appname, appkey: appkey.reveal(), sharedsecret: sharedsecret.reveal() }
        }
        (Account::Person { username }, Credential::Person { password }) => {
            PayloadAccount::Person { username, password: password.reveal() }
        }
        _ => return Err(RenderError::KindMismatch),
    };
    let object = PayloadJson {
        v: VERSION,
        profile: binding.profile.as_str(),
        url: &binding.url.with_version(),
        account,
        ca_sha256: binding.ca_sha256.as_deref(),
        id: id.as_str(),
        recipients,
        sealed_at: Timestamp::from_second(now.as_second()).unwrap_or(now).to_string(),
    };
    // The capacity is reserved first, because a growing vector leaves copies of the secrets in memory.
    let mut payload = Zeroizing::new(Vec::with_capacity(
        FIELDS_CAPACITY_BYTES + recipients.iter().map(|key| key.len() + 4).sum::<usize>(),
    ));
    serde_json::to_writer(&mut *payload, &object).map_err(|_| RenderError::SerializationFailed)?;
    Ok(payload)
}

/// Parses a payload. All fields of either an API key or a user account are required, and unknown fields are errors.
pub(super) fn parse(bytes: &[u8]) -> Result<OpenedSecret, PayloadError> {
    let json = Json::parse(std::str::from_utf8(bytes).map_err(|_| PayloadError::Utf8)?)?;
    let found = json.kind();
    let mut fields = JsonFields::from_json(json).ok_or(PayloadError::NotObject { found })?;
    // The version is checked first, because other versions may have other fields.
    if fields.take_field("v")? != Json::Integer(VERSION.into()) {
        return Err(PayloadError::UnsupportedVersion);
    }
    let (account, credential) = take_account(&mut fields)?;
    let binding = Binding {
        profile: fields.take_parsed("profile")?,
        url: fields.take_url("url")?,
        account,
        ca_sha256: take_ca_sha256(&mut fields)?,
    };
    let opened = OpenedSecret {
        binding,
        credential,
        id: fields.take_parsed("id")?,
        recipients: take_recipients(&mut fields)?,
        sealed_at: fields.take_parsed("sealed_at")?,
    };
    match fields.remaining_names().pop() {
        Some(name) => Err(PayloadError::UnknownField(name)),
        None => Ok(opened),
    }
}

/// Takes the account and the credential: of a user account if there is a username, otherwise of an API key.
fn take_account(fields: &mut JsonFields) -> Result<(Account, Credential), FieldError> {
    let public_text = |fields: &mut JsonFields, name| fields.take_text(name).map(|text| text.reveal().to_owned());
    if fields.contains("username") {
        let account = Account::Person { username: public_text(fields, "username")? };
        return Ok((account, Credential::Person { password: fields.take_text("password")? }));
    }
    let account =
        Account::ApiKey { shortname: public_text(fields, "shortname")?, appname: public_text(fields, "appname")? };
    let credential =
        Credential::ApiKey { appkey: fields.take_text("appkey")?, sharedsecret: fields.take_text("sharedsecret")? };
    Ok((account, credential))
}

fn take_ca_sha256(fields: &mut JsonFields) -> Result<Option<String>, FieldError> {
    let name = "ca_sha256";
    match fields.take_field(name)? {
        Json::Null => Ok(None),
        other => {
            let digest = check_text(other).map_err(|problem| FieldError { name, problem })?;
            let is_sha256 =
                digest.len() == 64 && digest.reveal().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if is_sha256 {
                Ok(Some(digest.reveal().to_owned()))
            } else {
                Err(FieldError { name, problem: FieldProblem::InvalidFormat })
            }
        }
    }
}

fn take_recipients(fields: &mut JsonFields) -> Result<Vec<String>, FieldError> {
    let field_error = |problem| FieldError { name: "recipients", problem };
    let keys = match fields.take_field("recipients")? {
        Json::Array(keys) if keys.is_empty() => return Err(field_error(FieldProblem::Empty)),
        Json::Array(keys) => keys,
        other => {
            return Err(field_error(FieldProblem::WrongType { expected: "an array of texts", found: other.kind() }));
        }
    };
    keys.into_iter().map(|key| check_text(key).map(|key| key.reveal().to_owned()).map_err(field_error)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"{"v":1,"profile":"acme","url":"https://api.netography.com/api/v1","shortname":"acme","appname":"soc","appkey":"canary","sharedsecret":"canary","ca_sha256":null,"id":"5f0c9a3e7b1d2c44","recipients":["age1x"],"sealed_at":"2026-11-23T17:04:00Z"}"#;

    #[test]
    fn the_payload_is_the_documented_json() {
        let read = parse(VALID.as_bytes()).unwrap();
        let written = render(&read.binding, &read.credential, &read.id, &read.recipients, read.sealed_at).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), VALID);
        let person = VALID.replace(
            r#""shortname":"acme","appname":"soc","appkey":"canary","sharedsecret":"canary""#,
            r#""username":"alice","password":"canary""#,
        );
        let read = parse(person.as_bytes()).unwrap();
        assert_eq!(read.binding.account, Account::Person { username: "alice".to_owned() });
        let written = render(&read.binding, &read.credential, &read.id, &read.recipients, read.sealed_at).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), person);
    }

    #[test]
    fn an_invalid_payload_is_refused_without_quoting_a_value() {
        let field = |name, problem| PayloadError::Field(FieldError { name, problem });
        let found = |found| FieldProblem::WrongType { expected: "a text", found };
        for (from, to, expected) in [
            (r#""v":1"#, r#""v":2"#, PayloadError::UnsupportedVersion),
            (r#""v":1"#, r#""v":"1""#, PayloadError::UnsupportedVersion),
            (r#""v":1,"#, "", field("v", FieldProblem::Missing)),
            (
                r#""v":1"#,
                r#""v":1,"v":1"#,
                PayloadError::Json(JsonError::DuplicateKey { key: "v".to_owned(), level: 1 }),
            ),
            (r#""v":1"#, r#""v":1,"role":"canary""#, PayloadError::UnknownField("role".to_owned())),
            (r#""v":1"#, r#""v":1,"username":5"#, field("username", found("a number"))),
            (
                r#""v":1"#,
                r#""v":1,"username":"alice","password":"p""#,
                PayloadError::UnknownField("shortname".to_owned()),
            ),
            (r#""v":1"#, r#""v":1,"password":"canary""#, PayloadError::UnknownField("password".to_owned())),
            (r#""acme","url""#, r#""../canary","url""#, field("profile", FieldProblem::InvalidFormat)),
            (r#""appname":"soc","#, "", field("appname", FieldProblem::Missing)),
            (r#""appkey":"canary""#, r#""appkey":5"#, field("appkey", found("a number"))),
            (r#""appkey":"canary""#, r#""appkey":"canary\n""#, field("appkey", FieldProblem::ControlCharacter)),
            (r#""sharedsecret":"canary""#, r#""sharedsecret":"""#, field("sharedsecret", FieldProblem::Empty)),
            ("null", r#""canary""#, field("ca_sha256", FieldProblem::InvalidFormat)),
            ("null", "true", field("ca_sha256", found("true or false"))),
            ("5f0c9a3e7b1d2c44", "canary", field("id", FieldProblem::InvalidFormat)),
            (r#"["age1x"]"#, "[]", field("recipients", FieldProblem::Empty)),
            (r#"["age1x"]"#, "[1]", field("recipients", found("a number"))),
            ("2026-11-23T17:04:00Z", "canary", field("sealed_at", FieldProblem::InvalidFormat)),
            ("https:", "http:", field("url", FieldProblem::Url(crate::profile::UrlError::Insecure))),
        ] {
            let text = VALID.replacen(from, to, 1);
            assert_ne!(text, VALID, "{from}");
            let error = parse(text.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(error, expected, "{to}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert_eq!(parse(&[0xff]).map(|_| ()), Err(PayloadError::Utf8));
        assert_eq!(parse(b"[]").map(|_| ()), Err(PayloadError::NotObject { found: "an array" }));
    }
}
