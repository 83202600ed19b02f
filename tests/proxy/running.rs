//! A running `neto proxy`, and exact requests to it.

use crate::fusion::Credential;
use crate::harness::{Running, Sandbox};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::time::Duration;

/// Time limit of every answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running proxy for one profile.
pub(super) struct RunningProxy<'a> {
    pub(super) running: Running<'a>,
    /// Variables for a program behind the proxy.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) client: Client,
}

/// Client that sends requests like a program behind the proxy.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) port: u16,
    pub(super) token: String,
}

/// An answer of the proxy.
#[derive(Debug)]
pub(super) struct ProxyAnswer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl<'a> RunningProxy<'a> {
    /// Starts a proxy for `acme` with these additional arguments, and waits until it serves.
    pub(super) fn new(sandbox: &'a Sandbox, arguments: &[&str]) -> Self {
        let words = ["proxy", "acme", "--format", "json"].iter().chain(arguments);
        let running = sandbox.neto(words).start();
        running.wait_for_stderr("until interrupted");
        let environment: BTreeMap<String, String> = running.wait_for_stdout(|text| serde_json::from_str(text).ok());
        let port = environment["NETO_URL"].split([':', '/']).nth(4).expect("a port").parse().expect("a port");
        let client = Client { port, token: environment["NETO_TOKEN"].clone() };
        Self { running, environment, client }
    }

    /// Decodes the decoy's credential.
    pub(super) fn credential(&self) -> Value {
        let text = STANDARD.decode(&self.environment["NETOSECRET"]).expect("base64, padded");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Creates a request token with these claims, signed with this secret.
    pub(super) fn request_token(claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Ends the proxy like Ctrl-C. Its output must not contain a real secret.
    pub(super) fn interrupt(self) {
        self.running.signal(Signal::INT);
        self.running.finish().code(130);
    }
}

impl Client {
    /// Sends these bytes on a new connection and reads the answer to its end.
    pub(super) fn raw(&self, request: impl AsRef<[u8]>) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a listening proxy");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
        stream.write_all(request.as_ref()).expect("a request sent");
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            answer.extend_from_slice(&piece[..count]);
        }
        answer
    }

    /// Renders a `GET` request that keeps the connection open.
    pub(super) fn keep_alive_get(&self, path: &str) -> String {
        let (port, token) = (self.port, &self.token);
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n")
    }

    /// Sends a request with the decoy's access token and these additional header lines.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> ProxyAnswer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let headers: Vec<&str> = headers.iter().copied().chain([bearer.as_str()]).collect();
        self.send_without_token(method, path, &headers, body)
    }

    /// Sends a request without an access token.
    pub(super) fn send_without_token(&self, method: &str, path: &str, headers: &[&str], body: &str) -> ProxyAnswer {
        let mut lines = vec![format!("{method} {path} HTTP/1.1"), "Connection: close".to_owned()];
        if !headers.iter().any(|line| line.starts_with("Host:")) {
            lines.push(format!("Host: 127.0.0.1:{}", self.port));
        }
        lines.extend(headers.iter().map(ToString::to_string));
        if !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        ProxyAnswer::parse(&self.raw(format!("{}\r\n\r\n{body}", lines.join("\r\n"))))
    }

    /// Posts a request token.
    pub(super) fn login(&self, token: &str) -> ProxyAnswer {
        let body = json!({"jwt": token}).to_string();
        self.send_without_token("POST", "/api/v1/auth/token", &["Content-Type: application/json"], &body)
    }
}

impl Deref for RunningProxy<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl ProxyAnswer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|text| text.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status: status.expect("a status"), headers, body: bytes[end + 4..].to_vec() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Asserts that the answer is an API error with this status and text.
    #[track_caller]
    pub(super) fn assert_error(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let body = self.json();
        assert_eq!(body["status"], status);
        assert!(body["name"].is_string(), "{body}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains(words), "'{message}' lacks '{words}'");
    }
}

/// Adds the profile `acme` and its tenant.
pub(super) fn add_acme(sandbox: &Sandbox) -> Credential {
    sandbox.add("acme")
}
