//! `neto prompt`: its output in each state, silence on errors, and no side effects.

use crate::harness::{Call, Sandbox};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn prompt(sandbox: &Sandbox) -> Call<'_> {
    sandbox.neto(["prompt"])
}

/// Asserts that the prompt is `expected` and one of these lifetimes. There are several because the test's speed varies.
#[track_caller]
fn assert_prompt(sandbox: &Sandbox, expected: &str, lifetimes: &[&str]) {
    let outcome = prompt(sandbox).run();
    outcome.code(0).stderr("");
    let expected: Vec<String> = lifetimes.iter().map(|life| format!("{expected} {life}\n")).collect();
    assert!(expected.contains(&outcome.stdout), "{outcome}");
}

/// Returns every file with its content and modification time.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            found.extend(files(&path));
            found.insert(path, (Vec::new(), metadata.modified().unwrap()));
        } else {
            found.insert(path.clone(), (fs::read(path).unwrap(), metadata.modified().unwrap()));
        }
    }
    found
}

#[test]
fn it_says_the_profile_and_the_life_of_its_token() {
    let sandbox = Sandbox::new();
    sandbox.server().set_lifetime(crate::fusion::Lifetime { access: 3600, refresh: Some(86_400) });
    prompt(&sandbox).run().code(0).stderr("").stdout("");
    sandbox.add("acme");
    assert_prompt(&sandbox, "acme", &["-"]);
    sandbox.neto(["login"]).run().code(0);
    assert_prompt(&sandbox, "acme", &["59m", "1h 00m"]);
    sandbox.backdate_token("acme", 3_000);
    assert_prompt(&sandbox, "acme", &["9m", "10m"]);
    // Within the leeway no command would use the token.
    sandbox.backdate_token("acme", 550);
    assert_prompt(&sandbox, "acme", &["-"]);
    sandbox.neto(["login"]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--protected"]).run().code(0);
    assert_prompt(&sandbox, "acme!", &["59m", "1h 00m"]);
    let object = sandbox.neto(["prompt", "-o", "json"]).run().code(0).stderr("").json();
    assert_eq!((&object["profile"], &object["protected"]), (&json!("acme"), &json!(true)));
    assert!((3_500..=3_600).contains(&object["expires_in_seconds"].as_i64().unwrap()), "{object}");
    sandbox.neto(["logout"]).run().code(0);
    let object = sandbox.neto(["prompt", "-o", "json"]).run();
    object.code(0).stdout("{\"profile\":\"acme\",\"protected\":true,\"expires_in_seconds\":null}\n");
}

#[test]
fn it_is_the_profile_that_a_command_would_use_now() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex", "hooli"] {
        sandbox.add(name);
    }
    prompt(&sandbox).run().code(0).stderr("").stdout("");
    sandbox.neto(["use", "acme"]).run().code(0);
    sandbox.neto(["login", "globex"]).run().code(0);
    let checked_against_token = |call: Call<'_>, token: Call<'_>| {
        let segment = call.run().code(0).stderr("").stdout_trimmed().to_owned();
        // `--offline` fails with the name of the profile.
        let outcome = token.allow_secret("access token").run();
        let name = segment.split(' ').next().unwrap().to_owned();
        assert!(
            outcome.stdout.contains(&format!("\"{name}\"")) || outcome.stderr.contains(&format!("{name}: ")),
            "{outcome}"
        );
        segment
    };
    let token = || sandbox.neto(["token", "--offline", "-o", "json"]);
    assert_eq!(checked_against_token(prompt(&sandbox), token()), "acme -");
    fs::write(sandbox.work(".neto-profile"), "globex\n").unwrap();
    let segment = checked_against_token(prompt(&sandbox), token());
    assert!(segment.starts_with("globex ") && !segment.ends_with('-'), "{segment}");
    let variable =
        |call: Call<'_>| -> String { call.env("NETO_PROFILE", "hooli").run().code(0).stdout_trimmed().to_owned() };
    assert_eq!(variable(prompt(&sandbox)), "hooli -");
    let secret = sandbox.server().add_tenant("umbrella", "soc").netosecret();
    let env = || prompt(&sandbox).env("NETOSECRET", &secret);
    env().run().code(0).stderr("").stdout("env -\n");
    sandbox.neto(["login"]).env("NETOSECRET", &secret).run().code(0);
    let outcome = env().run();
    assert!(outcome.code(0).stderr("").stdout.starts_with("env ") && outcome.stdout_trimmed() != "env -", "{outcome}");
    // The token of another secret does not count.
    let other = sandbox.server().add_tenant("initech", "soc").netosecret();
    prompt(&sandbox).env("NETOSECRET", other).run().code(0).stderr("").stdout("env -\n");
}

#[test]
fn what_is_wrong_is_silent_and_a_token_for_something_else_is_none() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let silent = |call: Call<'_>| {
        call.run().code(0).stderr("").stdout("");
    };
    silent(prompt(&sandbox).env("NETO_PROFILE", "nosuch"));
    silent(prompt(&sandbox).env("NETO_PROFILE", "A b"));
    silent(prompt(&sandbox).env("NETO_STORE", "nowhere.toml"));
    silent(prompt(&sandbox).env("NETOSECRET", "no such thing"));
    fs::write(sandbox.work(".neto-profile"), "no name\n").unwrap();
    silent(prompt(&sandbox));
    fs::remove_file(sandbox.work(".neto-profile")).unwrap();
    // The cases: a token of another key, a damaged token, a faulty profile, a broken store.
    let store = sandbox.store();
    let sealed = store.find("id = \"").unwrap() + 6;
    let mut other = store.clone();
    other.replace_range(sealed..sealed + 16, "0123456789abcdef");
    sandbox.write_store(&other);
    prompt(&sandbox).run().code(0).stderr("").stdout("acme -\n");
    sandbox.write_store(&store);
    let token = fs::read(sandbox.token_file("acme")).unwrap();
    fs::write(sandbox.token_file("acme"), &token[..token.len() - 7]).unwrap();
    prompt(&sandbox).run().code(0).stderr("").stdout("acme -\n");
    sandbox.write_store(store.replace("shortname =", "leeway = \"soon\"\nshortname ="));
    silent(prompt(&sandbox));
    sandbox.write_store("no store");
    silent(prompt(&sandbox));
    // A wrong option is reported.
    sandbox.neto(["prompt", "--bogus"]).run().code(2).stdout("");
}

#[test]
fn it_asks_nobody_and_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let connections = sandbox.server().connections();
    let assert_read_only = |states: &[&str]| {
        let before = files(sandbox.root());
        for (name, value) in [("A", ""), ("NETO_PROFILE", "nosuch")] {
            let outcome = prompt(&sandbox).env(name, value).run();
            outcome.code(0).stderr("");
            if name == "A" {
                assert!(states.iter().any(|state| outcome.stdout.starts_with(state)), "{outcome}");
            }
        }
        assert!(files(sandbox.root()) == before, "something was written: {states:?}");
    };
    assert_read_only(&["acme 2", "acme 1"]);
    // No expired token is refreshed, and no missing device key or directory is created.
    sandbox.backdate_token("acme", 200_000);
    assert_read_only(&["acme -"]);
    fs::remove_file(sandbox.home("keys/device.key")).unwrap();
    assert_read_only(&["acme -"]);
    fs::remove_dir_all(sandbox.home("state")).unwrap();
    assert_read_only(&["acme -"]);
    fs::remove_dir_all(sandbox.home("tokens")).unwrap();
    assert_read_only(&["acme -"]);
    fs::remove_dir_all(sandbox.home("")).unwrap();
    assert_read_only(&[""]);
    assert!(!sandbox.home("").exists());
    assert_eq!(sandbox.server().connections(), connections);
}
