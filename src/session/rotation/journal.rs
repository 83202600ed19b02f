//! The files of the rotations: those begun, one a profile, and the keys that came of those that are done.

use super::RotationError;
use super::record::{Rotation, Stage, VERSION};
use crate::disk::{self, DiskError, Durability, Privacy, Rules};
use crate::profile::ProfileName;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A credential sealed to a thousand recipients fits.
const RULES: Rules = Rules { cap: 1024 * 1024, privacy: Privacy::Own };

/// The end of every file's name.
const SUFFIX: &str = ".json";

/// Between the profile and the credential's id in the names of those that are done; no name of a profile holds it.
const AT: char = '@';

/// How long a key is kept: the store may be lost before it is pushed.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The two folders.
#[derive(Debug)]
pub(in crate::session) struct Rotations {
    begun: PathBuf,
    done: PathBuf,
}

impl Rotations {
    /// Below the folder of a store's state.
    pub(in crate::session) fn new(state: &Path) -> Self {
        Self { begun: state.join("rotations"), done: state.join("rotated") }
    }

    /// Those begun, and those done.
    pub(in crate::session) fn folders(&self) -> [&Path; 2] {
        [&self.begun, &self.done]
    }

    /// What was begun for a profile and is not finished.
    pub(super) fn load(&self, profile: &ProfileName) -> Result<Option<Rotation>, RotationError> {
        load(&self.file(profile))
    }

    /// The same for those who need to know only whether there is one.
    pub(super) fn has(&self, profile: &ProfileName) -> bool {
        self.file(profile).exists()
    }

    /// Writes how far it came, durably.
    pub(super) fn save(&self, rotation: &Rotation) -> Result<(), DiskError> {
        write(&self.file(&rotation.profile), rotation)?;
        disk::clear_leftovers(&self.begun);
        Ok(())
    }

    /// Nothing was changed, or it does not matter any more.
    pub(super) fn forget(&self, profile: &ProfileName) -> Result<(), DiskError> {
        disk::remove_durably(&self.file(profile))
    }

    /// It is done, or overtaken: what came of it is kept.
    pub(super) fn set_aside(&self, rotation: &Rotation) -> Result<(), DiskError> {
        if rotation.sealed().is_some() {
            self.keep(rotation)?;
        }
        self.forget(&rotation.profile)
    }

    /// Writes one of those that are done.
    pub(super) fn keep(&self, rotation: &Rotation) -> Result<(), DiskError> {
        let Stage::Answered(sealed) = &rotation.stage else { return Ok(()) };
        write(&self.done.join(format!("{}{AT}{}{SUFFIX}", rotation.profile, sealed.note.id)), rotation)
    }

    /// The profiles for which something was begun and is not finished, in the order of their names.
    pub(super) fn begun(&self) -> Result<Vec<ProfileName>, DiskError> {
        let name = |file: OsString| file.to_str()?.strip_suffix(SUFFIX)?.parse().ok();
        let mut names: Vec<ProfileName> = names(&self.begun)?.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// The keys of a profile that are kept, the newest first. A file of no use counts as none.
    pub(super) fn kept(&self, profile: &ProfileName) -> Result<Vec<Rotation>, DiskError> {
        let own = format!("{profile}{AT}");
        let is_own = |file: &OsString| file.to_str().is_some_and(|file| file.starts_with(&own));
        let files = names(&self.done)?.into_iter().filter(is_own);
        let mut kept: Vec<Rotation> = files.filter_map(|file| load(&self.done.join(file)).ok()?).collect();
        kept.sort_by_key(|rotation| std::cmp::Reverse(rotation.began_at));
        Ok(kept)
    }

    /// Removes what was kept for long enough. Best effort; a key that still stands beside an older one stays.
    pub(super) fn clear_old(&self, now: Timestamp) {
        for file in names(&self.done).unwrap_or_default() {
            let path = self.done.join(file);
            let is_old = |kept: &Rotation| kept.beside.is_none() && now.duration_since(kept.began_at) > KEPT;
            if load(&path).is_ok_and(|kept| kept.as_ref().is_some_and(is_old)) {
                let _ = disk::remove(&path);
            }
        }
    }

    fn file(&self, profile: &ProfileName) -> PathBuf {
        self.begun.join(format!("{profile}{SUFFIX}"))
    }
}

fn names(folder: &Path) -> Result<Vec<OsString>, DiskError> {
    match disk::names(folder) {
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
