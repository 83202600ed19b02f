//! `neto status --live`: the servers' answers about the tokens, and the output of `-o prometheus` for a monitor.

use crate::fusion::{Authority, Credential, Fault, Gate, Leaf, Server};
use crate::harness::{Outcome, Sandbox};
use std::collections::BTreeMap;
use std::fs;

/// Path of the call that shows a token to the server.
const KEYS: &str = "/api/v1/api-keys";

/// Seconds in a day, the lifetime of a token here.
const DAY: i64 = 86_400;

impl Sandbox {
    /// Adds these profiles and logs in to each.
    fn add_logged_in(&self, names: &[&str]) -> Vec<Credential> {
        let credentials = names.iter().map(|name| self.add(name)).collect();
        self.neto(["login"].iter().chain(names)).run().code(0);
        credentials
    }

    fn live(&self, flags: &[&str]) -> Outcome {
        self.neto(["status", "--live"].iter().chain(flags)).run()
    }

    fn fault_at_keys_of(&self, name: &str, fault: impl FnOnce(Fault) -> Fault) {
        self.server().fault(fault(Fault::at(KEYS).for_tenant(name)));
    }
}

/// Returns each profile with its state.
fn states(outcome: &Outcome) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    outcome.json().as_array().unwrap().iter().map(|row| (text(&row["profile"]), text(&row["state"]))).collect()
}

#[track_caller]
fn assert_states(outcome: &Outcome, expected: &[(&str, &str)]) {
    let found = states(outcome);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, state)| (name.as_str(), state.as_str())).collect();
    assert_eq!(found, expected, "{outcome}");
}

#[test]
fn valid_rejected_and_unreachable_are_told_apart_and_the_rest_stays_as_it_is() {
    let sandbox = Sandbox::new();
    let credentials = sandbox.add_logged_in(&["good", "short", "gone", "down", "old", "older"]);
    sandbox.add("never");
    sandbox.server().remove_key(&credentials[2]);
    sandbox.fault_at_keys_of("down", |fault| fault.error(500, "out of order"));
    sandbox.backdate_token("short", DAY - 3600);
    sandbox.backdate_token("old", DAY + 3600);
    sandbox.backdate_token("older", 30 * DAY);
    let before = sandbox.server().requests().len();
    let outcome = sandbox.live(&["-o", "json"]);
    let expected = [
        ("down", "unreachable"),
        ("gone", "rejected"),
        ("good", "valid"),
        ("never", "none"),
        ("old", "renewable"),
        ("older", "expired"),
        ("short", "expiring"),
    ];
    assert_states(outcome.code(0), &expected);
    outcome.stderr_has("status: 1 valid, 1 expiring, 1 renewable, 1 expired, 1 none, 1 rejected, 1 unreachable\n");
    outcome
        .stderr_has("warning: nothing is known of 1 token:\n  1 x ")
        .stderr_has("500")
        .stderr_has("neto status --live down");
    // Each token that has not expired gets one GET request without a body.
    let requests = sandbox.server().requests().split_off(before);
    assert_eq!(requests.len(), 4);
    for seen in requests {
        assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.body.len()), ("GET", KEYS, 0));
        assert!(seen.header("authorization").unwrap().starts_with("Bearer "));
    }
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (6, 0));
    // The cached data of a token does not change with the server's answer.
    let rejected = &outcome.json()[1];
    assert!(rejected["expires_in_seconds"].as_i64().unwrap() > DAY - 600, "{rejected}");
    let offline = sandbox.neto(["status", "-o", "json", "gone", "down"]).run();
    assert_states(offline.code(0).stderr(""), &[("down", "valid"), ("gone", "valid")]);
    let filtered = sandbox.live(&["-o", "json", "--state", "rejected", "--state", "unreachable"]);
    assert_states(filtered.code(0), &[("down", "unreachable"), ("gone", "rejected")]);
    let table = sandbox.live(&["good", "gone", "down"]);
    table.code(0).stdout_has("● valid").stdout_has("✕ rejected").stdout_has("? unreachable");
}

#[test]
fn a_401_alone_rejects_and_a_server_that_says_nothing_of_the_token_is_unreachable() {
    let sandbox = Sandbox::new();
    sandbox.add_logged_in(&["acme"]);
    let at = || Fault::at(KEYS);
    let cases = [
        ("valid", at().error(200, "")),
        ("valid", at().respond(204, "")),
        ("valid", at().error(403, "not for this key")),
        ("valid", at().error(404, "no such call")),
        ("valid", at().error(400, "what?")),
        ("rejected", at().error(401, "Access token is missing or invalid")),
        ("unreachable", at().error(429, "slow down")),
        ("unreachable", at().error(500, "sorry")),
        ("unreachable", at().error(503, "later")),
        ("unreachable", at().redirect(302, "https://example.com/login")),
        ("unreachable", at().close()),
        ("unreachable", at().raw("SSH-2.0-OpenSSH\r\n")),
    ];
    for (state, fault) in cases {
        sandbox.server().clear_faults();
        sandbox.server().fault(fault);
        let outcome = sandbox.live(&["-o", "json"]);
        assert_states(outcome.code(0), &[("acme", state)]);
        if state == "unreachable" {
            outcome.stderr_has("warning: nothing is known of 1 token");
        } else {
            outcome.stderr_lacks("warning");
        }
    }
    assert_eq!(sandbox.server().logins(), 1, "nothing was renewed");
}

#[test]
fn each_server_has_five_seconds_whatever_the_timeout_and_holds_up_no_other() {
    let sandbox = Sandbox::new();
    sandbox.add_logged_in(&["acme", "globex", "hooli", "initech"]);
    sandbox.neto(["profile", "edit", "acme", "--timeout", "10m"]).run().code(0);
    sandbox.neto(["profile", "edit", "globex", "--timeout", "1s"]).run().code(0);
    // The gate stays closed, so these requests time out.
    let gate = Gate::new();
    for name in ["acme", "globex"] {
        sandbox.fault_at_keys_of(name, |fault| fault.hold_at(&gate));
    }
    let outcome = sandbox.live(&["-o", "json"]);
    let expected = [("acme", "unreachable"), ("globex", "unreachable"), ("hooli", "valid"), ("initech", "valid")];
    assert_states(outcome.code(0), &expected);
    outcome.stderr_has("within 5 s").stderr_has("within 1 s").stderr_has("status: 2 valid, 2 unreachable");
}

#[test]
fn so_many_are_asked_at_once_as_jobs_says() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..20).map(|number| format!("t{number:02}")).collect();
    sandbox.add_logged_in(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (flags, jobs) in [(&[][..], 16), (&["--jobs", "3"], 3)] {
        sandbox.server().clear_faults();
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(KEYS).hold_at(&gate));
        let before = sandbox.server().request_count(KEYS);
        let run = sandbox.neto(["status", "--live"].iter().chain(flags)).start();
        gate.wait_for_requests(jobs);
        // This command gives a surplus request time to arrive.
        sandbox.neto(["status"]).run().code(0);
        assert_eq!(sandbox.server().request_count(KEYS) - before, jobs);
        gate.open();
        run.finish().code(0).stderr_has("status: 20 valid\n");
    }
    sandbox.neto(["status", "--jobs", "3"]).run().code(2).stdout("").stderr_has("--live");
}

#[test]
fn a_token_goes_to_no_server_that_this_machine_does_not_trust_for_it() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let other = Server::http();
    let roots = sandbox.work("roots.pem");
    fs::write(&roots, authority.pem()).unwrap();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let add = ["profile", "add", "acme", "--login", "--ca-file", roots.to_str().unwrap()];
    sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
    assert_states(sandbox.live(&["-o", "json"]).code(0), &[("acme", "valid")]);
    let (store, connections) = (sandbox.store(), sandbox.server().connections());
    // With another URL the token does not count, because it was not issued for that URL.
    sandbox.write_store(store.replace(&sandbox.server().url(), &other.url()));
    assert_states(sandbox.live(&["-o", "json"]).code(0), &[("acme", "none")]);
    // With other root certificates, whoever edited the store may intercept the connection.
    fs::write(sandbox.work("others.pem"), Authority::new().pem()).unwrap();
    sandbox.write_store(store.replace("roots.pem", "others.pem"));
    let outcome = sandbox.live(&["-o", "json"]);
    assert_states(outcome.code(0), &[("acme", "unreachable")]);
    outcome.stderr_has("ca_file changed since this machine trusted the profile").stderr_has("neto trust acme");
    // The CA file has other content, which only the seal detects.
    sandbox.write_store(&store);
    fs::write(&roots, Authority::new().pem()).unwrap();
    let outcome = sandbox.live(&["-o", "json"]);
    assert_states(outcome.code(0), &[("acme", "unreachable")]);
    outcome.stderr_has("another ca_file");
    assert_eq!((sandbox.server().connections(), other.connections()), (connections, 0));
}

#[test]
fn a_token_that_does_not_open_is_none() {
    let sandbox = Sandbox::new();
    sandbox.add_logged_in(&["acme"]);
    let line = sandbox.token_header("acme");
    fs::write(sandbox.token_file("acme"), format!("{line}\n?")).unwrap();
    let outcome = sandbox.live(&["-o", "json"]);
    assert_states(outcome.code(0), &[("acme", "none")]);
    let row = &outcome.stderr_has("warning: ").json()[0];
    assert!(row["expires_at"].is_null() && row["expires_in_seconds"].is_null(), "{row}");
    assert_eq!(sandbox.server().request_count(KEYS), 0);
}

#[test]
fn check_finds_what_no_server_takes_and_what_nothing_is_known_of() {
    let sandbox = Sandbox::new();
    let credentials = sandbox.add_logged_in(&["acme", "globex", "hooli"]);
    sandbox.add("initech");
    sandbox.live(&["--check", "acme", "globex", "hooli"]).code(0).stderr_has("status: 3 valid\n").stderr_lacks("error");
    sandbox.server().remove_key(&credentials[1]);
    sandbox.fault_at_keys_of("hooli", Fault::close);
    sandbox.live(&["--check", "acme", "--within", "1h"]).code(0);
    let outcome = sandbox.live(&["--check", "--within", "1h"]);
    outcome.code(9).stdout_has("● valid").stderr_has(
        "\
error: 3 of 4 tokens cannot be counted on:
  none: initech
  rejected: globex
  unreachable: hooli
  hint: neto login --force globex
        neto login --min-ttl 1h initech
",
    );
    let outcome = sandbox.live(&["--check", "hooli"]);
    outcome.code(9).stderr_has("unreachable: hooli").stderr_has("hint: run the same line again in a while");
    // The filter applies to the output, not to the check.
    sandbox.live(&["--check", "--state", "valid"]).code(9).stdout_lacks("globex").stderr_has("rejected: globex");
}

#[test]
fn check_names_what_is_late() {
    let sandbox = Sandbox::new();
    sandbox.add_logged_in(&["acme", "globex", "hooli"]);
    sandbox.add("initech");
    sandbox.backdate_token("globex", DAY - 1800);
    sandbox.backdate_token("hooli", DAY + 60);
    let outcome = sandbox.neto(["status", "--check", "--within", "1h"]).run();
    outcome.code(9).stderr_has(
        "\
error: 3 of 4 tokens expired, missing or about to expire:
  expiring: globex
  renewable: hooli
  none: initech
  hint: neto login --min-ttl 1h globex hooli initech
",
    );
    // The suggested command works.
    sandbox.neto(["login", "--min-ttl", "1h", "globex", "hooli", "initech"]).run().code(0);
    sandbox.neto(["status", "--check", "--within", "1h"]).run().code(0).stderr("");
}

#[test]
fn the_words_of_servers_are_for_live_alone_and_quiet_is_quiet() {
    let sandbox = Sandbox::new();
    sandbox.add_logged_in(&["acme"]);
    for state in ["rejected", "unreachable"] {
        let outcome = sandbox.neto(["status", "--state", state]).run();
        outcome.code(2).stdout("").stderr_has(&format!("hint: neto status --live --state {state}"));
    }
    sandbox.live(&["-q"]).code(0).stderr("").stdout_has("● valid");
    let nothing = Sandbox::new();
    nothing.live(&[]).code(0).stdout("").stderr_has("neto profile add");
    assert!(!nothing.home("").exists(), "nothing is made");
}

/// Labels and value of a sample.
type Sample = (BTreeMap<String, String>, f64);

/// Parses Prometheus' text format strictly. Each metric has its HELP and TYPE once, before its samples; its samples are
/// adjacent; no series occurs twice.
fn parse_prometheus(page: &str) -> BTreeMap<String, Vec<Sample>> {
    let mut metrics: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    let mut current = String::new();
    let mut lines = page.lines();
    assert!(page.ends_with('\n') || page.is_empty(), "the last line has an end");
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a name and its help");
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(!text.is_empty() && !text.contains('\\'), "{text}");
            assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
            assert!(metrics.insert(name.to_owned(), Vec::new()).is_none(), "{name} comes twice");
            name.clone_into(&mut current);
            continue;
        }
        let rest = line.strip_prefix(current.as_str()).and_then(|rest| rest.strip_prefix('{'));
        let (labels, value) = labels(rest.unwrap_or_else(|| panic!("no sample of {current}: {line}")));
        let samples = metrics.get_mut(&current).expect("a metric");
        assert!(samples.iter().all(|(known, _)| *known != labels), "a series twice: {line}");
        samples.push((labels, value.strip_prefix(' ').expect("a blank").parse().expect("a number")));
    }
    metrics
}

/// Parses labels up to the closing brace; returns the text after it.
fn labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().expect("an end") {
                (_, '\\') => value.push(match characters.next().expect("an escape").1 {
                    'n' => '\n',
                    other @ ('\\' | '"') => other,
                    other => panic!("no escape: {other}"),
                }),
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "a label twice");
        match after[end + 1..].split_at(1) {
            (",", more) => rest = more,
            ("}", more) => return (labels, more),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_page_for_prometheus_has_the_seconds_left_of_each_tenant() {
    let sandbox = Sandbox::new();
    let credentials = sandbox.add_logged_in(&["acme", "globex", "hooli"]);
    sandbox.add("initech");
    let odd = sandbox.server().add_tenant("o\"dd\\one", "soc");
    sandbox.neto(["profile", "add", "odd", "--login"]).stdin(odd.netosecret()).run().code(0);
    let person = sandbox.server().add_person("alice@example.com");
    let add = ["profile", "add", "me", "--username", &person.username, "--url", &person.url];
    sandbox.neto(add).stdin(&person.password).run().code(0);
    sandbox.backdate_token("globex", DAY + 3600);
    sandbox.server().remove_key(&credentials[2]);

    let outcome = sandbox.live(&["-o", "prometheus"]);
    let page = parse_prometheus(&outcome.code(0).stdout);
    let samples = |metric: &str| -> BTreeMap<String, Sample> {
        page[metric].iter().map(|sample| (sample.0["profile"].clone(), sample.clone())).collect()
    };
    let (remaining, expiry, states) = (
        samples("neto_token_expires_in_seconds"),
        samples("neto_token_expires_timestamp_seconds"),
        samples("neto_token_state"),
    );
    assert_eq!(page.len(), 3);
    for (name, shortname, state) in [
        ("acme", Some("acme"), "valid"),
        ("globex", Some("globex"), "renewable"),
        ("hooli", Some("hooli"), "rejected"),
        ("initech", Some("initech"), "none"),
        ("odd", Some("o\"dd\\one"), "valid"),
        ("me", None, "none"),
    ] {
        let (labels, value) = &states[name];
        assert_eq!((labels["state"].as_str(), *value), (state, 1.0));
        assert_eq!(labels.get("shortname").map(String::as_str), shortname);
        assert_eq!(
            (remaining.contains_key(name), expiry.contains_key(name)),
            (state != "none", state != "none"),
            "{name}"
        );
    }
    let expires_at = sandbox.token_header("acme")["expires_at"].as_f64().unwrap();
    assert!((expiry["acme"].1 - expires_at).abs() < 0.5);
    assert!(
        remaining["acme"].1 > 80_000.0 && remaining["acme"].1 <= 86_400.0 && remaining["globex"].1 <= -3_600.0,
        "{remaining:?}"
    );

    let offline =
        parse_prometheus(&sandbox.neto(["status", "-o", "prometheus", "hooli"]).run().code(0).stderr("").stdout);
    assert_eq!(offline["neto_token_state"][0].0["state"], "valid");
    let empty = parse_prometheus(&Sandbox::new().neto(["status", "-o", "prometheus"]).run().code(0).stdout);
    assert!(empty.len() == 3 && empty.values().all(Vec::is_empty));
    // `--check` also works with this format.
    sandbox.neto(["status", "--check", "-o", "prometheus"]).run().code(9).stdout_has("# TYPE neto_token_state gauge");
}
