use super::*;
use crate::disk::{self, Privacy, ReadRules};
use crate::profile::{PlaintextKey, SecretLocation, Span};
use std::path::PathBuf;

/// Secret in the invalid texts. No fault may contain this secret.
const CANARY: &str = "c4n4ry-s3cr3t";

const GOOD: &str = r#"
version = 1
explicit = true
[recipients]
alice = "age1alice"
ci = "age1ci"
[defaults]
url = "https://api.netography.com"
leeway = "2m"
env = { TENANT = "{shortname}", WHO = "all" }
[profiles.zeta]
shortname = "zeta"
appname = "app"
tags = ["prod", "emea"]
description = "Zeta, production"
protected = true
recipients = ["ci"]
timeout = "1h30m"
env = { WHO = "zeta" }
sealed = { id = "5f0c9a3e7b1d2c44", to = "9c1b77aa03e2d5f1", since = 2026-11-23 }
secret = """
-----BEGIN AGE ENCRYPTED FILE-----
"""
[profiles]
acme.netosecret = "c4n4ry-s3cr3t"
[profiles.person]
username = "bob"
secret = { command = ["pass", "show", "x"] }
[profiles.file]
secret = { file = "secrets/x" }
[profiles."env.1"]
secret.env = "X_SECRET"
"#;

fn parse(text: &str, directory: &Path) -> Result<Store, StoreError> {
    super::parse(&Arc::new(text.to_owned()), directory)
}

fn store(text: &str) -> Store {
    parse(text, Path::new("/store")).unwrap()
}

fn profile(text: &str) -> Profile {
    store(text).profiles.remove(0).profile.unwrap()
}

/// Returns the fault of the file, or of its first faulty profile.
fn fault(text: &str) -> Fault {
    match parse(text, Path::new("/store")) {
        Err(StoreError(fault)) => fault,
        Ok(store) => store.profiles.into_iter().find_map(|entry| entry.profile.err()).expect(text),
    }
}

#[test]
fn defaults_are_filled_in_and_profiles_keep_the_file_order() {
    let store = store(GOOD);
    assert!(store.explicit);
    assert_eq!(store.recipients.len(), 2);
    let names: Vec<&str> = store.names().map(ProfileName::as_str).collect();
    assert_eq!(names, ["zeta", "acme", "person", "file", "env.1"]);
    let profiles: Vec<&Profile> = store.profiles.iter().map(|entry| entry.profile.as_ref().unwrap()).collect();
    let zeta = profiles[0];
    assert_eq!((zeta.leeway, zeta.timeout), (Span::from_seconds(120), Span::from_seconds(5400)));
    assert_eq!((zeta.tags.len(), zeta.protected), (2, true));
    let env: Vec<(&str, &str)> = zeta.env.iter().map(|(name, value)| (name.as_str(), value.0.as_str())).collect();
    assert_eq!(env, [("TENANT", "{shortname}"), ("WHO", "zeta")]);
    assert_eq!(zeta.sealed.as_ref().map(|note| note.since.to_string()), Some("2026-11-23".to_owned()));
    assert_eq!(zeta.secret, SecretLocation::Sealed("-----BEGIN AGE ENCRYPTED FILE-----\n".to_owned().into()));
    assert_eq!(profiles[1].secret, SecretLocation::Plaintext(vec![PlaintextKey::Netosecret]));
    assert_eq!(profiles[1].timeout, Span::from_seconds(30));
    assert_eq!(profiles[2].secret, SecretLocation::Command(["pass", "show", "x"].map(str::to_owned).to_vec()));
    assert_eq!(profiles[3].secret, SecretLocation::File(PathBuf::from("/store/secrets/x")));
    assert_eq!(profiles[4].secret, SecretLocation::Env("X_SECRET".to_owned()));
}

#[test]
fn line_endings_and_byte_order_mark_do_not_matter() {
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    let (plain, windows) = (store(GOOD), store(&windows));
    for (plain, windows) in plain.profiles.iter().zip(&windows.profiles) {
        assert_eq!(plain.profile.as_ref().unwrap(), windows.profile.as_ref().unwrap());
    }
    assert_eq!(store("\u{feff}version = 1").profiles.len(), 0);
}

#[test]
fn a_plaintext_secret_takes_precedence_and_needs_no_url() {
    let both = profile("version=1\n[profiles.a]\nnetosecret='x'\nsecret='sealed'\nappkey='y'");
    assert_eq!(both.secret, SecretLocation::Plaintext(vec![PlaintextKey::Netosecret, PlaintextKey::Appkey]));
    assert_eq!(both.url.to_string(), "https://api.netography.com/api/v1");
    let skeleton = profile("version=1\nprofiles.a.url='https://x.example'");
    assert_eq!((skeleton.secret, skeleton.shortname), (SecretLocation::None, None));
}

/// Texts, each with the line, column, key and message of its fault. `URL` means a line with a valid URL. The stores in
/// `tests/stores/` show which values each key accepts; this table has the other cases.
const FAULTS: [(&str, usize, usize, &str, &str); 38] = [
    // A later format may have other keys, so only the version is reported.
    ("version = 2\nnew = 1", 1, 11, "version", "this version of the format is not known here"),
    ("version = 1\nc4n4rys3cr3tc4n4rys3cr3tc4n4rys3cr3tc4n4ry = 1", 2, 1, "", "unknown key"),
    // The first of several faults is reported.
    (
        "version = 1\n[defaults]\nlee = '1s'\nurl = 'http://x.example'",
        3,
        1,
        "defaults.lee",
        "unknown key; the nearest known one is 'leeway'",
    ),
    ("version = 1\n[[profiles.a]]\nsecret = 'c4n4ry-s3cr3t'", 2, 1, "profiles.a", "must be a table"),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = ['c4n4ry-s3cr3t']",
        4,
        10,
        "profiles.a.secret",
        "must be a sealed text or a table that names a source",
    ),
    // A sealed secret without the keys that it requires. The position is that of the profile's name.
    ("version = 1\n[profiles.a]\nURL\nsecret = 'c4n4ry-s3cr3t'", 2, 11, "profiles.a", "'shortname' is missing"),
    (
        "version = 1\n[profiles.a]\nURL\nshortname='a'\nsecret = 'c4n4ry-s3cr3t'",
        2,
        11,
        "profiles.a",
        "'appname' is missing",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nusername='a'\nsecret = 'c4n4ry-s3cr3t'",
        2,
        11,
        "profiles.a",
        "'sealed' is missing",
    ),
    (
        "version = 1\n[profiles.a]\nURL\npassword = 'c4n4ry-s3cr3t'\nappkey = 'c4n4ry-s3cr3t'",
        4,
        1,
        "profiles.a.password",
        "stands beside 'appkey', which excludes it",
    ),
    // Columns count characters, and a path ends before a part that is not a plain word.
    ("version = 1\n[profiles.a]\nURL\ntags = 'é', 1", 4, 11, "profiles.a.tags", "the line goes on where it should end"),
    ("version = 1\n[profiles.a]\nURL\ntags = ['é', 1]", 4, 14, "profiles.a.tags", "must be a list of texts"),
    (
        "version = 1\n[profiles.a]\nURL\nenv = { 'A B' = 'x' }",
        4,
        9,
        "profiles.a.env",
        "the name of a variable holds letters, digits and '_' and does not start with a digit",
    ),
    // Text that is not valid TOML.
    (
        "version = 1\n[profiles.a]\nURL\n[profiles.a]\nsecret = 'c4n4ry-s3cr3t'",
        4,
        11,
        "profiles.a",
        "this key is declared twice",
    ),
    (
        "version = 1\n[profiles.a]\nenv = { A = 'c4n4ry-s3cr3t', B = [1, { C = 1 }], A = 'x' }",
        3,
        50,
        "profiles.a.env.A",
        "this key is declared twice",
    ),
    (
        "version = 1\n[profiles.a.env]\nA.B = 1\nA.B = 'c4n4ry-s3cr3t'",
        4,
        3,
        "profiles.a.env.A.B",
        "this key is declared twice",
    ),
    (
        "version = 1\n[profiles.a]\nsecret.file = 'x'\nsecret.file.c4n4rys3cr3t = 'y'",
        4,
        8,
        "profiles.a.secret.file",
        "this key has a value already and cannot be continued",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry-s3cr3t\nURL",
        3,
        14,
        "profiles.a.netosecret",
        "a text that is not closed by its quotes",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry\nc4n4ry-s3cr3t\nc4n4ry\"\nURL",
        3,
        14,
        "profiles.a.netosecret",
        "a text that is not closed by its quotes",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"\"\"\nc4n4ry-s3cr3t\nURL",
        3,
        14,
        "profiles.a.netosecret",
        "a text that is not closed by its quotes",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = c4n4ry-s3cr3t\n",
        3,
        14,
        "profiles.a.netosecret",
        "a text that is not in quotes",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = c4n4rys3cr3t==\n",
        3,
        14,
        "profiles.a.netosecret",
        "a text that is not in quotes",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = 'c4n4ry'==\n",
        3,
        22,
        "profiles.a.netosecret",
        "the line goes on where it should end",
    ),
    ("version = 1\n[profiles.a]\nc4n4ry-s3cr3t==\n", 3, 15, "profiles.a", "a '=' too many"),
    ("version = 1\n[profiles.a]\nc4n4ry-s3cr3t\n", 3, 14, "profiles.a", "a key without '=' and a value"),
    ("version = 1\n[profiles.a]\nsecret.c4n4ry = c4n4ry\n", 3, 17, "profiles.a.secret", "a text that is not in quotes"),
    ("version = 1\n[profiles.a]\nappkey =\nURL", 3, 9, "profiles.a.appkey", "a value is missing"),
    ("version = 1\n[profiles.a]\nappkey = # c4n4ry-s3cr3t\nURL", 3, 10, "profiles.a.appkey", "a value is missing"),
    ("version = 1\n[profiles.a]\nappkey =", 3, 9, "profiles.a.appkey", "a value is missing"),
    ("version = 1\n[profiles.a\nsecret = 'c4n4ry-s3cr3t'", 2, 12, "profiles.a", "a header that is not closed by ']'"),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry-s3cr3t\\q\"",
        3,
        29,
        "profiles.a.netosecret",
        "an escape that TOML does not have; a backslash is written twice",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry-s3cr3t\u{7}\"",
        3,
        28,
        "profiles.a.netosecret",
        "a control character, which TOML does not allow",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = '''c4n4ry\u{7f}'''",
        3,
        23,
        "profiles.a.netosecret",
        "a control character, which TOML does not allow",
    ),
    ("version = 1 # c4n4ry \0", 1, 22, "version", "a control character, which TOML does not allow"),
    (
        "version = 1\n[profiles.a]\nnetosecret = '''c4n4ry\r'''",
        3,
        23,
        "profiles.a.netosecret",
        "a carriage return without a line feed",
    ),
    ("version = 1\rexplicit = true", 1, 12, "version", "a carriage return without a line feed"),
    (
        "version = 1\n[profiles.a]\nsealed.since = 2026-13-01",
        3,
        16,
        "profiles.a.sealed.since",
        "no number, no date, not true or false; a text needs quotes",
    ),
    ("version = 1\n[profiles]\na = { secret = 'c4n4ry-s3cr3t' b = 1 }", 3, 32, "profiles", "a comma is missing"),
    (
        "version = 1\n[profiles.a]\nURL\nsealed = { id = 'x' to = 'y' }",
        4,
        21,
        "profiles.a.sealed.to",
        "a comma is missing",
    ),
];

#[test]
fn r48_a_fault_has_a_position_and_a_key_but_no_value() {
    let mut differing = Vec::new();
    for (text, line, column, key, sentence) in FAULTS {
        let text = text.replace("\nURL", "\nurl = 'https://x.example'");
        let fault = fault(&text);
        let found = (fault.position.line, fault.position.column, fault.key.as_str(), fault.problem.to_string());
        if found != (line, column, key, sentence.to_owned()) {
            differing.push(format!("{text}\n  {found:?}"));
        }
        let message = format!("{fault} {fault:?}");
        assert!(!message.contains(CANARY) && !message.contains("c4n4ry"), "{message}");
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_faulty_profile_does_not_affect_other_profiles() {
    let store = store(
        "version = 1\n[defaults]\nurl = 'https://x.example'\n[profiles.b]\nx = 1\n[profiles.a]\n[profiles.c]\n\ny = 2\n",
    );
    let faults: Vec<String> = store
        .profiles
        .iter()
        .map(|entry| entry.profile.as_ref().err().map_or(String::new(), Fault::to_string))
        .collect();
    assert_eq!(
        faults,
        ["line 5, column 1: profiles.b.x: unknown key", "", "line 9, column 1: profiles.c.y: unknown key"]
    );
}

#[test]
fn r43_invalid_utf8_is_reported_with_its_byte_offset() {
    let message = |bytes: &[u8]| decode(bytes.to_vec()).map_err(|error| error.to_string());
    assert_eq!(message(b"a\nb\xff"), Err("line 2, column 2: byte 3 is not UTF-8".to_owned()));
    for utf16 in [&b"\xff\xfev\0e\0"[..], b"\xfe\xff\0v", b"v\0e\0", b"\0v\0e"] {
        assert_eq!(message(utf16), Err("line 1, column 1: the file is UTF-16, not UTF-8".to_owned()));
    }
    assert_eq!(message(b"\xef\xbb\xbfx"), Ok("\u{feff}x".to_owned()));
    assert_eq!(message(b""), Ok(String::new()));
}

#[test]
fn r43_deep_nesting_is_an_error_and_not_a_stack_overflow() {
    let many = 100_000;
    for (text, key) in [
        (format!("version = 1\nx = {}", "[".repeat(many)), ""),
        (format!("version = 1\nx = {}{}", "[".repeat(many), "]".repeat(many)), ""),
        (format!("version = 1\nx = {}", "{a=".repeat(many)), ""),
        (format!("version = 1\nx = {}", "[\n".repeat(many)), ""),
        (format!("version = 1\n{}a = 1", "a.".repeat(many)), ""),
        (format!("version = 1\n[{}a]", "a.".repeat(many)), ""),
        (format!("version = 1\nx = {}", format!("{{{}a=", "a.".repeat(60)).repeat(70)), ""),
    ] {
        let fault = fault(&text);
        assert_eq!((fault.problem, fault.key.as_str()), (StoreProblem::TooDeep, key));
    }
    let floats = "1.5, ".repeat(500);
    let wide = format!("version = 1\nx = [{floats}]\ny = [\n{}]", "1.5,\n".repeat(500));
    assert_eq!(fault(&wide).problem, StoreProblem::UnknownKey { similar: None });
}

#[test]
fn a_conflict_is_reported_with_the_profiles_between_its_markers() {
    let text = "version = 1\n[profiles.a]\nx = 1\n<<<<<<< HEAD\ny = 'c4n4ry'\n[profiles.b]\n||||||| base\n=======\n[profiles.'c']\n\
                [profiles]\nd.url = 'x'\n>>>>>>> it's theirs\ne.url = 'x'\n[profiles.f]\n";
    let found = fault(text);
    assert_eq!((found.position, found.key.as_str()), (FilePosition { line: 4, column: 1 }, ""));
    assert_eq!(found.problem.to_string(), "conflict markers of a merge around a, b, c, d");
    let sealed = "version = 1\r\n[profiles.a]\r\nsecret = '''\r\n<<<<<<< ours\r\nc4n4ry\r\n=======\r\nx\r\n>>>>>>> theirs\r\n'''\r\n";
    assert_eq!(fault(sealed).problem, StoreProblem::ConflictMarkers { profiles: vec!["a".to_owned()] });
    assert_eq!(
        profile("version = 1\n[profiles.a]\nurl = 'https://x'\ndescription = '''\n=======\n<<<<<<< \n'''").tags.len(),
        0
    );
}

#[test]
fn a_leftover_marker_is_reported_as_a_conflict() {
    for line in ["<<<<<<< HEAD", "||||||| 4a5b6c7", "=======", ">>>>>>> c4n4ry"] {
        for after in ["", "\nx = 'c4n4ry'"] {
            let found = fault(&format!("version = 1\n[profiles.a]\n{line}{after}"));
            assert_eq!((found.position, found.key.as_str()), (FilePosition { line: 3, column: 1 }, ""), "{line}");
            assert_eq!(found.problem.to_string(), "conflict markers of a merge");
        }
    }
}

#[test]
fn a_conflict_message_names_at_most_ten_profiles() {
    let headers = |count: usize| (0..count).map(|n| format!("[profiles.p{n}]\n")).collect::<Vec<_>>().concat();
    let message = |count| fault(&format!("<<<<<<< a\n{}=======\n>>>>>>> b\n", headers(count))).problem.to_string();
    let ten = "conflict markers of a merge around p0, p1, p2, p3, p4, p5, p6, p7, p8, p9";
    assert_eq!(message(10), ten);
    assert_eq!(message(5_010), format!("{ten} and 5000 more"));
}

#[test]
fn a_similar_recipient_is_suggested_only_among_at_most_100() {
    let near = |count: usize| {
        let recipients = (0..count).map(|n| format!("r{n} = 'age1x'\n")).collect::<Vec<_>>().concat();
        fault(&format!("version = 1\n[recipients]\n{recipients}[defaults]\nrecipients = ['rr7']")).problem
    };
    assert!(matches!(near(100), StoreProblem::UnknownRecipient { similar: Some(_) }));
    assert_eq!(near(101), StoreProblem::UnknownRecipient { similar: None });
}

#[test]
fn many_faults_are_located_in_one_pass() {
    let header = (0..20_000).map(|n| format!("[profiles.p{n}]\nurl = 'https://x'\n")).collect::<Vec<_>>().concat();
    let backwards =
        (0..20_000).rev().map(|n| format!("[profiles.p{n}.env]\nPATH = 'x'\n")).collect::<Vec<_>>().concat();
    let store = store(&format!("version = 1\n{header}{backwards}"));
    let lines: Vec<usize> =
        store.profiles.iter().map(|entry| entry.profile.as_ref().unwrap_err().position.line).collect();
    assert_eq!((lines[0], lines[19_999]), (80_001, 40_003));
}

/// Returns the faults of a store as text: the fault of the file, or the faults of its profiles.
fn message(text: &str) -> String {
    match parse(text, Path::new("/store")) {
        Err(error) => format!("{error} {error:?}"),
        Ok(store) => {
            store.profiles.iter().filter_map(|entry| entry.profile.as_ref().err()).map(Fault::to_string).collect()
        }
    }
}

#[test]
fn r48_no_fault_of_a_damaged_store_shows_a_value() {
    let any = ReadRules { cap: 64 << 20, privacy: Privacy::Any };
    let mut texts = 0;
    for directory in ["invalid", "valid"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(directory);
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = String::from_utf8(disk::read(&path, any).unwrap()).unwrap();
            // Skips the comments at the top, because they contain the expected message.
            let is_head = |line: &&str| line.starts_with("# exit ") || line.starts_with("# hint: ");
            let text = text.split_inclusive('\n').skip_while(is_head).collect::<Vec<_>>().concat();
            for (at, letter) in text.char_indices() {
                let (before, after) = (&text[..at], &text[at + letter.len_utf8()..]);
                let rest = &text[at..];
                for part in
                    [before, &[before, after].concat(), &[before, "\"", rest].concat(), &[before, "\n", rest].concat()]
                {
                    let message = message(part);
                    // In these stores a change can turn the canary into a valid name, which a message may show.
                    let is_name = name.starts_with("name-");
                    assert!(is_name || !message.to_lowercase().contains("canary"), "{name}: {message}\n{part}");
                    texts += 1;
                }
            }
        }
    }
    assert!(texts > 100_000, "{texts}");
}

#[test]
#[should_panic(expected = "a key that is read is described")]
fn parsing_a_key_without_a_description_panics_in_debug_builds() {
    let table = tree::parse("nosuch = 1").unwrap();
    let _ = value::for_each_known(&table, &format::PROFILE, |_, _| Ok(true));
}
