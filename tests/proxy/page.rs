//! `docs/clients.md`: runs its commands, and starts its configurations as their programs do.

use crate::harness::{Call, Sandbox};
use crate::transcript::TranscriptPage;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Start of the address on the page, which the sandbox's server replaces.
const SERVER_PREFIX: &str = "http://127.0.0.1:";

fn page() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md")).expect("the page")
}

/// Prepares the call as for a reader of the page, without neto's variables.
fn as_reader(call: Call<'_>) -> Call<'_> {
    call.without_env("NETO_HOME")
}

fn tenants(sandbox: &Sandbox) {
    for name in ["acme", "globex"] {
        let credential = sandbox.server().add_tenant(name, "soc-automation");
        let added = as_reader(sandbox.neto(["profile", "add", name])).stdin(credential.netosecret()).run();
        added.code(0);
    }
}

#[test]
fn every_example_prints_what_the_page_shows() {
    let sandbox = Sandbox::new();
    tenants(&sandbox);
    let mut page = TranscriptPage::read("docs/clients.md");
    assert!(page.examples.len() >= 7, "the page has lost its examples: {}", page.examples.len());
    for at in 0..page.examples.len() {
        let line = format!("exec 2>&1; {}", page.examples[at].command);
        let outcome = as_reader(sandbox.program("sh", ["-c", &line])).run();
        page.compare(at, outcome.stdout_trimmed(), outcome.exit_code());
    }
    assert!(page.examples[0].output.starts_with(SERVER_PREFIX), "the first shows where the decoy is");
    page.finish();
}

#[test]
fn every_configuration_starts_a_server_that_is_served() {
    let sandbox = Sandbox::new();
    tenants(&sandbox);
    // Stands for the vendor's program: it uses NETOSECRET in the same way and prints the answers.
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/client.py");
    let stand_in = sandbox.work("fusion-mcp-server");
    fs::write(&stand_in, format!("#!/bin/sh\nexec python3 {client} urllib strip\n")).expect("a script");
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).expect("its mode");
    let known = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(sandbox.work("")).chain(std::env::split_paths(&known));
    let path = std::env::join_paths(path).expect("a PATH");
    let mut started = 0;
    let text = page();
    for block in text.split("```json\n").skip(1) {
        let configuration: Value = serde_json::from_str(block.split("```").next().expect("an end")).expect("JSON");
        for server in configuration["mcpServers"].as_object().expect("servers").values() {
            let words = server["args"].as_array().expect("arguments").iter().map(|word| word.as_str().expect("text"));
            let words: Vec<&str> = words.collect();
            let tenant = words[words.iter().position(|word| *word == "--").expect("a program") - 1];
            assert_eq!(server["command"], "neto");
            let outcome = as_reader(sandbox.neto(&words)).env("PATH", &path).run();
            outcome.code(0).stdout_has(&format!("{tenant} number=2\n{tenant} 5\n"));
            started += 1;
        }
    }
    assert_eq!(started, 3);
}
