//! The format as a JSON Schema, for editors and for those who write stores with other programs.
//!
//! Of draft 7: taplo, which most editors check TOML with, knows no later one. Patterns have no look-around, because some
//! of the engines that they meet have none. A schema sees one file: whether a recipient is declared, a key is a key and
//! a date is no text is said by neto alone.

use super::{API_KEY, Form, Key, PERSON, TOP, Takes};
use crate::profile::ClearKey;
use crate::profile::name::{DEVICE_PATTERN, NAME_PATTERN};
use crate::profile::parse::{VARIABLE_PATTERN, forbidden_variable_pattern};
use crate::profile::span::SPAN_PATTERN;
use crate::profile::url::URL_PATTERN;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What is sent as one word: no control characters.
const WORD_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
/// What a process can be given.
const NO_NUL_PATTERN: &str = r"^[^\x00]*$";
/// On Unix, or on Windows with a drive or a share.
const ABSOLUTE_PATTERN: &str = r"^(/|[A-Za-z]:[/\\]|\\\\)";
const HEX_PATTERN: &str = "^[0-9a-f]{16}$";
/// A public key of age, as far as the parser looks at it.
const RECIPIENT_PATTERN: &str = "^age1[!-~]*$";

/// A JSON value whose keys stay in their order.
enum Json {
    Plain(Value),
    List(Vec<Json>),
    Object(Object),
}

/// An object of the schema, keyword by keyword.
struct Object(Vec<(&'static str, Json)>);

/// The JSON Schema of `profiles.toml`, indented, with a line end.
#[must_use]
pub fn schema() -> String {
    let definitions = object([
        ("profileName", name(&[DEVICE_PATTERN, "^env$"])),
        ("recipientName", name(&[DEVICE_PATTERN])),
        ("variable", text(VARIABLE_PATTERN).with("not", object([("pattern", forbidden_variable_pattern())]))),
    ]);
    let schema = object([("$schema", "http://json-schema.org/draft-07/schema#"), ("title", "neto: profiles.toml")])
        .with("description", TOP.says)
        .join(table(&TOP))
        .join(url_somewhere())
        .with("definitions", definitions);
    // Nothing in it fails to be written.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// A table of fixed keys.
fn table(form: &Form) -> Object {
    let needed = form.keys().filter(|key| key.needed).map(|key| key.name);
    let properties = Object(form.keys().map(|key| (key.name, described(key).into())).collect());
    object([("type", "object")]).requiring(needed).with("properties", properties).with("additionalProperties", false)
}

/// What a key takes, with the words for it.
fn described(key: &Key) -> Object {
    let mut described = object([("title", key.takes.words()), ("description", key.says)]).join(value(key.takes));
    if let Some(usual) = key.usual {
        described = described.with("default", literal(usual));
    }
    if !key.examples.is_empty() {
        described = described.with("examples", Json::List(key.examples.iter().map(|text| literal(text)).collect()));
    }
    described
}

fn value(takes: Takes) -> Object {
    match takes {
        Takes::Version => object([("type", "integer")]).with("const", 1),
        Takes::Flag => object([("type", "boolean")]),
        Takes::Text => object([("type", "string")]),
        Takes::Word => text(WORD_PATTERN),
        Takes::Texts => array(object([("type", "string")])),
        Takes::Span => text(SPAN_PATTERN),
        Takes::Url => text(URL_PATTERN),
        Takes::AbsolutePath => text(ABSOLUTE_PATTERN),
        Takes::Hex => text(HEX_PATTERN),
        Takes::Date => object([("type", "string"), ("format", "date")]),
        Takes::Variable => text(VARIABLE_PATTERN),
        Takes::Command => array(text(NO_NUL_PATTERN)).with("minItems", 1),
        Takes::RecipientNames => array(reference("recipientName")).with("minItems", 1),
        Takes::Env => named("variable", text(NO_NUL_PATTERN)),
        Takes::Recipients => named("recipientName", text(RECIPIENT_PATTERN)),
        Takes::Profiles(form) => named("profileName", profile(form)),
        Takes::Secret(source) => object([("oneOf", Json::List(vec![sealed_text().into(), one_of(source).into()]))]),
        Takes::Table(form) => table(form),
    }
}

/// One profile: an API key or a person, and what has to stand beside a sealed text.
fn profile(form: &Form) -> Object {
    let none_of_an_api_key = || open([]).with("properties", Object(API_KEY.map(|key| (key, false.into())).into()));
    let is_sealed = open(["secret"])
        .with("properties", object([("secret", object([("type", "string")]))]))
        .with("not", any_of(ClearKey::ALL.map(|key| open([key.key()]))));
    let is_bound = open(["sealed"]).join(any_of([open(["username"]), open(["shortname", "appname"])]));
    object([("description", form.says)])
        .join(table(form))
        .with("dependencies", Object(PERSON.map(|key| (key, none_of_an_api_key().into())).into()))
        .with("if", is_sealed)
        .with("then", is_bound)
}

/// Without an address in `[defaults]` each profile has its own, or a NETOSECRET in clear that holds it.
fn url_somewhere() -> Object {
    let in_defaults = open(["defaults"]).with("properties", object([("defaults", open(["url"]))]));
    let each = any_of([open(["url"]), open(["netosecret"])]);
    let in_profiles = object([("additionalProperties", each)]);
    object([("if", object([("not", in_defaults)]))])
        .with("then", open([]).with("properties", object([("profiles", in_profiles)])))
}

/// A table that has these keys, whatever else it has. tombi takes a condition that does not say so for a whole table.
fn open<const N: usize>(keys: [&'static str; N]) -> Object {
    object([("additionalProperties", true)]).requiring(keys)
}

fn sealed_text() -> Object {
    object([("title", "a sealed text"), ("type", "string")]).with("minLength", 1)
}

/// A table with exactly one of its keys.
fn one_of(form: &Form) -> Object {
    object([("title", "a source"), ("description", form.says)])
        .join(table(form))
        .with("minProperties", 1)
        .with("maxProperties", 1)
}

fn name(not: &[&'static str]) -> Object {
    text(NAME_PATTERN).with("not", any_of(not.iter().map(|pattern| object([("pattern", *pattern)]))))
}

fn text(pattern: &'static str) -> Object {
    object([("type", "string"), ("pattern", pattern)])
}

fn array(items: Object) -> Object {
    object([("type", "array")]).with("items", items)
}

/// A table whose names are `names` of the definitions.
fn named(names: &str, values: Object) -> Object {
    object([("type", "object")]).with("propertyNames", reference(names)).with("additionalProperties", values)
}

fn reference(definition: &str) -> Object {
    object([("$ref", format!("#/definitions/{definition}"))])
}

fn any_of(schemas: impl IntoIterator<Item = Object>) -> Object {
    object([("anyOf", Json::List(schemas.into_iter().map(Json::Object).collect()))])
}

/// What is written alike in TOML and JSON; anything else is a text.
fn literal(text: &str) -> Json {
    Json::Plain(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}

fn object<const N: usize>(entries: [(&'static str, impl Into<Json>); N]) -> Object {
    Object(entries.into_iter().map(|(keyword, value)| (keyword, value.into())).collect())
}

impl Object {
    fn with(mut self, keyword: &'static str, value: impl Into<Json>) -> Self {
        self.0.push((keyword, value.into()));
        self
    }

    /// With the keys that have to be there, if there are such.
    fn requiring(self, keys: impl IntoIterator<Item = &'static str>) -> Self {
        let keys: Vec<Json> = keys.into_iter().map(Json::from).collect();
        if keys.is_empty() { self } else { self.with("required", Json::List(keys)) }
    }

    fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self::Plain(value.into())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(keyword, value)| (keyword, value)))
    }
}
