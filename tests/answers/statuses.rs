//! every status other than 200: which ones reject the credential, which ones are retried, and the effect of
//! `Retry-After`.

use super::case::{AnswerCase, VALID_ANSWER, case, login, raw};
use super::runner::{CaseRunner, try_all};
use crate::fusion::TOKEN;

/// Statuses with one request and exit code 5, even with a valid grant in the body.
const NOT_RETRIED: [u16; 43] = [
    201, 202, 203, 205, 206, 207, 226, 299, 402, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
    418, 421, 422, 423, 424, 425, 426, 428, 431, 451, 499, 500, 501, 505, 506, 507, 508, 511, 520, 599,
];

/// Value of `Retry-After`, number of login requests, and whether the next run sends no request.
const RETRY_AFTER_OF_429: [(&str, usize, bool); 17] = [
    ("0", 3, false),
    ("00", 3, false),
    (" 0 ", 3, false),
    ("Sun, 06 Nov 1994 08:49:37 GMT", 3, false),
    ("60", 1, true),
    ("3600", 1, true),
    ("31536000", 1, true),
    ("18446744073709551615", 1, true),
    ("99999999999999999999999", 1, true),
    ("Fri, 01 Jan 2100 00:00:00 GMT", 1, true),
    ("", 1, false),
    ("-1", 1, false),
    ("1.5", 1, false),
    ("0x10", 1, false),
    ("soon", 1, false),
    ("Fri, 32 Jan 2100 00:00:00 GMT", 1, false),
    ("\u{ff13}", 1, false),
];

/// Values of `Retry-After` for 503, which is retried even without the header.
const RETRY_AFTER_OF_503: [(&str, usize, bool); 6] = [
    ("0", 3, false),
    ("soon", 3, false),
    ("-1", 3, false),
    ("", 3, false),
    ("60", 1, true),
    ("99999999999999999999999", 1, true),
];

/// All cases of this file.
pub(super) fn cases() -> Vec<AnswerCase> {
    let with_grant = |status: u16| login().respond(status, VALID_ANSWER);
    let status_text = |status: u16| format!("with status {status}");
    let mut cases: Vec<AnswerCase> = NOT_RETRIED
        .iter()
        .map(|status| case(format!("{status}"), with_grant(*status)).stderr_has(status_text(*status)))
        .collect();
    for status in [400, 401, 403] {
        let rejected =
            |name: &str, fault| case(format!("{status} {name}"), fault).rejected().stderr_has(status_text(status));
        cases.push(rejected("with a good grant", with_grant(status)));
        cases.push(rejected("with nothing", login().respond(status, "")));
        cases.push(rejected("with Retry-After", with_grant(status).header("retry-after", "0")));
    }
    for (status, fault) in [
        (204, raw("HTTP/1.1 204 No Content", "")),
        (600, raw("HTTP/1.1 600 X\r\ncontent-length: 0", "")),
        (999, raw("HTTP/1.1 999 X\r\ncontent-length: 0", "")),
    ] {
        cases.push(case(format!("{status}"), fault).stderr_has(status_text(status)));
    }
    cases.push(
        case("101", raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade", ""))
            .stderr_has("with status 101"),
    );
    cases.push(case("429", login().respond(429, "")).stderr_has(status_text(429)));
    for status in [502, 503, 504] {
        cases.push(case(format!("{status}"), with_grant(status)).stderr_has(status_text(status)).login_requests(3));
    }
    cases.push(case("502 with a long Retry-After", login().respond(502, "").header("retry-after", "3600")));
    cases.push(case("504 with a long Retry-After", login().respond(504, "").header("retry-after", "3600")));
    for (status, values) in [(429, &RETRY_AFTER_OF_429[..]), (503, &RETRY_AFTER_OF_503)] {
        for (value, login_requests, delays_next_run) in values {
            let head = format!("HTTP/1.1 {status} X\r\nretry-after: {value}\r\ncontent-length: 0");
            let mut case = case(format!("{status}, Retry-After: {value:?}"), raw(&head, ""))
                .stderr_has(status_text(status))
                .login_requests(*login_requests);
            case.delays_next_run = *delays_next_run;
            cases.push(case);
        }
    }
    let twice = "HTTP/1.1 429 X\r\nretry-after: 60\r\nretry-after: 0\r\ncontent-length: 0";
    cases.push(case("429, Retry-After twice", raw(twice, "")).delays_next_run());
    cases.push(
        case("401 that asks for a ticket", login().respond(401, "").header("www-authenticate", "Negotiate")).rejected(),
    );
    cases.push(case(
        "407 that asks for a password",
        login().respond(407, "").header("proxy-authenticate", "Basic realm=x"),
    ));
    cases
}

#[test]
fn r29_every_status_but_200_is_4_or_5_and_asked_again_only_where_that_may_help() {
    try_all("answers with another status", &cases(), 12, &[]);
}

#[test]
fn r29_all_tries_lie_within_the_profiles_timeout() {
    let runner = CaseRunner::new(1, &["--timeout", "2s"]);
    let sandbox = &runner.sandbox;
    sandbox.server().fault(login().respond(503, "").header("retry-after", "1"));
    sandbox.neto(["token", "acme-0"]).run().code(5).stdout("").stderr_has("503");
    // A third attempt would start after the timeout.
    assert!(sandbox.server().request_count(TOKEN) <= 2, "{} tries", sandbox.server().request_count(TOKEN));
    sandbox.server().clear_faults();
    // A pause as long as the timeout does not fit into it.
    for value in ["2", "3"] {
        let before = sandbox.server().request_count(TOKEN);
        sandbox.server().fault(login().respond(429, "").header("retry-after", value));
        sandbox.neto(["token", "acme-0", "--force"]).run().code(5).stdout("").stderr_has("429");
        assert_eq!(sandbox.server().request_count(TOKEN), before + 1, "Retry-After: {value}");
        sandbox.server().clear_faults();
    }
}
