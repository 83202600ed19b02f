//! age plugins: programs that hold keys (in hardware, for example), and decrypt and encrypt with them for neto.
//!
//! Owns the spelling of plugin keys and neto's side of the age plugin protocol. The caller decides whether this machine
//! trusts a plugin.
//!
//! The client of the age crate is not used. Its plugins inherit the whole environment, and with it the keys of neto. It
//! prints file keys if `AGEDEBUG` requests that. It waits for a plugin's answer without a time limit, and does not wait
//! until the plugin exits.
//!
//! - `key`: the text form of identities and recipients;
//! - `identities`, `recipients`: all keys of one plugin, as implementations of age's traits;
//! - `dialogue`: the exchange with a plugin that both share, with its errors and its questions to the user;
//! - `process`, `stanza`: the running program, and the format of the commands in both directions.

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

use super::Prompter;
use crate::environment::Environment;
use process::{PluginTimeouts, TIMEOUTS};

/// Context of a plugin: the prompter for its questions, its environment variables, and time limits.
#[derive(Clone, Copy)]
struct PluginHost<'a> {
    prompter: &'a dyn Prompter,
    environment: &'a Environment,
    timeouts: PluginTimeouts,
}

impl<'a> PluginHost<'a> {
    fn new(prompter: &'a dyn Prompter, environment: &'a Environment) -> Self {
        Self { prompter, environment, timeouts: TIMEOUTS }
    }
}

/// Groups keys by plugin, in the order of first occurrence.
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
