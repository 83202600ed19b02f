//! Process of a plugin: starts the program, exchanges commands within time limits, and always ends the process.
//!
//! The plugin must not get the environment variables that hold neto's keys. The plugin inherits standard error, because
//! a plugin that cannot start prints the reason there. The plugin's working directory is the root of the file system,
//! outside any git checkout.

use super::error::PluginError;
use super::key::PluginName;
use super::stanza::{self, PluginCommand, StanzaScan};
use crate::disk;
use crate::environment::Environment;
use crate::secret::command::{self, MAX_PENDING_CHUNKS, OutputChunk, read_chunks};
use std::io::Write as _;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Maximum number of bytes that a plugin may send in total.
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// Maximum size of an incomplete command. Keys and their stanzas have a few KiB.
const MAX_INCOMPLETE_BYTES: usize = 64 * 1024;

/// Maximum number of commands that a plugin may send. The header of an age file has fewer lines.
const MAX_COMMANDS: usize = 4_000;

/// Interval between checks for the exit or the timeout of a plugin that sends nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Interval between checks while neto waits for the plugin to exit.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Description of the protocol violation if a plugin sends anything except stanzas.
const NOT_A_STANZA: &str = "what it says is no age stanza";

/// Time limits for a plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct PluginTimeouts {
    /// Maximum time to wait for the next command. The limit leaves time for the user to touch the key. The time that
    /// the user takes to answer a question does not count.
    pub(super) next_command: Duration,
    /// Maximum time to wait for the exit of the plugin after its last command.
    pub(super) exit: Duration,
}

/// Time limits outside tests.
pub(super) const TIMEOUTS: PluginTimeouts =
    PluginTimeouts { next_command: Duration::from_secs(120), exit: Duration::from_secs(2) };

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
    /// Stanzas for the writer thread. `None` after neto has sent its last stanza.
    outgoing: Option<Sender<Zeroizing<Vec<u8>>>>,
    incoming: Receiver<OutputChunk>,
    buffer: Zeroizing<Vec<u8>>,
    received_bytes: usize,
    received_commands: usize,
    timeouts: PluginTimeouts,
}

impl PluginProcess {
    /// Starts the program of the plugin, which must be in an absolute directory of `PATH`.
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
        command.arg(machine.argument()).env_clear().envs(environment.child_variables());
        command.current_dir(path.ancestors().last().unwrap_or(&path));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let failed = |error| PluginError::Run { program: program.clone(), reason: disk::os_message(&error) };
        let mut child = command.spawn().map_err(failed)?;
        let (sender, incoming) = mpsc::sync_channel(MAX_PENDING_CHUNKS);
        if let Some(output) = child.stdout.take() {
            // The threads are not joined, because a thread ends only when its pipe closes. A child process that the
            // plugin leaves behind may keep the pipe open.
            std::thread::spawn(move || read_chunks(output, &sender));
        }
        let (outgoing, stanzas) = mpsc::channel();
        if let Some(input) = child.stdin.take() {
            std::thread::spawn(move || write_stanzas(input, &stanzas));
        }
        // The capacity covers the largest possible content. A growing vector would leave copies of a file key in
        // memory.
        let buffer = Zeroizing::new(Vec::with_capacity(2 * MAX_INCOMPLETE_BYTES));
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

    /// Queues a stanza for the plugin, without waiting until the plugin reads the stanza. `words` are the name and the
    /// arguments of the command.
    pub(super) fn send<'a>(&self, words: impl IntoIterator<Item = &'a str>, body: &[u8]) {
        if let Some(sender) = &self.outgoing {
            // The error is ignored: if the plugin no longer reads, `receive` fails later.
            let _ = sender.send(stanza::render(words, body));
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
                StanzaScan::Incomplete if self.buffer.len() > MAX_INCOMPLETE_BYTES => {
                    return Err(self.too_much_output());
                }
                StanzaScan::Incomplete => {}
            }
            match self.incoming.recv_timeout(POLL_INTERVAL) {
                Ok(OutputChunk::Bytes(bytes)) => {
                    self.received_bytes += bytes.len();
                    if self.received_bytes > MAX_OUTPUT_BYTES {
                        return Err(self.too_much_output());
                    }
                    self.buffer.extend_from_slice(&bytes);
                }
                Ok(OutputChunk::End) | Err(RecvTimeoutError::Disconnected) => return Err(self.ended_early()),
                // After the exit of the plugin, a child process that it leaves behind may keep the output open.
                Err(RecvTimeoutError::Timeout) if has_exited => return Err(self.ended_early()),
                Err(RecvTimeoutError::Timeout) => has_exited = matches!(self.child.try_wait(), Ok(Some(_))),
            }
            if start.elapsed() > self.timeouts.next_command {
                return Err(PluginError::TimedOut { program: self.program.clone(), limit: self.timeouts.next_command });
            }
        }
    }

    /// Closes the input of the plugin and waits for its exit within the time limit.
    pub(super) fn finish(&mut self) {
        self.outgoing = None;
        let _ = self.wait_for_exit(self.timeouts.exit);
    }

    /// Returns the error for a protocol violation with this description.
    pub(super) fn protocol_error(&self, violation: &'static str) -> PluginError {
        PluginError::Protocol { program: self.program.clone(), violation }
    }

    /// Returns the name of the program: `age-plugin-NAME`.
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
        // Errors are ignored because the plugin may already have exited. `wait` prevents a zombie process.
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

/// Writes stanzas until the queue closes or the plugin no longer reads. Runs in a thread of its own, because a plugin
/// that does not read its input blocks the writer.
fn write_stanzas(mut input: ChildStdin, stanzas: &Receiver<Zeroizing<Vec<u8>>>) {
    for stanza in stanzas {
        if input.write_all(&stanza).is_err() {
            return;
        }
    }
}
