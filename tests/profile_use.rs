//! `neto profile use` (`neto use`): switching, switching back, and sources that override it. `choice` tests the
//! precedence.

use crate::harness::{Outcome, Sandbox};
use std::fs;

/// Creates three profiles that never log in.
fn three_profiles() -> Sandbox {
    let sandbox = Sandbox::new();
    let entry = |name: &str| {
        format!("[profiles.{name}]\nurl = \"https://x.example\"\nshortname = \"{name}\"\nappname = \"soc\"\n\n")
    };
    sandbox.write_store(format!("version = 1\n\n{}", ["alpha", "beta", "gamma"].map(entry).concat()));
    sandbox
}

fn switch(sandbox: &Sandbox, to: &str) -> Outcome {
    sandbox.neto(["use", to]).run()
}

#[track_caller]
fn assert_current(sandbox: &Sandbox, name: &str) {
    sandbox.neto(["profile", "current"]).run().code(0).stderr("").stdout(&format!("{name}\n"));
}

#[test]
fn it_switches_for_all_shells_and_back() {
    let sandbox = three_profiles();
    let before = sandbox.store();
    switch(&sandbox, "-").code(3).stdout("").stderr_has("no profile was current before");
    switch(&sandbox, "alpha").code(0).stdout("").stderr_has("Now using 'alpha'");
    assert_current(&sandbox, "alpha");
    switch(&sandbox, "-")
        .code(3)
        .stdout("")
        .stderr_has("no profile was current before")
        .stderr_has("neto profile use NAME");
    sandbox.neto(["profile", "use", "beta"]).run().code(0);
    for name in ["alpha", "beta", "alpha"] {
        switch(&sandbox, "-").code(0).stdout("").stderr_has(&format!("Now using '{name}'"));
        assert_current(&sandbox, name);
    }
    // Selecting the current profile again is not a switch.
    switch(&sandbox, "alpha").code(0);
    switch(&sandbox, "-").code(0);
    assert_current(&sandbox, "beta");
    sandbox.neto(["use", "--none"]).run().code(0).stdout("").stderr_has("No profile is current");
    sandbox.neto(["profile", "current"]).run().code(3).stdout("").stderr_has("no profile is chosen");
    switch(&sandbox, "-").code(0);
    assert_current(&sandbox, "beta");
    assert_eq!(sandbox.store(), before);
    let listed = sandbox.neto(["ls"]).run();
    listed.code(0).stdout_has("* beta").stdout_has("  alpha");
}

#[test]
fn what_is_no_profile_changes_nothing() {
    let sandbox = three_profiles();
    switch(&sandbox, "alpha").code(0);
    switch(&sandbox, "alhpa").code(3).stdout("").stderr_has("there is no profile 'alhpa'").stderr_has("'alpha'");
    switch(&sandbox, "ALPHA").code(2).stdout("").stderr_has("not the name of a profile");
    switch(&sandbox, "env").code(3).stdout("").stderr_has("NETOSECRET");
    let credential = sandbox.server().add_tenant("acme", "soc");
    let env = sandbox.neto(["use", "env"]).env("NETOSECRET", credential.netosecret()).run();
    env.code(2).stdout("").stderr_has("cannot be switched to");
    sandbox.neto(["use"]).run().code(2).stdout("").stderr_has("error: ");
    sandbox.neto(["use", "beta", "--none"]).run().code(2).stdout("");
    assert_current(&sandbox, "alpha");
    // The previous profile no longer exists.
    switch(&sandbox, "beta").code(0);
    sandbox.write_store(sandbox.store().replace("alpha", "delta"));
    switch(&sandbox, "-").code(3).stdout("").stderr_has("there is no profile 'alpha'");
    assert_current(&sandbox, "beta");
}

#[test]
fn what_is_stronger_is_told_with_the_line_that_ends_it() {
    let sandbox = three_profiles();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let switch = |to: &str| sandbox.neto(["use", to]);
    let outcome = switch("alpha").env("NETO_PROFILE", "beta").run();
    outcome.code(0).stderr_has("Now using 'alpha'").stderr_has("NETO_PROFILE is set to 'beta' and is stronger here");
    assert!(outcome.stderr.lines().any(|line| line.trim() == "unset NETO_PROFILE"), "{outcome}");
    let outcome = switch("alpha").env("NETOSECRET", credential.netosecret()).run();
    outcome.code(0).stderr_has("NETOSECRET is set and is stronger here").stderr_has("unset NETOSECRET");
    let pin = sandbox.work(".neto-profile");
    fs::write(&pin, "gamma\n").unwrap();
    let outcome = switch("alpha").run();
    outcome.code(0).stderr_has(".neto-profile holds 'gamma' and is stronger here");
    outcome.stderr_has(&format!("rm '{}'", pin.display()));
    // No warning is printed when the overriding source selects the same profile.
    switch("gamma").run().code(0).stderr_lacks("stronger");
    switch("alpha").env("NETO_PROFILE", "alpha").run().code(0).stderr_lacks("stronger");
    switch("alpha").env("NETO_PROFILE", "").current_dir(sandbox.root()).run().code(0).stderr_lacks("stronger");
    sandbox.neto(["use", "--none"]).env("NETO_PROFILE", "beta").run().code(0).stderr_has("unset NETO_PROFILE");
    fs::remove_file(&pin).unwrap();
    sandbox.write_store(sandbox.store().replace("version = 1\n", "version = 1\nexplicit = true\n"));
    switch("beta").run().code(0).stderr_has("explicit = true").stderr_has("no effect");
}

#[test]
fn another_store_has_a_current_one_of_its_own() {
    let sandbox = three_profiles();
    switch(&sandbox, "alpha").code(0);
    fs::copy(sandbox.home("profiles.toml"), sandbox.work("team.toml")).unwrap();
    let team = |arguments: &[&str]| sandbox.neto(["--store", "team.toml"].iter().chain(arguments)).run();
    team(&["profile", "current"]).code(3).stderr_has("no profile is chosen");
    team(&["use", "beta"]).code(0);
    team(&["profile", "current"]).code(0).stdout("beta\n");
    assert_current(&sandbox, "alpha");
}
