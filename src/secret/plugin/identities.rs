//! Decryption of file keys with plugins, by the state machine `identity-v1` of the plugin protocol.

use super::dialogue::{CommandOutcome, Dialogue};
use super::process::StateMachine;
use super::stanza::PluginCommand;
use super::{PluginContext, PluginError, PluginIdentity, PluginName, group_by_plugin};
use crate::environment::Environment;
use crate::secret::Prompter;
use age::DecryptError;
use age_core::format::{FileKey, Stanza};
use std::cell::RefCell;
use std::io;

/// Identities of one plugin, as an [`age::Identity`]. The plugin is started once per decrypted file, and gets all
/// stanzas of the file.
pub(in crate::secret) struct PluginIdentities<'a> {
    plugin: &'a PluginName,
    identities: Vec<&'a PluginIdentity>,
    pub(super) context: PluginContext<'a>,
    failure: RefCell<Option<PluginError>>,
}

impl<'a> PluginIdentities<'a> {
    /// Groups identities by plugin. Plugins are in the order of their first identities.
    pub(in crate::secret) fn by_plugin(
        identities: impl IntoIterator<Item = &'a PluginIdentity>,
        prompter: &'a dyn Prompter,
        environment: &'a Environment,
    ) -> Vec<Self> {
        let context = PluginContext::new(prompter, environment);
        let groups = group_by_plugin(identities, PluginIdentity::plugin).into_iter();
        groups.map(|(plugin, identities)| Self { plugin, identities, context, failure: RefCell::default() }).collect()
    }

    /// Returns the reason why the plugin did not decrypt the last file. Returns `None` if the plugin succeeded or has
    /// no key for the file. The error that the age crate returns does not contain the reason.
    pub(in crate::secret) fn failure(&self) -> Option<PluginError> {
        self.failure.borrow().clone()
    }

    /// Returns the file key, or `None` if the plugin reports no error but has no key for the file.
    fn unwrap_file_key(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, PluginError> {
        let mut dialogue = Dialogue::start(self.plugin, StateMachine::Identity, self.context)?;
        for identity in &self.identities {
            dialogue.add_identity(identity);
        }
        for stanza in stanzas {
            dialogue.add_stanza(stanza);
        }
        let mut found = None;
        dialogue.listen(|command| handle_command(&command, &mut found))?;
        match found {
            Some(key) => Ok(Some(key)),
            None => dialogue.failure().map_or(Ok(None), Err),
        }
    }
}

impl age::Identity for PluginIdentities<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        // The trait requires this method, but age calls only `unwrap_stanzas`. `Stanza` is not `Clone`, but its fields
        // are.
        let stanza = Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() };
        self.unwrap_stanzas(&[stanza])
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let outcome = self.unwrap_file_key(stanzas);
        self.failure.replace(outcome.as_ref().err().cloned());
        match outcome {
            Ok(key) => key.map(Ok),
            Err(error) if error.stop_signal().is_some() => {
                Some(Err(io::Error::from(io::ErrorKind::Interrupted).into()))
            }
            // `None` lets age try the other identities.
            Err(_) => None,
        }
    }
}

fn handle_command(command: &PluginCommand, found: &mut Option<FileKey>) -> CommandOutcome {
    match (command.name.as_str(), command.arguments.as_slice()) {
        ("file-key", [file]) if file == "0" => {}
        ("file-key", _) => return CommandOutcome::Violation("it gives the key of a file that it was not asked about"),
        _ => return CommandOutcome::Unsupported,
    }
    if found.is_some() {
        return CommandOutcome::Violation("it gives more than one file key");
    }
    let copy_body = |key: &mut [u8; 16]| {
        let fits = key.len() == command.body.len();
        fits.then(|| key.copy_from_slice(&command.body))
            .ok_or(CommandOutcome::Violation("it gives a file key of a wrong length"))
    };
    match FileKey::try_init_with_mut(copy_body) {
        Ok(key) => {
            *found = Some(key);
            CommandOutcome::Handled
        }
        Err(violation) => violation,
    }
}
