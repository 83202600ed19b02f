//! Opening with a plugin: state machine `identity-v1`.

use super::dialogue::{Dialogue, Taken};
use super::process::Machine;
use super::stanza::Command;
use super::{Host, PluginError, PluginIdentity, PluginName, grouped};
use crate::secret::{Asker, SourceEnvironment};
use age::DecryptError;
use age_core::format::{FileKey, Stanza};
use std::cell::RefCell;
use std::io;

/// The identities of one plugin, as age takes them. Each file that is opened with them is one process, which
/// gets all stanzas of the file.
pub(in crate::secret) struct PluginIdentities<'a> {
    plugin: &'a PluginName,
    identities: Vec<&'a PluginIdentity>,
    pub(super) host: Host<'a>,
    failure: RefCell<Option<PluginError>>,
}

impl<'a> PluginIdentities<'a> {
    /// One for each plugin, in the order in which the plugins come.
    pub(in crate::secret) fn by_plugin(
        identities: impl IntoIterator<Item = &'a PluginIdentity>,
        asker: &'a dyn Asker,
        environment: &'a SourceEnvironment,
    ) -> Vec<Self> {
        let host = Host::new(asker, environment);
        let groups = grouped(identities, PluginIdentity::plugin).into_iter();
        groups.map(|(plugin, identities)| Self { plugin, identities, host, failure: RefCell::default() }).collect()
    }

    /// Why the plugin did not open the last file. Nothing when it did, or has no key for it; age is told no
    /// more than that the file did not open.
    pub(in crate::secret) fn failure(&self) -> Option<PluginError> {
        self.failure.borrow().clone()
    }

    /// The key of the file; nothing when the plugin has none for it.
    fn open(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, PluginError> {
        let mut dialogue = Dialogue::start(self.plugin, Machine::Identity, self.host)?;
        for identity in &self.identities {
            dialogue.add_identity(identity);
        }
        for stanza in stanzas {
            dialogue.add_stanza(stanza);
        }
        let mut found = None;
        dialogue.listen(|command| take(&command, &mut found))?;
        match found {
            Some(key) => Ok(Some(key)),
            None => dialogue.failure().map_or(Ok(None), Err),
        }
    }
}

impl age::Identity for PluginIdentities<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        // Never called by age; a stanza cannot be cloned, but its parts can.
        let stanza = Stanza { tag: stanza.tag.clone(), args: stanza.args.clone(), body: stanza.body.clone() };
        self.unwrap_stanzas(&[stanza])
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let opened = self.open(stanzas);
        self.failure.replace(opened.as_ref().err().cloned());
        match opened {
            Ok(key) => key.map(Ok),
            Err(error) if error.stopped().is_some() => Some(Err(io::Error::from(io::ErrorKind::Interrupted).into())),
            // Other identities may still open the file.
            Err(_) => None,
        }
    }
}

fn take(command: &Command, found: &mut Option<FileKey>) -> Taken {
    match (command.name.as_str(), command.arguments.as_slice()) {
        ("file-key", [file]) if file == "0" => {}
        ("file-key", _) => return Taken::Breach("it gives the key of a file that it was not asked about"),
        _ => return Taken::No,
    }
    if found.is_some() {
        return Taken::Breach("it gives more than one file key");
    }
    let copy = |key: &mut [u8; 16]| {
        let fits = key.len() == command.body.len();
        fits.then(|| key.copy_from_slice(&command.body)).ok_or(Taken::Breach("it gives a file key of a wrong length"))
    };
    match FileKey::try_init_with_mut(copy) {
        Ok(key) => {
            *found = Some(key);
            Taken::Yes
        }
        Err(breach) => breach,
    }
}
