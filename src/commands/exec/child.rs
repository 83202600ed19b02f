//! One program among several: started, heard on both streams, and waited for.
//!
//! Owns its life from start to end. What becomes of its words is the caller's. Only a neto that is killed itself leaves
//! it behind; its next word to nobody ends it, as in any pipeline.

use super::stop::Stop;
use crate::disk::Ending;
use futures_util::future::{Either, join, select};
use std::io;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::sleep;

/// How much is read at once, in bytes.
const PIECE: usize = 8 * 1024;

/// How long last words may still come once the run is stopped and the program has ended.
const GRACE: Duration = Duration::from_millis(500);

/// Runs a program without input to its end, and hands on what it prints. Its output is heard to the end too, which a
/// helper that it left behind may put off, unless the run is stopped.
///
/// # Errors
/// What the system says when it does not start.
pub(super) async fn run(
    command: Command,
    stop: &Stop,
    output: impl FnMut(&[u8]) -> io::Result<()>,
    errors: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<ExitStatus> {
    let mut command = tokio::process::Command::from(command);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let heard = pin!(join(hear(stdout, output, stop), hear(stderr, errors, stop)));
    let ended = pin!(end(&mut child, stop));
    match select(ended, heard).await {
        Either::Left((status, heard)) => {
            let given_up = async {
                stop.comes().await;
                sleep(GRACE).await;
            };
            select(heard, pin!(given_up)).await;
            status
        }
        Either::Right((_, ended)) => ended.await,
    }
}

/// Hands on what comes from a stream until its end. Where nobody takes it, the stream is closed, as it would be if the
/// program wrote to that reader itself.
async fn hear(stream: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8]) -> io::Result<()>, stop: &Stop) {
    let Some(mut stream) = stream else { return };
    let mut piece = vec![0; PIECE];
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        if let Err(error) = take(&piece[..count]) {
            return stop.now(error);
        }
    }
}

/// Waits for the end of a program and hands on the signals that come meanwhile.
pub(super) async fn end(child: &mut Child, stop: &Stop) -> io::Result<ExitStatus> {
    let mut known = 0;
    loop {
        let signal = match select(pin!(child.wait()), pin!(stop.signal(known))).await {
            Either::Left((status, _)) => return status,
            Either::Right((signal, _)) => signal,
        };
        known += 1;
        hand_on(signal, child);
    }
}

/// Sends a program the signal that came to neto, unless it has got it from the terminal already: a second one would say
/// that it should not end in order.
#[cfg(unix)]
fn hand_on(signal: Ending, child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match signal {
        Ending::Interrupt if is_in_foreground() => return,
        Ending::Interrupt => Signal::INT,
        Ending::Terminate => Signal::TERM,
        Ending::HangUp => Signal::HUP,
    };
    // No id once it has ended, so that no other process gets what is not meant for it.
    let process = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(process) = process {
        let _ = kill_process(process, signal);
    }
}

/// Whether Ctrl-C reaches this process, and with it every program that it started.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal) == Ok(rustix::process::getpgrp()))
}

/// No signals come here.
#[cfg(not(unix))]
fn hand_on(_: Ending, _: &Child) {}
