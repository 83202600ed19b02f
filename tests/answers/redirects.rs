//! a redirect is reported with its target, and no request is sent there.

use super::case::{AnswerCase, VALID_ANSWER, case, login, raw};
use super::runner::try_all;
use crate::fusion::{Server, TOKEN};

/// Address that must receive no request, even if a server listens there.
const OTHER_ADDRESS: &str = "http://127.0.0.1:9";

/// Values of `Location` and the text that neto shows of them.
const LOCATIONS: [(&str, &str); 24] = [
    ("http://127.0.0.1:9/login", "to http://127.0.0.1:9/login, which"),
    ("https://127.0.0.1:9/login", "to https://127.0.0.1:9/login, which"),
    ("http://example.com/", "to http://example.com/, which"),
    ("//127.0.0.1:9/x", "to http://127.0.0.1:9/x, which"),
    ("/elsewhere", "/elsewhere, which"),
    ("elsewhere", "/elsewhere, which"),
    ("../../../../etc/passwd", "/etc/passwd, which"),
    ("", "to http://127.0.0.1:"),
    ("/api/v1/auth/token", "/api/v1/auth/token, which"),
    ("?again=1", "to http://127.0.0.1:"),
    ("#here", "to http://127.0.0.1:"),
    ("http://user:pass@127.0.0.1:9/x?token=1#y", "to http://127.0.0.1:9/x, which"),
    ("file:///etc/passwd", "to file:///etc/passwd, which"),
    ("javascript:alert(1)", "to javascript:alert(1), which"),
    ("data:text/html,hello", "to data:text/html,hello, which"),
    ("ftp://127.0.0.1:9/x", "to ftp://127.0.0.1:9/x, which"),
    ("unix:/run/x", "to unix:/run/x, which"),
    ("http://127.0.0.1:99999/", "(status 302), which"),
    ("http://[::1", "(status 302), which"),
    ("http://", "(status 302), which"),
    ("http://127.0.0.1:9/%1b%5b2J%0d%0aerror:%20x", "/%1b%5b2J%0d%0aerror:%20x, which"),
    ("http://xn--80ak6aa92e.com/", "to http://xn--80ak6aa92e.com/, which"),
    ("http://127.0.0.1:9\\@example.com/", "to http://127.0.0.1:9/@example.com/, which"),
    ("http://0x7f000001:9/", "to http://127.0.0.1:9/, which"),
];

/// All cases of this file.
pub(super) fn cases() -> Vec<AnswerCase> {
    let redirect = |status: u16, to: &str| {
        case(format!("{status} to {to:?}"), login().respond(status, VALID_ANSWER).header("location", to))
    };
    let mut cases: Vec<AnswerCase> = LOCATIONS
        .iter()
        .map(|(to, shown)| {
            redirect(302, to)
                .stderr_has("redirects (status 302)")
                .stderr_has(*shown)
                .stderr_lacks("pass@")
                .stderr_lacks("token=1")
                .stderr_lacks("again=1")
        })
        .collect();
    for status in [300, 301, 303, 304, 305, 306, 307, 308, 310, 399] {
        cases.push(redirect(status, &format!("{OTHER_ADDRESS}/x")).stderr_has(format!("redirects (status {status})")));
    }
    for status in [300, 302, 304, 308] {
        let bare = raw(&format!("HTTP/1.1 {status} X\r\ncontent-length: 0"), "");
        cases
            .push(case(format!("{status} to nowhere"), bare).stderr_has(format!("redirects (status {status}), which")));
    }
    // Characters that HTTP does not allow in a header or that are unsafe in a terminal.
    for (name, to) in [
        ("an escape", "http://127.0.0.1:9/\u{1b}[2J"),
        ("a backspace", "http://127.0.0.1:9/\u{8}"),
        ("a NUL", "http://127.0.0.1:9/\0"),
        ("a mark of direction", "http://127.0.0.1:9/\u{202e}moc.elpmaxe"),
        ("wide letters", "http://127.0.0.1:9/ｅvil"),
        ("a host of other letters", "http://аpple.com/"),
        ("a tab", "http://127.0.0.1:9/\tx"),
        ("10,000 characters", &format!("http://127.0.0.1:9/{}", "x/".repeat(5_000))),
    ] {
        let head = format!("HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0");
        cases.push(case(format!("a redirect with {name}"), raw(&head, "")));
    }
    let twice =
        format!("HTTP/1.1 308 X\r\nlocation: {OTHER_ADDRESS}/a\r\nlocation: {OTHER_ADDRESS}/b\r\ncontent-length: 0");
    cases.push(case("two redirects in one", raw(&twice, "")).stderr_has("redirects (status 308)"));
    cases
}

#[test]
fn r27_a_redirect_is_told_and_not_followed() {
    try_all("redirects", &cases(), 8, &[]);
}

#[test]
fn r27_nothing_is_sent_to_where_an_answer_leads() {
    let elsewhere = Server::http();
    let runner = super::runner::CaseRunner::new(1, &[]);
    let sandbox = &runner.sandbox;
    let mut login_requests = 0;
    let places = [
        elsewhere.url(),
        elsewhere.origin().to_owned(),
        elsewhere.url().replace("http:", "https:"),
        elsewhere.url().replace("http:", ""),
    ];
    for to in &places {
        for status in [300, 301, 302, 303, 304, 305, 307, 308] {
            sandbox.server().clear_faults();
            sandbox.server().fault(login().redirect(status, to));
            sandbox
                .neto(["token", "acme-0"])
                .run()
                .code(5)
                .stdout("")
                .stderr_has(&format!("redirects (status {status})"));
            login_requests += 1;
        }
        // Other headers that point to another server, in a valid answer.
        let port = elsewhere.origin().rsplit(':').next().expect("a port").to_owned();
        let leads = [
            ("refresh", format!("0;url={to}")),
            ("location", to.clone()),
            ("content-location", to.clone()),
            ("link", format!("<{to}>; rel=\"preload\"")),
            ("alt-svc", format!("h2=\":{port}\"; ma=86400")),
        ];
        for (name, value) in leads {
            sandbox.server().clear_faults();
            sandbox.server().fault(
                login().respond(200, VALID_ANSWER).header(name, &value).header("set-cookie", "session=1; Path=/"),
            );
            sandbox
                .neto(["token", "acme-0", "--force"])
                .allow_secret(super::case::CANARY_TOKEN)
                .run()
                .code(0)
                .stderr("");
            login_requests += 1;
        }
        std::fs::remove_file(sandbox.token_file("acme-0")).unwrap();
    }
    assert_eq!((elsewhere.connections(), sandbox.server().request_count(TOKEN)), (0, login_requests));
    assert_eq!(sandbox.server().requests().len(), login_requests, "all at the one path");
    let cookies = sandbox.server().requests().iter().filter(|seen| seen.header("cookie").is_some()).count();
    assert_eq!(cookies, 0, "cookies sent back");
    crate::torture::scale::print_summary(&format!(
        "answers: {login_requests} that lead to another server: 0 connections there"
    ));
}
