//! Token file of a profile: one plaintext line of JSON for listings, then a record encrypted with the device key. The
//! encrypted record repeats the plaintext fields and adds the tokens. Code that uses a token requires both to agree.

use super::{Fingerprint, Lifetime, ProfileDeclaration};
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
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

/// Two tokens of 16 KiB, their JSON and the encryption overhead fit easily.
const RULES: ReadRules = ReadRules { cap: 256 * 1024, privacy: Privacy::Own };

/// Upper bound for the length of the plaintext line, smaller than the whole file.
const MAX_HEADER_BYTES: usize = 512;

/// Suffix of every token file's name.
const SUFFIX: &str = ".token";

/// Directory of the token files.
#[derive(Debug)]
pub struct TokenDirectory {
    path: PathBuf,
    /// True once this process removed the leftovers of killed processes, which it does at most once.
    has_cleared_leftovers: AtomicBool,
}

/// Token that was granted to a profile.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// Profile that the token was granted to.
    pub profile: ProfileName,
    /// Url, account and credential that the token was granted for.
    pub fingerprint: Fingerprint,
    /// Start and end of the token's validity.
    pub lifetime: Lifetime,
    /// Access token.
    pub access: Secret,
    /// Refresh token; absent once used.
    pub refresh: Option<RefreshToken>,
    /// Profile as the store declared it when the token was last checked against the store. Absent if the declaration is
    /// in doubt.
    pub declaration: Option<Box<ProfileDeclaration>>,
}

/// Refresh token, which the server accepts once.
#[derive(Debug, Clone)]
pub struct RefreshToken(pub Secret);

/// Reason why a token file cannot be used. Commands do not fail with it: they replace the file.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file cannot be read, is not private, or is not a regular file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content was not written by neto, or was encrypted with another device key.
    #[error("{} is damaged or was written with another device key", .0.display())]
    Damaged(PathBuf),
}

/// Content of a token file: the plaintext line has all fields except the tokens and the declaration. The encrypted
/// record has all fields.
#[derive(Serialize, Deserialize)]
struct TokenRecord {
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

impl TokenDirectory {
    /// Uses the directory at `path`, which is created when the first token is saved.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, has_cleared_leftovers: AtomicBool::new(false) }
    }

    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a profile's token file.
    #[must_use]
    pub fn file_path(&self, profile: &ProfileName) -> PathBuf {
        self.path.join([profile.as_str(), SUFFIX].concat())
    }

    /// Reads the lifetime of a profile's token from the plaintext line, for listings. Returns `None` if there is no
    /// token, or if the token was issued for another profile or `fingerprint`.
    ///
    /// # Errors
    /// [`TokenFileError`] if the file exists and is unusable.
    pub fn load_lifetime(
        &self,
        profile: &ProfileName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Lifetime>, TokenFileError> {
        let path = self.file_path(profile);
        let Some(bytes) = absent_as_none(disk::read_start(&path, RULES, MAX_HEADER_BYTES))? else { return Ok(None) };
        let (header, _) = split_header(&path, &bytes)?;
        let fits = header.profile == profile.as_str() && header.fingerprint == *fingerprint;
        Ok(fits.then(|| header.lifetime()))
    }

    /// Reads and decrypts the token of a profile, without checking which credential it was issued for. Returns `None`
    /// if there is no token file, or no `device` key to decrypt the file. The key is requested only if there is a file.
    ///
    /// # Errors
    /// [`TokenFileError`] if the file exists and is unusable.
    pub fn load<'d>(
        &self,
        profile: &ProfileName,
        device: impl FnOnce() -> Option<&'d DeviceKey>,
    ) -> Result<Option<CachedToken>, TokenFileError> {
        let path = self.file_path(profile);
        let Some(bytes) = absent_as_none(disk::read(&path, RULES))? else { return Ok(None) };
        let Some(device) = device() else { return Ok(None) };
        let damaged = || TokenFileError::Damaged(path.clone());
        let (header, sealed) = split_header(&path, &bytes)?;
        let opened = device.open(sealed).map_err(|_| damaged())?;
        let mut body: TokenRecord = serde_json::from_slice(&opened).map_err(|_| damaged())?;
        let token = |text: String| Some(Secret::new(text)).filter(Secret::is_token).ok_or_else(damaged);
        let access = token(body.access_token.take().ok_or_else(damaged)?)?;
        let refresh = body.refresh_token.take().map(token).transpose()?.map(RefreshToken);
        let declaration: Option<Box<ProfileDeclaration>> =
            body.declaration.take().and_then(|json| serde_json::from_str(json.get()).ok());
        if !body.agrees_with(&header) {
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

    /// Writes a token file, replacing the profile's earlier token.
    ///
    /// # Errors
    /// [`DiskError`] if the file cannot be written; an earlier token file remains.
    pub fn save(&self, token: &CachedToken, device: &DeviceKey, durability: Durability) -> Result<(), DiskError> {
        let path = self.file_path(&token.profile);
        disk::replace(&path, &render(token, device, &path)?, durability)?;
        if !self.has_cleared_leftovers.swap(true, Ordering::Relaxed) {
            disk::remove_stale_temp_files(&self.path);
        }
        Ok(())
    }

    /// Removes the token file of a profile; returns true if the file existed.
    ///
    /// # Errors
    /// [`DiskError`] if the file exists and cannot be removed.
    pub fn remove(&self, profile: &ProfileName) -> Result<bool, DiskError> {
        disk::remove(&self.file_path(profile))
    }

    /// Returns the profiles that have a token file, sorted by name.
    ///
    /// # Errors
    /// [`DiskError`] if the directory exists and cannot be read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, DiskError> {
        let files = match disk::entry_names(&self.path) {
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

fn absent_as_none(read: Result<Vec<u8>, DiskError>) -> Result<Option<Vec<u8>>, TokenFileError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn split_header<'a>(path: &Path, bytes: &'a [u8]) -> Result<(TokenRecord, &'a [u8]), TokenFileError> {
    let damaged = || TokenFileError::Damaged(path.to_path_buf());
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let header = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
    Ok((header, &bytes[end + 1..]))
}

fn render(token: &CachedToken, device: &DeviceKey, path: &Path) -> Result<Vec<u8>, DiskError> {
    let write_error = |error: String| DiskError::io("write", path, io::Error::other(error));
    let mut record = TokenRecord::without_tokens(token);
    let mut bytes = serde_json::to_vec(&record).map_err(|error| write_error(error.to_string()))?;
    bytes.push(b'\n');
    record.declaration = token.declaration.as_ref().and_then(|declaration| to_raw_value(declaration).ok());
    record.access_token = Some(token.access.reveal().to_owned());
    record.refresh_token = token.refresh.as_ref().map(|refresh| refresh.0.reveal().to_owned());
    // Capacity is reserved in advance: a vector that grows leaves copies of the tokens in memory.
    let lengths = [&record.access_token, &record.refresh_token].map(|text| text.as_ref().map_or(0, String::len));
    let declared = record.declaration.as_ref().map_or(0, |json| json.get().len());
    let mut plaintext = Zeroizing::new(Vec::with_capacity(lengths.iter().sum::<usize>() + declared + 1024));
    let written = serde_json::to_writer(&mut *plaintext, &record);
    record.access_token.zeroize();
    record.refresh_token.zeroize();
    written.map_err(|error| write_error(error.to_string()))?;
    bytes.extend(device.seal(&plaintext).map_err(|error| write_error(error.to_string()))?);
    Ok(bytes)
}

impl TokenRecord {
    /// Returns the record for the plaintext line.
    fn without_tokens(token: &CachedToken) -> Self {
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

    /// Returns true if both records have the same plaintext fields and neither has a token.
    fn agrees_with(&self, other: &Self) -> bool {
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
