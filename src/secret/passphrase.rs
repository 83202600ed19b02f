//! Encrypts and decrypts identity files with a passphrase, in the format of `age -p`: an age file with one scrypt
//! stanza.
//!
//! Owns the scrypt work factors. Does not prompt for a passphrase, and does not read or write files.

use super::Secret;
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use std::io::{self, Read as _, Write as _};
use zeroize::Zeroizing;

/// Work factor of new files: scrypt's cost parameter is 2 to this power. OWASP recommends 17. Each guess takes 128 MiB
/// of memory and a few tenths of a second. The factor is fixed rather than measured: a slow machine must be able to
/// decrypt a file encrypted on a fast machine.
const WORK_FACTOR: u8 = 17;

/// Maximum work factor for decryption: 1 GiB of memory and a few seconds. Enough for files that `age -p` or `rage -p`
/// wrote.
const MAX_WORK_FACTOR: u8 = 20;

/// Exclusive upper limit for the plaintext of an identity file.
const PLAINTEXT_LIMIT_BYTES: u64 = 64 * 1024;

/// Reasons why an identity file cannot be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// The passphrase is wrong, or the file was altered in a way that looks like a wrong passphrase.
    #[error("the passphrase does not open it")]
    Wrong,
    /// The passphrase is empty. An empty passphrase would protect nothing.
    #[error("the passphrase is empty")]
    Empty,
    /// The work factor of the file exceeds the maximum of 20. Decryption could take minutes or too much memory.
    #[error("it demands 2^{0} units of work, and at most 2^{MAX_WORK_FACTOR} are done")]
    TooMuchWork(u8),
    /// The age file is encrypted to recipients instead of with a passphrase.
    #[error("it is sealed to keys, not to a passphrase")]
    EncryptedToRecipients,
    /// The file is not a valid age file, or its plaintext is not UTF-8 or is too large.
    #[error("it is damaged")]
    Damaged,
    /// The age library failed to encrypt the file, or the encrypted file does not decrypt to the original.
    #[error("it could not be protected")]
    EncryptionFailed,
}

/// Returns true if `bytes` start like an age file, armored or binary. Plaintext keys start differently.
pub(super) fn is_protected(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
        || bytes.starts_with(b"age-encryption.org/")
}

/// Encrypts `plain` with a passphrase and returns an armored age file.
pub(super) fn protect(plain: &Secret, passphrase: &Secret) -> Result<Secret, PassphraseError> {
    if passphrase.is_empty() {
        return Err(PassphraseError::Empty);
    }
    let mut recipient = scrypt::Recipient::new(passphrase.reveal().to_owned().into());
    recipient.set_work_factor(WORK_FACTOR);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|_| PassphraseError::EncryptionFailed)?;
    let encrypted = (|| -> io::Result<Vec<u8>> {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?)?;
        writer.write_all(plain.reveal().as_bytes())?;
        writer.finish()?.finish()
    })();
    let text = encrypted.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Secret::new).ok_or(PassphraseError::EncryptionFailed)
}

/// Decrypts an identity file, armored or binary, with its passphrase.
pub(super) fn open(bytes: &[u8], passphrase: &Secret) -> Result<Secret, PassphraseError> {
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(bytes.trim_ascii_start())).map_err(|_| PassphraseError::Damaged)?;
    if !decryptor.is_scrypt() {
        return Err(PassphraseError::EncryptedToRecipients);
    }
    let mut identity = scrypt::Identity::new(passphrase.reveal().to_owned().into());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
        DecryptError::ExcessiveWork { required, .. } => PassphraseError::TooMuchWork(required),
        DecryptError::InvalidHeader | DecryptError::Io(_) => PassphraseError::Damaged,
        _ => PassphraseError::Wrong,
    })?;
    // The full capacity is reserved first, because a growing vector leaves copies of the keys in memory.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let count = reader.take(PLAINTEXT_LIMIT_BYTES).read_to_end(&mut plain).map_err(|_| PassphraseError::Damaged)?;
    if count as u64 == PLAINTEXT_LIMIT_BYTES {
        return Err(PassphraseError::Damaged);
    }
    let text = std::str::from_utf8(&plain).map_err(|_| PassphraseError::Damaged)?;
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn r52_only_the_right_passphrase_decrypts() {
        let text = protect(&secret("canary"), &secret("long and hard to guess")).unwrap();
        assert!(is_protected(text.reveal().as_bytes()) && !is_protected(b"AGE-SECRET-KEY-1"));
        let open = |bytes: &[u8], passphrase: &str| super::open(bytes, &secret(passphrase));
        assert_eq!(open(text.reveal().as_bytes(), "long and hard to guess").unwrap().reveal(), "canary");
        assert_eq!(open(text.reveal().as_bytes(), "guess"), Err(PassphraseError::Wrong));
        assert_eq!(protect(&secret("canary"), &secret("")), Err(PassphraseError::Empty));
        let cut = &text.reveal()[..text.len() / 2];
        assert_eq!(open(cut.as_bytes(), "long and hard to guess"), Err(PassphraseError::Damaged));
    }

    #[test]
    fn r52_an_excessive_work_factor_is_refused() {
        let header = "age-encryption.org/v1\n-> scrypt bUjhSuCCnKUhcVrKcjpkLg 30\n\
            gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef";
        assert_eq!(open(header.as_bytes(), &secret("x")), Err(PassphraseError::TooMuchWork(30)));
        let own = age::x25519::Identity::generate();
        let sealed = age::encrypt(&own.to_public(), b"canary").unwrap();
        assert_eq!(open(&sealed, &secret("x")), Err(PassphraseError::EncryptedToRecipients));
    }
}
