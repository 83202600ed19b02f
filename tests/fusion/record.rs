//! Record of everything a test may ask the server about: requests, counts, and violations of the API reference.

use std::time::Duration;

/// A request as the server received it.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Query string after the `?`, or an empty string.
    pub(crate) query: String,
    /// Headers in the order sent, their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl RecordedRequest {
    /// Returns the value of the first header with this name. `name` must be in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the media type in lower case without parameters, or an empty string if there is no content type.
    pub(super) fn media_type(&self) -> String {
        let content_type = self.header("content-type").unwrap_or_default();
        content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Returns the access token in the `Authorization` header, if the header starts with `Bearer `.
    pub(super) fn access_token(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// Everything the server recorded.
#[derive(Default)]
pub(super) struct ServerRecord {
    pub(super) requests: Vec<RecordedRequest>,
    pub(super) violations: Vec<String>,
    pub(super) connections: usize,
    /// Numbers of full and of resumed TLS handshakes, in this order.
    pub(super) handshakes: [usize; 2],
    pub(super) logins: usize,
    pub(super) refreshes: usize,
    pub(super) reused_refresh_tokens: Vec<String>,
    /// Request tokens received. Request tokens are secrets too, because a thief could log in with one.
    pub(super) request_tokens: Vec<String>,
    /// Time from the head of each request to the head of its response, in the order of the responses.
    pub(super) response_times: Vec<Duration>,
}

impl ServerRecord {
    /// Records a violation of the API reference, with the method and the path of the request.
    pub(super) fn record_violation(&mut self, request: &RecordedRequest, violation: &str) {
        self.violations.push(format!("{} {}: {violation}", request.method, request.path));
    }
}
