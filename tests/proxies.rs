//! Connections through a proxy: which proxy is used, what it learns, and how its answers are handled. A proxy that
//! cannot be used is never bypassed.
//!
//! The test server listens on loopback, where neto uses no proxy. So the API URL is a name that only the proxy
//! resolves, or `0.0.0.0`. neto does not treat `0.0.0.0` as a loopback address, but the address reaches this machine.
#![cfg(target_os = "linux")]

use crate::fusion::{Authority, Leaf, Server};
use crate::harness::{Outcome, Peer, Reaction, Sandbox};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;

/// Host name of the API, which only the proxy resolves.
const API: &str = "api.fusion.example";
const USER: &str = "proxy-user";
/// Password of the proxy, plain and percent-encoded for a variable.
const PASSWORD: &str = "pr0xy/P@ss:w0rd";
const ENCODED: &str = "pr0xy%2FP%40ss%3Aw0rd";

/// Creates a sandbox whose server has a certificate for this host, and a profile that trusts the certificate's
/// authority.
fn sandbox_for_host(host: &'static str, url: impl Fn(u16) -> String) -> Sandbox {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::OnlyFor(host)));
    fs::write(sandbox.work("ca.pem"), authority.pem()).unwrap();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = url(server_address(&sandbox).port());
    let add = ["profile", "add", "acme", "--ca-file", "ca.pem"];
    sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
    for (kind, text) in [("proxy's password", PASSWORD), ("proxy's password", ENCODED), ("proxy's user", USER)] {
        sandbox.add_canary(kind, text);
    }
    sandbox.add_canary("proxy's authorization", &BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    sandbox
}

/// Creates a sandbox whose server is reachable only through a proxy.
fn sandbox_behind_proxy() -> Sandbox {
    sandbox_for_host(API, |_| format!("https://{API}"))
}

/// Creates a sandbox whose server is also reachable directly.
fn sandbox_also_direct() -> Sandbox {
    sandbox_for_host("0.0.0.0", |port| format!("https://0.0.0.0:{port}"))
}

/// Returns the address at which the server listens.
fn server_address(sandbox: &Sandbox) -> SocketAddr {
    sandbox.server().origin().replace("https://", "").parse().unwrap()
}

/// Returns the end of the request head, or `None` if the head is incomplete.
fn head_end(received: &[u8]) -> Option<usize> {
    received.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Returns a reply function that waits for a complete request head, then answers with `then`.
fn after_request(
    then: impl Fn() -> Reaction + Send + Sync + 'static,
) -> impl Fn(&[u8]) -> Reaction + Send + Sync + 'static {
    move |received| if head_end(received) == Some(received.len()) { then() } else { Reaction::Wait }
}

/// Starts a proxy that opens every tunnel to the server.
fn proxy_to(sandbox: &Sandbox) -> Peer {
    let server = server_address(sandbox);
    Peer::new(after_request(move || Reaction::Tunnel(server)))
}

/// Returns the proxy's URL with user and password.
fn with_password(proxy: SocketAddr) -> String {
    format!("http://{USER}:{ENCODED}@{proxy}")
}

fn login<const N: usize>(sandbox: &Sandbox, variables: [(&str, &str); N]) -> Outcome {
    let call = sandbox.neto(["-v", "login", "acme", "--force"]);
    variables.into_iter().fold(call, |call, (name, value)| call.env(name, value)).run()
}

/// Splits received bytes into the lines of the tunnel request and the bytes after it.
fn split_tunnel(received: &[u8]) -> (Vec<String>, &[u8]) {
    let (request, rest) = received.split_at(head_end(received).expect("a whole request"));
    let request = String::from_utf8(request.to_vec()).unwrap();
    (request.trim_end().lines().map(str::to_owned).collect(), rest)
}

#[test]
fn r26_each_variable_leads_through_a_tunnel_and_the_proxy_learns_the_host_alone() {
    for (variable, port) in [("HTTPS_PROXY", 443), ("https_proxy", 8443), ("ALL_PROXY", 443), ("all_proxy", 443)] {
        let sandbox = sandbox_for_host(API, |_| format!("https://{API}:{port}"));
        let proxy = proxy_to(&sandbox);
        let outcome = login(&sandbox, [(variable, &with_password(proxy.address()))]);
        let expected = if port == 443 { API.to_owned() } else { format!("{API}:{port}") };
        outcome.code(0).stderr_has(&format!("POST {expected}"));

        let [received] = &proxy.received()[..] else { panic!("{variable}: one connection") };
        let (mut request, inside) = split_tunnel(received);
        request.sort_unstable_by_key(|line| line.to_ascii_lowercase());
        let version = env!("CARGO_PKG_VERSION");
        let pair = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let lines = [
            format!("connect {API}:{port} http/1.1"),
            format!("host: {API}:{port}"),
            format!("proxy-authorization: basic {pair}").to_ascii_lowercase(),
            format!("user-agent: neto/{version}"),
        ];
        assert_eq!(request.iter().map(|line| line.to_ascii_lowercase()).collect::<Vec<_>>(), lines, "{variable}");
        assert!(request.iter().any(|line| line.ends_with(&pair)), "{request:?}");
        assert_eq!(inside[0], 22, "TLS follows");
        let inside = String::from_utf8_lossy(inside);
        for (kind, secret) in sandbox.server().secrets() {
            assert!(!inside.contains(&secret), "{variable}: the proxy sees the {kind}");
        }
        let [request] = &sandbox.server().requests()[..] else { panic!("{variable}: one request") };
        assert_eq!((request.header("proxy-authorization"), request.header("authorization")), (None, None));
        assert_eq!(request.header("host"), Some(expected.as_str()));
    }
}

#[test]
fn r26_a_proxy_may_be_named_without_scheme_or_password_and_the_first_variable_counts() {
    let sandbox = sandbox_behind_proxy();
    let (proxy, other) = (proxy_to(&sandbox), proxy_to(&sandbox));
    let name = proxy.address().to_string();
    login(&sandbox, [("HTTPS_PROXY", &name), ("ALL_PROXY", &other.address().to_string())]).code(0);
    // An empty variable counts as unset.
    login(&sandbox, [("HTTPS_PROXY", ""), ("https_proxy", &name), ("NO_PROXY", "")]).code(0);
    let received = proxy.received();
    assert_eq!(received.len(), 2);
    for received in &received {
        assert!(
            !split_tunnel(received).0.iter().any(|line| line.to_ascii_lowercase().starts_with("proxy-")),
            "{received:?}"
        );
    }
    assert_eq!(other.received().len(), 0);
}

#[test]
fn r26_a_refresh_goes_through_the_proxy_and_survives_one_that_refuses() {
    let sandbox = sandbox_behind_proxy();
    fs::rename(sandbox.work("ca.pem"), sandbox.work("roots.pem")).unwrap();
    sandbox.write_store(
        sandbox
            .store()
            .lines()
            .filter(|line| !line.starts_with("ca_file"))
            .fold(String::new(), |text, line| text + line + "\n"),
    );
    sandbox.neto(["seal", "acme", "--accept", "--yes"]).run().code(0);
    let server = sandbox.server();
    let proxy = proxy_to(&sandbox);
    let refusing = Peer::new(after_request(|| {
        Reaction::SendAndClose(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_vec())
    }));
    let token = |proxy: &Peer| {
        let call = sandbox.neto(["token", "acme"]).env("SSL_CERT_FILE", sandbox.work("roots.pem"));
        call.env("HTTPS_PROXY", with_password(proxy.address())).allow_secret("access token").run()
    };
    token(&proxy).code(0);
    sandbox.backdate_token("acme", 86_400);
    token(&refusing).code(5).stdout("").stderr_has("refreshing failed");
    assert_eq!((server.requests().len(), server.refreshes()), (1, 0));
    token(&proxy).code(0).stderr("");
    assert_eq!((server.logins(), server.refreshes(), server.reused_refresh_tokens().len()), (1, 1, 0));
    assert_eq!(proxy.received().len(), 2);
}

#[test]
fn r26_no_proxy_is_asked_for_this_machine() {
    let authority = Authority::new();
    let servers = [("http", Server::http()), ("https", Server::https(&authority, Leaf::Valid))];
    for (scheme, server) in servers {
        let sandbox = Sandbox::with_server(server);
        fs::write(sandbox.work("ca.pem"), authority.pem()).unwrap();
        let proxy = Peer::new(after_request(|| Reaction::SendAndClose(b"HTTP/1.1 502 Bad Gateway\r\n\r\n".to_vec())));
        let value = with_password(proxy.address());
        for host in ["127.0.0.1", "localhost"] {
            let mut credential = sandbox.server().add_tenant("acme", "soc");
            credential.url = credential.url.replace("127.0.0.1", host);
            let add = ["profile", "add", host, "--ca-file", "ca.pem"];
            sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
            let call = sandbox.neto(["login", host]);
            let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
            names.into_iter().fold(call, |call, name| call.env(name, &value)).run().code(0);
            // An unusable proxy setting does not matter either.
            let call = sandbox.neto(["login", host, "--force"]);
            names.into_iter().fold(call, |call, name| call.env(name, "garbage://x")).run().code(0);
        }
        assert_eq!((sandbox.server().logins(), proxy.received().len()), (4, 0), "{scheme}");
    }
}

#[test]
fn r26_no_proxy_exempts_hosts() {
    let sandbox = sandbox_also_direct();
    let proxy = proxy_to(&sandbox);
    let name = with_password(proxy.address());
    for (variable, list, direct) in [
        ("NO_PROXY", "0.0.0.0", true),
        ("no_proxy", "0.0.0.0", true),
        ("NO_PROXY", "localhost, 0.0.0.0 ,.example", true),
        ("NO_PROXY", "0.0.0.0/8", true),
        ("NO_PROXY", "*", true),
        ("NO_PROXY", "10.0.0.0/8", false),
        ("NO_PROXY", "0.0.0.1,example,0.0.0", false),
        ("NO_PROXY", "", false),
    ] {
        let (logins, tunnels) = (sandbox.server().logins(), proxy.received().len());
        login(&sandbox, [("HTTPS_PROXY", &name), (variable, list)]).code(0);
        assert_eq!(sandbox.server().logins(), logins + 1, "{list}");
        assert_eq!(proxy.received().len(), tunnels + usize::from(!direct), "{list}");
    }
    // The API's host name, which does not resolve without the proxy.
    let sandbox = sandbox_behind_proxy();
    let proxy = proxy_to(&sandbox);
    let name = with_password(proxy.address());
    for (list, code, seen) in [(".fusion.example", 5, 0), ("api.fusion.example", 5, 0), ("usion.example", 0, 1)] {
        login(&sandbox, [("HTTPS_PROXY", &name), ("NO_PROXY", list)]).code(code);
        assert_eq!(proxy.received().len(), seen, "{list}");
    }
}

#[test]
fn r26_http_proxy_is_never_asked_whoever_set_it() {
    let sandbox = sandbox_also_direct();
    let proxy = proxy_to(&sandbox);
    let name = with_password(proxy.address());
    login(&sandbox, [("HTTP_PROXY", &name), ("http_proxy", &name)]).code(0);
    login(&sandbox, [("HTTP_PROXY", &name), ("REQUEST_METHOD", "GET")]).code(0);
    assert_eq!((sandbox.server().logins(), proxy.received().len()), (2, 0));
    // HTTPS_PROXY still applies in a CGI environment, because the caller of a CGI program cannot set it.
    login(&sandbox, [("HTTPS_PROXY", &name), ("REQUEST_METHOD", "GET")]).code(0);
    assert_eq!((sandbox.server().logins(), proxy.received().len()), (3, 1));
}

#[test]
fn r26_a_proxy_that_cannot_be_used_is_not_gone_around() {
    let sandbox = sandbox_also_direct();
    let server = sandbox.server();
    let failure = sandbox.home("state/failures/acme.json");
    // Without a proxy the server is reachable.
    login(&sandbox, [("HTTPS_PROXY", ""), ("ALL_PROXY", "")]).code(0);
    let before = server.connections();
    let alone = "neto takes http:// and https:// proxies alone";
    let form = "it should be http://HOST:PORT";
    let blank = "it holds blanks or control characters";
    let with_plain_password = |scheme: &str, tail: &str| format!("{scheme}://{USER}:{PASSWORD}{tail}");
    for (value, why) in [
        ("garbage://x".to_owned(), alone),
        ("socks5://127.0.0.1:1080".to_owned(), alone),
        (format!("socks5h://{USER}:{ENCODED}@127.0.0.1:1080"), alone),
        (format!("ftp://{USER}:{ENCODED}@127.0.0.1:1"), alone),
        ("http://[::bad".to_owned(), form),
        ("http://".to_owned(), form),
        ("http://127.0.0.1:1/path".to_owned(), form),
        (with_plain_password("http", "@127.0.0.1:1"), form),
        (format!("http://{USER}:12#{ENCODED}@127.0.0.1:1"), form),
        (format!("http://{USER}:12?{ENCODED}@127.0.0.1:1"), form),
        (format!("http://{USER}:12\\{ENCODED}@127.0.0.1:1"), form),
        (" http://127.0.0.1:1".to_owned(), blank),
        ("http://127.0.0.1:1\n".to_owned(), blank),
        (format!("http://{USER}:a {ENCODED}@127.0.0.1:1"), blank),
    ] {
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let outcome = login(&sandbox, [(variable, &value)]);
            outcome.code(5).stdout("").stderr_has(&format!("the proxy that {variable} names cannot be used: {why}"));
            outcome
                .stderr_has(&format!("hint: export {variable}=http://HOST:PORT\n"))
                .stderr_has(&format!("unset {variable}"));
            outcome.stderr_lacks("::bad").stderr_lacks(":12");
        }
    }
    let bytes = OsStr::from_bytes(b"http://proxy\xff:1");
    let outcome = sandbox.neto(["login", "acme", "--force"]).env("HTTPS_PROXY", bytes).run();
    outcome.code(5).stderr_has("it is not UTF-8");
    assert_eq!(server.connections(), before, "somebody went around");
    assert!(!failure.exists(), "what lies in one process' variables is nothing to tell others");
    // The control: a failure that is not caused by the process's own variables is recorded.
    login(&sandbox, [("HTTPS_PROXY", "http://127.0.0.1:1")]).code(5);
    assert!(failure.exists());
}

#[test]
fn r26_whatever_a_proxy_answers_it_is_named_and_its_password_is_not() {
    let sandbox = sandbox_behind_proxy();
    let mut credential = sandbox.server().add_tenant("other", "soc");
    credential.url = format!("https://{API}");
    let netosecret = credential.netosecret();
    let say = |text: &'static str| move || Reaction::SendAndClose(text.as_bytes().to_vec());
    let echo = format!("HTTP/1.1 403 {USER} {PASSWORD}\r\n\r\n{USER}:{PASSWORD} at {ENCODED}");
    let again = "hint: neto login acme\n        (in a while, if HTTPS_PROXY names the right proxy)";
    let password = "hint: export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT\n";
    let refused = "gives no connection to api.fusion.example: it refuses, or is no proxy\n";
    let denied = "gives no connection to api.fusion.example: it wants another user and password (status 407)\n";
    let long = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'y'; 9000]].concat();
    let cases: Vec<(&str, Peer, &str, &str, usize)> = vec![
        (
            "407",
            Peer::new(after_request(say("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"))),
            denied,
            password,
            1,
        ),
        ("502", Peer::new(after_request(say("HTTP/1.1 502 Bad Gateway\r\n\r\n"))), refused, again, 3),
        (
            "echo",
            Peer::new(after_request(move || Reaction::SendAndClose(echo.clone().into_bytes()))),
            refused,
            again,
            3,
        ),
        ("201", Peer::new(after_request(say("HTTP/1.1 201 Created\r\n\r\n"))), refused, again, 3),
        (
            "302",
            Peer::new(after_request(say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n"))),
            refused,
            again,
            3,
        ),
        ("garbage", Peer::new(after_request(say("\u{1}\u{2}SSH-2.0-x\r\n"))), refused, again, 3),
        ("end", Peer::new(after_request(say(""))), "it ended the connection\n", again, 3),
        ("half", Peer::new(after_request(say("HTTP/1.1 200 OK\r\nServer:"))), "it ended the connection\n", again, 3),
        (
            "endless",
            Peer::new(after_request(|| Reaction::SendForever(b"HTTP/1.1 200 OK\r\nX: y".to_vec()))),
            "",
            again,
            3,
        ),
        ("long", Peer::new(after_request(move || Reaction::Send(long.clone()))), "its answer is too long\n", again, 3),
    ];
    // Each case runs with its own profile, all at once, because neto waits between attempts.
    let start = |name: &str, variable: &str| {
        sandbox.neto(["profile", "add", name, "--ca-file", "ca.pem"]).stdin(&netosecret).run().code(0);
        sandbox.neto(["-v", "login", name]).env("HTTPS_PROXY", variable).start()
    };
    let runs: Vec<_> =
        cases.iter().map(|case| start(&format!("p-{}", case.0), &with_password(case.1.address()))).collect();
    for ((case, proxy, words, hint, connections), run) in cases.iter().zip(runs) {
        let outcome = run.finish();
        outcome
            .code(5)
            .stdout("")
            .stderr_has(&format!("error: p-{case}: the proxy {} gives no connection", proxy.address()));
        outcome.stderr_has(words).stderr_has(&hint.replace("acme", &format!("p-{case}")));
        // neto retries where that may help, but not after a rejected password.
        assert_eq!(proxy.received().len(), *connections, "{case}");
    }
    let dead = { Peer::new(|_| Reaction::Wait).address() };
    let outcome = login(&sandbox, [("HTTPS_PROXY", &with_password(dead))]);
    outcome.code(5).stderr_has(&format!("the proxy {dead} gives no connection to {API}: connection refused\n"));
    let unknown = format!("http://{USER}:{ENCODED}@proxy.invalid:3128");
    let outcome = login(&sandbox, [("HTTPS_PROXY", &unknown)]);
    outcome.code(5).stderr_has(&format!("the proxy proxy.invalid:3128 gives no connection to {API}: "));
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn r26_what_a_tunnel_leads_to_is_not_believed() {
    let sandbox = sandbox_behind_proxy();
    sandbox.neto(["profile", "edit", "acme", "--timeout", "1s"]).run().code(0);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    let html = |received: &[u8]| match head_end(received) {
        None => Reaction::Wait,
        Some(end) if end == received.len() => Reaction::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        Some(_) => Reaction::SendAndClose(b"<html>Please sign in</html>".to_vec()),
    };
    let cases: Vec<(Peer, &str)> = vec![
        (Peer::new(html), "the identity of WHOM cannot be verified: it does not speak TLS\n"),
        (
            Peer::new(after_request(move || Reaction::Send(page.as_bytes().to_vec()))),
            "no answer from WHOM within 1 s\n",
        ),
        (Peer::new(|_| Reaction::Wait), "no answer from WHOM within 1 s\n"),
        (
            Peer::new(after_request(|| Reaction::SendAndClose(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()))),
            "no connection to WHOM: ",
        ),
    ];
    for (proxy, words) in cases {
        let outcome = login(&sandbox, [("HTTPS_PROXY", &with_password(proxy.address()))]);
        let whom = format!("{API} (by the proxy {})", proxy.address());
        outcome.code(5).stdout("").stderr_has(&whom).stderr_has(&words.replace("WHOM", &whom));
        let received = proxy.received();
        assert!(!received.is_empty(), "the proxy was asked");
        for received in &received {
            let (_, inside) = split_tunnel(received);
            assert!(inside.is_empty() || inside[0] == 22, "a hello at most");
        }
    }
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn r26_a_proxy_that_opens_tls_is_named_and_the_hint_mends_it() {
    let sandbox = sandbox_behind_proxy();
    let company = Authority::new();
    let inspecting = Server::https(&company, Leaf::OnlyFor(API));
    let behind: SocketAddr = inspecting.origin().replace("https://", "").parse().unwrap();
    let proxy = Peer::new(after_request(move || Reaction::Tunnel(behind)));
    let name = proxy.address().to_string();
    let outcome = login(&sandbox, [("HTTPS_PROXY", &name)]);
    outcome.code(5).stderr_has(&format!(
        "acme: the identity of {API} (by the proxy {name}) cannot be verified: its certificate comes from an authority \
         that is not trusted here\n"
    ));
    outcome.stderr_has("hint: neto profile edit acme --ca-file FILE\n").stderr_has("a proxy that opens TLS");
    assert_eq!(inspecting.requests().len(), 0);
    fs::write(sandbox.work("company.pem"), company.pem()).unwrap();
    sandbox.neto(["profile", "edit", "acme", "--ca-file", "company.pem"]).run().code(0);
    // The server behind this proxy has no tenant, so it receives the request and refuses it.
    login(&sandbox, [("HTTPS_PROXY", &name)]).code(4);
    assert_eq!(inspecting.requests().len(), 1);
}

#[test]
fn r26_a_proxy_may_itself_be_asked_by_https() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::OnlyFor(API)));
    fs::write(sandbox.work("ca.pem"), authority.pem()).unwrap();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = format!("https://{API}");
    let add = ["profile", "add", "acme", "--ca-file", "ca.pem"];
    sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
    let server = server_address(&sandbox);
    let secure = |authority: &Authority, leaf| {
        Peer::within_tls(
            authority.acceptor(leaf, crate::fusion::Versions::Both),
            after_request(move || Reaction::Tunnel(server)),
        )
    };
    let named = |proxy: &Peer| with_password(proxy.address()).replace("http://", "https://");
    let good = secure(&authority, Leaf::Valid);
    login(&sandbox, [("HTTPS_PROXY", &named(&good))]).code(0);
    assert!(split_tunnel(&good.received()[0]).0[0].starts_with("CONNECT api.fusion.example:443"));
    assert_eq!(sandbox.server().logins(), 1);
    for (authority, leaf, why) in [
        (&authority, Leaf::OtherName, "its certificate is for another name"),
        (&Authority::new(), Leaf::Valid, "its certificate comes from an authority that is not trusted here"),
    ] {
        let bad = secure(authority, leaf);
        let outcome = login(&sandbox, [("HTTPS_PROXY", &named(&bad))]);
        outcome.code(5).stderr_has(&format!("the proxy {} gives no connection to {API}: {why}\n", bad.address()));
        assert!(
            bad.received().iter().all(Vec::is_empty),
            "its password is not shown to whoever claims to be the proxy"
        );
    }
}

#[test]
fn r26_netrc_is_never_read() {
    let sandbox = sandbox_behind_proxy();
    let proxy = proxy_to(&sandbox);
    let text: String = [API, "127.0.0.1", &proxy.address().to_string()]
        .map(|host| format!("machine {host} login {USER} password {ENCODED}\n"))
        .concat();
    let netrc = sandbox.write_secret("netrc", format!("{text}default login {USER} password {ENCODED}\n"));
    let home_netrc = sandbox.root().join("home/.netrc");
    fs::copy(&netrc, &home_netrc).unwrap();
    sandbox.allow_secrets_in(&home_netrc);
    login(&sandbox, [("HTTPS_PROXY", &proxy.address().to_string()), ("NETRC", netrc.to_str().unwrap())]).code(0);
    let received = proxy.received();
    let (request, _) = split_tunnel(&received[0]);
    assert!(!request.iter().any(|line| line.to_ascii_lowercase().contains("authorization")), "{request:?}");
    assert_eq!(sandbox.server().requests()[0].header("authorization"), None);
}
