//! Names, URLs, profiles, the profile store, and the resolution of a profile by precedence.
//!
//! Owns the meaning of `profiles.toml` and the only writer of its text. Never reads secret values: a secret is an
//! age-encrypted text, a source, or a list of plaintext keys.

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
pub use parse::{EnvNameError, Fault, FilePosition, Outline, ProfileSummary, StoreError, StoreProblem, check_env_name};
pub use pin::{Pin, PinError};
pub use resolve::{
    ProfileOrigin, ProfileSources, ResolveError, ResolveFiles, ResolvedName, SourceReport, explain_resolution,
    resolve_in_store,
};
pub use selection::{EmptySelection, Selection, SelectionError};
pub use span::{Span, SpanError};
pub use store::{LinkOutcome, StoreFile, StoreFileError, file_digest, resolve_parent};
pub use url::{ApiUrl, UrlError};
