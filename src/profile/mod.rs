//! Names, URLs, profiles, the profile store, and the resolution of a profile by precedence.
//!
//! Owns the meaning of `profiles.toml` and contains the only code that writes its text. Never decrypts a secret. A
//! profile only states whether its secret is encrypted, in plaintext, or outside the store.

mod current;
mod document;
mod excerpt;
pub(crate) mod format;
mod hex;
mod model;
mod name;
mod parse;
mod pin;
mod resolve;
mod selection;
mod span;
mod store;
mod url;

pub use current::{Current, CurrentError};
pub use document::{Document, Edit, EditError, EditValue, Section};
pub use excerpt::Excerpt;
pub use format::schema;
pub use hex::hex;
pub use model::{
    Defaults, EnvTemplate, PlaintextKey, Profile, ProfileEntry, SealedNote, SecretLocation, Store, near_matches,
};
pub use name::{NameError, ProfileName, RecipientName};
pub use parse::{Fault, Outline, ProfileSummary, StoreError, StoreProblem, check_env_name};
pub use pin::{Pin, PinError};
pub use resolve::{
    ProfileOrigin, ProfileSources, ResolveError, ResolveFiles, ResolvedName, SourceReport, explain_resolution,
    resolve_in_store,
};
pub use selection::{EmptySelection, Selection, SelectionError};
pub use span::{Span, SpanError};
pub use store::{LinkOutcome, StoreFile, StoreFileError, resolve_parent, resolved_path_digest};
pub use url::{ApiUrl, UrlError};
