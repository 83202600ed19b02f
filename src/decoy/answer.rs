//! What the decoy answers itself: grants, and errors in the form of the API.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// A short answer of JSON.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: String,
    /// When to ask again, in seconds, where the tenant's server said so.
    retry_after: Option<u64>,
}

/// An error as the reference has it: `{"status", "name", "message"}`.
pub(super) fn json(status: StatusCode, message: &str) -> Answer {
    let name = status.canonical_reason().unwrap_or("Error");
    Answer::of(status, &json!({"status": status.as_u16(), "name": name, "message": message}))
}

impl Answer {
    pub(super) fn of(status: StatusCode, body: &Value) -> Self {
        Self { status, body: body.to_string(), retry_after: None }
    }

    /// With the time that the tenant's server wants to be left alone, in seconds.
    pub(super) fn after(self, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..self }
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.into()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
