//! however neto is killed during a refresh, the server never sees one refresh token twice.

use super::scale::{Dice, rounds, say};
use crate::fusion::{Fault, REFRESH};
use crate::harness::Sandbox;
use rustix::process::Signal;
use std::fs;
use std::time::{Duration, Instant};

const BATCH: usize = 25;
/// Longer than an access token lives, and less than a refresh token.
const DAYS: i64 = 2 * 86_400;
/// Within this a refresh has come to its end.
const LONGEST: Duration = Duration::from_millis(30);

/// When a refresh is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// At any time.
    Any,
    /// When the server has taken the refresh token, and its answer is on the way.
    Taken,
}

/// Kills one refresh; whether it was hit while it ran.
fn kill(sandbox: &Sandbox, dice: &mut Dice, when: When) -> bool {
    let before = sandbox.server().refreshes();
    if when == When::Taken {
        sandbox.server().fault(Fault::at(REFRESH).once().drip(Duration::from_millis(2)));
    }
    let mut run = sandbox.neto(["login", "acme"]).start();
    match when {
        When::Any => {
            let micros = usize::try_from(LONGEST.as_micros()).expect("a short time");
            std::thread::sleep(Duration::from_micros(dice.below(micros) as u64));
        }
        When::Taken => {
            let began = Instant::now();
            while sandbox.server().refreshes() == before && !run.is_over() && began.elapsed().as_secs() < 30 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
    run.signal(Signal::KILL);
    let landed = run.end() == 137;
    sandbox.server().clear_faults();
    landed
}

/// A sandbox whose profile has a token to be refreshed.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox
}

#[test]
fn r12_no_refresh_token_is_sent_twice() {
    let (target, mut dice, mut landed, mut tried, mut taken) = (rounds(2_000, 16), Dice::new(), 0, 0, 0);
    while landed < target {
        let sandbox = sandbox();
        for round in 0..BATCH.min(target - landed) {
            sandbox.age_token("acme", DAYS);
            let before = sandbox.server().refreshes();
            let when = if round % 2 == 0 { When::Any } else { When::Taken };
            let hit = kill(&sandbox, &mut dice, when);
            landed += usize::from(hit);
            taken += usize::from(hit && sandbox.server().refreshes() > before);
            tried += 1;
            sandbox.neto(["login", "acme"]).run().code(0);
            assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0], "after {landed} kills");
        }
        assert!(tried < 100 + 20 * target, "of {tried} kills only {landed} landed");
    }
    let seed = dice.seed;
    say(&format!(
        "{landed} kills of refreshes that landed, of {tried} (seed {seed}), {taken} of them after the server took the \
         token: 0 refresh tokens sent twice"
    ));
}

#[test]
fn r12_a_client_without_the_burn_is_caught() {
    let (target, mut dice, mut caught) = (rounds(50, 5), Dice::new(), 0);
    let sandbox = sandbox();
    sandbox.expect_breaches();
    for _ in 0..target {
        sandbox.age_token("acme", DAYS);
        let unburnt = fs::read(sandbox.token_file("acme")).expect("a token file");
        let access = sandbox.sealed_token("acme")["access_token"].clone();
        if kill(&sandbox, &mut dice, When::Taken) && sandbox.sealed_token("acme")["access_token"] == access {
            fs::write(sandbox.token_file("acme"), unburnt).expect("a token file");
        }
        let before = sandbox.server().reused_refresh_tokens().len();
        sandbox.neto(["login", "acme"]).run().code(0);
        caught += sandbox.server().reused_refresh_tokens().len() - before;
    }
    assert!(caught > 0, "the server does not notice a refresh token that comes twice");
    say(&format!("control, a client without the burn: {caught} of {target} kills made it send a refresh token twice"));
}
