//! State and settings of the pipeline in one run. The other files of this module implement the steps.

use super::cache::TokenCache;
use super::reporter::Reporter;
use super::rotation::journal::RotationJournal;
use super::shared_failure::SharedFailureDirectory;
use super::vault::Vault;
use crate::clock::Clock;
use crate::disk::{Lock, Stamp};
use crate::fusion::{Client, Proxies};
use crate::profile::{ProfileName, Store, StoreFile};
use crate::token::TokenDirectory;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// Key of the client map: whether the server has a loopback address, and the profile's `ca_file`.
pub(super) type ClientKey = (bool, Option<PathBuf>);

/// Store, with the stamp of the file that the store was read from.
pub(super) type LoadedStore = (Stamp, Rc<Store>);

/// Pipeline of one run, with its state.
pub struct Session<'a> {
    pub(super) cache: &'a TokenCache,
    pub(super) lock_directory: PathBuf,
    pub(super) failures: SharedFailureDirectory,
    pub(super) rotations: RotationJournal,
    pub(super) store: StoreFile,
    /// Store as last read for a rotation.
    pub(super) loaded_store: RefCell<Option<LoadedStore>>,
    pub(super) clock: Clock,
    pub(super) lock_timeout: Duration,
    pub(super) vault: &'a Vault,
    pub(super) reporter: &'a dyn Reporter,
    pub(super) proxies: Proxies,
    pub(super) clients: RefCell<HashMap<ClientKey, Rc<Client>>>,
    /// Whether the user was already warned that tokens cannot be cached, or that the lock cannot be created.
    pub(super) has_warned_cache: Cell<bool>,
    /// Whether the session works on several profiles at once.
    pub(super) is_concurrent: Cell<bool>,
    /// Locked by the task that may do CPU work next; see [`Session::yield_turn`].
    pub(super) turn_lock: tokio::sync::Mutex<()>,
    /// Profiles with a token file whose problem was already reported to the user.
    pub(super) warned_files: RefCell<HashSet<ProfileName>>,
}

/// Paths, settings and services of a [`Session`].
pub struct SessionSetup<'a> {
    /// Token files and the device key that decrypts them.
    pub cache: &'a TokenCache,
    /// Directory for locks, shared failures and the rotation journal.
    pub state_directory: PathBuf,
    /// Store that new keys are written to.
    pub store: StoreFile,
    /// Clock of this run.
    pub clock: Clock,
    /// Maximum time to wait for a lock that another process holds.
    pub lock_timeout: Duration,
    /// Vault that decrypts secrets.
    pub vault: &'a Vault,
    /// Receiver of messages and prompts.
    pub reporter: &'a dyn Reporter,
    /// HTTP proxies between this machine and the servers.
    pub proxies: Proxies,
    /// Whether the user was already warned that tokens cannot be cached.
    pub has_warned_cache: bool,
}

impl<'a> Session<'a> {
    /// Creates a session without reading any file.
    #[must_use]
    pub fn new(setup: SessionSetup<'a>) -> Self {
        Self {
            cache: setup.cache,
            lock_directory: setup.state_directory.join("locks"),
            failures: SharedFailureDirectory::new(setup.state_directory.join("failures")),
            rotations: RotationJournal::new(&setup.state_directory),
            store: setup.store,
            loaded_store: RefCell::default(),
            clock: setup.clock,
            lock_timeout: setup.lock_timeout,
            vault: setup.vault,
            reporter: setup.reporter,
            proxies: setup.proxies,
            clients: RefCell::default(),
            has_warned_cache: Cell::new(setup.has_warned_cache),
            is_concurrent: Cell::new(false),
            turn_lock: tokio::sync::Mutex::default(),
            warned_files: RefCell::default(),
        }
    }

    /// Returns the token files.
    pub fn token_files(&self) -> &TokenDirectory {
        self.cache.files()
    }

    /// Returns the directories that a session writes to, except the directory of token files. The flag is true for
    /// directories that hold keys of rotations.
    pub fn directories(&self) -> [(&Path, bool); 4] {
        let [unfinished, finished] = self.rotations.directories();
        [(&self.lock_directory, false), (self.failures.directory(), false), (unfinished, true), (finished, true)]
    }

    /// Returns the lock that protects a profile's token file, shared failure and rotation.
    pub fn token_lock(&self, profile: &ProfileName) -> Lock {
        Lock::new(self.lock_directory.join(format!("{profile}.lock")))
    }
}
