//! The list of bad and odd answers: what a server may say in place of a good token, and what must come of each (R-19 to
//! R-32 of the threat model).
//!
//! Every answer is given to the real binary, under a limit of 100 MB of memory and 35 seconds. After each: the exit
//! code and the words; as many requests as the contract says, each with a request token of its own; an empty standard
//! output, no panic and no secret anywhere; nothing of it kept; and the next run, against a server in good health, gets
//! a good token. The same answers to a refresh cost one login each.
//!
//! - `case`: one answer and what must come of it; `world`: how all of a list are tried; `limits`: memory and time;
//! - `bodies`: a 200 whose body grants nothing; `lifetimes`: every shape of `expires_in`;
//! - `statuses`: everything but a 200, and `Retry-After`; `redirects`: where nothing may be sent;
//! - `wires`: broken HTTP and what is no HTTP; `doors`: connections that end, break or hang;
//! - `bounds`: answers without end, too large, compressed, or too slow;
//! - `texts`: what a server says in words, our own secrets and wrong clocks among them;
//! - `oddities`: answers that look odd and are good;
//! - `refreshes`: all that once more, in answer to a refresh.
//!
//! The server is `tests/fusion`; what the parser alone makes of an answer is shown in `src/fusion`.
#![cfg(unix)]

mod bodies;
mod bounds;
mod case;
mod doors;
mod lifetimes;
mod limits;
mod oddities;
mod redirects;
mod refreshes;
mod statuses;
mod texts;
mod wires;
mod world;

use case::Case;
use std::collections::BTreeSet;

/// All bad answers that are tried both at a login and at a refresh.
fn all_bad() -> Vec<Case> {
    [bodies::cases(), statuses::cases(), redirects::cases(), wires::cases(), texts::cases()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn the_list_is_as_long_as_promised_and_no_answer_stands_in_it_twice() {
    let names: Vec<String> = all_bad().into_iter().map(|case| case.name).collect();
    assert!(names.len() >= 120, "{} answers", names.len());
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "names that stand twice");
}
