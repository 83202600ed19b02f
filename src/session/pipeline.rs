//! State and settings of one run: token cache, locks, vault and HTTP clients.

use super::cache::TokenCache;
use super::reporter::Reporter;
use super::rotation::journal::RotationJournal;
use super::shared_failure::SharedFailures;
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

/// Key of the client map: whether the server is on this machine, and the profile's `ca_file`.
pub(super) type ClientKey = (bool, Option<PathBuf>);

/// Store, and the stamp of the file that the store was read from.
pub(super) type LoadedStore = (Stamp, Rc<Store>);

/// Access tokens for the profiles of one run.
pub struct Session<'a> {
    pub(super) cache: &'a TokenCache,
    pub(super) lock_directory: PathBuf,
    pub(super) failures: SharedFailures,
    pub(super) rotations: RotationJournal,
    pub(super) store: StoreFile,
    /// Store as last read by a rotation.
    pub(super) loaded_store: RefCell<Option<LoadedStore>>,
    pub(super) clock: Clock,
    pub(super) lock_timeout: Duration,
    pub(super) vault: &'a Vault,
    pub(super) reporter: &'a dyn Reporter,
    pub(super) proxies: Proxies,
    pub(super) clients: RefCell<HashMap<ClientKey, Rc<Client>>>,
    pub(super) has_warned_cache: Cell<bool>,
    /// Whether the session works on several profiles at once.
    pub(super) is_concurrent: Cell<bool>,
    /// Held by the task that works next; see [`Session::yield_turn`].
    pub(super) turn_lock: tokio::sync::Mutex<()>,
    /// Profiles for which the user was warned of an unusable token file.
    pub(super) warned_files: RefCell<HashSet<ProfileName>>,
}

/// Paths, settings and services of a [`Session`].
pub struct SessionSetup<'a> {
    /// Token files and the device key that decrypts them.
    pub cache: &'a TokenCache,
    /// Directory of locks, shared failures and rotations.
    pub state: PathBuf,
    /// Store that new keys are written to.
    pub store: StoreFile,
    /// Clock of this run.
    pub clock: Clock,
    /// Maximum time to wait for another process.
    pub lock_timeout: Duration,
    /// Vault that opens secrets.
    pub vault: &'a Vault,
    /// Receiver of messages and questions.
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
            lock_directory: setup.state.join("locks"),
            failures: SharedFailures::new(setup.state.join("failures")),
            rotations: RotationJournal::new(&setup.state),
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

    /// Returns the directories that a session writes to. The flag is true for directories that hold keys of rotations,
    /// and false for locks and shared failures.
    pub fn directories(&self) -> [(&Path, bool); 4] {
        let [begun, done] = self.rotations.directories();
        [(&self.lock_directory, false), (self.failures.directory(), false), (begun, true), (done, true)]
    }

    /// Returns the lock of a profile's token.
    pub fn token_lock(&self, profile: &ProfileName) -> Lock {
        Lock::new(self.lock_directory.join(format!("{profile}.lock")))
    }
}
