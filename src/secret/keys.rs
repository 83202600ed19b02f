//! The key files of this machine: the identity that opens secrets and the device key that opens the
//! token cache. Owns where they lie, and that no key is ever lost: a file is made once, and only its
//! protection is ever replaced.

use super::{DeviceKey, DeviceKeyError, Identities, IdentityError, PassphraseError, Secret, Unanswered, passphrase};
use crate::disk::{self, DiskError, Durability, Lock, Locked, Privacy, Rules};
use jiff::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A few identities and their comments.
const CAP: u64 = 64 * 1024;

/// Keeps keys out of a git repository that somebody makes of the folder above.
const GITIGNORE: &[u8] = b"/*\n!/profiles.toml\n";

/// The folder of the key files.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    path: PathBuf,
}

/// Where the identity comes from.
#[derive(Debug, Clone)]
pub enum IdentityPlace {
    /// The file that `neto init` makes.
    Standard(KeyFolder),
    /// The file that `NETO_IDENTITY_FILE` names.
    Named(PathBuf),
    /// An encrypted copy, which others may be able to read: on a stick, say, that knows no modes.
    Backup(PathBuf),
    /// The text that `NETO_IDENTITY` holds.
    Text(Secret),
}

/// Why a key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no identity.
    #[error("there is no identity at {}", .0.display())]
    Missing(PathBuf),
    /// The variable that names the identity file names none.
    #[error("NETO_IDENTITY_FILE names {}, and that is not there", .0.display())]
    Named(PathBuf),
    /// There is no such file, which the user named.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// There is an identity already, and it is never replaced.
    #[error("there is an identity at {} already", .0.display())]
    Exists(PathBuf),
    /// The identity cannot be used.
    #[error("{place} holds no usable identity: {error}")]
    Identity {
        /// The file or variable.
        place: String,
        /// What is wrong with it.
        error: IdentityError,
    },
    /// The identity is protected, and stays closed.
    #[error("the identity {place} is protected by a passphrase: {error}")]
    Passphrase {
        /// The file or variable.
        place: String,
        /// Why.
        error: PassphraseError,
    },
    /// A file that should hold a passphrase.
    #[error("{} holds no UTF-8 text, as a passphrase is", .0.display())]
    PassphraseText(PathBuf),
    /// The identity is protected, and nobody gave its passphrase.
    #[error("the identity {place} is protected by a passphrase: {why}")]
    Locked {
        /// The file or variable.
        place: String,
        /// Why nobody did.
        why: Unanswered,
    },
    /// The device key cannot be used.
    #[error("{} is not a device key: {error}", path.display())]
    Device {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        error: DeviceKeyError,
    },
}

impl KeyFolder {
    /// The folder at `path`, which is made with the first key.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the identity.
    #[must_use]
    pub fn identity_file(&self) -> PathBuf {
        self.path.join("identity.txt")
    }

    /// The file of the identity's public keys, one a line: known also while a passphrase protects the identity.
    #[must_use]
    pub fn public_file(&self) -> PathBuf {
        self.path.join("identity.pub")
    }

    /// The lock under which the identity file is replaced.
    #[must_use]
    pub fn lock(&self) -> Lock {
        Lock::new(self.path.join("keys.lock"))
    }

    /// The file of the device key.
    #[must_use]
    pub fn device_file(&self) -> PathBuf {
        self.path.join("device.key")
    }

    /// The device key; nothing when there is none yet.
    ///
    /// # Errors
    /// [`KeyError`] when it is there and cannot be used.
    pub fn load_device(&self) -> Result<Option<DeviceKey>, KeyError> {
        let path = self.device_file();
        let Some(bytes) = load(&path, Privacy::Own)? else { return Ok(None) };
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        DeviceKey::parse(&text).map(Some).map_err(|error| KeyError::Device { path, error })
    }

    /// The device key, made when there is none. Of two processes that make it at once, both get the one
    /// that lies there in the end.
    ///
    /// # Errors
    /// [`KeyError`] when it can be neither read nor made.
    pub fn device(&self) -> Result<DeviceKey, KeyError> {
        if let Some(key) = self.load_device()? {
            return Ok(key);
        }
        let fresh = DeviceKey::generate();
        self.protect_from_git()?;
        if disk::create_new(&self.device_file(), fresh.render().reveal().as_bytes())? {
            disk::clear_leftovers(&self.path);
            return Ok(fresh);
        }
        self.load_device()?.ok_or_else(|| KeyError::Missing(self.device_file()))
    }

    /// Writes an identity file, protected where there is a passphrase.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is one: it may be the only thing that opens a store.
    pub fn create_identity(&self, key: &KeyText, passphrase: Option<&Secret>) -> Result<(), KeyError> {
        let file = self.identity_file();
        let bytes = key.under(passphrase)?;
        self.protect_from_git()?;
        if !disk::create_new(&file, bytes.reveal().as_bytes())? {
            return Err(KeyError::Exists(file));
        }
        self.note_public(&key.identities)?;
        // Of all leftovers these would be the worst to keep: they hold keys.
        disk::clear_leftovers(&self.path);
        Ok(())
    }

    /// Replaces the protection of the identity file: the same keys, under this passphrase or in clear.
    ///
    /// # Errors
    /// [`KeyError`]; the old file is then as it was.
    pub fn protect_identity(&self, _held: &Locked, key: &KeyText, passphrase: Option<&Secret>) -> Result<(), KeyError> {
        let bytes = key.under(passphrase)?;
        self.note_public(&key.identities)?;
        disk::replace(&self.identity_file(), bytes.reveal().as_bytes(), Durability::Durable)?;
        disk::clear_leftovers(&self.path);
        Ok(())
    }

    fn note_public(&self, identities: &Identities) -> Result<(), KeyError> {
        let text = identities.public_keys().join("\n") + "\n";
        Ok(disk::replace(&self.public_file(), text.as_bytes(), Durability::Durable)?)
    }

    /// Whether there is an identity file, usable or not.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity_file().symlink_metadata().is_ok()
    }

    /// The file above the folder that keeps git from taking the keys, where it is not there yet.
    #[must_use]
    pub fn missing_ignore(&self) -> Option<PathBuf> {
        // One that is there and cannot be looked at stays as well.
        Some(self.path.parent()?.join(".gitignore")).filter(|ignore| ignore.symlink_metadata().is_err())
    }

    /// Makes that file.
    ///
    /// # Errors
    /// [`KeyError::Disk`].
    pub fn protect_from_git(&self) -> Result<(), KeyError> {
        if let Some(ignore) = self.missing_ignore() {
            disk::create_new(&ignore, GITIGNORE)?;
        }
        Ok(())
    }
}

/// An identity as it was found.
pub enum Found {
    /// Whoever reads it has it.
    Open(KeyText),
    /// A passphrase opens it.
    Protected(Protected),
}

/// The text of an identity file and the keys in it.
pub struct KeyText {
    /// What the file holds, comments and all.
    pub text: Secret,
    /// Its keys.
    pub identities: Identities,
}

impl KeyText {
    /// A new key.
    ///
    /// # Errors
    /// None in fact; a key that age makes reads back.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let (text, _) = Identities::generate(now);
        key_text("a new key", text)
    }

    /// What a file of it holds: the text itself, or closed with a passphrase and opened again before it is believed.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`].
    pub fn under(&self, passphrase: Option<&Secret>) -> Result<Secret, KeyError> {
        let Some(passphrase) = passphrase else { return Ok(self.text.clone()) };
        let failed = |error| KeyError::Passphrase { place: "to be written".to_owned(), error };
        let closed = passphrase::protect(&self.text, passphrase).map_err(failed)?;
        let again = passphrase::open(closed.reveal().as_bytes(), passphrase).map_err(failed)?;
        if again == self.text { Ok(closed) } else { Err(failed(PassphraseError::Age)) }
    }
}

/// An identity that a passphrase protects.
pub struct Protected {
    /// The file or variable, to name in questions.
    pub place: String,
    sealed: Zeroizing<Vec<u8>>,
}

impl IdentityPlace {
    /// Reads the identity there, and asks nobody.
    ///
    /// # Errors
    /// [`KeyError`]: missing, not private, or not what an identity looks like.
    pub fn load(&self) -> Result<Found, KeyError> {
        let (path, privacy) = match self {
            Self::Text(text) => return found("NETO_IDENTITY".to_owned(), text.reveal().as_bytes()),
            Self::Named(path) => (path.clone(), Privacy::Mounted),
            Self::Backup(path) => (path.clone(), Privacy::Any),
            Self::Standard(folder) => (folder.identity_file(), Privacy::Own),
        };
        match load(&path, privacy)? {
            Some(bytes) => found(path.display().to_string(), &bytes),
            None if matches!(self, Self::Backup(_)) => Err(KeyError::NoFile(path)),
            None if matches!(self, Self::Named(_)) => Err(KeyError::Named(path)),
            None => Err(KeyError::Missing(path)),
        }
    }

    /// The public keys, as far as they are known without any passphrase; none where that is needed.
    #[must_use]
    pub fn public_keys(&self) -> Vec<String> {
        match (self.load(), self) {
            (Ok(Found::Open(found)), _) => found.identities.public_keys(),
            (Ok(Found::Protected(_)), Self::Standard(folder)) => {
                let noted = load(&folder.public_file(), Privacy::Own).ok().flatten();
                let text = noted.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                text.lines().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Where it is, to name in messages.
impl fmt::Display for IdentityPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(folder) => write!(f, "{}", folder.identity_file().display()),
            Self::Named(path) | Self::Backup(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("NETO_IDENTITY"),
        }
    }
}

impl Protected {
    /// Opens it.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`], or [`KeyError::Identity`] for what comes to light.
    pub fn open(&self, passphrase: &Secret) -> Result<KeyText, KeyError> {
        let failed = |error| KeyError::Passphrase { place: self.place.clone(), error };
        key_text(&self.place, passphrase::open(&self.sealed, passphrase).map_err(failed)?)
    }
}

fn found(place: String, bytes: &[u8]) -> Result<Found, KeyError> {
    if passphrase::is_protected(bytes) {
        return Ok(Found::Protected(Protected { place, sealed: Zeroizing::new(bytes.to_vec()) }));
    }
    key_text(&place, Secret::new(String::from_utf8_lossy(bytes).into_owned())).map(Found::Open)
}

fn key_text(place: &str, text: Secret) -> Result<KeyText, KeyError> {
    match Identities::parse(text.reveal()) {
        Ok(identities) => Ok(KeyText { text, identities }),
        Err(error) => Err(KeyError::Identity { place: place.to_owned(), error }),
    }
}

fn load(path: &Path, privacy: Privacy) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    match disk::read(path, Rules { cap: CAP, privacy }) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
