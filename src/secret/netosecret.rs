//! Parses and renders a NETOSECRET: the text in which the Fusion portal provides an API key and the API URL.
//!
//! The published API reference defines the format: base64 of a JSON object with exactly the keys
//! `url`, `shortname`, `appname`, `appkey` and `sharedsecret`. The parser also accepts text as users paste it.

use super::fields::JsonFields;
use super::{Credential, FieldError, Json, JsonError, Secret};
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::Serialize;
use zeroize::{Zeroize as _, Zeroizing};

/// Maximum size of a text that is parsed. A typical NETOSECRET has about 300 bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Assignments that users paste together with the value. Whitespace is removed before the comparison.
const PREFIXES: [&str; 3] = ["exportNETOSECRET=", "$env:NETOSECRET=", "NETOSECRET="];

/// Pairs of quotes that users paste around the value. Word processors and chat programs insert typographic quotes.
const QUOTES: [(char, char); 5] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Contents of a NETOSECRET: the credential of a tenant, and the API URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetoSecret {
    /// URL of the API.
    pub url: ApiUrl,
    /// Shortname of the tenant.
    pub shortname: String,
    /// Name of the API key.
    pub appname: String,
    /// Secret of the API key.
    pub appkey: Secret,
    /// Shared secret of the tenant, which signs the request token.
    pub sharedsecret: Secret,
    /// Sanitized names of unknown fields. Their values are dropped.
    pub ignored: Vec<String>,
}

/// Reasons why a text is not a NETOSECRET, in the order of the parsing steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetoSecretError {
    /// The text contains no value, only whitespace, quotes, semicolons, padding or an assignment.
    #[error("the NETOSECRET is empty")]
    Empty,
    /// The text is longer than 64 KiB.
    #[error("the NETOSECRET is longer than 64 KiB")]
    TooLong,
    /// The value is neither standard nor URL-safe base64, for example because the text is truncated.
    #[error("the NETOSECRET is not base64")]
    Base64,
    /// The decoded bytes are not UTF-8.
    #[error("the NETOSECRET is base64, but not of UTF-8 text")]
    Utf8,
    /// The decoded text is not strict JSON.
    #[error("the NETOSECRET is base64, but not of the right text: {0}")]
    Json(#[from] JsonError),
    /// The JSON value is not an object.
    #[error("the NETOSECRET is base64 of JSON, but of {found}, not of an object")]
    NotObject {
        /// Kind of the JSON value, such as `an array`.
        found: &'static str,
    },
    /// A field is missing or invalid.
    #[error("in the NETOSECRET {0}")]
    Field(#[from] FieldError),
}

/// JSON object of a NETOSECRET. neto writes the fields in this order.
#[derive(Serialize)]
struct NetoSecretJson<'a> {
    url: &'a str,
    shortname: &'a str,
    appname: &'a str,
    appkey: &'a str,
    sharedsecret: &'a str,
}

impl NetoSecret {
    /// Parses a NETOSECRET as users paste it. The text may be wrapped, quoted or preceded by `export NETOSECRET=`. Both
    /// base64 alphabets are accepted, with or without padding.
    ///
    /// # Errors
    /// Returns a [`NetoSecretError`], which identifies the failed step and never contains the value of a field.
    pub fn parse(text: &str) -> Result<Self, NetoSecretError> {
        let json = decode(text)?;
        let json = Json::parse(std::str::from_utf8(&json).map_err(|_| NetoSecretError::Utf8)?)?;
        let found = json.kind();
        let mut fields = JsonFields::from_json(json).ok_or(NetoSecretError::NotObject { found })?;
        Ok(Self {
            url: fields.take_url("url")?,
            shortname: fields.take_text("shortname")?.reveal().to_owned(),
            appname: fields.take_text("appname")?.reveal().to_owned(),
            appkey: fields.take_text("appkey")?,
            sharedsecret: fields.take_text("sharedsecret")?,
            ignored: fields.remaining_names(),
        })
    }

    /// Parses a NETOSECRET from a [`Secret`].
    ///
    /// # Errors
    /// Fails with the same errors as [`parse`](Self::parse).
    pub(super) fn from_secret(text: &Secret) -> Result<Self, NetoSecretError> {
        Self::parse(text.reveal())
    }

    /// Returns the canonical text: standard base64 with padding. The URL in the JSON ends with `/api/v1`.
    #[must_use]
    pub fn render(&self) -> Secret {
        let object = NetoSecretJson {
            url: &self.url.with_version(),
            shortname: &self.shortname,
            appname: &self.appname,
            appkey: self.appkey.reveal(),
            sharedsecret: self.sharedsecret.reveal(),
        };
        // Serializing five strings into a vector never fails, so the default is never used.
        let json = Zeroizing::new(serde_json::to_vec(&object).unwrap_or_default());
        Secret::new(BASE64_STANDARD.encode(&json))
    }

    /// Returns the appkey and the shared secret as a credential.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::ApiKey { appkey: self.appkey.clone(), sharedsecret: self.sharedsecret.clone() }
    }
}

/// Removes everything that users paste around the value, and decodes the base64 value.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, NetoSecretError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(NetoSecretError::TooLong);
    }
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}')));
    let value = strip_wrapping(&compact);
    if value.is_empty() {
        return Err(NetoSecretError::Empty);
    }
    let to_standard = |c| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let mut standard_base64 = Zeroizing::new(String::with_capacity(value.len()));
    standard_base64.extend(value.chars().map(to_standard));
    let mut bytes = Zeroizing::new(Vec::with_capacity(standard_base64.len()));
    if BASE64_STANDARD_NO_PAD.decode_vec(standard_base64.as_str(), &mut bytes).is_err() {
        bytes.zeroize();
        return Err(NetoSecretError::Base64);
    }
    Ok(bytes)
}

/// Strips semicolons, quotes, an assignment and padding. No value is mistaken for an assignment, because base64
/// contains `=` only at the end.
fn strip_wrapping(text: &str) -> &str {
    let unquoted = unquote(text);
    let value = PREFIXES.iter().find_map(|prefix| unquoted.strip_prefix(prefix)).unwrap_or(unquoted);
    unquote(value).trim_end_matches('=')
}

/// Strips trailing semicolons and one pair of quotes.
fn unquote(text: &str) -> &str {
    let text = text.trim_end_matches(';');
    let strip_pair = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().find_map(strip_pair).unwrap_or(text)
}

#[cfg(test)]
mod tests;
