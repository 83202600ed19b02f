//! Hints and exit codes for the errors of `profile`.

use super::{Code, Error, Hint, quote_path};
use crate::disk::DiskError;
use crate::profile::{CurrentError, EditError, ResolveError, SelectionError, StoreError, StoreFileError, StoreProblem};
use std::fmt;

impl From<StoreFileError> for Error {
    fn from(error: StoreFileError) -> Self {
        match error {
            StoreFileError::Disk(disk) => {
                let code = if matches!(disk, DiskError::Io { .. }) { Code::System } else { Code::Store };
                Self { code, ..disk.into() }
            }
            StoreFileError::Store { ref path, error: StoreError(ref fault) } => {
                let message = format!("{}: {fault}", path.display());
                Self::hinted(Code::Store, &message, store_problem_hint(&fault.problem))
            }
            StoreFileError::Edit(edit) => edit.into(),
            StoreFileError::TwoStores(ref own, _) => {
                let own = quote_path(own);
                let hint = Hint::command(format!("mv {own} {own}.before")).remark("and run this again");
                Self::hinted(Code::Store, &error, hint)
            }
            StoreFileError::DanglingLink(..) => {
                let hint = Hint::command("neto init --link FILE").remark("with the place where it is now");
                Self::hinted(Code::System, &error, hint)
            }
            StoreFileError::NotFound(_) => Self::hinted(Code::Store, &error, Hint::command("neto profile add")),
            StoreFileError::ChangedMeanwhile(_) => {
                Self::hinted(Code::Store, &error, Hint::advice("run the same command again"))
            }
        }
    }
}

/// Returns the hint for a problem in the store file, or `None` if the problem has no general solution.
pub(super) fn store_problem_hint(problem: &StoreProblem) -> Option<Hint> {
    Some(match problem {
        StoreProblem::UnknownKey { similar: Some(similar) }
        | StoreProblem::UnknownRecipient { similar: Some(similar) } => Hint::did_you_mean(&[similar]),
        StoreProblem::Version => Hint::advice("a newer neto wrote this store; install that one"),
        StoreProblem::ConflictMarkers { .. } => {
            Hint::advice("finish the merge: keep one side, or both, and take the markers out")
        }
        StoreProblem::Utf16 => Hint::advice("save the file as UTF-8"),
        _ => return None,
    })
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Self::new(Code::Store, error.to_string())
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        let (code, hint) = match &error {
            ResolveError::Current(inner) => return Self::hinted(Code::System, inner, current_file_hint(inner)),
            ResolveError::Argument(_) => (Code::Usage, Hint::command("neto profile list")),
            ResolveError::NetoProfile(_) => (Code::Store, Hint::command("unset NETO_PROFILE")),
            ResolveError::Pin { path, .. } => {
                let remove = Hint::command(format!("rm {}", quote_path(path)));
                (Code::Store, remove.remark("or let it hold the name of a profile"))
            }
            ResolveError::Unknown { name, is_store_empty: true, .. } => (Code::Store, add_profile_hint(name)),
            ResolveError::Unknown { similar, .. } => (Code::Store, similar_profiles_hint(similar)),
            ResolveError::TwoNames => (Code::Usage, Hint::advice("name it once")),
            ResolveError::NoNetosecret => (Code::Store, Hint::command("export NETOSECRET=...")),
            ResolveError::Empty => (Code::Store, Hint::command("neto profile add")),
            ResolveError::NoneSelected { explicit, names } => (Code::Store, select_one_hint(*explicit, names)),
        };
        Self::hinted(code, &error, hint)
    }
}

/// Returns the hint to select one of `names`: `-p` in a store with `explicit = true`, which ignores `neto use`.
fn select_one_hint(explicit: bool, names: &[String]) -> Hint {
    let command = if explicit { "-p" } else { "neto use" };
    match names {
        [] => Hint::command(format!("{command} NAME")),
        [name] => Hint::command(format!("{command} {name}")),
        [name, others @ ..] => Hint::command(format!("{command} {name}")).remark(format!("or {}", others.join(", "))),
    }
}

fn add_profile_hint(name: &impl fmt::Display) -> Hint {
    Hint::command(format!("neto profile add {name}"))
}

/// Returns the hint for an unknown name: the similar names or, if there are none, the command that lists the profiles.
fn similar_profiles_hint(similar: &[String]) -> Hint {
    if similar.is_empty() { Hint::command("neto profile list") } else { Hint::did_you_mean(similar) }
}

impl From<SelectionError> for Error {
    fn from(error: SelectionError) -> Self {
        let (code, hint) = match &error {
            SelectionError::Name(_) => (Code::Usage, Hint::command("neto profile list")),
            SelectionError::Unknown { name, is_store_empty: true, .. } => (Code::Store, add_profile_hint(name)),
            SelectionError::Unknown { similar, .. } => (Code::Store, similar_profiles_hint(similar)),
            SelectionError::NoMatch { is_store_empty: true, .. } => {
                (Code::Store, Hint::command("neto profile add").remark("the store has no profile yet"))
            }
            SelectionError::NoMatch { available, .. } => (Code::Store, Hint::command("neto ls").remark(available)),
            SelectionError::NoneNamed => (Code::Usage, Hint::advice("name some, or give --tag TAG, or --all")),
        };
        Self::hinted(code, &error, hint)
    }
}

impl From<CurrentError> for Error {
    fn from(error: CurrentError) -> Self {
        let hint = current_file_hint(&error);
        match error {
            CurrentError::Disk(error) if hint.is_none() => error.into(),
            _ => Self::hinted(Code::System, &error, hint),
        }
    }
}

/// Returns the hint to remove an invalid file that records the current profile, because no command overwrites an
/// invalid file. Returns `None` for other errors.
fn current_file_hint(error: &CurrentError) -> Option<Hint> {
    match error {
        CurrentError::Content(path) => Some(Hint::command(format!("rm {}", quote_path(path)))),
        CurrentError::Disk(DiskError::NotAFile { path, .. } | DiskError::TooLarge { path, .. }) => {
            Some(Hint::command(format!("rm -r {}", quote_path(path))))
        }
        CurrentError::Disk(_) => None,
    }
}
