//! Seals a profile's credential to recipients, opens a sealed credential, and checks that the credential belongs to the
//! profile.
//!
//! The sealed text contains the binding, so that a secret moved to another profile is detected.
//! Does not write the profile store: the caller applies the edits.

use super::binding::compare_sealed_note;
use super::payload::RenderError;
use super::plugin::{PluginIdentities, PluginRecipients};
use super::recipient::RecipientKey;
use super::{
    Binding, Credential, CredentialId, Identities, Mismatch, OpenError, OpenedSecret, PayloadError, PluginError,
    Prompter, PrompterError, RecipientError,
};
use super::{age_file, payload, recipient, recipients_tag};
use crate::environment::Environment;
use crate::profile::{Edit, EditValue, ProfileName, SealedNote, Section};
use age::EncryptError;
use age::armor::Format;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Sealed credential in the form of the profile store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Armored age file, with a final line ending. The TOML key is `secret`.
    pub text: String,
    /// Plaintext inline table `sealed`.
    pub note: SealedNote,
}

/// Reasons why a credential cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The list of recipients is empty.
    #[error("there is no recipient to seal the secret to")]
    NoRecipients,
    /// There are more than 1,000 different recipients.
    #[error("a secret is sealed to at most 1000 recipients")]
    TooManyRecipients,
    /// A recipient's key is invalid.
    #[error("the recipient key '{key}' cannot be sealed to: {error}")]
    Recipient {
        /// Text of the key, or a placeholder if the text is a secret key.
        key: String,
        /// Reason why the key is invalid.
        error: RecipientError,
    },
    /// The credential is a password but the binding's account is an API key, or vice versa.
    #[error("the credential is of another kind than the profile")]
    KindMismatch,
    /// A recipient's plugin failed to encrypt.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The keys cannot be combined in one age file, for example a post-quantum key and a classic key.
    #[error("a secret cannot be sealed to all of these recipients together: their keys are of kinds that do not mix")]
    IncompatibleRecipients,
    /// The payload could not be rendered, or the age library failed to encrypt it.
    #[error("the secret could not be sealed")]
    EncryptionFailed,
}

impl From<RenderError> for SealError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::KindMismatch => Self::KindMismatch,
            RenderError::SerializationFailed => Self::EncryptionFailed,
        }
    }
}

impl SealedSecret {
    /// Returns the TOML keys `sealed` and `secret` with their values, in the order that the store uses.
    #[must_use]
    pub fn toml_entries(&self) -> [(&'static str, EditValue); 2] {
        let note = vec![
            ("id".to_owned(), EditValue::Text(self.note.id.clone())),
            ("to".to_owned(), EditValue::Text(self.note.to.clone())),
            ("since".to_owned(), EditValue::Date(self.note.since)),
        ];
        [("sealed", EditValue::Table(note)), ("secret", EditValue::Multiline(self.text.clone()))]
    }

    /// Returns the edits that set the TOML keys `sealed` and `secret` of the existing profile `name`.
    #[must_use]
    pub fn edits(&self, name: &ProfileName) -> Vec<Edit> {
        let section = Section::Profile(name.clone());
        let set_edit =
            |(key, value): (&str, EditValue)| Edit::Set { section: section.clone(), key: vec![key.to_owned()], value };
        self.toml_entries().map(set_edit).into()
    }
}

/// Seals `credential` to the public keys `recipients`, bound to `binding`. `since` is the day on which this credential
/// was first sealed, for the `sealed` table.
///
/// Plugins of recipients run with `environment`. A plugin's questions to the user fail, because sealing never prompts.
///
/// # Errors
/// Returns a [`SealError`] if there are no recipients, too many recipients, or an invalid key. Also returns a
/// [`SealError`] if the credential and the binding's account are of different kinds, or if encryption fails.
pub fn seal(
    binding: &Binding,
    credential: &Credential,
    id: &CredentialId,
    since: Date,
    recipients: &[String],
    now: Timestamp,
    environment: &Environment,
) -> Result<SealedSecret, SealError> {
    let mut keys = recipients.to_vec();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(SealError::NoRecipients);
    }
    if keys.len() > age_file::MAX_RECIPIENTS {
        return Err(SealError::TooManyRecipients);
    }
    let parsed = keys.iter().map(|key| recipient::parse(key).map_err(|error| recipient_error(key, error)));
    let parsed = parsed.collect::<Result<Vec<RecipientKey>, _>>()?;
    let plain = payload::render(binding, credential, id, &keys, now)?;
    let sealed = encrypt(&plain, &parsed, environment)?;
    let text = String::from_utf8(sealed).map_err(|_| SealError::EncryptionFailed)?;
    Ok(SealedSecret { text, note: SealedNote { id: id.to_string(), to: recipients_tag(&keys), since } })
}

fn encrypt(plain: &[u8], keys: &[RecipientKey], environment: &Environment) -> Result<Vec<u8>, SealError> {
    let plugin_recipients = keys.iter().filter_map(|key| match key {
        RecipientKey::Native(_) => None,
        RecipientKey::Plugin(recipient) => Some(recipient),
    });
    let plugins = PluginRecipients::by_plugin(plugin_recipients, &(), environment);
    let native_recipients = keys.iter().filter_map(|key| match key {
        RecipientKey::Native(recipient) => Some(recipient as &dyn age::Recipient),
        RecipientKey::Plugin(_) => None,
    });
    let all: Vec<_> = native_recipients.chain(plugins.iter().map(|plugin| plugin as &dyn age::Recipient)).collect();
    age_file::encrypt(plain, &all, Format::AsciiArmor).map_err(|error| {
        match (plugins.iter().find_map(PluginRecipients::failure), error) {
            (Some(failure), _) => SealError::Plugin(failure),
            (None, EncryptError::IncompatibleRecipients { .. }) => SealError::IncompatibleRecipients,
            _ => SealError::EncryptionFailed,
        }
    })
}

/// Opens a sealed text. Callers must not use the credential before [`OpenedSecret::check_binding`] succeeds.
///
/// Tries native keys first. If no native key matches and `prompter` is available, starts plugins with `environment`.
///
/// # Errors
/// Returns an [`OpenError`], which distinguishes a wrong identity, a damaged text, a plugin's failure and an invalid
/// payload.
pub fn open(
    text: &str,
    identities: &Identities,
    prompter: &dyn Prompter,
    environment: &Environment,
) -> Result<OpenedSecret, OpenError> {
    let plain = match age_file::decrypt_armored(text, identities.native_keys()) {
        Err(OpenError::WrongIdentity) if identities.has_plugin_keys() => {
            open_with_plugins(text, identities, prompter, environment)?
        }
        outcome => outcome?,
    };
    Ok(OpenedSecret::parse(&plain)?)
}

fn open_with_plugins(
    text: &str,
    identities: &Identities,
    prompter: &dyn Prompter,
    environment: &Environment,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if let Some(first_key) = identities.plugin_keys().next().filter(|_| prompter.is_unavailable()) {
        return Err(
            PluginError::Unanswered { program: first_key.plugin().program(), why: PrompterError::Unavailable }.into()
        );
    }
    let plugins = PluginIdentities::by_plugin(identities.plugin_keys(), prompter, environment);
    let opened = age_file::decrypt_armored(text, plugins.iter().map(|plugin| plugin as &dyn age::Identity));
    let failure = plugins.iter().find_map(PluginIdentities::failure);
    opened.map_err(|error| failure.map_or(error, OpenError::Plugin))
}

impl OpenedSecret {
    /// Parses a payload. All fields of either an API key or a user account are required, and unknown fields are errors.
    ///
    /// # Errors
    /// Returns a [`PayloadError`], which never contains the value of a field.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        payload::parse(payload)
    }

    /// Renders the payload as [`seal`] encrypts it.
    ///
    /// # Errors
    /// Returns [`SealError::KindMismatch`] if the credential and the account are of different kinds, or
    /// [`SealError::EncryptionFailed`] if serialization fails.
    #[cfg(feature = "internals")]
    pub fn render(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(payload::render(&self.binding, &self.credential, &self.id, &self.recipients, self.sealed_at)?)
    }

    /// Checks that this secret belongs to a profile. `declared` is the profile's current binding, and `note` is the
    /// profile's `sealed` table. A missing `sealed` table is a mismatch.
    ///
    /// # Errors
    /// Returns a [`Mismatch`] with every field that differs and both values of the field.
    pub fn check_binding<'a>(
        &self,
        declared: &Binding,
        note: impl Into<Option<&'a SealedNote>>,
    ) -> Result<(), Mismatch> {
        let mut differences = self.binding.differences(declared);
        differences.extend(compare_sealed_note(&self.id, &recipients_tag(&self.recipients), note.into()));
        Mismatch::ensure_none(differences)
    }
}

/// Returns the error for an invalid key. The error contains the key, or a placeholder for a secret key.
fn recipient_error(key: &str, error: RecipientError) -> SealError {
    let safe_key = if error == RecipientError::SecretKey { "AGE-SECRET-KEY-..." } else { key };
    SealError::Recipient { key: safe_key.to_owned(), error }
}

#[cfg(test)]
mod tests;
