//! Sources: a command, a file or a variable that yields a NETOSECRET at login. Whether this machine
//! trusts one is decided before, by the memory.

use super::binding::compare;
use super::{Mismatch, NetoSecret, NetoSecretError, ProgramError, command};
use crate::disk::{self, DiskError, Privacy, Rules};
use crate::profile::{Profile, SecretPlace};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a command may take; it may have to ask a person to unlock something.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// No NETOSECRET is longer.
const FILE_CAP: u64 = 64 * 1024;

/// Variables that no child of neto gets, by the start of their names.
const OWN_KEYS: [&str; 2] = ["NETO_IDENTITY", "NETO_PASSPHRASE"];

/// The variables that a source may see.
#[derive(Clone)]
pub struct SourceEnvironment(Arc<BTreeMap<OsString, OsString>>);

/// Why a source yields no NETOSECRET.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The secret is in the store or nowhere.
    #[error("the secret does not come from a source")]
    NoSource,
    /// The command failed.
    #[error("the command that the secret comes from: {0}")]
    Program(#[from] ProgramError),
    /// The file cannot be read.
    #[error("the file that the secret comes from: {0}")]
    File(#[from] DiskError),
    /// The variable is not set, or empty.
    #[error("the variable '{0}' that the secret comes from is not set")]
    Unset(String),
    /// It yields something, but no NETOSECRET.
    #[error("what {from} yields cannot be used: {error}")]
    Netosecret {
        /// Which source: `the command 'op'`, `the file /run/x`, `the variable 'X'`.
        from: String,
        /// The step that failed.
        error: NetoSecretError,
    },
}

impl SourceEnvironment {
    /// From the variables of the process.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }

    /// A variable; nothing when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// What a command gets: all but the variables that open neto's identity.
    pub(super) fn of_child(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let own = |name: &OsStr| OWN_KEYS.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
        self.iter().filter(move |(name, _)| !own(name))
    }
}

/// Runs or reads a source. A command has 30 s; a file may be readable by others (as mounted secrets
/// are), not writable.
///
/// # Errors
/// [`SourceError`], which names the source and never what it yielded.
pub fn fetch(place: &SecretPlace, environment: &SourceEnvironment) -> Result<NetoSecret, SourceError> {
    let (bytes, from) = match place {
        SecretPlace::Command(argv) => {
            let name = argv.first().map_or("", String::as_str);
            (command::run(argv, environment, TIME_LIMIT)?, format!("the command '{name}'"))
        }
        SecretPlace::File(path) => (read(path)?, format!("the file {}", path.display())),
        SecretPlace::Env(name) => {
            let value = environment.get(name).ok_or_else(|| SourceError::Unset(name.clone()))?;
            (Zeroizing::new(value.as_encoded_bytes().to_vec()), format!("the variable '{name}'"))
        }
        SecretPlace::None | SecretPlace::Clear(_) | SecretPlace::Sealed(_) => return Err(SourceError::NoSource),
    };
    // Bytes that are no UTF-8 are no base64 either.
    let text = std::str::from_utf8(&bytes).map_err(|_| NetoSecretError::Base64);
    text.and_then(NetoSecret::parse).map_err(|error| SourceError::Netosecret { from, error })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    disk::read(path, Rules { cap: FILE_CAP, privacy: Privacy::NotWritable }).map(Zeroizing::new)
}

impl NetoSecret {
    /// Whether this is the credential of `profile`: url, shortname and appname are those it declares.
    ///
    /// # Errors
    /// [`Mismatch`] names every field that differs; one that the profile does not declare differs too.
    pub fn agrees(&self, profile: &Profile) -> Result<(), Mismatch> {
        Mismatch::unless_equal(compare(self, profile))
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

    fn environment(name: &str, value: &str) -> SourceEnvironment {
        SourceEnvironment::new([(name.into(), value.into())])
    }

    #[test]
    fn a_variable_a_file_and_a_command_yield_the_same() {
        let text = sample().render();
        let (name, folder) = ("X", tempfile::tempdir().unwrap());
        let path = folder.path().join("secret");
        disk::replace(&path, format!("{}\n", text.reveal()).as_bytes(), disk::Durability::Atomic).unwrap();
        for place in [SecretPlace::Env(name.to_owned()), SecretPlace::File(path)] {
            assert_eq!(fetch(&place, &environment(name, text.reveal())).unwrap(), sample(), "{place:?}");
        }
        #[cfg(unix)]
        {
            let argv = ["/bin/sh", "-c", r#"echo "$X""#].map(str::to_owned).to_vec();
            assert_eq!(fetch(&SecretPlace::Command(argv), &environment(name, text.reveal())).unwrap(), sample());
        }
    }

    #[test]
    fn a_failure_names_the_source_and_no_value() {
        let variable = SecretPlace::Env("X".to_owned());
        for (place, environment, wanted) in [
            (&variable, environment("Y", "y"), "the variable 'X' that the secret comes from is not set"),
            (&variable, environment("X", ""), "the variable 'X' that the secret comes from is not set"),
            (
                &variable,
                environment("X", "canary!"),
                "what the variable 'X' yields cannot be used: the NETOSECRET is not base64",
            ),
            (&SecretPlace::None, environment("X", "x"), "the secret does not come from a source"),
            (
                &SecretPlace::File("/nowhere/at/all".into()),
                environment("X", "x"),
                "the file that the secret comes from: cannot read /nowhere/at/all: no such file or directory",
            ),
        ] {
            assert_eq!(fetch(place, &environment).unwrap_err().to_string(), wanted);
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
                assert_eq!(fetch(&SecretPlace::File(path.clone()), &environment("X", "x")).is_ok(), good, "{mode:o}");
            }
        }
    }

    #[test]
    fn what_a_source_yields_must_agree_with_the_profile() {
        let mut declared = profile();
        assert_eq!(sample().agrees(&declared), Ok(()));
        declared.appname = None;
        declared.shortname = Some("globex".to_owned());
        let error = sample().agrees(&declared).unwrap_err();
        assert_eq!(
            error.differences.iter().map(|difference| difference.field).collect::<Vec<_>>(),
            ["shortname", "appname"]
        );
    }
}
