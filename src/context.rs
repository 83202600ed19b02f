//! From the facts of the process to the stores and the chosen profile, once.
//!
//! Everything that a run takes from its surroundings (arguments, environment, folder, clock, streams)
//! enters here as data. Knows no command.

use crate::clock::Clock;
use crate::disk::Lock;
use crate::fusion::Proxies;
use crate::profile::{
    self, ApiUrl, Choice, ChoiceError, Current, CurrentError, Fault, Pin, Profile, ProfileName, SecretPlace, Sources,
    Store, StoreFile, StoreFileError,
};
use crate::secret::{IdentityPlace, KeyFolder, NetoSecret, NetoSecretError, Secret, SourceEnvironment};
use crate::session::{Session, Setup, Vault, Watcher};
use directories::ProjectDirs;
use sha2::{Digest as _, Sha256};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variables of the process. An empty one counts as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// What a run takes from its surroundings.
pub struct Process {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// The variables.
    pub environment: Environment,
    /// The working directory.
    pub folder: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Standard input.
    pub stdin: RefCell<Box<dyn Read>>,
    /// Which streams are terminals, and how wide.
    pub terminal: Terminal,
    /// Finds out the program that started this one, where known: `zsh`.
    pub parent: fn() -> Option<String>,
}

/// Which streams are terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Standard input is one, so that questions may be asked.
    pub stdin: bool,
    /// Standard output is one.
    pub stdout: bool,
    /// Standard error is one.
    pub stderr: bool,
    /// Columns of standard output.
    pub width: Option<usize>,
}

/// Where things lie.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The profile store.
    pub store: PathBuf,
    /// Whether the store was named by `--store` or `NETO_STORE`, so that it has to be there.
    pub named_store: bool,
    /// The key files.
    pub keys: KeyFolder,
    /// The token files of this store.
    pub tokens: PathBuf,
    /// Current profile, memory and locks of this store.
    pub state: PathBuf,
    /// The lock of the store itself, the same however the store is reached.
    pub store_lock: PathBuf,
}

/// The parts of the command line that hold for every verb.
#[derive(Debug, Clone)]
pub struct Globals {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--store`.
    pub store: Option<PathBuf>,
    /// `--lock-timeout`.
    pub lock_timeout: Duration,
}

/// One run: where things lie, and what was read of them so far.
pub struct Context {
    /// The process.
    pub process: Process,
    /// The flags that hold for every verb.
    pub globals: Globals,
    /// Where things lie.
    pub paths: Paths,
    /// What opens secrets.
    pub vault: Vault,
    env_profile: Option<Profile>,
    store: OnceCell<Store>,
}

/// Why the surroundings do not do.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The system does not say where files belong.
    #[error("the system names no home folder")]
    NoHome,
    /// `NETOSECRET` cannot be used.
    #[error("NETOSECRET cannot be used: {0}")]
    Netosecret(NetoSecretError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// A store was named that is not there.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// No profile is chosen.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The chosen profile is faulty.
    #[error("{}: {fault}", store.display())]
    Fault {
        /// The store.
        store: PathBuf,
        /// The profile.
        profile: ProfileName,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The current profile cannot be read.
    #[error(transparent)]
    Current(#[from] CurrentError),
}

impl Environment {
    /// From the variables of the process.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// A variable's value; nothing when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable's value as text; what is not UTF-8 is replaced, so that it matches no name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl Context {
    /// Finds out where things lie; reads nothing but `NETOSECRET`.
    ///
    /// # Errors
    /// [`ContextError::NoHome`].
    pub fn new(process: Process, globals: Globals) -> Result<Self, ContextError> {
        let paths = Paths::resolve(&process, globals.store.as_deref())?;
        let environment = &process.environment;
        let place = if let Some(path) = environment.get("NETO_IDENTITY_FILE") {
            IdentityPlace::Named(process.folder.join(path))
        } else if let Some(text) = environment.text("NETO_IDENTITY") {
            IdentityPlace::Text(Secret::new(text))
        } else {
            IdentityPlace::Standard(paths.keys.clone())
        };
        let netosecret = environment.text("NETOSECRET").and_then(|text| NetoSecret::parse(&text).ok());
        let env_profile = netosecret.as_ref().map(profile_of_environment);
        let sources = SourceEnvironment::new(environment.iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
        let passphrase_file = environment.get("NETO_PASSPHRASE_FILE").map(|path| process.folder.join(path));
        let vault = Vault::new(place, passphrase_file, paths.state.join("trust.json"), sources, netosecret);
        Ok(Self { process, globals, paths, vault, env_profile, store: OnceCell::new() })
    }

    /// The file of the store.
    #[must_use]
    pub fn store_file(&self) -> StoreFile {
        StoreFile::new(self.paths.store.clone(), Lock::new(self.paths.store_lock.clone()))
    }

    /// What the store declares, read once; the standard store that is not there yet is empty.
    ///
    /// # Errors
    /// [`ContextError::Store`]; [`ContextError::NoStore`] for a store that was named.
    pub fn store(&self) -> Result<&Store, ContextError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let loaded = match self.store_file().load()? {
            Some(store) => store,
            None if self.paths.named_store => return Err(ContextError::NoStore(self.paths.store.clone())),
            None => Store::default(),
        };
        Ok(self.store.get_or_init(|| loaded))
    }

    /// The profile that is meant where one is: `argument`, else what stands in its place.
    ///
    /// # Errors
    /// [`ContextError::Choice`], and what reading the store and its neighbours brings.
    pub fn choose(&self, argument: Option<&str>) -> Result<Choice, ContextError> {
        Ok(profile::choose(self.sources(argument)?, self.store()?)?)
    }

    /// What each place that can choose a profile says.
    ///
    /// # Errors
    /// [`ContextError::Current`].
    pub fn sources(&self, argument: Option<&str>) -> Result<Sources, ContextError> {
        let flag = self.globals.profile.clone();
        let (argument, second) = match argument {
            Some(argument) => (Some(argument.to_owned()), flag),
            None => (flag, None),
        };
        Ok(Sources {
            argument,
            second,
            variable: self.process.environment.text("NETO_PROFILE"),
            netosecret: self.has_netosecret(),
            pin: Pin::find(&self.process.folder),
            current: Current::load(&self.current_file()).map(|loaded| loaded.current),
        })
    }

    /// Whether `NETOSECRET` makes a profile.
    #[must_use]
    pub fn has_netosecret(&self) -> bool {
        self.process.environment.get("NETOSECRET").is_some()
    }

    /// The profile of that name, with the defaults filled in.
    ///
    /// # Errors
    /// [`ContextError::Fault`] when it is faulty, [`ContextError::Netosecret`] for a bad one.
    pub fn profile(&self, name: &ProfileName) -> Result<Profile, ContextError> {
        if name.is_env() {
            return self.env_profile.clone().ok_or_else(|| self.bad_netosecret());
        }
        let store = self.store()?;
        let unknown = || ChoiceError::Unknown {
            name: name.clone(),
            origin: profile::Origin::Argument,
            near: Vec::new(),
            empty: store.profiles.is_empty(),
        };
        store.entry(name).ok_or_else(unknown)?.profile.clone().map_err(|fault| self.fault(name, fault))
    }

    /// What is wrong with one profile of this store.
    #[must_use]
    pub fn fault(&self, profile: &ProfileName, fault: Fault) -> ContextError {
        ContextError::Fault { store: self.paths.store.clone(), profile: profile.clone(), fault }
    }

    /// The chosen profile, ready to use.
    ///
    /// # Errors
    /// As [`Context::choose`] and [`Context::profile`].
    pub fn chosen(&self, argument: Option<&str>) -> Result<Profile, ContextError> {
        self.profile(&self.choose(argument)?.name)
    }

    /// The pipeline to access tokens.
    pub fn session<'a>(&'a self, watcher: &'a dyn Watcher) -> Session<'a> {
        Session::new(Setup {
            tokens: self.paths.tokens.clone(),
            state: self.paths.state.clone(),
            keys: self.paths.keys.clone(),
            clock: self.process.clock,
            lock_timeout: self.globals.lock_timeout,
            vault: &self.vault,
            watcher,
            proxies: Proxies::new(|name| self.process.environment.get(name)),
        })
    }

    /// The file of the current profile.
    #[must_use]
    pub fn current_file(&self) -> PathBuf {
        self.paths.state.join("current.json")
    }

    /// A path that the user typed, from the working directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.process.folder.join(path)
    }

    fn bad_netosecret(&self) -> ContextError {
        match self.process.environment.text("NETOSECRET").map(|text| NetoSecret::parse(&text)) {
            Some(Err(error)) => ContextError::Netosecret(error),
            _ => ChoiceError::NoNetosecret.into(),
        }
    }
}

impl Paths {
    fn resolve(process: &Process, store: Option<&Path>) -> Result<Self, ContextError> {
        let mut paths = Self::standard(process)?;
        let named = store.or_else(|| process.environment.get("NETO_STORE").map(Path::new));
        let own = place_of(&paths.store);
        if let Some(named) = named.map(|path| process.folder.join(path)).filter(|path| place_of(path) != own) {
            // What belongs to another store lies apart, under a name that no profile can have.
            let apart = format!("_store-{}", digest_of(&named));
            paths.tokens = paths.tokens.join(&apart);
            paths.state = paths.state.join(&apart);
            paths.store = named;
            paths.named_store = true;
        }
        paths.store_lock = paths.store_lock.join(format!("_store-{}.lock", digest_of(&paths.store)));
        Ok(paths)
    }

    fn standard(process: &Process) -> Result<Self, ContextError> {
        if let Some(home) = process.environment.get("NETO_HOME") {
            let home = process.folder.join(home);
            return Ok(Self::from(
                home.join("profiles.toml"),
                home.join("keys"),
                home.join("tokens"),
                home.join("state"),
            ));
        }
        let system = ProjectDirs::from("", "", "neto").ok_or(ContextError::NoHome)?;
        let data = system.data_local_dir();
        let state = system.state_dir().map_or_else(|| data.join("state"), Path::to_path_buf);
        let store = system.config_dir().join("profiles.toml");
        Ok(Self::from(store, data.join("keys"), system.cache_dir().join("tokens"), state))
    }

    fn from(store: PathBuf, keys: PathBuf, tokens: PathBuf, state: PathBuf) -> Self {
        let store_lock = state.join("locks");
        Self { store, named_store: false, keys: KeyFolder::new(keys), tokens, state, store_lock }
    }
}

/// The same for all ways to write a path's own place, whether or not something is there; a link there is not
/// followed.
fn place_of(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(file)) => folder.join(file),
        _ => path.to_path_buf(),
    }
}

/// 16 hex digits that stand for the file a path leads to, through whatever links.
fn digest_of(path: &Path) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| place_of(path));
    let digest = Sha256::digest(resolved.as_os_str().as_encoded_bytes());
    digest[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn profile_of_environment(secret: &NetoSecret) -> Profile {
    Profile {
        name: ProfileName::env(),
        url: ApiUrl::clone(&secret.url),
        shortname: Some(secret.shortname.clone()),
        appname: Some(secret.appname.clone()),
        username: None,
        tags: Vec::new(),
        description: None,
        protected: false,
        leeway: Profile::USUAL_LEEWAY,
        timeout: Profile::USUAL_TIMEOUT,
        ca_file: None,
        env: BTreeMap::new(),
        recipients: None,
        secret: SecretPlace::Env("NETOSECRET".to_owned()),
        sealed: None,
    }
}
