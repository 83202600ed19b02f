//! Checks that the description of the format, the JSON Schema and the parser agree.

use super::*;
use crate::profile::parse::parse;
use crate::profile::{PlaintextKey, Profile, Span, Store, StoreError, StoreProblem};
use std::path::Path;
use std::sync::Arc;

/// Returns a store with `line` in the named table.
fn store(table: &str, line: &str) -> String {
    let rest = match table {
        "top" if line.starts_with("version") => return format!("{line}\n"),
        "top" => format!("{line}\n"),
        "defaults" => format!("[defaults]\n{line}\n"),
        "profile" => format!("[profiles.a]\n{line}\n"),
        "sealed" => format!("[profiles.a.sealed]\n{line}\n"),
        _ => format!("[profiles.a.secret]\n{line}\n"),
    };
    format!("version = 1\n{rest}")
}

const TABLES: [(&str, &TableSpec); 5] =
    [("top", &TOP), ("defaults", &DEFAULTS), ("profile", &PROFILE), ("sealed", &SEALED), ("source", &SOURCE)];

fn parse_store(text: &str) -> Result<Store, StoreError> {
    parse(&Arc::new(text.to_owned()), Path::new("/"))
}

/// Returns the first problem of the store or of its profiles, with the path of the key.
fn find_problem(text: &str) -> Option<(String, StoreProblem)> {
    let fault = match parse_store(text) {
        Err(StoreError(fault)) => fault,
        Ok(store) => store.profiles.into_iter().find_map(|entry| entry.profile.err())?,
    };
    Some((fault.key, fault.problem))
}

#[test]
fn every_described_key_is_parsed() {
    // No key accepts the value 1.5, so the parser reports a fault at every key that the parser knows.
    for (table, form) in TABLES {
        for key in form.keys() {
            let (path, problem) = find_problem(&store(table, &format!("{} = 1.5", key.name))).expect(key.name);
            assert!(path.ends_with(key.name), "{table}: {} is not read: {path}: {problem}", key.name);
            assert!(!matches!(problem, StoreProblem::UnknownKey { .. }), "{table}: {}", key.name);
        }
    }
}

#[test]
fn examples_and_defaults_are_valid() {
    let bare = "[recipients]\nalice = \"age1x\"\nci = \"age1y\"\n";
    for (table, form) in TABLES {
        for key in form.keys() {
            for value in key.examples.iter().chain(&key.default_value) {
                let line = format!("{} = {value}", key.name);
                let text = store(table, &line) + bare;
                // The text has only one key of the table, so missing keys do not count.
                let bad = find_problem(&text).filter(|(_, problem)| !matches!(problem, StoreProblem::Missing { .. }));
                assert_eq!(bad, None, "{table}: {} = {value}", key.name);
            }
        }
    }
}

#[test]
fn described_defaults_match_the_parser() {
    let default_value =
        |table: &TableSpec, name: &str| table.keys().find(|key| key.name == name).and_then(|key| key.default_value);
    let span = |name| default_value(&PROFILE, name).and_then(|text| text.trim_matches('"').parse::<Span>().ok());
    assert_eq!(span("leeway"), Some(Profile::DEFAULT_LEEWAY));
    assert_eq!(span("timeout"), Some(Profile::DEFAULT_TIMEOUT));
    let bare = parse_store("version = 1\n[profiles.a]\nurl = \"https://x\"").unwrap();
    let profile = bare.profiles[0].profile.as_ref().unwrap();
    assert_eq!(default_value(&PROFILE, "protected"), Some(profile.protected.to_string().as_str()));
    assert_eq!(default_value(&TOP, "explicit"), Some(bare.explicit.to_string().as_str()));
}

#[test]
fn every_plaintext_key_is_described() {
    for key in PlaintextKey::ALL {
        assert!(
            PROFILE.has_key(key.name()) && (PERSON_KEYS.contains(&key.name()) || API_KEY_KEYS.contains(&key.name()))
        );
    }
    for key in PERSON_KEYS.iter().chain(&API_KEY_KEYS) {
        assert!(PROFILE.has_key(key), "{key}");
    }
}

/// The schema, compiled by an independent validator.
struct SchemaValidator(boon::Schemas, boon::SchemaIndex);

impl SchemaValidator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("schema.json", serde_json::from_str(&schema()).unwrap()).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        Self(schemas, index)
    }

    /// Returns whether the schema accepts a store, and whether neto accepts it.
    fn accepted_by_schema_and_neto(&self, text: &str) -> (bool, bool) {
        let value = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        (self.0.validate(&value, self.1).is_ok(), find_problem(text).is_none())
    }
}

/// Quotes any text as a TOML string.
fn quoted(text: &str) -> String {
    let escapes: Vec<String> = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    format!("\"{}\"", escapes.concat())
}

/// Returns a store with one profile that contains `line`.
fn store_with_line(line: &str) -> String {
    format!("version = 1\n[recipients]\na = \"age1x\"\n[profiles.a]\nurl = \"https://x\"\n{line}\n")
}

/// Returns a store for each position that has a pattern. Each store has `text` at its position.
fn stores_with_text(text: &str) -> [(&'static str, String); 7] {
    let text = quoted(text);
    [
        ("the name of a profile", format!("version = 1\n[profiles.{text}]\nurl = \"https://x\"\n")),
        ("the name of a recipient", format!("version = 1\n[recipients]\n{text} = \"age1x\"\n")),
        ("a key", format!("version = 1\n[recipients]\na = {text}\n")),
        ("a variable", store_with_line(&format!("env.{text} = \"\""))),
        ("a word", store_with_line(&format!("shortname = {text}"))),
        ("a length of time", store_with_line(&format!("leeway = {text}"))),
        ("a variable to be read", store_with_line(&format!("secret.env = {text}"))),
    ]
}

#[test]
fn schema_and_neto_accept_the_same_texts() {
    let validator = SchemaValidator::new();
    let texts = [
        "env",
        "con",
        "con.x",
        "console",
        "nul.",
        "com1",
        "com10",
        "lpt0.a.b",
        "a",
        "a.",
        "-a",
        "A",
        "a b",
        "0._-x",
        "PATH",
        "path",
        "Path",
        "PATHS",
        "MY_PATH",
        "LD_PRELOAD",
        "ld_",
        "https_proxy",
        "PROXY",
        "NETO__URL",
        "NETO_",
        "neto_x",
        "NETOSECRET",
        "NETOSECRETS",
        "UID",
        "_",
        "1A",
        "30s",
        "1h30m",
        "1d1h1m1s",
        "30m1h",
        "1h1h",
        "30",
        "s",
        "0s",
        "",
        " ",
        "age1",
        "age1 x",
        "\n",
        "x\n",
        "\u{7f}",
        "\u{85}",
        "\u{e9}",
        "\u{a0}",
        "x\u{0}",
    ];
    let long = ["a".repeat(64), "a".repeat(65), format!("{}.", "a".repeat(63))];
    for text in texts.into_iter().chain(long.iter().map(String::as_str)) {
        for (what, store) in stores_with_text(text) {
            let (schema, neto) = validator.accepted_by_schema_and_neto(&store);
            assert_eq!(schema, neto, "{what}: {text:?}");
        }
    }
}

#[test]
fn schema_and_neto_agree_on_random_texts() {
    let validator = SchemaValidator::new();
    // The generated durations stay below neto's limit, because a pattern cannot check that limit.
    let any =
        "[a-cHMS01._ -]{0,6}|([0-9]{0,3}[dhmsx]){0,4}[0-9]{0,2}|\\PC{0,4}|(nul|aux|lpt1|PS4|GIT_|x_proxy)[.a_]{0,2}";
    proptest::proptest!(|(text in any)| {
        for (what, store) in stores_with_text(&text) {
            let (schema, neto) = validator.accepted_by_schema_and_neto(&store);
            proptest::prop_assert_eq!(schema, neto, "{}: {:?}", what, text);
        }
    });
}

#[test]
fn the_schema_accepts_every_url_that_neto_accepts() {
    let validator = SchemaValidator::new();
    let store = |url: &str| format!("version = 1\n[profiles.a]\nurl = {}\n", quoted(url));
    let any = "(https|HTTPS|http)://([a-zA-Z0-9.-]{1,8}|127[.]0[.]0[.]1|localhost|\\[::1\\]|127[.]1)(:[0-9]{0,5})?(/[!-~]{0,6})?";
    proptest::proptest!(|(url in any)| {
        let (schema, neto) = validator.accepted_by_schema_and_neto(&store(&url));
        proptest::prop_assert!(schema || !neto, "{}", url);
    });
    let bad = [
        "https://u@x",
        "https://u:p@x/",
        "https://x?q",
        "https://x/#f",
        "https://x\\y",
        "https://x/a\\b",
        "https://x y",
        "https://x/ y",
        "http://x",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://x",
        "x",
        "",
        "https://",
        "https:///x",
        "https:x",
        "https://x:0",
        "https://\u{e9}x",
        "https://x%41",
        "http://[::2]",
        " https://x",
    ];
    for url in bad {
        assert_eq!(validator.accepted_by_schema_and_neto(&store(url)), (false, false), "{url}");
    }
}
