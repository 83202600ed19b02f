//! Arguments with which commands select one profile or several, and arguments for the requested token.
//!
//! Owns the effect of `--profile` on a selection. `profile::Selection` matches names, globs and tags.

use crate::context::ContextError;
use crate::error::{Code, Error};
use crate::profile::{EmptySelection, Profile, ProfileEntry, ProfileName, ResolveError, Selection, Span};
use crate::session::TokenRequest;
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

/// Requirements for a token.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct TokenRequestArgs {
    /// Renew unless the token is good for at least this long: 10m, 1h30m
    #[arg(long, value_name = "TIME")]
    pub(crate) min_ttl: Option<Span>,
}

/// Selected profile, valid or invalid.
pub(crate) struct SelectedProfile<'a> {
    /// Name of the profile.
    pub(crate) name: Cow<'a, ProfileName>,
    /// Valid profile, or the reason why the profile is invalid.
    pub(crate) profile: Result<&'a Profile, ContextError>,
}

impl SelectArgs {
    /// Returns the selection from these arguments alone, without `--profile`.
    pub(crate) fn selection(&self) -> Selection {
        Selection { names: self.names.clone(), tags: self.tags.clone(), not_tags: self.not_tags.clone(), all: self.all }
    }

    /// Returns the selected profiles, or all profiles if the selection is empty.
    ///
    /// # Errors
    /// Returns an error if the selection matches no profile.
    pub(crate) fn resolve_or_all<'a>(&self, run: &Run<'a>) -> Result<Vec<SelectedProfile<'a>>, Error> {
        self.resolve(run, EmptySelection::All)
    }

    /// Returns the selected profiles, or the current profile if the selection is empty.
    pub(crate) fn resolve_or_current<'a>(&self, run: &Run<'a>) -> Result<Vec<SelectedProfile<'a>>, Error> {
        if self.selection().is_empty() {
            return Ok(vec![SelectedProfile::load(run, run.context.resolve(None)?.name)]);
        }
        self.resolve(run, EmptySelection::Refuse)
    }

    /// Returns the selected profiles; returns an error if the selection is empty.
    pub(crate) fn resolve_named<'a>(&self, run: &Run<'a>) -> Result<Vec<SelectedProfile<'a>>, Error> {
        self.resolve(run, EmptySelection::Refuse)
    }

    /// Returns the selection as arguments of a command line. The value of `--profile` counts as a name.
    pub(crate) fn to_arguments(&self, run: &Run<'_>) -> Vec<String> {
        let flag = |flag: &str, values: &[String]| {
            values.iter().flat_map(|value| [flag.to_owned(), value.clone()]).collect::<Vec<_>>()
        };
        let all = self.all.then(|| "--all".to_owned());
        let tags = [flag("--tag", &self.tags), flag("--not-tag", &self.not_tags)].concat();
        let name = run.context.globals.profile.iter().filter(|_| self.names.is_empty());
        name.chain(&self.names).cloned().chain(all).chain(tags).collect()
    }

    /// Checks whether `--all` was given without a tag filter.
    pub(crate) fn is_all_profiles(&self) -> bool {
        self.all && self.names.is_empty() && self.tags.is_empty() && self.not_tags.is_empty()
    }

    /// Checks whether the selection is a single plain name. An invalid profile is then an error instead of a warning.
    pub(crate) fn is_single(&self) -> bool {
        self.selection().is_single()
    }

    /// Checks whether the selection can match several profiles: it is neither empty nor a single plain name.
    pub(crate) fn can_select_several(&self) -> bool {
        let selection = self.selection();
        !selection.is_empty() && !selection.is_single()
    }

    /// Returns the first name, for commands that take one profile; `None` without names.
    pub(crate) fn first_name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    fn resolve<'a>(&self, run: &Run<'a>, if_empty: EmptySelection) -> Result<Vec<SelectedProfile<'a>>, Error> {
        let mut selection = self.selection();
        if let Some(flag) = &run.context.globals.profile {
            if selection.all {
                return Err(Error::new(Code::Usage, "--all does not go with --profile"));
            }
            if !selection.names.is_empty() && selection.names != [flag.clone()] {
                return Err(ResolveError::TwoNames.into());
            }
            selection.names = vec![flag.clone()];
        }
        let selects_all = selection.is_empty() && if_empty == EmptySelection::All;
        if is_env_profile(&selection) || (selects_all && run.context.is_env_the_only_profile()?) {
            return Ok(vec![SelectedProfile::load(run, run.context.resolve(Some("env"))?.name)]);
        }
        let entries = selection.resolve(run.context.store()?, if_empty)?;
        let to_selected = |entry: &'a ProfileEntry| SelectedProfile {
            name: Cow::Borrowed(&entry.name),
            profile: run.context.valid_profile(entry),
        };
        Ok(entries.into_iter().map(to_selected).collect())
    }
}

impl<'a> SelectedProfile<'a> {
    fn load(run: &Run<'a>, name: ProfileName) -> Self {
        Self { profile: run.context.profile(&name), name: Cow::Owned(name) }
    }
}

/// Checks whether the selection is `env`, the profile made from `NETOSECRET`. No store contains that profile.
fn is_env_profile(selection: &Selection) -> bool {
    selection.is_single() && selection.names[0] == ProfileName::env().as_str()
}

impl TokenRequestArgs {
    pub(crate) fn token_request(self, force: bool, offline: bool) -> TokenRequest {
        TokenRequest { min_ttl: self.min_ttl, force, offline }
    }
}
