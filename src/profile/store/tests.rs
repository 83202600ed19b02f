//! Unit tests of `profile::store`.

use super::*;
use crate::profile::{EditValue, Section};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

const TEXT: &str = "version = 1\n[profiles.a] # a\nurl = \"https://x.example\"\n";

struct Sandbox {
    directory: TempDir,
    store: StoreFile,
}

fn sandbox() -> Sandbox {
    let directory = TempDir::new().unwrap();
    let store = StoreFile::new(directory.path().join("home/profiles.toml"), directory.path().join("locks"));
    Sandbox { directory, store }
}

impl Sandbox {
    fn with(text: &str) -> Self {
        let sandbox = sandbox();
        assert!(sandbox.store.save_new(&sandbox.lock(), text.as_bytes()).unwrap());
        sandbox
    }

    fn lock(&self) -> LockGuard {
        self.store.lock().try_lock().unwrap().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(disk::read(self.store.path(), READ_RULES).unwrap()).unwrap()
    }

    fn edit(&self) -> Result<Document, StoreFileError> {
        self.store.edit(&self.lock(), |_| Ok(edits()))
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn edits() -> Vec<Edit> {
    let section = Section::Profile("a".parse().unwrap());
    vec![Edit::Set { section, key: vec!["protected".to_owned()], value: EditValue::Flag(true) }]
}

#[test]
fn save_new_creates_a_store_only_once() {
    let sandbox = sandbox();
    assert!(sandbox.store.load().unwrap().is_none() && sandbox.store.load_document().unwrap().is_none());
    assert!(matches!(sandbox.edit(), Err(StoreFileError::NotFound(_))));
    let save_new = |text: &str| sandbox.store.save_new(&sandbox.lock(), text.as_bytes());
    assert!(matches!(save_new("version = 2"), Err(StoreFileError::Store { .. })));
    assert!(save_new(TEXT).unwrap());
    assert!(!save_new(&format!("# another\n{TEXT}")).unwrap());
    assert_eq!(sandbox.text(), TEXT);
    assert_eq!(fs::metadata(sandbox.store.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sandbox.store.load().unwrap().unwrap().profiles.len(), 1);
}

#[test]
fn an_edit_keeps_links_and_mode() {
    let mut sandbox = Sandbox::with(TEXT);
    set_mode(sandbox.store.path(), 0o640);
    let link = sandbox.directory.path().join("link.toml");
    symlink(sandbox.store.path(), &link).unwrap();
    sandbox.store = StoreFile::new(link.clone(), sandbox.store.lock_directory.clone());
    sandbox.edit().unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(sandbox.text(), format!("{TEXT}protected = true\n"));
}

#[test]
fn an_edit_keeps_other_changes_and_does_not_rewrite_an_unchanged_file() {
    let sandbox = Sandbox::with(TEXT);
    let lock = sandbox.lock();
    let others = format!("# mine\n{TEXT}");
    let raced = sandbox.store.edit(&lock, |_| {
        disk::replace_shared(sandbox.store.path(), others.as_bytes())?;
        Ok::<_, StoreFileError>(edits())
    });
    assert!(matches!(raced, Err(StoreFileError::ChangedMeanwhile(_))));
    assert_eq!(sandbox.text(), others);
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(sandbox.store.path()).unwrap());
    let before = inode();
    sandbox.store.edit::<StoreFileError>(&lock, |_| Ok(vec![])).unwrap();
    let unset = Edit::Unset { section: Section::Defaults, key: vec!["url".to_owned()] };
    sandbox.store.edit::<StoreFileError>(&lock, |_| Ok(vec![unset])).unwrap();
    assert_eq!(inode(), before);
    let refused = sandbox.store.edit(&lock, |document| {
        assert_eq!(document.store().profiles.len(), 1);
        Err::<Vec<Edit>, _>(StoreFileError::NotFound(PathBuf::new()))
    });
    assert!(matches!(refused, Err(StoreFileError::NotFound(_))));
}

#[test]
fn a_store_that_others_can_write_is_rejected() {
    let sandbox = Sandbox::with(TEXT);
    let (file, directory) = (sandbox.store.path(), sandbox.store.directory());
    let link = sandbox.directory.path().join("link.toml");
    symlink(file, &link).unwrap();
    let linked = StoreFile::new(link, sandbox.store.lock_directory.clone());
    for (path, mode, good) in
        [(file, 0o620, 0o600), (file, 0o602, 0o600), (directory, 0o720, 0o700), (directory, 0o707, 0o700)]
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
    set_mode(sandbox.directory.path(), 0o770);
    assert!(linked.load().is_err() && sandbox.store.load().is_ok());
    fs::remove_file(file).unwrap();
    set_mode(directory, 0o770);
    assert!(sandbox.store.save_new(&sandbox.lock(), TEXT.as_bytes()).is_err());
}

#[test]
fn an_invalid_store_is_reported_with_path_and_position() {
    for (bytes, expected_ending) in [
        (&b"version = 1\nx = 'c4n4ry'"[..], "home/profiles.toml: line 2, column 1: x: unknown key"),
        (b"version = 1\n\xff", "home/profiles.toml: line 2, column 1: byte 12 is not UTF-8"),
    ] {
        let sandbox = Sandbox::with(TEXT);
        disk::replace_shared(sandbox.store.path(), bytes).unwrap();
        for error in [sandbox.store.load().unwrap_err(), sandbox.edit().unwrap_err()] {
            assert!(error.to_string().ends_with(expected_ending), "{error}");
        }
        assert_eq!(disk::read(sandbox.store.path(), READ_RULES).unwrap(), bytes);
    }
    let sandbox = Sandbox::with(TEXT);
    fs::remove_file(sandbox.store.path()).unwrap();
    fs::create_dir(sandbox.store.path()).unwrap();
    assert!(matches!(sandbox.store.load(), Err(StoreFileError::Disk(DiskError::NotAFile { .. }))));
}
