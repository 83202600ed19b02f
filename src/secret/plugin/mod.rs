//! Client for age plugins: programs that encrypt and decrypt file keys with their own keys, for example keys in
//! hardware.
//!
//! Owns the text form of plugin keys and the client side of the age plugin protocol. Must not decide whether this
//! machine trusts a plugin: the caller decides that.
//!
//! The plugin client of the age crate is not used, for four reasons:
//! - its plugins inherit the whole environment, including the keys of neto;
//! - it prints file keys if the variable `AGEDEBUG` requests this;
//! - it waits for a command of the plugin without a time limit;
//! - it does not wait until the plugin exits.
//!
//! Submodules:
//! - `key`: text form of identities and recipients;
//! - `identities`, `recipients`: all keys of one plugin, as implementations of the traits of the age crate;
//! - `dialogue`: the part of the protocol that encryption and decryption share, including questions to the user;
//! - `process`: the running plugin;
//! - `stanza`: format of the commands in both directions.

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
pub(super) use key::{PluginIdentity, PluginName, PluginRecipient};
pub(super) use recipients::PluginRecipients;

use super::Prompter;
use crate::environment::Environment;
use process::{PluginTimeouts, TIMEOUTS};

/// Context for running plugins: prompter for their questions, environment of neto, and time limits.
#[derive(Clone, Copy)]
struct PluginContext<'a> {
    prompter: &'a dyn Prompter,
    environment: &'a Environment,
    timeouts: PluginTimeouts,
}

impl<'a> PluginContext<'a> {
    fn new(prompter: &'a dyn Prompter, environment: &'a Environment) -> Self {
        Self { prompter, environment, timeouts: TIMEOUTS }
    }
}

/// Groups keys by plugin. Plugins are in the order of their first keys.
fn group_by_plugin<'a, K>(
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
