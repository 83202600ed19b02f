//! Redacts secrets from text that a server or a plugin sent.
//!
//! Owns the spellings in which a secret is found. Sanitizing and truncating the text is the caller's work.

use super::Secret;
use super::value::is_token_character;
use crate::profile::hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Replacement for a secret.
const REDACTED: &str = "[redacted]";
/// Minimum length of a character run that counts as a piece of a secret.
const MIN_PIECE_LENGTH: usize = 12;
/// Minimum length of a secret, in bytes, that is also searched for in hex and in base64.
const MIN_ENCODED_SECRET_BYTES: usize = 6;

/// Redactor for the secrets of one exchange, so that an echo does not reveal them.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
    /// The secrets in all their spellings, built when there is text to redact.
    spellings: OnceLock<Vec<Secret>>,
}

impl Redactor {
    /// Creates a redactor for `secrets` and each part of a JWT among them. Secrets are also found truncated,
    /// percent-encoded, in hex or in base64.
    #[must_use]
    pub fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets, spellings: OnceLock::new() }
    }

    /// Adds a secret.
    pub fn add(&mut self, secret: Secret) {
        self.secrets.push(secret);
        self.spellings = OnceLock::new();
    }

    /// Replaces the secrets in `text`, in all their spellings, with `[redacted]`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.all_spellings() {
            text = text.replace(secret.reveal(), REDACTED);
        }
        self.redact_pieces(&text)
    }

    fn all_spellings(&self) -> &[Secret] {
        self.spellings.get_or_init(|| {
            let mut secrets: Vec<Secret> = self.secrets.iter().filter(|secret| !secret.is_empty()).cloned().collect();
            let parts: Vec<Secret> = secrets.iter().flat_map(jwt_parts).collect();
            secrets.extend(parts);
            let spellings: Vec<Secret> = secrets.iter().flat_map(other_spellings).collect();
            secrets.extend(spellings);
            secrets
        })
    }

    /// Redacts runs of token characters that are part of a secret or look like a JWT. A part is enough because an echo
    /// may be truncated.
    fn redact_pieces(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_token_character) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_token_character(c)).unwrap_or(from.len());
            let (run, after) = from.split_at(end);
            shown.push_str(before);
            shown.push_str(if self.is_piece(run) { REDACTED } else { run });
            rest = after;
        }
        shown + rest
    }

    fn is_piece(&self, run: &str) -> bool {
        let run = run.trim_end_matches('.');
        run.len() >= MIN_PIECE_LENGTH
            && (run.contains("eyJ") || self.all_spellings().iter().any(|secret| secret.reveal().contains(run)))
    }
}

/// Returns the parts of a JWT that are long enough to be recognized. Other secrets rarely have such parts.
fn jwt_parts(secret: &Secret) -> Vec<Secret> {
    let text = secret.reveal();
    text.split('.')
        .filter(|part| (MIN_PIECE_LENGTH..text.len()).contains(&part.len()))
        .map(|part| part.to_owned().into())
        .collect()
}

/// Returns other spellings of a secret: form-encoded, percent-encoded, in hex, and in base64. Base64 has three
/// spellings, for the three offsets of the secret in the encoded text. Characters shared with neighboring bytes are
/// omitted. A short secret has no hex and base64 spellings, which would often match by chance.
fn other_spellings(secret: &Secret) -> Vec<Secret> {
    let bytes = secret.reveal().as_bytes();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut percent = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let _ = write!(percent, "%{byte:02X}");
    }
    let mut spellings: Vec<Secret> = [form, percent.to_ascii_lowercase(), percent].map(Secret::new).into();
    if bytes.len() < MIN_ENCODED_SECRET_BYTES {
        return spellings;
    }
    let hex = hex(bytes);
    spellings.extend([hex.to_ascii_uppercase(), hex].map(Secret::new));
    for offset in 0..3 {
        let shifted = Zeroizing::new([&[0; 3][..offset], bytes].concat());
        // Only the characters that no neighboring byte influences.
        let unshared = (offset * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for base in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(base.encode(shifted.as_slice()));
            spellings.push(Secret::new(encoded[unshared.clone()].to_owned()));
        }
    }
    spellings
}
