//! NETOSECRET: an API key and its API URL in one text, as the portal shows them.
//!
//! The published API reference defines the format: base64 of a JSON object with exactly the keys
//! `url`, `shortname`, `appname`, `appkey` and `sharedsecret`. Common variants of the text are accepted too.

use super::fields::JsonFields;
use super::{Credential, FieldFault, Json, JsonError, Secret};
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::Serialize;
use zeroize::{Zeroize as _, Zeroizing};

/// Largest text that is parsed, in bytes; a typical NETOSECRET has about 300 bytes.
const MAX_LEN: usize = 64 * 1024;

/// Assignments that users paste before the value, without whitespace.
const PREFIXES: [&str; 3] = ["exportNETOSECRET=", "$env:NETOSECRET=", "NETOSECRET="];

/// Quotes that users paste around the value: typed quotes, and typographic quotes from word processors and chats.
const QUOTES: [(char, char); 5] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Credential of a tenant with its API URL.
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
    /// Sanitized names of unknown fields; their values are dropped.
    pub ignored: Vec<String>,
}

/// Reasons why a text is not a NETOSECRET, by parsing step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetoSecretError {
    /// The text has only whitespace and quotes.
    #[error("the NETOSECRET is empty")]
    Empty,
    /// The text is longer than 64 KiB.
    #[error("the NETOSECRET is longer than 64 KiB")]
    TooLong,
    /// The text is not base64 in either alphabet. A text truncated within a group of four characters counts too.
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
        /// Kind of the JSON value.
        found: &'static str,
    },
    /// A field is missing or invalid.
    #[error("in the NETOSECRET {0}")]
    Field(#[from] FieldFault),
}

/// JSON object of a NETOSECRET, with the fields in the order that neto writes.
#[derive(Serialize)]
struct NetoSecretJson<'a> {
    url: &'a str,
    shortname: &'a str,
    appname: &'a str,
    appkey: &'a str,
    sharedsecret: &'a str,
}

impl NetoSecret {
    /// Parses a pasted text in any variant: wrapped, with whitespace, quoted, after
    /// `export NETOSECRET=`, in either base64 alphabet, padded or not.
    ///
    /// # Errors
    /// [`NetoSecretError`], which names the failed step and never contains a value.
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

    /// Parses a NETOSECRET that is held as a [`Secret`].
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(super) fn from_secret(text: &Secret) -> Result<Self, NetoSecretError> {
        Self::parse(text.reveal())
    }

    /// Returns the canonical text: standard base64 with padding, and the URL with `/api/v1`.
    #[must_use]
    pub fn render(&self) -> Secret {
        let wire = NetoSecretJson {
            url: &self.url.with_version(),
            shortname: &self.shortname,
            appname: &self.appname,
            appkey: self.appkey.reveal(),
            sharedsecret: self.sharedsecret.reveal(),
        };
        // Serializing five strings into a vector cannot fail.
        let json = Zeroizing::new(serde_json::to_vec(&wire).unwrap_or_default());
        Secret::new(BASE64_STANDARD.encode(&json))
    }

    /// Returns the two secrets as a credential.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential::ApiKey { appkey: self.appkey.clone(), sharedsecret: self.sharedsecret.clone() }
    }
}

/// Decodes a pasted text to the bytes of the JSON object.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, NetoSecretError> {
    if text.len() > MAX_LEN {
        return Err(NetoSecretError::TooLong);
    }
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}')));
    let bare = strip_wrapping(&compact);
    if bare.is_empty() {
        return Err(NetoSecretError::Empty);
    }
    let to_standard = |c| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let mut digits = Zeroizing::new(String::with_capacity(bare.len()));
    digits.extend(bare.chars().map(to_standard));
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len()));
    if BASE64_STANDARD_NO_PAD.decode_vec(digits.as_str(), &mut bytes).is_err() {
        bytes.zeroize();
        return Err(NetoSecretError::Base64);
    }
    Ok(bytes)
}

/// Strips quotes, assignment and padding. A base64 value cannot start with an assignment: a value has `=` only at its
/// end, as padding.
fn strip_wrapping(text: &str) -> &str {
    let unquoted = unquote(text);
    let value = PREFIXES.iter().find_map(|prefix| unquoted.strip_prefix(prefix)).unwrap_or(unquoted);
    unquote(value).trim_end_matches('=')
}

fn unquote(text: &str) -> &str {
    let text = text.trim_end_matches(';');
    let inner = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().find_map(inner).unwrap_or(text)
}

#[cfg(test)]
mod tests;
