//! any number of processes with one stale profile send one request. If the request fails, they share one series
//! of attempts.

use super::scale::{print_summary, rounds};
use crate::fusion::{Fault, Gate, REFRESH, TOKEN};
use crate::harness::{Running, Sandbox};

const PROCESSES: usize = 64;
/// Rounds per sandbox. Each run is searched for every token that the sandbox's server granted.
const BATCH: usize = 10;

/// Ages in seconds: after `DAYS` an access token has expired, after `MONTH` its refresh token too.
const DAYS: i64 = 2 * 86_400;
const MONTH: i64 = 30 * 86_400;

fn start<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Running<'a> {
    sandbox.neto(["token", "acme"].iter().chain(arguments)).allow_secret("access token").start()
}

#[test]
fn r11_sixty_four_processes_on_an_expired_profile_ask_once() {
    let rounds = rounds(100, 2);
    for first in (0..rounds).step_by(BATCH) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        for round in first..rounds.min(first + BATCH) {
            // Alternates between a valid and an expired refresh token.
            sandbox.backdate_token("acme", if round % 2 == 0 { DAYS } else { MONTH });
            let asked = || sandbox.server().request_count(TOKEN) + sandbox.server().request_count(REFRESH);
            let before = asked();
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            let tokens: Vec<_> =
                runs.into_iter().map(|run| run.finish().code(0).stderr("").stdout_trimmed().to_owned()).collect();
            assert!(tokens.iter().all(|token| *token == tokens[0]), "round {round}: not all tokens are equal");
            assert_eq!(asked(), before + 1, "requests of round {round}");
        }
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
    print_summary(&format!(
        "{PROCESSES} processes x {rounds} rounds on an expired profile: {rounds} requests, equal tokens"
    ));
}

/// Holds the first request until all other processes wait for it. All of them must get its failure.
fn bursts_that_fail(name: &str, fault: impl Fn(Fault) -> Fault, code: i32, series: usize) {
    let rounds = rounds(25, 1);
    for first in (0..rounds).step_by(BATCH) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        for round in first..rounds.min(first + BATCH) {
            let (gate, before) = (Gate::new(), sandbox.server().request_count(TOKEN));
            sandbox.server().fault(fault(Fault::at(TOKEN)).once().hold_at(&gate));
            sandbox.server().fault(fault(Fault::at(TOKEN)));
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            gate.wait_for_requests(1);
            let holder = holder(&sandbox);
            for run in runs.iter().filter(|run| run.id() != holder) {
                run.wait_for_stderr("waiting for neto process");
            }
            gate.open();
            for run in runs {
                run.finish().code(code).stdout("").stderr_has("not today");
            }
            assert_eq!(sandbox.server().request_count(TOKEN) - before, series, "{name}, requests of round {round}");
            sandbox.server().clear_faults();
            start(&sandbox, &["--force"]).finish().code(0);
            sandbox.neto(["logout", "acme"]).run().code(0);
        }
    }
    print_summary(&format!(
        "{PROCESSES} processes x {rounds} rounds on a server that answers {name}: {series} request(s) a round"
    ));
}

/// Returns the process that holds the profile's token lock.
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
