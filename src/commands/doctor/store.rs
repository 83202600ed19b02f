//! Checks the store: the file, its profiles, who can decrypt the secrets, and the state in git.

use super::files;
use super::finding::Finding;
use crate::commands::init::own_name;
use crate::commands::seal::check::{self, SealCheck};
use crate::context::ContextError;
use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::quote_for_display;
use crate::profile::{Profile, ProfileName, SecretLocation, Store, StoreFileError};
use crate::secret::{find_program, plugin_program};
use crate::session::VaultError;
use crate::workflow::git::GitRepository;
use crate::workflow::selection::SelectedProfile;
use crate::workflow::{Run, batch};
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILE: &str = "store.file";
const PROFILE: &str = "store.profile";
const SEALED: &str = "store.sealed";
const RECIPIENTS: &str = "store.recipients";
const SOURCE: &str = "store.source";
const GIT: &str = "store.git";

/// Checks the store and these profiles. Decrypts only secrets that need no prompt.
pub(super) fn check(run: &Run<'_>, selected: &[SelectedProfile<'_>]) -> Vec<Finding> {
    let store = match run.context.store() {
        Ok(store) => store,
        Err(error) => return vec![unreadable_store(error, run.context.paths.is_store_named)],
    };
    let path = &run.context.paths.store;
    let mut findings = Vec::new();
    if path.exists() {
        let profiles = pluralize(store.profiles.len(), "profile");
        findings.push(Finding::ok(FILE, format!("{} ({profiles})", path.display())));
    } else {
        findings.push(missing_store(run));
    }
    let count_before = findings.len();
    let undecryptable = check_profiles(run, store, selected, &mut findings);
    if findings.len() == count_before && selected.iter().any(|selected| !selected.name.is_env()) {
        let profiles = pluralize(selected.len(), "profile");
        findings.push(Finding::ok(SEALED, format!("nothing is wrong in {profiles}, as far as it can be seen here")));
    }
    for (reason, names) in undecryptable {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        findings.push(Finding::skipped(SEALED, format!("what is sealed in {}: {reason}", batch::first_names(&names))));
    }
    check_recipients(run, store, &mut findings);
    check_git(run, selected, &mut findings);
    findings
}

fn unreadable_store(error: ContextError, is_named: bool) -> Finding {
    match error {
        // A store that the user named may belong to other users, so no command that changes the owner is suggested.
        ContextError::Store(StoreFileError::Disk(error)) if !is_named || matches!(error, DiskError::TooOpen { .. }) => {
            files::file_finding(FILE, true, error)
        }
        error => Finding::problem(FILE, error),
    }
}

/// Returns the finding for a missing standard store. If the user named a missing store, loading the store fails
/// instead.
fn missing_store(run: &Run<'_>) -> Finding {
    if run.context.has_netosecret() {
        return Finding::ok(FILE, "there is none, and NETOSECRET makes a profile");
    }
    let message = format!("there is no store at {} yet", run.context.paths.store.display());
    Finding::warning(FILE, Error::new(Code::Store, message).with_hint(Hint::command("neto profile add")))
}

/// Adds a finding for the first problem of each profile. Returns the profiles whose secret could not be decrypted on
/// this machine, grouped by reason.
fn check_profiles<'s>(
    run: &Run<'_>,
    store: &Store,
    selected: &'s [SelectedProfile<'_>],
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Vec<&'s ProfileName>> {
    let mut undecryptable: BTreeMap<String, Vec<&ProfileName>> = BTreeMap::new();
    for name in selected.iter().map(|selected| &*selected.name) {
        // The profile `env` is not in the store.
        let Some(entry) = store.entry(name) else { continue };
        let profile = match &entry.profile {
            Ok(profile) => profile,
            Err(error) => {
                findings.push(Finding::profile_problem(PROFILE, name, run.context.fault_error(name, error.clone())));
                continue;
            }
        };
        match check::check_profile(run, store, profile) {
            SealCheck::Invalid(error) => {
                findings.push(Finding::profile_problem(SEALED, name, error));
                continue;
            }
            SealCheck::Undecryptable(reason) => undecryptable.entry(reason.to_string()).or_default().push(name),
            SealCheck::Valid => {}
        }
        match run.context.vault.trust_status(profile) {
            // `files` reports an unreadable trust file.
            Ok(_) | Err(VaultError::Trust(_)) => findings.extend(check_source(run, profile)),
            Err(error) => findings.push(Finding::profile_problem("store.trust", name, error)),
        }
    }
    undecryptable
}

/// Returns a finding if the source of the profile's secret does not exist. Does not run a secret command, because the
/// command may prompt.
fn check_source(run: &Run<'_>, profile: &Profile) -> Option<Finding> {
    let environment = &run.context.process.environment;
    let problem = match &profile.secret {
        SecretLocation::Command(command_words) => find_program(command_words.first()?, environment.get("PATH"))
            .err()
            .map(|error| format!("the command: {error}")),
        SecretLocation::File(path) => {
            let rules = ReadRules { cap: u64::MAX, privacy: Privacy::NotWritable };
            match disk::check_file(path, rules) {
                Ok(true) => None,
                Ok(false) => Some(format!("there is no file {}", path.display())),
                Err(error) => Some(error.to_string()),
            }
        }
        SecretLocation::Env(name) => {
            environment.get(name).is_none().then(|| format!("the variable '{name}' is not set"))
        }
        SecretLocation::None | SecretLocation::Plaintext(_) | SecretLocation::Sealed(_) => None,
    }?;
    let error = Error::new(Code::Secret, format!("what its secret comes from: {problem}"));
    Some(Finding::profile_problem(SOURCE, &profile.name, error.with_hint(Hint::show_profile())))
}

fn check_recipients(run: &Run<'_>, store: &Store, findings: &mut Vec<Finding>) {
    let vault = &run.context.vault;
    let own_keys = vault.own_keys();
    if store.recipients.is_empty() {
        return;
    }
    match own_keys.first() {
        None => findings
            .push(Finding::skipped(RECIPIENTS, "the own public key is not known as long as the identity is closed")),
        Some(key) if !store.recipients.values().any(|recipient| own_keys.contains(recipient)) => {
            let name = own_name(run, None).map_or_else(|_| "NAME".to_owned(), |name| name.to_string());
            let add = Hint::command(format!("neto recipient add {name} {key}"));
            let hint = add.remark("for somebody to run who can open the store");
            let error = Error::new(
                Code::Secret,
                "your identity is not among the recipients: what is sealed to them does not open here",
            );
            findings.push(Finding::problem(RECIPIENTS, error.with_hint(hint)));
        }
        Some(_) => {}
    }
    let Ok(trust) = vault.trust_store() else { return };
    let trust = trust.borrow();
    for (name, key) in &store.recipients {
        if !trust.is_trusted_recipient(key) && !own_keys.contains(key) {
            findings.push(Finding::warning(RECIPIENTS, VaultError::UntrustedRecipient(name.clone())));
        }
        let is_missing = |program: &String| find_program(program, run.context.process.environment.get("PATH")).is_err();
        if let Some(program) = plugin_program(key).filter(is_missing) {
            let message = format!("sealing to the recipient '{name}' runs {program}, which is not found");
            let error =
                Error::new(Code::Secret, message).with_hint(Hint::advice("install it, or put its folder on PATH"));
            findings.push(Finding::warning(RECIPIENTS, error));
        }
    }
}

fn check_git(run: &Run<'_>, selected: &[SelectedProfile<'_>], findings: &mut Vec<Finding>) {
    let Some(git) = GitRepository::find(run) else { return };
    let names: Vec<ProfileName> = selected.iter().map(|selected| selected.name.clone().into_owned()).collect();
    let git_findings = git.inspect_index(run, &names);
    for key in &git_findings.key_files {
        findings.push(Finding::problem(GIT, check::tracked_key_error(key)));
    }
    if !git_findings.staged_problems.is_empty() {
        findings.push(Finding::problem(GIT, check::staged_outdated_error(run)));
    }
    if let Some(reason) = git_findings.git_error {
        findings.push(Finding::warning(GIT, Error::new(Code::ProblemFound, reason)));
        return;
    }
    let keys = &run.context.paths.keys;
    let would_add = |file: PathBuf| file.exists() && git.would_add(run, &file);
    if git_findings.key_files.is_empty() && [keys.identity_file(), keys.device_file()].into_iter().any(would_add) {
        let directory = keys.path();
        let message = format!("git would take the keys in {} with the next `git add`", directory.display());
        let command = format!("echo '*' > {}", quote_for_display(&directory.join(".gitignore").to_string_lossy()));
        findings.push(Finding::warning(GIT, Error::new(Code::ProblemFound, message).with_hint(Hint::command(command))));
    }
}
