use super::*;
use crate::profile::{ClearKey, SecretPlace, Span};
use std::path::PathBuf;

/// Stands for a secret in every bad file; no fault may show it.
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

fn store(text: &str) -> Store {
    parse(text, Path::new("/store")).unwrap()
}

fn profile(text: &str) -> Profile {
    store(text).profiles.remove(0).profile.unwrap()
}

/// The fault of a text, be it the file's or that of its first faulty profile.
fn fault(text: &str) -> Fault {
    match parse(text, Path::new("/store")) {
        Err(StoreError(fault)) => fault,
        Ok(store) => store.profiles.into_iter().find_map(|entry| entry.profile.err()).expect(text),
    }
}

#[test]
fn a_store_is_read_with_its_defaults_in_the_order_of_the_file() {
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
    assert_eq!(zeta.secret, SecretPlace::Sealed("-----BEGIN AGE ENCRYPTED FILE-----\n".to_owned()));
    assert_eq!(profiles[1].secret, SecretPlace::Clear(vec![ClearKey::Netosecret]));
    assert_eq!(profiles[1].timeout, Span::from_seconds(30));
    assert_eq!(profiles[2].secret, SecretPlace::Command(["pass", "show", "x"].map(str::to_owned).to_vec()));
    assert_eq!(profiles[3].secret, SecretPlace::File(PathBuf::from("/store/secrets/x")));
    assert_eq!(profiles[4].secret, SecretPlace::Env("X_SECRET".to_owned()));
}

#[test]
fn line_ends_and_byte_order_mark_do_not_matter() {
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    let (plain, windows) = (store(GOOD), store(&windows));
    for (plain, windows) in plain.profiles.iter().zip(&windows.profiles) {
        assert_eq!(plain.profile.as_ref().unwrap(), windows.profile.as_ref().unwrap());
    }
    assert_eq!(store("\u{feff}version = 1").profiles.len(), 0);
}

#[test]
fn what_is_clear_wins_and_needs_nothing_else() {
    let both = profile("version=1\n[profiles.a]\nnetosecret='x'\nsecret='sealed'\nappkey='y'");
    assert_eq!(both.secret, SecretPlace::Clear(vec![ClearKey::Netosecret, ClearKey::Appkey]));
    assert_eq!(both.url.to_string(), "https://api.netography.com/api/v1");
    let skeleton = profile("version=1\nprofiles.a.url='https://x.example'");
    assert_eq!((skeleton.secret, skeleton.shortname), (SecretPlace::None, None));
}

/// A text, and of its fault the line, the column, the key and the sentence. `URL` stands for a
/// line with a good url.
const FAULTS: [(&str, usize, usize, &str, &str); 62] = [
    ("", 1, 1, "", "'version' is missing"),
    ("version = 2\nnew = 1", 1, 11, "version", "this version of the format is not known here"),
    ("version = '1'", 1, 11, "version", "must be a whole number"),
    ("version = 1.0", 1, 11, "version", "must be a whole number"),
    ("version = 1\nprofile = 1", 2, 1, "profile", "unknown key; the nearest known one is 'profiles'"),
    ("version = 1\nc4n4rys3cr3tc4n4rys3cr3tc4n4rys3cr3tc4n4ry = 1", 2, 1, "", "unknown key"),
    ("version = 1\nexplicit = 'yes'", 2, 12, "explicit", "must be true or false"),
    ("version = 1\nprofiles = 1", 2, 12, "profiles", "must be a table"),
    ("version = 1\n[[profiles]]", 2, 1, "profiles", "must be a table"),
    ("version = 1\n[profiles.Acme]", 2, 11, "profiles.Acme", "a name starts with a lower-case letter or a digit"),
    (
        "version = 1\n[profiles.\"a b\"]",
        2,
        11,
        "profiles",
        "a name holds only lower-case letters, digits, '.', '_' and '-'",
    ),
    (
        "version = 1\n[profiles.env]",
        2,
        11,
        "profiles.env",
        "'env' is the profile that NETOSECRET makes; choose another name",
    ),
    ("version = 1\n[recipients]\nalice = 1", 3, 9, "recipients.alice", "must be a text"),
    (
        "version = 1\n[recipients]\nalice = 'AGE-SECRET-KEY-1c4n4ry-s3cr3t'",
        3,
        9,
        "recipients.alice",
        "must be a public key of age (age1...)",
    ),
    (
        "version = 1\n[recipients]\n'Alice' = 'age1x'",
        3,
        1,
        "recipients.Alice",
        "a name starts with a lower-case letter or a digit",
    ),
    ("version = 1\n[defaults]\ntags = []", 3, 1, "defaults.tags", "unknown key"),
    (
        "version = 1\n[defaults]\nlee = '1s'\nurl = 'http://x.example'",
        3,
        1,
        "defaults.lee",
        "unknown key; the nearest known one is 'leeway'",
    ),
    (
        "version = 1\n[defaults]\nurl = 'http://c4n4ry-s3cr3t.example'",
        3,
        7,
        "defaults.url",
        "the url must be https (http only to a loopback address)",
    ),
    (
        "version = 1\n[defaults]\nrecipients = ['bob']",
        3,
        15,
        "defaults.recipients",
        "names a recipient that is not in [recipients]",
    ),
    (
        "version = 1\n[defaults.env]\nLD_PRELOAD = 'x'",
        3,
        1,
        "defaults.env.LD_PRELOAD",
        "a variable that steers programs is not set by a profile",
    ),
    ("version = 1\n[profiles.a]", 2, 11, "profiles.a", "'url' is missing"),
    ("version = 1\nprofiles.a = 'c4n4ry-s3cr3t'", 2, 14, "profiles.a", "must be a table"),
    ("version = 1\n[[profiles.a]]\nsecret = 'c4n4ry-s3cr3t'", 2, 1, "profiles.a", "must be a table"),
    (
        "version = 1\n[profiles.a]\nURL\nshortnam = 'c4n4ry-s3cr3t'",
        4,
        1,
        "profiles.a.shortnam",
        "unknown key; the nearest known one is 'shortname'",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = 1",
        4,
        10,
        "profiles.a.secret",
        "must be a sealed text or a table that names a source",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = ['c4n4ry-s3cr3t']",
        4,
        10,
        "profiles.a.secret",
        "must be a sealed text or a table that names a source",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = { }",
        4,
        10,
        "profiles.a.secret",
        "must hold exactly one of 'command', 'file' and 'env'",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = { file = 'x', env = 'X' }",
        4,
        10,
        "profiles.a.secret",
        "must hold exactly one of 'command', 'file' and 'env'",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = { comand = ['c4n4ry-s3cr3t'] }",
        4,
        12,
        "profiles.a.secret.comand",
        "unknown key; the nearest known one is 'command'",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = { command = 'c4n4ry-s3cr3t' }",
        4,
        22,
        "profiles.a.secret.command",
        "must be a list of texts",
    ),
    ("version = 1\n[profiles.a]\nURL\nsecret = { command = [] }", 4, 22, "profiles.a.secret.command", "is empty"),
    (
        "version = 1\n[profiles.a]\nURL\nsecret = { env = 'A B' }",
        4,
        18,
        "profiles.a.secret.env",
        "the name of a variable holds letters, digits and '_' and does not start with a digit",
    ),
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
    ("version = 1\n[profiles.a]\nURL\npassword = 7", 4, 12, "profiles.a.password", "must be a text"),
    (
        "version = 1\n[profiles.a]\nURL\nusername = 'u'\nshortname = 's'",
        4,
        1,
        "profiles.a.username",
        "stands beside 'shortname', which excludes it",
    ),
    (
        "version = 1\n[profiles.a]\nURL\npassword = 'c4n4ry-s3cr3t'\nappkey = 'c4n4ry-s3cr3t'",
        4,
        1,
        "profiles.a.password",
        "stands beside 'appkey', which excludes it",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nleeway = 30",
        4,
        10,
        "profiles.a.leeway",
        "a bare number has no unit; write it like 30s, 10m, 2h or 7d",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nleeway = 'soon'",
        4,
        10,
        "profiles.a.leeway",
        "not a length of time; write it like 30s, 10m, 2h, 7d or 1h30m",
    ),
    ("version = 1\n[profiles.a]\nURL\nca_file = 'ca.pem'", 4, 11, "profiles.a.ca_file", "the path must be absolute"),
    ("version = 1\n[profiles.a]\nURL\nshortname = ''", 4, 13, "profiles.a.shortname", "is empty"),
    (
        "version = 1\n[profiles.a]\nURL\nshortname = \"a\\nb\"",
        4,
        13,
        "profiles.a.shortname",
        "holds control characters",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nenv = { 'A B' = 'x' }",
        4,
        9,
        "profiles.a.env",
        "the name of a variable holds letters, digits and '_' and does not start with a digit",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nenv = { NETO_URL = 'x' }",
        4,
        9,
        "profiles.a.env.NETO_URL",
        "neto's own variables are not set by a profile",
    ),
    ("version = 1\n[profiles.a]\nURL\ntags = 'é', 1", 4, 11, "profiles.a.tags", "this is not valid TOML"),
    ("version = 1\n[profiles.a]\nURL\ntags = ['é', 1]", 4, 14, "profiles.a.tags", "must be a list of texts"),
    (
        "version = 1\n[profiles.a]\nURL\nsealed = { id = 'x', to = '9c1b77aa03e2d5f1', since = 2026-11-23 }",
        4,
        17,
        "profiles.a.sealed.id",
        "must be 16 lower-case hex digits",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsealed = { id = '9c1b77aa03e2d5f1', since = 2026-11-23 }",
        4,
        10,
        "profiles.a.sealed",
        "'to' is missing",
    ),
    (
        "version = 1\n[profiles.a]\nURL\nsealed.since = '2026-11-23'",
        4,
        16,
        "profiles.a.sealed.since",
        "must be a date such as 2026-11-23",
    ),
    ("version = 1\n[profiles.a]\nURL\nrecipients = []", 4, 14, "profiles.a.recipients", "is empty"),
    // Not TOML, or not such as means something.
    ("version = 1\nversion = 1", 2, 1, "version", "this key is declared twice"),
    (
        "version = 1\n[profiles.a]\nURL\n[profiles.a]\nsecret = 'c4n4ry-s3cr3t'",
        4,
        11,
        "profiles.a",
        "this key is declared twice",
    ),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry-s3cr3t\nURL",
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
    ("version = 1\n[profiles.a]\nc4n4ry-s3cr3t==\n", 3, 15, "profiles.a", "a '=' too many"),
    ("version = 1\n[profiles.a]\nc4n4ry-s3cr3t\n", 3, 14, "profiles.a", "a key without '=' and a value"),
    ("version = 1\n[profiles.a\nsecret = 'c4n4ry-s3cr3t'", 2, 12, "profiles.a", "a header that is not closed by ']'"),
    (
        "version = 1\n[profiles.a]\nnetosecret = \"c4n4ry-s3cr3t\\q\"",
        3,
        29,
        "profiles.a.netosecret",
        "an escape that TOML does not have; a backslash is written twice",
    ),
    (
        "version = 1\n[profiles.a]\nsecret.file = 'x'\nsecret.file.c4n4rys3cr3t = 'y'",
        4,
        8,
        "profiles.a.secret.file",
        "this key has a value already and cannot be continued",
    ),
    ("version = 1\n[profiles]\na = { secret = 'c4n4ry-s3cr3t' b = 1 }", 3, 32, "profiles", "a comma is missing"),
];

#[test]
fn r48_a_fault_has_its_place_its_key_and_no_value() {
    let mut differing = Vec::new();
    for (text, line, column, key, sentence) in FAULTS {
        let text = text.replace("\nURL", "\nurl = 'https://x.example'");
        let fault = fault(&text);
        let found = (fault.place.line, fault.place.column, fault.key.as_str(), fault.problem.to_string());
        if found != (line, column, key, sentence.to_owned()) {
            differing.push(format!("{text}\n  {found:?}"));
        }
        let told = format!("{fault} {fault:?}");
        assert!(!told.contains(CANARY) && !told.contains("c4n4ry"), "{told}");
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_fault_of_one_profile_leaves_the_others() {
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
fn r43_what_is_no_utf8_is_told_with_its_byte() {
    let told = |bytes: &[u8]| decode(bytes.to_vec()).map_err(|error| error.to_string());
    assert_eq!(told(b"a\nb\xff"), Err("line 2, column 2: byte 3 is not UTF-8".to_owned()));
    for utf16 in [&b"\xff\xfev\0e\0"[..], b"\xfe\xff\0v", b"v\0e\0", b"\0v\0e"] {
        assert_eq!(told(utf16), Err("line 1, column 1: the file is UTF-16, not UTF-8".to_owned()));
    }
    assert_eq!(told(b"\xef\xbb\xbfx"), Ok("\u{feff}x".to_owned()));
    assert_eq!(told(b""), Ok(String::new()));
}

#[test]
fn r43_depth_is_an_error_before_it_is_a_danger() {
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
        assert_eq!((fault.problem, fault.key.as_str()), (Problem::TooDeep, key));
    }
    let floats = "1.5, ".repeat(500);
    let wide = format!("version = 1\nx = [{floats}]\ny = [\n{}]", "1.5,\n".repeat(500));
    assert_eq!(fault(&wide).problem, Problem::UnknownKey { near: None });
}

#[test]
fn conflict_markers_name_the_profiles_between_them() {
    let text = "version = 1\n[profiles.a]\nx = 1\n<<<<<<< HEAD\ny = 'c4n4ry'\n[profiles.b]\n||||||| base\n=======\n[profiles.'c']\n\
                [profiles]\nd.url = 'x'\n>>>>>>> it's theirs\ne.url = 'x'\n[profiles.f]\n";
    let found = fault(text);
    assert_eq!((found.place, found.key.as_str()), (Place { line: 4, column: 1 }, ""));
    assert_eq!(found.problem.to_string(), "conflict markers of a merge around a, b, c, d");
    let sealed = "version = 1\r\n[profiles.a]\r\nsecret = '''\r\n<<<<<<< ours\r\nc4n4ry\r\n=======\r\nx\r\n>>>>>>> theirs\r\n'''\r\n";
    assert_eq!(fault(sealed).problem, Problem::ConflictMarkers { profiles: vec!["a".to_owned()] });
    assert_eq!(
        profile("version = 1\n[profiles.a]\nurl = 'https://x'\ndescription = '''\n=======\n<<<<<<< \n'''").tags.len(),
        0
    );
}

#[test]
fn many_faults_cost_one_pass() {
    let header = (0..20_000).map(|n| format!("[profiles.p{n}]\nurl = 'https://x'\n")).collect::<Vec<_>>().concat();
    let backwards =
        (0..20_000).rev().map(|n| format!("[profiles.p{n}.env]\nPATH = 'x'\n")).collect::<Vec<_>>().concat();
    let store = store(&format!("version = 1\n{header}{backwards}"));
    let lines: Vec<usize> = store.profiles.iter().map(|entry| entry.profile.as_ref().unwrap_err().place.line).collect();
    assert_eq!((lines[0], lines[19_999]), (80_001, 40_003));
}
