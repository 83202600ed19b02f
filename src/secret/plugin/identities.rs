//! Decryption with a plugin: state machine `identity-v1`.

use super::dialogue::{CommandOutcome, Dialogue};
use super::process::StateMachine;
use super::stanza::PluginCommand;
use super::{PluginError, PluginHost, PluginIdentity, PluginName, group_by_plugin};
use crate::environment::Environment;
use crate::secret::Prompter;
use age::DecryptError;
use age_core::format::{FileKey, Stanza};
use std::cell::RefCell;
use std::io;

/// Identities of one plugin, as an [`age::Identity`]. Decrypting a file starts one process, which gets all stanzas of
/// the file.
pub(in crate::secret) struct PluginIdentities<'a> {
    plugin: &'a PluginName,
    identities: Vec<&'a PluginIdentity>,
    pub(super) host: PluginHost<'a>,
    failure: RefCell<Option<PluginError>>,
}

impl<'a> PluginIdentities<'a> {
    /// Groups identities by plugin, in the order of first occurrence.
    pub(in crate::secret) fn by_plugin(
        identities: impl IntoIterator<Item = &'a PluginIdentity>,
        prompter: &'a dyn Prompter,
        environment: &'a Environment,
    ) -> Vec<Self> {
        let host = PluginHost::new(prompter, environment);
        let groups = group_by_plugin(identities, PluginIdentity::plugin).into_iter();
        groups.map(|(plugin, identities)| Self { plugin, identities, host, failure: RefCell::default() }).collect()
    }

    /// Returns why the plugin did not decrypt the last file. Returns `None` if the plugin succeeded or has no key for
    /// the file. The age crate learns only that decryption failed.
    pub(in crate::secret) fn failure(&self) -> Option<PluginError> {
        self.failure.borrow().clone()
    }

    /// Returns the key of the file, or `None` if the plugin cannot decrypt the file.
    fn unwrap_file_key(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, PluginError> {
        let mut dialogue = Dialogue::start(self.plugin, StateMachine::Identity, self.host)?;
        for identity in &self.identities {
            dialogue.add_identity(identity);
        }
        for stanza in stanzas {
            dialogue.add_stanza(stanza);
        }
        let mut found = None;
        dialogue.listen(|command| handle(&command, &mut found))?;
        match found {
            Some(key) => Ok(Some(key)),
            None => dialogue.failure().map_or(Ok(None), Err),
        }
    }
}

impl age::Identity for PluginIdentities<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        // Not called by age. `Stanza` is not `Clone`, but its parts are.
        let stanza = Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() };
        self.unwrap_stanzas(&[stanza])
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let opened = self.unwrap_file_key(stanzas);
        self.failure.replace(opened.as_ref().err().cloned());
        match opened {
            Ok(key) => key.map(Ok),
            Err(error) if error.stop_signal().is_some() => {
                Some(Err(io::Error::from(io::ErrorKind::Interrupted).into()))
            }
            // Other identities may still decrypt the file.
            Err(_) => None,
        }
    }
}

fn handle(command: &PluginCommand, found: &mut Option<FileKey>) -> CommandOutcome {
    match (command.name.as_str(), command.arguments.as_slice()) {
        ("file-key", [file]) if file == "0" => {}
        ("file-key", _) => return CommandOutcome::Violation("it gives the key of a file that it was not asked about"),
        _ => return CommandOutcome::Unsupported,
    }
    if found.is_some() {
        return CommandOutcome::Violation("it gives more than one file key");
    }
    let copy = |key: &mut [u8; 16]| {
        let fits = key.len() == command.body.len();
        fits.then(|| key.copy_from_slice(&command.body))
            .ok_or(CommandOutcome::Violation("it gives a file key of a wrong length"))
    };
    match FileKey::try_init_with_mut(copy) {
        Ok(key) => {
            *found = Some(key);
            CommandOutcome::Handled
        }
        Err(violation) => violation,
    }
}
