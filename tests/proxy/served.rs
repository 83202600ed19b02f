//! A running `neto proxy`, and requests to it to the letter.

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

/// No answer of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy of one profile.
pub(super) struct Served<'a> {
    pub(super) running: Running<'a>,
    /// What a program behind it gets.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) client: Client,
}

/// Asks a proxy as a program behind it does.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) port: u16,
    pub(super) token: String,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl<'a> Served<'a> {
    /// Starts it for `acme` with these further arguments, and waits until it serves.
    pub(super) fn new(sandbox: &'a Sandbox, arguments: &[&str]) -> Self {
        let words = ["proxy", "acme", "--format", "json"].iter().chain(arguments);
        let running = sandbox.neto(words).start();
        running.wait_until_it_says("until interrupted");
        let environment: BTreeMap<String, String> =
            running.wait_until_it_prints(|text| serde_json::from_str(text).ok());
        let port = environment["NETO_URL"].split([':', '/']).nth(4).expect("a port").parse().expect("a port");
        let client = Client { port, token: environment["NETO_TOKEN"].clone() };
        Self { running, environment, client }
    }

    /// The false credential.
    pub(super) fn credential(&self) -> Value {
        let text = STANDARD.decode(&self.environment["NETOSECRET"]).expect("base64, padded");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// A request token of these claims, signed with this secret.
    pub(super) fn request_token(claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Ends it as Ctrl-C does; what it said on the way may hold no real secret.
    pub(super) fn interrupt(self) {
        self.running.signal(Signal::INT);
        self.running.finish().code(130);
    }
}

impl Client {
    /// Sends these bytes on a connection of their own and reads the answer to its end.
    pub(super) fn raw(&self, request: impl AsRef<[u8]>) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a listening proxy");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.write_all(request.as_ref()).expect("a request sent");
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            answer.extend_from_slice(&piece[..count]);
        }
        answer
    }

    /// The bytes of a `GET` after which the connection stays open.
    pub(super) fn get_on_a_kept_connection(&self, path: &str) -> String {
        let (port, token) = (self.port, &self.token);
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n")
    }

    /// Asks with the decoy's bearer and these header lines besides.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let headers: Vec<&str> = headers.iter().copied().chain([bearer.as_str()]).collect();
        self.bare(method, path, &headers, body)
    }

    /// Asks without a bearer.
    pub(super) fn bare(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut lines = vec![format!("{method} {path} HTTP/1.1"), "Connection: close".to_owned()];
        if !headers.iter().any(|line| line.starts_with("Host:")) {
            lines.push(format!("Host: 127.0.0.1:{}", self.port));
        }
        lines.extend(headers.iter().map(ToString::to_string));
        if !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        Answer::parse(&self.raw(format!("{}\r\n\r\n{body}", lines.join("\r\n"))))
    }

    /// Posts a request token.
    pub(super) fn login(&self, token: &str) -> Answer {
        let body = json!({"jwt": token}).to_string();
        self.bare("POST", "/api/v1/auth/token", &["Content-Type: application/json"], &body)
    }
}

impl Deref for Served<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Answer {
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

    /// It is an error in the API's form, with these words.
    #[track_caller]
    pub(super) fn is_error(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let body = self.json();
        assert_eq!(body["status"], status);
        assert!(body["name"].is_string(), "{body}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains(words), "'{message}' lacks '{words}'");
    }
}

/// A profile `acme` with its tenant.
pub(super) fn acme(sandbox: &Sandbox) -> Credential {
    sandbox.add("acme")
}
