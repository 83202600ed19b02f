//! Requests for an access token, and the tokens that answer them.

use crate::profile::{Profile, Span};
use crate::secret::Secret;
use crate::token::{CachedToken, Lifetime, StoreReading};

/// Conditions that an access token has to meet.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenRequest {
    /// Minimum remaining lifetime.
    pub min_ttl: Option<Span>,
    /// Log in, even if the cached token is valid.
    pub force: bool,
    /// Send no request; use the cache only.
    pub offline: bool,
}

/// Profile to get a token for, and the reading of the store that it came from.
#[derive(Debug, Clone, Copy)]
pub struct LoadedProfile<'p> {
    /// Profile to get the token for.
    pub profile: &'p Profile,
    /// Reading of the store; `None` if the profile has another source, or may have changed since the reading.
    pub reading: Option<StoreReading>,
    /// Cached token, if this run has decrypted it already.
    pub cached: Option<&'p CachedToken>,
}

impl<'p> LoadedProfile<'p> {
    /// Creates a loaded profile whose cached token has not been read.
    #[must_use]
    pub fn new(profile: &'p Profile, reading: Option<StoreReading>) -> Self {
        Self { profile, reading, cached: None }
    }
}

/// Access token that is valid now.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// Value of the access token.
    pub token: Secret,
    /// Validity period; `None` if the server did not report one, so that the token is used only once.
    pub lifetime: Option<Lifetime>,
    /// Source of the token.
    pub origin: TokenOrigin,
    /// Whether the token is in the cache, so that the next command can use it too.
    pub is_cached: bool,
}

/// Source of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The cache, without any request.
    Cached,
    /// A refresh token.
    Refreshed,
    /// A login.
    Login,
}

impl AccessToken {
    pub(super) fn from_cache(token: &CachedToken) -> Self {
        Self {
            token: token.access.clone(),
            lifetime: Some(token.lifetime),
            origin: TokenOrigin::Cached,
            is_cached: true,
        }
    }
}
