//! Requests that a decoy accepts, forwards, rejects and logs.

use super::running::{RunningProxy, add_acme};
use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::Sandbox;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

/// Shell command that sends a request and prints the status of its answer.
const ASK: &str = "curl -sS -o answer -w '%{http_code}' -H \"Authorization: Bearer $NETO_TOKEN\" $NETO_URL/x";

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The five claims for a login with the decoy's own credential.
fn claims(proxy: &RunningProxy<'_>) -> Value {
    let own = proxy.credential();
    json!({"iat": now(), "jti": 1, "appname": own["appname"], "appkey": own["appkey"], "shortname": own["shortname"]})
}

#[test]
fn the_environment_is_the_profiles_with_nothing_real_in_it() {
    let sandbox = Sandbox::new();
    let real = add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &["--with-secret"]);
    let (own, url) = (proxy.credential(), format!("http://127.0.0.1:{}/api/v1", proxy.port));
    for (name, value) in [
        ("NETO_PROFILE", "acme"),
        ("NETO_SHORTNAME", "acme"),
        ("NETO_APPNAME", "soc"),
        ("NETO_URL", &url),
        ("NETO_APPKEY", own["appkey"].as_str().unwrap()),
        ("NETO_SHARED_SECRET", own["sharedsecret"].as_str().unwrap()),
        ("NO_PROXY", "127.0.0.1"),
        ("no_proxy", "127.0.0.1"),
    ] {
        assert_eq!(proxy.environment[name], value, "{name}");
    }
    assert_eq!((&own["shortname"], &own["appname"], &own["url"]), (&json!("acme"), &json!("soc"), &json!(url)));
    for (field, real) in [("appkey", &real.appkey), ("sharedsecret", &real.sharedsecret)] {
        assert!(own[field].as_str().unwrap().starts_with("neto-decoy-") && own[field] != **real);
    }
    proxy.interrupt();

    let again = RunningProxy::new(&sandbox, &[]);
    assert_ne!(again.credential()["appkey"], own["appkey"], "each decoy is another");
    for name in ["NETO_APPKEY", "NETO_SHARED_SECRET", "NETO_APPNAME"] {
        assert!(!again.environment.contains_key(name), "{name} comes with --with-secret alone");
    }
    again.interrupt();
}

#[test]
fn a_login_with_the_decoys_own_credential_gets_the_decoys_bearer() {
    let sandbox = Sandbox::new();
    let real = add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let secret = proxy.credential()["sharedsecret"].as_str().unwrap().to_owned();
    let token = |claims: &Value| RunningProxy::request_token(claims, &secret);
    for jti in [json!(17), json!("a text")] {
        let mut claims = claims(&proxy);
        claims["jti"] = jti;
        let granted = proxy.login(&token(&claims));
        assert_eq!((granted.status, granted.json()["token_type"].as_str()), (200, Some("bearer")));
        assert_eq!(granted.json()["access_token"], proxy.token);
        let refresh = granted.json()["refresh_token"].as_str().unwrap().to_owned();
        let form = "Content-Type: application/x-www-form-urlencoded";
        let path = "/api/auth/bearer/refresh";
        let renewed = proxy.send_without_token("POST", path, &[form], &format!("refresh_token={refresh}"));
        assert_eq!((renewed.status, renewed.json()["access_token"].as_str()), (200, Some(proxy.token.as_str())));
        proxy.send_without_token("POST", path, &[form], "refresh_token=x").assert_error(401, "refresh token");
    }

    let changed = |name: &str, value: Value| {
        let mut claims = claims(&proxy);
        claims[name] = value;
        proxy.login(&token(&claims))
    };
    changed("iat", json!(now() - 301)).assert_error(401, "not from now");
    changed("iat", json!(now() + 400)).assert_error(401, "not from now");
    changed("appkey", json!(real.appkey)).assert_error(401, "another key");
    changed("shortname", json!("globex")).assert_error(401, "another key");
    changed("more", json!(1)).assert_error(401, "request token");
    proxy.login(&RunningProxy::request_token(&claims(&proxy), &real.sharedsecret)).assert_error(401, "request token");
    proxy.login("x.y.z").assert_error(401, "request token");
    let post =
        |path: &str, body: &str| proxy.send_without_token("POST", path, &["Content-Type: application/json"], body);
    post("/api/v1/auth/token", "no json").assert_error(401, "jwt");
    post("/api/v1/auth/token", &"x".repeat(70_000)).assert_error(401, "larger");
    // A call that grants tokens is never forwarded, in any spelling.
    let before = sandbox.server().requests().len();
    for path in ["/api/auth/bearer/token", "/api/v1/auth/token/", "/API/V1/AUTH/TOKEN", "/api/v1/auth;x", "/api/auth"] {
        proxy.send("POST", path, &[], "a=b").assert_error(401, "own credential");
    }
    proxy.send("GET", "/api/v1/auth/token", &[], "").assert_error(401, "own credential");
    assert_eq!(sandbox.server().requests().len(), before);
    proxy.interrupt();
    assert_eq!(sandbox.server().logins(), 1, "the decoy's logins are its own business");
}

#[test]
fn a_call_goes_on_as_it_came_with_the_real_bearer() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let path = "/api/v1/widgets/a%20b?limit=3&q=%2F..%2F&q=2";
    let headers =
        ["X-One: 1", "Accept: text/csv", "X-One: 2", "Connection: close, X-Hop", "X-Hop: 1", "User-Agent: prog/1"];
    let answer = proxy.send("POST", path, &headers, r#"{"a":1}"#);
    assert_eq!(answer.status, 200);
    let data = &answer.json()["data"];
    assert_eq!((&data["method"], &data["path"]), (&json!("POST"), &json!("/api/v1/widgets/a%20b")));
    assert_eq!((&data["query"], &data["body"]), (&json!("limit=3&q=%2F..%2F&q=2"), &json!({"a": 1})));
    let seen = sandbox.server().requests().pop().unwrap();
    let sent = |name: &str| -> Vec<&str> {
        seen.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((sent("x-one"), sent("accept"), sent("user-agent")), (vec!["1", "2"], vec!["text/csv"], vec!["prog/1"]));
    assert_eq!((sent("x-hop").len(), sent("authorization").len()), (0, 1));
    assert_ne!(sent("authorization"), [format!("Bearer {}", proxy.token)]);
    assert!(sent("host")[0].ends_with(sandbox.server().origin().rsplit(':').next().unwrap()));

    // Bytes, headers and statuses of the answer are unchanged, compressed or not.
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let fault = Fault::at("/api/v1/bytes").respond(418, bytes.clone());
    let fault = fault.header("content-encoding", "br").header("set-cookie", "session=real").header("x-two", "2");
    sandbox.server().fault(fault);
    let answer = proxy.send("GET", "/api/v1/bytes", &[], "");
    assert_eq!((answer.status, answer.body == bytes), (418, true));
    assert_eq!((&*answer.headers["content-encoding"], &*answer.headers["x-two"]), ("br", "2"));
    assert!(!answer.headers.contains_key("set-cookie"), "a cookie can be as good as a token");
    let head = proxy.send("HEAD", "/api/v1/bytes", &[], "");
    assert_eq!((head.status, head.body.len()), (418, 0));
    proxy.interrupt();
}

#[test]
fn without_the_decoys_bearer_nothing_is_passed_on() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let before = sandbox.server().requests().len();
    let bearer = format!("Authorization: Bearer {}", proxy.token);
    for headers in [
        &[][..],
        &["Authorization: Bearer neto-decoy.x"],
        &["Authorization: Basic YTpi"],
        &["Authorization: Bearer"],
        &[&bearer, "Authorization: Bearer other"],
        &[&bearer, &bearer],
    ] {
        proxy.send_without_token("GET", "/api/v1/x", headers, "").assert_error(401, "access token");
    }
    let hosts = ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:80"];
    for host in hosts {
        let host = format!("Host: {host}");
        proxy.send_without_token("GET", "/api/v1/x", &[&bearer, &host], "").assert_error(421, "another host");
    }
    proxy.send("GET", "/api/v1/x", &["Origin: https://evil.example"], "").assert_error(403, "browser");
    proxy.send("GET", "/api/v1/x", &["Origin: null"], "").assert_error(403, "browser");
    proxy.send("TRACE", "/api/v1/x", &[], "").assert_error(405, "method");
    proxy.send("GET", "http://evil.example/api/v1/x", &[], "").assert_error(400, "whole address");
    for path in [
        "/api/v1/../x",
        "/api/v1/%2e%2E/x",
        "/api//v1/x",
        "//evil.example/x",
        "/api%2fv1/x",
        "/api/v1/a%5cb",
        "/api/v1/%61pi-keys",
        "/",
        "/api/v1/search/..;/api-keys",
    ] {
        proxy.send("GET", path, &[], "").assert_error(400, "path");
    }
    assert_eq!(sandbox.server().requests().len(), before);
    // Control: a correct request is forwarded.
    let localhost = format!("Host: LocalHost:{}", proxy.port);
    assert_eq!(
        proxy.send_without_token("GET", "/api/v1/x", &[&bearer.replace("Bearer", "bEARER"), &localhost], "").status,
        200
    );
    assert_eq!(sandbox.server().requests().len(), before + 1);
    proxy.interrupt();
}

#[test]
fn keys_are_not_changed_unless_that_is_allowed() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let before = sandbox.server().requests().len();
    for (method, path) in [
        ("POST", "/api/v1/api-keys"),
        ("PUT", "/api/v1/api-keys/soc/regen"),
        ("DELETE", "/api/v1/api-keys/soc"),
        ("POST", "/api/v1/API-Keys/"),
        ("PATCH", "/api/v1/api-keys;v=1/soc"),
        ("POST", "/api/v1/search/x/api-keys.json"),
    ] {
        proxy.send(method, path, &[], "{}").assert_error(403, "--allow-keys");
    }
    for path in ["/api/v1/api%2dkeys", "/api/v1/api%2Dkeys/soc", "/api/v1/%61pi-keys", "/api/v1/%20api-keys"] {
        proxy.send("POST", path, &[], "{}").assert_error(400, "encodes");
    }
    for header in [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: PUT",
        "X-Method-Override: PUT",
        "X_HTTP_METHOD_OVERRIDE: DELETE",
        "X-Original-URL: /api/v1/api-keys",
        "X-Rewrite-Url: /api/v1/api-keys",
    ] {
        proxy.send("GET", "/api/v1/api-keys/soc", &[header], "").assert_error(400, "another method");
    }
    proxy.send("GET", "/api/v1/api-keys/soc?a=b&_method=DELETE", &[], "").assert_error(400, "another method");
    assert_eq!(sandbox.server().requests().len(), before);
    assert_eq!(proxy.send("GET", "/api/v1/api-keys", &[], "").json()["data"][0]["appname"], "soc");
    proxy.interrupt();

    let proxy = RunningProxy::new(&sandbox, &["--allow-keys"]);
    let body = r#"{"appname":"new","roles":[],"description":""}"#;
    let made = proxy.send("POST", "/api/v1/api-keys", &["Content-Type: application/json"], body);
    assert_eq!(made.status, 201);
    proxy.running.signal(rustix::process::Signal::INT);
    proxy.running.finish().code(130);
}

#[test]
fn read_only_passes_on_what_only_reads() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &["--read-only"]);
    for (method, path) in [
        ("GET", "/api/v1/x"),
        ("POST", "/api/v1/search/flow"),
        ("POST", "/api/v1/stats/x"),
        ("POST", "/api/v1/intel/lookup/ip"),
    ] {
        assert_eq!(proxy.send(method, path, &[], "{}").status, 200, "{method} {path}");
    }
    let before = sandbox.server().requests().len();
    for (method, path) in [
        ("POST", "/api/v1/x"),
        ("PUT", "/api/v1/search/flow"),
        ("DELETE", "/api/v1/x"),
        ("PATCH", "/api/v1/x"),
        ("POST", "/api/v1/Search/flow"),
        ("POST", "/api/v1/searching"),
        ("OPTIONS", "/api/v1/x"),
        ("MKCOL", "/api/v1/x"),
    ] {
        proxy.send(method, path, &[], "{}").assert_error(403, "--read-only");
    }
    assert_eq!(sandbox.server().requests().len(), before);
    proxy.interrupt();
}

#[test]
fn a_protected_profile_wants_a_word_and_a_person_has_no_decoy() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    sandbox.neto(["profile", "edit", "acme", "--protected"]).run().code(0);
    let outcome = sandbox.neto(["proxy", "acme"]).run();
    outcome.code(2).stdout("").stderr_has("protected acme").stderr_has("neto proxy acme --read-only");
    RunningProxy::new(&sandbox, &["--read-only"]).interrupt();
    RunningProxy::new(&sandbox, &["--yes"]).interrupt();
    let person = sandbox.server().add_person("someone@acme.example");
    let line = ["profile", "add", "someone", "--username", &person.username, "--url", &person.url];
    sandbox.neto(line).stdin(person.password).run().code(0);
    sandbox.neto(["proxy", "someone"]).run().code(2).stdout("").stderr_has("no NETOSECRET");
    sandbox.neto(["proxy", "acme", "--read-only", "--allow-keys"]).run().code(2).stdout("");
    sandbox.neto(["proxy", "nobody"]).run().code(3).stdout("");
}

#[test]
fn the_audit_has_a_line_a_request_and_no_secret() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &["--audit", "audit.jsonl"]);
    proxy.send("GET", "/api/v1/widgets?limit=3&token=hunter2hunter2", &["X-Key: hunter3hunter3"], "");
    proxy.send("POST", "/api/v1/widgets", &[], "hunter4hunter4");
    proxy.send("DELETE", "/api/v1/api-keys/soc", &[], "");
    proxy.login("hunter5.hunter5.hunter5");
    let token = proxy.token.clone();
    proxy.interrupt();
    let text = fs::read_to_string(sandbox.work("audit.jsonl")).unwrap();
    assert!(!text.contains("hunter") && !text.contains(&token), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.iter().map(|line| {
        assert_eq!((line["profile"].as_str(), line.as_object().unwrap().len()), (Some("acme"), 7), "{line}");
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok() && line["ms"].is_u64());
        (line["method"].as_str().unwrap(), line["path"].as_str().unwrap(), line["status"].as_u64().unwrap())
    });
    let expected = [
        ("GET", "/api/v1/widgets?limit=&token=", 200),
        ("POST", "/api/v1/widgets", 200),
        ("DELETE", "/api/v1/api-keys/soc", 403),
        ("POST", "/api/v1/auth/token", 401),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(lines[0]["bytes"].as_u64().unwrap() > 50);
    assert_eq!(fs::metadata(sandbox.work("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    let outcome = sandbox.neto(["proxy", "acme", "--audit", "nowhere/audit.jsonl"]).run();
    outcome.code(1).stdout("").stderr_has("nowhere/audit.jsonl");
    sandbox.program("mkfifo", ["pipe"]).run().code(0);
    sandbox.neto(["proxy", "acme", "--audit", "pipe"]).run().code(1).stdout("").stderr_has("is a pipe");
    let whole = sandbox.neto(["exec", "--decoy", "--audit", "/dev/full", "acme", "--", "sh", "-c", ASK]).run();
    whole.code(0).stdout_has("200").stderr_has("cannot write /dev/full");
}

#[test]
fn each_of_several_profiles_has_a_decoy_of_its_own() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    sandbox.add("globex");
    let running = sandbox.neto(["proxy", "acme", "globex", "--format", "dotenv"]).start();
    running.wait_for_stderr("until interrupted");
    let text = running.wait_for_stdout(|text| text.contains("\n\n").then(|| text.to_owned()));
    let blocks: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(blocks.len(), 2);
    let value = |block: usize, name: &str| {
        let line = blocks[block].lines().find_map(|line| line.strip_prefix(&format!("{name}='")));
        line.unwrap().trim_end_matches('\'').to_owned()
    };
    assert_eq!((value(0, "NETO_PROFILE"), value(1, "NETO_PROFILE")), ("acme".to_owned(), "globex".to_owned()));
    for name in ["NETO_URL", "NETO_TOKEN", "NETOSECRET"] {
        assert_ne!(value(0, name), value(1, name), "{name}");
    }
    let curl = |url: &str, token: &str| {
        let header = format!("Authorization: Bearer {token}");
        sandbox.program("curl", ["-sS", "-H", &header, &format!("{url}/who")]).run()
    };
    for block in [0, 1] {
        let own = curl(&value(block, "NETO_URL"), &value(block, "NETO_TOKEN")).code(0).json();
        assert_eq!(own["data"]["shortname"], value(block, "NETO_SHORTNAME"));
        assert_eq!(curl(&value(1 - block, "NETO_URL"), &value(block, "NETO_TOKEN")).code(0).json()["status"], 401);
    }
    running.signal(rustix::process::Signal::TERM);
    running.finish().code(143);
}

/// Starts a proxy whose real token comes from the cache, as after an earlier use of neto.
fn served_from_cache(sandbox: &Sandbox) -> RunningProxy<'_> {
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    RunningProxy::new(sandbox, &[])
}

#[test]
fn the_real_token_is_renewed_and_a_reading_call_made_again() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let asked = |path: &str| sandbox.server().request_count(path);
    for (method, path, again) in [
        ("GET", "/api/v1/a", 2),
        ("POST", "/api/v1/search/b", 2),
        // A write is never repeated.
        ("POST", "/api/v1/c", 1),
    ] {
        let proxy = served_from_cache(&sandbox);
        sandbox.server().end_access_tokens();
        let answer = proxy.send(method, path, &[], r#"{"q":"again"}"#);
        assert_eq!((answer.status, asked(path)), (if again == 2 { 200 } else { 401 }, again), "{method} {path}");
        if again == 2 {
            assert_eq!(answer.json()["data"]["body"]["q"], "again");
        }
        assert_eq!(proxy.send("POST", "/api/v1/d", &[], "{}").status, 200, "the token is another one now");
        proxy.interrupt();
    }
    assert_eq!(sandbox.server().logins(), 6, "each time one to begin with, and one more");
}

#[test]
fn a_token_that_is_rejected_for_good_is_the_programs_401_and_asks_for_few_others() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    // A call that the server rejects with every token.
    let proxy = served_from_cache(&sandbox);
    sandbox.server().fault(Fault::at("/api/v1/x").error(401, "not for this key"));
    for _ in 0..8 {
        proxy.send("GET", "/api/v1/x", &[], "").assert_error(401, "not for this key");
    }
    assert_eq!(sandbox.server().logins(), 2, "one new token, and what the server says of that stands");
    proxy.interrupt();

    // A deleted key.
    let proxy = served_from_cache(&sandbox);
    sandbox.server().end_access_tokens();
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(TOKEN).error(401, "this key is gone"));
    let before = sandbox.server().request_count(TOKEN);
    for _ in 0..6 {
        proxy.send("GET", "/api/v1/d", &[], "").assert_error(401, "this key is gone");
    }
    assert_eq!(sandbox.server().request_count(TOKEN), before + 1);
    proxy.interrupt();
    sandbox.server().clear_faults();

    // A server that limits the rate of requests.
    let proxy = served_from_cache(&sandbox);
    sandbox.server().end_access_tokens();
    sandbox.server().fault(Fault::at(TOKEN).error(429, "slowly").header("retry-after", "200"));
    let before = sandbox.server().request_count(TOKEN);
    for _ in 0..4 {
        let answer = proxy.send("GET", "/api/v1/d", &[], "");
        answer.assert_error(503, "slowly");
        assert_eq!(answer.headers["retry-after"], "200");
    }
    assert_eq!(sandbox.server().request_count(TOKEN), before + 1);
    proxy.interrupt();
}

#[test]
fn many_requests_at_once_with_an_ended_token_get_one_outcome() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    for good in [true, false] {
        let proxy = served_from_cache(&sandbox);
        sandbox.server().end_access_tokens();
        let gate = Gate::new();
        let fault = Fault::at(TOKEN).hold_at(&gate);
        sandbox.server().fault(if good { fault } else { fault.error(401, "gone") });
        let before = sandbox.server().request_count(TOKEN);
        let asking: Vec<_> = (0..32)
            .map(|_| {
                let client = proxy.client.clone();
                std::thread::spawn(move || client.send("GET", "/api/v1/x", &[], "").status)
            })
            .collect();
        gate.wait_for_requests(1);
        gate.open();
        let wanted = if good { 200 } else { 401 };
        for thread in asking {
            assert_eq!(thread.join().unwrap(), wanted);
        }
        assert_eq!(sandbox.server().request_count(TOKEN), before + 1);
        sandbox.server().clear_faults();
        proxy.interrupt();
    }
}

#[test]
fn a_renewal_outlives_the_request_that_began_it() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = served_from_cache(&sandbox);
    sandbox.server().end_access_tokens();
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
    let before = sandbox.server().request_count(TOKEN);
    let request = proxy.keep_alive_get("/api/v1/x");
    let mut impatient = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    impatient.write_all(request.as_bytes()).unwrap();
    gate.wait_for_requests(1);
    drop(impatient);
    gate.open();
    assert_eq!(proxy.send("GET", "/api/v1/x", &[], "").status, 200);
    assert_eq!(sandbox.server().request_count(TOKEN), before + 1, "the one that nobody waited for any more");
    proxy.interrupt();
}

#[test]
fn a_key_that_came_into_the_store_meanwhile_is_used() {
    let sandbox = Sandbox::new();
    let old = add_acme(&sandbox);
    let proxy = served_from_cache(&sandbox);
    let new = sandbox.server().regenerate(&old);
    sandbox.server().end_access_tokens();
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(new.netosecret()).run().code(0);
    let logins = sandbox.server().logins();
    assert_eq!(proxy.send("GET", "/api/v1/x", &[], "").status, 200, "with the new key, since the old one is dead");
    assert_eq!(sandbox.server().logins(), logins + 1);
    sandbox.neto(["token", "acme", "--offline"]).allow_secret("access token").run().code(0);
    proxy.interrupt();
}

#[test]
fn a_redirect_stays_with_the_decoy() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let own = |path: &str| format!("{}{path}", proxy.environment["NETO_URL"].trim_end_matches("/api/v1"));
    for (to, here) in [
        (format!("{}/api/v1/there?x=1", sandbox.server().origin()), own("/api/v1/there?x=1")),
        ("/elsewhere".to_owned(), own("/elsewhere")),
        ("there".to_owned(), own("/api/v1/there")),
    ] {
        sandbox.server().fault(Fault::at("/api/v1/here").once().redirect(307, &to));
        let answer = proxy.send("GET", "/api/v1/here", &[], "");
        assert_eq!((answer.status, &answer.headers["location"]), (307, &here));
    }
    sandbox.server().fault(Fault::at("/api/v1/here").redirect(302, "https://evil.example/x"));
    proxy.send("GET", "/api/v1/here", &[], "").assert_error(502, "redirects");
    proxy.interrupt();
}
