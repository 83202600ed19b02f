//! age plugins: programs that hold keys, such as those in hardware, and open and seal with them for neto.
//!
//! Owns how their keys are spelled and neto's side of the age plugin protocol. That of the age crate is not
//! used: its plugins inherit the whole environment, and with it the keys of neto; it prints file keys where
//! `AGEDEBUG` says so; and it waits for a plugin's answer without a limit, and for its end not at all.
//! Whether this machine trusts a plugin is decided before.
//!
//! - `key`: what identities and recipients of plugins look like;
//! - `identities`, `recipients`: all of one plugin, as age takes them;
//! - `dialogue`: what both of them say to a plugin, and what it asks of the user;
//! - `process`, `stanza`: the program that runs, and the words that go to and fro.

mod dialogue;
mod error;
mod identities;
mod key;
mod process;
mod recipients;
mod stanza;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use error::PluginError;
pub(super) use identities::PluginIdentities;
pub use key::PluginKeyError;
pub(super) use key::{PluginIdentity, PluginName, PluginRecipient};
pub(super) use recipients::PluginRecipients;

use super::{Asker, SourceEnvironment};
use process::{PATIENCE, Patience};

/// What a plugin finds around it: who answers its questions, its variables, neto's patience.
#[derive(Clone, Copy)]
struct Host<'a> {
    asker: &'a dyn Asker,
    environment: &'a SourceEnvironment,
    patience: Patience,
}

impl<'a> Host<'a> {
    fn new(asker: &'a dyn Asker, environment: &'a SourceEnvironment) -> Self {
        Self { asker, environment, patience: PATIENCE }
    }
}

/// The keys by their plugins, in the order in which both come.
fn grouped<'a, K>(
    keys: impl IntoIterator<Item = &'a K>,
    plugin: fn(&K) -> &PluginName,
) -> Vec<(&'a PluginName, Vec<&'a K>)> {
    let mut groups: Vec<(&PluginName, Vec<&K>)> = Vec::new();
    for key in keys {
        match groups.iter_mut().find(|(name, _)| *name == plugin(key)) {
            Some((_, group)) => group.push(key),
            None => groups.push((plugin(key), vec![key])),
        }
    }
    groups
}
