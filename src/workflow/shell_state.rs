//! What the calling shell holds of neto's: what an earlier export set there, and what `neto use` chose there.
//!
//! Owns the notes by which a shell remembers both (names, never a secret), and what they mean for a choice. With the
//! hook, `neto use` sets `NETO_PROFILE` in one shell and notes that it did; so the choice outlives an export, which
//! sets `NETO_PROFILE` as well. What an export sets is for `variables`, the hook's text for `hook`.

use crate::context::Environment;
use crate::error::Error;
use crate::output::{EnvFormat, Shell};
use crate::profile::{ProfileName, Sources, check_env_name};
use crate::workflow::Run;
use clap::ValueEnum as _;
use std::collections::BTreeSet;

/// The variable that names the profile.
pub(crate) const PROFILE: &str = "NETO_PROFILE";

/// The variable that holds a token.
const TOKEN: &str = "NETO_TOKEN";

/// The variable that names another store.
pub(crate) const STORE: &str = "NETO_STORE";

/// The variable in which an export notes what it set.
pub(crate) const EXPORTED: &str = "NETO_EXPORTED";

/// The variable in which an export makes its [`Note`] for the hook.
pub(crate) const CHOSEN: &str = "NETO_CHOSEN";

/// The variable that holds what `neto use` chose in this shell.
pub(crate) const USED: &str = "NETO_SHELL_PROFILE";

/// The variable that holds what was chosen before, for `neto use -`.
pub(crate) const USED_BEFORE: &str = "NETO_SHELL_PREVIOUS";

/// The variable by which the hook's function asks for text to evaluate, set for that one call; it names the shell.
const CALLER: &str = "_NETO_HOOK";

/// What begins such text, since a page of help may come in its place; `hook/` knows it too.
const MARK: &str = "neto-hook:\n";

/// In the place of a name, where no place says one.
const NOBODY: &str = "-";

/// What every export and failure unsets, whether or not an earlier one set it.
pub(crate) const FIXED: [&str; 12] = [
    PROFILE,
    "NETO_URL",
    "NETO_SHORTNAME",
    TOKEN,
    "NETO_TOKEN_EXPIRES_AT",
    "NETO_APPNAME",
    "NETO_APPKEY",
    "NETO_SHARED_SECRET",
    "NETOSECRET",
    "NETO_USERNAME",
    "NETO_PASSWORD",
    EXPORTED,
];

/// What a shell is to do with its variables.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Those to unset first.
    pub(crate) unset: Vec<String>,
    /// Those to set, in this order.
    pub(crate) set: Vec<(String, String)>,
}

impl Change {
    /// Takes away what an earlier export set, and puts back what `neto use` chose in this shell.
    pub(crate) fn dropping(environment: &Environment) -> Self {
        let back = used(environment).map(|name| (PROFILE.to_owned(), name));
        Self { unset: stale(environment).into_iter().collect(), set: back.into_iter().collect() }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.unset.is_empty() && self.set.is_empty()
    }

    /// Whether it takes away what an earlier export set.
    pub(crate) fn is_drop(&self) -> bool {
        self.unset.iter().any(|name| name == EXPORTED)
    }

    /// As text that this shell evaluates.
    pub(crate) fn render(&self, shell: Shell) -> Result<String, Error> {
        let text = EnvFormat::Shell(shell).exports(&self.unset, &self.set);
        text.map_err(|error| Error::bug(&error.to_string()))
    }
}

/// What is to be unset so that nothing of a former export stays: the fixed names, those that it noted, and notes that
/// are out of date. A name that no export can have set (the environment may be anybody's) is not touched.
pub(crate) fn stale(environment: &Environment) -> BTreeSet<String> {
    let noted = environment.text(EXPORTED).unwrap_or_default();
    let noted = noted.split(' ').filter(|name| *name == STORE || check_env_name(name).is_ok());
    let chosen = environment.get(CHOSEN).map(|_| CHOSEN);
    let over = environment.get(USED).and_then(|_| used(environment).is_none().then_some(USED));
    FIXED.iter().copied().chain(noted).chain(chosen).chain(over).map(str::to_owned).collect()
}

/// The same for a shell that goes on without an export: a `NETOSECRET` that none set is the user's own, and losing it
/// would mean another profile.
pub(crate) fn left(environment: &Environment) -> BTreeSet<String> {
    let mut names = stale(environment);
    let is_own = match environment.get(EXPORTED) {
        Some(_) => !was_exported(environment, "NETOSECRET"),
        // What `neto exec` starts has the user's own for no other profile.
        None => held(environment) == ProfileName::env().as_str(),
    };
    names.retain(|name| name != "NETOSECRET" || !is_own);
    names
}

/// Whether the shell holds what belongs to a profile: from an export, or because `neto exec` started it.
pub(crate) fn has_variables(environment: &Environment) -> bool {
    [EXPORTED, TOKEN].iter().any(|name| environment.get(name).is_some())
}

/// What an earlier export set, and its note of that; nothing where there was none.
pub(crate) fn exported(environment: &Environment) -> Vec<String> {
    let of_export = |name: &String| name == EXPORTED || was_exported(environment, name);
    let noted = environment.get(EXPORTED).map(|_| stale(environment)).unwrap_or_default();
    noted.into_iter().filter(of_export).collect()
}

/// Whether an earlier export set the variable. A `NETO_PROFILE` that was changed by hand since is the user's.
pub(crate) fn was_exported(environment: &Environment, name: &str) -> bool {
    let listed = environment.text(EXPORTED).is_some_and(|names| names.split(' ').any(|noted| noted == name));
    listed && !(name == PROFILE && Note::of(environment).is_some_and(|note| note.exported != held(environment)))
}

/// The name that `NETO_PROFILE` holds; [`NOBODY`] where it holds none.
fn held(environment: &Environment) -> String {
    let is_name = |name: &String| name.parse::<ProfileName>().is_ok() || *name == ProfileName::env().as_str();
    environment.text(PROFILE).filter(is_name).unwrap_or_else(|| NOBODY.to_owned())
}

/// What an export notes for the hook, so that a change shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The profile that was chosen beside the exported one; [`NOBODY`] where none was.
    chosen: String,
    /// The exported profile.
    exported: String,
    /// Where the profiles are declared; empty for the standard store.
    store: String,
}

impl Note {
    /// The one that the shell holds.
    pub(crate) fn of(environment: &Environment) -> Option<Self> {
        let text = environment.text(CHOSEN)?;
        let mut parts = text.splitn(3, ' ').map(str::to_owned);
        let chosen = parts.next()?;
        let exported = parts.next().unwrap_or_else(|| NOBODY.to_owned());
        Some(Self { chosen, exported, store: parts.next().unwrap_or_default() })
    }

    /// The one that would be made now, if `NETO_PROFILE` is what was exported.
    pub(crate) fn now(run: &Run<'_>) -> Self {
        Self { chosen: chosen(run), exported: held(&run.context.process.environment), store: store(run) }
    }

    /// For the shell to hold.
    pub(crate) fn variable(&self) -> (String, String) {
        let store = if self.store.is_empty() { String::new() } else { format!(" {}", self.store) };
        (CHOSEN.to_owned(), format!("{} {}{store}", self.chosen, self.exported))
    }

    /// The chosen profile.
    pub(crate) fn chosen(&self) -> Option<&str> {
        name_of(&self.chosen)
    }

    /// The exported profile.
    pub(crate) fn exported(&self) -> Option<&str> {
        name_of(&self.exported)
    }

    /// Whether both mean the same store.
    pub(crate) fn is_of_store(&self, other: &Self) -> bool {
        self.store == other.store
    }
}

/// Whose variables the shell holds, in words; nothing where they are those of this profile, which is now meant.
pub(crate) fn exported_beside(run: &Run<'_>, meant: Option<&ProfileName>) -> Option<String> {
    let now = Note::now(run);
    let before = Note::of(&run.context.process.environment).unwrap_or_else(|| now.clone());
    let is_meant = before.exported() == meant.map(ProfileName::as_str) && meant.is_some();
    let stays = is_meant && before.exported() == now.exported() && before.is_of_store(&now);
    let whose = before.exported().map_or_else(|| "an export".to_owned(), |name| format!("'{name}'"));
    (!stays).then_some(whose)
}

/// The store as a note has it.
fn store(run: &Run<'_>) -> String {
    let paths = &run.context.paths;
    if paths.named_store { paths.store.to_string_lossy().into_owned() } else { String::new() }
}

/// What `neto use` chose in this shell. Nothing where `NETO_PROFILE` was changed by hand since: that is a choice too.
pub(crate) fn used(environment: &Environment) -> Option<String> {
    let used = environment.text(USED).filter(|name| name.parse::<ProfileName>().is_ok())?;
    let stands = was_exported(environment, PROFILE) || environment.text(PROFILE).as_deref() == Some(&used);
    stands.then_some(used)
}

/// Who set `NETO_PROFILE`, where neto did.
pub(crate) fn who_set_it(environment: &Environment) -> &'static str {
    if was_exported(environment, PROFILE) {
        ", by an export"
    } else if used(environment).is_some() {
        ", by neto use in this shell"
    } else {
        ""
    }
}

/// What each place says of the next export: what an earlier one set is no choice, else a shell that once exported a
/// profile would never follow `neto use`.
pub(crate) fn sources<'r>(run: &'r Run<'_>, argument: Option<&str>) -> Sources<'r> {
    let environment = &run.context.process.environment;
    let mut sources = run.context.sources(argument);
    if was_exported(environment, PROFILE) {
        sources.variable = used(environment);
    }
    if was_exported(environment, "NETOSECRET") {
        sources.netosecret = false;
    }
    sources
}

/// The same without what was typed.
pub(crate) fn untyped<'r>(run: &'r Run<'_>) -> Sources<'r> {
    Sources { argument: None, second: None, ..sources(run, None) }
}

/// The name that the shell and what lies on disk say now, for comparing one moment with another: [`NOBODY`] where none
/// does, or something wrong. The store is not read.
fn chosen(run: &Run<'_>) -> String {
    let meant = untyped(run).meant().ok().flatten();
    meant.map_or_else(|| NOBODY.to_owned(), |choice| choice.name.to_string())
}

/// The name as a user reads it; nothing where nobody says one.
fn name_of(chosen: &str) -> Option<&str> {
    Some(chosen).filter(|name| *name != NOBODY)
}

/// The shell whose hook makes this call; nothing where the program was started without it.
pub(crate) fn caller(environment: &Environment) -> Option<Shell> {
    environment.text(CALLER).and_then(|name| Shell::from_str(&name, false).ok())
}

/// Hands the hook what its shell is to evaluate.
pub(crate) fn hand_over(run: &Run<'_>, shell: Shell, change: &Change) -> Result<(), Error> {
    Ok(run.ui.answer(&[MARK, &change.render(shell)?].concat())?)
}

/// What an export that sets these sets besides under the hook: its note, and a choice by hand, which is about to be
/// written over. Nothing without the hook.
pub(crate) fn notes(run: &Run<'_>, exports: &[(String, String)]) -> Vec<(String, String)> {
    let environment = &run.context.process.environment;
    if caller(environment).is_none() {
        return Vec::new();
    }
    let by_hand = environment.text(PROFILE).filter(|_| !was_exported(environment, PROFILE));
    let by_hand = by_hand.map(|name| (USED.to_owned(), name));
    let exported = exports.iter().find(|(name, _)| name == PROFILE).map_or(NOBODY, |(_, value)| value);
    let note = Note { exported: exported.to_owned(), ..Note::now(run) };
    by_hand.into_iter().chain([note.variable()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_planted_note_unsets_nothing_that_steers() {
        let environment = environment(&[(EXPORTED, "PATH HOME X;reboot MY_VAR NETO_STORE NETO_HOME")]);
        let stale = stale(&environment);
        assert!(stale.contains("MY_VAR") && stale.contains("NETO_STORE") && stale.contains("NETO_TOKEN"));
        for kept in ["PATH", "HOME", "NETO_HOME", "X;reboot"] {
            assert!(!stale.contains(kept), "{kept}");
        }
    }

    #[test]
    fn what_use_chose_stands_until_neto_profile_is_changed_by_hand() {
        let exported = "NETO_PROFILE NETO_TOKEN";
        for (variables, wanted) in [
            (&[(USED, "acme"), (PROFILE, "acme")][..], Some("acme")),
            (&[(USED, "acme"), (PROFILE, "other"), (EXPORTED, exported)], Some("acme")),
            (&[(USED, "acme"), (PROFILE, "other"), (EXPORTED, "MINE")], None),
            (&[(USED, "acme"), (PROFILE, "other")], None),
            (&[(USED, "acme")], None),
            (&[(USED, "$(id)"), (PROFILE, "$(id)")], None),
            (&[(PROFILE, "acme")], None),
        ] {
            let environment = environment(variables);
            assert_eq!(used(&environment).as_deref(), wanted, "{variables:?}");
            // Dropping puts it back, or takes the note away.
            let change = Change::dropping(&environment);
            let back: Vec<&str> = change.set.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(back, wanted.into_iter().collect::<Vec<_>>(), "{variables:?}");
            let noted = variables.iter().any(|(name, _)| *name == USED);
            assert_eq!(change.unset.iter().any(|name| name == USED), noted && wanted.is_none(), "{variables:?}");
        }
    }
}
