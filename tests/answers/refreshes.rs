//! The bad answers again, in answer to a refresh. Each costs one login, and no refresh token is sent twice.

use super::case::{AnswerCase, CANARY_TOKEN, login};
use super::runner::{CaseRunner, try_all_at_refresh};
use super::{all_invalid_cases, bounds};
use crate::fusion::REFRESH;
use serde_json::Value;

#[test]
fn a_bad_answer_to_a_refresh_costs_one_login() {
    // Half of the cases suffice, because all end the same way.
    let some: Vec<AnswerCase> = all_invalid_cases().into_iter().step_by(2).collect();
    try_all_at_refresh("bad answers", &some, 8, &[]);
}

#[test]
fn an_answer_to_a_refresh_that_is_too_much_or_too_slow_costs_one_login() {
    try_all_at_refresh("answers too large, compressed or without end", &bounds::too_much(), 16, &[]);
    try_all_at_refresh("answers too slow or without end", &bounds::too_slow(), 32, &["--timeout", "2s"]);
}

#[test]
fn r31_a_refresh_without_a_sensible_life_is_good_for_once() {
    let runner = CaseRunner::new(0, &[]);
    let sandbox = &runner.sandbox;
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    for (refreshes, expires_in) in (1..).zip(["null", "0", "-1", "NaN", "\"soon\"", "31536001"]) {
        sandbox.backdate_token("acme", 172_800);
        sandbox.server().clear_faults();
        sandbox.server().fault(
            login()
                .respond(200, format!(r#"{{"access_token":"{CANARY_TOKEN}","expires_in":{expires_in}}}"#))
                .moved_to(REFRESH),
        );
        let outcome = sandbox.neto(["token", "acme"]).allow_secret(CANARY_TOKEN).run();
        outcome.code(0).stdout(&format!("{CANARY_TOKEN}\n")).stderr_has("did not say how long the token lives");
        assert_eq!(
            (sandbox.server().logins(), sandbox.server().request_count(REFRESH)),
            (refreshes, refreshes),
            "{expires_in}"
        );
        // The refresh token was burned before it was sent, so the next run logs in.
        assert_eq!(sandbox.sealed_token("acme")["refresh_token"], Value::Null);
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    }
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}
