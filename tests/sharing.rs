//! `docs/sharing.md`: a team of three and a CI, whose commands are run in the order of the page.
#![cfg(unix)]

use crate::fusion::Server;
use crate::harness::{Call, Sandbox};
use crate::shells::{find, missing};
use crate::transcript::Page;
use std::fs;

/// Where the page has the team's repository, and the homes of its people.
const REMOTE: &str = "https://git.example.com/soc/tenants.git";
const HOMES: &str = "/home/";
/// Where CI mounts its secret.
const SECRET: &str = "/run/secrets/neto-identity";
/// The file with a new key of a tenant.
const NEW_KEY: &str = "acme-new.txt";
const API: &str = "https://api.netography.com";

/// A shell of one of the people, in their checkout where they have one.
fn shell<'a>(sandbox: &'a Sandbox, who: &str, command: &str) -> Call<'a> {
    let home = sandbox.work(who);
    fs::create_dir_all(&home).unwrap();
    let checkout = home.join("tenants");
    let git = [
        ("GIT_CONFIG_COUNT", "4".to_owned()),
        ("GIT_CONFIG_KEY_0", format!("url.{}.insteadOf", sandbox.work("tenants.git").display())),
        ("GIT_CONFIG_VALUE_0", REMOTE.to_owned()),
        ("GIT_CONFIG_KEY_1", "user.name".to_owned()),
        ("GIT_CONFIG_VALUE_1", who.to_owned()),
        ("GIT_CONFIG_KEY_2", "user.email".to_owned()),
        ("GIT_CONFIG_VALUE_2", format!("{who}@example.com")),
        ("GIT_CONFIG_KEY_3", "init.defaultBranch".to_owned()),
        ("GIT_CONFIG_VALUE_3", "main".to_owned()),
    ];
    let call = sandbox.program("bash", ["-c", &format!("{{ {command}\n}} 2>&1")]).without_env("NETO_HOME");
    let call = call.env("HOME", &home).env("USER", who).env("SHELL", "/bin/bash");
    let call = git.iter().fold(call, |call, (name, value)| call.env(name, value));
    call.folder(if checkout.exists() { checkout } else { home }).reveals("access token")
}

/// The identity that alice made for CI, where CI has it.
fn identity_of_ci(sandbox: &Sandbox) -> String {
    sandbox.work("alice/for-ci/keys/identity.txt").display().to_string()
}

/// What the page takes for granted: a repository, and credentials in files.
fn provide(sandbox: &Sandbox, server: &Server) {
    sandbox.program("git", ["init", "-q", "--bare", "-b", "main", "tenants.git"]).run().code(0);
    for (who, file, tenant) in
        [("alice", "acme.txt", "acme"), ("alice", "globex.txt", "globex"), ("bob", "initech.txt", "initech")]
    {
        fs::create_dir_all(sandbox.work(who)).unwrap();
        sandbox.write_secret(&format!("{who}/{file}"), server.add_tenant(tenant, "soc").netosecret());
    }
}

#[test]
fn the_year_of_a_team_goes_as_the_page_tells() {
    if find("bash").is_none() {
        return missing("bash");
    }
    let mut page = Page::read("docs/sharing.md");
    assert!(page.examples.len() > 30, "the page has lost its examples: {}", page.examples.len());
    let sandbox = Sandbox::new();
    provide(&sandbox, sandbox.server());
    let work = format!("{}/", sandbox.work("").display().to_string().trim_end_matches('/'));
    let mut last = 0;
    for at in 0..page.examples.len() {
        let (who, command) = (page.examples[at].who.clone(), page.command(at));
        let command = command.replace(API, sandbox.server().origin()).replace(SECRET, &identity_of_ci(&sandbox));
        // The portal gives the new key, and ends the old one, when the page comes to it.
        if command.contains(NEW_KEY) {
            let renewed = sandbox.server().add_tenant("acme", "soc").netosecret();
            sandbox.write_secret(&format!("alice/{NEW_KEY}"), renewed);
        }
        let outcome = shell(&sandbox, &who, &format!("(exit {last}); {command}")).run();
        last = outcome.exit_code();
        let printed = outcome.stdout.replace(sandbox.server().origin(), API).replace(&work, HOMES);
        page.compare(at, &printed, last);
        if at == 1 {
            // What gives no address means the server of this test.
            let defaults = format!("neto profile edit --defaults --url {}", sandbox.server().origin());
            shell(&sandbox, "alice", &defaults).run().code(0);
        }
    }
    page.finish();
}
