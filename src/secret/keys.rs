//! The key files of this machine: the identity that opens secrets and the device key that opens the
//! token cache. Owns where they lie and that no key file is ever replaced.

use super::{DeviceKey, DeviceKeyError, Identities, IdentityError, Secret};
use crate::disk::{self, DiskError, Privacy, Rules};
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

    /// The file of the identity.
    #[must_use]
    pub fn identity_file(&self) -> PathBuf {
        self.path.join("identity.txt")
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
        let Some(text) = load(&path, Privacy::Own)? else { return Ok(None) };
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
        self.protect()?;
        if disk::create_new(&self.device_file(), fresh.render().reveal().as_bytes())? {
            disk::clear_leftovers(&self.path);
            return Ok(fresh);
        }
        self.load_device()?.ok_or_else(|| KeyError::Missing(self.device_file()))
    }

    /// Writes an identity file; `text` is what it holds.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is one: it may be the only thing that opens a store.
    pub fn create_identity(&self, text: &Secret) -> Result<(), KeyError> {
        self.protect()?;
        if disk::create_new(&self.identity_file(), text.reveal().as_bytes())? {
            // Of all leftovers these would be the worst to keep: they hold keys.
            disk::clear_leftovers(&self.path);
            Ok(())
        } else {
            Err(KeyError::Exists(self.identity_file()))
        }
    }

    /// Whether there is an identity file, usable or not.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity_file().symlink_metadata().is_ok()
    }

    fn protect(&self) -> Result<(), KeyError> {
        let Some(above) = self.path.parent() else { return Ok(()) };
        let ignore = above.join(".gitignore");
        if ignore.symlink_metadata().is_err() {
            // One that is there and cannot be looked at stays as well.
            disk::create_new(&ignore, GITIGNORE)?;
        }
        Ok(())
    }
}

impl IdentityPlace {
    /// Reads the identities there.
    ///
    /// # Errors
    /// [`KeyError`]: missing, not private, or not what an identity looks like.
    pub fn load(&self) -> Result<Identities, KeyError> {
        let (path, privacy) = match self {
            Self::Text(text) => return parse("NETO_IDENTITY", text.reveal()),
            Self::Named(path) => (path.clone(), Privacy::Mounted),
            Self::Standard(folder) => (folder.identity_file(), Privacy::Own),
        };
        match load(&path, privacy)? {
            Some(text) => parse(&path.display().to_string(), &text),
            None => Err(KeyError::Missing(path)),
        }
    }
}

fn parse(place: &str, text: &str) -> Result<Identities, KeyError> {
    Identities::parse(text).map_err(|error| KeyError::Identity { place: place.to_owned(), error })
}

fn load(path: &Path, privacy: Privacy) -> Result<Option<Zeroizing<String>>, KeyError> {
    match disk::read(path, Rules { cap: CAP, privacy }) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
        }
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
