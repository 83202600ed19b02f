//! Selects the source of an argument's candidates by the argument's value name, such as `PROFILE` in
//! `--profile PROFILE`.

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
    /// Possible values that the command tree declares for the argument.
    PossibleValues,
    /// No candidates, because only the user knows the value.
    NoCandidates,
}

/// HTTP methods that the API uses. Completion offers only these methods.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl ValueSource {
    /// Returns the source for an argument that takes a value. Returns `None` for a value name that this function does
    /// not list. A test checks that no argument has an unlisted name.
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
            | "POINTER" | "PORT" | "TEMPLATE" | "TEXT" | "TIME" | "URL" | "VARIABLE" => Self::NoCandidates,
            _ => return None,
        })
    }
}

/// Data that the completers of all arguments share.
pub(super) struct CompletionData {
    names: StoreNames,
    wants_file: AtomicBool,
}

impl CompletionData {
    pub(super) fn new(names: StoreNames) -> Self {
        Self { names, wants_file: AtomicBool::new(false) }
    }

    /// Returns true if the word to complete is a file name.
    pub(super) fn wants_file(&self) -> bool {
        self.wants_file.load(Ordering::Relaxed)
    }

    fn candidates(&self, source: ValueSource, prefix: &OsStr) -> Vec<CompletionCandidate> {
        let Some(prefix) = prefix.to_str() else { return Vec::new() };
        match source {
            ValueSource::Profiles => self.names.profiles(prefix),
            ValueSource::Tags => self.names.tags(prefix),
            ValueSource::Recipients => self.names.recipients(prefix),
            ValueSource::Methods => {
                METHODS.into_iter().filter(|method| method.starts_with(prefix)).map(Into::into).collect()
            }
            ValueSource::Files => {
                // `clap_complete` also calls the completer of the next positional argument while the user types a flag.
                self.wants_file.fetch_or(!prefix.starts_with('-'), Ordering::Relaxed);
                Vec::new()
            }
            ValueSource::PossibleValues | ValueSource::NoCandidates => Vec::new(),
        }
    }
}

/// Adds a completer to each argument in the tree that takes a value and does not declare its possible values. `typed`
/// holds the arguments before the word to complete.
pub(super) fn add_completers(tree: Command, data: &Arc<CompletionData>, typed: Option<&ArgMatches>) -> Command {
    tree.mut_args(|arg| with_completer(arg, data, typed)).mut_subcommands(|verb| add_completers(verb, data, typed))
}

fn with_completer(arg: Arg, data: &Arc<CompletionData>, typed: Option<&ArgMatches>) -> Arg {
    let Some(source) = ValueSource::for_argument(&arg).filter(|source| *source != ValueSource::PossibleValues) else {
        return arg;
    };
    let (data, used_values) = (Arc::clone(data), used_values(&arg, typed));
    // Only `neto use` accepts a hyphen as a name: the previous profile.
    let takes_hyphen = source == ValueSource::Profiles && arg.is_allow_hyphen_values_set();
    arg.add(ArgValueCompleter::new(move |prefix: &OsStr| {
        let mut found = data.candidates(source, prefix);
        found.retain(|candidate| !used_values.contains(candidate.get_value()));
        if takes_hyphen && (prefix.is_empty() || prefix == "-") {
            found.push(CompletionCandidate::new("-").help(Some("the profile before".into())).tag(Some("store".into())));
        }
        found
    }))
}

/// Returns the values that a repeatable argument already has. The completer does not offer these values again.
fn used_values(arg: &Arg, typed: Option<&ArgMatches>) -> HashSet<std::ffi::OsString> {
    let is_repeatable = matches!(arg.get_action(), ArgAction::Append);
    let values = typed.filter(|_| is_repeatable).and_then(|typed| typed.try_get_raw(arg.get_id().as_str()).ok()?);
    values.into_iter().flatten().map(OsStr::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;
    use std::path::Path;

    /// Appends each argument that takes a value, such as `profile show PROFILE`, with the source of its candidates.
    fn list_sources(verb: &Command, path: &str, found: &mut Vec<(String, Option<ValueSource>)>) {
        for arg in verb.get_arguments().filter(|arg| arg.get_num_args().is_some_and(|count| count.takes_values())) {
            let flag = arg.get_long().map_or_else(String::new, |long| format!("--{long} "));
            let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
            if path.is_empty() || !arg.is_global_set() {
                found.push((format!("{path}{flag}{value}"), ValueSource::for_argument(arg)));
            }
        }
        for subcommand in verb.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            list_sources(subcommand, &format!("{path}{} ", subcommand.get_name()), found);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a golden file is written by who asks for it")]
    fn every_argument_has_a_candidate_source() {
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
        let listing: String = [
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
            std::fs::write(&golden, &listing).unwrap();
        }
        assert_eq!(listing, std::fs::read_to_string(&golden).unwrap(), "if this should be: UPDATE_GOLDEN=1 cargo test");
    }
}
