//! `neto profile list` (`neto ls`) and `neto profile show`: declared values, never a secret.

use crate::harness::Sandbox;
use serde_json::{Value, json};

/// Creates one profile of each kind, without tokens; `acme` is the current profile.
fn one_of_each() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init();
    let acme = sandbox.server().add_tenant("acme", "soc");
    let flags = ["--tag", "prod", "--tag", "emea", "--description", "Acme, \"Corp\"", "--protected", "--use"];
    sandbox.neto(["profile", "add"].iter().chain(&flags)).stdin(acme.netosecret()).run().code(0);
    let more = r#"
[profiles.bare]
shortname = "bare"
[profiles.clear]
shortname = "c"
appname = "k"
appkey = "canary-appkey-in-clear"
sharedsecret = "canary-secret-in-clear"
[profiles.command]
secret = { command = ["op", "read", "op://x/y z"] }
tags = ["prod"]
[profiles.file]
secret = { file = "sub/x.txt" }
[profiles.person]
username = "alice@example.com"
[profiles.variable]
secret = { env = "X_SECRET" }
leeway = "2h"
env = { A = "1", B = "{token}" }
"#;
    sandbox.add_canary("appkey in clear", "canary-appkey-in-clear");
    sandbox.add_canary("shared secret in clear", "canary-secret-in-clear");
    sandbox.write_store(sandbox.store().trim_end().to_owned() + "\n" + more);
    sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
    sandbox
}

#[test]
fn the_table_shows_what_there_is() {
    let sandbox = one_of_each();
    let today = &jiff::Timestamp::now().to_string()[..10];
    let expected = format!(
        "  PROFILE    TENANT   KEY                 SECRET    SINCE        TAGS         DESCRIPTION
* acme       acme     soc                 sealed    {today}   prod, emea   Acme, \"Corp\"
  bare       bare                         none
  clear      c        k                   clear
  command                                 command                prod
  file                                    file
  person              alice@example.com   none
  variable                                env
"
    );
    for verb in [&["ls"][..], &["profile", "list"]] {
        sandbox.neto(verb).run().code(0).stderr("").stdout(&expected);
    }
}

#[test]
fn json_and_csv_have_the_fields_of_the_contract() {
    let sandbox = one_of_each();
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).stderr("").json();
    let secrets: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["secret"].as_str().unwrap()).collect();
    assert_eq!(secrets, ["sealed", "none", "clear", "command", "file", "none", "env"]);
    let today = &jiff::Timestamp::now().to_string()[..10];
    let expected = json!({
        "profile": "acme", "current": true, "shortname": "acme", "appname": "soc", "username": null,
        "url": sandbox.server().url(), "tags": ["prod", "emea"], "description": "Acme, \"Corp\"", "protected": true,
        "secret": "sealed", "key_since": today,
    });
    assert_eq!(rows[0], expected);
    let usual = "https://api.netography.com/api/v1";
    assert_eq!((&rows[5]["username"], &rows[5]["url"]), (&json!("alice@example.com"), &json!(usual)));

    let csv = sandbox.neto(["ls", "-o", "csv", "acme", "person"]).run();
    csv.code(0).stderr("").stdout(&format!(
        "profile,current,shortname,appname,username,url,tags,description,protected,secret,key_since\n\
         acme,true,acme,soc,,{},prod;emea,\"Acme, \"\"Corp\"\"\",true,sealed,{today}\n\
         person,false,,,alice@example.com,{usual},,,false,none,\n",
        sandbox.server().url()
    ));
}

#[test]
fn nothing_is_an_empty_list() {
    let sandbox = Sandbox::new();
    for before in [false, true] {
        if before {
            sandbox.init();
        }
        sandbox.neto(["ls"]).run().code(0).stdout("").stderr_has("There is no profile yet. Add one: neto profile add");
        sandbox.neto(["ls", "-o", "json"]).run().code(0).stdout("[]\n");
        sandbox.neto(["ls", "-o", "csv"]).run().code(0).stdout_has("profile,current,");
        assert_eq!(sandbox.home("").exists(), before, "listing makes nothing");
    }
}

#[test]
fn a_part_is_selected() {
    let sandbox = one_of_each();
    let cases: &[(&[&str], &[&str])] = &[
        (&["acme"], &["acme"]),
        (&["c*", "acme"], &["acme", "clear", "command"]),
        (&["--tag", "prod"], &["acme", "command"]),
        (&["--tag", "prod", "--not-tag", "emea"], &["command"]),
        (&["-p", "file"], &["file"]),
    ];
    for (arguments, expected) in cases {
        let outcome = sandbox.neto(["ls", "-o", "json"].iter().chain(*arguments)).run();
        let rows = outcome.code(0).stderr("").json();
        let names: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["profile"]).collect();
        assert_eq!(names, expected.iter().collect::<Vec<_>>(), "{arguments:?}");
    }
    for arguments in [&["x*"][..], &["--tag", "none"]] {
        sandbox.neto(["ls"].iter().chain(arguments)).run().code(3).stdout("").stderr_has("no profile matches");
    }
}

#[test]
fn listing_opens_nothing_and_asks_nobody() {
    let sandbox = one_of_each();
    std::fs::remove_dir_all(sandbox.home("keys")).unwrap();
    std::fs::remove_dir_all(sandbox.home("state")).unwrap();
    sandbox.neto(["ls"]).run().code(0).stderr("").stdout_has("sealed");
    sandbox.neto(["profile", "show", "acme"]).run().code(0).stderr("").stdout_has("sealed");
    assert!(!sandbox.home("keys").exists() && !sandbox.home("state").exists());
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn show_has_it_all() {
    let sandbox = one_of_each();
    let today = &jiff::Timestamp::now().to_string()[..10];
    let url = sandbox.server().url();
    let acme = format!(
        "\
profile:      acme
shortname:    acme
appname:      soc
url:          {url}
description:  Acme, \"Corp\"
tags:         prod, emea
protected:    yes
secret:       sealed to me since {today}
leeway:       1m
timeout:      30s
token:        none
"
    );
    sandbox.neto(["profile", "show"]).run().code(0).stderr("").stdout(&acme);
    sandbox.neto(["profile", "show", "acme"]).run().code(0).stderr("").stdout(&acme);
    let file = sandbox.home("sub/x.txt");
    for (name, line) in [
        ("bare", "secret:     none\n".to_owned()),
        ("clear", "secret:     clear\n".to_owned()),
        ("command", "secret:   command: op read op://x/y z\n".to_owned()),
        ("file", format!("secret:   file: {}\n", file.display())),
        ("variable", "env:      A=1, B={token}\n".to_owned()),
        ("variable", "leeway:   2h\n".to_owned()),
        ("person", "username:  alice@example.com\n".to_owned()),
    ] {
        sandbox.neto(["profile", "show", name]).run().code(0).stderr("").stdout_has(&line);
    }
    let shown = sandbox.profile_json("variable");
    for (key, expected) in [
        ("source", json!("X_SECRET")),
        ("env", json!(["A=1", "B={token}"])),
        ("leeway", json!("2h")),
        ("timeout", json!("30s")),
        ("recipients", json!([])),
        ("ca_file", Value::Null),
        ("key_since", Value::Null),
    ] {
        assert_eq!(shown[key], expected, "{key}");
    }
    sandbox.assert_logs_in("acme");
    sandbox.neto(["profile", "show"]).run().code(0).stdout_has("token:        valid, until ");
}

#[test]
fn hostile_text_cannot_steer_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let hostile = "a\\u001b]0;x\\u0007\\u202eb\\nc";
    let profile = format!(
        "\n[profiles.acme]\nshortname = \"x\\u202e\"\ntags = [\"{hostile}\"]\ndescription = \"{hostile}\"\nenv = {{ A = \"{hostile}\" }}\n"
    );
    sandbox.write_store(sandbox.store() + &profile);
    for verb in
        [&["ls"][..], &["profile", "show", "acme"], &["ls", "-o", "json"], &["profile", "show", "acme", "-o", "json"]]
    {
        let outcome = sandbox.neto(verb).run();
        outcome.code(0).stderr("");
        let steers = |text: char| (text.is_control() && text != '\n') || ('\u{202a}'..='\u{202e}').contains(&text);
        assert!(!outcome.stdout.contains(steers), "{outcome}");
    }
    sandbox.neto(["ls"]).run().stdout_has("\\u{202e}");
    assert_eq!(sandbox.neto(["ls"]).run().stdout.lines().count(), 2, "one line a profile");
    let shown = sandbox.profile_json("acme");
    assert_eq!(shown["description"], "a\u{1b}]0;x\u{7}\u{202e}b\nc", "JSON keeps the data");
}
