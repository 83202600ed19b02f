//! The list once more, in answer to a refresh: one login follows each, and no refresh token is sent twice.

use super::case::{Case, PLANTED, login};
use super::world::{World, try_all_at_refresh};
use super::{all_bad, bounds};
use crate::fusion::REFRESH;
use serde_json::Value;

#[test]
fn a_bad_answer_to_a_refresh_costs_one_login() {
    // Every other one: what they come to is the same for all.
    let some: Vec<Case> = all_bad().into_iter().step_by(2).collect();
    try_all_at_refresh("bad answers", &some, 8, &[]);
}

#[test]
fn an_answer_to_a_refresh_that_is_too_much_or_too_slow_costs_one_login() {
    try_all_at_refresh("answers too large, compressed or without end", &bounds::too_much(), 16, &[]);
    try_all_at_refresh("answers too slow or without end", &bounds::too_slow(), 32, &["--timeout", "2s"]);
}

#[test]
fn r31_a_refresh_without_a_sensible_life_is_good_for_once() {
    let world = World::new(0, &[]);
    let sandbox = &world.sandbox;
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    for (refreshes, expires_in) in (1..).zip(["null", "0", "-1", "NaN", "\"soon\"", "31536001"]) {
        sandbox.age_token("acme", 172_800);
        sandbox.server().clear_faults();
        sandbox.server().fault(
            login()
                .answer(200, format!(r#"{{"access_token":"{PLANTED}","expires_in":{expires_in}}}"#))
                .moved_to(REFRESH),
        );
        let outcome = sandbox.neto(["token", "acme"]).reveals(PLANTED).run();
        outcome.code(0).stdout(&format!("{PLANTED}\n")).stderr_has("did not say how long the token lives");
        assert_eq!(
            (sandbox.server().logins(), sandbox.server().asked(REFRESH)),
            (refreshes, refreshes),
            "{expires_in}"
        );
        // It was burnt before it was sent, so the next run logs in.
        assert_eq!(sandbox.sealed_token("acme")["refresh_token"], Value::Null);
        sandbox.neto(["token", "acme"]).reveals("access token").run().code(0).silent();
    }
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}
