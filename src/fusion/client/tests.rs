//! Tests of the client against a loopback server that plays a script of raw responses.

use super::*;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

const GOOD: &str = r#"{"access_token":"a.b.c","expires_in":3600,"refresh_token":"r.s.t","refresh_expires_in":7200}"#;

/// Action of the server after it has read the request of a connection.
#[derive(Clone)]
enum ServerAction {
    Send(Vec<u8>),
    /// Sends this text, then one byte every 20 ms until the client closes the connection.
    Drip(&'static str),
    /// Sends the text, then the bytes repeatedly, until the client closes the connection.
    Forever(&'static str, Vec<u8>),
}

struct Server {
    url: ApiUrl,
    seen: Arc<Mutex<Vec<String>>>,
}

fn answer(status: u16, headers: &str, body: &str) -> ServerAction {
    let length = body.len();
    ServerAction::Send(format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes())
}

fn raw(text: &str) -> ServerAction {
    ServerAction::Send(text.as_bytes().to_vec())
}

impl Server {
    /// Starts a server that plays the actions in order, one for each connection, and repeats the last action.
    async fn start(actions: Vec<ServerAction>) -> Self {
        Self::listen(actions, None, "http://127.0.0.1").await
    }

    async fn listen(actions: Vec<ServerAction>, tls: Option<tokio_rustls::TlsAcceptor>, base: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{base}:{}/api/v1", listener.local_addr().unwrap().port()).parse().unwrap();
        let seen = Arc::new(Mutex::new(vec![]));
        let log = seen.clone();
        tokio::spawn(async move {
            for count in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let action = actions[count.min(actions.len() - 1)].clone();
                match &tls {
                    None => drop(tokio::spawn(play(stream, action, log.clone()))),
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { continue };
                        tokio::spawn(play(stream, action, log.clone()));
                    }
                }
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, action: ServerAction, log: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    log.lock().unwrap().push(request);
    match action {
        ServerAction::Send(text) => drop(stream.write_all(&text).await),
        ServerAction::Drip(text) => {
            let mut said = stream.write_all(text.as_bytes()).await;
            while said.is_ok() {
                sleep(Duration::from_millis(20)).await;
                said = stream.write_all(b"a").await;
            }
        }
        ServerAction::Forever(text, again) => {
            let mut said = stream.write_all(text.as_bytes()).await;
            while said.is_ok() {
                said = stream.write_all(&again).await;
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..count]).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        if body.len() >= length {
            return Some(text);
        }
    }
}

#[derive(Default)]
struct RecordedRequests(RefCell<Vec<String>>);

impl RequestObserver for RecordedRequests {
    fn request_ended(&self, method: &str, _host: &str, path: &str, attempt: u32, status: Option<u16>, _millis: u128) {
        self.0.borrow_mut().push(format!("{method} {path} {attempt} {}", status.unwrap_or(0)));
    }
}

const WAIT: Duration = Duration::from_secs(20);
const NOW: Clock = Clock::Fixed(Timestamp::constant(1_700_000_000, 0));

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn login_within(
    url: &ApiUrl,
    ca: Option<&[u8]>,
    timeout: Duration,
    observer: &dyn RequestObserver,
) -> Result<Grant, FusionError> {
    let (appkey, sharedsecret) = (secret("canary-appkey-1"), secret("canary-shared-1"));
    let login =
        LoginCredential::ApiKey { shortname: "acme", appname: "soc", appkey: &appkey, sharedsecret: &sharedsecret };
    Client::new(url, ca, &Proxies::default())?
        .login(url, &login, CallOptions { timeout, clock: NOW, shares_rate_limit: false, observer })
        .await
}

async fn login(server: &Server) -> Result<Grant, FusionError> {
    login_within(&server.url, None, WAIT, &()).await
}

async fn refresh(server: &Server, observer: &dyn RequestObserver) -> Result<Grant, FusionError> {
    Client::new(&server.url, None, &Proxies::default())?
        .refresh(
            &server.url,
            &secret("r+1/2="),
            CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer },
        )
        .await
}

/// Returns a server that is not running: nothing listens on its address.
async fn unused_address() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    Server { url, seen: Arc::default() }
}

#[tokio::test]
async fn a_login_with_a_key_sends_exactly_the_documented_request() {
    let server = Server::start(vec![answer(200, "", GOOD)]).await;
    let requests = RecordedRequests::default();
    let grant = login_within(&server.url, None, WAIT, &requests).await.unwrap();
    assert_eq!((grant.access.reveal(), grant.lifetime, grant.obtained_at), ("a.b.c", Some(3_600), NOW.now()));
    let seen = server.seen().remove(0);
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api/v1/auth/token HTTP/1.1\r\n"), "{head}");
    for header in [
        "content-type: application/json",
        "accept-encoding: identity",
        concat!("user-agent: neto/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|line| line == header), "{head}");
    }
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).unwrap();
    assert_eq!(body.keys().collect::<Vec<_>>(), ["jwt"]);
    assert_eq!(*requests.0.borrow(), ["POST /api/v1/auth/token 1 200"]);
}

#[tokio::test]
async fn a_password_login_and_a_refresh_send_forms() {
    let server = Server::start(vec![answer(200, "", GOOD)]).await;
    let password = secret("p&=+ é");
    let login = LoginCredential::Person { username: "bob@example.com", password: &password };
    Client::new(&server.url, None, &Proxies::default())
        .unwrap()
        .login(&server.url, &login, CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer: &() })
        .await
        .unwrap();
    refresh(&server, &()).await.unwrap();
    for (seen, path, body) in [
        (&server.seen()[0], "/api/auth/bearer/token", "username=bob%40example.com&password=p%26%3D%2B+%C3%A9"),
        (&server.seen()[1], "/api/auth/bearer/refresh", "refresh_token=r%2B1%2F2%3D"),
    ] {
        assert!(seen.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{seen}");
        assert!(seen.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{seen}");
        assert!(seen.ends_with(&format!("\r\n\r\n{body}")), "{seen}");
    }
}

#[tokio::test]
async fn r29_a_login_makes_three_attempts_each_with_a_new_request_token() {
    let server =
        Server::start(vec![answer(503, "", ""), answer(429, "Retry-After: 0\r\n", ""), answer(200, "", GOOD)]).await;
    login(&server).await.unwrap();
    assert_eq!(server.seen().iter().collect::<BTreeSet<_>>().len(), 3, "each request differs");
    let down = Server::start(vec![answer(502, "", "gone fishing")]).await;
    let expected =
        FusionError::Status { host: host(&down), status: 502, message: "gone fishing".to_owned(), retry_after: None };
    assert_eq!(login(&down).await.unwrap_err(), expected);
    assert_eq!(down.seen().len(), 3);
}

fn host(server: &Server) -> String {
    server.url.join("").trim_start_matches("http://").to_owned()
}

#[tokio::test]
async fn r29_a_login_is_not_retried_after_other_responses() {
    for (status, headers) in [
        (201, ""),
        (204, ""),
        (400, ""),
        (401, ""),
        (403, ""),
        (404, ""),
        (408, ""),
        (418, ""),
        (429, ""),
        (500, ""),
        (501, ""),
        (429, "Retry-After: 3600\r\n"),
        (503, "Retry-After: 99999999999999999999\r\n"),
        (429, "Retry-After: soon\r\n"),
        (429, "Retry-After: Wed, 15 Nov 2023 22:13:20 GMT\r\n"),
    ] {
        let server = Server::start(vec![answer(status, headers, "")]).await;
        let error = login(&server).await.unwrap_err();
        assert_eq!(server.seen().len(), 1, "{status} {headers}");
        assert_eq!(error.is_rejection(), [400, 401, 403].contains(&status), "{error:?}");
        assert!(!error.was_never_sent());
        if headers.contains("3600") {
            assert_eq!(error.retry_after(), Some(3_600));
        }
        if headers.contains("GMT") {
            assert_eq!(error.retry_after(), Some(86_400));
        }
    }
}

#[tokio::test]
async fn a_refresh_is_never_retried() {
    for action in [
        answer(503, "", ""),
        answer(429, "Retry-After: 0\r\n", ""),
        raw(""),
        raw("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n{"),
    ] {
        let server = Server::start(vec![action]).await;
        assert!(!refresh(&server, &()).await.unwrap_err().was_never_sent());
        assert_eq!(server.seen().len(), 1);
    }
    let requests = RecordedRequests::default();
    assert!(refresh(&unused_address().await, &requests).await.unwrap_err().was_never_sent());
    assert_eq!(*requests.0.borrow(), ["POST /api/auth/bearer/refresh 1 0"]);
}

#[tokio::test]
async fn a_login_without_a_connection_is_retried() {
    let server = unused_address().await;
    let requests = RecordedRequests::default();
    let error = login_within(&server.url, None, WAIT, &requests).await.unwrap_err();
    assert_eq!(error, FusionError::NotSent { host: host(&server), why: "connection refused".to_owned() });
    assert_eq!(requests.0.borrow().len(), 3);
}

#[tokio::test]
async fn r27_redirects_are_reported_and_not_followed() {
    let elsewhere = Server::start(vec![answer(200, "", GOOD)]).await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let to = format!("Location: {}/x\u{1b}?token=1#y\r\n", elsewhere.url.join("").replace("//", "//user:pass@"));
        let server = Server::start(vec![answer(status, &to.replace('\u{1b}', ""), "")]).await;
        let expected = FusionError::Redirect { host: host(&server), status, to: Some(elsewhere.url.join("/x")) };
        assert_eq!(login(&server).await.unwrap_err(), expected);
        assert_eq!((server.seen().len(), elsewhere.seen().len()), (1, 0));
    }
}

#[tokio::test]
async fn r28_and_r30_invalid_responses_are_errors() {
    let head = "HTTP/1.1 200 X\r\n";
    let big = format!(
        "{head}{}Content-Length: {}\r\n\r\n{GOOD}",
        format!("X-Pad: {}\r\n", "x".repeat(7_000)).repeat(10),
        GOOD.len()
    );
    for (action, what) in [
        (raw(&format!("{head}Content-Length: 900\r\n\r\n{GOOD}")), "it breaks off"),
        (raw(&format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{GOOD}\r\n", GOOD.len())), "it breaks off"),
        (
            raw(&format!("{head}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{GOOD}", GOOD.len())),
            "it is compressed, though that was not asked for",
        ),
        (answer(200, "", "<html></html>"), "it is not one JSON object"),
        (answer(200, "", ""), "it is not one JSON object"),
        (answer(200, "", &" ".repeat(MAX_BODY_BYTES + 1)), "it is larger than 1 MiB"),
        (ServerAction::Forever("HTTP/1.1 200 X\r\n\r\n", vec![b' '; 65_536]), "it is larger than 1 MiB"),
        (raw(&big), "its headers are larger than 64 KiB"),
    ] {
        let server = Server::start(vec![action]).await;
        assert_eq!(login(&server).await.unwrap_err(), FusionError::Unusable { host: host(&server), what });
        assert_eq!(server.seen().len(), 1, "{what}");
    }
    for nonsense in ["", "hello\r\n\r\n", "HTTP/1.1 999999\r\n\r\n", "SSH-2.0-x\r\n"] {
        let server = Server::start(vec![raw(nonsense)]).await;
        assert!(matches!(login(&server).await, Err(FusionError::Unreachable { .. })), "{nonsense}");
    }
    let padded = format!("{GOOD}{}", " ".repeat(MAX_BODY_BYTES - GOOD.len()));
    assert!(login(&Server::start(vec![answer(200, "Content-Encoding: identity\r\n", &padded)]).await).await.is_ok());
}

#[tokio::test]
async fn r28_the_timeout_covers_the_whole_exchange() {
    for text in [
        "HTTP/1.1 200 ",
        "HTTP/1.1 200 X\r\nX: ",
        "HTTP/1.1 200 X\r\nContent-Length: 900\r\n\r\n{",
        "HTTP/1.1 503 X\r\n\r\n",
    ] {
        let server = Server::start(vec![ServerAction::Drip(text)]).await;
        let error = login_within(&server.url, None, Duration::from_millis(200), &()).await.unwrap_err();
        assert_eq!(error, FusionError::Timeout { host: host(&server), seconds: 0 }, "{text}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn r21_and_r32_a_rejection_has_the_message_of_the_server_without_secrets() {
    for (date, clock_skew) in [
        ("Tue, 14 Nov 2023 22:13:20 GMT", None),
        ("Tue, 14 Nov 2023 22:13:50 GMT", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(-60)),
        ("Tue, 14 Nov 2023 21:13:20 GMT", Some(3_600)),
        ("yesterday", None),
    ] {
        let body = r#"{"status":401,"name":"Unauthorized","message":"bad key canary-appkey-1\u001b[2J, eyJhbGciOiJIUzI1NiJ9.x"}"#;
        let server = Server::start(vec![answer(401, &format!("Date: {date}\r\n"), body)]).await;
        let message = "bad key [redacted][2J, [redacted]".to_owned();
        assert_eq!(
            login(&server).await.unwrap_err(),
            FusionError::Rejected { host: host(&server), status: 401, message, clock_skew }
        );
    }
}

#[tokio::test]
async fn r21_clock_skew_is_reported_only_for_a_401() {
    let server = Server::start(vec![answer(403, "Date: Tue, 14 Nov 2023 21:13:20 GMT\r\n", "")]).await;
    assert!(matches!(login(&server).await, Err(FusionError::Rejected { clock_skew: None, .. })));
}

#[tokio::test]
async fn r26_a_proxy_is_used_only_for_remote_servers() {
    let dead = |_: &str| Some(std::ffi::OsStr::new("http://user:canary-proxy-1@127.0.0.1:1"));
    let proxies = Proxies::new(dead);
    let here = Server::start(vec![answer(200, "", GOOD)]).await;
    let client = Client::new(&here.url, None, &proxies).unwrap();
    client
        .refresh(
            &here.url,
            &secret("refresh-token-1"),
            CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer: &() },
        )
        .await
        .unwrap();
    // Nothing listens at the proxy's address; without the proxy, the name would not even resolve.
    let url: ApiUrl = "https://fusion.invalid".parse().unwrap();
    let (pem, _) = certificate("localhost", false);
    let client = Client::new(&url, Some(pem.as_bytes()), &proxies).unwrap();
    let error = client
        .refresh(
            &url,
            &secret("refresh-token-1"),
            CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer: &() },
        )
        .await
        .unwrap_err();
    let text = "the proxy 127.0.0.1:1 gives no connection to fusion.invalid: connection refused";
    assert!(error.was_never_sent() && error.to_string() == text, "{error}");
}

#[tokio::test]
async fn r24_localhost_is_resolved_without_dns() {
    let server = Server::listen(vec![answer(200, "", GOOD)], None, "http://localhost").await;
    login(&server).await.unwrap();
}

#[tokio::test]
async fn a_client_serves_only_urls_of_its_kind() {
    let (here, there) =
        (Server::start(vec![answer(200, "", GOOD)]).await, Server::start(vec![answer(200, "", GOOD)]).await);
    let (pem, acceptor) = certificate("localhost", false);
    let encrypted = Server::listen(vec![answer(200, "", GOOD)], Some(acceptor), "https://localhost").await;
    let client = Client::new(&here.url, Some(pem.as_bytes()), &Proxies::default()).unwrap();
    for server in [&here, &there, &encrypted] {
        client
            .refresh(
                &server.url,
                &secret("r"),
                CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer: &() },
            )
            .await
            .unwrap();
        assert_eq!(server.seen().len(), 1);
    }
    // A client for loopback would use the wrong route for this URL.
    let beyond: ApiUrl = "https://api.netography.com".parse().unwrap();
    let error = client
        .refresh(
            &beyond,
            &secret("r"),
            CallOptions { timeout: WAIT, clock: NOW, shares_rate_limit: false, observer: &() },
        )
        .await
        .unwrap_err();
    assert!(matches!(error, FusionError::Setup { .. }));
}

/// Creates a certificate for `name`, and a TLS acceptor that presents this certificate.
fn certificate(name: &str, expired: bool) -> (String, tokio_rustls::TlsAcceptor) {
    let mut wanted = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    // Each certificate has its own subject; otherwise two authorities with the same name would be confused.
    wanted.distinguished_name.push(rcgen::DnType::CommonName, format!("{:?}", key.public_key_raw()));
    if expired {
        wanted.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let made = wanted.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], private)
        .unwrap();
    (made.pem(), Arc::new(config).into())
}

#[tokio::test]
async fn r25_only_a_certificate_that_is_trusted_valid_and_for_this_host_sees_a_request() {
    let (good, _) = certificate("localhost", false);
    for (name, expired, trusted, why) in [
        ("localhost", false, true, None),
        ("localhost", false, false, Some("its certificate comes from an authority that is not trusted here")),
        ("localhost", true, true, Some("its certificate has expired")),
        ("other.example", false, true, Some("its certificate is for another name")),
    ] {
        let (pem, acceptor) = certificate(name, expired);
        let server = Server::listen(vec![answer(200, "", GOOD)], Some(acceptor), "https://localhost").await;
        let ca = if trusted { &pem } else { &good };
        let requests = RecordedRequests::default();
        let outcome = login_within(&server.url, Some(ca.as_bytes()), WAIT, &requests).await;
        let said = outcome.as_ref().err().map(|error| match error {
            FusionError::Tls { fault, .. } => fault.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(said.as_deref(), why);
        assert_eq!(server.seen().len(), usize::from(why.is_none()));
        assert_eq!(requests.0.borrow().len(), 1, "a certificate does not get better by asking again");
    }
}

#[tokio::test]
async fn a_ca_file_without_valid_certificates_is_an_error() {
    let url: ApiUrl = "https://localhost:1".parse().unwrap();
    for pem in
        ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n"]
    {
        let made = Client::new(&url, Some(pem.as_bytes()), &Proxies::default());
        assert!(matches!(made, Err(FusionError::CaFile)), "{pem}");
    }
}
