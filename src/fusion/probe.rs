//! Probe of a server without a credential: is it reachable, does it answer like the API, and is its clock right.

use super::client::{Attempt, CallOptions, Client, ConnectionPolicy, RequestLabel, redirect_target};
use super::{ApiPath, FusionError, transport};
use crate::profile::ApiUrl;
use crate::secret::Redactor;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use tokio::time::Instant;

/// Answer of a server to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// Host that was probed, and the proxy if one was used.
    pub host: String,
    /// HTTP status.
    pub status: u16,
    /// Target of a redirect, sanitized for display.
    pub redirect_to: Option<String>,
    /// True if the answer is an HTML page.
    pub is_html: bool,
    /// Number of seconds by which this machine's clock is ahead of the server's (negative: behind), if they differ by
    /// more than 30 s.
    pub clock_skew: Option<i64>,
    /// Time until the head of the answer, including the connection setup.
    pub took: Duration,
}

impl Client {
    /// Sends one `GET` without an access token. The API answers 401, according to the reference.
    ///
    /// # Errors
    /// Error if there was no answer. An answer with any status is a result.
    pub async fn probe(
        &self,
        url: &ApiUrl,
        path: &ApiPath,
        options: CallOptions<'_>,
    ) -> Result<ProbeResult, FusionError> {
        let label = RequestLabel { method: "GET", path: path.without_query() };
        let send_attempt = async |attempt: &Attempt<'_>| send_probe(path, attempt).await;
        self.send_with_retries(url, &label, options, ConnectionPolicy::Reuse, send_attempt, |_, _| None).await
    }
}

async fn send_probe(path: &ApiPath, attempt: &Attempt<'_>) -> Result<ProbeResult, FusionError> {
    let (sent_at, redactor) = (Instant::now(), Redactor::default());
    let answer = attempt.route.http.get(attempt.url.join(path.as_str())).send().await;
    let response = answer.map_err(|error| transport::classify_error(&error, &attempt.route, &redactor))?;
    attempt.record_head(&response);
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|content_type| content_type.to_str().ok()).unwrap_or_default();
    Ok(ProbeResult {
        host: attempt.route.host_with_proxy(),
        status: response.status().as_u16(),
        redirect_to: redirect_target(&response, &redactor).filter(|_| response.status().is_redirection()),
        is_html: content_type.trim_start().to_ascii_lowercase().starts_with("text/html"),
        clock_skew: attempt.clock_skew(&response),
        took: sent_at.elapsed(),
    })
}
