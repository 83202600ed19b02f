//! Parses and verifies the request token (a JWT) of a login. No JWT library is used, so that a bug in a shared library
//! cannot go unnoticed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Exclusive upper limit of `jti`: every JSON parser keeps integers below 2^53 exactly.
const JTI_LIMIT: u64 = 1 << 53;

/// The five claims of a request token. A missing or additional claim is an error.
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

/// A well-formed request token. Parsing does not verify the signature.
pub(super) struct RequestToken {
    pub(super) claims: Claims,
    signed_part: String,
    signature: Vec<u8>,
}

impl RequestToken {
    /// Parses a compact JWT. The error describes how the token violates the API reference.
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
        let header_fields: Header = parse_object("the request token's header", &decode("header", header)?)?;
        if header_fields.alg != "HS256" || header_fields.typ.as_deref().is_some_and(|typ| typ != "JWT") {
            return Err(format!("the request token says alg {:?}, typ {:?}", header_fields.alg, header_fields.typ));
        }
        let parsed: Claims = parse_object("the request token's claims", &decode("claims", claims)?)?;
        if parsed.jti >= JTI_LIMIT {
            return Err("jti is not below 2^53".to_owned());
        }
        Ok(Self {
            claims: parsed,
            signed_part: format!("{header}.{claims}"),
            signature: decode("signature", signature)?,
        })
    }

    /// Returns whether the token was signed with this shared secret.
    pub(super) fn is_signed_with(&self, sharedsecret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(sharedsecret.as_bytes()).expect("HMAC takes any key");
        mac.update(self.signed_part.as_bytes());
        mac.verify_slice(&self.signature).is_ok()
    }
}

/// Parses a JSON object as `T`; `what` names the object in errors. An array is rejected here, because serde would
/// accept one for a struct.
pub(super) fn parse_object<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, String> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(format!("{what} is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| format!("{what}: {error}"))
}

/// Returns the shortname from the request token in the body of a login, without verifying the signature. Faults for one
/// tenant need the shortname before the call is carried out.
pub(super) fn shortname_of(body: &[u8]) -> Option<String> {
    let token = RequestToken::parse(&jwt_in(body)?).ok()?;
    Some(token.claims.shortname)
}

/// Returns the request token in the body of a login, even if the token is invalid. Returns `None` if the body has no
/// text field `jwt`.
pub(super) fn jwt_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("jwt")?.as_str()?.to_owned())
}
