//! Fetches a NETOSECRET from an external source (a command, a file or an environment variable) at login.
//!
//! Does not check trust: the caller must first ask the trust store whether this machine trusts the source.

use super::binding::compare_netosecret;
use super::{Mismatch, NetoSecret, NetoSecretError, ProgramError, command};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::environment::Environment;
use crate::profile::{Profile, SecretLocation};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Time limit for a command. The user may have to unlock a password manager.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of a source file, the same as the maximum size of a NETOSECRET.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Reasons why no NETOSECRET can be fetched from an external source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The profile has no external source: its secret is in the profile store, or the profile has no secret.
    #[error("the secret does not come from a source")]
    NotExternal,
    /// The command cannot be run, failed, or exceeded a limit.
    #[error("the command that the secret comes from: {0}")]
    Program(#[from] ProgramError),
    /// The file cannot be read.
    #[error("the file that the secret comes from: {0}")]
    File(#[from] DiskError),
    /// The variable is unset or empty.
    #[error("the variable '{0}' that the secret comes from is not set")]
    Unset(String),
    /// The text from the source is not a NETOSECRET.
    #[error("what {origin} yields cannot be used: {error}")]
    Netosecret {
        /// Description of the source: `the command 'op'`, `the file /run/x`, `the variable 'X'`.
        origin: String,
        /// Reason why the text is not a NETOSECRET.
        error: NetoSecretError,
    },
}

/// Fetches a NETOSECRET from an external source. A command is killed after 30 s. A file may be readable by other users,
/// as mounted secrets are, but must not be writable by other users.
///
/// # Errors
/// Returns a [`SourceError`], which never contains the value of a field.
pub fn fetch_netosecret(location: &SecretLocation, environment: &Environment) -> Result<NetoSecret, SourceError> {
    let (bytes, origin) = match location {
        SecretLocation::Command(argv) => {
            let program = argv.first().map_or("", String::as_str);
            (command::run(argv, environment, COMMAND_TIMEOUT)?, format!("the command '{program}'"))
        }
        SecretLocation::File(path) => (read_source_file(path)?, format!("the file {}", path.display())),
        SecretLocation::Env(name) => {
            let value = environment.get(name).ok_or_else(|| SourceError::Unset(name.clone()))?;
            (Zeroizing::new(value.as_encoded_bytes().to_vec()), format!("the variable '{name}'"))
        }
        SecretLocation::None | SecretLocation::Plaintext(_) | SecretLocation::Sealed(_) => {
            return Err(SourceError::NotExternal);
        }
    };
    // Base64 is ASCII, so bytes that are not UTF-8 are not base64.
    let text = std::str::from_utf8(&bytes).map_err(|_| NetoSecretError::Base64);
    text.and_then(NetoSecret::parse).map_err(|error| SourceError::Netosecret { origin, error })
}

fn read_source_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    disk::read(path, ReadRules { cap: MAX_FILE_BYTES, privacy: Privacy::NotWritable }).map(Zeroizing::new)
}

impl NetoSecret {
    /// Checks that the profile has the url, shortname and appname of this NETOSECRET, and no username.
    ///
    /// # Errors
    /// Returns a [`Mismatch`] with every field that differs, including fields that the profile lacks.
    pub fn check_profile(&self, profile: &Profile) -> Result<(), Mismatch> {
        Mismatch::ensure_none(compare_netosecret(self, profile))
    }
}

#[cfg(test)]
mod tests;
