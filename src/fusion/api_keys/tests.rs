//! Unit tests of `fusion::api_keys`.

use super::*;

fn key(last_login: Option<i64>) -> ApiKey {
    ApiKey {
        appname: "soc".to_owned(),
        description: String::new(),
        roles: None,
        last_login: last_login.map(|seconds| Timestamp::from_second(seconds).unwrap()),
        last_ip: None,
    }
}

#[test]
fn the_documented_response_is_parsed() {
    let one = r#"{"appname": "soc", "description": "d", "roles": ["admin"], "last_login": 1700000000, "last_ip": "192.0.2.1"}"#;
    let whole = ApiKey {
        description: "d".to_owned(),
        roles: Some(vec!["admin".to_owned()]),
        last_ip: Some("192.0.2.1".to_owned()),
        ..key(Some(1_700_000_000))
    };
    let bare = r#"{"appname": "soc", "last_ip": ""}"#;
    let body = format!(r#"{{"meta": {{"code": 200}}, "data": [{one}, {bare}, {{"description": "d"}}]}}"#);
    let listed = ListResponse { rows: vec![whole, key(None)], unreadable: 1 };
    assert_eq!(ApiKey::parse_list(body.as_bytes()), Ok(listed));
}

#[test]
fn a_row_with_an_invalid_last_login_is_unreadable() {
    let parse = |time: &str| {
        let body = format!(r#"{{"data": [{{"appname": "soc", "last_login": {time}}}]}}"#);
        ApiKey::parse_list(body.as_bytes()).ok().and_then(|listed| listed.rows.into_iter().next())
    };
    for (written, read) in [
        ("null", None),
        ("0", None),
        ("0.0", None),
        ("1700000000", Some(1_700_000_000)),
        ("1700000000.9", Some(1_700_000_000)),
        ("1.7e9", Some(1_700_000_000)),
    ] {
        assert_eq!(parse(written), Some(key(read)), "{written}");
    }
    for written in ["1e300", "9999999999999", "\"1700000000\"", "true", "[]", "-1e300"] {
        assert_eq!(parse(written), None, "{written}");
    }
}

fn definition() -> KeyDefinition {
    let roles = vec!["admin".to_owned()];
    KeyDefinition { appname: "soc automation".to_owned(), description: "d \"q\"".to_owned(), roles }
}

#[test]
fn the_calls_match_the_reference() {
    let render = |call: Call| {
        let body = call.body.map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
        format!("{} {} {body}", call.method, call.path.as_str())
    };
    let named = "/api/v1/api-keys/soc%20automation";
    assert_eq!(ApiKey::path_of("soc automation").unwrap().as_str(), named);
    assert_eq!(render(ApiKey::delete_call("soc automation").unwrap()), format!("DELETE {named} "));
    let complete = r#"{"description":"d \"q\"","roles":["admin"]}"#;
    assert_eq!(render(definition().regenerate_call().unwrap()), format!("PUT {named}/regen {complete}"));
    let whole = r#"{"appname":"soc automation","description":"d \"q\"","roles":["admin"]}"#;
    assert_eq!(render(definition().create_call().unwrap()), format!("POST /api/v1/api-keys {whole}"));
    for strange in ["", ".", "..", "a/b"] {
        assert!(ApiKey::path_of(strange).is_err(), "{strange:?} would be another place");
        assert!(KeyDefinition { appname: strange.to_owned(), ..definition() }.create_call().is_err(), "{strange:?}");
    }
}

#[test]
fn a_key_definition_requires_roles() {
    let parse = |body: &str| KeyDefinition::parse("soc", body.as_bytes()).map(|key| (key.description, key.roles));
    let roles = vec!["a".to_owned()];
    for (body, wanted) in [
        (r#"{"data":{"appname":"soc","description":"d","roles":["a"],"last_login":1}}"#, Ok(("d", roles.clone()))),
        (r#"{"meta":{},"data":[{"roles":["a"]}]}"#, Ok(("", roles))),
        (r#"{"data":{"roles":[],"description":null}}"#, Ok(("", Vec::new()))),
        (r#"{"data":{"appname":"soc"}}"#, Err("it does not say which roles the key has")),
        (r#"{"data":{"appname":"other","roles":[]}}"#, Err("it is about another key")),
        (r#"{"data":[]}"#, Err("its data cannot be read")),
        (r#"{"data":[{"roles":[]},{"roles":[]}]}"#, Err("its data cannot be read")),
        (r#"{"data":{"roles":"a"}}"#, Err("its data cannot be read")),
        ("<html>", Err("it is not one JSON object")),
    ] {
        assert_eq!(parse(body), wanted.map(|(text, roles)| (text.to_owned(), roles)), "{body}");
    }
}

#[test]
fn an_appkey_is_a_short_text_without_control_characters() {
    let parse = |appkey: &str, appname: &str| {
        let body = format!(r#"{{"data":{{"appname":"{appname}","appkey":{appkey}}}}}"#);
        definition().parse_appkey(body.as_bytes())
    };
    let own = definition().appname;
    assert_eq!(parse(r#""k-1""#, &own).unwrap().reveal(), "k-1");
    assert_eq!(parse(r#""k-1""#, "other").unwrap_err(), "it is about another key");
    for wrong in [r#""""#, r#""a\nb""#, r#""a\u0000""#, "5", "null", r#"["k"]"#] {
        assert!(parse(wrong, &own).is_err(), "{wrong}");
    }
    assert!(parse(&format!("\"{}\"", "k".repeat(MAX_APPKEY_BYTES + 1)), &own).is_err());
}
