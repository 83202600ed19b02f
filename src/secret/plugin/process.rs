//! The process of a plugin: started without neto's own keys, heard for a limited time, never left behind.
//!
//! Its standard error is neto's own: a plugin says there why it does not start. Its working directory is the
//! root of the file system, so that nothing in a git checkout lies beside it.

use super::error::PluginError;
use super::key::PluginName;
use super::stanza::{self, Command, Prefix};
use crate::disk;
use crate::secret::command::{self, MOST_PIECES, Piece, read_pieces};
use crate::secret::source::SourceEnvironment;
use std::io::Write as _;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The most that a plugin may say in all, in bytes.
const MOST: usize = 1024 * 1024;

/// The most that one word of it may have; keys and their stanzas have a few KiB.
const MOST_AT_ONCE: usize = 64 * 1024;

/// The most words; a header has fewer lines than that.
const MOST_WORDS: usize = 4_000;

/// How often a silent plugin is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often a plugin that ends is looked at.
const ENDING_TICK: Duration = Duration::from_millis(2);

/// What is wrong with a plugin that prints anything else.
const NO_STANZA: &str = "what it says is no age stanza";

/// How long neto waits for a plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For its next word while nothing is asked; it may itself wait for a touch of the key.
    pub(super) word: Duration,
    /// For its end once all is said.
    pub(super) end: Duration,
}

/// What plugins get.
pub(super) const PATIENCE: Patience = Patience { word: Duration::from_secs(120), end: Duration::from_secs(2) };

/// The two things that a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// Opens with identities.
    Identity,
    /// Seals to recipients.
    Recipient,
}

/// A plugin that runs. Dropping it ends it.
pub(super) struct Process {
    program: String,
    child: Child,
    /// To the thread that writes; nothing more is said once it is gone.
    words: Option<Sender<Zeroizing<Vec<u8>>>>,
    pieces: Receiver<Piece>,
    heard: Zeroizing<Vec<u8>>,
    /// Of all that was heard, the bytes and the words.
    total: usize,
    taken: usize,
    patience: Patience,
}

impl Process {
    /// Starts the plugin's program, which lies on an absolute folder of `PATH`.
    pub(super) fn start(
        plugin: &PluginName,
        machine: Machine,
        environment: &SourceEnvironment,
        patience: Patience,
    ) -> Result<Self, PluginError> {
        let program = plugin.program();
        let path = command::find(&program, environment.get("PATH"));
        let path = path.map_err(|_| PluginError::Missing { program: program.clone() })?;
        let mut command = std::process::Command::new(&path);
        command.arg(machine.argument()).env_clear().envs(environment.of_child());
        command.current_dir(path.ancestors().last().unwrap_or(&path));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let failed = |error| PluginError::Run { program: program.clone(), reason: disk::plain(&error) };
        let mut child = command.spawn().map_err(failed)?;
        let (sender, pieces) = mpsc::sync_channel(MOST_PIECES);
        if let Some(output) = child.stdout.take() {
            // Neither thread is joined: each ends with its pipe, which a helper left behind may keep open.
            std::thread::spawn(move || read_pieces(output, &sender));
        }
        let (words, to_say) = mpsc::channel();
        if let Some(input) = child.stdin.take() {
            std::thread::spawn(move || write_words(input, &to_say));
        }
        // Room for all that is ever held: a vector that grows leaves copies of a file key behind.
        let heard = Zeroizing::new(Vec::with_capacity(2 * MOST_AT_ONCE));
        Ok(Self { program, child, words: Some(words), pieces, heard, total: 0, taken: 0, patience })
    }

    /// Says something, without waiting until it is heard.
    pub(super) fn say<'a>(&self, words: impl IntoIterator<Item = &'a str>, body: &[u8]) {
        if let Some(sender) = &self.words {
            // Whether the plugin still listens shows in what it says next.
            let _ = sender.send(stanza::render(words, body));
        }
    }

    /// The plugin's next word.
    pub(super) fn hear(&mut self) -> Result<Command, PluginError> {
        let start = Instant::now();
        let mut ended = false;
        loop {
            match stanza::measure(&self.heard) {
                Prefix::Whole(_) if self.taken == MOST_WORDS => return Err(self.too_much()),
                Prefix::Whole(length) => return self.take(length),
                Prefix::Other => return Err(self.breach(NO_STANZA)),
                Prefix::Part if self.heard.len() > MOST_AT_ONCE => return Err(self.too_much()),
                Prefix::Part => {}
            }
            match self.pieces.recv_timeout(TICK) {
                Ok(Piece::Bytes(bytes)) => {
                    self.total += bytes.len();
                    if self.total > MOST {
                        return Err(self.too_much());
                    }
                    self.heard.extend_from_slice(&bytes);
                }
                Ok(Piece::End) | Err(RecvTimeoutError::Disconnected) => return Err(self.gone()),
                // A helper that the plugin left behind may hold its output open.
                Err(RecvTimeoutError::Timeout) if ended => return Err(self.gone()),
                Err(RecvTimeoutError::Timeout) => ended = matches!(self.child.try_wait(), Ok(Some(_))),
            }
            if start.elapsed() > self.patience.word {
                return Err(PluginError::Silent { program: self.program.clone(), limit: self.patience.word });
            }
        }
    }

    /// Lets the plugin end by itself: nothing more is said to it.
    pub(super) fn end(&mut self) {
        self.words = None;
        let _ = self.wait(self.patience.end);
    }

    /// The plugin does not do what the protocol says.
    pub(super) fn breach(&self, what: &'static str) -> PluginError {
        PluginError::Protocol { program: self.program.clone(), what }
    }

    /// Its program, as errors name it.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    fn take(&mut self, length: usize) -> Result<Command, PluginError> {
        let command = stanza::parse(&self.heard[..length]);
        self.heard.drain(..length);
        self.taken += 1;
        command.ok_or_else(|| self.breach(NO_STANZA))
    }

    fn too_much(&self) -> PluginError {
        PluginError::TooMuch { program: self.program.clone() }
    }

    /// It ended, or closed its output, with something still to say.
    fn gone(&mut self) -> PluginError {
        let status = self.wait(self.patience.end);
        let ending = status.map_or_else(|| "it closed its output".to_owned(), command::ending);
        PluginError::Ended { program: self.program.clone(), ending }
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < limit => std::thread::sleep(ENDING_TICK),
                status => return status.ok().flatten(),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Machine {
    fn argument(self) -> &'static str {
        match self {
            Self::Identity => "--age-plugin=identity-v1",
            Self::Recipient => "--age-plugin=recipient-v1",
        }
    }
}

/// Writes until nothing more is to be said or the plugin no longer listens. In a thread, since a plugin
/// that does not listen would hold neto for ever.
fn write_words(mut input: ChildStdin, words: &Receiver<Zeroizing<Vec<u8>>>) {
    for word in words {
        if input.write_all(&word).is_err() {
            return;
        }
    }
}
