//! Unit tests of `fusion::server_text`.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJhcHBrZXkiOiJrZXktMSJ9.c2lnbmF0dXJlLW9mLWl0";

fn redactor() -> Redactor {
    Redactor::new(vec![
        JWT.to_owned().into(),
        "appkey-0123456789".to_owned().into(),
        "pass word&1".to_owned().into(),
        String::new().into(),
    ])
}

#[test]
fn r32_secrets_of_the_request_are_redacted() {
    for echo in [
        format!("bad token {JWT}"),
        format!("bad token {}", &JWT[..40]),
        "bad part eyJhcHBrZXkiOiJrZXktMSJ9".to_owned(),
        "bad part c2lnbmF0dXJlLW9mLWl0.".to_owned(),
        "key appkey-0123456789!".to_owned(),
        "key appkey-012345".to_owned(),
        "key \u{200b}appkey-01\u{0}23456789".to_owned(),
        "key \u{2060}appkey-01\u{ad}23456789".to_owned(),
        "part %63%32%6C%6E%62%6D%46%30%64%58%4A%6C%4C%57%39%6D%4C%57%6C%30".to_owned(),
        "form pass+word%261".to_owned(),
        "form pass word&1".to_owned(),
        "form %70%61%73%73%20%77%6F%72%64%26%31 and %70%61%73%73%20%77%6f%72%64%26%31".to_owned(),
        "hex 7061737320776f72642631 and 7061737320776F72642631".to_owned(),
    ] {
        let shown = redacted_line(&redactor(), &echo);
        assert!(shown.contains("[redacted]"), "{shown}");
        for piece in ["eyJ", "c2lnbmF0", "appkey-0", "pass"] {
            assert!(!shown.contains(piece), "{shown}");
        }
    }
}

#[test]
fn r32_secrets_of_the_request_are_redacted_at_any_position_in_base64() {
    for secret in ["a?b>c~", "pass word&1", "a?b>c~d\u{e9}f", "0123456789abcdef"] {
        let redactor = Redactor::new(vec![secret.to_owned().into()]);
        for before in ["", "x", "xy", "xyz"] {
            for (after, base) in [("", &STANDARD_NO_PAD), ("tail", &STANDARD_NO_PAD), ("&", &URL_SAFE_NO_PAD)] {
                let shown = redacted_line(&redactor, &base.encode(format!("{before}{secret}{after}")));
                assert!(shown.contains("[redacted]"), "{before:?} {secret} {after}: {shown}");
            }
        }
    }
    // In hex and base64, a short secret would match by chance; its form-encoded spelling is distinctive.
    assert_eq!(
        redacted_line(&Redactor::new(vec!["a&1".to_owned().into()]), "612631 YSYx a%261 %61%26%31"),
        "612631 YSYx [redacted] [redacted]"
    );
    assert_eq!(redacted_line(&Redactor::new(vec![String::new().into()]), "plain"), "plain");
}

#[test]
fn r32_text_becomes_one_short_sanitized_line() {
    let shown = redacted_line(&redactor(), &"é ".repeat(10_000));
    assert_eq!(shown.chars().count(), MAX_SHOWN_CHARACTERS + 1);
    assert_eq!(redacted_line(&redactor(), "a\r\n\tb\u{1b}[31mc\u{202e}d\u{9b}e"), "a b[31mcde");
    assert_eq!(redacted_line(&redactor(), "Missing or invalid credentials"), "Missing or invalid credentials");
}

#[test]
fn the_message_of_an_error_response_is_extracted() {
    for (body, words) in [
        (r#"{"status":401,"name":"Unauthorized","message":"bad credentials"}"#, "bad credentials"),
        (r#"{"status":401,"name":"Unauthorized"}"#, "Unauthorized"),
        ("{}", ""),
        (r#"{"message":5}"#, ""),
        ("<html>no</html>", ""),
        ("", ""),
        ("slow down\n", "slow down"),
    ] {
        assert_eq!(error_message(&redactor(), body.as_bytes()), words, "{body}");
    }
    assert_eq!(error_message(&redactor(), b"\xff\xfe"), "");
}
