//! Accepts connections and writes an answer, or a fault in its place, to the socket.

use super::faults::{Effect, find_fault};
use super::record::RecordedRequest;
use super::routes::{self, Answer};
use super::server::Shared;
use super::wire::{RawAnswer, RawOverride, Wire};
use super::{TOKEN, request_token};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future as _;
use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::HandshakeKind;

/// Accepts connections forever.
pub(super) async fn listen(listener: StdListener, tls: Option<TlsAcceptor>, state: Shared) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Servers usually do this: no answer waits for the client's acknowledgment of its head.
        let _ = stream.set_nodelay(true);
        state.lock().unwrap_or_else(PoisonError::into_inner).record.connections += 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                        record_handshake(&state, resumed);
                        serve_connection(stream, state).await;
                    }
                }
            }
        });
    }
}

fn record_handshake(state: &Shared, resumed: bool) {
    state.lock().unwrap_or_else(PoisonError::into_inner).record.handshakes[usize::from(resumed)] += 1;
}

/// Answers the requests of one connection.
async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, state: Shared) {
    let (wire, raw_override) = Wire::new(stream);
    let service = service_fn(move |request| serve(request, Arc::clone(&state), raw_override.clone()));
    // An error here means that the client disconnected or that a fault was set.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}

/// Error that closes the connection on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends")]
struct Ended;

async fn serve(
    request: Request<Incoming>,
    state: Shared,
    raw_override: RawOverride,
) -> Result<Response<Trickle>, Ended> {
    let started = Instant::now();
    let answer = answer(request, &state, &raw_override).await;
    state.lock().unwrap_or_else(PoisonError::into_inner).record.response_times.push(started.elapsed());
    answer
}

async fn answer(
    request: Request<Incoming>,
    state: &Shared,
    raw_override: &RawOverride,
) -> Result<Response<Trickle>, Ended> {
    let request = read_request(request).await?;
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = state.tenant_of(&request);
        state.record.requests.push(request.clone());
        if request.path == TOKEN {
            state.record.request_tokens.extend(request_token::jwt_in(&request.body));
        }
        find_fault(&mut state.faults, &request.path, tenant.as_deref())
    };
    let Some(fault) = fault else { return Ok(render(carry_out(state, &request), None)) };
    if let Some(gate) = &fault.gate {
        gate.pass().await;
    }
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    match fault.effect {
        Effect::Usual => Ok(render(carry_out(state, &request), None)),
        Effect::Drip { pause } => Ok(render(carry_out(state, &request), Some(pause))),
        Effect::Answer { status, headers, body } => Ok(render(dated(state, Answer { status, headers, body }), None)),
        Effect::Close => Err(Ended),
        Effect::Lose => {
            carry_out(state, &request);
            Err(Ended)
        }
        Effect::Cut { keep } => {
            let answer = carry_out(state, &request);
            Ok(send_raw(raw_override, RawAnswer { bytes: cut(&answer, keep), ..RawAnswer::default() }))
        }
        Effect::Raw(bytes) => Ok(send_raw(raw_override, bytes)),
        Effect::Reply(reply) => {
            let (status, body) = reply(&request);
            Ok(render(dated(state, Answer { status, headers: Vec::new(), body: body.into_bytes() }), None))
        }
    }
}

async fn read_request(request: Request<Incoming>) -> Result<RecordedRequest, Ended> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Ended)?.to_bytes().to_vec();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(RecordedRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body,
    })
}

fn carry_out(state: &Shared, request: &RecordedRequest) -> Answer {
    let answer = routes::answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), request);
    dated(state, answer)
}

/// Adds a `Date` from the server's clock unless the answer already has one.
fn dated(state: &Shared, mut answer: Answer) -> Answer {
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        let now = state.lock().unwrap_or_else(PoisonError::into_inner).now();
        let now = Timestamp::from_second(i64::try_from(now).expect("a time")).expect("a time");
        answer.headers.push(("date".to_owned(), now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    }
    answer
}

/// Renders an answer whose body is shorter than its `content-length`.
fn cut(answer: &Answer, keep: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Cut\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend(answer.body.iter().take(keep));
    bytes
}

/// Sends these bytes in place of an answer, and no other bytes after them.
fn send_raw(raw_override: &RawOverride, bytes: RawAnswer) -> Response<Trickle> {
    raw_override.send_raw(bytes);
    let headers = vec![("connection".to_owned(), "close".to_owned())];
    render(Answer { status: 200, headers, body: Vec::new() }, None)
}

fn render(answer: Answer, pause: Option<Duration>) -> Response<Trickle> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Trickle::new(answer.body, pause)).expect("a valid answer")
}

/// A body sent at once, or byte by byte with a pause before each.
struct Trickle {
    remaining: VecDeque<Bytes>,
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Trickle {
    fn new(body: Vec<u8>, pause: Option<Duration>) -> Self {
        let remaining = match pause {
            Some(_) => body.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect(),
            None => VecDeque::from([Bytes::from(body)]),
        };
        Self { remaining, pause: pause.map(|time| (time, Box::pin(tokio::time::sleep(time)))) }
    }
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        if let Some((time, sleep)) = &mut self.pause {
            ready!(sleep.as_mut().poll(task));
            *sleep = Box::pin(tokio::time::sleep(*time));
        }
        Poll::Ready(self.remaining.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining.iter().map(|bytes| bytes.len() as u64).sum())
    }
}
