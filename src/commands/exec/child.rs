//! Runs one of several programs: starts it, reads both of its output streams, and waits for its end.
//!
//! The caller decides what happens to the output. If neto is killed, a program that is not tied to neto runs until its
//! next write to the closed pipe. `tied` explains tied programs.

use super::stop::Stop;
use crate::platform;
use futures_util::future::{Either, join, select};
use std::io;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::sleep;

/// Size of the read buffer of one stream, in bytes.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Maximum time to read the remaining output, once the run is stopped and the program has ended.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// Runs a program without standard input, and passes its output to `output` and `errors`.
///
/// Reads both streams to their end, even after the program has ended: a background process may keep them open. Once the
/// run is stopped and the program has ended, reads for at most [`OUTPUT_GRACE`].
///
/// # Errors
/// Returns an error if the program cannot be started, or if waiting for it fails.
pub(super) async fn run(
    command: Command,
    stop: &Stop,
    output: impl FnMut(&[u8]) -> io::Result<()>,
    errors: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<ExitStatus> {
    let mut command = tokio::process::Command::from(command);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let outputs = pin!(join(forward_output(stdout, output, stop), forward_output(stderr, errors, stop)));
    let exited = pin!(wait(&mut child, stop));
    match select(exited, outputs).await {
        Either::Left((status, outputs)) => {
            let grace_over = async {
                stop.wait_until_requested().await;
                sleep(OUTPUT_GRACE).await;
            };
            select(outputs, pin!(grace_over)).await;
            status
        }
        Either::Right((_, exited)) => exited.await,
    }
}

/// Passes a stream to `write` until the stream ends. If `write` fails, stops the run and closes the stream. The
/// program's next write to the stream then fails too.
async fn forward_output(
    stream: Option<impl AsyncRead + Unpin>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
    stop: &Stop,
) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; READ_BUFFER_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        if let Err(error) = write(&chunk[..count]) {
            return stop.request(error);
        }
    }
}

/// Waits until a program ends. Until then, forwards each termination signal that neto receives to the program.
pub(super) async fn wait(child: &mut Child, stop: &Stop) -> io::Result<ExitStatus> {
    let mut seen = 0;
    loop {
        let signal = match select(pin!(child.wait()), pin!(stop.next_signal(seen))).await {
            Either::Left((status, _)) => return status,
            Either::Right((signal, _)) => signal,
        };
        seen += 1;
        platform::forward_signal(signal, child);
    }
}
