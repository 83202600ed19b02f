//! A token file with any content: reading never panics. A token is returned only if it was sealed by this machine and
//! matches the plaintext header line.
//!
//! The input is used as the file itself, and as a header line followed by the plaintext to seal.

use jiff::Timestamp;
use neto::internals::disk::{Durability, replace};
use neto::internals::profile::{ProfileName, Span};
use neto::internals::secret::DeviceKey;
use neto::internals::token::{CachedToken, Fingerprint, TokenDirectory};
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

/// Fields that are in the header line and in the sealed part.
const HEADER_FIELDS: [&str; 5] = ["profile", "fingerprint", "obtained_at", "expires_at", "refresh_expires_at"];

struct Scene {
    folder: tempfile::TempDir,
    profile: ProfileName,
    fingerprint: Fingerprint,
    device: &'static DeviceKey,
}

pub fn check(input: &[u8]) {
    let scene = Scene::new();
    assert!(scene.load(input).is_none(), "a token without a seal");
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (clear, body) = (&input[..end], &input[end + 1..]);
    // Encryption is slow, and without a valid header line the file is not read further.
    let Ok(header) = serde_json::from_slice::<Value>(clear) else { return };
    let sealed = scene.device.seal(body).expect("sealed");
    let Some(token) = scene.load(&[clear, b"\n", &sealed].concat()) else { return };
    let body: Value = serde_json::from_slice(body).expect("a token out of what is no JSON");
    scene.compare(&token, &header, &body);
    scene.check_tampering(clear, &sealed, input.len());
}

impl Scene {
    fn new() -> Self {
        static DEVICE: OnceLock<DeviceKey> = OnceLock::new();
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self {
            folder: folder.expect("a folder"),
            profile: "acme".parse().expect("a name"),
            fingerprint: Fingerprint::of(&"https://api.example".parse().expect("a url"), &["acme", "soc"], &["id"]),
            device: DEVICE.get_or_init(DeviceKey::generate),
        }
    }

    fn load(&self, file: &[u8]) -> Option<CachedToken> {
        let tokens = TokenDirectory::new(self.folder.path().join("tokens"));
        replace(&tokens.file_path(&self.profile), file, Durability::Atomic).expect("written");
        if let Ok(Some(life)) = tokens.load_lifetime(&self.profile, &self.fingerprint) {
            let now = Timestamp::UNIX_EPOCH;
            let _ = (
                life.state(now),
                life.remaining(now),
                life.is_usable(now, Span::from_seconds(u64::MAX)),
                life.is_renewable(now),
            );
        }
        let token = tokens.load(&self.profile, || Some(self.device)).ok().flatten()?;
        Some(token).filter(|token| token.fingerprint == self.fingerprint)
    }

    fn compare(&self, token: &CachedToken, header: &Value, body: &Value) {
        for field in HEADER_FIELDS {
            assert_eq!(header.get(field), body.get(field), "{field}");
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let seconds = |time: Timestamp| Some(Value::from(time.as_second()));
        let life = token.lifetime;
        assert_eq!(text("profile"), Some(token.profile.as_str()));
        assert_eq!(token.profile, self.profile);
        assert_eq!(body.get("fingerprint"), serde_json::to_value(&self.fingerprint).ok().as_ref());
        assert_eq!(body.get("obtained_at").cloned(), seconds(life.obtained_at));
        assert_eq!(body.get("expires_at").cloned(), seconds(life.expires_at));
        assert_eq!(
            body.get("refresh_expires_at").cloned().filter(|end| !end.is_null()),
            life.refresh_expires_at.and_then(seconds)
        );
        let refresh = token.refresh.as_ref().map(|refresh| refresh.0.reveal());
        assert_eq!((text("access_token"), text("refresh_token")), (Some(token.access.reveal()), refresh));
        if let Some(declaration) = &token.declaration {
            let read =
                body.get("declaration").map(|value| serde_json::from_value(value.clone()).expect("a declaration"));
            assert_eq!(Some(declaration), read.as_ref());
            assert_eq!(declaration.profile.name, self.profile);
        }
        for token in [Some(token.access.reveal()), refresh].into_iter().flatten() {
            let plain = token.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
            assert!(plain && (1..=16_384).contains(&token.len()), "a token of other characters");
        }
    }

    /// Checks that a flipped bit or a truncation of the sealed part gives no token. After a flipped bit in the header
    /// line, a token is returned only if the line's fields are unchanged.
    fn check_tampering(&self, clear: &[u8], sealed: &[u8], at: usize) {
        let mut turned = sealed.to_vec();
        let place = at % turned.len();
        turned[place] ^= 1 << (at % 8);
        assert!(self.load(&[clear, b"\n", &turned].concat()).is_none(), "a turned bit at {place}");
        assert!(self.load(&[clear, b"\n", &sealed[..place]].concat()).is_none(), "cut at {place}");
        let mut line = clear.to_vec();
        let place = at % line.len();
        line[place] ^= 1 << (at % 8);
        if self.load(&[&line, &b"\n"[..], sealed].concat()).is_some() {
            let read = |line: &[u8]| serde_json::from_slice::<Value>(line).expect("a line that was believed");
            for field in HEADER_FIELDS {
                assert_eq!(read(&line).get(field), read(clear).get(field), "{field}");
            }
        }
    }
}
