//! Unit tests of `profile::parse::outline`.

use super::*;
use crate::disk::{self, Privacy, ReadRules};
use crate::profile::{Profile, Store};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Returns the outline of a fully parsed store. A faulty profile has an empty summary.
fn expected(store: &Store) -> Outline<'_> {
    let summary = |profile: &Profile| ProfileSummary {
        tags: profile.tags.iter().cloned().map(Cow::Owned).collect(),
        description: profile.description.clone().map(Cow::Owned),
        account: profile.shortname.clone().or(profile.username.clone()).map(Cow::Owned),
    };
    let profiles = store
        .profiles
        .iter()
        .map(|entry| (entry.name.clone(), entry.profile.as_ref().map(summary).unwrap_or_default()));
    let mut profiles: Vec<_> = profiles.collect();
    profiles.sort_by(|(one, _), (other, _)| one.cmp(other));
    Outline { profiles, recipients: store.recipients.keys().cloned().collect() }
}

/// If the text is a valid store, checks that the outline agrees with the full parser. Returns whether the text is a
/// valid store.
fn check_if_valid(text: &str) -> bool {
    let Ok(store) = super::super::parse(&Arc::new(text.to_owned()), Path::new("/store")) else { return false };
    let mut outline = Outline::read(text).unwrap_or_else(|| panic!("no outline of\n{text}"));
    for entry in store.profiles.iter().filter(|entry| entry.profile.is_err()) {
        let found = outline.profiles.iter_mut().find(|(name, _)| *name == entry.name);
        found.unwrap_or_else(|| panic!("{}\n{text}", entry.name)).1 = ProfileSummary::default();
    }
    assert_eq!(outline, expected(&store), "{text}");
    true
}

#[test]
fn the_outline_agrees_with_the_parser_on_all_test_stores() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
    let mut usable = 0;
    for kind in ["valid", "invalid"] {
        for file in std::fs::read_dir(directory.join(kind)).unwrap() {
            let rules = ReadRules { cap: 1 << 20, privacy: Privacy::Any };
            let Ok(text) = String::from_utf8(disk::read(&file.unwrap().path(), rules).unwrap()) else { continue };
            usable += usize::from(check_if_valid(&text));
            usable += usize::from(check_if_valid(&text.replace('\n', "\r\n")));
            usable += usize::from(check_if_valid(&format!("\u{feff}{text}")));
        }
    }
    assert!(usable > 300, "{usable}");
}

#[test]
fn text_inside_values_is_not_read_as_a_header() {
    let head = "version = 1\n[defaults]\nurl = \"https://x.example\"\n";
    for (text, names) in [
        ("[profiles.a]\ndescription = \"\"\"\n[profiles.no]\n\"\"\"\n", "a"),
        ("[profiles.a]\nsecret = \"\"\"\n[profiles.no]\n\\\"\"\"\n[profiles.no]\n\"\"\"\n[profiles.b]", "a b"),
        ("[profiles.a]\ndescription = '''\n[profiles.no]'''\n[profiles.b]\n", "a b"),
        ("[profiles.a]\ntags = [\n\"x\", # ]\n\"[profiles.no]\",\n]\n[profiles.b]", "a b"),
        ("[profiles.a]\nsecret = { command = [\"x\"]\n}\n[profiles.b]", "a b"),
        ("[profiles]\na.tags = [\"x\"]\nb = { description = \"]\" }\n\"c.d\".env = {}\n", "a b c.d"),
        ("[profiles.\"a.b\"] # c\n[ profiles . c ]\nenv.X = \"\"\n[profiles.d.env]\n[profiles.d]", "a.b c d"),
        ("[profiles.a]\nsecret = \"\"\"x\"\"\"\"\"\n[profiles.b]\nsecret = \"\"\"\nx\"\"\"\"\n[profiles.c]", "a b c"),
    ] {
        let text = format!("{head}{text}");
        assert!(check_if_valid(&text), "{text}");
        let outline = Outline::read(&text).unwrap();
        let found: Vec<&str> = outline.profiles.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found.join(" "), names, "{text}");
    }
}

#[test]
fn an_invalid_store_has_no_outline() {
    for text in [
        "",
        "[profiles.a]\n",
        "version = 2\n[profiles.a]\n",
        "version = 1\n[profiles.A]\n",
        "version = 1\n[profiles.\"$(x)\"]\n",
        "version = 1\n[recipients]\n\"a b\" = \"age1x\"\n",
        "version = 1\n[profiles.a]\ntags = [\"x\"\n",
        "version = 1\n<<<<<<< ours\n[profiles.a]\n",
        "version = 1\n[profiles.a]\ntags = \"\"\"\n",
    ] {
        assert_eq!(Outline::read(text), None, "{text}");
    }
}

/// Generates a line of a store, in one of several ways of writing it. Many lines make the store invalid; the tests
/// ignore invalid stores.
fn line() -> impl Strategy<Value = String> {
    let string_literal = prop_oneof![
        "[ -~]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', ""))),
        "[ -~]{0,12}".prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        "[a-z#\\[\\]{}=., ]{0,12}".prop_map(|text| format!("\"{text}\"")),
        "[a-z#\\[\\]\n\"'= ]{0,16}".prop_map(|text| format!("\"\"\"\n{text}\n\"\"\"")),
        "[a-z#\\[\\]\n= ]{0,16}".prop_map(|text| format!("\"\"\"\n{text}\"\"\"\"")),
        "[a-z#\\[\\]\n\"\\\\= ]{0,16}".prop_map(|text| format!("'''{text}'''")),
    ];
    let texts =
        (proptest::collection::vec(string_literal.clone(), 0..3), prop_oneof![Just(", "), Just(",\n"), Just(" ,")]);
    let list = texts.prop_map(|(texts, comma)| format!("[{}]", texts.join(comma)));
    let key = prop_oneof![Just("description"), Just("shortname"), Just("env.X"), Just("\"description\"")];
    let pair = (
        key,
        prop_oneof![Just(" = "), Just("="), Just("\t= ")],
        string_literal.clone(),
        prop_oneof![Just(""), Just(" # ]\"")],
    )
        .prop_map(|(key, equals, value, tail)| format!("{key}{equals}{value}{tail}\n"));
    let name = prop_oneof![Just("a"), Just("b-1"), Just("\"c.d\""), Just("'e'")];
    prop_oneof![
        3 => (name.clone(), prop_oneof![Just("[profiles.N]\n"), Just("[ profiles.N ] # x\n"), Just("[profiles.N.env]\n")])
            .prop_map(|(name, header)| header.replace('N', name)),
        1 => (name, list.clone()).prop_map(|(name, list)| format!("[profiles]\n{name}.tags = {list}\n")),
        4 => pair,
        2 => list.prop_map(|list| format!("tags = {list}\n")),
        2 => string_literal.prop_map(|text| format!("secret = {text}\n")),
        1 => Just("\n  # [profiles.no]\n".to_owned()),
        1 => Just("sealed = { id = \"5f0c9a3e7b1d2c44\", to = \"9c1b77aa03e2d5f1\", since = 2026-11-23 }\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_outline_agrees_with_the_parser_on_random_stores(lines in proptest::collection::vec(line(), 0..8), crlf: bool) {
        let head = "version = 1\nrecipients = { me = \"age1x\" }\ndefaults.url = \"https://x.example\"\n";
        let text = format!("{head}[profiles.first]\n{}", lines.concat());
        check_if_valid(&if crlf { text.replace('\n', "\r\n") } else { text });
    }
}
