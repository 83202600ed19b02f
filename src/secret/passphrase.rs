//! A key file that a passphrase protects, as `age -p` makes it: an age file with one scrypt stanza.
//!
//! Owns how much work a guess costs, and how much work a file may demand. Knows nothing of who is asked.

use super::Secret;
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use std::io::{self, Read as _, Write as _};
use zeroize::Zeroizing;

/// The work of one guess, as the power of two that scrypt takes: fixed rather than measured, so that what a fast
/// machine writes a slow one still opens (128 MiB and some tenths of a second). The value is OWASP's.
const WORK: u8 = 17;

/// The most work that a file may demand (1 GiB, some seconds): room for what `age -p` and `rage -p` write.
const MOST_WORK: u8 = 20;

/// The most that such a file holds, in bytes.
const CAP: u64 = 64 * 1024;

/// Why a protected key file stays closed, said of "it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Another passphrase opens it, or it was changed where that looks the same.
    #[error("the passphrase does not open it")]
    Wrong,
    /// An empty one protects nothing.
    #[error("the passphrase is empty")]
    Empty,
    /// Opening it would take minutes or more memory than there is.
    #[error("it demands 2^{0} units of work, and at most 2^{MOST_WORK} are done")]
    TooMuchWork(u8),
    /// An age file, but sealed to keys.
    #[error("it is sealed to keys, not to a passphrase")]
    NoPassphrase,
    /// Changed or cut since it was written.
    #[error("it is damaged")]
    Damaged,
    /// age itself failed.
    #[error("it could not be protected")]
    Age,
}

/// Whether the bytes look like an age file, armored or not, instead of keys in clear.
pub(super) fn is_protected(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
        || bytes.starts_with(b"age-encryption.org/")
}

/// Closes `plain` with a passphrase; the result is armored text.
pub(super) fn protect(plain: &Secret, passphrase: &Secret) -> Result<Secret, PassphraseError> {
    if passphrase.is_empty() {
        return Err(PassphraseError::Empty);
    }
    let mut recipient = scrypt::Recipient::new(passphrase.reveal().to_owned().into());
    recipient.set_work_factor(WORK);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|_| PassphraseError::Age)?;
    let written = (|| -> io::Result<Vec<u8>> {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?)?;
        writer.write_all(plain.reveal().as_bytes())?;
        writer.finish()?.finish()
    })();
    let text = written.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Secret::new).ok_or(PassphraseError::Age)
}

/// Opens what a passphrase closed.
pub(super) fn open(bytes: &[u8], passphrase: &Secret) -> Result<Secret, PassphraseError> {
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(bytes.trim_ascii_start())).map_err(|_| PassphraseError::Damaged)?;
    if !decryptor.is_scrypt() {
        return Err(PassphraseError::NoPassphrase);
    }
    let mut identity = scrypt::Identity::new(passphrase.reveal().to_owned().into());
    identity.set_max_work_factor(MOST_WORK);
    let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
        DecryptError::ExcessiveWork { required, .. } => PassphraseError::TooMuchWork(required),
        DecryptError::InvalidHeader | DecryptError::Io(_) => PassphraseError::Damaged,
        _ => PassphraseError::Wrong,
    })?;
    // Reserved at once: a vector that grows leaves copies of the keys behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let count = reader.take(CAP).read_to_end(&mut plain).map_err(|_| PassphraseError::Damaged)?;
    if count as u64 == CAP {
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
    fn r52_what_a_passphrase_protects_opens_with_it_alone() {
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
    fn r52_a_file_that_demands_absurd_work_is_refused_at_once() {
        let header = "age-encryption.org/v1\n-> scrypt bUjhSuCCnKUhcVrKcjpkLg 30\n\
            gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef";
        assert_eq!(open(header.as_bytes(), &secret("x")), Err(PassphraseError::TooMuchWork(30)));
        let own = age::x25519::Identity::generate();
        let sealed = age::encrypt(&own.to_public(), b"canary").unwrap();
        assert_eq!(open(&sealed, &secret("x")), Err(PassphraseError::NoPassphrase));
    }
}
