//! Paths of the store, keys, tokens and state for one run.
//!
//! Derives the paths from `NETO_HOME`, `--store`, `NETO_STORE` and the system's directories. Reads and creates no file.

use super::Process;
use crate::profile::{resolve_parent, resolved_path_digest};
use crate::secret::KeyDirectory;
use directories::ProjectDirs;
use std::path::{Path, PathBuf};

/// Paths that one run reads and writes.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Path of the profile store.
    pub store: PathBuf,
    /// Whether `--store` or `NETO_STORE` names a store other than the standard store. A named store must exist.
    pub is_store_named: bool,
    /// Directory of the key files.
    pub keys: KeyDirectory,
    /// Directory of this store's token files.
    pub tokens: PathBuf,
    /// Directory of this store's state, such as the current profile, trust, locks and rotation journals.
    pub state: PathBuf,
    /// Directory of the lock files that protect stores. Shared by all stores.
    pub store_locks: PathBuf,
    /// Whether `NETO_HOME` is unset and the system reports no home directory. neto then cannot store files.
    pub has_no_home: bool,
}

/// Base directory if there is no home directory. The kernel refuses to create files in `/proc`, so every write fails.
const UNWRITABLE_HOME: &str = "/proc/neto-has-no-home";

impl Paths {
    pub(super) fn resolve(process: &Process, store: Option<&Path>) -> Self {
        let mut paths = Self::standard(process);
        let requested = store.or_else(|| process.environment.get("NETO_STORE").map(Path::new));
        let is_other_store = |path: &PathBuf| resolve_parent(path) != resolve_parent(&paths.store);
        if let Some(store) = requested.map(|path| process.working_directory.join(path)).filter(is_other_store) {
            // Other stores may use the same profile names, so each store needs its own tokens and state. No profile
            // name starts with `_`, so the subdirectory never collides with a token file.
            let subdirectory = format!("_store-{}", resolved_path_digest(&store));
            paths.tokens = paths.tokens.join(&subdirectory);
            paths.state = paths.state.join(&subdirectory);
            paths.store = store;
            paths.is_store_named = true;
        }
        paths
    }

    fn standard(process: &Process) -> Self {
        if let Some(home) = process.environment.get("NETO_HOME") {
            return Self::in_directory(&process.working_directory.join(home));
        }
        let Some(system) = ProjectDirs::from("", "", "neto") else {
            return Self { has_no_home: true, ..Self::in_directory(Path::new(UNWRITABLE_HOME)) };
        };
        let data = system.data_local_dir();
        let state = system.state_dir().map_or_else(|| data.join("state"), Path::to_path_buf);
        let store = system.config_dir().join("profiles.toml");
        Self::from_parts(store, data.join("keys"), system.cache_dir().join("tokens"), state)
    }

    fn in_directory(home: &Path) -> Self {
        Self::from_parts(home.join("profiles.toml"), home.join("keys"), home.join("tokens"), home.join("state"))
    }

    fn from_parts(store: PathBuf, keys: PathBuf, tokens: PathBuf, state: PathBuf) -> Self {
        let store_locks = state.join("locks");
        let keys = KeyDirectory::new(keys);
        Self { store, is_store_named: false, keys, tokens, state, store_locks, has_no_home: false }
    }
}
