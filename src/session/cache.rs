//! The token files of one run and the device key that opens them.
//!
//! Owns that neither is read twice for one look: who wants to know whom a token is for opens it, and the pipeline
//! takes it from there.

use crate::profile::ProfileName;
use crate::secret::{DeviceKey, KeyError, KeyFolder};
use crate::token::{CachedToken, Declaration, TokenFileError, TokenFolder};
use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;

/// The cached tokens of one store.
pub struct TokenCache {
    files: TokenFolder,
    keys: KeyFolder,
    device: OnceCell<Result<DeviceKey, KeyError>>,
    /// The token that was opened for its declaration, until somebody takes it.
    opened: RefCell<Option<CachedToken>>,
}

impl TokenCache {
    /// The token files in `folder`, opened with the device key in `keys`. Reads nothing yet.
    #[must_use]
    pub fn new(folder: PathBuf, keys: KeyFolder) -> Self {
        Self { files: TokenFolder::new(folder), keys, device: OnceCell::new(), opened: RefCell::default() }
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

    /// The device key, read once a run and made when there is none.
    ///
    /// # Errors
    /// [`KeyError`] when it can be neither read nor made.
    pub fn device(&self) -> Result<&DeviceKey, &KeyError> {
        self.device.get_or_init(|| self.keys.device()).as_ref()
    }
}
