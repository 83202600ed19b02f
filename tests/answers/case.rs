//! One answer of the server and its expected result.

use crate::fusion::{Fault, TOKEN};
use serde_json::Value;

/// Token in bad answers; it must not appear anywhere.
pub(super) const CANARY_TOKEN: &str = "planted-token-0123456789";

/// Valid answer with the planted token.
pub(super) const VALID_ANSWER: &str = r#"{"access_token":"planted-token-0123456789","expires_in":3600}"#;

/// One answer and its expected result.
#[derive(Clone)]
pub(super) struct AnswerCase {
    pub(super) name: String,
    pub(super) fault: Fault,
    pub(super) end: ExpectedEnd,
    /// Text expected on standard error.
    pub(super) words: Vec<String>,
    /// Text that standard error must not contain.
    pub(super) absent: Vec<String>,
    /// Expected number of login requests.
    pub(super) login_requests: usize,
    /// Whether the server's `Retry-After` also keeps the next run from sending a request.
    pub(super) delays_next_run: bool,
}

/// Expected result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedEnd {
    /// Fails without a token, with this exit code.
    Fails(i32),
    /// Prints the planted token with a warning and does not cache it.
    TokenNotCached,
    /// Prints the planted token and caches it for this many seconds.
    TokenCached(i64),
}

/// Fault on the login call.
pub(super) fn login() -> Fault {
    Fault::at(TOKEN)
}

/// Creates a case for an unusable answer: one request, exit code 5.
pub(super) fn case(name: impl Into<String>, fault: Fault) -> AnswerCase {
    AnswerCase {
        name: name.into(),
        fault,
        end: ExpectedEnd::Fails(5),
        words: Vec::new(),
        absent: Vec::new(),
        login_requests: 1,
        delays_next_run: false,
    }
}

/// Answers with exactly this header and body.
pub(super) fn raw(head: &str, body: impl AsRef<[u8]>) -> Fault {
    login().raw([head.as_bytes(), b"\r\n\r\n", body.as_ref()].concat())
}

/// Answers with status 200, these header lines, a `content-length` and this body.
pub(super) fn raw_ok(header: &str, body: impl AsRef<[u8]>) -> Fault {
    let length = body.as_ref().len();
    raw(&format!("HTTP/1.1 200 OK\r\n{header}content-length: {length}"), body)
}

impl AnswerCase {
    /// Expects exit code 4, because the server rejects the credential.
    pub(super) fn rejected(mut self) -> Self {
        self.end = ExpectedEnd::Fails(4);
        self
    }

    /// Expects a token that is printed but not cached.
    pub(super) fn token_not_cached(mut self) -> Self {
        self.end = ExpectedEnd::TokenNotCached;
        self
    }

    /// Expects a token that is cached for this many seconds.
    pub(super) fn token_cached(mut self, seconds: i64) -> Self {
        self.end = ExpectedEnd::TokenCached(seconds);
        self
    }

    /// Expects this text on standard error.
    pub(super) fn stderr_has(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    /// Expects standard error not to contain this text.
    pub(super) fn stderr_lacks(mut self, words: impl Into<String>) -> Self {
        self.absent.push(words.into());
        self
    }

    /// Expects this number of login requests.
    pub(super) fn login_requests(mut self, times: usize) -> Self {
        self.login_requests = times;
        self
    }

    /// Expects that the next run sends no request.
    pub(super) fn delays_next_run(mut self) -> Self {
        self.delays_next_run = true;
        self
    }
}

/// Returns the five claims of a request token. The test server checks the rest of the token.
pub(super) fn claims(body: &[u8]) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let token = body["jwt"].as_str().expect("a request token");
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}
