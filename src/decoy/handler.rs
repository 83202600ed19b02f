//! One request from its arrival to its answer.

use super::answer::{Answer, json};
use super::audit::Entry;
use super::body::Outgoing;
use super::headers::{self, LeadsElsewhere};
use super::live_token::retry_after;
use super::rules::Wanted;
use super::server::Site;
use crate::fusion::{ApiPath, Flow, FusionError, Head, Passed, Upload};
use crate::session::{Access, SessionError};
use http_body_util::{BodyExt as _, Either, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A reading call with a longer body, in bytes, is sent as it comes, and so only once.
const REPEATABLE: u64 = 1024 * 1024;

/// The longest body of a login or a refresh, in bytes.
const LONGEST_LOGIN: usize = 64 * 1024;

/// What went wrong on the way to the tenant and back.
enum Failure {
    /// Before or instead of an answer.
    Session(Rc<SessionError>),
    /// The program does not send the body that it announced.
    Stalled,
    /// The answer leads to another server.
    Elsewhere,
    /// The server goes over to another protocol, which nobody asked it to.
    Upgrade,
}

/// Answers a request to this site.
pub(super) async fn answer(site: &Site<'_>, request: Request<Incoming>) -> Response<Outgoing> {
    let (head, body) = request.into_parts();
    let mut entry = Entry::new(site.audit.as_ref(), &site.profile.name, &head.method, &head.uri);
    let response = match site.rules.judge(&head, &site.decoy, site.port) {
        Err(refusal) => own(refusal),
        Ok(Wanted::Login) => own(granted(body, site, |body| site.decoy.login(body)).await),
        Ok(Wanted::Refresh) => own(granted(body, site, |body| site.decoy.refresh(body)).await),
        Ok(Wanted::Call(path)) => match pass(site, head, path, body).await {
            Ok(passed) => passed.map(Either::Right),
            Err(failure) => own(failure.answer()),
        },
    };
    entry.answered(response.status());
    response.map(|body| Outgoing::new(body, site.patience(), entry))
}

fn own(answer: Answer) -> Response<Either<http_body_util::Full<Bytes>, reqwest::Body>> {
    answer.response().map(Either::Left)
}

/// What the decoy grants for the whole of a body.
async fn granted(body: Incoming, site: &Site<'_>, grant: impl FnOnce(&[u8]) -> Answer) -> Answer {
    match timeout(site.patience(), Limited::new(body, LONGEST_LOGIN).collect()).await {
        Ok(Ok(body)) => grant(&body.to_bytes()),
        Ok(Err(_)) => json(StatusCode::UNAUTHORIZED, "the body breaks off, or is larger than a login is"),
        Err(_) => Failure::Stalled.answer(),
    }
}

/// Passes a call on. Where the server does not take the token, another is got; then a call that only reads, and whose
/// body is at hand, is made again, and for every other the answer stands.
async fn pass(site: &Site<'_>, head: Parts, path: ApiPath, body: Incoming) -> Result<Passed, Failure> {
    let access = site.bearer.get().await?;
    let head = Head { method: head.method, path, headers: headers::for_tenant(head.headers) };
    let whole = if head.reads() || body.is_end_stream() { short(body, site.patience()).await? } else { Err(body) };
    let passed = match whole {
        Err(body) => {
            let (upload, flow) = Upload::stream(body);
            site.bearer.pass(&access, &head, upload).await.map_err(|error| stalled_or(error, &flow))?
        }
        Ok(body) => {
            let passed = send(site, &access, &head, &body).await?;
            if passed.status() == StatusCode::UNAUTHORIZED && head.reads() {
                let other = site.bearer.replace(&access).await?;
                return match other {
                    Some(other) => returned(site, &head, send(site, &other, &head, &body).await?),
                    None => returned(site, &head, passed),
                };
            }
            passed
        }
    };
    if passed.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::Upgrade);
    }
    if passed.status() == StatusCode::UNAUTHORIZED {
        // For the next call. This one's answer is what the server said.
        let _ = site.bearer.replace(&access).await;
    }
    returned(site, &head, passed)
}

async fn send(site: &Site<'_>, access: &Access, head: &Head, body: &Bytes) -> Result<Passed, Failure> {
    Ok(site.bearer.pass(access, head, Upload::Whole(body.clone())).await?)
}

/// The tenant's answer as the program gets it.
fn returned(site: &Site<'_>, head: &Head, mut passed: Passed) -> Result<Passed, Failure> {
    let own = &site.decoy.secret().url;
    headers::for_program(passed.headers_mut(), &site.profile.url, head.path.whole(), own)
        .map_err(|LeadsElsewhere| Failure::Elsewhere)?;
    Ok(passed)
}

/// A body that is known to be short, as a whole; any other as it was.
async fn short(body: Incoming, patience: Duration) -> Result<Result<Bytes, Incoming>, Failure> {
    if body.is_end_stream() {
        return Ok(Ok(Bytes::new()));
    }
    if body.size_hint().upper().is_none_or(|most| most > REPEATABLE) {
        return Ok(Err(body));
    }
    match timeout(patience, body.collect()).await {
        Ok(Ok(body)) => Ok(Ok(body.to_bytes())),
        _ => Err(Failure::Stalled),
    }
}

fn stalled_or(error: SessionError, flow: &Arc<Flow>) -> Failure {
    match error {
        SessionError::Fusion(FusionError::Timeout { .. }) | SessionError::Unsure(FusionError::Timeout { .. })
            if !flow.is_over() =>
        {
            Failure::Stalled
        }
        error => error.into(),
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(Rc::new(error))
    }
}

impl From<Rc<SessionError>> for Failure {
    fn from(error: Rc<SessionError>) -> Self {
        Self::Session(error)
    }
}

impl Failure {
    /// What the program is told.
    fn answer(self) -> Answer {
        let error = match self {
            Self::Stalled => return json(StatusCode::REQUEST_TIMEOUT, "the body of the request does not come"),
            Self::Elsewhere => {
                return json(
                    StatusCode::BAD_GATEWAY,
                    "the server redirects to another one, where the decoy does not go",
                );
            }
            Self::Upgrade => return json(StatusCode::BAD_GATEWAY, "the server goes over to another protocol"),
            Self::Session(error) => error,
        };
        let pause = retry_after(&error);
        let status = match &*error {
            _ if pause.is_some() => StatusCode::SERVICE_UNAVAILABLE,
            SessionError::Fusion(FusionError::Rejected { .. }) => StatusCode::UNAUTHORIZED,
            SessionError::Shared(failure) if failure.rejected => StatusCode::UNAUTHORIZED,
            SessionError::Fusion(FusionError::Timeout { .. }) | SessionError::Unsure(FusionError::Timeout { .. }) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            SessionError::Fusion(_) | SessionError::Unsure(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        json(status, &error.to_string()).after(pause)
    }
}
