//! File of the parent that each account had last, by API and shortname. The parent is the reseller directly above.
//!
//! The file serves only to detect moves. A file that cannot be read causes a warning, and a failed write only verbose
//! output. A run saves the parents after it has printed its rows.

use super::tree::Tree;
use crate::disk::{self, DiskError, Durability, Lock, Privacy, ReadRules};
use crate::error::Error;
use crate::fusion::Customer;
use crate::output::quote_for_display;
use crate::profile::ApiUrl;
use crate::workflow::{Run, locked_edit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rules for reading the file. The size limit is enough for about 500,000 accounts.
const READ_RULES: ReadRules = ReadRules { cap: 64 * 1024 * 1024, privacy: Privacy::Own };

/// Version of the file format.
const VERSION: u8 = 1;

/// Parents of the accounts of each API.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parents {
    v: u8,
    parents: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reason why the file cannot be used.
enum ParentsError {
    /// The file cannot be read.
    Unreadable(DiskError),
    /// The file does not have the content that neto writes. It is not overwritten.
    Damaged,
}

impl Parents {
    /// Loads the parents. Warns and returns none if the file cannot be used.
    pub(super) fn load(run: &Run<'_>) -> Self {
        let path = parents_file(run);
        Self::read(&path).unwrap_or_else(|error| {
            run.ui.warn(&match error {
                ParentsError::Unreadable(error) => format!("{error}; no move can be told"),
                ParentsError::Damaged => {
                    let line = format!("rm {}", quote_for_display(&path.to_string_lossy()));
                    format!("{} is not what neto wrote; no move can be told until:\n{line}", path.display())
                }
            });
            Self::default()
        })
    }

    fn read(path: &Path) -> Result<Self, ParentsError> {
        let bytes = match disk::read(path, READ_RULES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            read => read.map_err(ParentsError::Unreadable)?,
        };
        serde_json::from_slice(&bytes).ok().filter(|parents: &Self| parents.v == VERSION).ok_or(ParentsError::Damaged)
    }

    /// Returns the previous parent of an account, if the server now names another one.
    pub(super) fn previous_parent(&self, url: &ApiUrl, customer: &Customer) -> Option<&str> {
        let now = customer.parent.as_deref()?;
        let previous = self.parents.get(&url.with_version())?.get(&customer.shortname)?;
        (previous != now).then_some(previous)
    }

    /// Stores the parents that the server names. Returns whether one of them changed.
    fn update(&mut self, url: &ApiUrl, tree: &Tree) -> bool {
        let previous = self.parents.entry(url.with_version()).or_default();
        let mut changed = false;
        for customer in tree.customers.values() {
            let Some(now) = customer.parent.as_ref() else { continue };
            changed |= previous.insert(customer.shortname.clone(), now.clone()).as_ref() != Some(now);
        }
        changed
    }

    fn save(&self, path: &Path) -> Result<(), DiskError> {
        let bytes = serde_json::to_vec(self).map_err(|error| DiskError::io("write", path, error.into()))?;
        disk::replace(path, &[&bytes[..], b"\n"].concat(), Durability::Durable)?;
        disk::remove_stale_temp_files_beside(path);
        Ok(())
    }
}

impl Default for Parents {
    fn default() -> Self {
        Self { v: VERSION, parents: BTreeMap::new() }
    }
}

/// Saves the parents of the accounts in the tree. A failure is only verbose output and does not stop the run.
pub(super) fn save_tree(run: &Run<'_>, url: &ApiUrl, tree: &Tree) {
    if let Err(error) = try_save_tree(run, url, tree) {
        run.ui.verbose(|| format!("where the accounts are cannot be remembered: {}", error.message()));
    }
}

fn try_save_tree(run: &Run<'_>, url: &ApiUrl, tree: &Tree) -> Result<(), Error> {
    let path = parents_file(run);
    let lock = Lock::new(run.context.paths.state.join("locks/_discover.lock"));
    let _guard = locked_edit::acquire_lock(run, &lock, "the memory of accounts")?;
    // Read again under the lock, so that no change of another process is lost. `load` has warned of an unusable file.
    let Ok(mut parents) = Parents::read(&path) else { return Ok(()) };
    if parents.update(url, tree) {
        parents.save(&path)?;
        locked_edit::report_written(run, &path);
    }
    Ok(())
}

fn parents_file(run: &Run<'_>) -> PathBuf {
    run.context.paths.state.join("discover.json")
}
