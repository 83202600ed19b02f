//! Device key of this machine: an age key that encrypts cached tokens and has no passphrase.
//!
//! Separate from the identity, so that reading a cached token never asks for a passphrase. Does not read or write
//! files.

use super::age_file::{decrypt_binary, encrypt};
use super::{Identities, IdentityError, OpenError, SealError, Secret};
use crate::profile::hex;
use age::armor::Format;
use age::secrecy::ExposeSecret as _;
use age::{DecryptError, Identity, x25519};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, bech32_decode, hkdf};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// HMAC label for deriving the tag key from the device key.
const TAG_LABEL: &[u8] = b"neto device tag v1";

/// Prefix of the comment line with the public key, as in the key files of `age-keygen`.
const PUBLIC_KEY_PREFIX: &str = "# public key: ";

/// X25519 key that encrypts and decrypts the token cache of this machine.
pub struct DeviceKey {
    identity: x25519::Identity,
    /// Faster identity with the public key from the key file, if that file contains a well-formed public key.
    precomputed: Option<PrecomputedIdentity>,
}

/// X25519 identity with a precomputed public key. The age library's identity computes the public key at each
/// decryption. This computation would take a tenth of the time for returning a cached token.
struct PrecomputedIdentity {
    secret: StaticSecret,
    public: PublicKey,
}

/// Reasons why a text is not a device key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceKeyError {
    /// The text is not an age identity file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file contains several keys, or the key of a plugin.
    #[error("it holds more than one key")]
    NotSingleNativeKey,
}

impl DeviceKey {
    /// Generates a device key.
    #[must_use]
    pub fn generate() -> Self {
        Self { identity: x25519::Identity::generate(), precomputed: None }
    }

    /// Parses the text of the device key file: an age identity file with exactly one native key.
    ///
    /// # Errors
    /// Returns a [`DeviceKeyError`], which may contain a line number but never contains text from the file.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        let identity = Identities::parse(text)?.into_single_native().ok_or(DeviceKeyError::NotSingleNativeKey)?;
        let precomputed =
            text.lines().find_map(|line| PrecomputedIdentity::new(&identity, line.strip_prefix(PUBLIC_KEY_PREFIX)?));
        Ok(Self { identity, precomputed })
    }

    /// Returns the text of the device key file.
    #[must_use]
    pub fn render(&self) -> Secret {
        let (key, public) = (self.identity.to_string(), self.identity.to_public());
        let key = key.expose_secret();
        Secret::new(format!("# opens the token cache of this machine\n{PUBLIC_KEY_PREFIX}{public}\n{key}\n"))
    }

    /// Encrypts `plain` to the device key, as a binary age file.
    ///
    /// # Errors
    /// Returns [`SealError::EncryptionFailed`] if the age library fails.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(plain, &[&self.identity.to_public()], Format::Binary).map_err(|_| SealError::EncryptionFailed)
    }

    /// Decrypts a binary age file that is encrypted to the device key and has at most 256 KiB of plaintext.
    ///
    /// # Errors
    /// Returns an [`OpenError`], but never [`OpenError::Payload`] or [`OpenError::Plugin`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // If the public key in the key file is wrong, `precomputed` decrypts nothing, and `identity` decrypts instead.
        let precomputed = self.precomputed.iter().map(|identity| identity as &dyn Identity);
        decrypt_binary(sealed, precomputed.chain(std::iter::once(&self.identity as &dyn Identity)))
    }

    /// Returns the HMAC-SHA-256 of a secret in hex, with a key derived from the device key. Equal secrets have equal
    /// tags. Without the device key, a tag reveals nothing else about the secret.
    #[must_use]
    pub fn tag(&self, secret: &[u8]) -> String {
        let device_key = self.identity.to_string();
        let tag_key = Zeroizing::new(<[u8; 32]>::from(hmac_sha256(device_key.expose_secret().as_bytes(), TAG_LABEL)));
        hex(&hmac_sha256(tag_key.as_slice(), secret))
    }
}

impl PrecomputedIdentity {
    /// Combines the secret key of `identity` with `public`; returns `None` if `public` is not an age public key. Does
    /// not check that the two keys belong together.
    fn new(identity: &x25519::Identity, public: &str) -> Option<Self> {
        let secret = decode_bech32_key(identity.to_string().expose_secret(), "AGE-SECRET-KEY-")?;
        Some(Self { secret: StaticSecret::from(*secret), public: PublicKey::from(*decode_bech32_key(public, "age")?) })
    }
}

/// Unwraps an `X25519` stanza as specified in <https://c2sp.org/age#x25519-recipient-stanza>. Returns `None` for an
/// unusual or invalid stanza, so that the age library's identity is tried next.
impl Identity for PrecomputedIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let [encoded_share] = stanza.args.as_slice() else { return None };
        if stanza.tag != "X25519" {
            return None;
        }
        let share: [u8; 32] = BASE64_STANDARD_NO_PAD.decode(encoded_share).ok()?.try_into().ok()?;
        let shared_secret = self.secret.diffie_hellman(&PublicKey::from(share));
        if !shared_secret.was_contributory() {
            return None;
        }
        let salt = [share, *self.public.as_bytes()].concat();
        let wrapping_key = Zeroizing::new(hkdf(&salt, b"age-encryption.org/v1/X25519", shared_secret.as_bytes()));
        let file_key = Zeroizing::new(aead_decrypt(&wrapping_key, FILE_KEY_BYTES, &stanza.body).ok()?);
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(&file_key))))
    }
}

/// Decodes a bech32 key; returns `None` unless the key has this prefix and 32 bytes.
fn decode_bech32_key(text: &str, prefix: &str) -> Option<Zeroizing<[u8; 32]>> {
    let to_array = |bytes: Zeroizing<Vec<u8>>| bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| ());
    let check_prefix = |found: &str| if found == prefix { Ok(()) } else { Err(()) };
    bech32_decode(text, |_| (), |hrp| check_prefix(hrp.as_str()), |_, bytes| to_array(Zeroizing::new(bytes.collect())))
        .ok()
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> hmac::digest::Output<Sha256> {
    // HMAC accepts a key of any length, so the fallback is never used.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(message);
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_device_key_decrypts() {
        let (own, other) = (DeviceKey::generate(), DeviceKey::generate());
        let sealed = own.seal(b"canary").unwrap();
        assert_eq!(own.open(&sealed).unwrap().as_slice(), b"canary");
        assert_eq!(other.open(&sealed), Err(OpenError::WrongIdentity));
        assert_eq!(own.open(b"canary"), Err(OpenError::NotAge));
        for at in [sealed.len() - 1, sealed.len() - 10] {
            assert_eq!(own.open(&sealed[..at]), Err(OpenError::Damaged));
        }
    }

    #[test]
    fn a_wrong_public_key_in_the_file_is_harmless() {
        let made = DeviceKey::generate();
        let text = made.render();
        let own = DeviceKey::parse(text.reveal()).unwrap();
        let sealed = made.seal(b"canary").unwrap();
        let pair = own.precomputed.as_ref().map(|pair| pair as &dyn Identity);
        assert_eq!(decrypt_binary(&sealed, pair.into_iter()).unwrap().as_slice(), b"canary");
        let public = made.identity.to_public().to_string();
        for noted in [DeviceKey::generate().identity.to_public().to_string(), String::new(), "age1".to_owned()] {
            let key = DeviceKey::parse(&text.reveal().replace(&public, &noted)).unwrap();
            assert_eq!(key.open(&sealed).unwrap().as_slice(), b"canary", "{noted}");
            // `seal` encrypts to the public key derived from the secret key, not to the public key in the file.
            assert_eq!(made.open(&key.seal(b"canary").unwrap()).unwrap().as_slice(), b"canary");
        }
    }

    #[test]
    fn a_tag_depends_on_the_secret_and_on_the_device() {
        let (own, other) = (DeviceKey::generate(), DeviceKey::generate());
        assert_eq!(own.tag(b"canary"), DeviceKey::parse(own.render().reveal()).unwrap().tag(b"canary"));
        assert_eq!(own.tag(b"canary").len(), 64);
        assert_ne!(own.tag(b"canary"), own.tag(b"canarz"));
        assert_ne!(own.tag(b"canary"), other.tag(b"canary"));
    }

    #[test]
    fn a_device_key_file_has_exactly_one_key() {
        let two = format!("{}{}", DeviceKey::generate().render().reveal(), DeviceKey::generate().render().reveal());
        assert_eq!(DeviceKey::parse(&two).map(|_| ()), Err(DeviceKeyError::NotSingleNativeKey));
        assert_eq!(DeviceKey::parse("").map(|_| ()), Err(DeviceKeyError::Identity(IdentityError::NoKey)));
    }
}
