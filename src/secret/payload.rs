//! What a seal holds: strict JSON with the credential and everything that it is bound to.

use super::fields::{Fields, check_text};
use super::{Account, Binding, Credential, CredentialId, FieldFault, FieldProblem, Json, JsonFault, Opened, SealError};
use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

/// The version of the payload that this program writes and reads.
const VERSION: u8 = 1;

/// Why what was sealed is no payload of a profile; never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Bytes that are no text.
    #[error("no UTF-8 text")]
    Utf8,
    /// No strict JSON.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// JSON, but no object.
    #[error("{found}, not an object")]
    NotObject {
        /// What it is instead.
        found: &'static str,
    },
    /// Made by a newer neto, or by none.
    #[error("a version other than 1")]
    Version,
    /// A field that is not as it must be.
    #[error(transparent)]
    Field(#[from] FieldFault),
    /// A field that no payload has; its cleaned name.
    #[error("the unknown field '{0}'")]
    Unknown(String),
}

/// The payload in the order that neto writes it.
#[derive(Serialize)]
struct Wire<'a> {
    v: u8,
    profile: &'a str,
    url: &'a str,
    #[serde(flatten)]
    account: WireAccount<'a>,
    ca_sha256: Option<&'a str>,
    id: &'a str,
    recipients: &'a [String],
    sealed_at: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireAccount<'a> {
    ApiKey { shortname: &'a str, appname: &'a str, appkey: &'a str, sharedsecret: &'a str },
    Person { username: &'a str, password: &'a str },
}

/// More than the fields of a payload take, in bytes, beside the recipients.
const ROOM: usize = 8 * 1024;

/// The payload as it is sealed; `recipients` are sorted and without repeats.
pub(super) fn render(
    binding: &Binding,
    credential: &Credential,
    id: &CredentialId,
    recipients: &[String],
    now: Timestamp,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let account = match (&binding.account, credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
            WireAccount::ApiKey { shortname, appname, appkey: appkey.reveal(), sharedsecret: sharedsecret.reveal() }
        }
        (Account::Person { username }, Credential::Person { password }) => {
            WireAccount::Person { username, password: password.reveal() }
        }
        _ => return Err(SealError::OtherKind),
    };
    let wire = Wire {
        v: VERSION,
        profile: binding.profile.as_str(),
        url: &binding.url.with_version(),
        account,
        ca_sha256: binding.ca_sha256.as_deref(),
        id: id.as_str(),
        recipients,
        sealed_at: Timestamp::from_second(now.as_second()).unwrap_or(now).to_string(),
    };
    // Reserved at once: a vector that grows leaves copies of the secrets behind.
    let mut payload =
        Zeroizing::new(Vec::with_capacity(ROOM + recipients.iter().map(|key| key.len() + 4).sum::<usize>()));
    serde_json::to_writer(&mut *payload, &wire).map_err(|_| SealError::Age)?;
    Ok(payload)
}

/// Reads a payload; every field must be there, of its type, and no other.
pub(super) fn parse(bytes: &[u8]) -> Result<Opened, PayloadError> {
    let json = Json::parse(std::str::from_utf8(bytes).map_err(|_| PayloadError::Utf8)?)?;
    let found = json.kind();
    let mut fields = Fields::of(json).ok_or(PayloadError::NotObject { found })?;
    // The version first: a later one may have other fields.
    if fields.take("v")? != Json::Integer(VERSION.into()) {
        return Err(PayloadError::Version);
    }
    let (account, credential) = take_account(&mut fields)?;
    let binding = Binding {
        profile: fields.parsed("profile")?,
        url: fields.url("url")?,
        account,
        ca_sha256: take_ca_sha256(&mut fields)?,
    };
    let opened = Opened {
        binding,
        credential,
        id: fields.parsed("id")?,
        recipients: take_recipients(&mut fields)?,
        sealed_at: fields.parsed("sealed_at")?,
    };
    match fields.rest().pop() {
        Some(name) => Err(PayloadError::Unknown(name)),
        None => Ok(opened),
    }
}

fn take_account(fields: &mut Fields) -> Result<(Account, Credential), FieldFault> {
    let open = |fields: &mut Fields, name| fields.text(name).map(|text| text.reveal().to_owned());
    if fields.has("username") {
        let account = Account::Person { username: open(fields, "username")? };
        return Ok((account, Credential::Person { password: fields.text("password")? }));
    }
    let account = Account::ApiKey { shortname: open(fields, "shortname")?, appname: open(fields, "appname")? };
    let credential = Credential::ApiKey { appkey: fields.text("appkey")?, sharedsecret: fields.text("sharedsecret")? };
    Ok((account, credential))
}

fn take_ca_sha256(fields: &mut Fields) -> Result<Option<String>, FieldFault> {
    let name = "ca_sha256";
    match fields.take(name)? {
        Json::Null => Ok(None),
        other => {
            let digest = check_text(other).map_err(|problem| FieldFault { name, problem })?;
            let hex =
                digest.len() == 64 && digest.reveal().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex {
                Ok(Some(digest.reveal().to_owned()))
            } else {
                Err(FieldFault { name, problem: FieldProblem::Form })
            }
        }
    }
}

fn take_recipients(fields: &mut Fields) -> Result<Vec<String>, FieldFault> {
    let fault = |problem| FieldFault { name: "recipients", problem };
    let keys = match fields.take("recipients")? {
        Json::List(keys) if keys.is_empty() => return Err(fault(FieldProblem::Empty)),
        Json::List(keys) => keys,
        other => return Err(fault(FieldProblem::Type { wanted: "an array of texts", found: other.kind() })),
    };
    keys.into_iter().map(|key| check_text(key).map(|key| key.reveal().to_owned()).map_err(fault)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"v":1,"profile":"acme","url":"https://api.netography.com/api/v1","shortname":"acme","appname":"soc","appkey":"canary","sharedsecret":"canary","ca_sha256":null,"id":"5f0c9a3e7b1d2c44","recipients":["age1x"],"sealed_at":"2026-11-23T17:04:00Z"}"#;

    #[test]
    fn the_payload_is_the_json_of_the_contract() {
        let read = parse(GOOD.as_bytes()).unwrap();
        let written = render(&read.binding, &read.credential, &read.id, &read.recipients, read.sealed_at).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), GOOD);
        let person = GOOD.replace(
            r#""shortname":"acme","appname":"soc","appkey":"canary","sharedsecret":"canary""#,
            r#""username":"alice","password":"canary""#,
        );
        let read = parse(person.as_bytes()).unwrap();
        assert_eq!(read.binding.account, Account::Person { username: "alice".to_owned() });
        let written = render(&read.binding, &read.credential, &read.id, &read.recipients, read.sealed_at).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), person);
    }

    #[test]
    fn any_other_shape_is_refused_without_a_value() {
        let field = |name, problem| PayloadError::Field(FieldFault { name, problem });
        let found = |found| FieldProblem::Type { wanted: "a text", found };
        for (from, to, wanted) in [
            (r#""v":1"#, r#""v":2"#, PayloadError::Version),
            (r#""v":1"#, r#""v":"1""#, PayloadError::Version),
            (r#""v":1,"#, "", field("v", FieldProblem::Missing)),
            (r#""v":1"#, r#""v":1,"v":1"#, PayloadError::Json(JsonFault::Duplicate("v".to_owned()))),
            (r#""v":1"#, r#""v":1,"role":"canary""#, PayloadError::Unknown("role".to_owned())),
            (r#""v":1"#, r#""v":1,"username":5"#, field("username", found("a number"))),
            (r#""v":1"#, r#""v":1,"username":"alice","password":"p""#, PayloadError::Unknown("shortname".to_owned())),
            (r#""v":1"#, r#""v":1,"password":"canary""#, PayloadError::Unknown("password".to_owned())),
            (r#""acme","url""#, r#""../canary","url""#, field("profile", FieldProblem::Form)),
            (r#""appname":"soc","#, "", field("appname", FieldProblem::Missing)),
            (r#""appkey":"canary""#, r#""appkey":5"#, field("appkey", found("a number"))),
            (r#""appkey":"canary""#, r#""appkey":"canary\n""#, field("appkey", FieldProblem::Control)),
            (r#""sharedsecret":"canary""#, r#""sharedsecret":"""#, field("sharedsecret", FieldProblem::Empty)),
            ("null", r#""canary""#, field("ca_sha256", FieldProblem::Form)),
            ("null", "true", field("ca_sha256", found("true or false"))),
            ("5f0c9a3e7b1d2c44", "canary", field("id", FieldProblem::Form)),
            (r#"["age1x"]"#, "[]", field("recipients", FieldProblem::Empty)),
            (r#"["age1x"]"#, "[1]", field("recipients", found("a number"))),
            ("2026-11-23T17:04:00Z", "canary", field("sealed_at", FieldProblem::Form)),
            ("https:", "http:", field("url", FieldProblem::Url(crate::profile::UrlError::Insecure))),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = parse(text.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(error, wanted, "{to}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert_eq!(parse(&[0xff]).map(|_| ()), Err(PayloadError::Utf8));
        assert_eq!(parse(b"[]").map(|_| ()), Err(PayloadError::NotObject { found: "an array" }));
    }
}
