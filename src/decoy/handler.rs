//! Handling of one request from arrival to answer.

use super::answer::{DecoyAnswer, json_error};
use super::audit::AuditEntry;
use super::body::CountedBody;
use super::endpoint::Endpoint;
use super::headers::{self, RedirectsElsewhere};
use super::live_token::retry_after;
use super::rules::RequestPurpose;
use crate::fusion::{ApiPath, ForwardBody, ForwardHead, ForwardedResponse, FusionError, StreamProgress};
use crate::session::{AccessToken, SessionError};
use http_body_util::{BodyExt as _, Either, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Maximum body of a reading call that can be repeated, in bytes. Longer bodies are streamed, and so sent only once.
const MAX_REPEATABLE_BODY: u64 = 1024 * 1024;

/// Maximum body of a login or a refresh, in bytes.
const MAX_LOGIN_BODY: usize = 64 * 1024;

/// Reason why a request got no answer from the tenant.
enum ForwardFailure {
    /// The request failed before or instead of an answer.
    Session(Rc<SessionError>),
    /// The program did not send the announced body.
    Stalled,
    /// The answer redirects to another server.
    RedirectsElsewhere,
    /// The server switched protocols without a request to do so.
    Upgrade,
}

/// Answers a request to this endpoint.
pub(super) async fn answer(endpoint: &Endpoint<'_>, request: Request<Incoming>) -> Response<CountedBody> {
    let (head, body) = request.into_parts();
    let mut entry = AuditEntry::new(endpoint.audit.as_ref(), &endpoint.profile.name, &head.method, &head.uri);
    let response = match endpoint.policy.check_request(&head, &endpoint.decoy, endpoint.port) {
        Err(refusal) => own_response(refusal),
        Ok(RequestPurpose::Login) => {
            own_response(grant_for_body(body, endpoint, |body| endpoint.decoy.login(body)).await)
        }
        Ok(RequestPurpose::Refresh) => {
            own_response(grant_for_body(body, endpoint, |body| endpoint.decoy.refresh(body)).await)
        }
        Ok(RequestPurpose::Call(path)) => match forward(endpoint, head, path, body).await {
            Ok(answer) => answer.map(Either::Right),
            Err(failure) => own_response(failure.answer()),
        },
    };
    entry.set_status(response.status());
    response.map(|body| CountedBody::new(body, endpoint.idle_timeout(), entry))
}

fn own_response(answer: DecoyAnswer) -> Response<Either<http_body_util::Full<Bytes>, reqwest::Body>> {
    answer.response().map(Either::Left)
}

/// Reads the whole body and returns the decoy's grant for the body.
async fn grant_for_body(
    body: Incoming,
    endpoint: &Endpoint<'_>,
    grant: impl FnOnce(&[u8]) -> DecoyAnswer,
) -> DecoyAnswer {
    match timeout(endpoint.idle_timeout(), Limited::new(body, MAX_LOGIN_BODY).collect()).await {
        Ok(Ok(body)) => grant(&body.to_bytes()),
        Ok(Err(_)) => json_error(StatusCode::UNAUTHORIZED, "the body breaks off, or is larger than a login is"),
        Err(_) => ForwardFailure::Stalled.answer(),
    }
}

/// Forwards a call. If the server refuses the token, another token is obtained. A reading call with a buffered body is
/// then repeated; otherwise the answer is returned.
async fn forward(
    endpoint: &Endpoint<'_>,
    head: Parts,
    path: ApiPath,
    body: Incoming,
) -> Result<ForwardedResponse, ForwardFailure> {
    let access = endpoint.live_token.get().await?;
    let head = ForwardHead { method: head.method, path, headers: headers::for_tenant(head.headers) };
    let buffered = if head.is_read_only() || body.is_end_stream() {
        read_short_body(body, endpoint.idle_timeout()).await?
    } else {
        Err(body)
    };
    let answer = match buffered {
        Err(body) => {
            let (upload, flow) = ForwardBody::streamed(body);
            endpoint
                .live_token
                .forward(&access, &head, upload)
                .await
                .map_err(|error| body_or_server_timeout(error, &flow))?
        }
        Ok(body) => {
            let answer = send(endpoint, &access, &head, &body).await?;
            if answer.status() == StatusCode::UNAUTHORIZED && head.is_read_only() {
                let other = endpoint.live_token.replace(&access).await?;
                return match other {
                    Some(other) => rewrite_answer(endpoint, &head, send(endpoint, &other, &head, &body).await?),
                    None => rewrite_answer(endpoint, &head, answer),
                };
            }
            answer
        }
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ForwardFailure::Upgrade);
    }
    if answer.status() == StatusCode::UNAUTHORIZED {
        // The new token is for the next call; this call returns the server's answer.
        let _ = endpoint.live_token.replace(&access).await;
    }
    rewrite_answer(endpoint, &head, answer)
}

async fn send(
    endpoint: &Endpoint<'_>,
    access: &AccessToken,
    head: &ForwardHead,
    body: &Bytes,
) -> Result<ForwardedResponse, ForwardFailure> {
    Ok(endpoint.live_token.forward(access, head, ForwardBody::Buffered(body.clone())).await?)
}

/// Rewrites the headers of the tenant's answer for the program.
fn rewrite_answer(
    endpoint: &Endpoint<'_>,
    head: &ForwardHead,
    mut answer: ForwardedResponse,
) -> Result<ForwardedResponse, ForwardFailure> {
    let own = &endpoint.decoy.secret().url;
    headers::for_program(answer.headers_mut(), &endpoint.profile.url, head.path.as_str(), own)
        .map_err(|RedirectsElsewhere| ForwardFailure::RedirectsElsewhere)?;
    Ok(answer)
}

/// Reads a body that is known to be short; returns any other body unread.
async fn read_short_body(body: Incoming, idle_timeout: Duration) -> Result<Result<Bytes, Incoming>, ForwardFailure> {
    if body.is_end_stream() {
        return Ok(Ok(Bytes::new()));
    }
    if body.size_hint().upper().is_none_or(|most| most > MAX_REPEATABLE_BODY) {
        return Ok(Err(body));
    }
    match timeout(idle_timeout, body.collect()).await {
        Ok(Ok(body)) => Ok(Ok(body.to_bytes())),
        _ => Err(ForwardFailure::Stalled),
    }
}

fn body_or_server_timeout(error: SessionError, flow: &Arc<StreamProgress>) -> ForwardFailure {
    match error {
        SessionError::Fusion(FusionError::Timeout { .. })
        | SessionError::OutcomeUnknown(FusionError::Timeout { .. })
            if !flow.is_complete() =>
        {
            ForwardFailure::Stalled
        }
        error => error.into(),
    }
}

impl From<SessionError> for ForwardFailure {
    fn from(error: SessionError) -> Self {
        Self::Session(Rc::new(error))
    }
}

impl From<Rc<SessionError>> for ForwardFailure {
    fn from(error: Rc<SessionError>) -> Self {
        Self::Session(error)
    }
}

impl ForwardFailure {
    /// Returns the answer for the program.
    fn answer(self) -> DecoyAnswer {
        let error = match self {
            Self::Stalled => return json_error(StatusCode::REQUEST_TIMEOUT, "the body of the request does not come"),
            Self::RedirectsElsewhere => {
                return json_error(
                    StatusCode::BAD_GATEWAY,
                    "the server redirects to another one, where the decoy does not go",
                );
            }
            Self::Upgrade => return json_error(StatusCode::BAD_GATEWAY, "the server goes over to another protocol"),
            Self::Session(error) => error,
        };
        let pause = retry_after(&error);
        let status = match &*error {
            _ if pause.is_some() => StatusCode::SERVICE_UNAVAILABLE,
            SessionError::Fusion(FusionError::Rejected { .. }) => StatusCode::UNAUTHORIZED,
            SessionError::Shared(failure) if failure.rejected => StatusCode::UNAUTHORIZED,
            SessionError::Fusion(FusionError::Timeout { .. })
            | SessionError::OutcomeUnknown(FusionError::Timeout { .. }) => StatusCode::GATEWAY_TIMEOUT,
            SessionError::Fusion(_) | SessionError::OutcomeUnknown(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        json_error(status, &error.to_string()).with_retry_after(pause)
    }
}
