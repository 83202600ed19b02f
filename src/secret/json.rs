//! Strict JSON parser for text that may contain secrets. Rejects duplicate keys and more than 64 levels of nesting.
//!
//! Error messages of serde may quote an invalid value, which may be a secret. A [`JsonError`] never contains a value.

use super::Secret;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// Maximum nesting of objects and arrays.
const MAX_DEPTH: usize = 64;

/// JSON value. Every string value is a [`Secret`], because most of the JSON that is parsed contains secrets. Object
/// keys are ordinary strings.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Integer from -2^63 to 2^64 - 1, written without a fraction or an exponent.
    Integer(i128),
    /// Any other finite number, including `-0`. An infinite number is a syntax error.
    Float(f64),
    /// String value.
    Text(Secret),
    /// Array.
    Array(Vec<Json>),
    /// Object.
    Object(BTreeMap<String, Json>),
}

/// Reasons why a text is not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not one JSON document.
    #[error("not JSON (line {line}, column {column})")]
    Syntax {
        /// Line number, starting at 1.
        line: usize,
        /// Column in bytes, starting at 1; 0 if the error is before the first byte of the line.
        column: usize,
    },
    /// An object contains the same key twice. neto never guesses which of the two values is meant.
    #[error("JSON with the key '{key}' twice")]
    DuplicateKey {
        /// Duplicate key, sanitized.
        key: String,
        /// Nesting level of the object; 1 for the outermost object or array.
        level: usize,
    },
    /// Objects and arrays are nested more than 64 levels deep.
    #[error("JSON nested more than 64 levels deep")]
    TooDeep,
}

impl Json {
    /// Parses one JSON document.
    ///
    /// # Errors
    /// Returns a [`JsonError`], which never contains a value.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let strict_error = RefCell::new(None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = StrictVisitor { depth: 0, error: &strict_error }.deserialize(&mut reader);
        value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
            strict_error.take().unwrap_or(JsonError::Syntax { line: error.line(), column: error.column() })
        })
    }

    /// Returns a name for the kind of the value, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Sanitizes an object key from untrusted JSON for display. Keeps at most 64 characters, and replaces control
/// characters and invisible characters with `?`.
pub(super) fn sanitize_name(name: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    name.chars().take(64).map(|c| if is_unsafe(c) { '?' } else { c }).collect()
}

/// Deserializer of one JSON value inside `depth` objects and arrays. `error` receives the [`JsonError`], because
/// serde's error type carries only a message.
#[derive(Clone, Copy)]
struct StrictVisitor<'a> {
    depth: usize,
    error: &'a RefCell<Option<JsonError>>,
}

impl StrictVisitor<'_> {
    /// Stores `error` and returns a serde error, which stops the parser.
    fn record_error<E: serde::de::Error>(self, error: JsonError) -> E {
        self.error.replace(Some(error));
        E::custom("refused")
    }

    /// Returns the deserializer for the items of an object or array.
    fn enter_nested<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            Err(self.record_error(JsonError::TooDeep))
        } else {
            Ok(Self { depth: self.depth + 1, ..self })
        }
    }
}

impl<'de> DeserializeSeed<'de> for StrictVisitor<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let visitor = self.enter_nested()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(visitor)? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let visitor = self.enter_nested()?;
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(
                    self.record_error(JsonError::DuplicateKey { key: sanitize_name(&key), level: visitor.depth })
                );
            }
            object.insert(key, entries.next_value_seed(visitor)?);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_parsed() {
        let text = r#" {"a": [1, -2, 3.5, null, true, "x\n"], "b": {}} "#;
        let list = vec![
            Json::Integer(1),
            Json::Integer(-2),
            Json::Float(3.5),
            Json::Null,
            Json::Bool(true),
            Json::Text(Secret::new("x\n".to_owned())),
        ];
        let object =
            BTreeMap::from([("a".to_owned(), Json::Array(list)), ("b".to_owned(), Json::Object(BTreeMap::new()))]);
        assert_eq!(Json::parse(text), Ok(Json::Object(object)));
    }

    #[test]
    fn errors_give_a_position_or_a_key() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(64)).is_ok());
        for (text, fault) in [
            ("", JsonError::Syntax { line: 1, column: 0 }),
            ("{} x", JsonError::Syntax { line: 1, column: 4 }),
            ("{\n 'canary'", JsonError::Syntax { line: 2, column: 2 }),
            (r#"{"a": 1, "\u0061": 2}"#, JsonError::DuplicateKey { key: "a".to_owned(), level: 1 }),
            (r#"[{"\u001b[2J": 1, "\u001b[2J": 2}]"#, JsonError::DuplicateKey { key: "?[2J".to_owned(), level: 2 }),
            (nested(65).as_str(), JsonError::TooDeep),
            (nested(100_000).as_str(), JsonError::TooDeep),
        ] {
            assert_eq!(Json::parse(text), Err(fault), "{text:.40}");
        }
    }
}
