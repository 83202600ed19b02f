//! Strict JSON parser: no duplicate keys in an object, at most 64 levels of nesting, strings kept as secrets.
//!
//! serde's own errors quote the invalid value. A [`JsonError`] contains only a position or a key.

use super::Secret;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// Maximum nesting of objects and arrays.
const MAX_DEPTH: usize = 64;

/// JSON value. Every string is kept as a [`Secret`], because most of the JSON parsed here contains secrets.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number written without fraction and exponent.
    Integer(i128),
    /// Any other number; finite.
    Float(f64),
    /// A string.
    Text(Secret),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

/// Reason why a text is not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON (line {line}, column {column})")]
    Syntax {
        /// Line number, from 1.
        line: usize,
        /// Column, from 1, in bytes.
        column: usize,
    },
    /// Duplicate key in an object. Choosing one of its values would be a guess.
    #[error("JSON with the key '{key}' twice")]
    Duplicate {
        /// The key, sanitized.
        key: String,
        /// Nesting level of the object; 1 for the outermost.
        level: usize,
    },
    /// More than 64 levels.
    #[error("JSON nested more than 64 levels deep")]
    TooDeep,
}

impl Json {
    /// Parses one JSON document.
    ///
    /// # Errors
    /// [`JsonError`], which never contains a value.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let strict_error = RefCell::new(None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = StrictVisitor { depth: 0, error: &strict_error }.deserialize(&mut reader);
        value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
            strict_error.take().unwrap_or(JsonError::Syntax { line: error.line(), column: error.column() })
        })
    }

    /// Returns the kind of the value, as used in messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Sanitizes a name from foreign JSON for display. Control and invisible characters become `?`; at most 64 characters
/// are kept.
pub(super) fn sanitize_name(name: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    name.chars().take(64).map(|c| if is_unsafe(c) { '?' } else { c }).collect()
}

/// Deserializer of one value. `error` receives the [`JsonError`] that serde's own error type cannot carry.
#[derive(Clone, Copy)]
struct StrictVisitor<'a> {
    depth: usize,
    error: &'a RefCell<Option<JsonError>>,
}

impl StrictVisitor<'_> {
    fn fail<E: serde::de::Error>(self, error: JsonError) -> E {
        self.error.replace(Some(error));
        E::custom("refused")
    }

    fn nested<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            Err(self.fail(JsonError::TooDeep))
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
        Ok(Json::Flag(flag))
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
        let visitor = self.nested()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(visitor)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let visitor = self.nested()?;
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.fail(JsonError::Duplicate { key: sanitize_name(&key), level: visitor.depth }));
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
    fn a_document_is_read_whole() {
        let text = r#" {"a": [1, -2, 3.5, null, true, "x\n"], "b": {}} "#;
        let list = vec![
            Json::Integer(1),
            Json::Integer(-2),
            Json::Float(3.5),
            Json::Null,
            Json::Flag(true),
            Json::Text(Secret::new("x\n".to_owned())),
        ];
        let object =
            BTreeMap::from([("a".to_owned(), Json::List(list)), ("b".to_owned(), Json::Object(BTreeMap::new()))]);
        assert_eq!(Json::parse(text), Ok(Json::Object(object)));
    }

    #[test]
    fn faults_hold_a_place_or_a_key() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(64)).is_ok());
        for (text, fault) in [
            ("", JsonError::Syntax { line: 1, column: 0 }),
            ("{} x", JsonError::Syntax { line: 1, column: 4 }),
            ("{\n 'canary'", JsonError::Syntax { line: 2, column: 2 }),
            (r#"{"a": 1, "\u0061": 2}"#, JsonError::Duplicate { key: "a".to_owned(), level: 1 }),
            (r#"[{"\u001b[2J": 1, "\u001b[2J": 2}]"#, JsonError::Duplicate { key: "?[2J".to_owned(), level: 2 }),
            (nested(65).as_str(), JsonError::TooDeep),
            (nested(100_000).as_str(), JsonError::TooDeep),
        ] {
            assert_eq!(Json::parse(text), Err(fault), "{text:.40}");
        }
    }
}
