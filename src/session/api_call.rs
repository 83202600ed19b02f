//! Calls the API with a profile's token. If the server refuses the token, gets another token once.

use super::error::SessionError;
use super::pipeline::Session;
use super::request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use crate::fusion::{
    ApiPath, ApiResponse, Call, CallOptions, ForwardBody, ForwardHead, ForwardedResponse, FusionError, ProbeResult,
};
use crate::profile::{Profile, SecretLocation};
use crate::token::TokenState;
use std::time::Duration;
use zeroize::Zeroizing;

/// Result of checking a cached token against the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCheck {
    /// The server accepts the token: the status is not 401, 429, a redirect or a 5xx.
    Accepted,
    /// The server refuses the token with a 401.
    Refused,
    /// The cache has no usable token, so no request was sent; holds the state of the cached token.
    Unusable(TokenState),
}

/// Maximum size of a response body that is read as a whole: 16 MiB. A few thousand accounts with all their fields fit.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

impl Session<'_> {
    /// Sends a `GET` request and returns the parsed body. `parse` returns the reason if the body is invalid.
    ///
    /// # Errors
    /// Returns [`SessionError`] if the call fails, the status is not 2xx, or the body is invalid. The error is
    /// `Forbidden` for status 403.
    pub async fn read<T>(
        &self,
        loaded: LoadedProfile<'_>,
        path: ApiPath,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        let response = self.call(loaded, TokenRequest::default(), &Call::get(path)).await?;
        parse_response(response, parse).await.map_err(|error| match error {
            FusionError::Status { status: 403, .. } => SessionError::Forbidden(error),
            error => error.into(),
        })
    }

    /// Makes one call on a new event loop. `then` receives the response and can read the body as it arrives.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no token can be obtained, or no response arrives.
    pub fn call_blocking<T>(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        call: &Call,
        then: impl AsyncFnOnce(ApiResponse) -> T,
    ) -> Result<T, SessionError> {
        Self::block_on(async { Ok(then(self.call(loaded, request, call).await?).await) })?
    }

    /// Makes a call with a token that meets `request`. If the status is 401 and the token is not from a new login, gets
    /// another token. A read-only call is then repeated once. A writing call is never repeated: its 401 response is
    /// returned, even if no other token could be obtained.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no token can be obtained, or no response arrives. A response with any status is not
    /// an error.
    pub async fn call(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        call: &Call,
    ) -> Result<ApiResponse, SessionError> {
        let access = self.obtain(loaded, request).await?;
        let response = self.call_with_token(loaded.profile, &access, call).await?;
        if response.status() != 401 || access.origin == TokenOrigin::Login {
            return Ok(response);
        }
        self.reporter.trace(&|| format!("{}: the server did not take the token", loaded.profile.name));
        let renewed = self.replace_refused(loaded, request, &access).await;
        if call.is_read_only() {
            return self.call_with_token(loaded.profile, &renewed?, call).await;
        }
        if let Err(error) = renewed {
            self.reporter.trace(&|| format!("{}: there is no other token: {error}", loaded.profile.name));
        }
        Ok(response)
    }

    /// Makes a call with the given token.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no response arrives. Returns `Vault` if this machine does not trust the server or
    /// its root certificates. Returns `OutcomeUnknown` if no response arrives to a writing call that the server may
    /// have carried out.
    pub async fn call_with_token(
        &self,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
    ) -> Result<ApiResponse, SessionError> {
        self.call_with_options(self.call_options(profile), profile, access, call).await
    }

    /// Checks whether the server accepts the cached token of `profile`, waiting at most `timeout`. The token is neither
    /// refreshed nor removed.
    ///
    /// # Errors
    /// Returns [`SessionError`] if the server is not trusted, no response arrives, or the status is a redirect, 429 or
    /// 5xx.
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
        let options = self.call_options(profile);
        let options = CallOptions { timeout: options.timeout.min(timeout), ..options };
        let response = self.call_with_options(options, profile, &AccessToken::from_cache(token), call).await?;
        match response.status().as_u16() {
            401 => Ok(TokenCheck::Refused),
            429 | 300..=399 | 500.. => Err(response.refusal_error(&[]).into_own_call_error().into()),
            _ => Ok(TokenCheck::Accepted),
        }
    }

    /// Sends a call without any credential to the server of `profile`, waiting at most `timeout`.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no response arrives.
    pub async fn probe(&self, profile: &Profile, call: &Call, timeout: Duration) -> Result<ProbeResult, SessionError> {
        self.yield_turn().await;
        let options = self.call_options(profile);
        let options = CallOptions { timeout: options.timeout.min(timeout), ..options };
        Ok(self.client(profile)?.probe(&profile.url, &call.path, options).await?)
    }

    async fn call_with_options(
        &self,
        options: CallOptions<'_>,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
    ) -> Result<ApiResponse, SessionError> {
        self.check_server(profile, access.origin)?;
        let client = self.client(profile)?;
        let result = client.call(&profile.url, &access.token, call, options).await;
        result.map_err(|error| call_error(error, call.is_read_only()))
    }

    /// Forwards a request from another program. Before this, call [`Session::check_server`] for the token.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no response arrives. Returns `OutcomeUnknown` if no response arrives to a writing
    /// request that the server may have carried out.
    pub async fn forward(
        &self,
        profile: &Profile,
        access: &AccessToken,
        head: &ForwardHead,
        body: ForwardBody,
    ) -> Result<ForwardedResponse, SessionError> {
        let client = self.client(profile)?;
        let result = client.forward(&profile.url, &access.token, head, body, self.call_options(profile)).await;
        result.map_err(|error| call_error(error, head.is_read_only()))
    }

    /// Returns another token after the server refused the token `refused`: a token cached in the meantime, or a new
    /// token.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no other token can be obtained.
    pub async fn replace_refused(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
        refused: &AccessToken,
    ) -> Result<AccessToken, SessionError> {
        let cached = self.cached(loaded.profile);
        if cached.as_ref().is_some_and(|token| token.access != refused.token) {
            return self.obtain(loaded, request).await;
        }
        if !request.force {
            // `renew` skips this check, because it is called with `force`.
            self.check_pause(loaded.profile, self.failures.load(&loaded.profile.name).as_ref())?;
        }
        self.renew(loaded, TokenRequest { force: true, ..request }, cached).await
    }

    /// Checks that this machine trusts the profile's server and root certificates. Call this before sending a token of
    /// this `origin`. The profile may have been edited since a cached token was issued. The token's fingerprint covers
    /// the URL, but not the root certificates. A login checks both, so a new login needs no check. The environment
    /// profile is never checked.
    ///
    /// # Errors
    /// Returns [`SessionError::Vault`] if the profile is not trusted, or the root certificates changed.
    pub fn check_server(&self, profile: &Profile, origin: TokenOrigin) -> Result<(), SessionError> {
        if profile.name.is_env() || origin == TokenOrigin::Login {
            return Ok(());
        }
        self.vault.check_trust(profile)?;
        if profile.ca_file.is_some() && matches!(profile.secret, SecretLocation::Sealed(_)) {
            // Only the seal covers the contents of the `ca_file`. `Vault::login` compares the contents with the seal.
            self.vault.login(profile, self.reporter, self.reporter)?;
        }
        Ok(())
    }
}

/// Reads the response to a call that neto makes on its own. Returns the parsed body if the status is 2xx, else an
/// error.
pub(super) async fn parse_response<T>(
    mut response: ApiResponse,
    parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
) -> Result<T, FusionError> {
    let body = response.read_body(MAX_BODY_BYTES).await.map(Zeroizing::new).map_err(FusionError::into_own_call_error);
    if response.status().is_success() {
        return parse(&body?).map_err(|reason| response.unusable_error(reason));
    }
    // The status of a refusal is reported even if the body cannot be read.
    Err(response.refusal_error(&body.unwrap_or_default()).into_own_call_error())
}

/// Converts the error of a call. Returns `OutcomeUnknown` if no response arrived to a writing call that the server may
/// have carried out.
fn call_error(error: FusionError, is_read_only: bool) -> SessionError {
    if error.is_outcome_unknown() && !is_read_only { SessionError::OutcomeUnknown(error) } else { error.into() }
}
