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
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::secret::binding::tests::profile;

    fn sample() -> NetoSecret {
        NetoSecret {
            url: "https://api.example".parse().unwrap(),
            shortname: "acme".to_owned(),
            appname: "soc".to_owned(),
            appkey: Secret::new("canary".to_owned()),
            sharedsecret: Secret::new("canary".to_owned()),
            ignored: Vec::new(),
        }
    }

    fn environment(name: &str, value: &str) -> Environment {
        Environment::new([(name.into(), value.into())])
    }

    #[test]
    fn a_variable_a_file_and_a_command_yield_the_same() {
        let text = sample().render();
        let (name, folder) = ("X", tempfile::tempdir().unwrap());
        let path = folder.path().join("secret");
        disk::replace(&path, format!("{}\n", text.reveal()).as_bytes(), disk::Durability::Atomic).unwrap();
        for location in [SecretLocation::Env(name.to_owned()), SecretLocation::File(path)] {
            assert_eq!(
                fetch_netosecret(&location, &environment(name, text.reveal())).unwrap(),
                sample(),
                "{location:?}"
            );
        }
        #[cfg(unix)]
        {
            let argv = ["/bin/sh", "-c", r#"echo "$X""#].map(str::to_owned).to_vec();
            assert_eq!(
                fetch_netosecret(&SecretLocation::Command(argv), &environment(name, text.reveal())).unwrap(),
                sample()
            );
        }
    }

    #[test]
    fn a_failure_names_the_source_and_no_value() {
        let variable = SecretLocation::Env("X".to_owned());
        for (location, environment, expected) in [
            (&variable, environment("Y", "y"), "the variable 'X' that the secret comes from is not set"),
            (&variable, environment("X", ""), "the variable 'X' that the secret comes from is not set"),
            (
                &variable,
                environment("X", "canary!"),
                "what the variable 'X' yields cannot be used: the NETOSECRET is not base64",
            ),
            (&SecretLocation::None, environment("X", "x"), "the secret does not come from a source"),
            (
                &SecretLocation::File("/nowhere/at/all".into()),
                environment("X", "x"),
                "the file that the secret comes from: cannot read /nowhere/at/all: no such file or directory",
            ),
        ] {
            assert_eq!(fetch_netosecret(location, &environment).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("secret");
            disk::replace(&path, sample().render().reveal().as_bytes(), disk::Durability::Atomic).unwrap();
            for (mode, good) in [(0o600, true), (0o444, true), (0o666, false), (0o620, false)] {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
                assert_eq!(
                    fetch_netosecret(&SecretLocation::File(path.clone()), &environment("X", "x")).is_ok(),
                    good,
                    "{mode:o}"
                );
            }
        }
    }

    #[test]
    fn what_a_source_yields_must_agree_with_the_profile() {
        let mut declared = profile();
        assert_eq!(sample().check_profile(&declared), Ok(()));
        declared.appname = None;
        declared.shortname = Some("globex".to_owned());
        let error = sample().check_profile(&declared).unwrap_err();
        assert_eq!(
            error.differences.iter().map(|difference| difference.field).collect::<Vec<_>>(),
            ["shortname", "appname"]
        );
    }
}
