//! A call of the API with a profile's token, which is renewed once where the server does not take it.

use super::{Access, Declared, Granted, Session, SessionError, Want};
use crate::fusion::{ApiPath, Call, FusionError, Head, Manner, Passed, Reply, Sight, Upload};
use crate::profile::{Profile, SecretPlace};
use crate::token::State;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a server says of a cached token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes it, whatever it made of the call.
    Taken,
    /// It does not: a 401.
    Refused,
    /// It was not asked: the cache has none that may be used.
    Unusable(State),
}

/// The most of an answer that is read as a whole, in bytes: some thousand accounts with all that a server says of them.
const CAP: usize = 16 * 1024 * 1024;

impl Session<'_> {
    /// Reads something of the API: what `parse` makes of a success, or says is wrong with "it".
    ///
    /// # Errors
    /// [`SessionError`]; `Forbidden` where the server takes the token and not the call.
    pub async fn read<T>(
        &self,
        declared: Declared<'_>,
        path: ApiPath,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        let reply = self.ask(declared, Want::default(), &Call::get(path)).await?;
        understood(reply, parse).await.map_err(|error| match error {
            FusionError::Status { status: 403, .. } => SessionError::Forbidden(error),
            error => error.into(),
        })
    }

    /// Makes one call on an event loop of its own, and does `then` with the answer while its body comes.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn ask_alone<T>(
        &self,
        declared: Declared<'_>,
        want: Want,
        call: &Call,
        then: impl AsyncFnOnce(Reply) -> T,
    ) -> Result<T, SessionError> {
        self.block_on(async { Ok(then(self.ask(declared, want, call).await?).await) })?
    }

    /// Makes a call. Where the server answers 401 to a token that is not fresh from a login, a new one is got; then a
    /// call that only reads is made again. For one that writes the answer stands, whether or not there is a new token.
    ///
    /// # Errors
    /// [`SessionError`]; an answer is no error, whatever its status.
    pub async fn ask(&self, declared: Declared<'_>, want: Want, call: &Call) -> Result<Reply, SessionError> {
        let access = self.obtain(declared, want).await?;
        let reply = self.ask_with(declared.profile, &access, call).await?;
        if reply.status() != 401 || access.origin == Granted::Login {
            return Ok(reply);
        }
        self.watcher.trace(&|| format!("{}: the server did not take the token", declared.profile.name));
        let renewed = self.replace(declared, want, &access).await;
        if call.reads() {
            return self.ask_with(declared.profile, &renewed?, call).await;
        }
        if let Err(error) = renewed {
            self.watcher.trace(&|| format!("{}: there is no other token: {error}", declared.profile.name));
        }
        Ok(reply)
    }

    /// Makes a call with this very token.
    ///
    /// # Errors
    /// [`SessionError`]; `Vault` where the server or its roots are not those that this machine trusts, `Unsure` where a
    /// call that writes may have been carried out without an answer.
    pub async fn ask_with(&self, profile: &Profile, access: &Access, call: &Call) -> Result<Reply, SessionError> {
        self.ask_in(self.manner(profile), profile, access, call).await
    }

    /// What the server says of the cached token of `profile`, within `patience` at most. The token is neither renewed nor
    /// forgotten.
    ///
    /// # Errors
    /// [`SessionError`], where the server could not be asked, or said nothing of the token: a redirect, a 429 or a 5xx.
    pub async fn check(&self, profile: &Profile, call: &Call, patience: Duration) -> Result<Verdict, SessionError> {
        self.breathe().await;
        let cached = self.cached(profile);
        let now = self.clock.now();
        let Some(token) = cached.as_ref().filter(|token| token.lifetime.is_usable(now, profile.leeway)) else {
            return Ok(Verdict::Unusable(cached.map_or(State::None, |token| token.lifetime.state(now))));
        };
        let manner = self.manner(profile);
        let manner = Manner { timeout: manner.timeout.min(patience), ..manner };
        let reply = self.ask_in(manner, profile, &Access::cached(token), call).await?;
        match reply.status().as_u16() {
            401 => Ok(Verdict::Refused),
            429 | 300..=399 | 500.. => Err(reply.refusal(&[]).of_own_call().into()),
            _ => Ok(Verdict::Taken),
        }
    }

    /// How the server of `profile` answers a call without any credential, within `patience` at most.
    ///
    /// # Errors
    /// [`SessionError`], where it does not.
    pub async fn probe(&self, profile: &Profile, call: &Call, patience: Duration) -> Result<Sight, SessionError> {
        self.breathe().await;
        let manner = self.manner(profile);
        let manner = Manner { timeout: manner.timeout.min(patience), ..manner };
        Ok(self.client(profile)?.probe(&profile.url, &call.path, manner).await?)
    }

    async fn ask_in(
        &self,
        manner: Manner<'_>,
        profile: &Profile,
        access: &Access,
        call: &Call,
    ) -> Result<Reply, SessionError> {
        self.check_server(profile, access.origin)?;
        let client = self.client(profile)?;
        let answer = client.call(&profile.url, &access.token, call, manner).await;
        answer.map_err(|error| unanswered(error, call.reads()))
    }

    /// Passes a request of another program on, with a token whose server was [checked](Self::check_server).
    ///
    /// # Errors
    /// As [`ask_with`](Self::ask_with).
    pub async fn pass(
        &self,
        profile: &Profile,
        access: &Access,
        head: &Head,
        upload: Upload,
    ) -> Result<Passed, SessionError> {
        let client = self.client(profile)?;
        let answer = client.pass(&profile.url, &access.token, head, upload, self.manner(profile)).await;
        answer.map_err(|error| unanswered(error, head.reads()))
    }

    /// Another token than the one that was not taken: one that came meanwhile, or a new one.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn replace(&self, declared: Declared<'_>, want: Want, refused: &Access) -> Result<Access, SessionError> {
        let seen = self.cached(declared.profile);
        if seen.as_ref().is_some_and(|token| token.access != refused.token) {
            return self.obtain(declared, want).await;
        }
        if !want.force {
            // The user did not force it, so a pause that the server wants binds.
            self.check_pause(declared.profile, self.failures.load(&declared.profile.name).as_ref())?;
        }
        self.renew(declared, Want { force: true, ..want }, seen).await
    }

    /// A token was granted by a server that was trusted then. What the profile says of the server now may come from
    /// somebody who edits the store: the url is part of what the token was issued for, the roots are not.
    ///
    /// # Errors
    /// [`SessionError::Vault`].
    pub fn check_server(&self, profile: &Profile, origin: Granted) -> Result<(), SessionError> {
        if profile.name.is_env() || origin == Granted::Login {
            return Ok(());
        }
        self.vault.check_trust(profile)?;
        if profile.ca_file.is_some() && matches!(profile.secret, SecretPlace::Sealed(_)) {
            // What the file holds is known to the seal alone.
            self.vault.credential(profile, self.watcher, self.watcher)?;
        }
        Ok(())
    }
}

/// What the answer to a call of neto's own says: what `parse` makes of a success, or says is wrong with "it".
pub(super) async fn understood<T>(
    mut reply: Reply,
    parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
) -> Result<T, FusionError> {
    let body = reply.whole(CAP).await.map(Zeroizing::new).map_err(FusionError::of_own_call);
    if reply.status().is_success() {
        return parse(&body?).map_err(|what| reply.unusable(what));
    }
    // A refusal is one, also where its words break off.
    Err(reply.refusal(&body.unwrap_or_default()).of_own_call())
}

/// What it means that no answer came to a call.
fn unanswered(error: FusionError, reads: bool) -> SessionError {
    if error.leaves_open() && !reads { SessionError::Unsure(error) } else { error.into() }
}
