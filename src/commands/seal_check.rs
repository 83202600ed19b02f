//! What `neto seal --check` finds: for a pre-commit hook and CI. It asks nobody and changes nothing.

use super::Run;
use super::seal::is_for_today;
use super::variables::keys;
use super::words::count;
use crate::error::{Code, Error};
use crate::output::{clean, quoted};
use crate::profile::{Profile, ProfileName, SecretPlace, Store};
use crate::secret::{Binding, check_sealed};
use crate::session::{VaultError, check_bound};
use std::path::Path;
use std::process::{Command, Stdio};

/// A line that holds a secret key of age, as git's extended expressions say it.
const SECRET_KEY: &str = "^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{50,}";

/// Says what is not sealed as it should be; exit 9 when something is.
pub(super) fn run(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Result<(), Error> {
    let entries = names.iter().filter_map(|name| store.entry(name));
    let wrong = entries.filter_map(|entry| match &entry.profile {
        Err(fault) => Some(format!("{}: {fault}", entry.name)),
        Ok(profile) => Some(format!("{}: {}", entry.name, what_is_wrong(run, store, profile)?)),
    });
    let profiles: Vec<String> = wrong.collect();
    let tracked = tracked_keys(run);
    if profiles.is_empty() && tracked.is_empty() {
        return Ok(());
    }
    let files = tracked.iter().map(|path| format!("{path}: git tracks this key"));
    let lines: Vec<_> = profiles.iter().cloned().chain(files).map(|line| clean(&line).into_owned()).collect();
    run.ui.answer(&format!("{}\n", lines.join("\n")))?;
    Err(match tracked.first() {
        Some(key) => Error::new(Code::Found, "a key that opens secrets is in git")
            .with_hint(format!("git rm --cached {}    and rotate what it opens, if it was pushed", quoted(key))),
        None => Error::new(Code::Found, format!("{} not sealed as it should be", count(profiles.len(), "profile")))
            .with_hint("neto seal"),
    })
}

fn what_is_wrong(run: &Run<'_>, store: &Store, profile: &Profile) -> Option<String> {
    match &profile.secret {
        SecretPlace::Clear(_) => Some("its secret stands in clear".to_owned()),
        SecretPlace::Sealed(text) => {
            if let Err(error) = check_sealed(text) {
                return Some(error.to_string());
            }
            if !is_for_today(store, profile) {
                return Some("it is sealed to others than declared".to_owned());
            }
            is_bound_elsewhere(run, profile, text)
        }
        _ => None,
    }
}

/// Where this machine's identity opens the secret without asking anybody: what the seal contradicts.
fn is_bound_elsewhere(run: &Run<'_>, profile: &Profile, text: &str) -> Option<String> {
    let today = match Binding::of(profile) {
        Ok(today) => today,
        Err(error) => return Some(error.to_string()),
    };
    match run.context.vault.open(text, &()) {
        Ok(opened) => check_bound(&opened, &today, profile).err().map(|error| error.to_string()),
        // What others can open is theirs to check.
        Err(VaultError::Key(_)) => None,
        Err(VaultError::Open(error)) if error.is_of_another_key() => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Files with a secret key of age in what git is about to commit, in the repository of the store; none where there is
/// no git or no repository.
fn tracked_keys(run: &Run<'_>) -> Vec<String> {
    let environment = &run.context.process.environment;
    let Ok(store) = run.context.paths.store.canonicalize() else { return Vec::new() };
    let mut git = Command::new("git");
    // A hook is started in the right folder, with variables that are relative to it.
    let in_hook = ["GIT_DIR", "GIT_INDEX_FILE"].iter().any(|name| environment.get(name).is_some());
    git.current_dir(if in_hook { &run.context.process.folder } else { store.parent().unwrap_or(Path::new("/")) });
    git.args(["grep", "--cached", "-z", "-l", "-I", "-E", "-e", SECRET_KEY, "--", ":/"]);
    for name in keys(environment) {
        git.env_remove(name);
    }
    let Ok(output) = git.stdin(Stdio::null()).stderr(Stdio::null()).output() else { return Vec::new() };
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
