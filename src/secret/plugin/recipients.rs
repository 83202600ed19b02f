//! Sealing with a plugin: state machine `recipient-v1`.

use super::dialogue::{Dialogue, Taken};
use super::process::Machine;
use super::stanza::Command;
use super::{Host, PluginError, PluginName, PluginRecipient, grouped};
use crate::secret::{Asker, SourceEnvironment};
use age::EncryptError;
use age_core::format::{FileKey, Stanza};
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;

/// The recipients of one plugin, as age takes them. Each file that is sealed to them is one process.
pub(in crate::secret) struct PluginRecipients<'a> {
    plugin: &'a PluginName,
    recipients: Vec<&'a PluginRecipient>,
    pub(super) host: Host<'a>,
    failure: RefCell<Option<PluginError>>,
}

/// What a plugin gives for a file key.
#[derive(Default)]
struct Wrapped {
    stanzas: Vec<Stanza>,
    labels: Option<HashSet<String>>,
}

impl<'a> PluginRecipients<'a> {
    /// One for each plugin, in the order in which the plugins come.
    pub(in crate::secret) fn by_plugin(
        recipients: impl IntoIterator<Item = &'a PluginRecipient>,
        asker: &'a dyn Asker,
        environment: &'a SourceEnvironment,
    ) -> Vec<Self> {
        let host = Host::new(asker, environment);
        let groups = grouped(recipients, PluginRecipient::plugin).into_iter();
        groups.map(|(plugin, recipients)| Self { plugin, recipients, host, failure: RefCell::default() }).collect()
    }

    /// Why the plugin did not seal the last file; nothing when it did. age is told no more than that it failed.
    pub(in crate::secret) fn failure(&self) -> Option<PluginError> {
        self.failure.borrow().clone()
    }

    fn wrap(&self, file_key: &FileKey) -> Result<Wrapped, PluginError> {
        let mut dialogue = Dialogue::start(self.plugin, Machine::Recipient, self.host)?;
        for recipient in &self.recipients {
            dialogue.add_recipient(recipient);
        }
        dialogue.add_file_key(file_key);
        let mut wrapped = Wrapped::default();
        dialogue.listen(|command| take(command, &mut wrapped))?;
        if !wrapped.stanzas.is_empty() && !dialogue.has_errors() {
            return Ok(wrapped);
        }
        Err(dialogue.failure().unwrap_or_else(|| dialogue.breach("it gives neither a sealed file key nor an error")))
    }
}

impl age::Recipient for PluginRecipients<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let wrapped = self.wrap(file_key);
        self.failure.replace(wrapped.as_ref().err().cloned());
        match wrapped {
            Ok(Wrapped { stanzas, labels }) => Ok((stanzas, labels.unwrap_or_default())),
            Err(_) => Err(io::Error::other("a plugin failed").into()),
        }
    }
}

fn take(mut command: Command, wrapped: &mut Wrapped) -> Taken {
    match command.name.as_str() {
        "recipient-stanza" => {
            let mut arguments = command.arguments.into_iter();
            let (Some("0"), Some(tag)) = (arguments.next().as_deref(), arguments.next()) else {
                return Taken::Breach("it seals a file key that it was not given");
            };
            let body = std::mem::take(&mut *command.body);
            wrapped.stanzas.push(Stanza { tag, args: arguments.collect(), body });
            Taken::Yes
        }
        "labels" => {
            let count = command.arguments.len();
            let labels: HashSet<String> = command.arguments.into_iter().collect();
            if labels.len() < count || wrapped.labels.replace(labels).is_some() {
                return Taken::Breach("it gives labels twice");
            }
            Taken::Yes
        }
        _ => Taken::No,
    }
}
