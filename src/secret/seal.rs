//! Seals a profile's credential to its recipients, opens a sealed credential, and checks that it belongs to the profile.

use super::binding::compare_note;
use super::payload::RenderError;
use super::plugin::{PluginIdentities, PluginRecipients};
use super::recipient::PublicKey;
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

/// Sealed credential as stored: the armored text, and the plaintext `sealed` table beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Armored age file, with a final line end.
    pub text: String,
    /// Inline table `sealed`.
    pub note: SealedNote,
}

/// Reasons why a credential cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The list of recipients is empty.
    #[error("there is no recipient to seal the secret to")]
    NoRecipients,
    /// More than 1,000 recipients.
    #[error("a secret is sealed to at most 1000 recipients")]
    TooManyRecipients,
    /// A recipient's key is invalid.
    #[error("the recipient key '{key}' cannot be sealed to: {error}")]
    Recipient {
        /// Text of the key; a placeholder if the text is a secret key.
        key: String,
        /// Reason why the key is invalid.
        error: RecipientError,
    },
    /// A password for a profile with an API key, or the other way round.
    #[error("the credential is of another kind than the profile")]
    KindMismatch,
    /// The plugin of a recipient failed to encrypt.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The keys cannot be combined in one age file, such as a post-quantum key and a classic key.
    #[error("a secret cannot be sealed to all of these recipients together: their keys are of kinds that do not mix")]
    IncompatibleRecipients,
    /// age failed to encrypt.
    #[error("the secret could not be sealed")]
    Age,
}

impl From<RenderError> for SealError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::KindMismatch => Self::KindMismatch,
            RenderError::Json => Self::Age,
        }
    }
}

impl SealedSecret {
    /// Returns the TOML keys `sealed` and `secret` with their values, in the order of the store.
    #[must_use]
    pub fn toml_entries(&self) -> [(&'static str, EditValue); 2] {
        let note = vec![
            ("id".to_owned(), EditValue::Text(self.note.id.clone())),
            ("to".to_owned(), EditValue::Text(self.note.to.clone())),
            ("since".to_owned(), EditValue::Date(self.note.since)),
        ];
        [("sealed", EditValue::Table(note)), ("secret", EditValue::Multiline(self.text.clone()))]
    }

    /// Returns the edits that write both TOML keys to an existing profile.
    #[must_use]
    pub fn edits(&self, name: &ProfileName) -> Vec<Edit> {
        let section = Section::Profile(name.clone());
        let set =
            |(key, value): (&str, EditValue)| Edit::Set { section: section.clone(), key: vec![key.to_owned()], value };
        self.toml_entries().map(set).into()
    }
}

/// Seals `credential` to the keys `recipients` and binds it to `binding`; `since` is the day the credential was obtained.
///
/// A plugin that a key needs runs with `environment`; its questions stay unanswered, because sealing never prompts.
///
/// # Errors
/// [`SealError`] if a key is invalid, `recipients` is empty, or the credential and the account are of different kinds.
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
    let parsed = parsed.collect::<Result<Vec<PublicKey>, _>>()?;
    let plain = payload::render(binding, credential, id, &keys, now)?;
    let sealed = encrypt(&plain, &parsed, environment)?;
    let text = String::from_utf8(sealed).map_err(|_| SealError::Age)?;
    Ok(SealedSecret { text, note: SealedNote { id: id.to_string(), to: recipients_tag(&keys), since } })
}

fn encrypt(plain: &[u8], keys: &[PublicKey], environment: &Environment) -> Result<Vec<u8>, SealError> {
    let plugin_recipients = keys.iter().filter_map(|key| match key {
        PublicKey::Native(_) => None,
        PublicKey::Plugin(recipient) => Some(recipient),
    });
    let plugins = PluginRecipients::by_plugin(plugin_recipients, &(), environment);
    let native_recipients = keys.iter().filter_map(|key| match key {
        PublicKey::Native(recipient) => Some(recipient as &dyn age::Recipient),
        PublicKey::Plugin(_) => None,
    });
    let all: Vec<_> = native_recipients.chain(plugins.iter().map(|plugin| plugin as &dyn age::Recipient)).collect();
    age_file::encrypt(plain, &all, Format::AsciiArmor).map_err(|error| {
        match (plugins.iter().find_map(PluginRecipients::failure), error) {
            (Some(failure), _) => SealError::Plugin(failure),
            (None, EncryptError::IncompatibleRecipients { .. }) => SealError::IncompatibleRecipients,
            _ => SealError::Age,
        }
    })
}

/// Opens a sealed text. The result must not be used before [`OpenedSecret::check_binding`] succeeds. Native keys are
/// tried first. Plugins are started, with `environment`, only if no native key matches and `prompter` is available.
///
/// # Errors
/// [`OpenError`], which distinguishes a wrong identity, a damaged text and an invalid payload.
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
    if let Some(first) = identities.plugin_keys().next().filter(|_| prompter.is_unavailable()) {
        return Err(
            PluginError::Unanswered { program: first.plugin().program(), why: PrompterError::Unavailable }.into()
        );
    }
    let plugins = PluginIdentities::by_plugin(identities.plugin_keys(), prompter, environment);
    let opened = age_file::decrypt_armored(text, plugins.iter().map(|plugin| plugin as &dyn age::Identity));
    let failure = plugins.iter().find_map(PluginIdentities::failure);
    opened.map_err(|error| failure.map_or(error, OpenError::Plugin))
}

impl OpenedSecret {
    /// Parses a payload; each field is required and must have its type, and unknown fields are errors.
    ///
    /// # Errors
    /// [`PayloadError`], which never contains a value.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        payload::parse(payload)
    }

    /// Renders the payload as neto writes it.
    ///
    /// # Errors
    /// [`SealError::KindMismatch`] if the credential and the account are of different kinds.
    pub fn render(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(payload::render(&self.binding, &self.credential, &self.id, &self.recipients, self.sealed_at)?)
    }

    /// Checks that this secret belongs to the profile as declared now, and to the `sealed` table beside it. A missing
    /// `sealed` table is a mismatch.
    ///
    /// # Errors
    /// [`Mismatch`] names every field that differs, with both values.
    pub fn check_binding<'a>(
        &self,
        declared: &Binding,
        note: impl Into<Option<&'a SealedNote>>,
    ) -> Result<(), Mismatch> {
        let mut differences = self.binding.differences(declared);
        differences.extend(compare_note(&self.id, &recipients_tag(&self.recipients), note.into()));
        Mismatch::ensure_none(differences)
    }
}

/// Builds the error for an invalid key. A mistyped key is shown, a secret key is not.
fn recipient_error(key: &str, error: RecipientError) -> SealError {
    let shown = if error == RecipientError::SecretKey { "AGE-SECRET-KEY-..." } else { key };
    SealError::Recipient { key: shown.to_owned(), error }
}

#[cfg(test)]
mod tests;
