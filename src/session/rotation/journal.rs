//! Files of the rotations: unfinished ones, one per profile, and the new keys of finished ones.

use super::record::{Rotation, Stage, VERSION};
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use crate::profile::ProfileName;
use crate::session::error::RotationError;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A credential sealed to a thousand recipients fits into 1 MiB.
const RULES: ReadRules = ReadRules { cap: 1024 * 1024, privacy: Privacy::Own };

/// Extension of all files.
const SUFFIX: &str = ".json";

/// Separator of profile and credential id in the names of finished files. Profile names cannot contain this character.
const SEPARATOR: char = '@';

/// Time that a finished key is kept, because the store may be lost before it is pushed.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Directories of unfinished and of finished rotations.
#[derive(Debug)]
pub(in crate::session) struct RotationJournal {
    begun: PathBuf,
    done: PathBuf,
}

impl RotationJournal {
    /// Creates a journal below the state directory of a store. Reads no file.
    pub(in crate::session) fn new(state: &Path) -> Self {
        Self { begun: state.join("rotations"), done: state.join("rotated") }
    }

    /// Returns the directories of unfinished and of finished rotations.
    pub(in crate::session) fn directories(&self) -> [&Path; 2] {
        [&self.begun, &self.done]
    }

    /// Reads the unfinished rotation of a profile.
    pub(super) fn load(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        load(&self.file(profile))
    }

    /// Returns whether a profile has an unfinished rotation, without reading the file.
    pub(super) fn is_begun(&self, profile: &ProfileName) -> bool {
        self.file(profile).exists()
    }

    /// Writes the unfinished rotation durably.
    pub(super) fn save(&self, rotation: &Rotation) -> Result<(), DiskError> {
        write(&self.file(&rotation.profile), rotation)?;
        disk::remove_stale_temp_files(&self.begun);
        Ok(())
    }

    /// Removes the unfinished rotation, because the key is unchanged or the rotation does not matter anymore.
    pub(super) fn remove(&self, profile: &ProfileName) -> Result<(), DiskError> {
        disk::remove_durably(&self.file(profile))
    }

    /// Removes the rotation from the unfinished ones and keeps its new key, if any.
    pub(super) fn finish(&self, rotation: &Rotation) -> Result<(), DiskError> {
        if rotation.sealed().is_some() {
            self.save_finished(rotation)?;
        }
        self.remove(&rotation.profile)
    }

    /// Writes the new key to the directory of finished rotations.
    pub(super) fn save_finished(&self, rotation: &Rotation) -> Result<(), DiskError> {
        let Stage::Answered(sealed) = &rotation.stage else { return Ok(()) };
        write(&self.done.join(format!("{}{SEPARATOR}{}{SUFFIX}", rotation.profile, sealed.note.id)), rotation)
    }

    /// Returns the profiles with an unfinished rotation, sorted by name.
    pub(super) fn begun_profiles(&self) -> Result<Vec<ProfileName>, DiskError> {
        let name = |file: OsString| file.to_str()?.strip_suffix(SUFFIX)?.parse().ok();
        let mut names: Vec<ProfileName> = file_names(&self.begun)?.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Reads the finished rotations of a profile, newest first. Unreadable files are skipped.
    pub(super) fn finished(&self, profile: &ProfileName) -> Result<Vec<Rotation>, DiskError> {
        let own = format!("{profile}{SEPARATOR}");
        let is_own = |file: &OsString| file.to_str().is_some_and(|file| file.starts_with(&own));
        let files = file_names(&self.done)?.into_iter().filter(is_own);
        let mut kept: Vec<Rotation> = files.filter_map(|file| load(&self.done.join(file)).ok()?).collect();
        kept.sort_by_key(|rotation| std::cmp::Reverse(rotation.began_at));
        Ok(kept)
    }

    /// Removes finished rotations older than [`RETENTION`], ignoring errors. A second key stays until the first key is
    /// removed.
    pub(super) fn clear_old(&self, now: Timestamp) {
        for file in file_names(&self.done).unwrap_or_default() {
            let path = self.done.join(file);
            let is_old = |kept: &Rotation| kept.beside.is_none() && now.duration_since(kept.began_at) > RETENTION;
            if load(&path).is_ok_and(|kept| kept.as_ref().is_some_and(is_old)) {
                let _ = disk::remove(&path);
            }
        }
    }

    fn file(&self, profile: &ProfileName) -> PathBuf {
        self.begun.join(format!("{profile}{SUFFIX}"))
    }
}

fn file_names(directory: &Path) -> Result<Vec<OsString>, DiskError> {
    match disk::entry_names(directory) {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        names => names,
    }
}

fn load(path: &Path) -> Result<Option<Rotation>, RotationError> {
    let bytes = match disk::read(path, RULES) {
        Err(error) if error.is_absent() => return Ok(None),
        bytes => bytes?,
    };
    let rotation = serde_json::from_slice(&bytes).ok().filter(|rotation: &Rotation| rotation.v == VERSION);
    rotation.map(Some).ok_or_else(|| RotationError::Damaged(path.to_path_buf()))
}

fn write(path: &Path, rotation: &Rotation) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec_pretty(rotation).map_err(|error| DiskError::Io {
        action: "write",
        path: path.to_path_buf(),
        source: error.into(),
    })?;
    disk::replace(path, &bytes, Durability::Durable)
}
