//! Unit tests of `secret::netosecret`.

use super::*;
use crate::secret::FieldProblem;
use proptest::prelude::*;

/// Sample from the published API reference, without padding as printed there.
const SAMPLE: &str = "ewogICJ1cmwiOiAiaHR0cHM6Ly9hcGkubmV0b2dyYXBoeS5jb20vYXBpL3YxIiwKICAic2hvcnRuYW1lIjogIm15c2hvcnRuYW1lIiwKICAiYXBwbmFtZSI6ICJteWFwcG5hbWUiLAogICJzaGFyZWRzZWNyZXQiOiAibXlzaGFyZWRzZWNyZXQiLAogICJhcHBrZXkiOiAibXlhcHBrZXkiCn0";

fn sample() -> NetoSecret {
    NetoSecret {
        url: "https://api.netography.com/api/v1".parse().unwrap(),
        shortname: "myshortname".to_owned(),
        appname: "myappname".to_owned(),
        appkey: Secret::new("myappkey".to_owned()),
        sharedsecret: Secret::new("mysharedsecret".to_owned()),
        ignored: Vec::new(),
    }
}

fn encode(json: &str) -> String {
    BASE64_STANDARD.encode(json)
}

#[test]
fn the_published_sample_is_parsed() {
    assert_eq!(NetoSecret::parse(SAMPLE), Ok(sample()));
    assert_eq!(NetoSecret::parse(sample().render().reveal()), Ok(sample()));
}

#[test]
fn r44_pasted_variants_are_parsed() {
    let wrapped = |end: &str| {
        SAMPLE.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(end)
    };
    for text in [
        format!("{SAMPLE}="),
        format!("\u{feff}{SAMPLE}\r\n"),
        wrapped("\n"),
        wrapped("\r\n") + "\r\n",
        wrapped("\n    "),
        format!("'{SAMPLE}'"),
        format!(" \" {SAMPLE}= \" "),
        format!("\u{201c}{SAMPLE}\u{201d}"),
        format!("NETOSECRET={SAMPLE}"),
        format!("NETOSECRET = '{SAMPLE}='"),
        format!("export NETOSECRET=\"{SAMPLE}\";\n"),
        format!("\"NETOSECRET={SAMPLE}\""),
        format!("$env:NETOSECRET = \"{SAMPLE}\""),
    ] {
        assert_eq!(NetoSecret::parse(&text), Ok(sample()), "{text}");
    }
}

#[test]
fn equivalent_urls_are_parsed() {
    for url in ["https://api.netography.com", "https://api.netography.com/", "https://API.netography.com/api/v1/"] {
        let json = format!(
            r#"{{"url":"{url}","shortname":"myshortname","appname":"myappname","appkey":"myappkey","sharedsecret":"mysharedsecret"}}"#
        );
        assert_eq!(NetoSecret::parse(&encode(&json)), Ok(sample()), "{url}");
    }
}

#[test]
fn r44_errors_name_the_failed_step_but_no_value() {
    let field = |name, problem| NetoSecretError::Field(FieldError { name, problem });
    let with = |name: &str, value: &str| {
        let mut json = serde_json::json!({"url": "https://a.example", "shortname": "s", "appname": "a", "appkey": "canary", "sharedsecret": "canary"});
        json[name] = serde_json::from_str(value).unwrap();
        encode(&json.to_string())
    };
    let number = FieldProblem::WrongType { expected: "a text", found: "a number" };
    for (text, expected) in [
        (String::new(), NetoSecretError::Empty),
        (" \"\" ".to_owned(), NetoSecretError::Empty),
        ("A".repeat(70_000), NetoSecretError::TooLong),
        ("canary canary!".to_owned(), NetoSecretError::Base64),
        (format!("\"{SAMPLE}"), NetoSecretError::Base64),
        (format!("{SAMPLE}=A"), NetoSecretError::Base64),
        (r#"{"url": "https://a.example"}"#.to_owned(), NetoSecretError::Base64),
        (BASE64_STANDARD.encode([0xff, 0xfe]), NetoSecretError::Utf8),
        (encode("canary"), NetoSecretError::Json(JsonError::Syntax { line: 1, column: 1 })),
        (
            encode(r#"{"appkey":"x","appkey":"y"}"#),
            NetoSecretError::Json(JsonError::DuplicateKey { key: "appkey".to_owned(), level: 1 }),
        ),
        (encode(&"[".repeat(500)), NetoSecretError::Json(JsonError::TooDeep)),
        (encode("[]"), NetoSecretError::NotObject { found: "an array" }),
        (encode("{}"), field("url", FieldProblem::Missing)),
        (encode(r#"{"url":"https://a.example"}"#), field("shortname", FieldProblem::Missing)),
        (with("appkey", "5"), field("appkey", number)),
        (with("sharedsecret", r#""""#), field("sharedsecret", FieldProblem::Empty)),
        (with("appname", r#""a\u0007canary""#), field("appname", FieldProblem::ControlCharacter)),
        (with("shortname", r#""a\ncanary""#), field("shortname", FieldProblem::ControlCharacter)),
        (
            with("url", r#""http://canary.example""#),
            field("url", FieldProblem::Url(crate::profile::UrlError::Insecure)),
        ),
    ] {
        let error = NetoSecret::parse(&text).unwrap_err();
        assert_eq!(error, expected, "{text:.60}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn unknown_fields_leave_only_a_sanitized_name() {
    let json = r#"{"url":"https://api.netography.com","shortname":"myshortname","appname":"myappname","appkey":"myappkey","sharedsecret":"mysharedsecret","\u001b]0;x":{"deep":["canary"]},"role":"canary"}"#;
    let read = NetoSecret::parse(&encode(json)).unwrap();
    assert_eq!(read.ignored, ["?]0;x", "role"]);
    assert!(!format!("{read:?}").contains("canary"));
}

/// Rewrites a NETOSECRET as portals, mails and shells may do.
fn reformat(text: &str, urlsafe: bool, pad: bool, wrap: usize, end: usize, quote: usize, prefix: usize) -> String {
    let alphabet = if urlsafe { text.replace('+', "-").replace('/', "_") } else { text.to_owned() };
    let padded = if pad { alphabet } else { alphabet.trim_end_matches('=').to_owned() };
    let lines: Vec<&str> = padded.as_bytes().chunks(wrap).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let quote = ["", "'", "\"", "`"][quote];
    let prefix = ["", "NETOSECRET=", "export NETOSECRET=", "  NETOSECRET = ", "$env:NETOSECRET = "][prefix];
    format!("{prefix}{quote}{}{quote}\n", lines.join(["\n", "\r\n", " ", "\t", "\n  "][end]))
}

proptest! {
    #[test]
    fn any_netosecret_survives_reformatting(
        names in prop::array::uniform4("[^\\p{Cc}]{1,40}"),
        host in "[a-z]{1,10}\\.example", tail in prop::sample::select(vec!["", "/", "/api/v1", "/api/v1/"]),
        urlsafe: bool, pad: bool, wrap in 1usize..100, end in 0usize..5, quote in 0usize..4, prefix in 0usize..5,
    ) {
        let [shortname, appname, appkey, sharedsecret] = names;
        let url = format!("https://{host}{tail}").parse().unwrap();
        let secret = NetoSecret { url, shortname, appname, appkey: appkey.into(), sharedsecret: sharedsecret.into(), ignored: vec![] };
        let text = reformat(secret.render().reveal(), urlsafe, pad, wrap, end, quote, prefix);
        prop_assert_eq!(NetoSecret::parse(&text), Ok(secret));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = NetoSecret::parse(&text);
        let _ = NetoSecret::parse(&BASE64_STANDARD.encode(bytes));
    }
}
