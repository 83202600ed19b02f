//! Faulty and odd stores: each fault is reported with its position and key, never with a value.
//!
//! - `store_files`: stores that are files, in `invalid/` and `valid/`, with the expected messages;
//! - `generated`: stores that no repository can contain: other encodings, stray bytes, depth, size, pipes, links, owners.

#[cfg(unix)]
mod generated;
mod store_files;

use crate::fusion::Credential;
use crate::harness::{Call, Outcome, Sandbox};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Prefix of every value in a faulty store that may be a secret.
const CANARY: &str = "canary";

/// Limit that detects a hang; the slowest of these runs takes a tenth of it on a slow machine.
const HANG_TIMEOUT: Duration = Duration::from_secs(10);

/// Sandbox with keys, a store to overwrite, and a tenant that is not in the store.
struct StoreFixture {
    sandbox: Sandbox,
    credential: Credential,
}

impl StoreFixture {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.init();
        let credential = sandbox.server().add_tenant("globex", "soc");
        sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
        Self { sandbox, credential }
    }

    fn neto(&self, words: &[&str]) -> Call<'_> {
        self.sandbox.neto(words).stdin(self.credential.netosecret())
    }

    fn path(&self) -> PathBuf {
        self.sandbox.home("profiles.toml")
    }

    /// Returns the names of the files beside the store, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.sandbox.home("")).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs commands that must refuse the store. Each must exit with this code, print exactly this error, create no
    /// file and contact no server. Returns the differences.
    fn refusal_differences(&self, code: i32, expected: &str) -> Vec<String> {
        let before = (self.names(), self.sandbox.server().connections());
        let verbs: [&[&str]; 5] = [
            &["ls"],
            &["token", "acme"],
            &["export", "acme", "--shell", "sh"],
            &["profile", "add", "globex"],
            &["seal"],
        ];
        let mut differing = Vec::new();
        for verb in verbs {
            let outcome = run(self.neto(verb));
            let stdout_matches =
                if verb[0] == "export" { outcome.stdout.ends_with("\nfalse\n") } else { outcome.stdout.is_empty() };
            if outcome.exit_code() != code || one_line(&outcome.stderr) != expected || !stdout_matches {
                differing.push(format!("{outcome}\nwanted: exit {code}, {expected}"));
            }
        }
        if (self.names(), self.sandbox.server().connections()) != before {
            differing.push(format!("files were made, or the server was asked: {:?}", self.names()));
        }
        differing
    }
}

/// Runs the call and asserts that the output contains no value of the store, in any case.
#[track_caller]
fn run(call: Call<'_>) -> Outcome {
    let started = Instant::now();
    let outcome = call.run();
    assert!(started.elapsed() < HANG_TIMEOUT, "it took {:?}: {outcome}", started.elapsed());
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.to_lowercase().contains(CANARY), "a value shows: {outcome}");
    }
    outcome
}

/// Joins the lines of an error, its hint and its remark. The comment at the top of a store has them on one line.
fn one_line(stderr: &str) -> String {
    // Without a store, `profile add` first creates keys and a store, as `init` does.
    let lines = stderr.lines().skip_while(|line| line.starts_with("Your identity was there already: "));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Fails with all differences, each under the name of its store.
#[track_caller]
fn assert_no_differences(differing: &[(String, Vec<String>)]) {
    let reports: Vec<String> = differing
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("== {name}\n{}", list.join("\n")))
        .collect();
    assert!(reports.is_empty(), "{} stores differ\n{}", reports.len(), reports.join("\n"));
}

#[test]
fn r48_what_is_wrong_with_the_file_fails_every_command() {
    let fixture = StoreFixture::new();
    let text = "version = 1\n[profiles.acme\n";
    fixture.sandbox.write_store(text);
    let verbs: [&[&str]; 17] = [
        &["profile", "add"],
        &["profile", "set-secret", "acme"],
        &["profile", "list"],
        &["profile", "show", "acme"],
        &["profile", "current"],
        &["profile", "use", "acme"],
        &["profile", "edit", "acme", "--tag", "x"],
        &["profile", "rename", "acme", "other"],
        &["profile", "remove", "acme", "--yes"],
        &["recipient", "list"],
        &["recipient", "remove", "bob"],
        &["seal"],
        &["trust", "--all"],
        &["login"],
        &["token"],
        &["status"],
        &["exec", "acme", "--", "true"],
    ];
    for verb in verbs {
        let code = if verb[0] == "exec" { 125 } else { 3 };
        run(fixture.neto(verb)).code(code).stdout("").stderr_has("profiles.toml: line 2, column ");
    }
    assert_eq!(fixture.sandbox.store(), text);
    assert_eq!(fixture.sandbox.server().connections(), 0);
}

#[test]
fn r43_a_byte_order_mark_and_crlf_are_fine_and_kept() {
    let StoreFixture { sandbox, .. } = StoreFixture::new();
    sandbox.add("acme");
    let text = format!("\u{feff}{}", sandbox.store().replace('\n', "\r\n"));
    sandbox.write_store(&text);
    sandbox.neto(["ls"]).run().code(0).stderr("").stdout_has("acme");
    sandbox.assert_logs_in("acme");
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod"]).run().code(0);
    sandbox.add("globex");
    sandbox.neto(["profile", "rename", "globex", "hooli"]).run().code(0);
    let after = sandbox.store();
    assert!(after.starts_with('\u{feff}') && after.matches('\u{feff}').count() == 1);
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "one kind of line end");
    sandbox.assert_logs_in("hooli");
    sandbox.neto(["profile", "remove", "hooli", "--yes"]).run().code(0);
    assert_eq!(sandbox.store().replace("tags = [\"prod\"]\r\n", ""), text, "and back again");
    let columns = "\u{feff}version = 1\r\n[profiles.acme]\r\n\u{e9}\u{e9} = 1 x\r\n";
    sandbox.write_store(columns);
    sandbox.neto(["ls"]).run().code(3).stderr_has("line 3, column ");
}

#[cfg(unix)]
#[test]
fn r3_the_mode_of_a_store_stays_and_nothing_is_sent_from_one_that_others_can_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let StoreFixture { sandbox, .. } = StoreFixture::new();
    sandbox.add("acme");
    let path = sandbox.home("profiles.toml");
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    set(0o666);
    sandbox.assert_login_refused("acme", 3, &["can be written by others"]);
    for mode in [0o644, 0o640, 0o600] {
        set(mode);
        sandbox.neto(["profile", "edit", "acme", "--tag", &format!("mode-{mode}")]).run().code(0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "its mode stays");
    }
    sandbox.assert_logs_in("acme");
}

#[cfg(unix)]
#[test]
fn r3_a_linked_store_stays_a_link() {
    let StoreFixture { sandbox, .. } = StoreFixture::new();
    sandbox.add("acme");
    let (path, target) = (sandbox.home("profiles.toml"), sandbox.work("checkout.toml"));
    fs::rename(&path, &target).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    sandbox.add("globex");
    assert!(path.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("[profiles.globex]"));
    sandbox.assert_logs_in("acme");
    fs::remove_file(&target).unwrap();
    fs::create_dir(&target).unwrap();
    sandbox.neto(["ls"]).run().code(3).stdout("").stderr_has("not a regular file");
}

#[test]
fn r42_names_that_are_none_are_usage_errors_and_unknown_ones_offer_the_near() {
    let StoreFixture { sandbox, .. } = StoreFixture::new();
    sandbox.add("acme-prod");
    sandbox.add("globex");
    let before = sandbox.store();
    let verbs: [&[&str]; 8] = [
        &["profile", "show"],
        &["profile", "use"],
        &["profile", "remove", "--yes"],
        &["profile", "edit", "--tag", "x"],
        &["login"],
        &["seal"],
        &["token"],
        &["trust"],
    ];
    for verb in verbs {
        let run = |name: &str| sandbox.neto(verb.iter().chain(&["--", name])).run();
        run("acme-prd").code(3).stdout("").stderr_has("there is no profile 'acme-prd'").stderr_has("'acme-prod'");
        run("zzz").code(3).stdout("").stderr_has("there is no profile 'zzz'").stderr_has("neto profile list");
        for name in ["Acme", "a b", "../globex", "con", "globex.", "\u{1b}[2J"] {
            run(name).code(2).stdout("").stderr_has("a name ").stderr_lacks("\u{1b}");
        }
    }
    sandbox.neto(["profile", "rename", "globx", "x"]).run().code(3).stdout("").stderr_has("'globex'");
    sandbox.neto(["profile", "set-secret", "globx"]).run().code(3).stdout("").stderr_has("'globex'");
    assert_eq!(sandbox.store(), before);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn the_example_teaches_what_is_valid() {
    let sandbox = Sandbox::new();
    let example = include_str!("../profiles.example.toml");
    sandbox.write_store(example);
    let listed = sandbox.neto(["ls", "-o", "json"]).run();
    let rows = listed.code(0).stderr("").json();
    let declared = example.lines().filter(|line| line.starts_with("[profiles.") && !line.contains(".env]")).count();
    assert_eq!(rows.as_array().unwrap().len(), declared);
    for row in rows.as_array().unwrap() {
        let name = row["profile"].as_str().unwrap();
        let shown = sandbox.profile_json(name);
        if name == "hooli" {
            assert_eq!(shown["source"], sandbox.home("secrets/hooli.netosecret").to_str().unwrap());
        }
    }
    sandbox.neto(["seal", "--check"]).run().code(0).stderr("").stdout("");
    // The commented-out profile is valid too, with a real secret in place of the dots.
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("globex", "soc");
    let clear = example
        .replace("# [profiles.globex]", "[profiles.globex]")
        .replace("# netosecret = \"ewogICJ1cmwi...\"", &format!("netosecret = \"{}\"", credential.netosecret()));
    assert!(clear.contains("\n[profiles.globex]\nnetosecret = "), "the example declares one by hand");
    sandbox.write_store(clear);
    sandbox.neto(["seal", "globex"]).run().code(3).stdout("").stderr_has("neto trust --recipient");
    sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
}
