//! Verbosity of every command: `-q` prints nothing on success, `-v` prints what neto does and no secret.

use crate::fusion::Account;
use crate::harness::{Call, OTHER_RECIPIENT, Outcome, Sandbox};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const PASSPHRASE: &str = "correct horse battery";

/// Command lines that cover every command, ordered so that all succeed. `KEY` stands for a public key, `<` for a
/// NETOSECRET on standard input.
const LINES: [&str; 45] = [
    "init --name me",
    "profile add acme <",
    "profile add globex --tag trial <",
    "profile add msp --use <",
    "profile set-secret acme <",
    "profile import - <",
    "profile list",
    "ls --tag trial",
    "profile show acme",
    "profile use acme",
    "profile current",
    "use globex",
    "profile edit acme --tag prod --description Acme",
    "profile rename globex globex-eu",
    "seal",
    "seal --check",
    "trust --all",
    "recipient add bob KEY",
    "recipient list",
    "identity show",
    "identity backup backup.age --new-passphrase-file passphrase",
    "login acme",
    "login --all",
    "status",
    "status --live",
    "token acme",
    "token acme --force",
    "export acme --with-secret",
    "exec acme -- true",
    "exec --all -- true",
    "exec --decoy acme -- true",
    "api GET /devices acme",
    "api GET /devices --all",
    "discover msp",
    "keys --all",
    "doctor --all",
    "prompt -p acme",
    "completions bash",
    "hook bash",
    "schema",
    "rotate acme",
    "logout --all",
    "profile remove acme --yes",
    "identity passphrase --new-passphrase-file passphrase",
    "identity passphrase --remove",
];

/// Commands that have their own test below, or that always print a warning.
const ELSEWHERE: [&str; 3] = ["proxy", "identity restore", "recipient remove"];

/// Builds a call that captures only stderr, where no secret may appear.
fn stderr_only<'a>(sandbox: &'a Sandbox, flag: &str, line: &str) -> Call<'a> {
    let words =
        line.split(' ').filter(|word| *word != "<").map(|word| if word == "KEY" { OTHER_RECIPIENT } else { word });
    let shell_arguments = ["-c", "exec neto \"$@\" >/dev/null", "neto", flag];
    sandbox
        .program("sh", shell_arguments.into_iter().chain(words))
        .env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase"))
}

/// Runs every line with this flag; returns the outcomes.
fn run_all(flag: &str) -> Vec<(&'static str, Outcome)> {
    let sandbox = Sandbox::new();
    sandbox.add_canary("passphrase", PASSPHRASE);
    sandbox.write_secret("passphrase", PASSPHRASE);
    let server = sandbox.server();
    server.add_tenant("msp", "soc");
    let account = Account { shortname: "acme".to_owned(), parent: "msp".to_owned(), children: 0, trial: false };
    server.set_accounts("msp", vec![account]);
    LINES.map(|line| (line, run(&sandbox, flag, line))).into()
}

fn run(sandbox: &Sandbox, flag: &str, line: &str) -> Outcome {
    let call = stderr_only(sandbox, flag, line);
    if !line.ends_with('<') {
        return call.run();
    }
    let name = line.split(' ').nth(2).filter(|name| *name != "-").unwrap_or("hooli");
    call.stdin(sandbox.server().add_tenant(name, "soc").netosecret()).run()
}

/// Returns every command without subcommands, from the golden file of the help pages.
fn verbs() -> Vec<&'static str> {
    let pages = include_str!("golden/help.txt").lines();
    let commands: Vec<&str> = pages.filter_map(|line| line.strip_prefix("$ neto ")?.strip_suffix(" --help")).collect();
    commands
        .iter()
        .filter(|verb| !commands.iter().any(|other| other.starts_with(&format!("{verb} "))))
        .copied()
        .collect()
}

#[test]
fn every_verb_has_a_line_here() {
    let verb_of = |line: &str| verbs().into_iter().find(|verb| format!("{line} ").starts_with(&format!("{verb} ")));
    let covered: BTreeSet<&str> = LINES.iter().chain(&ELSEWHERE).filter_map(|line| verb_of(line)).collect();
    let missing: Vec<&str> = verbs().into_iter().filter(|verb| !covered.contains(verb)).collect();
    assert!(covered.len() > 25 && missing.is_empty(), "no line in LINES for {missing:?}");
}

#[test]
fn quiet_says_nothing_as_long_as_all_is_well() {
    for (_, outcome) in run_all("-q") {
        outcome.code(0).stdout("").stderr("");
    }
    let mut chatty = 0;
    for (_, outcome) in run_all("--color=never") {
        chatty += usize::from(!outcome.code(0).stderr.is_empty());
    }
    assert!(chatty > 15, "only {chatty} lines say anything without -q, so the silence shows nothing");
}

#[test]
fn r57_verbose_tells_what_was_read_asked_and_written_and_no_secret() {
    let outcomes = run_all("-v");
    for (line, outcome) in &outcomes {
        outcome.code(0).stdout("");
        assert!(outcome.stderr.contains("profiles.toml") || !line.starts_with("profile "), "{line}: {outcome}");
    }
    let stderr_of = |line: &str| &outcomes.iter().find(|(other, _)| *other == line).expect("a line").1.stderr;
    let assert_in_order = |line: &str, expected: &[&str]| {
        let mut rest = stderr_of(line).as_str();
        for text in expected {
            let found =
                rest.find(text).unwrap_or_else(|| panic!("{line}: no {text:?}, or too early:\n{}", stderr_of(line)));
            rest = &rest[found + text.len()..];
        }
    };
    assert_in_order("profile list", &["store: read ", "neto/profiles.toml, 4 profiles\n"]);
    assert_in_order("profile current", &["profile: acme, chosen by neto profile use\n"]);
    assert_in_order("use globex", &["lock of the current profile", "wrote ", "state/current.json\n"]);
    assert_in_order(
        "profile edit acme --tag prod --description Acme",
        &["lock of the store", "wrote ", "profiles.toml\n"],
    );
    assert_in_order(
        "login acme",
        &[
            "store: read ",
            "acme: no cached token\n",
            "has the lock of the token of 'acme'\n",
            "acme: signing in\n",
            "acme: opened its secret\n",
            "POST 127.0.0.1:",
            "/api/v1/auth/token: 200 in ",
            " ms (try 1)\n",
            "acme: wrote ",
            "tokens/acme.token\n",
        ],
    );
    assert_in_order(
        "token acme",
        &["profile: acme, as the command line says\n", "acme: the cached token is good until 2"],
    );
    assert_in_order(
        "token acme --force",
        &["acme: the cached token is good, but a new one is wanted\n", "acme: signing in\n"],
    );
    assert_in_order(
        "rotate acme",
        &["wrote down that", "PUT ", "wrote down the new key", "put the new keys into ", "set the new key"],
    );
    assert_in_order("logout --all", &["acme: removed ", "tokens/acme.token\n"]);
}

#[cfg(unix)]
#[test]
fn verbose_says_that_the_store_is_not_read_where_its_stamp_is_good() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let started = Instant::now();
    // neto trusts the timestamp of a file only after three seconds without a change.
    let stderr = loop {
        let stderr = stderr_only(&sandbox, "-v", "token acme").run().stderr;
        if !stderr.contains("store: read ") || started.elapsed() > Duration::from_secs(30) {
            break stderr;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let path = sandbox.home("profiles.toml");
    let expected = format!("store: not read, {} is as the token last saw it\n", path.display());
    assert!(stderr.contains(&expected), "{stderr}");
}

/// Returns the stderr of `neto -v token acme` after this change.
fn verbose_stderr_after(change: impl FnOnce(&Sandbox), flags: &[&str]) -> String {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    change(&sandbox);
    let words = ["-c", "neto -v token acme \"$@\" >/dev/null", "neto"];
    let outcome = sandbox.program("sh", words.into_iter().chain(flags.iter().copied())).run();
    assert!([0, 5].contains(&outcome.exit_code()), "{outcome}");
    outcome.stderr
}

#[test]
fn verbose_says_why_the_cached_token_is_not_the_one() {
    let aged = |seconds| move |sandbox: &Sandbox| sandbox.backdate_token("acme", seconds);
    let day = 86_400;
    for (stderr, expected) in [
        (
            verbose_stderr_after(|_| {}, &["--min-ttl", "48h"]),
            &["is good for less than 2d\n", "acme: refreshing", "/bearer/refresh: 200"][..],
        ),
        (verbose_stderr_after(aged(day + 60), &[]), &["the cached token has expired\n"]),
        (verbose_stderr_after(aged(day - 30), &[]), &["the cached token expires within the leeway\n"]),
        (
            verbose_stderr_after(aged(-3600), &["--offline"]),
            &["the cached token came later than the clock says it is now\n"],
        ),
        (
            verbose_stderr_after(aged(1_000 * day), &[]),
            &["has expired\n", "acme: no refresh token that lives\n", "acme: signing in\n"],
        ),
        (
            verbose_stderr_after(
                |sandbox| _ = sandbox.neto(["profile", "edit", "acme", "--appname", "other"]).run().code(0),
                &["--offline"],
            ),
            &["acme: the cached token is for another url, account or secret\n"],
        ),
        (
            verbose_stderr_after(|sandbox| std::fs::write(sandbox.home("tokens/acme.token"), "x").unwrap(), &[]),
            &["acme.token is damaged", "acme: no cached token\n"],
        ),
    ] {
        for text in expected {
            assert!(stderr.contains(text), "no {text:?} in:\n{stderr}");
        }
    }
}
