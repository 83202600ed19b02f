//! Writes files. Modules outside `disk` write files only through this module.
//!
//! Replaces a file atomically: writes a temporary file with mode 0600 in the same directory, syncs it, and renames it
//! over the old file. Termination signals are deferred until the rename, so they leave no temporary file. SIGKILL can
//! leave one.

use super::{DiskError, create_private_dir, entry_names, is_owned_by_current_user, signals};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// Name prefix of every temporary file. [`stale_temp_files`] finds temporary files of killed runs by this prefix.
const TEMP_PREFIX: &str = ".neto-tmp-";

/// Age above which a temporary file is assumed to belong to a run that has ended.
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// Protection of a write against a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The new content is on disk when the write returns: the file and its directory are synced.
    Durable,
    /// No sync, so a power failure may lose the new content. For data that can be fetched again.
    Atomic,
}

/// Replaces `path` with a file that contains `bytes` and has mode 0600. Creates missing directories with mode 0700. At
/// every moment `path` is either the old or the new file.
///
/// # Errors
/// Returns a [`DiskError`] if the directory cannot be created or belongs to another user, or the file cannot be
/// written. The old file is then unchanged. But if only the sync of the directory fails, `path` is already replaced.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), DiskError> {
    replace_with_mode(path, bytes, durability, 0o600)
}

/// Creates a file with mode 0600 durably, unless `path` exists. Creates missing directories with mode 0700. Returns
/// whether this call created the file. Of several concurrent calls, only one creates the file.
///
/// # Errors
/// Returns a [`DiskError`] if the directory cannot be created or belongs to another user, or the file cannot be
/// written. No file is then created. But if only the sync of the directory fails, the new file exists.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    create_private_dir(parent_dir(path))?;
    create_new_in_existing_dir(path, bytes)
}

/// Creates a file like [`create_new`], but in a directory that the user chose. Neither creates the directory nor checks
/// its owner.
///
/// # Errors
/// Returns [`DiskError::Io`] if the directory is missing or the file cannot be written. No file is then created. But if
/// only the sync of the directory fails, the new file exists.
pub fn create_new_in_existing_dir(path: &Path, bytes: &[u8]) -> Result<bool, DiskError> {
    let dir = parent_dir(path);
    let created = (|| {
        let deferral = signals::defer_signals();
        let temp = write_temp_file(dir, bytes, Durability::Durable, 0o600)?;
        let renamed = temp.persist_noclobber(path);
        drop(deferral);
        match renamed {
            Ok(_) => sync_dir(dir).map(|()| true),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failed) => Err(failed.error),
        }
    })();
    created.map_err(|source| DiskError::io("write", path, source))
}

/// Replaces the target of `path` durably and atomically, following symbolic links. Keeps the permissions of the target;
/// a new file gets mode 0600. A link whose target does not exist is itself replaced. Used for files that several people
/// share, such as a team's store.
///
/// # Errors
/// Returns a [`DiskError`] under the conditions of [`replace`], and if the link cannot be resolved.
pub fn replace_shared(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(source) => return Err(DiskError::io("write", path, source)),
    };
    replace_with_mode(&target, bytes, Durability::Durable, mode_of(&target).unwrap_or(0o600))
}

/// Replaces `path` durably with a symbolic link to `target`. At every moment `path` is either the old file or the link.
///
/// # Errors
/// Returns a [`DiskError`] if the directory cannot be created or belongs to another user, or the link cannot be
/// created. The old file is then unchanged. But if only the sync of the directory fails, `path` is already replaced.
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

/// Fails: on this platform users lack the rights to create symbolic links.
///
/// # Errors
/// Always returns [`DiskError::Io`].
#[cfg(not(unix))]
pub fn replace_with_link(path: &Path, _target: &Path) -> Result<(), DiskError> {
    Err(DiskError::io("link", path, io::Error::from(io::ErrorKind::Unsupported)))
}

/// Checks that a file of `size` bytes could replace the target of `path`. For this check, writes a temporary file
/// durably in the same directory and removes the file. Creates missing directories with mode 0700.
///
/// # Errors
/// Returns the [`DiskError`] with which the replacement would fail.
pub fn check_can_replace(path: &Path, size: usize) -> Result<(), DiskError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    create_private_dir(parent_dir(&target))?;
    let deferral = signals::defer_signals();
    let written = write_temp_file(parent_dir(&target), &vec![0; size], Durability::Durable, 0o600);
    let removed = written.and_then(NamedTempFile::close);
    drop(deferral);
    removed.map_err(|source| DiskError::io("write", path, source))
}

/// Removes a file and returns whether the file existed.
///
/// # Errors
/// Returns [`DiskError::Io`] if the file exists but cannot be removed. A missing file is not an error.
pub fn remove(path: &Path) -> Result<bool, DiskError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DiskError::io("remove", path, source)),
    }
}

/// Removes a file and syncs its directory, so that the file does not reappear after a power failure.
///
/// # Errors
/// Returns [`DiskError::Io`] if the file exists but cannot be removed, or the directory cannot be synced. A missing
/// file is not an error.
pub fn remove_durably(path: &Path) -> Result<(), DiskError> {
    if remove(path)? {
        sync_dir(parent_dir(path)).map_err(|source| DiskError::io("remove", path, source))?;
    }
    Ok(())
}

/// Appends `bytes` to a file to which several processes may append. Creates a missing file with mode 0600.
///
/// # Errors
/// Returns [`DiskError::Io`] if the file cannot be opened or written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    signals::catch_sigxfsz();
    let written = append_options().open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| DiskError::io("write", path, source))
}

/// Appends complete lines to a file to which no other process writes at the same time. Creates a missing file with mode
/// 0600. If the last line of the file has no line feed, adds a line feed first. If the write fails, truncates the file
/// to its old length.
///
/// # Errors
/// Returns [`DiskError::NotAFile`] for a pipe, and [`DiskError::Io`] if the file cannot be opened, read or written.
pub fn append_lines(path: &Path, lines: &[u8]) -> Result<(), DiskError> {
    refuse_pipe(path)?;
    let mut options = append_options();
    signals::catch_sigxfsz();
    let _deferral = signals::defer_signals();
    let written = options.read(true).open(path).and_then(|mut file| {
        let old_length = file.metadata()?.len();
        let separator: &[u8] = if ends_with_newline(&mut file, old_length)? { b"" } else { b"\n" };
        file.write_all(&[separator, lines].concat()).inspect_err(|_| _ = file.set_len(old_length))
    });
    written.map_err(|source| DiskError::io("write", path, source))
}

/// Checks whether the last byte of the file is a line feed. Returns `true` for an empty file.
fn ends_with_newline(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(last_offset) = length.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last_offset))?;
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

/// Fails for a named pipe, because opening or writing a pipe without a reader can block. Does nothing except on Unix.
///
/// # Errors
/// Returns [`DiskError::NotAFile`] for a named pipe.
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
        let deferral = signals::defer_signals();
        write_temp_file(dir, bytes, durability, mode)?.persist(path).map_err(|failed| failed.error)?;
        drop(deferral);
        if durability == Durability::Durable { sync_dir(dir) } else { Ok(()) }
    })();
    written.map_err(|source| DiskError::io("write", path, source))
}

fn parent_dir(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes `bytes` to a temporary file in `dir`. The file is created with `O_EXCL`, so no existing file or link is
/// opened. Dropping the returned value before the rename removes the file.
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

/// Removes the stale temporary files in the directory of `path`, like [`remove_stale_temp_files`].
pub fn remove_stale_temp_files_beside(path: &Path) {
    remove_stale_temp_files(parent_dir(path));
}

/// Removes the [`stale_temp_files`] in `dir`. Errors are ignored, because the write before this call has succeeded.
/// After many writes, call this function once, because reading a large directory is slow.
pub fn remove_stale_temp_files(dir: &Path) {
    for path in stale_temp_files(dir) {
        let _ = fs::remove_file(&path);
    }
}

/// Returns the temporary files in `dir` that belong to the current user and are older than `STALE_AFTER`. Returns no
/// files if `dir` cannot be read.
#[must_use]
pub fn stale_temp_files(dir: &Path) -> Vec<PathBuf> {
    let temp_names =
        entry_names(dir).unwrap_or_default().into_iter().filter(|name| name.to_string_lossy().starts_with(TEMP_PREFIX));
    let age = |path: &Path| {
        // In a shared directory, the temporary files of other users belong to runs of those users.
        let metadata = fs::symlink_metadata(path)
            .ok()
            .filter(|metadata| !metadata.is_dir() && is_owned_by_current_user(metadata))?;
        metadata.modified().ok()?.elapsed().ok()
    };
    temp_names.map(|name| dir.join(name)).filter(|path| age(path).is_some_and(|age| age > STALE_AFTER)).collect()
}
