//! Tests the test server itself with requests sent over a plain socket: accepted, rejected, and with faults.

use super::{Authority, Credential, Fault, Gate, Leaf, REFRESH, Server, TOKEN};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Sends a request and returns everything received until the connection ends.
fn exchange(server: &Server, head: &str, body: &str) -> String {
    let address = server.origin().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let length = body.len();
    let text = format!("{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("the request goes out");
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).expect("text")
}

/// Returns the status and the JSON body of a response. A body that is not JSON becomes `null`.
fn parse_response(response: &str) -> (u16, Value) {
    let (head, body) = response.split_once("\r\n\r\n").expect("a header");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn jwt(header: &Value, claims: &Value, sharedsecret: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(sharedsecret.as_bytes()).expect("a key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims(credential: &Credential, jti: u64) -> Value {
    json!({
        "iat": super::server::epoch_seconds(), "jti": jti, "appname": credential.appname,
        "appkey": credential.appkey, "shortname": credential.shortname,
    })
}

fn post(server: &Server, path: &str, media_type: &str, body: &str) -> (u16, Value) {
    parse_response(&exchange(server, &format!("POST {path} HTTP/1.1\r\ncontent-type: {media_type}"), body))
}

fn login(server: &Server, credential: &Credential, jti: u64) -> (u16, Value) {
    let token = jwt(&json!({"alg": "HS256", "typ": "JWT"}), &claims(credential, jti), &credential.sharedsecret);
    post(server, TOKEN, "application/json", &json!({"jwt": token}).to_string())
}

fn refresh(server: &Server, token: &str) -> (u16, Value) {
    post(server, REFRESH, "application/x-www-form-urlencoded", &format!("refresh_token={token}"))
}

#[test]
fn a_login_as_the_reference_says_is_granted() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    let (status, grant) = login(&server, &credential, 1);
    assert_eq!((status, &grant["token_type"], &grant["expires_in"]), (200, &json!("bearer"), &json!(86_400)));
    let bearer = grant["access_token"].as_str().expect("a token");
    let head = format!("GET /api/v1/devices?limit=1 HTTP/1.1\r\nauthorization: Bearer {bearer}");
    let (status, echo) = parse_response(&exchange(&server, &head, ""));
    assert_eq!((status, &echo["data"]["shortname"], &echo["data"]["query"]), (200, &json!("acme"), &json!("limit=1")));
    assert_eq!((server.logins(), server.request_count(TOKEN), server.violations()), (1, 1, Vec::<String>::new()));
}

#[test]
fn what_is_against_the_reference_is_refused_and_kept() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    let head = json!({"alg": "HS256", "typ": "JWT"});
    let valid_claims = claims(&credential, 7);
    let with = |name: &str, value: Value| {
        let mut claims = valid_claims.clone();
        claims[name] = value;
        claims
    };
    let cases = [
        ("another alg", json!({"alg": "HS512"}), valid_claims.clone()),
        ("a field too many in the header", json!({"alg": "HS256", "kid": "1"}), valid_claims.clone()),
        ("a claim too many", head.clone(), with("exp", json!(1))),
        ("a jti of text", head.clone(), with("jti", json!("7"))),
        ("a jti too large", head.clone(), with("jti", json!(1_u64 << 53))),
        ("an iat with a fraction", head.clone(), with("iat", json!(1.5))),
        ("an iat long ago", head.clone(), with("iat", json!(1))),
    ];
    for (number, (what, head, claims)) in cases.iter().enumerate() {
        let body = json!({"jwt": jwt(head, claims, &credential.sharedsecret)}).to_string();
        assert_eq!(post(&server, TOKEN, "application/json", &body).0, 401, "{what}");
        assert_eq!(server.violations().len(), number + 1, "{what}: {:?}", server.violations());
    }
    let token = jwt(&head, &claims(&credential, 9), &credential.sharedsecret);
    let before = server.violations().len();
    let bodies = [
        ("application/x-www-form-urlencoded", json!({"jwt": token})),
        ("application/json", json!({"jwt": token, "shortname": "acme"})),
        ("application/json", json!([token])),
    ];
    for (number, (media_type, body)) in bodies.iter().enumerate() {
        assert_eq!(post(&server, TOKEN, media_type, &body.to_string()).0, 401, "{media_type} {body}");
        assert_eq!(server.violations().len(), before + number + 1);
    }
    assert_eq!(server.logins(), 0);
}

#[test]
fn a_jti_counts_once() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    assert_eq!(login(&server, &credential, 5).0, 200);
    assert_eq!(login(&server, &credential, 5).0, 401);
    assert_eq!(server.violations(), ["POST /api/v1/auth/token: this jti came before"]);
}

#[test]
fn a_wrong_credential_is_no_breach_of_the_reference() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    let other = server.add_tenant("globex", "soc");
    let wrong_credentials = [
        Credential { sharedsecret: other.sharedsecret.clone(), ..credential.clone() },
        Credential { appkey: other.appkey, ..credential.clone() },
        Credential { shortname: "initech".to_owned(), ..credential.clone() },
    ];
    for (jti, credential) in (0_u64..).zip(&wrong_credentials) {
        let (status, body) = login(&server, credential, jti);
        assert_eq!((status, &body["name"]), (401, &json!("Unauthorized")));
    }
    assert_eq!((server.logins(), server.violations()), (0, Vec::<String>::new()));
}

#[test]
fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    let (_, first) = login(&server, &credential, 1);
    let first = first["refresh_token"].as_str().expect("a refresh token");
    let (status, second) = refresh(&server, first);
    let second = second["refresh_token"].as_str().expect("another refresh token");
    assert_eq!((status, server.refreshes()), (200, 1));
    assert_eq!(refresh(&server, first).0, 400);
    assert_eq!(server.reused_refresh_tokens(), [first]);
    assert_eq!(refresh(&server, second).0, 400, "the session has ended");
    assert_eq!(server.reused_refresh_tokens().len(), 1);
    assert_eq!(refresh(&server, "unheard-of").0, 400);
}

#[test]
fn regenerating_wants_the_complete_object_and_stops_the_old_key() {
    let server = Server::http();
    let old = server.add_tenant("acme", "soc");
    let (_, grant) = login(&server, &old, 1);
    let bearer = grant["access_token"].as_str().expect("a token");
    let head = format!(
        "PUT /api/v1/api-keys/soc/regen HTTP/1.1\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json"
    );
    assert_eq!(parse_response(&exchange(&server, &head, r#"{"description": "d"}"#)).0, 400);
    let (status, response) = parse_response(&exchange(&server, &head, r#"{"description": "d", "roles": ["admin"]}"#));
    let appkey = response["data"]["appkey"].as_str().expect("a new key").to_owned();
    assert_eq!((status, login(&server, &old, 2).0), (200, 401));
    assert_eq!(login(&server, &Credential { appkey, ..old }, 3).0, 200);
}

#[test]
fn faults_strike_where_and_as_often_as_they_were_set() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    let other = server.add_tenant("globex", "soc");
    server.fault(Fault::at(TOKEN).for_tenant("acme").skip(1).times(2).error(503, "later").header("retry-after", "1"));
    let statuses: Vec<u16> = (0..4).map(|jti| login(&server, &credential, jti).0).collect();
    assert_eq!((statuses, login(&server, &other, 9).0), (vec![200, 503, 503, 200], 200));
}

#[test]
fn an_answer_can_be_cut_lost_dripped_or_any_bytes() {
    let server = Server::http();
    server.fault(Fault::at("/api/v1/*").once().raw("no HTTP at all"));
    server.fault(Fault::at("/api/v1/*").once().close());
    server.fault(Fault::at("/api/v1/*").once().cut_body(5));
    server.fault(Fault::at("/api/v1/*").once().drip(std::time::Duration::ZERO));
    let get = || exchange(&server, "GET /api/v1/x HTTP/1.1", "");
    assert_eq!(get(), "no HTTP at all");
    assert_eq!(get(), "");
    assert!(get().ends_with("\r\n\r\n{\"mes"), "five bytes of the body");
    assert_eq!(parse_response(&get()).0, 401);
}

#[test]
fn an_answer_can_go_on_and_on_and_depend_on_what_was_sent() {
    let server = Server::http();
    let raw_then_repeated = |times| Fault::at("/api/v1/x").once().raw("a").then_repeat("bc", times);
    server.fault(raw_then_repeated(3));
    server.fault(raw_then_repeated(2).pause_between(std::time::Duration::from_millis(1)));
    server.fault(Fault::at("/api/v1/y").respond_with(|request| (418, request.query.clone())).moved_to("/api/v1/x"));
    let get = || exchange(&server, "GET /api/v1/x?said HTTP/1.1", "");
    assert_eq!((get(), get()), ("abcbcbc".to_owned(), "abcbc".to_owned()));
    let response = get();
    assert!(response.starts_with("HTTP/1.1 418 ") && response.ends_with("\r\n\r\nsaid"), "{response}");
    server.clear_faults();
    // The server must stop sending when the client disconnects, and then serve other clients.
    for fault in [raw_then_repeated(u64::MAX), raw_then_repeated(0).keep_open()] {
        server.fault(fault);
        let address = server.origin().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.write_all(b"GET /api/v1/x HTTP/1.1\r\nhost: x\r\n\r\n").expect("the request goes out");
        assert_eq!(stream.read(&mut [0; 1]).expect("an answer"), 1);
        drop(stream);
        assert_eq!(parse_response(&get()).0, 401);
    }
}

#[test]
fn a_gate_holds_a_request_until_it_is_opened() {
    let server = Server::http();
    let gate = Gate::new();
    server.fault(Fault::at("/api/v1/x").hold_at(&gate));
    std::thread::scope(|scope| {
        let request = scope.spawn(|| exchange(&server, "GET /api/v1/x HTTP/1.1", ""));
        gate.wait_for_requests(1);
        assert!(!request.is_finished());
        gate.open();
        assert_eq!(parse_response(&request.join().expect("an answer")).0, 401);
    });
}

#[test]
fn the_clock_can_be_moved() {
    let server = Server::http();
    let credential = server.add_tenant("acme", "soc");
    server.set_clock_skew(-400 * 86_400);
    let response = exchange(&server, "GET /api/v1/x HTTP/1.1", "");
    let year = jiff::Timestamp::now().strftime("%Y").to_string();
    let date = response.lines().find(|line| line.starts_with("date: ")).expect("a date").to_owned();
    assert!(!date.contains(&year), "{date}");
    assert_eq!((login(&server, &credential, 1).0, server.violations()), (401, Vec::<String>::new()));
}

#[test]
fn https_shows_a_leaf_of_the_authority() {
    let authority = Authority::new();
    assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    for leaf in [Leaf::Valid, Leaf::Expired, Leaf::OtherName] {
        assert!(Server::https(&authority, leaf).url().starts_with("https://127.0.0.1:"));
    }
}
