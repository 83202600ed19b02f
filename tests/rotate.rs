//! `neto rotate`: replaces the old key by a new key, with every failure on the way.

use crate::fusion::{Credential, Fault, Gate, Lifetime, TOKEN};
use crate::harness::{OTHER_RECIPIENT, Sandbox};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Paths of every tenant's key and of the call that regenerates it.
const KEY: &str = "/api/v1/api-keys/soc";
const REGEN: &str = "/api/v1/api-keys/soc/regen";

impl Sandbox {
    /// Asserts that no rotation is unfinished and that the server accepts the key in the store.
    #[track_caller]
    pub(crate) fn assert_rotated(&self, name: &str) {
        assert_eq!(self.unfinished_rotations(), [""; 0], "rotations that are not finished");
        assert!(!self.kept_keys(name).is_empty(), "the new key of {name} is kept");
        self.assert_logs_in(name);
    }

    /// Files of unfinished rotations.
    pub(crate) fn unfinished_rotations(&self) -> Vec<String> {
        names(&self.home("state/rotations"))
    }

    /// Files of keys that are kept for a profile.
    pub(crate) fn kept_keys(&self, name: &str) -> Vec<String> {
        let own = format!("{name}@");
        names(&self.home("state/rotated")).into_iter().filter(|file| file.starts_with(&own)).collect()
    }

    /// Returns the id and the date of the profile's key in the store.
    fn key_id_and_date(&self, name: &str) -> (String, String) {
        let store: toml::Table = self.store().parse().expect("TOML");
        let sealed = &store["profiles"][name]["sealed"];
        (sealed["id"].as_str().expect("an id").to_owned(), sealed["since"].as_datetime().expect("a day").to_string())
    }

    /// Creates a sandbox with one profile, `acme`, that has a token.
    fn with_acme() -> (Self, Credential) {
        let sandbox = Self::new();
        let credential = sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        (sandbox, credential)
    }

    /// Interrupts a rotation: the server has a new key, but its answer was lost for good.
    fn interrupt_rotation(&self) {
        self.server().fault(Fault::at(REGEN).times(2).lose_response());
        let outcome = self.neto(["rotate", "acme"]).run();
        outcome.code(5).stderr_has("whether the server changed the key is not known");
        outcome.stderr_has("neto rotate acme");
        assert_eq!(self.unfinished_rotations(), ["acme.json"]);
        self.server().clear_faults();
    }

    /// Asserts that no rotation happened and that the key is unchanged.
    #[track_caller]
    fn assert_unrotated(&self, id: &str) {
        assert_eq!((self.unfinished_rotations(), self.kept_keys("acme")), (vec![], vec![]));
        assert_eq!(self.key_id_and_date("acme").0, id);
        assert_eq!(self.server().regenerations(), 0);
        self.assert_logs_in("acme");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with(".neto-tmp-")).collect();
    names.sort();
    names
}

#[test]
fn the_new_key_is_in_the_store_and_the_old_one_is_dead() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().describe("acme", "soc", &["reader", "writer"], "the SOC's");
    let before = sandbox.store();
    let outcome = sandbox.neto(["rotate", "acme"]).run();
    outcome.code(0).stdout("").stderr_has("The old key will be dead for everyone");
    outcome.stderr_has("acme: rotated; the new key is in the store and works");
    let roles = vec!["reader".to_owned(), "writer".to_owned()];
    assert_eq!(sandbox.server().keys("acme"), [("soc".to_owned(), roles, "the SOC's".to_owned())]);
    assert_eq!(sandbox.server().regenerations(), 1);
    sandbox.neto(["token", "acme", "--offline"]).allow_secret("access token").run().code(0).stderr("");
    sandbox.assert_rotated("acme");
    // A user of the old store has a dead key.
    let after = sandbox.store();
    sandbox.write_store(before);
    sandbox.neto(["login", "acme", "--force"]).run().code(4);
    sandbox.write_store(after);
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_lost_answer_is_asked_for_once_more() {
    let fault = || Fault::at(REGEN).once();
    // A server that stopped waiting may still have processed the request, so 408 is not a refusal.
    for (fault, regenerations) in [(fault().lose_response(), 2), (fault().error(408, "too slow"), 1)] {
        let (sandbox, _) = Sandbox::with_acme();
        sandbox.server().fault(fault);
        sandbox.neto(["rotate", "acme"]).run().code(0);
        assert_eq!(sandbox.server().regenerations(), regenerations);
        sandbox.assert_rotated("acme");
    }
}

#[test]
fn answers_of_no_use_leave_the_way_to_the_key_open() {
    for body in
        ["", "null", "<html>", r#"{"data":{}}"#, r#"{"data":{"appkey":""}}"#, r#"{"data":{"appkey":"a\u0007b"}}"#]
    {
        let (sandbox, _) = Sandbox::with_acme();
        sandbox.server().fault(Fault::at(REGEN).times(2).respond(200, body));
        sandbox.neto(["rotate", "acme"]).run().code(5).stderr_has("is not known").stderr_has("not usable");
        assert_eq!(sandbox.unfinished_rotations(), ["acme.json"]);
        sandbox.neto(["rotate", "acme"]).run().code(0).stderr_has("acme: rotated");
        assert_eq!(sandbox.server().regenerations(), 1);
        sandbox.assert_rotated("acme");
    }
}

#[test]
fn whoever_signs_in_next_finishes_what_was_cut_off() {
    for line in [&["token", "acme", "--force"][..], &["login", "--all", "--force"], &["rotate", "--all"]] {
        let (sandbox, _) = Sandbox::with_acme();
        sandbox.interrupt_rotation();
        // A profile with a valid token is not blocked.
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
        assert_eq!(sandbox.unfinished_rotations(), ["acme.json"]);
        sandbox.neto(line).allow_secret("access token").run().code(0);
        assert_eq!(sandbox.server().regenerations(), 3);
        sandbox.assert_rotated("acme");
    }
}

#[test]
fn without_the_note_of_what_was_begun_the_key_would_be_lost() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.interrupt_rotation();
    fs::remove_file(sandbox.home("state/rotations/acme.json")).expect("the note to be gone");
    sandbox.neto(["token", "acme", "--force"]).run().code(4);
}

#[test]
fn where_the_tokens_ended_with_the_key_the_refresh_token_finishes_it() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.server().end_access_on_regeneration();
    sandbox.interrupt_rotation();
    sandbox.neto(["rotate", "acme"]).run().code(0);
    assert_eq!(sandbox.server().refreshes(), 1);
    assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    sandbox.assert_rotated("acme");
}

#[test]
fn a_key_that_is_lost_is_told_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.server().set_lifetime(Lifetime { access: 86_400, refresh: None });
    let credential = sandbox.add("acme");
    sandbox.server().end_access_on_regeneration();
    sandbox.interrupt_rotation();
    for line in [&["rotate", "acme"][..], &["token", "acme", "--force"]] {
        let outcome = sandbox.neto(line).run();
        outcome.code(4).stderr_has("was cut off before the new key came").stderr_has("neto profile set-secret acme");
    }
    let credential = sandbox.server().regenerate(&credential);
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(credential.netosecret()).run().code(0);
    assert_eq!(sandbox.unfinished_rotations(), [""; 0]);
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_question_that_never_arrived_is_asked_with_the_old_key() {
    let sandbox = Sandbox::new();
    sandbox.server().set_lifetime(Lifetime { access: 86_400, refresh: None });
    sandbox.add("acme");
    sandbox.server().fault(Fault::at(REGEN).times(2).close());
    sandbox.neto(["rotate", "acme"]).run().code(5);
    sandbox.server().end_access_tokens();
    sandbox.neto(["token", "acme", "--force"]).allow_secret("access token").run().code(0);
    assert_eq!(sandbox.server().regenerations(), 1);
    sandbox.assert_rotated("acme");
}

#[test]
fn a_refusal_changes_nothing_and_is_forgotten() {
    for (status, code) in [(400, 4), (403, 4), (404, 5), (405, 5), (429, 5)] {
        let (sandbox, _) = Sandbox::with_acme();
        let id = sandbox.key_id_and_date("acme").0;
        sandbox.server().fault(Fault::at(REGEN).once().error(status, "not you"));
        sandbox.neto(["rotate", "acme"]).run().code(code).stderr_has("not you");
        sandbox.assert_unrotated(&id);
    }
}

#[test]
fn what_fails_before_the_key_is_changed_changes_nothing() {
    let key = |body: &str| Fault::at(KEY).respond(200, body);
    let faults = [
        (Fault::at(TOKEN).error(401, "no"), 4),
        (Fault::at(KEY).error(500, "no"), 5),
        (Fault::at(KEY).error(403, "no"), 4),
        (Fault::at(KEY).close(), 5),
        (key("{}"), 5),
        // A key sent back without its roles would lose them.
        (key(r#"{"data":{"appname":"soc","description":"x"}}"#), 5),
        (key(r#"{"data":{"appname":"other","description":"x","roles":[]}}"#), 5),
    ];
    for (fault, code) in faults {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        let id = sandbox.key_id_and_date("acme").0;
        sandbox.server().fault(fault);
        sandbox.neto(["rotate", "acme"]).run().code(code);
        sandbox.server().clear_faults();
        sandbox.assert_unrotated(&id);
    }
}

#[test]
fn a_token_that_ends_within_an_hour_is_renewed_first() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.backdate_token("acme", 86_400 - 3_500);
    sandbox.neto(["rotate", "acme"]).run().code(0);
    assert_eq!((sandbox.server().refreshes(), sandbox.server().logins()), (1, 2));
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.backdate_token("acme", 86_400 - 3_700);
    sandbox.neto(["rotate", "acme"]).run().code(0);
    assert_eq!((sandbox.server().refreshes(), sandbox.server().logins()), (0, 2));
}

#[test]
fn a_token_that_cannot_be_kept_changes_no_key() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let id = sandbox.key_id_and_date("acme").0;
    sandbox.server().edit_grants(|grant| _ = grant.remove("expires_in"));
    sandbox.neto(["rotate", "acme"]).run().code(1).stderr_has("cannot be kept on disk");
    sandbox.server().edit_grants(|_| {});
    sandbox.assert_unrotated(&id);
}

#[test]
fn a_login_that_fails_after_the_key_is_stored_is_done_by_the_next() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.server().fault(Fault::at(TOKEN).once().error(500, "not now"));
    sandbox.neto(["rotate", "acme"]).run().code(5).stderr_has("not now");
    assert_eq!(sandbox.unfinished_rotations(), ["acme.json"]);
    // A key that cannot be checked does not prevent the command from returning a token.
    sandbox.server().fault(Fault::at(KEY).once().error(500, "nor this"));
    let outcome = sandbox.neto(["token", "acme"]).allow_secret("access token").run();
    outcome.code(0).stderr_has("acme: a rotation of its key was cut off").stderr_has("nor this");
    assert_eq!(sandbox.unfinished_rotations(), ["acme.json"]);
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    assert_eq!(sandbox.server().regenerations(), 1);
    sandbox.assert_rotated("acme");
}

#[test]
fn an_answer_that_does_not_come_in_time_is_as_good_as_lost() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.neto(["profile", "edit", "acme", "--timeout", "1s"]).run().code(0);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REGEN).hold_at(&gate));
    sandbox.neto(["rotate", "acme"]).run().code(5).stderr_has("is not known").stderr_has("within 1 s");
    sandbox.server().clear_faults();
    gate.open();
    sandbox.neto(["rotate", "acme"]).run().code(0);
    sandbox.assert_rotated("acme");
}

#[cfg(unix)]
#[test]
fn at_a_terminal_it_asks_before_anything_is_sent() {
    let sandbox = Sandbox::new();
    for name in ["acme", "beta"] {
        sandbox.add(name);
    }
    sandbox.neto(["profile", "edit", "acme", "--protected"]).run().code(0);
    let connections = sandbox.server().connections();
    let mut terminal = sandbox.neto(["rotate", "--all"]).at_terminal();
    terminal.expect("Rotate the key of 2 profiles (acme, beta; protected: acme)? [y/N] ").enter("n");
    terminal.finish().code(2).has("Left as it was");
    assert_eq!(sandbox.server().connections(), connections);
    let mut terminal = sandbox.neto(["rotate", "acme"]).at_terminal();
    terminal.expect("Rotate the key of the tenant 'acme' (profile acme, protected)? [y/N] ").enter("y");
    terminal.finish().code(0).has("rotated");
    sandbox.assert_rotated("acme");
}

#[test]
fn roles_that_the_server_did_not_keep_are_told() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.server().set_roles_after_regeneration(&["reader"]);
    let outcome = sandbox.neto(["rotate", "acme"]).run();
    outcome.code(9).stderr_has("its new key works").stderr_has("the roles reader").stderr_has("the roles admin");
    sandbox.assert_rotated("acme");
}

#[test]
fn nothing_is_sent_where_something_could_not_be_written() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let (store, connections) = (sandbox.store(), sandbox.server().connections());
    let refuses = |words: &str| {
        sandbox.neto(["rotate", "acme"]).run().code(3).stderr_has(words);
        assert_eq!(sandbox.server().connections(), connections, "{words}");
    };
    sandbox.write_store(store.replace("[recipients]", &format!("[recipients]\nmallory = \"{OTHER_RECIPIENT}\"")));
    refuses("neto trust --recipient mallory");
    sandbox.write_store(format!("<<<<<<< ours\n{store}\n=======\n{store}\n>>>>>>> theirs\n"));
    refuses("merge");
    sandbox.write_store(store.replace("appname = \"soc\"", "appname = \"other\""));
    refuses("appname");
    sandbox.write_store(&store);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in ["", "state/rotations", "state/rotated", "tokens"].map(|folder| sandbox.home(folder)) {
            let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("its mode");
            fs::create_dir_all(&folder).expect("a folder");
            mode(0o500);
            sandbox.unprivileged_neto(["rotate", "acme"]).run().code(1).stderr_has("cannot");
            mode(0o700);
            assert_eq!(sandbox.server().connections(), connections, "{}", folder.display());
        }
    }
    sandbox.neto(["rotate", "acme"]).run().code(0);
}

#[test]
fn a_store_that_git_has_not_merged_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let git = |words: &[&str]| {
        let own = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main"];
        let words = own.iter().chain(words).copied();
        sandbox.program("git", words).current_dir(sandbox.home("")).run()
    };
    let commit = |text: &str, on: &str| {
        sandbox.write_store(text);
        git(&["commit", "-q", "-a", "-m", on]).code(0);
    };
    git(&["init", "-q"]).code(0);
    git(&["add", "profiles.toml"]).code(0);
    let store = sandbox.store();
    commit(&store, "first");
    git(&["branch", "theirs"]).code(0);
    commit(&format!("{store}\n# ours\n"), "ours");
    git(&["checkout", "-q", "theirs"]).code(0);
    commit(&format!("{store}\n# theirs\n"), "theirs");
    assert_ne!(git(&["merge", "main"]).exit_code(), 0);
    // The conflict markers are gone, but git still has the file as unmerged.
    sandbox.write_store(&store);
    let connections = sandbox.server().connections();
    sandbox.neto(["rotate", "acme"]).run().code(3).stderr_has("has unmerged changes").stderr_has("git status");
    assert_eq!(sandbox.server().connections(), connections);
    git(&["add", "profiles.toml"]).code(0);
    sandbox.neto(["rotate", "acme"]).run().code(0);
    sandbox.assert_rotated("acme");
}

#[test]
fn protected_profiles_and_several_want_a_yes() {
    let sandbox = Sandbox::new();
    for name in ["acme", "beta"] {
        sandbox.add(name);
    }
    let connections = sandbox.server().connections();
    let outcome = sandbox.neto(["rotate", "acme", "beta"]).run();
    outcome
        .code(2)
        .stdout("")
        .stderr_has("Rotate the key of 2 profiles (acme, beta)?")
        .stderr_has("neto rotate acme beta --yes");
    sandbox.neto(["profile", "edit", "acme", "--protected"]).run().code(0);
    let outcome = sandbox.neto(["rotate", "acme", "--overlap"]).run();
    outcome
        .code(2)
        .stderr_has("the tenant 'acme' (profile acme, protected)")
        .stderr_has("neto rotate acme --overlap --yes");
    // The suggested command names the same profile.
    sandbox.neto(["rotate", "-p", "acme"]).run().code(2).stderr_has("neto rotate acme --yes");
    let outcome = sandbox.neto(["rotate", "--all", "--tag", "a b"]).run();
    outcome.code(3);
    assert_eq!(sandbox.server().connections(), connections);
    sandbox.neto(["rotate", "beta"]).run().code(0);
    sandbox.neto(["rotate", "acme", "beta", "--yes"]).run().code(0);
    assert_eq!(sandbox.server().regenerations(), 3);
}

#[test]
fn a_dry_run_asks_no_server_and_says_why_not() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let person = sandbox.server().add_person("alice");
    let add = ["profile", "add", "alice", "--username", "alice", "--url", &person.url];
    sandbox.neto(add).stdin(json!({"password": person.password}).to_string()).run().code(0);
    sandbox.neto(["profile", "add", "op", "--secret-command", "--", "op", "read", "x"]).run();
    sandbox.write_store(sandbox.store() + "\n[profiles.bare]\nurl = \"https://x.example\"\n");
    let connections = sandbox.server().connections();
    let before = (sandbox.store(), sandbox.unfinished_rotations());
    let rows = sandbox.neto(["rotate", "--all", "--dry-run", "-o", "json"]).run().code(0).json();
    let actions: Vec<_> = rows.as_array().expect("rows").iter().map(|row| (&row["profile"], &row["action"])).collect();
    assert!(actions.contains(&(&json!("acme"), &json!("rotate"))), "{rows}");
    assert!(actions.contains(&(&json!("alice"), &json!("skip"))), "{rows}");
    assert!(actions.contains(&(&json!("bare"), &json!("skip"))), "{rows}");
    assert_eq!((rows[0]["age_days"].as_i64(), rows[0]["reason"].as_str()), (Some(0), None), "{rows}");
    assert_eq!((sandbox.store(), sandbox.unfinished_rotations()), before);
    sandbox.neto(["rotate", "alice"]).run().code(3).stderr_has("a person");
    sandbox.neto(["rotate", "bare"]).run().code(3).stderr_has("no secret yet");
    assert_eq!(sandbox.server().connections(), connections);
    let outcome = sandbox.neto(["rotate", "--all"]).run();
    outcome.code(0).stderr_has("alice: skipped, it is a person").stderr_has("bare: skipped, the profile has no secret");
    sandbox.assert_rotated("acme");
    let netosecret = sandbox.server().add_tenant("other", "soc").netosecret();
    let outcome = sandbox.neto(["rotate", "env"]).env("NETOSECRET", netosecret).run();
    outcome.code(2).stderr_has("'env' is what NETOSECRET holds");
}

#[test]
fn a_half_failed_run_is_repeated_by_the_same_line() {
    let sandbox = Sandbox::new();
    let all = ["acme", "beta", "gamma", "delta"];
    for name in all {
        sandbox.add(name);
    }
    let today = sandbox.key_id_and_date("acme").1;
    sandbox.write_store(sandbox.store().replace(&today, "2020-02-02"));
    sandbox
        .neto(["profile", "set-secret", "delta"])
        .stdin(sandbox.server().add_tenant("delta", "soc").netosecret())
        .run();
    sandbox.server().fault(Fault::at(REGEN).for_tenant("beta").error(403, "not you"));
    let line = ["rotate", "--all", "--older-than", "90d", "--yes"];
    let outcome = sandbox.neto(line).run();
    outcome.code(8).stderr_has("beta: ").stderr_has("not you").stderr_has("neto rotate beta").stderr_lacks("delta");
    assert_eq!(sandbox.server().regenerations(), 2);
    assert_eq!(
        (sandbox.key_id_and_date("acme").1, sandbox.key_id_and_date("beta").1),
        (today.clone(), "2020-02-02".to_owned())
    );
    sandbox.server().clear_faults();
    sandbox.neto(line).run().code(0).stderr_has("beta: rotated").stderr_lacks("acme");
    assert_eq!(sandbox.server().regenerations(), 3);
    sandbox.neto(line).run().code(0).stderr_has("No key is as old as that");
    for name in all {
        sandbox.assert_logs_in(name);
    }
}

#[test]
fn a_store_that_an_editor_changes_meanwhile_keeps_both() {
    let (sandbox, _) = Sandbox::with_acme();
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REGEN).hold_at(&gate));
    let run = sandbox.neto(["rotate", "acme"]).start();
    gate.wait_for_requests(1);
    sandbox.write_store(sandbox.store() + "\n# from an editor\n");
    gate.open();
    run.finish().code(0);
    assert!(sandbox.store().ends_with("# from an editor\n"));
    sandbox.assert_rotated("acme");
}

#[test]
fn another_credential_that_came_meanwhile_stands_and_the_key_is_kept() {
    let (sandbox, credential) = Sandbox::with_acme();
    let old = sandbox.store();
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(credential.netosecret()).run().code(0);
    let other = sandbox.store();
    sandbox.write_store(old);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REGEN).hold_at(&gate));
    let run = sandbox.neto(["rotate", "acme"]).start();
    gate.wait_for_requests(1);
    sandbox.write_store(&other);
    gate.open();
    run.finish().code(3).stderr_has("it got another credential meanwhile").stderr_has("neto rotate --recover acme");
    assert_eq!(sandbox.store(), other);
    // The key in the store happens to be dead.
    sandbox.neto(["login", "acme", "--force"]).run().code(4).stderr_has("another credential meanwhile");
    assert_eq!(sandbox.unfinished_rotations(), [""; 0]);
    sandbox.neto(["rotate", "--recover", "acme"]).run().code(0).stderr_has("signed in");
    sandbox.assert_rotated("acme");
}

#[test]
fn two_at_once_change_the_key_once() {
    let (sandbox, _) = Sandbox::with_acme();
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REGEN).once().hold_at(&gate));
    let first = sandbox.neto(["rotate", "acme"]).start();
    gate.wait_for_requests(1);
    let second = sandbox.neto(["rotate", "acme"]).start();
    second.wait_for_stderr("waiting for neto process");
    gate.open();
    first.finish().code(0);
    second.finish().code(0);
    assert_eq!(sandbox.server().regenerations(), 1);
    sandbox.assert_rotated("acme");
}

#[cfg(unix)]
#[test]
fn a_key_that_cannot_be_stored_is_kept_and_stored_by_the_next() {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = ["--with-secret", "--", "printenv", "NETO_APPKEY", "NETO_TOKEN"];
    let (one, many) = ([&["exec", "acme"], &shown[..]].concat(), [&["exec", "--all"], &shown[..]].concat());
    for line in [&one[..], &many, &["rotate", "acme"]] {
        let (sandbox, _) = Sandbox::with_acme();
        let home = sandbox.home("");
        let mode = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).expect("its mode");
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(REGEN).hold_at(&gate));
        let run = sandbox.unprivileged_neto(["rotate", "acme"]).start();
        gate.wait_for_requests(1);
        mode(0o500);
        gate.open();
        run.finish().code(1).stderr_has("its new key is kept, but it is not in the store yet");
        mode(0o700);
        sandbox.neto(["status"]).run().code(0).stderr_has("neto rotate acme");
        // A key that may be dead is not printed while no server can be contacted.
        let offline = ["export", "acme", "--offline", "--with-secret", "--format", "json"];
        sandbox.neto(offline).run().code(3).stdout("").stderr_has("a rotation of its key is not finished");
        let outcome = sandbox.neto(line).allow_secret("appkey").allow_secret("access token").run();
        outcome.code(0);
        if line[0] == "exec" {
            for kind in ["appkey", "access token"] {
                let newest = sandbox.server().secrets().into_iter().rfind(|(known, _)| *known == kind);
                outcome.stdout_has(&newest.expect("a secret").1);
            }
        }
        assert_eq!(sandbox.server().regenerations(), 1);
        sandbox.assert_rotated("acme");
        sandbox.neto(["status"]).run().code(0).stderr("");
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written_ends_the_run_before_other_keys_are_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.init();
    let names: Vec<String> = (0..70).map(|number| format!("t{number:02}")).collect();
    let secrets: Vec<String> = names.iter().map(|name| sandbox.server().add_tenant(name, "soc").netosecret()).collect();
    sandbox.neto(["profile", "import", "-"]).stdin(secrets.join("\n")).run().code(0);
    let home = sandbox.home("");
    let mode = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).expect("its mode");
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REGEN).for_tenant("t00").hold_at(&gate));
    let run = sandbox.unprivileged_neto(["rotate", "--all", "--yes"]).start();
    gate.wait_for_requests(1);
    mode(0o500);
    gate.open();
    let outcome = run.finish();
    outcome.code(8).stderr_has("70 of 70 profiles failed").stderr_has("6 x its key is not changed, since the store");
    outcome.stderr_has("neto rotate --all --older-than 1d");
    mode(0o700);
    assert_eq!(
        (sandbox.server().regenerations(), sandbox.unfinished_rotations().len()),
        (64, 64),
        "one batch, and no other"
    );
    sandbox.neto(["rotate", "--all", "--yes"]).run().code(0);
    assert_eq!(sandbox.server().regenerations(), 70);
    sandbox.assert_rotated("t69");
}

#[test]
fn a_store_that_was_lost_gets_its_key_back() {
    let (sandbox, _) = Sandbox::with_acme();
    let old = sandbox.store();
    sandbox.neto(["rotate", "acme", "--recover"]).run().code(3).stderr_has("no key of it is kept");
    sandbox.neto(["rotate", "acme"]).run().code(0);
    let new = sandbox.key_id_and_date("acme").0;
    sandbox.neto(["rotate", "acme", "--recover"]).run().code(0).stderr_has("already");
    sandbox.write_store(old);
    sandbox.neto(["login", "acme", "--force"]).run().code(4);
    sandbox.neto(["recipient", "add", "colleague", OTHER_RECIPIENT]).run().code(0);
    sandbox.neto(["rotate", "acme", "--recover"]).run().code(0).stderr_has("signed in");
    assert_eq!(sandbox.key_id_and_date("acme").0, new);
    sandbox.neto(["seal", "--check"]).run().code(0);
    sandbox.assert_rotated("acme");
}

#[test]
fn keys_are_kept_for_thirty_days() {
    let (sandbox, _) = Sandbox::with_acme();
    sandbox.neto(["rotate", "acme"]).run().code(0);
    let kept = |sandbox: &Sandbox| sandbox.home("state/rotated").join(&sandbox.kept_keys("acme")[0]);
    let aged = |days: i64| {
        let text = fs::read_to_string(kept(&sandbox)).expect("a kept key");
        let mut rotation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        rotation["began_at"] = json!(rotation["began_at"].as_i64().expect("a time") - days * 86_400);
        rotation.to_string()
    };
    let (young, old) = (aged(29), aged(31));
    let name = kept(&sandbox);
    fs::write(&name, young).expect("a written file");
    sandbox.neto(["rotate", "acme"]).run().code(0);
    assert_eq!(sandbox.kept_keys("acme").len(), 2);
    fs::write(&name, old).expect("a written file");
    sandbox.neto(["rotate", "acme"]).run().code(0);
    assert_eq!(sandbox.kept_keys("acme").len(), 2);
    assert!(!name.exists());
}

#[test]
fn what_would_lose_the_key_waits_until_it_is_finished() {
    let (sandbox, credential) = Sandbox::with_acme();
    sandbox.interrupt_rotation();
    for line in [
        &["logout", "acme"][..],
        &["profile", "rename", "acme", "other"],
        &["profile", "edit", "acme", "--url", "https://other.example"],
    ] {
        let outcome = sandbox.neto(line).run();
        outcome.code(3).stderr_has("a rotation of its key is not finished").stderr_has("neto rotate acme");
    }
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod"]).run().code(0);
    sandbox.neto(["rotate", "acme"]).run().code(0);
    sandbox.assert_rotated("acme");
    // A new credential or the removal of the profile makes recovery unnecessary.
    sandbox.interrupt_rotation();
    let credential = sandbox.server().regenerate(&credential);
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(credential.netosecret()).run().code(0);
    sandbox.assert_rotated("acme");
    sandbox.interrupt_rotation();
    sandbox.neto(["profile", "remove", "acme", "--yes"]).run().code(0);
    assert_eq!(sandbox.unfinished_rotations(), [""; 0]);
}

#[test]
fn a_second_key_stands_beside_the_first_until_all_have_it() {
    let (sandbox, credential) = Sandbox::with_acme();
    sandbox.server().describe("acme", "soc", &["reader"], "the SOC's");
    let (old, old_day) = (sandbox.store(), sandbox.key_id_and_date("acme").1.replace('-', ""));
    let outcome = sandbox.neto(["rotate", "acme", "--overlap"]).run();
    let second = format!("soc-{old_day}");
    outcome.code(0).stderr_has(&format!("a second key '{second}'")).stderr_has("neto rotate --finish");
    let roles = vec!["reader".to_owned()];
    let description = "the SOC's".to_owned();
    let key = |name: &str| (name.to_owned(), roles.clone(), description.clone());
    assert_eq!(sandbox.server().keys("acme"), [key("soc"), key(&second)]);
    assert_eq!(sandbox.profile_json("acme")["appname"], json!(second));
    sandbox.assert_rotated("acme");
    // The old store still works, but cannot remove the key that it names.
    let new = sandbox.store();
    sandbox.write_store(old);
    sandbox.assert_logs_in("acme");
    let outcome = sandbox.neto(["rotate", "acme", "--finish"]).run();
    outcome.code(3).stderr_has("'acme' still uses the key 'soc'").stderr_has("neto rotate --recover acme");
    sandbox.neto(["rotate", "acme", "--recover"]).run().code(0);
    assert_eq!(sandbox.key_id_and_date("acme").0, acme_key_id(&new));
    sandbox.server().fault(Fault::at(KEY).once().lose_response());
    sandbox.neto(["rotate", "acme", "--finish"]).run().code(5);
    sandbox.neto(["rotate", "acme", "--finish"]).run().code(0).stderr_has("the old key 'soc' is removed");
    assert_eq!(sandbox.server().keys("acme"), [key(&second)]);
    sandbox.neto(["rotate", "acme", "--finish"]).run().code(3).stderr_has("no second key");
    sandbox.assert_rotated("acme");
    // A second overlap does not lengthen the name further.
    sandbox.neto(["rotate", "acme", "--overlap"]).run().code(0).stderr_has(&format!("'{second}-2'"));
    assert_eq!(credential.appname, "soc");
}

fn acme_key_id(store: &str) -> String {
    let store: toml::Table = store.parse().expect("TOML");
    store["profiles"]["acme"]["sealed"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_key_that_two_profiles_have_is_not_killed_under_one_of_them() {
    let (sandbox, credential) = Sandbox::with_acme();
    sandbox.neto(["profile", "add", "twin"]).stdin(credential.netosecret()).run().code(0);
    let connections = sandbox.server().connections();
    let outcome = sandbox.neto(["rotate", "acme"]).run();
    outcome.code(3).stderr_has("'twin' has the same key").stderr_has("neto rotate acme --overlap");
    sandbox.neto(["rotate", "--all", "--yes"]).run().code(0).stderr_has("acme: skipped, the profile 'twin'");
    assert_eq!(sandbox.server().connections(), connections);
    sandbox.neto(["rotate", "acme", "--overlap"]).run().code(0);
    sandbox.neto(["rotate", "acme", "--finish"]).run().code(3).stderr_has("'twin' still uses the key 'soc'");
    sandbox.assert_logs_in("twin");
    sandbox.assert_rotated("acme");
    // Now each profile has its own key.
    sandbox.neto(["rotate", "twin"]).run().code(0);
    sandbox.assert_rotated("twin");
    sandbox.assert_logs_in("acme");
}

#[test]
fn many_that_the_server_asks_to_be_slower_are_slower() {
    let sandbox = Sandbox::new();
    for name in ["acme", "beta", "gamma"] {
        sandbox.add(name);
    }
    sandbox.server().fault(Fault::at(REGEN).times(2).error(429, "slower").header("retry-after", "1"));
    sandbox.neto(["rotate", "--all", "--yes"]).run().code(0);
    assert_eq!(sandbox.server().regenerations(), 3);
    sandbox.assert_rotated("acme");
}

#[test]
fn a_second_key_whose_answer_was_lost_is_taken_over() {
    let keys = "/api/v1/api-keys";
    for times in [1, 2, 3] {
        let sandbox = Sandbox::new();
        sandbox.server().set_lifetime(Lifetime { access: 86_400, refresh: None });
        sandbox.add("acme");
        // The list of keys has the same path and is requested first.
        sandbox.server().fault(Fault::at(keys).skip(1).times(1).lose_response());
        if times > 1 {
            sandbox.server().fault(Fault::at("/api/v1/api-keys/*").skip(1).times(1).error(500, "no"));
            sandbox.neto(["rotate", "acme", "--overlap"]).run().code(5).stderr_has("is not known");
            sandbox.server().clear_faults();
        }
        if times == 3 {
            // neto must then log in with the old key, which proves nothing about the new key.
            sandbox.server().end_access_tokens();
        }
        sandbox.neto(["rotate", "acme", "--overlap"]).run().code(0);
        assert_eq!(sandbox.server().keys("acme").len(), 2, "{:?}", sandbox.server().keys("acme"));
        sandbox.assert_rotated("acme");
    }
}
