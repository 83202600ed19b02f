//! Handles one request from the program: checks the request, forwards it with the real access token, and returns the
//! response.

use super::audit::AuditEntry;
use super::body::AuditedBody;
use super::endpoint::Endpoint;
use super::headers::{self, RedirectsElsewhere};
use super::live_token::retry_after;
use super::response::{DecoyResponse, json_error};
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

/// Maximum size of the body of a read-only call that can be repeated with another token. A longer body is streamed and
/// sent only once.
const MAX_REPEATABLE_BODY_BYTES: u64 = 1024 * 1024;

/// Maximum size of the body of a login or a refresh.
const MAX_LOGIN_BODY_BYTES: usize = 64 * 1024;

/// Reason why the program gets no response from the tenant's server.
enum ForwardFailure {
    /// There was no access token, or no response from the server.
    Session(Rc<SessionError>),
    /// The program did not send the complete request body in time.
    ProgramStalled,
    /// The response redirects to another server.
    RedirectsElsewhere,
    /// The server switched protocols, although the decoy does not forward requests to switch.
    ProtocolSwitch,
}

/// Handles a request to the endpoint. Returns the forwarded response, a grant of the decoy, or an error response.
pub(super) async fn respond(endpoint: &Endpoint<'_>, request: Request<Incoming>) -> Response<AuditedBody> {
    let (head, body) = request.into_parts();
    let mut entry = AuditEntry::new(endpoint.audit.as_ref(), &endpoint.profile.name, &head.method, &head.uri);
    let response = match endpoint.policy.check_request(&head, &endpoint.credential, endpoint.port) {
        Err(refusal) => own_response(refusal),
        Ok(RequestPurpose::Login) => {
            own_response(grant_for_body(body, endpoint, |body| endpoint.credential.respond_to_login(body)).await)
        }
        Ok(RequestPurpose::Refresh) => {
            own_response(grant_for_body(body, endpoint, |body| endpoint.credential.respond_to_refresh(body)).await)
        }
        Ok(RequestPurpose::Call(path)) => match forward(endpoint, head, path, body).await {
            Ok(response) => response.map(Either::Right),
            Err(failure) => own_response(failure.into_response()),
        },
    };
    entry.set_status(response.status());
    response.map(|body| AuditedBody::new(body, endpoint.idle_timeout(), entry))
}

fn own_response(response: DecoyResponse) -> Response<Either<http_body_util::Full<Bytes>, reqwest::Body>> {
    response.into_http().map(Either::Left)
}

/// Reads the whole body and returns the response of `grant` to this body. Returns an error response if the body is
/// incomplete or too long.
async fn grant_for_body(
    body: Incoming,
    endpoint: &Endpoint<'_>,
    grant: impl FnOnce(&[u8]) -> DecoyResponse,
) -> DecoyResponse {
    match timeout(endpoint.idle_timeout(), Limited::new(body, MAX_LOGIN_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => grant(&body.to_bytes()),
        Ok(Err(_)) => json_error(StatusCode::UNAUTHORIZED, "the body breaks off, or is larger than a login is"),
        Err(_) => ForwardFailure::ProgramStalled.into_response(),
    }
}

/// Forwards a call and returns the server's response. After a response with status 401, tries to get another token.
/// With this token, repeats a read-only call whose body was buffered. Other calls are not repeated.
async fn forward(
    endpoint: &Endpoint<'_>,
    head: Parts,
    path: ApiPath,
    body: Incoming,
) -> Result<ForwardedResponse, ForwardFailure> {
    let access = endpoint.live_token.get().await?;
    let head = ForwardHead { method: head.method, path, headers: headers::for_tenant(head.headers) };
    let buffered = if head.is_read_only() || body.is_end_stream() {
        buffer_short_body(body, endpoint.idle_timeout()).await?
    } else {
        Err(body)
    };
    let response = match buffered {
        Err(body) => {
            let (upload, progress) = ForwardBody::streamed(body);
            endpoint
                .live_token
                .forward(&access, &head, upload)
                .await
                .map_err(|error| classify_upload_error(error, &progress))?
        }
        Ok(body) => {
            let response = send_buffered(endpoint, &access, &head, &body).await?;
            if response.status() == StatusCode::UNAUTHORIZED && head.is_read_only() {
                let replacement = endpoint.live_token.replace(&access).await?;
                return match replacement {
                    Some(replacement) => {
                        rewrite_response(endpoint, &head, send_buffered(endpoint, &replacement, &head, &body).await?)
                    }
                    None => rewrite_response(endpoint, &head, response),
                };
            }
            response
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ForwardFailure::ProtocolSwitch);
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        // The next call uses the replacement. This call still returns the refusal, even if the replacement fails.
        let _ = endpoint.live_token.replace(&access).await;
    }
    rewrite_response(endpoint, &head, response)
}

async fn send_buffered(
    endpoint: &Endpoint<'_>,
    access: &AccessToken,
    head: &ForwardHead,
    body: &Bytes,
) -> Result<ForwardedResponse, ForwardFailure> {
    Ok(endpoint.live_token.forward(access, head, ForwardBody::Buffered(body.clone())).await?)
}

/// Filters the headers of the tenant's response for the program. Rewrites a redirect so that it leads to the decoy.
fn rewrite_response(
    endpoint: &Endpoint<'_>,
    head: &ForwardHead,
    mut response: ForwardedResponse,
) -> Result<ForwardedResponse, ForwardFailure> {
    let decoy_url = &endpoint.credential.netosecret().url;
    headers::for_program(response.headers_mut(), &endpoint.profile.url, head.path.as_str(), decoy_url)
        .map_err(|RedirectsElsewhere| ForwardFailure::RedirectsElsewhere)?;
    Ok(response)
}

/// Reads a body whose announced size is at most [`MAX_REPEATABLE_BODY_BYTES`]. Returns any other body unread, as the
/// inner `Err`.
async fn buffer_short_body(body: Incoming, idle_timeout: Duration) -> Result<Result<Bytes, Incoming>, ForwardFailure> {
    if body.is_end_stream() {
        return Ok(Ok(Bytes::new()));
    }
    if body.size_hint().upper().is_none_or(|size| size > MAX_REPEATABLE_BODY_BYTES) {
        return Ok(Err(body));
    }
    match timeout(idle_timeout, body.collect()).await {
        Ok(Ok(body)) => Ok(Ok(body.to_bytes())),
        _ => Err(ForwardFailure::ProgramStalled),
    }
}

/// Returns the failure for an error during a streamed upload. A timeout before the end of the body is the program's
/// fault; any other error is a failure of the session.
fn classify_upload_error(error: SessionError, progress: &Arc<StreamProgress>) -> ForwardFailure {
    match error {
        SessionError::Fusion(FusionError::Timeout { .. })
        | SessionError::OutcomeUnknown(FusionError::Timeout { .. })
            if !progress.has_ended() =>
        {
            ForwardFailure::ProgramStalled
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
    /// Returns the error response for the program.
    fn into_response(self) -> DecoyResponse {
        let error = match self {
            Self::ProgramStalled => {
                return json_error(StatusCode::REQUEST_TIMEOUT, "the body of the request does not come");
            }
            Self::RedirectsElsewhere => {
                return json_error(
                    StatusCode::BAD_GATEWAY,
                    "the server redirects to another one, where the decoy does not go",
                );
            }
            Self::ProtocolSwitch => {
                return json_error(StatusCode::BAD_GATEWAY, "the server goes over to another protocol");
            }
            Self::Session(error) => error,
        };
        let retry_after_seconds = retry_after(&error);
        let status = match &*error {
            _ if retry_after_seconds.is_some() => StatusCode::SERVICE_UNAVAILABLE,
            SessionError::Fusion(FusionError::Rejected { .. }) => StatusCode::UNAUTHORIZED,
            SessionError::Shared(failure) if failure.rejected => StatusCode::UNAUTHORIZED,
            SessionError::Fusion(FusionError::Timeout { .. })
            | SessionError::OutcomeUnknown(FusionError::Timeout { .. }) => StatusCode::GATEWAY_TIMEOUT,
            SessionError::Fusion(_) | SessionError::OutcomeUnknown(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        json_error(status, &error.to_string()).with_retry_after(retry_after_seconds)
    }
}
