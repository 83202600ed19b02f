//! What completes which argument: decided once, by the name that its value has in the help.

use super::names::Names;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the values of an argument come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The profiles of the store.
    Profiles,
    /// The tags of its profiles.
    Tags,
    /// Its recipients.
    Recipients,
    /// The methods of HTTP.
    Methods,
    /// The shell, which completes files.
    Files,
    /// The declaration: there are few.
    Declared,
    /// Nowhere: only the user knows.
    Nowhere,
}

/// The methods that tenants take.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Source {
    /// Of an argument that takes a value; nothing when the name of its value is not known here.
    pub(super) fn of(arg: &Arg) -> Option<Self> {
        if !arg.get_possible_values().is_empty() {
            return Some(Self::Declared);
        }
        Some(match arg.get_value_names()?.first()?.as_str() {
            "PROFILE" => Self::Profiles,
            "TAG" => Self::Tags,
            "RECIPIENT" => Self::Recipients,
            "METHOD" => Self::Methods,
            "FILE" => Self::Files,
            "CMD" | "DATA" | "KEY" | "N" | "NAME" | "NAME: VALUE" | "NAME=VALUE" | "NEW" | "PATH" | "PID"
            | "POINTER" | "PORT" | "TEMPLATE" | "TEXT" | "TIME" | "URL" | "VARIABLE" => Self::Nowhere,
            _ => return None,
        })
    }
}

/// What the completers stand on, and what they say beside candidates.
pub(super) struct Given {
    names: Names,
    wants_file: AtomicBool,
}

impl Given {
    pub(super) fn new(names: Names) -> Self {
        Self { names, wants_file: AtomicBool::new(false) }
    }

    /// Whether an argument that takes a file was asked.
    pub(super) fn wants_file(&self) -> bool {
        self.wants_file.load(Ordering::Relaxed)
    }

    fn candidates(&self, source: Source, start: &OsStr) -> Vec<CompletionCandidate> {
        let Some(start) = start.to_str() else { return Vec::new() };
        match source {
            Source::Profiles => self.names.profiles(start),
            Source::Tags => self.names.tags(start),
            Source::Recipients => self.names.recipients(start),
            Source::Methods => METHODS.into_iter().filter(|method| method.starts_with(start)).map(Into::into).collect(),
            Source::Files => {
                // A flag that is being typed is shown to the argument behind it too.
                self.wants_file.fetch_or(!start.starts_with('-'), Ordering::Relaxed);
                Vec::new()
            }
            Source::Declared | Source::Nowhere => Vec::new(),
        }
    }
}

/// The tree, each argument with what completes it. `typed` are the arguments before the cursor.
pub(super) fn equip(tree: Command, given: &Arc<Given>, typed: Option<&ArgMatches>) -> Command {
    tree.mut_args(|arg| with_completer(arg, given, typed)).mut_subcommands(|verb| equip(verb, given, typed))
}

fn with_completer(arg: Arg, given: &Arc<Given>, typed: Option<&ArgMatches>) -> Arg {
    let Some(source) = Source::of(&arg).filter(|source| *source != Source::Declared) else { return arg };
    let (given, twice) = (Arc::clone(given), already(&arg, typed));
    // Only `use` takes a hyphen for a name.
    let takes_hyphen = source == Source::Profiles && arg.is_allow_hyphen_values_set();
    arg.add(ArgValueCompleter::new(move |start: &OsStr| {
        let mut found = given.candidates(source, start);
        found.retain(|candidate| !twice.contains(candidate.get_value()));
        if takes_hyphen && (start.is_empty() || start == "-") {
            found.push(CompletionCandidate::new("-").help(Some("the profile before".into())).tag(Some("store".into())));
        }
        found
    }))
}

/// The values that an argument of several has already.
fn already(arg: &Arg, typed: Option<&ArgMatches>) -> HashSet<std::ffi::OsString> {
    let takes_several = matches!(arg.get_action(), ArgAction::Append);
    let values = typed.filter(|_| takes_several).and_then(|typed| typed.try_get_raw(arg.get_id().as_str()).ok()?);
    values.into_iter().flatten().map(OsStr::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;
    use std::path::Path;

    /// What completes each argument of the tree that takes a value, as `profile show PROFILE`.
    fn every(verb: &Command, way: &str, found: &mut Vec<(String, Option<Source>)>) {
        for arg in verb.get_arguments().filter(|arg| arg.get_num_args().is_some_and(|count| count.takes_values())) {
            let flag = arg.get_long().map_or_else(String::new, |long| format!("--{long} "));
            let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
            if way.is_empty() || !arg.is_global_set() {
                found.push((format!("{way}{flag}{value}"), Source::of(arg)));
            }
        }
        for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
            every(below, &format!("{way}{} ", below.get_name()), found);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a golden file is written by who asks for it")]
    fn every_argument_says_what_completes_it() {
        let mut tree = Cli::command();
        tree.build();
        let mut found = Vec::new();
        every(&tree, "", &mut found);
        let unknown: Vec<_> = found.iter().filter(|(_, source)| source.is_none()).collect();
        assert!(unknown.is_empty(), "values whose name completion does not know: {unknown:?}");
        let of = |wanted| {
            let of = found.iter().filter(|(_, source)| *source == Some(wanted));
            of.map(|(argument, _)| argument.as_str()).collect::<Vec<_>>().join("\n")
        };
        let seen: String = [Source::Profiles, Source::Tags, Source::Recipients, Source::Methods, Source::Files]
            .map(|source| format!("{source:?}\n{}\n\n", of(source)))
            .concat();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/completion.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &seen).unwrap();
        }
        assert_eq!(seen, std::fs::read_to_string(&golden).unwrap(), "if this should be: UPDATE_GOLDEN=1 cargo test");
    }
}
