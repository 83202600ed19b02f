//! Paths, stores and the resolved profile of one run, derived once from the facts of the process.
//!
//! Owns the order of the sources that select a profile, and what was read so far. Knows no command.

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

/// Global flags.
#[derive(Debug, Clone)]
pub struct Globals {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--store`.
    pub store: Option<PathBuf>,
    /// `--lock-timeout`.
    pub lock_timeout: Duration,
}

/// State of one run: its paths, and what was read so far.
pub struct Context<'u> {
    /// Facts of the process.
    pub process: Process,
    /// Global flags.
    pub globals: Globals,
    /// Paths of the store, keys, tokens and state.
    pub paths: Paths,
    /// Decrypts secrets.
    pub vault: Vault,
    /// Cached tokens of the store.
    pub cache: TokenCache,
    env_profile: Option<Profile>,
    /// The store is leaked on purpose: freeing many profiles takes longer than ending the process.
    store: OnceCell<&'static Store>,
    /// Prints for `--verbose` which store was read and which source selected the profile.
    ui: &'u Ui,
}

/// Profile that a run acts on.
pub struct ResolvedProfile {
    /// Declared values, with the defaults filled in.
    pub profile: Profile,
    /// Stamp of the store that declared the profile, read in this run or an earlier one.
    reading: Option<StoreReading>,
    /// Cached token, if resolving the profile decrypted it.
    cached: Option<CachedToken>,
}

/// Errors of resolving paths, the store and the profile.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// `NETOSECRET` is invalid.
    #[error("NETOSECRET cannot be used: {0}")]
    Netosecret(NetoSecretError),
    /// The store cannot be read or parsed.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// The named store does not exist.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// No source selects an existing profile.
    #[error(transparent)]
    Choice(#[from] ResolveError),
    /// The selected profile is invalid.
    #[error("{}: {fault}", store.display())]
    Fault {
        /// Path of the store.
        store: PathBuf,
        /// Name of the profile.
        profile: ProfileName,
        /// Fault of the profile.
        fault: Fault,
    },
    /// The file of the current profile cannot be read.
    #[error(transparent)]
    Current(#[from] CurrentError),
}

impl ContextError {
    /// Whether this user lacks the permission to look for the store.
    fn is_permission_denied(&self) -> bool {
        matches!(self, Self::Store(StoreFileError::Disk(DiskError::Io { source, .. }))
            if source.kind() == ErrorKind::PermissionDenied)
    }
}

impl<'u> Context<'u> {
    /// Resolves the paths. Reads no file; parses `NETOSECRET` if it is set.
    #[must_use]
    pub fn new(process: Process, globals: Globals, ui: &'u Ui) -> Self {
        let paths = Paths::resolve(&process, globals.store.as_deref());
        let environment = &process.environment;
        let place = if let Some(path) = environment.get("NETO_IDENTITY_FILE") {
            IdentityLocation::Named(process.working_directory.join(path))
        } else if let Some(text) = environment.text("NETO_IDENTITY") {
            IdentityLocation::Text(Secret::new(text))
        } else {
            IdentityLocation::Standard(paths.keys.clone())
        };
        let netosecret = environment.text("NETOSECRET").and_then(|text| NetoSecret::parse(&text).ok());
        let env_profile = netosecret.as_ref().map(env_profile);
        let passphrase_file = environment.get("NETO_PASSPHRASE_FILE").map(|path| process.working_directory.join(path));
        let sources = environment.clone();
        let vault = Vault::new(place, passphrase_file, paths.state.join("trust.json"), sources, netosecret);
        let cache = TokenCache::new(paths.tokens.clone(), paths.keys.clone());
        Self { process, globals, paths, vault, cache, env_profile, store: OnceCell::new(), ui }
    }

    /// Returns the file of the store.
    #[must_use]
    pub fn store_file(&self) -> StoreFile {
        StoreFile::new(self.paths.store.clone(), self.paths.store_locks.clone())
    }

    /// Returns the store, read once per run. A missing standard store counts as empty.
    ///
    /// # Errors
    /// [`ContextError::Store`]; [`ContextError::NoStore`] for a named store that does not exist.
    pub fn store(&self) -> Result<&Store, ContextError> {
        if let Some(&store) = self.store.get() {
            return Ok(store);
        }
        let loaded = match self.store_file().load()? {
            Some(store) => store,
            None if self.paths.named_store => return Err(ContextError::NoStore(self.paths.store.clone())),
            None => Store::default(),
        };
        self.ui.verbose(|| match loaded.profiles.len() {
            _ if loaded.stamped_read.is_none() => format!("store: none yet at {}", self.paths.store.display()),
            1 => format!("store: read {}, 1 profile", self.paths.store.display()),
            count => format!("store: read {}, {count} profiles", self.paths.store.display()),
        });
        Ok(self.store.get_or_init(|| Box::leak(Box::new(loaded))))
    }

    /// Resolves which profile to use: `argument` if given, else the other sources in their order.
    ///
    /// # Errors
    /// [`ContextError::Choice`], and errors of reading the store, a pin or the current profile.
    pub fn resolve(&self, argument: Option<&str>) -> Result<ResolvedName, ContextError> {
        self.check_exists(self.sources(argument).resolve_name())
    }

    /// Checks that the selected profile exists. The profile `env` needs no store, because a job may run as a user who
    /// cannot read the home directory. A named store must exist all the same.
    fn check_exists(&self, selected: Result<Option<ResolvedName>, ResolveError>) -> Result<ResolvedName, ContextError> {
        let choice = match selected {
            Ok(Some(choice)) if choice.name.is_env() && !self.paths.named_store => choice,
            selected => profile::resolve_in_store(selected, self.store()?)?,
        };
        self.report_choice(&choice);
        Ok(choice)
    }

    fn report_choice(&self, choice: &ResolvedName) {
        self.ui.verbose(|| match &choice.origin {
            ProfileOrigin::Argument => format!("profile: {}, as the command line says", choice.name),
            origin => format!("profile: {}, chosen by {origin}", choice.name),
        });
    }

    /// Returns the value of each source that can select a profile.
    #[must_use]
    pub fn sources(&self, argument: Option<&str>) -> ProfileSources<'_> {
        let flag = self.globals.profile.clone();
        let (argument, second) = match argument {
            Some(argument) => (Some(argument.to_owned()), flag),
            None => (flag, None),
        };
        ProfileSources {
            argument,
            second_argument: second,
            variable: self.process.environment.text("NETO_PROFILE"),
            has_netosecret: self.has_netosecret(),
            files: self,
        }
    }

    /// Whether `NETOSECRET` is set and makes the profile `env`.
    #[must_use]
    pub fn has_netosecret(&self) -> bool {
        self.process.environment.get("NETOSECRET").is_some()
    }

    /// Whether `env` is the only profile: no store was named, and the standard store has no profiles or is not readable.
    ///
    /// # Errors
    /// Errors of [`Context::store`], except a permission error while `NETOSECRET` is set.
    pub fn is_env_the_only_profile(&self) -> Result<bool, ContextError> {
        match self.store() {
            Err(error) if self.has_netosecret() && error.is_permission_denied() => Ok(!self.paths.named_store),
            store => Ok(store?.profiles.is_empty() && self.has_netosecret()),
        }
    }

    /// Returns the named profile, with the defaults filled in.
    ///
    /// # Errors
    /// [`ContextError::Fault`] for an invalid profile, [`ContextError::Netosecret`] for an invalid `NETOSECRET`.
    pub fn profile(&self, name: &ProfileName) -> Result<&Profile, ContextError> {
        if name.is_env() {
            return self.env_profile.as_ref().ok_or_else(|| self.netosecret_error());
        }
        let store = self.store()?;
        let unknown = || ResolveError::Unknown {
            name: name.clone(),
            origin: profile::ProfileOrigin::Argument,
            similar: Vec::new(),
            is_store_empty: store.profiles.is_empty(),
        };
        self.valid_profile(store.entry(name).ok_or_else(unknown)?)
    }

    /// Returns the profile of a store entry.
    ///
    /// # Errors
    /// [`ContextError::Fault`] for an invalid profile.
    pub fn valid_profile<'e>(&self, entry: &'e ProfileEntry) -> Result<&'e Profile, ContextError> {
        entry.profile.as_ref().map_err(|fault| self.fault(&entry.name, fault.clone()))
    }

    /// Wraps the fault of a profile with the path of the store.
    #[must_use]
    pub fn fault(&self, profile: &ProfileName, fault: Fault) -> ContextError {
        ContextError::Fault { store: self.paths.store.clone(), profile: profile.clone(), fault }
    }

    /// Resolves the profile and loads it.
    ///
    /// # Errors
    /// Errors of [`Context::choose`] and [`Context::profile`].
    pub fn resolve_profile(&self, argument: Option<&str>) -> Result<ResolvedProfile, ContextError> {
        self.resolve_profile_from(self.sources(argument))
    }

    /// Resolves the profile from these sources and loads it.
    ///
    /// # Errors
    /// Errors of [`Context::resolve_profile`].
    pub fn resolve_profile_from(&self, sources: ProfileSources<'_>) -> Result<ResolvedProfile, ContextError> {
        let selected = sources.resolve_name();
        let choice = selected.as_ref().ok().and_then(Option::as_ref);
        let cached = choice.and_then(|choice| self.cached_token(choice));
        if let (Some(choice), Some(token)) = (choice, &cached)
            && let Some((profile, reading)) = self.recorded_profile(choice, token)
        {
            self.report_choice(choice);
            let path = &self.paths.store;
            self.ui.verbose(|| format!("store: not read, {} is as the token last saw it", path.display()));
            return Ok(ResolvedProfile { profile, reading: Some(reading), cached });
        }
        let name = self.check_exists(selected)?.name;
        Ok(ResolvedProfile { profile: self.profile(&name)?.clone(), reading: self.reading(), cached })
    }

    /// Decrypts the cached token of the selected profile, which may make reading the store unnecessary. Returns `None`
    /// for a missing or unusable token; the session reports the error.
    fn cached_token(&self, choice: &ResolvedName) -> Option<CachedToken> {
        if choice.name.is_env() || self.store.get().is_some() {
            return None;
        }
        self.cache.load(&choice.name).ok()?
    }

    /// Returns the profile as its token file recorded it, if the store file is unchanged since then.
    fn recorded_profile(&self, choice: &ResolvedName, token: &CachedToken) -> Option<(Profile, StoreReading)> {
        let declaration = token.declaration.as_ref()?;
        let has_current = !declaration.explicit || choice.origin != ProfileOrigin::Current;
        let same = has_current && self.store_file().stamp() == Some(declaration.store);
        same.then(|| (declaration.profile.clone(), declaration.reading()))
    }

    /// Returns the stamp of the store; `None` if this run has not read it.
    #[must_use]
    pub fn reading(&self) -> Option<StoreReading> {
        let store = self.store.get()?;
        Some(StoreReading { file: store.stamped_read?, explicit: store.explicit })
    }

    /// Creates the session that gets access tokens.
    pub fn session<'a>(&'a self, watcher: &'a dyn Reporter) -> Session<'a> {
        Session::new(SessionSetup {
            cache: &self.cache,
            state: self.paths.state.clone(),
            store: self.store_file(),
            clock: self.process.clock,
            lock_timeout: self.globals.lock_timeout,
            vault: &self.vault,
            reporter: watcher,
            proxies: Proxies::new(|name| self.process.environment.get(name)),
            has_warned_cache: self.paths.homeless,
        })
    }

    /// Returns the path of the file that names the current profile.
    #[must_use]
    pub fn current_file(&self) -> PathBuf {
        self.paths.state.join("current.json")
    }

    /// Resolves a path that the user typed against the working directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.process.working_directory.join(path)
    }

    fn netosecret_error(&self) -> ContextError {
        match self.process.environment.text("NETOSECRET").map(|text| NetoSecret::parse(&text)) {
            Some(Err(error)) => ContextError::Netosecret(error),
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
    pub fn loaded(&self) -> LoadedProfile<'_> {
        LoadedProfile { profile: &self.profile, reading: self.reading, cached: self.cached.as_ref() }
    }
}

fn env_profile(secret: &NetoSecret) -> Profile {
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
