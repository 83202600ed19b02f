//! Process of a plugin: started without neto's own keys, subject to time limits, always ended.
//!
//! A plugin inherits standard error, where it prints why it cannot start. Its working directory is the root of the file
//! system, outside any git checkout.

use super::error::PluginError;
use super::key::PluginName;
use super::stanza::{self, PluginCommand, StanzaScan};
use crate::disk;
use crate::environment::Environment;
use crate::secret::command::{self, MAX_CHUNKS, OutputChunk, read_chunks};
use std::io::Write as _;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes that a plugin may send in total.
const MAX_OUTPUT: usize = 1024 * 1024;

/// Most bytes of one command; keys and their stanzas have a few KiB.
const MAX_STANZA_LEN: usize = 64 * 1024;

/// Most commands that a plugin may send; the header of an age file has fewer lines.
const MAX_COMMANDS: usize = 4_000;

/// Interval at which a silent plugin is checked for exit and timeout.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Interval at which an exiting plugin is checked.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Error text for a plugin that sends anything but stanzas.
const NOT_A_STANZA: &str = "what it says is no age stanza";

/// Time limits for a plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct PluginTimeouts {
    /// Time until the next command, without the time for questions to the user. The plugin may wait for a touch of the
    /// key.
    pub(super) answer: Duration,
    /// Time until the plugin exits after the dialogue.
    pub(super) exit: Duration,
}

/// Time limits in the product.
pub(super) const TIMEOUTS: PluginTimeouts =
    PluginTimeouts { answer: Duration::from_secs(120), exit: Duration::from_secs(2) };

/// State machines of the plugin protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateMachine {
    /// Decrypts with identities.
    Identity,
    /// Encrypts to recipients.
    Recipient,
}

/// Running plugin. Dropping the value kills the process.
pub(super) struct PluginProcess {
    program: String,
    child: Child,
    /// Queue of the writer thread; `None` after neto has sent its last stanza.
    outgoing: Option<Sender<Zeroizing<Vec<u8>>>>,
    incoming: Receiver<OutputChunk>,
    buffer: Zeroizing<Vec<u8>>,
    received_bytes: usize,
    received_commands: usize,
    timeouts: PluginTimeouts,
}

impl PluginProcess {
    /// Starts the plugin's program from an absolute directory of `PATH`.
    pub(super) fn start(
        plugin: &PluginName,
        machine: StateMachine,
        environment: &Environment,
        timeouts: PluginTimeouts,
    ) -> Result<Self, PluginError> {
        let program = plugin.program();
        let path = command::find_program(&program, environment.get("PATH"));
        let path = path.map_err(|_| PluginError::Missing { program: program.clone() })?;
        let mut command = std::process::Command::new(&path);
        command.arg(machine.argument()).env_clear().envs(environment.for_child());
        command.current_dir(path.ancestors().last().unwrap_or(&path));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let failed = |error| PluginError::Run { program: program.clone(), reason: disk::os_message(&error) };
        let mut child = command.spawn().map_err(failed)?;
        let (sender, incoming) = mpsc::sync_channel(MAX_CHUNKS);
        if let Some(output) = child.stdout.take() {
            // The threads are not joined. Each ends with its pipe, which a remaining child of the plugin may keep open.
            std::thread::spawn(move || read_chunks(output, &sender));
        }
        let (outgoing, stanzas) = mpsc::channel();
        if let Some(input) = child.stdin.take() {
            std::thread::spawn(move || write_stanzas(input, &stanzas));
        }
        // Reserved for the largest content: a growing vector leaves copies of a file key in memory.
        let buffer = Zeroizing::new(Vec::with_capacity(2 * MAX_STANZA_LEN));
        Ok(Self {
            program,
            child,
            outgoing: Some(outgoing),
            incoming,
            buffer,
            received_bytes: 0,
            received_commands: 0,
            timeouts,
        })
    }

    /// Sends a stanza, without waiting until the plugin reads it.
    pub(super) fn send<'a>(&self, parts: impl IntoIterator<Item = &'a str>, body: &[u8]) {
        if let Some(sender) = &self.outgoing {
            // Ignored: `receive` notices a plugin that no longer reads.
            let _ = sender.send(stanza::render(parts, body));
        }
    }

    /// Waits for the plugin's next command.
    pub(super) fn receive(&mut self) -> Result<PluginCommand, PluginError> {
        let start = Instant::now();
        let mut has_exited = false;
        loop {
            match stanza::scan(&self.buffer) {
                StanzaScan::Complete(_) if self.received_commands == MAX_COMMANDS => return Err(self.too_much_output()),
                StanzaScan::Complete(length) => return self.take_command(length),
                StanzaScan::NotAStanza => return Err(self.protocol_error(NOT_A_STANZA)),
                StanzaScan::Incomplete if self.buffer.len() > MAX_STANZA_LEN => return Err(self.too_much_output()),
                StanzaScan::Incomplete => {}
            }
            match self.incoming.recv_timeout(POLL_INTERVAL) {
                Ok(OutputChunk::Bytes(bytes)) => {
                    self.received_bytes += bytes.len();
                    if self.received_bytes > MAX_OUTPUT {
                        return Err(self.too_much_output());
                    }
                    self.buffer.extend_from_slice(&bytes);
                }
                Ok(OutputChunk::End) | Err(RecvTimeoutError::Disconnected) => return Err(self.ended_early()),
                // A remaining child of the plugin may keep the output open.
                Err(RecvTimeoutError::Timeout) if has_exited => return Err(self.ended_early()),
                Err(RecvTimeoutError::Timeout) => has_exited = matches!(self.child.try_wait(), Ok(Some(_))),
            }
            if start.elapsed() > self.timeouts.answer {
                return Err(PluginError::TimedOut { program: self.program.clone(), limit: self.timeouts.answer });
            }
        }
    }

    /// Closes the plugin's input and waits until the plugin exits, within the time limit.
    pub(super) fn finish(&mut self) {
        self.outgoing = None;
        let _ = self.wait_for_exit(self.timeouts.exit);
    }

    /// Returns the error for a violation of the protocol.
    pub(super) fn protocol_error(&self, what: &'static str) -> PluginError {
        PluginError::Protocol { program: self.program.clone(), what }
    }

    /// Returns the name of the program, as used in errors.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    fn take_command(&mut self, length: usize) -> Result<PluginCommand, PluginError> {
        let command = stanza::parse(&self.buffer[..length]);
        self.buffer.drain(..length);
        self.received_commands += 1;
        command.ok_or_else(|| self.protocol_error(NOT_A_STANZA))
    }

    fn too_much_output(&self) -> PluginError {
        PluginError::TooMuchOutput { program: self.program.clone() }
    }

    /// Returns the error for a plugin that exited or closed its output before the end of the dialogue.
    fn ended_early(&mut self) -> PluginError {
        let status = self.wait_for_exit(self.timeouts.exit);
        let ending = status.map_or_else(|| "it closed its output".to_owned(), command::describe_status);
        PluginError::Ended { program: self.program.clone(), ending }
    }

    fn wait_for_exit(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < limit => std::thread::sleep(EXIT_POLL_INTERVAL),
                status => return status.ok().flatten(),
            }
        }
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // The plugin may have exited by itself; in both cases no process remains.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl StateMachine {
    fn argument(self) -> &'static str {
        match self {
            Self::Identity => "--age-plugin=identity-v1",
            Self::Recipient => "--age-plugin=recipient-v1",
        }
    }
}

/// Writes stanzas until the queue closes or the plugin no longer reads. Runs in a thread, because a plugin that does
/// not read would block neto forever.
fn write_stanzas(mut input: ChildStdin, stanzas: &Receiver<Zeroizing<Vec<u8>>>) {
    for stanza in stanzas {
        if input.write_all(&stanza).is_err() {
            return;
        }
    }
}
