//! A new token under the profile's lock: second look, refresh with the burn, login.

use super::lock_wait::{Next, Patience, busy};
use super::shared_failure::Failure;
use super::{Access, Declared, Granted, Session, SessionError, Want, Warning};
use crate::disk::{self, DiskError, Durability, Lock, Locked, Privacy, Rules};
use crate::fusion::{Client, Grant, Manner};
use crate::profile::Profile;
use crate::session::VaultError;
use crate::token::{CachedToken, Lifetime, RefreshToken};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::rc::Rc;

/// The most that a file of root certificates may hold.
const CA_RULES: Rules = Rules { cap: 4 * 1024 * 1024, privacy: Privacy::Any };

/// What lay on disk before any waiting. Whatever lies there later and is another came meanwhile: a token
/// then satisfies `--force` and `--min-ttl` too, and a failure is adopted.
struct Seen {
    token: Option<CachedToken>,
    failure: Option<Failure>,
}

/// How waiting for a lock ended.
pub(super) enum Turn<T> {
    /// This process has it.
    Mine(Locked),
    /// While waiting, another process did what it was wanted for.
    Served(T),
}

impl Session<'_> {
    /// A new token; `token` is what the cache holds.
    pub(super) async fn renew(
        &self,
        declared: Declared<'_>,
        want: Want,
        token: Option<CachedToken>,
    ) -> Result<Access, SessionError> {
        let profile = declared.profile;
        let seen = Seen { token, failure: self.failures.load(&profile.name) };
        if !want.force {
            self.check_pause(profile, seen.failure.as_ref())?;
        }
        match self.attempt(declared, want, &seen).await {
            Err(SessionError::Vault(error)) if error.wants_a_person() => {
                // Nothing is asked under the lock, which was let go; whoever had it meanwhile may have served us.
                self.vault.unlock(profile, self.watcher)?;
                self.attempt(declared, want, &seen).await
            }
            outcome => outcome,
        }
    }

    /// Waits for the lock and gets a token under it; fails where somebody has to be asked.
    async fn attempt(&self, declared: Declared<'_>, want: Want, seen: &Seen) -> Result<Access, SessionError> {
        let profile = declared.profile;
        let what = format_args!("the token of '{}'", profile.name);
        let served = || self.served_meanwhile(profile, seen);
        let held = match self.wait(&self.lock_of(&profile.name), what, served).await {
            Ok(Turn::Served(token)) => return Ok(Access::cached(&token)),
            Ok(Turn::Mine(held)) => Some(held),
            // Nowhere to lock, and no reason to go without a token.
            Err(SessionError::Disk(error)) if !matches!(error, DiskError::ForeignOwner { .. }) => {
                if !self.warned_cache.replace(true) {
                    self.watcher.warn(Warning::NoLock(&error));
                }
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(token) = self.served_meanwhile(profile, seen)? {
            return Ok(Access::cached(&token));
        }
        if let Some(held) = &held
            && let Some(access) = self.finish_begun(profile, held).await?
        {
            return Ok(access);
        }
        self.grant(declared, want, held.as_ref()).await
    }

    /// A new token, while the lock is held: with the refresh token, else by a login.
    pub(super) async fn grant(
        &self,
        declared: Declared<'_>,
        want: Want,
        held: Option<&Locked>,
    ) -> Result<Access, SessionError> {
        let profile = declared.profile;
        let refreshed = match self.cached(profile) {
            Some(token) if !want.force => self.refresh(profile, token).await?,
            _ => None,
        };
        let (grant, origin) = match refreshed {
            Some(grant) => (grant, Granted::Refreshed),
            None => (self.login_and_note(profile).await?, Granted::Login),
        };
        self.breathe().await;
        Ok(self.keep(declared, want, grant, origin, held))
    }

    /// Fails while the server wants to be left alone, as it told whichever process asked last.
    pub(super) fn check_pause(&self, profile: &Profile, failure: Option<&Failure>) -> Result<(), SessionError> {
        let (Some(failure), Some(fingerprint)) = (failure, self.fingerprint(profile)) else { return Ok(()) };
        if failure.binds(&fingerprint, self.clock.now()) {
            return Err(SessionError::Shared(failure.clone()));
        }
        Ok(())
    }

    /// Waits for a lock, as long as nobody else did what it is wanted for; `what` it guards is told after a second.
    pub(super) async fn wait<T>(
        &self,
        lock: &Lock,
        what: fmt::Arguments<'_>,
        served: impl Fn() -> Result<Option<T>, SessionError>,
    ) -> Result<Turn<T>, SessionError> {
        let mut patience = Patience::new(self.lock_timeout);
        loop {
            match lock.attempt() {
                Ok(Some(held)) => {
                    self.watcher.trace(&|| format!("has the lock of {what}"));
                    return Ok(Turn::Mine(held));
                }
                Ok(None) => {}
                Err(error) => return Err(SessionError::Disk(error)),
            }
            if patience.is_new() {
                self.watcher.trace(&|| format!("another neto has the lock of {what}; waiting"));
            }
            if let Some(done) = served()? {
                return Ok(Turn::Served(done));
            }
            match patience.next() {
                Next::Sleep(pause) => tokio::time::sleep(pause).await,
                Next::Tell(pause) => {
                    self.watcher.waiting(&what.to_string(), lock.holder());
                    tokio::time::sleep(pause).await;
                }
                Next::GiveUp(waited) => return Err(busy(lock, waited).into()),
            }
        }
    }

    /// The token that another process got since `seen`, or its failure.
    fn served_meanwhile(&self, profile: &Profile, seen: &Seen) -> Result<Option<CachedToken>, SessionError> {
        let new = |token: &CachedToken| seen.token.as_ref().is_none_or(|seen| seen.access != token.access);
        let good = |token: &CachedToken| token.lifetime.is_usable(self.clock.now(), profile.leeway);
        if let Some(token) = self.cached(profile).filter(|token| new(token) && good(token)) {
            self.watcher.trace(&|| format!("{}: another neto got a token meanwhile", profile.name));
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

    /// A login, of which others learn when it fails.
    async fn login_and_note(&self, profile: &Profile) -> Result<Grant, SessionError> {
        let outcome = self.login(profile).await;
        let failure = match (&outcome, self.fingerprint(profile)) {
            (Err(SessionError::Fusion(error)), Some(print)) if !error.is_local() => {
                Err(Failure::of(error, print, self.clock.now()))
            }
            // What fails on this machine before anything is asked is for each process to find out.
            (Err(_), _) => return outcome,
            _ => Ok(()),
        };
        if let Err(error) = self.failures.note(&profile.name, failure.as_ref().copied()) {
            self.watcher.trace(&|| format!("{error}; other processes will ask for themselves"));
        }
        outcome
    }

    /// Renews with the refresh token, if it lives. It is burnt before it is sent and never sent again,
    /// because a server may take a second use for theft and end the session.
    async fn refresh(&self, profile: &Profile, mut token: CachedToken) -> Result<Option<Grant>, SessionError> {
        let living = token.lifetime.is_renewable(self.clock.now());
        let (Some(RefreshToken(refresh)), Some(device)) = (token.refresh.take().filter(|_| living), self.device())
        else {
            self.watcher.trace(&|| format!("{}: no refresh token that lives", profile.name));
            return Ok(None);
        };
        // A refresh opens no seal, so what it is sent to and which roots it trusts is judged by the memory alone.
        // The memory does not know what a file of roots holds; the login looks into it, as the seal does.
        if profile.ca_file.is_some() {
            self.watcher.trace(&|| format!("{}: not refreshed, since a login checks its ca_file", profile.name));
            return Ok(None);
        }
        if !profile.name.is_env() {
            self.vault.check_trust(profile)?;
        }
        let client = self.client(profile)?;
        let refresh_expires_at = token.lifetime.refresh_expires_at.take();
        if let Err(error) = self.save(&token, device, Durability::Durable) {
            self.warn_cache(&error);
            return Ok(None);
        }
        self.watcher.trace(&|| format!("{}: refreshing; the refresh token is off the disk", profile.name));
        let answer = client.refresh(&profile.url, &refresh, self.manner(profile)).await;
        let error = match answer {
            Ok(grant) => return Ok(Some(grant)),
            Err(error) => error,
        };
        if error.was_never_sent() {
            token.refresh = Some(RefreshToken(refresh));
            token.lifetime.refresh_expires_at = refresh_expires_at;
            if let Err(error) = self.save(&token, device, Durability::Durable) {
                self.warn_cache(&error);
            }
        }
        self.watcher.warn(Warning::RefreshFailed { profile: &profile.name, error: &error });
        Ok(None)
    }

    async fn login(&self, profile: &Profile) -> Result<Grant, SessionError> {
        self.breathe().await;
        self.watcher.trace(&|| format!("{}: signing in", profile.name));
        let credential = self.vault.credential_beside(profile, self.watcher).await?;
        let client = self.client(profile)?;
        Ok(client.login(&profile.url, &credential.login()?, self.manner(profile)).await?)
    }

    pub(super) fn manner(&self, profile: &Profile) -> Manner<'_> {
        Manner {
            timeout: profile.timeout.duration(),
            clock: self.clock,
            in_turn: self.is_fleet.get(),
            tell: self.watcher,
        }
    }

    /// The client for a profile's server; profiles that trust the same roots share one.
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

    /// Keeps what was granted, while the lock is held. A cache that cannot be written costs the next
    /// command a login, never this one its token.
    fn keep(&self, declared: Declared<'_>, want: Want, grant: Grant, origin: Granted, held: Option<&Locked>) -> Access {
        let profile = declared.profile;
        let obtained_at = whole_second(grant.obtained_at);
        let after = |seconds: u64| after(obtained_at, seconds);
        let Some(expires_at) = grant.lifetime.and_then(after) else {
            self.watcher.warn(Warning::NoLifetime(&profile.name));
            return Access { token: grant.access, lifetime: None, origin, kept: false };
        };
        let refresh = grant.refresh.and_then(|refresh| Some((refresh.token, after(refresh.lifetime?)?)));
        let lifetime = Lifetime {
            obtained_at,
            expires_at,
            refresh_expires_at: refresh.as_ref().map(|(_, expires_at)| *expires_at),
        };
        let mut kept = false;
        if let (Some(device), Some(fingerprint)) = (self.device(), self.fingerprint(profile)) {
            let token = CachedToken {
                profile: profile.name.clone(),
                fingerprint,
                lifetime,
                access: grant.access.clone(),
                refresh: refresh.map(|(token, _)| RefreshToken(token)),
                declaration: declared.reading.zip(held).and_then(|(reading, held)| reading.declaration(profile, held)),
            };
            match self.save(&token, device, Durability::Atomic) {
                Ok(()) => kept = true,
                Err(error) => self.warn_cache(&error),
            }
        }
        let left = lifetime.left(self.clock.now()).as_secs();
        if want.min_ttl.is_some_and(|ttl| i64::try_from(ttl.seconds()).is_ok_and(|wanted| left < wanted)) {
            self.watcher.warn(Warning::ShortLife { profile: &profile.name, whole: lifetime.whole().as_secs() });
        }
        Access { token: grant.access, lifetime: Some(lifetime), origin, kept }
    }
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

fn after(instant: Timestamp, seconds: u64) -> Option<Timestamp> {
    instant.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}
