//! Stream between the HTTP library and the socket. It can send arbitrary bytes in place of those that the library
//! writes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Exact bytes to send in place of a response.
#[derive(Clone, Default)]
pub(super) struct RawResponse {
    /// Bytes sent first.
    pub(super) bytes: Vec<u8>,
    /// Bytes sent repeatedly after `bytes`.
    pub(super) repeated: Vec<u8>,
    /// Number of times that `repeated` is sent.
    pub(super) times: u64,
    /// Pause before each repetition.
    pub(super) pause: Option<Duration>,
    /// Whether the connection stays open and silent after all bytes are sent.
    pub(super) keep_open: bool,
}

/// Raw bytes that replace all further writes on one connection, shared between the stream and its service. `None`
/// replaces nothing.
#[derive(Clone, Default)]
pub(super) struct RawOverride(Arc<Mutex<Option<RawProgress>>>);

/// Raw bytes that are being sent, and the number of current bytes already written.
struct RawProgress {
    response: RawResponse,
    written: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RawOverride {
    /// Replaces all further writes on the connection with these bytes.
    pub(super) fn send_raw(&self, response: RawResponse) {
        let progress = RawProgress { response, written: 0, sleep: None };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }
}

impl RawProgress {
    fn poll_write_raw(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(task));
                self.sleep = None;
            }
            while self.written < self.response.bytes.len() {
                match ready!(stream.as_mut().poll_write(task, &self.response.bytes[self.written..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.written += written,
                }
            }
            if self.response.times == 0 {
                return if self.response.keep_open { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            self.response.times -= 1;
            self.response.bytes.clone_from(&self.response.repeated);
            self.written = 0;
            self.sleep = self.response.pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
    }
}

/// Stream whose writes a [`RawOverride`] can replace.
pub(super) struct Wire<S> {
    stream: S,
    raw_override: RawOverride,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> (Self, RawOverride) {
        let raw_override = RawOverride::default();
        (Self { stream, raw_override: raw_override.clone() }, raw_override)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut raw_override = this.raw_override.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = Pin::new(&mut this.stream);
        let Some(progress) = raw_override.as_mut() else { return stream.poll_write(task, buffer) };
        progress.poll_write_raw(stream, task).map_ok(|()| buffer.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
