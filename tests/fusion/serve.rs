//! One connection after another: how an answer, or a fault in its place, reaches the socket.

use super::faults::{Act, strike};
use super::record::Seen;
use super::routes::{self, Answer};
use super::server::Shared;
use super::wire::{Override, Speech, Wire};
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

/// Takes connections for ever.
pub(super) async fn listen(listener: StdListener, tls: Option<TlsAcceptor>, state: Shared) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // As servers do: no answer waits until the client has acknowledged its head.
        let _ = stream.set_nodelay(true);
        state.lock().unwrap_or_else(PoisonError::into_inner).record.connections += 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                        note_handshake(&state, resumed);
                        converse(stream, state).await;
                    }
                }
            }
        });
    }
}

fn note_handshake(state: &Shared, resumed: bool) {
    state.lock().unwrap_or_else(PoisonError::into_inner).record.handshakes[usize::from(resumed)] += 1;
}

/// Answers the requests of one connection.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, state: Shared) {
    let (wire, instead) = Wire::new(stream);
    let service = service_fn(move |request| serve(request, Arc::clone(&state), instead.clone()));
    // An error here is a client gone or a fault that was asked for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}

/// The connection ends here, on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends")]
struct Ended;

async fn serve(request: Request<Incoming>, state: Shared, instead: Override) -> Result<Response<Trickle>, Ended> {
    let started = Instant::now();
    let answer = answer(request, &state, &instead).await;
    state.lock().unwrap_or_else(PoisonError::into_inner).record.took.push(started.elapsed());
    answer
}

async fn answer(request: Request<Incoming>, state: &Shared, instead: &Override) -> Result<Response<Trickle>, Ended> {
    let seen = see(request).await?;
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = state.tenant_of(&seen);
        state.record.requests.push(seen.clone());
        if seen.path == TOKEN {
            state.record.request_tokens.extend(request_token::text_in(&seen.body));
        }
        strike(&mut state.faults, &seen.path, tenant.as_deref())
    };
    let Some(fault) = fault else { return Ok(render(carry_out(state, &seen), None)) };
    if let Some(gate) = &fault.gate {
        gate.pass().await;
    }
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    match fault.act {
        Act::Usual => Ok(render(carry_out(state, &seen), None)),
        Act::Drip { pause } => Ok(render(carry_out(state, &seen), Some(pause))),
        Act::Answer { status, headers, body } => Ok(render(dated(state, Answer { status, headers, body }), None)),
        Act::Close => Err(Ended),
        Act::Lose => {
            carry_out(state, &seen);
            Err(Ended)
        }
        Act::Cut { keep } => {
            let answer = carry_out(state, &seen);
            Ok(say(instead, Speech { bytes: cut(&answer, keep), ..Speech::default() }))
        }
        Act::Raw(speech) => Ok(say(instead, speech)),
        Act::Reply(reply) => {
            let (status, body) = reply(&seen);
            Ok(render(dated(state, Answer { status, headers: Vec::new(), body: body.into_bytes() }), None))
        }
    }
}

async fn see(request: Request<Incoming>) -> Result<Seen, Ended> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Ended)?.to_bytes().to_vec();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body,
    })
}

fn carry_out(state: &Shared, seen: &Seen) -> Answer {
    let answer = routes::answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), seen);
    dated(state, answer)
}

/// Adds the server's own `Date`, unless the answer has one.
fn dated(state: &Shared, mut answer: Answer) -> Answer {
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        let now = state.lock().unwrap_or_else(PoisonError::into_inner).now();
        let now = Timestamp::from_second(i64::try_from(now).expect("a time")).expect("a time");
        answer.headers.push(("date".to_owned(), now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    }
    answer
}

/// The bytes of an answer, its body cut short of what its length says.
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

/// Says this in place of an answer, and then no more.
fn say(instead: &Override, speech: Speech) -> Response<Trickle> {
    instead.say(speech);
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

/// A body that comes whole, or a byte at a time with a pause before each.
struct Trickle {
    left: VecDeque<Bytes>,
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Trickle {
    fn new(body: Vec<u8>, pause: Option<Duration>) -> Self {
        let left = match pause {
            Some(_) => body.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect(),
            None => VecDeque::from([Bytes::from(body)]),
        };
        Self { left, pause: pause.map(|time| (time, Box::pin(tokio::time::sleep(time)))) }
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
        Poll::Ready(self.left.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.iter().map(|bytes| bytes.len() as u64).sum())
    }
}
