//! Work on several profiles: how many at once, how far it is, what is told of each, and what the failures come to.

use crate::error::{Code, Error};
use crate::output::Progress;
use crate::profile::{Profile, ProfileName, SecretPlace};
use crate::session::Jobs;
use crate::workflow::Run;
use crate::workflow::selection::Selected;
use clap::Args;
use clap::builder::{RangedU64ValueParser, TypedValueParser};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

/// The most profiles at once: each takes a connection and a lock's file, or a connection and three files of a program that
/// runs, and a process may have 1,024 files open.
const MOST_JOBS: u64 = 200;

/// From so many profiles on, failures are told by their reason.
const MANY: usize = 10;

/// The most names in a line.
const MOST_NAMES: usize = 8;

/// The most reasons that are told apart: a server that numbers its refusals has one for each profile.
const MOST_REASONS: usize = 10;

/// How many profiles are worked on at once.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct JobsArgs {
    /// How many profiles at once
    #[arg(long, value_name = "N", default_value = "16", value_parser = jobs())]
    pub(crate) jobs: Jobs,
}

fn jobs() -> impl TypedValueParser<Value = Jobs> {
    RangedU64ValueParser::<u64>::new()
        .range(1..=MOST_JOBS)
        .map(|jobs| usize::try_from(jobs).ok().and_then(Jobs::new).unwrap_or(Jobs::MIN))
}

/// One work on several profiles.
pub(crate) struct Fleet<'a> {
    run: &'a Run<'a>,
    progress: Progress<'a>,
    count: usize,
    lines: Lines,
    /// How many profiles came to what, such as "signed in".
    tally: BTreeMap<&'static str, usize>,
    /// Those without a secret.
    skipped: Vec<ProfileName>,
    /// In the order that they came.
    failures: Vec<(ProfileName, Error)>,
    stopped: Option<Error>,
}

impl<'a> Fleet<'a> {
    /// A work on these profiles, such as "Signing in".
    pub(crate) fn new<'p>(
        run: &'a Run<'a>,
        what: &'static str,
        names: impl ExactSizeIterator<Item = &'p ProfileName>,
    ) -> Self {
        let count = names.len();
        let lines = Lines::new(if count < MANY { names.cloned().collect() } else { Vec::new() });
        let (tally, skipped, failures) = Default::default();
        Self { run, progress: run.ui.progress(what, count), count, lines, tally, skipped, failures, stopped: None }
    }

    /// All but those without a secret, which are of several passed over with a note.
    pub(crate) fn without_skeletons<'p>(&mut self, mut selected: Vec<Selected<'p>>) -> Vec<Selected<'p>> {
        if selected.is_empty() {
            self.run.ui.note("There is no profile yet. Add one: neto profile add");
        }
        let several = self.count > 1;
        let bare = |one: &Selected<'_>| one.profile.as_ref().is_ok_and(|profile| profile.secret == SecretPlace::None);
        for one in selected.extract_if(.., |one| several && bare(one)) {
            self.done(&one.name, "skipped, it has no secret yet");
            self.skipped.push(one.name.into_owned());
        }
        selected
    }

    /// The profiles that can be worked on with their credential. Of several, one without a secret is passed over with a
    /// note; a faulty one is a failure.
    pub(crate) fn with_secrets<'p>(&mut self, selected: Vec<Selected<'p>>) -> Vec<&'p Profile> {
        let mut profiles = Vec::with_capacity(selected.len());
        for one in self.without_skeletons(selected) {
            match one.profile {
                Ok(profile) => profiles.push(profile),
                Err(error) => {
                    let _ = self.failed(&one.name, error.into());
                }
            }
        }
        profiles
    }

    /// Counts a profile for the line that sums up many.
    pub(crate) fn tally(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// One profile is done, and there is nothing to say of it.
    pub(crate) fn step(&self) {
        self.progress.step();
    }

    /// One profile is done, and its answer says so; what is told of those after it need not wait.
    pub(crate) fn passed(&mut self, profile: &ProfileName) {
        self.lines.put(profile, Line::Nothing, self.run);
        self.progress.step();
    }

    /// Whether one failed so far.
    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty() || self.stopped.is_some()
    }

    /// Whether it ends before its time.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// One profile is done; `how` says so where there is no progress to see.
    pub(crate) fn done(&mut self, profile: &ProfileName, how: &str) {
        if !self.progress.is_shown() {
            self.lines.put(profile, Line::Note(format!("{profile}: {how}")), self.run);
        }
        self.progress.step();
    }

    /// One profile failed. Breaks when the user wants to end it all.
    pub(crate) fn failed(&mut self, profile: &ProfileName, error: Error) -> ControlFlow<()> {
        if matches!(error.code(), Code::Interrupted | Code::Terminated) {
            self.stop(error);
            return ControlFlow::Break(());
        }
        if self.count > 1 && !self.progress.is_shown() {
            let hint = error.hint().filter(|_| self.count < MANY).map(|hint| hint.replace("NAME", profile.as_str()));
            self.lines.put(profile, Line::Error(format!("{profile}: {}", error.message()), hint), self.run);
        }
        self.failures.push((profile.clone(), error));
        self.progress.failed();
        ControlFlow::Continue(())
    }

    /// It ends before its time, whatever failed so far.
    pub(crate) fn stop(&mut self, error: Error) {
        self.stopped = Some(error);
    }

    /// What it all comes to: of many a line that sums them up; nothing, the only failure, or exit 8 with the failures by
    /// their reasons and, after `verb`, the profiles to repeat.
    pub(crate) fn end(self, verb: &str) -> Result<(), Error> {
        self.end_with(|failed| match failed {
            Some(names) => Some(format!("{verb} {names}")),
            None => Some("run the same line again; what is done is not done twice".to_owned()),
        })
    }

    /// The same with the line to paste that `again` makes of the names that failed, sorted; they are absent where they are
    /// many.
    pub(crate) fn end_with(mut self, again: impl FnOnce(Option<String>) -> Option<String>) -> Result<(), Error> {
        drop(self.progress);
        self.lines.rest(self.run);
        if let Some(error) = self.stopped {
            return Err(error);
        }
        let summary = summary(&self.tally, &self.skipped);
        if self.count >= MANY && !summary.is_empty() {
            self.run.ui.note(&summary);
        }
        match (self.count, self.failures.len()) {
            (_, 0) => Ok(()),
            (1, _) => {
                let (profile, error) = self.failures.swap_remove(0);
                Err(error.about(&profile))
            }
            (count, failed) => {
                self.failures.sort_by(|(one, _), (other, _)| one.cmp(other));
                let mut message = format!("{failed} of {count} profiles failed");
                if count >= MANY {
                    message += &by_reason(&self.failures);
                }
                let error = Error::new(Code::Partial, message);
                let names: Vec<&str> = self.failures.iter().map(|(name, _)| name.as_str()).collect();
                let hint = again((failed <= MOST_NAMES).then(|| names.join(" ")));
                Err(match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }
        }
    }
}

/// What is told of each profile. Of a few it is told in their order, as soon as it is known of all before it; of many as
/// it comes.
struct Lines {
    order: Vec<ProfileName>,
    lines: InOrder<Line>,
}

/// What comes of several things, in the order of the things: each as soon as it came of all before it.
pub(crate) struct InOrder<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
}

enum Line {
    Nothing,
    Note(String),
    Error(String, Option<String>),
}

impl Lines {
    fn new(order: Vec<ProfileName>) -> Self {
        Self { order, lines: InOrder::new() }
    }

    fn put(&mut self, profile: &ProfileName, line: Line, run: &Run<'_>) {
        let Some(place) = self.order.iter().position(|name| name == profile) else { return line.tell(run) };
        for line in self.lines.put(place, line) {
            line.tell(run);
        }
    }

    /// Those that wait for one that never came.
    fn rest(self, run: &Run<'_>) {
        for line in self.lines.rest() {
            line.tell(run);
        }
    }
}

impl<T> InOrder<T> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }

    /// Takes what came of the thing at this place; what has its turn now.
    pub(crate) fn put(&mut self, place: usize, thing: T) -> Vec<T> {
        self.waiting.insert(place, thing);
        let mut ready = Vec::new();
        while let Some(thing) = self.waiting.remove(&self.next) {
            ready.push(thing);
            self.next += 1;
        }
        ready
    }

    /// What waits for others that never came.
    pub(crate) fn rest(self) -> impl Iterator<Item = T> {
        self.waiting.into_values()
    }
}

impl Line {
    fn tell(self, run: &Run<'_>) {
        match self {
            Self::Nothing => {}
            Self::Note(text) => run.ui.note(&text),
            Self::Error(text, hint) => run.ui.error(&text, hint.as_deref()),
        }
    }
}

/// `12 cached, 1985 signed in, 3 skipped, without a secret (acme, globex, hooli)`.
fn summary(tally: &BTreeMap<&str, usize>, skipped: &[ProfileName]) -> String {
    let mut parts: Vec<String> = tally.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if !skipped.is_empty() {
        let names: Vec<&str> = skipped.iter().map(ProfileName::as_str).collect();
        parts.push(format!("{} skipped, without a secret ({})", names.len(), some(&names)));
    }
    parts.join(", ")
}

/// A line for each reason, the commonest first, with the profiles and what to do.
pub(crate) fn by_reason(failures: &[(ProfileName, Error)]) -> String {
    let mut reasons: Vec<(&Error, Vec<&str>)> = Vec::new();
    for (profile, error) in failures {
        match reasons.iter_mut().find(|(first, _)| first.message() == error.message()) {
            Some((_, names)) => names.push(profile.as_str()),
            None => reasons.push((error, vec![profile.as_str()])),
        }
    }
    reasons.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let others = reasons.split_off(reasons.len().min(MOST_REASONS));
    let mut lines = String::from(":");
    for (error, names) in reasons {
        let _ = write!(lines, "\n{} x {}\n    {}", names.len(), error.message(), some(&names));
        if let Some(hint) = error.hint() {
            let hint = if let [name] = names[..] { hint.replace("NAME", name) } else { hint.to_owned() };
            let _ = write!(lines, "\n    {}", hint.replace('\n', " "));
        }
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.into_iter().flat_map(|(_, names)| names).collect();
        let _ = write!(lines, "\n{} x another reason\n    {}", names.len(), some(&names));
    }
    lines
}

/// The first names, and how many more.
pub(crate) fn some(names: &[&str]) -> String {
    match names.len() {
        ..=MOST_NAMES => names.join(", "),
        more => format!("{} and {} more", names[..MOST_NAMES].join(", "), more - MOST_NAMES),
    }
}
