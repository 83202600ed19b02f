//! The socket below an answer. It can send any bytes in place of those the HTTP library writes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Exact bytes to send in place of an answer.
#[derive(Clone, Default)]
pub(super) struct RawAnswer {
    /// Bytes sent first.
    pub(super) bytes: Vec<u8>,
    /// Bytes sent next, repeatedly.
    pub(super) repeated: Vec<u8>,
    /// Number of repetitions.
    pub(super) times: u64,
    /// Pause before each repetition.
    pub(super) pause: Option<Duration>,
    /// Whether the connection then stays open and silent.
    pub(super) keep_open: bool,
}

/// Bytes to send in place of all remaining answers on one connection; `None` leaves the answers unchanged.
#[derive(Clone, Default)]
pub(super) struct RawOverride(Arc<Mutex<Option<RawProgress>>>);

/// Raw bytes, and how many of them were written.
struct RawProgress {
    answer: RawAnswer,
    written: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RawOverride {
    /// Sends only these bytes from now on.
    pub(super) fn send_raw(&self, answer: RawAnswer) {
        let progress = RawProgress { answer, written: 0, sleep: None };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }
}

impl RawProgress {
    fn poll(&mut self, mut stream: Pin<&mut impl AsyncWrite>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(task));
                self.sleep = None;
            }
            while self.written < self.answer.bytes.len() {
                match ready!(stream.as_mut().poll_write(task, &self.answer.bytes[self.written..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.written += written,
                }
            }
            if self.answer.times == 0 {
                return if self.answer.keep_open { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            self.answer.times -= 1;
            self.answer.bytes.clone_from(&self.answer.repeated);
            self.written = 0;
            self.sleep = self.answer.pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
    }
}

/// Stream whose writes can be replaced.
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
        progress.poll(stream, task).map_ok(|()| buffer.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
