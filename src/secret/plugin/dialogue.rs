//! Dialogue with a plugin: sends keys and stanzas, collects errors, and passes the plugin's questions to the user.
//!
//! Does not handle the commands that return file keys or stanzas: these commands go to a callback of the caller.

use super::error::{PluginError, join_messages, truncate};
use super::key::{PluginIdentity, PluginRecipient};
use super::process::{PluginProcess, StateMachine};
use super::stanza::PluginCommand;
use super::{PluginContext, PluginName};
use crate::secret::{PrompterError, Redactor};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Maximum length of a recipient that is shown before the plugin's error about this recipient.
const MAX_RECIPIENT_CHARS: usize = 24;

/// Minimum length of a hidden answer that is redacted. A shorter answer may also occur by chance in the plugin's text,
/// and redacting it there would reveal the answer.
const MIN_REDACTED_BYTES: usize = 4;

/// Dialogue with one plugin process.
pub(super) struct Dialogue<'a> {
    context: PluginContext<'a>,
    plugin: &'a PluginName,
    process: PluginProcess,
    /// Redactor of identities and hidden answers in the plugin's text.
    redactor: Redactor,
    /// Recipients in the order sent. The plugin's errors refer to a recipient by its index.
    recipients: Vec<&'a str>,
    /// Redacted errors that the plugin reported.
    errors: Vec<String>,
    /// Reason why the first unanswered question got no answer.
    unanswered: Option<PrompterError>,
}

/// Result of handling a command in the callback of the caller.
pub(super) enum CommandOutcome {
    /// The command was valid and was handled.
    Handled,
    /// The command is unknown. The plugin may continue with other commands.
    Unsupported,
    /// The command violates the protocol. Contains a description of the violation.
    Violation(&'static str),
}

impl<'a> Dialogue<'a> {
    /// Starts the plugin for a dialogue.
    pub(super) fn start(
        plugin: &'a PluginName,
        machine: StateMachine,
        context: PluginContext<'a>,
    ) -> Result<Self, PluginError> {
        let process = PluginProcess::start(plugin, machine, context.environment, context.timeouts)?;
        let (redactor, recipients, errors) = Default::default();
        Ok(Self { context, plugin, process, redactor, recipients, errors, unanswered: None })
    }

    /// Sends an identity for decryption.
    pub(super) fn add_identity(&mut self, identity: &PluginIdentity) {
        self.process.send(["add-identity", identity.text().reveal()], b"");
        self.redactor.add(identity.text().clone());
    }

    /// Sends a recipient for encryption.
    pub(super) fn add_recipient(&mut self, recipient: &'a PluginRecipient) {
        self.process.send(["add-recipient", recipient.as_str()], b"");
        self.recipients.push(recipient.as_str());
    }

    /// Sends a stanza from the header of the encrypted file.
    pub(super) fn add_stanza(&self, stanza: &Stanza) {
        let words = ["recipient-stanza", "0", &stanza.tag].into_iter();
        self.process.send(words.chain(stanza.args.iter().map(String::as_str)), &stanza.body);
    }

    /// Sends the file key for encryption. Also announces that neto supports labels, with which plugins restrict the
    /// combinations of recipients.
    pub(super) fn add_file_key(&self, file_key: &FileKey) {
        self.process.send(["extension-labels"], b"");
        self.process.send(["wrap-file-key"], file_key.expose_secret());
    }

    /// Handles the plugin's commands until the plugin sends `done`. Calls `handle` with every command except errors,
    /// messages and questions.
    ///
    /// # Errors
    /// Returns [`PluginError`] if the plugin ends early, violates the protocol, or exceeds a limit of time or output.
    /// Also returns an error if a signal ends a question. Errors that the plugin reports are returned by
    /// [`Self::failure`].
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
                "confirm" => self.ask_for_decision(&command)?,
                "request-public" => self.ask_for_value(&command, false)?,
                "request-secret" => self.ask_for_value(&command, true)?,
                _ => match handle(command) {
                    CommandOutcome::Handled => self.process.send(["ok"], b""),
                    CommandOutcome::Unsupported => self.process.send(["unsupported"], b""),
                    CommandOutcome::Violation(violation) => return Err(self.process.protocol_error(violation)),
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

    /// Returns an error if the user did not answer a question, or if the plugin reported errors.
    pub(super) fn failure(&self) -> Option<PluginError> {
        let program = self.process.program().to_owned();
        if let Some(why) = self.unanswered.clone() {
            return Some(PluginError::Unanswered { program, why });
        }
        self.has_errors().then(|| PluginError::Reported { program, text: join_messages(&self.errors) })
    }

    /// Returns the error for a protocol violation with this description.
    pub(super) fn protocol_error(&self, violation: &'static str) -> PluginError {
        self.process.protocol_error(violation)
    }

    fn record_error(&mut self, command: &PluginCommand) {
        let text = self.redacted_text(&command.body);
        let recipient = match command.arguments.as_slice() {
            [kind, index] if kind == "recipient" => {
                index.parse().ok().and_then(|index: usize| self.recipients.get(index))
            }
            _ => None,
        };
        self.errors.push(
            recipient.map_or(text.clone(), |recipient| format!("{}: {text}", truncate(recipient, MAX_RECIPIENT_CHARS))),
        );
        self.process.send(["ok"], b"");
    }

    fn show_message(&self, command: &PluginCommand) {
        self.context.prompter.plugin_message(&self.plugin.to_string(), &self.redacted_text(&command.body));
        self.process.send(["ok"], b"");
    }

    fn ask_for_value(&mut self, command: &PluginCommand, hidden: bool) -> Result<(), PluginError> {
        let prompt = self.redacted_text(&command.body);
        let answer = self.context.prompter.plugin_input(&self.plugin.to_string(), &prompt, hidden);
        let Some(answer) = self.answer_or_fail(answer)? else { return Ok(()) };
        self.process.send(["ok"], answer.reveal().as_bytes());
        if hidden && answer.len() >= MIN_REDACTED_BYTES {
            self.redactor.add(answer);
        }
        Ok(())
    }

    fn ask_for_decision(&mut self, command: &PluginCommand) -> Result<(), PluginError> {
        let decode_choice =
            |argument: &String| STANDARD_NO_PAD.decode(argument).ok().map(|text| self.redacted_text(&text));
        let choices = command.arguments.iter().map(decode_choice).collect::<Option<Vec<_>>>();
        let (yes, no) = match choices.as_deref() {
            Some([yes]) => (yes, None),
            Some([yes, no]) => (yes, Some(no.as_str())),
            _ => return Err(self.process.protocol_error("it asks for a decision without saying between what")),
        };
        let prompt = self.redacted_text(&command.body);
        let decision = self.context.prompter.plugin_confirm(&self.plugin.to_string(), &prompt, yes, no);
        if let Some(is_yes) = self.answer_or_fail(decision)? {
            self.process.send(["ok", if is_yes { "yes" } else { "no" }], b"");
        }
        Ok(())
    }

    /// Returns the user's answer. If there is no answer, informs the plugin and returns `None`.
    ///
    /// # Errors
    /// Returns [`PluginError::Unanswered`] if a signal ended the question.
    fn answer_or_fail<T>(&mut self, answer: Result<T, PrompterError>) -> Result<Option<T>, PluginError> {
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
