//! `neto recipient`: adding and removing seals anew just what it concerns, and keeps what cannot be opened.

use crate::harness::{STRANGER, Sandbox};

/// The lines of the store that are not part of a seal.
fn unsealed(store: &str) -> Vec<&str> {
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
    let outcome = sandbox.neto(["recipient", "add", "bob", STRANGER]).run();
    outcome.code(0).stdout("").stderr_has("Added 'bob'; sealed 1 secret anew");
    let after = sandbox.store();
    let added = format!("bob = \"{STRANGER}\"");
    assert_eq!(unsealed(&after).into_iter().filter(|line| *line != added).collect::<Vec<_>>(), unsealed(&before));
    assert!(after.contains(&added) && after.matches("-> X25519").count() == 0, "armored");
    sandbox.neto(["seal", "--check"]).run().code(0);
    sandbox.neto(["token", "acme"]).reveals("access token").run().code(0).silent();
    assert_eq!(sandbox.server().logins(), 1);
    sandbox.neto(["recipient", "add", "bob", STRANGER]).run().code(0).stderr_has("Nothing changed");
    assert_eq!(sandbox.store(), after);
}

#[test]
fn removing_seals_to_the_others_alone_and_says_who_has_seen_what() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["recipient", "add", "bob", STRANGER]).run().code(0);
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
    sandbox.neto(["recipient", "add", "bob", STRANGER]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--recipient", "bob"]).run().code(0);
    sandbox.add("globex");
    // From here on acme opens to bob alone; his other key is one recipient more for those sealed to all.
    let own = sandbox.neto(["init"]).run().answer().to_owned();
    let store = sandbox.store().replace("recipients = [\"bob\"]\n", "");
    sandbox.write_store(&store);
    let outcome = sandbox.neto(["recipient", "add", "spare", &own]).run();
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
    sandbox.neto(["recipient", "add", "bob", STRANGER]).run().code(0);
    sandbox.add("globex");
    sandbox.neto(["profile", "edit", "globex", "--recipient", "me"]).run().code(0);
    let rows = sandbox.neto(["recipient", "list", "-o", "json"]).run().code(0).json();
    assert_eq!(rows[0]["recipient"], "bob");
    assert_eq!((&rows[0]["profiles"], &rows[0]["own"], &rows[0]["trusted"]), (&1.into(), &false.into(), &true.into()));
    assert_eq!((&rows[1]["profiles"], &rows[1]["own"]), (&2.into(), &true.into()));
    sandbox.neto(["recipient", "list", "-p", "globex"]).run().code(0).stdout_has("me").stdout_lacks("bob");
    sandbox.neto(["recipient", "list", "-p", "hooli"]).run().code(3);
    sandbox.neto(["recipient", "add", "Bob", STRANGER]).run().code(2);
    sandbox.neto(["recipient", "add", "carol", "age1nokey"]).run().code(2).stderr_has("is no key");
}
