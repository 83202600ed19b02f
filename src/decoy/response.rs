//! Responses that the decoy creates itself: token grants, and errors in the format of the API.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// JSON response of the decoy itself.
#[derive(Debug)]
pub(super) struct DecoyResponse {
    status: StatusCode,
    body: String,
    /// Value of the `Retry-After` header, in seconds; received from the tenant's server.
    retry_after: Option<u64>,
}

/// Creates an error response in the documented format of the API: `{"status", "name", "message"}`.
pub(super) fn json_error(status: StatusCode, message: &str) -> DecoyResponse {
    let name = status.canonical_reason().unwrap_or("Error");
    DecoyResponse::new(status, &json!({"status": status.as_u16(), "name": name, "message": message}))
}

impl DecoyResponse {
    pub(super) fn new(status: StatusCode, body: &Value) -> Self {
        Self { status, body: body.to_string(), retry_after: None }
    }

    /// Sets the value of the `Retry-After` header. `None` omits the header.
    pub(super) fn with_retry_after(self, seconds: Option<u64>) -> Self {
        Self { retry_after: seconds, ..self }
    }

    pub(super) fn into_http(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.into()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
