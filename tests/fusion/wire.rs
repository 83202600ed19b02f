//! The socket under an answer: it can say any bytes in place of what the HTTP library writes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What is said in place of an answer, to the letter.
#[derive(Clone, Default)]
pub(super) struct Speech {
    /// First these bytes,
    pub(super) bytes: Vec<u8>,
    /// then these,
    pub(super) again: Vec<u8>,
    /// so many times
    pub(super) times: u64,
    /// with a pause before each.
    pub(super) pause: Option<Duration>,
    /// After all that the connection stays open, in silence.
    pub(super) hold: bool,
}

/// What is said in place of the answers still to come on one connection: None says nothing of the kind.
#[derive(Clone, Default)]
pub(super) struct Override(Arc<Mutex<Option<Saying>>>);

/// A speech, and how far it has come.
struct Saying {
    speech: Speech,
    said: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Override {
    /// From now on only this is said, then nothing more.
    pub(super) fn say(&self, speech: Speech) {
        let saying = Saying { speech, said: 0, sleep: None };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(saying);
    }
}

impl Saying {
    fn poll(&mut self, mut stream: Pin<&mut impl AsyncWrite>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(task));
                self.sleep = None;
            }
            while self.said < self.speech.bytes.len() {
                match ready!(stream.as_mut().poll_write(task, &self.speech.bytes[self.said..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.said += written,
                }
            }
            if self.speech.times == 0 {
                return if self.speech.hold { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            self.speech.times -= 1;
            self.speech.bytes.clone_from(&self.speech.again);
            self.said = 0;
            self.sleep = self.speech.pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
    }
}

/// A stream whose writes can be overridden.
pub(super) struct Wire<S> {
    stream: S,
    instead: Override,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> (Self, Override) {
        let instead = Override::default();
        (Self { stream, instead: instead.clone() }, instead)
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
        let mut instead = this.instead.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = Pin::new(&mut this.stream);
        let Some(saying) = instead.as_mut() else { return stream.poll_write(task, buffer) };
        saying.poll(stream, task).map_ok(|()| buffer.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
