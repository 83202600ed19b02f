//! API calls with a profile's token, which is replaced once if the server refuses the token.

use super::error::SessionError;
use super::pipeline::Session;
use super::request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use crate::fusion::{
    ApiPath, Call, CallOptions, ForwardBody, ForwardHead, ForwardedResponse, FusionError, ProbeResult, Reply,
};
use crate::profile::{Profile, SecretLocation};
use crate::token::TokenState;
use std::time::Duration;
use zeroize::Zeroizing;

/// Result of checking a cached token against the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCheck {
    /// The server accepts the token, whatever the status of the call.
    Accepted,
    /// The server refuses the token with a 401.
    Refused,
    /// The cache has no usable token, so no request was sent.
    Unusable(TokenState),
}

/// Maximum size of an answer that is read as a whole, in bytes. Some thousand accounts with all their fields fit.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

impl Session<'_> {
    /// Reads from the API and parses the body of a success. `parse` returns the reason if the body is invalid.
    ///
    /// # Errors
    /// [`SessionError`]; `Forbidden` if the server accepts the token but forbids the call.
    pub async fn read<T>(
        &self,
        loaded: LoadedProfile<'_>,
        path: ApiPath,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        let reply = self.call(loaded, TokenRequest::default(), &Call::get(path)).await?;
        parse_reply(reply, parse).await.map_err(|error| match error {
            FusionError::Status { status: 403, .. } => SessionError::Forbidden(error),
            error => error.into(),
        })
    }

    /// Makes one call on a new event loop and runs `then` on the answer while the body arrives.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn call_blocking<T>(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        call: &Call,
        then: impl AsyncFnOnce(Reply) -> T,
    ) -> Result<T, SessionError> {
        self.block_on(async { Ok(then(self.call(loaded, request, call).await?).await) })?
    }

    /// Makes a call. If the server answers 401 to a token that is not from a fresh login, a new token is obtained. A
    /// reading call is then repeated. A writing call is not repeated; its answer is returned with or without a new
    /// token.
    ///
    /// # Errors
    /// [`SessionError`]; an answer of any status is not an error.
    pub async fn call(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        call: &Call,
    ) -> Result<Reply, SessionError> {
        let access = self.obtain(loaded, request).await?;
        let reply = self.call_with_token(loaded.profile, &access, call).await?;
        if reply.status() != 401 || access.origin == TokenOrigin::Login {
            return Ok(reply);
        }
        self.reporter.trace(&|| format!("{}: the server did not take the token", loaded.profile.name));
        let renewed = self.replace_refused(loaded, request, &access).await;
        if call.is_read_only() {
            return self.call_with_token(loaded.profile, &renewed?, call).await;
        }
        if let Err(error) = renewed {
            self.reporter.trace(&|| format!("{}: there is no other token: {error}", loaded.profile.name));
        }
        Ok(reply)
    }

    /// Makes a call with the given token.
    ///
    /// # Errors
    /// [`SessionError`]. `Vault` if this machine does not trust the server or its root certificates. `OutcomeUnknown`
    /// if a writing call may have been carried out without an answer.
    pub async fn call_with_token(
        &self,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
    ) -> Result<Reply, SessionError> {
        self.call_with_options(self.call_options(profile), profile, access, call).await
    }

    /// Asks the server about the cached token of `profile`, within `patience` at most. The token is neither refreshed
    /// nor removed.
    ///
    /// # Errors
    /// [`SessionError`] if the server cannot be reached, or answers with a redirect, a 429 or a 5xx.
    pub async fn check_cached(
        &self,
        profile: &Profile,
        call: &Call,
        timeout: Duration,
    ) -> Result<TokenCheck, SessionError> {
        self.yield_turn().await;
        let cached = self.cached(profile);
        let now = self.clock.now();
        let Some(token) = cached.as_ref().filter(|token| token.lifetime.is_usable(now, profile.leeway)) else {
            return Ok(TokenCheck::Unusable(cached.map_or(TokenState::None, |token| token.lifetime.state(now))));
        };
        let manner = self.call_options(profile);
        let manner = CallOptions { timeout: manner.timeout.min(timeout), ..manner };
        let reply = self.call_with_options(manner, profile, &AccessToken::from_cache(token), call).await?;
        match reply.status().as_u16() {
            401 => Ok(TokenCheck::Refused),
            429 | 300..=399 | 500.. => Err(reply.refusal_error(&[]).into_own_call_error().into()),
            _ => Ok(TokenCheck::Accepted),
        }
    }

    /// Sends a call without any credential to the server of `profile`, within `patience` at most.
    ///
    /// # Errors
    /// [`SessionError`] if the server does not answer.
    pub async fn probe(&self, profile: &Profile, call: &Call, timeout: Duration) -> Result<ProbeResult, SessionError> {
        self.yield_turn().await;
        let manner = self.call_options(profile);
        let manner = CallOptions { timeout: manner.timeout.min(timeout), ..manner };
        Ok(self.client(profile)?.probe(&profile.url, &call.path, manner).await?)
    }

    async fn call_with_options(
        &self,
        manner: CallOptions<'_>,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
    ) -> Result<Reply, SessionError> {
        self.check_server(profile, access.origin)?;
        let client = self.client(profile)?;
        let answer = client.call(&profile.url, &access.token, call, manner).await;
        answer.map_err(|error| call_error(error, call.is_read_only()))
    }

    /// Forwards a request of another program. The token's server must be [checked](Self::check_server) before.
    ///
    /// # Errors
    /// As [`call_with_token`](Self::call_with_token).
    pub async fn forward(
        &self,
        profile: &Profile,
        access: &AccessToken,
        head: &ForwardHead,
        upload: ForwardBody,
    ) -> Result<ForwardedResponse, SessionError> {
        let client = self.client(profile)?;
        let answer = client.forward(&profile.url, &access.token, head, upload, self.call_options(profile)).await;
        answer.map_err(|error| call_error(error, head.is_read_only()))
    }

    /// Returns another token after the server refused one: a token cached meanwhile, or a new token.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn replace_refused(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        refused: &AccessToken,
    ) -> Result<AccessToken, SessionError> {
        let seen = self.cached(loaded.profile);
        if seen.as_ref().is_some_and(|token| token.access != refused.token) {
            return self.obtain(loaded, request).await;
        }
        if !request.force {
            // Without `--force`, the server's `Retry-After` applies.
            self.check_pause(loaded.profile, self.failures.load(&loaded.profile.name).as_ref())?;
        }
        self.renew(loaded, TokenRequest { force: true, ..request }, seen).await
    }

    /// Checks that this machine trusts the profile's server and root certificates for a token of this origin. The
    /// profile may have been edited since a cached token was issued. The token's fingerprint covers the URL, but not
    /// the root certificates.
    ///
    /// # Errors
    /// [`SessionError::Vault`].
    pub fn check_server(&self, profile: &Profile, origin: TokenOrigin) -> Result<(), SessionError> {
        if profile.name.is_env() || origin == TokenOrigin::Login {
            return Ok(());
        }
        self.vault.check_trust(profile)?;
        if profile.ca_file.is_some() && matches!(profile.secret, SecretLocation::Sealed(_)) {
            // Only the seal is bound to the contents of the `ca_file`.
            self.vault.login(profile, self.reporter, self.reporter)?;
        }
        Ok(())
    }
}

/// Returns the parsed body of a success, or an error for any other status. The call is one of neto's own.
pub(super) async fn parse_reply<T>(
    mut reply: Reply,
    parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
) -> Result<T, FusionError> {
    let body = reply.read_body(MAX_ANSWER).await.map(Zeroizing::new).map_err(FusionError::into_own_call_error);
    if reply.status().is_success() {
        return parse(&body?).map_err(|what| reply.unusable_error(what));
    }
    // A refusal is reported even if its body is cut off.
    Err(reply.refusal_error(&body.unwrap_or_default()).into_own_call_error())
}

/// Returns the error for a call without an answer: `OutcomeUnknown` if a writing call may have been carried out.
fn call_error(error: FusionError, reads: bool) -> SessionError {
    if error.is_outcome_unknown() && !reads { SessionError::OutcomeUnknown(error) } else { error.into() }
}
