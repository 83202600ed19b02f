//! Input and output of the pipeline: the request for an access token, and the token.

use crate::profile::{Profile, Span};
use crate::secret::Secret;
use crate::token::{CachedToken, Lifetime, StoreReading};

/// Conditions that an access token has to meet.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenRequest {
    /// Minimum remaining lifetime.
    pub min_ttl: Option<Span>,
    /// Whether to log in even if the cached token is valid.
    pub force: bool,
    /// Whether to use only the cache and send no request.
    pub offline: bool,
}

/// Profile to get a token for, with the data about it that this run has already read.
#[derive(Debug, Clone, Copy)]
pub struct LoadedProfile<'p> {
    /// Profile to get the token for.
    pub profile: &'p Profile,
    /// State of the store file that declared the profile, for recording the declaration with the token. `None` if the
    /// declaration must not be recorded.
    pub reading: Option<StoreReading>,
    /// Cached token of the profile, if this run has already decrypted it.
    pub cached: Option<&'p CachedToken>,
}

impl<'p> LoadedProfile<'p> {
    /// Creates a loaded profile whose cached token has not been decrypted yet.
    #[must_use]
    pub fn new(profile: &'p Profile, reading: Option<StoreReading>) -> Self {
        Self { profile, reading, cached: None }
    }
}

/// Access token for one or more requests.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// Value of the access token.
    pub token: Secret,
    /// Validity period; `None` if the server did not report a lifetime. Without a lifetime the token is used once and
    /// not cached.
    pub lifetime: Option<Lifetime>,
    /// Source of the token.
    pub origin: TokenOrigin,
    /// Whether the token was cached, so that later commands can use it too.
    pub is_cached: bool,
}

/// Source of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrigin {
    /// The token was in the cache.
    Cached,
    /// The server issued the token for a refresh token.
    Refreshed,
    /// The server issued the token for a login.
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
