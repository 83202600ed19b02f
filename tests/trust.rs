//! `neto trust`: sources, recipients and changed profiles from elsewhere, which neto refuses until the user has seen
//! them.

use crate::harness::{Call, OTHER_RECIPIENT, Sandbox};
use std::fs;

/// Adds a profile `acme` as a git merge does, with this `secret`; its NETOSECRET is in `work/acme.txt`.
fn from_elsewhere(sandbox: &Sandbox, secret: &str) {
    let credential = sandbox.server().add_tenant("acme", "soc");
    sandbox.write_secret("acme.txt", credential.netosecret());
    let url = sandbox.server().url();
    let profile = format!("[profiles.acme]\nurl = \"{url}\"\nshortname = \"acme\"\nappname = \"soc\"\n{secret}\n");
    sandbox.write_store(format!("{}\n{profile}", sandbox.store()));
}

/// Two machines with the same identity but separate trust records; the team's store is `work/team.toml`.
struct Machines(Sandbox);

impl Machines {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.neto(["init", "--store", "team.toml"]).run().code(0);
        let keys = sandbox.home("keys/identity.txt");
        let there = sandbox.root().join("second");
        let init = sandbox.neto(["init", "--store", "team.toml", "--identity", keys.to_str().unwrap()]);
        init.env("NETO_HOME", there).run().code(0);
        Self(sandbox)
    }

    fn first(&self, arguments: &[&str]) -> Call<'_> {
        self.0.neto(arguments).env("NETO_STORE", "team.toml")
    }

    fn second(&self, arguments: &[&str]) -> Call<'_> {
        self.first(arguments).env("NETO_HOME", self.0.root().join("second"))
    }

    fn store(&self) -> String {
        fs::read_to_string(self.0.work("team.toml")).unwrap()
    }
}

#[test]
fn r55_a_command_from_elsewhere_never_runs_before_it_was_trusted() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let script = "touch ran; cat acme.txt";
    from_elsewhere(&sandbox, &format!("secret = {{ command = [\"sh\", \"-c\", \"{script}\"] }}"));
    let store = sandbox.store();
    let shown = format!("the command [\"sh\", \"-c\", \"{script}\"]");
    sandbox.assert_login_refused("acme", 3, &["acme: its secret comes from ", &shown, "neto trust acme"]);
    for verb in [&["token", "acme"][..], &["export", "acme", "--with-secret", "--format", "json"]] {
        sandbox.neto(verb).run().code(3).stdout("").stderr_has("neto trust acme");
    }
    for verb in [&["ls"][..], &["status"], &["profile", "show", "acme"], &["seal"], &["seal", "--check"]] {
        sandbox.neto(verb).run().code(0);
    }
    let outcome = sandbox.neto(["trust", "acme"]).run();
    outcome
        .code(0)
        .stdout("")
        .stderr_has(&format!("acme: its secret comes from {shown}"))
        .stderr_has("Trusted 1 profile");
    assert!(!sandbox.work("ran").exists(), "nothing ran so far");
    assert_eq!(sandbox.store(), store, "trust writes nothing to the store");
    sandbox.assert_logs_in("acme");
    assert!(sandbox.work("ran").exists());
    sandbox.neto(["trust", "acme"]).run().code(0).stdout("").stderr_has("All of it is trusted already");

    // Another command needs trust of its own; the old command stays trusted.
    fs::remove_file(sandbox.work("ran")).unwrap();
    sandbox.write_store(store.replace("touch ran", "touch ran evil"));
    sandbox.assert_login_refused(
        "acme",
        3,
        &["secret changed since this machine trusted the profile", "neto trust acme"],
    );
    assert!(!sandbox.work("ran").exists() && !sandbox.work("evil").exists());
    let outcome = sandbox.neto(["trust", "acme", "--yes"]).run();
    outcome.code(0).stderr_has(&format!("acme: secret was {shown}, is the command")).stderr_has("touch ran evil");
    sandbox.assert_logs_in("acme");
    sandbox.write_store(&store);
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_file_and_a_variable_are_sources_too() {
    let sandbox = Sandbox::new();
    sandbox.init();
    from_elsewhere(&sandbox, "secret = { file = \"sources/acme.txt\" }");
    let path = sandbox.home("sources/acme.txt");
    fs::create_dir(sandbox.home("sources")).unwrap();
    fs::copy(sandbox.work("acme.txt"), &path).unwrap();
    sandbox.allow_secrets_in(&path);
    sandbox.assert_login_refused(
        "acme",
        3,
        &["its secret comes from the file ", path.to_str().unwrap(), "neto trust acme"],
    );
    sandbox.neto(["trust", "acme"]).run().code(0);
    sandbox.assert_logs_in("acme");
    fs::remove_file(&path).unwrap();
    sandbox.assert_login_refused("acme", 6, &["the file that the secret comes from"]);

    let sandbox = Sandbox::new();
    sandbox.init();
    from_elsewhere(&sandbox, "secret = { env = \"ACME_SECRET\" }");
    let netosecret = fs::read_to_string(sandbox.work("acme.txt")).unwrap();
    sandbox.assert_login_refused("acme", 3, &["its secret comes from the variable 'ACME_SECRET'", "neto trust acme"]);
    sandbox.neto(["trust", "--all"]).run().code(0).stderr_has("Trusted 1 profile");
    sandbox.assert_login_refused("acme", 6, &["the variable 'ACME_SECRET' that the secret comes from is not set"]);
    sandbox.neto(["login", "acme"]).env("ACME_SECRET", netosecret).run().code(0);
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn what_a_source_yields_has_to_agree_with_the_profile() {
    let sandbox = Sandbox::new();
    sandbox.init();
    from_elsewhere(&sandbox, "secret = { command = [\"cat\", \"acme.txt\"] }");
    let store = sandbox.store();
    let url = sandbox.server().url();
    for (from, to, field) in [
        ("\"acme\"", "\"globex\"", "shortname"),
        ("\"soc\"", "\"other\"", "appname"),
        (url.as_str(), "https://evil.example/api/v1", "url"),
    ] {
        sandbox.write_store(store.replace(from, to));
        sandbox.neto(["trust", "--all"]).run().code(0);
        sandbox.assert_login_refused("acme", 3, &["its source yields a credential of another ", field]);
    }
    sandbox.write_store(&store);
    sandbox.neto(["trust", "--all"]).run().code(0);
    for (text, words) in [("canary of the source!", "is not base64"), ("", "is empty")] {
        sandbox.write_secret("acme.txt", text);
        sandbox.assert_login_refused("acme", 6, &["what the command 'cat' yields cannot be used", words]);
    }
    fs::remove_file(sandbox.work("acme.txt")).unwrap();
    sandbox.assert_login_refused("acme", 6, &["the command that the secret comes from", "'cat' failed"]);
}

#[cfg(unix)]
#[test]
fn at_a_terminal_it_asks() {
    let sandbox = Sandbox::new();
    sandbox.init();
    from_elsewhere(&sandbox, "secret = { command = [\"cat\", \"acme.txt\"] }");
    let answered = |answer: &str| {
        let mut terminal = sandbox.neto(["trust", "acme"]).at_terminal();
        terminal.expect("the command [\"cat\", \"acme.txt\"]").expect("Trust this from now on? [y/N] ").enter(answer);
        terminal.finish()
    };
    answered("n").code(2).has("Left as it was");
    answered("").code(2);
    sandbox.assert_login_refused("acme", 3, &["neto trust acme"]);
    answered("y").code(0).has("Trusted 1 profile");
    sandbox.assert_logs_in("acme");
}

#[test]
fn a_recipient_from_elsewhere_is_not_sealed_to_before_it_was_trusted() {
    let sandbox = Sandbox::new();
    let key = sandbox.init();
    let acme = sandbox.add("acme");
    let globex = sandbox.server().add_tenant("globex", "soc");
    let store = sandbox.store().replace("[recipients]\n", &format!("[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n"));
    sandbox.write_store(&store);
    let verbs: [(&[&str], &str); 5] = [
        (&["seal"], ""),
        (&["profile", "add", "globex"], &globex.netosecret()),
        (&["profile", "set-secret", "acme"], &acme.netosecret()),
        (&["profile", "rename", "acme", "other"], ""),
        (&["profile", "edit", "acme", "--appname", "other"], ""),
    ];
    for (verb, stdin) in verbs {
        let outcome = sandbox.neto(verb).stdin(stdin).run();
        outcome.code(3).stdout("").stderr_has("the recipient 'bob' came into the store from elsewhere");
        outcome.stderr_has("neto trust --recipient bob");
        assert_eq!(sandbox.store(), store, "{verb:?}");
    }
    sandbox.assert_logs_in("acme");
    // A recipient needs no trust for a secret that is not encrypted to it.
    sandbox.neto(["profile", "add", "globex", "--recipient", "me"]).stdin(globex.netosecret()).run().code(0);
    sandbox.write_store(&store);

    let unknown = sandbox.neto(["trust", "--recipient", "carol"]).run();
    unknown
        .code(3)
        .stdout("")
        .stderr_has("there is no recipient 'carol'\n  hint: neto recipient list\n        (there are bob, me)");
    let outcome = sandbox.neto(["trust", "--recipient", "bob"]).run();
    outcome
        .code(0)
        .stdout("")
        .stderr_has(&format!("recipient bob: new here; {OTHER_RECIPIENT}"))
        .stderr_has("1 recipient");
    assert_eq!(sandbox.store(), store);
    sandbox.neto(["seal"]).run().code(0).stderr_has("'acme' is sealed to today's recipients");
    assert_eq!(sandbox.profile_json("acme")["recipients"], serde_json::json!(["bob", "me"]));
    // Trust belongs to the key: another key under the name is not trusted.
    let other = format!("{}{}", &key[..key.len() - 1], if key.ends_with('z') { 'q' } else { 'z' });
    sandbox.write_store(sandbox.store().replace(OTHER_RECIPIENT, &other));
    sandbox.neto(["seal"]).run().code(3).stdout("").stderr_has("the recipient 'bob'");
}

#[test]
fn another_machine_trusts_at_first_sight_and_refuses_what_changed() {
    let machines = Machines::new();
    let sandbox = &machines.0;
    let acme = sandbox.server().add_tenant("acme", "soc");
    machines.first(&["profile", "add", "acme"]).stdin(acme.netosecret()).run().code(0);
    let before = machines.store();
    let login = ["login", "acme", "--force"];
    machines.second(&login).run().code(0).stderr_lacks("warning").stderr_lacks("trust");
    assert_eq!(sandbox.server().logins(), 1);

    // The first machine changes the profile's URL and re-encrypts the secret. It trusts its own changes.
    let (old, new) = (sandbox.server().url(), sandbox.server().url().replace("127.0.0.1", "localhost"));
    machines.first(&["profile", "edit", "acme", "--url", &new]).run().code(0);
    machines.first(&login).run().code(0);
    let (moved, connections) = (machines.store(), sandbox.server().connections());
    let outcome = machines.second(&login).run();
    outcome.code(3).stdout("").stderr_has("url changed since this machine trusted the profile");
    outcome.stderr_has("neto trust acme");
    assert_eq!(sandbox.server().connections(), connections);
    let outcome = machines.second(&["trust", "acme"]).run();
    outcome.code(0).stdout("").stderr_has(&format!("acme: url was {old}, is {new}"));
    assert_eq!(machines.store(), moved);
    machines.second(&login).run().code(0);

    // A state that was trusted once needs no second confirmation.
    fs::write(sandbox.work("team.toml"), before).unwrap();
    machines.second(&login).run().code(0);
    assert_eq!(sandbox.server().logins(), 4);
}

#[test]
fn a_profile_that_its_seal_contradicts_is_not_remembered() {
    let machines = Machines::new();
    let sandbox = &machines.0;
    let acme = sandbox.server().add_tenant("acme", "soc");
    machines.first(&["profile", "add", "acme"]).stdin(acme.netosecret()).run().code(0);
    let before = machines.store();
    fs::write(sandbox.work("team.toml"), before.replace("127.0.0.1", "localhost")).unwrap();
    let login = ["login", "acme"];
    machines.second(&login).run().code(3).stderr_has("the secret is bound to another url");
    assert_eq!(sandbox.server().connections(), 0);
    fs::write(sandbox.work("team.toml"), before).unwrap();
    machines.second(&login).run().code(0);
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn it_wants_to_be_told_what() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    sandbox
        .neto(["trust"])
        .run()
        .code(2)
        .stdout("")
        .stderr_has("nothing is named to trust")
        .stderr_has("neto trust --all");
    sandbox.neto(["trust", "--all", "acme"]).run().code(2).stdout("");
    sandbox.neto(["trust", "acm"]).run().code(3).stdout("").stderr_has("'acme'");
    sandbox.neto(["trust", "x*"]).run().code(3).stdout("").stderr_has("acme");
    sandbox.neto(["trust", "--all"]).run().code(0).stdout("").stderr_has("All of it is trusted already");
}

#[test]
fn a_damaged_memory_is_neither_guessed_at_nor_replaced() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    let path = sandbox.home("state/trust.json");
    for text in ["", "{", "{\"v\":2,\"profiles\":{},\"recipients\":[]}"] {
        fs::write(&path, text).unwrap();
        sandbox.assert_login_refused("acme", 1, &["trust.json", "neto trust --all"]);
        sandbox.neto(["trust", "--all"]).run().code(1).stdout("").stderr_has("trust.json");
        sandbox.neto(["ls"]).run().code(0).stderr("");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_change_of_something_else_is_no_word_for_a_source() {
    let sandbox = Sandbox::new();
    sandbox.init();
    from_elsewhere(&sandbox, "secret = { command = [\"sh\", \"-c\", \"touch ran; cat acme.txt\"] }");
    let url = sandbox.server().url();
    let new = url.replace("127.0.0.1", "localhost");
    // The profile takes its URL from the defaults, so a change of the defaults changes the profile.
    let store = sandbox.store().replacen(&format!("url = \"{url}\"\n"), "", 1);
    sandbox.write_store(store.replace("https://api.netography.com/api/v1", &url));
    for change in [
        &["profile", "edit", "--defaults", "--url", &new][..],
        &["profile", "edit", "acme", "--url", &url],
        &["profile", "edit", "--all", "--tag", "x"],
        &["profile", "rename", "acme", "other"],
        &["profile", "rename", "other", "acme"],
        &["seal"],
    ] {
        sandbox.neto(change).run().code(0);
        let name = if sandbox.store().contains("[profiles.acme]") { "acme" } else { "other" };
        sandbox.assert_login_refused(name, 3, &["its secret comes from the command ", "neto trust"]);
    }
    assert!(!sandbox.work("ran").exists());
    // After trust, neto's own changes keep the profile trusted.
    sandbox.neto(["trust", "acme"]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--url", &new]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--url", &url]).run().code(0);
    sandbox.neto(["profile", "rename", "acme", "other"]).run().code(0);
    sandbox.assert_logs_in("other");
}

#[test]
fn nothing_is_sealed_for_a_profile_that_changed_before_it_was_shown() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let acme = sandbox.add("acme");
    let url = sandbox.server().url();
    let new = url.replace("127.0.0.1", "localhost");
    let moved = sandbox.store().replace(&url, &new);
    sandbox.write_store(&moved);
    let pair = serde_json::json!({"appkey": acme.appkey, "sharedsecret": acme.sharedsecret}).to_string();
    let set = || {
        let fields = ["profile", "set-secret", "acme", "--shortname", "acme", "--appname", "soc"];
        sandbox.neto(fields).stdin(&pair).run()
    };
    set().code(3).stdout("").stderr_has("acme: url changed since this machine trusted").stderr_has("neto trust acme");
    assert_eq!(sandbox.store(), moved);
    let start = moved.find("sealed = ").unwrap();
    let clear = format!("appkey = \"{}\"\nsharedsecret = \"{}\"\n", acme.appkey, acme.sharedsecret);
    let clear = format!("{}{clear}", &moved[..start]);
    sandbox.write_store(&clear);
    let refused = sandbox.neto(["seal"]).run();
    refused.code(3).stdout("").stderr_has("acme: url changed since this machine trusted").stderr_has("neto trust acme");
    assert_eq!(sandbox.store(), clear);
    sandbox.neto(["trust", "acme"]).run().code(0).stderr_has(&format!("acme: url was {url}, is {new}"));
    sandbox.neto(["seal"]).run().code(0).stderr_has("'acme' is sealed now");
    sandbox.assert_logs_in("acme");
    set().code(0);
    sandbox.assert_logs_in("acme");
}

#[test]
fn what_another_machine_moved_is_not_trusted_by_sealing_it_again() {
    let machines = Machines::new();
    let sandbox = &machines.0;
    let acme = sandbox.server().add_tenant("acme", "soc");
    machines.first(&["profile", "add", "acme"]).stdin(acme.netosecret()).run().code(0);
    machines.second(&["login", "acme"]).run().code(0);
    let new = sandbox.server().url().replace("127.0.0.1", "localhost");
    machines.first(&["profile", "edit", "acme", "--url", &new]).run().code(0);
    let path = sandbox.work("team.toml");
    let more = machines.store().replace("[recipients]\n", &format!("[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n"));
    fs::write(path, &more).unwrap();
    machines.second(&["trust", "--recipient", "bob"]).run().code(0);
    for change in
        [&["seal"][..], &["profile", "rename", "acme", "other"], &["profile", "edit", "acme", "--appname", "other"]]
    {
        let outcome = machines.second(change).run();
        outcome.code(3).stdout("").stderr_has("url changed since this machine trusted").stderr_has("neto trust acme");
        assert_eq!(machines.store(), more, "{change:?}");
    }
    machines.second(&["trust", "acme"]).run().code(0);
    machines.second(&["seal"]).run().code(0).stderr_has("'acme' is sealed to today's recipients");
}

/// Anyone who has a public key can seal a whole profile of their own to it. Only the trust record tells this from a
/// colleague's change.
#[test]
fn accept_shows_a_foreign_profile_that_agrees_with_its_own_seal() {
    let machines = Machines::new();
    let (ours, theirs) = (machines.0.server().add_tenant("acme", "soc"), machines.0.server().add_tenant("evil", "soc"));
    machines.first(&["profile", "add", "acme"]).stdin(ours.netosecret()).run().code(0);
    let good = machines.store();
    machines.second(&["profile", "remove", "acme", "--yes"]).run().code(0);
    machines.second(&["profile", "add", "acme"]).stdin(theirs.netosecret()).run().code(0);
    assert_ne!(machines.store(), good);
    machines.first(&["token", "acme"]).run().code(3).stdout("").stderr_has("shortname changed");
    let outcome = machines.first(&["seal", "acme", "--accept"]).run();
    outcome.code(2).stdout("").stderr_has("shortname").stderr_has("evil").stderr_has("--accept --yes");
    machines.first(&["token", "acme"]).run().code(3);
    assert_eq!(machines.0.server().connections(), 0);
}

#[test]
fn a_refresh_goes_nowhere_that_is_not_trusted() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox.backdate_token("acme", 172_800);
    fs::write(sandbox.work("ca.pem"), "no certificates").unwrap();
    let good = sandbox.store();
    let roots = format!("tags = []\nca_file = \"{}\"\nsealed = ", sandbox.work("ca.pem").display());
    sandbox.write_store(good.replacen("sealed = ", &roots, 1));
    let before = sandbox.server().connections();
    sandbox.neto(["token", "acme"]).run().code(3).stdout("").stderr_has("ca_file");
    assert_eq!(sandbox.server().connections(), before, "the refresh token went out under roots that nobody trusted");
    sandbox.write_store(good);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (1, 1), "it was not burnt for nothing");
}

#[test]
fn where_a_credential_that_names_no_address_goes_is_said_when_that_came_with_the_file() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let strange = "http://localhost:9/api/v1";
    // An edit of the defaults brings the new URL. acme has its own URL and still works.
    let store = sandbox.store();
    assert!(store.contains("[defaults]\nurl = \"https://api.netography.com/api/v1\""), "{store}");
    sandbox.write_store(store.replacen("https://api.netography.com/api/v1", strange, 1));
    sandbox.neto(["login", "acme"]).run().code(0);
    let fields = r#"{"appkey": "k-0123456789", "sharedsecret": "s-0123456789"}"#;
    let add = |name: &str| {
        let call = sandbox.neto(["profile", "add", name, "--shortname", name, "--appname", "soc"]);
        call.stdin(fields).run()
    };
    let words = "it will be sent to http://localhost:9/api/v1, which stands in the store and was never told";
    let pasted = "\n[profiles.pasted]\nshortname = \"p\"\nappname = \"soc\"\nappkey = \"k-0123456789\"\nsharedsecret = \"s-0123456789\"\n";
    let before = sandbox.store();
    sandbox.write_store(format!("{before}{pasted}"));
    sandbox.neto(["seal", "pasted"]).run().code(0).stderr_has("pasted: ").stderr_has(words);
    // After this warning the URL is known.
    add("globex").code(0).stderr_lacks("it will be sent to");
    let other = sandbox.machine("other");
    other.neto(["init"]).run().code(0);
    std::fs::write(other.home("profiles.toml"), before).unwrap();
    other.neto(["trust", "--recipient", "me"]).run().code(0);
    let csv = "shortname,appname,appkey,sharedsecret\nhooli,soc,k-0123456789,s-0123456789\n";
    let csv = sandbox.write_secret("t.csv", csv);
    other.neto(["profile", "import"]).arg(csv).run().code(0).stderr_has("hooli: ").stderr_has(words);
    let third = sandbox.machine("third");
    third.neto(["init"]).run().code(0);
    std::fs::copy(sandbox.home("profiles.toml"), third.home("profiles.toml")).unwrap();
    let trust = third.neto(["trust", "--all"]).run();
    trust.code(0).stderr_has("defaults: new here; url http://localhost:9/api/v1");
    let person = third.neto(["profile", "add", "al", "--username", "alice"]).stdin("password").run();
    person.code(0).stderr_lacks("it will be sent to");
}

#[test]
fn a_new_secret_for_a_profile_never_seen_goes_nowhere_strange() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let bob = sandbox.machine("bob");
    bob.neto(["init"]).run().code(0);
    let strange = sandbox.store().replace(&sandbox.server().url(), "http://localhost:9/api/v1");
    std::fs::write(bob.home("profiles.toml"), strange).unwrap();
    bob.neto(["trust", "--recipient", "me"]).run().code(0);
    let fields = r#"{"appkey": "k-0123456789", "sharedsecret": "s-0123456789"}"#;
    let set = ["profile", "set-secret", "acme", "--shortname", "acme", "--appname", "soc"];
    bob.neto(set).stdin(fields).run().code(3).stderr_has("neto trust acme");
    bob.neto(["trust", "acme"]).run().code(0).stderr_has("acme: new here; url http://localhost:9/api/v1");
    bob.neto(set).stdin(fields).run().code(0);
}

#[test]
fn who_was_taken_out_does_not_come_back_by_an_edit() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    sandbox.neto(["recipient", "add", "carol", OTHER_RECIPIENT]).run().code(0);
    sandbox.neto(["recipient", "remove", "carol"]).run().code(0);
    sandbox.write_store(
        sandbox.store().replace("[recipients]\n", &format!("[recipients]\nzoe = \"{OTHER_RECIPIENT}\"\n")),
    );
    let set = sandbox.neto(["profile", "set-secret", "acme"]).stdin(credential.netosecret()).run();
    set.code(3).stderr_has("neto trust --recipient zoe");
    sandbox.neto(["seal"]).run().code(3).stderr_has("neto trust --recipient zoe");
}
