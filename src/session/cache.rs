//! Token files of one run, and the device key that decrypts them.
//!
//! Reads the device key once per run.

use crate::profile::ProfileName;
use crate::secret::{DeviceKey, KeyDirectory, KeyError};
use crate::token::{CachedToken, TokenDirectory, TokenFileError};
use std::cell::{Cell, OnceCell};
use std::path::PathBuf;

/// Cached tokens of one store.
pub struct TokenCache {
    files: TokenDirectory,
    keys: KeyDirectory,
    device: OnceCell<Result<DeviceKey, KeyError>>,
    /// Whether a missing device key is not created.
    is_read_only: Cell<bool>,
}

impl TokenCache {
    /// Creates a cache for the token files in `directory` and the device key in `keys`. Reads no file.
    #[must_use]
    pub fn new(directory: PathBuf, keys: KeyDirectory) -> Self {
        Self { files: TokenDirectory::new(directory), keys, device: OnceCell::new(), is_read_only: Cell::new(false) }
    }

    /// Keeps this run from creating a device key.
    pub fn set_read_only(&self) {
        self.is_read_only.set(true);
    }

    /// Returns the token files.
    #[must_use]
    pub fn files(&self) -> &TokenDirectory {
        &self.files
    }

    /// Decrypts the cached token of `profile`.
    ///
    /// # Errors
    /// [`TokenFileError`] if the file exists and is unusable.
    pub fn load(&self, profile: &ProfileName) -> Result<Option<CachedToken>, TokenFileError> {
        self.files.load(profile, || self.device_key().ok())
    }

    /// Returns the device key. The key is read once a run and created if it is missing, except after
    /// [`TokenCache::set_read_only`].
    ///
    /// # Errors
    /// [`KeyError`] if the key can be neither read nor created.
    pub fn device_key(&self) -> Result<&DeviceKey, &KeyError> {
        self.device.get_or_init(|| self.load_device_key()).as_ref()
    }

    fn load_device_key(&self) -> Result<DeviceKey, KeyError> {
        if self.is_read_only.get() {
            return self.keys.load_device()?.ok_or_else(|| KeyError::Missing(self.keys.device_file()));
        }
        self.keys.load_or_create_device()
    }
}
