//! Cached tokens of one store, and the device key that encrypts them.
//!
//! Reads the device key at most once per run. Does not check which credential a token was issued for.

use crate::profile::ProfileName;
use crate::secret::{DeviceKey, KeyDirectory, KeyError};
use crate::token::{CachedToken, TokenDirectory, TokenFileError};
use std::cell::{Cell, OnceCell};
use std::path::PathBuf;

/// Token files of one store, with the device key that encrypts them.
pub struct TokenCache {
    files: TokenDirectory,
    keys: KeyDirectory,
    device: OnceCell<Result<DeviceKey, KeyError>>,
    /// Whether this run must not create a missing device key.
    is_key_creation_forbidden: Cell<bool>,
}

impl TokenCache {
    /// Creates a cache for the token files in `directory` and the device key in `keys`. Reads no file.
    #[must_use]
    pub fn new(directory: PathBuf, keys: KeyDirectory) -> Self {
        Self {
            files: TokenDirectory::new(directory),
            keys,
            device: OnceCell::new(),
            is_key_creation_forbidden: Cell::new(false),
        }
    }

    /// Forbids creating a device key in this run. Call this before the first use of the key.
    pub fn forbid_key_creation(&self) {
        self.is_key_creation_forbidden.set(true);
    }

    /// Returns the token files.
    #[must_use]
    pub fn files(&self) -> &TokenDirectory {
        &self.files
    }

    /// Reads and decrypts the cached token of `profile`. Returns `None` if there is no token file or no device key, or
    /// if the file holds another profile's token.
    ///
    /// # Errors
    /// Returns [`TokenFileError`] if the file exists but cannot be used.
    pub fn load(&self, profile: &ProfileName) -> Result<Option<CachedToken>, TokenFileError> {
        self.files.load(profile, || self.device_key().ok())
    }

    /// Returns the device key. Reads the key at the first call, and creates a missing key unless
    /// [`TokenCache::forbid_key_creation`] was called.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the key can be neither read nor created.
    pub fn device_key(&self) -> Result<&DeviceKey, &KeyError> {
        self.device.get_or_init(|| self.load_device_key()).as_ref()
    }

    fn load_device_key(&self) -> Result<DeviceKey, KeyError> {
        if self.is_key_creation_forbidden.get() {
            return self.keys.load_device()?.ok_or_else(|| KeyError::Missing(self.keys.device_file()));
        }
        self.keys.load_or_create_device()
    }
}
