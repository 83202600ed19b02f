//! `neto seal --check`, for a pre-commit hook and CI. Never prompts and never changes a file.

use crate::commands::seal::is_sealed_to_current_recipients;
use crate::disk::{self, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{quote_for_display, sanitize_line};
use crate::profile::{Document, Profile, ProfileName, SecretLocation, Store};
use crate::secret::{Binding, check_sealed_text};
use crate::session::{VaultError, check_binding};
use crate::workflow::Run;
use crate::workflow::git::GitRepository;

/// Pattern of an age secret key or plugin identity, in the extended syntax of `git grep`.
const SECRET_KEY_PATTERN: &str = "(^|[^A-Za-z0-9])AGE-(SECRET-KEY-(PQ-)?|PLUGIN-[A-Z0-9-]+-)1[0-9A-Z]{20,}";

/// Git pathspecs of neto's own key and token files, below any directory of a repository.
const OWN_FILE_PATHSPECS: [&str; 3] =
    [":(top,glob)**/keys/identity.txt", ":(top,glob)**/keys/device.key", ":(top,glob)**/tokens/*.token"];

/// Rules for reading the store file, to compare it with its staged version.
const STORE_RULES: ReadRules = ReadRules { cap: 64 * 1024 * 1024, privacy: Privacy::NotWritable };

/// Result of checking the secret of one profile.
pub(crate) enum SealCheck {
    /// No problem found; the binding was checked if the secret is sealed.
    Valid,
    /// Secret that `neto seal` must fix, or that cannot be used.
    Invalid(Error),
    /// No problem visible without decrypting. Decryption needs another identity or a prompt.
    Undecryptable(VaultError),
}

/// Problems found in the git index.
#[derive(Default)]
pub(crate) struct GitFindings {
    /// Paths of tracked files that contain keys, relative to git's working directory.
    pub(crate) key_files: Vec<String>,
    /// Problems in the staged version of the store, one line each.
    pub(crate) staged_problems: Vec<String>,
    /// Reason why git failed in an existing repository.
    pub(crate) git_error: Option<String>,
}

/// Prints a line for each problem found in the profiles and in the git index.
///
/// # Errors
/// Returns [`Code::ProblemFound`] (exit 9) if there is a problem.
pub(crate) fn run(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Result<(), Error> {
    let profiles = profile_problems(run, names, store);
    let git = GitRepository::find(run).map(|git| git.inspect_index(run, names)).unwrap_or_default();
    let staged = git.staged_problems.iter().map(|line| format!("staged: {line}"));
    let key_files = git.key_files.iter().map(|path| format!("{path}: git tracks this key"));
    let lines: Vec<String> =
        profiles.iter().cloned().chain(staged).chain(key_files).chain(git.git_error.clone()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = lines.iter().map(|line| sanitize_line(line)).collect();
    run.ui.print(&format!("{}\n", lines.join("\n")))?;
    Err(match (git.key_files.first(), profiles.len(), git.staged_problems.len()) {
        (Some(key), ..) => tracked_key_error(key),
        (None, 0, 0) => Error::new(Code::ProblemFound, "what git is about to take could not be looked at"),
        (None, 0, _) => staged_outdated_error(run),
        (None, invalid, staged) => Error::new(
            Code::ProblemFound,
            format!("{} not sealed as it should be", pluralize(invalid + staged, "profile")),
        )
        .with_hint(Hint::command("neto seal")),
    })
}

/// Returns the error for a file with a key that git tracks.
pub(crate) fn tracked_key_error(key: &str) -> Error {
    Error::new(Code::ProblemFound, "a key that opens secrets is in git").with_hint(
        Hint::command(format!("git rm --cached {}", quote_for_display(key)))
            .remark("and rotate what it opens, if it was pushed"),
    )
}

/// Returns the error for a store that is valid on disk but has an invalid staged version.
pub(crate) fn staged_outdated_error(run: &Run<'_>) -> Error {
    Error::new(Code::ProblemFound, "git is about to take the store as it was before")
        .with_hint(Hint::command(format!("git add {}", quote_for_display(&run.context.paths.store.to_string_lossy()))))
}

fn profile_problems(run: &Run<'_>, names: &[ProfileName], store: &Store) -> Vec<String> {
    let entries = names.iter().filter_map(|name| store.entry(name));
    let problems = entries.filter_map(|entry| match &entry.profile {
        Err(fault) => Some(format!("{}: {fault}", entry.name)),
        Ok(profile) => match check_profile(run, store, profile) {
            SealCheck::Invalid(error) => Some(format!("{}: {}", entry.name, error.message())),
            SealCheck::Valid | SealCheck::Undecryptable(_) => None,
        },
    });
    problems.collect()
}

/// Checks the secret of one profile without prompting.
pub(crate) fn check_profile(run: &Run<'_>, store: &Store, profile: &Profile) -> SealCheck {
    match &profile.secret {
        SecretLocation::Plaintext(_) => SealCheck::Invalid(not_sealed_error("its secret stands in clear")),
        SecretLocation::Sealed(sealed_text) => {
            if let Err(error) = check_sealed_text(sealed_text) {
                return SealCheck::Invalid(error.into());
            }
            if !is_sealed_to_current_recipients(store, profile) {
                return SealCheck::Invalid(not_sealed_error("it is sealed to others than declared"));
            }
            check_seal_binding(run, profile, sealed_text)
        }
        _ => SealCheck::Valid,
    }
}

fn not_sealed_error(message: &str) -> Error {
    Error::new(Code::Store, message).with_hint(Hint::profile_command(|name| format!("neto seal {name}")))
}

/// Compares the sealed binding with the profile, if an identity can decrypt the secret without a prompt.
fn check_seal_binding(run: &Run<'_>, profile: &Profile, sealed_text: &str) -> SealCheck {
    let declared = match Binding::from_profile(profile) {
        Ok(declared) => declared,
        Err(error) => return SealCheck::Invalid(error.into()),
    };
    match run.context.vault.open(sealed_text, &()) {
        Ok(opened) => check_binding(&opened, &declared, profile)
            .map_or_else(|error| SealCheck::Invalid(error.into()), |()| SealCheck::Valid),
        // A secret that needs another identity or a prompt cannot be checked further here.
        Err(error) if error.is_wrong_identity() || error.needs_interaction() => SealCheck::Undecryptable(error),
        Err(error) => SealCheck::Invalid(error.into()),
    }
}

impl GitRepository {
    /// Finds keys in the git index, and problems in the staged version of the store.
    pub(crate) fn inspect_index(&self, run: &Run<'_>, names: &[ProfileName]) -> GitFindings {
        let grep = ["grep", "--cached", "-z", "-l", "-a", "-E", "-e", SECRET_KEY_PATTERN, "--", ":/"];
        let ls_files = ["ls-files", "--cached", "-z", "--"];
        let ls_files: Vec<&str> = ls_files.into_iter().chain(OWN_FILE_PATHSPECS).collect();
        let mut findings = GitFindings::default();
        // `git grep` exits 1 if nothing matches.
        match (self.list_paths(run, &grep, &[0, 1]), self.list_paths(run, &ls_files, &[0])) {
            (Ok(with_secret_keys), Ok(own_files)) => {
                findings.key_files = with_secret_keys;
                findings.key_files.extend(own_files);
                findings.key_files.sort_unstable();
                findings.key_files.dedup();
            }
            (Err(error), _) | (_, Err(error)) => findings.git_error = Some(format!("git: {error}")),
        }
        if let Some(staged) = self.staged_store(run) {
            findings.staged_problems = match staged {
                Ok(document) => profile_problems(run, names, document.store()),
                Err(error) => vec![error],
            };
        }
        findings
    }

    /// Returns the staged version of the store, or the reason why that version is invalid. Returns `None` if git has no
    /// staged version or fails, or if the version equals the file on disk.
    fn staged_store(&self, run: &Run<'_>) -> Option<Result<Document, String>> {
        let path = self.store.to_str()?;
        let tracked = self.list_paths(run, &["ls-files", "--cached", "--full-name", "-z", "--", path], &[0]).ok()?;
        let output = self.run(run, &["show", &format!(":{}", tracked.first()?)]).ok()?;
        let bytes = output.status.success().then_some(output.stdout)?;
        if disk::read(&self.store, STORE_RULES).is_ok_and(|on_disk| on_disk == bytes) {
            return None;
        }
        let directory = self.store.parent()?;
        Some(Document::parse(bytes, directory).map_err(|error| error.0.to_string()))
    }
}
