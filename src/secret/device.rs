//! The device key: closes what lies on this machine alone, so that reading a cached token asks nothing.

use super::envelope::{close, open_bytes};
use super::recipient::hex;
use super::{Identities, IdentityError, OpenError, SealError, Secret};
use age::armor::Format;
use age::secrecy::ExposeSecret as _;
use age::x25519;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Keeps the key of the tags apart from every other use of the device key.
const TAG_LABEL: &[u8] = b"neto device tag v1";

/// The key of this machine.
pub struct DeviceKey(x25519::Identity);

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
        Self(x25519::Identity::generate())
    }

    /// Reads the device key's file: an age identity file with exactly one native key.
    ///
    /// # Errors
    /// [`DeviceKeyError`] names the line, never what is in it.
    pub fn parse(text: &str) -> Result<Self, DeviceKeyError> {
        Identities::parse(text)?.into_only().map(Self).ok_or(DeviceKeyError::SeveralKeys)
    }

    /// The text of the device key's file.
    #[must_use]
    pub fn render(&self) -> Secret {
        let key = self.0.to_string();
        Secret::new(format!("# opens the token cache of this machine\n{}\n", key.expose_secret()))
    }

    /// Closes `plain` to this machine, as a binary age file.
    ///
    /// # Errors
    /// [`SealError::Age`] when age cannot.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        close(plain, &[&self.0.to_public()], Format::Binary).map_err(|_| SealError::Age)
    }

    /// Opens what this machine closed; at most 256 KiB.
    ///
    /// # Errors
    /// [`OpenError`], never [`OpenError::Payload`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        open_bytes(sealed, std::iter::once(&self.0 as &dyn age::Identity))
    }

    /// A tag in hex of something secret, which tells equal from different and, without this key, nothing
    /// else: HMAC-SHA-256 under a key derived from this one.
    #[must_use]
    pub fn tag(&self, secret: &[u8]) -> String {
        let own = self.0.to_string();
        let derived = Zeroizing::new(<[u8; 32]>::from(mac(own.expose_secret().as_bytes(), TAG_LABEL)));
        hex(&mac(derived.as_slice(), secret))
    }
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
