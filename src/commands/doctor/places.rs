//! Folders and files: whose they are, who else gets in, whether they can be written, and what killed runs left.

use super::finding::{FIX, Finding, Mend};
use crate::disk::{self, DiskError, Privacy, Rules};
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::quoted;
use crate::profile::{Current, CurrentError};
use crate::secret::MemoryError;
use crate::session::{RotationError, SessionError};
use crate::token::TokenFileError;
use crate::workflow::Run;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FOLDERS: &str = "places.folders";
const FILES: &str = "places.files";

/// The ends of the names that neto gives to files; anything else in its folders is somebody else's.
const OWN: [&str; 3] = ["json", "lock", "token"];

/// All that neto keeps there is as private as this; how large a file may be is for who reads it.
pub(super) const RULES: Rules = Rules { cap: u64::MAX, privacy: Privacy::Own };

/// A folder of neto's.
struct Place {
    path: PathBuf,
    /// Whether neto refuses to go on where something in it is not as it should be; else it is replaced, or done without.
    needed: bool,
    /// Whether it is worth a word that it is not there yet.
    told: bool,
}

/// Looks at all of neto's folders and at the files in them but keys and store.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    if run.context.paths.homeless {
        let error = Error::new(Code::System, "the system names no home folder");
        let error = error.with_hint("export NETO_HOME=/some/folder");
        // What a job is given is enough: it signs in for itself each time.
        let works = run.context.has_netosecret() || run.context.paths.named_store;
        let home = if works { Finding::warning } else { Finding::problem };
        return vec![home("places.home", error)];
    }
    let places = places(run);
    let mut findings = Vec::new();
    let mut closed: Vec<&Path> = Vec::new();
    for place in &places {
        // What is wrong with a folder is not said again of those in it.
        if closed.iter().any(|above| place.path.starts_with(above)) {
            continue;
        }
        if folder(place, &mut findings) {
            files(place, &mut findings);
        } else {
            closed.push(&place.path);
        }
    }
    // Of several folders that could not be made, what is in the way may be the same.
    findings.dedup_by(|one, before| one.says_what(before));
    above(run, &mut findings);
    contents(run, &mut findings);
    leftovers(run, &places, &mut findings);
    rotations(run, &mut findings);
    if !findings.iter().any(Finding::is_found) {
        findings.insert(0, Finding::fine(FOLDERS, "neto's folders and their files are this user's alone"));
    }
    findings
}

fn places(run: &Run<'_>) -> Vec<Place> {
    let context = run.context;
    let watch = run.watch();
    let top = |path: &Path, needed| Place { path: path.to_path_buf(), needed, told: true };
    let mut places =
        vec![top(context.paths.keys.path(), true), top(&context.paths.tokens, false), top(&context.paths.state, true)];
    let session = context.session(&watch);
    places.extend(session.folders().map(|(path, needed)| Place { path: path.to_path_buf(), needed, told: false }));
    places
}

/// Looks at a folder; whether one can look into it.
fn folder(place: &Place, findings: &mut Vec<Finding>) -> bool {
    let path = &place.path;
    match disk::examine_folder(path) {
        Ok(true) => return true,
        Ok(false) => {
            if place.told {
                let message = format!("{} is not there yet; it is made when it is needed", path.display());
                findings.push(Finding::fine(FOLDERS, message).mended_by(Mend::Make(path.clone())));
            }
        }
        Err(error @ DiskError::TooOpen { writable, .. }) => {
            let error = Error::from(error).with_hint(format!("chmod 700 {}", quoted(&path.to_string_lossy())));
            // Who can write a folder can put other files into it; who can only read it learns the names of tenants.
            let finding = if writable { Finding::problem(FOLDERS, error) } else { Finding::warning(FOLDERS, error) };
            findings.push(finding.mended_by(Mend::Narrow(path.clone(), 0o077)));
            return true;
        }
        // neto goes on without what it cannot write.
        Err(error @ DiskError::Io { action: "write", .. }) => {
            match disk::names(path) {
                Ok(_) => findings.push(Finding::warning(FOLDERS, cured(error))),
                // Of one that is not there, the folder above is told of.
                Err(unread) if unread.is_absent() && !place.told => {}
                Err(unread) if unread.is_absent() => {
                    let error = Error::from(error).with_hint("export NETO_HOME=/some/folder    that you may write to");
                    findings.push(Finding::warning(FOLDERS, error));
                }
                Err(unread) => findings.push(Finding::problem(FOLDERS, cured(unread))),
            }
            return disk::names(path).is_ok();
        }
        Err(error) => findings.push(Finding::problem(FOLDERS, cured(error))),
    }
    false
}

/// Whoever can write the folder above can put another in the place of neto's. The folder of the store is the store's to
/// judge.
fn above(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let paths = &run.context.paths;
    let judged = run.context.store_file().folders();
    let mut folders: Vec<&Path> = [paths.keys.path(), &*paths.tokens].into_iter().filter_map(Path::parent).collect();
    folders.dedup();
    for folder in folders.into_iter().filter(|folder| !judged.iter().any(|known| known == folder)) {
        if let Err(error @ DiskError::TooOpen { writable: true, .. }) = disk::examine_folder(folder) {
            findings.push(file(FOLDERS, true, error));
        }
    }
}

fn files(place: &Place, findings: &mut Vec<Finding>) {
    let names = match disk::names(&place.path) {
        Ok(names) => names,
        Err(error) => return findings.push(Finding::problem(FOLDERS, error)),
    };
    let mut paths: Vec<PathBuf> = names.into_iter().map(|name| place.path.join(name)).collect();
    paths.retain(|path| path.extension().is_some_and(|end| OWN.iter().any(|own| end == *own)));
    paths.sort();
    for path in paths {
        if let Err(error) = disk::examine(&path, RULES) {
            let found = file(FILES, place.needed, error);
            // What a rotation left holds the one copy of a key.
            findings.push(if place.needed && !place.told { found } else { found.replaced(&path) });
        }
    }
}

/// What is wrong with a file of neto's.
pub(super) fn file(check: &'static str, needed: bool, error: DiskError) -> Finding {
    let mend = match &error {
        // To close a folder that is everybody's would lock the others out.
        open if open.is_everybodys() => None,
        DiskError::TooOpen { path, writable, .. } => {
            Some(Mend::Narrow(path.clone(), if *writable { 0o022 } else { 0o077 }))
        }
        _ => None,
    };
    let error = cured(error);
    let finding = if needed { Finding::problem(check, error) } else { Finding::warning(check, error) };
    match mend {
        Some(mend) => finding.mended_by(mend),
        None => finding,
    }
}

/// With what mends it, where this user may not go on: what is his he may open to himself, and else it has to be given to
/// him. Of folders further up, which may be the system's, nothing is said.
fn cured(error: DiskError) -> Error {
    let denied = matches!(&error, DiskError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied);
    let barrier = error.path().ancestors().take(2).find_map(|path| Some((path, path.symlink_metadata().ok()?)));
    let line = barrier.filter(|_| denied).map(|(path, found)| {
        let path = quoted(&path.to_string_lossy());
        if disk::is_own(&found) { format!("chmod u+rwX {path}") } else { format!("sudo chown \"$(id -un)\" {path}") }
    });
    let error = Error::from(error);
    match line {
        Some(line) => error.with_hint(line),
        None => error,
    }
}

/// What private files hold, where it is not what neto wrote. What is wrong with the files themselves was told.
fn contents(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if let Err(error @ MemoryError::Damaged(_)) = run.context.vault.memory() {
        findings.push(Finding::problem(FILES, error));
    }
    if let Err(error @ CurrentError::Content(_)) = Current::load(&run.context.current_file()) {
        findings.push(Finding::problem(FILES, error));
    }
    let Ok(Some(device)) = run.context.paths.keys.load_device() else { return };
    let tokens = run.context.cache.files();
    for name in tokens.profiles().unwrap_or_default() {
        if let Err(error @ TokenFileError::Damaged(_)) = tokens.load(&name, || Some(&device)) {
            let error = Error::new(Code::System, error.to_string()).with_hint("neto login NAME    replaces it");
            findings.push(Finding::warning_of(FILES, &name, error));
        }
    }
}

fn leftovers(run: &Run<'_>, places: &[Place], findings: &mut Vec<Finding>) {
    let of_store = run.context.store_file().folders();
    let above = run.context.paths.keys.path().parent().map(Path::to_path_buf);
    let mut folders: Vec<PathBuf> =
        places.iter().map(|place| place.path.clone()).chain(of_store).chain(above).collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let left = disk::leftovers(&folder);
        if !left.is_empty() {
            let files = count(left.len(), "temporary file");
            let error = Error::new(Code::System, format!("{files} of killed runs in {}", folder.display()));
            let finding = Finding::warning("places.leftovers", error.with_hint(FIX));
            findings.push(finding.mended_by(Mend::Remove(left)));
        }
    }
}

/// Keys that were being changed when a run was ended.
fn rotations(run: &Run<'_>, findings: &mut Vec<Finding>) {
    const ROTATIONS: &str = "places.rotations";
    let watch = run.watch();
    let session = run.context.session(&watch);
    for name in session.unfinished().unwrap_or_default() {
        let finding = match session.needs_its_token(&name) {
            // What is wrong with the file itself was told.
            Err(RotationError::Disk(_)) => continue,
            Err(error) => Finding::problem_of(ROTATIONS, &name, SessionError::from(error)),
            Ok(_) => {
                let error = Error::new(Code::Found, "a rotation of its key was cut off and is not finished");
                Finding::problem_of(ROTATIONS, &name, error.with_hint("neto rotate NAME    finishes it"))
            }
        };
        findings.push(finding);
    }
}
