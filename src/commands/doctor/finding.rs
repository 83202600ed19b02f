//! Result of a check: its message, its fix, and how it is printed.

use crate::disk;
use crate::error::{Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{ChecklistItem, Column, Row, quote_for_display};
use crate::profile::ProfileName;
use crate::workflow::Run;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FindingState {
    /// The check passed.
    Ok,
    /// neto works, but the user should read the message.
    Warning,
    /// Something does not work, or is accessible to others.
    Problem,
    /// The check was not made.
    Skipped,
}

/// Result of a check. The name of the check is `GROUP.WORD`.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    profile: Option<ProfileName>,
    pub(super) state: FindingState,
    message: String,
    fix: Option<String>,
    #[serde(skip)]
    auto_fix: Option<AutoFix>,
}

/// Repair that `--fix` makes. No repair changes secrets, trust or the store.
#[derive(Debug)]
pub(super) enum AutoFix {
    /// Removes these permission bits.
    RemovePermissions(PathBuf, u32),
    /// Removes temporary files of killed runs.
    RemoveFiles(Vec<PathBuf>),
    /// Creates a private directory.
    CreateDirectory(PathBuf),
    /// Writes the `.gitignore` that excludes the keys from git.
    WriteGitignore(PathBuf),
}

/// Minimum number of profiles with the same `Ok` finding that the checklist combines into one line.
const MIN_GROUPED_PROFILES: usize = 10;

/// Command that makes the repairs.
pub(super) const FIX_COMMAND: &str = "neto doctor --fix";

impl Finding {
    fn new(check: &'static str, state: FindingState, message: impl Into<String>) -> Self {
        Self { check, profile: None, state, message: message.into(), fix: None, auto_fix: None }
    }

    /// Returns the finding of a passed check.
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, FindingState::Ok, message)
    }

    /// Returns the finding of a check that was not made, with the reason.
    pub(super) fn skipped(check: &'static str, reason: impl fmt::Display) -> Self {
        Self::new(check, FindingState::Skipped, format!("not checked: {reason}"))
    }

    /// Returns a warning with the message and the hint of the error.
    pub(super) fn warning(check: &'static str, error: impl Into<Error>) -> Self {
        Self::from_error(check, FindingState::Warning, &error.into())
    }

    /// Returns a problem with the message and the hint of the error.
    pub(super) fn problem(check: &'static str, error: impl Into<Error>) -> Self {
        Self::from_error(check, FindingState::Problem, &error.into())
    }

    fn from_error(check: &'static str, state: FindingState, error: &Error) -> Self {
        Self { fix: error.hint(), ..Self::new(check, state, error.message()) }
    }

    /// Returns a problem of one profile.
    pub(super) fn profile_problem(check: &'static str, profile: &ProfileName, error: impl Into<Error>) -> Self {
        Self::problem(check, error.into().about(profile)).for_profile(profile)
    }

    /// Returns a warning about one profile.
    pub(super) fn profile_warning(check: &'static str, profile: &ProfileName, error: impl Into<Error>) -> Self {
        Self::warning(check, error.into().about(profile)).for_profile(profile)
    }

    /// Sets the profile, and removes its name from the start of the message.
    pub(super) fn for_profile(self, profile: &ProfileName) -> Self {
        let message = self.message.strip_prefix(&format!("{profile}: ")).map(str::to_owned);
        Self { message: message.unwrap_or(self.message), profile: Some(profile.clone()), ..self }
    }

    /// Appends the number of other profiles with this finding, if the finding is a warning or a problem.
    pub(super) fn with_other_profiles(self, others: usize) -> Self {
        if others == 0 || !self.needs_attention() {
            return self;
        }
        self.with_suffix(&format!("so it is with {}", pluralize(others, "other profile")))
    }

    /// Appends text to the message.
    pub(super) fn with_suffix(self, suffix: &str) -> Self {
        Self { message: format!("{}; {suffix}", self.message), ..self }
    }

    /// Sets the fix that is shown.
    pub(super) fn with_fix(self, hint: &Hint) -> Self {
        Self { fix: Some(hint.to_string()), ..self }
    }

    /// Checks whether this finding needs attention and has the same message as `other`.
    pub(super) fn has_same_message(&self, other: &Self) -> bool {
        self.needs_attention() && self.message == other.message
    }

    /// Suggests renaming the file, so that neto creates a new file. Keeps a fix that is already set.
    pub(super) fn with_replace_fix(self, path: &Path) -> Self {
        if self.fix.is_some() {
            return self;
        }
        let path = quote_for_display(&path.to_string_lossy());
        self.with_fix(&Hint::command(format!("mv {path} {path}.before")).remark("neto makes another"))
    }

    /// Sets the repair that `--fix` makes.
    pub(super) fn with_auto_fix(self, auto_fix: AutoFix) -> Self {
        Self { auto_fix: Some(auto_fix), ..self }
    }

    /// Checks whether the finding is a warning or a problem.
    pub(super) fn needs_attention(&self) -> bool {
        matches!(self.state, FindingState::Warning | FindingState::Problem)
    }

    /// Returns the profile, if the finding is a problem.
    pub(super) fn problem_profile(&self) -> Option<&ProfileName> {
        self.profile.as_ref().filter(|_| self.state == FindingState::Problem)
    }

    /// Returns the repair that `--fix` makes; `None` if there is no automatic repair.
    pub(super) fn auto_fix(&self) -> Option<&AutoFix> {
        self.auto_fix.as_ref()
    }

    /// Returns the key by which `Ok` findings of profiles are grouped; `None` for other findings.
    fn group_key(&self) -> Option<(&'static str, &str)> {
        (self.state == FindingState::Ok && self.profile.is_some()).then_some((self.check, &self.message))
    }

    /// Returns the line of the checklist.
    fn checklist_item(&self) -> ChecklistItem {
        let group = self.check.split('.').next().unwrap_or_default();
        let (initial, tail) = group.split_at(group.len().min(1));
        let (symbol, style) = match self.state {
            FindingState::Ok => ('✓', AnsiColor::Green.on_default()),
            FindingState::Warning => ('!', AnsiColor::Yellow.on_default()),
            FindingState::Problem => ('✕', AnsiColor::Red.on_default()),
            FindingState::Skipped => ('-', Style::new().dimmed()),
        };
        let profile = self.profile.as_ref().map(|profile| format!("{profile}: ")).unwrap_or_default();
        ChecklistItem {
            heading: initial.to_ascii_uppercase() + tail,
            symbol,
            style,
            text: profile + &self.message,
            fix: self.fix.clone(),
        }
    }
}

/// Returns the checklist. Equal `Ok` findings of at least [`MIN_GROUPED_PROFILES`] profiles become one line.
pub(super) fn checklist(findings: &[Finding]) -> Vec<ChecklistItem> {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for key in findings.iter().filter_map(Finding::group_key) {
        *counts.entry(key).or_default() += 1;
    }
    let mut items = Vec::new();
    for finding in findings {
        match finding.group_key().map(|key| (key, counts.get(&key).copied().unwrap_or_default())) {
            Some((key, profiles @ MIN_GROUPED_PROFILES..)) => {
                let (check, message) = key;
                items.push(Finding::ok(check, format!("{profiles} profiles: {message}")).checklist_item());
                counts.insert(key, 0);
            }
            Some((_, 0)) => {}
            _ => items.push(finding.checklist_item()),
        }
    }
    items
}

impl Row for Finding {
    const FIELDS: &'static [&'static str] = &["check", "profile", "state", "message", "fix"];

    /// Returns no columns: the checklist replaces the table.
    fn columns() -> Vec<Column<Self>> {
        Vec::new()
    }
}

impl AutoFix {
    /// Makes the repair, and returns a shell command with the same effect.
    pub(super) fn apply(&self, run: &Run<'_>) -> Result<String, Error> {
        let quote = |path: &PathBuf| quote_for_display(&path.to_string_lossy());
        match self {
            Self::RemovePermissions(path, bits) => {
                disk::remove_permissions(path, *bits)?;
                let bits = if bits & 0o055 == 0 { "w" } else { "rwx" };
                Ok(format!("chmod go-{bits} {}", quote(path)))
            }
            Self::RemoveFiles(paths) => {
                paths.iter().try_for_each(|path| disk::remove(path).map(drop))?;
                Ok(format!("rm {}", paths.iter().map(quote).collect::<Vec<_>>().join(" ")))
            }
            Self::CreateDirectory(directory) => {
                disk::create_private_dir(directory)?;
                Ok(format!("mkdir {}", quote(directory)))
            }
            Self::WriteGitignore(file) => {
                run.context.paths.keys.protect_from_git()?;
                Ok(format!("made {}", quote(file)))
            }
        }
    }
}
