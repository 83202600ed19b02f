//! The store: whether it is read, what is wrong in each profile, who can open the secrets, and what git has of it.

use super::finding::Finding;
use super::places;
use crate::commands::init::own_name;
use crate::commands::seal::check::{self, Seen};
use crate::context::ContextError;
use crate::disk::{self, DiskError, Privacy, Rules};
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::quoted;
use crate::profile::{Profile, ProfileName, SecretPlace, Store, StoreFileError};
use crate::secret::{find_program, plugin_of};
use crate::session::VaultError;
use crate::workflow::git::Git;
use crate::workflow::selection::Selected;
use crate::workflow::{Run, batch};
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILE: &str = "store.file";
const PROFILE: &str = "store.profile";
const SEALED: &str = "store.sealed";
const RECIPIENTS: &str = "store.recipients";
const SOURCE: &str = "store.source";
const GIT: &str = "store.git";

/// Looks at the store and these profiles of it; opens what opens without asking.
pub(super) fn check(run: &Run<'_>, selected: &[Selected<'_>]) -> Vec<Finding> {
    let store = match run.context.store() {
        Ok(store) => store,
        Err(error) => return vec![unreadable(error, run.context.paths.named_store)],
    };
    let path = &run.context.paths.store;
    let mut findings = Vec::new();
    if path.exists() {
        let profiles = count(store.profiles.len(), "profile");
        findings.push(Finding::fine(FILE, format!("{} ({profiles})", path.display())));
    } else {
        findings.push(absent(run));
    }
    let before = findings.len();
    let closed = profiles(run, store, selected, &mut findings);
    if findings.len() == before && selected.iter().any(|one| !one.name.is_env()) {
        let what = count(selected.len(), "profile");
        findings.push(Finding::fine(SEALED, format!("nothing is wrong in {what}, as far as it can be seen here")));
    }
    for (why, names) in closed {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        findings.push(Finding::skipped(SEALED, format!("what is sealed in {}: {why}", batch::some(&names))));
    }
    recipients(run, store, &mut findings);
    git(run, selected, &mut findings);
    findings
}

fn unreadable(error: ContextError, named: bool) -> Finding {
    match error {
        // What others have shared is not ours to be given.
        ContextError::Store(StoreFileError::Disk(error)) if !named || matches!(error, DiskError::TooOpen { .. }) => {
            places::file(FILE, true, error)
        }
        error => Finding::problem(FILE, error),
    }
}

/// The standard store that is not there yet; one that was named has to be there.
fn absent(run: &Run<'_>) -> Finding {
    if run.context.has_netosecret() {
        return Finding::fine(FILE, "there is none, and NETOSECRET makes a profile");
    }
    let message = format!("there is no store at {} yet", run.context.paths.store.display());
    Finding::warning(FILE, Error::new(Code::Store, message).with_hint("neto profile add"))
}

/// What is wrong in each, one thing a profile: what neto would say first. Those whose secret stayed closed, by the reason.
fn profiles<'s>(
    run: &Run<'_>,
    store: &Store,
    selected: &'s [Selected<'_>],
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Vec<&'s ProfileName>> {
    let mut closed: BTreeMap<String, Vec<&ProfileName>> = BTreeMap::new();
    for name in selected.iter().map(|one| &*one.name) {
        // The profile of NETOSECRET is in no store.
        let Some(entry) = store.entry(name) else { continue };
        let profile = match &entry.profile {
            Ok(profile) => profile,
            Err(fault) => {
                findings.push(Finding::problem_of(PROFILE, name, run.context.fault(name, fault.clone())));
                continue;
            }
        };
        match check::look(run, store, profile) {
            Seen::Wrong(error) => {
                findings.push(Finding::problem_of(SEALED, name, error));
                continue;
            }
            Seen::Closed(why) => closed.entry(why.to_string()).or_default().push(name),
            Seen::Fine => {}
        }
        match run.context.vault.see_trust(profile) {
            // A memory that cannot be read is told of among the places.
            Ok(_) | Err(VaultError::Memory(_)) => findings.extend(source(run, profile)),
            Err(error) => findings.push(Finding::problem_of("store.trust", name, error)),
        }
    }
    closed
}

/// Whether what a secret comes from is there; it is not run, since it may ask.
fn source(run: &Run<'_>, profile: &Profile) -> Option<Finding> {
    let environment = &run.context.process.environment;
    let what = match &profile.secret {
        SecretPlace::Command(words) => {
            find_program(words.first()?, environment.get("PATH")).err().map(|error| format!("the command: {error}"))
        }
        SecretPlace::File(path) => {
            let rules = Rules { cap: u64::MAX, privacy: Privacy::NotWritable };
            match disk::examine(path, rules) {
                Ok(true) => None,
                Ok(false) => Some(format!("there is no file {}", path.display())),
                Err(error) => Some(error.to_string()),
            }
        }
        SecretPlace::Env(name) => environment.get(name).is_none().then(|| format!("the variable '{name}' is not set")),
        SecretPlace::None | SecretPlace::Clear(_) | SecretPlace::Sealed(_) => None,
    }?;
    let error = Error::new(Code::Secret, format!("what its secret comes from: {what}"));
    Some(Finding::problem_of(SOURCE, &profile.name, error.with_hint("neto profile show NAME")))
}

fn recipients(run: &Run<'_>, store: &Store, findings: &mut Vec<Finding>) {
    let vault = &run.context.vault;
    let own = vault.own_keys();
    if store.recipients.is_empty() {
        return;
    }
    match own.first() {
        None => findings
            .push(Finding::skipped(RECIPIENTS, "the own public key is not known as long as the identity is closed")),
        Some(key) if !store.recipients.values().any(|known| own.contains(known)) => {
            let name = own_name(run, None).map_or_else(|_| "NAME".to_owned(), |name| name.to_string());
            let line = format!("neto recipient add {name} {key}    for somebody to run who can open the store");
            let error = Error::new(
                Code::Secret,
                "your identity is not among the recipients: what is sealed to them does not open here",
            );
            findings.push(Finding::problem(RECIPIENTS, error.with_hint(line)));
        }
        Some(_) => {}
    }
    let Ok(memory) = vault.memory() else { return };
    let memory = memory.borrow();
    for (name, key) in &store.recipients {
        if !memory.knows_recipient(key) && !own.contains(key) {
            findings.push(Finding::warning(RECIPIENTS, VaultError::StrangeRecipient(name.clone())));
        }
        let missing = |program: &String| find_program(program, run.context.process.environment.get("PATH")).is_err();
        if let Some(program) = plugin_of(key).filter(missing) {
            let message = format!("sealing to the recipient '{name}' runs {program}, which is not found");
            let error = Error::new(Code::Secret, message).with_hint("install it, or put its folder on PATH");
            findings.push(Finding::warning(RECIPIENTS, error));
        }
    }
}

fn git(run: &Run<'_>, selected: &[Selected<'_>], findings: &mut Vec<Finding>) {
    let Some(git) = Git::of(run) else { return };
    let names: Vec<ProfileName> = selected.iter().map(|one| one.name.clone().into_owned()).collect();
    let found = git.look(run, &names);
    for key in &found.keys {
        findings.push(Finding::problem(GIT, check::key_in_git(key)));
    }
    if !found.staged.is_empty() {
        findings.push(Finding::problem(GIT, check::staged_before(run)));
    }
    if let Some(why) = found.why {
        findings.push(Finding::warning(GIT, Error::new(Code::Found, why)));
        return;
    }
    let keys = &run.context.paths.keys;
    let would_take = |file: PathBuf| file.exists() && git.would_take(run, &file);
    if found.keys.is_empty() && [keys.identity_file(), keys.device_file()].into_iter().any(would_take) {
        let folder = keys.path();
        let message = format!("git would take the keys in {} with the next `git add`", folder.display());
        let line = format!("echo '*' > {}", quoted(&folder.join(".gitignore").to_string_lossy()));
        findings.push(Finding::warning(GIT, Error::new(Code::Found, message).with_hint(line)));
    }
}
