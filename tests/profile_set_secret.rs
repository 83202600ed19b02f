//! `neto profile set-secret`: a new credential for an existing profile, in every way that `add` accepts.

use crate::harness::Sandbox;
use serde_json::json;

/// Adds a profile whose key the server has regenerated; returns the new credential.
fn add_with_regenerated_key(sandbox: &Sandbox) -> crate::fusion::Credential {
    let old = sandbox.add("acme");
    let new = sandbox.server().regenerate(&old);
    let refused = sandbox.neto(["login", "acme", "--force"]).run();
    refused.code(4).stdout("").stderr_has("neto profile set-secret acme");
    new
}

#[test]
fn a_new_credential_takes_the_place_of_the_old_and_nothing_else_changes() {
    let sandbox = Sandbox::new();
    sandbox.add("globex");
    let new = add_with_regenerated_key(&sandbox);
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod", "--description", "x"]).run().code(0);
    let (before, other) = (sandbox.profile_json("acme"), sandbox.profile_json("globex"));
    let outcome = sandbox.neto(["profile", "set-secret", "acme"]).stdin(new.netosecret()).run();
    outcome.code(0).stdout("").stderr_has("'acme' has a new credential; its token is dropped");
    assert_eq!((sandbox.profile_json("acme"), sandbox.profile_json("globex")), (before, other));
    sandbox.assert_logs_in("acme");
    sandbox.assert_logs_in("globex");
}

#[test]
fn it_comes_in_the_ways_of_add() {
    let sandbox = Sandbox::new();
    let new = add_with_regenerated_key(&sandbox);
    sandbox.write_secret("new.txt", new.netosecret());
    let pair = json!({"appkey": new.appkey, "sharedsecret": new.sharedsecret}).to_string();
    let ways: [(&[&str], &str); 5] = [
        (&["--netosecret-file", "new.txt"], ""),
        (&["--netosecret-env", "ACME"], ""),
        (&["--shortname", "acme", "--appname", "soc"], &pair),
        (&["--secret-command", "--", "cat", "new.txt"], ""),
        (&[], &new.netosecret()),
    ];
    for (flags, stdin) in ways {
        let call = sandbox.neto(["profile", "set-secret", "acme"].iter().chain(flags));
        call.env("ACME", new.netosecret()).stdin(stdin).run().code(0).stdout("");
        let word = if flags.contains(&"--secret-command") { "command" } else { "sealed" };
        assert_eq!(sandbox.profile_json("acme")["secret"], word, "{flags:?}");
        assert_eq!(sandbox.store().contains("sealed = {"), word == "sealed");
        sandbox.assert_logs_in("acme");
    }
    let before = sandbox.store();
    for (flags, stdin, code) in [
        (&["--netosecret-file", "gone.txt"][..], "", 1),
        (&["--netosecret-env", "NOPE"], "", 6),
        (&["--secret-command", "--", "false"], "", 6),
        (&["--shortname", "acme", "--appname", "soc"], "{}", 3),
        (&["--shortname", "acme"], "", 2),
        (&[], "nonsense!", 3),
        (&[], "", 2),
    ] {
        let outcome = sandbox.neto(["profile", "set-secret", "acme"].iter().chain(flags)).stdin(stdin).run();
        outcome.code(code).stdout("").stderr_has("error: ");
        assert_eq!(sandbox.store(), before, "{flags:?}");
    }
    sandbox.assert_logs_in("acme");
}

#[test]
fn its_token_is_dropped() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    sandbox.assert_logs_in("acme");
    assert!(sandbox.token_file("acme").exists());
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(credential.netosecret()).run().code(0);
    assert!(!sandbox.token_file("acme").exists());
    sandbox.neto(["token", "acme", "--offline"]).run().code(5).stdout("");
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    assert_eq!(sandbox.server().logins(), 2);
}

#[test]
fn another_tenant_is_another_profile() {
    let sandbox = Sandbox::new();
    let acme = sandbox.add("acme");
    let globex = sandbox.server().add_tenant("globex", "soc");
    let person = sandbox.server().add_person("alice");
    let before = sandbox.store();
    let set = |flags: &[&str], stdin: &str| {
        sandbox.neto(["profile", "set-secret", "acme"].iter().chain(flags)).stdin(stdin).run()
    };
    let outcome = set(&[], &globex.netosecret());
    outcome.code(3).stderr_has("the new credential has the shortname 'globex', the profile has 'acme'");
    let mut moved = acme.clone();
    moved.url = "https://evil.example/api/v1".to_owned();
    set(&[], &moved.netosecret()).code(3).stderr_has("the new credential has the url 'https://evil.example/api/v1'");
    set(&["--username", "alice"], &person.password).code(3).stderr_has("the username 'alice', the profile has 'acme'");
    assert_eq!(sandbox.store(), before);
    sandbox.assert_logs_in("acme");
    // Another key of the same tenant is accepted.
    let second = sandbox.server().add_tenant("acme", "reports");
    set(&[], &second.netosecret()).code(0);
    assert_eq!(sandbox.profile_json("acme")["appname"], "reports");
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_skeleton_and_a_profile_in_clear_get_theirs() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let acme = sandbox.server().add_tenant("acme", "soc");
    let person = sandbox.server().add_person("alice");
    let url = sandbox.server().url();
    let text = format!(
        "{}\n[profiles.acme]\n# mine\nurl = \"{url}\"\nnetosecret = \"outdated\" # pasted\ntags = [\"x\"]\n\n\
         [profiles.alice]\nurl = \"{url}\"\nusername = \"alice\"\n",
        sandbox.store()
    );
    sandbox.write_store(&text);
    sandbox.assert_login_refused("alice", 3, &["neto profile set-secret alice"]);
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(acme.netosecret()).run().code(0);
    let flags = ["profile", "set-secret", "alice", "--username", "alice"];
    sandbox.neto(flags).stdin(&person.password).run().code(0);
    let after = sandbox.store();
    assert!(!after.contains("outdated") && after.contains("# mine\n") && after.contains("tags = [\"x\"]\n"), "{after}");
    sandbox.assert_logs_in("acme");
    sandbox.assert_logs_in("alice");
}

#[test]
fn env_is_what_netosecret_holds() {
    let sandbox = Sandbox::new();
    let acme = sandbox.server().add_tenant("acme", "soc");
    let call = sandbox.neto(["profile", "set-secret", "env"]).env("NETOSECRET", acme.netosecret());
    call.stdin(acme.netosecret()).run().code(2).stdout("").stderr_has("set that instead");
    assert!(!sandbox.home("profiles.toml").exists());
}

#[cfg(unix)]
mod at_a_terminal {
    use super::add_with_regenerated_key;
    use crate::harness::{CTRL_C, Sandbox};

    #[test]
    fn the_new_credential_is_asked_for() {
        let sandbox = Sandbox::new();
        let new = add_with_regenerated_key(&sandbox);
        let mut terminal = sandbox.neto(["profile", "set-secret", "acme"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").paste(&new.netosecret()).press("\r");
        terminal.finish().code(0).has("'acme' has a new credential");
        sandbox.assert_logs_in("acme");
        let flags = ["profile", "set-secret", "acme", "--shortname", "acme", "--appname", "soc"];
        let mut terminal = sandbox.neto(flags).at_terminal();
        terminal.expect("API key (appkey, not shown): ").enter(&new.appkey);
        terminal.expect("Shared secret (not shown): ").enter(&new.sharedsecret);
        terminal.finish().code(0);
        sandbox.assert_logs_in("acme");
    }

    #[test]
    fn who_turns_back_keeps_the_old_one() {
        let sandbox = Sandbox::new();
        let acme = sandbox.add("acme");
        sandbox.assert_logs_in("acme");
        let before = sandbox.store();
        let mut terminal = sandbox.neto(["profile", "set-secret", "acme"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").press(&acme.netosecret()[..40]).press(CTRL_C);
        terminal.finish().code(130);
        assert_eq!(sandbox.store(), before);
        assert!(sandbox.token_file("acme").exists());
    }
}
