//! `neto schema`: the schema as it lies in the repository, against its meta-schema, and against every store of
//! `tests/stores/`: what is good is good in an editor too, and what is bad is marked there, or it is known why not.

use crate::harness::Sandbox;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The bad stores that the schema takes for good ones, by why. Those that are no TOML are not among them: of these an
/// editor says so without a schema.
const UNSEEN: [(&str, &[&str]); 6] = [
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

/// The schema, compiled by a validator that has never heard of neto.
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

    /// What it says against a value, if anything.
    fn complaint(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| error.to_string())
    }
}

/// The schema as the program prints it.
fn printed() -> String {
    Sandbox::new().neto(["schema"]).run().code(0).silent().stdout.clone()
}

fn validator() -> Validator {
    Validator::new(serde_json::from_str(&printed()).expect("JSON"))
}

/// What TOML declares, as editors hand it to a schema: a date as its text.
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

/// The stores of a folder by name, as JSON; nothing for one that is no TOML.
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
    let printed = printed();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|found| found == printed),
        "the format changed; if it should have: UPDATE_GOLDEN=1 cargo test schema"
    );
    let example = include_str!("../profiles.example.toml");
    assert_eq!(example.lines().next(), Some("#:schema ./profiles.schema.json"), "the example points to it");
}

#[test]
fn it_is_printed_on_any_machine() {
    let sandbox = Sandbox::new();
    let printed = sandbox.neto(["schema"]).run().code(0).silent().stdout.clone();
    assert!(!sandbox.home("").exists(), "it makes nothing");
    sandbox.write_store("no store\n");
    sandbox.neto(["schema"]).run().code(0).silent().stdout(&printed);
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(&printed()).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let meta = {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let index = compiler.compile("http://json-schema.org/draft-07/schema", &mut schemas).expect("the meta-schema");
        Validator { schemas, index }
    };
    assert_eq!(meta.complaint(&schema), None);
    // The meta-schema does complain.
    assert!(meta.complaint(&json!({ "type": "texts" })).is_some());
}

#[test]
fn every_good_store_is_good() {
    let validator = validator();
    let example = include_str!("../profiles.example.toml").parse::<toml::Table>().expect("the example");
    assert_eq!(validator.complaint(&as_json(example.into())), None);
    let stores = stores("valid");
    assert!(stores.len() >= 50, "{}", stores.len());
    let wrong: Vec<String> = stores
        .into_iter()
        .filter_map(|(name, store)| Some(format!("{name}: {}", validator.complaint(&store.expect("TOML"))?)))
        .collect();
    assert!(wrong.is_empty(), "{} good stores are bad to the schema\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_bad_store_is_bad_or_it_is_known_why_not() {
    let validator = validator();
    let stores = stores("invalid");
    let bad = |store: &Option<Value>| store.as_ref().is_none_or(|value| validator.complaint(value).is_some());
    let mut unseen: Vec<&str> = stores.iter().filter(|(_, store)| !bad(store)).map(|(name, _)| name.as_str()).collect();
    let mut listed: Vec<&str> = UNSEEN.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    unseen.sort_unstable();
    listed.sort_unstable();
    assert_eq!(unseen, listed, "the bad stores that the schema does not see, and those that are known");
    let seen = stores.values().filter(|store| store.is_some()).count() - unseen.len();
    assert!(seen >= 150, "{seen}");
}
