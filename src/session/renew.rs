//! Gets a new token under the profile's lock: checks the cache again, then refreshes or logs in.
//!
//! Never prompts while the lock is held: releases the lock, prompts, and then starts all steps again.

use super::error::SessionError;
use super::lock_wait::{LockOutcome, LockWait, WaitStep, lock_busy};
use super::pipeline::Session;
use super::reporter::Warning;
use super::request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use super::shared_failure::SharedFailure;
use super::vault::VaultError;
use crate::disk::{self, DiskError, Durability, Lock, LockGuard, Privacy, ReadRules};
use crate::fusion::{CallOptions, Client, Grant};
use crate::profile::Profile;
use crate::token::{CachedToken, Lifetime, RefreshToken};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::rc::Rc;

/// Limits for reading a `ca_file`: at most 4 MiB, any permissions.
const CA_RULES: ReadRules = ReadRules { cap: 4 * 1024 * 1024, privacy: Privacy::Any };

/// Cached token and shared failure, as read before waiting for the lock. If the token on disk differs later, another
/// process obtained a token in the meantime. The new token is accepted even with `--force` or `--min-ttl`. If the
/// failure differs later, the new failure is returned as an error.
struct DiskSnapshot {
    token: Option<CachedToken>,
    failure: Option<SharedFailure>,
}

impl Session<'_> {
    /// Gets a new token. `token` is the cached token, which does not meet the request.
    pub(super) async fn renew(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        token: Option<CachedToken>,
    ) -> Result<AccessToken, SessionError> {
        let profile = loaded.profile;
        let snapshot = DiskSnapshot { token, failure: self.failures.load(&profile.name) };
        if !request.force {
            self.check_pause(profile, snapshot.failure.as_ref())?;
        }
        match self.renew_once(loaded, request, &snapshot).await {
            Err(SessionError::Vault(error)) if error.needs_interaction() => {
                // Prompt only now, after the lock was released. Then check the disk again, because another process may
                // have obtained a token in the meantime.
                self.vault.unlock(profile, self.reporter)?;
                self.renew_once(loaded, request, &snapshot).await
            }
            result => result,
        }
    }

    /// Waits for the lock, and gets a token while holding the lock. Returns an error instead of prompting.
    async fn renew_once(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        snapshot: &DiskSnapshot,
    ) -> Result<AccessToken, SessionError> {
        let profile = loaded.profile;
        let lock_name = format_args!("the token of '{}'", profile.name);
        let obtained = || self.obtained_meanwhile(profile, snapshot);
        let guard = match self.wait_for_lock_or(&self.token_lock(&profile.name), lock_name, obtained).await {
            Ok(LockOutcome::ObtainedMeanwhile(token)) => return Ok(AccessToken::from_cache(&token)),
            Ok(LockOutcome::Acquired(guard)) => Some(guard),
            // A token can be obtained even if the lock file cannot be created.
            Err(SessionError::Disk(error)) if !matches!(error, DiskError::ForeignOwner { .. }) => {
                if !self.has_warned_cache.replace(true) {
                    self.reporter.warn(Warning::NoLock(&error));
                }
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(token) = self.obtained_meanwhile(profile, snapshot)? {
            return Ok(AccessToken::from_cache(&token));
        }
        if let Some(guard) = &guard
            && let Some(access) = self.finish_or_use_cached(profile, guard).await?
        {
            return Ok(access);
        }
        self.grant(loaded, request, guard.as_ref()).await
    }

    /// Gets a new token from the server, by a refresh or else by a login, and caches the token. With `force`, always
    /// logs in. `guard` is the profile's lock, or `None` if the lock file cannot be created.
    pub(super) async fn grant(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        guard: Option<&LockGuard>,
    ) -> Result<AccessToken, SessionError> {
        let profile = loaded.profile;
        let refreshed = match self.cached(profile) {
            Some(token) if !request.force => self.refresh(profile, token).await?,
            _ => None,
        };
        let (grant, origin) = match refreshed {
            Some(grant) => (grant, TokenOrigin::Refreshed),
            None => (self.login_and_record(profile).await?, TokenOrigin::Login),
        };
        self.yield_turn().await;
        Ok(self.cache_grant(loaded, request, grant, origin, guard))
    }

    /// Returns `failure` as an error while its `Retry-After` blocks logins of `profile`.
    pub(super) fn check_pause(&self, profile: &Profile, failure: Option<&SharedFailure>) -> Result<(), SessionError> {
        let (Some(failure), Some(fingerprint)) = (failure, self.fingerprint(profile)) else { return Ok(()) };
        if failure.blocks_login(&fingerprint, self.clock.now()) {
            return Err(SessionError::Shared(failure.clone()));
        }
        Ok(())
    }

    /// Acquires `lock`, unless `obtained` returns a value first. After a second, reports the wait with `lock_name`.
    ///
    /// # Errors
    /// Returns an error if the lock file cannot be used, or if the lock timeout passes. Also returns the error of
    /// `obtained`.
    pub(super) async fn wait_for_lock_or<T>(
        &self,
        lock: &Lock,
        lock_name: fmt::Arguments<'_>,
        obtained: impl Fn() -> Result<Option<T>, SessionError>,
    ) -> Result<LockOutcome<T>, SessionError> {
        let mut wait = LockWait::new(self.lock_timeout);
        loop {
            match lock.try_lock() {
                Ok(Some(guard)) => {
                    self.reporter.trace(&|| format!("has the lock of {lock_name}"));
                    return Ok(LockOutcome::Acquired(guard));
                }
                Ok(None) => {}
                Err(error) => return Err(SessionError::Disk(error)),
            }
            if wait.is_first_attempt() {
                self.reporter.trace(&|| format!("another neto has the lock of {lock_name}; waiting"));
            }
            if let Some(value) = obtained()? {
                return Ok(LockOutcome::ObtainedMeanwhile(value));
            }
            match wait.next_step() {
                WaitStep::Sleep(pause) => tokio::time::sleep(pause).await,
                WaitStep::ReportAndSleep(pause) => {
                    self.reporter.waiting_for_lock(&lock_name.to_string(), lock.holder());
                    tokio::time::sleep(pause).await;
                }
                WaitStep::GiveUp(waited) => return Err(lock_busy(lock, waited).into()),
            }
        }
    }

    /// Returns the token that another process obtained since `snapshot`, if any.
    ///
    /// # Errors
    /// Returns the failure of a login that another process attempted since `snapshot`.
    fn obtained_meanwhile(
        &self,
        profile: &Profile,
        snapshot: &DiskSnapshot,
    ) -> Result<Option<CachedToken>, SessionError> {
        let is_new = |token: &CachedToken| snapshot.token.as_ref().is_none_or(|earlier| earlier.access != token.access);
        let is_usable = |token: &CachedToken| token.lifetime.is_usable(self.clock.now(), profile.leeway);
        if let Some(token) = self.cached(profile).filter(|token| is_new(token) && is_usable(token)) {
            self.reporter.trace(&|| format!("{}: another neto got a token meanwhile", profile.name));
            return Ok(Some(token));
        }
        let failure = self.failures.load(&profile.name).zip(self.fingerprint(profile));
        match failure {
            Some((failure, fingerprint)) if failure.came_after(snapshot.failure.as_ref(), &fingerprint) => {
                Err(SessionError::Shared(failure))
            }
            _ => Ok(None),
        }
    }

    /// Logs in. If the request fails, saves the failure for other processes. After a success, removes the saved
    /// failure.
    async fn login_and_record(&self, profile: &Profile) -> Result<Grant, SessionError> {
        let outcome = self.login(profile).await;
        let failure = match (&outcome, self.fingerprint(profile)) {
            (Err(SessionError::Fusion(error)), Some(fingerprint)) if !error.is_local() => {
                Err(SharedFailure::from_error(error, fingerprint, self.clock.now()))
            }
            // Errors on this machine, such as an invalid `ca_file`, do not concern other processes.
            (Err(_), _) => return outcome,
            _ => Ok(()),
        };
        if let Err(error) = self.failures.record_outcome(&profile.name, failure.as_ref().copied()) {
            self.reporter.trace(&|| format!("{error}; other processes will ask for themselves"));
        }
        outcome
    }

    /// Gets a new token with the refresh token. Returns `None` if the refresh fails, or if there is no valid refresh
    /// token or no device key. Also returns `None` if the profile has a `ca_file`, or if the token file cannot be
    /// written. The caller then logs in.
    ///
    /// The refresh token is removed from the disk before the request, and restored only if nothing was sent. A server
    /// may treat a second use as theft and end the session.
    ///
    /// # Errors
    /// Returns an error if this machine does not trust the profile, or if the HTTP client cannot be created.
    async fn refresh(&self, profile: &Profile, mut token: CachedToken) -> Result<Option<Grant>, SessionError> {
        let is_renewable = token.lifetime.is_renewable(self.clock.now());
        let (Some(RefreshToken(refresh)), Some(device)) =
            (token.refresh.take().filter(|_| is_renewable), self.device_key())
        else {
            self.reporter.trace(&|| format!("{}: no refresh token that lives", profile.name));
            return Ok(None);
        };
        // A refresh decrypts no secret, so only the trust store protects the choice of server. The trust store does not
        // cover the contents of the `ca_file`. A login compares these contents with the seal.
        if profile.ca_file.is_some() {
            self.reporter.trace(&|| format!("{}: not refreshed, since a login checks its ca_file", profile.name));
            return Ok(None);
        }
        if !profile.name.is_env() {
            self.vault.check_trust(profile)?;
        }
        let client = self.client(profile)?;
        let refresh_expires_at = token.lifetime.refresh_expires_at.take();
        if let Err(error) = self.save(&token, device, Durability::Durable) {
            self.warn_not_cached(&error);
            return Ok(None);
        }
        self.reporter.trace(&|| format!("{}: refreshing; the refresh token is off the disk", profile.name));
        let response = client.refresh(&profile.url, &refresh, self.call_options(profile)).await;
        let error = match response {
            Ok(grant) => return Ok(Some(grant)),
            Err(error) => error,
        };
        if error.was_never_sent() {
            token.refresh = Some(RefreshToken(refresh));
            token.lifetime.refresh_expires_at = refresh_expires_at;
            if let Err(error) = self.save(&token, device, Durability::Durable) {
                self.warn_not_cached(&error);
            }
        }
        self.reporter.warn(Warning::RefreshFailed { profile: &profile.name, error: &error });
        Ok(None)
    }

    async fn login(&self, profile: &Profile) -> Result<Grant, SessionError> {
        self.yield_turn().await;
        self.reporter.trace(&|| format!("{}: signing in", profile.name));
        let credential = self.vault.login_async(profile, self.reporter).await?;
        let client = self.client(profile)?;
        Ok(client.login(&profile.url, &credential.login_credential()?, self.call_options(profile)).await?)
    }

    pub(super) fn call_options(&self, profile: &Profile) -> CallOptions<'_> {
        CallOptions {
            timeout: profile.timeout.duration(),
            clock: self.clock,
            shares_rate_limit: self.is_concurrent.get(),
            observer: self.reporter,
        }
    }

    /// Returns the HTTP client for the profile's server. Profiles share a client if they have the same `ca_file` and
    /// the same kind of address, loopback or not.
    pub(super) fn client(&self, profile: &Profile) -> Result<Rc<Client>, SessionError> {
        let key = (profile.url.is_loopback(), profile.ca_file.clone());
        if let Some(client) = self.clients.borrow().get(&key) {
            return Ok(client.clone());
        }
        let roots = profile.ca_file.as_ref().map(|path| disk::read(path, CA_RULES)).transpose();
        let client = Rc::new(Client::new(&profile.url, roots.map_err(VaultError::CaFile)?.as_deref(), &self.proxies)?);
        self.clients.borrow_mut().insert(key, client.clone());
        Ok(client)
    }

    /// Caches the granted token and returns it. Warns if the token cannot be cached, or expires sooner than `--min-ttl`
    /// requires.
    fn cache_grant(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        grant: Grant,
        origin: TokenOrigin,
        guard: Option<&LockGuard>,
    ) -> AccessToken {
        let profile = loaded.profile;
        let obtained_at = whole_second(grant.obtained_at);
        let after = |seconds: u64| after(obtained_at, seconds);
        let Some(expires_at) = grant.lifetime.and_then(after) else {
            self.reporter.warn(Warning::NoLifetime(&profile.name));
            return AccessToken { token: grant.access, lifetime: None, origin, is_cached: false };
        };
        let refresh = grant.refresh.and_then(|refresh| Some((refresh.token, after(refresh.lifetime?)?)));
        let lifetime = Lifetime {
            obtained_at,
            expires_at,
            refresh_expires_at: refresh.as_ref().map(|(_, expires_at)| *expires_at),
        };
        let mut is_cached = false;
        if let (Some(device), Some(fingerprint)) = (self.device_key(), self.fingerprint(profile)) {
            let token = CachedToken {
                profile: profile.name.clone(),
                fingerprint,
                lifetime,
                access: grant.access.clone(),
                refresh: refresh.map(|(token, _)| RefreshToken(token)),
                declaration: loaded.reading.zip(guard).and_then(|(reading, guard)| reading.declaration(profile, guard)),
            };
            match self.save(&token, device, Durability::Atomic) {
                Ok(()) => is_cached = true,
                Err(error) => self.warn_not_cached(&error),
            }
        }
        let remaining_seconds = lifetime.remaining(self.clock.now()).as_secs();
        if request
            .min_ttl
            .is_some_and(|ttl| i64::try_from(ttl.seconds()).is_ok_and(|min_seconds| remaining_seconds < min_seconds))
        {
            self.reporter.warn(Warning::ShortLifetime {
                profile: &profile.name,
                lifetime_seconds: lifetime.duration().as_secs(),
            });
        }
        AccessToken { token: grant.access, lifetime: Some(lifetime), origin, is_cached }
    }
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

fn after(instant: Timestamp, seconds: u64) -> Option<Timestamp> {
    instant.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}
