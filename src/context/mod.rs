//! State of one run, derived from the facts of the process: paths, the store and the resolved profile.
//!
//! Collects the values that can select a profile; `profile` owns their precedence. Does not depend on any command.

mod command_line;
mod paths;
mod process;

pub use command_line::CommandLine;
#[cfg(test)]
pub use command_line::GLOBAL_FLAGS_WITH_VALUE;
pub use paths::Paths;
pub use process::{Process, Terminal};

use crate::disk::DiskError;
use crate::fusion::Proxies;
use crate::output::Ui;
use crate::profile::{
    self, ApiUrl, Current, CurrentError, Fault, Pin, Profile, ProfileEntry, ProfileName, ProfileOrigin, ProfileSources,
    ResolveError, ResolveFiles, ResolvedName, SecretLocation, Store, StoreFile, StoreFileError,
};
use crate::secret::{IdentityLocation, NetoSecret, NetoSecretError, Secret};
use crate::session::{LoadedProfile, Reporter, Session, SessionSetup, TokenCache, Vault};
use crate::token::{CachedToken, StoreReading};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Values of the global flags that select a profile, a store and a timeout.
#[derive(Debug, Clone)]
pub struct Globals {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--store`.
    pub store: Option<PathBuf>,
    /// `--lock-timeout`.
    pub lock_timeout: Duration,
}

/// State of one run: facts of the process, paths, and the store once read.
pub struct Context<'u> {
    /// Facts of the process.
    pub process: Process,
    /// Values of the global flags.
    pub globals: Globals,
    /// Paths of the store, keys, tokens and state.
    pub paths: Paths,
    /// Vault that decrypts secrets.
    pub vault: Vault,
    /// Cached tokens of the store.
    pub cache: TokenCache,
    /// Profile `env`; `None` if `NETOSECRET` is unset or invalid.
    env_profile: Option<Profile>,
    /// Store, once read. Leaked on purpose, because freeing many profiles would delay the end of the process.
    store: OnceCell<&'static Store>,
    /// Receives the `--verbose` messages about the store and the resolved profile.
    ui: &'u Ui,
}

/// Profile on which a command acts, with data read while resolving the profile.
pub struct ResolvedProfile {
    /// Declared values, with the defaults filled in.
    pub profile: Profile,
    /// Stamp of the store file that declared the profile; `None` if unknown. This run or an earlier run took the stamp.
    reading: Option<StoreReading>,
    /// Cached token; `None` if resolving the profile did not decrypt a token.
    cached: Option<CachedToken>,
}

/// Error while loading the store or resolving the profile.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// `NETOSECRET` is invalid.
    #[error("NETOSECRET cannot be used: {0}")]
    InvalidNetosecret(NetoSecretError),
    /// The store cannot be read or parsed.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// The store that `--store` or `NETO_STORE` names does not exist.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// No source selects an existing profile, or the value of a source is invalid.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The selected profile is invalid.
    #[error("{}: {fault}", store.display())]
    InvalidProfile {
        /// Path of the store.
        store: PathBuf,
        /// Name of the profile.
        profile: ProfileName,
        /// Reason why the profile is invalid.
        fault: Fault,
    },
}

impl ContextError {
    /// Returns whether the user lacks permission to read the store or to enter one of its parent directories.
    fn is_permission_denied(&self) -> bool {
        matches!(self, Self::Store(StoreFileError::Disk(DiskError::Io { source, .. }))
            if source.kind() == ErrorKind::PermissionDenied)
    }
}

impl<'u> Context<'u> {
    /// Resolves the paths and parses `NETOSECRET` if set. Reads no file.
    #[must_use]
    pub fn new(process: Process, globals: Globals, ui: &'u Ui) -> Self {
        let paths = Paths::resolve(&process, globals.store.as_deref());
        let environment = &process.environment;
        let identity_location = if let Some(path) = environment.get("NETO_IDENTITY_FILE") {
            IdentityLocation::UserFile(process.working_directory.join(path))
        } else if let Some(text) = environment.text("NETO_IDENTITY") {
            IdentityLocation::EnvValue(Secret::new(text))
        } else {
            IdentityLocation::Standard(paths.keys.clone())
        };
        let netosecret = environment.text("NETOSECRET").and_then(|text| NetoSecret::parse(&text).ok());
        let env_profile = netosecret.as_ref().map(profile_from_netosecret);
        let passphrase_file = environment.get("NETO_PASSPHRASE_FILE").map(|path| process.working_directory.join(path));
        let trust_file = paths.state.join("trust.json");
        let vault = Vault::new(identity_location, passphrase_file, trust_file, environment.clone(), netosecret);
        let cache = TokenCache::new(paths.tokens.clone(), paths.keys.clone());
        Self { process, globals, paths, vault, cache, env_profile, store: OnceCell::new(), ui }
    }

    /// Returns a handle of the store file.
    #[must_use]
    pub fn store_file(&self) -> StoreFile {
        StoreFile::new(self.paths.store.clone(), self.paths.store_locks.clone())
    }

    /// Returns the store, read once per run. A missing standard store counts as empty.
    ///
    /// # Errors
    /// Returns [`ContextError::Store`] if the store cannot be read or parsed. Returns [`ContextError::NoStore`] if a
    /// named store does not exist.
    pub fn store(&self) -> Result<&Store, ContextError> {
        if let Some(&store) = self.store.get() {
            return Ok(store);
        }
        let loaded = match self.store_file().load()? {
            Some(store) => store,
            None if self.paths.is_store_named => return Err(ContextError::NoStore(self.paths.store.clone())),
            None => Store::default(),
        };
        self.ui.verbose(|| match loaded.profiles.len() {
            _ if loaded.stamped_read.is_none() => format!("store: none yet at {}", self.paths.store.display()),
            1 => format!("store: read {}, 1 profile", self.paths.store.display()),
            count => format!("store: read {}, {count} profiles", self.paths.store.display()),
        });
        Ok(self.store.get_or_init(|| Box::leak(Box::new(loaded))))
    }

    /// Resolves the name of the profile to use: `argument` if given, else the name from the source with the highest
    /// precedence.
    ///
    /// # Errors
    /// Returns [`ContextError::Resolve`] if no source selects an existing profile, or a source is invalid or
    /// unreadable. Returns the errors of [`Context::store`] if the store is needed.
    pub fn resolve(&self, argument: Option<&str>) -> Result<ResolvedName, ContextError> {
        self.resolve_selected(self.sources(argument).resolve_name())
    }

    /// Looks up the selected name in the store. If no name is selected, selects the only profile of the store. `env`
    /// does not need the standard store, because a job's user may be unable to read the home directory. A named store
    /// must exist even for `env`.
    fn resolve_selected(
        &self,
        selected: Result<Option<ResolvedName>, ResolveError>,
    ) -> Result<ResolvedName, ContextError> {
        let resolved = match selected {
            Ok(Some(resolved)) if resolved.name.is_env() && !self.paths.is_store_named => resolved,
            selected => profile::resolve_in_store(selected, self.store()?)?,
        };
        self.report_resolved(&resolved);
        Ok(resolved)
    }

    fn report_resolved(&self, resolved: &ResolvedName) {
        self.ui.verbose(|| match &resolved.origin {
            ProfileOrigin::Argument => format!("profile: {}, as the command line says", resolved.name),
            origin => format!("profile: {}, chosen by {origin}", resolved.name),
        });
    }

    /// Returns the value of each source that can select a profile. `argument` is the command's `PROFILE` argument.
    #[must_use]
    pub fn sources(&self, argument: Option<&str>) -> ProfileSources<'_> {
        let flag = self.globals.profile.clone();
        let (argument, second_argument) = match argument {
            Some(argument) => (Some(argument.to_owned()), flag),
            None => (flag, None),
        };
        ProfileSources {
            argument,
            second_argument,
            neto_profile: self.process.environment.text("NETO_PROFILE"),
            has_netosecret: self.has_netosecret(),
            files: self,
        }
    }

    /// Returns whether `NETOSECRET` is set and not empty; its value may be invalid.
    #[must_use]
    pub fn has_netosecret(&self) -> bool {
        self.process.environment.get("NETOSECRET").is_some()
    }

    /// Returns whether `env` is the only profile: `NETOSECRET` is set, and the store has no profiles. If the user may
    /// not read the store, a standard store counts as empty, but a named store gives `false`.
    ///
    /// # Errors
    /// Returns the errors of [`Context::store`]. If `NETOSECRET` is set, a missing read permission is not an error.
    pub fn is_env_the_only_profile(&self) -> Result<bool, ContextError> {
        match self.store() {
            Err(error) if self.has_netosecret() && error.is_permission_denied() => Ok(!self.paths.is_store_named),
            store => Ok(store?.profiles.is_empty() && self.has_netosecret()),
        }
    }

    /// Returns the named profile, with the defaults filled in.
    ///
    /// # Errors
    /// Returns [`ContextError::InvalidProfile`] if the profile is invalid, and [`ContextError::Resolve`] if the profile
    /// does not exist. For `env`, returns [`ContextError::InvalidNetosecret`] if `NETOSECRET` is invalid. For other
    /// names, returns the errors of [`Context::store`].
    pub fn profile(&self, name: &ProfileName) -> Result<&Profile, ContextError> {
        if name.is_env() {
            return self.env_profile.as_ref().ok_or_else(|| self.netosecret_error());
        }
        let store = self.store()?;
        let unknown = || ResolveError::Unknown {
            name: name.clone(),
            origin: ProfileOrigin::Argument,
            similar: Vec::new(),
            is_store_empty: store.profiles.is_empty(),
        };
        self.valid_profile(store.entry(name).ok_or_else(unknown)?)
    }

    /// Returns the profile of a store entry.
    ///
    /// # Errors
    /// Returns [`ContextError::InvalidProfile`] if the profile is invalid.
    pub fn valid_profile<'e>(&self, entry: &'e ProfileEntry) -> Result<&'e Profile, ContextError> {
        entry.profile.as_ref().map_err(|fault| self.fault_error(&entry.name, fault.clone()))
    }

    /// Returns the error for an invalid profile, with the path of the store.
    #[must_use]
    pub fn fault_error(&self, profile: &ProfileName, fault: Fault) -> ContextError {
        ContextError::InvalidProfile { store: self.paths.store.clone(), profile: profile.clone(), fault }
    }

    /// Resolves the name of the profile like [`Context::resolve`] and loads the profile.
    ///
    /// # Errors
    /// Returns the errors of [`Context::resolve`] and [`Context::profile`].
    pub fn resolve_profile(&self, argument: Option<&str>) -> Result<ResolvedProfile, ContextError> {
        self.resolve_profile_from(self.sources(argument))
    }

    /// Resolves the name of the profile from `sources` and loads the profile. The store is not read if the cached token
    /// records the profile and the store file is unchanged.
    ///
    /// # Errors
    /// Returns the errors of [`Context::resolve`] and [`Context::profile`].
    pub fn resolve_profile_from(&self, sources: ProfileSources<'_>) -> Result<ResolvedProfile, ContextError> {
        let selected = sources.resolve_name();
        let resolved = selected.as_ref().ok().and_then(Option::as_ref);
        let cached = resolved.and_then(|resolved| self.cached_token(resolved));
        if let (Some(resolved), Some(token)) = (resolved, &cached)
            && let Some((profile, reading)) = self.recorded_profile(resolved, token)
        {
            self.report_resolved(resolved);
            let path = &self.paths.store;
            self.ui.verbose(|| format!("store: not read, {} is as the token last saw it", path.display()));
            return Ok(ResolvedProfile { profile, reading: Some(reading), cached });
        }
        let name = self.resolve_selected(selected)?.name;
        Ok(ResolvedProfile { profile: self.profile(&name)?.clone(), reading: self.store_reading(), cached })
    }

    /// Decrypts the cached token of the resolved profile, because the token may record the profile. Returns `None` in
    /// three cases: the profile is `env`, this run has read the store, or the token is missing or unusable. The session
    /// reports an unusable token.
    fn cached_token(&self, resolved: &ResolvedName) -> Option<CachedToken> {
        if resolved.name.is_env() || self.store.get().is_some() {
            return None;
        }
        self.cache.load(&resolved.name).ok()?
    }

    /// Returns the profile that the cached token records. Returns `None` if the token records no profile, or the store
    /// file has changed since then. Also returns `None` if the current profile was selected but the store disables the
    /// current profile with `explicit`.
    fn recorded_profile(&self, resolved: &ResolvedName, token: &CachedToken) -> Option<(Profile, StoreReading)> {
        let declaration = token.declaration.as_ref()?;
        let allows_origin = !declaration.explicit || resolved.origin != ProfileOrigin::Current;
        let is_valid = allows_origin && self.store_file().stamp() == Some(declaration.store);
        is_valid.then(|| (declaration.profile.clone(), declaration.reading()))
    }

    /// Returns the stamp and the `explicit` setting of the store; `None` if this run has not read the store, or the
    /// store has no stamp.
    #[must_use]
    pub fn store_reading(&self) -> Option<StoreReading> {
        let store = self.store.get()?;
        Some(StoreReading { stamped_read: store.stamped_read?, explicit: store.explicit })
    }

    /// Creates the session that gets access tokens. `reporter` receives its messages.
    pub fn session<'a>(&'a self, reporter: &'a dyn Reporter) -> Session<'a> {
        Session::new(SessionSetup {
            cache: &self.cache,
            state_directory: self.paths.state.clone(),
            store: self.store_file(),
            clock: self.process.clock,
            lock_timeout: self.globals.lock_timeout,
            vault: &self.vault,
            reporter,
            proxies: Proxies::new(|name| self.process.environment.get(name)),
            // Without a home directory, `run` has already warned that no token can be cached.
            has_warned_cache: self.paths.has_no_home,
        })
    }

    /// Returns the path of the file that records the current profile.
    #[must_use]
    pub fn current_file(&self) -> PathBuf {
        self.paths.state.join("current.json")
    }

    /// Returns the absolute form of a path that the user typed. Relative paths are resolved against the working
    /// directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.process.working_directory.join(path)
    }

    fn netosecret_error(&self) -> ContextError {
        match self.process.environment.text("NETOSECRET").map(|text| NetoSecret::parse(&text)) {
            Some(Err(error)) => ContextError::InvalidNetosecret(error),
            _ => ResolveError::NoNetosecret.into(),
        }
    }
}

impl ResolveFiles for Context<'_> {
    fn pin(&self) -> Option<Pin> {
        Pin::find(&self.process.working_directory)
    }

    fn current(&self) -> Result<Option<ProfileName>, CurrentError> {
        Ok(Current::load(&self.current_file())?.current)
    }
}

impl ResolvedProfile {
    /// Returns the profile in the form that [`Session`] takes.
    #[must_use]
    pub fn loaded_profile(&self) -> LoadedProfile<'_> {
        LoadedProfile { profile: &self.profile, reading: self.reading, cached: self.cached.as_ref() }
    }
}

fn profile_from_netosecret(secret: &NetoSecret) -> Profile {
    Profile {
        name: ProfileName::env(),
        url: ApiUrl::clone(&secret.url),
        shortname: Some(secret.shortname.clone()),
        appname: Some(secret.appname.clone()),
        username: None,
        tags: Vec::new(),
        description: None,
        protected: false,
        leeway: Profile::DEFAULT_LEEWAY,
        timeout: Profile::DEFAULT_TIMEOUT,
        ca_file: None,
        env: BTreeMap::new(),
        recipients: None,
        secret: SecretLocation::Env("NETOSECRET".to_owned()),
        sealed: None,
    }
}
