//! if neto is killed at any time during a refresh, the server never receives a refresh token twice.

use super::scale::{SeededRng, print_summary, rounds};
use crate::fusion::{Fault, REFRESH};
use crate::harness::Sandbox;
use rustix::process::Signal;
use std::fs;
use std::time::{Duration, Instant};

const BATCH: usize = 25;
/// Seconds after which an access token has expired but its refresh token has not.
const DAYS: i64 = 2 * 86_400;
/// Time within which a refresh is finished.
const REFRESH_TIME: Duration = Duration::from_millis(30);

/// Time at which a refresh is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KillTime {
    /// At a random time.
    Any,
    /// After the server has accepted the refresh token, while its answer is sent.
    Taken,
}

/// Kills one refresh and returns whether it was still running.
fn kill(sandbox: &Sandbox, rng: &mut SeededRng, when: KillTime) -> bool {
    let before = sandbox.server().refreshes();
    if when == KillTime::Taken {
        sandbox.server().fault(Fault::at(REFRESH).once().drip(Duration::from_millis(2)));
    }
    let mut run = sandbox.neto(["login", "acme"]).start();
    match when {
        KillTime::Any => {
            let micros = usize::try_from(REFRESH_TIME.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(rng.below(micros) as u64));
        }
        KillTime::Taken => {
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

/// Creates a sandbox whose profile has a refresh token.
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
        for round in 0..BATCH.min(target - landed) {
            sandbox.backdate_token("acme", DAYS);
            let before = sandbox.server().refreshes();
            let when = if round % 2 == 0 { KillTime::Any } else { KillTime::Taken };
            let hit = kill(&sandbox, &mut rng, when);
            landed += usize::from(hit);
            taken += usize::from(hit && sandbox.server().refreshes() > before);
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
        sandbox.backdate_token("acme", DAYS);
        let unburnt = fs::read(sandbox.token_file("acme")).expect("a token file");
        let access = sandbox.sealed_token("acme")["access_token"].clone();
        if kill(&sandbox, &mut rng, KillTime::Taken) && sandbox.sealed_token("acme")["access_token"] == access {
            fs::write(sandbox.token_file("acme"), unburnt).expect("a token file");
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
