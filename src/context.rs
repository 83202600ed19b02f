//! From the facts of the process to the stores and the chosen profile, once.
//!
//! Everything that a run takes from its surroundings (arguments, environment, folder, clock, streams)
//! enters here as data. Knows no command.

use crate::clock::Clock;
use crate::disk::DiskError;
use crate::fusion::Proxies;
use crate::output::Ui;
use crate::profile::{
    self, ApiUrl, Choice, ChoiceError, ChoiceFiles, Current, CurrentError, Entry, Fault, Origin, Pin, Profile,
    ProfileName, SecretPlace, Sources, Store, StoreFile, StoreFileError, file_digest, place_of,
};
use crate::secret::{IdentityPlace, KeyFolder, NetoSecret, NetoSecretError, Secret, SourceEnvironment};
use crate::session::{Declared, Session, Setup, TokenCache, Vault, Watcher};
use crate::token::Reading;
use directories::ProjectDirs;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variables of the process. An empty one counts as unset.
#[derive(Clone)]
pub struct Environment(SourceEnvironment);

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
    /// The locks of all stores.
    pub store_locks: PathBuf,
    /// Whether the system names no home folder, so that nothing can be kept.
    pub homeless: bool,
}

/// Where everything lies that lies nowhere: the kernel lets nobody make a file there.
const NOWHERE: &str = "/proc/neto-has-no-home";

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
pub struct Context<'u> {
    /// The process.
    pub process: Process,
    /// The flags that hold for every verb.
    pub globals: Globals,
    /// Where things lie.
    pub paths: Paths,
    /// What opens secrets.
    pub vault: Vault,
    /// The cached tokens of the store.
    pub cache: TokenCache,
    env_profile: Option<Profile>,
    /// Never freed: it holds what lies in the file as well, and with many profiles that takes longer than the end of
    /// the process.
    store: OnceCell<&'static Store>,
    /// Who is told, for `--verbose`, what was read and who chose the profile.
    ui: &'u Ui,
}

/// The profile that a run is about.
pub struct Chosen {
    /// What it declares.
    pub profile: Profile,
    /// The store that it was read from, in this run or an earlier one.
    reading: Option<Reading>,
}

/// Why the surroundings do not do.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
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

impl ContextError {
    /// Whether this user may not look where the store would be.
    fn is_closed(&self) -> bool {
        matches!(self, Self::Store(StoreFileError::Disk(DiskError::Io { source, .. }))
            if source.kind() == ErrorKind::PermissionDenied)
    }
}

impl Environment {
    /// From the variables of the process.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(SourceEnvironment::new(variables))
    }

    /// A variable's value; nothing when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name)
    }

    /// A variable's value as text; what is not UTF-8 is replaced, so that it matches no name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter()
    }

    /// As a source of secrets gets them.
    #[must_use]
    pub fn of_source(&self) -> SourceEnvironment {
        self.0.clone()
    }
}

impl<'u> Context<'u> {
    /// Finds out where things lie; reads nothing but `NETOSECRET`.
    #[must_use]
    pub fn new(process: Process, globals: Globals, ui: &'u Ui) -> Self {
        let paths = Paths::resolve(&process, globals.store.as_deref());
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
        let passphrase_file = environment.get("NETO_PASSPHRASE_FILE").map(|path| process.folder.join(path));
        let sources = environment.of_source();
        let vault = Vault::new(place, passphrase_file, paths.state.join("trust.json"), sources, netosecret);
        let cache = TokenCache::new(paths.tokens.clone(), paths.keys.clone());
        Self { process, globals, paths, vault, cache, env_profile, store: OnceCell::new(), ui }
    }

    /// The file of the store.
    #[must_use]
    pub fn store_file(&self) -> StoreFile {
        StoreFile::new(self.paths.store.clone(), self.paths.store_locks.clone())
    }

    /// What the store declares, read once; the standard store that is not there yet is empty.
    ///
    /// # Errors
    /// [`ContextError::Store`]; [`ContextError::NoStore`] for a store that was named.
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
            _ if loaded.seen.is_none() => format!("store: none yet at {}", self.paths.store.display()),
            1 => format!("store: read {}, 1 profile", self.paths.store.display()),
            count => format!("store: read {}, {count} profiles", self.paths.store.display()),
        });
        Ok(self.store.get_or_init(|| Box::leak(Box::new(loaded))))
    }

    /// The profile that is meant where one is: `argument`, else what stands in its place.
    ///
    /// # Errors
    /// [`ContextError::Choice`], and what reading the store and its neighbours brings.
    pub fn choose(&self, argument: Option<&str>) -> Result<Choice, ContextError> {
        self.settle(self.sources(argument).meant())
    }

    /// Decides what there is of what is meant. What NETOSECRET makes needs no store, which may lie in a home that is
    /// closed to whom a job runs as; a store that was named has to be there all the same.
    fn settle(&self, meant: Result<Option<Choice>, ChoiceError>) -> Result<Choice, ContextError> {
        let choice = match meant {
            Ok(Some(choice)) if choice.name.is_env() && !self.paths.named_store => choice,
            meant => profile::settle(meant, self.store()?)?,
        };
        self.tell(&choice);
        Ok(choice)
    }

    fn tell(&self, choice: &Choice) {
        self.ui.verbose(|| match &choice.origin {
            Origin::Argument => format!("profile: {}, as the command line says", choice.name),
            origin => format!("profile: {}, chosen by {origin}", choice.name),
        });
    }

    /// What each place that can choose a profile says.
    #[must_use]
    pub fn sources(&self, argument: Option<&str>) -> Sources<'_> {
        let flag = self.globals.profile.clone();
        let (argument, second) = match argument {
            Some(argument) => (Some(argument.to_owned()), flag),
            None => (flag, None),
        };
        Sources {
            argument,
            second,
            variable: self.process.environment.text("NETO_PROFILE"),
            netosecret: self.has_netosecret(),
            files: self,
        }
    }

    /// Whether `NETOSECRET` makes a profile.
    #[must_use]
    pub fn has_netosecret(&self) -> bool {
        self.process.environment.get("NETOSECRET").is_some()
    }

    /// Whether the profile of `NETOSECRET` is the only one there is: no store was named, and the standard one declares
    /// none or lies where this user may not look.
    ///
    /// # Errors
    /// As [`Context::store`], but for one that is closed where there is a `NETOSECRET`.
    pub fn has_netosecret_alone(&self) -> Result<bool, ContextError> {
        match self.store() {
            Err(error) if self.has_netosecret() && error.is_closed() => Ok(!self.paths.named_store),
            store => Ok(store?.profiles.is_empty() && self.has_netosecret()),
        }
    }

    /// The profile of that name, with the defaults filled in.
    ///
    /// # Errors
    /// [`ContextError::Fault`] when it is faulty, [`ContextError::Netosecret`] for a bad one.
    pub fn profile(&self, name: &ProfileName) -> Result<&Profile, ContextError> {
        if name.is_env() {
            return self.env_profile.as_ref().ok_or_else(|| self.bad_netosecret());
        }
        let store = self.store()?;
        let unknown = || ChoiceError::Unknown {
            name: name.clone(),
            origin: profile::Origin::Argument,
            near: Vec::new(),
            empty: store.profiles.is_empty(),
        };
        self.sound(store.entry(name).ok_or_else(unknown)?)
    }

    /// The profile of an entry of this store.
    ///
    /// # Errors
    /// [`ContextError::Fault`] when it is faulty.
    pub fn sound<'e>(&self, entry: &'e Entry) -> Result<&'e Profile, ContextError> {
        entry.profile.as_ref().map_err(|fault| self.fault(&entry.name, fault.clone()))
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
    pub fn chosen(&self, argument: Option<&str>) -> Result<Chosen, ContextError> {
        self.chosen_by(self.sources(argument))
    }

    /// The profile that these places choose, ready to use.
    ///
    /// # Errors
    /// As [`Context::chosen`].
    pub fn chosen_by(&self, sources: Sources<'_>) -> Result<Chosen, ContextError> {
        let meant = sources.meant();
        if let Ok(Some(choice)) = &meant
            && let Some(chosen) = self.recall(choice)
        {
            self.tell(choice);
            let path = &self.paths.store;
            self.ui.verbose(|| format!("store: not read, {} is as the token last saw it", path.display()));
            return Ok(chosen);
        }
        let name = self.settle(meant)?.name;
        Ok(Chosen { profile: self.profile(&name)?.clone(), reading: self.reading() })
    }

    /// The chosen profile as its token remembers it, as long as the store is the very file that was read then.
    fn recall(&self, choice: &Choice) -> Option<Chosen> {
        if choice.name.is_env() || self.store.get().is_some() {
            return None;
        }
        let declaration = self.cache.declaration(&choice.name)?;
        let has_current = !declaration.explicit || choice.origin != Origin::Current;
        let same = has_current && self.store_file().stamp() == Some(declaration.store);
        same.then(|| Chosen { reading: Some(declaration.reading()), profile: declaration.profile })
    }

    /// How the store was read, for profiles that come from it; nothing as long as nobody read it.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let store = self.store.get()?;
        Some(Reading { file: store.seen?, explicit: store.explicit })
    }

    /// The pipeline to access tokens.
    pub fn session<'a>(&'a self, watcher: &'a dyn Watcher) -> Session<'a> {
        Session::new(Setup {
            cache: &self.cache,
            state: self.paths.state.clone(),
            store: self.store_file(),
            clock: self.process.clock,
            lock_timeout: self.globals.lock_timeout,
            vault: &self.vault,
            watcher,
            proxies: Proxies::new(|name| self.process.environment.get(name)),
            told_of_no_cache: self.paths.homeless,
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

impl ChoiceFiles for Context<'_> {
    fn pin(&self) -> Option<Pin> {
        Pin::find(&self.process.folder)
    }

    fn current(&self) -> Result<Option<ProfileName>, CurrentError> {
        Ok(Current::load(&self.current_file())?.current)
    }
}

impl Chosen {
    /// As the pipeline takes it.
    #[must_use]
    pub fn declared(&self) -> Declared<'_> {
        Declared { profile: &self.profile, reading: self.reading }
    }
}

impl Paths {
    fn resolve(process: &Process, store: Option<&Path>) -> Self {
        let mut paths = Self::standard(process);
        let named = store.or_else(|| process.environment.get("NETO_STORE").map(Path::new));
        let elsewhere = |path: &PathBuf| place_of(path) != place_of(&paths.store);
        if let Some(named) = named.map(|path| process.folder.join(path)).filter(elsewhere) {
            // What belongs to another store lies apart, under a name that no profile can have.
            let apart = format!("_store-{}", file_digest(&named));
            paths.tokens = paths.tokens.join(&apart);
            paths.state = paths.state.join(&apart);
            paths.store = named;
            paths.named_store = true;
        }
        paths
    }

    fn standard(process: &Process) -> Self {
        if let Some(home) = process.environment.get("NETO_HOME") {
            return Self::below(&process.folder.join(home));
        }
        let Some(system) = ProjectDirs::from("", "", "neto") else {
            return Self { homeless: true, ..Self::below(Path::new(NOWHERE)) };
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
        let keys = KeyFolder::new(keys);
        Self { store, named_store: false, keys, tokens, state, store_locks, homeless: false }
    }
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
