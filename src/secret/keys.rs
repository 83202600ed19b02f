//! Key files of this machine: the identity that decrypts secrets, and the device key that decrypts the token cache.
//!
//! Owns the paths of the key files. Never replaces a key with another key. Rewrites the identity file only to add,
//! change or remove its passphrase.

use super::{DeviceKey, DeviceKeyError, Identities, IdentityError, PassphraseError, PrompterError, Secret, passphrase};
use crate::disk::{self, DiskError, Durability, Lock, LockGuard, Privacy, ReadRules};
use jiff::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Maximum size of a key file, enough for several identities with comments.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Contents of the `.gitignore` in the parent of the key directory. Keeps everything except the profile store out of
/// git if that parent directory becomes a repository.
const GITIGNORE: &[u8] = b"/*\n!/profiles.toml\n";

/// Directory of the key files.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    path: PathBuf,
}

/// Location from which an identity is loaded.
#[derive(Debug, Clone)]
pub enum IdentityLocation {
    /// Identity file in the key directory, which `neto init` creates.
    Standard(KeyDirectory),
    /// File named by `NETO_IDENTITY_FILE` or by the user.
    UserFile(PathBuf),
    /// Encrypted backup of an identity. Any file mode is accepted, because a USB stick may have no file modes.
    Backup(PathBuf),
    /// Value of `NETO_IDENTITY`: the text of an identity file.
    EnvValue(Secret),
}

/// Reasons why a key file cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key file, the passphrase file, or the `.gitignore` beside the key directory cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The key file in the key directory is missing.
    #[error("there is no identity at {}", .0.display())]
    Missing(PathBuf),
    /// The file named by `NETO_IDENTITY_FILE` is missing.
    #[error("NETO_IDENTITY_FILE names {}, and that is not there", .0.display())]
    MissingEnvFile(PathBuf),
    /// The file named by the user is missing.
    #[error("there is no file {}", .0.display())]
    MissingUserFile(PathBuf),
    /// An identity file already exists. neto never replaces it with another identity.
    #[error("there is an identity at {} already", .0.display())]
    Exists(PathBuf),
    /// The text is not an identity file.
    #[error("{location} holds no usable identity: {error}")]
    Identity {
        /// Path of the file, or name of the variable.
        location: String,
        /// Reason why the text is invalid.
        error: IdentityError,
    },
    /// Decrypting or encrypting the identity with a passphrase failed.
    #[error("the identity {location} is protected by a passphrase: {error}")]
    Passphrase {
        /// Path of the file, name of the variable, or `to be written` if the encryption failed.
        location: String,
        /// Reason for the failure.
        error: PassphraseError,
    },
    /// The passphrase file contains bytes that are not UTF-8.
    #[error("{} holds no UTF-8 text, as a passphrase is", .0.display())]
    PassphraseNotUtf8(PathBuf),
    /// The identity is protected by a passphrase, and the prompt for the passphrase failed.
    #[error("the identity {location} is protected by a passphrase: {why}")]
    Locked {
        /// Path of the file, or name of the variable.
        location: String,
        /// Reason why the prompt failed.
        why: PrompterError,
    },
    /// The device key file is invalid.
    #[error("{} is not a device key: {error}", path.display())]
    InvalidDeviceKey {
        /// Path of the device key file.
        path: PathBuf,
        /// Reason why the file is invalid.
        error: DeviceKeyError,
    },
}

impl KeyDirectory {
    /// Returns a handle for the directory at `path`. The directory is created together with the first key file.
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

    /// Path of the file with the identity's public keys, one per line. Reading this file requires no passphrase.
    #[must_use]
    pub fn public_file(&self) -> PathBuf {
        self.path.join("identity.pub")
    }

    /// Lock that must be held to rewrite the identity file.
    #[must_use]
    pub fn lock(&self) -> Lock {
        Lock::new(self.path.join("keys.lock"))
    }

    /// Path of the device key file.
    #[must_use]
    pub fn device_file(&self) -> PathBuf {
        self.path.join("device.key")
    }

    /// Loads the device key. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// Returns [`KeyError::Disk`] if the file exists but cannot be read, or [`KeyError::InvalidDeviceKey`] if the file
    /// is invalid.
    pub fn load_device(&self) -> Result<Option<DeviceKey>, KeyError> {
        let path = self.device_file();
        let Some(bytes) = read_key_file(&path, Privacy::Own)? else { return Ok(None) };
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        DeviceKey::parse(&text).map(Some).map_err(|error| KeyError::InvalidDeviceKey { path, error })
    }

    /// Loads the device key. Creates the file if it is missing. If two processes create the file at the same time, both
    /// processes get the same key.
    ///
    /// # Errors
    /// Returns a [`KeyError`] if an existing key cannot be loaded, or if a new key cannot be written.
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
        // Another process created the file first.
        self.load_device()?.ok_or_else(|| KeyError::Missing(self.device_file()))
    }

    /// Creates the identity file and the file of public keys. Encrypts the identity file if a passphrase is given.
    ///
    /// # Errors
    /// Returns [`KeyError::Exists`] if an identity file exists, because its key may be the only key that decrypts a
    /// store. Returns [`KeyError::Passphrase`] or [`KeyError::Disk`] if the files cannot be encrypted or written.
    pub fn create_identity(&self, key: &IdentityFile, passphrase: Option<&Secret>) -> Result<(), KeyError> {
        let path = self.identity_file();
        let contents = key.file_contents(passphrase)?;
        self.protect_from_git()?;
        if !disk::create_new(&path, contents.reveal().as_bytes())? {
            return Err(KeyError::Exists(path));
        }
        self.write_public_keys(&key.identities)?;
        // Stale temporary files in this directory may contain keys.
        disk::remove_stale_temp_files(&self.path);
        Ok(())
    }

    /// Rewrites the identity file, encrypted with `passphrase`, or as plaintext if `passphrase` is `None`. `key` must
    /// have been loaded from this file while `_lock` was held.
    ///
    /// # Errors
    /// Returns [`KeyError::Passphrase`] if encryption fails, or [`KeyError::Disk`] if a file cannot be written. The
    /// identity file still contains the same key.
    pub fn rewrite_identity(
        &self,
        _lock: &LockGuard,
        key: &IdentityFile,
        passphrase: Option<&Secret>,
    ) -> Result<(), KeyError> {
        let contents = key.file_contents(passphrase)?;
        self.write_public_keys(&key.identities)?;
        disk::replace(&self.identity_file(), contents.reveal().as_bytes(), Durability::Durable)?;
        disk::remove_stale_temp_files(&self.path);
        Ok(())
    }

    fn write_public_keys(&self, identities: &Identities) -> Result<(), KeyError> {
        let text = identities.public_keys().join("\n") + "\n";
        Ok(disk::replace(&self.public_file(), text.as_bytes(), Durability::Durable)?)
    }

    /// Returns true if an identity file exists, even if the file is invalid or a broken symbolic link.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity_file().symlink_metadata().is_ok()
    }

    /// Returns the path of the `.gitignore` to create in the parent directory. Returns `None` if the file exists, or if
    /// there is no parent directory.
    #[must_use]
    pub fn missing_gitignore(&self) -> Option<PathBuf> {
        // Unlike `exists`, `symlink_metadata` also finds a broken symbolic link.
        Some(self.path.parent()?.join(".gitignore")).filter(|gitignore| gitignore.symlink_metadata().is_err())
    }

    /// Creates the `.gitignore` in the parent directory if the file is missing, so that git does not add the keys.
    ///
    /// # Errors
    /// Returns [`KeyError::Disk`] if the file cannot be written.
    pub fn protect_from_git(&self) -> Result<(), KeyError> {
        if let Some(gitignore) = self.missing_gitignore() {
            disk::create_new(&gitignore, GITIGNORE)?;
        }
        Ok(())
    }
}

/// Identity as loaded from its location, without a prompt.
pub enum LoadedIdentity {
    /// The identity is plaintext.
    Plaintext(IdentityFile),
    /// The identity is encrypted with a passphrase.
    Protected(ProtectedIdentity),
}

/// Plaintext of an identity file, and the keys parsed from this plaintext.
pub struct IdentityFile {
    /// Text of the file, including comments.
    pub text: Secret,
    /// Keys of the file.
    pub identities: Identities,
}

impl IdentityFile {
    /// Generates an identity with one native key.
    ///
    /// # Errors
    /// Returns [`KeyError::Identity`] if the generated text cannot be parsed, which never happens in practice.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let (text, _) = Identities::generate(now);
        parse_identity_file("a new key", text)
    }

    /// Returns the contents of an identity file: the text, encrypted if a passphrase is given. Checks the encrypted
    /// contents by decrypting them and comparing the result with the text.
    ///
    /// # Errors
    /// Returns [`KeyError::Passphrase`] if the passphrase is empty, or if the encryption or the check fails.
    pub fn file_contents(&self, passphrase: Option<&Secret>) -> Result<Secret, KeyError> {
        let Some(passphrase) = passphrase else { return Ok(self.text.clone()) };
        let failed = |error| KeyError::Passphrase { location: "to be written".to_owned(), error };
        let encrypted = passphrase::protect(&self.text, passphrase).map_err(failed)?;
        let decrypted = passphrase::open(encrypted.reveal().as_bytes(), passphrase).map_err(failed)?;
        if decrypted == self.text { Ok(encrypted) } else { Err(failed(PassphraseError::EncryptionFailed)) }
    }
}

/// Identity that is encrypted with a passphrase.
pub struct ProtectedIdentity {
    /// Path of the file, or name of the variable. Used in prompts and messages.
    pub location: String,
    encrypted: Zeroizing<Vec<u8>>,
}

impl IdentityLocation {
    /// Loads the identity without a prompt. An identity that is encrypted with a passphrase stays encrypted.
    ///
    /// # Errors
    /// Returns [`KeyError::Missing`], [`KeyError::MissingEnvFile`] or [`KeyError::MissingUserFile`] for a missing file.
    /// Returns [`KeyError::Disk`] if the file cannot be read, or if its owner, mode or size is not allowed.
    /// Returns [`KeyError::Identity`] if the plaintext is invalid.
    pub fn load(&self) -> Result<LoadedIdentity, KeyError> {
        let (path, privacy) = match self {
            Self::EnvValue(text) => return parse_identity("NETO_IDENTITY".to_owned(), text.reveal().as_bytes()),
            Self::UserFile(path) => (path.clone(), Privacy::Mounted),
            Self::Backup(path) => (path.clone(), Privacy::Any),
            Self::Standard(directory) => (directory.identity_file(), Privacy::Own),
        };
        match read_key_file(&path, privacy)? {
            Some(bytes) => parse_identity(path.display().to_string(), &bytes),
            None if matches!(self, Self::Backup(_)) => Err(KeyError::MissingUserFile(path)),
            None if matches!(self, Self::UserFile(_)) => Err(KeyError::MissingEnvFile(path)),
            None => Err(KeyError::Missing(path)),
        }
    }

    /// Returns the public keys that can be read without a passphrase. Returns no keys if the identity cannot be loaded.
    /// Also returns no keys for a protected identity without a file of public keys.
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

/// Writes the path of the file, or the name of the variable.
impl fmt::Display for IdentityLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(directory) => write!(f, "{}", directory.identity_file().display()),
            Self::UserFile(path) | Self::Backup(path) => write!(f, "{}", path.display()),
            Self::EnvValue(_) => f.write_str("NETO_IDENTITY"),
        }
    }
}

impl ProtectedIdentity {
    /// Decrypts the identity with its passphrase.
    ///
    /// # Errors
    /// Returns [`KeyError::Passphrase`] if decryption fails, or [`KeyError::Identity`] if the plaintext is not an
    /// identity file.
    pub fn open(&self, passphrase: &Secret) -> Result<IdentityFile, KeyError> {
        let failed = |error| KeyError::Passphrase { location: self.location.clone(), error };
        parse_identity_file(&self.location, passphrase::open(&self.encrypted, passphrase).map_err(failed)?)
    }
}

fn parse_identity(location: String, bytes: &[u8]) -> Result<LoadedIdentity, KeyError> {
    if passphrase::is_protected(bytes) {
        return Ok(LoadedIdentity::Protected(ProtectedIdentity {
            location,
            encrypted: Zeroizing::new(bytes.to_vec()),
        }));
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
    match disk::read(path, ReadRules { cap: MAX_KEY_FILE_BYTES, privacy }) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
