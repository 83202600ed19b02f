//! `neto token`: one login for many runs, the output formats, refreshing (a refresh token is burnt before use), and
//! unusable caches.

use crate::fusion::{Credential, Fault, Gate, Lifetime, REFRESH, Server, TOKEN};
use crate::harness::{Outcome, Sandbox};
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Age at which a token of one day has expired, but not its refresh token.
const TWO_DAYS: i64 = 172_800;

impl Sandbox {
    /// Runs `neto token`, which may show an access token.
    fn token(&self, arguments: &[&str]) -> Outcome {
        self.neto(["token"].iter().chain(arguments)).allow_secret("access token").run()
    }

    /// Returns the numbers of logins and refreshes that the server granted.
    fn granted(&self) -> (usize, usize) {
        (self.server().logins(), self.server().refreshes())
    }
}

#[test]
fn one_login_serves_many_runs_in_every_form() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let token = sandbox.token(&["acme"]).code(0).stderr("").stdout_trimmed().to_owned();
    sandbox.token(&[]).code(0).stderr("").stdout(&format!("{token}\n"));
    sandbox.token(&["-p", "acme"]).code(0).stderr("").stdout(&format!("{token}\n"));
    sandbox.token(&["-o", "header"]).code(0).stderr("").stdout(&format!("Authorization: Bearer {token}\n"));
    let outcome = sandbox.token(&["-o", "json"]);
    let object = outcome.code(0).stderr("").json();
    let fields: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    assert_eq!(fields, ["profile", "token", "expires_at", "expires_in_seconds"]);
    assert_eq!((&object["profile"], &object["token"]), (&json!("acme"), &json!(token)));
    let expires_at: jiff::Timestamp = object["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(sandbox.token_header("acme")["expires_at"], json!(expires_at.as_second()));
    let remaining = object["expires_in_seconds"].as_i64().unwrap();
    assert!((86_000..=86_400).contains(&remaining), "{remaining}");
    assert_eq!((sandbox.granted(), sandbox.server().connections()), ((1, 0), 1));
}

#[test]
fn curl_takes_the_header() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let script = "command -v curl >/dev/null || { echo 'NOT TESTED: there is no curl' >&2; echo soc; exit 0; }\n\
                  neto token acme -o header | curl -fsS -H @- \"$0/api-keys\"";
    sandbox.program("sh", ["-c", script, &sandbox.server().url()]).run().code(0).stdout_has("soc");
}

#[test]
fn the_clear_line_says_when_and_the_rest_is_sealed() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let token = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    let (line, sealed) = (sandbox.token_header("acme"), sandbox.sealed_token("acme"));
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(names, ["expires_at", "fingerprint", "obtained_at", "profile", "refresh_expires_at"]);
    for name in names {
        assert_eq!(line[name], sealed[name], "{name}");
    }
    assert_eq!(sealed["access_token"], json!(token));
    let between = |from: &str, to: &str| line[to].as_i64().unwrap() - line[from].as_i64().unwrap();
    assert_eq!((between("obtained_at", "expires_at"), between("obtained_at", "refresh_expires_at")), (86_400, 604_800));
}

#[test]
fn r22_min_ttl_renews_what_would_end_too_soon() {
    let sandbox = Sandbox::new();
    sandbox.server().set_lifetime(Lifetime { access: 3600, refresh: None });
    sandbox.add("acme");
    let first = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    sandbox.token(&["--min-ttl", "30m"]).code(0).stderr("").stdout(&format!("{first}\n"));
    assert_eq!(sandbox.granted(), (1, 0));
    // The server grants shorter tokens than requested, so a new token is used with a warning.
    let second = sandbox.token(&["--min-ttl", "2h"]);
    second.code(0).stderr_has("warning: acme: the server gives tokens of").stderr_has("--min-ttl");
    assert_ne!(second.stdout_trimmed(), first);
    assert_eq!(sandbox.granted(), (2, 0));
    sandbox.token(&["--min-ttl", "2h", "--offline"]).code(5).stdout("").stderr_has("neto login acme");
    sandbox.server().set_lifetime(Lifetime { access: 10_800, refresh: None });
    let third = sandbox.token(&["--min-ttl", "2h"]).code(0).stderr("").stdout_trimmed().to_owned();
    sandbox.token(&["--min-ttl", "2h"]).code(0).stderr("").stdout(&format!("{third}\n"));
    assert_eq!(sandbox.granted(), (3, 0));
    sandbox.token(&["--min-ttl", "600"]).code(2).stdout("").stderr_has("10m");
}

#[test]
fn min_ttl_refreshes_where_it_can() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    sandbox.server().set_lifetime(Lifetime { access: TWO_DAYS.unsigned_abs(), refresh: None });
    sandbox.token(&["--min-ttl", "30h"]).code(0).stderr("");
    assert_eq!(sandbox.granted(), (1, 1));
}

#[test]
fn force_signs_in_and_never_refreshes() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let first = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    let second = sandbox.token(&["--force"]).code(0).stderr("").stdout_trimmed().to_owned();
    assert_ne!(first, second);
    sandbox.token(&[]).code(0).stdout(&format!("{second}\n"));
    assert_eq!((sandbox.granted(), sandbox.server().request_count(REFRESH)), ((2, 0), 0));
}

#[test]
fn offline_asks_nobody() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&["--offline"]).code(5).stdout("").stderr_has("--offline").stderr_has("neto login acme");
    assert_eq!(sandbox.server().connections(), 0);
    let token = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    sandbox.token(&["--offline"]).code(0).stderr("").stdout(&format!("{token}\n"));
    for (older, state) in [(TWO_DAYS, "renewable"), (2 * 604_800, "expired")] {
        sandbox.backdate_token("acme", older);
        sandbox.token(&["--offline"]).code(5).stdout("").stderr_has(state);
    }
    sandbox.token(&["--offline", "--force"]).code(2).stdout("").stderr_has("--offline");
    assert_eq!(sandbox.server().connections(), 1);
}

#[test]
fn r19_a_token_ends_by_the_clock() {
    let sandbox = Sandbox::new();
    sandbox.server().set_lifetime(Lifetime { access: 1, refresh: Some(600) });
    sandbox.add("acme");
    let first = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    let state = || sandbox.neto(["status", "acme", "-o", "json"]).run().json()[0]["state"].clone();
    while state() != "renewable" {
        assert_eq!(sandbox.granted(), (1, 0));
    }
    let second = sandbox.token(&[]).code(0).stderr("").stdout_trimmed().to_owned();
    assert_ne!(first, second);
    assert_eq!(sandbox.granted(), (1, 1));
}

#[test]
fn r19_the_margin_is_the_leeway_and_at_most_a_tenth() {
    // Columns: lifetime in seconds, leeway, age, and whether the token is still used.
    let cases = [
        (86_400, "60s", 86_000, true),
        (86_400, "60s", 86_345, false),
        (86_400, "10m", 85_700, true),
        (86_400, "10m", 85_805, false),
        (1_000, "1h", 880, true),
        (1_000, "1h", 905, false),
    ];
    for (life, leeway, age, used) in cases {
        let sandbox = Sandbox::new();
        sandbox.server().set_lifetime(Lifetime { access: life, refresh: None });
        let credential = sandbox.server().add_tenant("acme", "soc");
        let add = ["profile", "add", "--leeway", leeway];
        sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
        sandbox.token(&[]).code(0);
        sandbox.backdate_token("acme", age);
        sandbox.token(&[]).code(0).stderr("");
        assert_eq!(sandbox.granted(), (if used { 1 } else { 2 }, 0), "{life} {leeway} {age}");
    }
}

#[test]
fn r20_a_clock_before_the_token_was_obtained_is_not_believed() {
    for (ahead, logins) in [(3, 1), (60, 2)] {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.token(&[]).code(0);
        sandbox.backdate_token("acme", -ahead);
        sandbox.token(&[]).code(0).stderr("");
        assert_eq!(sandbox.granted(), (logins, 0), "{ahead} s");
    }
}

#[test]
fn an_expired_token_is_refreshed_each_time_with_the_newest_refresh_token() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let mut last = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    for refreshes in 1..=3 {
        sandbox.backdate_token("acme", TWO_DAYS);
        let next = sandbox.token(&[]).code(0).stderr("").stdout_trimmed().to_owned();
        assert_ne!(next, last);
        sandbox.token(&[]).code(0).stderr("").stdout(&format!("{next}\n"));
        assert_eq!(sandbox.granted(), (1, refreshes));
        last = next;
    }
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}

#[test]
fn a_refresh_token_past_its_time_is_not_sent() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    sandbox.backdate_token("acme", 700_000);
    sandbox.token(&[]).code(0).stderr("");
    assert_eq!((sandbox.granted(), sandbox.server().request_count(REFRESH)), ((2, 0), 0));
}

#[cfg(unix)]
#[test]
fn r12_a_refresh_token_is_burnt_before_it_is_sent_and_a_kill_sends_it_never_again() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    sandbox.backdate_token("acme", TWO_DAYS);
    assert!(sandbox.sealed_token("acme")["refresh_token"].is_string());
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REFRESH).once().hold_at(&gate));
    let run = sandbox.neto(["token", "acme"]).start();
    gate.wait_for_requests(1);
    let (line, sealed) = (sandbox.token_header("acme"), sandbox.sealed_token("acme"));
    assert_eq!((&sealed["refresh_token"], &line["refresh_expires_at"]), (&Value::Null, &Value::Null));
    run.signal(rustix::process::Signal::KILL);
    run.finish().code(137).stdout("");
    gate.open();
    sandbox.neto(["status", "acme"]).run().code(0).stdout_has("expired");
    sandbox.token(&[]).code(0).stderr("");
    assert_eq!((sandbox.server().logins(), sandbox.server().request_count(REFRESH)), (2, 1));
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}

#[cfg(unix)]
#[test]
fn r8_a_refresh_that_cannot_be_burnt_is_not_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    sandbox.backdate_token("acme", TWO_DAYS);
    let folder = sandbox.home("tokens");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let outcome = sandbox.unprivileged_neto(["token", "acme"]).allow_secret("access token").run();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    outcome.code(0).stderr_has("warning: ").stderr_has("the token is not kept");
    assert_eq!((sandbox.granted(), sandbox.server().request_count(REFRESH)), ((2, 0), 0));
}

#[test]
fn a_failed_refresh_costs_one_login() {
    let refresh = || Fault::at(REFRESH).once();
    let cases = [
        ("400", refresh().error(400, "Token is not active")),
        ("401", refresh().error(401, "no")),
        ("500", refresh().error(500, "broken")),
        ("503", refresh().error(503, "later")),
        ("429", refresh().respond(429, "").header("retry-after", "1")),
        ("closed", refresh().close()),
        ("answer lost", refresh().lose_response()),
        ("answer cut", refresh().cut_body(9)),
        ("redirect", refresh().redirect(302, "/elsewhere")),
        ("nonsense", refresh().respond(200, "<html>")),
        ("no HTTP", refresh().raw("hello\r\n")),
        ("a bad token", refresh().respond(200, r#"{"access_token":"a b","expires_in":60}"#)),
    ];
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    for (number, (name, fault)) in (1..).zip(cases) {
        sandbox.server().clear_faults();
        sandbox.server().fault(fault);
        sandbox.backdate_token("acme", TWO_DAYS);
        let outcome = sandbox.token(&[]);
        outcome.code(0).stderr_has("warning: acme: refreshing failed");
        sandbox.token(&[]).code(0).stderr("").stdout(&format!("{}\n", outcome.stdout_trimmed()));
        let counts = (sandbox.server().logins(), sandbox.server().request_count(REFRESH));
        assert_eq!(counts, (1 + number, number), "{name}: a login each, and each refresh token sent once");
    }
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}

#[test]
fn r7_a_token_file_of_no_use_is_replaced_with_a_warning() {
    type Damage = fn(&Sandbox, &std::path::Path);
    let cases: &[(&str, Damage)] = &[
        ("empty", |_, path| fs::write(path, "").unwrap()),
        ("garbage", |_, path| fs::write(path, "\0\u{fffd}{}\n\n").unwrap()),
        ("truncated", |_, path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("only its line", |_, path| {
            let bytes = fs::read(path).unwrap();
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            fs::write(path, &bytes[..=end]).unwrap();
        }),
        ("a bit turned", |_, path| {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a longer life in clear", |sandbox, path| {
            let bytes = fs::read(path).unwrap();
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            let mut line = sandbox.token_header("acme");
            line["expires_at"] = json!(line["expires_at"].as_i64().unwrap() + 1);
            fs::write(path, [line.to_string().as_bytes(), &bytes[end..]].concat()).unwrap();
        }),
        ("huge", |_, path| fs::write(path, vec![b'x'; 300_000]).unwrap()),
        ("of another machine", |sandbox, _| fs::remove_file(sandbox.home("keys/device.key")).unwrap()),
        #[cfg(unix)]
        ("readable by others", |_, path| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }),
        #[cfg(unix)]
        ("a link", |sandbox, path| {
            fs::rename(path, sandbox.work("target")).unwrap();
            std::os::unix::fs::symlink(sandbox.work("target"), path).unwrap();
        }),
        #[cfg(unix)]
        ("a pipe", |sandbox, path| {
            fs::remove_file(path).unwrap();
            sandbox.program("mkfifo", [path]).run().code(0);
        }),
    ];
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.token(&[]).code(0);
    for (number, (name, spoil)) in (1..).zip(cases) {
        spoil(&sandbox, &sandbox.token_file("acme"));
        sandbox.token(&["--offline"]).code(5).stdout("").stderr_has("warning: ");
        let outcome = sandbox.token(&[]);
        outcome.code(0).stderr_has("warning: ").stderr_has("it will be replaced");
        assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "{name}: {outcome}");
        let found = fs::symlink_metadata(sandbox.token_file("acme")).unwrap();
        assert!(found.is_file(), "{name}");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&found) & 0o777, 0o600, "{name}");
        sandbox.token(&[]).code(0).stderr("").stdout(&format!("{}\n", outcome.stdout_trimmed()));
        assert_eq!(sandbox.granted(), (1 + number, 0), "{name}");
    }
    #[cfg(unix)]
    assert!(fs::read(sandbox.work("target")).unwrap().starts_with(b"{"), "what the link led to stays");
}

#[test]
fn a_changed_profile_never_uses_an_old_token() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let first = sandbox.token(&[]).code(0).stdout_trimmed().to_owned();
    // A new credential of the same key.
    let next = sandbox.server().regenerate(&credential);
    let kept = fs::read(sandbox.token_file("acme")).unwrap();
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(next.netosecret()).run().code(0);
    assert!(!sandbox.token_file("acme").exists(), "set-secret drops it");
    // Simulates a store that a colleague updated while the old token is still cached.
    fs::write(sandbox.token_file("acme"), kept).unwrap();
    #[cfg(unix)]
    fs::set_permissions(sandbox.token_file("acme"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    sandbox.token(&["--offline"]).code(5).stdout("");
    let second = sandbox.token(&[]).code(0).stderr("").stdout_trimmed().to_owned();
    assert_ne!(first, second);
    assert_eq!(sandbox.granted(), (2, 0));
    // Another server: the first server's token never goes there, not even for a refresh.
    let elsewhere = Server::http();
    let url = elsewhere.url();
    sandbox.neto(["profile", "edit", "acme", "--url", &url]).run().code(0);
    sandbox.backdate_token("acme", TWO_DAYS);
    sandbox.token(&[]).code(4).stdout("");
    assert_eq!((elsewhere.request_count(TOKEN), elsewhere.request_count(REFRESH)), (1, 0));
    // A third URL written by hand: the seal is bound to the old URL.
    sandbox.write_store(sandbox.store().replace(&url, "http://127.0.0.1:9/api/v1"));
    sandbox.token(&[]).code(3).stdout("").stderr_has("url").stderr_has("neto ");
    assert_eq!((sandbox.granted(), elsewhere.connections()), ((2, 0), 1));
}

#[test]
fn r31_without_a_sensible_expires_in_it_is_printed_once_and_not_kept() {
    let cases = [
        (None, false),
        (Some(Value::Null), false),
        (Some(json!(0)), false),
        (Some(json!(-1)), false),
        (Some(json!(31_536_001)), false),
        (Some(json!(1.5)), false),
        (Some(json!("soon")), false),
        (Some(json!("")), false),
        (Some(json!([60])), false),
        (Some(json!("3600")), true),
        (Some(json!(3600.0)), true),
        (Some(json!(31_536_000)), true),
    ];
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for (value, sensible) in cases {
        let shown = format!("{value:?}");
        sandbox.server().edit_grants(move |grant| match &value {
            Some(value) => drop(grant.insert("expires_in".to_owned(), value.clone())),
            None => drop(grant.remove("expires_in")),
        });
        let before = sandbox.server().logins();
        let outcome = sandbox.token(&["acme"]);
        outcome.code(0);
        assert_eq!(sandbox.token_file("acme").exists(), sensible, "{shown}");
        if sensible {
            outcome.stderr("");
            sandbox.neto(["logout", "acme"]).run().code(0);
        } else {
            outcome.stderr_has("warning: acme: the server did not say how long the token lives");
            let object = sandbox.token(&["-o", "json"]).code(0).json();
            assert_eq!((&object["expires_at"], &object["expires_in_seconds"]), (&Value::Null, &Value::Null), "{shown}");
            sandbox.neto(["login", "acme"]).run().code(5).stdout("").stderr_has("how long the token lives");
            assert_eq!(sandbox.server().logins(), before + 3, "{shown}");
        }
    }
}

#[test]
fn many_at_once_cause_one_request() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for (path, granted) in [(TOKEN, (1, 0)), (REFRESH, (1, 1))] {
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(path).hold_at(&gate));
        let start = || sandbox.neto(["token", "acme"]).allow_secret("access token").start();
        let runs: Vec<_> = (0..6).map(|_| start()).collect();
        gate.wait_for_requests(1);
        gate.open();
        let tokens: Vec<String> =
            runs.into_iter().map(|run| run.finish().code(0).stdout_trimmed().to_owned()).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{path}");
        assert_eq!((sandbox.granted(), sandbox.server().request_count(path)), (granted, 1));
        sandbox.backdate_token("acme", TWO_DAYS);
    }
    assert!(sandbox.server().reused_refresh_tokens().is_empty());
}

#[test]
fn a_wait_for_another_neto_ends_with_7() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
    let holder = sandbox.neto(["token", "acme"]).allow_secret("access token").start();
    gate.wait_for_requests(1);
    let outcome = sandbox.token(&["acme", "--lock-timeout", "1s", "-v"]);
    outcome.stderr_has("another neto has the lock of the token of 'acme'; waiting\n");
    outcome.code(7).stdout("").stderr_has(&holder.id().to_string()).stderr_has("--lock-timeout");
    gate.open();
    holder.finish().code(0);
    assert_eq!(sandbox.granted(), (1, 0));
}

#[test]
fn r57_verbose_tells_what_is_asked_and_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let outcome = sandbox.token(&["-v"]);
    outcome.code(0).stderr_has("POST ").stderr_has(TOKEN).stderr_has("200");
    let token = outcome.stdout_trimmed();
    outcome.stderr_lacks(token);
    sandbox.token(&["-v"]).code(0).stderr_has("the cached token is good").stderr_lacks(token).stderr_lacks("POST");
}

/// Relay to the server that can be closed; later connections are refused.
struct Relay {
    url: String,
    open: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Relay {
    fn new(server: &Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = server.origin().trim_start_matches("http://").to_owned();
        let open = Arc::new(AtomicBool::new(true));
        let still_open = Arc::clone(&open);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok).take_while(|_| still_open.load(Ordering::SeqCst)) {
                let server = TcpStream::connect(&server).expect("the server");
                let upstream = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                for (mut from, mut to) in [upstream, (server, client)] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self { url: format!("http://{address}/api/v1"), open, thread }
    }

    /// Stops the relay. Afterwards nobody listens at its address.
    fn close(self) {
        self.open.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches("/api/v1"));
        self.thread.join().expect("the relay");
    }
}

#[test]
fn a_connection_that_never_came_about_keeps_the_refresh_token() {
    let sandbox = Sandbox::new();
    let relay = Relay::new(sandbox.server());
    let credential = Credential { url: relay.url.clone(), ..sandbox.server().add_tenant("acme", "soc") };
    sandbox.neto(["profile", "add"]).stdin(credential.netosecret()).run().code(0);
    sandbox.token(&[]).code(0).stderr("");
    relay.close();
    sandbox.backdate_token("acme", TWO_DAYS);
    let before = sandbox.sealed_token("acme");
    sandbox.token(&[]).code(5).stdout("").stderr_has("no connection");
    assert_eq!(sandbox.sealed_token("acme"), before, "the refresh token is back");
    assert_eq!(sandbox.granted(), (1, 0));
}
