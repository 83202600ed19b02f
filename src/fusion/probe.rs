//! A look at a server without any credential: whether it is reached, whether it answers as the API does, and how its
//! clock stands.

use super::client::{Client, Connection, Label, Manner, Try, redirect};
use super::redact::Redactor;
use super::{ApiPath, FusionError, transport};
use crate::profile::ApiUrl;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use tokio::time::Instant;

/// How a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Whom neto asked, and by which proxy.
    pub host: String,
    /// The status.
    pub status: u16,
    /// Where a redirect leads, fit to be shown.
    pub to: Option<String>,
    /// Whether the answer is a page of HTML.
    pub is_page: bool,
    /// By how many seconds this machine's clock is ahead of the server's (negative: behind), where they differ by more
    /// than 30 s.
    pub clock_skew: Option<i64>,
    /// Until the head of the answer came, the making of the connection included.
    pub took: Duration,
}

impl Client {
    /// Makes a `GET` without a bearer, once. The API answers 401, says the reference.
    ///
    /// # Errors
    /// What left it without any answer. An answer is one, whatever its status.
    pub async fn probe(&self, url: &ApiUrl, path: &ApiPath, manner: Manner<'_>) -> Result<Sight, FusionError> {
        let label = Label { method: "GET", path: path.without_query() };
        let ask = async |this: &Try<'_>| look(path, this).await;
        self.tried(url, &label, manner, Connection::Kept, ask, |_, _| None).await
    }
}

async fn look(path: &ApiPath, this: &Try<'_>) -> Result<Sight, FusionError> {
    let (sent, redactor) = (Instant::now(), Redactor::default());
    let answer = this.way.http.get(this.url.join(path.whole())).send().await;
    let response = answer.map_err(|error| transport::explain(&error, &this.way, &redactor))?;
    this.note(&response);
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    Ok(Sight {
        host: this.way.whom(),
        status: response.status().as_u16(),
        to: redirect(&response, &redactor).filter(|_| response.status().is_redirection()),
        is_page: kind.trim_start().to_ascii_lowercase().starts_with("text/html"),
        clock_skew: this.skew(&response),
        took: sent.elapsed(),
    })
}
