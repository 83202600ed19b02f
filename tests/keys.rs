//! Tests `neto keys`, which compares the API keys of tenants with the store and reports unusual keys.

use crate::fusion::{Credential, Fault};
use crate::harness::Sandbox;
use jiff::Timestamp;
use serde_json::{Value, json};

const KEYS: &str = "/api/v1/api-keys";
const DAY: u64 = 86_400;

/// Returns the time `days` days ago, in epoch seconds.
fn days_ago(days: u64) -> u64 {
    u64::try_from(Timestamp::now().as_second()).expect("a time after 1970") - days * DAY
}

impl Sandbox {
    /// Adds an API key to a tenant, and a profile for the key.
    fn add_key(&self, profile: &str, shortname: &str, appname: &str) -> Credential {
        let credential = self.server().add_tenant(shortname, appname);
        self.neto(["profile", "add", profile]).stdin(credential.netosecret()).run().code(0);
        credential
    }

    /// Runs `neto keys` and returns `key profile state` of each row, with `-` for no profile.
    fn states(&self, arguments: &[&str]) -> Vec<String> {
        let rows = self.neto([&["keys", "-o", "json"], arguments].concat()).run().code(0).json();
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let line = |row: &Value| ["appname", "profile", "state"].map(|field| word(&row[field])).join(" ");
        rows.as_array().expect("an array").iter().map(line).collect()
    }
}

/// Sets up the tenant `acme` with a key in each state except `elsewhere`. The profile `acme` is current.
fn with_each_state(sandbox: &Sandbox) {
    sandbox.add("acme");
    let old = sandbox.add_key("acme-old", "acme", "old");
    sandbox.server().set_last_login(&old, Some(days_ago(100)), "192.0.2.7");
    sandbox.add_key("acme-new", "acme", "new");
    sandbox.server().set_last_login(&sandbox.server().add_tenant("acme", "theirs"), Some(days_ago(1)), "192.0.2.8");
    sandbox.server().add_tenant("acme", "never");
    sandbox.neto(["use", "acme"]).run().code(0);
}

#[test]
fn the_table_shows_which_keys_stand_out() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let outcome = sandbox.neto(["keys"]).run();
    outcome.code(0).stderr("");
    let plain: String = outcome.stdout.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let table = [
        "TENANT   KEY      PROFILE    STATE     ROLES   LAST LOGIN             FROM",
        "acme     never               unknown   admin   never",
        "acme     new      acme-new   unused    admin   never",
        "acme     old      acme-old   unused    admin   0000-00-00 00:00 UTC   000.0.0.0",
        "acme     soc      acme       ok        admin   0000-00-00 00:00 UTC   000.0.0.0",
        "acme     theirs              unknown   admin   0000-00-00 00:00 UTC   000.0.0.0",
    ];
    assert_eq!(plain.lines().collect::<Vec<_>>(), table, "{outcome}");
}

#[test]
fn r47_json_and_csv_have_the_fields_of_the_contract() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let when = Timestamp::from_second(1_700_000_000).unwrap();
    let theirs = sandbox.server().add_tenant("acme", "theirs");
    sandbox.server().set_last_login(&theirs, Some(1_700_000_000), "192.0.2.8");
    let outcome = sandbox.neto(["keys", "acme", "-o", "json"]).run();
    let rows = outcome.code(0).stderr("").json();
    let expected = json!({
        "profile": null, "shortname": "acme", "appname": "theirs", "description": "made for a test", "roles": ["admin"],
        "last_login": when.to_string(), "last_ip": "192.0.2.8", "state": "unknown",
    });
    assert_eq!(rows[4], expected);
    let names: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("    \"")?.split('"').next()).collect();
    let fields = ["profile", "shortname", "appname", "description", "roles", "last_login", "last_ip", "state"];
    assert!(names.chunks(fields.len()).all(|row| row == fields), "{outcome}");
    assert_eq!((&rows[1]["last_login"], &rows[1]["last_ip"]), (&Value::Null, &Value::Null));
    let csv = sandbox.neto(["keys", "acme", "-o", "csv"]).run();
    csv.code(0).stdout_has(&format!("{}\n", fields.join(",")));
    csv.stdout_has(",acme,theirs,made for a test,admin,2023-11-14T22:13:20Z,192.0.2.8,unknown\n");
}

#[test]
fn the_length_of_unused_can_be_told() {
    let sandbox = Sandbox::new();
    let acme = sandbox.add("acme");
    let old = sandbox.add_key("acme-old", "acme", "old");
    let state_after = |days: u64, arguments: &[&str]| {
        sandbox.server().set_last_login(&old, Some(days_ago(days)), "192.0.2.7");
        sandbox.states(&[&["acme"], arguments].concat())[0].clone()
    };
    assert_eq!(state_after(91, &[]), "old acme-old unused");
    assert_eq!(state_after(89, &[]), "old acme-old ok");
    assert_eq!(state_after(91, &["--unused", "100d"]), "old acme-old ok");
    assert_eq!(state_after(2, &["--unused", "1d12h"]), "old acme-old unused");
    sandbox.neto(["keys", "acme", "--unused", "90"]).run().code(2).stderr_has("--unused").stdout("");
    // The key that sends the request can count as unused too, although the request has just used it.
    sandbox.server().set_last_login(&acme, Some(days_ago(100)), "127.0.0.1");
    assert_eq!(sandbox.states(&["acme"])[1], "soc acme unused");
}

#[test]
fn a_login_that_this_machine_did_not_make_is_told() {
    let sandbox = Sandbox::new();
    let acme = sandbox.add("acme");
    assert_eq!(sandbox.states(&[]), ["soc acme ok"]);
    // The server reports a login `later` seconds after the last login of this machine.
    for (later, state) in [(60, "ok"), (240, "ok"), (360, "elsewhere"), (3600, "elsewhere")] {
        sandbox.neto(["login", "acme", "--force"]).run().code(0);
        sandbox.backdate_token("acme", later);
        assert_eq!(sandbox.states(&[]), [format!("soc acme {state}")], "{later} s later");
    }
    // For two profiles with the same key, the later login counts.
    sandbox.neto(["profile", "add", "acme-two"]).stdin(acme.netosecret()).run().code(0);
    sandbox.neto(["login", "acme-two"]).run().code(0);
    assert_eq!(sandbox.states(&["acme"]), ["soc acme ok", "soc acme-two ok"]);
    // If this machine's last login is unknown, no login counts as `elsewhere`.
    sandbox.neto(["logout", "acme", "acme-two"]).run().code(0);
    let other = sandbox.add_key("acme-other", "acme", "other");
    sandbox.server().set_last_login(&other, Some(days_ago(0)), "192.0.2.9");
    assert_eq!(sandbox.states(&["acme"])[0], "other acme-other ok");
}

#[test]
fn a_check_ends_with_9_as_long_as_a_key_stands_out() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let check = || sandbox.neto(["keys", "--check"]).run();
    let found = check();
    found.code(9).stdout_has("theirs").stderr_has("of 5 keys 2 unknown, 0 used from elsewhere, 2 unused");
    found.stderr_has("neto api DELETE /api-keys/KEY -p PROFILE");
    sandbox.backdate_token("acme", 3600);
    check().code(9).stderr_has("2 unknown, 1 used from elsewhere, 2 unused").stderr_has("hint: neto rotate PROFILE");
    let other = Sandbox::new();
    other.add("globex");
    other.neto(["keys", "--check"]).run().code(0).stderr("").stdout_has("globex");
}

#[test]
fn several_tenants_are_asked_once_each_and_failures_are_told() {
    let sandbox = Sandbox::new();
    for (profile, shortname) in [("acme", "acme"), ("globex", "globex"), ("hooli", "hooli"), ("acme-ro", "acme")] {
        sandbox.add_key(profile, shortname, profile);
    }
    sandbox.neto(["keys"]).run().code(3).stderr_has("no profile is chosen");
    let all = ["acme acme ok", "acme-ro acme-ro unused", "globex globex ok", "hooli hooli ok"];
    assert_eq!(sandbox.states(&["--all", "--jobs", "3"]), all);
    assert_eq!(sandbox.server().request_count(KEYS), 3);
    sandbox.server().fault(Fault::at(KEYS).for_tenant("globex").error(500, "broken"));
    let outcome = sandbox.neto(["keys", "--all", "-o", "csv", "--check"]).run();
    outcome.code(8).stdout_has("acme-ro").stdout_has("hooli").stdout_lacks("globex");
    outcome.stderr_has("error: globex: 127.0.0.1:").stderr_has("1 of 4 profiles failed").stderr_has("neto keys globex");
    let alone = sandbox.neto(["keys", "globex", "-o", "json"]).run();
    alone.code(5).stdout("").stderr_has("broken");
}

#[test]
fn another_profile_of_the_tenant_may_list_what_the_first_may_not() {
    let sandbox = Sandbox::new();
    sandbox.add_key("acme", "acme", "soc");
    sandbox.add_key("acme-admin", "acme", "admin");
    sandbox.server().fault(Fault::at(KEYS).once().error(403, "no role"));
    assert_eq!(sandbox.states(&["acme", "acme-admin"]).len(), 2);
    assert_eq!(sandbox.server().request_count(KEYS), 2);
    // A key without permission to list keys is reported, with a hint. For this failure only, neto tries the key of
    // another profile.
    sandbox.server().fault(Fault::at(KEYS).error(403, "no role"));
    let refused = sandbox.neto(["keys", "acme"]).run();
    refused.code(4).stdout("").stderr_has("no role").stderr_has("hint: neto keys PROFILE\n").stderr_lacks("set-secret");
    sandbox.neto(["keys", "acme", "acme-admin"]).run().code(8).stderr_has("1 of 2 profiles failed");
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(KEYS).error(500, "broken"));
    let before = sandbox.server().request_count(KEYS);
    sandbox.neto(["keys", "acme", "acme-admin"]).run().code(8);
    assert_eq!(sandbox.server().request_count(KEYS), before + 1);
}

#[test]
fn a_person_names_no_tenant() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let person = sandbox.server().add_person("alice");
    let url = sandbox.server().url();
    let add = ["profile", "add", "alice", "--username", "alice", "--url", &url];
    sandbox.neto(add).stdin(&person.password).run().code(0);
    sandbox.neto(["keys", "alice"]).run().code(3).stdout("").stderr_has("alice: a person's profile names no tenant");
    let all = sandbox.neto(["keys", "--all"]).run();
    all.code(0).stdout_has("acme").stderr_has("alice: skipped, a person's profile names no tenant");
    let netosecret = sandbox.server().add_tenant("globex", "ci").netosecret();
    let env = sandbox.neto(["keys", "env", "-o", "json"]).env("NETOSECRET", netosecret).run();
    assert_eq!(env.code(0).json()[0]["profile"], "env");
}

#[test]
fn r46_r47_hostile_names_are_shown_clean() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let names = ["a\u{1b}[2J", "b\nc", "d\u{202e}e"];
    let keys: Vec<Value> =
        names.iter().map(|name| json!({"appname": name, "roles": [name], "last_ip": name})).collect();
    sandbox.server().fault(Fault::at(KEYS).respond(200, json!({"data": keys}).to_string()));
    let table = sandbox.neto(["keys"]).run();
    table.code(0).stdout_has("a\\u{1b}[2J").stdout_has("b\\nc");
    assert!(!table.stdout.contains(['\u{1b}', '\u{202e}']) && table.stdout.lines().count() == 4, "{table}");
    let json = sandbox.neto(["keys", "-o", "json"]).run();
    assert!(!json.stdout.contains(['\u{1b}', '\u{202e}']));
    let found: Vec<String> =
        json.json().as_array().unwrap().iter().map(|row| row["appname"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, names);
}

#[test]
fn an_answer_of_another_shape_is_exit_5_and_a_bad_row_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for (body, what) in [
        ("<html>", "it is not one JSON object"),
        ("{}", "it holds no data"),
        (r#"{"data": {"appname": "soc"}}"#, "its data is no list"),
        (r#"{"data": [{"appname": 5}]}"#, "no row of its list can be read"),
    ] {
        sandbox.server().fault(Fault::at(KEYS).once().respond(200, body));
        sandbox.neto(["keys"]).run().code(5).stdout("").stderr_has("error: acme: the answer of").stderr_has(what);
    }
    let body = r#"{"data": [{"appname": "soc"}, {"appname": 5}, {"appname": "x", "last_login": "late"}]}"#;
    sandbox.server().fault(Fault::at(KEYS).once().respond(200, body));
    let outcome = sandbox.neto(["keys"]).run();
    outcome.code(0).stdout_has("soc").stderr_has("warning: acme: 2 keys in the answer cannot be read");
}

#[test]
fn a_faulty_profile_may_have_the_unknown_key() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    sandbox.write_store(sandbox.store() + "\n[profiles.broken]\nshortnam = \"acme\"\n");
    let outcome = sandbox.neto(["keys"]).run();
    outcome.code(0).stderr_has("warning: 1 profile cannot be read, and a key of theirs counts as unknown");
}
