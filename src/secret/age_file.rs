//! age files in memory: closed to recipients, opened with identities, never larger than a cap.
//!
//! age's own error texts are not shown: some hold characters that a terminal must not get.

use super::{PayloadError, PluginError};
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient};
use std::io::{self, Read as _, Write as _};
use zeroize::Zeroizing;

/// The most that is opened, in bytes of plaintext.
const PLAINTEXT_CAP: u64 = 256 * 1024;

/// The most that is looked at, in bytes of text: the plaintext's cap in base64, and room for the header.
const TEXT_CAP: usize = 640 * 1024;

/// The most that a header may have, in bytes and in lines: room for [`MOST_RECIPIENTS`]. age reads a header
/// anew for each of its lines, so that a few hundred KiB of short ones would take it minutes.
const HEADER_CAP: usize = 128 * 1024;
const HEADER_LINES: usize = 2_500;

/// The most keys that one secret is sealed to; each takes two lines of the header.
pub(super) const MOST_RECIPIENTS: usize = 1_000;

/// Why a sealed text does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No age file at all.
    #[error("the sealed text is no age file")]
    NotAge,
    /// An age file of a format that is newer than this program.
    #[error("the sealed text is an age file of an unknown version")]
    NewerFormat,
    /// Sealed to others, or damaged in the one place where that looks the same.
    #[error("none of the keys at hand opens the sealed text")]
    WrongIdentity,
    /// Sealed to a passphrase instead of keys.
    #[error("the sealed text is sealed to a passphrase, not to keys")]
    NeedsPassphrase,
    /// Changed or cut since it was sealed.
    #[error("the sealed text is damaged")]
    Damaged,
    /// Larger than anything that neto seals.
    #[error("the sealed text is larger than anything that neto seals")]
    TooLarge,
    /// The plugin that holds the key did not open it.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// It opens, but holds something else than a sealed profile.
    #[error("what is sealed is not what neto seals: {0}")]
    Payload(#[from] PayloadError),
}

/// Closes `plain` to all of `recipients`; with `Format::AsciiArmor` the result is a text.
pub(super) fn close(plain: &[u8], recipients: &[&dyn Recipient], format: Format) -> Result<Vec<u8>, EncryptError> {
    let encryptor = Encryptor::with_recipients(recipients.iter().copied())?;
    let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), format)?)?;
    writer.write_all(plain)?;
    // Without both of these the file is cut in silence.
    Ok(writer.finish()?.finish()?)
}

/// Opens an armored age file with the first of `identities` that fits. Blanks around it do not matter.
pub(super) fn open_text<'a>(
    text: &str,
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    open_bytes(&without_armor(text)?, identities)
}

/// Whether a text is an age file that is sealed to keys, as far as that can be told without one.
///
/// # Errors
/// [`OpenError`], but never that of a wrong identity.
pub fn check_sealed(text: &str) -> Result<(), OpenError> {
    let bytes = without_armor(text)?;
    check_header(&bytes)?;
    if Decryptor::new_buffered(&bytes[..])?.is_scrypt() { Err(OpenError::NeedsPassphrase) } else { Ok(()) }
}

fn without_armor(text: &str) -> Result<Vec<u8>, OpenError> {
    if text.len() > TEXT_CAP {
        return Err(OpenError::TooLarge);
    }
    // Only the blanks that armor may have around it, so that a flipped bit does not pass for one.
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if !text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(OpenError::NotAge);
    }
    let mut bytes = Vec::with_capacity(text.len());
    ArmoredReader::new(text.as_bytes()).read_to_end(&mut bytes).map_err(|_| OpenError::Damaged)?;
    Ok(bytes)
}

/// Opens a binary age file with the first of `identities` that fits.
pub(super) fn open_bytes<'a>(
    bytes: &[u8],
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    check_header(bytes)?;
    let decryptor = Decryptor::new_buffered(bytes)?;
    if decryptor.is_scrypt() {
        return Err(OpenError::NeedsPassphrase);
    }
    let reader = decryptor.decrypt(identities)?;
    // Reserved at once: a vector that grows leaves copies of the plaintext behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let count = reader.take(PLAINTEXT_CAP + 1).read_to_end(&mut plain).map_err(|_| OpenError::Damaged)?;
    if count as u64 > PLAINTEXT_CAP { Err(OpenError::TooLarge) } else { Ok(plain) }
}

fn check_header(bytes: &[u8]) -> Result<(), OpenError> {
    if !bytes.starts_with(b"age-encryption.org/") {
        return Err(OpenError::NotAge);
    }
    let start = &bytes[..bytes.len().min(HEADER_CAP)];
    let end = start.windows(5).position(|window| window == b"\n--- ");
    let header = &start[..end.unwrap_or(start.len())];
    let lines = header.split(|byte| *byte == b'\n').count();
    let cut = end.is_none() && bytes.len() > HEADER_CAP;
    if cut || lines > HEADER_LINES { Err(OpenError::TooLarge) } else { Ok(()) }
}

impl From<DecryptError> for OpenError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::NoMatchingKeys => Self::WrongIdentity,
            DecryptError::UnknownFormat => Self::NewerFormat,
            _ => Self::Damaged,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(_: io::Error) -> Self {
        Self::Damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::x25519;

    fn open(text: &str, identity: &x25519::Identity) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        open_text(text, std::iter::once(identity as &dyn Identity))
    }

    fn close_text(plain: &[u8], recipient: &dyn Recipient) -> String {
        String::from_utf8(close(plain, &[recipient], Format::AsciiArmor).unwrap()).unwrap()
    }

    #[test]
    fn what_is_closed_opens_again_with_its_key_alone() {
        let (own, other) = (x25519::Identity::generate(), x25519::Identity::generate());
        let text = close_text(b"canary", &own.to_public());
        assert_eq!(open(&text, &own).unwrap().as_slice(), b"canary");
        assert_eq!(open(&format!("\n {}\n\n", text.replace('\n', "\r\n")), &own).unwrap().as_slice(), b"canary");
        assert_eq!(open(&text, &other), Err(OpenError::WrongIdentity));
    }

    #[test]
    fn r52_what_does_not_open_says_why() {
        let own = x25519::Identity::generate();
        let text = close_text(b"canary", &own.to_public());
        let mut passphrase = age::scrypt::Recipient::new("x".to_owned().into());
        passphrase.set_work_factor(1);
        let newer = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3Y5CnRleHQgb2YgYSBsYXRlciB0aW1lCg==\n-----END AGE ENCRYPTED FILE-----\n";
        let large = close_text(&vec![0; 256 * 1024 + 1], &own.to_public());
        for (text, error) in [
            ("", OpenError::NotAge),
            ("canary", OpenError::NotAge),
            ("-----BEGIN PGP MESSAGE-----", OpenError::NotAge),
            (&text[..text.len() / 2], OpenError::Damaged),
            (&text.replacen('\n', "\n=", 2), OpenError::Damaged),
            (&close_text(b"x", &passphrase), OpenError::NeedsPassphrase),
            (newer, OpenError::NewerFormat),
            (&large, OpenError::TooLarge),
            (&"-".repeat(700_000), OpenError::TooLarge),
        ] {
            assert_eq!(open(text, &own), Err(error), "{text:.80}");
        }
    }

    #[test]
    fn a_header_of_endless_lines_is_not_read() {
        let own = x25519::Identity::generate();
        for (stanza, count) in
            [("-> x\n\n", 60_000), ("-> x\n\n", 2_000), (&format!("-> x{}\n\n", " y".repeat(200)), 1_000)]
        {
            let header = format!("age-encryption.org/v1\n{}", stanza.repeat(count));
            for end in ["", "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef"] {
                let bytes = format!("{header}{end}");
                let opened = open_bytes(bytes.as_bytes(), std::iter::once(&own as &dyn Identity));
                assert_eq!(opened, Err(OpenError::TooLarge), "{count}");
            }
        }
    }

    #[test]
    fn as_many_recipients_as_are_sealed_to_open_again() {
        let own = x25519::Identity::generate();
        let key = own.to_public();
        let keys: Vec<&dyn Recipient> = std::iter::repeat_n(&key as &dyn Recipient, MOST_RECIPIENTS).collect();
        let bytes = close(b"canary", &keys, Format::Binary).unwrap();
        assert_eq!(open_bytes(&bytes, std::iter::once(&own as &dyn Identity)).unwrap().as_slice(), b"canary");
    }
}
