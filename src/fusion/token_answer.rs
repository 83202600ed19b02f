//! Parser for the answer to a login or refresh. Tokens are validated strictly; a lifetime that makes no sense is
//! ignored.

use crate::secret::{Json, JsonError, Secret};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Maximum lifetime that is accepted: a year, in seconds.
const MAX_LIFETIME_SECONDS: u64 = 31_536_000;

/// Tokens that the server granted.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Time just before the request was sent. Lifetimes count from this time, never from a time that the server sends.
    pub obtained_at: Timestamp,
    /// Access token: `[A-Za-z0-9._~+/=-]{1,16384}`.
    pub access: Secret,
    /// Lifetime of the access token in seconds, 1 to 31,536,000; absent if the server sent no valid value.
    pub lifetime: Option<u64>,
    /// Refresh token, if the server sent one.
    pub refresh: Option<RefreshGrant>,
}

/// Refresh token in an answer. The server accepts it once.
#[derive(Debug, Clone)]
pub struct RefreshGrant {
    /// The token, made of the same characters as an access token.
    pub token: Secret,
    /// Lifetime in seconds; absent if the server sent no valid value.
    pub lifetime: Option<u64>,
}

impl Grant {
    /// Parses the body of a 200.
    ///
    /// Every field is optional in the reference, but an answer without `access_token` is an error. Fields that neto
    /// does not use are checked for their syntax only. `Content-Type` is ignored.
    ///
    /// # Errors
    /// Description of the problem, as a sentence about "it" that quotes nothing from the body.
    pub fn parse(body: &[u8], obtained_at: Timestamp) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        let text = non_numbers_to_null(text);
        let fields = AnswerFields::parse(&text)?;
        if fields.text("token_type")?.is_some_and(|kind| !kind.reveal().eq_ignore_ascii_case("bearer")) {
            return Err("its token is not a bearer token");
        }
        let access = fields.token("access_token")?.ok_or("it holds no access token")?;
        let refresh = fields
            .token("refresh_token")?
            .map(|token| RefreshGrant { token, lifetime: fields.lifetime_seconds("refresh_expires_in") });
        Ok(Self { obtained_at, access, lifetime: fields.lifetime_seconds("expires_in"), refresh })
    }
}

/// Fields of the answer.
struct AnswerFields(BTreeMap<String, Json>);

impl AnswerFields {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match Json::parse(text) {
            Ok(Json::Object(fields)) => Ok(Self(fields)),
            Err(JsonError::Duplicate { level: 1, .. }) if text.trim_start().starts_with('{') => {
                Err("it names a field twice")
            }
            Err(JsonError::Duplicate { .. } | JsonError::TooDeep) if text.trim_start().starts_with('{') => {
                Err("it nests too deep or names a field twice")
            }
            _ => Err("it is not one JSON object"),
        }
    }

    /// Returns a string field; absent and `null` are the same.
    fn text(&self, name: &str) -> Result<Option<&Secret>, &'static str> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err("a field is not of the right type"),
        }
    }

    fn token(&self, name: &str) -> Result<Option<Secret>, &'static str> {
        match self.text(name)? {
            Some(token) if !token.is_token() => Err("a token has characters or a length that no token has"),
            token => Ok(token.cloned()),
        }
    }

    /// Returns a lifetime: an integer, an integral float or a string of digits, within bounds. Any other value is
    /// ignored.
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

/// Replaces `NaN`, `Infinity` and numbers that no float can hold with `null`. Python's `json` writes these words, which
/// JSON does not have. A lifetime that is not a number must not invalidate a valid token.
fn non_numbers_to_null(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    let mut replaced = String::new();
    let (mut copied, mut position, mut quoted) = (0, 0, false);
    while let Some(c) = text[position..].chars().next() {
        let rest = &text[position..];
        let word = WORDS.iter().find(|word| !quoted && rest.starts_with(**word)).map(|word| word.len());
        let number = (!quoted && (c == '-' || c.is_ascii_digit())).then(|| number_length(rest));
        let null = word.or(number.filter(|length| is_infinite(&rest[..*length])));
        if let Some(length) = null {
            replaced += &text[copied..position];
            replaced += "null";
            copied = position + length;
        }
        position += match null.or(number) {
            Some(length) => length,
            // An escaped character is skipped together with its backslash, also an escaped quote.
            None if quoted && c == '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            None => c.len_utf8(),
        };
        quoted ^= c == '"';
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    replaced += &text[copied..];
    Cow::Owned(replaced)
}

/// Returns the length of the number at the start of `text`, at least 1.
fn number_length(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    text.find(|c| !is_part(c)).unwrap_or(text.len()).max(1)
}

/// Checks for a JSON number beyond the range of a float.
fn is_infinite(number: &str) -> bool {
    let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(number).is_ok();
    number.parse::<f64>().is_ok_and(f64::is_infinite) && is_json()
}

#[cfg(test)]
mod tests;
