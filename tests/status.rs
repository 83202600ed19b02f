//! `neto status`: the table, JSON and CSV of the cached tokens, offline and without decryption.

use crate::fusion::{Credential, Lifetime};
use crate::harness::{Call, Sandbox};
use serde_json::{Value, json};
use std::fs;

const FIELDS: [&str; 11] = [
    "profile",
    "current",
    "shortname",
    "url",
    "tags",
    "state",
    "obtained_at",
    "expires_at",
    "refresh_expires_at",
    "expires_in_seconds",
    "key_since",
];

/// Seconds of an hour, and of the lifetime of a token here.
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

impl Sandbox {
    /// Adds a profile with tags.
    fn add_tagged(&self, shortname: &str, tags: &[&str]) -> Credential {
        let credential = self.server().add_tenant(shortname, "soc");
        let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
        self.neto(["profile", "add"].into_iter().chain(tags)).stdin(credential.netosecret()).run().code(0);
        credential
    }

    /// Creates five profiles, one in each state; `acme` is the current profile.
    fn with_each_state(&self) {
        let add = |name: &str, tags: &[&str]| drop(self.add_tagged(name, tags));
        self.server().set_tenant_lifetime("initrode", Lifetime { access: DAY.unsigned_abs(), refresh: None });
        add("acme", &["prod", "emea"]);
        add("globex", &["prod"]);
        add("hooli", &[]);
        add("initech", &["prod"]);
        add("initrode", &[]);
        self.neto(["login", "acme", "globex", "initech", "initrode"]).run().code(0);
        self.neto(["use", "acme"]).run().code(0);
        self.backdate_token("globex", DAY - 2 * HOUR);
        self.backdate_token("initech", DAY + 3 * HOUR);
        self.backdate_token("initrode", DAY + 3 * HOUR);
    }
}

/// Replaces digits by `0`, because the times in a table vary between runs.
fn with_digits_zeroed(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[test]
fn the_table_is_the_one_of_the_readme() {
    let sandbox = Sandbox::new();
    sandbox.with_each_state();
    let outcome = sandbox.neto(["status"]).run();
    outcome.code(0).stderr("");
    let table = [
        "  PROFILE    TENANT     STATE         EXPIRES IN   EXPIRES AT             TAGS",
        "* acme       acme       ● valid          00h 00m   0000-00-00 00:00 UTC   prod, emea",
        "  globex     globex     ◐ expiring        0h 00m   0000-00-00 00:00 UTC   prod",
        "  hooli      hooli      - none",
        "  initech    initech    ○ renewable       0h ago   0000-00-00 00:00 UTC   prod",
        "  initrode   initrode   ✕ expired         0h ago   0000-00-00 00:00 UTC",
    ];
    assert_eq!(with_digits_zeroed(&outcome.stdout).lines().collect::<Vec<_>>(), table, "{outcome}");
    outcome.stdout_has("23h 59m").stdout_has("1h 59m").stdout_has("3h ago");
    assert!(outcome.stdout.lines().all(|line| line.trim_end() == line), "no blanks at the ends of lines");
}

#[test]
fn r47_json_and_csv_have_the_fields_of_the_contract() {
    let sandbox = Sandbox::new();
    sandbox.with_each_state();
    let outcome = sandbox.neto(["status", "-o", "json"]).run();
    let rows = outcome.code(0).stderr("").json();
    let rows = rows.as_array().unwrap();
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["valid", "expiring", "none", "renewable", "expired"]);
    let names: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("    \"")?.split('"').next()).collect();
    assert!(names.chunks(FIELDS.len()).all(|row| row == FIELDS), "{outcome}");
    let time = |row: &Value, field: &str| row[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    for row in rows {
        let name = row["profile"].as_str().unwrap();
        let line = if row["state"] == "none" { Value::Null } else { sandbox.token_header(name) };
        assert_eq!(row["current"], name == "acme");
        assert_eq!((&row["shortname"], &row["url"]), (&json!(name), &json!(sandbox.server().url())));
        assert_eq!(row["key_since"].as_str().unwrap().len(), "2026-11-23".len());
        for field in ["obtained_at", "expires_at", "refresh_expires_at"] {
            match &line[field] {
                Value::Null => assert_eq!(row[field], Value::Null, "{name} {field}"),
                epoch => assert_eq!(time(row, field), epoch.as_i64().unwrap(), "{name} {field}"),
            }
        }
        assert_eq!(
            row["expires_in_seconds"].as_i64().map(i64::signum),
            match row["state"].as_str().unwrap() {
                "none" => None,
                "valid" | "expiring" => Some(1),
                _ => Some(-1),
            }
        );
    }
    assert_eq!(rows[0]["tags"], json!(["prod", "emea"]));
    let outcome = sandbox.neto(["status", "-o", "csv"]).run();
    let mut lines = outcome.code(0).stderr("").stdout.lines();
    assert_eq!(lines.next(), Some(FIELDS.join(",").as_str()));
    assert!(lines.next().unwrap().starts_with(&format!("acme,true,acme,{},prod;emea,valid,2", sandbox.server().url())));
    assert_eq!(lines.nth(1).unwrap().split(',').nth(6), Some(""), "null is empty");
}

#[test]
fn r53_nobody_is_asked_and_nothing_opened() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let before = sandbox.server().connections();
    fs::remove_dir_all(sandbox.home("keys")).unwrap();
    let call = || sandbox.neto(["status", "-o", "json"]).env("NETO_IDENTITY_FILE", "/nowhere");
    assert_eq!(call().run().code(0).stderr("").json()[0]["state"], "valid");
    assert!(!sandbox.home("keys").exists(), "no key was made");
    // Only the plaintext line is read; the encrypted part below it may be anything.
    let line = sandbox.token_header("acme");
    fs::write(sandbox.token_file("acme"), format!("{line}\n?")).unwrap();
    assert_eq!(call().run().code(0).stderr("").json()[0]["state"], "valid");
    assert_eq!(sandbox.server().connections(), before);
}

#[test]
fn nothing_is_written_where_nothing_can_be() {
    let sandbox = Sandbox::new();
    sandbox.neto(["status"]).run().code(0).stderr_has("neto profile add");
    sandbox.neto(["status", "-o", "json"]).run().code(0).stdout("[]\n");
    sandbox.neto(["status", "-o", "csv"]).run().code(0).stdout(&(FIELDS.join(",") + "\n"));
    assert!(!sandbox.home("").exists(), "status makes nothing");
}

#[test]
fn a_changed_profile_has_no_token() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let state = || sandbox.neto(["status", "-o", "json"]).run().code(0).json()[0]["state"].clone();
    assert_eq!(state(), "valid");
    sandbox.write_store(sandbox.store().replace("shortname = \"acme\"", "shortname = \"globex\""));
    assert_eq!(state(), "none");
}

#[test]
fn a_token_file_of_no_use_is_none_with_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    for text in ["", "damaged\n", "{}\n", "[1]\nx"] {
        fs::write(sandbox.token_file("acme"), text).unwrap();
        let outcome = sandbox.neto(["status", "-o", "json"]).run();
        assert_eq!(outcome.code(0).stderr_has("warning: ").json()[0]["state"], "none", "{text:?}");
        assert_eq!(fs::read_to_string(sandbox.token_file("acme")).unwrap(), text, "status replaces nothing");
    }
}

#[test]
fn rows_are_selected_filtered_and_sorted() {
    let sandbox = Sandbox::new();
    sandbox.with_each_state();
    let cases: &[(&[&str], &[&str])] = &[
        (&["acme", "hooli"], &["acme", "hooli"]),
        (&["init*"], &["initech", "initrode"]),
        (&["--tag", "prod", "--not-tag", "emea"], &["globex", "initech"]),
        (&["--all"], &["acme", "globex", "hooli", "initech", "initrode"]),
        (&["-p", "globex"], &["globex"]),
        (&["--state", "none"], &["hooli"]),
        (&["--state", "expired", "--state", "renewable"], &["initech", "initrode"]),
        (&["acme", "--state", "none"], &[]),
        (&["--sort", "expiry", "--tag", "prod"], &["initech", "globex", "acme"]),
        (&["--sort", "name", "hooli", "acme"], &["acme", "hooli"]),
    ];
    for (arguments, expected) in cases {
        let rows = sandbox.neto(["status", "-o", "json"].iter().chain(*arguments)).run().code(0).json();
        let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["profile"].as_str().unwrap()).collect();
        assert_eq!(names, *expected, "{arguments:?}");
    }
    sandbox.neto(["status", "nosuch"]).run().code(3).stdout("").stderr_has("nosuch");
    sandbox.neto(["status", "--tag", "nosuch"]).run().code(3).stdout("").stderr_has("prod");
    sandbox
        .neto(["status", "acme", "--state", "none"])
        .run()
        .code(0)
        .stdout("")
        .stderr_has("No profile is in such a state");
    sandbox.neto(["status", "--state", "valide"]).run().code(2).stdout("").stderr_has("valid");
}

#[test]
fn the_mark_is_at_the_profile_of_this_shell() {
    let sandbox = Sandbox::new();
    sandbox.with_each_state();
    let marked = |call: Call<'_>| {
        let outcome = call.run();
        let marked = outcome.code(0).stdout.lines().filter(|line| line.starts_with("* "));
        marked.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    for verb in ["status", "ls"] {
        assert_eq!(marked(sandbox.neto([verb])), ["acme"]);
        let chosen = |name: &str| sandbox.neto([verb]).env("NETO_PROFILE", name).env("NETO_SHELL_PROFILE", name);
        assert_eq!(marked(chosen("hooli")), ["hooli"]);
        assert_eq!(marked(chosen("A b")), ["acme"]);
        // NETO_PROFILE alone was not set by `neto use` in this shell, so `acme` keeps the mark.
        assert_eq!(marked(sandbox.neto([verb]).env("NETO_PROFILE", "hooli")), ["acme"]);
    }
}

#[test]
fn check_finds_what_a_monitor_should_know() {
    let sandbox = Sandbox::new();
    sandbox.with_each_state();
    let cases: &[(&[&str], i32)] = &[
        (&["acme"], 0),
        (&["acme", "globex"], 0),
        (&["acme", "--within", "10m"], 0),
        (&["globex", "--within", "1h"], 0),
        (&["globex", "--within", "3h"], 9),
        (&["initech"], 9),
        (&["initrode"], 9),
        (&["hooli"], 9),
        (&[], 9),
        (&["--state", "valid"], 9),
    ];
    for (arguments, code) in cases {
        let outcome = sandbox.neto(["status", "--check"].iter().chain(*arguments)).run();
        outcome.code(*code).stdout_has("PROFILE");
        if *code == 9 {
            outcome.stderr_has("error: ").stderr_has("neto login");
        } else {
            outcome.stderr("");
        }
    }
    sandbox.neto(["status", "--within", "10m"]).run().code(2).stdout("").stderr_has("--check");
    sandbox.neto(["status", "--check", "--within", "600"]).run().code(2).stdout("");
}

#[test]
fn a_faulty_profile_is_warned_of_and_fails_when_asked_for() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex"] {
        sandbox.add(name);
    }
    sandbox.write_store(sandbox.store().replace("[profiles.globex]\n", "[profiles.globex]\ntimeuot = \"5s\"\n"));
    let outcome = sandbox.neto(["status", "-o", "json"]).run();
    outcome
        .code(0)
        .stderr_has("warning: ")
        .stderr_has("profiles.globex.timeuot")
        .stderr_has("line ")
        .stderr_lacks("5s");
    assert_eq!(outcome.json().as_array().unwrap().len(), 1);
    sandbox.neto(["status", "globex"]).run().code(3).stdout("").stderr_has("'timeout'").stderr_lacks("5s");
    sandbox.neto(["status", "acme"]).run().code(0).stderr("");
    sandbox.neto(["status", "--check"]).run().code(9);
}

#[cfg(unix)]
#[test]
fn on_a_terminal_it_has_colour_and_fits() {
    let sandbox = Sandbox::new();
    let tags = ["a-long-tag-of-the-first", "a-long-tag-of-the-second", "a-long-tag-of-the-third"];
    drop(sandbox.add_tagged("acme", &tags));
    sandbox.neto(["login"]).run().code(0);
    let screen = sandbox.neto(["status"]).at_terminal_sized(100, 30).finish();
    screen.code(0).has("● valid").has("…");
    assert!(screen.text.lines().all(|line| line.chars().count() <= 100), "{}", screen.text);
    assert!(screen.raw.contains("\u{1b}[32m"), "{:?}", screen.raw);
    let bare = sandbox.neto(["status"]).env("NO_COLOR", "1").at_terminal_sized(100, 30).finish();
    assert!(!bare.code(0).raw.contains("\u{1b}["), "{:?}", bare.raw);
    sandbox.neto(["status", "--color", "always"]).run().code(0).stdout_has("\u{1b}[32m");
    sandbox.neto(["status"]).run().code(0).stdout_lacks("\u{1b}").stdout_has(tags[2]);
}
