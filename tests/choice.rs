//! Tests how neto resolves the profile of a command: the precedence of all sources, and the error for each invalid
//! source.

use crate::harness::{Call, Sandbox};
use serde_json::{Value, json};
use std::fs;

/// Creates a store with these profiles, without secrets.
fn with_profiles(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let entry = |name: &&str| format!("[profiles.{name}]\nshortname = \"{name}\"\nappname = \"soc\"\n\n");
    sandbox.write_store(format!("version = 1\n\n{}", names.iter().map(entry).collect::<String>()));
    sandbox
}

/// Returns a call of `neto profile current` with these flags before the command.
fn current<'a>(sandbox: &'a Sandbox, flags: &[&str]) -> Call<'a> {
    sandbox.neto(flags.iter().chain(&["profile", "current"]))
}

#[test]
fn the_stronger_place_wins() {
    let sandbox = with_profiles(&["alpha"]);
    let credential = sandbox.server().add_tenant("acme", "soc");
    current(&sandbox, &[]).run().code(0).stderr("").stdout("alpha\n");
    // Several profiles, and no source selects one.
    let more = ["beta", "gamma", "delta", "epsilon"];
    let entries = more.map(|name| format!("[profiles.{name}]\nshortname = \"{name}\"\nappname = \"soc\"\n"));
    sandbox.write_store(sandbox.store() + &entries.join("\n"));
    let outcome = current(&sandbox, &[]).run();
    outcome
        .code(3)
        .stdout("")
        .stderr_has("no profile is chosen")
        .stderr_has("neto use alpha")
        .stderr_has("or beta, gamma");
    sandbox.neto(["profile", "use", "alpha"]).run().code(0);
    current(&sandbox, &[]).run().code(0).stderr("").stdout("alpha\n");
    // A pin in a directory above the working directory counts, but a nearer pin takes precedence.
    fs::write(sandbox.work(".neto-profile"), "beta\n").unwrap();
    let below = sandbox.work("deep/er");
    fs::create_dir_all(&below).unwrap();
    let below = || current(&sandbox, &[]).current_dir(&below);
    below().run().code(0).stderr("").stdout("beta\n");
    fs::write(sandbox.work("deep/.neto-profile"), "gamma").unwrap();
    below().run().code(0).stderr("").stdout("gamma\n");
    current(&sandbox, &[]).run().code(0).stderr("").stdout("beta\n");
    let call = || below().env("NETOSECRET", credential.netosecret());
    call().run().code(0).stderr("").stdout("env\n");
    let call = || call().env("NETO_PROFILE", "delta");
    call().run().code(0).stderr("").stdout("delta\n");
    let flagged =
        current(&sandbox, &["-p", "epsilon"]).env("NETO_PROFILE", "delta").env("NETOSECRET", credential.netosecret());
    flagged.run().code(0).stderr("").stdout("epsilon\n");
    // An empty environment variable counts as unset.
    below().env("NETO_PROFILE", "").env("NETOSECRET", "").run().code(0).stderr("").stdout("gamma\n");
    fs::remove_file(sandbox.work("deep/.neto-profile")).unwrap();
    fs::remove_file(sandbox.work(".neto-profile")).unwrap();
    below().run().code(0).stderr("").stdout("alpha\n");
}

#[test]
fn an_argument_is_as_strong_as_the_flag_and_verbs_agree() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex", "hooli"] {
        sandbox.add(name);
    }
    sandbox.neto(["use", "hooli"]).run().code(0);
    let cases: &[(&[&str], &str)] = &[
        (&["exec", "acme"], "acme"),
        (&["-p", "acme", "exec"], "acme"),
        (&["exec", "-p", "acme"], "acme"),
        (&["exec"], "globex"),
    ];
    for (arguments, wanted) in cases {
        let call = sandbox.neto(arguments.iter().chain(&["--", "sh", "-c", "echo $NETO_PROFILE"]));
        call.env("NETO_PROFILE", "globex").run().code(0).stderr("").stdout(&format!("{wanted}\n"));
    }
    sandbox.neto(["login"]).env("NETO_PROFILE", "globex").run().code(0).stderr_has("globex: the cached token is good");
    sandbox.neto(["logout", "-p", "acme"]).run().code(0).stderr_has("'acme'");
    assert!(!sandbox.token_file("acme").exists() && sandbox.token_file("globex").exists());
}

#[test]
fn a_strong_place_that_says_something_wrong_is_never_passed_over() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    sandbox.neto(["profile", "use", "alpha"]).run().code(0);
    let flag = |name: &str| current(&sandbox, &["-p", name]).run();
    flag("alpa").code(3).stdout("").stderr_has("there is no profile 'alpa'").stderr_has("did you mean 'alpha'?");
    flag("A b").code(2).stdout("").stderr_has("not the name of a profile").stderr_has("neto profile list");
    flag("../beta").code(2).stdout("").stderr_has("not the name of a profile");
    flag("env").code(3).stdout("").stderr_has("NETOSECRET");
    let variable = |name: &str| current(&sandbox, &[]).env("NETO_PROFILE", name).run();
    variable("betta").code(3).stdout("").stderr_has("NETO_PROFILE asks for it").stderr_has("'beta'");
    variable("A b").code(3).stdout("").stderr_has("NETO_PROFILE").stderr_has("unset NETO_PROFILE");
    variable("env").code(3).stdout("").stderr_has("NETOSECRET");
    current(&sandbox, &[]).env("NETOSECRET", "no such thing").run().code(0).stdout("env\n");
    let token = sandbox.neto(["token"]).env("NETOSECRET", "no such thing").run();
    token.code(3).stdout("").stderr_has("NETOSECRET").stderr_has("unset NETOSECRET").stderr_lacks("such thing");
    let pin = sandbox.work(".neto-profile");
    for (text, message) in [
        ("alpa\n", "'alpha'"),
        ("alpha beta\n", "holds"),
        ("\n", "hold"),
        ("alpha\nbeta\n", "hold"),
        ("ALPHA\n", "hold"),
    ] {
        fs::write(&pin, text).unwrap();
        current(&sandbox, &[]).run().code(3).stdout("").stderr_has(".neto-profile").stderr_has(message);
    }
    // A source with higher precedence works, even if a source with lower precedence is invalid.
    variable("beta").code(0).stderr("").stdout("beta\n");
    fs::remove_file(&pin).unwrap();
    // The current profile is no longer in the store.
    sandbox.write_store(sandbox.store().replace("alpha", "gamma"));
    current(&sandbox, &[]).run().code(3).stdout("").stderr_has("'alpha'").stderr_has("neto profile use");
}

#[cfg(unix)]
#[test]
fn a_pin_of_somebody_else_or_behind_a_link_is_not_followed() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    sandbox.neto(["profile", "use", "alpha"]).run().code(0);
    let pin = sandbox.work(".neto-profile");
    if rustix::process::geteuid().is_root() {
        fs::write(&pin, "beta\n").unwrap();
        current(&sandbox, &[]).run().code(0).stdout("beta\n");
        std::os::unix::fs::chown(&pin, Some(65_534), Some(65_534)).unwrap();
        current(&sandbox, &[]).run().code(0).stdout("alpha\n");
        fs::remove_file(&pin).unwrap();
    }
    fs::write(sandbox.work("target"), "beta\n").unwrap();
    std::os::unix::fs::symlink(sandbox.work("target"), &pin).unwrap();
    current(&sandbox, &[]).run().code(3).stdout("").stderr_has(".neto-profile").stderr_has("link");
}

#[test]
fn an_explicit_store_wants_to_be_told() {
    let sandbox = with_profiles(&["alpha"]);
    sandbox.neto(["profile", "use", "alpha"]).run().code(0);
    sandbox.write_store(sandbox.store().replace("version = 1\n", "version = 1\nexplicit = true\n"));
    let outcome = current(&sandbox, &[]).run();
    outcome.code(3).stdout("").stderr_has("explicit = true").stderr_has("hint: -p alpha");
    current(&sandbox, &["-p", "alpha"]).run().code(0).stdout("alpha\n");
    current(&sandbox, &[]).env("NETO_PROFILE", "alpha").run().code(0).stdout("alpha\n");
    fs::write(sandbox.work(".neto-profile"), "alpha\n").unwrap();
    current(&sandbox, &[]).run().code(0).stdout("alpha\n");
}

#[test]
fn explain_lists_every_place_what_it_says_and_which_wins() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    let credential = sandbox.server().add_tenant("acme", "soc");
    sandbox.neto(["profile", "use", "alpha"]).run().code(0);
    fs::write(sandbox.work(".neto-profile"), "beta\n").unwrap();
    let explain = |flags: &[&str]| sandbox.neto(flags.iter().chain(&["profile", "current", "--explain", "-o", "json"]));
    let rows = explain(&[]).env("NETO_PROFILE", "").run().code(0).stderr("").json();
    let pin = sandbox.work(".neto-profile");
    let row = |source: &str, says: Option<&str>, wins: bool| json!({"source": source, "says": says, "wins": wins});
    let pin = |wins| row(pin.to_str().unwrap(), Some("beta"), wins);
    let expected = json!([
        row("--profile", None, false),
        row("NETO_PROFILE", None, false),
        row("NETOSECRET", None, false),
        pin(true),
        row("neto profile use", Some("alpha"), false),
        row("the only profile", None, false),
    ]);
    assert_eq!(rows, expected);
    let call = explain(&["-p", "nosuch"]).env("NETO_PROFILE", "alpha").env("NETOSECRET", credential.netosecret());
    let rows = call.run().code(0).stderr("").json();
    let says_and_wins = |row: &Value| (row["says"].as_str().map(str::to_owned), row["wins"].as_bool().unwrap());
    let says_and_wins: Vec<_> = rows.as_array().unwrap().iter().map(says_and_wins).collect();
    let says = |text: &str, wins| (Some(text.to_owned()), wins);
    let expected = [
        says("nosuch", true),
        says("alpha", false),
        says("env", false),
        says("beta", false),
        says("alpha", false),
        (None, false),
    ];
    assert_eq!(says_and_wins, expected);
    let table = sandbox.neto(["profile", "current", "--explain"]).run();
    table.code(0).stderr("").stdout_has("SOURCE").stdout_has("SAYS").stdout_has("neto profile use");
    let marked: Vec<&str> = table.stdout.lines().filter(|line| line.starts_with('*')).collect();
    assert!(marked.len() == 1 && marked[0].contains(".neto-profile"), "{table}");
}

#[test]
fn netosecret_is_a_profile_without_a_store() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let token = |arguments: &[&str], secret: &str| {
        sandbox.neto(arguments).env("NETOSECRET", secret).allow_secret("access token").run()
    };
    let first = token(&["token"], &credential.netosecret()).code(0).stderr("").stdout_trimmed().to_owned();
    token(&["token", "env"], &credential.netosecret()).code(0).stderr("").stdout(&format!("{first}\n"));
    token(&["token", "-p", "env"], &credential.netosecret()).code(0).stderr("").stdout(&format!("{first}\n"));
    assert_eq!(sandbox.server().logins(), 1);
    // A different credential never gets the cached token of the previous credential.
    let other = sandbox.server().add_tenant("globex", "soc");
    let second = token(&["token"], &other.netosecret()).code(0).stderr("").stdout_trimmed().to_owned();
    assert_ne!(first, second);
    let next = sandbox.server().regenerate(&other);
    assert_ne!(token(&["token"], &next.netosecret()).code(0).stderr("").stdout_trimmed(), second);
    assert_eq!(sandbox.server().logins(), 3);
    token(&["logout"], &next.netosecret()).code(0).stderr_has("'env'");
    assert!(!sandbox.home("profiles.toml").exists() && !sandbox.token_file("env").exists());
}

/// Returns the profile names in JSON output, which is an array or one object per line.
fn profile_names(text: &str) -> Vec<String> {
    let lines: Vec<Value> = serde_json::Deserializer::from_str(text).into_iter().map(|value| value.unwrap()).collect();
    let rows = if let [Value::Array(rows)] = &lines[..] { rows.clone() } else { lines };
    let name = |row: &Value| row.get("profile").unwrap_or(&row["NETO_PROFILE"]).as_str().unwrap().to_owned();
    rows.iter().map(name).collect()
}

#[test]
fn every_verb_selects_in_the_same_words() {
    let sandbox = Sandbox::new();
    for (name, tags) in
        [("acme-eu", &["prod", "emea"][..]), ("acme-us", &["prod"]), ("globex", &["test"]), ("hooli", &[])]
    {
        let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
        let credential = sandbox.server().add_tenant(name, "soc");
        sandbox.neto(["profile", "add"].into_iter().chain(tags)).stdin(credential.netosecret()).run().code(0);
    }
    let cases: &[(&[&str], &[&str])] = &[
        (&["acme-*"], &["acme-eu", "acme-us"]),
        (&["globex", "*-us", "globex"], &["acme-us", "globex"]),
        (&["--tag", "prod", "--tag", "emea"], &["acme-eu"]),
        (&["acme-*", "--not-tag", "emea"], &["acme-us"]),
        (&["--not-tag", "prod", "--not-tag", "test"], &["hooli"]),
        (&["--all", "--tag", "prod"], &["acme-eu", "acme-us"]),
        (&["--all"], &["acme-eu", "acme-us", "globex", "hooli"]),
    ];
    for (selection, expected) in cases {
        for verb in [&["status", "-o", "json"][..], &["ls", "-o", "json"], &["export", "--format", "json"]] {
            let outcome = sandbox.neto(verb.iter().chain(*selection)).allow_secret("access token").run();
            assert_eq!(profile_names(&outcome.code(0).stdout), *expected, "{outcome}");
        }
        let outcome = sandbox.neto(["exec", "-o", "json"].iter().chain(*selection).chain(&["--", "true"])).run();
        assert_eq!(profile_names(&outcome.code(0).stdout), *expected, "{outcome}");
    }
    let verbs: [&[&str]; 8] = [
        &["login"],
        &["logout"],
        &["status"],
        &["ls"],
        &["seal"],
        &["export", "--format", "json"],
        &["exec"],
        &["profile", "remove", "--yes"],
    ];
    let wrong: &[(&[&str], i32, &str)] = &[
        (&["x*"], 3, "the profiles are acme-eu, acme-us, globex, hooli"),
        (&["--tag", "none"], 3, "the tags are emea, prod, test"),
        (&["hooli", "--tag", "prod"], 3, "no profile matches 'hooli' --tag prod"),
        (&["acme-eu", "acme-uk"], 3, "did you mean 'acme-"),
        (&["A b", "hooli"], 2, "not the name of a profile"),
        (&["hooli", "--all"], 2, "--all"),
        (&["-p", "hooli", "--all"], 2, "--all does not go with --profile"),
        (&["-p", "hooli", "globex"], 2, "two profiles"),
    ];
    let (before, connections) = (sandbox.store(), sandbox.server().connections());
    for verb in verbs {
        for (selection, code, message) in wrong {
            let end: &[&str] = if verb[0] == "exec" { &["--", "true"] } else { &[] };
            let outcome = sandbox.neto(verb.iter().chain(*selection).chain(end)).run();
            // `exec` exits with 125 for every failure before the program starts.
            let code = if verb[0] == "exec" { 125 } else { *code };
            outcome.code(code).stdout("").stderr_has(message);
        }
    }
    assert_eq!((sandbox.store(), sandbox.server().connections()), (before, connections));
}
