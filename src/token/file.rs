//! One file a profile: a line of JSON in clear for lists, then the same and the tokens, sealed to the
//! device key. The clear line is not believed where a token is used: what is sealed must agree.

use super::{Declaration, Fingerprint, Lifetime};
use crate::disk::{self, DiskError, Durability, Privacy, Rules};
use crate::profile::ProfileName;
use crate::secret::{DeviceKey, Secret};
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::second;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::{Zeroize as _, Zeroizing};

/// Two tokens of 16 KiB, their JSON and the sealing fit with room to spare.
const RULES: Rules = Rules { cap: 256 * 1024, privacy: Privacy::Own };

/// More than the clear line ever takes, and less than a file.
const LONGEST_LINE: usize = 512;

/// The end of every token file's name.
const SUFFIX: &str = ".token";

/// The longest token that is taken, from the server and from the cache.
const LONGEST_TOKEN: usize = 16_384;

/// The folder of the token files.
#[derive(Debug)]
pub struct TokenFolder {
    path: PathBuf,
    /// Leftovers of killed runs are looked for once a run.
    cleared: AtomicBool,
}

/// A token as it was granted to a profile.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// The profile that it was granted to.
    pub profile: ProfileName,
    /// What it was granted for.
    pub fingerprint: Fingerprint,
    /// From when to when it lives.
    pub lifetime: Lifetime,
    /// The bearer token.
    pub access: Secret,
    /// What renews it, until it is burnt.
    pub refresh: Option<RefreshToken>,
    /// What the store declared when the token was last held against it; absent where that is in doubt.
    pub declaration: Option<Box<Declaration>>,
}

/// A refresh token; it works once.
#[derive(Debug, Clone)]
pub struct RefreshToken(pub Secret);

/// Why a token file is no use. It is never an error of the command: the file is replaced.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read, is not private, or is no plain file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It is not what neto wrote, or was sealed to another device key.
    #[error("{} is damaged or was written with another device key", .0.display())]
    Damaged(PathBuf),
}

/// What a token file says: the first line all but the tokens, what is sealed below it everything.
#[derive(Serialize, Deserialize)]
struct Record {
    profile: String,
    fingerprint: Fingerprint,
    #[serde(with = "second::required")]
    obtained_at: Timestamp,
    #[serde(with = "second::required")]
    expires_at: Timestamp,
    #[serde(with = "second::optional")]
    refresh_expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    declaration: Option<Box<RawValue>>,
}

impl TokenFolder {
    /// The folder at `path`, which is made when the first token is saved.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, cleared: AtomicBool::new(false) }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a profile's token.
    #[must_use]
    pub fn file(&self, profile: &ProfileName) -> PathBuf {
        self.path.join([profile.as_str(), SUFFIX].concat())
    }

    /// What the clear line says of a profile's token, for lists; nothing when there is none or it is for
    /// something else than `fingerprint`.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is there and of no use.
    pub fn load_lifetime(
        &self,
        profile: &ProfileName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Lifetime>, TokenFileError> {
        let path = self.file(profile);
        let Some(bytes) = present(disk::read_start(&path, RULES, LONGEST_LINE))? else { return Ok(None) };
        let (header, _) = split(&path, &bytes)?;
        let fits = header.profile == profile.as_str() && header.fingerprint == *fingerprint;
        Ok(fits.then(|| header.lifetime()))
    }

    /// The token of a profile, opened, whatever it is for; nothing when there is none, or no `device` key to open it,
    /// which is asked for only where there is a file.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is there and of no use.
    pub fn load<'d>(
        &self,
        profile: &ProfileName,
        device: impl FnOnce() -> Option<&'d DeviceKey>,
    ) -> Result<Option<CachedToken>, TokenFileError> {
        let path = self.file(profile);
        let Some(bytes) = present(disk::read(&path, RULES))? else { return Ok(None) };
        let Some(device) = device() else { return Ok(None) };
        let damaged = || TokenFileError::Damaged(path.clone());
        let (header, sealed) = split(&path, &bytes)?;
        let opened = device.open(sealed).map_err(|_| damaged())?;
        let mut body: Record = serde_json::from_slice(&opened).map_err(|_| damaged())?;
        let token = |text: String| if is_token(&text) { Ok(Secret::new(text)) } else { Err(damaged()) };
        let access = token(body.access_token.take().ok_or_else(damaged)?)?;
        let refresh = body.refresh_token.take().map(token).transpose()?.map(RefreshToken);
        let declaration: Option<Box<Declaration>> =
            body.declaration.take().and_then(|json| serde_json::from_str(json.get()).ok());
        if !body.is_same(&header) {
            return Err(damaged());
        }
        if header.profile != profile.as_str() {
            return Ok(None);
        }
        Ok(Some(CachedToken {
            profile: profile.clone(),
            lifetime: header.lifetime(),
            fingerprint: header.fingerprint,
            access,
            refresh,
            declaration: declaration.filter(|declaration| declaration.profile.name == *profile),
        }))
    }

    /// Writes a token over the one there was.
    ///
    /// # Errors
    /// [`DiskError`] when it cannot be written; what was there stays.
    pub fn save(&self, token: &CachedToken, device: &DeviceKey, durability: Durability) -> Result<(), DiskError> {
        let path = self.file(&token.profile);
        disk::replace(&path, &render(token, device, &path)?, durability)?;
        if !self.cleared.swap(true, Ordering::Relaxed) {
            disk::clear_leftovers(&self.path);
        }
        Ok(())
    }

    /// Forgets the token of a profile; says whether there was one.
    ///
    /// # Errors
    /// [`DiskError`] when it is there and cannot be removed.
    pub fn remove(&self, profile: &ProfileName) -> Result<bool, DiskError> {
        disk::remove(&self.file(profile))
    }

    /// The profiles that have a token file, in the order of their names.
    ///
    /// # Errors
    /// [`DiskError`] when the folder is there and cannot be read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, DiskError> {
        let files = match disk::names(&self.path) {
            Err(error) if error.is_absent() => return Ok(Vec::new()),
            files => files?,
        };
        let name = |file: &OsString| {
            let stem = file.to_str()?.strip_suffix(SUFFIX)?;
            if stem == ProfileName::env().as_str() { Some(ProfileName::env()) } else { stem.parse().ok() }
        };
        let mut names: Vec<ProfileName> = files.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }
}

/// Whether a text can be a token: what the bearer scheme allows, and not absurdly long.
#[must_use]
pub fn is_token(text: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~+/=-".contains(&byte))
}

fn present(read: Result<Vec<u8>, DiskError>) -> Result<Option<Vec<u8>>, TokenFileError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn split<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Record, &'a [u8]), TokenFileError> {
    let damaged = || TokenFileError::Damaged(path.to_path_buf());
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let header = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
    Ok((header, &bytes[end + 1..]))
}

fn render(token: &CachedToken, device: &DeviceKey, path: &Path) -> Result<Vec<u8>, DiskError> {
    let cannot = |error: String| DiskError::io("write", path, io::Error::other(error));
    let mut record = Record::header(token);
    let mut bytes = serde_json::to_vec(&record).map_err(|error| cannot(error.to_string()))?;
    bytes.push(b'\n');
    record.declaration = token.declaration.as_ref().and_then(|declaration| to_raw_value(declaration).ok());
    record.access_token = Some(token.access.reveal().to_owned());
    record.refresh_token = token.refresh.as_ref().map(|refresh| refresh.0.reveal().to_owned());
    // Reserved at once: a vector that grows leaves copies of the tokens behind.
    let lengths = [&record.access_token, &record.refresh_token].map(|text| text.as_ref().map_or(0, String::len));
    let declared = record.declaration.as_ref().map_or(0, |json| json.get().len());
    let mut clear = Zeroizing::new(Vec::with_capacity(lengths.iter().sum::<usize>() + declared + 1024));
    let written = serde_json::to_writer(&mut *clear, &record);
    record.access_token.zeroize();
    record.refresh_token.zeroize();
    written.map_err(|error| cannot(error.to_string()))?;
    bytes.extend(device.seal(&clear).map_err(|error| cannot(error.to_string()))?);
    Ok(bytes)
}

impl Record {
    /// What stands in clear.
    fn header(token: &CachedToken) -> Self {
        let Lifetime { obtained_at, expires_at, refresh_expires_at } = token.lifetime;
        Self {
            profile: token.profile.to_string(),
            fingerprint: token.fingerprint.clone(),
            obtained_at,
            expires_at,
            refresh_expires_at,
            access_token: None,
            refresh_token: None,
            declaration: None,
        }
    }

    /// Whether both say the same, and neither of them a token.
    fn is_same(&self, other: &Self) -> bool {
        let tokens = |record: &Self| record.access_token.is_some() || record.refresh_token.is_some();
        self.profile == other.profile
            && self.fingerprint == other.fingerprint
            && self.lifetime() == other.lifetime()
            && !(tokens(self) || tokens(other))
    }

    fn lifetime(&self) -> Lifetime {
        let Self { obtained_at, expires_at, refresh_expires_at, .. } = *self;
        Lifetime { obtained_at, expires_at, refresh_expires_at }
    }
}
