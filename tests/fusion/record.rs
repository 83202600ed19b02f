//! Record of the server: requests, counts, and violations of the reference.

use std::time::Duration;

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Text after the `?`, or an empty string.
    pub(crate) query: String,
    /// Headers in the order sent, their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl RecordedRequest {
    /// Returns the first header with this name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the media type in lower case, without parameters.
    pub(super) fn media_type(&self) -> String {
        let whole = self.header("content-type").unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Returns the access token after `Bearer`.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// Everything the server recorded.
#[derive(Default)]
pub(super) struct ServerRecord {
    pub(super) requests: Vec<RecordedRequest>,
    pub(super) violations: Vec<String>,
    pub(super) connections: usize,
    /// Number of full and of resumed TLS handshakes.
    pub(super) handshakes: [usize; 2],
    pub(super) logins: usize,
    pub(super) refreshes: usize,
    pub(super) reused: Vec<String>,
    /// Request tokens received. They are secrets too, because a holder can replay them.
    pub(super) request_tokens: Vec<String>,
    /// Time from the head of each request to the head of its answer, in the order answered.
    pub(super) response_times: Vec<Duration>,
}

impl ServerRecord {
    /// Records a violation of the reference, with method and path.
    pub(super) fn violation(&mut self, request: &RecordedRequest, what: &str) {
        self.violations.push(format!("{} {}: {what}", request.method, request.path));
    }
}
