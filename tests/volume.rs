//! How much every verb says: with `-q` nothing as long as all is well, with `-v` what it does and no secret.

use crate::fusion::Account;
use crate::harness::{Call, Outcome, STRANGER, Sandbox};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const PASSPHRASE: &str = "correct horse battery";

/// A line for every verb, in an order in which all of them succeed. In place of `KEY` comes somebody's public key; `<` is a
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

/// Verbs that have a test of their own below, or cannot be without a word: a warning belongs to them.
const ELSEWHERE: [&str; 3] = ["proxy", "identity restore", "recipient remove"];

/// A run of neto of which nothing but the conversation is heard, so that no secret may be in it.
fn unheard<'a>(sandbox: &'a Sandbox, flag: &str, line: &str) -> Call<'a> {
    let words = line.split(' ').filter(|word| *word != "<").map(|word| if word == "KEY" { STRANGER } else { word });
    let own = ["-c", "exec neto \"$@\" >/dev/null", "neto", flag];
    sandbox.program("sh", own.into_iter().chain(words)).env("NETO_PASSPHRASE_FILE", sandbox.work("passphrase"))
}

/// Runs every line, each with this flag; what came of them.
fn all(flag: &str) -> Vec<(&'static str, Outcome)> {
    let sandbox = Sandbox::new();
    sandbox.plant("passphrase", PASSPHRASE);
    sandbox.write_secret("passphrase", PASSPHRASE);
    let server = sandbox.server();
    server.add_tenant("msp", "soc");
    let account = Account { shortname: "acme".to_owned(), parent: "msp".to_owned(), children: 0, trial: false };
    server.set_accounts("msp", vec![account]);
    LINES.map(|line| (line, run(&sandbox, flag, line))).into()
}

fn run(sandbox: &Sandbox, flag: &str, line: &str) -> Outcome {
    let call = unheard(sandbox, flag, line);
    if !line.ends_with('<') {
        return call.run();
    }
    let name = line.split(' ').nth(2).filter(|name| *name != "-").unwrap_or("hooli");
    call.stdin(sandbox.server().add_tenant(name, "soc").netosecret()).run()
}

/// Every verb that has no others below it, as the reference of the help pages names them.
fn verbs() -> Vec<&'static str> {
    let pages = include_str!("golden/help.txt").lines();
    let all: Vec<&str> = pages.filter_map(|line| line.strip_prefix("$ neto ")?.strip_suffix(" --help")).collect();
    all.iter().filter(|verb| !all.iter().any(|other| other.starts_with(&format!("{verb} ")))).copied().collect()
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
    for (_, outcome) in all("-q") {
        outcome.code(0).stdout("").silent();
    }
    let mut chatty = 0;
    for (_, outcome) in all("--color=never") {
        chatty += usize::from(!outcome.code(0).stderr.is_empty());
    }
    assert!(chatty > 15, "only {chatty} lines say anything without -q, so the silence shows nothing");
}

#[test]
fn r57_verbose_tells_what_was_read_asked_and_written_and_no_secret() {
    let all = all("-v");
    for (line, outcome) in &all {
        outcome.code(0).stdout("");
        assert!(outcome.stderr.contains("profiles.toml") || !line.starts_with("profile "), "{line}: {outcome}");
    }
    let said = |line: &str| &all.iter().find(|(other, _)| *other == line).expect("a line").1.stderr;
    let has = |line: &str, wanted: &[&str]| {
        let mut rest = said(line).as_str();
        for text in wanted {
            let found = rest.find(text).unwrap_or_else(|| panic!("{line}: no {text:?}, or too early:\n{}", said(line)));
            rest = &rest[found + text.len()..];
        }
    };
    has("profile list", &["store: read ", "neto/profiles.toml, 4 profiles\n"]);
    has("profile current", &["profile: acme, chosen by neto profile use\n"]);
    has("use globex", &["lock of the current profile", "wrote ", "state/current.json\n"]);
    has("profile edit acme --tag prod --description Acme", &["lock of the store", "wrote ", "profiles.toml\n"]);
    has(
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
    has("token acme", &["profile: acme, as the command line says\n", "acme: the cached token is good until 2"]);
    has("token acme --force", &["acme: the cached token is good, but a new one is wanted\n", "acme: signing in\n"]);
    has(
        "rotate acme",
        &["wrote down that", "PUT ", "wrote down the new key", "put the new keys into ", "set the new key"],
    );
    has("logout --all", &["acme: removed ", "tokens/acme.token\n"]);
}

#[cfg(unix)]
#[test]
fn verbose_says_that_the_store_is_not_read_where_its_stamp_is_good() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let started = Instant::now();
    // Only a file that has lain still for three seconds is known by its stamp.
    let said = loop {
        let said = unheard(&sandbox, "-v", "token acme").run().stderr;
        if !said.contains("store: read ") || started.elapsed() > Duration::from_secs(30) {
            break said;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let path = sandbox.home("profiles.toml");
    let wanted = format!("store: not read, {} is as the token last saw it\n", path.display());
    assert!(said.contains(&wanted), "{said}");
}

/// What `-v` says of the token of `acme` after this change.
fn of_aged(change: impl FnOnce(&Sandbox), flags: &[&str]) -> String {
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
    let aged = |seconds| move |sandbox: &Sandbox| sandbox.age_token("acme", seconds);
    let day = 86_400;
    for (said, wanted) in [
        (
            of_aged(|_| {}, &["--min-ttl", "48h"]),
            &["is good for less than 2d\n", "acme: refreshing", "/bearer/refresh: 200"][..],
        ),
        (of_aged(aged(day + 60), &[]), &["the cached token has expired\n"]),
        (of_aged(aged(day - 30), &[]), &["the cached token expires within the leeway\n"]),
        (of_aged(aged(-3600), &["--offline"]), &["the cached token came later than the clock says it is now\n"]),
        (
            of_aged(aged(1_000 * day), &[]),
            &["has expired\n", "acme: no refresh token that lives\n", "acme: signing in\n"],
        ),
        (
            of_aged(
                |sandbox| _ = sandbox.neto(["profile", "edit", "acme", "--appname", "other"]).run().code(0),
                &["--offline"],
            ),
            &["acme: the cached token is for another url, account or secret\n"],
        ),
        (
            of_aged(|sandbox| std::fs::write(sandbox.home("tokens/acme.token"), "x").unwrap(), &[]),
            &["acme.token is damaged", "acme: no cached token\n"],
        ),
    ] {
        for text in wanted {
            assert!(said.contains(text), "no {text:?} in:\n{said}");
        }
    }
}
