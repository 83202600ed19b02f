//! `neto schema`: compares the committed schema with its meta-schema and with every store of `tests/stores/`. Valid
//! stores pass. Invalid stores fail or are listed with the reason.

use crate::harness::Sandbox;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Invalid stores that the schema accepts, grouped by reason. Files that are not TOML are not listed, because an editor
/// reports those without a schema.
const ACCEPTED_INVALID: [(&str, &[&str]); 6] = [
    (
        "whether a name is declared stands elsewhere in the file",
        &[
            "recipients-key-for-a-name",
            "recipients-near",
            "recipients-unknown",
            "recipients-unknown-in-defaults",
            "recipients-without-any-declared",
        ],
    ),
    ("JSON has one kind of number, and 1.0 is 1", &["version-float"]),
    (
        "JSON has no dates, only texts like them",
        &[
            "sealed-since-text",
            "type-appkey-date",
            "type-netosecret-date",
            "type-password-date",
            "type-sharedsecret-date",
        ],
    ),
    ("no pattern does sums", &["duration-beyond-ten-years", "duration-overflow", "url-port-too-high"]),
    ("editors know one kind of item a list", &["secret-command-blank"]),
    (
        "it is well-formed: what is wrong is told by the command that uses it",
        &[
            "ca-file-is-not-there",
            "clear-beside-a-source",
            "clear-beside-sealed",
            "clear-empty",
            "clear-half",
            "clear-netosecret-is-none",
            "recipient-mistyped",
            "recipient-of-another-kind",
            "recipient-of-small-order",
            "recipients-missing",
            "sealed-text-armor-around-nothing",
            "sealed-text-for-others",
            "sealed-text-is-not-age",
            "sealed-text-is-pgp",
            "sealed-text-with-a-line-cut",
            "sealed-text-with-a-line-twice",
            "sealed-text-with-a-marker-left-over",
            "skeleton",
            "source-command-fails",
            "source-command-is-not-there",
            "source-command-prints-no-netosecret",
            "source-command-relative",
            "source-env-is-not-set",
            "source-file-is-a-folder",
            "source-file-is-not-there",
        ],
    ),
];

/// Schema, compiled by an independent validator.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("schema.json", schema).expect("a resource");
        let index = compiler.compile("schema.json", &mut schemas).expect("a schema that its meta-schema takes");
        Self { schemas, index }
    }

    /// Returns the validator's error for a value, if any.
    fn error_for(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| error.to_string())
    }
}

/// Returns the schema that the program prints.
fn printed_schema() -> String {
    Sandbox::new().neto(["schema"]).run().code(0).stderr("").stdout.clone()
}

fn validator() -> Validator {
    Validator::new(serde_json::from_str(&printed_schema()).expect("JSON"))
}

/// Converts TOML to JSON as editors do for a schema: a date becomes text.
fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, as_json(value))).collect::<Map<_, _>>().into()
        }
    }
}

/// Returns the stores of a directory by name, as JSON; `None` for a file that is not TOML.
fn stores(folder: &str) -> BTreeMap<String, Option<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(folder);
    let store = |path: &Path| {
        let text = fs::read_to_string(path).expect("text");
        text.parse::<toml::Table>().ok().map(|table| as_json(table.into()))
    };
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), store(&path))).collect()
}

#[test]
fn the_schema_in_the_repository_is_the_one_that_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles.schema.json");
    let text = printed_schema();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|found| found == text),
        "the format changed; if it should have: UPDATE_GOLDEN=1 cargo test schema"
    );
    let example = include_str!("../profiles.example.toml");
    assert_eq!(example.lines().next(), Some("#:schema ./profiles.schema.json"), "the example points to it");
}

#[test]
fn it_is_printed_on_any_machine() {
    let sandbox = Sandbox::new();
    let text = sandbox.neto(["schema"]).run().code(0).stderr("").stdout.clone();
    assert!(!sandbox.home("").exists(), "it makes nothing");
    sandbox.write_store("no store\n");
    sandbox.neto(["schema"]).run().code(0).stderr("").stdout(&text);
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(&printed_schema()).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let meta = {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let index = compiler.compile("http://json-schema.org/draft-07/schema", &mut schemas).expect("the meta-schema");
        Validator { schemas, index }
    };
    assert_eq!(meta.error_for(&schema), None);
    // The control: the meta-schema reports errors.
    assert!(meta.error_for(&json!({ "type": "texts" })).is_some());
}

#[test]
fn every_good_store_is_good() {
    let validator = validator();
    let example = include_str!("../profiles.example.toml").parse::<toml::Table>().expect("the example");
    assert_eq!(validator.error_for(&as_json(example.into())), None);
    let stores = stores("valid");
    assert!(stores.len() >= 50, "{}", stores.len());
    let wrong: Vec<String> = stores
        .into_iter()
        .filter_map(|(name, store)| Some(format!("{name}: {}", validator.error_for(&store.expect("TOML"))?)))
        .collect();
    assert!(wrong.is_empty(), "{} good stores are bad to the schema\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_bad_store_is_bad_or_it_is_known_why_not() {
    let validator = validator();
    let stores = stores("invalid");
    let bad = |store: &Option<Value>| store.as_ref().is_none_or(|value| validator.error_for(value).is_some());
    let mut unseen: Vec<&str> = stores.iter().filter(|(_, store)| !bad(store)).map(|(name, _)| name.as_str()).collect();
    let mut listed: Vec<&str> = ACCEPTED_INVALID.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    unseen.sort_unstable();
    listed.sort_unstable();
    assert_eq!(unseen, listed, "the bad stores that the schema does not see, and those that are known");
    let seen = stores.values().filter(|store| store.is_some()).count() - unseen.len();
    assert!(seen >= 150, "{seen}");
}
