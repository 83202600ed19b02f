//! The arguments by which verbs take one profile or several, and what they want of a token.

use crate::context::ContextError;
use crate::error::{Code, Error};
use crate::profile::{ChoiceError, Entry, Profile, ProfileName, Selection, Span, WhenNone};
use crate::session::Want;
use crate::workflow::Run;
use clap::Args;
use std::borrow::Cow;

/// Several profiles: names, globs, tags, all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectArgs {
    /// Profiles by name or glob ('acme-*')
    #[arg(value_name = "PROFILE")]
    pub(crate) names: Vec<String>,
    /// Only profiles that have this tag (repeatable: all of them)
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only profiles that do not have this tag (repeatable)
    #[arg(long = "not-tag", value_name = "TAG")]
    pub(crate) not_tags: Vec<String>,
    /// Every profile
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
}

/// How good a token has to be.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct WantArgs {
    /// Renew unless the token is good for at least this long: 10m, 1h30m
    #[arg(long, value_name = "TIME")]
    pub(crate) min_ttl: Option<Span>,
}

/// A profile that was selected, good or faulty.
pub(crate) struct Selected<'a> {
    /// Its name.
    pub(crate) name: Cow<'a, ProfileName>,
    /// What it declares, or what is wrong with it.
    pub(crate) profile: Result<&'a Profile, ContextError>,
}

impl SelectArgs {
    /// What was typed.
    pub(crate) fn selection(&self) -> Selection {
        Selection { names: self.names.clone(), tags: self.tags.clone(), not_tags: self.not_tags.clone(), all: self.all }
    }

    /// The selected profiles; when none was typed, every one.
    ///
    /// # Errors
    /// When the selection fits nothing.
    pub(crate) fn all_or<'a>(&self, run: &Run<'a>) -> Result<Vec<Selected<'a>>, Error> {
        self.resolve(run, WhenNone::All)
    }

    /// The selected profiles; when none was typed, the chosen one.
    pub(crate) fn or_chosen<'a>(&self, run: &Run<'a>) -> Result<Vec<Selected<'a>>, Error> {
        if self.selection().is_empty() {
            return Ok(vec![Selected::of(run, run.context.choose(None)?.name)]);
        }
        self.resolve(run, WhenNone::Refuse)
    }

    /// The selected profiles, which have to be named.
    pub(crate) fn told<'a>(&self, run: &Run<'a>) -> Result<Vec<Selected<'a>>, Error> {
        self.resolve(run, WhenNone::Refuse)
    }

    /// What was typed, word by word; the name behind `--profile` as one of them.
    pub(crate) fn words(&self, run: &Run<'_>) -> Vec<String> {
        let flag = |flag: &str, values: &[String]| {
            values.iter().flat_map(|value| [flag.to_owned(), value.clone()]).collect::<Vec<_>>()
        };
        let all = self.all.then(|| "--all".to_owned());
        let tags = [flag("--tag", &self.tags), flag("--not-tag", &self.not_tags)].concat();
        let name = run.context.globals.profile.iter().filter(|_| self.names.is_empty());
        name.chain(&self.names).cloned().chain(all).chain(tags).collect()
    }

    /// Whether `--all` was typed and nothing that narrows it.
    pub(crate) fn is_everything(&self) -> bool {
        self.all && self.names.is_empty() && self.tags.is_empty() && self.not_tags.is_empty()
    }

    /// Whether a profile was asked for by its plain name, so that its fault is a failure.
    pub(crate) fn names_one(&self) -> bool {
        self.selection().is_single()
    }

    /// Whether it can mean several profiles, however many it selects: anything but one plain name, or nothing at all.
    pub(crate) fn means_several(&self) -> bool {
        let selection = self.selection();
        !selection.is_empty() && !selection.is_single()
    }

    /// The plain name that was typed, where it means one profile; without it that is the chosen one.
    pub(crate) fn one(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    fn resolve<'a>(&self, run: &Run<'a>, when_none: WhenNone) -> Result<Vec<Selected<'a>>, Error> {
        let mut selection = self.selection();
        if let Some(flag) = &run.context.globals.profile {
            if selection.all {
                return Err(Error::new(Code::Usage, "--all does not go with --profile"));
            }
            if !selection.names.is_empty() && selection.names != [flag.clone()] {
                return Err(ChoiceError::Twice.into());
            }
            selection.names = vec![flag.clone()];
        }
        let nothing_said = selection.is_empty() && when_none == WhenNone::All;
        if is_env(&selection) || (nothing_said && run.context.has_netosecret_alone()?) {
            return Ok(vec![Selected::of(run, run.context.choose(Some("env"))?.name)]);
        }
        let entries = selection.resolve(run.context.store()?, when_none)?;
        let selected =
            |entry: &'a Entry| Selected { name: Cow::Borrowed(&entry.name), profile: run.context.sound(entry) };
        Ok(entries.into_iter().map(selected).collect())
    }
}

impl<'a> Selected<'a> {
    fn of(run: &Run<'a>, name: ProfileName) -> Self {
        Self { profile: run.context.profile(&name), name: Cow::Owned(name) }
    }
}

/// The profile that NETOSECRET makes is in no store.
fn is_env(selection: &Selection) -> bool {
    selection.is_single() && selection.names[0] == ProfileName::env().as_str()
}

impl WantArgs {
    pub(crate) fn want(self, force: bool, offline: bool) -> Want {
        Want { min_ttl: self.min_ttl, force, offline }
    }
}
