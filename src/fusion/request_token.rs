//! Request token: a JWT that proves the sharedsecret without sending it. neto signs request tokens for the server. The
//! decoy verifies those of its clients.
//!
//! From the published reference: `alg` HS256, keyed with the bytes of `sharedsecret`, with exactly the claims `iat`,
//! `jti`, `appname`, `appkey` and `shortname`.

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

/// Highest bit of a `jti`, always set. So a `jti` is at least 2^52 and below 2^53, and readers that store numbers as
/// floats keep it exact.
const JTI_TOP_BIT: u64 = 1 << 52;

/// Crypto provider with HS256 only, the one algorithm of this API. jsonwebtoken's own back ends depend on `rsa` or
/// aws-lc.
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
struct OutgoingClaims<'a> {
    iat: i64,
    jti: u64,
    appname: &'a str,
    appkey: &'a str,
    shortname: &'a str,
}

/// Claims of a request token whose signature was verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Creation time in seconds since 1970, by its creator's clock.
    pub iat: i64,
    /// Unique ID, a number or a string: recipes use numbers, libraries use strings. The value is discarded.
    #[serde(deserialize_with = "number_or_text")]
    pub jti: (),
    /// Name of the API key.
    pub appname: String,
    /// The API key.
    pub appkey: String,
    /// Shortname of the tenant.
    pub shortname: String,
}

/// Signing key, wiped from memory when dropped.
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
    /// Returns the claims of a request token signed with `sharedsecret`, or `None` for any other text. The caller
    /// checks that the token is recent and that it names the right key.
    #[must_use]
    pub fn verify(token: &str, sharedsecret: &Secret) -> Option<Self> {
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // Request tokens have none of the claims that the library validates.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(sharedsecret.reveal().as_bytes());
        decode::<Self>(token, &key, &validation).ok().map(|token| token.claims)
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    if value.is_number() || value.is_string() {
        return Ok(());
    }
    Err(serde::de::Error::custom("neither a number nor a text"))
}

/// Signs a request token with `now` as its time. A token is valid for one request: each has a new random `jti`.
pub(super) fn sign(
    shortname: &str,
    appname: &str,
    appkey: &Secret,
    sharedsecret: &Secret,
    now: Timestamp,
) -> Result<Secret, FusionError> {
    // Only the first call installs the provider; later calls fail, which is harmless.
    let _ = PROVIDER.install_default();
    let claims =
        OutgoingClaims { iat: now.as_second(), jti: random_jti()?, appname, appkey: appkey.reveal(), shortname };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(sharedsecret.reveal().as_bytes()))
        .map(Secret::new)
        .map_err(|_| FusionError::Setup { what: "the request token cannot be signed" })
}

fn random_jti() -> Result<u64, FusionError> {
    let drawn = SysRng.try_next_u64().map_err(|_| FusionError::Setup { what: "the system gives no random numbers" })?;
    Ok(JTI_TOP_BIT | (drawn & (JTI_TOP_BIT - 1)))
}

#[cfg(test)]
mod tests;
