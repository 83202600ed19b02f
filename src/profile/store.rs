//! The store file: reads it, edits it under its lock, and replaces it as a whole.
//!
//! Owns the checks of who can write the file, and its replacement. `parse` owns the meaning of the text, `document`
//! its edits.

use super::document::{Document, Edit, EditError};
use super::hex;
use super::model::Store;
use super::parse::{self, Outline, StoreError};
use crate::disk::{self, DiskError, Lock, LockGuard, Privacy, ReadRules, Stamp, StampedRead};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Other users may read a store, which holds no open secret, but not write to it.
const RULES: ReadRules = ReadRules { cap: 64 << 20, privacy: Privacy::NotWritable };

/// Store file and the lock that every change of the file takes.
#[derive(Debug, Clone)]
pub struct StoreFile {
    path: PathBuf,
    lock_directory: PathBuf,
}

/// Error of an operation on a store file.
#[derive(Debug, thiserror::Error)]
pub enum StoreFileError {
    /// The file or its directory cannot be read or written, or others can write to it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content is not a valid store.
    #[error("{}: {error}", path.display())]
    Store {
        /// Path of the file.
        path: PathBuf,
        /// Fault with its position.
        error: StoreError,
    },
    /// Edit that is not possible.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Another program, such as an editor, changed the file without the lock. Its version is kept.
    #[error("{} was changed by another program meanwhile; nothing was written", .0.display())]
    ChangedMeanwhile(PathBuf),
    /// The file does not exist.
    #[error("there is no store at {}", .0.display())]
    NotFound(PathBuf),
    /// Link whose target does not exist: the checkout was moved or removed.
    #[error("{} leads to {}, which is not there", .0.display(), .1.display())]
    DanglingLink(PathBuf, PathBuf),
    /// Two stores, of which one would be lost.
    #[error("{} and {} are both there, and none is thrown away", .0.display(), .1.display())]
    TwoStores(PathBuf, PathBuf),
}

/// Effect of [`StoreFile::link_to`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutcome {
    /// No change: the link led to the target before.
    Already,
    /// The store was moved to the target.
    Moved,
    /// A store existed at the target, and is used from now on.
    Joined,
}

/// Bytes of a file, and the identity of the file.
type FileContent = (Vec<u8>, Option<StampedRead>);

impl StoreFile {
    /// Creates the handle of the store at `path`, which may be a symbolic link. Its lock is in `lock_directory`.
    #[must_use]
    pub fn new(path: PathBuf, lock_directory: PathBuf) -> Self {
        Self { path, lock_directory }
    }

    /// Returns the path as given, with links not resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lock to hold for [`edit`](Self::edit) and [`save_new`](Self::save_new). All paths to the same file
    /// share a lock.
    pub fn lock(&self) -> Lock {
        Lock::new(self.lock_directory.join(format!("_store-{}.lock", file_digest(&self.path))))
    }

    /// Returns the directories in which a write can leave temporary files: that of the file, and that of a link's
    /// target.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> =
            std::iter::once(self.directory().to_path_buf()).chain(self.target_directory()).collect();
        directories.dedup();
        directories
    }

    /// Reads and parses the store. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// [`StoreFileError::Disk`] for a file that cannot be read or that others can write, [`StoreFileError::Store`] for
    /// an invalid store.
    pub fn load(&self) -> Result<Option<Store>, StoreFileError> {
        let Some((bytes, stamped_read)) = self.read_content()? else { return Ok(None) };
        let store = parse::decode(bytes).and_then(|text| parse::parse(&Arc::new(text), &self.base_directory()));
        let store = store.map_err(|error| self.invalid(error))?;
        Ok(Some(Store { stamped_read, ..store }))
    }

    /// Reads only the names in the store. Returns `None`, without a reason, if the store is missing or invalid.
    #[must_use]
    pub fn outline(&self) -> Option<Outline<'static>> {
        let (bytes, _) = self.read_content().ok()??;
        // Never freed: freeing this much memory takes longer than the exit of the process.
        Outline::read(parse::decode(bytes).ok()?.leak())
    }

    /// Returns the current stamp of the file. While it equals the stamp of a store that was read, [`load`](Self::load)
    /// would return that store. Returns `None` if only reading the file can answer that.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        let found = std::fs::symlink_metadata(&self.path).ok()?;
        self.check_directories(found.is_symlink()).ok()?;
        Stamp::of(&if found.is_symlink() { std::fs::metadata(&self.path).ok()? } else { found })
    }

    /// Reads the store as an editable document. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_document(&self) -> Result<Option<Document>, StoreFileError> {
        self.read_content()?.map(|(bytes, _)| self.document(bytes)).transpose()
    }

    /// Writes the first text of a store, unless the file exists. Returns whether this call wrote it.
    ///
    /// # Errors
    /// [`StoreFileError::Store`] for bytes that are not a valid store. [`StoreFileError::Disk`] when they cannot be
    /// written or others can write to the directory.
    pub fn save_new(&self, _lock: &LockGuard, bytes: &[u8]) -> Result<bool, StoreFileError> {
        self.document(bytes.to_vec())?;
        disk::refuse_writable_by_others(self.directory())?;
        Ok(disk::create_new(&self.path, bytes)?)
    }

    /// Reads the store, gets the edits from `change`, and writes the result durably. Keeps links and the mode of the
    /// file. Writes nothing if the text stays the same.
    ///
    /// # Errors
    /// Errors of `change`, and every kind of [`StoreFileError`]; the file is then unchanged.
    pub fn edit<E: From<StoreFileError>>(
        &self,
        _lock: &LockGuard,
        change: impl FnOnce(&Document) -> Result<Vec<Edit>, E>,
    ) -> Result<Document, E> {
        let missing = || StoreFileError::NotFound(self.path.clone());
        let before = self.load_document()?.ok_or_else(missing)?;
        let edits = change(&before)?;
        Ok(self.save_edited(before, &edits)?)
    }

    /// Makes this store a symbolic link to `target`. Moves the store there, or uses the store that exists there.
    /// Creates a store from `first` if neither exists.
    ///
    /// # Errors
    /// [`StoreFileError::TwoStores`] if both exist and this store differs from `first`; otherwise as for
    /// [`edit`](Self::edit). This store is then unchanged.
    pub fn link_to(&self, _lock: &LockGuard, target: &Path, first: &[u8]) -> Result<LinkOutcome, StoreFileError> {
        let target_store = Self::new(target.to_path_buf(), self.lock_directory.clone());
        let resolved = |path: &Path| std::fs::canonicalize(path).ok();
        if resolved(&self.path).is_some_and(|own| resolved(target) == Some(own)) {
            return Ok(LinkOutcome::Already);
        }
        disk::refuse_writable_by_others(target_store.directory())?;
        let own = match self.load_document() {
            // The old target is gone, and the user gives the new one.
            Err(StoreFileError::DanglingLink(..)) => None,
            other => other?,
        };
        let existing = target_store.load_document()?;
        let outcome = match (&own, &existing) {
            // A store that `init` wrote and nobody changed can be dropped.
            (Some(own), Some(_)) if own.bytes() != first => {
                return Err(StoreFileError::TwoStores(self.path.clone(), target.to_path_buf()));
            }
            (_, Some(_)) => LinkOutcome::Joined,
            (own, None) => {
                if !disk::create_new_in_existing_dir(target, own.as_ref().map_or(first, Document::bytes))? {
                    return Err(StoreFileError::TwoStores(self.path.clone(), target.to_path_buf()));
                }
                LinkOutcome::Moved
            }
        };
        // The resolved target makes the link valid from every working directory.
        disk::replace_with_link(
            &self.path,
            &resolved(target).ok_or_else(|| StoreFileError::NotFound(target.to_path_buf()))?,
        )?;
        Ok(outcome)
    }

    fn save_edited(&self, before: Document, edits: &[Edit]) -> Result<Document, StoreFileError> {
        if edits.is_empty() {
            return Ok(before);
        }
        let after = before.apply(edits)?;
        if after.bytes() == before.bytes() {
            return Ok(after);
        }
        // The lock excludes other neto processes, but not an editor.
        if self.read_content()?.is_none_or(|(bytes, _)| bytes != before.bytes()) {
            return Err(StoreFileError::ChangedMeanwhile(self.path.clone()));
        }
        disk::replace_shared(&self.path, after.bytes())?;
        if let Some(directory) = self.target_directory() {
            disk::remove_stale_temp_files(&directory);
        }
        Ok(after)
    }

    /// Returns the file's bytes and identity, or `None` if the file does not exist.
    fn read_content(&self) -> Result<Option<FileContent>, StoreFileError> {
        let content = match disk::read_stamped(&self.path, RULES) {
            Err(error) if error.is_absent() => match std::fs::read_link(&self.path) {
                // A dangling link is a checkout that is gone, not a store that was never created.
                Ok(target) => {
                    return Err(StoreFileError::DanglingLink(self.path.clone(), self.directory().join(target)));
                }
                Err(_) => return Ok(None),
            },
            other => other?,
        };
        self.check_directories(self.path.is_symlink())?;
        Ok(Some(content))
    }

    /// Checks that others cannot write to the directory of the path or of a link's target. They could replace the
    /// file.
    fn check_directories(&self, is_link: bool) -> Result<(), DiskError> {
        disk::refuse_writable_by_others(self.directory())?;
        // Without a link, both are the same directory.
        if is_link {
            self.target_directory().map_or(Ok(()), |directory| disk::refuse_writable_by_others(&directory))
        } else {
            Ok(())
        }
    }

    fn document(&self, bytes: Vec<u8>) -> Result<Document, StoreFileError> {
        Document::parse(bytes, &self.base_directory()).map_err(|error| self.invalid(error))
    }

    fn invalid(&self, error: StoreError) -> StoreFileError {
        StoreFileError::Store { path: self.path.clone(), error }
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Directory to which relative paths in the store refer: that of the file itself. A checkout thus works for
    /// everybody who links to it.
    fn base_directory(&self) -> PathBuf {
        self.target_directory().unwrap_or_else(|| self.directory().to_path_buf())
    }

    /// Directory of the file, with links resolved.
    fn target_directory(&self) -> Option<PathBuf> {
        let target = std::fs::canonicalize(&self.path).ok()?;
        target.parent().map(Path::to_path_buf)
    }
}

/// Resolves the directory of `path`, but not a link at `path` itself. All spellings of a path give the same result,
/// whether or not a file exists there.
#[must_use]
pub fn resolve_parent(path: &Path) -> PathBuf {
    let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(file)) => directory.join(file),
        _ => path.to_path_buf(),
    }
}

/// Returns 16 hex digits that identify the file that `path` leads to, with links resolved.
#[must_use]
pub fn file_digest(path: &Path) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| resolve_parent(path));
    hex(&Sha256::digest(resolved.as_os_str().as_encoded_bytes())[..8])
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
