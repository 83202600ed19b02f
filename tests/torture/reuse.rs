//! if neto is killed at any time during a refresh, the server never receives a refresh token twice.

use super::scale::{SeededRng, print_summary, rounds};
use crate::fusion::{Fault, REFRESH};
use crate::harness::Sandbox;
use rustix::process::Signal;
use std::fs;
use std::time::{Duration, Instant};

const ROUNDS_PER_SANDBOX: usize = 25;
/// Age in seconds at which an access token has expired but its refresh token has not.
const TWO_DAYS_SECONDS: i64 = 2 * 86_400;
/// Longest delay between the start of neto and a random kill. A refresh usually ends within this time.
const MAX_KILL_DELAY: Duration = Duration::from_millis(30);

/// Moment at which a refresh is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KillTime {
    /// A random time after the start of neto.
    Random,
    /// After the server has accepted the refresh token, while the response is being sent.
    TokenAccepted,
}

/// Starts a refresh, kills it, and returns whether the process was still running.
fn kill(sandbox: &Sandbox, rng: &mut SeededRng, when: KillTime) -> bool {
    let before = sandbox.server().refreshes();
    if when == KillTime::TokenAccepted {
        sandbox.server().fault(Fault::at(REFRESH).once().drip(Duration::from_millis(2)));
    }
    let mut run = sandbox.neto(["login", "acme"]).start();
    match when {
        KillTime::Random => {
            let micros = usize::try_from(MAX_KILL_DELAY.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(rng.below(micros) as u64));
        }
        KillTime::TokenAccepted => {
            let began = Instant::now();
            while sandbox.server().refreshes() == before && !run.has_ended() && began.elapsed().as_secs() < 30 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
    run.signal(Signal::KILL);
    let landed = run.wait_for_exit_code() == 137;
    sandbox.server().clear_faults();
    landed
}

/// Creates a sandbox with one profile that has a cached refresh token.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox
}

#[test]
fn r12_no_refresh_token_is_sent_twice() {
    let (target, mut rng, mut landed, mut tried, mut taken) = (rounds(2_000, 16), SeededRng::new(), 0, 0, 0);
    while landed < target {
        let sandbox = sandbox();
        for round in 0..ROUNDS_PER_SANDBOX.min(target - landed) {
            sandbox.backdate_token("acme", TWO_DAYS_SECONDS);
            let before = sandbox.server().refreshes();
            let when = if round % 2 == 0 { KillTime::Random } else { KillTime::TokenAccepted };
            let was_running = kill(&sandbox, &mut rng, when);
            landed += usize::from(was_running);
            taken += usize::from(was_running && sandbox.server().refreshes() > before);
            tried += 1;
            sandbox.neto(["login", "acme"]).run().code(0);
            assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0], "after {landed} kills");
        }
        assert!(tried < 100 + 20 * target, "of {tried} kills only {landed} landed");
    }
    let seed = rng.seed;
    print_summary(&format!(
        "{landed} kills of refreshes that landed, of {tried} (seed {seed}), {taken} of them after the server took the \
         token: 0 refresh tokens sent twice"
    ));
}

#[test]
fn r12_a_client_without_the_burn_is_caught() {
    let (target, mut rng, mut caught) = (rounds(50, 5), SeededRng::new(), 0);
    let sandbox = sandbox();
    sandbox.allow_violations();
    for _ in 0..target {
        sandbox.backdate_token("acme", TWO_DAYS_SECONDS);
        let unburned_file = fs::read(sandbox.token_file("acme")).expect("a token file");
        let access_token = sandbox.sealed_token("acme")["access_token"].clone();
        if kill(&sandbox, &mut rng, KillTime::TokenAccepted)
            && sandbox.sealed_token("acme")["access_token"] == access_token
        {
            fs::write(sandbox.token_file("acme"), unburned_file).expect("a token file");
        }
        let before = sandbox.server().reused_refresh_tokens().len();
        sandbox.neto(["login", "acme"]).run().code(0);
        caught += sandbox.server().reused_refresh_tokens().len() - before;
    }
    assert!(caught > 0, "the server does not notice a refresh token that comes twice");
    print_summary(&format!(
        "control, a client without the burn: {caught} of {target} kills made it send a refresh token twice"
    ));
}
