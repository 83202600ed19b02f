//! Tests `neto identity`, identities that are protected by a passphrase, and when neto asks for the passphrase.

use crate::fusion::{Account, Fault, Gate, TOKEN};
use crate::harness::{CTRL_C, Call, Sandbox};
use base64::Engine as _;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

const PASSPHRASE: &str = "correct horse battery";
const QUESTION: &str = "Passphrase of ";

/// Writes a passphrase file, as a mounted secret would be.
fn passphrase_file(sandbox: &Sandbox, name: &str, passphrase: &str) -> PathBuf {
    sandbox.write_secret(name, format!("{passphrase}\n"))
}

/// Creates a sandbox with an identity protected by [`PASSPHRASE`], and these profiles with their tenants.
fn protected(profiles: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add_canary("passphrase", PASSPHRASE);
    let file = passphrase_file(&sandbox, "passphrase", PASSPHRASE);
    sandbox.neto(["init", "--new-passphrase-file"]).arg(&file).run().code(0);
    for profile in profiles {
        sandbox.add(profile);
    }
    sandbox
}

fn headless<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Call<'a> {
    sandbox.neto(arguments).env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase"))
}

fn identity(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap()
}

#[test]
fn a_passphrase_is_asked_for_once_a_command_and_never_for_a_cached_token() {
    let sandbox = Sandbox::new();
    sandbox.add_canary("passphrase", PASSPHRASE);
    let mut terminal = sandbox.neto(["init", "--passphrase"]).at_terminal();
    terminal.expect("New passphrase (not shown): ").enter(PASSPHRASE);
    terminal.expect("The same again: ").enter(PASSPHRASE);
    terminal.finish().code(0).has("Made your identity").has("age1");
    assert!(identity(&sandbox).starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    // Encryption needs only the public key, so neto does not ask for the passphrase.
    for profile in ["acme", "beta", "gamma"] {
        sandbox.add(profile);
    }
    let mut terminal = sandbox.neto(["login", "--all"]).at_terminal();
    terminal.expect(QUESTION).enter(PASSPHRASE);
    let screen = terminal.finish();
    screen.code(0);
    assert_eq!((screen.count(QUESTION), sandbox.server().logins()), (1, 3));
    for arguments in [&["token", "acme"][..], &["status"], &["ls"], &["export", "beta"]] {
        sandbox.neto(arguments).allow_secret("access token").run().code(0).stderr("");
    }
}

#[test]
fn ctrl_c_at_the_question_ends_the_work_on_many() {
    let sandbox = protected(&["acme", "beta", "gamma"]);
    headless(&sandbox, &["login", "acme"]).run().code(0);
    let exec = |flag| ["exec", "--all", "--jobs", "1", flag, "--", "sh", "-c", ": > $NETO_PROFILE"];
    let mut terminal = sandbox.neto(exec("-v")).at_terminal();
    terminal.expect(QUESTION).press(CTRL_C);
    let screen = terminal.finish();
    assert_eq!(screen.code(130).count(QUESTION), 1);
    assert!(sandbox.work("acme").exists() && !sandbox.work("beta").exists() && !sandbox.work("gamma").exists());
    // `--with-secret` needs the credential, so neto asks for the passphrase before it starts any program.
    let mut terminal = sandbox.neto(exec("--with-secret")).at_terminal();
    terminal.expect(QUESTION).enter(PASSPHRASE);
    let screen = terminal.finish();
    assert_eq!(screen.code(0).count(QUESTION), 1);
    assert!(sandbox.work("beta").exists() && sandbox.work("gamma").exists());
}

#[test]
fn ctrl_c_at_the_question_ends_what_asks_one_after_the_other() {
    let sandbox = protected(&["msp", "north"]);
    headless(&sandbox, &["login", "msp"]).run().code(0);
    let north = Account { shortname: "north".to_owned(), parent: "msp".to_owned(), children: 2, trial: false };
    sandbox.server().set_accounts("msp", vec![north]);
    let mut terminal = sandbox.neto(["discover", "msp"]).at_terminal();
    terminal.expect(QUESTION).press(CTRL_C);
    terminal.finish().code(130).lacks("STATE").lacks("matched");
    // Without a terminal neto cannot ask for the passphrase, so it reports the accounts that cannot be listed.
    let outcome = sandbox.neto(["discover", "msp"]).run();
    outcome.code(0).stderr_has("0 of the 2 accounts right below north: ").stderr_has("2 profiles matched");
}

#[test]
fn r52_a_wrong_passphrase_none_and_nobody_to_ask_each_get_their_own_words() {
    let sandbox = protected(&["acme"]);
    sandbox
        .neto(["login", "acme"])
        .run()
        .code(6)
        .stdout("")
        .stderr_has("there is nobody to ask")
        .stderr_has("export NETO_PASSPHRASE_FILE=");
    let wrong = passphrase_file(&sandbox, "wrong", "something else");
    let login = || sandbox.neto(["login", "acme"]);
    login().env("NETO_PASSPHRASE_FILE", wrong).run().code(6).stdout("").stderr_has("the passphrase does not open it");
    login().env("NETO_PASSPHRASE_FILE", "gone").run().code(6).stdout("").stderr_has("gone");
    let mut terminal = login().at_terminal();
    terminal.expect(QUESTION).enter("guess");
    terminal.expect("does not open it").expect(QUESTION).enter("guess again");
    terminal.expect("does not open it").expect(QUESTION).enter("and again");
    terminal.finish().code(6).has("the passphrase does not open it");
    let mut terminal = login().at_terminal();
    terminal.expect(QUESTION).press("\x03");
    terminal.finish().code(130);
    assert_eq!(sandbox.server().connections(), 0);
    headless(&sandbox, &["login", "acme"]).run().code(0);
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn nobody_is_asked_under_a_lock() {
    let sandbox = protected(&["acme"]);
    let mut terminal = sandbox.neto(["token", "acme"]).allow_secret("access token").at_terminal();
    terminal.expect(QUESTION);
    // The first command is asking for the passphrase. A second command neither waits for that question nor disturbs it.
    let token = headless(&sandbox, &["token", "acme", "--lock-timeout", "0s"]).allow_secret("access token").run();
    let token = token.code(0).stdout_trimmed().to_owned();
    terminal.enter(PASSPHRASE);
    terminal.finish().code(0).has(&token);
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn a_living_refresh_token_needs_no_identity_and_a_dead_one_does() {
    let sandbox = protected(&["acme"]);
    headless(&sandbox, &["login", "acme"]).run().code(0);
    sandbox.backdate_token("acme", 2 * 86_400);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (1, 1));
    // After a failed refresh, neto releases the lock, asks for the passphrase, and logs in.
    sandbox.backdate_token("acme", 2 * 86_400);
    sandbox.server().fault(Fault::at(crate::fusion::REFRESH).once().error(401, "no longer"));
    let mut terminal = sandbox.neto(["token", "acme"]).allow_secret("access token").at_terminal();
    terminal.expect(QUESTION);
    headless(&sandbox, &["status"]).run().code(0);
    terminal.enter(PASSPHRASE);
    terminal.finish().code(0);
    assert_eq!((sandbox.server().logins(), sandbox.server().reused_refresh_tokens().len()), (2, 0));
}

#[test]
fn many_with_a_passphrase_from_a_file_cost_one_login() {
    let sandbox = protected(&["acme"]);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
    let runs: Vec<_> =
        (0..6).map(|_| headless(&sandbox, &["token", "acme"]).allow_secret("access token").start()).collect();
    gate.wait_for_requests(1);
    gate.open();
    let tokens: Vec<_> = runs.into_iter().map(|run| run.finish().code(0).stdout_trimmed().to_owned()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn a_passphrase_is_set_changed_and_dropped_and_the_key_stays() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let (first, key) =
        (identity(&sandbox), sandbox.neto(["identity", "show"]).run().code(0).stdout_trimmed().to_owned());
    sandbox.add_canary("passphrase", PASSPHRASE);
    passphrase_file(&sandbox, "passphrase", PASSPHRASE);
    let other = passphrase_file(&sandbox, "other", "another one");
    // Without a terminal, neto asks no question.
    sandbox.neto(["identity", "passphrase"]).run().code(2).stderr_has("--new-passphrase-file");
    let mut terminal = sandbox.neto(["identity", "passphrase"]).at_terminal();
    terminal.expect("New passphrase").enter(PASSPHRASE).expect("again").enter("something else");
    terminal.finish().code(2).has("differ");
    assert_eq!(identity(&sandbox), first);
    sandbox.neto(["identity", "passphrase", "--new-passphrase-file", "passphrase"]).run().code(0);
    assert!(!identity(&sandbox).contains("AGE-SECRET-KEY"));
    sandbox
        .neto(["identity", "passphrase", "--new-passphrase-file", "other"])
        .run()
        .code(6)
        .stderr_has("nobody to ask");
    headless(&sandbox, &["identity", "passphrase", "--new-passphrase-file", "other"]).run().code(0);
    headless(&sandbox, &["login", "acme"]).run().code(6);
    sandbox.neto(["login", "acme"]).env("NETO_PASSPHRASE_FILE", &other).run().code(0);
    sandbox.neto(["identity", "show", "-o", "json"]).run().code(0);
    let shown = sandbox.neto(["identity", "show", "-o", "json"]).run().code(0).json();
    assert_eq!((&shown["protected"], &shown["keys"]), (&json!(true), &json!([key])));
    sandbox.neto(["identity", "passphrase", "--remove"]).env("NETO_PASSPHRASE_FILE", &other).run().code(0);
    assert_eq!(identity(&sandbox), first);
    sandbox.neto(["identity", "passphrase", "--remove"]).run().code(0).stderr_has("has no passphrase");
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_change_of_the_store_asks_before_it_takes_the_lock() {
    let sandbox = protected(&["acme", "beta"]);
    let stranger = crate::harness::OTHER_RECIPIENT;
    let mut terminal = sandbox.neto(["recipient", "add", "bob", stranger]).at_terminal();
    terminal.expect(QUESTION);
    sandbox.neto(["profile", "edit", "beta", "--tag", "x", "--lock-timeout", "0s"]).run().code(0);
    terminal.enter(PASSPHRASE);
    let screen = terminal.finish();
    screen.code(0).has("sealed 2 secrets anew");
    assert_eq!(screen.count(QUESTION), 1);
    for arguments in [
        &["profile", "rename", "acme", "acme2"][..],
        &["profile", "edit", "acme", "--recipient", "bob"],
        &["recipient", "remove", "bob"],
    ] {
        let store = sandbox.store();
        let outcome = sandbox.neto(arguments).run();
        outcome.code(6).stderr_has("there is nobody to ask");
        assert_eq!(sandbox.store(), store, "{arguments:?}");
    }
    headless(&sandbox, &["profile", "rename", "acme", "acme2"]).run().code(0);
    headless(&sandbox, &["login", "--all"]).run().code(0);
    // Commands that decrypt nothing do not ask for the passphrase.
    for arguments in [&["seal"][..], &["seal", "--check"], &["profile", "edit", "beta", "--description", "x"]] {
        sandbox.neto(arguments).run().code(0);
    }
}

#[test]
fn a_backup_opens_the_store_on_another_machine() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add_canary("passphrase", PASSPHRASE);
    passphrase_file(&sandbox, "passphrase", PASSPHRASE);
    let backup = ["identity", "backup", "copy.age", "--new-passphrase-file", "passphrase"];
    sandbox.neto(backup).run().code(0).stderr_has("copy.age");
    sandbox.neto(backup).run().code(2).stderr_has("nothing is overwritten");
    let text = fs::read_to_string(sandbox.work("copy.age")).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    let out = sandbox.neto(["identity", "backup", "--new-passphrase-file", "passphrase"]).run();
    assert!(out.code(0).stdout.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    // Another machine has only the store from git and the backup of the identity.
    let machine = sandbox.machine("there");
    fs::create_dir_all(machine.home("")).unwrap();
    fs::copy(sandbox.home("profiles.toml"), machine.home("profiles.toml")).unwrap();
    machine.neto(["login", "acme"]).run().code(6).stderr_has("neto init");
    let wrong = passphrase_file(&sandbox, "wrong", "something else");
    let restore = || machine.neto(["identity", "restore", "copy.age"]);
    restore().run().code(6).stderr_has("there is nobody to ask");
    restore().env("NETO_PASSPHRASE_FILE", wrong).run().code(6);
    assert!(!machine.home("keys/identity.txt").exists());
    let key = sandbox.neto(["identity", "show"]).run().code(0).stdout_trimmed().to_owned();
    restore().env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase")).run().code(0).stdout(&format!("{key}\n"));
    machine.neto(["login", "acme"]).run().code(0);
    restore().env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase")).run().code(3).stderr_has("never replaced");
    machine.neto(["identity", "restore", "gone"]).run().code(6).stderr_has("gone");
    // `restore --passphrase` keeps the passphrase protection.
    fs::remove_dir_all(machine.home("keys")).unwrap();
    let kept = machine.neto(["identity", "restore", "copy.age", "--passphrase"]);
    kept.env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase")).run().code(0);
    machine.neto(["login", "acme", "--force"]).run().code(6);
}

#[test]
fn a_protected_identity_of_ones_own_stays_protected() {
    let sandbox = protected(&[]);
    let file = sandbox.write_secret("keys.txt", identity(&sandbox));
    let machine = sandbox.machine("there");
    let init =
        machine.neto(["init", "--identity"]).arg(&file).env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase")).run();
    let key = sandbox.neto(["identity", "show"]).run().code(0).stdout_trimmed().to_owned();
    init.code(0).stdout(&format!("{key}\n"));
    assert!(!fs::read_to_string(machine.home("keys/identity.txt")).unwrap().contains("AGE-SECRET-KEY"));
    // NETO_IDENTITY_FILE can also be the path of a protected identity.
    let named = headless(&sandbox, &["identity", "show"]).env("NETO_IDENTITY_FILE", &file).run();
    named.code(0).stdout(&format!("{key}\n"));
    sandbox.neto(["identity", "passphrase"]).env("NETO_IDENTITY_FILE", &file).run().code(2).stderr_has("unset");
}

/// Returns an age file that declares the scrypt work factor 2^`work`.
fn costly(work: u8) -> String {
    let header = format!("age-encryption.org/v1\n-> scrypt bUjhSuCCnKUhcVrKcjpkLg {work}\n");
    let rest = "gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
    armored(format!("{header}{rest}0123456789abcdef0123456789abcdef").as_bytes())
}

fn armored(bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n", lines.join("\n"))
}

#[test]
fn r52_each_way_not_to_open_a_secret_has_its_own_sentence_at_once() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add_canary("passphrase", PASSPHRASE);
    passphrase_file(&sandbox, "passphrase", PASSPHRASE);
    passphrase_file(&sandbox, "wrong", "something else");
    sandbox.neto(["identity", "backup", "protected", "--new-passphrase-file", "passphrase"]).run().code(0);
    let protected = fs::read_to_string(sandbox.work("protected")).unwrap();
    let other = sandbox.machine("other");
    other.neto(["init"]).run().code(0);
    let to_a_key = age::encrypt(&age::x25519::Identity::generate().to_public(), b"canary").unwrap();
    let own = identity(&sandbox);
    let opens_nothing = "none of the keys at hand opens the sealed text";
    let unusable = "PLACE holds no usable identity: ";
    let closed = "the identity PLACE is protected by a passphrase: ";
    // Content of the identity file, passphrase for the file, and expected error.
    let cases = [
        (None, "", "NETO_IDENTITY_FILE names PLACE, and that is not there".to_owned()),
        (Some(fs::read_to_string(other.home("keys/identity.txt")).unwrap()), "", opens_nothing.to_owned()),
        (Some(String::new()), "", format!("{unusable}it holds no key")),
        (Some("canary, and no key\n".to_owned()), "", format!("{unusable}line 1 is no age key")),
        (Some(own.replace("KEY-1", "KEY-1Q")), "", format!("{unusable}line 3 is no age key")),
        (Some(own.replace("AGE-SECRET-KEY-", "# ")), "", format!("{unusable}it holds no key")),
        (
            Some("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n".to_owned()),
            "",
            format!("{unusable}it holds an SSH key, not an age identity"),
        ),
        (
            Some(crate::harness::OTHER_RECIPIENT.to_owned()),
            "",
            format!("{unusable}line 1 is a public key where the secret one belongs"),
        ),
        (Some(protected.clone()), "", format!("{closed}there is nobody to ask: standard input is not a terminal")),
        (Some(protected.clone()), "wrong", format!("{closed}the passphrase does not open it")),
        (Some(protected[..protected.len() / 2].to_owned()), "passphrase", format!("{closed}it is damaged")),
        (Some(costly(30)), "passphrase", format!("{closed}it demands 2^30 units of work, and at most 2^20 are done")),
        (Some(costly(21)), "passphrase", format!("{closed}it demands 2^21 units of work, and at most 2^20 are done")),
        (Some(armored(&to_a_key)), "passphrase", format!("{closed}it is sealed to keys, not to a passphrase")),
    ];
    let file = sandbox.work("identity");
    sandbox.allow_secrets_in(&file);
    sandbox.allow_secrets_in(&sandbox.work("protected"));
    for (text, passphrase, message) in cases {
        let _ = fs::remove_file(&file);
        if let Some(text) = text {
            sandbox.write_secret("identity", text);
        }
        let mut call = sandbox.neto(["login", "acme"]).env("NETO_IDENTITY_FILE", &file);
        if !passphrase.is_empty() {
            call = call.env("NETO_PASSPHRASE_FILE", sandbox.work(passphrase));
        }
        fails_at_once(call, &message.replace("PLACE", &file.display().to_string()));
    }
    // Each text replaces the encrypted secret, and the right identity cannot decrypt it.
    let good = sandbox.store();
    let start = good.find("-----BEGIN AGE").unwrap();
    let end = good.find("END AGE ENCRYPTED FILE-----\n").unwrap() + "END AGE ENCRYPTED FILE-----\n".len();
    for (text, message) in [
        ("canary\n".to_owned(), "the sealed text is no age file"),
        (costly(30), "the sealed text is sealed to a passphrase, not to keys"),
        (armored(&to_a_key), "none of the keys at hand opens the sealed text"),
    ] {
        sandbox.write_store(format!("{}{text}{}", &good[..start], &good[end..]));
        fails_at_once(sandbox.neto(["login", "acme"]), message);
    }
    assert_eq!(sandbox.server().connections(), 0);
    sandbox.write_store(good);
    sandbox.assert_logs_in("acme");
}

/// Asserts that the run fails with exit code 6 and this error, without asking a question. The run must take less than
/// 10 s; a normal run takes far less.
#[track_caller]
fn fails_at_once(call: Call<'_>, message: &str) {
    let started = std::time::Instant::now();
    let outcome = call.run();
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "it took {:?}: {outcome}", started.elapsed());
    outcome.code(6).stdout("").stderr_lacks(QUESTION).stderr_lacks("canary");
    let first = outcome.stderr.lines().next().and_then(|line| line.strip_prefix("error: ")).unwrap_or_default();
    assert_eq!(first.strip_prefix("acme: ").unwrap_or(first), message, "{outcome}");
}

#[test]
fn age_opens_a_backup_and_neto_what_age_protects() {
    if crate::shells::find_program("age").is_none() {
        return crate::shells::report_missing("age");
    }
    let sandbox = Sandbox::new();
    let key = sandbox.init();
    let file = passphrase_file(&sandbox, "passphrase", PASSPHRASE);
    sandbox.neto(["identity", "backup", "copy.age", "--new-passphrase-file"]).arg(&file).run().code(0);
    let mut age = sandbox.program("age", ["-d", "copy.age"]).allow_secret("identity").at_terminal();
    age.expect("passphrase").enter(PASSPHRASE);
    let screen = age.finish();
    screen.code(0).has(&format!("# public key: {key}"));
    // In the other direction, neto restores a binary key file that age has encrypted with its own work factor.
    sandbox.write_secret("keys.txt", identity(&sandbox));
    let mut age = sandbox.program("age", ["-p", "-o", "keys.age", "keys.txt"]).at_terminal();
    age.expect("passphrase").enter(PASSPHRASE).expect("onfirm").enter(PASSPHRASE);
    age.finish().code(0);
    let machine = sandbox.machine("there");
    let restore = machine.neto(["identity", "restore", "keys.age"]).env("NETO_PASSPHRASE_FILE", &file).run();
    restore.code(0).stdout(&format!("{key}\n"));
}
