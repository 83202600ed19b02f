//! Redacts secrets from text that a server or a plugin sent.
//!
//! Finds a secret as plain text, in an encoded form (percent, hex, base64), or truncated. Does not sanitize or shorten
//! the text.

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
/// Minimum length of a run of token characters that counts as a piece of a secret.
const MIN_PIECE_BYTES: usize = 12;
/// Minimum length of a secret that is also searched for in hex and in base64.
const MIN_ENCODED_SECRET_BYTES: usize = 6;

/// Redactor for the secrets of one exchange with a server or a plugin. The other side may repeat a secret in its
/// messages.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
    /// Texts to search for: the secrets, parts of JWTs, and encoded forms. Computed at the first use.
    search_texts: OnceLock<Vec<Secret>>,
}

impl Redactor {
    /// Creates a redactor for `secrets`. Empty secrets are ignored.
    #[must_use]
    pub fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets, search_texts: OnceLock::new() }
    }

    /// Adds a secret.
    pub fn add(&mut self, secret: Secret) {
        self.secrets.push(secret);
        self.search_texts = OnceLock::new();
    }

    /// Replaces each secret in `text` with `[redacted]`, whether plain or encoded. Also replaces each run of token
    /// characters that looks like a JWT or is a piece of a secret. A piece has at least 12 bytes.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.search_texts() {
            text = text.replace(secret.reveal(), REDACTED);
        }
        self.redact_pieces(&text)
    }

    fn search_texts(&self) -> &[Secret] {
        self.search_texts.get_or_init(|| {
            let mut secrets: Vec<Secret> = self.secrets.iter().filter(|secret| !secret.is_empty()).cloned().collect();
            let parts: Vec<Secret> = secrets.iter().flat_map(jwt_parts).collect();
            secrets.extend(parts);
            let encoded: Vec<Secret> = secrets.iter().flat_map(encoded_forms).collect();
            secrets.extend(encoded);
            secrets
        })
    }

    /// Redacts runs of token characters that are a piece of a secret or look like a JWT. A piece is enough, because the
    /// sender may have truncated the secret.
    fn redact_pieces(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_token_character) {
            let (before_run, from_run) = rest.split_at(start);
            let end = from_run.find(|c| !is_token_character(c)).unwrap_or(from_run.len());
            let (run, after_run) = from_run.split_at(end);
            redacted.push_str(before_run);
            redacted.push_str(if self.is_piece(run) { REDACTED } else { run });
            rest = after_run;
        }
        redacted + rest
    }

    /// Returns true if `run` is part of a search text or looks like a JWT. Returns false for a run shorter than
    /// [`MIN_PIECE_BYTES`].
    fn is_piece(&self, run: &str) -> bool {
        let run = run.trim_end_matches('.');
        run.len() >= MIN_PIECE_BYTES
            && (run.contains("eyJ") || self.search_texts().iter().any(|secret| secret.reveal().contains(run)))
    }
}

/// Returns the dot-separated parts of a JWT that have at least [`MIN_PIECE_BYTES`]. Most other secrets contain no dot.
fn jwt_parts(secret: &Secret) -> Vec<Secret> {
    let text = secret.reveal();
    text.split('.')
        .filter(|part| (MIN_PIECE_BYTES..text.len()).contains(&part.len()))
        .map(|part| part.to_owned().into())
        .collect()
}

/// Returns the secret form-encoded, percent-encoded, in hex and in base64. Three base64 forms are returned. The base64
/// of a secret inside longer data depends on the secret's offset modulo 3. A short secret gets no hex and base64 forms,
/// because these forms would often match by chance.
fn encoded_forms(secret: &Secret) -> Vec<Secret> {
    let bytes = secret.reveal().as_bytes();
    let form_encoded: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut percent = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let _ = write!(percent, "%{byte:02X}");
    }
    let mut forms: Vec<Secret> = [form_encoded, percent.to_ascii_lowercase(), percent].map(Secret::new).into();
    if bytes.len() < MIN_ENCODED_SECRET_BYTES {
        return forms;
    }
    let hex = hex(bytes);
    forms.extend([hex.to_ascii_uppercase(), hex].map(Secret::new));
    for offset in 0..3 {
        let shifted = Zeroizing::new([&[0; 3][..offset], bytes].concat());
        // Characters that encode only bits of the secret, and no bits of a neighboring byte.
        let unshared = (offset * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for base in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(base.encode(shifted.as_slice()));
            forms.push(Secret::new(encoded[unshared.clone()].to_owned()));
        }
    }
    forms
}
