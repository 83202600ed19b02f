//! Answers of the decoy itself: grants, and errors in the format of the API.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// Short JSON answer.
#[derive(Debug)]
pub(super) struct DecoyAnswer {
    status: StatusCode,
    body: String,
    /// `Retry-After` of the tenant's server, in seconds.
    retry_after: Option<u64>,
}

/// Creates an error in the API's documented format: `{"status", "name", "message"}`.
pub(super) fn json_error(status: StatusCode, message: &str) -> DecoyAnswer {
    let name = status.canonical_reason().unwrap_or("Error");
    DecoyAnswer::new(status, &json!({"status": status.as_u16(), "name": name, "message": message}))
}

impl DecoyAnswer {
    pub(super) fn new(status: StatusCode, body: &Value) -> Self {
        Self { status, body: body.to_string(), retry_after: None }
    }

    /// Sets the `Retry-After` header, in seconds.
    pub(super) fn with_retry_after(self, retry_after: Option<u64>) -> Self {
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
