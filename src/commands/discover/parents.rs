//! File with the last known parent of each account. The parent is the reseller directly above the account.
//!
//! The file serves only to detect moves, so no failure stops the run. A file that cannot be used causes a warning. A
//! failed write appears only in verbose output. The parents are saved after the rows are printed.

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

/// Parents of accounts, by API URL and shortname.
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
    /// The content of the file is invalid. neto does not overwrite this file.
    Damaged,
}

impl Parents {
    /// Loads the parents. If the file cannot be used, prints a warning and returns no parents.
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

    /// Returns the last known parent of an account, if the server now names another parent. Otherwise returns `None`.
    pub(super) fn previous_parent(&self, url: &ApiUrl, customer: &Customer) -> Option<&str> {
        let current_parent = customer.parent.as_deref()?;
        let previous = self.parents.get(&url.with_version())?.get(&customer.shortname)?;
        (previous != current_parent).then_some(previous)
    }

    /// Records the parents that the server names. Returns whether the record changed.
    fn update(&mut self, url: &ApiUrl, tree: &Tree) -> bool {
        let previous = self.parents.entry(url.with_version()).or_default();
        let mut changed = false;
        for customer in tree.customers.values() {
            let Some(current_parent) = customer.parent.as_ref() else { continue };
            changed |=
                previous.insert(customer.shortname.clone(), current_parent.clone()).as_ref() != Some(current_parent);
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

/// Saves the parents of the accounts in the tree. A failure causes only verbose output.
pub(super) fn save_tree(run: &Run<'_>, url: &ApiUrl, tree: &Tree) {
    if let Err(error) = try_save_tree(run, url, tree) {
        run.ui.verbose(|| format!("where the accounts are cannot be remembered: {}", error.message()));
    }
}

fn try_save_tree(run: &Run<'_>, url: &ApiUrl, tree: &Tree) -> Result<(), Error> {
    let path = parents_file(run);
    let lock = Lock::new(run.context.paths.state.join("locks/_discover.lock"));
    let _guard = locked_edit::acquire_lock(run, &lock, "the memory of accounts")?;
    // The file is read again under the lock, so that no change of another process is lost. `load` has already warned
    // about a file that cannot be used.
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
