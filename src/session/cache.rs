//! The token files of one run and the device key that opens them.
//!
//! Owns that neither is read twice for one look: who wants to know whom a token is for opens it, and the pipeline
//! takes it from there.

use crate::profile::ProfileName;
use crate::secret::{DeviceKey, KeyError, KeyFolder};
use crate::token::{CachedToken, Declaration, TokenFileError, TokenFolder};
use std::cell::{Cell, OnceCell, RefCell};
use std::path::PathBuf;

/// The cached tokens of one store.
pub struct TokenCache {
    files: TokenFolder,
    keys: KeyFolder,
    device: OnceCell<Result<DeviceKey, KeyError>>,
    /// Whether a device key that is not there stays so.
    only_read: Cell<bool>,
    /// The token that was opened for its declaration, until somebody takes it.
    opened: RefCell<Option<CachedToken>>,
}

impl TokenCache {
    /// The token files in `folder`, opened with the device key in `keys`. Reads nothing yet.
    #[must_use]
    pub fn new(folder: PathBuf, keys: KeyFolder) -> Self {
        let (only_read, opened) = (Cell::new(false), RefCell::default());
        Self { files: TokenFolder::new(folder), keys, device: OnceCell::new(), only_read, opened }
    }

    /// From now on this run makes no device key, for who only looks.
    pub fn only_read(&self) {
        self.only_read.set(true);
    }

    /// The token files.
    #[must_use]
    pub fn files(&self) -> &TokenFolder {
        &self.files
    }

    /// What the token of `profile` remembers of the store; nothing when there is no token, or it cannot be opened,
    /// which is for the pipeline to tell.
    #[must_use]
    pub fn declaration(&self, profile: &ProfileName) -> Option<Box<Declaration>> {
        let token = self.files.load(profile, || self.device().ok()).ok()??;
        let declaration = token.declaration.clone();
        self.opened.replace(Some(token));
        declaration
    }

    /// The token of `profile` as it lies there, or as it was opened before in this run.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is there and of no use.
    pub(super) fn take(&self, profile: &ProfileName) -> Result<Option<CachedToken>, TokenFileError> {
        match self.opened.take().filter(|token| token.profile == *profile) {
            Some(token) => Ok(Some(token)),
            None => self.files.load(profile, || self.device().ok()),
        }
    }

    /// The device key, read once a run and made when there is none (but see [`TokenCache::only_read`]).
    ///
    /// # Errors
    /// [`KeyError`] when it can be neither read nor made.
    pub fn device(&self) -> Result<&DeviceKey, &KeyError> {
        self.device.get_or_init(|| self.load_device()).as_ref()
    }

    fn load_device(&self) -> Result<DeviceKey, KeyError> {
        if self.only_read.get() {
            return self.keys.load_device()?.ok_or_else(|| KeyError::Missing(self.keys.device_file()));
        }
        self.keys.device()
    }
}
