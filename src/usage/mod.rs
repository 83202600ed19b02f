//! Parsing the command line. Error messages never repeat a secret that was typed by mistake.

mod help_page;
mod suggest;

use crate::cli::{Cli, GlobalArgs, Verb};
use crate::context::CommandLine;
use crate::error::{Code, Error, Hint};
use crate::output::{ColorChoice, OutputStream, Ui};
use crate::secret::NetoSecret;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, Command, CommandFactory as _, FromArgMatches as _, Subcommand as _, ValueEnum as _};
use std::ffi::OsString;

/// Maximum length of an unexpected word that a message shows. A longer word may be a secret.
const MAX_SHOWN_LENGTH: usize = 24;

/// Parses the command line. Prints help and version here, and returns `None` for them.
pub(crate) fn parse(arguments: &[OsString], line: &CommandLine, ui: &mut Ui) -> Result<Option<Cli>, Error> {
    refuse_secrets(line)?;
    // For speed, only the typed verb is built, and the tree is never freed.
    match parse_with(typed_tree(arguments), arguments) {
        Ok(cli) => Ok(Some(cli)),
        Err(_) => parse_with_full_tree(arguments, line, ui),
    }
}

/// Parses the command line with the full tree, for help pages and errors.
fn parse_with_full_tree(arguments: &[OsString], line: &CommandLine, ui: &mut Ui) -> Result<Option<Cli>, Error> {
    ui.set_color(color_choice(line));
    let width = help_page::page_width(ui.terminal_width());
    let error = match parse_with(help_page::group_verbs(full_tree(width), width), arguments) {
        Ok(cli) => return Ok(Some(cli)),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            ui.print_styled(OutputStream::Out, &error.render())?;
            Ok(None)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ui.print_styled(OutputStream::Err, &error.render())?;
            Err(Error::silent(Code::Usage))
        }
        _ => Err(usage_error(&error, line)),
    }
}

/// Builds the full tree, with help pages of at most `width` columns.
fn full_tree(width: usize) -> Command {
    let mut tree = Cli::command().term_width(width);
    build_verbs(&mut tree);
    tree
}

/// Returns the value of `--color` from a command line that may not parse.
fn color_choice(line: &CommandLine) -> ColorChoice {
    line.value("--color").and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or_default()
}

/// Parses with this tree, and leaks the tree and the matches.
fn parse_with(tree: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Box::leak(Box::new(tree)).try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(Box::leak(Box::new(matches)))
}

/// Returns the tree with only those verbs that occur as a word of the command line.
pub(crate) fn typed_tree(arguments: &[OsString]) -> Command {
    let mut verbs = Verb::augment_subcommands(Command::default());
    let typed = verbs.get_subcommands_mut().filter(|verb| arguments.iter().any(|word| word == verb.get_name()));
    GlobalArgs::augment_args(Command::new("neto")).subcommands(typed.map(std::mem::take))
}

/// Builds all verbs like [`Command::build`], except the subcommands of `help`.
fn build_verbs(tree: &mut Command) {
    let _ = tree.render_usage();
    tree.get_subcommands_mut().for_each(build_verbs);
}

/// Refuses a NETOSECRET on the command line, because the shell's history and the process list show it.
fn refuse_secrets(line: &CommandLine) -> Result<(), Error> {
    for word in line.words() {
        // A word without a flag may also contain '=', at the end of its base64.
        let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
        if word.len() > MAX_SHOWN_LENGTH && [value, word].iter().any(|text| NetoSecret::parse(text).is_ok()) {
            return Err(Error::new(
                Code::Usage,
                "a NETOSECRET was given as an argument, where the process list and the shell's history show it",
            )
            .with_hint(
                Hint::command("neto profile add").remark("asks for it; rotate this one if others use the machine"),
            ));
        }
    }
    Ok(())
}

/// Converts clap's error into a message of neto, because clap's text would repeat the typed words.
fn usage_error(error: &clap::Error, line: &CommandLine) -> Error {
    let argument = context_text(error, ContextKind::InvalidArg).map(|argument| argument_name(&argument));
    let value = context_text(error, ContextKind::InvalidValue).filter(|value| !value.is_empty());
    let message = match error.kind() {
        ErrorKind::UnknownArgument if argument.as_deref().is_some_and(|word| !word.starts_with('-')) => {
            // The argument may be a secret, and the message may end up in a log.
            "one argument too many".to_owned()
        }
        ErrorKind::UnknownArgument => {
            format!("there is no {}", argument.as_deref().map_or("such flag".to_owned(), quote_unless_secret))
        }
        ErrorKind::InvalidSubcommand => {
            let verb = context_text(error, ContextKind::InvalidSubcommand);
            format!("there is no command {}", verb.as_deref().map_or("of that name".to_owned(), quote_unless_secret))
        }
        ErrorKind::MissingRequiredArgument => format!("missing: {}", argument.unwrap_or_default()),
        ErrorKind::ArgumentConflict => {
            let other = context_text(error, ContextKind::PriorArg);
            let other = other.map_or_else(|| "another flag".to_owned(), |other| argument_name(&other));
            let argument = argument.unwrap_or_default();
            if argument == other {
                format!("{argument} stands there twice")
            } else {
                format!("{argument} does not go with {other}")
            }
        }
        ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{} wants a value", argument.unwrap_or_default())
        }
        ErrorKind::InvalidValue if value.is_none() => format!("{} wants a value", argument.unwrap_or_default()),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            // clap writes a range like Rust.
            let why = why.replace("..=", " to ");
            format!(
                "{} does not take {}{why}",
                argument.unwrap_or_default(),
                value.as_deref().map_or("that".to_owned(), quote_unless_secret)
            )
        }
        ErrorKind::TooManyValues => format!("{} takes no more values", argument.unwrap_or_default()),
        _ => "the command line cannot be read".to_owned(),
    };
    Error::new(Code::Usage, message).with_hint(usage_hint(error, line))
}

fn usage_hint(error: &clap::Error, line: &CommandLine) -> Hint {
    let usage = usage_line(error);
    // `neto profile` of `neto profile [OPTIONS] <COMMAND>`.
    let path: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    let path = path.join(" ");
    let typed = |kind| context_text(error, kind).unwrap_or_default();
    let near = |kind| {
        // clap lists the nearest suggestion last.
        typed(kind).rsplit(", ").filter(|near| !near.is_empty()).map(str::to_owned).collect::<Vec<String>>()
    };
    let suggestions = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (word, near) = (typed(ContextKind::InvalidSubcommand), near(ContextKind::SuggestedSubcommand));
            suggest::similar_verbs(&word, &path, &near, &full_tree(help_page::MAX_WIDTH))
        }
        ErrorKind::UnknownArgument => {
            if let Some(hint) =
                suggest::flag_hint(&typed(ContextKind::InvalidArg), &path, line, &full_tree(help_page::MAX_WIDTH))
            {
                return hint;
            }
            near(ContextKind::SuggestedArg)
        }
        _ => near(ContextKind::SuggestedValue),
    };
    if !suggestions.is_empty() {
        return Hint::did_you_mean(&suggestions);
    }
    match (context_text(error, ContextKind::ValidValue), error.kind()) {
        (Some(values), _) => Hint::advice(format!("one of {values}")),
        (None, ErrorKind::InvalidSubcommand) => Hint::command(format!("{path} --help")),
        // clap's usage line would show only one of the two arguments.
        (None, ErrorKind::ArgumentConflict) => {
            Hint::command(format!("{path} --help")).remark("says what goes together")
        }
        (None, _) if usage.is_empty() => {
            Hint::command(format!("{} --help", suggest::typed_verb(line, &full_tree(help_page::MAX_WIDTH))))
        }
        (None, _) => Hint::command(usage),
    }
}

/// Returns an argument without the brackets and dots around a positional name: `PROFILE` for `[PROFILE]...`.
fn argument_name(argument: &str) -> String {
    if argument.starts_with('-') {
        return argument.to_owned();
    }
    argument.trim_end_matches("...").trim_matches(['[', ']', '<', '>']).to_owned()
}

/// Returns the usage line of the verb, `neto profile add [OPTIONS] [NAME]`; empty if the error has none.
fn usage_line(error: &clap::Error) -> String {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let usage = usage.to_string();
            usage.trim_start_matches("Usage:").trim().lines().next().unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn context_text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")).filter(|joined| !joined.is_empty()),
        _ => None,
    }
}

/// Returns a typed word in quotes, or a placeholder if the word may be a secret.
fn quote_unless_secret(word: &str) -> String {
    let is_harmless =
        word.len() <= MAX_SHOWN_LENGTH && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=<>[]*'".contains(&b));
    if is_harmless { format!("'{word}'") } else { "what was given (not shown, it may be a secret)".to_owned() }
}

#[cfg(test)]
mod tests;
