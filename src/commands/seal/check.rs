//! What `neto seal --check` finds: for a pre-commit hook and CI. It asks nobody and changes nothing.

use crate::commands::seal::is_for_today;
use crate::disk::{self, Privacy, Rules};
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::{clean, quoted};
use crate::profile::{Document, Profile, ProfileName, SecretPlace, Store};
use crate::secret::{Binding, check_sealed};
use crate::session::{VaultError, check_bound};
use crate::workflow::Run;
use crate::workflow::git::Git;

/// A secret key of age, or one that names a plugin's, as git's extended expressions say it.
const SECRET_KEY: &str = "(^|[^A-Za-z0-9])AGE-(SECRET-KEY-(PQ-)?|PLUGIN-[A-Z0-9-]+-)1[0-9A-Z]{20,}";

/// Where neto itself keeps keys and tokens, below any folder that was made a repository.
const OWN_FILES: [&str; 3] =
    [":(top,glob)**/keys/identity.txt", ":(top,glob)**/keys/device.key", ":(top,glob)**/tokens/*.token"];

/// The store has been read already by the time that it is compared.
const STORE_RULES: Rules = Rules { cap: 64 * 1024 * 1024, privacy: Privacy::NotWritable };

/// How a secret stands in the store.
pub(crate) enum Seen {
    /// As it should, as far as it can be seen.
    Fine,
    /// Not so.
    Wrong(Error),
    /// What can be seen without opening it is as it should be, and this run's keys do not open it, or would ask.
    Closed(VaultError),
}

/// What git has, or is about to take.
#[derive(Default)]
pub(crate) struct InGit {
    /// Files with keys, by their path from where git was asked.
    pub(crate) keys: Vec<String>,
    /// What is wrong in the store as git is about to take it, a line each.
    pub(crate) staged: Vec<String>,
    /// Why git could not be asked, where there is a repository.
    pub(crate) why: Option<String>,
}

/// Says what is not sealed as it should be; exit 9 when something is.
pub(crate) fn run(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Result<(), Error> {
    let profiles = wrong_profiles(run, names, store);
    let git = Git::of(run).map(|git| git.look(run, names)).unwrap_or_default();
    let staged = git.staged.iter().map(|line| format!("staged: {line}"));
    let files = git.keys.iter().map(|path| format!("{path}: git tracks this key"));
    let lines: Vec<String> = profiles.iter().cloned().chain(staged).chain(files).chain(git.why.clone()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = lines.iter().map(|line| clean(line)).collect();
    run.ui.answer(&format!("{}\n", lines.join("\n")))?;
    Err(match (git.keys.first(), profiles.len(), git.staged.len()) {
        (Some(key), ..) => key_in_git(key),
        (None, 0, 0) => Error::new(Code::Found, "what git is about to take could not be looked at"),
        (None, 0, _) => staged_before(run),
        (None, wrong, staged) => {
            Error::new(Code::Found, format!("{} not sealed as it should be", count(wrong + staged, "profile")))
                .with_hint("neto seal")
        }
    })
}

/// A file with a key is in git.
pub(crate) fn key_in_git(key: &str) -> Error {
    Error::new(Code::Found, "a key that opens secrets is in git")
        .with_hint(format!("git rm --cached {}    and rotate what it opens, if it was pushed", quoted(key)))
}

/// What lies there is right, and what git is about to take is not.
pub(crate) fn staged_before(run: &Run<'_>) -> Error {
    Error::new(Code::Found, "git is about to take the store as it was before")
        .with_hint(format!("git add {}", quoted(&run.context.paths.store.to_string_lossy())))
}

fn wrong_profiles(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Vec<String> {
    let entries = names.iter().filter_map(|name| store.entry(name));
    let wrong = entries.filter_map(|entry| match &entry.profile {
        Err(fault) => Some(format!("{}: {fault}", entry.name)),
        Ok(profile) => match look(run, store, profile) {
            Seen::Wrong(error) => Some(format!("{}: {}", entry.name, error.message())),
            Seen::Fine | Seen::Closed(_) => None,
        },
    });
    wrong.collect()
}

/// Looks at the secret of a profile of `store`; asks nobody.
pub(crate) fn look(run: &Run<'_>, store: &Store, profile: &Profile) -> Seen {
    match &profile.secret {
        SecretPlace::Clear(_) => Seen::Wrong(unsealed("its secret stands in clear")),
        SecretPlace::Sealed(text) => {
            if let Err(error) = check_sealed(text) {
                return Seen::Wrong(error.into());
            }
            if !is_for_today(store, profile) {
                return Seen::Wrong(unsealed("it is sealed to others than declared"));
            }
            binding(run, profile, text)
        }
        _ => Seen::Fine,
    }
}

fn unsealed(what: &str) -> Error {
    Error::new(Code::Store, what).with_hint("neto seal NAME")
}

/// Where this machine's identity opens the secret without asking anybody: what the seal contradicts.
fn binding(run: &Run<'_>, profile: &Profile, text: &str) -> Seen {
    let today = match Binding::of(profile) {
        Ok(today) => today,
        Err(error) => return Seen::Wrong(error.into()),
    };
    match run.context.vault.open(text, &()) {
        Ok(opened) => {
            check_bound(&opened, &today, profile).map_or_else(|error| Seen::Wrong(error.into()), |()| Seen::Fine)
        }
        // What others alone can open is theirs to check.
        Err(error) if error.is_for_others() || error.wants_a_person() => Seen::Closed(error),
        Err(error) => Seen::Wrong(error.into()),
    }
}

impl Git {
    /// What it has of keys, and of the store where that is something else than what lies there.
    pub(crate) fn look(&self, run: &Run<'_>, names: &[ProfileName]) -> InGit {
        let grep = ["grep", "--cached", "-z", "-l", "-a", "-E", "-e", SECRET_KEY, "--", ":/"];
        let listed = ["ls-files", "--cached", "-z", "--"];
        let listed: Vec<&str> = listed.into_iter().chain(OWN_FILES).collect();
        let mut found = InGit::default();
        // grep says with 1 that there is nothing.
        match (self.paths(run, &grep, &[0, 1]), self.paths(run, &listed, &[0])) {
            (Ok(holding), Ok(own)) => {
                found.keys = holding;
                found.keys.extend(own);
                found.keys.sort_unstable();
                found.keys.dedup();
            }
            (Err(why), _) | (_, Err(why)) => found.why = Some(format!("git: {why}")),
        }
        if let Some(staged) = self.staged(run) {
            found.staged = match staged {
                Ok(document) => wrong_profiles(run, names, document.store()),
                Err(error) => vec![error],
            };
        }
        found
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
