//! The bad stores of `invalid/` and the good ones of `valid/`. The comment at the head of each store states the
//! expected result:
//!
//! - `# exit 3, the file: TEXT`: every command fails with this error;
//! - `# exit 3, profile acme: TEXT`: commands for that profile fail, and other profiles work;
//! - `# exit 6, neto token acme: TEXT`: this command fails, although the store is well-formed;
//! - `# hint: TEXT` on the next line: the hint, if it is not the usual one;
//! - in a good store `# acme: {...}` for each profile, in order: fields of `profile show`, all or some.

use super::{StoreFixture, assert_no_differences, one_line, run};
use crate::torture::scale::print_summary;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Stores without a comment at their head. They are not TOML from the first line on, or a comment would change them.
/// Each fails every command with exit code 3 and this text.
const WITHOUT_HEAD: [(&str, &str); 20] = [
    ("format-age", "line 1, column 12: a key without '=' and a value"),
    ("format-blank-lines", "line 1, column 1: 'version' is missing"),
    ("format-comments", "line 1, column 1: 'version' is missing"),
    ("format-csv", "line 1, column 5: a key without '=' and a value"),
    ("format-diff-of-one-line", "line 2, column 1: a key with characters that need quotes"),
    ("format-dotenv", "line 1, column 18: a text that is not in quotes"),
    ("format-empty", "line 1, column 1: 'version' is missing"),
    ("format-html", "line 1, column 11: a key without '=' and a value"),
    ("format-identity", "line 2, column 71: a key without '=' and a value"),
    ("format-ini", "line 2, column 14: a text that is not in quotes"),
    ("format-ini-with-semicolons", "line 1, column 3: a key without '=' and a value"),
    ("format-json", "line 1, column 1: this is not valid TOML"),
    ("format-json-lines", "line 1, column 1: this is not valid TOML"),
    ("format-netosecret", "line 1, column 57: a value is missing"),
    ("format-patch", "line 1, column 5: a key without '=' and a value"),
    ("format-prose", "line 1, column 4: a key without '=' and a value"),
    ("format-shell", "line 2, column 8: a key without '=' and a value"),
    ("format-xml", "line 1, column 7: a key without '=' and a value"),
    ("format-yaml", "line 1, column 10: a key without '=' and a value"),
    ("format-yaml-document", "line 1, column 4: a key without '=' and a value"),
];

/// A store file of the repository.
struct StoreFile {
    name: String,
    bytes: Vec<u8>,
}

/// A bad store and its expected result.
struct BadStore {
    store: StoreFile,
    code: i32,
    scope: Scope,
    text: String,
    hint: Option<String>,
}

/// Commands that a bad store fails.
#[derive(PartialEq)]
enum Scope {
    EveryCommand,
    Profile(String),
    Command(Vec<String>),
}

/// Reads all stores of a directory, sorted by name.
fn stores(folder: &str) -> Vec<StoreFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(folder);
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<StoreFile> = entries
        .map(|path| {
            let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let name = file.strip_suffix(".toml").unwrap_or_else(|| panic!("{file} is no store")).to_owned();
            StoreFile { name, bytes: fs::read(&path).expect("a store") }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Returns the bad stores whose scope satisfies `which`.
fn bad_stores(which: impl Fn(&Scope) -> bool) -> Vec<BadStore> {
    let stores = stores("invalid");
    for (name, _) in WITHOUT_HEAD {
        assert!(stores.iter().any(|store| store.name == name), "{name} is not there");
    }
    stores.into_iter().map(BadStore::new).filter(|bad| which(&bad.scope)).collect()
}

impl StoreFile {
    /// Lines of the comment at the head of the store.
    fn head(&self) -> impl Iterator<Item = &str> {
        let text = std::str::from_utf8(&self.bytes).expect("text");
        text.trim_start_matches('\u{feff}').lines().map_while(|line| line.strip_prefix("# "))
    }

    /// Profiles in the head of a good store, with the expected fields of `profile show`.
    fn profiles(&self) -> Vec<(String, Map<String, Value>)> {
        let lines = self.head().map_while(|line| line.split_once(": {"));
        let fields = |rest: &str| serde_json::from_str(&format!("{{{rest}")).unwrap_or_else(|_| panic!("{rest}"));
        lines.map(|(name, rest)| (name.to_owned(), fields(rest))).collect()
    }
}

impl BadStore {
    fn new(store: StoreFile) -> Self {
        if let Some((_, text)) = WITHOUT_HEAD.iter().find(|(name, _)| *name == store.name) {
            let text = (*text).to_owned();
            return Self { store, code: 3, scope: Scope::EveryCommand, text, hint: None };
        }
        let parsed = Self::parse(&mut store.head());
        let (code, scope, text, hint) =
            parsed.unwrap_or_else(|| panic!("{} does not say what it must get", store.name));
        Self { store, code, scope, text, hint }
    }

    fn parse<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<(i32, Scope, String, Option<String>)> {
        let (code, rest) = lines.next()?.strip_prefix("exit ")?.split_once(", ")?;
        let (what, text) = rest.split_once(": ")?;
        let scope = match what.split_once(' ')? {
            ("the", "file") => Scope::EveryCommand,
            ("profile", name) => Scope::Profile(name.to_owned()),
            ("neto", words) => Scope::Command(words.split(' ').map(str::to_owned).collect()),
            _ => return None,
        };
        let hint = lines.next().and_then(|line| line.strip_prefix("hint: ")).map(str::to_owned);
        Some((code.parse().ok()?, scope, text.to_owned(), hint))
    }

    /// Renders the expected error, with `place` before its text. `usual` is the hint if the head has none.
    fn expected_error(&self, place: &str, usual: Option<String>) -> String {
        let hint = self.hint.clone().or(usual).map(|hint| format!(" hint: {hint}"));
        format!("error: {place}{}{}", self.text, hint.unwrap_or_default())
    }
}

#[test]
fn r48_a_bad_file_fails_every_command_with_its_place_and_no_value() {
    let fixture = StoreFixture::new();
    let place = format!("{}: ", fixture.path().display());
    let stores = bad_stores(|scope| *scope == Scope::EveryCommand);
    assert!(stores.len() >= 150, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        fixture.sandbox.write_store(&bad.store.bytes);
        let mut differing = fixture.refusal_differences(bad.code, &bad.expected_error(&place, None));
        if fs::read(fixture.path()).expect("the store") != bad.store.bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_no_differences(&all);
    assert_eq!(fixture.sandbox.server().connections(), 0);
    print_summary(&format!(
        "{} bad files through 5 commands each: told with line, column and key, 0 values shown",
        stores.len()
    ));
}

#[test]
fn r48_a_bad_profile_fails_alone_with_its_place_and_no_value() {
    let fixture = StoreFixture::new();
    fixture.sandbox.add("other");
    let text = fixture.sandbox.store();
    let other = &text[text.find("[profiles.other]").expect("the good one")..];
    let token = fixture.neto(&["token", "other"]).allow_secret("access token").run().code(0).stdout.clone();
    let connections = fixture.sandbox.server().connections();
    let place = format!("{}: ", fixture.path().display());
    let stores = bad_stores(|scope| matches!(scope, Scope::Profile(_)));
    assert!(stores.len() >= 150, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        let Scope::Profile(name) = &bad.scope else { continue };
        let bytes = [&bad.store.bytes, b"\n".as_slice(), other.as_bytes()].concat();
        fixture.sandbox.write_store(&bytes);
        let mut differing = Vec::new();
        let listed = run(fixture.neto(&["ls", "-o", "json"]));
        let names: Vec<Value> =
            listed.json().as_array().expect("rows").iter().map(|row| row["profile"].clone()).collect();
        let warned = listed.stderr == format!("warning: {place}{}\n", bad.text);
        if listed.exit_code() != 0 || names != ["other"] || !warned {
            differing.push(listed.to_string());
        }
        let expected = bad.expected_error(&place, Some(format!("neto profile edit {name}")));
        for verb in [&["token", name][..], &["export", name], &["profile", "show", name], &["exec", name, "--", "true"]]
        {
            let code = if verb[0] == "exec" { 125 } else { bad.code };
            let outcome = run(fixture.neto(verb));
            if outcome.exit_code() != code || one_line(&outcome.stderr) != expected {
                differing.push(format!("{outcome}\nwanted: exit {code}, {expected}"));
            }
        }
        let good = fixture.neto(&["token", "other"]).allow_secret("access token").run();
        if good.exit_code() != 0 || good.stdout != token {
            differing.push(good.to_string());
        }
        if fs::read(fixture.path()).expect("the store") != bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_no_differences(&all);
    assert_eq!(fixture.sandbox.server().connections(), connections);
    print_summary(&format!(
        "{} bad profiles through 6 commands each: warned of or told, the good one beside them used",
        stores.len()
    ));
}

#[cfg(unix)]
#[test]
fn r48_what_is_well_formed_and_no_use_fails_where_it_is_used() {
    let fixture = StoreFixture::new();
    let stores = bad_stores(|scope| matches!(scope, Scope::Command(_)));
    assert!(stores.len() >= 20, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        let Scope::Command(words) = &bad.scope else { continue };
        fixture.sandbox.write_store(&bad.store.bytes);
        fixture.neto(&["trust", "--all"]).run().code(0);
        run(fixture.neto(&["ls"])).code(0).stderr_lacks("warning: ").stderr_lacks("error: ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let outcome = run(fixture.neto(&words));
        let expected = bad.expected_error("", None);
        let mut differing = Vec::new();
        let errors =
            outcome.stderr.split_inclusive('\n').skip_while(|line| line.starts_with("warning: ")).collect::<String>();
        if outcome.exit_code() != bad.code || one_line(&errors) != expected || !outcome.stdout.is_empty() {
            differing.push(format!("{outcome}\nwanted: exit {}, {expected}", bad.code));
        }
        if fs::read(fixture.path()).expect("the store") != bad.store.bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_no_differences(&all);
    assert_eq!(fixture.sandbox.server().connections(), 0);
    print_summary(&format!(
        "{} stores that are well-formed and no use: told by the command that uses them",
        stores.len()
    ));
}

#[test]
fn r43_every_spelling_is_read_and_kept() {
    let fixture = StoreFixture::new();
    let stores = stores("valid");
    assert!(stores.len() >= 40, "{}", stores.len());
    let (mut all, mut added, mut shown) = (Vec::new(), 0, 0);
    for store in &stores {
        fixture.sandbox.write_store(&store.bytes);
        let profiles = store.profiles();
        let listed = fixture.neto(&["ls", "-o", "json"]).run();
        let rows = listed.code(0).stderr_lacks("warning: ").stderr_lacks("error: ").json();
        let names: Vec<&str> =
            rows.as_array().expect("rows").iter().filter_map(|row| row["profile"].as_str()).collect();
        let wanted: Vec<&str> = profiles.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, wanted, "the profiles of {}", store.name);
        let mut differing = Vec::new();
        for (name, wanted) in &profiles {
            let found = fixture.sandbox.profile_json(name);
            let wrong = wanted.iter().filter(|(key, value)| found.get(key) != Some(value));
            differing.extend(wrong.map(|(key, value)| format!("{name}.{key} is {:?}, not {value}", found.get(key))));
            shown += 1;
        }
        // Adding and removing a profile leaves every byte as before, except trailing white space.
        fixture.neto(&["trust", "--all"]).run().code(0);
        let add = fixture.neto(&["profile", "add", "zz-new"]).run();
        if add.exit_code() == 0 {
            added += 1;
            fixture.neto(&["profile", "remove", "zz-new", "--yes"]).run().code(0);
        } else {
            // The store has no recipient, or one to which this neto cannot encrypt.
            add.code(3);
        }
        if fs::read(fixture.path()).expect("the store").trim_ascii_end() != store.bytes.trim_ascii_end() {
            differing.push("the store is not as it was".to_owned());
        }
        all.push((store.name.clone(), differing));
    }
    assert_no_differences(&all);
    assert!(added >= 40, "{added} stores that a profile was added to");
    print_summary(&format!(
        "{} good stores, {shown} profiles shown; {added} with a profile added and removed, byte for byte",
        stores.len()
    ));
}
