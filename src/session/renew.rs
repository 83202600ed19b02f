//! Getting a new token under the profile's lock: check the cache again, refresh, else log in.

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

/// Maximum size of a file of root certificates: 4 MiB.
const CA_RULES: ReadRules = ReadRules { cap: 4 * 1024 * 1024, privacy: Privacy::Any };

/// Cached token and failure as read before waiting for the lock. A different token read later was obtained meanwhile,
/// so it satisfies `--force` and `--min-ttl` too. A different failure is adopted.
struct DiskSnapshot {
    token: Option<CachedToken>,
    failure: Option<SharedFailure>,
}

impl Session<'_> {
    /// Gets a new token; `token` is the cached token.
    pub(super) async fn renew(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        token: Option<CachedToken>,
    ) -> Result<AccessToken, SessionError> {
        let profile = loaded.profile;
        let seen = DiskSnapshot { token, failure: self.failures.load(&profile.name) };
        if !request.force {
            self.check_pause(profile, seen.failure.as_ref())?;
        }
        match self.renew_once(loaded, request, &seen).await {
            Err(SessionError::Vault(error)) if error.needs_interaction() => {
                // The user is asked only after the lock was released. Another process may have obtained a token
                // meanwhile.
                self.vault.unlock(profile, self.reporter)?;
                self.renew_once(loaded, request, &seen).await
            }
            outcome => outcome,
        }
    }

    /// Waits for the lock and gets a token under it; fails if the user would have to be asked.
    async fn renew_once(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        seen: &DiskSnapshot,
    ) -> Result<AccessToken, SessionError> {
        let profile = loaded.profile;
        let what = format_args!("the token of '{}'", profile.name);
        let served = || self.obtained_meanwhile(profile, seen);
        let held = match self.wait(&self.token_lock(&profile.name), what, served).await {
            Ok(LockOutcome::ObtainedMeanwhile(token)) => return Ok(AccessToken::from_cache(&token)),
            Ok(LockOutcome::Acquired(held)) => Some(held),
            // Without a lock a token can still be obtained.
            Err(SessionError::Disk(error)) if !matches!(error, DiskError::ForeignOwner { .. }) => {
                if !self.has_warned_cache.replace(true) {
                    self.reporter.warn(Warning::NoLock(&error));
                }
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(token) = self.obtained_meanwhile(profile, seen)? {
            return Ok(AccessToken::from_cache(&token));
        }
        if let Some(held) = &held
            && let Some(access) = self.finish_or_use_cached(profile, held).await?
        {
            return Ok(access);
        }
        self.grant(loaded, request, held.as_ref()).await
    }

    /// Gets a new token under the lock: with the refresh token, else by a login.
    pub(super) async fn grant(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        held: Option<&LockGuard>,
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
        Ok(self.cache_grant(loaded, request, grant, origin, held))
    }

    /// Fails while the `Retry-After` that the server sent to any process has not passed.
    pub(super) fn check_pause(&self, profile: &Profile, failure: Option<&SharedFailure>) -> Result<(), SessionError> {
        let (Some(failure), Some(fingerprint)) = (failure, self.fingerprint(profile)) else { return Ok(()) };
        if failure.is_pausing(&fingerprint, self.clock.now()) {
            return Err(SessionError::Shared(failure.clone()));
        }
        Ok(())
    }

    /// Waits for a lock until `served` returns a value. After a second the user is told what is waited for.
    pub(super) async fn wait<T>(
        &self,
        lock: &Lock,
        what: fmt::Arguments<'_>,
        served: impl Fn() -> Result<Option<T>, SessionError>,
    ) -> Result<LockOutcome<T>, SessionError> {
        let mut wait = LockWait::new(self.lock_timeout);
        loop {
            match lock.try_lock() {
                Ok(Some(held)) => {
                    self.reporter.trace(&|| format!("has the lock of {what}"));
                    return Ok(LockOutcome::Acquired(held));
                }
                Ok(None) => {}
                Err(error) => return Err(SessionError::Disk(error)),
            }
            if wait.is_new() {
                self.reporter.trace(&|| format!("another neto has the lock of {what}; waiting"));
            }
            if let Some(done) = served()? {
                return Ok(LockOutcome::ObtainedMeanwhile(done));
            }
            match wait.next_step() {
                WaitStep::Sleep(pause) => tokio::time::sleep(pause).await,
                WaitStep::ReportAndSleep(pause) => {
                    self.reporter.waiting(&what.to_string(), lock.holder());
                    tokio::time::sleep(pause).await;
                }
                WaitStep::GiveUp(waited) => return Err(lock_busy(lock, waited).into()),
            }
        }
    }

    /// Returns the token, or the failure, that another process obtained since `seen`.
    fn obtained_meanwhile(&self, profile: &Profile, seen: &DiskSnapshot) -> Result<Option<CachedToken>, SessionError> {
        let new = |token: &CachedToken| seen.token.as_ref().is_none_or(|seen| seen.access != token.access);
        let good = |token: &CachedToken| token.lifetime.is_usable(self.clock.now(), profile.leeway);
        if let Some(token) = self.cached(profile).filter(|token| new(token) && good(token)) {
            self.reporter.trace(&|| format!("{}: another neto got a token meanwhile", profile.name));
            return Ok(Some(token));
        }
        let failure = self.failures.load(&profile.name).zip(self.fingerprint(profile));
        match failure {
            Some((failure, print)) if failure.came_after(seen.failure.as_ref(), &print) => {
                Err(SessionError::Shared(failure))
            }
            _ => Ok(None),
        }
    }

    /// Logs in and saves the outcome, so that other processes can adopt a failure.
    async fn login_and_record(&self, profile: &Profile) -> Result<Grant, SessionError> {
        let outcome = self.login(profile).await;
        let failure = match (&outcome, self.fingerprint(profile)) {
            (Err(SessionError::Fusion(error)), Some(print)) if !error.is_local() => {
                Err(SharedFailure::from_error(error, print, self.clock.now()))
            }
            // Failures on this machine before any request are not shared.
            (Err(_), _) => return outcome,
            _ => Ok(()),
        };
        if let Err(error) = self.failures.record_outcome(&profile.name, failure.as_ref().copied()) {
            self.reporter.trace(&|| format!("{error}; other processes will ask for themselves"));
        }
        outcome
    }

    /// Refreshes with the refresh token, if that is still valid. The refresh token is removed from the disk before the
    /// request, and never sent twice. A server may treat a second use as theft and end the session.
    async fn refresh(&self, profile: &Profile, mut token: CachedToken) -> Result<Option<Grant>, SessionError> {
        let living = token.lifetime.is_renewable(self.clock.now());
        let (Some(RefreshToken(refresh)), Some(device)) = (token.refresh.take().filter(|_| living), self.device_key())
        else {
            self.reporter.trace(&|| format!("{}: no refresh token that lives", profile.name));
            return Ok(None);
        };
        // A refresh opens no seal, so only the trust store vouches for the server. The trust store does not cover the
        // contents of the `ca_file`; a login checks those against the seal.
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
        let answer = client.refresh(&profile.url, &refresh, self.call_options(profile)).await;
        let error = match answer {
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

    /// Returns the HTTP client for the profile's server. Profiles with the same `ca_file` share a client.
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

    /// Caches the granted token under the lock. If the cache cannot be written, only the next command is affected: it
    /// has to log in.
    fn cache_grant(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        grant: Grant,
        origin: TokenOrigin,
        held: Option<&LockGuard>,
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
        let mut kept = false;
        if let (Some(device), Some(fingerprint)) = (self.device_key(), self.fingerprint(profile)) {
            let token = CachedToken {
                profile: profile.name.clone(),
                fingerprint,
                lifetime,
                access: grant.access.clone(),
                refresh: refresh.map(|(token, _)| RefreshToken(token)),
                declaration: loaded.reading.zip(held).and_then(|(reading, held)| reading.declaration(profile, held)),
            };
            match self.save(&token, device, Durability::Atomic) {
                Ok(()) => kept = true,
                Err(error) => self.warn_not_cached(&error),
            }
        }
        let left = lifetime.remaining(self.clock.now()).as_secs();
        if request.min_ttl.is_some_and(|ttl| i64::try_from(ttl.seconds()).is_ok_and(|wanted| left < wanted)) {
            self.reporter
                .warn(Warning::ShortLife { profile: &profile.name, lifetime_seconds: lifetime.duration().as_secs() });
        }
        AccessToken { token: grant.access, lifetime: Some(lifetime), origin, is_cached: kept }
    }
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

fn after(instant: Timestamp, seconds: u64) -> Option<Timestamp> {
    instant.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}
