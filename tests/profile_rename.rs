//! `neto profile rename`: re-encrypts the secret and keeps the token, the position in the file and the current profile.

use crate::harness::Sandbox;

#[test]
fn token_current_profile_and_credential_go_along() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    sandbox.assert_logs_in("acme");
    for name in ["globex", "acme"] {
        sandbox.neto(["use", name]).run().code(0);
    }
    let before = sandbox.profile_json("acme");
    let outcome = sandbox.neto(["profile", "rename", "acme", "acme-prod"]).run();
    outcome.code(0).stdout("").stderr_has("'acme' is now 'acme-prod'");
    let mut after = sandbox.profile_json("acme-prod");
    after["profile"] = "acme".into();
    assert_eq!(after, before);
    sandbox.neto(["profile", "current"]).run().code(0).stdout("acme-prod\n");
    assert!(!sandbox.token_file("acme").exists());
    sandbox.neto(["token", "--offline"]).allow_secret("access token").run().code(0).stderr("");
    sandbox.neto(["profile", "show", "acme"]).run().code(3).stdout("").stderr_has("'acme-prod'");
    assert_eq!(sandbox.server().logins(), 1, "the token is the same");
    sandbox.assert_logs_in("acme-prod");
    // `neto use -` follows the rename of the previous profile.
    sandbox.neto(["profile", "rename", "globex", "hooli"]).run().code(0);
    sandbox.neto(["use", "-"]).run().code(0).stderr_has("'hooli'");
    sandbox.assert_logs_in("hooli");
}

#[test]
fn an_expired_token_still_brings_its_refresh_token_and_only_once() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.assert_logs_in("acme");
    sandbox.backdate_token("acme", 172_800);
    sandbox.neto(["profile", "rename", "acme", "other"]).run().code(0);
    sandbox.neto(["token", "other"]).allow_secret("access token").run().code(0);
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (1, 1));
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}

#[test]
fn nothing_but_the_name_and_the_seal_changes() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    let dressed = sandbox.store().replace("[profiles.acme]", "# mine, acme\n[ profiles . \"acme\" ]  # acme");
    sandbox.write_store(format!("{dressed}\n[profiles.acme.env]\nA = \"acme\" # acme\n\n# end"));
    let before = sandbox.store();
    sandbox.neto(["profile", "rename", "acme", "zeta"]).run().code(0);
    let after = sandbox.store();
    let outside = |text: &str| {
        let mut rest = text.to_owned();
        for (open, close) in [("sealed = {", "}"), ("-----BEGIN", "-----END")] {
            let start = rest.find(open).unwrap();
            let end = start + rest[start..].find(close).unwrap();
            rest.replace_range(start..end, "");
        }
        rest
    };
    let expected = before.replace("[ profiles . \"acme\" ]", "[ profiles . \"zeta\" ]");
    let expected = expected.replace("[profiles.acme.env]", "[profiles.zeta.env]");
    assert_eq!(outside(&after), outside(&expected));
    sandbox.assert_logs_in("zeta");
    sandbox.assert_logs_in("globex");
}

#[test]
fn what_cannot_be_a_name_or_is_taken_changes_nothing() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    sandbox.add("globex");
    sandbox.assert_logs_in("acme");
    sandbox.neto(["use", "acme"]).run().code(0);
    let before = sandbox.store();
    for (old, new, code, words) in [
        ("acme", "globex", 3, "there is a profile 'globex' already"),
        ("acme", "acme", 3, "there is a profile 'acme' already"),
        ("acme", "A b", 2, "the new name is not one: a name"),
        ("acme", "env", 2, "'env' is the profile that NETOSECRET makes"),
        ("acme", "../x", 2, "a name"),
        ("acm", "other", 3, "did you mean 'acme'?"),
        ("env", "other", 2, "it has no other name"),
    ] {
        let call = sandbox.neto(["profile", "rename", old, new]).env("NETOSECRET", credential.netosecret());
        call.run().code(code).stdout("").stderr_has(words);
        assert_eq!(sandbox.store(), before, "{old} to {new}");
    }
    assert!(sandbox.token_file("acme").exists());
    sandbox.neto(["profile", "current"]).run().code(0).stdout("acme\n");
}

#[test]
fn what_cannot_be_opened_is_not_renamed() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let before = sandbox.store();
    std::fs::rename(sandbox.home("keys/identity.txt"), sandbox.home("keys/away.txt")).unwrap();
    sandbox
        .neto(["profile", "rename", "acme", "other"])
        .run()
        .code(6)
        .stdout("")
        .stderr_has("there is no identity at ");
    assert_eq!(sandbox.store(), before);
    std::fs::rename(sandbox.home("keys/away.txt"), sandbox.home("keys/identity.txt")).unwrap();
    // A rename does not accept a secret that is bound to other values.
    sandbox.write_store(before.replace("\"soc\"", "\"other\""));
    sandbox
        .neto(["profile", "rename", "acme", "other"])
        .run()
        .code(3)
        .stdout("")
        .stderr_has("bound to another appname");
    assert_eq!(sandbox.store(), before.replace("\"soc\"", "\"other\""));
}

#[test]
fn a_skeleton_and_a_source_have_names_too() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let acme = sandbox.server().add_tenant("acme", "soc");
    sandbox.write_secret("acme.txt", acme.netosecret());
    let add = ["profile", "add", "acme", "--secret-command", "--", "cat", "acme.txt"];
    sandbox.neto(add).run().code(0);
    sandbox.write_store(sandbox.store() + "\n[profiles.bare]\n");
    sandbox.neto(["profile", "rename", "bare", "zeta"]).run().code(0);
    sandbox.neto(["profile", "rename", "acme", "other"]).run().code(0);
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).stderr("").json();
    assert_eq!((&rows[0]["profile"], &rows[1]["profile"]), (&"other".into(), &"zeta".into()));
    // The rename keeps the trust in the source that was trusted under the old name.
    sandbox.assert_logs_in("other");
}
