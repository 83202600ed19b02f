//! Decrypts and backdates token files with the device key of the sandbox. Tests backdate tokens because they cannot
//! change the clock.

use super::sandbox::{Sandbox, write_private};
use age::x25519::Identity;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Fields that contain a time in epoch seconds.
const TIME_FIELDS: [&str; 3] = ["obtained_at", "expires_at", "refresh_expires_at"];

impl Sandbox {
    /// Path of a profile's token file.
    pub(crate) fn token_file(&self, profile: &str) -> PathBuf {
        self.home("tokens").join(format!("{profile}.token"))
    }

    /// Parses the plaintext header line of a token file.
    pub(crate) fn token_header(&self, profile: &str) -> Value {
        self.token_parts(profile).0
    }

    /// Decrypts the encrypted part of a token file, which repeats the header fields and has the tokens.
    pub(crate) fn sealed_token(&self, profile: &str) -> Value {
        let plaintext =
            age::decrypt(&self.device_key(), &self.token_parts(profile).1).expect("sealed to the device key");
        serde_json::from_slice(&plaintext).expect("JSON")
    }

    /// Backdates a cached token, as if it had been obtained `seconds` earlier. The header and the encrypted part both
    /// change.
    pub(crate) fn backdate_token(&self, profile: &str, seconds: i64) {
        let mut sealed = self.sealed_token(profile);
        let mut header = self.token_header(profile);
        for fields in [&mut sealed, &mut header] {
            for name in TIME_FIELDS {
                if let Some(time) = fields[name].as_i64() {
                    fields[name] = json!(time - seconds);
                }
            }
        }
        let mut bytes = format!("{header}\n").into_bytes();
        let plaintext = sealed.to_string();
        bytes.extend(age::encrypt(&self.device_key().to_public(), plaintext.as_bytes()).expect("a recipient"));
        write_private(&self.token_file(profile), &bytes);
    }

    fn token_parts(&self, profile: &str) -> (Value, Vec<u8>) {
        let bytes = fs::read(self.token_file(profile)).expect("a token file");
        let header_end = bytes.iter().position(|byte| *byte == b'\n').expect("a line in clear");
        (serde_json::from_slice(&bytes[..header_end]).expect("JSON"), bytes[header_end + 1..].to_vec())
    }

    fn device_key(&self) -> Identity {
        let text = fs::read_to_string(self.home("keys/device.key")).expect("a device key");
        let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a key");
        key.parse().expect("an age identity")
    }
}
