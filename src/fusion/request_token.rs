//! Request token: a JWT that proves knowledge of the `sharedsecret` without revealing the secret. neto signs request
//! tokens for the server; the decoy verifies the request tokens of its clients.
//!
//! According to the published reference, the algorithm is HS256 and the key is the bytes of `sharedsecret`. The claims
//! are exactly `iat`, `jti`, `appname`, `appkey` and `shortname`.

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

/// Highest bit of a `jti`. Setting this bit makes every `jti` at least 2^52 and less than 2^53. A server that stores
/// numbers as floats can represent these integers exactly.
const JTI_TOP_BIT: u64 = 1 << 52;

/// Crypto provider for jsonwebtoken that supports only HS256, the algorithm of this API. The provider exists because
/// jsonwebtoken's own providers depend on `rsa` or aws-lc.
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

/// Claims of a request token with a valid signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::manual_non_exhaustive, reason = "the private field is a claim")]
pub struct Claims {
    /// Creation time in seconds since the epoch, according to the client's clock.
    pub iat: i64,
    /// Unique ID, whose value is discarded. May be a number or a string, because the vendor's clients send either.
    #[serde(deserialize_with = "number_or_text", rename = "jti")]
    _jti: (),
    /// Name of the API key.
    pub appname: String,
    /// The API key.
    pub appkey: String,
    /// Shortname of the tenant.
    pub shortname: String,
}

/// Key that signs and verifies with HS256, wiped from memory when dropped.
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
    /// Returns the claims of a request token that is signed with `sharedsecret`. Returns `None` if the token, its
    /// signature or its set of claims is invalid. The caller must check the age of the token and the claims' values.
    #[must_use]
    pub fn verify(token: &str, sharedsecret: &Secret) -> Option<Self> {
        // Only the first call installs the provider; later calls fail, which is harmless.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // By default, jsonwebtoken requires the claim `exp`, which request tokens do not have.
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

/// Creates and signs a request token. Its time is `now`, and its `jti` is random. Each request needs its own request
/// token.
///
/// # Errors
/// Returns `Setup` if the system provides no random numbers, or if signing fails.
pub(super) fn sign(
    shortname: &str,
    appname: &str,
    appkey: &Secret,
    sharedsecret: &Secret,
    now: Timestamp,
) -> Result<Secret, FusionError> {
    let _ = PROVIDER.install_default();
    let claims =
        OutgoingClaims { iat: now.as_second(), jti: random_jti()?, appname, appkey: appkey.reveal(), shortname };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(sharedsecret.reveal().as_bytes()))
        .map(Secret::new)
        .map_err(|_| FusionError::Setup { what: "the request token cannot be signed" })
}

fn random_jti() -> Result<u64, FusionError> {
    let random_bits =
        SysRng.try_next_u64().map_err(|_| FusionError::Setup { what: "the system gives no random numbers" })?;
    Ok(JTI_TOP_BIT | (random_bits & (JTI_TOP_BIT - 1)))
}

#[cfg(test)]
mod tests;
