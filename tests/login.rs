//! Tests `neto login` for one profile and for several, and server responses that grant no token.

use crate::fusion::{Fault, PERSON, TOKEN};
use crate::harness::Sandbox;
use serde_json::json;

/// Returns the URL of a loopback port on which no program listens. A listener has used the port and has just closed it.
fn refusing_url() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    format!("http://{}/api/v1", listener.local_addr().expect("an address"))
}

#[test]
fn a_login_is_kept_until_force() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0).stdout("").stderr_has("acme: signed in, good until ").stderr_has("(23h 59m)");
    sandbox.neto(["login", "acme"]).run().code(0).stdout("").stderr_has("acme: the cached token is good");
    assert_eq!(sandbox.server().logins(), 1);
    sandbox.neto(["login", "acme", "--force"]).run().code(0).stdout("").stderr_has("signed in");
    assert_eq!(sandbox.server().logins(), 2);
    sandbox.backdate_token("acme", 172_800);
    sandbox.neto(["login", "acme", "-q"]).run().code(0).stderr("").stdout("");
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (2, 1));
    sandbox
        .neto(["login", "acme", "--min-ttl", "30h"])
        .run()
        .code(0)
        .stderr_has("warning: acme: the server gives tokens of");
    assert_eq!(sandbox.server().logins() + sandbox.server().refreshes(), 4);
}

#[test]
fn many_are_selected_by_name_glob_and_tag() {
    let sandbox = Sandbox::new();
    for (name, tags) in
        [("acme-eu", &["prod", "emea"][..]), ("acme-us", &["prod"]), ("globex", &["test"]), ("hooli", &[])]
    {
        let credential = sandbox.server().add_tenant(name, "soc");
        let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
        sandbox.neto(["profile", "add"].into_iter().chain(tags)).stdin(credential.netosecret()).run().code(0);
    }
    let cases: &[(&[&str], &[&str])] = &[
        (&["acme-*"], &["acme-eu", "acme-us"]),
        (&["globex", "*-us"], &["acme-us", "globex"]),
        (&["--tag", "prod"], &["acme-eu", "acme-us"]),
        (&["--tag", "prod", "--tag", "emea"], &["acme-eu"]),
        (&["--tag", "prod", "--not-tag", "emea"], &["acme-us"]),
        (&["acme-*", "--not-tag", "emea"], &["acme-us"]),
        (&["--all"], &["acme-eu", "acme-us", "globex", "hooli"]),
    ];
    for (arguments, expected) in cases {
        sandbox.neto(["logout", "--all"]).run().code(0);
        sandbox.neto(["login"].iter().chain(*arguments)).run().code(0).stdout("");
        let cached = |name: &&str| sandbox.token_file(name).exists();
        let cached: Vec<&str> = ["acme-eu", "acme-us", "globex", "hooli"].into_iter().filter(cached).collect();
        assert_eq!(cached, *expected, "{arguments:?}");
    }
    let before = sandbox.server().connections();
    for arguments in [&["x*"][..], &["--tag", "none"], &["hooli", "--tag", "prod"]] {
        sandbox.neto(["login"].iter().chain(arguments)).run().code(3).stdout("").stderr_has("error: ");
    }
    sandbox.neto(["login", "globx"]).run().code(3).stdout("").stderr_has("'globex'");
    sandbox.neto(["login"]).run().code(3).stdout("").stderr_has("no profile is chosen").stderr_has("acme-eu");
    assert_eq!(sandbox.server().connections(), before);
}

#[test]
fn of_all_the_skeletons_are_skipped_and_failures_told() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex", "hooli"] {
        sandbox.add(name);
    }
    sandbox.write_store(sandbox.store() + "\n[profiles.skeleton]\nshortname = \"bare\"\nappname = \"soc\"\n");
    let all = || sandbox.neto(["login", "--all", "--force"]).run();
    all().code(0).stdout("").stderr_has("skeleton: skipped").stderr_has("hooli: signed in");
    assert_eq!(sandbox.server().logins(), 3);
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("globex").error(401, "unknown key"));
    let outcome = all();
    outcome.code(8).stdout("").stderr_has("globex: ").stderr_has("unknown key").stderr_has("1 of ");
    outcome.stderr_has("acme: signed in").stderr_has("hooli: signed in");
    assert_eq!(sandbox.server().logins(), 5);
    // With a single named profile, the exit code is that of its own failure.
    sandbox.neto(["login", "skeleton"]).run().code(3).stdout("").stderr_has("neto profile set-secret skeleton");
    sandbox.neto(["login", "globex", "--force"]).run().code(4).stdout("").stderr_has("unknown key");
    assert!(sandbox.token_file("globex").exists(), "the good token before stays");
}

#[test]
fn a_fault_in_one_profile_fails_that_one() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex"] {
        sandbox.add(name);
    }
    let text = sandbox.store().replace("[profiles.globex]\n", "[profiles.globex]\nshortnam = \"typo\"\n");
    sandbox.write_store(&text);
    let outcome = sandbox.neto(["login", "--all"]).run();
    outcome
        .code(8)
        .stdout("")
        .stderr_has("acme: signed in")
        .stderr_has("shortnam")
        .stderr_has("line ")
        .stderr_lacks("typo");
    sandbox.neto(["login", "globex"]).run().code(3).stdout("").stderr_has("'shortname'").stderr_lacks("typo");
    sandbox.neto(["login", "acme"]).run().code(0);
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn a_credential_in_clear_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let credential = sandbox.server().add_tenant("globex", "soc");
    let entry = format!("\n[profiles.globex]\nnetosecret = \"{}\"\n", credential.netosecret());
    sandbox.write_store(sandbox.store() + &entry);
    sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
    for verb in ["login", "token", "export"] {
        sandbox.neto([verb, "globex"]).run().code(3).stderr_has("in clear").stderr_has("neto seal globex");
    }
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn a_rejected_credential_is_4() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    for status in [400, 401, 403] {
        sandbox.server().clear_faults();
        sandbox.server().fault(Fault::at(TOKEN).error(status, "no \u{1b}[31mentry\u{7}\nfor you"));
        let outcome = sandbox.neto(["login"]).run();
        outcome.code(4).stdout("").stderr_has("error: acme: ").stderr_has(&status.to_string()).stderr_has("entry");
        outcome.stderr_has("neto profile set-secret acme").stderr_lacks("\u{1b}").stderr_lacks("\u{7}");
        assert_eq!(sandbox.server().request_count(TOKEN), usize::from(status != 400) + usize::from(status == 403) + 1);
    }
    // Secrets that a server repeats in its message are redacted.
    sandbox.server().clear_faults();
    sandbox
        .server()
        .fault(Fault::at(TOKEN).error(401, &format!("bad {} and {}", credential.appkey, credential.sharedsecret)));
    sandbox.neto(["login"]).run().code(4).stdout("").stderr_has("bad ");
    sandbox.server().clear_faults();
    sandbox.server().regenerate(&credential);
    sandbox.neto(["login"]).run().code(4).stdout("").stderr_has("acme");
    sandbox.allow_violations();
    assert!(!sandbox.token_file("acme").exists());
}

#[test]
fn r21_a_clock_that_differs_is_told() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().set_clock_skew(3600);
    sandbox.neto(["login"]).run().code(4).stdout("").stderr_has("clock").stderr_has("behind");
    sandbox.server().set_clock_skew(-3600);
    sandbox.neto(["login"]).run().code(4).stdout("").stderr_has("clock").stderr_has("ahead of");
    sandbox.allow_violations();
}

#[test]
fn no_server_or_no_usable_answer_is_5_and_nothing_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let at = || Fault::at(TOKEN);
    let good = |fields: serde_json::Value| at().respond(200, fields.to_string());
    let long = "x".repeat(16_385);
    let cases = [
        ("a page", at().respond(200, "<html>welcome to the captive portal</html>")),
        ("nothing", at().respond(200, "")),
        ("no object", at().respond(200, "[]")),
        ("no token", at().respond(200, "{}")),
        ("a token of blanks", good(json!({"access_token": "a b", "expires_in": 60}))),
        ("a token of two lines", good(json!({"access_token": "a\nb", "expires_in": 60}))),
        ("an empty token", good(json!({"access_token": "", "expires_in": 60}))),
        ("too long a token", good(json!({"access_token": long, "expires_in": 60}))),
        ("no text", good(json!({"access_token": 7, "expires_in": 60}))),
        ("another kind", good(json!({"access_token": "abc", "expires_in": 60, "token_type": "mac"}))),
        ("too much", at().respond(200, vec![b' '; 1_100_000])),
        ("elsewhere", at().redirect(307, "https://example.com/login")),
        ("not found", at().error(404, "no such call")),
        ("broken", at().error(500, "sorry")),
        ("cut", at().cut_body(10)),
        ("no HTTP", at().raw("SSH-2.0-OpenSSH\r\n")),
    ];
    for (name, fault) in cases {
        sandbox.server().clear_faults();
        sandbox.server().fault(fault);
        let outcome = sandbox.neto(["login"]).run();
        outcome.code(5).stdout("").stderr_has("error: acme: ").stderr_has("hint: ");
        outcome.stderr_lacks("captive").stderr_lacks("xxxxxxxx");
        assert!(!sandbox.token_file("acme").exists(), "{name}");
    }
    let url = refusing_url();
    sandbox.neto(["profile", "edit", "acme", "--url", &url]).run().code(0);
    sandbox
        .neto(["login"])
        .run()
        .code(5)
        .stdout("")
        .stderr_has("no connection to 127.0.0.1")
        .stderr_has("neto login acme");
}

#[test]
fn r23_r29_what_passes_is_tried_again_with_a_new_jti() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let later = || Fault::at(TOKEN).once().respond(429, "").header("retry-after", "0");
    for (asked, faults) in [
        (3, vec![Fault::at(TOKEN).times(2).error(503, "later")]),
        (3, vec![Fault::at(TOKEN).once().error(502, "later"), later()]),
        (2, vec![Fault::at(TOKEN).once().error(504, "later")]),
    ] {
        let before = sandbox.server().request_count(TOKEN);
        sandbox.server().clear_faults();
        for fault in faults {
            sandbox.server().fault(fault);
        }
        sandbox.neto(["login", "--force"]).run().code(0).stdout("").stderr_has("signed in");
        assert_eq!(sandbox.server().request_count(TOKEN) - before, asked);
    }
    let before = sandbox.server().request_count(TOKEN);
    sandbox.server().fault(Fault::at(TOKEN).error(503, "later"));
    sandbox.neto(["login", "--force"]).run().code(5).stdout("").stderr_has("503");
    assert_eq!(sandbox.server().request_count(TOKEN) - before, 3, "three tries in all");
}

#[test]
fn a_person_signs_in_with_a_password() {
    let sandbox = Sandbox::new();
    let person = sandbox.server().add_person("alice@example.com");
    let add = |name: &str, password: &str| {
        let add = ["profile", "add", name, "--username", &person.username, "--url", &person.url];
        sandbox.neto(add).stdin(password).run().code(0);
    };
    add("me", &person.password);
    sandbox.neto(["login", "me"]).run().code(0).stdout("").stderr_has("me: signed in");
    sandbox.backdate_token("me", 172_800);
    sandbox.neto(["login", "me"]).run().code(0).stderr_has("me: refreshed");
    assert_eq!((sandbox.server().request_count(PERSON), sandbox.server().refreshes()), (1, 1));
    sandbox.add_canary("password", "not the password");
    add("wrong", "not the password");
    sandbox.neto(["login", "wrong"]).run().code(4).stdout("").stderr_has("wrong: ");
}

#[test]
fn one_word_of_a_wrong_identity_or_none() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let identity = sandbox.home("keys/identity.txt");
    std::fs::rename(&identity, sandbox.home("keys/moved.txt")).unwrap();
    sandbox.neto(["login"]).run().code(6).stdout("").stderr_has("no identity").stderr_has("NETO_IDENTITY_FILE");
    let other = Sandbox::new();
    other.neto(["init"]).run().code(0);
    std::fs::copy(other.home("keys/identity.txt"), &identity).unwrap();
    sandbox.neto(["login"]).run().code(6).stdout("").stderr_has("acme: ").stderr_has("hint: ");
    assert_eq!(sandbox.server().connections(), 0);
}
