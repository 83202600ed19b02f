//! Parses the response to a login or refresh.
//!
//! Tokens are validated strictly. An invalid lifetime is ignored, because a wrong lifetime must not make a valid token
//! unusable.

use crate::secret::{Json, JsonError, Secret};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Maximum accepted lifetime of a token: a year.
const MAX_LIFETIME_SECONDS: u64 = 31_536_000;

/// Tokens that the server granted.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Time just before the request was sent. Lifetimes count from this time, not from a time sent by the server.
    pub obtained_at: Timestamp,
    /// Access token: `[A-Za-z0-9._~+/=-]{1,16384}`.
    pub access: Secret,
    /// Lifetime of the access token in seconds, 1 to 31,536,000; absent if the response has no valid value.
    pub lifetime: Option<u64>,
    /// Refresh token; absent if the response has none.
    pub refresh: Option<RefreshGrant>,
}

/// Refresh token from a response. The server accepts a refresh token only once.
#[derive(Debug, Clone)]
pub struct RefreshGrant {
    /// The token, in the same format as an access token.
    pub token: Secret,
    /// Lifetime in seconds, with the same limits as for an access token; absent if the response has no valid value.
    pub lifetime: Option<u64>,
}

impl Grant {
    /// Parses the body of a 200. `obtained_at` is the time just before the request was sent.
    ///
    /// Every field is optional in the reference, but a response without `access_token` is an error. Fields that neto
    /// does not use are checked only for JSON syntax and duplicate keys.
    ///
    /// # Errors
    /// Returns a description of the problem. The description calls the response "it" and quotes nothing from the body.
    pub fn parse(body: &[u8], obtained_at: Timestamp) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        let json = replace_refused_values(text);
        let fields = ResponseFields::parse(&json)?;
        if fields.string("token_type")?.is_some_and(|token_type| !token_type.reveal().eq_ignore_ascii_case("bearer")) {
            return Err("its token is not a bearer token");
        }
        let access = fields.token("access_token")?.ok_or("it holds no access token")?;
        let refresh = fields
            .token("refresh_token")?
            .map(|token| RefreshGrant { token, lifetime: fields.lifetime_seconds("refresh_expires_in") });
        Ok(Self { obtained_at, access, lifetime: fields.lifetime_seconds("expires_in"), refresh })
    }
}

/// Fields of the response's JSON object.
struct ResponseFields(BTreeMap<String, Json>);

impl ResponseFields {
    fn parse(json: &str) -> Result<Self, &'static str> {
        let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
        match Json::parse(json) {
            Ok(Json::Object(fields)) => Ok(Self(fields)),
            Err(error) if is_json && json.trim_start().starts_with('{') => Err(match error {
                JsonError::DuplicateKey { level: 1, .. } => "it names a field twice",
                _ => "it nests too deep or names a field twice",
            }),
            _ => Err("it is not one JSON object"),
        }
    }

    /// Returns a string field, or `None` if the field is absent or `null`.
    fn string(&self, name: &str) -> Result<Option<&Secret>, &'static str> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err("a field is not of the right type"),
        }
    }

    /// Returns a field with a token, or `None` if the field is absent or `null`.
    fn token(&self, name: &str) -> Result<Option<Secret>, &'static str> {
        match self.string(name)? {
            Some(token) if !token.is_token() => Err("a token has characters or a length that no token has"),
            token => Ok(token.cloned()),
        }
    }

    /// Returns a lifetime from an integer, a float without a fraction or a string of digits. Returns `None` for any
    /// other value, and for a lifetime of less than 1 s or more than a year.
    fn lifetime_seconds(&self, name: &str) -> Option<u64> {
        let seconds = match self.0.get(name)? {
            Json::Integer(seconds) => u64::try_from(*seconds).ok()?,
            Json::Float(seconds) => integer_from_float(*seconds)?,
            Json::Text(digits) if digits.reveal().bytes().all(|b| b.is_ascii_digit()) => {
                digits.reveal().parse().ok()?
            }
            _ => return None,
        };
        (1..=MAX_LIFETIME_SECONDS).contains(&seconds).then_some(seconds)
    }
}

fn integer_from_float(number: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounds and fraction are checked before"
    )]
    (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as u64)
}

/// Replaces values that some servers write but a strict parser refuses: `NaN`, `Infinity`, `-Infinity` and numbers
/// beyond the range of `f64` become `null`. An unpaired surrogate escape in a string becomes U+FFFD.
///
/// Without the replacement, an invalid value in any field would make the whole response unusable.
fn replace_refused_values(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let (mut copied, mut position, mut in_string) = (0, 0, false);
    while position < text.len() {
        let rest = &text[position..];
        let (length, replacement) = if in_string { string_piece(rest) } else { value_piece(rest) };
        if let Some(replacement) = replacement {
            replaced += &text[copied..position];
            replaced += replacement;
            copied = position + length;
        }
        in_string ^= rest.starts_with('"');
        position += length;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    replaced += &text[copied..];
    Cow::Owned(replaced)
}

/// Returns the length of the first piece of `text`, for `text` outside a JSON string. Also returns a replacement if a
/// strict parser refuses the piece.
fn value_piece(text: &str) -> (usize, Option<&'static str>) {
    const NON_NUMBERS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if let Some(word) = NON_NUMBERS.iter().find(|word| text.starts_with(**word)) {
        return (word.len(), Some("null"));
    }
    if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        let length = number_length(text);
        return (length, overflows_f64(&text[..length]).then_some("null"));
    }
    (text.chars().next().map_or(0, char::len_utf8), None)
}

/// Returns the length of the first character or escape of `text`, for `text` inside a JSON string. Also returns a
/// replacement for an unpaired surrogate.
fn string_piece(text: &str) -> (usize, Option<&'static str>) {
    let code_unit = |start: usize| {
        let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (code_unit(0), code_unit(6)) {
        (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, None),
        (Some(0xd800..0xe000), _) => (6, Some("\\ufffd")),
        // The escaped character is skipped with its backslash, so that an escaped quote does not end the string.
        _ if text.starts_with('\\') => (1 + text[1..].chars().next().map_or(0, char::len_utf8), None),
        _ => (text.chars().next().map_or(0, char::len_utf8), None),
    }
}

/// Returns the length of the number at the start of `text`, at least 1.
fn number_length(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    text.find(|c| !is_part(c)).unwrap_or(text.len()).max(1)
}

/// Returns true for a valid JSON number beyond the range of `f64`.
fn overflows_f64(number: &str) -> bool {
    let is_json = || serde_json::from_str::<IgnoredAny>(number).is_ok();
    number.parse::<f64>().is_ok_and(f64::is_infinite) && is_json()
}

#[cfg(test)]
mod tests;
