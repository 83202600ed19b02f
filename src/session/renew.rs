//! A new token under the profile's lock: second look, refresh with the burn, login.

use super::patience::{Next, Patience, busy};
use super::{Access, Granted, Session, SessionError, Want, Warning};
use crate::disk::{self, Durability, Locked, Privacy, Rules};
use crate::fusion::{Client, Grant};
use crate::profile::Profile;
use crate::session::VaultError;
use crate::token::{CachedToken, Lifetime, RefreshToken};
use jiff::{SignedDuration, Timestamp};

/// The most that a file of root certificates may hold.
const CA_RULES: Rules = Rules { cap: 4 * 1024 * 1024, privacy: Privacy::Any };

/// How waiting for the lock ended.
enum Turn {
    /// This process has it, or goes on alone where there can be no lock.
    Mine(Option<Locked>),
    /// While waiting, another process got a token that does.
    Served(CachedToken),
}

impl Session<'_> {
    /// A new token. `seen` is what the cache held before any waiting: whatever lies there later and is
    /// another token was granted meanwhile, so it satisfies `--force` and `--min-ttl` too.
    pub(super) async fn renew(
        &self,
        profile: &Profile,
        want: Want,
        seen: Option<CachedToken>,
    ) -> Result<Access, SessionError> {
        let _held = match self.take_turn(profile, seen.as_ref()).await? {
            Turn::Served(token) => return Ok(Access::cached(&token)),
            Turn::Mine(held) => held,
        };
        let cached = self.cached(profile);
        if let Some(token) = cached.as_ref().filter(|token| self.came_meanwhile(token, seen.as_ref(), profile)) {
            return Ok(Access::cached(token));
        }
        let refreshed = match cached {
            Some(token) if !want.force => self.refresh(profile, token).await?,
            _ => None,
        };
        let (grant, origin) = match refreshed {
            Some(grant) => (grant, Granted::Refreshed),
            None => (self.login(profile).await?, Granted::Login),
        };
        Ok(self.keep(profile, want, grant, origin))
    }

    async fn take_turn(&self, profile: &Profile, seen: Option<&CachedToken>) -> Result<Turn, SessionError> {
        let lock = self.lock_of(&profile.name);
        let mut patience = Patience::new(self.lock_timeout);
        loop {
            match lock.attempt() {
                Ok(Some(held)) => return Ok(Turn::Mine(Some(held))),
                Ok(None) => {}
                Err(error) => {
                    if !self.warned_lock.replace(true) {
                        self.watcher.warn(Warning::NoLock(&error));
                    }
                    return Ok(Turn::Mine(None));
                }
            }
            if let Some(token) = self.cached(profile).filter(|token| self.came_meanwhile(token, seen, profile)) {
                return Ok(Turn::Served(token));
            }
            match patience.next() {
                Next::Sleep(pause) => tokio::time::sleep(pause).await,
                Next::Tell(pause) => {
                    self.watcher.waiting(&format!("the token of '{}'", profile.name), lock.holder());
                    tokio::time::sleep(pause).await;
                }
                Next::GiveUp(waited) => return Err(busy(&lock, waited).into()),
            }
        }
    }

    fn came_meanwhile(&self, token: &CachedToken, seen: Option<&CachedToken>, profile: &Profile) -> bool {
        let same = seen.is_some_and(|seen| seen.access == token.access);
        !same && token.lifetime.is_usable(self.clock.now(), profile.leeway)
    }

    /// Renews with the refresh token, if it lives. It is burnt before it is sent and never sent again,
    /// because a server may take a second use for theft and end the session.
    async fn refresh(&self, profile: &Profile, mut token: CachedToken) -> Result<Option<Grant>, SessionError> {
        let living = token.lifetime.is_renewable(self.clock.now());
        let (Some(RefreshToken(refresh)), Some(device)) = (token.refresh.take().filter(|_| living), self.device())
        else {
            return Ok(None);
        };
        let refresh_expires_at = token.lifetime.refresh_expires_at.take();
        if let Err(error) = self.tokens.save(&token, device, Durability::Durable) {
            self.warn_cache(&error);
            return Ok(None);
        }
        let client = self.client(profile)?;
        let answer = client.refresh(&profile.url, &refresh, profile.timeout.duration(), self.clock, self.watcher).await;
        let error = match answer {
            Ok(grant) => return Ok(Some(grant)),
            Err(error) => error,
        };
        if error.was_never_sent() {
            token.refresh = Some(RefreshToken(refresh));
            token.lifetime.refresh_expires_at = refresh_expires_at;
            if let Err(error) = self.tokens.save(&token, device, Durability::Durable) {
                self.warn_cache(&error);
            }
        }
        self.watcher.warn(Warning::RefreshFailed { profile: &profile.name, error: &error });
        Ok(None)
    }

    async fn login(&self, profile: &Profile) -> Result<Grant, SessionError> {
        let credential = self.vault.credential(profile, self.watcher)?;
        let client = self.client(profile)?;
        Ok(client
            .login(&profile.url, &credential.login()?, profile.timeout.duration(), self.clock, self.watcher)
            .await?)
    }

    /// The client for a profile's server; profiles that trust the same roots share one.
    fn client(&self, profile: &Profile) -> Result<Client, SessionError> {
        let key = (profile.url.is_loopback(), profile.ca_file.clone());
        if let Some(client) = self.clients.borrow().get(&key) {
            return Ok(client.clone());
        }
        let roots = profile.ca_file.as_ref().map(|path| disk::read(path, CA_RULES)).transpose();
        let client = Client::new(&profile.url, roots.map_err(VaultError::CaFile)?.as_deref())?;
        self.clients.borrow_mut().insert(key, client.clone());
        Ok(client)
    }

    /// Keeps what was granted, while the lock is held. A cache that cannot be written costs the next
    /// command a login, never this one its token.
    fn keep(&self, profile: &Profile, want: Want, grant: Grant, origin: Granted) -> Access {
        let obtained_at = whole_second(grant.obtained_at);
        let after = |seconds: u64| after(obtained_at, seconds);
        let Some(expires_at) = grant.lifetime.and_then(after) else {
            self.watcher.warn(Warning::NoLifetime(&profile.name));
            return Access { token: grant.access, lifetime: None, origin };
        };
        let refresh = grant.refresh.and_then(|refresh| Some((refresh.token, after(refresh.lifetime?)?)));
        let lifetime = Lifetime {
            obtained_at,
            expires_at,
            refresh_expires_at: refresh.as_ref().map(|(_, expires_at)| *expires_at),
        };
        if let (Some(device), Some(fingerprint)) = (self.device(), self.fingerprint(profile)) {
            let refresh = refresh.map(|(token, _)| RefreshToken(token));
            let profile = profile.name.clone();
            let token = CachedToken { profile, fingerprint, lifetime, access: grant.access.clone(), refresh };
            if let Err(error) = self.tokens.save(&token, device, Durability::Atomic) {
                self.warn_cache(&error);
            }
        }
        let left = lifetime.left(self.clock.now()).as_secs();
        if want.min_ttl.is_some_and(|ttl| i64::try_from(ttl.seconds()).is_ok_and(|wanted| left < wanted)) {
            self.watcher.warn(Warning::ShortLife { profile: &profile.name, left });
        }
        Access { token: grant.access, lifetime: Some(lifetime), origin }
    }
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

fn after(instant: Timestamp, seconds: u64) -> Option<Timestamp> {
    instant.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
}
