//! External sources: a command, a file or a variable that yields a NETOSECRET at login. The trust store decides
//! beforehand whether this machine trusts a source.

use super::binding::compare_netosecret;
use super::{Mismatch, NetoSecret, NetoSecretError, ProgramError, command};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::environment::Environment;
use crate::profile::{Profile, SecretLocation};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Time limit of a command, long enough for the user to unlock a password manager.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Largest file, in bytes; a NETOSECRET is never longer.
const FILE_CAP: u64 = 64 * 1024;

/// Reasons why a source yields no NETOSECRET.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The secret is in the store, or the profile has no secret.
    #[error("the secret does not come from a source")]
    NoSource,
    /// The command failed.
    #[error("the command that the secret comes from: {0}")]
    Program(#[from] ProgramError),
    /// The file cannot be read.
    #[error("the file that the secret comes from: {0}")]
    File(#[from] DiskError),
    /// The variable is unset or empty.
    #[error("the variable '{0}' that the secret comes from is not set")]
    Unset(String),
    /// The source's output is not a NETOSECRET.
    #[error("what {from} yields cannot be used: {error}")]
    Netosecret {
        /// Description of the source: `the command 'op'`, `the file /run/x`, `the variable 'X'`.
        from: String,
        /// Failed step of parsing.
        error: NetoSecretError,
    },
}

/// Fetches a NETOSECRET from an external source. A command has 30 s. A file may be readable by other users (as mounted
/// secrets are) but not writable by them.
///
/// # Errors
/// [`SourceError`], which names the source and never contains its output.
pub fn fetch_netosecret(location: &SecretLocation, environment: &Environment) -> Result<NetoSecret, SourceError> {
    let (bytes, from) = match location {
        SecretLocation::Command(argv) => {
            let name = argv.first().map_or("", String::as_str);
            (command::run(argv, environment, TIME_LIMIT)?, format!("the command '{name}'"))
        }
        SecretLocation::File(path) => (read_source_file(path)?, format!("the file {}", path.display())),
        SecretLocation::Env(name) => {
            let value = environment.get(name).ok_or_else(|| SourceError::Unset(name.clone()))?;
            (Zeroizing::new(value.as_encoded_bytes().to_vec()), format!("the variable '{name}'"))
        }
        SecretLocation::None | SecretLocation::Plaintext(_) | SecretLocation::Sealed(_) => {
            return Err(SourceError::NoSource);
        }
    };
    // Bytes that are not UTF-8 are not base64 either.
    let text = std::str::from_utf8(&bytes).map_err(|_| NetoSecretError::Base64);
    text.and_then(NetoSecret::parse).map_err(|error| SourceError::Netosecret { from, error })
}

fn read_source_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    disk::read(path, ReadRules { cap: FILE_CAP, privacy: Privacy::NotWritable }).map(Zeroizing::new)
}

impl NetoSecret {
    /// Checks that `profile` declares the url, shortname and appname of this NETOSECRET, and no username.
    ///
    /// # Errors
    /// [`Mismatch`] names every field that differs, including fields that the profile does not declare.
    pub fn check_profile(&self, profile: &Profile) -> Result<(), Mismatch> {
        Mismatch::ensure_none(compare_netosecret(self, profile))
    }
}

#[cfg(test)]
mod tests;
