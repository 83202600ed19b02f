//! Bad and odd answers of a server in place of a valid token (R-19 to R-32 of the threat model). Each has an expected
//! result.
//!
//! The real binary receives each answer, limited to 100 MB of memory and 35 seconds. Each case checks:
//! - the exit code and the message;
//! - the number of requests, each with its own request token;
//! - an empty standard output, no panic, no secret anywhere, and no part of the answer cached;
//! - that the next run gets a valid token from a healthy server.
//!
//! As answers to a refresh, the same cases cost one login each.
//!
//! - `case`: one answer and its expected result; `runner`: how a list of cases is run; `limits`: memory and time;
//! - `bodies`: status 200 without a grant; `lifetimes`: all forms of `expires_in`;
//! - `statuses`: all other statuses, and `Retry-After`; `redirects`: addresses to which no request may go;
//! - `malformed_http`: broken HTTP and other protocols; `connections`: connections that end, break or hang;
//! - `bounds`: endless, too large, compressed or too slow answers;
//! - `texts`: the server's messages, including our own secrets and wrong clocks;
//! - `oddities`: unusual but valid answers;
//! - `refreshes`: the same answers to a refresh.
//!
//! The server is `tests/fusion`. Unit tests in `src/fusion` cover the parser alone.
#![cfg(unix)]

mod bodies;
mod bounds;
mod case;
mod connections;
mod lifetimes;
mod limits;
mod malformed_http;
mod oddities;
mod redirects;
mod refreshes;
mod runner;
mod statuses;
mod texts;

use case::AnswerCase;
use std::collections::BTreeSet;

/// All bad answers that are tried at a login and at a refresh.
fn all_invalid_cases() -> Vec<AnswerCase> {
    [bodies::cases(), statuses::cases(), redirects::cases(), malformed_http::cases(), texts::cases()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn the_list_is_as_long_as_promised_and_no_answer_stands_in_it_twice() {
    let names: Vec<String> = all_invalid_cases().into_iter().map(|case| case.name).collect();
    assert!(names.len() >= 120, "{} answers", names.len());
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "names that stand twice");
}
