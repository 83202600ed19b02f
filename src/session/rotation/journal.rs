//! Journal of rotations on disk: a file per unfinished rotation, and a file per new key of a finished rotation. Sends
//! no request.

use super::record::{Rotation, Stage, VERSION};
use crate::disk::{self, DiskError, Durability, Privacy, ReadRules};
use crate::profile::ProfileName;
use crate::session::error::RotationError;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Limits for reading a file of the journal. A credential sealed to a thousand recipients fits into 1 MiB.
const RULES: ReadRules = ReadRules { cap: 1024 * 1024, privacy: Privacy::Own };

/// Suffix of the names of all files.
const SUFFIX: &str = ".json";

/// Separator between profile name and credential id in the names of finished files. Profile names cannot contain it.
const SEPARATOR: char = '@';

/// Time for which the new key of a finished rotation is kept. Until the user pushes the store to a repository, the
/// journal is the only backup.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Directories of unfinished and of finished rotations.
#[derive(Debug)]
pub(in crate::session) struct RotationJournal {
    unfinished_directory: PathBuf,
    finished_directory: PathBuf,
}

impl RotationJournal {
    /// Creates a journal below the state directory of a store. Reads no file.
    pub(in crate::session) fn new(state: &Path) -> Self {
        Self { unfinished_directory: state.join("rotations"), finished_directory: state.join("rotated") }
    }

    /// Returns the directories of unfinished and of finished rotations.
    pub(in crate::session) fn directories(&self) -> [&Path; 2] {
        [&self.unfinished_directory, &self.finished_directory]
    }

    /// Reads the unfinished rotation of a profile; `None` if there is none.
    pub(super) fn load(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        load(&self.file(profile))
    }

    /// Returns whether a profile has an unfinished rotation, without reading the file.
    pub(super) fn has_unfinished(&self, profile: &ProfileName) -> bool {
        self.file(profile).exists()
    }

    /// Writes the unfinished rotation durably.
    pub(super) fn save(&self, rotation: &Rotation) -> Result<(), DiskError> {
        write(&self.file(&rotation.profile), rotation)?;
        disk::remove_stale_temp_files(&self.unfinished_directory);
        Ok(())
    }

    /// Removes the unfinished rotation durably, without keeping its new key.
    pub(super) fn remove(&self, profile: &ProfileName) -> Result<(), DiskError> {
        disk::remove_durably(&self.file(profile))
    }

    /// Keeps the rotation's new key, if any, among the finished rotations. Then removes the unfinished rotation.
    pub(super) fn finish(&self, rotation: &Rotation) -> Result<(), DiskError> {
        if rotation.sealed().is_some() {
            self.save_finished(rotation)?;
        }
        self.remove(&rotation.profile)
    }

    /// Writes the rotation to the directory of finished rotations, if it has a new key.
    pub(super) fn save_finished(&self, rotation: &Rotation) -> Result<(), DiskError> {
        let Stage::Answered(sealed) = &rotation.stage else { return Ok(()) };
        write(
            &self.finished_directory.join(format!("{}{SEPARATOR}{}{SUFFIX}", rotation.profile, sealed.note.id)),
            rotation,
        )
    }

    /// Returns the profiles with an unfinished rotation, sorted by name.
    pub(super) fn unfinished_profiles(&self) -> Result<Vec<ProfileName>, DiskError> {
        let name = |file: OsString| file.to_str()?.strip_suffix(SUFFIX)?.parse().ok();
        let mut names: Vec<ProfileName> =
            file_names(&self.unfinished_directory)?.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Reads the finished rotations of a profile, newest first. Unreadable files are skipped.
    pub(super) fn load_finished(&self, profile: &ProfileName) -> Result<Vec<Rotation>, DiskError> {
        let prefix = format!("{profile}{SEPARATOR}");
        let is_own = |file: &OsString| file.to_str().is_some_and(|file| file.starts_with(&prefix));
        let files = file_names(&self.finished_directory)?.into_iter().filter(is_own);
        let mut rotations: Vec<Rotation> =
            files.filter_map(|file| load(&self.finished_directory.join(file)).ok()?).collect();
        rotations.sort_by_key(|rotation| std::cmp::Reverse(rotation.began_at));
        Ok(rotations)
    }

    /// Removes finished rotations that began longer than [`RETENTION`] ago, ignoring errors. The record of a second key
    /// stays at least until the first key is removed.
    pub(super) fn remove_old_keys(&self, now: Timestamp) {
        for file in file_names(&self.finished_directory).unwrap_or_default() {
            let path = self.finished_directory.join(file);
            let is_old =
                |rotation: &Rotation| rotation.beside.is_none() && now.duration_since(rotation.began_at) > RETENTION;
            if load(&path).is_ok_and(|rotation| rotation.as_ref().is_some_and(is_old)) {
                let _ = disk::remove(&path);
            }
        }
    }

    fn file(&self, profile: &ProfileName) -> PathBuf {
        self.unfinished_directory.join(format!("{profile}{SUFFIX}"))
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
