//! Encrypts bytes to recipients as an age file, and decrypts age files with identities, all in memory.
//!
//! Limits the size of age files before the age library parses them. Never shows the library's error messages, because
//! some contain characters that are unsafe for a terminal.

use super::{PayloadError, PluginError};
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient};
use std::io::{self, Read as _, Write as _};
use zeroize::Zeroizing;

/// Maximum size of a decrypted plaintext.
const MAX_PLAINTEXT_BYTES: u64 = 256 * 1024;

/// Maximum size of an armored age file. A header and a plaintext of maximum size fit.
const MAX_ARMORED_BYTES: usize = 640 * 1024;

/// Maximum size of an age header, enough for [`MAX_RECIPIENTS`] native recipients.
const MAX_HEADER_BYTES: usize = 128 * 1024;
/// Maximum number of lines in an age header, enough for [`MAX_RECIPIENTS`] native recipients. The age library rescans
/// the whole header for each line. A few hundred KiB of short lines would take minutes.
const MAX_HEADER_LINES: usize = 2_500;

/// Maximum number of recipients of one secret. The stanza of a native recipient has two header lines.
pub(super) const MAX_RECIPIENTS: usize = 1_000;

/// Reasons why a sealed text (an age file) cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The text is not an age file.
    #[error("the sealed text is no age file")]
    NotAge,
    /// The version of the age format is unknown, most likely newer than this program.
    #[error("the sealed text is an age file of an unknown version")]
    NewerFormat,
    /// No identity matches. The file is encrypted to other recipients, or its header is damaged.
    #[error("none of the keys at hand opens the sealed text")]
    WrongIdentity,
    /// The age file is encrypted with a passphrase instead of to recipients.
    #[error("the sealed text is sealed to a passphrase, not to keys")]
    NeedsPassphrase,
    /// The age file was altered or truncated.
    #[error("the sealed text is damaged")]
    Damaged,
    /// The text, its header or its plaintext exceeds a size limit.
    #[error("the sealed text is larger than anything that neto seals")]
    TooLarge,
    /// A plugin that holds an identity failed to decrypt the text.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Decryption succeeded, but the plaintext is not the payload of a sealed profile.
    #[error("what is sealed is not what neto seals: {0}")]
    Payload(#[from] PayloadError),
}

/// Encrypts `plain` so that each of `recipients` can decrypt it. [`Format`] selects armored text or binary output.
pub(super) fn encrypt(plain: &[u8], recipients: &[&dyn Recipient], format: Format) -> Result<Vec<u8>, EncryptError> {
    let encryptor = Encryptor::with_recipients(recipients.iter().copied())?;
    let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), format)?)?;
    writer.write_all(plain)?;
    // Each writer must be finished. `finish` writes the last chunk and the end of the armor; dropping a writer does
    // not.
    Ok(writer.finish()?.finish()?)
}

/// Decrypts an armored age file with the first matching identity. Ignores spaces, tabs and line endings around the
/// armor.
pub(super) fn decrypt_armored<'a>(
    text: &str,
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    decrypt_binary(&decode_armor(text)?, identities)
}

/// Checks that `text` is an armored age file encrypted to recipients. Checks the size, the armor and the header, but
/// decrypts nothing.
///
/// # Errors
/// Returns [`OpenError::NotAge`], [`OpenError::NewerFormat`], [`OpenError::NeedsPassphrase`], [`OpenError::Damaged`] or
/// [`OpenError::TooLarge`].
pub fn check_sealed_text(text: &str) -> Result<(), OpenError> {
    let bytes = decode_armor(text)?;
    check_header(&bytes)?;
    if Decryptor::new_buffered(&bytes[..])?.is_scrypt() { Err(OpenError::NeedsPassphrase) } else { Ok(()) }
}

fn decode_armor(text: &str) -> Result<Vec<u8>, OpenError> {
    if text.len() > MAX_ARMORED_BYTES {
        return Err(OpenError::TooLarge);
    }
    // `str::trim` would also accept other whitespace characters, which a flipped bit can produce.
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if !text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(OpenError::NotAge);
    }
    let mut bytes = Vec::with_capacity(text.len());
    ArmoredReader::new(text.as_bytes()).read_to_end(&mut bytes).map_err(|_| OpenError::Damaged)?;
    Ok(bytes)
}

/// Decrypts a binary age file with the first matching identity.
pub(super) fn decrypt_binary<'a>(
    bytes: &[u8],
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    check_header(bytes)?;
    let decryptor = Decryptor::new_buffered(bytes)?;
    if decryptor.is_scrypt() {
        return Err(OpenError::NeedsPassphrase);
    }
    let reader = decryptor.decrypt(identities)?;
    // The full capacity is reserved first, because a growing vector leaves copies of the plaintext in memory.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let count = reader.take(MAX_PLAINTEXT_BYTES + 1).read_to_end(&mut plain).map_err(|_| OpenError::Damaged)?;
    if count as u64 > MAX_PLAINTEXT_BYTES { Err(OpenError::TooLarge) } else { Ok(plain) }
}

fn check_header(bytes: &[u8]) -> Result<(), OpenError> {
    if !bytes.starts_with(b"age-encryption.org/") {
        return Err(OpenError::NotAge);
    }
    let prefix = &bytes[..bytes.len().min(MAX_HEADER_BYTES)];
    let header_end = prefix.windows(5).position(|window| window == b"\n--- ");
    let header = &prefix[..header_end.unwrap_or(prefix.len())];
    let line_count = header.split(|byte| *byte == b'\n').count();
    let is_too_long = header_end.is_none() && bytes.len() > MAX_HEADER_BYTES;
    if is_too_long || line_count > MAX_HEADER_LINES { Err(OpenError::TooLarge) } else { Ok(()) }
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
        decrypt_armored(text, std::iter::once(identity as &dyn Identity))
    }

    fn encrypt_text(plain: &[u8], recipient: &dyn Recipient) -> String {
        String::from_utf8(encrypt(plain, &[recipient], Format::AsciiArmor).unwrap()).unwrap()
    }

    #[test]
    fn only_an_identity_of_a_recipient_decrypts() {
        let (own, other) = (x25519::Identity::generate(), x25519::Identity::generate());
        let text = encrypt_text(b"canary", &own.to_public());
        assert_eq!(open(&text, &own).unwrap().as_slice(), b"canary");
        assert_eq!(open(&format!("\n {}\n\n", text.replace('\n', "\r\n")), &own).unwrap().as_slice(), b"canary");
        assert_eq!(open(&text, &other), Err(OpenError::WrongIdentity));
    }

    #[test]
    fn r52_each_decryption_failure_has_its_own_error() {
        let own = x25519::Identity::generate();
        let text = encrypt_text(b"canary", &own.to_public());
        let mut passphrase = age::scrypt::Recipient::new("x".to_owned().into());
        passphrase.set_work_factor(1);
        let newer = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3Y5CnRleHQgb2YgYSBsYXRlciB0aW1lCg==\n-----END AGE ENCRYPTED FILE-----\n";
        let large = encrypt_text(&vec![0; 256 * 1024 + 1], &own.to_public());
        for (text, error) in [
            ("", OpenError::NotAge),
            ("canary", OpenError::NotAge),
            ("-----BEGIN PGP MESSAGE-----", OpenError::NotAge),
            (&text[..text.len() / 2], OpenError::Damaged),
            (&text.replacen('\n', "\n=", 2), OpenError::Damaged),
            (&encrypt_text(b"x", &passphrase), OpenError::NeedsPassphrase),
            (newer, OpenError::NewerFormat),
            (&large, OpenError::TooLarge),
            (&"-".repeat(700_000), OpenError::TooLarge),
        ] {
            assert_eq!(open(text, &own), Err(error), "{text:.80}");
        }
    }

    #[test]
    fn an_oversized_header_is_refused() {
        let own = x25519::Identity::generate();
        for (stanza, count) in
            [("-> x\n\n", 60_000), ("-> x\n\n", 2_000), (&format!("-> x{}\n\n", " y".repeat(200)), 1_000)]
        {
            let header = format!("age-encryption.org/v1\n{}", stanza.repeat(count));
            for end in ["", "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef"] {
                let bytes = format!("{header}{end}");
                let opened = decrypt_binary(bytes.as_bytes(), std::iter::once(&own as &dyn Identity));
                assert_eq!(opened, Err(OpenError::TooLarge), "{count}");
            }
        }
    }

    #[test]
    fn a_file_with_the_maximum_number_of_recipients_decrypts() {
        let own = x25519::Identity::generate();
        let key = own.to_public();
        let keys: Vec<&dyn Recipient> = std::iter::repeat_n(&key as &dyn Recipient, MAX_RECIPIENTS).collect();
        let bytes = encrypt(b"canary", &keys, Format::Binary).unwrap();
        assert_eq!(decrypt_binary(&bytes, std::iter::once(&own as &dyn Identity)).unwrap().as_slice(), b"canary");
    }
}
