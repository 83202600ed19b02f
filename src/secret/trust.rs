//! The memory of what this machine trusted: for each profile its declarations, for the store the keys it
//! seals to. What it ever trusted needs no second word, so declarations are added, not replaced.

use super::Json;
use crate::disk::{self, DiskError, Durability, Privacy, Rules};
use crate::profile::{ApiUrl, Profile, ProfileName, RecipientName, SecretPlace};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Room for some 100,000 declarations.
const CAP: u64 = 64 * 1024 * 1024;

/// The version of the file that this program writes and reads.
const VERSION: u8 = 1;

/// What this machine trusted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// By profile, the latest last.
    profiles: BTreeMap<String, Vec<Declaration>>,
    /// The latest last.
    recipients: Vec<KnownKey>,
    /// Addresses that the user named without a profile: those of the store's defaults.
    addresses: BTreeSet<String>,
}

/// A public key that was trusted, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownKey {
    name: String,
    key: String,
}

/// What the memory says of a profile as it is declared today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Trusted as it stands.
    Trusted,
    /// Never seen, and its secret is sealed or there is none: the seal protects it.
    FirstSight,
    /// Trusted before with other fields; these are they, against the latest that was trusted.
    Changed(Vec<Change>),
    /// Never seen, and its secret comes from this source.
    UntrustedSource(String),
}

/// A field of a profile that is not as it was trusted. None of these fields is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field's key in the store.
    pub field: String,
    /// What was trusted; absent when the field was.
    pub old: Option<String>,
    /// What is declared today; absent when the field is.
    pub new: Option<String>,
}

/// Why the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It is not what neto wrote. It is neither guessed at nor overwritten.
    #[error("{} is damaged: it is not what neto writes", .0.display())]
    Damaged(PathBuf),
}

/// What is remembered of one declared profile. The order of the fields is that of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shortname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Command(Vec<String>),
    File(String),
    Env(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    profiles: BTreeMap<String, Vec<Declaration>>,
    recipients: Vec<KnownKey>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    addresses: BTreeSet<String>,
}

impl Memory {
    /// Reads the memory; one that is not there is empty.
    ///
    /// # Errors
    /// [`MemoryError`] when it is there and cannot be read, or is not what neto wrote.
    pub fn load(path: &Path) -> Result<Self, MemoryError> {
        let bytes = match disk::read(path, Rules { cap: CAP, privacy: Privacy::Own }) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        Self::parse(&bytes).ok_or_else(|| MemoryError::Damaged(path.to_path_buf()))
    }

    /// Writes the memory, durably. The caller holds the memory's lock since it was loaded.
    ///
    /// # Errors
    /// [`MemoryError::Disk`]; what was there stays.
    pub fn save(&self, path: &Path) -> Result<(), MemoryError> {
        let wire = Wire {
            v: VERSION,
            profiles: self.profiles.clone(),
            recipients: self.recipients.clone(),
            addresses: self.addresses.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&wire).map_err(|error| DiskError::Io {
            action: "write",
            path: path.to_path_buf(),
            source: error.into(),
        })?;
        bytes.push(b'\n');
        disk::replace(path, &bytes, Durability::Durable)?;
        disk::clear_leftovers_beside(path);
        Ok(())
    }

    /// Whether this machine trusts `profile` as it is declared today.
    #[must_use]
    pub fn verdict(&self, profile: &Profile) -> Verdict {
        let today = Declaration::of(profile);
        let known = self.profiles.get(profile.name.as_str()).map_or(&[][..], Vec::as_slice);
        if known.contains(&today) {
            return Verdict::Trusted;
        }
        match (known.last(), &today.source) {
            (Some(last), _) => Verdict::Changed(last.changes(&today)),
            (None, Some(source)) => Verdict::UntrustedSource(source.to_string()),
            (None, None) => Verdict::FirstSight,
        }
    }

    /// Trusts `profile` as it is declared today, from now on.
    pub fn trust(&mut self, profile: &Profile) {
        let today = Declaration::of(profile);
        let known = self.profiles.entry(profile.name.to_string()).or_default();
        known.retain(|declaration| *declaration != today);
        known.push(today);
    }

    /// Trusts a public key to be sealed to, from now on, whatever it is called.
    pub fn trust_recipient(&mut self, name: &RecipientName, key: &str) {
        self.recipients.retain(|known| known.key != key);
        self.recipients.push(KnownKey { name: name.to_string(), key: key.to_owned() });
    }

    /// Forgets a key whose owner was taken out of the store: a line that brings it back is one from elsewhere.
    pub fn forget_recipient(&mut self, key: &str) {
        self.recipients.retain(|known| known.key != key);
    }

    /// Trusts an address to be that of an API, from now on.
    pub fn trust_address(&mut self, url: &ApiUrl) {
        self.addresses.insert(url.with_version());
    }

    /// Whether this machine was ever told of that address, by itself or with a profile.
    #[must_use]
    pub fn knows_address(&self, url: &ApiUrl) -> bool {
        let url = url.with_version();
        self.addresses.contains(&url) || self.profiles.values().flatten().any(|known| known.url == url)
    }

    /// The key that was last trusted under this name, to show beside a new one.
    #[must_use]
    pub fn last_key_of(&self, name: &RecipientName) -> Option<&str> {
        self.recipients.iter().rfind(|known| known.name == name.as_str()).map(|known| known.key.as_str())
    }

    /// Whether this machine was ever told to seal to that key.
    #[must_use]
    pub fn knows_recipient(&self, key: &str) -> bool {
        self.recipients.iter().any(|known| known.key == key)
    }

    /// Forgets a profile that is gone, so that another of its name is a stranger.
    pub fn forget(&mut self, profile: &ProfileName) {
        self.profiles.remove(profile.as_str());
    }

    /// Carries what is known of a profile over to its new name.
    pub fn rename(&mut self, from: &ProfileName, to: &ProfileName) {
        if let Some(known) = self.profiles.remove(from.as_str()) {
            self.profiles.insert(to.to_string(), known);
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        // serde lets a later key win over an earlier one in a map; what is trusted must not be ambiguous.
        Json::parse(text).ok()?;
        let wire: Wire = serde_json::from_str(text).ok()?;
        let whole = wire.v == VERSION && wire.profiles.values().all(|known| !known.is_empty());
        whole.then_some(Self { profiles: wire.profiles, recipients: wire.recipients, addresses: wire.addresses })
    }
}

impl Declaration {
    fn of(profile: &Profile) -> Self {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        Self {
            url: profile.url.with_version(),
            shortname: profile.shortname.clone(),
            appname: profile.appname.clone(),
            username: profile.username.clone(),
            ca_file: profile.ca_file.as_deref().map(path),
            source: match &profile.secret {
                SecretPlace::Command(argv) => Some(Source::Command(argv.clone())),
                SecretPlace::File(file) => Some(Source::File(path(file))),
                SecretPlace::Env(name) => Some(Source::Env(name.clone())),
                SecretPlace::None | SecretPlace::Clear(_) | SecretPlace::Sealed(_) => None,
            },
        }
    }

    fn changes(&self, today: &Self) -> Vec<Change> {
        let source = |declaration: &Self| declaration.source.as_ref().map(ToString::to_string);
        let fields = [
            ("url", Some(self.url.clone()), Some(today.url.clone())),
            ("shortname", self.shortname.clone(), today.shortname.clone()),
            ("appname", self.appname.clone(), today.appname.clone()),
            ("username", self.username.clone(), today.username.clone()),
            ("ca_file", self.ca_file.clone(), today.ca_file.clone()),
            ("secret", source(self), source(today)),
        ];
        let changed = fields.into_iter().filter(|(_, old, new)| old != new);
        changed.map(|(field, old, new)| Change { field: field.to_owned(), old, new }).collect()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Each word quoted, so that two commands never look the same.
            Self::Command(argv) => write!(f, "the command {argv:?}"),
            Self::File(path) => write!(f, "the file '{path}'"),
            Self::Env(name) => write!(f, "the variable '{name}'"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{} was {}, is {}", self.field, shown(&self.old), shown(&self.new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::binding::tests::profile;

    fn with(change: impl FnOnce(&mut Profile)) -> Profile {
        let mut profile = profile();
        change(&mut profile);
        profile
    }

    #[test]
    fn a_sealed_profile_is_a_stranger_once_and_then_known() {
        let mut memory = Memory::default();
        assert_eq!(memory.verdict(&profile()), Verdict::FirstSight);
        memory.trust(&profile());
        assert_eq!(memory.verdict(&profile()), Verdict::Trusted);
        // What a seal or the user's own wishes cover is none of the memory's business.
        let other = with(|profile| {
            profile.tags = vec!["prod".to_owned()];
            profile.secret = SecretPlace::Sealed("another".to_owned().into());
        });
        assert_eq!(memory.verdict(&other), Verdict::Trusted);
    }

    #[test]
    fn every_remembered_field_counts() {
        let mut memory = Memory::default();
        memory.trust(&profile());
        for (field, changed) in [
            ("url", with(|profile| profile.url = "https://evil.example".parse().unwrap())),
            ("shortname", with(|profile| profile.shortname = Some("globex".to_owned()))),
            ("appname", with(|profile| profile.appname = None)),
            ("username", with(|profile| profile.username = Some("alice".to_owned()))),
            ("ca_file", with(|profile| profile.ca_file = Some("/tmp/ca.pem".into()))),
            ("secret", with(|profile| profile.secret = SecretPlace::Env("X".to_owned()))),
            ("secret", with(|profile| profile.secret = SecretPlace::File("/x".into()))),
            ("secret", with(|profile| profile.secret = SecretPlace::Command(vec!["evil".to_owned()]))),
        ] {
            match memory.verdict(&changed) {
                Verdict::Changed(changes) => {
                    assert_eq!(changes.iter().map(|change| &change.field).collect::<Vec<_>>(), [field]);
                }
                other => panic!("{field}: {other:?}"),
            }
            memory.trust(&changed);
            assert_eq!(memory.verdict(&changed), Verdict::Trusted);
            assert_eq!(memory.verdict(&profile()), Verdict::Trusted, "what was trusted once stays so");
            memory.trust(&profile());
        }
    }

    #[test]
    fn a_source_is_never_trusted_at_first_sight() {
        let command = with(|profile| profile.secret = SecretPlace::Command(vec!["op".to_owned(), "read x".to_owned()]));
        let mut memory = Memory::default();
        let shown = r#"the command ["op", "read x"]"#;
        assert_eq!(memory.verdict(&command), Verdict::UntrustedSource(shown.to_owned()));
        memory.trust(&command);
        assert_eq!(memory.verdict(&command), Verdict::Trusted);
        let longer = with(|profile| {
            profile.secret = SecretPlace::Command(vec!["op".to_owned(), "read".to_owned(), "x".to_owned()]);
        });
        let Verdict::Changed(changes) = memory.verdict(&longer) else { panic!("another command must be told") };
        assert_eq!(changes[0].to_string(), format!(r#"secret was {shown}, is the command ["op", "read", "x"]"#));
    }

    #[test]
    fn the_memory_survives_the_disk_and_follows_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/trust.json");
        let mut memory = Memory::load(&path).unwrap();
        assert_eq!(memory, Memory::default());
        memory.trust(&with(|profile| profile.secret = SecretPlace::Command(vec!["op".to_owned()])));
        memory.trust(&profile());
        let bob: RecipientName = "bob".parse().unwrap();
        memory.trust_recipient(&bob, "age1old");
        memory.trust_recipient(&bob, "age1x");
        memory.save(&path).unwrap();
        let mut memory = Memory::load(&path).unwrap();
        assert!(["age1x", "age1old"].iter().all(|key| memory.knows_recipient(key)) && !memory.knows_recipient("age1y"));
        assert_eq!(memory.last_key_of(&bob), Some("age1x"));
        let renamed = with(|profile| profile.name = "globex".parse().unwrap());
        memory.rename(&profile().name, &renamed.name);
        assert_eq!((memory.verdict(&renamed), memory.verdict(&profile())), (Verdict::Trusted, Verdict::FirstSight));
        memory.forget(&renamed.name);
        assert_eq!(memory.verdict(&renamed), Verdict::FirstSight);
    }

    #[test]
    fn a_damaged_memory_is_neither_guessed_at_nor_empty() {
        let good = r#"{"v":1,"profiles":{"acme":[{"url":"u"}]},"recipients":[{"name":"n","key":"k"}]}"#;
        assert!(Memory::parse(good.as_bytes()).is_some());
        for (from, to) in [
            (good, ""),
            (good, "{}"),
            ("\"v\":1", "\"v\":2"),
            ("\"url\"", "\"urn\""),
            ("[{\"url\":\"u\"}]", "[]"),
            ("{\"acme\":", "{\"acme\":[],\"acme\":"),
            ("\"recipients\"", "\"more\":1,\"recipients\""),
            ("\"u\"", "5"),
            ("{\"name\":\"n\",\"key\":\"k\"}", "\"k\""),
        ] {
            assert!(Memory::parse(good.replace(from, to).as_bytes()).is_none(), "{to}");
        }
        assert!(Memory::parse(&[0xff]).is_none());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.json");
        disk::replace(&path, b"canary", Durability::Atomic).unwrap();
        assert!(matches!(Memory::load(&path), Err(MemoryError::Damaged(damaged)) if damaged == path));
    }
}
