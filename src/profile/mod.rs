//! What the user declared: names, addresses, profiles, the store file, and which profile is meant.
//!
//! Owns the meaning of `profiles.toml` and the only writer of its text. Knows nothing of what a
//! secret holds: here it is a sealed text, a source, or the fact that something stands in clear.

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
pub use document::{Document, Edit, EditError, Section, Value};
pub use excerpt::Excerpt;
pub use format::schema;
pub use hex::hex;
pub use model::{ClearKey, Defaults, Entry, EnvTemplate, Profile, SealedNote, SecretPlace, Store, near};
pub use name::{NameError, ProfileName, RecipientName};
pub use parse::{EnvNameError, Fault, Outline, Place, Problem, Sketch, StoreError, check_env_name};
pub use pin::{Pin, PinError};
pub use resolve::{Choice, ChoiceError, ChoiceFiles, Origin, Said, Sources, explain, settle};
pub use selection::{Selection, SelectionError, WhenNone};
pub use span::{Span, SpanError};
pub use store::{Linked, StoreFile, StoreFileError, file_digest, place_of};
pub use url::{ApiUrl, UrlError};
