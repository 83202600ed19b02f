//! What can be wrong with a store, and what only looks odd: each fault with its place and key, never a value.

use crate::harness::Sandbox;
use std::fs;

/// A text that stands in every faulty store and must not show.
const CANARY: &str = "canary-value-in-file";
/// The same where a key stands: a key is shown, but no text as long as a secret.
const LONG: &str = "canary-as-long-as-a-secret-0123456789-0123456789";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.plant("value", CANARY);
    sandbox.plant("key", LONG);
    sandbox.spare(&sandbox.home("profiles.toml"));
    sandbox
}

/// Faults of the whole file: its text (`$` and `%` are the canaries), and what is said.
const FAULTY_FILES: [(&str, &str); 34] = [
    ("version = 1\n[profiles.acme\n", "line 2, column"),
    ("version = 1\nx = \"$\n", "line 2, column"),
    ("version = 1\n%\n", "line 2, column"),
    ("version = 1\n\"%\"\n", "line 2, column"),
    ("version = 1\n[profiles.acme]\nappkey = $\n", "line 3, column 10"),
    ("version = 1\n[profiles.acme]\nappkey = \"$\" x\n", "line 3, column"),
    ("version = 1\nversion = 1\n", "line 2, column 1: version: this key is declared twice"),
    (
        "version = 1\n[profiles.acme]\nurl = \"$\"\nurl = \"$\"\n",
        "line 4, column 1: profiles.acme.url: this key is declared twice",
    ),
    ("version = 1\n[profiles.acme]\n[profiles.acme]\n", "line 3, column"),
    ("", "line 1, column 1: 'version' is missing"),
    ("[defaults]\nurl = \"$\"\n", "line 1, column 1: 'version' is missing"),
    ("version = 2\nnew = \"$\"\n", "line 1, column 11: version: this version of the format is not known here"),
    ("version = \"$\"\n", "line 1, column 11: version: must be a whole number"),
    ("version = 1.0\n", "version: must be a whole number"),
    (
        "version = 1\nrecipient = \"$\"\n",
        "line 2, column 1: recipient: unknown key; the nearest known one is 'recipients'",
    ),
    ("version = 1\n% = 1\n", "line 2, column 1: unknown key"),
    ("version = 1\nexplicit = \"$\"\n", "line 2, column 12: explicit: must be true or false"),
    ("version = 1\nprofiles = \"$\"\n", "line 2, column 12: profiles: must be a table"),
    ("version = 1\n[[profiles]]\nname = \"$\"\n", "profiles: must be a table"),
    (
        "version = 1\n[defaults]\nurll = \"$\"\n",
        "line 3, column 1: defaults.urll: unknown key; the nearest known one is 'url'",
    ),
    ("version = 1\n[defaults]\nurl = \"http://$\"\n", "line 3, column 7: defaults.url: the url must be https"),
    ("version = 1\n[defaults]\nleeway = 60\n", "line 3, column 10: defaults.leeway: "),
    ("version = 1\n[defaults]\nleeway = \"$\"\n", "defaults.leeway: not a length of time"),
    ("version = 1\n[defaults]\nca_file = \"$\"\n", "defaults.ca_file: the path must be absolute"),
    ("version = 1\n[defaults]\nenv = { PATH = \"$\" }\n", "defaults.env.PATH: a variable that steers programs"),
    ("version = 1\n[defaults]\nshortname = \"$\"\n", "line 3, column 1: defaults.shortname: unknown key"),
    (
        "version = 1\n[recipients]\nbob = \"AGE-SECRET-KEY-$\"\n",
        "line 3, column 7: recipients.bob: must be a public key of age",
    ),
    ("version = 1\n[recipients]\n\"A b\" = \"age1$\"\n", "line 3, column 1: recipients: a name"),
    ("version = 1\n[profiles.\"A $\"]\n", "line 2, column 11: profiles: a name "),
    ("version = 1\n[profiles.\"../x\"]\n", "line 2, column 11: profiles: a name "),
    ("version = 1\n[profiles.con]\n", "device names of Windows"),
    ("version = 1\n[profiles.env]\n", "'env' is the profile that NETOSECRET makes"),
    (
        "version = 1\n<<<<<<< ours\n[profiles.acme]\nurl = \"$\"\n=======\n>>>>>>> theirs\n",
        "line 2, column 1: conflict markers of a merge",
    ),
    (
        "version = 1\nx = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        "nested deeper than",
    ),
];

#[test]
fn r48_what_is_wrong_with_the_file_fails_every_command() {
    let sandbox = sandbox();
    for (text, words) in FAULTY_FILES {
        let text = text.replace('$', CANARY).replace('%', LONG);
        sandbox.write_store(&text);
        let outcome = sandbox.neto(["ls"]).run();
        outcome.code(3).stdout("").stderr_has("profiles.toml: line ").stderr_has(words);
        assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
        assert_eq!(sandbox.store(), text);
    }
    let credential = sandbox.server().add_tenant("acme", "soc");
    sandbox.write_store(FAULTY_FILES[0].0);
    let verbs: [&[&str]; 15] = [
        &["profile", "add"],
        &["profile", "set-secret", "acme"],
        &["profile", "list"],
        &["profile", "show", "acme"],
        &["profile", "current"],
        &["profile", "use", "acme"],
        &["profile", "edit", "acme", "--tag", "x"],
        &["profile", "rename", "acme", "other"],
        &["profile", "remove", "acme", "--yes"],
        &["seal"],
        &["trust", "--all"],
        &["login"],
        &["token"],
        &["status"],
        &["exec", "acme", "--", "true"],
    ];
    for verb in verbs {
        let outcome = sandbox.neto(verb).stdin(credential.netosecret()).run();
        let code = if verb[0] == "exec" { 125 } else { 3 };
        outcome.code(code).stdout("").stderr_has("profiles.toml: line 2, column ");
    }
    assert_eq!(sandbox.store(), FAULTY_FILES[0].0);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn r43_what_is_no_text_is_told_by_its_offset() {
    let sandbox = sandbox();
    let utf16: Vec<u8> = "\u{feff}version = 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, words) in [
        (b"version = 1\n# \xff\xfe\n".to_vec(), "byte 14 is not UTF-8"),
        (b"version = 1\n# cut \xe2\x82".to_vec(), "byte 18 is not UTF-8"),
        (utf16, "the file is UTF-16, not UTF-8"),
        (b"version = 1\n\0\n".to_vec(), "line 2, column "),
    ] {
        sandbox.write_store(&bytes);
        sandbox.neto(["ls"]).run().code(3).stdout("").stderr_has("profiles.toml: line ").stderr_has(words);
        sandbox.neto(["seal"]).run().code(3).stdout("").stderr_has(words);
        assert_eq!(fs::read(sandbox.home("profiles.toml")).unwrap(), bytes);
    }
}

/// Faults inside one profile: its lines behind `[profiles.bad]` on line 2, and what is said.
const FAULTY_PROFILES: [(&str, &str); 33] = [
    ("shortnam = \"$\"", "line 3, column 1: profiles.bad.shortnam: unknown key; the nearest known one is 'shortname'"),
    ("% = 1", "line 3, column 1: profiles.bad: unknown key"),
    ("shortname = 5", "line 3, column 13: profiles.bad.shortname: must be a text"),
    ("shortname = \"\"", "profiles.bad.shortname: is empty"),
    ("shortname = \"$\\n\"", "profiles.bad.shortname: holds control characters"),
    ("tags = \"$\"", "profiles.bad.tags: must be "),
    ("tags = [\"$\", 5]", "profiles.bad.tags: must be "),
    ("protected = \"$\"", "profiles.bad.protected: must be true or false"),
    ("description = [\"$\"]", "profiles.bad.description: must be a text"),
    ("leeway = 60", "profiles.bad.leeway: "),
    ("timeout = \"60\"", "profiles.bad.timeout: a bare number has no unit"),
    ("ca_file = \"relative/$\"", "profiles.bad.ca_file: the path must be absolute"),
    ("recipients = [\"$\"]", "profiles.bad.recipients: names a recipient that is not in [recipients]"),
    ("recipients = [\"mee\"]", "profiles.bad.recipients: names a recipient"),
    ("env = \"$\"", "profiles.bad.env: must be a table"),
    ("env = { A = 5 }", "profiles.bad.env.A: must be a text"),
    ("env = { LD_PRELOAD = \"$\" }", "profiles.bad.env.LD_PRELOAD: a variable that steers programs"),
    ("env = { \"A B\" = \"$\" }", "profiles.bad.env"),
    ("env = { NETO_TOKEN = \"$\" }", "neto's own variables"),
    ("url = \"http://$.example\"", "line 3, column 7: profiles.bad.url: the url must be https"),
    ("url = \"https://user:$@x.example\"", "profiles.bad.url: the url must not hold a user or password"),
    ("url = \"https://x.example/?$\"", "profiles.bad.url: the url must not have a query"),
    ("url = \"https://x.example/#$\"", "profiles.bad.url: the url must not have a fragment"),
    (
        "url = \"https://\u{440}aypal.example/\"",
        "profiles.bad.url: the host of the url is not plain ASCII; what would be asked is 'xn--",
    ),
    ("username = \"a\"\nshortname = \"$\"", "profiles.bad.username: stands beside 'shortname', which excludes it"),
    ("secret = 5", "profiles.bad.secret: must be a sealed text or a table"),
    ("secret = { command = \"$\" }", "profiles.bad.secret.command: must be "),
    ("secret = { command = [] }", "profiles.bad.secret.command: is empty"),
    ("secret = { file = \"$\", env = \"X\" }", "profiles.bad.secret: must hold exactly one of"),
    ("secret = { comand = [\"$\"] }", "profiles.bad.secret.comand: unknown key; the nearest known one is 'command'"),
    ("secret = \"$\"", "profiles.bad: 'shortname' is missing"),
    ("shortname = \"a\"\nappname = \"b\"\nsecret = \"$\"", "profiles.bad: 'sealed' is missing"),
    (
        "sealed = { id = \"$\", to = \"x\", since = 2026-01-01 }",
        "profiles.bad.sealed.id: must be 16 lower-case hex digits",
    ),
];

#[test]
fn what_is_wrong_inside_one_profile_fails_that_one_alone() {
    let sandbox = sandbox();
    sandbox.add("good");
    // The faulty one first, so that its lines are known.
    let rest = sandbox.store().replacen("version = 1\n", "", 1);
    for (lines, words) in FAULTY_PROFILES {
        let text = format!("version = 1\n[profiles.bad]\n{}\n{rest}", lines.replace('$', CANARY).replace('%', LONG));
        sandbox.write_store(&text);
        let listed = sandbox.neto(["ls", "-o", "json"]).run();
        listed.code(0).stderr_has("warning: ").stderr_has("profiles.toml: line ").stderr_has(words);
        let rows = listed.json();
        assert_eq!((rows.as_array().unwrap().len(), &rows[0]["profile"]), (1, &"good".into()));
        let shown = sandbox.neto(["profile", "show", "bad"]).run();
        shown.code(3).stdout("").stderr_has("error: ").stderr_has(words).stderr_has("  hint: ");
        sandbox.neto(["profile", "show", "good"]).run().code(0).silent();
        assert_eq!(sandbox.store(), text);
    }
    sandbox.signs_in("good");
    sandbox.refuses("bad", 3, &["profiles.bad.sealed.id"]);
}

#[test]
fn r43_a_byte_order_mark_and_crlf_are_fine_and_kept() {
    let sandbox = sandbox();
    sandbox.add("acme");
    let text = format!("\u{feff}{}", sandbox.store().replace('\n', "\r\n"));
    sandbox.write_store(&text);
    sandbox.neto(["ls"]).run().code(0).silent().stdout_has("acme");
    sandbox.signs_in("acme");
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod"]).run().code(0);
    sandbox.add("globex");
    sandbox.neto(["profile", "rename", "globex", "hooli"]).run().code(0);
    let after = sandbox.store();
    assert!(after.starts_with('\u{feff}') && after.matches('\u{feff}').count() == 1);
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "one kind of line end");
    sandbox.signs_in("hooli");
    sandbox.neto(["profile", "remove", "hooli", "--yes"]).run().code(0);
    assert_eq!(sandbox.store().replace("tags = [\"prod\"]\r\n", ""), text, "and back again");
    let columns = "\u{feff}version = 1\r\n[profiles.acme]\r\n\u{e9}\u{e9} = 1 x\r\n";
    sandbox.write_store(columns);
    sandbox.neto(["ls"]).run().code(3).stderr_has("line 3, column ");
}

#[cfg(unix)]
#[test]
fn r3_a_store_that_others_can_write_is_refused_and_never_widened() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox();
    sandbox.add("acme");
    let path = sandbox.home("profiles.toml");
    let set = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o620, 0o602, 0o666] {
        set(&path, mode);
        sandbox.neto(["ls"]).run().code(3).stdout("").stderr_has("can be written by others").stderr_has("chmod go-w ");
        sandbox.refuses("acme", 3, &["can be written by others"]);
    }
    set(&path, 0o644);
    sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run().code(0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644, "its mode stays");
    set(&sandbox.home(""), 0o777);
    sandbox.neto(["ls"]).run().code(3).stdout("").stderr_has("can be written by others");
    set(&sandbox.home(""), 0o700);
    sandbox.signs_in("acme");
}

#[cfg(unix)]
#[test]
fn r3_a_linked_store_stays_a_link() {
    let sandbox = sandbox();
    sandbox.add("acme");
    let (path, target) = (sandbox.home("profiles.toml"), sandbox.work("checkout.toml"));
    fs::rename(&path, &target).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    sandbox.add("globex");
    assert!(path.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("[profiles.globex]"));
    sandbox.signs_in("acme");
    fs::remove_file(&target).unwrap();
    fs::create_dir(&target).unwrap();
    sandbox.neto(["ls"]).run().code(3).stdout("").stderr_has("not a regular file");
}

#[test]
fn r42_names_that_are_none_are_usage_errors_and_unknown_ones_offer_the_near() {
    let sandbox = sandbox();
    sandbox.add("acme-prod");
    sandbox.add("globex");
    let before = sandbox.store();
    let verbs: [&[&str]; 8] = [
        &["profile", "show"],
        &["profile", "use"],
        &["profile", "remove", "--yes"],
        &["profile", "edit", "--tag", "x"],
        &["login"],
        &["seal"],
        &["token"],
        &["trust"],
    ];
    for verb in verbs {
        let run = |name: &str| sandbox.neto(verb.iter().chain(&["--", name])).run();
        run("acme-prd").code(3).stdout("").stderr_has("there is no profile 'acme-prd'").stderr_has("'acme-prod'");
        run("zzz").code(3).stdout("").stderr_has("there is no profile 'zzz'").stderr_has("neto profile list");
        for name in ["Acme", "a b", "../globex", "con", "globex.", "\u{1b}[2J"] {
            run(name).code(2).stdout("").stderr_has("a name ").stderr_lacks("\u{1b}");
        }
    }
    sandbox.neto(["profile", "rename", "globx", "x"]).run().code(3).stdout("").stderr_has("'globex'");
    sandbox.neto(["profile", "set-secret", "globx"]).run().code(3).stdout("").stderr_has("'globex'");
    assert_eq!(sandbox.store(), before);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn the_example_teaches_what_is_valid() {
    let sandbox = Sandbox::new();
    let example = include_str!("../profiles.example.toml");
    sandbox.write_store(example);
    let listed = sandbox.neto(["ls", "-o", "json"]).run();
    let rows = listed.code(0).silent().json();
    let declared = example.lines().filter(|line| line.starts_with("[profiles.") && !line.contains(".env]")).count();
    assert_eq!(rows.as_array().unwrap().len(), declared);
    for row in rows.as_array().unwrap() {
        let name = row["profile"].as_str().unwrap();
        let shown = sandbox.shown(name);
        if name == "hooli" {
            assert_eq!(shown["source"], sandbox.home("secrets/hooli.netosecret").to_str().unwrap());
        }
    }
    sandbox.neto(["seal", "--check"]).run().code(0).silent().stdout("");
    // What is commented out is valid too, with a secret of its own in place of the dots.
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("globex", "soc");
    let clear = example
        .replace("# [profiles.globex]", "[profiles.globex]")
        .replace("# netosecret = \"ewogICJ1cmwi...\"", &format!("netosecret = \"{}\"", credential.netosecret()));
    assert!(clear.contains("\n[profiles.globex]\nnetosecret = "), "the example declares one by hand");
    sandbox.write_store(clear);
    sandbox.neto(["seal", "globex"]).run().code(3).stdout("").stderr_has("neto trust --recipient");
    sandbox.spare(&sandbox.home("profiles.toml"));
}
