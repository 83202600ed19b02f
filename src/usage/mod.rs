//! Parses the command line, prints help pages, and replaces clap's errors with neto's own.
//!
//! No error message repeats typed text that may be a secret. `help_page` lays out the first help page, and `suggest`
//! finds the verbs and flags that the user may have meant.

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

/// Maximum length, in bytes, of a typed word that an error message repeats. A longer word may be a secret.
const MAX_SHOWN_WORD_BYTES: usize = 24;

/// Parses the command line. If the user asks for help or the version, prints that text and returns `None`.
///
/// # Errors
/// Returns an error if the command line is invalid or contains a NETOSECRET, or if printing fails. The error is silent
/// if a verb is missing, because the help page is then printed to stderr.
pub(crate) fn parse(arguments: &[OsString], command_line: &CommandLine, ui: &mut Ui) -> Result<Option<Cli>, Error> {
    refuse_secrets(command_line)?;
    // For speed, the first attempt builds only the typed verb, and the tree is never freed.
    match parse_with(typed_tree(arguments), arguments) {
        Ok(cli) => Ok(Some(cli)),
        Err(_) => parse_with_full_tree(arguments, command_line, ui),
    }
}

/// Parses the command line with the tree of all verbs, which help pages and error messages need.
fn parse_with_full_tree(arguments: &[OsString], command_line: &CommandLine, ui: &mut Ui) -> Result<Option<Cli>, Error> {
    ui.set_color(color_choice(command_line));
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
        _ => Err(usage_error(&error, command_line)),
    }
}

/// Builds the tree of all verbs. Its help pages have at most `width` columns.
fn full_tree(width: usize) -> Command {
    let mut tree = Cli::command().term_width(width);
    build_verbs(&mut tree);
    tree
}

/// Returns the value of `--color`, or the default if the flag is missing or invalid. Also works if clap rejects the
/// command line.
fn color_choice(command_line: &CommandLine) -> ColorChoice {
    command_line.value("--color").and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or_default()
}

/// Parses with this tree. Leaks the tree and the matches: freeing them would only delay the command.
fn parse_with(tree: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Box::leak(Box::new(tree)).try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(Box::leak(Box::new(matches)))
}

/// Returns a tree of the global flags and of those verbs whose names occur among the arguments.
pub(crate) fn typed_tree(arguments: &[OsString]) -> Command {
    let mut verbs = Verb::augment_subcommands(Command::default());
    let typed = verbs.get_subcommands_mut().filter(|verb| arguments.iter().any(|word| word == verb.get_name()));
    GlobalArgs::augment_args(Command::new("neto")).subcommands(typed.map(std::mem::take))
}

/// Builds every verb like [`Command::build`], but without the subcommands of `help`.
fn build_verbs(tree: &mut Command) {
    let _ = tree.render_usage();
    tree.get_subcommands_mut().for_each(build_verbs);
}

/// Refuses a NETOSECRET on the command line, because the shell's history and the process list show the command line.
fn refuse_secrets(command_line: &CommandLine) -> Result<(), Error> {
    for word in command_line.words() {
        // The base64 of a NETOSECRET may end with '='. Therefore both the whole word and the part after '=' are tried.
        let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
        if word.len() > MAX_SHOWN_WORD_BYTES && [value, word].iter().any(|text| NetoSecret::parse(text).is_ok()) {
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

/// Converts clap's error into neto's own, because clap's message would repeat the typed words.
fn usage_error(error: &clap::Error, command_line: &CommandLine) -> Error {
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
            let reason = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            // clap writes a range in Rust syntax.
            let reason = reason.replace("..=", " to ");
            format!(
                "{} does not take {}{reason}",
                argument.unwrap_or_default(),
                value.as_deref().map_or("that".to_owned(), quote_unless_secret)
            )
        }
        ErrorKind::TooManyValues => format!("{} takes no more values", argument.unwrap_or_default()),
        _ => "the command line cannot be read".to_owned(),
    };
    Error::new(Code::Usage, message).with_hint(usage_hint(error, command_line))
}

fn usage_hint(error: &clap::Error, command_line: &CommandLine) -> Hint {
    let usage = usage_line(error);
    // For example `neto profile`, from the usage line `neto profile [OPTIONS] <COMMAND>`.
    let path: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    let path = path.join(" ");
    let text_of = |kind| context_text(error, kind).unwrap_or_default();
    let suggested = |kind| {
        // clap lists the nearest suggestion last.
        text_of(kind).rsplit(", ").filter(|suggested| !suggested.is_empty()).map(str::to_owned).collect::<Vec<String>>()
    };
    let suggestions = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (word, suggested) =
                (text_of(ContextKind::InvalidSubcommand), suggested(ContextKind::SuggestedSubcommand));
            suggest::similar_verbs(&word, &path, &suggested, &full_tree(help_page::MAX_WIDTH))
        }
        ErrorKind::UnknownArgument => {
            if let Some(hint) = suggest::flag_hint(
                &text_of(ContextKind::InvalidArg),
                &path,
                command_line,
                &full_tree(help_page::MAX_WIDTH),
            ) {
                return hint;
            }
            suggested(ContextKind::SuggestedArg)
        }
        _ => suggested(ContextKind::SuggestedValue),
    };
    if !suggestions.is_empty() {
        return Hint::did_you_mean(&suggestions);
    }
    match (context_text(error, ContextKind::ValidValue), error.kind()) {
        (Some(values), _) => Hint::advice(format!("one of {values}")),
        (None, ErrorKind::InvalidSubcommand) => Hint::command(format!("{path} --help")),
        // clap's usage line would show only one of the two conflicting arguments.
        (None, ErrorKind::ArgumentConflict) => {
            Hint::command(format!("{path} --help")).remark("says what goes together")
        }
        (None, _) if usage.is_empty() => {
            Hint::command(format!("{} --help", suggest::typed_verb(command_line, &full_tree(help_page::MAX_WIDTH))))
        }
        (None, _) => Hint::command(usage),
    }
}

/// Removes the brackets and dots from the name of a positional argument: `[PROFILE]...` becomes `PROFILE`. A flag is
/// returned unchanged.
fn argument_name(argument: &str) -> String {
    if argument.starts_with('-') {
        return argument.to_owned();
    }
    argument.trim_end_matches("...").trim_matches(['[', ']', '<', '>']).to_owned()
}

/// Returns the verb's usage line, such as `neto profile add [OPTIONS] [NAME]`; empty if the error has no usage line.
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
    let is_harmless = word.len() <= MAX_SHOWN_WORD_BYTES
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=<>[]*'".contains(&b));
    if is_harmless { format!("'{word}'") } else { "what was given (not shown, it may be a secret)".to_owned() }
}

#[cfg(test)]
mod tests;
