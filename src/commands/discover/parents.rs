//! The memory of where each account was last seen: the reseller right above it, by API and shortname.
//!
//! It serves to tell a move and nothing else, so one that cannot be read or written is warned of and stops nothing. A run
//! writes down what it has shown.

use super::tree::Tree;
use crate::disk::{self, DiskError, Durability, Lock, Privacy, Rules};
use crate::error::Error;
use crate::fusion::Customer;
use crate::output::quoted;
use crate::profile::ApiUrl;
use crate::workflow::{Run, locked_edit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Room for some 500,000 accounts.
const RULES: Rules = Rules { cap: 64 * 1024 * 1024, privacy: Privacy::Own };

/// The version of the file that this program writes and reads.
const VERSION: u8 = 1;

/// The parents of the accounts of each API.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parents {
    v: u8,
    parents: BTreeMap<String, BTreeMap<String, String>>,
}

/// Why the memory cannot be used.
enum Unknown {
    /// It cannot be read.
    Unread(DiskError),
    /// It is not what neto wrote, and is not written over.
    Damaged,
}

impl Parents {
    /// What is remembered; nothing where that cannot be read, which is said.
    pub(super) fn load(run: &Run<'_>) -> Self {
        let path = path(run);
        Self::read(&path).unwrap_or_else(|unknown| {
            run.ui.warn(&match unknown {
                Unknown::Unread(error) => format!("{error}; no move can be told"),
                Unknown::Damaged => {
                    let line = format!("rm {}", quoted(&path.to_string_lossy()));
                    format!("{} is not what neto wrote; no move can be told until:\n{line}", path.display())
                }
            });
            Self::default()
        })
    }

    fn read(path: &Path) -> Result<Self, Unknown> {
        let bytes = match disk::read(path, RULES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            read => read.map_err(Unknown::Unread)?,
        };
        serde_json::from_slice(&bytes).ok().filter(|parents: &Self| parents.v == VERSION).ok_or(Unknown::Damaged)
    }

    /// The parent that an account had, where the server names another one now.
    pub(super) fn before(&self, url: &ApiUrl, customer: &Customer) -> Option<&str> {
        let now = customer.parent.as_deref()?;
        let known = self.parents.get(&url.with_version())?.get(&customer.shortname)?;
        (known != now).then_some(known)
    }

    /// Takes in what the server says; whether that is news.
    fn take(&mut self, url: &ApiUrl, tree: &Tree) -> bool {
        let known = self.parents.entry(url.with_version()).or_default();
        let mut news = false;
        for customer in tree.customers.values() {
            let Some(now) = customer.parent.as_ref() else { continue };
            news |= known.insert(customer.shortname.clone(), now.clone()).as_ref() != Some(now);
        }
        news
    }

    fn save(&self, path: &Path) -> Result<(), DiskError> {
        let bytes = serde_json::to_vec(self).map_err(|error| DiskError::io("write", path, error.into()))?;
        disk::replace(path, &[&bytes[..], b"\n"].concat(), Durability::Durable)?;
        disk::clear_leftovers_beside(path);
        Ok(())
    }
}

impl Default for Parents {
    fn default() -> Self {
        Self { v: VERSION, parents: BTreeMap::new() }
    }
}

/// Writes down what a run has shown. That it cannot be written does not stop the run.
pub(super) fn learn(run: &Run<'_>, url: &ApiUrl, tree: &Tree) {
    if let Err(error) = write_down(run, url, tree) {
        run.ui.verbose(|| format!("where the accounts are cannot be remembered: {}", error.message()));
    }
}

fn write_down(run: &Run<'_>, url: &ApiUrl, tree: &Tree) -> Result<(), Error> {
    let path = path(run);
    let lock = Lock::new(run.context.paths.state.join("locks/_discover.lock"));
    let _held = locked_edit::hold(run, &lock, "the memory of accounts")?;
    // Read again under the lock, so that nobody's news is lost. One that cannot be read was told of.
    let Ok(mut parents) = Parents::read(&path) else { return Ok(()) };
    if parents.take(url, tree) {
        parents.save(&path)?;
        locked_edit::wrote(run, &path);
    }
    Ok(())
}

fn path(run: &Run<'_>) -> PathBuf {
    run.context.paths.state.join("discover.json")
}
