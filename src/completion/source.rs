//! Selects the candidates of each argument by its value name in the help.

use super::names::StoreNames;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Source of the candidates for an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueSource {
    /// Profiles in the store.
    Profiles,
    /// Tags of the profiles in the store.
    Tags,
    /// Recipients in the store.
    Recipients,
    /// HTTP methods.
    Methods,
    /// Files, completed by the shell.
    Files,
    /// The possible values of the argument, declared in the command tree.
    PossibleValues,
    /// No candidates: only the user knows the value.
    Unknown,
}

/// HTTP methods that the API accepts.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl ValueSource {
    /// Returns the source for an argument that takes a value; `None` if the value name is unknown.
    pub(super) fn for_argument(arg: &Arg) -> Option<Self> {
        if !arg.get_possible_values().is_empty() {
            return Some(Self::PossibleValues);
        }
        Some(match arg.get_value_names()?.first()?.as_str() {
            "PROFILE" => Self::Profiles,
            "TAG" => Self::Tags,
            "RECIPIENT" => Self::Recipients,
            "METHOD" => Self::Methods,
            "FILE" => Self::Files,
            "CMD" | "DATA" | "KEY" | "N" | "NAME" | "NAME: VALUE" | "NAME=VALUE" | "NEW" | "PATH" | "PID"
            | "POINTER" | "PORT" | "TEMPLATE" | "TEXT" | "TIME" | "URL" | "VARIABLE" => Self::Unknown,
            _ => return None,
        })
    }
}

/// Data for the completers, and a flag that a completer sets.
pub(super) struct CompletionData {
    names: StoreNames,
    wants_file: AtomicBool,
}

impl CompletionData {
    pub(super) fn new(names: StoreNames) -> Self {
        Self { names, wants_file: AtomicBool::new(false) }
    }

    /// Returns whether a completer of a file argument was called.
    pub(super) fn wants_file(&self) -> bool {
        self.wants_file.load(Ordering::Relaxed)
    }

    fn candidates(&self, source: ValueSource, start: &OsStr) -> Vec<CompletionCandidate> {
        let Some(start) = start.to_str() else { return Vec::new() };
        match source {
            ValueSource::Profiles => self.names.profiles(start),
            ValueSource::Tags => self.names.tags(start),
            ValueSource::Recipients => self.names.recipients(start),
            ValueSource::Methods => {
                METHODS.into_iter().filter(|method| method.starts_with(start)).map(Into::into).collect()
            }
            ValueSource::Files => {
                // The engine also calls the completer of the next positional argument while a flag is being typed.
                self.wants_file.fetch_or(!start.starts_with('-'), Ordering::Relaxed);
                Vec::new()
            }
            ValueSource::PossibleValues | ValueSource::Unknown => Vec::new(),
        }
    }
}

/// Adds a completer to each argument of the tree. `typed` holds the arguments before the cursor.
pub(super) fn add_completers(tree: Command, data: &Arc<CompletionData>, typed: Option<&ArgMatches>) -> Command {
    tree.mut_args(|arg| with_completer(arg, data, typed)).mut_subcommands(|verb| add_completers(verb, data, typed))
}

fn with_completer(arg: Arg, data: &Arc<CompletionData>, typed: Option<&ArgMatches>) -> Arg {
    let Some(source) = ValueSource::for_argument(&arg).filter(|source| *source != ValueSource::PossibleValues) else {
        return arg;
    };
    let (data, used) = (Arc::clone(data), used_values(&arg, typed));
    // Only `use` accepts a hyphen as a name.
    let takes_hyphen = source == ValueSource::Profiles && arg.is_allow_hyphen_values_set();
    arg.add(ArgValueCompleter::new(move |start: &OsStr| {
        let mut found = data.candidates(source, start);
        found.retain(|candidate| !used.contains(candidate.get_value()));
        if takes_hyphen && (start.is_empty() || start == "-") {
            found.push(CompletionCandidate::new("-").help(Some("the profile before".into())).tag(Some("store".into())));
        }
        found
    }))
}

/// Returns the values already given to an argument that may be repeated.
fn used_values(arg: &Arg, typed: Option<&ArgMatches>) -> HashSet<std::ffi::OsString> {
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

    /// Lists the source of each argument that takes a value, with its path such as `profile show PROFILE`.
    fn list_sources(verb: &Command, path: &str, found: &mut Vec<(String, Option<ValueSource>)>) {
        for arg in verb.get_arguments().filter(|arg| arg.get_num_args().is_some_and(|count| count.takes_values())) {
            let flag = arg.get_long().map_or_else(String::new, |long| format!("--{long} "));
            let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
            if path.is_empty() || !arg.is_global_set() {
                found.push((format!("{path}{flag}{value}"), ValueSource::for_argument(arg)));
            }
        }
        for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
            list_sources(below, &format!("{path}{} ", below.get_name()), found);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a golden file is written by who asks for it")]
    fn every_argument_says_what_completes_it() {
        let mut tree = Cli::command();
        tree.build();
        let mut found = Vec::new();
        list_sources(&tree, "", &mut found);
        let unknown: Vec<_> = found.iter().filter(|(_, source)| source.is_none()).collect();
        assert!(unknown.is_empty(), "values whose name completion does not know: {unknown:?}");
        let arguments_of = |source| {
            let matching = found.iter().filter(|(_, found)| *found == Some(source));
            matching.map(|(argument, _)| argument.as_str()).collect::<Vec<_>>().join("\n")
        };
        let seen: String = [
            ValueSource::Profiles,
            ValueSource::Tags,
            ValueSource::Recipients,
            ValueSource::Methods,
            ValueSource::Files,
        ]
        .map(|source| format!("{source:?}\n{}\n\n", arguments_of(source)))
        .concat();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/completion.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &seen).unwrap();
        }
        assert_eq!(seen, std::fs::read_to_string(&golden).unwrap(), "if this should be: UPDATE_GOLDEN=1 cargo test");
    }
}
