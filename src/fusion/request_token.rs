//! The request token: a JWT that proves the sharedsecret without sending it; made for the server, and read where neto
//! stands in for it.
//!
//! From the published reference: `alg` HS256, keyed with the bytes of `sharedsecret`, with exactly
//! the claims `iat`, `jti`, `appname`, `appkey` and `shortname`.

use super::FusionError;
use crate::secret::Secret;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

/// A `jti` has this bit and lower ones alone: at least 2^52, and below 2^53, so that readers that
/// keep numbers as floats keep it exact.
const JTI_TOP: u64 = 1 << 52;

/// jsonwebtoken's own back ends bring `rsa` or aws-lc; HS256 is all that this API takes.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.as_bytes().to_vec().into()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec().into()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

#[derive(Serialize)]
struct OwnClaims<'a> {
    iat: i64,
    jti: u64,
    appname: &'a str,
    appkey: &'a str,
    shortname: &'a str,
}

/// What a request token says, once its signature was found good.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// When it was made, in seconds since 1970 by its maker's clock.
    pub iat: i64,
    /// Anything but nothing: recipes draw numbers, libraries write texts.
    #[serde(deserialize_with = "number_or_text")]
    pub jti: (),
    /// The key's name.
    pub appname: String,
    /// The key.
    pub appkey: String,
    /// The tenant.
    pub shortname: String,
}

/// The key of a signature, wiped when dropped.
struct Hs256(zeroize::Zeroizing<Vec<u8>>);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| signature::Error::new())?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| signature::Error::new())?;
        mac.update(message);
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Claims {
    /// What a token says that `sharedsecret` signed; nothing for any other text. Whether it is recent, and whose key it
    /// names, is the caller's to judge.
    #[must_use]
    pub fn read(token: &str, sharedsecret: &Secret) -> Option<Self> {
        let _ = PROVIDER.install_default();
        let mut rules = Validation::new(Algorithm::HS256);
        // It has none of the claims that the library knows.
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let key = DecodingKey::from_secret(sharedsecret.reveal().as_bytes());
        decode::<Self>(token, &key, &rules).ok().map(|token| token.claims)
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    if value.is_number() || value.is_string() {
        return Ok(());
    }
    Err(serde::de::Error::custom("neither a number nor a text"))
}

/// A request token as of `now`, good for one request: its `jti` is drawn anew each time.
pub(super) fn render(
    shortname: &str,
    appname: &str,
    appkey: &Secret,
    sharedsecret: &Secret,
    now: Timestamp,
) -> Result<Secret, FusionError> {
    // The first one stays; a second call is refused, which is as well.
    let _ = PROVIDER.install_default();
    let claims = OwnClaims { iat: now.as_second(), jti: draw_jti()?, appname, appkey: appkey.reveal(), shortname };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(sharedsecret.reveal().as_bytes()))
        .map(Secret::new)
        .map_err(|_| FusionError::Setup { what: "the request token cannot be signed" })
}

fn draw_jti() -> Result<u64, FusionError> {
    let drawn = SysRng.try_next_u64().map_err(|_| FusionError::Setup { what: "the system gives no random numbers" })?;
    Ok(JTI_TOP | (drawn & (JTI_TOP - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::collections::BTreeSet;

    fn token() -> String {
        let secret = |text: &str| Secret::new(text.to_owned());
        let now = Timestamp::from_millisecond(1_700_000_000_999).unwrap();
        render("acme", "soc \"1\"", &secret("key"), &secret("shared"), now).unwrap().reveal().to_owned()
    }

    #[test]
    fn it_has_the_documented_header_and_exactly_the_documented_claims() {
        let token = token();
        let parts: Vec<_> = token.split('.').collect();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(json(parts[0]), serde_json::json!({"typ": "JWT", "alg": "HS256"}));
        let claims = json(parts[1]);
        let jti = claims["jti"].as_u64().unwrap();
        assert_eq!(
            claims,
            serde_json::json!({"iat": 1_700_000_000, "jti": jti, "appname": "soc \"1\"", "appkey": "key", "shortname": "acme"})
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(b"shared").unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
    }

    #[test]
    fn what_is_read_was_signed_with_the_secret_and_has_five_claims() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let claims = Claims::read(&token(), &secret("shared")).unwrap();
        let said = (claims.iat, &*claims.appname, &*claims.appkey, &*claims.shortname);
        assert_eq!(said, (1_700_000_000, "soc \"1\"", "key", "acme"));
        assert!(Claims::read(&token(), &secret("other")).is_none());

        let signed = |algorithm, claims: serde_json::Value| {
            encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(b"shared")).ok()
        };
        let five = serde_json::json!({"iat": 1, "jti": "a text", "appname": "a", "appkey": "k", "shortname": "s"});
        let read =
            |claims: serde_json::Value| Claims::read(&signed(Algorithm::HS256, claims).unwrap(), &secret("shared"));
        assert!(read(five.clone()).is_some());
        for (name, value) in [("jti", serde_json::Value::Null), ("iat", "1".into()), ("more", 1.into())] {
            let mut other = five.clone();
            other[name] = value;
            assert!(read(other).is_none(), "{name}");
        }
        let mut fewer = five.clone();
        fewer.as_object_mut().unwrap().remove("appkey");
        assert!(read(fewer).is_none());
        // Neither unsigned nor signed in another way.
        let text = |value: &str| URL_SAFE_NO_PAD.encode(value);
        let unsigned = format!("{}.{}.", text(r#"{"alg":"none"}"#), text(&five.to_string()));
        for other in [unsigned.as_str(), "", "a.b.c", "a.b.c.d"] {
            assert!(Claims::read(other, &secret("shared")).is_none(), "{other}");
        }
        assert!(signed(Algorithm::HS384, five).is_none(), "no other algorithm is built in");
    }

    #[test]
    fn r23_jti_is_drawn_from_2_to_the_52_numbers() {
        let drawn: BTreeSet<u64> = (0..1_000).map(|_| draw_jti().unwrap()).collect();
        assert_eq!(drawn.len(), 1_000);
        assert!(drawn.iter().all(|jti| (1 << 52..1 << 53).contains(jti)));
        // Each lower bit is used.
        assert_eq!(drawn.iter().fold(0, |all, jti| all | jti), (1 << 53) - 1);
    }

    #[test]
    fn no_key_is_too_short_or_too_long() {
        for length in [1, 63, 64, 65, 4_096] {
            let key = Secret::new("k".repeat(length));
            assert!(render("a", "b", &key, &key, Timestamp::UNIX_EPOCH).is_ok());
        }
    }
}
