//! The one private writer: a new 0600 file beside the old one, written, synced, renamed over it. No signal that ends
//! a run comes in between.

use super::{DiskError, create_private_folder, is_own, names, signals};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Every file that is being written has this prefix, so that leftovers of killed runs are known.
const PREFIX: &str = ".neto-tmp-";

/// A leftover older than this belongs to a run that is gone.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// Whether a write must outlive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// fsync of the file before, and of its folder after the rename.
    Durable,
    /// Old or new, but perhaps old after a power cut: what can be had again.
    Atomic,
}

/// Replaces `path` with a 0600 file that holds `bytes`, making its folder 0700 where it is missing.
/// Whatever happens, `path` is as it was or as it should be.
///
/// # Errors
/// [`DiskError`] naming `path`; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), DiskError> {
    replace_with_mode(path, bytes, durability, 0o600)
}

/// Makes a 0600 file where there is none, durably; says whether this call made it. Of two at once
/// one wins, and no file that is there is ever replaced.
///
/// # Errors
/// [`DiskError`] naming `path`.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    create_private_folder(folder_of(path))?;
    create_new_there(path, bytes)
}

/// [`create_new`] in a folder that the user chose, which is neither made nor judged.
///
/// # Errors
/// [`DiskError`] naming `path`.
pub fn create_new_there(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    let folder = folder_of(path);
    let made = (|| {
        let held = signals::hold();
        let beside = write_temporary(folder, bytes, Durability::Durable, 0o600)?;
        let placed = beside.persist_noclobber(path);
        drop(held);
        match placed {
            Ok(_) => sync_folder(folder).map(|()| true),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failed) => Err(failed.error),
        }
    })();
    made.map_err(|source| DiskError::io("write", path, source))
}

/// Replaces the file that `path` leads to through any symbolic links, durably, keeping its mode
/// and the links; a new file is 0600. For a file that people share.
///
/// # Errors
/// [`DiskError`] naming the file; the old one is then untouched.
pub fn replace_shared(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(source) => return Err(DiskError::io("write", path, source)),
    };
    replace_with_mode(&target, bytes, Durability::Durable, mode_of(&target).unwrap_or(0o600))
}

/// Puts a symbolic link to `target` in the place of `path`, durably; `path` is at every time what it was or the link.
///
/// # Errors
/// [`DiskError`] naming `path`; what was there is then untouched.
#[cfg(unix)]
pub fn replace_with_link(path: &Path, target: &Path) -> Result<(), DiskError> {
    let folder = folder_of(path);
    create_private_folder(folder)?;
    let linked = (|| {
        let make = |name: &Path| std::os::unix::fs::symlink(target, name);
        let link = tempfile::Builder::new().prefix(PREFIX).make_in(folder, make)?;
        link.persist(path).map_err(|failed| failed.error)?;
        sync_folder(folder)
    })();
    linked.map_err(|source| DiskError::io("link", path, source))
}

/// Links to files need rights here that users do not have.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn replace_with_link(path: &Path, _target: &Path) -> Result<(), DiskError> {
    Err(DiskError::io("link", path, io::Error::from(io::ErrorKind::Unsupported)))
}

/// Whether a file of `size` bytes could replace the one that `path` leads to: writes one beside it, durably, and takes it
/// away again.
///
/// # Errors
/// [`DiskError`] naming `path`, as the replacement would fail.
pub fn rehearse(path: &Path, size: usize) -> Result<(), DiskError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    create_private_folder(folder_of(&target))?;
    let held = signals::hold();
    let written = write_temporary(folder_of(&target), &vec![0; size], Durability::Durable, 0o600);
    let gone = written.and_then(NamedTempFile::close);
    drop(held);
    gone.map_err(|source| DiskError::io("write", path, source))
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// [`DiskError::Io`] when it is there and stays.
pub fn remove(path: &Path) -> Result<bool, DiskError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DiskError::io("remove", path, source)),
    }
}

/// Removes a file such that no power cut brings it back; one that is not there is no error.
///
/// # Errors
/// [`DiskError::Io`] when it is there and stays, or may come back.
pub fn remove_durably(path: &Path) -> Result<(), DiskError> {
    if remove(path)? {
        sync_folder(folder_of(path)).map_err(|source| DiskError::io("remove", path, source))?;
    }
    Ok(())
}

/// Appends to a file that another program owns the format of, making it 0600 where it is missing.
///
/// # Errors
/// [`DiskError::Io`] when it cannot be opened or written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    signals::outlive_size_limits();
    let written = appending().open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| DiskError::io("write", path, source))
}

/// Appends whole lines to a file that one process at a time writes, making it 0600 where it is missing. A line that was
/// left without its end gets one first. All or nothing: what a write that fails brought in is taken out again.
///
/// # Errors
/// [`DiskError::NotAFile`] for a pipe, [`DiskError::Io`] when it cannot be opened, read or written.
pub fn append_lines(path: &Path, lines: &[u8]) -> Result<(), DiskError> {
    refuse_pipe(path)?;
    let mut options = appending();
    signals::outlive_size_limits();
    let _held = signals::hold();
    let written = options.read(true).open(path).and_then(|mut file| {
        let before = file.metadata()?.len();
        let end: &[u8] = if ends_a_line(&mut file, before)? { b"" } else { b"\n" };
        file.write_all(&[end, lines].concat()).inspect_err(|_| _ = file.set_len(before))
    });
    written.map_err(|source| DiskError::io("write", path, source))
}

fn ends_a_line(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

fn appending() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Fails for a pipe, on which a write waits for a reader that may never come.
///
/// # Errors
/// [`DiskError::NotAFile`].
pub fn refuse_pipe(path: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if fs::metadata(path).is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())) {
        return Err(DiskError::NotAFile { path: path.to_path_buf(), found: "a pipe" });
    }
    Ok(())
}

fn replace_with_mode(path: &Path, bytes: &[u8], durability: Durability, mode: u32) -> Result<(), DiskError> {
    let folder = folder_of(path);
    create_private_folder(folder)?;
    let written = (|| {
        let held = signals::hold();
        write_temporary(folder, bytes, durability, mode)?.persist(path).map_err(|failed| failed.error)?;
        drop(held);
        if durability == Durability::Durable { sync_folder(folder) } else { Ok(()) }
    })();
    written.map_err(|source| DiskError::io("write", path, source))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// tempfile creates with `O_EXCL` and 0600, and removes the file when anything fails before it is renamed.
fn write_temporary(folder: &Path, bytes: &[u8], durability: Durability, mode: u32) -> io::Result<NamedTempFile> {
    signals::outlive_size_limits();
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    set_mode(file.as_file(), mode)?;
    file.write_all(bytes)?;
    if durability == Durability::Durable {
        file.as_file().sync_all()?;
    }
    Ok(file)
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|found| found.mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// [`clear_leftovers`] of the folder that `path` is in.
pub fn clear_leftovers_beside(path: &Path) {
    clear_leftovers(folder_of(path));
}

/// Removes the [`leftovers`] in `folder`. Best effort: it must not fail a write.
/// It reads the whole folder, so callers do it once a run, after a write that succeeded.
pub fn clear_leftovers(folder: &Path) {
    for path in leftovers(folder) {
        let _ = fs::remove_file(&path);
    }
}

/// What this user's runs, killed over an hour ago, left in `folder`, as far as it can be read.
#[must_use]
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let ours = names(folder).unwrap_or_default().into_iter().filter(|name| name.to_string_lossy().starts_with(PREFIX));
    let age = |path: &Path| {
        // In a folder that several users write to, the others' runs are theirs.
        let found = fs::symlink_metadata(path).ok().filter(|found| !found.is_dir() && is_own(found))?;
        found.modified().ok()?.elapsed().ok()
    };
    ours.map(|name| folder.join(name)).filter(|path| age(path).is_some_and(|age| age > LEFTOVER_AGE)).collect()
}
