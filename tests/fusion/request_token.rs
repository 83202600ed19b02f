//! The request token of a login, parsed and verified by hand, so that no client library judges itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Limit below which every JSON reader keeps an integer exactly; the reference asks for no more.
const JTI_END: u64 = 1 << 53;

/// The five claims of a request token; any other is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) iat: u64,
    pub(super) jti: u64,
    pub(super) appname: String,
    pub(super) appkey: String,
    pub(super) shortname: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
}

/// A request token of the right form, whose signature is not yet verified.
pub(super) struct RequestToken {
    pub(super) claims: Claims,
    signed: String,
    signature: Vec<u8>,
}

impl RequestToken {
    /// Parses a compact JWT. The error names the violation of the reference.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(format!("the request token has {} parts, not 3", parts.len()));
        };
        let decode = |what: &str, part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|error| format!("the request token's {what} is not base64url: {error}"))
        };
        let head: Header = object("the request token's header", &decode("header", header)?)?;
        if head.alg != "HS256" || head.typ.as_deref().is_some_and(|typ| typ != "JWT") {
            return Err(format!("the request token says alg {:?}, typ {:?}", head.alg, head.typ));
        }
        let parsed: Claims = object("the request token's claims", &decode("claims", claims)?)?;
        if parsed.jti >= JTI_END {
            return Err("jti is not below 2^53".to_owned());
        }
        Ok(Self { claims: parsed, signed: format!("{header}.{claims}"), signature: decode("signature", signature)? })
    }

    /// Returns whether the token was signed with this shared secret.
    pub(super) fn signed_with(&self, sharedsecret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(sharedsecret.as_bytes()).expect("HMAC takes any key");
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).is_ok()
    }
}

/// Parses a JSON object with exactly the fields of `T`, each once. serde alone would also accept an array.
pub(super) fn object<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, String> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(format!("{what} is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| format!("{what}: {error}"))
}

/// Returns the shortname in a request token without verifying the signature; used by faults of one tenant.
pub(super) fn shortname_of(body: &[u8]) -> Option<String> {
    let token = RequestToken::parse(&jwt_in(body)?).ok()?;
    Some(token.claims.shortname)
}

/// Returns the request token from the body of a login, even if the login is invalid.
pub(super) fn jwt_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("jwt")?.as_str()?.to_owned())
}
