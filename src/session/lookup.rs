//! Lookup in the token cache: fingerprint of the profile, checks of the cached token, and writes to the cache.

use super::cache::TokenCache;
use super::error::SessionError;
use super::parallel;
use super::pipeline::Session;
use super::reporter::Warning;
use super::request::{AccessToken, LoadedProfile, TokenRequest};
use super::vault::{Vault, VaultError};
use crate::disk::{DiskError, Durability};
use crate::profile::{Profile, SecretLocation, Span};
use crate::secret::{DeviceKey, KeyError};
use crate::token::{CachedToken, Fingerprint, Lifetime, StoreReading, TokenState};
use jiff::Timestamp;

pub(super) enum Lookup {
    Hit(AccessToken),
    /// Cached token that does not meet the request, if any.
    Miss(Option<CachedToken>),
}

impl Session<'_> {
    /// Returns the lifetime of the cached token of `profile`, without decrypting the token.
    pub fn lifetime(&self, profile: &Profile) -> Option<Lifetime> {
        self.lifetimes(&[profile]).pop().flatten()
    }

    /// Returns the lifetimes of several profiles' cached tokens, in the order of `profiles`. Long lists are split among
    /// threads, because system calls take most of the time.
    pub fn lifetimes(&self, profiles: &[&Profile]) -> Vec<Option<Lifetime>> {
        let env_tag = profiles.iter().find_map(|profile| self.env_tag(profile));
        let tokens = self.cache.files();
        let loaded = parallel::map(profiles, |profile| {
            let fingerprint = issued_for(profile, env_tag.as_deref());
            fingerprint.map_or(Ok(None), |fingerprint| tokens.load_lifetime(&profile.name, &fingerprint))
        });
        let warn = |error| {
            self.reporter.warn(Warning::TokenFile(&error));
            None
        };
        loaded.into_iter().map(|loaded| loaded.unwrap_or_else(warn)).collect()
    }

    /// Returns the fingerprint that a token of `profile` is issued for; `None` if the profile has no usable secret. If
    /// this run rotated the key, the fingerprint is that of the new key.
    pub fn fingerprint(&self, profile: &Profile) -> Option<Fingerprint> {
        match self.vault.rotated_profile(profile) {
            Some(renewed) => self.issued_for(&renewed),
            None => self.issued_for(profile),
        }
    }

    pub(super) fn issued_for(&self, profile: &Profile) -> Option<Fingerprint> {
        issued_for(profile, self.env_tag(profile).as_deref())
    }

    /// Returns the keyed tag of NETOSECRET for its profile. The tag is needed because the store does not declare that
    /// secret.
    fn env_tag(&self, profile: &Profile) -> Option<String> {
        if profile.name.is_env() { self.vault.env_tag(self.device_key()?) } else { None }
    }

    /// Looks up the cached token, without any lock.
    pub(super) fn lookup(&self, loaded: LoadedProfile<'_>, request: TokenRequest) -> Result<Lookup, SessionError> {
        let profile = loaded.profile;
        match profile.secret {
            SecretLocation::None => return Err(SessionError::NoSecret),
            SecretLocation::Plaintext(_) => return Err(SessionError::PlaintextSecret),
            _ => {}
        }
        let stored = loaded.cached.cloned().or_else(|| self.read_cached(profile));
        let was_stored = stored.is_some();
        let seen = self.issued_for_today(profile, stored);
        if let Err(KeyError::Disk(DiskError::TooOpen { path, mode, writable })) = self.cache.device_key() {
            let (path, mode, writable) = (path.clone(), *mode, *writable);
            return Err(VaultError::Key(KeyError::Disk(DiskError::TooOpen { path, mode, writable })).into());
        }
        let now = self.clock.now();
        if let Some(token) = seen.as_ref().filter(|token| !request.force && self.satisfies(token, profile, request)) {
            self.reporter
                .trace(&|| format!("{}: the cached token is good until {}", profile.name, token.lifetime.expires_at));
            self.cache_declaration(loaded, token);
            return Ok(Lookup::Hit(AccessToken::from_cache(token)));
        }
        self.reporter
            .trace(&|| format!("{}: {}", profile.name, self.miss_reason(profile, seen.as_ref(), was_stored, request)));
        if request.offline {
            let state = seen.map_or(TokenState::None, |token| token.lifetime.state(now));
            return Err(SessionError::Offline(state));
        }
        Ok(Lookup::Miss(seen))
    }

    /// Returns the reason why the cached token does not meet the request.
    fn miss_reason(
        &self,
        profile: &Profile,
        seen: Option<&CachedToken>,
        was_stored: bool,
        request: TokenRequest,
    ) -> String {
        let Some(token) = seen else {
            let why =
                if was_stored { "the cached token is for another url, account or secret" } else { "no cached token" };
            return why.to_owned();
        };
        match (token.lifetime.stale_reason(self.clock.now(), profile.leeway), request.min_ttl) {
            (Some(unfit), _) => format!("the cached token {unfit}"),
            (None, Some(ttl)) if !request.force => format!("the cached token is good for less than {ttl}"),
            _ => "the cached token is good, but a new one is wanted".to_owned(),
        }
    }

    pub(super) fn satisfies(&self, token: &CachedToken, profile: &Profile, request: TokenRequest) -> bool {
        let now = self.clock.now();
        let enough =
            |ttl: Span| token.lifetime.remaining(now).as_secs() >= i64::try_from(ttl.seconds()).unwrap_or(i64::MAX);
        token.lifetime.is_usable(now, profile.leeway) && request.min_ttl.is_none_or(enough)
    }

    /// Returns the cached token if its fingerprint matches the profile. The token may be expired.
    pub(super) fn cached(&self, profile: &Profile) -> Option<CachedToken> {
        self.issued_for_today(profile, self.read_cached(profile))
    }

    /// Returns the token if its fingerprint matches the profile as declared today.
    fn issued_for_today(&self, profile: &Profile, token: Option<CachedToken>) -> Option<CachedToken> {
        let fingerprint = self.fingerprint(profile)?;
        token.filter(|token| token.fingerprint == fingerprint)
    }

    /// Reads the cached token without checking which credential it was issued for. An unreadable file counts as a cache
    /// miss.
    fn read_cached(&self, profile: &Profile) -> Option<CachedToken> {
        self.device_key()?;
        self.cache.load(&profile.name).unwrap_or_else(|error| {
            // The file is read again under the lock and while waiting for the lock.
            if self.warned_files.borrow_mut().insert(profile.name.clone()) {
                self.reporter.warn(Warning::TokenFile(&error));
            }
            None
        })
    }

    /// Replaces the token file.
    pub(super) fn save(
        &self,
        token: &CachedToken,
        device: &DeviceKey,
        durability: Durability,
    ) -> Result<(), DiskError> {
        let files = self.cache.files();
        files.save(token, device, durability)?;
        let name = &token.profile;
        self.reporter.trace(&|| format!("{name}: wrote {}", files.file_path(name).display()));
        Ok(())
    }

    /// Adds the profile's declaration to a valid cached token, so that the next run need not read the store. A failure
    /// is ignored: the cache may be unwritable, or another process may hold the lock.
    pub(super) fn cache_declaration(&self, loaded: LoadedProfile<'_>, token: &CachedToken) {
        let news = |reading: &StoreReading| reading.has_new_declaration(loaded.profile, token.declaration.as_deref());
        let Some(reading) = loaded.reading.filter(news) else { return };
        let Ok(Some(held)) = self.token_lock(&token.profile).try_lock() else { return };
        let declaration = reading.declaration(loaded.profile, &held);
        // Read again: another process may have used the refresh token since the lookup.
        let (Some(_), Some(device), Some(mut current)) = (&declaration, self.device_key(), self.cached(loaded.profile))
        else {
            return;
        };
        current.declaration = declaration;
        if let Err(error) = self.save(&current, device, Durability::Atomic) {
            self.reporter.trace(&|| format!("{error}; the store is read again next time"));
        }
    }

    /// Returns the device key; `None` if the key can be neither read nor created. Without a device key no token is
    /// cached.
    pub(super) fn device_key(&self) -> Option<&DeviceKey> {
        match self.cache.device_key() {
            Ok(key) => Some(key),
            // `lookup` fails if other users can read the key.
            Err(KeyError::Disk(DiskError::TooOpen { .. })) => None,
            Err(error) => {
                self.warn_not_cached(error);
                None
            }
        }
    }

    pub(super) fn warn_not_cached(&self, error: &dyn std::error::Error) {
        if !self.has_warned_cache.replace(true) {
            self.reporter.warn(Warning::NotCached(error));
        }
    }
}

/// Returns the lifetime of the cached token if a command could use the token at `now`. Prints, asks and writes nothing.
/// An unreadable file counts as a cache miss.
pub fn peek(cache: &TokenCache, vault: &Vault, profile: &Profile, now: Timestamp) -> Option<Lifetime> {
    let env_tag = if profile.name.is_env() { vault.env_tag(cache.device_key().ok()?) } else { None };
    let fingerprint = issued_for(profile, env_tag.as_deref())?;
    let token = cache.load(&profile.name).ok()??;
    let usable = token.fingerprint == fingerprint && token.lifetime.is_usable(now, profile.leeway);
    usable.then_some(token.lifetime)
}

/// Returns the fingerprint that a token of `profile` is issued for. Returns `None` if the profile has no usable secret,
/// or takes its secret from NETOSECRET and `env_tag` is `None`.
fn issued_for(profile: &Profile, env_tag: Option<&str>) -> Option<Fingerprint> {
    let account: Vec<&str> =
        [&profile.shortname, &profile.appname, &profile.username].into_iter().flatten().map(String::as_str).collect();
    let file;
    let mut credential: Vec<&str> = vec![profile.secret.label()];
    match &profile.secret {
        SecretLocation::None | SecretLocation::Plaintext(_) => return None,
        SecretLocation::Sealed(_) => credential.push(&profile.sealed.as_ref()?.id),
        SecretLocation::Command(words) => credential.extend(words.iter().map(String::as_str)),
        SecretLocation::File(path) => {
            file = path.to_string_lossy();
            credential.push(&file);
        }
        SecretLocation::Env(name) => credential.push(name),
    }
    if profile.name.is_env() {
        credential.push(env_tag?);
    }
    Some(Fingerprint::of(&profile.url, &account, &credential))
}
