//! What is hidden: secrets in memory, the keys that open them, the sealed text, and what was trusted.
//!
//! Owns the type that a secret lives in, NETOSECRET, age (key files, recipients, seal and open),
//! the binding of a sealed secret to its profile, sources elsewhere, files of credentials, and the memory
//! of what this machine trusted. Knows nothing of the store's text, of tokens or of the network.

mod age_file;
mod binding;
mod command;
mod credential;
mod device;
mod fields;
mod identity;
pub mod import;
mod json;
mod keys;
mod netosecret;
mod passphrase;
mod payload;
mod plugin;
mod prompter;
mod recipient;
mod seal;
#[cfg(test)]
mod seal_tests;
mod source;
mod trust;
mod value;

pub use age_file::{OpenError, check_sealed};
pub use binding::{Account, Binding, BindingError, Difference, Mismatch};
pub use command::{ProgramError, find as find_program};
pub use credential::{Credential, CredentialError, CredentialId, CredentialIdError};
pub use device::{DeviceKey, DeviceKeyError};
pub use fields::{FieldFault, FieldProblem};
pub use identity::{Identities, IdentityError};
pub use json::{Json, JsonFault};
pub use keys::{Found, IdentityPlace, KeyError, KeyFolder, KeyText, Protected};
pub use netosecret::{NetoSecret, NetoSecretError};
pub use passphrase::PassphraseError;
pub use payload::PayloadError;
pub use plugin::{PluginError, PluginKeyError};
pub use prompter::{Asker, Unanswered};
pub use recipient::{RecipientError, check_recipient, plugin_of, recipients_tag};
pub use seal::{Opened, SealError, Sealed, open, seal};
pub use source::{SourceEnvironment, SourceError, fetch};
pub use trust::{Change, Memory, MemoryError, Verdict};
pub use value::Secret;
