//! Pipeline from a profile to an access token: secret, cached token, refresh or login.
//!
//! Owns single flight (one request for all processes), the lifecycle of cached tokens, and the checks of a profile's
//! credential. Does not parse arguments or print.

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
