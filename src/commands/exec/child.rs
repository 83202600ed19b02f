//! Runs one program among several: starts it, reads both output streams, and waits for its end.
//!
//! The caller decides what happens to the output. Only a killed neto leaves the program running. The program then ends
//! at its next write to the closed pipe, as in any pipeline.

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

/// Size of the read buffer, in bytes.
const CHUNK_SIZE: usize = 8 * 1024;

/// Time to read remaining output after the run is stopped and the program has ended.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// Runs a program without input, and forwards its output. Reads the output to its end, unless the run is stopped. A
/// background process of the program may keep the output open after the program has ended.
///
/// # Errors
/// The program cannot be started.
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
                stop.requested().await;
                sleep(OUTPUT_GRACE).await;
            };
            select(outputs, pin!(grace_over)).await;
            status
        }
        Either::Right((_, exited)) => exited.await,
    }
}

/// Forwards a stream to its end. If `write` fails, the run is stopped and the stream is closed. The program then gets
/// the same error as if it wrote to that reader itself.
async fn forward_output(
    stream: Option<impl AsyncRead + Unpin>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
    stop: &Stop,
) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; CHUNK_SIZE];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        if let Err(error) = write(&chunk[..count]) {
            return stop.request(error);
        }
    }
}

/// Waits for the end of a program, and forwards the signals that arrive meanwhile.
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
