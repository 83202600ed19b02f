//! The pipeline: profile, secret, cached token or login, access token.
//!
//! Owns single flight (one request however many processes), the life of a token from grant to burn,
//! and the way from a declared profile to its credential. Knows nothing of arguments and tables.

mod api_call;
mod cache;
mod concurrent;
mod lock_wait;
mod parallel;
mod renew;
mod rotation;
mod shared_failure;
mod vault;

pub use api_call::Verdict;
pub use cache::TokenCache;
pub use concurrent::Jobs;
pub use lock_wait::{AcquireError, Busy, acquire};
pub use rotation::{Kind, Rotated, Rotation, RotationError, Stage};
pub use shared_failure::Failure;
pub use vault::{SignIn, Vault, VaultError, check_bound, read_passphrase};

use crate::clock::Clock;
use crate::disk::{DiskError, Durability, Lock};
use crate::fusion::{Client, FusionError, Progress, Proxies};
use crate::profile::{Profile, ProfileName, SecretPlace, Span, StoreFile};
use crate::secret::{Asker, DeviceKey, KeyError, Secret};
use crate::token::{CachedToken, Fingerprint, Lifetime, Reading, State, TokenFileError, TokenFolder};
use jiff::Timestamp;
use renew::Turn;
use rotation::Rotations;
use shared_failure::Failures;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// What a caller wants of a token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// At least this much life left.
    pub min_ttl: Option<Span>,
    /// A new login even if the cached token is good.
    pub force: bool,
    /// Never ask the server.
    pub offline: bool,
}

/// A profile that a token is wanted for, and the store that it was read from.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'p> {
    /// The profile.
    pub profile: &'p Profile,
    /// How the store was read; nothing for a profile that comes from elsewhere, or may be another by now.
    pub reading: Option<Reading>,
}

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct Access {
    /// The bearer token.
    pub token: Secret,
    /// From when to when it lives; absent when the server did not say, so that it is good for this once.
    pub lifetime: Option<Lifetime>,
    /// Where it came from.
    pub origin: Granted,
    /// Whether the cache holds it, for the next command too.
    pub kept: bool,
}

/// Where an access token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// The cache, without any request.
    Cached,
    /// A refresh token.
    Refreshed,
    /// A login.
    Login,
}

/// What the pipeline has to tell and to ask the user; a command fulfils it.
pub trait Watcher: Progress + Asker {
    /// Another process (its id, where known) holds the lock of `what`.
    fn waiting(&self, what: &str, holder: Option<u32>);
    /// Something went wrong that does not stop the pipeline.
    fn warn(&self, warning: Warning<'_>);
    /// What the pipeline does, for `--verbose`; the text is made only where it is shown.
    fn trace(&self, text: &dyn Fn() -> String);
}

/// What did not stop the pipeline.
#[derive(Debug)]
pub enum Warning<'a> {
    /// A token file is of no use and will be replaced.
    TokenFile(&'a TokenFileError),
    /// The token cannot be kept.
    NotCached(&'a dyn std::error::Error),
    /// There can be no lock here, so neto goes on alone.
    NoLock(&'a DiskError),
    /// The server gave less than `--min-ttl` asks for.
    ShortLife {
        /// The profile.
        profile: &'a ProfileName,
        /// The whole life of the token, in seconds.
        whole: i64,
    },
    /// The answer had no sensible `expires_in`.
    NoLifetime(&'a ProfileName),
    /// The refresh token did not work; a login follows.
    RefreshFailed {
        /// The profile.
        profile: &'a ProfileName,
        /// Why.
        error: &'a FusionError,
    },
    /// A rotation of the profile's key was cut off, and is gone on with.
    Finishing(&'a ProfileName),
    /// It is still not finished, or not as it should be.
    Unfinished {
        /// The profile.
        profile: &'a ProfileName,
        /// Why.
        error: &'a dyn std::error::Error,
    },
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The profile has no secret.
    #[error("the profile has no secret yet")]
    NoSecret,
    /// The profile's secret stands in clear in the store.
    #[error("the profile's secret stands in clear in the store")]
    InClear,
    /// Its credential is not to be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The server gave none.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// A call that writes was sent, and no answer says what came of it.
    #[error("{0}; it may have been done all the same")]
    Unsure(FusionError),
    /// The server takes the token, but its key may not make this call.
    #[error(transparent)]
    Forbidden(FusionError),
    /// The server gave none to another process that asked for the same while this one waited, or wants to be
    /// left alone for a while.
    #[error("{0}")]
    Shared(Failure),
    /// Another neto holds the lock for too long.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// `--offline`, and the cache has none that may be used.
    #[error("no cached token can be used (state: {}), and --offline forbids getting one", .0.word())]
    Offline(State),
    /// The folder of the locks belongs to somebody else.
    #[error(transparent)]
    Disk(DiskError),
    /// Its key is not, or not wholly, rotated.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The machine gives no event loop.
    #[error("cannot start the network: {}", crate::disk::plain(.0))]
    Runtime(std::io::Error),
}

/// What profiles must have in common to share a client: whether the server is on this machine, and their `ca_file`.
type Reached = (bool, Option<PathBuf>);

/// One run's way to access tokens.
pub struct Session<'a> {
    cache: &'a TokenCache,
    locks: PathBuf,
    failures: Failures,
    rotations: Rotations,
    store: StoreFile,
    /// The store as a rotation read it last.
    read: RefCell<Option<rotation::Read>>,
    clock: Clock,
    lock_timeout: Duration,
    vault: &'a Vault,
    watcher: &'a dyn Watcher,
    proxies: Proxies,
    clients: RefCell<HashMap<Reached, Rc<Client>>>,
    warned_cache: Cell<bool>,
    /// Whether it works on several profiles at once.
    is_fleet: Cell<bool>,
    /// Held by whose work comes next; see [`Session::breathe`].
    breath: tokio::sync::Mutex<()>,
    /// Profiles whose token file was found of no use, and that was said.
    warned_files: RefCell<HashSet<ProfileName>>,
}

/// Where a session works and with what.
pub struct Setup<'a> {
    /// The token files and what opens them.
    pub cache: &'a TokenCache,
    /// The folder of locks and of what processes tell each other.
    pub state: PathBuf,
    /// The store, which a new key is written into.
    pub store: StoreFile,
    /// The time.
    pub clock: Clock,
    /// How long to wait for another process.
    pub lock_timeout: Duration,
    /// What opens secrets.
    pub vault: &'a Vault,
    /// Who is told.
    pub watcher: &'a dyn Watcher,
    /// What stands on the way to the servers.
    pub proxies: Proxies,
    /// Whether the user knows already that no token can be kept.
    pub told_of_no_cache: bool,
}

impl<'a> Session<'a> {
    /// A session that has looked at nothing yet.
    #[must_use]
    pub fn new(setup: Setup<'a>) -> Self {
        Self {
            cache: setup.cache,
            locks: setup.state.join("locks"),
            failures: Failures::new(setup.state.join("failures")),
            rotations: Rotations::new(&setup.state),
            store: setup.store,
            read: RefCell::default(),
            clock: setup.clock,
            lock_timeout: setup.lock_timeout,
            vault: setup.vault,
            watcher: setup.watcher,
            proxies: setup.proxies,
            clients: RefCell::default(),
            warned_cache: Cell::new(setup.told_of_no_cache),
            is_fleet: Cell::new(false),
            breath: tokio::sync::Mutex::default(),
            warned_files: RefCell::default(),
        }
    }

    /// A token for a profile that fulfils `want`: from the cache, else with the refresh token, else by a
    /// login. The event loop is made only when a request is due.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn access(&self, declared: Declared<'_>, want: Want) -> Result<Access, SessionError> {
        match self.look(declared, want)? {
            Look::Usable(access) => Ok(access),
            Look::Stale(seen) => self.block_on(self.renew(declared, want, seen))?,
        }
    }

    /// What a list says of the cached token of `profile`; opens nothing.
    pub fn lifetime(&self, profile: &Profile) -> Option<Lifetime> {
        self.lifetimes(&[profile]).pop().flatten()
    }

    /// The same for several profiles, in their order. Many are shared out among threads, since the time goes by in the
    /// system's calls.
    pub fn lifetimes(&self, profiles: &[&Profile]) -> Vec<Option<Lifetime>> {
        let env_tag = profiles.iter().find_map(|profile| self.env_tag(profile));
        let tokens = self.cache.files();
        let loaded = parallel::map(profiles, |profile| {
            let fingerprint = issued_for(profile, env_tag.as_deref());
            fingerprint.map_or(Ok(None), |fingerprint| tokens.load_lifetime(&profile.name, &fingerprint))
        });
        let told = |error| {
            self.watcher.warn(Warning::TokenFile(&error));
            None
        };
        loaded.into_iter().map(|loaded| loaded.unwrap_or_else(told)).collect()
    }

    /// The files of cached tokens.
    pub fn tokens(&self) -> &TokenFolder {
        self.cache.files()
    }

    /// The folders below the state that a session writes in, and of each whether more hangs on it than what processes
    /// tell each other.
    pub fn folders(&self) -> [(&Path, bool); 4] {
        let [begun, done] = self.rotations.folders();
        [(&self.locks, false), (self.failures.folder(), false), (begun, true), (done, true)]
    }

    /// The lock of one profile's token.
    pub fn lock_of(&self, profile: &ProfileName) -> Lock {
        Lock::new(self.locks.join(format!("{profile}.lock")))
    }

    /// What a token of `profile` is issued for; nothing when it has no usable secret. Where this run gave it a new key, for
    /// that.
    pub fn fingerprint(&self, profile: &Profile) -> Option<Fingerprint> {
        match self.vault.renewed(profile) {
            Some(renewed) => self.issued_for(&renewed),
            None => self.issued_for(profile),
        }
    }

    fn issued_for(&self, profile: &Profile) -> Option<Fingerprint> {
        issued_for(profile, self.env_tag(profile).as_deref())
    }

    /// What NETOSECRET holds is declared nowhere, so for its profile the secret itself has to count, keyed.
    fn env_tag(&self, profile: &Profile) -> Option<String> {
        if profile.name.is_env() { self.vault.env_tag(self.device()?) } else { None }
    }

    /// The first look, without any lock.
    fn look(&self, declared: Declared<'_>, want: Want) -> Result<Look, SessionError> {
        let profile = declared.profile;
        match profile.secret {
            SecretPlace::None => return Err(SessionError::NoSecret),
            SecretPlace::Clear(_) => return Err(SessionError::InClear),
            _ => {}
        }
        let lying = self.lying(profile);
        let had_one = lying.is_some();
        let seen = self.of_today(profile, lying);
        if let Err(KeyError::Disk(DiskError::TooOpen { path, mode, writable })) = self.cache.device() {
            let (path, mode, writable) = (path.clone(), *mode, *writable);
            return Err(VaultError::Key(KeyError::Disk(DiskError::TooOpen { path, mode, writable })).into());
        }
        let now = self.clock.now();
        if let Some(token) = seen.as_ref().filter(|token| !want.force && self.fulfils(token, profile, want)) {
            self.watcher
                .trace(&|| format!("{}: the cached token is good until {}", profile.name, token.lifetime.expires_at));
            self.remember(declared, token);
            return Ok(Look::Usable(Access::cached(token)));
        }
        self.watcher.trace(&|| format!("{}: {}", profile.name, self.why_not(profile, seen.as_ref(), had_one, want)));
        if want.offline {
            let state = seen.map_or(State::None, |token| token.lifetime.state(now));
            return Err(SessionError::Offline(state));
        }
        Ok(Look::Stale(seen))
    }

    /// Why the cached token is not the one.
    fn why_not(&self, profile: &Profile, seen: Option<&CachedToken>, had_one: bool, want: Want) -> String {
        let Some(token) = seen else {
            let why =
                if had_one { "the cached token is for another url, account or secret" } else { "no cached token" };
            return why.to_owned();
        };
        match (token.lifetime.unfit(self.clock.now(), profile.leeway), want.min_ttl) {
            (Some(unfit), _) => format!("the cached token {unfit}"),
            (None, Some(ttl)) if !want.force => format!("the cached token is good for less than {ttl}"),
            _ => "the cached token is good, but a new one is wanted".to_owned(),
        }
    }

    fn fulfils(&self, token: &CachedToken, profile: &Profile, want: Want) -> bool {
        let now = self.clock.now();
        let enough = |ttl: Span| token.lifetime.left(now).as_secs() >= i64::try_from(ttl.seconds()).unwrap_or(i64::MAX);
        token.lifetime.is_usable(now, profile.leeway) && want.min_ttl.is_none_or(enough)
    }

    /// The cached token of what the profile is today, usable or not.
    fn cached(&self, profile: &Profile) -> Option<CachedToken> {
        self.of_today(profile, self.lying(profile))
    }

    /// A token unless it was issued for something else than the profile is today.
    fn of_today(&self, profile: &Profile, token: Option<CachedToken>) -> Option<CachedToken> {
        let fingerprint = self.fingerprint(profile)?;
        token.filter(|token| token.fingerprint == fingerprint)
    }

    /// The cached token as it lies there, whatever it is for. A file of no use is as good as none.
    fn lying(&self, profile: &Profile) -> Option<CachedToken> {
        self.device()?;
        self.cache.take(&profile.name).unwrap_or_else(|error| {
            // It is looked at again under the lock, and while waiting for it.
            if self.warned_files.borrow_mut().insert(profile.name.clone()) {
                self.watcher.warn(Warning::TokenFile(&error));
            }
            None
        })
    }

    /// Writes a token over the one there was.
    fn save(&self, token: &CachedToken, device: &DeviceKey, durability: Durability) -> Result<(), DiskError> {
        let files = self.cache.files();
        files.save(token, device, durability)?;
        let name = &token.profile;
        self.watcher.trace(&|| format!("{name}: wrote {}", files.file(name).display()));
        Ok(())
    }

    /// Writes beside a good token what the store declares, so that the next run need not read the store. Only tried:
    /// a cache that cannot be written, or that another process is about to change, stays as it is.
    fn remember(&self, declared: Declared<'_>, token: &CachedToken) {
        let news = |reading: &Reading| reading.is_news(declared.profile, token);
        let Some(reading) = declared.reading.filter(news) else { return };
        let Ok(Some(held)) = self.lock_of(&token.profile).attempt() else { return };
        let declaration = reading.declaration(declared.profile, &held);
        // As it lies there now: the refresh token may have been burnt meanwhile.
        let (Some(_), Some(device), Some(mut current)) = (&declaration, self.device(), self.cached(declared.profile))
        else {
            return;
        };
        current.declaration = declaration;
        if let Err(error) = self.save(&current, device, Durability::Atomic) {
            self.watcher.trace(&|| format!("{error}; the store is read again next time"));
        }
    }

    /// The device key; nothing when it can be neither read nor made, so that nothing is cached.
    fn device(&self) -> Option<&DeviceKey> {
        match self.cache.device() {
            Ok(key) => Some(key),
            // `look` refuses one that others can read.
            Err(KeyError::Disk(DiskError::TooOpen { .. })) => None,
            Err(error) => {
                self.warn_cache(error);
                None
            }
        }
    }

    fn warn_cache(&self, error: &dyn std::error::Error) {
        if !self.warned_cache.replace(true) {
            self.watcher.warn(Warning::NotCached(error));
        }
    }
}

enum Look {
    Usable(Access),
    /// None, or one that does not do.
    Stale(Option<CachedToken>),
}

impl Access {
    fn cached(token: &CachedToken) -> Self {
        Self { token: token.access.clone(), lifetime: Some(token.lifetime), origin: Granted::Cached, kept: true }
    }
}

/// The life of the cached token with which a command would do `now`; nothing where it would get a new one. Only looks:
/// tells, asks and writes nothing, and takes what is of no use for absent.
pub fn glance(cache: &TokenCache, vault: &Vault, profile: &Profile, now: Timestamp) -> Option<Lifetime> {
    let env_tag = if profile.name.is_env() { vault.env_tag(cache.device().ok()?) } else { None };
    let fingerprint = issued_for(profile, env_tag.as_deref())?;
    let token = cache.take(&profile.name).ok()??;
    let usable = token.fingerprint == fingerprint && token.lifetime.is_usable(now, profile.leeway);
    usable.then_some(token.lifetime)
}

/// What a token of `profile` is issued for; nothing when it has no usable secret, or is that of NETOSECRET and has no
/// `env_tag`.
fn issued_for(profile: &Profile, env_tag: Option<&str>) -> Option<Fingerprint> {
    let account: Vec<&str> =
        [&profile.shortname, &profile.appname, &profile.username].into_iter().flatten().map(String::as_str).collect();
    let file;
    let mut credential: Vec<&str> = vec![profile.secret.word()];
    match &profile.secret {
        SecretPlace::None | SecretPlace::Clear(_) => return None,
        SecretPlace::Sealed(_) => credential.push(&profile.sealed.as_ref()?.id),
        SecretPlace::Command(words) => credential.extend(words.iter().map(String::as_str)),
        SecretPlace::File(path) => {
            file = path.to_string_lossy();
            credential.push(&file);
        }
        SecretPlace::Env(name) => credential.push(name),
    }
    if profile.name.is_env() {
        credential.push(env_tag?);
    }
    Some(Fingerprint::of(&profile.url, &account, &credential))
}

/// Pairs of descriptors that an event loop may take.
#[cfg(unix)]
const PAIRS: usize = 4;

fn runtime() -> Result<tokio::runtime::Runtime, SessionError> {
    // Where the system has no descriptors left, the part of it that waits for programs panics; so it is tried first.
    #[cfg(unix)]
    let spare: std::io::Result<Vec<_>> = (0..PAIRS).map(|_| std::os::unix::net::UnixStream::pair()).collect();
    #[cfg(unix)]
    drop(spare.map_err(SessionError::Runtime)?);
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(SessionError::Runtime)
}
