//! Runs the examples of the README and of the manual that continues it, in the order of the pages.
//!
//! Only `console` blocks run. Other tests cover the blocks about other shells and CI.
#![cfg(target_os = "linux")]

use crate::fusion::{Credential, Lifetime};
use crate::harness::{Call, Sandbox};
use crate::shells::{find_program, report_missing};
use crate::transcript::TranscriptPage;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Address of the API on the page; the tests replace it by the sandbox's server.
const API: &str = "https://api.netography.com";
/// Home of the reader on the page.
const HOME: &str = "/home/alice";

/// Sets the environment of a reader's shell, whose home is the working directory.
fn in_readers_shell<'a>(call: Call<'a>, sandbox: &Sandbox) -> Call<'a> {
    call.without_env("NETO_HOME").env("HOME", sandbox.work("")).env("USER", "alice").env("SHELL", "/bin/bash")
}

/// Creates the tenants and files that the page assumes; returns the first NETOSECRET.
fn create_fixtures(sandbox: &Sandbox) -> String {
    let server = sandbox.server();
    for (shortname, access) in [("globex", 12), ("initech", 6), ("hooli", 1)] {
        server.set_tenant_lifetime(shortname, Lifetime { access: access * 3600, refresh: Some(604_800) });
    }
    for shortname in ["acme", "globex", "hooli", "umbrella"] {
        sandbox.write_secret(&format!("{shortname}.txt"), server.add_tenant(shortname, "soc-automation").netosecret());
    }
    let many = ["globex", "umbrella"].map(|shortname| {
        let Credential { url, shortname, appname, appkey, sharedsecret } = server.add_tenant(shortname, "reports");
        format!("{shortname};{appname};{appkey};{sharedsecret};{url};prod\n")
    });
    let head = "shortname;appname;appkey;sharedsecret;url;tags\n";
    sandbox.write_secret("tenants.csv", head.to_owned() + &many.concat());
    let initech = server.add_tenant("initech", "soc-automation");
    let fields = json!({"appkey": initech.appkey, "sharedsecret": initech.sharedsecret});
    sandbox.write_secret("initech.json", fields.to_string());
    sandbox.write_secret("passphrase.txt", "long and hard to guess\n");
    sandbox.write_secret("password.txt", server.add_person("alice@example.com").password);
    fs::read_to_string(sandbox.work("acme.txt")).unwrap()
}

/// Returns a script of all commands, which writes each output and exit code to its own files. Each command starts with
/// the exit code of the previous command, as at a prompt.
fn script(pages: &[TranscriptPage], folder: &Path) -> String {
    let lines = example_positions(pages).skip(1).map(|(page, at)| {
        let command = &pages[page].examples[at].command;
        let file = format!("{}/{page}-{at}", folder.display());
        format!("(exit $code)\n{{ {command}\n}} >{file} 2>&1 </dev/null\ncode=$?; echo $code >{file}.code\n")
    });
    std::iter::once("code=0\n".to_owned()).chain(lines).collect()
}

/// Returns the position of each example: its page, and its index on the page.
fn example_positions(pages: &[TranscriptPage]) -> impl Iterator<Item = (usize, usize)> + use<> {
    let lengths: Vec<usize> = pages.iter().map(|page| page.examples.len()).collect();
    lengths.into_iter().enumerate().flat_map(|(page, length)| (0..length).map(move |at| (page, at)))
}

#[test]
fn every_example_prints_what_the_page_shows() {
    if find_program("bash").is_none() {
        return report_missing("bash");
    }
    let mut pages = ["README.md", "docs/manual.md"].map(TranscriptPage::read);
    let count = example_positions(&pages).count();
    assert!(count > 60, "the pages have lost their examples: {count}");
    let sandbox = Sandbox::new();
    let work = sandbox.work("").display().to_string().trim_end_matches('/').to_owned();
    let origin = sandbox.server().origin().to_owned();
    let as_on_page = |text: &str| text.replace(&origin, API).replace(&work, HOME);
    let netosecret = create_fixtures(&sandbox);

    // The first example needs input at a terminal.
    assert_eq!(pages[0].examples[0].command, "neto profile add acme");
    let mut terminal = in_readers_shell(sandbox.neto(["profile", "add", "acme"]), &sandbox).at_terminal();
    terminal.expect("NETOSECRET").enter(&netosecret);
    let screen = terminal.finish();
    screen.code(0);
    // neto prints the address only if it differs from the default of the store. On the page they are equal.
    pages[0].compare(0, &as_on_page(&screen.text).replace(&format!("Its API is {API}/api/v1\n"), ""), 0);
    // Profiles without an address then use this test's server.
    let defaults = ["profile", "edit", "--defaults", "--url", sandbox.server().origin()];
    in_readers_shell(sandbox.neto(defaults), &sandbox).run().code(0);

    // The output goes outside the sandbox, because tokens are printed.
    let outputs = tempfile::tempdir().unwrap();
    let script = script(&pages, outputs.path());
    in_readers_shell(sandbox.program("bash", ["-c", &script]), &sandbox).run().code(0).stdout("").stderr("");
    for (page, at) in example_positions(&pages).skip(1) {
        let read = |end: &str| fs::read_to_string(outputs.path().join(format!("{page}-{at}{end}"))).unwrap();
        let code: i32 = read(".code").trim().parse().unwrap();
        pages[page].compare(at, &as_on_page(&read("")), code);
    }
    pages.into_iter().for_each(TranscriptPage::finish);
}
