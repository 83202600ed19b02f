//! The device key: closes what lies on this machine alone, so that reading a cached token asks nothing.

use super::age_file::{close, open_bytes};
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

/// Keeps the key of the tags apart from every other use of the device key.
const TAG_LABEL: &[u8] = b"neto device tag v1";

/// How the line begins that notes the public half in the key's file, as age's own key files have it.
const PUBLIC_LINE: &str = "# public key: ";

/// The key of this machine.
pub struct DeviceKey {
    identity: x25519::Identity,
    /// The same with its public half, as its file notes it.
    whole: Option<KeyPair>,
}

/// An age key with its public half at hand. age's own computes that anew each time it opens something, which would be a
/// tenth of what a cached token costs.
struct KeyPair {
    secret: StaticSecret,
    public: PublicKey,
}

/// Why a text is no device key's file, said of "it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceKeyError {
    /// Not even an age identity file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// More than the one key that a machine has.
    #[error("it holds more than one key")]
    SeveralKeys,
}

impl DeviceKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        Self { identity: x25519::Identity::generate(), whole: None }
    }

    /// Reads the device key's file: an age identity file with exactly one native key.
    ///
    /// # Errors
    /// [`DeviceKeyError`] names the line, never what is in it.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        let identity = Identities::parse(text)?.into_only().ok_or(DeviceKeyError::SeveralKeys)?;
        let whole = text.lines().find_map(|line| KeyPair::new(&identity, line.strip_prefix(PUBLIC_LINE)?));
        Ok(Self { identity, whole })
    }

    /// The text of the device key's file.
    #[must_use]
    pub fn render(&self) -> Secret {
        let (key, public) = (self.identity.to_string(), self.identity.to_public());
        let key = key.expose_secret();
        Secret::new(format!("# opens the token cache of this machine\n{PUBLIC_LINE}{public}\n{key}\n"))
    }

    /// Closes `plain` to this machine, as a binary age file.
    ///
    /// # Errors
    /// [`SealError::Age`] when age cannot.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        close(plain, &[&self.identity.to_public()], Format::Binary).map_err(|_| SealError::Age)
    }

    /// Opens what this machine closed; at most 256 KiB.
    ///
    /// # Errors
    /// [`OpenError`], never [`OpenError::Payload`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // A public half that was noted wrong opens nothing; the key alone does.
        let whole = self.whole.iter().map(|pair| pair as &dyn Identity);
        open_bytes(sealed, whole.chain(std::iter::once(&self.identity as &dyn Identity)))
    }

    /// A tag in hex of something secret, which tells equal from different and, without this key, nothing
    /// else: HMAC-SHA-256 under a key derived from this one.
    #[must_use]
    pub fn tag(&self, secret: &[u8]) -> String {
        let own = self.identity.to_string();
        let derived = Zeroizing::new(<[u8; 32]>::from(mac(own.expose_secret().as_bytes(), TAG_LABEL)));
        hex(&mac(derived.as_slice(), secret))
    }
}

impl KeyPair {
    /// Nothing where the public half is no such key.
    fn new(identity: &x25519::Identity, public: &str) -> Option<Self> {
        let secret = key_bytes(identity.to_string().expose_secret(), "AGE-SECRET-KEY-")?;
        Some(Self { secret: StaticSecret::from(*secret), public: PublicKey::from(*key_bytes(public, "age")?) })
    }
}

/// Opens an `X25519` stanza as <https://c2sp.org/age#x25519-recipient-stanza> has it; leaves whatever looks odd to age's own
/// identity, which comes after it.
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

/// The bytes of a key that is spelled in bech32 after this prefix.
fn key_bytes(text: &str, prefix: &str) -> Option<Zeroizing<[u8; 32]>> {
    let right = |found: &str| if found == prefix { Ok(()) } else { Err(()) };
    let whole = |bytes: Zeroizing<Vec<u8>>| bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| ());
    bech32_decode(text, |_| (), |found| right(found.as_str()), |_, bytes| whole(Zeroizing::new(bytes.collect()))).ok()
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn mac(key: &[u8], message: &[u8]) -> hmac::digest::Output<Sha256> {
    // HMAC takes a key of any length, so this always is one.
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
        let pair = own.whole.as_ref().map(|pair| pair as &dyn Identity);
        assert_eq!(open_bytes(&sealed, pair.into_iter()).unwrap().as_slice(), b"canary");
        let public = made.identity.to_public().to_string();
        for noted in [DeviceKey::generate().identity.to_public().to_string(), String::new(), "age1".to_owned()] {
            let key = DeviceKey::parse(&text.reveal().replace(&public, &noted)).unwrap();
            assert_eq!(key.open(&sealed).unwrap().as_slice(), b"canary", "{noted}");
            // It is sealed to the key, not to what is noted.
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
