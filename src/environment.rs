//! Environment variables of the process as data, so that a test can supply them. `main` reads the real ones once.
//!
//! Owns two rules. An empty variable counts as unset. Secret commands and age plugins do not receive the variables that
//! give access to the identity.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// Prefixes of the variables that give access to the identity. Secret commands and age plugins do not receive these
/// variables.
const WITHHELD_PREFIXES: [&str; 2] = ["NETO_IDENTITY", "NETO_PASSPHRASE"];

/// Names and values of environment variables. Cloning is cheap, because clones share the map.
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

    /// Returns a variable's value as text; `None` if the variable is unset or empty. Invalid UTF-8 becomes U+FFFD. An
    /// invalid value never names a profile, because no profile name contains this character.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// Iterates over all variables, including empty variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Iterates over the variables to pass to a secret command or an age plugin.
    pub fn child_variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.iter().filter(|(name, _)| !is_withheld(name))
    }
}

/// Checks whether the variable must be withheld from secret commands and age plugins.
#[must_use]
pub fn is_withheld(name: &OsStr) -> bool {
    WITHHELD_PREFIXES.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}
