//! Runs the commands of `docs/sharing.md`, about a team of three and a CI, in the order of the page.
#![cfg(unix)]

use crate::fusion::Server;
use crate::harness::{Call, Sandbox};
use crate::shells::{find_program, report_missing};
use crate::transcript::TranscriptPage;
use std::fs;

/// Address of the team's repository on the page, and the parent of its members' homes.
const REMOTE: &str = "https://git.example.com/soc/tenants.git";
const HOMES_PARENT: &str = "/home/";
/// Path at which CI mounts its secret.
const CI_SECRET_PATH: &str = "/run/secrets/neto-identity";
/// File with a new key of a tenant.
const NEW_KEY: &str = "acme-new.txt";
const API: &str = "https://api.netography.com";

/// Returns a shell of a team member, in the member's checkout if it exists.
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
    call.current_dir(if checkout.exists() { checkout } else { home }).allow_secret("access token")
}

/// Returns the path of the identity that alice created for CI.
fn ci_identity_path(sandbox: &Sandbox) -> String {
    sandbox.work("alice/for-ci/keys/identity.txt").display().to_string()
}

/// Creates what the page assumes: a repository, and files with credentials.
fn create_fixtures(sandbox: &Sandbox, server: &Server) {
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
    if find_program("bash").is_none() {
        return report_missing("bash");
    }
    let mut page = TranscriptPage::read("docs/sharing.md");
    assert!(page.examples.len() > 30, "the page has lost its examples: {}", page.examples.len());
    let sandbox = Sandbox::new();
    create_fixtures(&sandbox, sandbox.server());
    let work = format!("{}/", sandbox.work("").display().to_string().trim_end_matches('/'));
    let mut last = 0;
    for at in 0..page.examples.len() {
        let (who, command) = (page.examples[at].user.clone(), page.command(at));
        let command =
            command.replace(API, sandbox.server().origin()).replace(CI_SECRET_PATH, &ci_identity_path(&sandbox));
        // At this step of the page the portal issues the new key and ends the old key.
        if command.contains(NEW_KEY) {
            let renewed = sandbox.server().add_tenant("acme", "soc").netosecret();
            sandbox.write_secret(&format!("alice/{NEW_KEY}"), renewed);
        }
        let outcome = shell(&sandbox, &who, &format!("(exit {last}); {command}")).run();
        last = outcome.exit_code();
        let printed = outcome.stdout.replace(sandbox.server().origin(), API).replace(&work, HOMES_PARENT);
        page.compare(at, &printed, last);
        if at == 1 {
            // Profiles without an address then use this test's server.
            let defaults = format!("neto profile edit --defaults --url {}", sandbox.server().origin());
            shell(&sandbox, "alice", &defaults).run().code(0);
        }
    }
    page.finish();
}
