//! R-28: answers that are endless, too large, compressed or too slow. neto reads at most 64 KiB of headers and 1 MiB of
//! body, within the profile's timeout.

use super::case::{AnswerCase, CANARY_TOKEN, VALID_ANSWER, case, login, raw, raw_ok};
use super::runner::try_all;
use crate::fusion::{Fault, TOKEN};
use crate::harness::{Outcome, Sandbox};
use crate::torture::scale::{faketime_works, print_summary};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const FOREVER: u64 = u64::MAX;
const MIB: usize = 1024 * 1024;

const TOO_LARGE: &str = "is not usable: it is larger than 1 MiB";
const COMPRESSED: &str = "is not usable: it is compressed, though that was not asked for";
const LARGE_HEADER: &str = "is not usable: its headers are larger than 64 KiB";
const BROKE: &str = "the connection to ";
const TOO_SLOW: &str = "within 2 s";

/// Sends `head`, then repeats `piece` forever.
fn endless(head: &str, piece: &str) -> Fault {
    let times = 65_536 / piece.len() + 1;
    // About 10 MB a second. Without a pause the server could not serve other clients.
    login().raw(head).then_repeat(piece.repeat(times), FOREVER).pause_between(Duration::from_millis(5))
}

/// Sends `head`, then one byte a second.
fn drip(head: &str) -> Fault {
    login().raw(head).then_repeat(" ", FOREVER).pause_between(Duration::from_secs(1))
}

/// Returns a gzip stream that unpacks to about 150 MiB of one byte. It contains only "repeat 258 times".
fn gzip_bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let (mut bits, mut count) = (0_u64, 0);
    let mut put = |value: u64, length: u32, bytes: &mut Vec<u8>| {
        bits |= value << count;
        count += length;
        while count >= 8 {
            bytes.push(u8::try_from(bits & 0xff).expect("a byte"));
            bits >>= 8;
            count -= 8;
        }
    };
    // The last block, with the fixed codes; one space.
    put(0b011, 3, &mut bytes);
    put(u64::from((0x30_u8 + b' ').reverse_bits()), 8, &mut bytes);
    for _ in 0..600_000 {
        // Length 258 (code 285: 11000101), distance 1 (00000).
        put(u64::from(0b1100_0101_u8.reverse_bits()), 8, &mut bytes);
        put(0, 5, &mut bytes);
    }
    put(0, 16, &mut bytes);
    bytes
}

/// Answers that exceed a limit, which ends the run at once.
pub(super) fn too_much() -> Vec<AnswerCase> {
    [too_large(), compressed(), large_headers()].concat()
}

fn too_large() -> Vec<AnswerCase> {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let sixty_four = format!("{OK}content-length: {}\r\n\r\n", 64 * MIB);
    let padded = format!("{VALID_ANSWER}{}", " ".repeat(MIB + 1 - VALID_ANSWER.len()));
    [
        ("64 MiB of blanks", login().raw(sixty_four.as_str()).then_repeat(" ".repeat(65_536), 1024)),
        (
            "64 MiB behind a good grant",
            login().raw(format!("{sixty_four}{VALID_ANSWER}")).then_repeat(" ".repeat(65_536), 1024),
        ),
        ("a byte more than 1 MiB", login().respond(200, padded)),
        ("blanks without end", endless(&format!("{OK}\r\n"), " ")),
        ("arrays without end", endless(&format!("{OK}\r\n{{\"access_token\":\"{CANARY_TOKEN}\",\"x\":"), "[")),
        ("a text without end", endless(&format!("{OK}\r\n{{\"access_token\":\"{CANARY_TOKEN}\",\"x\":\""), "x")),
        ("a token without end", endless(&format!("{OK}\r\n{{\"access_token\":\"{CANARY_TOKEN}"), "x")),
        ("a number without end", endless(&format!("{OK}\r\n{{\"expires_in\":"), "9")),
        ("a length without end", endless(&format!("{OK}content-length: {}\r\n\r\n", u64::MAX >> 2), "x")),
        ("NULs without end", endless(&format!("{OK}\r\n"), "\0")),
        ("chunks without end", endless(&chunked, "5\r\nhello\r\n")),
        ("chunks of a byte without end", endless(&chunked, "1\r\nx\r\n")),
        ("one chunk without end", endless(&format!("{chunked}7fffffffffffff\r\n"), "x")),
    ]
    .into_iter()
    .map(|(name, fault)| case(name, fault).stderr_has(TOO_LARGE))
    .collect()
}

fn compressed() -> Vec<AnswerCase> {
    let encoded = |encoding: &str, body: Vec<u8>| raw_ok(&format!("content-encoding: {encoding}\r\n"), body);
    let mut cases: Vec<AnswerCase> = [
        "gzip",
        "x-gzip",
        "deflate",
        "br",
        "zstd",
        "compress",
        "GZIP",
        "gzip, identity",
        "identity, gzip",
        "aes128gcm",
        "",
    ]
    .into_iter()
    .map(|encoding| {
        case(format!("content-encoding: {encoding:?}"), encoded(encoding, VALID_ANSWER.into())).stderr_has(COMPRESSED)
    })
    .collect();
    let twice = raw_ok("content-encoding: identity\r\ncontent-encoding: gzip\r\n", VALID_ANSWER);
    cases.push(case("two encodings", twice).stderr_has(COMPRESSED));
    cases.push(case("a bomb of gzip", encoded("gzip", gzip_bomb())).stderr_has(COMPRESSED));
    cases.push(case("a bomb of deflate", encoded("deflate", gzip_bomb().split_off(10))).stderr_has(COMPRESSED));
    cases.push(
        case("a bomb of gzip that is not called so", raw_ok("", gzip_bomb()))
            .stderr_has("is not usable: it is not UTF-8"),
    );
    let transfer = format!("{OK}transfer-encoding: gzip\r\n\r\n");
    cases.push(case("a bomb of gzip by transfer", login().raw([transfer.into_bytes(), gzip_bomb()].concat())));
    cases
}

fn large_headers() -> Vec<AnswerCase> {
    let lines = |count: usize, length: usize| format!("x-a: {}\r\n", "x".repeat(length)).repeat(count);
    vec![
        case("65 KiB of headers", raw_ok(&lines(65, 1_024), VALID_ANSWER)).stderr_has(LARGE_HEADER),
        case("one header of 65 KiB", raw_ok(&lines(1, 65 * 1_024), VALID_ANSWER)).stderr_has(LARGE_HEADER),
        case("300 KiB of headers", raw_ok(&lines(60, 5_000), VALID_ANSWER)).stderr_has(LARGE_HEADER),
        case("2,000 headers", raw_ok(&lines(2_000, 1), VALID_ANSWER)).stderr_has(BROKE),
        case("headers without end", endless(OK, &lines(1, 100))).stderr_has(BROKE),
        case("one header without end", endless(&format!("{OK}x-a: "), "x")).stderr_has(BROKE),
        case("the name of a header without end", endless(OK, "x")).stderr_has(BROKE),
        case("a reason without end", endless("HTTP/1.1 200 ", "x")).stderr_has(BROKE),
        case("a status without end", endless("HTTP/1.1 ", "2")).stderr_has(BROKE),
        case("letters without end", endless("", "x")).stderr_has(BROKE),
        case("blank lines without end", endless("", "\r\n")).stderr_has(BROKE),
        case("words of a chunk without end", endless(&format!("{OK}transfer-encoding: chunked\r\n\r\n1;"), "x")),
        case("trailers without end", endless(&format!("{OK}transfer-encoding: chunked\r\n\r\n0\r\n"), "x-a: 1\r\n")),
    ]
}

/// Answers that do not end within the profile's timeout of 2 s.
pub(super) fn too_slow() -> Vec<AnswerCase> {
    [
        ("a status, a byte a second", drip("HTTP/1.1 200 ")),
        ("a header, a byte a second", drip(&format!("{OK}x-a: "))),
        ("a body, a byte a second", drip(&format!("{OK}content-length: 900\r\n\r\n{{"))),
        ("a body without end, a byte a second", drip(&format!("{OK}\r\n"))),
        ("a good grant, and then a byte a second", drip(&format!("{OK}content-length: 900\r\n\r\n{VALID_ANSWER}"))),
        (
            "chunks, one a second",
            login()
                .raw(format!("{OK}transfer-encoding: chunked\r\n\r\n"))
                .then_repeat("1\r\n \r\n", FOREVER)
                .pause_between(Duration::from_secs(1)),
        ),
        (
            "promises, one a second",
            login().raw("").then_repeat("HTTP/1.1 100 Continue\r\n\r\n", FOREVER).pause_between(Duration::from_secs(1)),
        ),
        ("a redirect, a byte a second", drip("HTTP/1.1 302 X\r\nlocation: /")),
        ("promises without end", endless("", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("hints without end", endless("", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")),
        ("a size without end", endless(&format!("{OK}transfer-encoding: chunked\r\n\r\n"), "0")),
        ("silence", login().raw("").keep_open()),
        ("silence after the header", raw(&format!("{OK}content-length: 9"), "").keep_open()),
        ("silence after a part of the body", raw(&format!("{OK}content-length: 900"), VALID_ANSWER).keep_open()),
    ]
    .into_iter()
    .map(|(name, fault)| case(name, fault).stderr_has(TOO_SLOW))
    .collect()
}

#[test]
fn r28_what_is_too_much_is_given_up_with_little_memory() {
    let mut cases = too_much();
    let large = format!("x-a: {}\r\n", "x".repeat(65_536));
    let rejected = |name: &str, fault| case(name, fault).rejected().stderr_has("with status 401");
    cases.extend([
        rejected("a rejection without end", endless("HTTP/1.1 401 X\r\n\r\n", "no ")),
        rejected("a rejection with large headers", raw(&format!("HTTP/1.1 401 X\r\n{large}content-length: 2"), "no")),
        case("an error without end", endless("HTTP/1.1 500 X\r\n\r\n", "no ")).stderr_has("with status 500"),
        case("a redirect without end", endless("HTTP/1.1 302 X\r\nlocation: /x\r\n\r\n", "no "))
            .stderr_has("(status 302)"),
        case("a 503 without end", endless("HTTP/1.1 503 X\r\n\r\n", "no "))
            .stderr_has("with status 503")
            .login_requests(3),
    ]);
    try_all("answers too large, compressed or without end", &cases, 16, &[]);
}

#[test]
fn r28_what_is_too_slow_ends_with_the_profiles_timeout() {
    let mut cases = too_slow();
    for status in [401, 500, 503] {
        let slow = drip(&format!("HTTP/1.1 {status} X\r\n\r\n"));
        cases.push(case(format!("a {status}, a byte a second"), slow).stderr_has(TOO_SLOW));
    }
    try_all("answers too slow or without end", &cases, 32, &["--timeout", "2s"]);
}

#[test]
fn r28_up_to_the_bounds_an_answer_is_good() {
    let padded = format!("{VALID_ANSWER}{}", " ".repeat(MIB - VALID_ANSWER.len()));
    let header = |length: usize| format!("x-a: {}\r\n", "x".repeat(length));
    let cases = [
        case("1 MiB", login().respond(200, padded.as_str())).token_cached(3600),
        case(
            "1 MiB in chunks",
            raw(&format!("{OK}transfer-encoding: chunked"), format!("{MIB:x}\r\n{padded}\r\n0\r\n\r\n")),
        )
        .token_cached(3600),
        case("63 KiB of headers", raw_ok(&header(63 * 1_024), VALID_ANSWER)).token_cached(3600),
        case("90 headers", raw_ok(&header(500).repeat(90), VALID_ANSWER)).token_cached(3600),
    ];
    try_all("answers as large as may be", &cases, 4, &[]);
}

/// Runs `neto token acme` with a clock that is 20 times as fast; `None` without faketime.
fn run_with_fast_clock(sandbox: &Sandbox) -> Option<Outcome> {
    if !faketime_works() {
        return None;
    }
    let arguments = ["-f", "+0 x20", env!("CARGO_BIN_EXE_neto"), "token", "acme", "-v"];
    Some(sandbox.program("faketime", arguments).run())
}

#[test]
fn r28_without_a_timeout_of_its_own_a_profile_has_30_s() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    assert_eq!(sandbox.profile_json("acme")["timeout"], "30s");
    sandbox.server().fault(login().raw("").keep_open());
    let Some(outcome) = run_with_fast_clock(&sandbox) else { return };
    outcome.code(5).stdout("").stderr_has("no answer from 127.0.0.1:").stderr_has("within 30 s");
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
    print_summary(
        "answers: silence, to a profile without a timeout of its own: over after 30 s (of a clock that was hastened)",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn r28_a_connection_that_does_not_come_about_is_given_up_after_10_s_and_tried_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // The listener never accepts. Once its queue is full, the next connection attempt gets no answer.
    let wait = Duration::from_millis(200);
    let waiting: Vec<_> =
        std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, wait).ok()).take(100).collect();
    assert!(waiting.len() < 100, "the queue is never full");
    let sandbox = Sandbox::new();
    let url = format!("http://{address}/api/v1");
    let credential = crate::fusion::Credential { url, ..sandbox.server().add_tenant("acme", "soc") };
    sandbox.neto(["profile", "add", "--timeout", "40s"]).stdin(credential.netosecret()).run().code(0);
    let Some(outcome) = run_with_fast_clock(&sandbox) else { return };
    outcome.code(5).stdout("").stderr_has("no connection to ").stderr_has("it was not made within 10 s");
    outcome.stderr_has("(try 3)").stderr_lacks("(try 4)");
    print_summary("answers: no connection: given up after 10 s, three times (of a clock that was hastened)");
}
