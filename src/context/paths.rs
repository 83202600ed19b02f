//! Paths of the store, keys, tokens and state for one run.
//!
//! Owns how `NETO_HOME`, `--store`, `NETO_STORE` and the system's directories become paths. Reads no file.

use super::Process;
use crate::profile::{file_digest, resolve_parent};
use crate::secret::KeyDirectory;
use directories::ProjectDirs;
use std::path::{Path, PathBuf};

/// Paths that one run reads and writes.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Profile store.
    pub store: PathBuf,
    /// `--store` or `NETO_STORE` named the store, so it must exist.
    pub named_store: bool,
    /// Directory of the key files.
    pub keys: KeyDirectory,
    /// Directory of this store's token files.
    pub tokens: PathBuf,
    /// Directory of this store's current profile, trust and locks.
    pub state: PathBuf,
    /// Directory of the locks of all stores.
    pub store_locks: PathBuf,
    /// The system names no home directory, so neto cannot keep files.
    pub homeless: bool,
}

/// Base directory when the system names no home directory. The kernel refuses to create files below it.
const UNWRITABLE: &str = "/proc/neto-has-no-home";

impl Paths {
    pub(super) fn resolve(process: &Process, store: Option<&Path>) -> Self {
        let mut paths = Self::standard(process);
        let named = store.or_else(|| process.environment.get("NETO_STORE").map(Path::new));
        let is_other_store = |path: &PathBuf| resolve_parent(path) != resolve_parent(&paths.store);
        if let Some(named) = named.map(|path| process.working_directory.join(path)).filter(is_other_store) {
            // No profile can have this name, so the directory never collides with a token file.
            let subdirectory = format!("_store-{}", file_digest(&named));
            paths.tokens = paths.tokens.join(&subdirectory);
            paths.state = paths.state.join(&subdirectory);
            paths.store = named;
            paths.named_store = true;
        }
        paths
    }

    fn standard(process: &Process) -> Self {
        if let Some(home) = process.environment.get("NETO_HOME") {
            return Self::below(&process.working_directory.join(home));
        }
        let Some(system) = ProjectDirs::from("", "", "neto") else {
            return Self { homeless: true, ..Self::below(Path::new(UNWRITABLE)) };
        };
        let data = system.data_local_dir();
        let state = system.state_dir().map_or_else(|| data.join("state"), Path::to_path_buf);
        let store = system.config_dir().join("profiles.toml");
        Self::from(store, data.join("keys"), system.cache_dir().join("tokens"), state)
    }

    fn below(home: &Path) -> Self {
        Self::from(home.join("profiles.toml"), home.join("keys"), home.join("tokens"), home.join("state"))
    }

    fn from(store: PathBuf, keys: PathBuf, tokens: PathBuf, state: PathBuf) -> Self {
        let store_locks = state.join("locks");
        let keys = KeyDirectory::new(keys);
        Self { store, named_store: false, keys, tokens, state, store_locks, homeless: false }
    }
}
