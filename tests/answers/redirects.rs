//! a 3xx is told, with where it leads, and nothing is ever sent there.

use super::case::{Case, GOOD, case, login, raw};
use super::world::try_all;
use crate::fusion::{Server, TOKEN};

/// Where nobody may come, whatever listens there.
const ELSEWHERE: &str = "http://127.0.0.1:9";

/// What stands in `Location`, and what of it is shown.
const PLACES: [(&str, &str); 24] = [
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

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    let redirect = |status: u16, to: &str| {
        case(format!("{status} to {to:?}"), login().answer(status, GOOD).header("location", to))
    };
    let mut cases: Vec<Case> = PLACES
        .iter()
        .map(|(to, shown)| {
            redirect(302, to)
                .says("redirects (status 302)")
                .says(*shown)
                .keeps_quiet_about("pass@")
                .keeps_quiet_about("token=1")
                .keeps_quiet_about("again=1")
        })
        .collect();
    for status in [300, 301, 303, 304, 305, 306, 307, 308, 310, 399] {
        cases.push(redirect(status, &format!("{ELSEWHERE}/x")).says(format!("redirects (status {status})")));
    }
    for status in [300, 302, 304, 308] {
        let bare = raw(&format!("HTTP/1.1 {status} X\r\ncontent-length: 0"), "");
        cases.push(case(format!("{status} to nowhere"), bare).says(format!("redirects (status {status}), which")));
    }
    // What HTTP does not allow in a header, and what is no text for a terminal.
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
    let twice = format!("HTTP/1.1 308 X\r\nlocation: {ELSEWHERE}/a\r\nlocation: {ELSEWHERE}/b\r\ncontent-length: 0");
    cases.push(case("two redirects in one", raw(&twice, "")).says("redirects (status 308)"));
    cases
}

#[test]
fn r27_a_redirect_is_told_and_not_followed() {
    try_all("redirects", &cases(), 8, &[]);
}

#[test]
fn r27_nothing_is_sent_to_where_an_answer_leads() {
    let elsewhere = Server::http();
    let world = super::world::World::new(1, &[]);
    let sandbox = &world.sandbox;
    let mut asked = 0;
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
            asked += 1;
        }
        // What leads elsewhere in other words, in an answer that is good.
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
            sandbox
                .server()
                .fault(login().answer(200, GOOD).header(name, &value).header("set-cookie", "session=1; Path=/"));
            sandbox.neto(["token", "acme-0", "--force"]).reveals(super::case::PLANTED).run().code(0).silent();
            asked += 1;
        }
        std::fs::remove_file(sandbox.token_file("acme-0")).unwrap();
    }
    assert_eq!((elsewhere.connections(), sandbox.server().asked(TOKEN)), (0, asked));
    assert_eq!(sandbox.server().requests().len(), asked, "all at the one path");
    let cookies = sandbox.server().requests().iter().filter(|seen| seen.header("cookie").is_some()).count();
    assert_eq!(cookies, 0, "cookies sent back");
    crate::torture::scale::say(&format!("answers: {asked} that lead to another server: 0 connections there"));
}
