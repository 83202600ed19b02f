//! The only private writer: writes a new 0600 file beside the old one, syncs it and renames it over the old one.
//! Termination signals are held back meanwhile.

use super::{DiskError, create_private_dir, entry_names, is_owned_by_user, signals};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Prefix of every temporary file, by which the files of killed runs are recognized.
const TEMP_PREFIX: &str = ".neto-tmp-";

/// Age after which a temporary file belongs to a run that has ended.
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// Whether a write must survive a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Syncs the file before the rename and its directory after it.
    Durable,
    /// The content is old or new, but may be old after a power failure. For data that can be fetched again.
    Atomic,
}

/// Replaces `path` with a 0600 file that holds `bytes`, creating a missing directory with mode 0700. At every moment
/// `path` is either the old or the new file.
///
/// # Errors
/// [`DiskError`] naming `path`; the old file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), DiskError> {
    replace_with_mode(path, bytes, durability, 0o600)
}

/// Creates a 0600 file durably if `path` does not exist; returns whether this call created it. An existing file is
/// never replaced, and of two concurrent calls only one creates the file.
///
/// # Errors
/// [`DiskError`] naming `path`.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    create_private_dir(parent_dir(path))?;
    create_new_in_existing_dir(path, bytes)
}

/// Works like [`create_new`] in a directory that the user chose. The directory is neither created nor checked.
///
/// # Errors
/// [`DiskError`] naming `path`.
pub fn create_new_in_existing_dir(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    let dir = parent_dir(path);
    let created = (|| {
        let hold = signals::hold_signals();
        let temp = write_temp_file(dir, bytes, Durability::Durable, 0o600)?;
        let renamed = temp.persist_noclobber(path);
        drop(hold);
        match renamed {
            Ok(_) => sync_dir(dir).map(|()| true),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failed) => Err(failed.error),
        }
    })();
    created.map_err(|source| DiskError::io("write", path, source))
}

/// Replaces the target of `path` durably, following symbolic links. Keeps the links and the mode of the file; a new
/// file gets mode 0600. For files that people share.
///
/// # Errors
/// [`DiskError`] naming the file; the old file is then unchanged.
pub fn replace_shared(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(source) => return Err(DiskError::io("write", path, source)),
    };
    replace_with_mode(&target, bytes, Durability::Durable, mode_of(&target).unwrap_or(0o600))
}

/// Replaces `path` durably with a symbolic link to `target`. At every moment `path` is either the old file or the
/// link.
///
/// # Errors
/// [`DiskError`] naming `path`; the old file is then unchanged.
#[cfg(unix)]
pub fn replace_with_link(path: &Path, target: &Path) -> Result<(), DiskError> {
    let dir = parent_dir(path);
    create_private_dir(dir)?;
    let result = (|| {
        let make = |name: &Path| std::os::unix::fs::symlink(target, name);
        let link = tempfile::Builder::new().prefix(TEMP_PREFIX).make_in(dir, make)?;
        link.persist(path).map_err(|failed| failed.error)?;
        sync_dir(dir)
    })();
    result.map_err(|source| DiskError::io("link", path, source))
}

/// Always fails: on this platform users lack the rights to create symbolic links.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn replace_with_link(path: &Path, _target: &Path) -> Result<(), DiskError> {
    Err(DiskError::io("link", path, io::Error::from(io::ErrorKind::Unsupported)))
}

/// Checks that a file of `size` bytes could replace the target of `path`: writes a temporary file durably in the same
/// directory and removes it.
///
/// # Errors
/// [`DiskError`] naming `path`, with the reason that the replacement would fail.
pub fn check_can_replace(path: &Path, size: usize) -> Result<(), DiskError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    create_private_dir(parent_dir(&target))?;
    let hold = signals::hold_signals();
    let written = write_temp_file(parent_dir(&target), &vec![0; size], Durability::Durable, 0o600);
    let removed = written.and_then(NamedTempFile::close);
    drop(hold);
    removed.map_err(|source| DiskError::io("write", path, source))
}

/// Removes a file and returns whether it existed. A missing file is not an error.
///
/// # Errors
/// [`DiskError::Io`] if the file exists and cannot be removed.
pub fn remove(path: &Path) -> Result<bool, DiskError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DiskError::io("remove", path, source)),
    }
}

/// Removes a file so that it does not come back after a power failure. A missing file is not an error.
///
/// # Errors
/// [`DiskError::Io`] if the file cannot be removed, or could come back after a power failure.
pub fn remove_durably(path: &Path) -> Result<(), DiskError> {
    if remove(path)? {
        sync_dir(parent_dir(path)).map_err(|source| DiskError::io("remove", path, source))?;
    }
    Ok(())
}

/// Appends to a file whose format belongs to another program. A missing file is created with mode 0600.
///
/// # Errors
/// [`DiskError::Io`] if the file cannot be opened or written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    signals::catch_sigxfsz();
    let written = append_options().open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| DiskError::io("write", path, source))
}

/// Appends complete lines to a file that one process at a time writes. A missing file is created with mode 0600. An
/// unfinished last line is first ended with a line feed. If the write fails, the file is truncated to its old length.
///
/// # Errors
/// [`DiskError::NotAFile`] for a pipe, [`DiskError::Io`] if the file cannot be opened, read or written.
pub fn append_lines(path: &Path, lines: &[u8]) -> Result<(), DiskError> {
    refuse_pipe(path)?;
    let mut options = append_options();
    signals::catch_sigxfsz();
    let _hold = signals::hold_signals();
    let written = options.read(true).open(path).and_then(|mut file| {
        let old_length = file.metadata()?.len();
        let separator: &[u8] = if ends_with_newline(&mut file, old_length)? { b"" } else { b"\n" };
        file.write_all(&[separator, lines].concat()).inspect_err(|_| _ = file.set_len(old_length))
    });
    written.map_err(|source| DiskError::io("write", path, source))
}

fn ends_with_newline(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

fn append_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Fails for a pipe, because a write to a pipe without a reader blocks.
///
/// # Errors
/// [`DiskError::NotAFile`].
pub fn refuse_pipe(path: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if fs::metadata(path).is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())) {
        return Err(DiskError::NotAFile { path: path.to_path_buf(), found: "a pipe" });
    }
    Ok(())
}

fn replace_with_mode(path: &Path, bytes: &[u8], durability: Durability, mode: u32) -> Result<(), DiskError> {
    let dir = parent_dir(path);
    create_private_dir(dir)?;
    let written = (|| {
        let hold = signals::hold_signals();
        write_temp_file(dir, bytes, durability, mode)?.persist(path).map_err(|failed| failed.error)?;
        drop(hold);
        if durability == Durability::Durable { sync_dir(dir) } else { Ok(()) }
    })();
    written.map_err(|source| DiskError::io("write", path, source))
}

fn parent_dir(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes `bytes` to a temporary file. tempfile creates it with `O_EXCL` and mode 0600, and removes it if a step
/// before the rename fails.
fn write_temp_file(dir: &Path, bytes: &[u8], durability: Durability, mode: u32) -> io::Result<NamedTempFile> {
    signals::catch_sigxfsz();
    let mut file = tempfile::Builder::new().prefix(TEMP_PREFIX).tempfile_in(dir)?;
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
    fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes the [`stale_temp_files`] in the directory of `path`; see [`remove_stale_temp_files`].
pub fn remove_stale_temp_files_beside(path: &Path) {
    remove_stale_temp_files(parent_dir(path));
}

/// Removes the [`stale_temp_files`] in `dir`, ignoring errors because a write must not fail for them. Reads the whole
/// directory, so callers call this once a run, after a successful write.
pub fn remove_stale_temp_files(dir: &Path) {
    for path in stale_temp_files(dir) {
        let _ = fs::remove_file(&path);
    }
}

/// Returns the temporary files in `dir` that runs of the current user left over an hour ago. An unreadable directory
/// has none.
#[must_use]
pub fn stale_temp_files(dir: &Path) -> Vec<PathBuf> {
    let temp_names =
        entry_names(dir).unwrap_or_default().into_iter().filter(|name| name.to_string_lossy().starts_with(TEMP_PREFIX));
    let age = |path: &Path| {
        // In a shared directory, files of other users belong to their own runs.
        let metadata =
            fs::symlink_metadata(path).ok().filter(|metadata| !metadata.is_dir() && is_owned_by_user(metadata))?;
        metadata.modified().ok()?.elapsed().ok()
    };
    temp_names.map(|name| dir.join(name)).filter(|path| age(path).is_some_and(|age| age > STALE_AFTER)).collect()
}
