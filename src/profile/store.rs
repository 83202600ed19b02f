//! The store's file: read whole, changed under its lock, written whole.
//!
//! Owns how the file is trusted and replaced. What it says is `parse`'s business, how its text
//! changes `document`'s.

use super::document::{Document, Edit, EditError};
use super::hex;
use super::model::Store;
use super::parse::{self, Outline, StoreError};
use crate::disk::{self, DiskError, Lock, Locked, Privacy, Rules, Sighting, Stamp};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Others may read a store, which holds no open secret, but not write it.
const RULES: Rules = Rules { cap: 64 << 20, privacy: Privacy::NotWritable };

/// A store file and the lock that every change of it takes.
#[derive(Debug, Clone)]
pub struct StoreFile {
    path: PathBuf,
    locks: PathBuf,
}

/// What went wrong with a store file.
#[derive(Debug, thiserror::Error)]
pub enum StoreFileError {
    /// It, or its folder, cannot be read or written, or is open to others.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What it says cannot be used.
    #[error("{}: {error}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: StoreError,
    },
    /// A change that is not possible.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Somebody without the lock, such as an editor, changed it meanwhile; that version stands.
    #[error("{} was changed by another program meanwhile; nothing was written", .0.display())]
    ChangedMeanwhile(PathBuf),
    /// It is not there.
    #[error("there is no store at {}", .0.display())]
    Absent(PathBuf),
    /// A link whose file is not there: the checkout was moved or removed.
    #[error("{} leads to {}, which is not there", .0.display(), .1.display())]
    Astray(PathBuf, PathBuf),
    /// Two stores, of which one would have to go.
    #[error("{} and {} are both there, and none is thrown away", .0.display(), .1.display())]
    Both(PathBuf, PathBuf),
}

/// What [`StoreFile::link_to`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// Nothing: it led there already.
    Already,
    /// The store went there.
    Moved,
    /// A store was there, and is the one from now on.
    Joined,
}

/// A file's bytes and which file it was.
type Read = (Vec<u8>, Option<Sighting>);

impl StoreFile {
    /// The store at `path`, which may be a symbolic link, changed under a lock in the folder `locks`.
    #[must_use]
    pub fn new(path: PathBuf, locks: PathBuf) -> Self {
        Self { path, locks }
    }

    /// The file as it is called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock to hold for [`edit`](Self::edit) and [`save_new`](Self::save_new), the same however the file is
    /// reached.
    pub fn lock(&self) -> Lock {
        Lock::new(self.locks.join(format!("_store-{}.lock", file_digest(&self.path))))
    }

    /// The folders that a write of the store may leave something in: its own, and that of the file that a link leads to.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            std::iter::once(self.folder().to_path_buf()).chain(self.target_folder()).collect();
        folders.dedup();
        folders
    }

    /// Reads what the store means; none when there is no such file.
    ///
    /// # Errors
    /// [`StoreFileError::Disk`] for a file that cannot be read or that others can write,
    /// [`StoreFileError::Store`] for one that cannot be used.
    pub fn load(&self) -> Result<Option<Store>, StoreFileError> {
        let Some((bytes, seen)) = self.read()? else { return Ok(None) };
        let store = parse::decode(bytes).and_then(|text| parse::parse(&Arc::new(text), &self.base()));
        let store = store.map_err(|error| self.invalid(error))?;
        Ok(Some(Store { seen, ..store }))
    }

    /// Reads the names in it alone, where there is a store that can be used; what is wrong with one is not told.
    #[must_use]
    pub fn outline(&self) -> Option<Outline<'static>> {
        let (bytes, _) = self.read().ok()??;
        // Never freed: giving so much back takes longer than the end of the process.
        Outline::read(parse::decode(bytes).ok()?.leak())
    }

    /// The stamp of the file as it lies there now: as long as it is the one of a store that was read, that store is
    /// what [`load`](Self::load) would say. Nothing where it has to be read to know.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        let found = std::fs::symlink_metadata(&self.path).ok()?;
        self.check_folders(found.is_symlink()).ok()?;
        Stamp::of(&if found.is_symlink() { std::fs::metadata(&self.path).ok()? } else { found })
    }

    /// Reads the store as a document that can be changed; none when there is no such file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_document(&self) -> Result<Option<Document>, StoreFileError> {
        self.read()?.map(|(bytes, _)| self.document(bytes)).transpose()
    }

    /// Writes the first text of a store where there is none; says whether this call did.
    ///
    /// # Errors
    /// [`StoreFileError::Store`] for bytes that are no store, [`StoreFileError::Disk`] when they cannot
    /// be written or others can write the folder.
    pub fn save_new(&self, _held: &Locked, bytes: &[u8]) -> Result<bool, StoreFileError> {
        self.document(bytes.to_vec())?;
        check_folder(self.folder())?;
        Ok(disk::create_new(&self.path, bytes)?)
    }

    /// Reads the store, asks `change` for its edits and writes what comes about, durably. Links and
    /// the mode of the file stay; a change that changes nothing writes nothing.
    ///
    /// # Errors
    /// Those of `change`, and every kind of [`StoreFileError`]; the file is then as it was.
    pub fn edit<E: From<StoreFileError>>(
        &self,
        _held: &Locked,
        change: impl FnOnce(&Document) -> Result<Vec<Edit>, E>,
    ) -> Result<Document, E> {
        let missing = || StoreFileError::Absent(self.path.clone());
        let before = self.load_document()?.ok_or_else(missing)?;
        let edits = change(&before)?;
        Ok(self.save_edited(before, &edits)?)
    }

    /// Makes this store the one at `target`, through a symbolic link: what is here moves there, or what is there
    /// counts from now on. `first` is the text of a store where there is none at either place.
    ///
    /// # Errors
    /// [`StoreFileError::Both`] where both are there and the one here holds more than `first`; otherwise as for [`edit`](Self::edit). What was here is then
    /// as it was.
    pub fn link_to(&self, _held: &Locked, target: &Path, first: &[u8]) -> Result<Linked, StoreFileError> {
        let there = Self::new(target.to_path_buf(), self.locks.clone());
        let resolved = |path: &Path| std::fs::canonicalize(path).ok();
        if resolved(&self.path).is_some_and(|own| resolved(target) == Some(own)) {
            return Ok(Linked::Already);
        }
        check_folder(there.folder())?;
        let own = match self.load_document() {
            // What the link led to is gone, and the user says where it is now.
            Err(StoreFileError::Astray(..)) => None,
            other => other?,
        };
        let found = there.load_document()?;
        let linked = match (&own, &found) {
            // What `init` made and nobody changed since is no loss.
            (Some(own), Some(_)) if own.bytes() != first => {
                return Err(StoreFileError::Both(self.path.clone(), target.to_path_buf()));
            }
            (_, Some(_)) => Linked::Joined,
            (own, None) => {
                if !disk::create_new_there(target, own.as_ref().map_or(first, Document::bytes))? {
                    return Err(StoreFileError::Both(self.path.clone(), target.to_path_buf()));
                }
                Linked::Moved
            }
        };
        // Resolved, so that the link means the same wherever neto is started.
        disk::replace_with_link(
            &self.path,
            &resolved(target).ok_or_else(|| StoreFileError::Absent(target.to_path_buf()))?,
        )?;
        Ok(linked)
    }

    fn save_edited(&self, before: Document, edits: &[Edit]) -> Result<Document, StoreFileError> {
        if edits.is_empty() {
            return Ok(before);
        }
        let after = before.apply(edits)?;
        if after.bytes() == before.bytes() {
            return Ok(after);
        }
        // The lock keeps other netos out, but not an editor.
        if self.read()?.is_none_or(|(bytes, _)| bytes != before.bytes()) {
            return Err(StoreFileError::ChangedMeanwhile(self.path.clone()));
        }
        disk::replace_shared(&self.path, after.bytes())?;
        if let Some(folder) = self.target_folder() {
            disk::clear_leftovers(&folder);
        }
        Ok(after)
    }

    /// The file's bytes and which file it was; none when it is not there.
    fn read(&self) -> Result<Option<Read>, StoreFileError> {
        let read = match disk::read_seen(&self.path, RULES) {
            Err(error) if error.is_absent() => match std::fs::read_link(&self.path) {
                // A link that leads nowhere is a checkout that is gone, not a store that was never made.
                Ok(target) => return Err(StoreFileError::Astray(self.path.clone(), self.folder().join(target))),
                Err(_) => return Ok(None),
            },
            other => other?,
        };
        self.check_folders(self.path.is_symlink())?;
        Ok(Some(read))
    }

    /// Whoever can write the folder of the file, or of the link to it, can put another in its place.
    fn check_folders(&self, is_link: bool) -> Result<(), DiskError> {
        check_folder(self.folder())?;
        // Without a link it is the same folder.
        if is_link { self.target_folder().map_or(Ok(()), |folder| check_folder(&folder)) } else { Ok(()) }
    }

    fn document(&self, bytes: Vec<u8>) -> Result<Document, StoreFileError> {
        Document::parse(bytes, &self.base()).map_err(|error| self.invalid(error))
    }

    fn invalid(&self, error: StoreError) -> StoreFileError {
        StoreFileError::Store { path: self.path.clone(), error }
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Where relative paths in the store start: at the file itself, so that a checkout means the same to all who link to
    /// it.
    fn base(&self) -> PathBuf {
        self.target_folder().unwrap_or_else(|| self.folder().to_path_buf())
    }

    /// The folder of the file that a link leads to.
    fn target_folder(&self) -> Option<PathBuf> {
        let target = std::fs::canonicalize(&self.path).ok()?;
        target.parent().map(Path::to_path_buf)
    }
}

/// The same for all ways to write a path's own place, whether or not something is there; a link there is not
/// followed.
#[must_use]
pub fn place_of(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(file)) => folder.join(file),
        _ => path.to_path_buf(),
    }
}

/// 16 hex digits that stand for the file a path leads to, through whatever links.
#[must_use]
pub fn file_digest(path: &Path) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| place_of(path));
    hex(&Sha256::digest(resolved.as_os_str().as_encoded_bytes())[..8])
}

/// Fails for a folder that others can write; one that is not there is nobody's.
fn check_folder(folder: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(folder) {
        use std::os::unix::fs::MetadataExt as _;
        let mode = found.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(DiskError::TooOpen { path: folder.to_path_buf(), mode, writable: true });
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::profile::{Section, Value};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use tempfile::TempDir;

    const TEXT: &str = "version = 1\n[profiles.a] # a\nurl = \"https://x.example\"\n";

    struct Sandbox {
        folder: TempDir,
        store: StoreFile,
    }

    fn sandbox() -> Sandbox {
        let folder = TempDir::new().unwrap();
        let store = StoreFile::new(folder.path().join("home/profiles.toml"), folder.path().join("locks"));
        Sandbox { folder, store }
    }

    impl Sandbox {
        fn with(text: &str) -> Self {
            let sandbox = sandbox();
            assert!(sandbox.store.save_new(&sandbox.held(), text.as_bytes()).unwrap());
            sandbox
        }

        fn held(&self) -> Locked {
            self.store.lock().attempt().unwrap().unwrap()
        }

        fn text(&self) -> String {
            String::from_utf8(disk::read(self.store.path(), RULES).unwrap()).unwrap()
        }

        fn edit(&self) -> Result<Document, StoreFileError> {
            self.store.edit(&self.held(), |_| Ok(edits()))
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn edits() -> Vec<Edit> {
        let section = Section::Profile("a".parse().unwrap());
        vec![Edit::Set { section, key: vec!["protected".to_owned()], value: Value::Flag(true) }]
    }

    #[test]
    fn a_store_is_made_once() {
        let sandbox = sandbox();
        assert!(sandbox.store.load().unwrap().is_none() && sandbox.store.load_document().unwrap().is_none());
        assert!(matches!(sandbox.edit(), Err(StoreFileError::Absent(_))));
        let made = |text: &str| sandbox.store.save_new(&sandbox.held(), text.as_bytes());
        assert!(matches!(made("version = 2"), Err(StoreFileError::Store { .. })));
        assert!(made(TEXT).unwrap());
        assert!(!made(&format!("# another\n{TEXT}")).unwrap());
        assert_eq!(sandbox.text(), TEXT);
        assert_eq!(fs::metadata(sandbox.store.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(sandbox.store.load().unwrap().unwrap().profiles.len(), 1);
    }

    #[test]
    fn an_edit_keeps_links_and_mode() {
        let mut sandbox = Sandbox::with(TEXT);
        set_mode(sandbox.store.path(), 0o640);
        let link = sandbox.folder.path().join("link.toml");
        symlink(sandbox.store.path(), &link).unwrap();
        sandbox.store = StoreFile::new(link.clone(), sandbox.store.locks.clone());
        sandbox.edit().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(sandbox.text(), format!("{TEXT}protected = true\n"));
    }

    #[test]
    fn nothing_is_written_over_what_an_editor_saved_or_for_nothing() {
        let sandbox = Sandbox::with(TEXT);
        let held = sandbox.held();
        let others = format!("# mine\n{TEXT}");
        let raced = sandbox.store.edit(&held, |_| {
            disk::replace_shared(sandbox.store.path(), others.as_bytes())?;
            Ok::<_, StoreFileError>(edits())
        });
        assert!(matches!(raced, Err(StoreFileError::ChangedMeanwhile(_))));
        assert_eq!(sandbox.text(), others);
        let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(sandbox.store.path()).unwrap());
        let before = inode();
        sandbox.store.edit::<StoreFileError>(&held, |_| Ok(vec![])).unwrap();
        let unset = Edit::Unset { section: Section::Defaults, key: vec!["url".to_owned()] };
        sandbox.store.edit::<StoreFileError>(&held, |_| Ok(vec![unset])).unwrap();
        assert_eq!(inode(), before);
        let refused = sandbox.store.edit(&held, |document| {
            assert_eq!(document.store().profiles.len(), 1);
            Err::<Vec<Edit>, _>(StoreFileError::Absent(PathBuf::new()))
        });
        assert!(matches!(refused, Err(StoreFileError::Absent(_))));
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let sandbox = Sandbox::with(TEXT);
        let (file, folder) = (sandbox.store.path(), sandbox.store.folder());
        let link = sandbox.folder.path().join("link.toml");
        symlink(file, &link).unwrap();
        let linked = StoreFile::new(link, sandbox.store.locks.clone());
        for (path, mode, good) in
            [(file, 0o620, 0o600), (file, 0o602, 0o600), (folder, 0o720, 0o700), (folder, 0o707, 0o700)]
        {
            set_mode(path, mode);
            for store in [&sandbox.store, &linked] {
                let error = store.load().unwrap_err();
                assert!(matches!(&error, StoreFileError::Disk(DiskError::TooOpen { writable: true, .. })), "{error}");
                assert!(store.load_document().is_err());
            }
            assert!(sandbox.edit().is_err());
            set_mode(path, good);
            assert!(linked.load().is_ok());
        }
        set_mode(sandbox.folder.path(), 0o770);
        assert!(linked.load().is_err() && sandbox.store.load().is_ok());
        fs::remove_file(file).unwrap();
        set_mode(folder, 0o770);
        assert!(sandbox.store.save_new(&sandbox.held(), TEXT.as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_store_is_told_with_its_place() {
        for (bytes, told) in [
            (&b"version = 1\nx = 'c4n4ry'"[..], "home/profiles.toml: line 2, column 1: x: unknown key"),
            (b"version = 1\n\xff", "home/profiles.toml: line 2, column 1: byte 12 is not UTF-8"),
        ] {
            let sandbox = Sandbox::with(TEXT);
            disk::replace_shared(sandbox.store.path(), bytes).unwrap();
            for error in [sandbox.store.load().unwrap_err(), sandbox.edit().unwrap_err()] {
                assert!(error.to_string().ends_with(told), "{error}");
            }
            assert_eq!(disk::read(sandbox.store.path(), RULES).unwrap(), bytes);
        }
        let sandbox = Sandbox::with(TEXT);
        fs::remove_file(sandbox.store.path()).unwrap();
        fs::create_dir(sandbox.store.path()).unwrap();
        assert!(matches!(sandbox.store.load(), Err(StoreFileError::Disk(DiskError::NotAFile { .. }))));
    }
}
