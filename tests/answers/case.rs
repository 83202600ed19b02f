//! One answer of the server, and what must come of it.

use crate::fusion::{Fault, TOKEN};
use serde_json::Value;

/// What bad answers hold in the place of a token: it must come to light nowhere.
pub(super) const PLANTED: &str = "planted-token-0123456789";

/// An answer in which nothing is wrong, with the planted token.
pub(super) const GOOD: &str = r#"{"access_token":"planted-token-0123456789","expires_in":3600}"#;

/// One answer and what must come of it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) fault: Fault,
    pub(super) end: End,
    /// What stands on standard error.
    pub(super) words: Vec<String>,
    /// What does not.
    pub(super) unsaid: Vec<String>,
    /// How often a login is asked for.
    pub(super) asked: usize,
    /// Whether the server's `Retry-After` binds the next run.
    pub(super) binds: bool,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Without a token, with this exit code.
    Fails(i32),
    /// With the planted token, a warning, and nothing kept.
    Once,
    /// With the planted token, which is kept for so many seconds.
    Kept(i64),
}

/// A login that is answered in this way.
pub(super) fn login() -> Fault {
    Fault::at(TOKEN)
}

/// An answer that is not usable; asked for once.
pub(super) fn case(name: impl Into<String>, fault: Fault) -> Case {
    Case { name: name.into(), fault, end: End::Fails(5), words: Vec::new(), unsaid: Vec::new(), asked: 1, binds: false }
}

/// An answer whose header and body are sent to the letter.
pub(super) fn raw(head: &str, body: impl AsRef<[u8]>) -> Fault {
    login().raw([head.as_bytes(), b"\r\n\r\n", body.as_ref()].concat())
}

/// The same with status 200, further header lines, and a length.
pub(super) fn raw_ok(header: &str, body: impl AsRef<[u8]>) -> Fault {
    let length = body.as_ref().len();
    raw(&format!("HTTP/1.1 200 OK\r\n{header}content-length: {length}"), body)
}

impl Case {
    /// The server takes the credential for a wrong one.
    pub(super) fn rejected(mut self) -> Self {
        self.end = End::Fails(4);
        self
    }

    /// It is good for this once.
    pub(super) fn once(mut self) -> Self {
        self.end = End::Once;
        self
    }

    /// It is good for so many seconds.
    pub(super) fn kept(mut self, seconds: i64) -> Self {
        self.end = End::Kept(seconds);
        self
    }

    /// Standard error holds this.
    pub(super) fn says(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    /// Standard error does not hold this.
    pub(super) fn keeps_quiet_about(mut self, words: impl Into<String>) -> Self {
        self.unsaid.push(words.into());
        self
    }

    /// It is asked so often.
    pub(super) fn asked(mut self, times: usize) -> Self {
        self.asked = times;
        self
    }

    /// The next run leaves the server alone.
    pub(super) fn binds(mut self) -> Self {
        self.binds = true;
        self
    }
}

/// The five claims of a request token, as they were sent; the server checks the rest.
pub(super) fn claims(body: &[u8]) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let token = body["jwt"].as_str().expect("a request token");
    let claims = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}
