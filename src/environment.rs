//! Environment variables of the process as data, read once in `main`.
//!
//! Owns the rule that an empty variable counts as unset, and which variables no child process receives.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// Prefixes of the variables that no child process of neto receives, because they give access to the identity.
const WITHHELD: [&str; 2] = ["NETO_IDENTITY", "NETO_PASSPHRASE"];

/// Environment variables. Cloning is cheap.
#[derive(Clone)]
pub struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    /// Creates an environment from names and values.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }

    /// Returns a variable's value; `None` if the variable is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns a variable's value as text. Bytes that are not UTF-8 are replaced, so the text matches no profile name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// Iterates over all variables, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Iterates over the variables that a child process may receive.
    pub fn for_child(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.iter().filter(|(name, _)| !is_withheld(name))
    }
}

/// Checks whether no child process may receive the variable.
#[must_use]
pub fn is_withheld(name: &OsStr) -> bool {
    WITHHELD.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}
