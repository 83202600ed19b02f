//! Folders that only their owner may enter.

use super::DiskError;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::Path;
#[cfg(unix)]
use std::sync::OnceLock;

/// Makes `folder` and what is missing above it, each 0700. A folder that is there stays as it is.
///
/// # Errors
/// [`DiskError::Io`] when the system refuses, [`DiskError::ForeignOwner`] when the folder, or the
/// nearest one above it that is there, belongs to another user (`sudo` with a kept HOME).
pub fn create_private_folder(folder: &Path) -> Result<(), DiskError> {
    if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return ensure_own(folder);
    }
    if let Some(above) = folder.ancestors().skip(1).find(|above| above.exists()) {
        ensure_own(above)?;
    }
    create_missing(folder).map_err(|source| DiskError::io("create", folder, source))
}

/// The names of what is in `folder`, in no order.
///
/// # Errors
/// [`DiskError::Io`]; `is_absent` tells a missing folder from an unreadable one.
pub fn names(folder: &Path) -> Result<Vec<OsString>, DiskError> {
    list(folder).map_err(|source| DiskError::io("read", folder, source))
}

/// Not `read_dir`, which panics when the folder cannot be closed.
#[cfg(unix)]
fn list(folder: &Path) -> std::io::Result<Vec<OsString>> {
    use rustix::fs::{Dir, Mode, OFlags};
    use std::os::unix::ffi::OsStringExt as _;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::new(rustix::fs::open(folder, flags, Mode::empty())?)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

#[cfg(not(unix))]
fn list(folder: &Path) -> std::io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Whether what belongs to `owner` is this user's. The kernel is asked once a process, since nothing here changes as whom
/// it runs, and a list asks for each of ten thousand files.
#[cfg(unix)]
pub fn is_users_own(owner: u32) -> bool {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| rustix::process::geteuid().as_raw()) == owner
}

/// Whether what was found is this user's.
#[must_use]
#[cfg(unix)]
pub fn is_own(found: &fs::Metadata) -> bool {
    is_users_own(std::os::unix::fs::MetadataExt::uid(found))
}

/// Owners are not looked at here.
#[must_use]
#[cfg(not(unix))]
pub fn is_own(_found: &fs::Metadata) -> bool {
    true
}

/// Fails when `path` is there and belongs to another user; running as root in root's own or a
/// user's own tree is judged by the effective uid alone.
///
/// # Errors
/// [`DiskError::ForeignOwner`]; never for what is absent.
pub fn ensure_own(path: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    if let Ok(found) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt as _;
        // Above the folders that neto makes lie those of the system ("/", "/tmp"), which root owns.
        if !is_users_own(found.uid()) && found.uid() != 0 {
            return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner: found.uid() });
        }
    }
    Ok(())
}

/// Whether a folder of neto's is there: this user's, entered by nobody else, and writable. Of one that is missing, whether
/// it could be made.
///
/// # Errors
/// [`DiskError`]: the first thing that is not so.
pub fn examine_folder(folder: &Path) -> Result<bool, DiskError> {
    let found = match fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(above) = folder.ancestors().skip(1).find(|above| above.exists()) {
                ensure_own(above)?;
                ensure_writable(above)?;
            }
            return Ok(false);
        }
        found => found.map_err(|source| DiskError::io("read", folder, source))?,
    };
    if !found.is_dir() {
        return Err(DiskError::io("enter", folder, ErrorKind::NotADirectory.into()));
    }
    ensure_own(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = found.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DiskError::TooOpen { path: folder.to_path_buf(), mode, writable: mode & 0o022 != 0 });
        }
    }
    ensure_writable(folder)?;
    Ok(true)
}

/// Fails where nothing can be made in `folder`: its mode forbids it, or what it lies on is mounted read-only.
#[cfg(unix)]
fn ensure_writable(folder: &Path) -> Result<(), DiskError> {
    use rustix::fs::{Access, access};
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|source| DiskError::io("write", folder, source.into()))
}

#[cfg(not(unix))]
fn ensure_writable(_folder: &Path) -> Result<(), DiskError> {
    Ok(())
}

/// Takes these permission bits away from what `path` leads to, which has to be this user's.
///
/// # Errors
/// [`DiskError::ForeignOwner`] for what is not, [`DiskError::Io`] where the system refuses.
#[cfg(unix)]
pub fn narrow(path: &Path, bits: u32) -> Result<(), DiskError> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    let failed = |source| DiskError::io("change", path, source);
    let mut options = fs::OpenOptions::new();
    // Judged and changed by one descriptor, so that nothing else comes in between.
    let file = options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()).open(path);
    let file = file.map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !is_users_own(found.uid()) {
        return Err(DiskError::ForeignOwner { path: path.to_path_buf(), owner: found.uid() });
    }
    file.set_permissions(fs::Permissions::from_mode(found.mode() & 0o7777 & !bits)).map_err(failed)
}

/// There are no such bits here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn narrow(_path: &Path, _bits: u32) -> Result<(), DiskError> {
    Ok(())
}

fn create_missing(folder: &Path) -> std::io::Result<()> {
    if let Some(parent) = folder.parent().filter(|parent| !parent.exists()) {
        create_missing(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(folder) {
        // Another neto made it in between.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    // A umask such as 0777 takes bits away even from 0700.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
