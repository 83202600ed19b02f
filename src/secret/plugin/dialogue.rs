//! Dialogue with a plugin: sends keys and stanzas, collects errors, and forwards questions to the user. The callers
//! handle the results.

use super::error::{PluginError, join_messages, truncate};
use super::key::{PluginIdentity, PluginRecipient};
use super::process::{PluginProcess, StateMachine};
use super::stanza::PluginCommand;
use super::{PluginHost, PluginName};
use crate::secret::{PrompterError, Redactor};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Most characters of a public key shown before the plugin's error about that key.
const MAX_KEY_PREFIX: usize = 24;

/// Minimum length of a redacted answer, in bytes. The gap left by a shorter answer would reveal it.
const MIN_REDACTED_BYTES: usize = 4;

/// Dialogue with one plugin process.
pub(super) struct Dialogue<'a> {
    host: PluginHost<'a>,
    plugin: &'a PluginName,
    process: PluginProcess,
    /// Redactor for the plugin's texts; it knows the hidden answers and identities.
    redactor: Redactor,
    /// Public keys in the order sent, for errors that refer to a key by index.
    recipients: Vec<&'a str>,
    /// Errors reported by the plugin, redacted.
    errors: Vec<String>,
    /// Reason why the first unanswered question got no answer.
    unanswered: Option<PrompterError>,
}

/// Result of handling a command that belongs to only one state machine.
pub(super) enum CommandOutcome {
    /// The command was valid.
    Handled,
    /// The command is unknown; the plugin may continue without it.
    Unsupported,
    /// The command violates the protocol, as the text describes.
    Violation(&'static str),
}

impl<'a> Dialogue<'a> {
    /// Starts the plugin.
    pub(super) fn start(
        plugin: &'a PluginName,
        machine: StateMachine,
        host: PluginHost<'a>,
    ) -> Result<Self, PluginError> {
        let process = PluginProcess::start(plugin, machine, host.environment, host.timeouts)?;
        let (redactor, recipients, errors) = Default::default();
        Ok(Self { host, plugin, process, redactor, recipients, errors, unanswered: None })
    }

    /// Sends an identity to decrypt with.
    pub(super) fn add_identity(&mut self, identity: &PluginIdentity) {
        self.process.send(["add-identity", identity.text().reveal()], b"");
        self.redactor.add(identity.text().clone());
    }

    /// Sends a recipient to encrypt to.
    pub(super) fn add_recipient(&mut self, recipient: &'a PluginRecipient) {
        self.process.send(["add-recipient", recipient.as_str()], b"");
        self.recipients.push(recipient.as_str());
    }

    /// Sends a stanza of the file.
    pub(super) fn add_stanza(&self, stanza: &Stanza) {
        let line = ["recipient-stanza", "0", &stanza.tag].into_iter();
        self.process.send(line.chain(stanza.args.iter().map(String::as_str)), &stanza.body);
    }

    /// Sends the file key to encrypt, and announces that neto supports labels, which restrict combinations of
    /// recipients.
    pub(super) fn add_file_key(&self, file_key: &FileKey) {
        self.process.send(["extension-labels"], b"");
        self.process.send(["wrap-file-key"], file_key.expose_secret());
    }

    /// Handles the plugin's commands until the plugin is done. `handle` gets all commands besides errors, messages and
    /// questions.
    pub(super) fn listen(
        &mut self,
        mut handle: impl FnMut(PluginCommand) -> CommandOutcome,
    ) -> Result<(), PluginError> {
        self.process.send(["done"], b"");
        loop {
            let command = self.process.receive()?;
            match command.name.as_str() {
                "done" => break,
                "error" => self.record_error(&command),
                "msg" => self.show_message(&command),
                "confirm" => self.request_decision(&command)?,
                "request-public" => self.request_value(&command, false)?,
                "request-secret" => self.request_value(&command, true)?,
                _ => match handle(command) {
                    CommandOutcome::Handled => self.process.send(["ok"], b""),
                    CommandOutcome::Unsupported => self.process.send(["unsupported"], b""),
                    CommandOutcome::Violation(what) => return Err(self.process.protocol_error(what)),
                },
            }
        }
        self.process.finish();
        Ok(())
    }

    /// Returns true if the plugin reported an error.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Returns the failure caused by a missing answer or reported by the plugin.
    pub(super) fn failure(&self) -> Option<PluginError> {
        let program = self.process.program().to_owned();
        if let Some(why) = self.unanswered.clone() {
            return Some(PluginError::Unanswered { program, why });
        }
        self.has_errors().then(|| PluginError::Reported { program, text: join_messages(&self.errors) })
    }

    /// Returns the error for a result that violates the protocol.
    pub(super) fn protocol_error(&self, what: &'static str) -> PluginError {
        self.process.protocol_error(what)
    }

    fn record_error(&mut self, command: &PluginCommand) {
        let text = self.redacted_text(&command.body);
        let recipient = match command.arguments.as_slice() {
            [kind, index] if kind == "recipient" => {
                index.parse().ok().and_then(|index: usize| self.recipients.get(index))
            }
            _ => None,
        };
        self.errors.push(recipient.map_or(text.clone(), |key| format!("{}: {text}", truncate(key, MAX_KEY_PREFIX))));
        self.process.send(["ok"], b"");
    }

    fn show_message(&self, command: &PluginCommand) {
        self.host.prompter.plugin_message(&self.plugin.to_string(), &self.redacted_text(&command.body));
        self.process.send(["ok"], b"");
    }

    fn request_value(&mut self, command: &PluginCommand, hidden: bool) -> Result<(), PluginError> {
        let prompt = self.redacted_text(&command.body);
        let answer = self.host.prompter.plugin_input(&self.plugin.to_string(), &prompt, hidden);
        let Some(answer) = self.accept_answer(answer)? else { return Ok(()) };
        self.process.send(["ok"], answer.reveal().as_bytes());
        if hidden && answer.len() >= MIN_REDACTED_BYTES {
            self.redactor.add(answer);
        }
        Ok(())
    }

    fn request_decision(&mut self, command: &PluginCommand) -> Result<(), PluginError> {
        let decode = |text: &String| STANDARD_NO_PAD.decode(text).ok().map(|text| self.redacted_text(&text));
        let choices = command.arguments.iter().map(decode).collect::<Option<Vec<_>>>();
        let (yes, no) = match choices.as_deref() {
            Some([yes]) => (yes, None),
            Some([yes, no]) => (yes, Some(no.as_str())),
            _ => return Err(self.process.protocol_error("it asks for a decision without saying between what")),
        };
        let prompt = self.redacted_text(&command.body);
        let decision = self.host.prompter.plugin_confirm(&self.plugin.to_string(), &prompt, yes, no);
        if let Some(is_yes) = self.accept_answer(decision)? {
            self.process.send(["ok", if is_yes { "yes" } else { "no" }], b"");
        }
        Ok(())
    }

    /// Returns the answer, or informs the plugin that there is no answer. A signal ends the dialogue with an error.
    fn accept_answer<T>(&mut self, answer: Result<T, PrompterError>) -> Result<Option<T>, PluginError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(why @ (PrompterError::Interrupted | PrompterError::Terminated)) => {
                Err(PluginError::Unanswered { program: self.process.program().to_owned(), why })
            }
            Err(why) => {
                self.unanswered.get_or_insert(why);
                self.process.send(["fail"], b"");
                Ok(None)
            }
        }
    }

    fn redacted_text(&self, text: &[u8]) -> String {
        self.redactor.redact(&String::from_utf8_lossy(text))
    }
}
