//! Key files of this machine: the identity that decrypts secrets, and the device key that decrypts the token cache.
//! Owns their paths and the rule that no key is ever lost: a key file is created once, and after that only its
//! passphrase protection is replaced.

use super::{DeviceKey, DeviceKeyError, Identities, IdentityError, PassphraseError, PrompterError, Secret, passphrase};
use crate::disk::{self, DiskError, Durability, Lock, LockGuard, Privacy, ReadRules};
use jiff::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Largest key file in bytes, enough for a few identities with comments.
const KEY_FILE_CAP: u64 = 64 * 1024;

/// Contents of the `.gitignore` that keeps keys out of git if the parent directory becomes a repository.
const GITIGNORE: &[u8] = b"/*\n!/profiles.toml\n";

/// Directory of the key files.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    path: PathBuf,
}

/// Location that the identity is loaded from.
#[derive(Debug, Clone)]
pub enum IdentityLocation {
    /// File that `neto init` creates.
    Standard(KeyDirectory),
    /// File that `NETO_IDENTITY_FILE` names.
    Named(PathBuf),
    /// Encrypted copy, which other users may be able to read: for example on a USB stick without file modes.
    Backup(PathBuf),
    /// Contents of `NETO_IDENTITY`.
    Text(Secret),
}

/// Reasons why a key file cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The key file is missing.
    #[error("there is no identity at {}", .0.display())]
    Missing(PathBuf),
    /// The file that `NETO_IDENTITY_FILE` names is missing.
    #[error("NETO_IDENTITY_FILE names {}, and that is not there", .0.display())]
    Named(PathBuf),
    /// The file that the user named is missing.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// An identity file exists already and is never replaced.
    #[error("there is an identity at {} already", .0.display())]
    Exists(PathBuf),
    /// The identity cannot be used.
    #[error("{location} holds no usable identity: {error}")]
    Identity {
        /// Path of the file, or name of the variable.
        location: String,
        /// Reason why the identity is invalid.
        error: IdentityError,
    },
    /// The identity is protected by a passphrase and cannot be decrypted or encrypted.
    #[error("the identity {location} is protected by a passphrase: {error}")]
    Passphrase {
        /// Path of the file, or name of the variable.
        location: String,
        /// Reason of the failure.
        error: PassphraseError,
    },
    /// The passphrase file is not UTF-8 text.
    #[error("{} holds no UTF-8 text, as a passphrase is", .0.display())]
    PassphraseText(PathBuf),
    /// The identity is protected and its passphrase could not be obtained.
    #[error("the identity {location} is protected by a passphrase: {why}")]
    Locked {
        /// Path of the file, or name of the variable.
        location: String,
        /// Reason why the passphrase was not obtained.
        why: PrompterError,
    },
    /// The device key cannot be used.
    #[error("{} is not a device key: {error}", path.display())]
    Device {
        /// Path of the device key file.
        path: PathBuf,
        /// Reason why the device key is invalid.
        error: DeviceKeyError,
    },
}

impl KeyDirectory {
    /// Refers to the directory at `path`, which is created together with the first key.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the identity file.
    #[must_use]
    pub fn identity_file(&self) -> PathBuf {
        self.path.join("identity.txt")
    }

    /// Path of the file with the identity's public keys, one per line. This file is readable without the passphrase.
    #[must_use]
    pub fn public_file(&self) -> PathBuf {
        self.path.join("identity.pub")
    }

    /// Lock that must be held to replace the identity file.
    #[must_use]
    pub fn lock(&self) -> Lock {
        Lock::new(self.path.join("keys.lock"))
    }

    /// Path of the device key file.
    #[must_use]
    pub fn device_file(&self) -> PathBuf {
        self.path.join("device.key")
    }

    /// Loads the device key; `None` if the file does not exist yet.
    ///
    /// # Errors
    /// [`KeyError`] if the file exists and cannot be used.
    pub fn load_device(&self) -> Result<Option<DeviceKey>, KeyError> {
        let path = self.device_file();
        let Some(bytes) = read_key_file(&path, Privacy::Own)? else { return Ok(None) };
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        DeviceKey::parse(&text).map(Some).map_err(|error| KeyError::Device { path, error })
    }

    /// Loads the device key, creating the file if missing. If two processes create the file at the same time, both get
    /// the same key.
    ///
    /// # Errors
    /// [`KeyError`] if the key can be neither loaded nor created.
    pub fn load_or_create_device(&self) -> Result<DeviceKey, KeyError> {
        if let Some(key) = self.load_device()? {
            return Ok(key);
        }
        let key = DeviceKey::generate();
        self.protect_from_git()?;
        if disk::create_new(&self.device_file(), key.render().reveal().as_bytes())? {
            disk::remove_stale_temp_files(&self.path);
            return Ok(key);
        }
        self.load_device()?.ok_or_else(|| KeyError::Missing(self.device_file()))
    }

    /// Creates the identity file, encrypted if a passphrase is given.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if an identity file exists: the old key may be the only key that decrypts a store.
    pub fn create_identity(&self, key: &IdentityFile, passphrase: Option<&Secret>) -> Result<(), KeyError> {
        let file = self.identity_file();
        let bytes = key.file_contents(passphrase)?;
        self.protect_from_git()?;
        if !disk::create_new(&file, bytes.reveal().as_bytes())? {
            return Err(KeyError::Exists(file));
        }
        self.write_public_keys(&key.identities)?;
        // Leftover temporary files of this directory contain keys.
        disk::remove_stale_temp_files(&self.path);
        Ok(())
    }

    /// Rewrites the identity file with the same keys, encrypted with `passphrase` or in plaintext.
    ///
    /// # Errors
    /// [`KeyError`]; the old file is then unchanged.
    pub fn protect_identity(
        &self,
        _lock: &LockGuard,
        key: &IdentityFile,
        passphrase: Option<&Secret>,
    ) -> Result<(), KeyError> {
        let bytes = key.file_contents(passphrase)?;
        self.write_public_keys(&key.identities)?;
        disk::replace(&self.identity_file(), bytes.reveal().as_bytes(), Durability::Durable)?;
        disk::remove_stale_temp_files(&self.path);
        Ok(())
    }

    fn write_public_keys(&self, identities: &Identities) -> Result<(), KeyError> {
        let text = identities.public_keys().join("\n") + "\n";
        Ok(disk::replace(&self.public_file(), text.as_bytes(), Durability::Durable)?)
    }

    /// Whether an identity file exists, valid or not.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity_file().symlink_metadata().is_ok()
    }

    /// Path of the `.gitignore` in the parent directory, if that file is missing.
    #[must_use]
    pub fn missing_gitignore(&self) -> Option<PathBuf> {
        // Unlike `exists`, `symlink_metadata` also finds a broken symlink, which must not be replaced.
        Some(self.path.parent()?.join(".gitignore")).filter(|gitignore| gitignore.symlink_metadata().is_err())
    }

    /// Creates the `.gitignore` in the parent directory if missing.
    ///
    /// # Errors
    /// [`KeyError::Disk`].
    pub fn protect_from_git(&self) -> Result<(), KeyError> {
        if let Some(gitignore) = self.missing_gitignore() {
            disk::create_new(&gitignore, GITIGNORE)?;
        }
        Ok(())
    }
}

/// Identity as loaded, before any passphrase is asked for.
pub enum LoadedIdentity {
    /// The identity is stored in plaintext.
    Plaintext(IdentityFile),
    /// The identity is encrypted with a passphrase.
    Protected(ProtectedIdentity),
}

/// Plaintext of an identity file and its keys.
pub struct IdentityFile {
    /// Text of the file, including comments.
    pub text: Secret,
    /// Keys of the file.
    pub identities: Identities,
}

impl IdentityFile {
    /// Generates an identity.
    ///
    /// # Errors
    /// Never in practice: a key that age generates always parses.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let (text, _) = Identities::generate(now);
        parse_identity_file("a new key", text)
    }

    /// Returns the contents to write to an identity file: the text, or the text encrypted with `passphrase`. The
    /// encrypted text is decrypted again and compared with the original.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`].
    pub fn file_contents(&self, passphrase: Option<&Secret>) -> Result<Secret, KeyError> {
        let Some(passphrase) = passphrase else { return Ok(self.text.clone()) };
        let failed = |error| KeyError::Passphrase { location: "to be written".to_owned(), error };
        let encrypted = passphrase::protect(&self.text, passphrase).map_err(failed)?;
        let decrypted = passphrase::open(encrypted.reveal().as_bytes(), passphrase).map_err(failed)?;
        if decrypted == self.text { Ok(encrypted) } else { Err(failed(PassphraseError::Age)) }
    }
}

/// Identity that is encrypted with a passphrase.
pub struct ProtectedIdentity {
    /// Path of the file, or name of the variable, for prompts and messages.
    pub location: String,
    sealed: Zeroizing<Vec<u8>>,
}

impl IdentityLocation {
    /// Loads the identity without prompting.
    ///
    /// # Errors
    /// [`KeyError`] if the identity is missing, readable by others, or invalid.
    pub fn load(&self) -> Result<LoadedIdentity, KeyError> {
        let (path, privacy) = match self {
            Self::Text(text) => return parse_identity("NETO_IDENTITY".to_owned(), text.reveal().as_bytes()),
            Self::Named(path) => (path.clone(), Privacy::Mounted),
            Self::Backup(path) => (path.clone(), Privacy::Any),
            Self::Standard(directory) => (directory.identity_file(), Privacy::Own),
        };
        match read_key_file(&path, privacy)? {
            Some(bytes) => parse_identity(path.display().to_string(), &bytes),
            None if matches!(self, Self::Backup(_)) => Err(KeyError::NoFile(path)),
            None if matches!(self, Self::Named(_)) => Err(KeyError::Named(path)),
            None => Err(KeyError::Missing(path)),
        }
    }

    /// Returns the public keys that are known without a passphrase; empty if only the passphrase reveals them.
    #[must_use]
    pub fn public_keys(&self) -> Vec<String> {
        match (self.load(), self) {
            (Ok(LoadedIdentity::Plaintext(file)), _) => file.identities.public_keys(),
            (Ok(LoadedIdentity::Protected(_)), Self::Standard(directory)) => {
                let bytes = read_key_file(&directory.public_file(), Privacy::Own).ok().flatten();
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                text.lines().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Displays the path of the file, or the name of the variable.
impl fmt::Display for IdentityLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(directory) => write!(f, "{}", directory.identity_file().display()),
            Self::Named(path) | Self::Backup(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("NETO_IDENTITY"),
        }
    }
}

impl ProtectedIdentity {
    /// Decrypts the identity.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`] if decryption fails, or [`KeyError::Identity`] if the plaintext is not an identity file.
    pub fn open(&self, passphrase: &Secret) -> Result<IdentityFile, KeyError> {
        let failed = |error| KeyError::Passphrase { location: self.location.clone(), error };
        parse_identity_file(&self.location, passphrase::open(&self.sealed, passphrase).map_err(failed)?)
    }
}

fn parse_identity(location: String, bytes: &[u8]) -> Result<LoadedIdentity, KeyError> {
    if passphrase::is_protected(bytes) {
        return Ok(LoadedIdentity::Protected(ProtectedIdentity { location, sealed: Zeroizing::new(bytes.to_vec()) }));
    }
    parse_identity_file(&location, Secret::new(String::from_utf8_lossy(bytes).into_owned()))
        .map(LoadedIdentity::Plaintext)
}

fn parse_identity_file(location: &str, text: Secret) -> Result<IdentityFile, KeyError> {
    match Identities::parse(text.reveal()) {
        Ok(identities) => Ok(IdentityFile { text, identities }),
        Err(error) => Err(KeyError::Identity { location: location.to_owned(), error }),
    }
}

fn read_key_file(path: &Path, privacy: Privacy) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    match disk::read(path, ReadRules { cap: KEY_FILE_CAP, privacy }) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
