//! What was granted: the cached token of a profile, its file, and how fresh it is.
//!
//! Owns the format of `tokens/NAME.token` and the rule of when a token may be used. Knows nothing of
//! where tokens come from.

mod declaration;
mod file;
mod fingerprint;
mod freshness;

pub use declaration::{Declaration, Reading};
pub use file::{CachedToken, RefreshToken, TokenFileError, TokenFolder, is_token};
pub use fingerprint::Fingerprint;
pub use freshness::{Lifetime, State};
