//! processes that need a token for the same profile at the same time send one request. If the request fails, all
//! of them share the failure and its retries.

use super::scale::{print_summary, rounds};
use crate::fusion::{Fault, Gate, REFRESH, TOKEN};
use crate::harness::{Running, Sandbox};

const PROCESSES: usize = 64;
/// Rounds before a new sandbox starts. The output of each run is searched for all tokens granted so far, so long-lived
/// sandboxes are slow.
const ROUNDS_PER_SANDBOX: usize = 10;

/// Ages of a token in seconds: after two days its access token has expired, after thirty days its refresh token too.
const TWO_DAYS_SECONDS: i64 = 2 * 86_400;
const THIRTY_DAYS_SECONDS: i64 = 30 * 86_400;

fn start<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Running<'a> {
    sandbox.neto(["token", "acme"].iter().chain(arguments)).allow_secret("access token").start()
}

#[test]
fn r11_sixty_four_processes_on_an_expired_profile_ask_once() {
    let rounds = rounds(100, 2);
    for first in (0..rounds).step_by(ROUNDS_PER_SANDBOX) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        for round in first..rounds.min(first + ROUNDS_PER_SANDBOX) {
            // Alternates between a valid and an expired refresh token.
            sandbox.backdate_token("acme", if round % 2 == 0 { TWO_DAYS_SECONDS } else { THIRTY_DAYS_SECONDS });
            let grant_requests = || sandbox.server().request_count(TOKEN) + sandbox.server().request_count(REFRESH);
            let before = grant_requests();
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            let tokens: Vec<_> =
                runs.into_iter().map(|run| run.finish().code(0).stderr("").stdout_trimmed().to_owned()).collect();
            assert!(tokens.iter().all(|token| *token == tokens[0]), "round {round}: not all tokens are equal");
            assert_eq!(grant_requests(), before + 1, "requests of round {round}");
        }
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
    print_summary(&format!(
        "{PROCESSES} processes x {rounds} rounds on an expired profile: {rounds} requests, equal tokens"
    ));
}

/// Holds the first request until all other processes wait for its result. Asserts that every process then fails in the
/// same way.
fn assert_failure_is_shared(name: &str, fault: impl Fn(Fault) -> Fault, code: i32, requests_per_round: usize) {
    let rounds = rounds(25, 1);
    for first in (0..rounds).step_by(ROUNDS_PER_SANDBOX) {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        for round in first..rounds.min(first + ROUNDS_PER_SANDBOX) {
            let (gate, before) = (Gate::new(), sandbox.server().request_count(TOKEN));
            sandbox.server().fault(fault(Fault::at(TOKEN)).once().hold_at(&gate));
            sandbox.server().fault(fault(Fault::at(TOKEN)));
            let runs: Vec<_> = (0..PROCESSES).map(|_| start(&sandbox, &[])).collect();
            gate.wait_for_requests(1);
            let lock_holder = lock_holder(&sandbox);
            for run in runs.iter().filter(|run| run.id() != lock_holder) {
                run.wait_for_stderr("waiting for neto process");
            }
            gate.open();
            for run in runs {
                run.finish().code(code).stdout("").stderr_has("not today");
            }
            assert_eq!(
                sandbox.server().request_count(TOKEN) - before,
                requests_per_round,
                "{name}, requests of round {round}"
            );
            sandbox.server().clear_faults();
            start(&sandbox, &["--force"]).finish().code(0);
            sandbox.neto(["logout", "acme"]).run().code(0);
        }
    }
    print_summary(&format!(
        "{PROCESSES} processes x {rounds} rounds on a server that answers {name}: {requests_per_round} request(s) a round"
    ));
}

/// Returns the ID of the process that holds the profile's token lock.
fn lock_holder(sandbox: &Sandbox) -> u32 {
    let lock = std::fs::read_to_string(sandbox.home("state/locks/acme.lock")).expect("a lock");
    lock.trim().parse().expect("the holder's id")
}

#[test]
fn r11_sixty_four_processes_share_a_401() {
    assert_failure_is_shared("401", |fault| fault.error(401, "not today"), 4, 1);
}

#[test]
fn r11_sixty_four_processes_share_a_429() {
    assert_failure_is_shared("429", |fault| fault.error(429, "not today").header("Retry-After", "200"), 5, 1);
}

#[test]
fn r11_sixty_four_processes_share_a_500() {
    assert_failure_is_shared("500", |fault| fault.error(500, "not today"), 5, 1);
}

#[test]
fn r11_sixty_four_processes_share_the_three_tries_of_a_503() {
    assert_failure_is_shared("503", |fault| fault.error(503, "not today"), 5, 3);
}
