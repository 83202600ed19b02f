//! Gets an access token for a profile: from the cache, by a refresh, or by a login.
//!
//! Owns single flight (processes that need the same token share one login), the cached tokens, and key rotation. Also
//! checks that a credential belongs to its profile. Does not parse arguments or print.

mod api_call;
mod cache;
mod concurrent;
mod error;
mod lock_wait;
mod lookup;
mod parallel;
mod pipeline;
mod renew;
mod reporter;
mod request;
mod rotation;
mod shared_failure;
mod vault;

pub use api_call::TokenCheck;
pub use cache::TokenCache;
pub use concurrent::Jobs;
pub use error::{RotationError, SessionError};
pub use lock_wait::{AcquireError, acquire};
pub use lookup::peek;
pub use pipeline::{Session, SessionSetup};
pub use reporter::{Reporter, Warning};
pub use request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
pub use rotation::{Rotated, Rotation, RotationKind};
pub use vault::{Login, Vault, VaultError, check_binding, read_passphrase};
