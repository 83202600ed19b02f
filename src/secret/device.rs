//! Device key of this machine: encrypts cached tokens, so that reading a cached token needs no prompt.

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

/// HMAC label that separates the key of the tags from all other uses of the device key.
const TAG_LABEL: &[u8] = b"neto device tag v1";

/// Prefix of the public key line in the key file; age's own key files use the same prefix.
const PUBLIC_KEY_PREFIX: &str = "# public key: ";

/// Device key of this machine.
pub struct DeviceKey {
    identity: x25519::Identity,
    /// Key pair with the public key from the file, if the file contains a well-formed public key.
    key_pair: Option<KeyPair>,
}

/// X25519 identity with a precomputed public key. age's own identity computes the public key at each decryption. That
/// would be a tenth of the cost of a cached token.
struct KeyPair {
    secret: StaticSecret,
    public: PublicKey,
}

/// Reasons why a text is not a device key file; each message starts with "it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceKeyError {
    /// The text is not an age identity file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file does not consist of a single native key.
    #[error("it holds more than one key")]
    SeveralKeys,
}

impl DeviceKey {
    /// Generates a device key.
    #[must_use]
    pub fn generate() -> Self {
        Self { identity: x25519::Identity::generate(), key_pair: None }
    }

    /// Parses the device key file: an age identity file with exactly one native key.
    ///
    /// # Errors
    /// [`DeviceKeyError`], which contains a line number but never the line's text.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        let identity = Identities::parse(text)?.into_single_native().ok_or(DeviceKeyError::SeveralKeys)?;
        let key_pair = text.lines().find_map(|line| KeyPair::new(&identity, line.strip_prefix(PUBLIC_KEY_PREFIX)?));
        Ok(Self { identity, key_pair })
    }

    /// Returns the text of the device key file.
    #[must_use]
    pub fn render(&self) -> Secret {
        let (key, public) = (self.identity.to_string(), self.identity.to_public());
        let key = key.expose_secret();
        Secret::new(format!("# opens the token cache of this machine\n{PUBLIC_KEY_PREFIX}{public}\n{key}\n"))
    }

    /// Encrypts `plain` to this machine, as a binary age file.
    ///
    /// # Errors
    /// [`SealError::Age`] when age fails.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(plain, &[&self.identity.to_public()], Format::Binary).map_err(|_| SealError::Age)
    }

    /// Decrypts an age file that this machine encrypted, up to 256 KiB of plaintext.
    ///
    /// # Errors
    /// [`OpenError`], never [`OpenError::Payload`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // If the public key in the file is wrong, the key pair decrypts nothing, but age's own identity still does.
        let key_pair = self.key_pair.iter().map(|pair| pair as &dyn Identity);
        decrypt_binary(sealed, key_pair.chain(std::iter::once(&self.identity as &dyn Identity)))
    }

    /// Computes a hex tag of a secret: HMAC-SHA-256 with a key derived from the device key. Equal secrets have equal
    /// tags; without the device key a tag reveals nothing else.
    #[must_use]
    pub fn tag(&self, secret: &[u8]) -> String {
        let device_key = self.identity.to_string();
        let tag_key = Zeroizing::new(<[u8; 32]>::from(hmac_sha256(device_key.expose_secret().as_bytes(), TAG_LABEL)));
        hex(&hmac_sha256(tag_key.as_slice(), secret))
    }
}

impl KeyPair {
    /// Returns `None` if `public` is not an age public key.
    fn new(identity: &x25519::Identity, public: &str) -> Option<Self> {
        let secret = key_bytes(identity.to_string().expose_secret(), "AGE-SECRET-KEY-")?;
        Some(Self { secret: StaticSecret::from(*secret), public: PublicKey::from(*key_bytes(public, "age")?) })
    }
}

/// Unwraps an `X25519` stanza as specified in <https://c2sp.org/age#x25519-recipient-stanza>. A stanza that looks odd is
/// left to age's own identity, which is tried next.
impl Identity for KeyPair {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let [share] = stanza.args.as_slice() else { return None };
        if stanza.tag != "X25519" {
            return None;
        }
        let share: [u8; 32] = BASE64_STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(share));
        if !shared.was_contributory() {
            return None;
        }
        let salt = [share, *self.public.as_bytes()].concat();
        let key = Zeroizing::new(hkdf(&salt, b"age-encryption.org/v1/X25519", shared.as_bytes()));
        let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, &stanza.body).ok()?);
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(&opened))))
    }
}

/// Decodes a bech32 key with this prefix.
fn key_bytes(text: &str, prefix: &str) -> Option<Zeroizing<[u8; 32]>> {
    let to_array = |bytes: Zeroizing<Vec<u8>>| bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| ());
    let check = |found: &str| if found == prefix { Ok(()) } else { Err(()) };
    bech32_decode(text, |_| (), |hrp| check(hrp.as_str()), |_, bytes| to_array(Zeroizing::new(bytes.collect()))).ok()
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
    fn only_this_machine_opens_what_it_closed() {
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
    fn the_public_half_that_is_noted_opens_and_a_wrong_one_is_no_harm() {
        let made = DeviceKey::generate();
        let text = made.render();
        let own = DeviceKey::parse(text.reveal()).unwrap();
        let sealed = made.seal(b"canary").unwrap();
        let pair = own.key_pair.as_ref().map(|pair| pair as &dyn Identity);
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
    fn a_device_has_one_key() {
        let two = format!("{}{}", DeviceKey::generate().render().reveal(), DeviceKey::generate().render().reveal());
        assert_eq!(DeviceKey::parse(&two).map(|_| ()), Err(DeviceKeyError::SeveralKeys));
        assert_eq!(DeviceKey::parse("").map(|_| ()), Err(DeviceKeyError::Identity(IdentityError::NoKey)));
    }
}
