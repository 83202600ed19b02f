//! What is said to a plugin and what it says, but for its result: errors, and what it asks of the user.

use super::error::{PluginError, cut, line, strike};
use super::key::{PluginIdentity, PluginRecipient};
use super::process::{Machine, Process};
use super::stanza::Command;
use super::{Host, PluginName};
use crate::secret::{Secret, Unanswered};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// How much of a public key shows in front of what a plugin says of it.
const KEY_SHOWN: usize = 24;

/// One conversation with one process.
pub(super) struct Dialogue<'a> {
    host: Host<'a>,
    plugin: &'a PluginName,
    process: Process,
    /// What must not come back in the plugin's words: answers given in hiding, identities.
    secrets: Vec<Secret>,
    /// The public keys, for errors that name one by its place.
    recipients: Vec<&'a str>,
    /// What it said of its failure.
    said: Vec<String>,
    /// The first question without an answer.
    unanswered: Option<Unanswered>,
}

/// What becomes of a word that not every conversation knows.
pub(super) enum Taken {
    /// It was understood.
    Yes,
    /// It is unknown, and the plugin may go on without it.
    No,
    /// It breaks the protocol in this way.
    Breach(&'static str),
}

impl<'a> Dialogue<'a> {
    /// Starts the plugin.
    pub(super) fn start(plugin: &'a PluginName, machine: Machine, host: Host<'a>) -> Result<Self, PluginError> {
        let process = Process::start(plugin, machine, host.environment, host.patience)?;
        let (secrets, recipients, said) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { host, plugin, process, secrets, recipients, said, unanswered: None })
    }

    /// A key to open with.
    pub(super) fn add_identity(&mut self, identity: &PluginIdentity) {
        self.process.say(["add-identity", identity.text().reveal()], b"");
        self.secrets.push(identity.text().clone());
    }

    /// A key to seal to.
    pub(super) fn add_recipient(&mut self, recipient: &'a PluginRecipient) {
        self.process.say(["add-recipient", recipient.as_str()], b"");
        self.recipients.push(recipient.as_str());
    }

    /// A stanza of the one file.
    pub(super) fn add_stanza(&self, stanza: &Stanza) {
        let words = ["recipient-stanza", "0", &stanza.tag].into_iter();
        self.process.say(words.chain(stanza.args.iter().map(String::as_str)), &stanza.body);
    }

    /// The key to seal, and that neto minds which stanzas may stand together.
    pub(super) fn add_file_key(&self, file_key: &FileKey) {
        self.process.say(["extension-labels"], b"");
        self.process.say(["wrap-file-key"], file_key.expose_secret());
    }

    /// Lets the plugin speak until it is done; `take` gets what it says besides errors and questions.
    pub(super) fn listen(&mut self, mut take: impl FnMut(Command) -> Taken) -> Result<(), PluginError> {
        self.process.say(["done"], b"");
        loop {
            let command = self.process.hear()?;
            match command.name.as_str() {
                "done" => break,
                "error" => self.note(&command),
                "msg" => self.tell(&command),
                "confirm" => self.decide(&command)?,
                "request-public" => self.ask(&command, false)?,
                "request-secret" => self.ask(&command, true)?,
                _ => match take(command) {
                    Taken::Yes => self.process.say(["ok"], b""),
                    Taken::No => self.process.say(["unsupported"], b""),
                    Taken::Breach(what) => return Err(self.process.breach(what)),
                },
            }
        }
        self.process.end();
        Ok(())
    }

    /// Whether the plugin said of something that it failed.
    pub(super) fn has_errors(&self) -> bool {
        !self.said.is_empty()
    }

    /// Why there is no result, if a missing answer or the plugin says so.
    pub(super) fn failure(&self) -> Option<PluginError> {
        let program = self.process.program().to_owned();
        if let Some(why) = self.unanswered.clone() {
            return Some(PluginError::Unanswered { program, why });
        }
        self.has_errors().then(|| PluginError::Said { program, text: line(&self.said) })
    }

    /// There is a result, and it is not what it should be.
    pub(super) fn breach(&self, what: &'static str) -> PluginError {
        self.process.breach(what)
    }

    fn note(&mut self, command: &Command) {
        let text = self.words(&command.body);
        let about = match command.arguments.as_slice() {
            [kind, place] if kind == "recipient" => {
                place.parse().ok().and_then(|place: usize| self.recipients.get(place))
            }
            _ => None,
        };
        self.said.push(about.map_or(text.clone(), |key| format!("{}: {text}", cut(key, KEY_SHOWN))));
        self.process.say(["ok"], b"");
    }

    fn tell(&self, command: &Command) {
        self.host.asker.told_by_plugin(&self.plugin.to_string(), &self.words(&command.body));
        self.process.say(["ok"], b"");
    }

    fn ask(&mut self, command: &Command, hidden: bool) -> Result<(), PluginError> {
        let prompt = self.words(&command.body);
        let answer = self.host.asker.asked_by_plugin(&self.plugin.to_string(), &prompt, hidden);
        let Some(answer) = self.answered(answer)? else { return Ok(()) };
        self.process.say(["ok"], answer.reveal().as_bytes());
        if hidden {
            self.secrets.push(answer);
        }
        Ok(())
    }

    fn decide(&mut self, command: &Command) -> Result<(), PluginError> {
        let choice = |text: &String| STANDARD_NO_PAD.decode(text).ok().map(|text| self.words(&text));
        let choices = command.arguments.iter().map(choice).collect::<Option<Vec<_>>>();
        let (yes, no) = match choices.as_deref() {
            Some([yes]) => (yes, None),
            Some([yes, no]) => (yes, Some(no.as_str())),
            _ => return Err(self.process.breach("it asks for a decision without saying between what")),
        };
        let prompt = self.words(&command.body);
        let decision = self.host.asker.decided_for_plugin(&self.plugin.to_string(), &prompt, yes, no);
        if let Some(chosen) = self.answered(decision)? {
            self.process.say(["ok", if chosen { "yes" } else { "no" }], b"");
        }
        Ok(())
    }

    /// The answer, if there is one; else the plugin gets to know that, unless a signal ends it all.
    fn answered<T>(&mut self, answer: Result<T, Unanswered>) -> Result<Option<T>, PluginError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(why @ (Unanswered::Interrupted | Unanswered::Terminated)) => {
                Err(PluginError::Unanswered { program: self.process.program().to_owned(), why })
            }
            Err(why) => {
                self.unanswered.get_or_insert(why);
                self.process.say(["fail"], b"");
                Ok(None)
            }
        }
    }

    fn words(&self, text: &[u8]) -> String {
        strike(&String::from_utf8_lossy(text), self.secrets.iter())
    }
}
