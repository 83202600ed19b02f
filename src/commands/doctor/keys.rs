//! Checks the keys of this machine: the identity, which decrypts secrets, and the device key, which decrypts cached
//! tokens.

use super::files;
use super::finding::{AutoFix, FIX_COMMAND, Finding};
use crate::disk;
use crate::error::{Code, Error, Hint};
use crate::output::quote_for_display;
use crate::profile::SecretLocation;
use crate::secret::{Identities, IdentityLocation, KeyError, LoadedIdentity, find_program};
use crate::session::read_passphrase;
use crate::workflow::Run;
use std::path::Path;

const IDENTITY: &str = "keys.identity";
const DEVICE: &str = "keys.device";

/// Checks both keys without decrypting secrets or tokens.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_identity(run, &mut findings);
    findings.push(device_finding(run));
    check_gitignore(run, &mut findings);
    findings
}

fn check_identity(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let location = run.context.vault.identity_location();
    match location.load() {
        Ok(LoadedIdentity::Plaintext(key)) => {
            let programs = key.identities.plugin_programs();
            let protection = if programs.is_empty() {
                "in clear: whoever reads the file has it".to_owned()
            } else {
                format!("held by {}", programs.join(", "))
            };
            findings.push(Finding::ok(IDENTITY, format!("{location} ({protection})")));
            check_plugin_programs(run, &key.identities, findings);
        }
        Ok(LoadedIdentity::Protected(protected)) => {
            findings.push(Finding::ok(IDENTITY, format!("{} (under a passphrase)", protected.location)));
            check_passphrase_file(run, findings);
        }
        Err(KeyError::Missing(path)) => findings.push(missing_identity(run, KeyError::Missing(path))),
        Err(KeyError::Disk(error)) if matches!(location, IdentityLocation::Standard(_)) => {
            let hint = variable_hint(error.path());
            let is_link = error.path().is_symlink();
            let finding = files::file_finding(IDENTITY, true, error);
            findings.push(if is_link { finding.with_fix(&hint) } else { finding });
        }
        Err(error) => findings.push(Finding::problem(IDENTITY, error)),
    }
    check_public_file(run, findings);
}

/// Returns the finding for a missing identity. The finding is a problem if the store cannot be read, or if it contains
/// sealed or plaintext secrets. A new machine has no identity yet, and other kinds of secrets need none.
fn missing_identity(run: &Run<'_>, error: KeyError) -> Finding {
    let is_sealed =
        |secret: &SecretLocation| matches!(secret, SecretLocation::Sealed(_) | SecretLocation::Plaintext(_));
    let Ok(store) = run.context.store() else { return Finding::problem(IDENTITY, error) };
    let mut profiles = store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    if profiles.any(|profile| is_sealed(&profile.secret)) {
        Finding::problem(IDENTITY, error)
    } else if store.profiles.is_empty() && !run.context.has_netosecret() {
        Finding::warning(IDENTITY, error)
    } else {
        Finding::ok(IDENTITY, "there is none, and no profile needs one")
    }
}

/// Returns the hint for an identity file that is a link. neto follows a link only if `NETO_IDENTITY_FILE` names the
/// link.
fn variable_hint(link: &Path) -> Hint {
    let link = quote_for_display(&link.to_string_lossy());
    Hint::command(format!("export NETO_IDENTITY_FILE={link}")).remark("or put the file itself there")
}

fn check_plugin_programs(run: &Run<'_>, identities: &Identities, findings: &mut Vec<Finding>) {
    for program in identities.plugin_programs() {
        if let Err(error) = find_program(&program, run.context.process.environment.get("PATH")) {
            let error = Error::new(Code::Secret, format!("the program that holds the identity: {error}"));
            let error = error.with_hint(Hint::advice("install it, or put its folder on PATH"));
            findings.push(Finding::problem("keys.plugin", error));
        }
    }
}

fn check_passphrase_file(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let Some(path) = run.context.process.environment.get("NETO_PASSPHRASE_FILE") else { return };
    if let Err(error) = read_passphrase(&run.context.absolute(path.as_ref())) {
        findings.push(Finding::problem("keys.passphrase", error));
    }
}

/// Checks the file of the public key. neto reads this file if a passphrase protects the identity.
fn check_public_file(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if let Err(error) = disk::check_file(&run.context.paths.keys.public_file(), files::READ_RULES) {
        findings.push(files::file_finding(IDENTITY, false, error));
    }
}

fn device_finding(run: &Run<'_>) -> Finding {
    let keys = &run.context.paths.keys;
    match keys.load_device() {
        Ok(Some(_)) => Finding::ok(DEVICE, format!("{} (opens the cached tokens)", keys.device_file().display())),
        Ok(None) => Finding::ok(DEVICE, "the device key is not there yet; it is made with the first token"),
        Err(KeyError::Disk(error)) => files::file_finding(DEVICE, true, error).with_replace_fix(&keys.device_file()),
        Err(error) => Finding::problem(DEVICE, error),
    }
}

/// Checks that a `.gitignore` keeps git from adding the keys. Also checks this outside of a repository, because a
/// parent directory may become a repository at any time.
fn check_gitignore(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let keys = &run.context.paths.keys;
    let Some(gitignore) = keys.missing_gitignore().filter(|_| keys.path().is_dir()) else { return };
    let error =
        Error::new(Code::System, format!("{} is not there, which keeps git from taking keys", gitignore.display()));
    findings.push(
        Finding::warning("keys.ignored", error.with_hint(Hint::command(FIX_COMMAND)))
            .with_auto_fix(AutoFix::WriteGitignore(gitignore)),
    );
}
