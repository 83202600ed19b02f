//! `neto recipient`: adding and removing re-encrypts only the affected secrets and keeps those that cannot be
//! decrypted.

use crate::harness::{OTHER_RECIPIENT, Sandbox};

/// Returns the lines of the store outside sealed secrets.
fn lines_outside_seals(store: &str) -> Vec<&str> {
    let mut inside = false;
    let keep = |line: &&str| {
        let was_inside = inside;
        inside = (inside || line.starts_with("-----BEGIN")) && !line.starts_with("-----END");
        !was_inside && !inside && !line.starts_with("sealed = ")
    };
    store.lines().filter(keep).collect()
}

#[test]
fn adding_seals_to_them_too_and_logs_nobody_out() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox.neto(["seal", "--check"]).run().code(0);
    let before = sandbox.store();
    let outcome = sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run();
    outcome.code(0).stdout("").stderr_has("Added 'bob'; sealed 1 secret anew");
    let after = sandbox.store();
    let added = format!("bob = \"{OTHER_RECIPIENT}\"");
    assert_eq!(
        lines_outside_seals(&after).into_iter().filter(|line| *line != added).collect::<Vec<_>>(),
        lines_outside_seals(&before)
    );
    assert!(after.contains(&added) && after.matches("-> X25519").count() == 0, "armored");
    sandbox.neto(["seal", "--check"]).run().code(0);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    assert_eq!(sandbox.server().logins(), 1);
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0).stderr_has("Nothing changed");
    assert_eq!(sandbox.store(), after);
}

#[test]
fn removing_seals_to_the_others_alone_and_says_who_has_seen_what() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--recipient", "me", "--recipient", "bob"]).run().code(0);
    let outcome = sandbox.neto(["recipient", "remove", "bob"]).run();
    outcome
        .code(0)
        .stderr_has("sealed 1 secret anew")
        .stderr_has("'bob' has seen the secrets of 1 profile")
        .stderr_has("acme");
    assert!(
        !sandbox.store().contains("bob") && sandbox.store().contains("recipients = [\"me\"]"),
        "{}",
        sandbox.store()
    );
    sandbox.neto(["seal", "--check"]).run().code(0);
    sandbox.neto(["login", "acme"]).run().code(0);
    let before = sandbox.store();
    sandbox.neto(["recipient", "remove", "me"]).run().code(3).stderr_has("the last recipient cannot be removed");
    sandbox.neto(["recipient", "remove", "carol"]).run().code(3).stderr_has("there is no recipient 'carol'");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn what_cannot_be_opened_keeps_its_seal_and_makes_exit_8() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--recipient", "bob"]).run().code(0);
    sandbox.add("globex");
    // From here on only bob can decrypt acme. `spare` adds this machine's own key again, for secrets encrypted to all
    // recipients.
    let own_key = sandbox.neto(["init"]).run().stdout_trimmed().to_owned();
    let store = sandbox.store().replace("recipients = [\"bob\"]\n", "");
    sandbox.write_store(&store);
    let outcome = sandbox.neto(["recipient", "add", "spare", &own_key]).run();
    outcome.code(0).stderr_has("Added 'spare'");
    let outcome = sandbox.neto(["recipient", "remove", "bob"]).run();
    outcome.code(8).stderr_has("acme: ").stderr_has("1 profile kept the old seal").stderr_has("sealed 1 secret anew");
    sandbox.neto(["login", "globex"]).run().code(0);
    sandbox.neto(["seal", "--check"]).run().code(9).stdout_has("acme: ").stdout_lacks("globex");
}

#[test]
fn the_list_says_who_opens_how_much() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    sandbox.add("globex");
    sandbox.neto(["profile", "edit", "globex", "--recipient", "me"]).run().code(0);
    let rows = sandbox.neto(["recipient", "list", "-o", "json"]).run().code(0).json();
    assert_eq!(rows[0]["recipient"], "bob");
    assert_eq!((&rows[0]["profiles"], &rows[0]["own"], &rows[0]["trusted"]), (&1.into(), &false.into(), &true.into()));
    assert_eq!((&rows[1]["profiles"], &rows[1]["own"]), (&2.into(), &true.into()));
    sandbox.neto(["recipient", "list", "-p", "globex"]).run().code(0).stdout_has("me").stdout_lacks("bob");
    sandbox.neto(["recipient", "list", "-p", "hooli"]).run().code(3);
    sandbox.neto(["recipient", "add", "Bob", OTHER_RECIPIENT]).run().code(2);
    sandbox.neto(["recipient", "add", "carol", "age1nokey"]).run().code(2).stderr_has("is no key");
}

#[test]
fn only_what_is_concerned_is_sealed_anew() {
    let sandbox = Sandbox::new();
    for name in ["acme", "beta", "gamma"] {
        sandbox.add(name);
    }
    // beta names its recipients, so a new recipient of the store does not affect it.
    sandbox.neto(["profile", "edit", "beta", "--recipient", "me"]).run().code(0);
    sandbox.neto(["login", "--all"]).run().code(0);
    let block = |name: &str| {
        let store = sandbox.store();
        let start = store.find(&format!("[profiles.{name}]")).unwrap();
        let rest = &store[start..];
        rest[..rest.find("\n[profiles.").filter(|at| *at > 0).unwrap_or(rest.len())].to_owned()
    };
    let before = [block("acme"), block("beta"), block("gamma")];
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0).stderr_has("sealed 2 secrets anew");
    assert_eq!(block("beta"), before[1]);
    assert!(block("acme") != before[0] && block("gamma") != before[2]);
    sandbox.neto(["recipient", "remove", "bob"]).run().code(0).stderr_has("neto rotate acme gamma");
    assert_eq!(block("beta"), before[1]);
    sandbox.neto(["seal", "--check"]).run().code(0);
    for name in ["acme", "beta", "gamma"] {
        sandbox.neto(["token", name]).allow_secret("access token").run().code(0).stderr("");
    }
    assert_eq!(sandbox.server().logins(), 3);
}

#[test]
fn a_secret_sealed_to_others_alone_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    let credential = sandbox.server().add_tenant("acme", "soc");
    let add = sandbox.neto(["profile", "add", "acme", "--recipient", "bob"]).stdin(credential.netosecret()).run();
    add.code(0).stderr_has("sealed to others, so your own identity will not open it");
    sandbox.neto(["login", "acme"]).run().code(6).stderr_has("neto recipient list -p acme");
}

#[test]
fn a_colleagues_key_that_changed_is_shown_old_and_new_before_anything_is_sealed_to_it() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    let bob = sandbox.machine("bob");
    let new = bob.neto(["init"]).run().code(0).stdout_trimmed().to_owned();
    // An edit or a merge replaces bob's key in the store.
    sandbox.write_store(sandbox.store().replace(OTHER_RECIPIENT, &new));
    sandbox.neto(["seal"]).run().code(3).stderr_has("the recipient 'bob' came into the store from elsewhere");
    let trust = sandbox.neto(["trust", "--recipient", "bob"]).run();
    trust
        .code(0)
        .stderr_has(&format!("recipient bob: was {OTHER_RECIPIENT}, is {new}"))
        .stderr_has("Trusted 1 recipient");
    sandbox.neto(["seal"]).run().code(0).stderr_has("sealed to today's recipients");
    sandbox.neto(["seal", "--check"]).run().code(0);
    // Both keys have been trusted once, so changing back needs no confirmation.
    sandbox.write_store(sandbox.store().replace(&new, OTHER_RECIPIENT));
    sandbox.neto(["seal"]).run().code(0);
}

#[test]
fn what_a_colleague_sealed_to_a_third_asks_nobody() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let bob = sandbox.machine("bob");
    let key = bob.neto(["init"]).run().code(0).stdout_trimmed().to_owned();
    sandbox.neto(["recipient", "add", "bob", &key]).run().code(0);
    std::fs::copy(sandbox.home("profiles.toml"), bob.home("profiles.toml")).unwrap();
    // bob has not trusted the third key, but the secret is already encrypted to it. So changing the profile needs no
    // confirmation.
    let new = sandbox.server().url().replace("127.0.0.1", "localhost");
    bob.neto(["profile", "edit", "acme", "--url", &new]).run().code(0);
    bob.neto(["recipient", "add", "third", OTHER_RECIPIENT]).run().code(0).stderr_has("sealed 1 secret anew");
    // A new secret requires trust in its recipients.
    let credential = sandbox.server().add_tenant("beta", "soc");
    let add = || bob.neto(["profile", "add", "beta"]).stdin(credential.netosecret());
    add().run().code(3).stderr_has("neto trust --recipient me");
    bob.neto(["trust", "--all"]).run().code(0);
    add().run().code(0);
}

#[test]
#[cfg(unix)]
fn many_secrets_have_progress_at_a_terminal_and_none_off_it() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let netosecret = credential.netosecret();
    let pasted = (0..120).map(|n| format!("\n[profiles.acme-{n:03}]\nnetosecret = \"{netosecret}\"\n"));
    sandbox.write_store(pasted.fold(sandbox.store(), |store, block| store + &block));
    sandbox.neto(["seal"]).run().code(0);
    let screen = sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).at_terminal().finish();
    screen.code(0).has("sealed 120 secrets anew").lacks("Sealing");
    assert!(screen.raw.contains("Sealing: 0 of 120"));
    sandbox.neto(["recipient", "remove", "bob"]).run().code(0).stderr_lacks("Sealing");
}

#[test]
fn the_only_one_who_can_open_a_profile_is_not_taken_out() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("beta");
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    sandbox.neto(["profile", "edit", "beta", "--recipient", "bob"]).run().code(0);
    let store = sandbox.store();
    let outcome = sandbox.neto(["recipient", "remove", "bob"]).run();
    outcome
        .code(3)
        .stderr_has("'bob' is the only one who can open beta")
        .stderr_has("neto profile edit beta --recipient");
    assert_eq!(sandbox.store(), store);
}
