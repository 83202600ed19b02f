//! Batches: work on several profiles, with concurrency, progress, a line per profile, and a summary of failures.
//!
//! Owns the order of these lines, and the error for a batch in which profiles failed.

use crate::error::{Code, Error, Hint};
use crate::output::ProgressLine;
use crate::profile::{Profile, ProfileName, SecretLocation};
use crate::session::Jobs;
use crate::workflow::Run;
use crate::workflow::selection::SelectedProfile;
use clap::Args;
use clap::builder::{RangedU64ValueParser, TypedValueParser};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

/// Maximum value of `--jobs`. Each profile needs two open files: a connection and a lock. While its program runs, a
/// profile needs four: a connection and three pipes. A process may usually have 1,024 files open.
const MAX_JOBS: u64 = 200;

/// Minimum number of profiles for which a batch prints lines as results arrive. From this number on, a batch also
/// groups failures by reason and prints a summary.
const MANY_PROFILES: usize = 10;

/// Maximum number of names in a list; the other names are counted.
const MAX_NAMES: usize = 8;

/// Maximum number of reasons listed separately. If a server puts a number into each error message, every profile has a
/// different reason.
const MAX_REASONS: usize = 10;

/// Number of profiles to work on at the same time.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JobsArgs {
    /// How many profiles at once
    #[arg(long, value_name = "N", default_value = "16", value_parser = jobs_parser())]
    pub(crate) jobs: Jobs,
}

fn jobs_parser() -> impl TypedValueParser<Value = Jobs> {
    RangedU64ValueParser::<u64>::new()
        .range(1..=MAX_JOBS)
        .map(|jobs| usize::try_from(jobs).ok().and_then(Jobs::new).unwrap_or(Jobs::MIN))
}

/// Progress and results of work on several profiles.
pub(crate) struct Batch<'a> {
    run: &'a Run<'a>,
    progress: ProgressLine<'a>,
    count: usize,
    lines: BatchLines,
    /// Number of profiles for each result, such as "cached".
    tally: BTreeMap<&'static str, usize>,
    /// Profiles without a secret.
    skipped: Vec<ProfileName>,
    /// Failed profiles, in the order of their failures.
    failures: Vec<(ProfileName, Error)>,
    /// Error that stopped the batch early.
    stopped: Option<Error>,
}

impl<'a> Batch<'a> {
    /// Starts a batch for these profiles; `activity`, such as "Exporting", labels the progress line.
    pub(crate) fn new<'p>(
        run: &'a Run<'a>,
        activity: &'static str,
        names: impl ExactSizeIterator<Item = &'p ProfileName>,
    ) -> Self {
        let count = names.len();
        let lines = BatchLines::new(if count < MANY_PROFILES { names.cloned().collect() } else { Vec::new() });
        let (tally, skipped, failures) = Default::default();
        Self { run, progress: run.ui.progress(activity, count), count, lines, tally, skipped, failures, stopped: None }
    }

    /// Returns the profiles to work on. In a batch of several profiles, skips those without a secret. If no progress
    /// line is visible, prints a note for each skipped profile. Also prints a note if `selected` is empty.
    pub(crate) fn skip_without_secret<'p>(
        &mut self,
        mut selected: Vec<SelectedProfile<'p>>,
    ) -> Vec<SelectedProfile<'p>> {
        if selected.is_empty() {
            self.run.ui.note("There is no profile yet. Add one: neto profile add");
        }
        let has_several = self.count > 1;
        let lacks_secret = |selected: &SelectedProfile<'_>| {
            selected.profile.as_ref().is_ok_and(|profile| profile.secret == SecretLocation::None)
        };
        for skipped in selected.extract_if(.., |selected| has_several && lacks_secret(selected)) {
            self.done_with_note(&skipped.name, "skipped, it has no secret yet");
            self.skipped.push(skipped.name.into_owned());
        }
        selected
    }

    /// Returns the valid profiles, without those that [`Self::skip_without_secret`] skips. Records invalid profiles as
    /// failed.
    pub(crate) fn with_secrets<'p>(&mut self, selected: Vec<SelectedProfile<'p>>) -> Vec<&'p Profile> {
        let mut profiles = Vec::with_capacity(selected.len());
        for selected in self.skip_without_secret(selected) {
            match selected.profile {
                Ok(profile) => profiles.push(profile),
                Err(error) => {
                    let _ = self.failed(&selected.name, error.into());
                }
            }
        }
        profiles
    }

    /// Counts a profile with this result, such as "cached", for the summary line.
    pub(crate) fn count_result(&mut self, result: &'static str) {
        *self.tally.entry(result).or_default() += 1;
    }

    /// Advances the progress line by one profile.
    pub(crate) fn step_done(&self) {
        self.progress.step_done();
    }

    /// Records a profile as done without printing a line.
    pub(crate) fn done_silently(&mut self, profile: &ProfileName) {
        self.lines.push(profile, BatchLine::Nothing, self.run);
        self.progress.step_done();
    }

    /// Checks whether a profile has failed, or the batch was stopped.
    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty() || self.stopped.is_some()
    }

    /// Checks whether the batch was stopped early.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Records a profile as done. If no progress line is visible, prints a note with the profile name and `text`.
    pub(crate) fn done_with_note(&mut self, profile: &ProfileName, text: &str) {
        if !self.progress.is_visible() {
            self.lines.push(profile, BatchLine::Note(format!("{profile}: {text}")), self.run);
        }
        self.progress.step_done();
    }

    /// Records a profile as failed. If the error is an interruption or a termination, stops the batch and returns
    /// `Break`.
    pub(crate) fn failed(&mut self, profile: &ProfileName, error: Error) -> ControlFlow<()> {
        if matches!(error.code(), Code::Interrupted | Code::Terminated) {
            self.stop(error);
            return ControlFlow::Break(());
        }
        if self.count > 1 && !self.progress.is_visible() {
            let hint = error.hint_with_name(profile.as_str()).filter(|_| self.count < MANY_PROFILES);
            self.lines.push(profile, BatchLine::Error(format!("{profile}: {}", error.message()), hint), self.run);
        }
        self.failures.push((profile.clone(), error));
        self.progress.step_failed();
        ControlFlow::Continue(())
    }

    /// Stops the batch with this error, which [`Self::finish`] returns instead of the failures.
    pub(crate) fn stop(&mut self, error: Error) {
        self.stopped = Some(error);
    }

    /// Ends the batch. With [`MANY_PROFILES`] or more profiles, prints a summary line. The hint is `command`, followed
    /// by the names of the failed profiles.
    ///
    /// # Errors
    /// Returns the error that stopped the batch, or the failure of the only profile. If some of several profiles
    /// failed, returns an error with exit code 8. With many profiles, this error lists the failures by reason.
    pub(crate) fn finish(self, command: &str) -> Result<(), Error> {
        self.finish_with(|failed| match failed {
            Some(names) => Some(Hint::command(format!("{command} {names}"))),
            None => Some(Hint::advice("run the same line again; what is done is not done twice")),
        })
    }

    /// Ends the batch like [`finish`](Self::finish). `make_hint` returns the hint for the sorted names of the failed
    /// profiles. It receives `None` if there are more than [`MAX_NAMES`] names.
    pub(crate) fn finish_with(mut self, make_hint: impl FnOnce(Option<String>) -> Option<Hint>) -> Result<(), Error> {
        drop(self.progress);
        self.lines.print_remaining(self.run);
        if let Some(error) = self.stopped {
            return Err(error);
        }
        let summary = tally_summary(&self.tally, &self.skipped);
        if self.count >= MANY_PROFILES && !summary.is_empty() {
            self.run.ui.note(&summary);
        }
        match (self.count, self.failures.len()) {
            (_, 0) => Ok(()),
            (1, _) => {
                let (profile, error) = self.failures.swap_remove(0);
                Err(error.about(&profile))
            }
            (count, failed) => {
                self.failures.sort_by(|(left, _), (right, _)| left.cmp(right));
                let mut message = format!("{failed} of {count} profiles failed");
                if count >= MANY_PROFILES {
                    message += &group_by_reason(&self.failures);
                }
                let error = Error::new(Code::Partial, message);
                let names: Vec<&str> = self.failures.iter().map(|(name, _)| name.as_str()).collect();
                let hint = make_hint((failed <= MAX_NAMES).then(|| names.join(" ")));
                Err(match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }
        }
    }
}

/// Lines about the profiles of a batch. With few profiles, prints the lines in the order of the profiles. With many
/// profiles, prints each line as it arrives.
struct BatchLines {
    /// Names in the order of printing; empty with many profiles.
    order: Vec<ProfileName>,
    lines: ReorderBuffer<BatchLine>,
}

/// Reorder buffer, which takes results in any order and returns them in the order of their indices.
pub(crate) struct ReorderBuffer<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
}

/// Line about one profile.
enum BatchLine {
    /// No line. Lines about later profiles then need not wait for this profile.
    Nothing,
    Note(String),
    Error(String, Option<String>),
}

impl BatchLines {
    fn new(order: Vec<ProfileName>) -> Self {
        Self { order, lines: ReorderBuffer::new() }
    }

    fn push(&mut self, profile: &ProfileName, line: BatchLine, run: &Run<'_>) {
        let Some(index) = self.order.iter().position(|name| name == profile) else { return line.print(run) };
        for line in self.lines.push(index, line) {
            line.print(run);
        }
    }

    /// Prints the lines that still wait for an earlier profile.
    fn print_remaining(self, run: &Run<'_>) {
        for line in self.lines.into_remaining() {
            line.print(run);
        }
    }
}

impl<T> ReorderBuffer<T> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }

    /// Adds the result with this index. Returns the results that are now next in order.
    pub(crate) fn push(&mut self, index: usize, result: T) -> Vec<T> {
        self.waiting.insert(index, result);
        let mut ready = Vec::new();
        while let Some(result) = self.waiting.remove(&self.next) {
            ready.push(result);
            self.next += 1;
        }
        ready
    }

    /// Returns the results that still wait for an earlier result, in the order of their indices.
    pub(crate) fn into_remaining(self) -> impl Iterator<Item = T> {
        self.waiting.into_values()
    }
}

impl BatchLine {
    fn print(self, run: &Run<'_>) {
        match self {
            Self::Nothing => {}
            Self::Note(text) => run.ui.note(&text),
            Self::Error(text, hint) => run.ui.error(&text, hint.as_deref()),
        }
    }
}

/// Returns the summary line, such as `12 cached, 3 skipped, without a secret (acme, globex, hooli)`.
fn tally_summary(tally: &BTreeMap<&str, usize>, skipped: &[ProfileName]) -> String {
    let mut parts: Vec<String> = tally.iter().map(|(result, count)| format!("{count} {result}")).collect();
    if !skipped.is_empty() {
        let names: Vec<&str> = skipped.iter().map(ProfileName::as_str).collect();
        parts.push(format!("{} skipped, without a secret ({})", names.len(), first_names(&names)));
    }
    parts.join(", ")
}

/// Renders the failures by reason, the most frequent reason first, each with its profiles and its hint.
pub(crate) fn group_by_reason(failures: &[(ProfileName, Error)]) -> String {
    let mut reasons: Vec<(&Error, Vec<&str>)> = Vec::new();
    for (profile, error) in failures {
        match reasons.iter_mut().find(|(first, _)| first.message() == error.message()) {
            Some((_, names)) => names.push(profile.as_str()),
            None => reasons.push((error, vec![profile.as_str()])),
        }
    }
    reasons.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let others = reasons.split_off(reasons.len().min(MAX_REASONS));
    let mut lines = String::from(":");
    for (error, names) in reasons {
        let _ = write!(lines, "\n{} x {}\n    {}", names.len(), error.message(), first_names(&names));
        let hint = if let [name] = names[..] { error.hint_with_name(name) } else { error.hint() };
        if let Some(hint) = hint {
            let _ = write!(lines, "\n    {}", hint.replace('\n', " "));
        }
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.into_iter().flat_map(|(_, names)| names).collect();
        let _ = write!(lines, "\n{} x another reason\n    {}", names.len(), first_names(&names));
    }
    lines
}

/// Returns the first [`MAX_NAMES`] names, and the number of the other names if there are more.
pub(crate) fn first_names(names: &[&str]) -> String {
    match names.len() {
        ..=MAX_NAMES => names.join(", "),
        more => format!("{} and {} more", names[..MAX_NAMES].join(", "), more - MAX_NAMES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_for_a_reason_names_its_only_profile() {
        let failure = |name: &str, message: &str| {
            let hint = Hint::login().remark("in a while");
            (name.parse::<ProfileName>().unwrap(), Error::new(Code::Unreachable, message).with_hint(hint))
        };
        let failures = [failure("acme", "no answer"), failure("hooli", "no route"), failure("initech", "no answer")];
        assert_eq!(
            group_by_reason(&failures),
            ":\n2 x no answer\n    acme, initech\n    neto login NAME (in a while)\
             \n1 x no route\n    hooli\n    neto login hooli (in a while)"
        );
    }
}
