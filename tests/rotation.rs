//! `docs/rotation.md`: its commands, run in the order of the page.
#![cfg(unix)]

use crate::fusion::{Fault, Lifetime};
use crate::harness::{Call, Sandbox};
use crate::transcript::Page;

/// The line of the page whose rotation was ended while the answer was on its way.
const LOST: &str = "neto token acme --force";

/// A line of the page's shell, in the folder of the store, which is a checkout.
fn shell<'a>(sandbox: &'a Sandbox, line: &str) -> Call<'a> {
    let call = sandbox.program("sh", ["-c", &format!("exec 2>&1; {line}")]).folder(sandbox.home(""));
    ["AUTHOR", "COMMITTER"].into_iter().fold(call, |call, who| {
        call.env(&format!("GIT_{who}_NAME"), "alice").env(&format!("GIT_{who}_EMAIL"), "alice@example.com")
    })
}

/// The store of a team with one tenant, pushed.
fn provide(sandbox: &Sandbox) {
    let credential = sandbox.server().add_tenant("acme", "soc-automation");
    sandbox.neto(["profile", "add", "acme"]).stdin(credential.netosecret()).run().code(0);
    let remote = sandbox.work("tenants.git");
    let remote = remote.display();
    let push = "git init -q -b main && git add profiles.toml && git commit -qm first";
    shell(sandbox, &format!("git init -q --bare {remote} && {push}")).run().code(0);
    shell(sandbox, &format!("git remote add origin {remote} && git push -qu origin main")).run().code(0);
}

/// A rotation whose answer nobody has, of a server that ends the tokens with the key.
fn lose_the_key(sandbox: &Sandbox) {
    sandbox.server().set_lifetime(Lifetime { access: 86_400, refresh: None });
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    sandbox.server().end_access_on_regeneration();
    // Of the calls about the key, the first reads it.
    sandbox.server().fault(Fault::at("/api/v1/api-keys/*").after(1).times(2).lose_answer());
    sandbox.neto(["rotate", "acme"]).run().code(5);
    sandbox.server().clear_faults();
}

#[test]
fn every_example_prints_what_the_page_shows() {
    let sandbox = Sandbox::new();
    provide(&sandbox);
    let mut page = Page::read("docs/rotation.md");
    assert!(page.examples.len() >= 7, "the page has lost its examples: {}", page.examples.len());
    for at in 0..page.examples.len() {
        let command = page.command(at);
        if command == LOST {
            lose_the_key(&sandbox);
        }
        let outcome = shell(&sandbox, &command).run();
        page.compare(at, outcome.answer(), outcome.exit_code());
    }
    assert!(page.examples.iter().any(|example| example.command == LOST), "the page shows how a key is lost");
    page.finish();
}
