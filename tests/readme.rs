//! The README's examples, run in the order of the page: each prints what the page shows and ends as it implies.
//!
//! Times, lengths, keys, ids and tokens differ from run to run and are not compared; neither are line breaks. The
//! blocks that are no `console` are not run: what they say of other shells and of CI is in the tests of those.
#![cfg(target_os = "linux")]

use crate::fusion::Lifetime;
use crate::harness::{Call, Sandbox};
use crate::shells::{find, missing};
use serde_json::json;
use std::fs;
use std::path::Path;

/// The address on the page, in whose place the sandbox's server stands.
const API: &str = "https://api.netography.com";
/// The home of whoever reads the page.
const HOME: &str = "/home/alice";

/// A command of the page and what it shows below it.
struct Example {
    line: usize,
    command: String,
    shown: String,
}

fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for (at, text) in page.lines().enumerate() {
        if text.starts_with("```") {
            inside = text == "```console";
        } else if inside {
            if let Some(command) = text.strip_prefix("$ ") {
                found.push(Example { line: at + 1, command: command.to_owned(), shown: String::new() });
            } else {
                let shown = &mut found.last_mut().expect("a command above its output").shown;
                shown.push_str(text);
                shown.push('\n');
            }
        }
    }
    found
}

/// What a text says, in words: each that holds a digit stands for any other, a run of them for one.
fn words(text: &str) -> Vec<String> {
    if let Ok(status) = text.trim().parse::<u8>() {
        return vec![status.to_string()];
    }
    let mut words = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word };
        if word != "#" || words.last().is_none_or(|last| last != "#") {
            words.push(word.to_owned());
        }
    }
    words
}

/// What the page has the command end with: the number that `echo $?` shows next; no success where an error ends it.
fn implied(examples: &[Example], at: usize) -> Result<i32, &'static str> {
    let example = &examples[at];
    if let Some(next) = examples.get(at + 1).filter(|next| next.command == "echo $?") {
        return Ok(next.shown.trim().parse().expect("an exit code"));
    }
    let alone = !example.command.contains(['|', ';']);
    let error = example.shown.lines().any(|line| line.starts_with("error:"));
    if alone && error { Err("no success") } else { Ok(0) }
}

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
    let initech = server.add_tenant("initech", "soc-automation");
    let fields = json!({"appkey": initech.appkey, "sharedsecret": initech.sharedsecret});
    sandbox.write_secret("initech.json", fields.to_string());
    sandbox.write_secret("password.txt", server.add_person("alice@example.com").password);
    fs::read_to_string(sandbox.work("acme.txt")).unwrap()
}

/// One script of all the commands, each with its output and its exit code in files of its own. A command starts with
/// the exit code of the one before, as at a prompt.
fn script(examples: &[Example], folder: &Path) -> String {
    let folder = folder.display();
    let lines = examples.iter().map(|Example { line, command, .. }| {
        format!(
            "(exit $code)\n{{ {command}\n}} >{folder}/{line} 2>&1 </dev/null\ncode=$?; echo $code >{folder}/{line}.code\n"
        )
    });
    std::iter::once("code=0\n".to_owned()).chain(lines).collect()
}

#[test]
fn every_example_prints_what_the_page_shows() {
    if find("bash").is_none() {
        return missing("bash");
    }
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let examples = examples(&page);
    assert!(examples.len() > 50, "the page has lost its examples: {}", examples.len());
    let sandbox = Sandbox::new();
    let work = sandbox.work("").display().to_string().trim_end_matches('/').to_owned();
    let as_on_page = |text: &str| text.replace(sandbox.server().origin(), API).replace(&work, HOME);
    let netosecret = provide(&sandbox);

    // The first needs somebody who types.
    let (first, rest) = examples.split_first().unwrap();
    assert_eq!(first.command, "neto profile add acme");
    let mut terminal = readers(sandbox.neto(["profile", "add", "acme"]), &sandbox).at_terminal();
    terminal.expect("NETOSECRET").enter(&netosecret);
    let screen = terminal.finish();
    screen.code(0);
    // Only an address other than the store's own is told, and on the page it is the store's own.
    let printed = as_on_page(&screen.text).replace(&format!("Its API is {API}/api/v1\n"), "");
    assert_eq!(words(&printed), words(&first.shown), "README.md:{}: {printed}", first.line);
    // What gives no address means the server of this test.
    let defaults = ["profile", "edit", "--defaults", "--url", sandbox.server().origin()];
    readers(sandbox.neto(defaults), &sandbox).run().code(0);

    // Outside of the sandbox: tokens are printed.
    let outputs = tempfile::tempdir().unwrap();
    readers(sandbox.program("bash", ["-c", &script(rest, outputs.path())]), &sandbox).run().code(0).stdout("").silent();
    let mut wrong = Vec::new();
    for (at, example) in rest.iter().enumerate() {
        let Example { line, command, shown } = example;
        let read = |name: String| fs::read_to_string(outputs.path().join(name)).unwrap();
        let code: i32 = read(format!("{line}.code")).trim().parse().unwrap();
        let fits = match implied(rest, at) {
            Ok(wanted) => code == wanted,
            Err(_) => code != 0,
        };
        if !fits {
            wrong.push(format!("README.md:{line}: `{command}` ends with {code}, not {:?}", implied(rest, at)));
        }
        let printed = as_on_page(&read(line.to_string()));
        if words(&printed) != words(shown) {
            wrong.push(format!("README.md:{line}: `{command}` prints\n{printed}--- and the page shows\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
