//! Runs the commands of `docs/rotation.md`, in the order of the page.
#![cfg(unix)]

use crate::fusion::{Fault, Lifetime};
use crate::harness::{Call, Sandbox};
use crate::transcript::TranscriptPage;

/// Command on the page that runs after the answer of a rotation was lost.
const AFTER_LOST_ANSWER: &str = "neto token acme --force";

/// Runs a line of the page's shell in the directory of the store, which is a git checkout.
fn shell<'a>(sandbox: &'a Sandbox, line: &str) -> Call<'a> {
    let call = sandbox.program("sh", ["-c", &format!("exec 2>&1; {line}")]).current_dir(sandbox.home(""));
    ["AUTHOR", "COMMITTER"].into_iter().fold(call, |call, who| {
        call.env(&format!("GIT_{who}_NAME"), "alice").env(&format!("GIT_{who}_EMAIL"), "alice@example.com")
    })
}

/// Creates and pushes the store of a team with one tenant.
fn create_fixtures(sandbox: &Sandbox) {
    let credential = sandbox.server().add_tenant("acme", "soc-automation");
    sandbox.neto(["profile", "add", "acme"]).stdin(credential.netosecret()).run().code(0);
    let remote = sandbox.work("tenants.git");
    let remote = remote.display();
    let push = "git init -q -b main && git add profiles.toml && git commit -qm first";
    shell(sandbox, &format!("git init -q --bare {remote} && {push}")).run().code(0);
    shell(sandbox, &format!("git remote add origin {remote} && git push -qu origin main")).run().code(0);
}

/// Loses the answer of a rotation, at a server that ends the tokens with the key.
fn lose_rotation_answer(sandbox: &Sandbox) {
    sandbox.server().set_lifetime(Lifetime { access: 86_400, refresh: None });
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    sandbox.server().end_access_on_regeneration();
    // The first call about the key reads it.
    sandbox.server().fault(Fault::at("/api/v1/api-keys/*").skip(1).times(2).lose_response());
    sandbox.neto(["rotate", "acme"]).run().code(5);
    sandbox.server().clear_faults();
}

#[test]
fn every_example_prints_what_the_page_shows() {
    let sandbox = Sandbox::new();
    create_fixtures(&sandbox);
    let mut page = TranscriptPage::read("docs/rotation.md");
    assert!(page.examples.len() >= 7, "the page has lost its examples: {}", page.examples.len());
    for at in 0..page.examples.len() {
        let command = page.command(at);
        if command == AFTER_LOST_ANSWER {
            lose_rotation_answer(&sandbox);
        }
        let outcome = shell(&sandbox, &command).run();
        page.compare(at, outcome.stdout_trimmed(), outcome.exit_code());
    }
    assert!(
        page.examples.iter().any(|example| example.command == AFTER_LOST_ANSWER),
        "the page shows how a key is lost"
    );
    page.finish();
}
