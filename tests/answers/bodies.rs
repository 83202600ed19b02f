//! R-30: answers with status 200 whose body grants no token: no JSON object, no grant, or an invalid token.

use super::case::{AnswerCase, CANARY_TOKEN, VALID_ANSWER, case, login};
use super::runner::try_all;

const NOT_JSON: &str = "it is not one JSON object";
const NOT_UTF_8: &str = "it is not UTF-8";
const NO_TOKEN: &str = "it holds no access token";
const TWICE: &str = "it names a field twice";
const DEEP: &str = "it nests too deep or names a field twice";
const TYPE: &str = "a field is not of the right type";
const CHARACTERS: &str = "a token has characters or a length that no token has";
const KIND: &str = "its token is not a bearer token";

/// Bodies that are not one JSON object. `TOKEN` is replaced by the planted token and `GOOD` by a valid answer.
const NO_OBJECT: [(&str, &str); 32] = [
    ("nothing", ""),
    ("a blank", " "),
    ("line ends", "\r\n\r\n"),
    ("null", "null"),
    ("true", "true"),
    ("a number", "42"),
    ("a text", "\"TOKEN\""),
    ("an empty array", "[]"),
    ("the answer in an array", "[GOOD]"),
    ("two answers", "GOOD GOOD"),
    ("answers line by line", "GOOD\nGOOD\n"),
    ("a brace too many", "GOOD}"),
    ("a brace too few", "{\"access_token\":\"TOKEN\",\"expires_in\":3600"),
    ("cut in the token", "{\"access_token\":\"TOK"),
    ("a comma too many", "{\"access_token\":\"TOKEN\",\"expires_in\":3600,}"),
    ("single quotes", "{'access_token':'TOKEN'}"),
    ("a name without quotes", "{access_token:\"TOKEN\"}"),
    ("a comment", "/* hello */ GOOD"),
    ("a byte-order mark", "\u{feff}GOOD"),
    ("a NUL before it", "\0GOOD"),
    ("a NUL behind it", "GOOD\0"),
    ("a NUL in a text", "{\"access_token\":\"TOKEN\0\"}"),
    ("a line end in a text", "{\"access_token\":\"TOKEN\n\"}"),
    ("a page", "<!doctype html><html><body>Welcome</body></html>"),
    ("a page that leads on", "<meta http-equiv=\"refresh\" content=\"0;url=http://127.0.0.1:1/\">"),
    ("XML", "<?xml version=\"1.0\"?><access_token>TOKEN</access_token>"),
    ("the token alone", "TOKEN"),
    ("a form", "access_token=TOKEN&expires_in=3600"),
    ("YAML", "access_token: TOKEN\nexpires_in: 3600\n"),
    ("a call of a script", "callback(GOOD)"),
    ("a stream of events", "data: GOOD\n\n"),
    ("a guard against scripts", ")]}',\nGOOD"),
];

const NO_GRANT: [(&str, &str, &str); 36] = [
    ("an empty object", "{}", NO_TOKEN),
    ("an error", r#"{"status":401,"name":"Unauthorized","message":"Missing or invalid credentials"}"#, NO_TOKEN),
    ("an error of OAuth", r#"{"error":"invalid_grant","error_description":"no"}"#, NO_TOKEN),
    ("a token in data", r#"{"meta":{"code":200},"data":{"access_token":"TOKEN"}}"#, NO_TOKEN),
    ("another name", r#"{"token":"TOKEN"}"#, NO_TOKEN),
    ("another spelling", r#"{"accessToken":"TOKEN"}"#, NO_TOKEN),
    ("another case", r#"{"Access_Token":"TOKEN"}"#, NO_TOKEN),
    ("a blank behind the name", r#"{"access_token ":"TOKEN"}"#, NO_TOKEN),
    ("only an id token", r#"{"id_token":"TOKEN","expires_in":3600}"#, NO_TOKEN),
    ("only a refresh token", r#"{"refresh_token":"TOKEN","expires_in":3600}"#, NO_TOKEN),
    ("null for the token", r#"{"access_token":null,"expires_in":3600}"#, NO_TOKEN),
    ("NaN for the token", r#"{"access_token":NaN,"expires_in":3600}"#, NO_TOKEN),
    ("a number for the token", r#"{"access_token":5,"expires_in":3600}"#, TYPE),
    ("true for the token", r#"{"access_token":true,"expires_in":3600}"#, TYPE),
    ("an array for the token", r#"{"access_token":["TOKEN"],"expires_in":3600}"#, TYPE),
    ("an object for the token", r#"{"access_token":{"value":"TOKEN"},"expires_in":3600}"#, TYPE),
    ("half a surrogate in the token", r#"{"access_token":"TOKEN\ud800","expires_in":3600}"#, CHARACTERS),
    ("the token twice", r#"{"access_token":"TOKEN","access_token":"TOKEN"}"#, TWICE),
    ("two tokens", r#"{"access_token":"TOKEN","access_token":"other"}"#, TWICE),
    ("the token twice, once escaped", r#"{"access_token":"TOKEN","access\u005ftoken":"other"}"#, TWICE),
    ("the life twice", r#"{"access_token":"TOKEN","expires_in":1,"expires_in":3600}"#, TWICE),
    ("the refresh token twice", r#"{"access_token":"TOKEN","refresh_token":"a","refresh_token":"b"}"#, TWICE),
    ("an unknown field twice", r#"{"access_token":"TOKEN","x":1,"x":1}"#, TWICE),
    ("a field twice inside another", r#"{"access_token":"TOKEN","x":{"y":1,"y":1}}"#, DEEP),
    ("a field twice deep inside", r#"{"access_token":"TOKEN","x":[[{"y":[{"z":1,"z":2}]}]]}"#, DEEP),
    ("another kind of token", r#"{"access_token":"TOKEN","token_type":"mac"}"#, KIND),
    ("a kind that proves itself", r#"{"access_token":"TOKEN","token_type":"DPoP"}"#, KIND),
    ("a kind without a name", r#"{"access_token":"TOKEN","token_type":""}"#, KIND),
    ("a blank behind the kind", r#"{"access_token":"TOKEN","token_type":"bearer "}"#, KIND),
    ("a NUL behind the kind", r#"{"access_token":"TOKEN","token_type":"bearer\u0000"}"#, KIND),
    ("a kind of wide letters", r#"{"access_token":"TOKEN","token_type":"ｂｅａｒｅｒ"}"#, KIND),
    ("two kinds in one", r#"{"access_token":"TOKEN","token_type":"bearer,mac"}"#, KIND),
    ("a number for the kind", r#"{"access_token":"TOKEN","token_type":1}"#, TYPE),
    ("true for the kind", r#"{"access_token":"TOKEN","token_type":true}"#, TYPE),
    ("an array for the kind", r#"{"access_token":"TOKEN","token_type":["bearer"]}"#, TYPE),
    ("a number for the refresh token", r#"{"access_token":"TOKEN","refresh_token":5}"#, TYPE),
];

/// Characters that no token contains, as written in JSON.
const NO_TOKENS: [(&str, &str); 26] = [
    ("a blank", " "),
    ("a tab", r"\t"),
    ("a line feed", r"\n"),
    ("CR LF", r"\r\n"),
    ("a header", r"\r\nX-Injected: 1"),
    ("a NUL", r"\u0000"),
    ("an escape", r"\u001b[2J"),
    ("a backspace", r"\b"),
    ("a delete", r"\u007f"),
    ("C1", r"\u009b31m"),
    ("a quote", r#"\""#),
    ("an apostrophe", "'"),
    ("a backtick", "`id`"),
    ("a dollar", "$(id)"),
    ("a semicolon", ";id"),
    ("a pipe", "|id"),
    ("an ampersand", "&id"),
    ("a backslash", r"\\"),
    ("a comma", ",b"),
    ("a percent sign", "%0a"),
    ("an umlaut", "ö"),
    ("a wide digit", "１"),
    ("an emoji", "😀"),
    ("a mark of direction", r"\u202e"),
    ("a blank of no width", "\u{200b}"),
    ("a line separator", r"\u2028"),
];

/// All cases of this file.
pub(super) fn cases() -> Vec<AnswerCase> {
    let filled = |body: &str| body.replace("GOOD", VALID_ANSWER).replace("TOKEN", CANARY_TOKEN);
    let body = |name: &str, body: &str, what: &str| {
        case(name, login().respond(200, filled(body))).stderr_has(not_usable(what))
    };
    let mut cases: Vec<AnswerCase> = NO_OBJECT.iter().map(|(name, text)| body(name, text, NOT_JSON)).collect();
    cases.extend(NO_GRANT.iter().map(|(name, text, what)| body(name, text, what)));
    for (name, text) in NO_TOKENS {
        let answer = format!(r#"{{"access_token":"TOKEN{text}","expires_in":3600}}"#);
        cases.push(body(&format!("{name} in the token"), &answer, CHARACTERS));
    }
    for (name, text) in [("none", ""), ("a blank", "a b"), ("a line end", r"a\n"), ("a quote", r#"a\"b"#)] {
        let answer = format!(r#"{{"access_token":"TOKEN","expires_in":3600,"refresh_token":"{text}"}}"#);
        cases.push(body(&format!("{name} in the refresh token"), &answer, CHARACTERS));
    }
    cases.push(body("an empty token", r#"{"access_token":"","expires_in":3600}"#, CHARACTERS));
    for length in [16_385, 1_000_000] {
        let (token, refresh) =
            ("t".repeat(length), format!(r#"{{"access_token":"TOKEN","refresh_token":"{}"}}"#, "t".repeat(length)));
        let answer = format!(r#"{{"access_token":"{token}","expires_in":3600}}"#);
        cases.push(body(&format!("a token of {length} characters"), &answer, CHARACTERS).stderr_lacks("tttt"));
        cases.push(body(&format!("a refresh token of {length} characters"), &refresh, CHARACTERS).stderr_lacks("tttt"));
    }
    for (depth, what) in [(64, DEEP), (1_000, DEEP), (100_000, DEEP)] {
        let inside = |open: &str, close: &str| {
            format!(r#"{{"access_token":"TOKEN","x":{}0{}}}"#, open.repeat(depth), close.repeat(depth))
        };
        cases.push(body(&format!("{depth} arrays inside"), &inside("[", "]"), what));
        cases.push(body(&format!("{depth} objects inside"), &inside(r#"{"x":"#, "}"), what));
    }
    let open = "[".repeat(1_000_000);
    cases.push(body("a million arrays, none of them closed", &open, NOT_JSON));
    cases.push(body(
        "a million arrays inside, none of them closed",
        &format!(r#"{{"access_token":"TOKEN","x":{open}"#),
        NOT_JSON,
    ));
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| VALID_ANSWER.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    for (name, bytes, what) in [
        ("UTF-16, the low byte first", utf_16(u16::to_le_bytes), NOT_JSON),
        ("UTF-16, the high byte first", utf_16(u16::to_be_bytes), NOT_JSON),
        ("UTF-16 with its mark", [b"\xff\xfe".to_vec(), utf_16(u16::to_le_bytes)].concat(), NOT_UTF_8),
        ("a byte of Latin-1", b"{\"access_token\":\"a\",\"scope\":\"\xe9\"}".to_vec(), NOT_UTF_8),
        ("a byte too many of UTF-8", b"{\"access_token\":\"a\",\"scope\":\"\xc0\xaf\"}".to_vec(), NOT_UTF_8),
        ("a surrogate in UTF-8", b"{\"access_token\":\"a\",\"scope\":\"\xed\xa0\x80\"}".to_vec(), NOT_UTF_8),
        ("NULs", vec![0; 4096], NOT_JSON),
    ] {
        cases.push(case(name, login().respond(200, bytes)).stderr_has(not_usable(what)));
    }
    cases
}

fn not_usable(what: &str) -> String {
    format!("is not usable: {what}")
}

#[test]
fn r30_a_body_that_grants_nothing_is_5_and_nothing_of_it_is_kept() {
    try_all("bodies of a 200 that grant nothing", &cases(), 8, &[]);
}
