//! Reads the store file, edits it under its lock, and replaces it as a whole.
//!
//! Owns the replacement of the file, and the checks that no other user can write to the file. The module `parse` owns
//! the meaning of the text, and `document` owns the edits of the text.

use super::document::{Document, Edit, EditError};
use super::hex;
use super::model::Store;
use super::parse::{self, Outline, StoreError};
use crate::disk::{self, DiskError, Lock, LockGuard, Privacy, ReadRules, Stamp, StampedRead};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Read limits: at most 64 MiB. Other users may read the file, because its secrets should be encrypted. Write access
/// for other users is an error.
const READ_RULES: ReadRules = ReadRules { cap: 64 << 20, privacy: Privacy::NotWritable };

/// Store file, and the lock that is needed to change the file.
#[derive(Debug, Clone)]
pub struct StoreFile {
    path: PathBuf,
    lock_directory: PathBuf,
}

/// Reason why an operation on a store file failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreFileError {
    /// The file or its directory cannot be read or written, or other users can write to one of them.
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
    /// An edit cannot be applied.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Another program, such as an editor, changed the file without the lock. The changed file is kept.
    #[error("{} was changed by another program meanwhile; nothing was written", .0.display())]
    ChangedMeanwhile(PathBuf),
    /// The file does not exist.
    #[error("there is no store at {}", .0.display())]
    NotFound(PathBuf),
    /// The path is a symbolic link to a missing file, for example after a Git checkout was moved. Holds the paths of
    /// the link and of its target.
    #[error("{} leads to {}, which is not there", .0.display(), .1.display())]
    DanglingLink(PathBuf, PathBuf),
    /// Linking would lose one of two existing stores. Holds the paths of both stores.
    #[error("{} and {} are both there, and none is thrown away", .0.display(), .1.display())]
    TwoStores(PathBuf, PathBuf),
}

/// Effect of [`StoreFile::link_to`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutcome {
    /// No change: the path already led to the target.
    AlreadyLinked,
    /// The store was moved to the target, or an initial store was created at the target.
    Moved,
    /// The store that already existed at the target is used from now on.
    Joined,
}

/// Bytes of a file, and its stamp if the system provides a stamp.
type FileContent = (Vec<u8>, Option<StampedRead>);

impl StoreFile {
    /// Creates a handle for the store at `path`, which may be a symbolic link. The lock file is in `lock_directory`.
    #[must_use]
    pub fn new(path: PathBuf, lock_directory: PathBuf) -> Self {
        Self { path, lock_directory }
    }

    /// Returns the path as given, without resolving links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lock that callers of [`edit`](Self::edit), [`save_new`](Self::save_new) and
    /// [`link_to`](Self::link_to) must hold. All paths to the same file have the same lock.
    pub fn lock(&self) -> Lock {
        Lock::new(self.lock_directory.join(format!("_store-{}.lock", resolved_path_digest(&self.path))))
    }

    /// Returns the directories in which an interrupted write can leave temporary files: the directory of the path, and
    /// the directory of the link's target if the path is a link.
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
    /// Returns [`StoreFileError::Disk`] if the file cannot be read, or if its owner is neither this user nor root.
    /// Returns the same error if other users can write to the file or its directory. Returns [`StoreFileError::Store`]
    /// for an invalid store, and [`StoreFileError::DanglingLink`] for a link to a missing file.
    pub fn load(&self) -> Result<Option<Store>, StoreFileError> {
        let Some((bytes, stamped_read)) = self.read_content()? else { return Ok(None) };
        let store = parse::decode(bytes).and_then(|text| parse::parse(&Arc::new(text), &self.base_directory()));
        let store = store.map_err(|error| self.store_error(error))?;
        Ok(Some(Store { stamped_read, ..store }))
    }

    /// Reads only the outline of the store, for shell completion. Returns `None` if the store cannot be read, does not
    /// exist, or has a fault that `Outline::read` finds.
    #[must_use]
    pub fn outline(&self) -> Option<Outline<'static>> {
        let (bytes, _) = self.read_content().ok()??;
        // The text is leaked on purpose: freeing this much memory takes longer than ending the process.
        Outline::read(parse::decode(bytes).ok()?.leak())
    }

    /// Returns the current stamp of the file that the path leads to. If a loaded store has the same stamp, the file has
    /// not changed since the store was loaded. Returns `None` if the file is missing or the system cannot provide a
    /// stamp. Also returns `None` if other users can write to the file's directory.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        let found = std::fs::symlink_metadata(&self.path).ok()?;
        self.check_directories(found.is_symlink()).ok()?;
        Stamp::of(&if found.is_symlink() { std::fs::metadata(&self.path).ok()? } else { found })
    }

    /// Reads the store as an editable document. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// Returns the same errors as [`load`](Self::load).
    pub fn load_document(&self) -> Result<Option<Document>, StoreFileError> {
        self.read_content()?.map(|(bytes, _)| self.parse_document(bytes)).transpose()
    }

    /// Creates the store file with the content `bytes`, unless the path already exists. Returns whether this call
    /// created the file.
    ///
    /// # Errors
    /// Returns [`StoreFileError::Store`] if `bytes` are not a valid store. Returns [`StoreFileError::Disk`] if the file
    /// cannot be written, or if other users can write to its directory.
    pub fn save_new(&self, _lock: &LockGuard, bytes: &[u8]) -> Result<bool, StoreFileError> {
        self.parse_document(bytes.to_vec())?;
        disk::refuse_writable_by_others(self.directory())?;
        Ok(disk::create_new(&self.path, bytes)?)
    }

    /// Reads the store, calls `plan_edits`, applies the returned edits, and replaces the file durably. Keeps symbolic
    /// links and the mode of the file. Writes nothing if the text stays the same. Returns the edited document.
    ///
    /// # Errors
    /// Returns the error of `plan_edits`, or any [`StoreFileError`] except [`TwoStores`](StoreFileError::TwoStores).
    /// The file is then unchanged. Exception: if only the sync of its directory fails, the new file is already in place.
    pub fn edit<E: From<StoreFileError>>(
        &self,
        _lock: &LockGuard,
        plan_edits: impl FnOnce(&Document) -> Result<Vec<Edit>, E>,
    ) -> Result<Document, E> {
        let not_found = || StoreFileError::NotFound(self.path.clone());
        let before = self.load_document()?.ok_or_else(not_found)?;
        let edits = plan_edits(&before)?;
        Ok(self.save_edited(before, &edits)?)
    }

    /// Replaces this store with a symbolic link to `target`. If `target` is an existing store, the link leads to that
    /// store. Otherwise this store is moved to `target`. If neither store exists, a store with the content `initial` is
    /// created at `target`.
    ///
    /// # Errors
    /// Returns [`StoreFileError::TwoStores`] if both stores exist and this store differs from `initial`. Returns
    /// another [`StoreFileError`] if a store cannot be read, written or replaced. This store is then unchanged.
    /// Exception: if only the sync of its directory fails, the link is already in place. A copy of this store may
    /// remain at `target`.
    pub fn link_to(&self, _lock: &LockGuard, target: &Path, initial: &[u8]) -> Result<LinkOutcome, StoreFileError> {
        let target_store = Self::new(target.to_path_buf(), self.lock_directory.clone());
        let resolve = |path: &Path| std::fs::canonicalize(path).ok();
        if resolve(&self.path).is_some_and(|resolved| resolve(target) == Some(resolved)) {
            return Ok(LinkOutcome::AlreadyLinked);
        }
        disk::refuse_writable_by_others(target_store.directory())?;
        let own_document = match self.load_document() {
            // The link's old target is gone, and the user now gives the new target.
            Err(StoreFileError::DanglingLink(..)) => None,
            result => result?,
        };
        let target_document = target_store.load_document()?;
        let outcome = match (&own_document, &target_document) {
            // A store that still has its initial content can be dropped.
            (Some(own), Some(_)) if own.bytes() != initial => {
                return Err(StoreFileError::TwoStores(self.path.clone(), target.to_path_buf()));
            }
            (_, Some(_)) => LinkOutcome::Joined,
            (own, None) => {
                if !disk::create_new_in_existing_dir(target, own.as_ref().map_or(initial, Document::bytes))? {
                    return Err(StoreFileError::TwoStores(self.path.clone(), target.to_path_buf()));
                }
                LinkOutcome::Moved
            }
        };
        // `target` can be relative to the working directory, so the link needs the absolute path.
        disk::replace_with_link(
            &self.path,
            &resolve(target).ok_or_else(|| StoreFileError::NotFound(target.to_path_buf()))?,
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
        // The lock keeps out other neto processes, but not an editor.
        if self.read_content()?.is_none_or(|(bytes, _)| bytes != before.bytes()) {
            return Err(StoreFileError::ChangedMeanwhile(self.path.clone()));
        }
        disk::replace_shared(&self.path, after.bytes())?;
        if let Some(directory) = self.target_directory() {
            disk::remove_stale_temp_files(&directory);
        }
        Ok(after)
    }

    /// Returns the file's bytes and stamp, or `None` if the file does not exist.
    fn read_content(&self) -> Result<Option<FileContent>, StoreFileError> {
        let content = match disk::read_stamped(&self.path, READ_RULES) {
            Err(error) if error.is_absent() => match std::fs::read_link(&self.path) {
                // A dangling link means that an existing store was moved or deleted. This is an error, unlike a missing
                // file.
                Ok(target) => {
                    return Err(StoreFileError::DanglingLink(self.path.clone(), self.directory().join(target)));
                }
                Err(_) => return Ok(None),
            },
            result => result?,
        };
        self.check_directories(self.path.is_symlink())?;
        Ok(Some(content))
    }

    /// Checks that other users cannot write to the directory of the path or to the directory of the link's target. With
    /// write access to a directory, a user could replace the file.
    fn check_directories(&self, is_link: bool) -> Result<(), DiskError> {
        disk::refuse_writable_by_others(self.directory())?;
        // Without a link, the target's directory is the directory that was just checked.
        if is_link {
            self.target_directory().map_or(Ok(()), |directory| disk::refuse_writable_by_others(&directory))
        } else {
            Ok(())
        }
    }

    fn parse_document(&self, bytes: Vec<u8>) -> Result<Document, StoreFileError> {
        Document::parse(bytes, &self.base_directory()).map_err(|error| self.store_error(error))
    }

    fn store_error(&self, error: StoreError) -> StoreFileError {
        StoreFileError::Store { path: self.path.clone(), error }
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Returns the directory against which relative paths in the store are resolved: the directory of the file, after
    /// links are followed. Everyone who links to a store in a Git checkout can therefore use relative paths in that
    /// checkout.
    fn base_directory(&self) -> PathBuf {
        self.target_directory().unwrap_or_else(|| self.directory().to_path_buf())
    }

    /// Returns the directory of the file after links are resolved. Returns `None` if the file does not exist.
    fn target_directory(&self) -> Option<PathBuf> {
        let target = std::fs::canonicalize(&self.path).ok()?;
        target.parent().map(Path::to_path_buf)
    }
}

/// Resolves the directory of `path`, but not a link at `path` itself. If the directory exists, all ways of writing the
/// path give the same result, even before the file exists.
#[must_use]
pub fn resolve_parent(path: &Path) -> PathBuf {
    let directory = path.parent().and_then(|directory| directory.canonicalize().ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(file)) => directory.join(file),
        _ => path.to_path_buf(),
    }
}

/// Returns the first 16 hex digits of the SHA-256 of `path` with links resolved. All paths to the same file have the
/// same digest. If the file does not exist, only its directory is resolved.
#[must_use]
pub fn resolved_path_digest(path: &Path) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| resolve_parent(path));
    hex(&Sha256::digest(resolved.as_os_str().as_encoded_bytes())[..8])
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
