//! JSON read strictly: no key twice in an object, at most 64 levels deep, texts kept as secrets.
//!
//! serde's own errors quote the value they stumbled over; a fault here holds a place or a key.

use super::Secret;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// How many objects and arrays may lie in one another.
const DEEPEST: usize = 64;

/// A JSON value. Every text in it is taken for a secret, as most of what is read here is.
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

/// Why a text is no strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON; the place counts from 1, in bytes within the line.
    #[error("not JSON (line {line}, column {column})")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in bytes.
        column: usize,
    },
    /// One key twice in one object; which value holds would be a guess. The key is cleaned.
    #[error("JSON with the key '{0}' twice")]
    Duplicate(String),
    /// More than 64 levels.
    #[error("JSON nested more than 64 levels deep")]
    TooDeep,
}

impl Json {
    /// Reads one JSON document.
    ///
    /// # Errors
    /// [`JsonFault`], which never holds a value.
    pub fn parse(text: &str) -> Result<Self, JsonFault> {
        let fault = RefCell::new(None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Level { depth: 0, fault: &fault }.deserialize(&mut reader);
        value
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| fault.take().unwrap_or(JsonFault::Syntax { line: error.line(), column: error.column() }))
    }

    /// What kind of value this is, as a message says it.
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

/// A name from foreign JSON as it may be shown: control and invisible characters as `?`, at most 64 characters.
pub(super) fn clean_name(name: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    name.chars().take(64).map(|c| if hidden(c) { '?' } else { c }).collect()
}

/// What reads one value: how deep it lies, and where to say what serde's error cannot.
#[derive(Clone, Copy)]
struct Level<'a> {
    depth: usize,
    fault: &'a RefCell<Option<JsonFault>>,
}

impl Level<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonFault) -> E {
        self.fault.replace(Some(fault));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            Err(self.refuse(JsonFault::TooDeep))
        } else {
            Ok(Self { depth: self.depth + 1, ..self })
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
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
        let level = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(level)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let level = self.deeper()?;
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.refuse(JsonFault::Duplicate(clean_name(&key))));
            }
            object.insert(key, entries.next_value_seed(level)?);
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
            ("", JsonFault::Syntax { line: 1, column: 0 }),
            ("{} x", JsonFault::Syntax { line: 1, column: 4 }),
            ("{\n 'canary'", JsonFault::Syntax { line: 2, column: 2 }),
            (r#"{"a": 1, "\u0061": 2}"#, JsonFault::Duplicate("a".to_owned())),
            (r#"[{"\u001b[2J": 1, "\u001b[2J": 2}]"#, JsonFault::Duplicate("?[2J".to_owned())),
            (nested(65).as_str(), JsonFault::TooDeep),
            (nested(100_000).as_str(), JsonFault::TooDeep),
        ] {
            assert_eq!(Json::parse(text), Err(fault), "{text:.40}");
        }
    }
}
