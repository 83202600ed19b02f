//! Token files, decrypted and backdated with the machine's device key, so that a test needs no other clock.

use super::sandbox::{Sandbox, write_private};
use age::x25519::Identity;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Fields that are times, in epoch seconds.
const TIMES: [&str; 3] = ["obtained_at", "expires_at", "refresh_expires_at"];

impl Sandbox {
    /// Path of a profile's token file.
    pub(crate) fn token_file(&self, profile: &str) -> PathBuf {
        self.home("tokens").join(format!("{profile}.token"))
    }

    /// Parses the plaintext header line of a token file.
    pub(crate) fn token_header(&self, profile: &str) -> Value {
        self.token_parts(profile).0
    }

    /// Decrypts the sealed part of a token file: the header's fields and the tokens.
    pub(crate) fn sealed_token(&self, profile: &str) -> Value {
        let plain = age::decrypt(&self.device_key(), &self.token_parts(profile).1).expect("sealed to the device key");
        serde_json::from_slice(&plain).expect("JSON")
    }

    /// Backdates a cached token by `seconds`, as if it had been obtained that much earlier.
    pub(crate) fn backdate_token(&self, profile: &str, seconds: i64) {
        let mut body = self.sealed_token(profile);
        let mut line = self.token_header(profile);
        for fields in [&mut body, &mut line] {
            for name in TIMES {
                if let Some(time) = fields[name].as_i64() {
                    fields[name] = json!(time - seconds);
                }
            }
        }
        let mut bytes = format!("{line}\n").into_bytes();
        let plain = body.to_string();
        bytes.extend(age::encrypt(&self.device_key().to_public(), plain.as_bytes()).expect("a recipient"));
        write_private(&self.token_file(profile), &bytes);
    }

    fn token_parts(&self, profile: &str) -> (Value, Vec<u8>) {
        let bytes = fs::read(self.token_file(profile)).expect("a token file");
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a line in clear");
        (serde_json::from_slice(&bytes[..end]).expect("JSON"), bytes[end + 1..].to_vec())
    }

    fn device_key(&self) -> Identity {
        let text = fs::read_to_string(self.home("keys/device.key")).expect("a device key");
        let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a key");
        key.parse().expect("an age identity")
    }
}
