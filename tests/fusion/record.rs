//! What the server was asked, counted, and what of it was against the reference.

use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What follows the `?`, or nothing.
    pub(crate) query: String,
    /// Names in lower case, in the order sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The first header of that name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The media type, without parameters, in lower case.
    pub(super) fn media_type(&self) -> String {
        let whole = self.header("content-type").unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// What stands behind `Bearer`.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// All that happened.
#[derive(Default)]
pub(super) struct Record {
    pub(super) requests: Vec<Seen>,
    pub(super) violations: Vec<String>,
    pub(super) connections: usize,
    /// Of the connections over TLS: how many agreed on new keys, and how many went on with those of an earlier one.
    pub(super) handshakes: [usize; 2],
    pub(super) logins: usize,
    pub(super) refreshes: usize,
    pub(super) reused: Vec<String>,
    /// Request tokens that came: whoever holds one may replay it, so they are secrets too.
    pub(super) request_tokens: Vec<String>,
    /// From the head of each request to the head of its answer, in the order answered.
    pub(super) took: Vec<Duration>,
}

impl Record {
    /// Keeps a breach of the reference, with where it happened.
    pub(super) fn violation(&mut self, seen: &Seen, what: &str) {
        self.violations.push(format!("{} {}: {what}", seen.method, seen.path));
    }
}
