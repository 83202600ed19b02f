//! Secrets in memory, secrets sealed with age (encrypted and bound to a profile), and secrets from external sources.
//!
//! Owns the NETOSECRET format, key files, recipients, sealing and opening, external sources, imports and the trust
//! store. Must not read or write the profile store, cache tokens or use the network.

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
mod redactor;
mod seal;
mod source;
mod trust;
mod value;

pub use age_file::{OpenError, check_sealed_text};
pub use binding::{Account, Binding, BindingError, Mismatch};
pub use command::{ProgramError, find_program};
pub use credential::{Credential, CredentialError, CredentialId};
pub use device::{DeviceKey, DeviceKeyError};
pub use fields::{FieldError, FieldProblem};
pub use identity::{Identities, IdentityError};
pub use json::{Json, JsonError};
pub use keys::{IdentityFile, IdentityLocation, KeyDirectory, KeyError, LoadedIdentity, ProtectedIdentity};
pub use netosecret::{NetoSecret, NetoSecretError};
pub use passphrase::PassphraseError;
pub use payload::{OpenedSecret, PayloadError};
pub use plugin::PluginError;
pub use prompter::{Prompter, PrompterError};
pub use recipient::{RecipientError, check_recipient, plugin_program, recipients_tag};
pub use redactor::Redactor;
pub use seal::{SealError, SealedSecret, open, seal};
pub use source::{SourceError, fetch_netosecret};
pub use trust::{TrustError, TrustStatus, TrustStore};
pub use value::Secret;
