//! Tests `neto exec` for one profile: the program replaces neto and gets exactly the expected environment. Also tests
//! the exit codes.
#![cfg(unix)]

use crate::fusion::{Fault, TOKEN};
use crate::harness::{Outcome, Sandbox};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Parses the output of `env -0`.
fn environment(outcome: &Outcome) -> BTreeMap<String, String> {
    let pairs = outcome.stdout.split('\0').filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Waits until the file exists. Fails after 30 s.
pub(crate) fn wait_for_file(path: &std::path::Path) {
    let began = std::time::Instant::now();
    while !path.exists() {
        assert!(began.elapsed().as_secs() < 30, "{} never came", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn r58_the_program_takes_the_place_of_neto() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let run = sandbox.neto(["exec", "acme", "--", "sh", "-c", "echo $$ $NETO_PROFILE; cat"]).stdin("typed\n").start();
    let id = run.id();
    run.finish().code(0).stderr("").stdout(&format!("{id} acme\ntyped\n"));
}

#[test]
fn r58_exit_codes_are_the_programs_own_or_say_why_there_is_none() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    fs::write(sandbox.work("text"), "no program").unwrap();
    let own: &[(&[&str], i32)] = &[
        (&["true"], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 125"], 125),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
    ];
    for (command, code) in own {
        sandbox.neto(["exec", "acme", "--"].iter().chain(*command)).run().code(*code).stderr("").stdout("");
    }
    for (program, code, message) in [
        ("nosuch", 127, "nosuch is not found"),
        ("./nosuch", 127, "not found"),
        ("./text", 126, "cannot be run"),
        ("/", 126, "cannot be run"),
    ] {
        sandbox.neto(["exec", "acme", "--", program]).run().code(code).stdout("").stderr_has(message);
    }
}

#[test]
fn what_goes_wrong_before_the_program_is_125() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().fault(Fault::at(TOKEN).error(401, "unknown key"));
    let cases: &[(&[&str], &str)] = &[
        (&["exec", "acme", "--", "touch", "ran"], "unknown key"),
        (&["exec", "nosuch", "--", "touch", "ran"], "there is no profile 'nosuch'"),
        (&["exec", "A b", "--", "touch", "ran"], "not the name of a profile"),
        (&["exec", "--bogus", "--", "touch", "ran"], "--bogus"),
        (&["exec", "acme", "touch", "ran"], "it stands behind --\n  hint: neto exec acme -- ./report.py\n"),
        (&["exec", "nosuch", "touch"], "hint: neto exec NAME -- ./report.py\n"),
        (&["exec", "touch"], "(a program stands behind --: neto exec -- PROGRAM)"),
        (&["--store", "nowhere.toml", "exec", "acme", "--", "touch", "ran"], "nowhere.toml"),
        (&["-p", "nosuch", "exec", "--", "touch", "ran"], "nosuch"),
        (&["--lock-timeout", "forever", "exec", "--", "touch", "ran"], "--lock-timeout"),
    ];
    for (arguments, message) in cases {
        sandbox.neto(*arguments).run().code(125).stdout("").stderr_has("error: ").stderr_has(message);
        assert!(!sandbox.work("ran").exists(), "{arguments:?}");
    }
}

#[test]
fn r58_a_signal_reaches_the_program() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let script = "trap 'kill -KILL $!; echo ended; exit 9' TERM; sleep 60 >/dev/null 2>&1 & : > ready; wait";
    let run = sandbox.neto(["exec", "acme", "--", "sh", "-c", script]).start();
    wait_for_file(&sandbox.work("ready"));
    run.signal(Signal::TERM);
    run.finish().code(9).stderr("").stdout("ended\n");
}

#[test]
fn without_a_program_it_is_the_users_shell() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let shell = sandbox.work("my-shell");
    fs::write(&shell, "#!/bin/sh\necho \"mine: $# $NETO_PROFILE\"\n").unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.neto(["exec", "acme"]).env("SHELL", &shell).run().code(0).stderr("").stdout("mine: 0 acme\n");
    let screen = sandbox.neto(["exec", "acme"]).env("SHELL", &shell).at_terminal().finish();
    screen.code(0).has("A shell with the environment of 'acme'; exit leaves it").has("mine: 0 acme");
    for (name, value) in [("SHELL", ""), ("OTHER", "x")] {
        let call = sandbox.neto(["exec", "acme"]).env(name, value).stdin("echo \"plain: $NETO_PROFILE\"\n");
        call.run().code(0).stderr("").stdout("plain: acme\n");
    }
}

#[test]
fn r59_the_program_gets_this_environment_and_nothing_of_another_tenant() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let text = sandbox.store().replace("[profiles.acme]\n", "[profiles.acme]\nenv = { AUTH = 'Bearer {token}' }\n");
    sandbox.write_store(text);
    let token = sandbox.neto(["token"]).allow_secret("access token").run().code(0).stdout_trimmed().to_owned();
    let identity = sandbox.home("keys/identity.txt");
    let stale = ["NETO_APPKEY", "NETO_APPNAME", "NETO_SHARED_SECRET", "NETO_USERNAME", "NETO_PASSWORD", "OF_ANOTHER"];
    let call = sandbox.neto(["exec", "acme", "--", "env", "-0"]).allow_secret("access token");
    let call = stale.into_iter().fold(call, |call, name| call.env(name, "of another tenant"));
    let call = call.env("NETO_EXPORTED", "NETO_APPKEY OF_ANOTHER PATH HOME").env("KEPT", "kept");
    let call = call.env("NETO_IDENTITY_FILE", &identity).env("NETO_PASSPHRASE_FILE", "/nowhere");
    let outcome = call.env("NETO_TOKEN", "of another tenant").run();
    let found = environment(outcome.code(0).stderr(""));
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    let expected = [
        "AUTH",
        "HOME",
        "KEPT",
        "LANG",
        "NETO_HOME",
        "NETO_PROFILE",
        "NETO_SHORTNAME",
        "NETO_TOKEN",
        "NETO_TOKEN_EXPIRES_AT",
        "NETO_URL",
        "PATH",
        "TMPDIR",
    ];
    assert_eq!(names, expected);
    assert_eq!((&found["NETO_TOKEN"], &found["AUTH"]), (&token, &format!("Bearer {token}")));
    assert_eq!((&*found["NETO_SHORTNAME"], &found["NETO_URL"]), ("acme", &sandbox.server().url()));
    assert_eq!(found["NETO_TOKEN_EXPIRES_AT"], sandbox.token_header("acme")["expires_at"].to_string());
}

#[test]
fn r59_the_identity_never_reaches_a_program() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let text = fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap();
    fs::rename(sandbox.home("keys/identity.txt"), sandbox.home("keys/moved.txt")).unwrap();
    let script = "env | grep -a -e IDENTITY -e PASSPHRASE -e AGE-SECRET || echo none";
    for arguments in [&["exec", "acme"][..], &["exec", "acme", "--with-secret"]] {
        let run = |name: &str, value: &str| {
            sandbox.neto(["logout", "acme"]).run().code(0);
            let call = sandbox.neto(arguments.iter().chain(&["--", "sh", "-c", script]));
            call.env(name, value).env("NETO_PASSPHRASE_FILE", "/nowhere").run().code(0).stderr("").stdout("none\n");
        };
        run("NETO_IDENTITY", &text);
        run("NETO_IDENTITY_FILE", sandbox.home("keys/moved.txt").to_str().unwrap());
    }
    assert_eq!(sandbox.server().logins(), 4);
}

#[test]
fn the_credential_comes_only_when_asked_for() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let env = |more: &[&str]| {
        let call = sandbox.neto(["exec", "acme"].iter().chain(more).chain(&["--", "env", "-0"]));
        call.allow_secret("access token")
            .allow_secret(if more.is_empty() { "" } else { "appkey" })
            .allow_secret("sharedsecret")
            .run()
    };
    let names = ["NETO_APPNAME", "NETO_APPKEY", "NETO_SHARED_SECRET", "NETOSECRET"];
    let without = environment(env(&[]).code(0).stderr(""));
    assert!(names.iter().all(|name| !without.contains_key(*name)));
    let with = environment(env(&["--with-secret"]).code(0).stderr(""));
    let values = names[..3].iter().map(|name| &*with[*name]);
    assert!(values.eq(["soc", &*credential.appkey, &*credential.sharedsecret]));
    // The tools of the vendor read NETOSECRET, and so does neto.
    let script = "unset NETO_PROFILE; neto profile current; neto token >/dev/null && echo works";
    sandbox.neto(["exec", "--with-secret", "--", "sh", "-c", script]).run().code(0).stderr("").stdout("env\nworks\n");
}

#[test]
fn r59_the_profile_env_keeps_its_netosecret() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let call = sandbox.neto(["exec", "--", "env", "-0"]).env("NETOSECRET", credential.netosecret());
    let call = call.allow_secret("access token").allow_secret("appkey").allow_secret("sharedsecret");
    let found = environment(call.run().code(0).stderr(""));
    assert_eq!(found["NETOSECRET"], credential.netosecret());
    assert_eq!((&*found["NETO_PROFILE"], &*found["NETO_SHORTNAME"]), ("env", "acme"));
    // NETOSECRET in the environment belongs to another tenant than the selected profile, so `exec` removes it.
    sandbox.add("globex");
    let script = "echo $NETO_PROFILE ${NETOSECRET-gone}";
    let call = sandbox.neto(["exec", "globex", "--", "sh", "-c", script]).env("NETOSECRET", credential.netosecret());
    call.run().code(0).stderr("").stdout("globex gone\n");
}

#[cfg(target_os = "linux")]
#[test]
fn r16_no_lock_and_no_file_goes_along() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let script = "neto token acme --force --lock-timeout 1s >/dev/null && cd /proc/self/fd && echo *";
    let expected = sandbox.program("sh", ["-c", "cd /proc/self/fd && echo *"]).run().stdout;
    sandbox.neto(["exec", "acme", "--", "sh", "-c", script]).run().code(0).stderr("").stdout(&expected);
    assert_eq!(sandbox.server().logins(), 2);
}

#[test]
fn a_program_calls_the_api_with_its_variables() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let script = "command -v curl >/dev/null || { echo 'NOT TESTED: there is no curl' >&2; echo soc; exit; }\n\
                  printf 'header = \"Authorization: Bearer %s\"' \"$NETO_TOKEN\" | curl -fsS -K - \"$NETO_URL/api-keys\"";
    sandbox.neto(["exec", "acme", "--", "sh", "-c", script]).run().code(0).stdout_has("soc");
}
