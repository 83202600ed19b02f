//! Unusual but valid answers: the token is printed and cached without a warning.

use super::case::{AnswerCase, CANARY_TOKEN, VALID_ANSWER, case, login, raw, raw_ok};
use super::runner::try_all;

/// Header lines added to a valid grant.
const HEADERS: [(&str, &str); 22] = [
    ("no content type", ""),
    ("a page by its type", "content-type: text/html\r\n"),
    ("plain text by its type", "content-type: text/plain; charset=utf-16\r\n"),
    ("bytes by its type", "content-type: application/octet-stream\r\n"),
    ("a type that is none", "content-type: ;;;\r\n"),
    ("two types", "content-type: text/html\r\ncontent-type: text/plain\r\n"),
    ("an encoding that is none", "content-encoding: identity\r\n"),
    ("the same in capitals", "Content-Encoding: IDENTITY\r\n"),
    ("a file to keep", "content-disposition: attachment; filename=\"../../x\"\r\n"),
    ("a connection that stays", "connection: keep-alive\r\nkeep-alive: timeout=1000\r\n"),
    ("an upgrade on offer", "upgrade: h2c\r\nconnection: upgrade\r\n"),
    ("another way on offer", "alt-svc: h3=\":1\"\r\n"),
    ("a cookie", "set-cookie: a=b\r\n"),
    ("a date long ago", "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
    ("a date far ahead", "date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
    ("a date that is none", "date: yesterday\r\n"),
    ("an age", "age: 999999999\r\nexpires: 0\r\n"),
    ("a wish to be left alone", "retry-after: 3600\r\n"),
    ("a value of other bytes", "x-a: ü\r\n"),
    ("a length twice", "content-length: 61\r\n"),
    ("an empty value", "x-a:\r\n"),
    ("trailers to come", "trailer: x\r\n"),
];

/// Bodies that grant the planted token for an hour.
const BODIES: [(&str, &str); 16] = [
    ("white space around", " \t\r\n{ \"access_token\" : \"TOKEN\" ,\n\"expires_in\" : 3600 }\r\n\r\n"),
    ("the kind in capitals", r#"{"access_token":"TOKEN","expires_in":3600,"token_type":"BEARER"}"#),
    ("the kind in mixed case", r#"{"access_token":"TOKEN","expires_in":3600,"token_type":"BeArEr"}"#),
    ("no kind", r#"{"access_token":"TOKEN","expires_in":3600,"token_type":null}"#),
    (
        "no refresh token",
        r#"{"access_token":"TOKEN","expires_in":3600,"refresh_token":null,"refresh_expires_in":null}"#,
    ),
    ("a refresh token without an end", r#"{"access_token":"TOKEN","expires_in":3600,"refresh_token":"abc"}"#),
    ("an end without a refresh token", r#"{"access_token":"TOKEN","expires_in":3600,"refresh_expires_in":60}"#),
    ("an escaped token", r#"{"access_token":"planted\u002dtoken-\u0030123456789","expires_in":3600}"#),
    ("escaped names", r#"{"\u0061ccess_token":"TOKEN","expires\u005fin":3600}"#),
    ("unknown fields", r#"{"access_token":"TOKEN","expires_in":3600,"x":{"y":[1,2,{"z":null}]},"":0}"#),
    ("a number beyond all numbers beside it", r#"{"access_token":"TOKEN","expires_in":3600,"x":1e999999999}"#),
    ("no number beside it", r#"{"access_token":"TOKEN","expires_in":3600,"x":[NaN,-Infinity]}"#),
    ("hostile text beside it", r#"{"access_token":"TOKEN","expires_in":3600,"scope":"\u001b[2J\u0000\u202e"}"#),
    ("other tokens beside it", r#"{"id_token":"i j","session-state":5,"access_token":"TOKEN","expires_in":3600}"#),
    ("an error beside it", r#"{"error":"x","status":401,"access_token":"TOKEN","expires_in":3600}"#),
    ("a field of the same name inside", r#"{"x":{"access_token":"other"},"access_token":"TOKEN","expires_in":3600}"#),
];

fn cases() -> Vec<AnswerCase> {
    assert_eq!(VALID_ANSWER.len(), 61, "a length stands in the list");
    let good = |name: &str, fault| case(name, fault).token_cached(3600);
    let mut cases: Vec<AnswerCase> =
        HEADERS.iter().map(|(name, header)| good(name, raw_ok(header, VALID_ANSWER))).collect();
    cases.extend(
        BODIES.iter().map(|(name, body)| good(name, login().respond(200, body.replace("TOKEN", CANARY_TOKEN)))),
    );
    let ok = "HTTP/1.1 200 OK\r\n";
    let whole = format!("{ok}content-length: {}\r\n\r\n{VALID_ANSWER}", VALID_ANSWER.len());
    let chunked = |body: &str| raw(&format!("{ok}transfer-encoding: chunked"), body);
    let single = VALID_ANSWER.chars().fold(String::new(), |all, c| all + "1\r\n" + &c.to_string() + "\r\n");
    let size = VALID_ANSWER.len();
    cases.extend([
        good("a byte in a chunk", chunked(&format!("{single}0\r\n\r\n"))),
        good("chunks with words", chunked(&format!("{size:X};a=b;c=\"d\"\r\n{VALID_ANSWER}\r\n0;e\r\n\r\n"))),
        good("trailers", chunked(&format!("{size:x}\r\n{VALID_ANSWER}\r\n0\r\nx-a: 1\r\ncontent-length: 5\r\n\r\n"))),
        good("a body up to the end", raw(ok.trim_end(), VALID_ANSWER)),
        good("HTTP 1.0", raw("HTTP/1.0 200 OK", VALID_ANSWER)),
        good("no reason", raw("HTTP/1.1 200 ", VALID_ANSWER)),
        good("another reason", raw("HTTP/1.1 200 Internal Server Error", VALID_ANSWER)),
        good("line feeds alone", login().raw(whole.replace("\r\n", "\n"))),
        good("blank lines before it", login().raw(format!("\r\n\r\n{whole}"))),
        good("a promise before it", login().raw(format!("HTTP/1.1 100 Continue\r\n\r\n{whole}"))),
        good("three hints before it", login().raw("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(3) + &whole)),
        good("a second answer behind it", login().raw(format!("{whole}HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n"))),
        good("nonsense behind it", login().raw(format!("{whole}\0\0\u{1b}[2J"))),
        good("a connection that is not ended", login().raw(whole.clone()).keep_open()),
    ]);
    let nested =
        format!(r#"{{"access_token":"{CANARY_TOKEN}","expires_in":3600,"x":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    cases.push(good("64 deep", login().respond(200, nested)));
    cases
}

#[test]
fn an_odd_answer_that_is_good_is_taken_without_a_word() {
    try_all("answers that look odd and are good", &cases(), 8, &[]);
}

#[test]
fn the_longest_token_and_every_character_of_one_is_taken() {
    let runner = super::runner::CaseRunner::new(1, &[]);
    let sandbox = &runner.sandbox;
    let every = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-";
    for token in ["a", "-", "=", every, &every.repeat(300)[..16_384]] {
        sandbox.server().clear_faults();
        sandbox.server().fault(login().respond(200, format!(r#"{{"access_token":"{token}","expires_in":3600}}"#)));
        sandbox.neto(["token", "acme-0", "--force"]).run().code(0).stderr("").stdout(&format!("{token}\n"));
        sandbox.neto(["token", "acme-0", "--offline"]).run().code(0).stderr("").stdout(&format!("{token}\n"));
    }
}
