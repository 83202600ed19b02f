//! The bad stores of `invalid/` and the good ones of `valid/`. What neto must make of a store stands in the comment at
//! its head, where whoever reads it sees both and neither gets lost:
//!
//! - `# exit 3, the file: TEXT`: every command fails so;
//! - `# exit 3, profile acme: TEXT`: so does whatever asks for that profile, and the others keep working;
//! - `# exit 6, neto token acme: TEXT`: this command does, of a store that is well-formed;
//! - `# hint: TEXT` on the next line: what is said to do, if it is not the usual thing;
//! - in a good store `# acme: {...}` for each profile, in their order: what `profile show` says of it, or a part of that.

use super::{Ground, assert_none, one_line, run};
use crate::torture::scale::say;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Stores that a comment at their head would make other ones, since they are no TOML from the first line on, or nothing
/// at all. Each fails every command with exit 3, so.
const HEADLESS: [(&str, &str); 20] = [
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

/// A store as it lies in the repository.
struct Listed {
    name: String,
    bytes: Vec<u8>,
}

/// A bad one, and what must come of it.
struct Bad {
    store: Listed,
    code: i32,
    fails: Fails,
    text: String,
    hint: Option<String>,
}

/// What a bad store fails.
#[derive(PartialEq)]
enum Fails {
    EveryCommand,
    Profile(String),
    Command(Vec<String>),
}

/// The stores of a folder that holds nothing else, by name.
fn stores(folder: &str) -> Vec<Listed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(folder);
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<Listed> = entries
        .map(|path| {
            let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let name = file.strip_suffix(".toml").unwrap_or_else(|| panic!("{file} is no store")).to_owned();
            Listed { name, bytes: fs::read(&path).expect("a store") }
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The bad stores that fail what `which` says.
fn bad_stores(which: impl Fn(&Fails) -> bool) -> Vec<Bad> {
    let stores = stores("invalid");
    for (name, _) in HEADLESS {
        assert!(stores.iter().any(|store| store.name == name), "{name} is not there");
    }
    stores.into_iter().map(Bad::new).filter(|bad| which(&bad.fails)).collect()
}

impl Listed {
    /// The lines of its head, as far as they are such.
    fn head(&self) -> impl Iterator<Item = &str> {
        let text = std::str::from_utf8(&self.bytes).expect("text");
        text.trim_start_matches('\u{feff}').lines().map_while(|line| line.strip_prefix("# "))
    }

    /// What `profile show` says of each profile, as the head of a good store has it.
    fn profiles(&self) -> Vec<(String, Map<String, Value>)> {
        let lines = self.head().map_while(|line| line.split_once(": {"));
        let fields = |rest: &str| serde_json::from_str(&format!("{{{rest}")).unwrap_or_else(|_| panic!("{rest}"));
        lines.map(|(name, rest)| (name.to_owned(), fields(rest))).collect()
    }
}

impl Bad {
    fn new(store: Listed) -> Self {
        if let Some((_, text)) = HEADLESS.iter().find(|(name, _)| *name == store.name) {
            let text = (*text).to_owned();
            return Self { store, code: 3, fails: Fails::EveryCommand, text, hint: None };
        }
        let parsed = Self::parse(&mut store.head());
        let (code, fails, text, hint) =
            parsed.unwrap_or_else(|| panic!("{} does not say what it must get", store.name));
        Self { store, code, fails, text, hint }
    }

    fn parse<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<(i32, Fails, String, Option<String>)> {
        let (code, rest) = lines.next()?.strip_prefix("exit ")?.split_once(", ")?;
        let (what, text) = rest.split_once(": ")?;
        let fails = match what.split_once(' ')? {
            ("the", "file") => Fails::EveryCommand,
            ("profile", name) => Fails::Profile(name.to_owned()),
            ("neto", words) => Fails::Command(words.split(' ').map(str::to_owned).collect()),
            _ => return None,
        };
        let hint = lines.next().and_then(|line| line.strip_prefix("hint: ")).map(str::to_owned);
        Some((code.parse().ok()?, fails, text.to_owned(), hint))
    }

    /// The whole error, the place of the store in front of its text; `usual` is the hint where the head has none.
    fn said(&self, place: &str, usual: Option<String>) -> String {
        let hint = self.hint.clone().or(usual).map(|hint| format!(" hint: {hint}"));
        format!("error: {place}{}{}", self.text, hint.unwrap_or_default())
    }
}

#[test]
fn r48_a_bad_file_fails_every_command_with_its_place_and_no_value() {
    let ground = Ground::new();
    let place = format!("{}: ", ground.path().display());
    let stores = bad_stores(|fails| *fails == Fails::EveryCommand);
    assert!(stores.len() >= 150, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        ground.sandbox.write_store(&bad.store.bytes);
        let mut differing = ground.refuses_every_command(bad.code, &bad.said(&place, None));
        if fs::read(ground.path()).expect("the store") != bad.store.bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_none(&all);
    assert_eq!(ground.sandbox.server().connections(), 0);
    say(&format!("{} bad files through 5 commands each: told with line, column and key, 0 values shown", stores.len()));
}

#[test]
fn r48_a_bad_profile_fails_alone_with_its_place_and_no_value() {
    let ground = Ground::new();
    ground.sandbox.add("other");
    let text = ground.sandbox.store();
    let other = &text[text.find("[profiles.other]").expect("the good one")..];
    let token = ground.neto(&["token", "other"]).reveals("access token").run().code(0).stdout.clone();
    let connections = ground.sandbox.server().connections();
    let place = format!("{}: ", ground.path().display());
    let stores = bad_stores(|fails| matches!(fails, Fails::Profile(_)));
    assert!(stores.len() >= 150, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        let Fails::Profile(name) = &bad.fails else { continue };
        let bytes = [&bad.store.bytes, b"\n".as_slice(), other.as_bytes()].concat();
        ground.sandbox.write_store(&bytes);
        let mut differing = Vec::new();
        let listed = run(ground.neto(&["ls", "-o", "json"]));
        let names: Vec<Value> =
            listed.json().as_array().expect("rows").iter().map(|row| row["profile"].clone()).collect();
        let warned = listed.stderr == format!("warning: {place}{}\n", bad.text);
        if listed.exit_code() != 0 || names != ["other"] || !warned {
            differing.push(listed.to_string());
        }
        let said = bad.said(&place, Some(format!("neto profile edit {name}")));
        for verb in [&["token", name][..], &["export", name], &["profile", "show", name], &["exec", name, "--", "true"]]
        {
            let code = if verb[0] == "exec" { 125 } else { bad.code };
            let outcome = run(ground.neto(verb));
            if outcome.exit_code() != code || one_line(&outcome.stderr) != said {
                differing.push(format!("{outcome}\nwanted: exit {code}, {said}"));
            }
        }
        let good = ground.neto(&["token", "other"]).reveals("access token").run();
        if good.exit_code() != 0 || good.stdout != token {
            differing.push(good.to_string());
        }
        if fs::read(ground.path()).expect("the store") != bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_none(&all);
    assert_eq!(ground.sandbox.server().connections(), connections);
    say(&format!(
        "{} bad profiles through 6 commands each: warned of or told, the good one beside them used",
        stores.len()
    ));
}

#[cfg(unix)]
#[test]
fn r48_what_is_well_formed_and_no_use_fails_where_it_is_used() {
    let ground = Ground::new();
    let stores = bad_stores(|fails| matches!(fails, Fails::Command(_)));
    assert!(stores.len() >= 20, "{}", stores.len());
    let mut all = Vec::new();
    for bad in &stores {
        let Fails::Command(words) = &bad.fails else { continue };
        ground.sandbox.write_store(&bad.store.bytes);
        ground.neto(&["trust", "--all"]).run().code(0);
        run(ground.neto(&["ls"])).code(0).stderr_lacks("warning: ").stderr_lacks("error: ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let outcome = run(ground.neto(&words));
        let said = bad.said("", None);
        let mut differing = Vec::new();
        let told =
            outcome.stderr.split_inclusive('\n').skip_while(|line| line.starts_with("warning: ")).collect::<String>();
        if outcome.exit_code() != bad.code || one_line(&told) != said || !outcome.stdout.is_empty() {
            differing.push(format!("{outcome}\nwanted: exit {}, {said}", bad.code));
        }
        if fs::read(ground.path()).expect("the store") != bad.store.bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push((bad.store.name.clone(), differing));
    }
    assert_none(&all);
    assert_eq!(ground.sandbox.server().connections(), 0);
    say(&format!("{} stores that are well-formed and no use: told by the command that uses them", stores.len()));
}

#[test]
fn r43_every_spelling_is_read_and_kept() {
    let ground = Ground::new();
    let stores = stores("valid");
    assert!(stores.len() >= 40, "{}", stores.len());
    let (mut all, mut added, mut shown) = (Vec::new(), 0, 0);
    for store in &stores {
        ground.sandbox.write_store(&store.bytes);
        let profiles = store.profiles();
        let listed = ground.neto(&["ls", "-o", "json"]).run();
        let rows = listed.code(0).stderr_lacks("warning: ").stderr_lacks("error: ").json();
        let names: Vec<&str> =
            rows.as_array().expect("rows").iter().filter_map(|row| row["profile"].as_str()).collect();
        let wanted: Vec<&str> = profiles.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, wanted, "the profiles of {}", store.name);
        let mut differing = Vec::new();
        for (name, wanted) in &profiles {
            let found = ground.sandbox.shown(name);
            let wrong = wanted.iter().filter(|(key, value)| found.get(key) != Some(value));
            differing.extend(wrong.map(|(key, value)| format!("{name}.{key} is {:?}, not {value}", found.get(key))));
            shown += 1;
        }
        // A change and its contrary leave every byte as it was, but the line ends behind the last, where it stood.
        ground.neto(&["trust", "--all"]).run().code(0);
        let add = ground.neto(&["profile", "add", "zz-new"]).run();
        if add.exit_code() == 0 {
            added += 1;
            ground.neto(&["profile", "remove", "zz-new", "--yes"]).run().code(0);
        } else {
            // To nobody, or to whom this neto does not seal.
            add.code(3);
        }
        if fs::read(ground.path()).expect("the store").trim_ascii_end() != store.bytes.trim_ascii_end() {
            differing.push("the store is not as it was".to_owned());
        }
        all.push((store.name.clone(), differing));
    }
    assert_none(&all);
    assert!(added >= 40, "{added} stores that a profile was added to");
    say(&format!(
        "{} good stores, {shown} profiles shown; {added} with a profile added and removed, byte for byte",
        stores.len()
    ));
}
