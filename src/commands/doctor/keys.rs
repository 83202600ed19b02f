//! The keys of this machine: the identity, which opens secrets, and the device key, which opens the token cache.

use super::finding::{FIX, Finding, Mend};
use super::places;
use crate::disk;
use crate::error::{Code, Error};
use crate::output::quoted;
use crate::profile::SecretPlace;
use crate::secret::{Found, Identities, IdentityPlace, KeyError, find_program};
use crate::session::read_passphrase;
use crate::workflow::Run;
use std::path::Path;

const IDENTITY: &str = "keys.identity";
const DEVICE: &str = "keys.device";

/// Looks at both keys, opens nothing.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    identity(run, &mut findings);
    findings.push(device(run));
    ignored(run, &mut findings);
    findings
}

fn identity(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let place = run.context.vault.place();
    match place.load() {
        Ok(Found::Open(key)) => {
            let programs = key.identities.programs();
            let how = if programs.is_empty() {
                "in clear: whoever reads the file has it".to_owned()
            } else {
                format!("held by {}", programs.join(", "))
            };
            findings.push(Finding::fine(IDENTITY, format!("{place} ({how})")));
            missing_programs(run, &key.identities, findings);
        }
        Ok(Found::Protected(protected)) => {
            findings.push(Finding::fine(IDENTITY, format!("{} (under a passphrase)", protected.place)));
            passphrase_file(run, findings);
        }
        Err(KeyError::Missing(path)) => findings.push(missing(run, KeyError::Missing(path))),
        Err(KeyError::Disk(error)) if matches!(place, IdentityPlace::Standard(_)) => {
            let line = by_variable(error.path());
            let is_link = error.path().is_symlink();
            let found = places::file(IDENTITY, true, error);
            findings.push(if is_link { found.fix(line) } else { found });
        }
        Err(error) => findings.push(Finding::problem(IDENTITY, error)),
    }
    public_file(run, findings);
}

/// A new machine has none yet, and one that takes its credentials from elsewhere needs none.
fn missing(run: &Run<'_>, error: KeyError) -> Finding {
    let is_sealed = |secret: &SecretPlace| matches!(secret, SecretPlace::Sealed(_) | SecretPlace::Clear(_));
    let Ok(store) = run.context.store() else { return Finding::problem(IDENTITY, error) };
    let mut profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    if profiles.any(|profile| is_sealed(&profile.secret)) {
        Finding::problem(IDENTITY, error)
    } else if store.profiles.is_empty() && !run.context.has_netosecret() {
        Finding::warning(IDENTITY, error)
    } else {
        Finding::fine(IDENTITY, "there is none, and no profile needs one")
    }
}

/// A link is taken from the variable alone, which nobody else sets.
fn by_variable(link: &Path) -> String {
    format!("export NETO_IDENTITY_FILE={}\n(or put the file itself there)", quoted(&link.to_string_lossy()))
}

fn missing_programs(run: &Run<'_>, identities: &Identities, findings: &mut Vec<Finding>) {
    for program in identities.programs() {
        if let Err(error) = find_program(&program, run.context.process.environment.get("PATH")) {
            let error = Error::new(Code::Secret, format!("the program that holds the identity: {error}"));
            let error = error.with_hint("install it, or put its folder on PATH");
            findings.push(Finding::problem("keys.plugin", error));
        }
    }
}

fn passphrase_file(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let Some(path) = run.context.process.environment.get("NETO_PASSPHRASE_FILE") else { return };
    if let Err(error) = read_passphrase(&run.context.absolute(path.as_ref())) {
        findings.push(Finding::problem("keys.passphrase", error));
    }
}

/// Known from here while a passphrase protects the identity: whom secrets are sealed to.
fn public_file(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if let Err(error) = disk::examine(&run.context.paths.keys.public_file(), places::RULES) {
        findings.push(places::file(IDENTITY, false, error));
    }
}

fn device(run: &Run<'_>) -> Finding {
    let keys = &run.context.paths.keys;
    match keys.load_device() {
        Ok(Some(_)) => Finding::fine(DEVICE, format!("{} (opens the cached tokens)", keys.device_file().display())),
        Ok(None) => Finding::fine(DEVICE, "the device key is not there yet; it is made with the first token"),
        Err(KeyError::Disk(error)) => places::file(DEVICE, true, error).replaced(&keys.device_file()),
        Err(error) => Finding::problem(DEVICE, error),
    }
}

/// Somebody may make a repository of the folder above at any time.
fn ignored(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let keys = &run.context.paths.keys;
    let Some(ignore) = keys.missing_ignore().filter(|_| keys.path().is_dir()) else { return };
    let error =
        Error::new(Code::System, format!("{} is not there, which keeps git from taking keys", ignore.display()));
    findings.push(Finding::warning("keys.ignored", error.with_hint(FIX)).mended_by(Mend::Ignore(ignore)));
}
