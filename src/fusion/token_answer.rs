//! What is believed of an answer: strict where a token is concerned, forgiving where only a length of
//! time is.

use super::redact::is_token_character;
use crate::secret::Secret;
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The longest token, in bytes.
const LONGEST_TOKEN: usize = 16_384;
/// The longest lifetime that is believed: a year, in seconds.
const LONGEST_LIFE: u64 = 31_536_000;
/// The deepest nesting that is read.
const DEEPEST: usize = 64;

const NOT_JSON: &str = "it is not one JSON object";

/// What the server granted.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The instant before the request was sent: lifetimes are counted from here, never from a time
    /// that the server names.
    pub obtained_at: Timestamp,
    /// The bearer token: `[A-Za-z0-9._~+/=-]{1,16384}`.
    pub access: Secret,
    /// Its lifetime in seconds, 1 to 31,536,000; absent where the server gave no sensible one.
    pub lifetime: Option<u64>,
    /// The refresh token, where there is one.
    pub refresh: Option<Refresh>,
}

/// A refresh token. It works once.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The token, of the same characters as the bearer token.
    pub token: Secret,
    /// Its lifetime in seconds; absent where the server gave no sensible one.
    pub lifetime: Option<u64>,
}

impl Grant {
    /// Reads the body of a 200; the error says what is wrong with it, in words without its content.
    ///
    /// Every field is optional in the reference, but without `access_token` there is nothing to use.
    /// Fields that neto does not use are checked for form alone, `Content-Type` not at all.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about "it".
    pub fn parse(body: &[u8], obtained_at: Timestamp) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        let text = without_non_numbers(text);
        let fields = Fields::parse(&text)?;
        if fields.text("token_type")?.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("its token is not a bearer token");
        }
        let access = fields.token("access_token")?.ok_or("it holds no access token")?;
        let refresh = fields
            .token("refresh_token")?
            .map(|token| Refresh { token, lifetime: fields.seconds("refresh_expires_in") });
        Ok(Self { obtained_at, access, lifetime: fields.seconds("expires_in"), refresh })
    }
}

/// The fields of the answer, each still as it was written: a number no machine can hold must not
/// spoil a good token.
struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields = reader.deserialize_map(FieldsVisitor).map_err(|error| {
            // serde's texts quote what was read; ours are told apart by their category alone.
            if error.is_data() && text.trim_start().starts_with('{') { "it names a field twice" } else { NOT_JSON }
        })?;
        reader.end().map_err(|_| NOT_JSON)?;
        for value in fields.0.values().filter(|value| value.get().starts_with(['{', '['])) {
            let mut reader = serde_json::Deserializer::from_str(value.get());
            Form { depth: 2 }.deserialize(&mut reader).map_err(|_| "it nests too deep or names a field twice")?;
        }
        Ok(fields)
    }

    /// A text; absent and `null` are one.
    fn text(&self, name: &str) -> Result<Option<String>, &'static str> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => serde_json::from_str(value.get()).map_err(|_| "a field is not of the right type"),
        }
    }

    fn token(&self, name: &str) -> Result<Option<Secret>, &'static str> {
        let Some(token) = self.text(name)?.map(Secret::new) else { return Ok(None) };
        let fits = (1..=LONGEST_TOKEN).contains(&token.reveal().len());
        if fits && token.reveal().chars().all(is_token_character) {
            Ok(Some(token))
        } else {
            Err("a token has characters or a length that no token has")
        }
    }

    /// A lifetime: an integer, an integral float or a text of digits, in bounds; everything else is none.
    fn seconds(&self, name: &str) -> Option<u64> {
        let written = self.0.get(name)?.get();
        let seconds = match serde_json::from_str::<String>(written) {
            Ok(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Ok(_) => return None,
            Err(_) => written.parse().ok().or_else(|| integral(written.parse().ok()?))?,
        };
        (1..=LONGEST_LIFE).contains(&seconds).then_some(seconds)
    }
}

fn integral(number: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounds and fraction are checked before"
    )]
    (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as u64)
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate"));
            }
        }
        Ok(Fields(fields))
    }
}

/// Checks a value that is not used: no field twice, not too deep.
#[derive(Clone, Copy)]
struct Form {
    depth: usize,
}

impl Form {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Form {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // By its first character, so that a scalar is passed over and not turned into a number.
        let value = <&'de RawValue as serde::Deserialize>::deserialize(deserializer)?;
        let mut reader = serde_json::Deserializer::from_str(value.get());
        let checked = match value.get().as_bytes().first() {
            Some(b'{' | b'[') if self.depth > DEEPEST => return Err(D::Error::custom("too deep")),
            Some(b'{') => reader.deserialize_map(self),
            Some(b'[') => reader.deserialize_seq(self),
            _ => Ok(()),
        };
        checked.map_err(|_| D::Error::custom("form"))
    }
}

impl<'de> Visitor<'de> for Form {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("duplicate"));
            }
            map.next_value_seed(self.inner())?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }
}

/// With `null` for `NaN` and `Infinity`, which Python's `json` writes though JSON has no such words: a
/// lifetime that is no number must not spoil a good token.
fn without_non_numbers(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|word| !quoted && rest.starts_with(**word));
        let taken = match (word, c) {
            (Some(word), _) => word.len(),
            // What is escaped is passed over with its backslash, an escaped quote too.
            (None, '\\') if quoted => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, _) => c.len_utf8(),
        };
        quoted ^= c == '"';
        mended.push_str(if word.is_some() { "null" } else { &rest[..taken] });
        rest = &rest[taken..];
    }
    Cow::Owned(mended)
}

#[cfg(test)]
#[path = "token_answer_tests.rs"]
mod tests;
