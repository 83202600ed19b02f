//! What `neto seal --check` finds: for a pre-commit hook and CI. It asks nobody and changes nothing.

use super::Run;
use super::git::Git;
use super::seal::is_for_today;
use super::words::count;
use crate::disk::{self, Privacy, Rules};
use crate::error::{Code, Error};
use crate::output::{clean, quoted};
use crate::profile::{Document, Profile, ProfileName, SecretPlace, Store};
use crate::secret::{Binding, check_sealed};
use crate::session::check_bound;

/// A secret key of age, or one that names a plugin's, as git's extended expressions say it.
const SECRET_KEY: &str = "(^|[^A-Za-z0-9])AGE-(SECRET-KEY-(PQ-)?|PLUGIN-[A-Z0-9-]+-)1[0-9A-Z]{20,}";

/// Where neto itself keeps keys and tokens, below any folder that was made a repository.
const OWN_FILES: [&str; 3] =
    [":(top,glob)**/keys/identity.txt", ":(top,glob)**/keys/device.key", ":(top,glob)**/tokens/*.token"];

/// The store has been read already by the time that it is compared.
const STORE_RULES: Rules = Rules { cap: 64 * 1024 * 1024, privacy: Privacy::NotWritable };

/// What was found.
#[derive(Default)]
struct Found {
    /// Of profiles, and what git is about to take of them.
    profiles: Vec<String>,
    /// Whether any of it is in what git is about to take alone.
    staged: bool,
    /// Files with keys, by their path from where git was asked.
    keys: Vec<String>,
    /// Why git could not be asked, where there is a repository.
    git: Option<String>,
}

/// Says what is not sealed as it should be; exit 9 when something is.
pub(super) fn run(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Result<(), Error> {
    let mut found = Found { profiles: wrong_profiles(run, names, store), ..Found::default() };
    if let Some(git) = Git::of(run) {
        git.look(run, names, &mut found);
    }
    let files = found.keys.iter().map(|path| format!("{path}: git tracks this key"));
    let lines: Vec<String> = found.profiles.iter().cloned().chain(files).chain(found.git.clone()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = lines.iter().map(|line| clean(line)).collect();
    run.ui.answer(&format!("{}\n", lines.join("\n")))?;
    Err(match (found.keys.first(), found.profiles.len()) {
        (Some(key), _) => Error::new(Code::Found, "a key that opens secrets is in git")
            .with_hint(format!("git rm --cached {}    and rotate what it opens, if it was pushed", quoted(key))),
        (None, 0) => Error::new(Code::Found, "what git is about to take could not be looked at"),
        (None, _) if found.staged => Error::new(Code::Found, "git is about to take the store as it was before")
            .with_hint(format!("git add {}", quoted(&run.context.paths.store.to_string_lossy()))),
        (None, wrong) => Error::new(Code::Found, format!("{} not sealed as it should be", count(wrong, "profile")))
            .with_hint("neto seal"),
    })
}

fn wrong_profiles(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Vec<String> {
    let entries = names.iter().filter_map(|name| store.entry(name));
    let wrong = entries.filter_map(|entry| match &entry.profile {
        Err(fault) => Some(format!("{}: {fault}", entry.name)),
        Ok(profile) => Some(format!("{}: {}", entry.name, what_is_wrong(run, store, profile)?)),
    });
    wrong.collect()
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
        // What others alone can open is theirs to check.
        Err(error) if error.is_for_others() || error.wants_a_person() => None,
        Err(error) => Some(error.to_string()),
    }
}

impl Git {
    fn look(&self, run: &Run<'_>, names: &[ProfileName], found: &mut Found) {
        let grep = ["grep", "--cached", "-z", "-l", "-a", "-E", "-e", SECRET_KEY, "--", ":/"];
        let listed = ["ls-files", "--cached", "-z", "--"];
        let listed: Vec<&str> = listed.into_iter().chain(OWN_FILES).collect();
        // grep says with 1 that there is nothing.
        match (self.paths(run, &grep, &[0, 1]), self.paths(run, &listed, &[0])) {
            (Ok(holding), Ok(own)) => {
                found.keys = holding;
                found.keys.extend(own);
                found.keys.sort_unstable();
                found.keys.dedup();
            }
            (Err(why), _) | (_, Err(why)) => found.git = Some(format!("git: {why}")),
        }
        if let Some(staged) = self.staged(run) {
            let what = match staged {
                Ok(document) => wrong_profiles(run, names, document.store()),
                Err(error) => vec![error],
            };
            found.staged = found.profiles.is_empty() && !what.is_empty();
            found.profiles.extend(what.into_iter().map(|line| format!("staged: {line}")));
        }
    }

    /// The store as git is about to take it, where that is something else than what lies there.
    fn staged(&self, run: &Run<'_>) -> Option<Result<Document, String>> {
        let path = self.store.to_str()?;
        let tracked = self.paths(run, &["ls-files", "--cached", "--full-name", "-z", "--", path], &[0]).ok()?;
        let shown = self.run(run, &["show", &format!(":{}", tracked.first()?)]).ok()?;
        let bytes = shown.status.success().then_some(shown.stdout)?;
        if disk::read(&self.store, STORE_RULES).is_ok_and(|now| now == bytes) {
            return None;
        }
        let folder = self.store.parent()?;
        Some(Document::parse(bytes, folder).map_err(|error| error.0.to_string()))
    }
}
