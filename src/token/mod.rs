//! Cached tokens of a profile: their file, their lifetime, and the credential that they were issued for.
//!
//! Owns the format of `tokens/NAME.token` and the rule for when a token may be used. Does not request tokens.

mod declaration;
mod file;
mod fingerprint;
mod freshness;

pub use declaration::{ProfileDeclaration, StoreReading};
pub use file::{CachedToken, RefreshToken, TokenDirectory, TokenFileError};
pub use fingerprint::Fingerprint;
pub use freshness::{Lifetime, TokenState};
