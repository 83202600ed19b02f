//! Failures on either side: the program gets an answer in the API's format, and the next request works.

use super::running::{RunningProxy, add_acme};
use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::Sandbox;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Starts a proxy with a timeout of 1 s.
fn with_short_timeout(sandbox: &Sandbox) -> RunningProxy<'_> {
    add_acme(sandbox);
    sandbox.neto(["profile", "edit", "acme", "--timeout", "1s"]).run().code(0);
    RunningProxy::new(sandbox, &[])
}

#[track_caller]
fn assert_alive(proxy: &RunningProxy<'_>) {
    assert_eq!(proxy.send("GET", "/api/v1/alive", &[], "").status, 200);
}

#[test]
fn a_proxy_that_gets_no_token_ends_with_the_code_of_that() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().fault(Fault::at(TOKEN).error(401, "unknown key"));
    let outcome = sandbox.neto(["proxy", "acme"]).run();
    outcome.code(4).stdout("").stderr_has("unknown key").stderr_has("hint: neto profile set-secret acme");
}

#[test]
fn a_server_that_fails_is_told_in_the_apis_form() {
    let sandbox = Sandbox::new();
    let proxy = with_short_timeout(&sandbox);
    let strange = "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n";
    for method in ["GET", "POST"] {
        let at = || Fault::at("/api/v1/x");
        for (fault, status, words) in [
            (at().close(), 502, "broke"),
            (at().raw("\u{1}\u{2} nonsense\r\n\r\n"), 502, "broke"),
            (at().raw(strange), 502, "broke"),
            (at().hold_at(&Gate::default()), 504, "within 1 s"),
        ] {
            sandbox.server().fault(fault);
            proxy.send(method, "/api/v1/x", &[], "{}").assert_error(status, words);
            sandbox.server().clear_faults();
            assert_alive(&proxy);
        }
    }
    proxy.interrupt();
}

#[test]
fn a_reading_call_is_sent_twice_at_most_and_a_writing_one_once() {
    let sandbox = Sandbox::new();
    let proxy = with_short_timeout(&sandbox);
    for (method, path, most) in [("GET", "/api/v1/x", 2), ("POST", "/api/v1/search/x", 2), ("POST", "/api/v1/y", 1)] {
        assert_alive(&proxy);
        sandbox.server().fault(Fault::at(path).close());
        proxy.send(method, path, &[], "{}").assert_error(502, "broke");
        assert!((1..=most).contains(&sandbox.server().request_count(path)), "{method} {path}");
    }
    proxy.interrupt();
}

#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_program_too() {
    let sandbox = Sandbox::new();
    let proxy = with_short_timeout(&sandbox);
    sandbox.server().fault(Fault::at("/api/v1/x").once().cut_body(10));
    let answer = proxy.send("GET", "/api/v1/x", &[], "");
    let announced: usize = answer.headers["content-length"].parse().unwrap();
    assert_eq!(answer.body.len(), 10);
    assert!(announced > 10, "so that the program can tell");
    // An answer that stops without closing the connection is cut off.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun";
    sandbox.server().fault(Fault::at("/api/v1/x").once().raw(head).keep_open());
    let answer = proxy.send("GET", "/api/v1/x", &[], "");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"begun"[..]));
    assert_alive(&proxy);
    proxy.interrupt();
}

#[test]
fn a_program_that_talks_nonsense_is_refused() {
    let sandbox = Sandbox::new();
    let proxy = with_short_timeout(&sandbox);
    let connected = || TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    let own = format!("Host: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n", proxy.port, proxy.token);
    let before = sandbox.server().requests().len();
    for (request, status) in [
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), "400"),
        (format!("GET /api/v1/x HTTP/1.1\r\n{own}X: {}\r\n\r\n", "x".repeat(100_000)), "431"),
        (format!("GET /api/v1/x HTTP/1.1\r\n{own}{}\r\n", "X: y\r\n".repeat(500)), "431"),
        (format!("GET /api/v1/{} HTTP/1.1\r\n{own}\r\n", "x".repeat(100_000)), "4"),
        (format!("POST /api/v1/x HTTP/1.1\r\n{own}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "400"),
    ] {
        let answer = String::from_utf8_lossy(&proxy.raw(&request)).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{} -> {answer:.80}", &request[..20]);
        assert_alive(&proxy);
    }
    // Half a request, after which the program disconnects; then a connection without any request.
    connected().write_all(b"GET /api/v1/x HT").unwrap();
    let silent = connected();
    assert_alive(&proxy);
    drop(silent);
    let asked = sandbox.server().requests();
    assert!(asked[before..].iter().all(|seen| seen.path == "/api/v1/alive"));
    proxy.interrupt();
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let sandbox = Sandbox::new();
    let proxy = with_short_timeout(&sandbox);
    for (method, path, length) in [
        ("GET", "/api/v1/x", "Content-Length: 9"),
        ("POST", "/api/v1/search/x", "Content-Length: 9"),
        ("POST", "/api/v1/search/x", "Transfer-Encoding: chunked"),
        ("POST", "/api/v1/x", "Content-Length: 9"),
        ("POST", "/api/v1/auth/token", "Content-Length: 9"),
    ] {
        let answer = proxy.send(method, path, &[length], "");
        answer.assert_error(408, "does not come");
        assert_alive(&proxy);
    }
    // A program that disconnects in the middle of its body leaves no state behind.
    let head = format!("POST /api/v1/x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", proxy.port);
    let head = format!("{head}Authorization: Bearer {}\r\nContent-Length: 1000000\r\n\r\n", proxy.token);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream.write_all(format!("{head}{}", "x".repeat(1000)).as_bytes()).unwrap();
    drop(stream);
    assert_alive(&proxy);
    proxy.interrupt();
}

#[test]
fn an_audit_that_cannot_be_written_is_warned_of_and_stops_nobody() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &["--audit", "/dev/full"]);
    assert_alive(&proxy);
    proxy.running.wait_for_stderr("warning: cannot write /dev/full");
    assert_alive(&proxy);
    proxy.interrupt();
}

#[test]
fn connections_are_kept_and_many_come_at_once() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    let before = sandbox.server().connections();
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    let request = proxy.keep_alive_get("/api/v1/x");
    for _ in 0..20 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        assert!(piece[..count].starts_with(b"HTTP/1.1 200"));
    }
    assert!(sandbox.server().connections() <= before + 1, "one to the server too");
    let gate = Gate::default();
    sandbox.server().fault(Fault::at("/api/v1/held").hold_at(&gate));
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let client = proxy.client.clone();
            std::thread::spawn(move || client.send("GET", "/api/v1/held", &[], "").status)
        })
        .collect();
    gate.wait_for_requests(200);
    gate.open();
    assert!(asking.into_iter().all(|thread| thread.join().unwrap() == 200));
    proxy.interrupt();
}
