//! Searches output and files for secrets in several encodings, so that a test fails when a secret leaks.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// Minimum length of a secret in bytes. A shorter secret could match other text by chance.
const MIN_SECRET_BYTES: usize = 8;

/// A secret that must not appear in output or files.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    /// Kind of secret (`access token`). A test passes the kind to [`super::Call::allow_secret`].
    pub(crate) kind: String,
    secret: String,
    needles: Vec<(&'static str, String)>,
}

impl Canary {
    /// Creates a canary for a secret of this kind. For a JWT, only the payload and the signature are searched for,
    /// because all JWTs share the header.
    pub(crate) fn new(kind: &str, text: &str) -> Self {
        assert!(text.len() >= MIN_SECRET_BYTES, "the {kind} is too short to be looked for");
        let parts: Vec<&str> = text.split('.').collect();
        let searched_parts = if parts.len() == 3 && text.starts_with("eyJ") { &parts[1..] } else { &[text][..] };
        let needles = searched_parts.iter().flat_map(|part| encodings(part.as_bytes())).collect();
        Self { kind: kind.to_owned(), secret: text.to_owned(), needles }
    }

    /// Returns the encoding in which the text contains the secret, or `None` if the text does not contain it.
    pub(crate) fn encoding_in(&self, text: &str) -> Option<&'static str> {
        self.needles.iter().find(|(_, needle)| text.contains(needle.as_str())).map(|(encoding, _)| *encoding)
    }

    /// Returns whether the argument is the kind or the text of this secret.
    pub(crate) fn matches(&self, kind_or_text: &str) -> bool {
        self.kind == kind_or_text || self.secret == kind_or_text
    }
}

/// Encodings of a secret: raw, base64 at three offsets in both alphabets, hex in both cases, and percent-encoded.
fn encodings(secret: &[u8]) -> Vec<(&'static str, String)> {
    let mut needles = vec![("raw", String::from_utf8_lossy(secret).into_owned())];
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(secret);
        // Keeps only the characters that contain no bits of a neighboring byte.
        let (start, end) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
        needles.push(("base64", STANDARD_NO_PAD.encode(&shifted)[start..end].to_owned()));
        needles.push(("base64url", URL_SAFE_NO_PAD.encode(&shifted)[start..end].to_owned()));
    }
    let mut hex = String::new();
    let mut percent = String::new();
    for byte in secret {
        let _ = write!(hex, "{byte:02x}");
        let _ = write!(percent, "%{byte:02X}");
    }
    needles.push(("hex", hex.to_ascii_uppercase()));
    needles.push(("hex", hex));
    needles.push(("percent-encoded", percent.to_ascii_lowercase()));
    needles.push(("percent-encoded", percent));
    needles.push(("percent-encoded", url::form_urlencoded::byte_serialize(secret).collect()));
    needles
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = "ak-Zx9_+/=secret";
        let canary = Canary::new("appkey", secret);
        let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let mut texts = vec![secret.to_owned(), hex.clone(), hex.to_uppercase(), "ak-Zx9_%2B%2F%3Dsecret".to_owned()];
        texts.extend(["", "x", "xy", "xyz"].map(|before| STANDARD.encode(format!("{before}{secret}tail"))));
        texts.extend(["", "x", "xy"].map(|before| URL_SAFE_NO_PAD.encode(format!("{before}{secret}"))));
        for text in texts {
            assert!(canary.encoding_in(&format!("before {text} after")).is_some(), "{text}");
        }
        assert_eq!(canary.encoding_in("ak-Zx9_+/=secre"), None);
    }

    #[test]
    fn of_a_jwt_the_shared_header_is_not_looked_for() {
        let canary = Canary::new("access token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhY21lIn0.c2lnbmF0dXJlLW9m");
        assert_eq!(canary.encoding_in("eyJhbGciOiJIUzI1NiJ9.other.else"), None);
        assert_eq!(canary.encoding_in("...eyJzdWIiOiJhY21lIn0..."), Some("raw"));
        assert_eq!(canary.encoding_in("...c2lnbmF0dXJlLW9m"), Some("raw"));
    }
}
