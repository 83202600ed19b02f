//! Checks neto's directories and files: owner, permissions and content, stale temporary files, and unfinished
//! rotations.

use super::finding::{AutoFix, FIX_COMMAND, Finding};
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::quote_for_display;
use crate::profile::{Current, CurrentError};
use crate::secret::TrustError;
use crate::session::{RotationError, SessionError};
use crate::token::TokenFileError;
use crate::workflow::Run;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const DIRECTORIES: &str = "places.folders";
const FILES: &str = "places.files";

/// Extensions of the files that neto creates. Other files in its directories are not checked.
const OWN_EXTENSIONS: [&str; 3] = ["json", "lock", "token"];

/// Rules for checking neto's private files. The size is not limited here: the code that reads a file limits it.
pub(super) const READ_RULES: ReadRules = ReadRules { cap: u64::MAX, privacy: Privacy::Own };

/// Directory that neto creates.
struct OwnDirectory {
    path: PathBuf,
    /// Whether neto fails if it cannot use a file in the directory. Otherwise neto replaces the file or works without
    /// it.
    is_required: bool,
    /// Whether a missing directory is reported.
    report_missing: bool,
}

/// Checks neto's directories and their files, except the keys and the store.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    if run.context.paths.has_no_home {
        let error = Error::new(Code::System, "the system names no home folder");
        let error = error.with_hint(Hint::command("export NETO_HOME=/some/folder"));
        // A job with NETOSECRET or a store of its own needs no home directory. Without that directory, each run logs
        // in.
        let works_without_home = run.context.has_netosecret() || run.context.paths.is_store_named;
        let finding = if works_without_home { Finding::warning } else { Finding::problem };
        return vec![finding("places.home", error)];
    }
    let directories = own_directories(run);
    let mut findings = Vec::new();
    let mut unusable: Vec<&Path> = Vec::new();
    for directory in &directories {
        // A problem of a directory is not reported again for its subdirectories.
        if unusable.iter().any(|parent| directory.path.starts_with(parent)) {
            continue;
        }
        if check_directory(directory, &mut findings) {
            check_files(directory, &mut findings);
        } else {
            unusable.push(&directory.path);
        }
    }
    // Several directories may be missing for the same reason. The reason is reported once.
    findings.dedup_by(|finding, previous| finding.has_same_message(previous));
    check_parents(run, &mut findings);
    check_contents(run, &mut findings);
    check_stale_temp_files(run, &directories, &mut findings);
    check_rotations(run, &mut findings);
    if !findings.iter().any(Finding::needs_attention) {
        findings.insert(0, Finding::ok(DIRECTORIES, "neto's folders and their files are this user's alone"));
    }
    findings
}

fn own_directories(run: &Run<'_>) -> Vec<OwnDirectory> {
    let context = run.context;
    let reporter = run.reporter();
    let own_directory =
        |path: &Path, is_required| OwnDirectory { path: path.to_path_buf(), is_required, report_missing: true };
    let mut directories = vec![
        own_directory(context.paths.keys.path(), true),
        own_directory(&context.paths.tokens, false),
        own_directory(&context.paths.state, true),
    ];
    let session = context.session(&reporter);
    directories.extend(session.directories().map(|(path, is_required)| OwnDirectory {
        path: path.to_path_buf(),
        is_required,
        report_missing: false,
    }));
    directories
}

/// Checks a directory. Returns whether its files can be checked.
fn check_directory(directory: &OwnDirectory, findings: &mut Vec<Finding>) -> bool {
    let path = &directory.path;
    match disk::check_private_dir(path) {
        Ok(true) => return true,
        Ok(false) => {
            if directory.report_missing {
                let message = format!("{} is not there yet; it is made when it is needed", path.display());
                findings.push(Finding::ok(DIRECTORIES, message).with_auto_fix(AutoFix::CreateDirectory(path.clone())));
            }
        }
        Err(error @ DiskError::TooOpen { writable, .. }) => {
            let error = Error::from(error)
                .with_hint(Hint::command(format!("chmod 700 {}", quote_for_display(&path.to_string_lossy()))));
            // Other users who can write to the directory can replace files. Those who can read it learn the names of
            // tenants.
            let finding =
                if writable { Finding::problem(DIRECTORIES, error) } else { Finding::warning(DIRECTORIES, error) };
            findings.push(finding.with_auto_fix(AutoFix::RemovePermissions(path.clone(), 0o077)));
            return true;
        }
        // neto works without directories that it cannot write to.
        Err(error @ DiskError::Io { action: "write", .. }) => {
            match disk::entry_names(path) {
                Ok(_) => findings.push(Finding::warning(DIRECTORIES, with_permission_hint(error))),
                // The parent directory is reported instead.
                Err(read_error) if read_error.is_absent() && !directory.report_missing => {}
                Err(read_error) if read_error.is_absent() => {
                    let error = Error::from(error)
                        .with_hint(Hint::command("export NETO_HOME=/some/folder").remark("that you may write to"));
                    findings.push(Finding::warning(DIRECTORIES, error));
                }
                Err(read_error) => findings.push(Finding::problem(DIRECTORIES, with_permission_hint(read_error))),
            }
            return disk::entry_names(path).is_ok();
        }
        Err(error) => findings.push(Finding::problem(DIRECTORIES, with_permission_hint(error))),
    }
    false
}

/// Checks that no other user can replace neto's key and token directories by writing to their parents. Skips the
/// store's directories, which are checked when the store is read.
fn check_parents(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let paths = &run.context.paths;
    let store_directories = run.context.store_file().directories();
    let mut directories: Vec<&Path> =
        [paths.keys.path(), &*paths.tokens].into_iter().filter_map(Path::parent).collect();
    directories.dedup();
    for directory in directories
        .into_iter()
        .filter(|directory| !store_directories.iter().any(|store_directory| store_directory == directory))
    {
        if let Err(error @ DiskError::TooOpen { writable: true, .. }) = disk::check_private_dir(directory) {
            findings.push(file_finding(DIRECTORIES, true, error));
        }
    }
}

fn check_files(directory: &OwnDirectory, findings: &mut Vec<Finding>) {
    let names = match disk::entry_names(&directory.path) {
        Ok(names) => names,
        Err(error) => return findings.push(Finding::problem(DIRECTORIES, error)),
    };
    let mut paths: Vec<PathBuf> = names.into_iter().map(|name| directory.path.join(name)).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| OWN_EXTENSIONS.iter().any(|own| extension == *own)));
    paths.sort();
    for path in paths {
        if let Err(error) = disk::check_file(&path, READ_RULES) {
            let finding = file_finding(FILES, directory.is_required, error);
            // Required directories that may be missing belong to the rotation journal. A journal file may hold the only
            // copy of a key, so no command that moves the file is suggested.
            findings.push(if directory.is_required && !directory.report_missing {
                finding
            } else {
                finding.with_replace_fix(&path)
            });
        }
    }
}

/// Returns the finding for a file or directory of neto that cannot be used.
pub(super) fn file_finding(check: &'static str, is_required: bool, error: DiskError) -> Finding {
    let auto_fix = match &error {
        // Removing permissions from a shared directory would lock out the other users.
        open if open.is_shared_dir() => None,
        DiskError::TooOpen { path, writable, .. } => {
            Some(AutoFix::RemovePermissions(path.clone(), if *writable { 0o022 } else { 0o077 }))
        }
        _ => None,
    };
    let error = with_permission_hint(error);
    let finding = if is_required { Finding::problem(check, error) } else { Finding::warning(check, error) };
    match auto_fix {
        Some(auto_fix) => finding.with_auto_fix(auto_fix),
        None => finding,
    }
}

/// Adds a `chmod` or `chown` command for the path or its parent to a permission error. Directories further up may
/// belong to the system, so no command is suggested for them.
fn with_permission_hint(error: DiskError) -> Error {
    let is_denied = matches!(&error, DiskError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied);
    let denied_path = error.path().ancestors().take(2).find_map(|path| Some((path, path.symlink_metadata().ok()?)));
    let command = denied_path.filter(|_| is_denied).map(|(path, metadata)| {
        let path = quote_for_display(&path.to_string_lossy());
        if disk::is_owned_by_current_user(&metadata) {
            format!("chmod u+rwX {path}")
        } else {
            format!("sudo chown \"$(id -un)\" {path}")
        }
    });
    let error = Error::from(error);
    match command {
        Some(command) => error.with_hint(Hint::command(command)),
        None => error,
    }
}

/// Reports files whose content is damaged. Other checks report wrong permissions.
fn check_contents(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if let Err(error @ TrustError::Damaged(_)) = run.context.vault.trust_store() {
        findings.push(Finding::problem(FILES, error));
    }
    if let Err(error @ CurrentError::Content(_)) = Current::load(&run.context.current_file()) {
        findings.push(Finding::problem(FILES, error));
    }
    let Ok(Some(device)) = run.context.paths.keys.load_device() else { return };
    let tokens = run.context.cache.files();
    for name in tokens.profiles().unwrap_or_default() {
        if let Err(error @ TokenFileError::Damaged(_)) = tokens.load(&name, || Some(&device)) {
            let error = Error::new(Code::System, error.to_string()).with_hint(Hint::login().remark("replaces it"));
            findings.push(Finding::profile_warning(FILES, &name, error));
        }
    }
}

fn check_stale_temp_files(run: &Run<'_>, directories: &[OwnDirectory], findings: &mut Vec<Finding>) {
    let store_directories = run.context.store_file().directories();
    let parent = run.context.paths.keys.path().parent().map(Path::to_path_buf);
    let mut directories: Vec<PathBuf> =
        directories.iter().map(|directory| directory.path.clone()).chain(store_directories).chain(parent).collect();
    directories.sort();
    directories.dedup();
    for directory in directories {
        let stale_files = disk::stale_temp_files(&directory);
        if !stale_files.is_empty() {
            let files = pluralize(stale_files.len(), "temporary file");
            let error = Error::new(Code::System, format!("{files} of killed runs in {}", directory.display()));
            let finding = Finding::warning("places.leftovers", error.with_hint(Hint::command(FIX_COMMAND)));
            findings.push(finding.with_auto_fix(AutoFix::RemoveFiles(stale_files)));
        }
    }
}

/// Reports rotations that were interrupted.
fn check_rotations(run: &Run<'_>, findings: &mut Vec<Finding>) {
    const ROTATIONS: &str = "places.rotations";
    let reporter = run.reporter();
    let session = run.context.session(&reporter);
    for name in session.unfinished_rotations().unwrap_or_default() {
        let finding = match session.needs_cached_token(&name) {
            // `check_files` has already reported the file.
            Err(RotationError::Disk(_)) => continue,
            Err(error) => Finding::profile_problem(ROTATIONS, &name, SessionError::from(error)),
            Ok(_) => {
                let error = Error::new(Code::ProblemFound, "a rotation of its key was cut off and is not finished");
                Finding::profile_problem(ROTATIONS, &name, error.with_hint(Hint::rotate().remark("finishes it")))
            }
        };
        findings.push(finding);
    }
}
