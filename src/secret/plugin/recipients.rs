//! Encryption of file keys with plugins, by the state machine `recipient-v1` of the plugin protocol.

use super::dialogue::{CommandOutcome, Dialogue};
use super::process::StateMachine;
use super::stanza::PluginCommand;
use super::{PluginContext, PluginError, PluginName, PluginRecipient, group_by_plugin};
use crate::environment::Environment;
use crate::secret::Prompter;
use age::EncryptError;
use age_core::format::{FileKey, Stanza};
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;

/// Recipients of one plugin, as an [`age::Recipient`]. The plugin is started once per encrypted file.
pub(in crate::secret) struct PluginRecipients<'a> {
    plugin: &'a PluginName,
    recipients: Vec<&'a PluginRecipient>,
    pub(super) context: PluginContext<'a>,
    failure: RefCell<Option<PluginError>>,
}

/// File key encrypted to all recipients of a plugin.
#[derive(Default)]
struct WrappedKey {
    stanzas: Vec<Stanza>,
    labels: Option<HashSet<String>>,
}

impl<'a> PluginRecipients<'a> {
    /// Groups recipients by plugin. Plugins are in the order of their first recipients.
    pub(in crate::secret) fn by_plugin(
        recipients: impl IntoIterator<Item = &'a PluginRecipient>,
        prompter: &'a dyn Prompter,
        environment: &'a Environment,
    ) -> Vec<Self> {
        let context = PluginContext::new(prompter, environment);
        let groups = group_by_plugin(recipients, PluginRecipient::plugin).into_iter();
        groups.map(|(plugin, recipients)| Self { plugin, recipients, context, failure: RefCell::default() }).collect()
    }

    /// Returns the reason why the plugin did not encrypt the last file. Returns `None` if the plugin succeeded. The
    /// error that the age crate returns does not contain the reason.
    pub(in crate::secret) fn failure(&self) -> Option<PluginError> {
        self.failure.borrow().clone()
    }

    fn wrap(&self, file_key: &FileKey) -> Result<WrappedKey, PluginError> {
        let mut dialogue = Dialogue::start(self.plugin, StateMachine::Recipient, self.context)?;
        for recipient in &self.recipients {
            dialogue.add_recipient(recipient);
        }
        dialogue.add_file_key(file_key);
        let mut wrapped = WrappedKey::default();
        dialogue.listen(|command| handle_command(command, &mut wrapped))?;
        if !wrapped.stanzas.is_empty() && !dialogue.has_errors() {
            return Ok(wrapped);
        }
        Err(dialogue
            .failure()
            .unwrap_or_else(|| dialogue.protocol_error("it gives neither a sealed file key nor an error")))
    }
}

impl age::Recipient for PluginRecipients<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let wrapped = self.wrap(file_key);
        self.failure.replace(wrapped.as_ref().err().cloned());
        match wrapped {
            Ok(WrappedKey { stanzas, labels }) => Ok((stanzas, labels.unwrap_or_default())),
            Err(_) => Err(io::Error::other("a plugin failed").into()),
        }
    }
}

fn handle_command(mut command: PluginCommand, wrapped: &mut WrappedKey) -> CommandOutcome {
    match command.name.as_str() {
        "recipient-stanza" => {
            let mut arguments = command.arguments.into_iter();
            let (Some("0"), Some(tag)) = (arguments.next().as_deref(), arguments.next()) else {
                return CommandOutcome::Violation("it seals a file key that it was not given");
            };
            let body = std::mem::take(&mut *command.body);
            wrapped.stanzas.push(Stanza { tag, args: arguments.collect(), body });
            CommandOutcome::Handled
        }
        "labels" => {
            let count = command.arguments.len();
            let labels: HashSet<String> = command.arguments.into_iter().collect();
            if labels.len() < count || wrapped.labels.replace(labels).is_some() {
                return CommandOutcome::Violation("it gives labels twice");
            }
            CommandOutcome::Handled
        }
        _ => CommandOutcome::Unsupported,
    }
}
