//! The examples of the README and of the manual that goes on from it, run in the order of the pages.
//!
//! The blocks that are no `console` are not run: what they say of other shells and of CI is in the tests of those.
#![cfg(target_os = "linux")]

use crate::fusion::{Credential, Lifetime};
use crate::harness::{Call, Sandbox};
use crate::shells::{find, missing};
use crate::transcript::Page;
use serde_json::json;
use std::fs;
use std::path::Path;

/// The address on the page, in whose place the sandbox's server stands.
const API: &str = "https://api.netography.com";
/// The home of whoever reads the page.
const HOME: &str = "/home/alice";

/// A reader's shell: their own home, in which they stand.
fn readers<'a>(call: Call<'a>, sandbox: &Sandbox) -> Call<'a> {
    call.without_env("NETO_HOME").env("HOME", sandbox.work("")).env("USER", "alice").env("SHELL", "/bin/bash")
}

/// The tenants and the files that the page takes for granted; the NETOSECRET of the first.
fn provide(sandbox: &Sandbox) -> String {
    let server = sandbox.server();
    for (shortname, access) in [("globex", 12), ("initech", 6), ("hooli", 1)] {
        server.set_lifetime_of(shortname, Lifetime { access: access * 3600, refresh: Some(604_800) });
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

/// One script of all the commands, each with its output and its exit code in files of its own. A command starts with
/// the exit code of the one before, as at a prompt.
fn script(pages: &[Page], folder: &Path) -> String {
    let lines = places(pages).skip(1).map(|(page, at)| {
        let command = &pages[page].examples[at].command;
        let file = format!("{}/{page}-{at}", folder.display());
        format!("(exit $code)\n{{ {command}\n}} >{file} 2>&1 </dev/null\ncode=$?; echo $code >{file}.code\n")
    });
    std::iter::once("code=0\n".to_owned()).chain(lines).collect()
}

/// Where the examples stand: which page, and which of it.
fn places(pages: &[Page]) -> impl Iterator<Item = (usize, usize)> + use<> {
    let lengths: Vec<usize> = pages.iter().map(|page| page.examples.len()).collect();
    lengths.into_iter().enumerate().flat_map(|(page, length)| (0..length).map(move |at| (page, at)))
}

#[test]
fn every_example_prints_what_the_page_shows() {
    if find("bash").is_none() {
        return missing("bash");
    }
    let mut pages = ["README.md", "docs/manual.md"].map(Page::read);
    let count = places(&pages).count();
    assert!(count > 60, "the pages have lost their examples: {count}");
    let sandbox = Sandbox::new();
    let work = sandbox.work("").display().to_string().trim_end_matches('/').to_owned();
    let origin = sandbox.server().origin().to_owned();
    let as_on_page = |text: &str| text.replace(&origin, API).replace(&work, HOME);
    let netosecret = provide(&sandbox);

    // The first needs somebody who types.
    assert_eq!(pages[0].examples[0].command, "neto profile add acme");
    let mut terminal = readers(sandbox.neto(["profile", "add", "acme"]), &sandbox).at_terminal();
    terminal.expect("NETOSECRET").enter(&netosecret);
    let screen = terminal.finish();
    screen.code(0);
    // Only an address other than the store's own is told, and on the page it is the store's own.
    pages[0].compare(0, &as_on_page(&screen.text).replace(&format!("Its API is {API}/api/v1\n"), ""), 0);
    // What gives no address means the server of this test.
    let defaults = ["profile", "edit", "--defaults", "--url", sandbox.server().origin()];
    readers(sandbox.neto(defaults), &sandbox).run().code(0);

    // Outside of the sandbox: tokens are printed.
    let outputs = tempfile::tempdir().unwrap();
    let script = script(&pages, outputs.path());
    readers(sandbox.program("bash", ["-c", &script]), &sandbox).run().code(0).stdout("").silent();
    for (page, at) in places(&pages).skip(1) {
        let read = |end: &str| fs::read_to_string(outputs.path().join(format!("{page}-{at}{end}"))).unwrap();
        let code: i32 = read(".code").trim().parse().unwrap();
        pages[page].compare(at, &as_on_page(&read("")), code);
    }
    pages.into_iter().for_each(Page::finish);
}
