//! Token file of a profile: a header line of plaintext JSON, then a JSON record encrypted with the device key.
//!
//! The record repeats the fields of the header line and adds the tokens. Listings read only the header line. Loading a
//! token fails if the header line and the record disagree, because the header line is not authenticated.

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

/// Limits for reading a token file. The cap leaves space for two tokens of 16 KiB, a declaration of 64 KiB, and
/// overhead.
const READ_RULES: ReadRules = ReadRules { cap: 256 * 1024, privacy: Privacy::Own };

/// Number of bytes that listings read from the start of a token file. Every header line is shorter.
const MAX_HEADER_BYTES: usize = 512;

/// Suffix of the names of token files.
const TOKEN_FILE_SUFFIX: &str = ".token";

/// Directory of the token files.
#[derive(Debug)]
pub struct TokenDirectory {
    path: PathBuf,
    /// True once this process has removed the stale temporary files of killed processes. The removal reads the
    /// whole directory, so a process does it only once.
    has_removed_stale_files: AtomicBool,
}

/// Content of a token file: the access token of a profile, its refresh token, and what they were granted for.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// Profile that the tokens were granted to.
    pub profile: ProfileName,
    /// Fingerprint of the URL, account and credential that the tokens were granted for.
    pub fingerprint: Fingerprint,
    /// Validity of both tokens.
    pub lifetime: Lifetime,
    /// Access token.
    pub access: Secret,
    /// Refresh token. `None` if the server sent no refresh token, or sent one without a valid lifetime. Also `None`
    /// after the refresh token was used.
    pub refresh: Option<RefreshToken>,
    /// Recorded declaration of the profile; see [`StoreReading::declaration`](super::StoreReading::declaration) for the
    /// cases in which it is `None`.
    pub declaration: Option<Box<ProfileDeclaration>>,
}

/// Refresh token. The server accepts it only once.
#[derive(Debug, Clone)]
pub struct RefreshToken(pub Secret);

/// Reasons why a token file cannot be used. No command fails for these reasons: the session warns, and replaces the
/// file with the next token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file cannot be read, is not private, or is not a regular file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not a valid token file, or was encrypted with another device key.
    #[error("{} is damaged or was written with another device key", .0.display())]
    Damaged(PathBuf),
}

/// JSON object in a token file. The header line has all fields except the tokens and the declaration. The encrypted
/// record can have all fields.
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
    /// Creates the handle of the token directory at `path`. [`save`](Self::save) creates the directory itself.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, has_removed_stale_files: AtomicBool::new(false) }
    }

    /// Returns the path of a profile's token file.
    #[must_use]
    pub fn file_path(&self, profile: &ProfileName) -> PathBuf {
        self.path.join([profile.as_str(), TOKEN_FILE_SUFFIX].concat())
    }

    /// Reads the lifetime of a profile's token from the header line, for listings. Returns `None` if there is no token
    /// file, or if the header line has another profile or fingerprint.
    ///
    /// # Errors
    /// Returns a [`TokenFileError`] if the file exists but cannot be read or has no valid header line. The encrypted
    /// record is not checked.
    pub fn load_lifetime(
        &self,
        profile: &ProfileName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Lifetime>, TokenFileError> {
        let path = self.file_path(profile);
        let Some(bytes) = absent_as_none(disk::read_start(&path, READ_RULES, MAX_HEADER_BYTES))? else {
            return Ok(None);
        };
        let (header, _) = split_header(&path, &bytes)?;
        let matches = header.profile == profile.as_str() && header.fingerprint == *fingerprint;
        Ok(matches.then(|| header.lifetime()))
    }

    /// Reads and decrypts the token file of a profile. The caller must compare the fingerprint. Calls `device` for the
    /// device key only if the file exists.
    ///
    /// Returns `None` if there is no token file, if `device` returns `None`, or if the file holds another profile's
    /// token.
    ///
    /// # Errors
    /// Returns a [`TokenFileError`] if the file exists but cannot be read, decrypted or parsed. Also returns an error
    /// if the header line and the encrypted record disagree. An invalid declaration is not an error: it is dropped.
    pub fn load<'d>(
        &self,
        profile: &ProfileName,
        device: impl FnOnce() -> Option<&'d DeviceKey>,
    ) -> Result<Option<CachedToken>, TokenFileError> {
        let path = self.file_path(profile);
        let Some(bytes) = absent_as_none(disk::read(&path, READ_RULES))? else { return Ok(None) };
        let Some(device) = device() else { return Ok(None) };
        let damaged = || TokenFileError::Damaged(path.clone());
        let (header, encrypted) = split_header(&path, &bytes)?;
        let decrypted = device.open(encrypted).map_err(|_| damaged())?;
        let mut record: TokenRecord = serde_json::from_slice(&decrypted).map_err(|_| damaged())?;
        let valid_token = |text: String| Some(Secret::new(text)).filter(Secret::is_token).ok_or_else(damaged);
        let access = valid_token(record.access_token.take().ok_or_else(damaged)?)?;
        let refresh = record.refresh_token.take().map(valid_token).transpose()?.map(RefreshToken);
        let declaration: Option<Box<ProfileDeclaration>> =
            record.declaration.take().and_then(|json| serde_json::from_str(json.get()).ok());
        if !record.agrees_with(&header) {
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

    /// Writes the token file of a profile, replacing an earlier token file.
    ///
    /// # Errors
    /// Returns a [`DiskError`] if the token cannot be encrypted or the file cannot be written. An earlier token file
    /// then remains. Exception: if only the sync of the directory fails, the new file is already in place. Only
    /// [`Durability::Durable`] syncs the directory.
    pub fn save(&self, token: &CachedToken, device: &DeviceKey, durability: Durability) -> Result<(), DiskError> {
        let path = self.file_path(&token.profile);
        disk::replace(&path, &encode_and_encrypt(token, device, &path)?, durability)?;
        if !self.has_removed_stale_files.swap(true, Ordering::Relaxed) {
            disk::remove_stale_temp_files(&self.path);
        }
        Ok(())
    }

    /// Removes the token file of a profile. Returns true if the file existed.
    ///
    /// # Errors
    /// Returns a [`DiskError`] if the file exists but cannot be removed.
    pub fn remove(&self, profile: &ProfileName) -> Result<bool, DiskError> {
        disk::remove(&self.file_path(profile))
    }

    /// Returns the names of the profiles that have a token file, in sorted order.
    ///
    /// # Errors
    /// Returns a [`DiskError`] if the directory exists but cannot be read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, DiskError> {
        let file_names = match disk::entry_names(&self.path) {
            Err(error) if error.is_absent() => return Ok(Vec::new()),
            file_names => file_names?,
        };
        let profile_name = |file: &OsString| {
            let stem = file.to_str()?.strip_suffix(TOKEN_FILE_SUFFIX)?;
            if stem == ProfileName::env().as_str() { Some(ProfileName::env()) } else { stem.parse().ok() }
        };
        let mut names: Vec<ProfileName> = file_names.iter().filter_map(profile_name).collect();
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

fn encode_and_encrypt(token: &CachedToken, device: &DeviceKey, path: &Path) -> Result<Vec<u8>, DiskError> {
    let write_error = |error: String| DiskError::io("write", path, io::Error::other(error));
    let mut record = TokenRecord::without_tokens(token);
    let mut bytes = serde_json::to_vec(&record).map_err(|error| write_error(error.to_string()))?;
    bytes.push(b'\n');
    record.declaration = token.declaration.as_ref().and_then(|declaration| to_raw_value(declaration).ok());
    record.access_token = Some(token.access.reveal().to_owned());
    record.refresh_token = token.refresh.as_ref().map(|refresh| refresh.0.reveal().to_owned());
    // The capacity is reserved in advance, because a growing vector leaves copies of the tokens in memory. 1024 bytes
    // are enough for the other fields and the JSON syntax.
    let token_lengths = [&record.access_token, &record.refresh_token].map(|text| text.as_ref().map_or(0, String::len));
    let json_length = record.declaration.as_ref().map_or(0, |json| json.get().len());
    let mut plaintext = Zeroizing::new(Vec::with_capacity(token_lengths.iter().sum::<usize>() + json_length + 1024));
    let serialized = serde_json::to_writer(&mut *plaintext, &record);
    record.access_token.zeroize();
    record.refresh_token.zeroize();
    serialized.map_err(|error| write_error(error.to_string()))?;
    bytes.extend(device.seal(&plaintext).map_err(|error| write_error(error.to_string()))?);
    Ok(bytes)
}

impl TokenRecord {
    /// Returns the fields of the header line.
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

    /// Returns true if the header fields are equal in both records and neither record has a token. `load` moves the
    /// tokens out of the encrypted record first. A header line must not contain tokens.
    fn agrees_with(&self, other: &Self) -> bool {
        let has_token = |record: &Self| record.access_token.is_some() || record.refresh_token.is_some();
        self.profile == other.profile
            && self.fingerprint == other.fingerprint
            && self.lifetime() == other.lifetime()
            && !(has_token(self) || has_token(other))
    }

    fn lifetime(&self) -> Lifetime {
        let Self { obtained_at, expires_at, refresh_expires_at, .. } = *self;
        Lifetime { obtained_at, expires_at, refresh_expires_at }
    }
}
