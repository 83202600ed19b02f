//! One thing that a check found, what mends it, and how it is told.

use crate::disk;
use crate::error::Error;
use crate::output::humanize::count;
use crate::output::{Cell, Checked, Column, Row, quoted};
use crate::profile::ProfileName;
use crate::workflow::Run;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should.
    Ok,
    /// Worth knowing, and neto does its work.
    Warning,
    /// Something does not work, or is open to others.
    Problem,
    /// It was not looked at.
    Skipped,
}

/// One thing that a check found. Its check is `GROUP.WORD`.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    profile: Option<ProfileName>,
    pub(super) state: State,
    message: String,
    fix: Option<String>,
    #[serde(skip)]
    mend: Option<Mend>,
}

/// What `--fix` may do: nothing about secrets, trust or what the store says.
#[derive(Debug)]
pub(super) enum Mend {
    /// Take these permission bits away.
    Narrow(PathBuf, u32),
    /// Remove what killed runs left.
    Remove(Vec<PathBuf>),
    /// Make a folder.
    Make(PathBuf),
    /// Keep git from taking the keys.
    Ignore(PathBuf),
}

/// From so many profiles on, those that are well are counted.
const MANY: usize = 10;

/// What `--fix` is called in a line to paste.
pub(super) const FIX: &str = "neto doctor --fix";

impl Finding {
    fn new(check: &'static str, state: State, message: impl Into<String>) -> Self {
        Self { check, profile: None, state, message: message.into(), fix: None, mend: None }
    }

    /// All is well.
    pub(super) fn fine(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Ok, message)
    }

    /// It was not looked at, and why.
    pub(super) fn skipped(check: &'static str, why: impl fmt::Display) -> Self {
        Self::new(check, State::Skipped, format!("not checked: {why}"))
    }

    /// Worth knowing.
    pub(super) fn warning(check: &'static str, error: impl Into<Error>) -> Self {
        Self::told(check, State::Warning, &error.into())
    }

    /// Something that does not work.
    pub(super) fn problem(check: &'static str, error: impl Into<Error>) -> Self {
        Self::told(check, State::Problem, &error.into())
    }

    fn told(check: &'static str, state: State, error: &Error) -> Self {
        Self { fix: error.hint().map(str::to_owned), ..Self::new(check, state, error.message()) }
    }

    /// A problem of one profile.
    pub(super) fn problem_of(check: &'static str, profile: &ProfileName, error: impl Into<Error>) -> Self {
        Self::problem(check, error.into().about(profile)).of(profile)
    }

    /// The same, worth knowing.
    pub(super) fn warning_of(check: &'static str, profile: &ProfileName, error: impl Into<Error>) -> Self {
        Self::warning(check, error.into().about(profile)).of(profile)
    }

    /// It is about this profile.
    pub(super) fn of(self, profile: &ProfileName) -> Self {
        let message = self.message.strip_prefix(&format!("{profile}: ")).map(str::to_owned);
        Self { message: message.unwrap_or(self.message), profile: Some(profile.clone()), ..self }
    }

    /// So many other profiles have it too.
    pub(super) fn shared(self, others: usize) -> Self {
        if others == 0 || !self.is_found() {
            return self;
        }
        self.adding(&format!("so it is with {}", count(others, "other profile")))
    }

    /// With this behind what is said.
    pub(super) fn adding(self, more: &str) -> Self {
        Self { message: format!("{}; {more}", self.message), ..self }
    }

    /// With this line to paste.
    pub(super) fn fix(self, line: impl Into<String>) -> Self {
        Self { fix: Some(line.into()), ..self }
    }

    /// Whether it is what another finding says.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        self.is_found() && self.message == other.message
    }

    /// Unless something mends it already: out of the way with it, and neto makes another.
    pub(super) fn replaced(self, path: &Path) -> Self {
        if self.fix.is_some() {
            return self;
        }
        let path = quoted(&path.to_string_lossy());
        self.fix(format!("mv {path} {path}.before\n(neto makes another)"))
    }

    /// `--fix` mends it.
    pub(super) fn mended_by(self, mend: Mend) -> Self {
        Self { mend: Some(mend), ..self }
    }

    /// Whether the user has something to do.
    pub(super) fn is_found(&self) -> bool {
        matches!(self.state, State::Warning | State::Problem)
    }

    /// The profile, where it has this problem.
    pub(super) fn hindered(&self) -> Option<&ProfileName> {
        self.profile.as_ref().filter(|_| self.state == State::Problem)
    }

    /// What `--fix` would do about it.
    pub(super) fn mend(&self) -> Option<&Mend> {
        self.mend.as_ref()
    }

    /// What makes it one of many alike: profiles of which nothing is to be said but that all is well.
    fn alike(&self) -> Option<(&'static str, &str)> {
        (self.state == State::Ok && self.profile.is_some()).then_some((self.check, &self.message))
    }

    /// As a line of the page for people.
    fn checked(&self) -> Checked {
        let group = self.check.split('.').next().unwrap_or_default();
        let (first, rest) = group.split_at(group.len().min(1));
        let (sign, colour) = match self.state {
            State::Ok => ('✓', AnsiColor::Green.on_default()),
            State::Warning => ('!', AnsiColor::Yellow.on_default()),
            State::Problem => ('✕', AnsiColor::Red.on_default()),
            State::Skipped => ('-', Style::new().dimmed()),
        };
        let profile = self.profile.as_ref().map(|profile| format!("{profile}: ")).unwrap_or_default();
        Checked {
            heading: first.to_ascii_uppercase() + rest,
            sign,
            style: colour,
            text: profile + &self.message,
            line: self.fix.clone(),
        }
    }
}

/// The page for people, on which many profiles that are well are one line.
pub(super) fn page(findings: &[Finding]) -> Vec<Checked> {
    let mut alike: BTreeMap<_, usize> = BTreeMap::new();
    for kind in findings.iter().filter_map(Finding::alike) {
        *alike.entry(kind).or_default() += 1;
    }
    let mut page = Vec::new();
    for finding in findings {
        match finding.alike().map(|kind| (kind, alike.get(&kind).copied().unwrap_or_default())) {
            Some((kind, profiles @ MANY..)) => {
                let (check, message) = kind;
                page.push(Finding::fine(check, format!("{profiles} profiles: {message}")).checked());
                alike.insert(kind, 0);
            }
            Some((_, 0)) => {}
            _ => page.push(finding.checked()),
        }
    }
    page
}

impl Row for Finding {
    const FIELDS: &'static [&'static str] = &["check", "profile", "state", "message", "fix"];

    /// None: people get a page in place of a table.
    fn columns() -> Vec<Column> {
        Vec::new()
    }

    fn cells(&self) -> Vec<Cell> {
        Vec::new()
    }
}

impl Mend {
    /// Does it; what was done, as a line that does the same.
    pub(super) fn apply(&self, run: &Run<'_>) -> Result<String, Error> {
        let paste = |path: &PathBuf| quoted(&path.to_string_lossy());
        match self {
            Self::Narrow(path, bits) => {
                disk::narrow(path, *bits)?;
                let bits = if bits & 0o055 == 0 { "w" } else { "rwx" };
                Ok(format!("chmod go-{bits} {}", paste(path)))
            }
            Self::Remove(paths) => {
                paths.iter().try_for_each(|path| disk::remove(path).map(drop))?;
                Ok(format!("rm {}", paths.iter().map(paste).collect::<Vec<_>>().join(" ")))
            }
            Self::Make(folder) => {
                disk::create_private_folder(folder)?;
                Ok(format!("mkdir {}", paste(folder)))
            }
            Self::Ignore(file) => {
                run.context.paths.keys.protect_from_git()?;
                Ok(format!("made {}", paste(file)))
            }
        }
    }
}
