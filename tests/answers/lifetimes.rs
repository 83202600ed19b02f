//! R-31: every shape of `expires_in` and `refresh_expires_in`.

use super::case::{AnswerCase, CANARY_TOKEN, case, login};
use super::runner::{CaseRunner, try_all};
use crate::fusion::TOKEN;
use serde_json::Value;
use std::time::Duration;

const SENSIBLE: [(&str, i64); 13] = [
    ("60", 60),
    ("3600", 3600),
    ("86400", 86_400),
    ("31536000", 31_536_000),
    ("3600.0", 3600),
    ("3600.000000", 3600),
    ("31536000.0", 31_536_000),
    ("36e2", 3600),
    ("1e3", 1000),
    ("1E+3", 1000),
    ("36000e-1", 3600),
    ("\"3600\"", 3600),
    ("\"003600\"", 3600),
];

const NOT_SENSIBLE: [&str; 46] = [
    "null",
    "0",
    "-0",
    "0.0",
    "-1",
    "-3600",
    "-1.0",
    "-1e3",
    "31536001",
    "31536000.5",
    "3600.5",
    "0.9",
    "1e-3",
    "1e18",
    "1e308",
    "1e400",
    "-1e400",
    "1e999999999",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999999",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "false",
    "[]",
    "[3600]",
    "{}",
    "{\"seconds\":3600}",
    "\"\"",
    "\"0\"",
    "\"-3600\"",
    "\"+3600\"",
    "\"3600.0\"",
    "\" 3600\"",
    "\"3600 \"",
    "\"1e3\"",
    "\"0x10\"",
    "\"1h\"",
    "\"NaN\"",
    "\"soon\"",
    "\"31536001\"",
    "\"99999999999999999999\"",
    "\"３６００\"",
];

fn cases() -> Vec<AnswerCase> {
    let answer = |fields: &str| login().respond(200, format!(r#"{{"access_token":"{CANARY_TOKEN}"{fields}}}"#));
    let shape = |written: &str| case(format!("expires_in {written}"), answer(&format!(r#","expires_in":{written}"#)));
    let mut cases = vec![
        case("no expires_in", answer("")).token_not_cached(),
        case("another spelling of expires_in", answer(r#","expiresIn":3600"#)).token_not_cached(),
        case("an end in place of expires_in", answer(r#","expires_at":4102444800"#)).token_not_cached(),
        case("no expires_in, but a refresh token", answer(r#","refresh_token":"abc","refresh_expires_in":3600"#))
            .token_not_cached(),
    ];
    cases.extend(NOT_SENSIBLE.iter().map(|written| shape(written).token_not_cached()));
    cases.extend(SENSIBLE.iter().map(|(written, seconds)| shape(written).token_cached(*seconds)));
    cases
}

#[test]
fn r31_without_a_sensible_expires_in_the_token_is_good_for_once() {
    try_all("shapes of expires_in", &cases(), 8, &[]);
}

#[test]
fn r31_without_a_sensible_refresh_expires_in_the_refresh_token_is_not_kept() {
    let runner = CaseRunner::new(1, &[]);
    let sandbox = &runner.sandbox;
    let shapes = NOT_SENSIBLE.iter().map(|written| (*written, None));
    let all = shapes.chain(SENSIBLE.iter().map(|(written, seconds)| (*written, Some(*seconds))));
    for (written, seconds) in all {
        let refresh = format!(r#""refresh_token":"planted-refresh-token","refresh_expires_in":{written}"#);
        sandbox.server().clear_faults();
        sandbox
            .server()
            .fault(login().respond(200, format!(r#"{{"access_token":"{CANARY_TOKEN}","expires_in":3600,{refresh}}}"#)));
        sandbox
            .neto(["token", "acme-0", "--force"])
            .allow_secret(CANARY_TOKEN)
            .run()
            .code(0)
            .stderr("")
            .stdout(&format!("{CANARY_TOKEN}\n"));
        let (line, sealed) = (sandbox.token_header("acme-0"), sandbox.sealed_token("acme-0"));
        let end = line["refresh_expires_at"].as_i64().zip(line["obtained_at"].as_i64());
        assert_eq!(end.map(|(end, start)| end - start), seconds, "{written}");
        assert_eq!(sealed["refresh_token"] == Value::Null, seconds.is_none(), "{written}: {sealed}");
    }
}

#[test]
fn r22_a_life_shorter_than_the_margin_is_used_once_and_not_looped() {
    let runner = CaseRunner::new(1, &["--leeway", "1h"]);
    let sandbox = &runner.sandbox;
    for (login_requests, expires_in) in (1..).zip(["1", "\"1\"", "1.0", "2", "59"]) {
        sandbox.server().clear_faults();
        sandbox
            .server()
            .fault(login().respond(200, format!(r#"{{"access_token":"{CANARY_TOKEN}","expires_in":{expires_in}}}"#)));
        let outcome = sandbox.neto(["token", "acme-0", "--force", "--min-ttl", "1h"]).allow_secret(CANARY_TOKEN).run();
        outcome.code(0).stdout(&format!("{CANARY_TOKEN}\n")).stderr_has("less than --min-ttl asks for");
        assert_eq!(sandbox.server().request_count(TOKEN), login_requests, "{expires_in}");
    }
}

#[test]
fn r19_a_life_counts_from_before_the_request_and_the_servers_own_times_count_nothing() {
    let delay = Duration::from_secs(2);
    let runner = CaseRunner::new(1, &[]);
    let sandbox = &runner.sandbox;
    sandbox.server().set_clock_skew(10 * 365 * 86_400);
    let times = r#""expires_at":1,"exp":1,"iat":4102444800,"not-before-policy":4102444800"#;
    sandbox.server().fault(
        login().delay(delay).respond(200, format!(r#"{{"access_token":"{CANARY_TOKEN}","expires_in":3600,{times}}}"#)),
    );
    let before = jiff::Timestamp::now().as_second();
    sandbox
        .neto(["token", "acme-0"])
        .allow_secret(CANARY_TOKEN)
        .run()
        .code(0)
        .stderr("")
        .stdout(&format!("{CANARY_TOKEN}\n"));
    let after = jiff::Timestamp::now().as_second();
    let line = sandbox.token_header("acme-0");
    let obtained = line["obtained_at"].as_i64().expect("a time");
    assert!((before..=after - 2).contains(&obtained), "obtained at {obtained}, between {before} and {after}");
    assert_eq!(line["expires_at"].as_i64(), Some(obtained + 3600));
}
