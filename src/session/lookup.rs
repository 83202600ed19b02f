//! Looks up and saves cached tokens. Sends no request.
//!
//! A cached token is used only if its fingerprint matches the URL, account and credential that the profile has now.

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

/// Result of looking up a cached token.
pub(super) enum Lookup {
    /// Cached token that meets the request.
    Hit(AccessToken),
    /// No cached token meets the request. Holds the cached token if it matches the profile.
    Miss(Option<CachedToken>),
}

impl Session<'_> {
    /// Returns the lifetime of a profile's cached token; see [`Session::lifetimes`].
    pub fn lifetime(&self, profile: &Profile) -> Option<Lifetime> {
        self.lifetimes(&[profile]).pop().flatten()
    }

    /// Returns the lifetime of each profile's cached token, in the order of `profiles`, without decrypting the tokens.
    /// The lifetime is `None` if the profile has no usable secret or no matching cached token. If a token file cannot
    /// be used, the lifetime is `None`, and the user is warned.
    ///
    /// A long list is divided among several threads, because system calls take most of the time.
    pub fn lifetimes(&self, profiles: &[&Profile]) -> Vec<Option<Lifetime>> {
        let env_tag = profiles.iter().find_map(|profile| self.env_tag(profile));
        let tokens = self.cache.files();
        let loaded = parallel::map(profiles, |profile| {
            let fingerprint = compute_fingerprint(profile, env_tag.as_deref());
            fingerprint.map_or(Ok(None), |fingerprint| tokens.load_lifetime(&profile.name, &fingerprint))
        });
        let warn = |error| {
            self.reporter.warn(Warning::TokenFile(&error));
            None
        };
        loaded.into_iter().map(|loaded| loaded.unwrap_or_else(warn)).collect()
    }

    /// Returns the fingerprint that a token of `profile` must have. If this run rotated the profile's API key, this is
    /// the fingerprint for the new API key. Returns `None` if the profile has no usable secret. Also returns `None` for
    /// the environment profile if `NETOSECRET` or the device key is missing.
    pub fn fingerprint(&self, profile: &Profile) -> Option<Fingerprint> {
        match self.vault.rotated_profile(profile) {
            Some(rotated) => self.declared_fingerprint(&rotated),
            None => self.declared_fingerprint(profile),
        }
    }

    /// Returns the fingerprint like [`Session::fingerprint`], but ignores a rotation in this run.
    pub(super) fn declared_fingerprint(&self, profile: &Profile) -> Option<Fingerprint> {
        compute_fingerprint(profile, self.env_tag(profile).as_deref())
    }

    /// Returns a keyed tag of `NETOSECRET`, for the fingerprint of the environment profile. Returns `None` if `profile`
    /// is not the environment profile, or if `NETOSECRET` or the device key is missing.
    fn env_tag(&self, profile: &Profile) -> Option<String> {
        if profile.name.is_env() { self.vault.env_tag(self.device_key()?) } else { None }
    }

    /// Looks up the cached token without waiting for a lock.
    ///
    /// # Errors
    /// Returns an error if the profile has no secret or a plaintext secret. Returns an error if other users can access
    /// the device key. With `offline`, also returns an error if no cached token meets the request.
    pub(super) fn lookup(&self, loaded: LoadedProfile<'_>, request: TokenRequest) -> Result<Lookup, SessionError> {
        let profile = loaded.profile;
        match profile.secret {
            SecretLocation::None => return Err(SessionError::NoSecret),
            SecretLocation::Plaintext(_) => return Err(SessionError::PlaintextSecret),
            _ => {}
        }
        let stored_token = loaded.cached.cloned().or_else(|| self.read_cached(profile));
        let had_token = stored_token.is_some();
        let matching = self.issued_for_today(profile, stored_token);
        if let Err(KeyError::Disk(DiskError::TooOpen { path, mode, writable })) = self.cache.device_key() {
            let (path, mode, writable) = (path.clone(), *mode, *writable);
            return Err(VaultError::Key(KeyError::Disk(DiskError::TooOpen { path, mode, writable })).into());
        }
        let now = self.clock.now();
        if let Some(token) = matching.as_ref().filter(|token| !request.force && self.satisfies(token, profile, request))
        {
            self.reporter
                .trace(&|| format!("{}: the cached token is good until {}", profile.name, token.lifetime.expires_at));
            self.cache_declaration(loaded, token);
            return Ok(Lookup::Hit(AccessToken::from_cache(token)));
        }
        self.reporter.trace(&|| {
            format!("{}: {}", profile.name, self.miss_reason(profile, matching.as_ref(), had_token, request))
        });
        if request.offline {
            let state = matching.map_or(TokenState::None, |token| token.lifetime.state(now));
            return Err(SessionError::Offline(state));
        }
        Ok(Lookup::Miss(matching))
    }

    /// Returns the reason why the cached token does not meet the request, for verbose output.
    fn miss_reason(
        &self,
        profile: &Profile,
        matching: Option<&CachedToken>,
        had_token: bool,
        request: TokenRequest,
    ) -> String {
        let Some(token) = matching else {
            let reason =
                if had_token { "the cached token is for another url, account or secret" } else { "no cached token" };
            return reason.to_owned();
        };
        match (token.lifetime.stale_reason(self.clock.now(), profile.leeway), request.min_ttl) {
            (Some(stale_reason), _) => format!("the cached token {stale_reason}"),
            (None, Some(ttl)) if !request.force => format!("the cached token is good for less than {ttl}"),
            _ => "the cached token is good, but a new one is wanted".to_owned(),
        }
    }

    /// Checks whether the token is usable now and has the requested minimum lifetime. Ignores `force` and `offline`.
    pub(super) fn satisfies(&self, token: &CachedToken, profile: &Profile, request: TokenRequest) -> bool {
        let now = self.clock.now();
        let lives_long_enough =
            |ttl: Span| token.lifetime.remaining(now).as_secs() >= i64::try_from(ttl.seconds()).unwrap_or(i64::MAX);
        token.lifetime.is_usable(now, profile.leeway) && request.min_ttl.is_none_or(lives_long_enough)
    }

    /// Returns the cached token if its fingerprint matches the profile. The token may be expired.
    pub(super) fn cached(&self, profile: &Profile) -> Option<CachedToken> {
        self.issued_for_today(profile, self.read_cached(profile))
    }

    /// Returns the token if its fingerprint matches the profile as declared now.
    fn issued_for_today(&self, profile: &Profile, token: Option<CachedToken>) -> Option<CachedToken> {
        let fingerprint = self.fingerprint(profile)?;
        token.filter(|token| token.fingerprint == fingerprint)
    }

    /// Reads the cached token without checking which credential it was issued for. Returns `None` if the device key or
    /// the token file is missing. If the token file cannot be used, returns `None` and warns, at most once per profile.
    fn read_cached(&self, profile: &Profile) -> Option<CachedToken> {
        self.device_key()?;
        self.cache.load(&profile.name).unwrap_or_else(|error| {
            // The file is read several times in one run, but the user needs only one warning.
            if self.warned_files.borrow_mut().insert(profile.name.clone()) {
                self.reporter.warn(Warning::TokenFile(&error));
            }
            None
        })
    }

    /// Writes the profile's token file, replacing an earlier token.
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

    /// Records the profile's declaration in its token file, so that later runs need not read the store. Does nothing if
    /// the recorded declaration is current, or if another process holds the lock. Ignores errors.
    pub(super) fn cache_declaration(&self, loaded: LoadedProfile<'_>, token: &CachedToken) {
        let is_new = |reading: &StoreReading| reading.has_new_declaration(loaded.profile, token.declaration.as_deref());
        let Some(reading) = loaded.reading.filter(is_new) else { return };
        let Ok(Some(guard)) = self.token_lock(&token.profile).try_lock() else { return };
        let declaration = reading.declaration(loaded.profile, &guard);
        // Load the token again: another process may have used the refresh token since the lookup.
        let (Some(_), Some(device), Some(mut current)) = (&declaration, self.device_key(), self.cached(loaded.profile))
        else {
            return;
        };
        current.declaration = declaration;
        if let Err(error) = self.save(&current, device, Durability::Atomic) {
            self.reporter.trace(&|| format!("{error}; the store is read again next time"));
        }
    }

    /// Returns the device key. If the key can be neither read nor created, warns once and returns `None`; tokens are
    /// then not cached.
    pub(super) fn device_key(&self) -> Option<&DeviceKey> {
        match self.cache.device_key() {
            Ok(key) => Some(key),
            // No warning here: `lookup` returns this error.
            Err(KeyError::Disk(DiskError::TooOpen { .. })) => None,
            Err(error) => {
                self.warn_not_cached(error);
                None
            }
        }
    }

    /// Warns that tokens are not cached, at most once per run.
    pub(super) fn warn_not_cached(&self, error: &dyn std::error::Error) {
        if !self.has_warned_cache.replace(true) {
            self.reporter.warn(Warning::NotCached(error));
        }
    }
}

/// Returns the lifetime of the cached token if a command could use the token at `now`. Never prints or prompts. Returns
/// `None` if the token file cannot be used. Writes no file if the caller called [`TokenCache::forbid_key_creation`]
/// before.
pub fn peek(cache: &TokenCache, vault: &Vault, loaded: LoadedProfile<'_>, now: Timestamp) -> Option<Lifetime> {
    let profile = loaded.profile;
    let env_tag = if profile.name.is_env() { vault.env_tag(cache.device_key().ok()?) } else { None };
    let fingerprint = compute_fingerprint(profile, env_tag.as_deref())?;
    let read_token;
    let token = if let Some(token) = loaded.cached {
        token
    } else {
        read_token = cache.load(&profile.name).ok()??;
        &read_token
    };
    let is_usable_now = token.fingerprint == fingerprint && token.lifetime.is_usable(now, profile.leeway);
    is_usable_now.then_some(token.lifetime)
}

/// Returns the fingerprint that a token of `profile` must have. Returns `None` if the profile has no secret, a
/// plaintext secret, or a sealed secret without an id. Also returns `None` for the environment profile if `env_tag` is
/// `None`.
fn compute_fingerprint(profile: &Profile, env_tag: Option<&str>) -> Option<Fingerprint> {
    let account: Vec<&str> =
        [&profile.shortname, &profile.appname, &profile.username].into_iter().flatten().map(String::as_str).collect();
    let path_text;
    let mut credential: Vec<&str> = vec![profile.secret.label()];
    match &profile.secret {
        SecretLocation::None | SecretLocation::Plaintext(_) => return None,
        SecretLocation::Sealed(_) => credential.push(&profile.sealed.as_ref()?.id),
        SecretLocation::Command(arguments) => credential.extend(arguments.iter().map(String::as_str)),
        SecretLocation::File(path) => {
            path_text = path.to_string_lossy();
            credential.push(&path_text);
        }
        SecretLocation::Env(name) => credential.push(name),
    }
    if profile.name.is_env() {
        credential.push(env_tag?);
    }
    Some(Fingerprint::of(&profile.url, &account, &credential))
}
