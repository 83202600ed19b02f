//! What the decoy answers itself: grants, and errors in the form of the API.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// A short answer of JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: String,
}

/// An error as the reference has it: `{"status", "name", "message"}`.
pub(super) fn json(status: StatusCode, message: &str) -> Answer {
    let name = status.canonical_reason().unwrap_or("Error");
    Answer::of(status, &json!({"status": status.as_u16(), "name": name, "message": message}))
}

impl Answer {
    pub(super) fn of(status: StatusCode, body: &Value) -> Self {
        Self { status, body: body.to_string() }
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.into()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
