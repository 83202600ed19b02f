//! JSON Schema of the format, for editors and for programs that write stores.
//!
//! The schema uses draft 7, the latest draft that taplo supports; most editors check TOML with taplo. Patterns have no
//! look-around, because some regex engines lack it. Only neto checks the rules that a schema cannot express: recipients
//! are declared, public keys are valid, and dates are not strings.

use super::{API_KEY_KEYS, KeySpec, PERSON_KEYS, TOP, TableSpec, ValueType};
use crate::profile::PlaintextKey;
use crate::profile::name::{DEVICE_PATTERN, NAME_PATTERN};
use crate::profile::parse::{VARIABLE_PATTERN, forbidden_variable_pattern};
use crate::profile::span::SPAN_PATTERN;
use crate::profile::url::URL_PATTERN;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Regular expression for a [`ValueType::Word`]: not empty, no control characters.
const WORD_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
/// Regular expression for a process argument, or for the value of an environment variable: no NUL.
const NO_NUL_PATTERN: &str = r"^[^\x00]*$";
/// Regular expression for an absolute path: on Unix, or on Windows with a drive or a share.
const ABSOLUTE_PATTERN: &str = r"^(/|[A-Za-z]:[/\\]|\\\\)";
const HEX_PATTERN: &str = "^[0-9a-f]{16}$";
/// Regular expression for an age public key; as strict as the parser of the store.
const RECIPIENT_PATTERN: &str = "^age1[!-~]*$";

/// JSON value. Objects keep the order of their keys, unlike objects in [`Value`].
enum SchemaNode {
    Plain(Value),
    List(Vec<SchemaNode>),
    Object(SchemaObject),
}

/// JSON object: keys with values, in the order of the output.
struct SchemaObject(Vec<(&'static str, SchemaNode)>);

/// Returns the JSON Schema of `profiles.toml`, indented, with a final line feed.
#[must_use]
pub fn schema() -> String {
    let definitions = object([
        ("profileName", name_schema(&[DEVICE_PATTERN, "^env$"])),
        ("recipientName", name_schema(&[DEVICE_PATTERN])),
        ("variable", text_schema(VARIABLE_PATTERN).with("not", object([("pattern", forbidden_variable_pattern())]))),
    ]);
    let schema = object([("$schema", "http://json-schema.org/draft-07/schema#"), ("title", "neto: profiles.toml")])
        .with("description", TOP.description)
        .join(table_schema(&TOP))
        .join(url_required())
        .with("definitions", definitions);
    // Serializing these values cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Returns the schema of a table with fixed keys.
fn table_schema(table: &TableSpec) -> SchemaObject {
    let required = table.keys().filter(|key| key.required).map(|key| key.name);
    let properties = SchemaObject(table.keys().map(|key| (key.name, key_schema(key).into())).collect());
    object([("type", "object")]).requiring(required).with("properties", properties).with("additionalProperties", false)
}

/// Returns the schema of a key's value, with title, description, default and examples.
fn key_schema(key: &KeySpec) -> SchemaObject {
    let mut schema = object([("title", key.value_type.expected()), ("description", key.description)])
        .join(value_schema(key.value_type));
    if let Some(default) = key.default_value {
        schema = schema.with("default", parse_literal(default));
    }
    if !key.examples.is_empty() {
        schema =
            schema.with("examples", SchemaNode::List(key.examples.iter().map(|text| parse_literal(text)).collect()));
    }
    schema
}

fn value_schema(value_type: ValueType) -> SchemaObject {
    match value_type {
        ValueType::Version => object([("type", "integer")]).with("const", 1),
        ValueType::Flag => object([("type", "boolean")]),
        ValueType::Text => object([("type", "string")]),
        ValueType::Word => text_schema(WORD_PATTERN),
        ValueType::Texts => array_schema(object([("type", "string")])),
        ValueType::Span => text_schema(SPAN_PATTERN),
        ValueType::Url => text_schema(URL_PATTERN),
        ValueType::AbsolutePath => text_schema(ABSOLUTE_PATTERN),
        ValueType::Hex => text_schema(HEX_PATTERN),
        ValueType::Date => object([("type", "string"), ("format", "date")]),
        ValueType::Variable => text_schema(VARIABLE_PATTERN),
        ValueType::Command => array_schema(text_schema(NO_NUL_PATTERN)).with("minItems", 1),
        ValueType::RecipientNames => array_schema(reference("recipientName")).with("minItems", 1),
        ValueType::Env => map_schema("variable", text_schema(NO_NUL_PATTERN)),
        ValueType::Recipients => map_schema("recipientName", text_schema(RECIPIENT_PATTERN)),
        ValueType::Profiles(profile) => map_schema("profileName", profile_schema(profile)),
        ValueType::Secret(source) => {
            object([("oneOf", SchemaNode::List(vec![sealed_text_schema().into(), exactly_one_key(source).into()]))])
        }
        ValueType::Table(table) => table_schema(table),
    }
}

/// Returns the schema of a profile. Forbids mixing [`PERSON_KEYS`] with [`API_KEY_KEYS`], and requires the keys that a
/// sealed secret needs.
fn profile_schema(table: &TableSpec) -> SchemaObject {
    let no_api_key_keys =
        || open_table([]).with("properties", SchemaObject(API_KEY_KEYS.map(|key| (key, false.into())).into()));
    let is_sealed = open_table(["secret"])
        .with("properties", object([("secret", object([("type", "string")]))]))
        .with("not", any_of(PlaintextKey::ALL.map(|key| open_table([key.name()]))));
    let is_bound =
        open_table(["sealed"]).join(any_of([open_table(["username"]), open_table(["shortname", "appname"])]));
    object([("description", table.description)])
        .join(table_schema(table))
        .with("dependencies", SchemaObject(PERSON_KEYS.map(|key| (key, no_api_key_keys().into())).into()))
        .with("if", is_sealed)
        .with("then", is_bound)
}

/// Returns a schema that requires a `url` in each profile, unless `[defaults]` has a `url`. A profile with a plaintext
/// NETOSECRET needs no `url`, because the NETOSECRET contains the URL.
fn url_required() -> SchemaObject {
    let has_default_url = open_table(["defaults"]).with("properties", object([("defaults", open_table(["url"]))]));
    let profile_with_url = any_of([open_table(["url"]), open_table(["netosecret"])]);
    let profiles_table = object([("additionalProperties", profile_with_url)]);
    object([("if", object([("not", has_default_url)]))])
        .with("then", open_table([]).with("properties", object([("profiles", profiles_table)])))
}

/// Returns the schema of a table that requires `keys` and allows other keys. Without `additionalProperties`, the TOML
/// checker tombi would assume that there are no other keys.
fn open_table<const N: usize>(keys: [&'static str; N]) -> SchemaObject {
    object([("additionalProperties", true)]).requiring(keys)
}

fn sealed_text_schema() -> SchemaObject {
    object([("title", "a sealed text"), ("type", "string")]).with("minLength", 1)
}

/// Returns the schema of a table in which exactly one of the keys is present.
fn exactly_one_key(table: &TableSpec) -> SchemaObject {
    object([("title", "a source"), ("description", table.description)])
        .join(table_schema(table))
        .with("minProperties", 1)
        .with("maxProperties", 1)
}

fn name_schema(excluded_patterns: &[&'static str]) -> SchemaObject {
    text_schema(NAME_PATTERN)
        .with("not", any_of(excluded_patterns.iter().map(|pattern| object([("pattern", *pattern)]))))
}

fn text_schema(pattern: &'static str) -> SchemaObject {
    object([("type", "string"), ("pattern", pattern)])
}

fn array_schema(items: SchemaObject) -> SchemaObject {
    object([("type", "array")]).with("items", items)
}

/// Returns the schema of a table with arbitrary keys that match the definition `key_definition`.
fn map_schema(key_definition: &str, values: SchemaObject) -> SchemaObject {
    object([("type", "object")]).with("propertyNames", reference(key_definition)).with("additionalProperties", values)
}

fn reference(definition: &str) -> SchemaObject {
    object([("$ref", format!("#/definitions/{definition}"))])
}

fn any_of(schemas: impl IntoIterator<Item = SchemaObject>) -> SchemaObject {
    object([("anyOf", SchemaNode::List(schemas.into_iter().map(SchemaNode::Object).collect()))])
}

/// Parses a literal that is valid in TOML and JSON. Any other literal, such as a date, becomes a JSON string.
fn parse_literal(text: &str) -> SchemaNode {
    SchemaNode::Plain(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}

fn object<const N: usize>(entries: [(&'static str, impl Into<SchemaNode>); N]) -> SchemaObject {
    SchemaObject(entries.into_iter().map(|(keyword, value)| (keyword, value.into())).collect())
}

impl SchemaObject {
    fn with(mut self, keyword: &'static str, value: impl Into<SchemaNode>) -> Self {
        self.0.push((keyword, value.into()));
        self
    }

    /// Adds the keyword `required` with `keys`, unless `keys` is empty.
    fn requiring(self, keys: impl IntoIterator<Item = &'static str>) -> Self {
        let keys: Vec<SchemaNode> = keys.into_iter().map(SchemaNode::from).collect();
        if keys.is_empty() { self } else { self.with("required", SchemaNode::List(keys)) }
    }

    fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl From<SchemaObject> for SchemaNode {
    fn from(object: SchemaObject) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Value>> From<T> for SchemaNode {
    fn from(value: T) -> Self {
        Self::Plain(value.into())
    }
}

impl Serialize for SchemaNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for SchemaObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(keyword, value)| (keyword, value)))
    }
}
