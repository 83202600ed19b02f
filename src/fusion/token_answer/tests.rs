//! Unit tests of `fusion::token_answer`: valid, invalid and unusual responses (R-30, R-31).

use super::*;

fn parse(body: &str) -> Result<Grant, &'static str> {
    Grant::parse(body.as_bytes(), Timestamp::UNIX_EPOCH)
}

fn lifetime(expires_in: &str) -> Option<u64> {
    parse(&format!(r#"{{"access_token":"a.b-c_~+/=","expires_in":{expires_in}}}"#)).unwrap().lifetime
}

#[test]
fn the_documented_response_is_parsed() {
    let grant = parse(
        r#"{"access_token":"a.b.c","expires_in":86400,"refresh_expires_in":172800,"refresh_token":"r.s.t","token_type":"bearer",
            "id_token":"i","not-before-policy":0,"session-state":"s","scope":"email profile"}"#,
    )
    .unwrap();
    assert_eq!((grant.access.reveal(), grant.lifetime), ("a.b.c", Some(86_400)));
    let refresh = grant.refresh.unwrap();
    assert_eq!((refresh.token.reveal(), refresh.lifetime), ("r.s.t", Some(172_800)));
}

#[test]
fn r30_invalid_responses_are_rejected() {
    let nested = |depth: usize| format!(r#"{{"access_token":"a","scope":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let long = |length: usize| format!(r#"{{"access_token":"{}"}}"#, "a".repeat(length));
    let bad = [
        "",
        " ",
        "null",
        "true",
        "5",
        "\"a\"",
        "[]",
        "{}",
        "[{\"access_token\":\"a\"}]",
        "<html><body>hello</body></html>",
        "access_token=a&expires_in=5",
        "\u{feff}{\"access_token\":\"a\"}",
        "{\"access_token\":\"a\"",
        "{\"access_token\":\"a\"}}",
        "{\"access_token\":\"a\"} {\"access_token\":\"b\"}",
        "{\"access_token\":\"a\",}",
        "{'access_token':'a'}",
        r#"{"status":401,"name":"Unauthorized","message":"no"}"#,
        r#"{"data":{"access_token":"a"}}"#,
        r#"{"Access_Token":"a"}"#,
        r#"{"access_token":null}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":5}"#,
        r#"{"access_token":["a"]}"#,
        r#"{"access_token":{"a":"a"}}"#,
        r#"{"access_token":true}"#,
        r#"{"access_token":NaN}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\u0000b"}"#,
        r#"{"access_token":"a\r\nb"}"#,
        r#"{"access_token":"a\nb"}"#,
        r#"{"access_token":"a\"b"}"#,
        r#"{"access_token":"a'b"}"#,
        r#"{"access_token":"a`b$c"}"#,
        r#"{"access_token":"tökén"}"#,
        r#"{"access_token":"a\u001b[31m"}"#,
        r#"{"access_token":"\ud800"}"#,
        "{\"access_token\":\"a\u{0}\"}",
        r#"{"access_token":"a","access_token":"b"}"#,
        r#"{"access_token":"a","scope":"x","scope":"x"}"#,
        r#"{"access_token":"a","access\u005ftoken":"a"}"#,
        r#"{"access_token":"a","scope":{"x":1,"x":1}}"#,
        r#"{"access_token":"a","scope":[{"y":[{"x":1,"x":1}]}]}"#,
        r#"{"access_token":"a","refresh_token":""}"#,
        r#"{"access_token":"a","refresh_token":5}"#,
        r#"{"access_token":"a","refresh_token":"r\n"}"#,
        r#"{"access_token":"a","token_type":"mac"}"#,
        r#"{"access_token":"a","token_type":""}"#,
        r#"{"access_token":"a","token_type":5}"#,
        r#"{"access_token":"a","token_type":"bearer "}"#,
        r#"{"access_token":"a","token_type":["bearer"]}"#,
    ];
    for body in bad.map(str::to_owned).into_iter().chain([
        nested(64),
        nested(100),
        nested(200_000),
        long(16_385),
        "[".repeat(500_000),
    ]) {
        let what = parse(&body).expect_err(&body.chars().take(80).collect::<String>());
        assert!(!what.contains("access\u{5f}token\":"), "{what}");
    }
    assert!(Grant::parse(b"{\"access_token\":\"\xff\"}", Timestamp::UNIX_EPOCH).is_err());
    assert!(parse(&nested(63)).is_ok(), "63 arrays in one object are 64 deep");
    assert!(parse(&long(16_384)).is_ok());
}

#[test]
fn token_type_is_absent_or_bearer_in_any_case() {
    for kind in ["\"bearer\"", "\"Bearer\"", "\"BEARER\"", "null"] {
        assert!(parse(&format!(r#"{{"access_token":"a","token_type":{kind}}}"#)).is_ok(), "{kind}");
    }
    assert!(parse(r#"{"access_token":"a"}"#).unwrap().refresh.is_none());
    assert!(parse(r#"{"access_token":"a","refresh_token":null}"#).unwrap().refresh.is_none());
}

#[test]
fn r31_only_valid_lifetimes_are_accepted() {
    for (written, seconds) in [
        ("3600", 3_600),
        ("3600.0", 3_600),
        ("36e2", 3_600),
        ("1e3", 1_000),
        ("1E+3", 1_000),
        ("1", 1),
        ("1.0", 1),
        ("31536000", 31_536_000),
        ("\"3600\"", 3_600),
        ("\"03600\"", 3_600),
        ("31536000.0", 31_536_000),
    ] {
        assert_eq!(lifetime(written), Some(seconds), "{written}");
    }
    for written in [
        "null",
        "0",
        "0.0",
        "-0",
        "-0.0",
        "-1",
        "-3600",
        "-1e3",
        "31536001",
        "31536000.5",
        "3600.5",
        "0.5",
        "1e-3",
        "1e18",
        "1e308",
        "1e400",
        "1e999999999",
        "-1e400",
        "99999999999999999999999999999999999999",
        "18446744073709551616",
        "NaN",
        "-Infinity",
        "Infinity",
        "true",
        "false",
        "[]",
        "[3600]",
        "{}",
        "{\"s\":3600}",
        "\"\"",
        "\"3600.0\"",
        "\" 3600\"",
        "\"3600 \"",
        "\"+3600\"",
        "\"-3600\"",
        "\"1e3\"",
        "\"NaN\"",
        "\"0\"",
        "\"0x10\"",
        "\"1h\"",
        "\"99999999999999999999\"",
        "\"３６００\"",
    ] {
        assert_eq!(lifetime(written), None, "{written}");
    }
    assert_eq!(parse(r#"{"access_token":"a"}"#).unwrap().lifetime, None);
}

#[test]
fn only_values_that_a_strict_parser_refuses_are_replaced() {
    for (text, mended) in [
        (r#"{"a":NaN}"#, r#"{"a":null}"#),
        (r#"{"a":-Infinity,"b":[Infinity]}"#, r#"{"a":null,"b":[null]}"#),
        (r#"{"NaN":"Infinity \" NaN","b":NaN}"#, r#"{"NaN":"Infinity \" NaN","b":null}"#),
        (r#"{"a":"\\","b":NaN}"#, r#"{"a":"\\","b":null}"#),
        ("NaN\"\\", "null\"\\"),
        (r#"{"a":1e999,"b":[-1e999,1e9]}"#, r#"{"a":null,"b":[null,1e9]}"#),
        (r#"{"a":"\ud83d","b":"\ud83d\ude80\ude80"}"#, r#"{"a":"\ufffd","b":"\ud83d\ude80\ufffd"}"#),
        (r#"{"a":"\\ud83d","b":"\u0041"}"#, r#"{"a":"\\ud83d","b":"\u0041"}"#),
    ] {
        assert_eq!(replace_refused_values(text), mended);
    }
}

#[test]
fn a_grant_does_not_print_its_tokens() {
    let grant = parse(r#"{"access_token":"hidden-a","refresh_token":"hidden-r"}"#).unwrap();
    assert!(!format!("{grant:?}").contains("hidden"));
}
