//! Tests `neto api`: requests and responses pass through unchanged, for one tenant and for several. Also tests the
//! confirmation before a call that writes.

use crate::fusion::{Fault, RecordedRequest, TOKEN};
use crate::harness::{Outcome, Sandbox};
use serde_json::{Value, json};

/// API path whose response describes the request.
const ECHO: &str = "/api/v1/devices";

/// Creates a sandbox with these tenants and their profiles, all logged in.
fn logged_in(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in names {
        sandbox.add(name);
    }
    sandbox.neto(["login", "--all"]).run().code(0);
    sandbox
}

fn last_request(sandbox: &Sandbox) -> RecordedRequest {
    sandbox.server().requests().pop().expect("a request")
}

/// Parses standard output as NDJSON: one JSON value per line.
#[track_caller]
fn lines(outcome: &Outcome) -> Vec<Value> {
    assert!(outcome.stdout.is_empty() || outcome.stdout.ends_with('\n'), "{outcome}");
    outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {outcome}")))
        .collect()
}

fn protect(sandbox: &Sandbox, name: &str) {
    sandbox.neto(["profile", "edit", name, "--protected"]).run().code(0);
}

#[test]
fn a_call_is_sent_as_it_was_typed() {
    let sandbox = logged_in(&["acme"]);
    std::fs::write(sandbox.work("body.json"), "{\"from\": \"a file\"}\n").unwrap();
    let json = Some("application/json");
    let large = "x".repeat(100_000);
    let cases = [
        (&["GET", "/devices?limit=1&q=a%20b"][..], "GET", "limit=1&q=a%20b", None, ""),
        (&["get", "/api/v1/devices"], "GET", "", None, ""),
        (&["Post", "devices", "--data", r#"{"a": [1]}"#], "POST", "", json, r#"{"a": [1]}"#),
        (&["PATCH", "devices", "-d", "@body.json"], "PATCH", "", json, "{\"from\": \"a file\"}\n"),
        (&["PUT", "devices", "--data", "-"], "PUT", "", json, large.as_str()),
        (&["PUT", "devices", "--data", "@-"], "PUT", "", json, large.as_str()),
        (&["put", "devices", "--data", ""], "PUT", "", json, ""),
        (&["GET", "devices", "--data", "-1"], "GET", "", json, "-1"),
        (&["PURGE", "devices", "-d", "a,b", "-H", "content-type: text/csv"], "PURGE", "", Some("text/csv"), "a,b"),
        (&["report", "devices"], "report", "", None, ""),
    ];
    for (arguments, method, query, media_type, body) in &cases {
        let outcome = sandbox.neto(["api"].iter().chain(*arguments)).stdin(&large).run();
        outcome.code(0).stderr("");
        let seen = last_request(&sandbox);
        assert_eq!((&*seen.method, &*seen.path, &*seen.query), (*method, ECHO, *query), "{arguments:?}");
        assert_eq!(seen.header("content-type"), *media_type, "{arguments:?}");
        assert!(seen.body == body.as_bytes(), "{arguments:?}");
        assert_eq!(outcome.json()["data"]["method"], **method);
    }
    assert_eq!((sandbox.server().request_count(ECHO), sandbox.server().logins()), (cases.len(), 1));
}

#[test]
fn headers_are_added_and_take_the_place_of_neto_s() {
    let sandbox = logged_in(&["acme"]);
    sandbox.neto(["api", "GET", "devices"]).run().code(0);
    let seen = last_request(&sandbox);
    assert_eq!((seen.header("accept"), seen.header("accept-encoding")), (Some("application/json"), Some("identity")));
    let headers = ["-H", "Accept: text/csv", "-H", "accept-encoding:gzip", "-H", "X-Note: a: b", "-H", "X-Note: c"];
    sandbox.neto(["api", "GET", "devices"].iter().chain(&headers)).run().code(0);
    let seen = last_request(&sandbox);
    assert_eq!((seen.header("accept"), seen.header("accept-encoding")), (Some("text/csv"), Some("gzip")));
    let notes: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "x-note").map(|(_, value)| &**value).collect();
    assert_eq!(notes, ["a: b", "c"]);
    let before = sandbox.server().connections();
    for (header, why) in [
        ("Authorization: Bearer x", "'authorization' is set by neto itself"),
        ("Host: evil.example", "'host' is set by neto itself"),
        ("Transfer-Encoding: chunked", "set by neto itself"),
        ("X-HTTP-Method-Override: DELETE", "name that method instead"),
        ("no header", "'Name: value'"),
        ("X-A: b\r\nAuthorization: c", "'Name: value'"),
    ] {
        sandbox.neto(["api", "GET", "devices", "-H", header]).run().code(2).stdout("").stderr_has(why);
    }
    assert_eq!(sandbox.server().connections(), before);
}

#[test]
fn what_leads_elsewhere_or_is_no_call_sends_nothing() {
    let sandbox = logged_in(&["acme"]);
    let before = sandbox.server().connections();
    let paths = [
        "https://evil.example/x",
        "//evil.example/x",
        "/a/../../x",
        "/a/%2e%2E/x",
        "/a%2fb",
        "/a\\b",
        "/a/./b",
        "/",
        "",
        "/a b",
        "/a#b",
        "/a?\u{7f}",
    ];
    for path in paths {
        sandbox.neto(["api", "GET", path]).run().code(2).stdout("").stderr_has("error: PATH does not take");
    }
    for method in ["GE T", "/customers", "CONNECT", "trace", ""] {
        sandbox.neto(["api", method, "/x"]).run().code(2).stdout("").stderr_has("METHOD does not take");
    }
    let cases: &[(&[&str], i32, &str)] = &[
        (&["GET"], 2, "missing: PATH"),
        (&["GET", "/x", "--select", "data"], 2, "a JSON pointer starts with '/'"),
        (&["GET", "/x", "--data", "@nosuch"], 1, "nosuch"),
        (&["GET", "/x", "--data", "@."], 1, "a folder"),
        (&["GET", "/x", "acme", "-p", "other"], 2, "name it once"),
        (&["GET", "/x", "acm"], 3, "'acme'"),
        (&["GET", "/x", "--tag", "none"], 3, "no profile matches"),
        (&["GET", "/x", "--all", "--include"], 2, "--include is for one profile"),
    ];
    for (arguments, code, why) in cases {
        sandbox.neto(["api"].iter().chain(*arguments)).run().code(*code).stdout("").stderr_has(why);
    }
    assert_eq!(sandbox.server().connections(), before);
}

#[cfg(unix)]
#[test]
fn a_body_of_more_than_64_mib_is_refused() {
    let sandbox = logged_in(&["acme"]);
    let before = sandbox.server().connections();
    let file = std::fs::File::create(sandbox.work("large")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    sandbox.neto(["api", "PUT", "/x", "--data", "@large"]).run().code(2).stdout("").stderr_has("large");
    let line = "head -c 67108865 /dev/zero | neto api PUT /x --data -";
    sandbox.program("bash", ["-c", line]).run().code(2).stdout("").stderr_has("more than the 64 MiB");
    // Process substitution gives the path of a pipe. neto refuses the path and suggests `--data -`.
    let line = "neto api PUT /x --data @<(echo 1)";
    sandbox.program("bash", ["-c", line]).run().code(1).stdout("").stderr_has("--data -");
    assert_eq!(sandbox.server().connections(), before);
}

#[cfg(unix)]
#[test]
fn the_body_comes_to_the_byte() {
    let sandbox = logged_in(&["acme"]);
    let bytes: Vec<u8> = (0..=255).cycle().take(100_003).collect();
    sandbox.server().fault(Fault::at(ECHO).respond(200, bytes.clone()).header("content-encoding", "gzip"));
    sandbox.program("sh", ["-c", "neto api GET /devices >out"]).run().code(0).stderr("");
    assert!(std::fs::read(sandbox.work("out")).unwrap() == bytes, "another body");
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(ECHO).respond(204, ""));
    sandbox.neto(["api", "GET", "/devices"]).run().code(0).stderr("").stdout("");
    sandbox.server().clear_faults();
    sandbox.neto(["api", "HEAD", "/devices"]).run().code(0).stderr("").stdout("");
}

#[test]
fn include_shows_status_and_headers_before_the_body() {
    let sandbox = logged_in(&["acme"]);
    let fault = |status| Fault::at(ECHO).once().respond(status, "body\n").header("x-note", "a\tb").header("x-none", "");
    sandbox.server().fault(fault(202));
    let outcome = sandbox.neto(["api", "GET", "/devices", "-i"]).run();
    let (head, body) = outcome.code(0).stdout.split_once("\n\n").expect("an empty line");
    assert!(head.starts_with("HTTP/1.1 202 Accepted\n") && head.contains("\nx-note: a\\tb\n"), "{head}");
    assert_eq!(body, "body\n");
    sandbox.server().fault(fault(404));
    let outcome = sandbox.neto(["api", "GET", "/devices", "--include"]).run();
    outcome.code(10).stdout_has("HTTP/1.1 404 Not Found\n").stdout_has("\n\nbody\n").stderr_has("error: acme: ");
}

#[test]
fn the_status_decides_the_exit_code_and_the_body_comes_all_the_same() {
    let sandbox = logged_in(&["acme"]);
    for (status, code, hint) in [
        (400, 4, "look at the query and the body"),
        (401, 4, "neto login acme --force"),
        (403, 4, "neto api GET /api-keys acme"),
        (404, 10, "look at the path"),
        (405, 10, "look at the method"),
        (409, 10, "look at the method"),
        (422, 10, "look at the method"),
        (429, 10, "the same line in a while"),
        (500, 5, "a call that writes may have been done"),
        (503, 5, "the same line in a while"),
        (304, 5, "the same line in a while"),
    ] {
        sandbox.server().clear_faults();
        sandbox.server().fault(Fault::at(ECHO).error(status, "not\n \u{1b}[31myou"));
        let outcome = sandbox.neto(["api", "PUT", "/devices"]).run();
        let body = if status == 304 { "" } else { r#""message":"not\n \u001b[31myou""# };
        outcome.code(code).stdout_has(body).stderr_has("error: acme: 127.0.0.1:").stderr_has(hint);
        outcome.stderr_has(&format!("answered with status {status}")).stderr_lacks("\u{1b}");
        if status != 304 {
            outcome.stderr_has(": not [31myou");
        }
        // `--select` does not apply to an error body, so standard output stays empty.
        sandbox.neto(["api", "PUT", "/devices", "--select", "/message"]).run().code(code).stdout("").stderr_has(hint);
    }
    let wait = Fault::at(ECHO).error(429, "slower").header("retry-after", "77");
    sandbox.server().clear_faults();
    sandbox.server().fault(wait);
    sandbox.neto(["api", "PUT", "/devices"]).run().code(10).stderr_has("the same line in 77 s");
}

#[test]
fn a_redirect_is_named_and_not_followed() {
    let (sandbox, elsewhere) = (logged_in(&["acme"]), Sandbox::new());
    let to = format!("{}/api/v1/devices", elsewhere.server().origin());
    sandbox.server().fault(Fault::at(ECHO).redirect(307, &to));
    sandbox
        .neto(["api", "GET", "/devices"])
        .run()
        .code(5)
        .stdout("")
        .stderr_has(&format!("redirects (status 307) to {to}"));
    assert_eq!(elsewhere.server().connections(), 0);
}

#[test]
fn a_401_renews_the_token_once_and_repeats_a_reading_call_alone() {
    let sandbox = logged_in(&["acme"]);
    let counts = || (sandbox.server().request_count(ECHO), sandbox.server().logins());
    sandbox.server().end_access_tokens();
    sandbox.neto(["api", "GET", "/devices"]).run().code(0).stderr("");
    assert_eq!(counts(), (2, 2));
    sandbox.server().end_access_tokens();
    let outcome = sandbox.neto(["api", "POST", "/devices"]).run();
    outcome.code(4).stdout_has("missing or invalid").stderr_has("hint: neto login acme --force\n");
    assert_eq!(counts(), (3, 3), "sent once, and the token is renewed for the next call");
    sandbox.neto(["api", "POST", "/devices"]).run().code(0).stderr("");
    assert_eq!(counts(), (4, 3));
    // Searches only read, so neto gets a new token and retries them after a 401.
    sandbox.server().end_access_tokens();
    sandbox.neto(["api", "POST", "/search/flow"]).run().code(0).stderr("");
    assert_eq!((sandbox.server().request_count("/api/v1/search/flow"), sandbox.server().logins()), (2, 4));
    // If the server rejects every token, neto sends the request twice and no more.
    sandbox.server().fault(Fault::at(ECHO).error(401, "never"));
    sandbox.neto(["api", "GET", "/devices"]).run().code(4).stdout_has("never").stderr_has("status 401: never");
    assert_eq!(counts(), (6, 5));
    // A call that writes reports its own 401, even if no new token can be obtained.
    sandbox.server().fault(Fault::at(TOKEN).error(503, "later"));
    sandbox.neto(["api", "POST", "/devices"]).run().code(4).stdout_has("never").stderr_has("status 401: never");
    assert_eq!(counts(), (7, 5));
}

#[test]
fn what_passes_is_asked_again_by_reading_calls_alone() {
    let sandbox = logged_in(&["acme"]);
    for (method, path, asked, code) in [
        ("GET", ECHO, 3, 0),
        ("POST", "/api/v1/stats/x", 3, 0),
        ("POST", ECHO, 1, 5),
        ("PUT", ECHO, 1, 5),
        ("DELETE", ECHO, 1, 5),
    ] {
        sandbox.server().clear_faults();
        sandbox.server().fault(Fault::at(path).times(2).error(503, "later"));
        let before = sandbox.server().request_count(path);
        sandbox.neto(["api", method, path]).run().code(code);
        assert_eq!(sandbox.server().request_count(path) - before, asked, "{method} {path}");
    }
}

#[test]
fn a_writing_call_without_an_answer_may_have_been_done() {
    let sandbox = logged_in(&["acme"]);
    sandbox.server().fault(Fault::at(ECHO).lose_response());
    let outcome = sandbox.neto(["api", "PUT", "/devices"]).run();
    outcome.code(5).stdout("").stderr_has("it may have been done all the same").stderr_has("look whether it was done");
    assert_eq!(sandbox.server().request_count(ECHO), 1);
    let outcome = sandbox.neto(["api", "GET", "/devices"]).run();
    outcome.code(5).stdout("").stderr_has("the connection to 127.0.0.1").stderr_lacks("may have been done");
    // A truncated response is a failure too. The part that has arrived is printed.
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(ECHO).cut_body(9));
    sandbox.neto(["api", "PUT", "/devices"]).run().code(5).stdout("{\"data\":{").stderr_has("its answer breaks off");
}

#[test]
fn select_prints_a_part() {
    let sandbox = logged_in(&["acme"]);
    let body = r#"{ "data": [ {"name": "a \"b\"\n", "id": 12345678901234567890.10, "x": null}, true ] }"#;
    sandbox.server().fault(Fault::at(ECHO).respond(200, body));
    let select = |pointer: &str| sandbox.neto(["api", "GET", "/devices", "--select", pointer]).run();
    for (pointer, printed) in [
        ("/data/0/name", "a \"b\"\n\n"),
        ("/data/0/id", "12345678901234567890.10\n"),
        ("/data/0/x", "null\n"),
        ("/data/1", "true\n"),
        ("/data", "[{\"name\":\"a \\\"b\\\"\\n\",\"id\":12345678901234567890.10,\"x\":null},true]\n"),
    ] {
        select(pointer).code(0).stderr("").stdout(printed);
    }
    select("/data/2").code(5).stdout("").stderr_has("acme: the answer has nothing at /data/2").stderr_has("hint: ");
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(ECHO).respond(200, "<html>"));
    select("/data").code(5).stdout("").stderr_has("the answer is no JSON");
    sandbox.server().clear_faults();
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 65 << 20);
    sandbox.server().fault(Fault::at(ECHO).raw(large).then_repeat(" ".repeat(1 << 20), 65));
    select("/data").code(5).stdout("").stderr_has("larger than the 64 MiB").stderr_has("without --select");
}

#[test]
fn the_chosen_profile_is_meant_and_one_name_is_one_answer() {
    let sandbox = logged_in(&["acme", "globex"]);
    let tenant = |outcome: Outcome| outcome.json()["data"]["shortname"].clone();
    sandbox.neto(["use", "globex"]).run().code(0);
    for (arguments, expected) in [
        (&["api", "GET", "/devices"][..], "globex"),
        (&["api", "GET", "/devices", "acme"], "acme"),
        (&["api", "GET", "/devices", "-p", "acme"], "acme"),
        (&["-p", "acme", "api", "GET", "/devices", "acme"], "acme"),
    ] {
        assert_eq!(tenant(sandbox.neto(arguments).run()), expected, "{arguments:?}");
    }
    // NETOSECRET works without a store.
    let other = Sandbox::new();
    let credential = other.server().add_tenant("initech", "soc");
    let call = |arguments: &[&str]| other.neto(arguments).env("NETOSECRET", credential.netosecret()).run();
    assert_eq!(tenant(call(&["api", "GET", "/devices"])), "initech");
    assert_eq!(tenant(call(&["api", "GET", "/devices", "env"])), "initech");
    other.server().fault(Fault::at(ECHO).error(403, "no"));
    call(&["api", "GET", "/devices"]).code(4).stderr_has("neto api GET /api-keys env");
    // A selection that can match several profiles prints NDJSON, even if it matches only one.
    for arguments in [&["ac*"][..], &["--tag", "x"], &["acme", "acme"]] {
        sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run();
        let outcome = sandbox.neto(["api", "GET", "/devices"].iter().chain(arguments)).run();
        assert_eq!(lines(outcome.code(0)).len(), 1);
        assert_eq!(outcome.json()["profile"], "acme");
    }
}

#[test]
fn min_ttl_renews_first() {
    let sandbox = logged_in(&["acme"]);
    sandbox.neto(["api", "GET", "/devices", "--min-ttl", "1h"]).run().code(0);
    assert_eq!(sandbox.server().logins() + sandbox.server().refreshes(), 1);
    sandbox.neto(["api", "GET", "/devices", "--min-ttl", "30h"]).run().code(0).stderr_has("less than --min-ttl");
    assert_eq!(sandbox.server().logins() + sandbox.server().refreshes(), 2);
}

mod many {
    use super::{ECHO, lines, logged_in, protect};
    use crate::fusion::{Fault, Gate, TOKEN};
    use serde_json::{Value, json};

    #[test]
    fn a_line_a_tenant_in_the_order_of_the_store_whoever_answers_first() {
        let sandbox = logged_in(&["acme", "globex", "hooli", "initech"]);
        let (first, fourth) = (Gate::new(), Gate::new());
        sandbox.server().fault(Fault::at(ECHO).for_tenant("acme").hold_at(&first));
        sandbox.server().fault(Fault::at(ECHO).for_tenant("initech").hold_at(&fourth));
        let running = sandbox.neto(["api", "GET", "/devices", "--all", "--jobs", "2"]).start();
        // There are two jobs, and the first request is held. So the fourth starts only after the second and third have
        // finished.
        fourth.wait_for_requests(1);
        fourth.open();
        first.open();
        let outcome = running.finish();
        let rows = lines(outcome.code(0));
        let names: Vec<&str> = rows.iter().filter_map(|line| line["profile"].as_str()).collect();
        assert_eq!(names, ["acme", "globex", "hooli", "initech"]);
        for (line, name) in rows.iter().zip(names) {
            let data = json!({"shortname": name, "method": "GET", "path": ECHO, "query": "", "body": null});
            let expected = json!({
                "profile": name, "shortname": name, "status": 200, "data": {"meta": {"code": 200, "count": 1}, "data": data},
            });
            assert_eq!(*line, expected);
        }
        let keys: Vec<&str> = ["{\"profile\":", "\"shortname\":", "\"status\":", "\"data\":"].into();
        let first = outcome.stdout.lines().next().unwrap();
        assert!(keys.windows(2).all(|two| first.find(two[0]) < first.find(two[1])), "{first}");
    }

    #[test]
    fn one_at_a_time_if_wanted() {
        let sandbox = logged_in(&["acme", "globex"]);
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(ECHO).for_tenant("acme").hold_at(&gate));
        let running = sandbox.neto(["api", "GET", "/devices", "--all", "--jobs", "1"]).start();
        gate.wait_for_requests(1);
        assert_eq!(sandbox.server().request_count(ECHO), 1);
        gate.open();
        assert_eq!(lines(running.finish().code(0)).len(), 2);
    }

    #[test]
    fn what_fails_is_told_in_its_line_and_is_8() {
        let sandbox = logged_in(&["acme", "broken", "globex", "hooli", "initech", "umbrella"]);
        let store = sandbox.store().replace("[profiles.broken]\n", "[profiles.broken]\nshortnam = \"typo\"\n");
        sandbox.write_store(store + "\n[profiles.zskeleton]\nshortname = \"bare\"\nappname = \"soc\"\n");
        let server = sandbox.server();
        server.fault(Fault::at(ECHO).for_tenant("globex").error(404, "no\nsuch \u{1b}[31mthing"));
        server.fault(Fault::at(ECHO).for_tenant("hooli").close());
        server.fault(Fault::at(ECHO).for_tenant("initech").error(401, "no"));
        server.fault(Fault::at(TOKEN).for_tenant("initech").error(401, "unknown key"));
        let outcome = sandbox.neto(["api", "GET", "/devices", "--all"]).run();
        let rows = lines(outcome.code(8));
        let error = |line: &Value, text: &str| line["error"].as_str().is_some_and(|error| error.contains(text));
        let statuses: Vec<_> = rows.iter().map(|line| (line["profile"].as_str().unwrap(), &line["status"])).collect();
        let null = Value::Null;
        assert_eq!(
            statuses,
            [
                ("acme", &json!(200)),
                ("broken", &null),
                ("globex", &json!(404)),
                ("hooli", &null),
                ("initech", &null),
                ("umbrella", &json!(200)),
            ]
        );
        assert!(rows.iter().all(|line| line.get("data").is_some() != line.get("error").is_some()));
        assert!(error(&rows[1], "shortnam") && rows[1]["shortname"].is_null() && !error(&rows[1], "typo"));
        assert!(error(&rows[2], "status 404: no such [31mthing"), "{outcome}");
        assert!(error(&rows[3], "the connection to ") && error(&rows[4], "unknown key"));
        outcome.stderr_has("4 of 7 profiles failed").stderr_has("these alone: broken globex hooli initech");
        outcome.stderr_has("zskeleton: skipped").stderr_has("globex: 127.0.0.1");
        // If the selection matches only one profile, the exit code is that of its own failure.
        sandbox.neto(["api", "GET", "/devices", "glob*"]).run().code(10).stdout_has("\"status\":404");
    }

    #[test]
    fn select_and_odd_bodies() {
        let sandbox = logged_in(&["a", "b", "c", "d", "e", "f"]);
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        let long = format!("[\n{}12345678901234567890.10]", " 0.10,\r\n".repeat(20_000));
        let bodies: [(&str, &[u8]); 6] = [
            ("a", b"{\n \"x\": \"line\\n\", \"u\": \"\xe2\x80\xa8\x7f\xc2\x85\xe2\x80\xae\" }\r\n"),
            ("b", b"two\nlines \xff \x1b[2J \"quoted\""),
            ("c", b""),
            ("d", deep.as_bytes()),
            ("e", long.as_bytes()),
            ("f", b"\"text\"\n{\"profile\":\"acme\",\"status\":200,\"data\":1}\n"),
        ];
        for (name, body) in bodies {
            sandbox.server().fault(Fault::at(ECHO).for_tenant(name).respond(200, body));
        }
        let outcome = sandbox.neto(["api", "GET", "/devices", "--all"]).run();
        let rows = lines(outcome.code(0));
        assert_eq!(rows.len(), 6, "{outcome}");
        assert!(outcome.stdout.chars().all(|c| c == '\n' || (!c.is_control() && !"\u{2028}\u{202e}".contains(c))));
        assert_eq!(rows[0]["data"], json!({"x": "line\n", "u": "\u{2028}\u{7f}\u{85}\u{202e}"}));
        assert_eq!(rows[1]["data"], "two\nlines \u{fffd} \u{1b}[2J \"quoted\"");
        assert_eq!(rows[2]["data"], Value::Null);
        assert_eq!(rows[3]["data"], json!(deep), "as a text");
        outcome.stdout_has("0.10,0.10,12345678901234567890.10]}\n");
        assert_eq!(rows[5]["data"].as_str().map(str::len), Some(bodies[5].1.len()));
        let select = sandbox.neto(["api", "GET", "/devices", "--all", "--select", "/x"]).run();
        let rows = lines(select.code(8));
        assert_eq!((&rows[0]["data"], &rows[0]["status"]), (&json!("line\n"), &json!(200)));
        assert_eq!(
            (&rows[1]["error"], &rows[1]["status"]),
            (&json!("the answer is no JSON, so that --select finds nothing in it"), &json!(200))
        );
        assert_eq!(rows[4]["error"], "the answer has nothing at /x");
    }

    #[test]
    fn a_write_to_several_asks_once_with_their_number() {
        let sandbox = logged_in(&["acme", "globex", "hooli"]);
        let post = || ["api", "POST", "/devices?secret=1", "acme", "globex"];
        let outcome = sandbox.neto(post()).run();
        outcome.code(2).stdout("").stderr_has("Send POST /api/v1/devices to 2 profiles (acme, globex)?");
        outcome.stderr_has("hint: the same line with --yes").stderr_lacks("secret=1");
        protect(&sandbox, "globex");
        sandbox.neto(post()).run().code(2).stdout("").stderr_has("(acme, globex; protected: globex)");
        assert_eq!(sandbox.server().request_count(ECHO), 0);
        let rows = lines(sandbox.neto(post()).arg("--yes").run().code(0).stderr(""));
        assert_eq!((rows.len(), sandbox.server().request_count(ECHO)), (2, 2));
        // Calls that only read need no confirmation.
        sandbox.neto(["api", "POST", "/search/x", "--all"]).run().code(0).stderr("");
        sandbox.neto(["api", "GET", "/devices", "--all", "--read-only"]).run().code(0).stderr("");
    }

    #[test]
    fn none_of_several_is_no_failure() {
        let sandbox = crate::harness::Sandbox::new();
        sandbox.init();
        sandbox.neto(["api", "GET", "/x", "--all"]).run().code(0).stdout("").stderr_has("There is no profile yet");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_that_is_interrupted_leaves_whole_lines() {
        let sandbox = logged_in(&["acme", "globex"]);
        sandbox.server().fault(Fault::at(ECHO).respond(200, format!("\"{}\"", "x".repeat(1 << 20))));
        // After one byte is read, neto is still writing the first line, because a pipe holds at most 64 KiB.
        let script = "coproc neto api GET /devices --all; pid=$!; exec 3<&\"${COPROC[0]}\"; IFS= read -r -N 1 -u 3 c; \
                      kill -SIGNAL $pid; printf %s \"$c\"; cat <&3; wait $pid; echo $? >&2";
        for (signal, code) in [("INT", "130\n"), ("TERM", "143\n")] {
            // bash starts background jobs with SIGINT ignored, so `env` restores the default.
            let script =
                script.replace("coproc neto", "coproc env --default-signal=INT neto").replace("SIGNAL", signal);
            let outcome = sandbox.program("bash", ["-c", &script]).run();
            let rows = lines(outcome.code(0));
            assert_eq!((rows.len(), outcome.stderr.as_str()), (1, code));
        }
    }
}

mod guard {
    use super::{ECHO, logged_in, protect};

    #[test]
    fn read_only_refuses_what_writes_on_any_profile() {
        let sandbox = logged_in(&["acme"]);
        let before = sandbox.server().connections();
        for method in ["POST", "put", "PATCH", "DELETE", "OPTIONS", "PURGE", "X-Get"] {
            for more in [&[][..], &["--yes"], &["acme", "acme"]] {
                let line = ["api", method, "/devices", "--read-only"];
                let outcome = sandbox.neto(line.iter().chain(more)).run();
                outcome
                    .code(2)
                    .stdout("")
                    .stderr_has("--read-only refuses")
                    .stderr_has("/api/v1/devices, which writes");
            }
        }
        assert_eq!(sandbox.server().connections(), before);
        for (method, path) in
            [("GET", "/devices"), ("head", "/devices"), ("POST", "/search/x"), ("POST", "/intel/lookup/x")]
        {
            sandbox.neto(["api", method, path, "--read-only"]).run().code(0);
        }
    }

    #[test]
    fn off_a_terminal_a_protected_profile_needs_yes() {
        let sandbox = logged_in(&["acme"]);
        let delete = || sandbox.neto(["api", "DELETE", "/devices"]);
        delete().run().code(0).stderr("");
        protect(&sandbox, "acme");
        let before = sandbox.server().request_count(ECHO);
        let outcome = delete().run();
        outcome
            .code(2)
            .stdout("")
            .stderr_has("Send DELETE /api/v1/devices to the tenant 'acme' (profile acme, protected)?");
        outcome.stderr_has("nobody to ask").stderr_has("hint: the same line with --yes");
        // Text on standard input does not count as confirmation; only a terminal or `--yes` does.
        delete().stdin("y\n").run().code(2).stdout("");
        assert_eq!(sandbox.server().request_count(ECHO), before);
        sandbox.neto(["api", "GET", "/devices"]).run().code(0).stderr("");
        delete().arg("-y").run().code(0).stderr("");
        assert_eq!(sandbox.server().request_count(ECHO), before + 2);
    }

    #[cfg(unix)]
    #[test]
    fn on_a_terminal_it_asks() {
        let sandbox = logged_in(&["acme", "globex"]);
        protect(&sandbox, "acme");
        let question = "to the tenant 'acme' (profile acme, protected)? [y/N] ";
        for (answer, code, asked) in [("n", 2, 0), ("", 2, 0), ("yes", 0, 1)] {
            let mut terminal = sandbox.neto(["api", "PUT", "/devices", "acme"]).at_terminal();
            terminal.expect("Send PUT /api/v1/devices ").expect(question).enter(answer);
            let screen = terminal.finish();
            screen.code(code);
            assert_eq!(sandbox.server().request_count(ECHO), asked, "{answer}");
        }
        let mut terminal = sandbox.neto(["api", "PUT", "/devices", "--all"]).at_terminal();
        terminal.expect("to 2 profiles (acme, globex; protected: acme)? [y/N] ").enter("y");
        terminal.finish().code(0).has("\"profile\":\"globex\"");
        assert_eq!(sandbox.server().request_count(ECHO), 3);
        // An unprotected profile needs no confirmation.
        sandbox.neto(["api", "PUT", "/devices", "globex"]).at_terminal().finish().code(0).lacks("[y/N]");
    }

    #[cfg(unix)]
    #[test]
    fn a_body_may_be_typed() {
        use crate::harness::{CTRL_D, ENTER};
        let sandbox = logged_in(&["acme"]);
        protect(&sandbox, "acme");
        let mut terminal = sandbox.neto(["api", "PUT", "/devices", "--data", "-"]).at_terminal();
        terminal.press("[1]").press(ENTER).press(CTRL_D).expect("[y/N] ").enter("y");
        terminal.finish().code(0);
        assert_eq!(super::last_request(&sandbox).body, b"[1]\n");
    }
}

#[cfg(unix)]
#[test]
fn r46_a_terminal_is_not_steered_by_a_server() {
    let sandbox = logged_in(&["acme"]);
    let hostile = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b \u{fc}\nend";
    sandbox.server().fault(Fault::at(ECHO).respond(200, hostile).header("x-note", "\u{9b}31m"));
    let screen = sandbox.neto(["api", "GET", "/devices", "-i"]).at_terminal().finish();
    screen.code(0).has("a\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}31m\\u{202e}b \u{fc}\nend\n");
    assert!(!screen.raw.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{:?}", screen.raw);
    sandbox.server().clear_faults();
    sandbox.server().fault(Fault::at(ECHO).respond(200, json!({"t": hostile}).to_string()));
    for arguments in [&["--select", "/t"][..], &["--all"]] {
        let screen = sandbox.neto(["api", "GET", "/devices"].iter().chain(arguments)).at_terminal().finish();
        assert!(!screen.code(0).raw.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{:?}", screen.raw);
    }
}

/// Passes a response of 256 MiB through neto, which is limited to 100 MB of memory.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_of_any_size_is_passed_on_with_little_memory() {
    let sandbox = logged_in(&["acme"]);
    let size = 256 << 20;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
    sandbox.server().fault(Fault::at(ECHO).raw(head).then_repeat("x".repeat(1 << 20), 256));
    let limited = |line: &str| sandbox.program("bash", ["-c", &format!("ulimit -v 97656; {line}")]).run();
    limited("neto api GET /devices | wc -c").code(0).stderr("").stdout(&format!("{size}\n"));
    // Control: a program that reads the same amount of data into memory exceeds the limit.
    let outcome = limited("head -c 268435456 /dev/zero | dd bs=256M of=/dev/null");
    assert!(outcome.exit_code() != 0, "{outcome}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_body_is_printed_while_it_comes() {
    let sandbox = logged_in(&["acme"]);
    let fault = Fault::at(ECHO).raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun").keep_open();
    sandbox.server().fault(fault);
    // The rest of the response never arrives. The reader gets the first bytes and then kills neto.
    let script = "coproc neto api GET /devices; pid=$!; IFS= read -r -N 5 -u \"${COPROC[0]}\" text; echo \"$text\"; \
                  kill $pid; wait $pid; echo $?";
    sandbox.program("bash", ["-c", script]).run().code(0).stdout("begun\n143\n");
}

#[cfg(target_os = "linux")]
#[test]
fn r61_who_no_longer_reads_ends_it_in_silence() {
    let sandbox = logged_in(&["acme", "globex"]);
    let endless = || Fault::at(ECHO).raw("HTTP/1.1 200 OK\r\n\r\n").then_repeat("x".repeat(1 << 16), u64::MAX);
    sandbox.server().fault(endless());
    let script = "neto api GET /devices acme | head -c 5; echo \" ${PIPESTATUS[0]}\"";
    sandbox.program("bash", ["-c", script]).run().code(0).stderr("").stdout("xxxxx 0\n");
    sandbox.server().clear_faults();
    // A failed call keeps its exit code, even if no process reads the response body.
    sandbox.server().fault(Fault::at(ECHO).error(404, &"x".repeat(1 << 20)));
    let script = "exec 3> >(:); wait $!; neto api GET /devices acme >&3; echo $?";
    sandbox.program("bash", ["-c", script]).run().code(0).stdout("10\n").stderr_has("status 404");
    sandbox.server().clear_faults();
    let script = "exec 3> >(:); wait $!; neto api GET /devices --all >&3; echo $?";
    sandbox.program("bash", ["-c", script]).run().code(0).stderr("").stdout("0\n");
}

#[test]
fn the_token_goes_to_the_server_alone() {
    let sandbox = logged_in(&["acme"]);
    let echo = |seen: &RecordedRequest| (403, json!({"message": seen.header("authorization")}).to_string());
    sandbox.server().fault(Fault::at(ECHO).respond_with(echo));
    // The response body is printed unchanged, but the token is redacted from the message.
    let outcome = sandbox.neto(["api", "GET", "/devices", "-v"]).allow_secret("access token").run();
    outcome.code(4).stdout_has("Bearer ").stderr_has("[redacted]").stderr_lacks("Bearer ey");
    let line = sandbox.neto(["api", "GET", "/devices?q=hidden", "--all", "-v"]).run();
    line.code(4).stdout_has("[redacted]").stderr_has("GET 127.0.0.1").stderr_lacks("hidden");
}
