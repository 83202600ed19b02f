//! Runs the commands in `docs/fleets.md` in the order of the page, with three tenants.

use crate::fusion::Account;
use crate::harness::Sandbox;
use crate::transcript::TranscriptPage;

/// Returns an account directly below the reseller `hooli`.
fn account(shortname: &str, trial: bool) -> Account {
    Account { shortname: shortname.to_owned(), parent: "hooli".to_owned(), children: 0, trial }
}

#[test]
fn every_example_prints_what_the_page_shows() {
    let sandbox = Sandbox::new();
    for (name, tags) in [("acme", &["--tag", "prod"][..]), ("globex", &["--tag", "prod"]), ("hooli", &[])] {
        let credential = sandbox.server().add_tenant(name, "soc-automation");
        let named = ["profile", "add", name];
        sandbox.neto(named.iter().chain(tags)).stdin(credential.netosecret()).run().code(0);
    }
    let defaults = ["profile", "edit", "--defaults", "--url", &sandbox.server().url(), "--yes"];
    sandbox.neto(defaults).run().code(0);
    sandbox.server().add_tenant("acme", "old-script");
    let accounts = vec![account("acme", false), account("initech", true), account("umbrella", false)];
    sandbox.server().set_accounts("hooli", accounts);

    let mut page = TranscriptPage::read("docs/fleets.md");
    assert!(page.examples.len() > 10, "the page has lost its examples: {}", page.examples.len());
    for at in 0..page.examples.len() {
        let line = format!("exec 2>&1; {}", page.examples[at].command);
        let outcome = sandbox.program("sh", ["-c", &line]).run();
        let printed = outcome.stdout_trimmed().replace(sandbox.server().origin(), "https://api.netography.com");
        page.compare(at, &format!("{printed}\n"), outcome.exit_code());
    }
    page.finish();
}
