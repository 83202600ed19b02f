//! Sealing a profile's credential to its recipients, opening it, and checking that it still belongs there.

use super::binding::compare_note;
use super::{Binding, Credential, CredentialId, Identities, Mismatch, OpenError, PayloadError, RecipientError};
use super::{envelope, payload, recipient, recipients_tag};
use crate::profile::SealedNote;
use age::armor::Format;
use jiff::Timestamp;
use jiff::civil::Date;
use zeroize::Zeroizing;

/// A credential as the store has it: the armored text, and what stands beside it in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Seals `credential`, which came on the day `since`, bound to `binding`, to all of the keys `recipients`.
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
) -> Result<Sealed, SealError> {
    let mut keys = recipients.to_vec();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(SealError::NoRecipients);
    }
    if keys.len() > envelope::MOST_RECIPIENTS {
        return Err(SealError::TooManyRecipients);
    }
    let parsed = keys.iter().map(|key| recipient::parse(key).map_err(|error| refuse(key, error)));
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    let parsed: Vec<&dyn age::Recipient> = parsed.iter().map(|key| key as &dyn age::Recipient).collect();
    let plain = payload::render(binding, credential, id, &keys, now)?;
    let sealed = envelope::close(&plain, &parsed, Format::AsciiArmor).map_err(|_| SealError::Age)?;
    let text = String::from_utf8(sealed).map_err(|_| SealError::Age)?;
    Ok(Sealed { text, note: SealedNote { id: id.to_string(), to: recipients_tag(&keys), since } })
}

/// Opens a sealed text. What it holds counts only after [`Opened::check`].
///
/// # Errors
/// [`OpenError`] tells a wrong identity from a damaged text and from a payload of another shape.
pub fn open(text: &str, identities: &Identities) -> Result<Opened, OpenError> {
    let plain = envelope::open_text(text, identities.iter())?;
    Ok(Opened::parse(&plain)?)
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
