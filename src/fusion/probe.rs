//! Probes a server without a credential, for `neto doctor`.
//!
//! Checks whether the server is reachable, responds like the API and has the same time as this machine.

use super::client::{Attempt, CallOptions, Client, ConnectionPolicy, RequestLabel, redirect_target};
use super::{ApiPath, FusionError, transport};
use crate::profile::ApiUrl;
use crate::secret::Redactor;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use tokio::time::Instant;

/// Response of a server to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// Host that was probed, and the proxy if used.
    pub host: String,
    /// HTTP status.
    pub status: u16,
    /// Target of a redirect, sanitized for display; absent if the response is not a 3xx, or has no valid `Location`.
    pub redirect_to: Option<String>,
    /// Whether the `Content-Type` is HTML.
    pub is_html: bool,
    /// Number of seconds by which this machine's clock is ahead of the server's, negative if behind. Absent if the
    /// difference is at most 30 s, or the response has no valid `Date`.
    pub clock_skew: Option<i64>,
    /// Time until the head of the response arrived, including the connection setup.
    pub took: Duration,
}

impl Client {
    /// Sends a `GET` without an access token. According to the reference, the API responds with 401.
    ///
    /// # Errors
    /// Returns an error if no response arrived. A response with any status is `Ok`. Before the first attempt, fails
    /// with the same errors as [`Client::login`].
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
    let result = attempt.route.http.get(attempt.url.join(path.as_str())).send().await;
    let response = result.map_err(|error| transport::classify_error(&error, &attempt.route, &redactor))?;
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
