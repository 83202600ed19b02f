//! NETOSECRET: an API key with the address of its API in one text, as the portal shows it.
//!
//! The format is in the published API reference: base64 of a JSON object with exactly the keys
//! `url`, `shortname`, `appname`, `appkey` and `sharedsecret`. Spellings seen in the wild are read too.

use super::fields::Fields;
use super::{Credential, FieldFault, Json, JsonFault, Secret};
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::Serialize;
use zeroize::{Zeroize as _, Zeroizing};

/// The longest text that is looked at, in bytes; a real one has some 300.
const LONGEST: usize = 64 * 1024;

/// What people paste before the value, once blanks are gone.
const PREFIXES: [&str; 3] = ["exportNETOSECRET=", "$env:NETOSECRET=", "NETOSECRET="];

/// What people paste around it: as typed, and as word processors and chats turn it.
const QUOTES: [(char, char); 5] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// A credential of a tenant with the address where it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetoSecret {
    /// The API's address.
    pub url: ApiUrl,
    /// The tenant.
    pub shortname: String,
    /// The API key's name.
    pub appname: String,
    /// The API key.
    pub appkey: Secret,
    /// The account's signing secret.
    pub sharedsecret: Secret,
    /// The names of further fields, cleaned; nothing else is kept of them.
    pub ignored: Vec<String>,
}

/// The step at which a text turned out to be no NETOSECRET.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetoSecretError {
    /// Nothing but blanks and quotes.
    #[error("the NETOSECRET is empty")]
    Empty,
    /// More than 64 KiB.
    #[error("the NETOSECRET is longer than 64 KiB")]
    TooLong,
    /// Not base64, in either alphabet; also a text that was cut within four characters.
    #[error("the NETOSECRET is not base64")]
    Base64,
    /// Base64 of something that is not UTF-8.
    #[error("the NETOSECRET is base64, but not of UTF-8 text")]
    Utf8,
    /// Base64 of something that is no strict JSON.
    #[error("the NETOSECRET is base64, but not of the right text: {0}")]
    Json(#[from] JsonFault),
    /// JSON, but no object.
    #[error("the NETOSECRET is base64 of JSON, but of {found}, not of an object")]
    NotObject {
        /// What it is instead.
        found: &'static str,
    },
    /// A field that is not as it must be.
    #[error("in the NETOSECRET {0}")]
    Field(#[from] FieldFault),
}

/// The JSON inside, in the order that neto writes it.
#[derive(Serialize)]
struct Wire<'a> {
    url: &'a str,
    shortname: &'a str,
    appname: &'a str,
    appkey: &'a str,
    sharedsecret: &'a str,
}

impl NetoSecret {
    /// Reads a pasted text in any of its spellings: wrapped, with blanks, quoted, after
    /// `export NETOSECRET=`, in either alphabet, padded or not.
    ///
    /// # Errors
    /// [`NetoSecretError`] says which step failed, never a value.
    pub fn parse(text: &str) -> Result<Self, NetoSecretError> {
        let json = decode(text)?;
        let json = Json::parse(std::str::from_utf8(&json).map_err(|_| NetoSecretError::Utf8)?)?;
        let found = json.kind();
        let mut fields = Fields::of(json).ok_or(NetoSecretError::NotObject { found })?;
        Ok(Self {
            url: fields.url("url")?,
            shortname: fields.text("shortname")?.reveal().to_owned(),
            appname: fields.text("appname")?.reveal().to_owned(),
            appkey: fields.text("appkey")?,
            sharedsecret: fields.text("sharedsecret")?,
            ignored: fields.rest(),
        })
    }

    /// Reads one that was kept as a secret since it was found.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(super) fn of(text: &Secret) -> Result<Self, NetoSecretError> {
        Self::parse(text.reveal())
    }

    /// The text in the one spelling that neto writes: standard base64, padded, the address with `/api/v1`.
    #[must_use]
    pub fn render(&self) -> Secret {
        let wire = Wire {
            url: &self.url.with_version(),
            shortname: &self.shortname,
            appname: &self.appname,
            appkey: self.appkey.reveal(),
            sharedsecret: self.sharedsecret.reveal(),
        };
        // Five texts always become JSON, and a vector never refuses bytes.
        let json = Zeroizing::new(serde_json::to_vec(&wire).unwrap_or_default());
        Secret::new(BASE64_STANDARD.encode(&json))
    }

    /// The two secrets in it.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::ApiKey { appkey: self.appkey.clone(), sharedsecret: self.sharedsecret.clone() }
    }
}

/// From whatever was pasted to the bytes of the JSON.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, NetoSecretError> {
    if text.len() > LONGEST {
        return Err(NetoSecretError::TooLong);
    }
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}')));
    let bare = strip(&compact);
    if bare.is_empty() {
        return Err(NetoSecretError::Empty);
    }
    let standard = |c| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let mut digits = Zeroizing::new(String::with_capacity(bare.len()));
    digits.extend(bare.chars().map(standard));
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len()));
    if BASE64_STANDARD_NO_PAD.decode_vec(digits.as_str(), &mut bytes).is_err() {
        bytes.zeroize();
        return Err(NetoSecretError::Base64);
    }
    Ok(bytes)
}

/// Without quotes, assignment and padding. The prefixes hold a `=` in their middle, so none of them can
/// be the start of a value.
fn strip(text: &str) -> &str {
    let unquoted = unquote(text);
    let value = PREFIXES.iter().find_map(|prefix| unquoted.strip_prefix(prefix)).unwrap_or(unquoted);
    unquote(value).trim_end_matches('=')
}

fn unquote(text: &str) -> &str {
    let text = text.trim_end_matches(';');
    let inside = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().find_map(inside).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::FieldProblem;
    use proptest::prelude::*;

    /// From the published reference, unpadded as printed there.
    const SAMPLE: &str = "ewogICJ1cmwiOiAiaHR0cHM6Ly9hcGkubmV0b2dyYXBoeS5jb20vYXBpL3YxIiwKICAic2hvcnRuYW1lIjogIm15c2hvcnRuYW1lIiwKICAiYXBwbmFtZSI6ICJteWFwcG5hbWUiLAogICJzaGFyZWRzZWNyZXQiOiAibXlzaGFyZWRzZWNyZXQiLAogICJhcHBrZXkiOiAibXlhcHBrZXkiCn0";

    fn sample() -> NetoSecret {
        NetoSecret {
            url: "https://api.netography.com/api/v1".parse().unwrap(),
            shortname: "myshortname".to_owned(),
            appname: "myappname".to_owned(),
            appkey: Secret::new("myappkey".to_owned()),
            sharedsecret: Secret::new("mysharedsecret".to_owned()),
            ignored: Vec::new(),
        }
    }

    fn encode(json: &str) -> String {
        BASE64_STANDARD.encode(json)
    }

    #[test]
    fn the_published_sample_is_read() {
        assert_eq!(NetoSecret::parse(SAMPLE), Ok(sample()));
        assert_eq!(NetoSecret::parse(sample().render().reveal()), Ok(sample()));
    }

    #[test]
    fn r44_every_spelling_of_the_wild_is_read() {
        let wrapped = |end: &str| {
            SAMPLE.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(end)
        };
        for text in [
            format!("{SAMPLE}="),
            format!("\u{feff}{SAMPLE}\r\n"),
            wrapped("\n"),
            wrapped("\r\n") + "\r\n",
            wrapped("\n    "),
            format!("'{SAMPLE}'"),
            format!(" \" {SAMPLE}= \" "),
            format!("\u{201c}{SAMPLE}\u{201d}"),
            format!("NETOSECRET={SAMPLE}"),
            format!("NETOSECRET = '{SAMPLE}='"),
            format!("export NETOSECRET=\"{SAMPLE}\";\n"),
            format!("\"NETOSECRET={SAMPLE}\""),
            format!("$env:NETOSECRET = \"{SAMPLE}\""),
        ] {
            assert_eq!(NetoSecret::parse(&text), Ok(sample()), "{text}");
        }
    }

    #[test]
    fn the_address_is_read_in_every_form() {
        for url in ["https://api.netography.com", "https://api.netography.com/", "https://API.netography.com/api/v1/"] {
            let json = format!(
                r#"{{"url":"{url}","shortname":"myshortname","appname":"myappname","appkey":"myappkey","sharedsecret":"mysharedsecret"}}"#
            );
            assert_eq!(NetoSecret::parse(&encode(&json)), Ok(sample()), "{url}");
        }
    }

    #[test]
    fn r44_each_failure_names_its_step_and_no_value() {
        let field = |name, problem| NetoSecretError::Field(FieldFault { name, problem });
        let with = |name: &str, value: &str| {
            let mut json = serde_json::json!({"url": "https://a.example", "shortname": "s", "appname": "a", "appkey": "canary", "sharedsecret": "canary"});
            json[name] = serde_json::from_str(value).unwrap();
            encode(&json.to_string())
        };
        let number = FieldProblem::Type { wanted: "a text", found: "a number" };
        for (text, wanted) in [
            (String::new(), NetoSecretError::Empty),
            (" \"\" ".to_owned(), NetoSecretError::Empty),
            ("A".repeat(70_000), NetoSecretError::TooLong),
            ("canary canary!".to_owned(), NetoSecretError::Base64),
            (format!("\"{SAMPLE}"), NetoSecretError::Base64),
            (format!("{SAMPLE}=A"), NetoSecretError::Base64),
            (r#"{"url": "https://a.example"}"#.to_owned(), NetoSecretError::Base64),
            (BASE64_STANDARD.encode([0xff, 0xfe]), NetoSecretError::Utf8),
            (encode("canary"), NetoSecretError::Json(JsonFault::Syntax { line: 1, column: 1 })),
            (
                encode(r#"{"appkey":"x","appkey":"y"}"#),
                NetoSecretError::Json(JsonFault::Duplicate("appkey".to_owned())),
            ),
            (encode(&"[".repeat(500)), NetoSecretError::Json(JsonFault::TooDeep)),
            (encode("[]"), NetoSecretError::NotObject { found: "an array" }),
            (encode("{}"), field("url", FieldProblem::Missing)),
            (encode(r#"{"url":"https://a.example"}"#), field("shortname", FieldProblem::Missing)),
            (with("appkey", "5"), field("appkey", number)),
            (with("sharedsecret", r#""""#), field("sharedsecret", FieldProblem::Empty)),
            (with("appname", r#""a\u0007canary""#), field("appname", FieldProblem::Control)),
            (with("shortname", r#""a\ncanary""#), field("shortname", FieldProblem::Control)),
            (
                with("url", r#""http://canary.example""#),
                field("url", FieldProblem::Url(crate::profile::UrlError::Insecure)),
            ),
        ] {
            let error = NetoSecret::parse(&text).unwrap_err();
            assert_eq!(error, wanted, "{text:.60}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn further_fields_leave_only_a_clean_name() {
        let json = r#"{"url":"https://api.netography.com","shortname":"myshortname","appname":"myappname","appkey":"myappkey","sharedsecret":"mysharedsecret","\u001b]0;x":{"deep":["canary"]},"role":"canary"}"#;
        let read = NetoSecret::parse(&encode(json)).unwrap();
        assert_eq!(read.ignored, ["?]0;x", "role"]);
        assert!(!format!("{read:?}").contains("canary"));
    }

    /// How a text may be re-spelled on its way through portals, mails and shells.
    fn respell(text: &str, urlsafe: bool, pad: bool, wrap: usize, end: usize, quote: usize, prefix: usize) -> String {
        let alphabet = if urlsafe { text.replace('+', "-").replace('/', "_") } else { text.to_owned() };
        let padded = if pad { alphabet } else { alphabet.trim_end_matches('=').to_owned() };
        let lines: Vec<&str> = padded.as_bytes().chunks(wrap).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let quote = ["", "'", "\"", "`"][quote];
        let prefix = ["", "NETOSECRET=", "export NETOSECRET=", "  NETOSECRET = ", "$env:NETOSECRET = "][prefix];
        format!("{prefix}{quote}{}{quote}\n", lines.join(["\n", "\r\n", " ", "\t", "\n  "][end]))
    }

    proptest! {
        #[test]
        fn any_credential_comes_back_from_any_spelling(
            names in prop::array::uniform4("[^\\p{Cc}]{1,40}"),
            host in "[a-z]{1,10}\\.example", tail in prop::sample::select(vec!["", "/", "/api/v1", "/api/v1/"]),
            urlsafe: bool, pad: bool, wrap in 1usize..100, end in 0usize..5, quote in 0usize..4, prefix in 0usize..5,
        ) {
            let [shortname, appname, appkey, sharedsecret] = names;
            let url = format!("https://{host}{tail}").parse().unwrap();
            let secret = NetoSecret { url, shortname, appname, appkey: appkey.into(), sharedsecret: sharedsecret.into(), ignored: vec![] };
            let text = respell(secret.render().reveal(), urlsafe, pad, wrap, end, quote, prefix);
            prop_assert_eq!(NetoSecret::parse(&text), Ok(secret));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = NetoSecret::parse(&text);
            let _ = NetoSecret::parse(&BASE64_STANDARD.encode(bytes));
        }
    }
}
