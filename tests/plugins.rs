//! Tests age plugins: keys held by another program, used as the own identity and as another user's recipient.
#![cfg(unix)]

use crate::harness::{Call, Sandbox, TOY_PIN, Toy};
use std::fs;
use std::path::PathBuf;

/// Writes an identity file with a toy key of this mode, to which secrets are encrypted without a question.
fn identity(sandbox: &Sandbox, toy: &Toy, mode: &str) -> PathBuf {
    let (public, plugin_identity) = (toy.key("alice").recipient, toy.key(&format!("alice:{mode}")).identity);
    sandbox.write_secret("toy.txt", format!("# public key: {public}\n{plugin_identity}\n"))
}

/// Returns the plugin's report: everything that its runs received.
fn report(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.work("report")).unwrap_or_default()
}

/// Returns the number of times that the plugin was started for this state machine.
fn run_count(sandbox: &Sandbox, machine: &str) -> usize {
    report(sandbox).lines().filter(|line| *line == format!("run {machine}")).count()
}

/// Returns a call of neto whose plugins write a report. The report may contain the plugins' own keys.
fn call_with_report<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Call<'a> {
    sandbox.allow_secrets_in(&sandbox.work("report"));
    sandbox.neto(arguments).env("TOY_REPORT", sandbox.work("report"))
}

/// Creates a sandbox with one profile, whose identity is a toy key.
fn sandbox(mode: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let toy = sandbox.install_plugin();
    let file = identity(&sandbox, &toy, mode);
    sandbox.neto(["init", "--identity"]).arg(&file).run().code(0).stdout(&format!("{}\n", toy.key("alice").recipient));
    sandbox.add("acme");
    sandbox
}

#[test]
fn a_plugin_holds_the_identity_and_is_asked_when_a_secret_is_opened_alone() {
    let sandbox = sandbox("");
    assert!(sandbox.store().contains("age1toy1"));
    call_with_report(&sandbox, &["login", "acme"]).run().code(0);
    assert_eq!((run_count(&sandbox, "identity-v1"), sandbox.server().logins()), (1, 1));
    for arguments in [&["token", "acme"][..], &["status"], &["ls"], &["export", "acme"]] {
        call_with_report(&sandbox, arguments).allow_secret("access token").run().code(0).stderr("");
    }
    // While the refresh token is valid, no key is needed.
    sandbox.backdate_token("acme", 2 * 86_400);
    call_with_report(&sandbox, &["login", "acme"]).run().code(0);
    assert_eq!((run_count(&sandbox, "identity-v1"), sandbox.server().refreshes()), (1, 1));
    // The whole command decrypts with a single run of the plugin.
    call_with_report(&sandbox, &["exec", "acme", "--with-secret", "--", "true"]).run().code(0);
    assert_eq!(run_count(&sandbox, "identity-v1"), 2);
    call_with_report(&sandbox, &["profile", "rename", "acme", "acme2"]).run().code(0);
    assert_eq!((run_count(&sandbox, "identity-v1"), run_count(&sandbox, "recipient-v1")), (3, 1));
}

#[test]
fn r59_no_key_of_neto_reaches_a_plugin() {
    let sandbox = sandbox("");
    let file = sandbox.home("keys/identity.txt");
    call_with_report(&sandbox, &["login", "acme"])
        .env("NETO_IDENTITY_FILE", &file)
        .env("NETO_PASSPHRASE_FILE", "nowhere")
        .env("SEEN", "yes")
        .run()
        .code(0);
    let text = fs::read_to_string(file).unwrap();
    call_with_report(&sandbox, &["login", "acme", "--force"]).env("NETO_IDENTITY", text).run().code(0);
    let report = report(&sandbox);
    assert_eq!(run_count(&sandbox, "identity-v1"), 2);
    assert!(report.contains("variable SEEN=yes"));
    assert!(!report.contains("variable NETO_IDENTITY") && !report.contains("variable NETO_PASSPHRASE"), "{report}");
}

#[test]
fn a_plugin_asks_at_the_terminal_and_never_under_a_lock() {
    let sandbox = sandbox("pin");
    sandbox.neto(["login", "acme"]).run().code(6).stdout("").stderr_has("age-plugin-toy");
    assert_eq!(sandbox.server().connections(), 0);
    let mut terminal = sandbox.neto(["login", "acme", "--force"]).at_terminal();
    terminal.expect("PIN of alice");
    sandbox.neto(["logout", "acme", "--lock-timeout", "0s"]).run().code(0);
    terminal.enter(TOY_PIN);
    terminal.finish().code(0).lacks(TOY_PIN);
    assert_eq!(sandbox.server().logins(), 1);
    // The plugin does not ask under the store's lock either.
    let mut terminal = sandbox.neto(["profile", "rename", "acme", "acme2"]).at_terminal();
    terminal.expect("PIN of alice");
    sandbox.neto(["profile", "edit", "acme", "--tag", "x", "--lock-timeout", "0s"]).run().code(0);
    terminal.enter(TOY_PIN);
    terminal.finish().code(0);
    let mut terminal = sandbox.neto(["login", "acme2", "--force"]).at_terminal();
    terminal.expect("PIN of alice").press("\x03");
    terminal.finish().code(130);
}

#[test]
fn what_a_plugin_wants_to_be_known_and_decided_is_shown_clean() {
    let touched = sandbox("touch");
    let mut terminal = touched.neto(["login", "acme"]).at_terminal();
    terminal.expect("touch the");
    terminal.finish().code(0);
    let slot = sandbox("slot");
    let mut terminal = slot.neto(["login", "acme"]).at_terminal();
    terminal.expect("which slöt?").enter("nine ✓");
    terminal.finish().code(0).has("nine");
    let confirmed = sandbox("confirm");
    for (typed, code) in [("n", 6), ("y", 0)] {
        let mut terminal = confirmed.neto(["login", "acme"]).at_terminal();
        terminal.expect("use the toy?").enter(typed);
        terminal.finish().code(code);
    }
}

#[test]
fn a_key_in_the_file_goes_before_one_that_a_plugin_holds() {
    let sandbox = Sandbox::new();
    let toy = sandbox.install_plugin();
    let plain = sandbox.machine("spare");
    let native = plain.neto(["init"]).run().code(0).stdout_trimmed().to_owned();
    let text = fs::read_to_string(plain.home("keys/identity.txt")).unwrap();
    let plugin_identity = fs::read_to_string(identity(&sandbox, &toy, "")).unwrap();
    let both = sandbox.write_secret("both.txt", format!("{plugin_identity}{text}"));
    sandbox.neto(["init", "--identity"]).arg(&both).run().code(0);
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "spare", &native]).run().code(0);
    call_with_report(&sandbox, &["login", "acme"]).run().code(0);
    assert_eq!(run_count(&sandbox, "identity-v1"), 0);
    // A secret encrypted only to the plugin's key is decrypted by the plugin.
    sandbox.neto(["profile", "edit", "acme", "--recipient", "me"]).run().code(0);
    call_with_report(&sandbox, &["login", "acme", "--force"]).run().code(0);
    assert_eq!(run_count(&sandbox, "identity-v1"), 1);
}

#[test]
fn r55_a_program_that_the_store_names_by_a_key_runs_only_when_trusted() {
    let sandbox = Sandbox::new();
    let toy = sandbox.install_plugin();
    sandbox.add("acme");
    let key = toy.key("bob").recipient;
    let store = sandbox.store();
    sandbox.write_store(store.replace("[recipients]\n", &format!("[recipients]\nbob = \"{key}\"\n")));
    let seal = || call_with_report(&sandbox, &["seal"]);
    seal().run().code(3).stderr_has("neto trust --recipient bob");
    assert_eq!(report(&sandbox), "");
    let trust = call_with_report(&sandbox, &["trust", "--recipient", "bob"]).run();
    trust.code(0).stderr_has(&key).stderr_has("sealing to it runs age-plugin-toy");
    assert_eq!(report(&sandbox), "");
    // If the plugin is missing, the command fails and changes nothing.
    let before = sandbox.store();
    seal().env("PATH", "/nowhere").run().code(6).stderr_has("'age-plugin-toy' was not found").stderr_has("PATH");
    assert_eq!(sandbox.store(), before);
    seal().run().code(0);
    assert_eq!(run_count(&sandbox, "recipient-v1"), 1);
    sandbox.neto(["login", "acme"]).run().code(0);
    // A colleague's machine that never trusted the plugin does not run it, even if a secret names the plugin.
    let carol = sandbox.machine("carol");
    let carols_key = carol.neto(["init"]).run().code(0).stdout_trimmed().to_owned();
    sandbox.neto(["recipient", "add", "carol", &carols_key]).run().code(0);
    fs::copy(sandbox.home("profiles.toml"), carol.home("profiles.toml")).unwrap();
    let before = run_count(&sandbox, "recipient-v1");
    let rename = ["profile", "rename", "acme", "acme2"];
    let outcome = carol.neto(rename).env("TOY_REPORT", sandbox.work("report")).run();
    outcome.code(3).stderr_has("neto trust --recipient bob");
    assert_eq!(run_count(&sandbox, "recipient-v1"), before);
}

#[test]
fn a_plugin_that_fails_is_named_and_what_it_says_shown() {
    for mode in ["error", "short-key", "die", "garbage"] {
        let sandbox = sandbox(mode);
        let login = sandbox.neto(["login", "acme"]).run();
        login.code(6).stdout("").stderr_has("age-plugin-toy");
        assert_eq!(sandbox.server().connections(), 0);
    }
    // The plugin may write its reason to stderr, as a source command may.
    sandbox("stderr").neto(["login", "acme"]).run().code(0).stderr_has("toy: this goes to the standard error");
    // Without the public key in the file, no secret could be encrypted to the identity.
    let sandbox = Sandbox::new();
    let toy = sandbox.install_plugin();
    let file = sandbox.write_secret("toy.txt", toy.key("alice").identity);
    sandbox.neto(["init", "--identity"]).arg(&file).run().code(6).stderr_has("# public key: age1");
    assert!(!sandbox.home("keys").exists());
    for key in ["age1pq1qqqqqqqqqqqqq", "age1tag1qqqqqqqqqqqq"] {
        sandbox.neto(["recipient", "add", "q", key]).run().code(2).stderr_has("is not supported");
    }
}

#[test]
fn a_passphrase_may_protect_a_plugins_identity_too() {
    let sandbox = Sandbox::new();
    let toy = sandbox.install_plugin();
    sandbox.add_canary("passphrase", "guess me not");
    sandbox.write_secret("passphrase", "guess me not\n");
    let file = identity(&sandbox, &toy, "");
    sandbox.neto(["init", "--new-passphrase-file", "passphrase", "--identity"]).arg(&file).run().code(0);
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(6).stderr_has("there is nobody to ask");
    sandbox.neto(["login", "acme"]).env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase")).run().code(0);
}
