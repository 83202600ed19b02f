//! Creates, lists and checks neto's private directories (mode 0700), and checks the owners and permissions of paths.

use super::DiskError;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::Path;
#[cfg(unix)]
use std::sync::OnceLock;

/// Creates `dir` and its missing parents, each with mode 0700. An existing directory keeps its mode.
///
/// # Errors
/// Returns [`DiskError::Io`] if a directory cannot be created. Returns [`DiskError::ForeignOwner`] if `dir`, or its
/// nearest existing parent, belongs to neither the current user nor root. This happens under `sudo` if `HOME` is kept.
pub fn create_private_dir(dir: &Path) -> Result<(), DiskError> {
    if fs::metadata(dir).is_ok_and(|metadata| metadata.is_dir()) {
        return refuse_foreign_owner(dir);
    }
    if let Some(parent) = dir.ancestors().skip(1).find(|parent| parent.exists()) {
        refuse_foreign_owner(parent)?;
    }
    create_missing(dir).map_err(|source| DiskError::io("create", dir, source))
}

/// Returns the names of the entries in `dir`, except `.` and `..`, in no particular order.
///
/// # Errors
/// Returns [`DiskError::Io`] if the directory is missing or cannot be read. [`DiskError::is_absent`] is true for a
/// missing directory.
pub fn entry_names(dir: &Path) -> Result<Vec<OsString>, DiskError> {
    read_entry_names(dir).map_err(|source| DiskError::io("read", dir, source))
}

/// Lists the entries without [`fs::read_dir`], because `read_dir` panics if closing the directory fails.
#[cfg(unix)]
fn read_entry_names(dir: &Path) -> std::io::Result<Vec<OsString>> {
    use rustix::fs::{Dir, Mode, OFlags};
    use std::os::unix::ffi::OsStringExt as _;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::new(rustix::fs::open(dir, flags, Mode::empty())?)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

#[cfg(not(unix))]
fn read_entry_names(dir: &Path) -> std::io::Result<Vec<OsString>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Checks whether `uid` is the effective user of this process. The effective user is cached: neto never changes its
/// user, and one command may check ten thousand files.
#[cfg(unix)]
pub fn is_current_user(uid: u32) -> bool {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| rustix::process::geteuid().as_raw()) == uid
}

/// Checks whether the file belongs to the current user (effective uid).
#[must_use]
#[cfg(unix)]
pub fn is_owned_by_current_user(metadata: &fs::Metadata) -> bool {
    is_current_user(std::os::unix::fs::MetadataExt::uid(metadata))
}

/// Returns `true`: neto does not check owners on this platform.
#[must_use]
#[cfg(not(unix))]
pub fn is_owned_by_current_user(_metadata: &fs::Metadata) -> bool {
    true
}

/// Fails if `path` exists and belongs to neither the current user (effective uid) nor root. If neto runs as root, it
/// refuses the paths of all other users. Follows symbolic links. Does nothing except on Unix.
///
/// # Errors
/// Returns [`DiskError::ForeignOwner`]. A path that is missing, or whose owner cannot be read, is not an error.
pub fn refuse_foreign_owner(path: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt as _;
        // A parent of neto's directories can be a system directory such as `/` or `/tmp`, which belongs to root.
        if !is_current_user(metadata.uid()) && metadata.uid() != 0 {
            return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner: metadata.uid() });
        }
    }
    Ok(())
}

/// Checks a private directory: it belongs to the current user or root, others have no access, and neto can create files
/// in the directory. Returns `true` if the directory exists. For a missing directory, checks that neto can create it,
/// and returns `false`.
///
/// # Errors
/// Returns a [`DiskError`] for the first check that fails.
pub fn check_private_dir(dir: &Path) -> Result<bool, DiskError> {
    let metadata = match fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(parent) = dir.ancestors().skip(1).find(|parent| parent.exists()) {
                refuse_foreign_owner(parent)?;
                ensure_writable(parent)?;
            }
            return Ok(false);
        }
        result => result.map_err(|source| DiskError::io("read", dir, source))?,
    };
    if !metadata.is_dir() {
        return Err(DiskError::io("enter", dir, ErrorKind::NotADirectory.into()));
    }
    refuse_foreign_owner(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DiskError::TooOpen { path: dir.to_path_buf(), mode, writable: mode & 0o022 != 0 });
        }
    }
    ensure_writable(dir)?;
    Ok(true)
}

/// Fails if the user cannot create files in `dir`, because of its permissions or a read-only file system.
#[cfg(unix)]
fn ensure_writable(dir: &Path) -> Result<(), DiskError> {
    use rustix::fs::{Access, access};
    access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|source| DiskError::io("write", dir, source.into()))
}

#[cfg(not(unix))]
fn ensure_writable(_dir: &Path) -> Result<(), DiskError> {
    Ok(())
}

/// Removes the permission `bits` from the file or directory at `path`. Follows symbolic links.
///
/// # Errors
/// Returns [`DiskError::ForeignOwner`] if the target belongs to another user, and [`DiskError::Io`] if the target
/// cannot be opened or changed.
#[cfg(unix)]
pub fn remove_permissions(path: &Path, bits: u32) -> Result<(), DiskError> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    let change_error = |source| DiskError::io("change", path, source);
    let mut options = fs::OpenOptions::new();
    // The check and the change use one descriptor, so that nobody can replace the file between them.
    let file = options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()).open(path);
    let file = file.map_err(change_error)?;
    let metadata = file.metadata().map_err(change_error)?;
    if !is_current_user(metadata.uid()) {
        return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner: metadata.uid() });
    }
    file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777 & !bits)).map_err(change_error)
}

/// Does nothing: this platform has no permission bits.
///
/// # Errors
/// Returns no error.
#[cfg(not(unix))]
pub fn remove_permissions(_path: &Path, _bits: u32) -> Result<(), DiskError> {
    Ok(())
}

fn create_missing(dir: &Path) -> std::io::Result<()> {
    if let Some(parent) = dir.parent().filter(|parent| !parent.exists()) {
        create_missing(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(dir) {
        // Another process created the directory after the check above.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        result => result?,
    }
    // A umask such as 0777 removes bits even from mode 0700.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
