//! Sealing a profile's credential to its recipients, opening it, and checking that it still belongs there.

use super::binding::compare_note;
use super::plugin::{PluginIdentities, PluginRecipients};
use super::recipient::PublicKey;
use super::{
    Asker, Binding, Credential, CredentialId, Identities, Mismatch, OpenError, PayloadError, PluginError,
    RecipientError, SourceEnvironment, Unanswered,
};
use super::{age_file, payload, recipient, recipients_tag};
use crate::profile::{Edit, ProfileName, SealedNote, Section, Value};
use age::EncryptError;
use age::armor::Format;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A credential as the store has it: the armored text, and what stands beside it in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// An armored age file, with a line end.
    pub text: String,
    /// The inline table `sealed`.
    pub note: SealedNote,
}

/// Why something cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Nobody to seal to.
    #[error("there is no recipient to seal the secret to")]
    NoRecipients,
    /// More than 1,000 keys.
    #[error("a secret is sealed to at most 1000 recipients")]
    TooManyRecipients,
    /// A key that cannot be sealed to.
    #[error("the recipient key '{key}' cannot be sealed to: {error}")]
    Recipient {
        /// The key; cut where it is not a public one.
        key: String,
        /// What is wrong with it.
        error: RecipientError,
    },
    /// A password for an API key's profile, or the other way round.
    #[error("the credential is of another kind than the profile")]
    OtherKind,
    /// The plugin of a recipient did not seal to it.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Keys that cannot stand beside each other, such as one that withstands quantum computers and one that does not.
    #[error("a secret cannot be sealed to all of these recipients together: their keys are of kinds that do not mix")]
    Mixed,
    /// age itself failed.
    #[error("the secret could not be sealed")]
    Age,
}

/// What was in a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What it was bound to when it was sealed.
    pub binding: Binding,
    /// The credential.
    pub credential: Credential,
    /// Which credential of the profile this is.
    pub id: CredentialId,
    /// The public keys that it was sealed to.
    pub recipients: Vec<String>,
    /// When it was sealed, in whole seconds.
    pub sealed_at: Timestamp,
}

impl Sealed {
    /// The two keys of a sealed profile, in the order that the store shows them.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, Value); 2] {
        let note = vec![
            ("id".to_owned(), Value::Text(self.note.id.clone())),
            ("to".to_owned(), Value::Text(self.note.to.clone())),
            ("since".to_owned(), Value::Date(self.note.since)),
        ];
        [("sealed", Value::Table(note)), ("secret", Value::Block(self.text.clone()))]
    }

    /// The same as changes of a profile that is there.
    #[must_use]
    pub fn edits(&self, name: &ProfileName) -> Vec<Edit> {
        let section = Section::Profile(name.clone());
        let set =
            |(key, value): (&str, Value)| Edit::Set { section: section.clone(), key: vec![key.to_owned()], value };
        self.entries().map(set).into()
    }
}

/// Seals `credential`, which came on the day `since`, bound to `binding`, to all of the keys `recipients`.
///
/// A plugin that a key needs gets `environment` and no answer: no key of neto's asks anything while it seals.
///
/// # Errors
/// [`SealError`] when a key is no recipient, there is none, or credential and account are of two kinds.
pub fn seal(
    binding: &Binding,
    credential: &Credential,
    id: &CredentialId,
    since: Date,
    recipients: &[String],
    now: Timestamp,
    environment: &SourceEnvironment,
) -> Result<Sealed, SealError> {
    let mut keys = recipients.to_vec();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(SealError::NoRecipients);
    }
    if keys.len() > age_file::MOST_RECIPIENTS {
        return Err(SealError::TooManyRecipients);
    }
    let parsed = keys.iter().map(|key| recipient::parse(key).map_err(|error| refuse(key, error)));
    let parsed = parsed.collect::<Result<Vec<PublicKey>, _>>()?;
    let plain = payload::render(binding, credential, id, &keys, now)?;
    let sealed = close(&plain, &parsed, environment)?;
    let text = String::from_utf8(sealed).map_err(|_| SealError::Age)?;
    Ok(Sealed { text, note: SealedNote { id: id.to_string(), to: recipients_tag(&keys), since } })
}

fn close(plain: &[u8], keys: &[PublicKey], environment: &SourceEnvironment) -> Result<Vec<u8>, SealError> {
    let of_plugins = keys.iter().filter_map(|key| match key {
        PublicKey::Native(_) => None,
        PublicKey::Plugin(recipient) => Some(recipient),
    });
    let plugins = PluginRecipients::by_plugin(of_plugins, &(), environment);
    let native = keys.iter().filter_map(|key| match key {
        PublicKey::Native(recipient) => Some(recipient as &dyn age::Recipient),
        PublicKey::Plugin(_) => None,
    });
    let all: Vec<_> = native.chain(plugins.iter().map(|plugin| plugin as &dyn age::Recipient)).collect();
    age_file::close(plain, &all, Format::AsciiArmor).map_err(|error| {
        match (plugins.iter().find_map(PluginRecipients::failure), error) {
            (Some(failure), _) => SealError::Plugin(failure),
            (None, EncryptError::IncompatibleRecipients { .. }) => SealError::Mixed,
            _ => SealError::Age,
        }
    })
}

/// Opens a sealed text. What it holds counts only after [`Opened::check`]. The keys in the identity file come first;
/// plugins are started, with `environment`, only where those do not open it and there is somebody to ask.
///
/// # Errors
/// [`OpenError`] tells a wrong identity from a damaged text and from a payload of another shape.
pub fn open(
    text: &str,
    identities: &Identities,
    asker: &dyn Asker,
    environment: &SourceEnvironment,
) -> Result<Opened, OpenError> {
    let plain = match age_file::open_text(text, identities.native()) {
        Err(OpenError::WrongIdentity) if identities.need_plugins() => {
            open_by_plugin(text, identities, asker, environment)?
        }
        outcome => outcome?,
    };
    Ok(Opened::parse(&plain)?)
}

fn open_by_plugin(
    text: &str,
    identities: &Identities,
    asker: &dyn Asker,
    environment: &SourceEnvironment,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if let Some(first) = identities.of_plugins().next().filter(|_| asker.is_nobody()) {
        return Err(PluginError::Unanswered { program: first.plugin().program(), why: Unanswered::Nobody }.into());
    }
    let plugins = PluginIdentities::by_plugin(identities.of_plugins(), asker, environment);
    let opened = age_file::open_text(text, plugins.iter().map(|plugin| plugin as &dyn age::Identity));
    let failure = plugins.iter().find_map(PluginIdentities::failure);
    opened.map_err(|error| failure.map_or(error, OpenError::Plugin))
}

impl Opened {
    /// Reads what a seal holds: every field must be there, of its type, and no other.
    ///
    /// # Errors
    /// [`PayloadError`], which never holds a value.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        payload::parse(payload)
    }

    /// The payload as neto writes it.
    ///
    /// # Errors
    /// [`SealError::OtherKind`] when credential and account are of two kinds.
    pub fn render(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        payload::render(&self.binding, &self.credential, &self.id, &self.recipients, self.sealed_at)
    }

    /// Whether this secret belongs to the profile as it is declared today, and to the note beside it, which
    /// has to be there.
    ///
    /// # Errors
    /// [`Mismatch`] names every field that differs, with both values.
    pub fn check<'a>(&self, today: &Binding, note: impl Into<Option<&'a SealedNote>>) -> Result<(), Mismatch> {
        let mut differences = self.binding.differences(today);
        differences.extend(compare_note(&self.id, &recipients_tag(&self.recipients), note.into()));
        Mismatch::unless_equal(differences)
    }
}

/// A mistyped key helps when it is shown; a secret one must not be.
fn refuse(key: &str, error: RecipientError) -> SealError {
    let shown = if error == RecipientError::SecretKey { "AGE-SECRET-KEY-..." } else { key };
    SealError::Recipient { key: shown.to_owned(), error }
}
