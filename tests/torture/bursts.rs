//! any number of processes on one stale profile cause one request, and one series of tries when it fails.

use super::scale::{rounds, say};
use crate::fusion::{Fault, Gate, REFRESH, TOKEN};
use crate::harness::{Running, Sandbox};

const PROCESSES: usize = 64;
/// Rounds in one sandbox: the server keeps all that it granted, and each run is searched for all of it.
const BATCH: usize = 10;

/// Longer than an access token lives, and a refresh token.
const DAYS: i64 = 2 * 86_400;
const MONTH: i64 = 30 * 86_400;

fn start<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Running<'a> {
    sandbox.neto(["token", "acme"].iter().chain(arguments)).reveals("access token").start()
}

#[test]
fn r11_sixty_four_processes_on_an_expired_profile_ask_once() {
    let rounds = rounds(100, 2);
    for first in (0..rounds).step_by(BATCH) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        for round in first..rounds.min(first + BATCH) {
            // With the refresh token, then without.
            sandbox.age_token("acme", if round % 2 == 0 { DAYS } else { MONTH });
            let asked = || sandbox.server().asked(TOKEN) + sandbox.server().asked(REFRESH);
            let before = asked();
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            let tokens: Vec<_> =
                runs.into_iter().map(|run| run.finish().code(0).silent().answer().to_owned()).collect();
            assert!(tokens.iter().all(|token| *token == tokens[0]), "round {round}: not all tokens are equal");
            assert_eq!(asked(), before + 1, "requests of round {round}");
        }
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
    say(&format!("{PROCESSES} processes x {rounds} rounds on an expired profile: {rounds} requests, equal tokens"));
}

/// The holder's request is held until all others wait; all of them get its failure.
fn bursts_that_fail(name: &str, fault: impl Fn(Fault) -> Fault, code: i32, series: usize) {
    let rounds = rounds(25, 1);
    for first in (0..rounds).step_by(BATCH) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        for round in first..rounds.min(first + BATCH) {
            let (gate, before) = (Gate::new(), sandbox.server().asked(TOKEN));
            sandbox.server().fault(fault(Fault::at(TOKEN)).once().hold(&gate));
            sandbox.server().fault(fault(Fault::at(TOKEN)));
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            gate.wait_for(1);
            let holder = holder(&sandbox);
            for run in runs.iter().filter(|run| run.id() != holder) {
                run.wait_until_it_says("waiting for neto process");
            }
            gate.open();
            for run in runs {
                run.finish().code(code).stdout("").stderr_has("not today");
            }
            assert_eq!(sandbox.server().asked(TOKEN) - before, series, "{name}, requests of round {round}");
            sandbox.server().clear_faults();
            start(&sandbox, &["--force"]).finish().code(0);
            sandbox.neto(["logout", "acme"]).run().code(0);
        }
    }
    say(&format!(
        "{PROCESSES} processes x {rounds} rounds on a server that answers {name}: {series} request(s) a round"
    ));
}

/// The process that holds the lock of the profile's token.
fn holder(sandbox: &Sandbox) -> u32 {
    let lock = std::fs::read_to_string(sandbox.home("state/locks/acme.lock")).expect("a lock");
    lock.trim().parse().expect("the holder's id")
}

#[test]
fn r11_sixty_four_processes_share_a_401() {
    bursts_that_fail("401", |fault| fault.error(401, "not today"), 4, 1);
}

#[test]
fn r11_sixty_four_processes_share_a_429() {
    bursts_that_fail("429", |fault| fault.error(429, "not today").header("Retry-After", "200"), 5, 1);
}

#[test]
fn r11_sixty_four_processes_share_a_500() {
    bursts_that_fail("500", |fault| fault.error(500, "not today"), 5, 1);
}

#[test]
fn r11_sixty_four_processes_share_the_three_tries_of_a_503() {
    bursts_that_fail("503", |fault| fault.error(503, "not today"), 5, 3);
}
