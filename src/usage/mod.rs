//! Reading the command line, and saying what is wrong with it without repeating a secret that was typed
//! there by mistake.

#[cfg(test)]
mod example_tests;
mod help_page;
mod suggest;

use crate::cli::{Cli, GlobalArgs, Verb};
use crate::error::{Code, Error, did_you_mean};
use crate::output::{ColorChoice, Stream, Ui};
use crate::secret::NetoSecret;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, Command, CommandFactory as _, FromArgMatches as _, Subcommand as _, ValueEnum as _};
use std::ffi::OsString;

/// A word this long that clap did not expect may be a secret; it is not shown.
const LONGEST_SHOWN: usize = 24;

/// The parsed command line; nothing after `--help` and `--version`, which are answered here.
pub(crate) fn parse(arguments: &[OsString], ui: &mut Ui) -> Result<Option<Cli>, Error> {
    refuse_secrets(arguments)?;
    // Of the tree only the verb that was typed is built, and none of it is freed.
    match read_from(typed(arguments), arguments) {
        Ok(cli) => Ok(Some(cli)),
        Err(_) => parse_whole(arguments, ui),
    }
}

/// What comes to no run (help, a complaint) is told from the whole tree.
fn parse_whole(arguments: &[OsString], ui: &mut Ui) -> Result<Option<Cli>, Error> {
    ui.set_color(color(arguments));
    let width = help_page::width(ui.columns());
    let error = match read_from(help_page::grouped(built(width), width), arguments) {
        Ok(cli) => return Ok(Some(cli)),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            ui.page(Stream::Out, &error.render())?;
            Ok(None)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ui.page(Stream::Err, &error.render())?;
            Err(Error::silent(Code::Usage))
        }
        _ => Err(explain(&error, arguments)),
    }
}

/// All of the tree, built, with pages of at most so many columns.
fn built(width: usize) -> Command {
    let mut tree = Cli::command().term_width(width);
    build(&mut tree);
    tree
}

/// What `--color` says, in a command line that cannot be read.
fn color(arguments: &[OsString]) -> ColorChoice {
    let own = arguments.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let words: Vec<&str> = own.collect();
    let beside = words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let value = beside.or_else(|| words.iter().find_map(|word| word.strip_prefix("--color=")));
    value.and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or_default()
}

fn read_from(tree: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Box::leak(Box::new(tree)).try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(Box::leak(Box::new(matches)))
}

/// The tree without the verbs that are no word of the command line: none of them can be the one that is meant.
pub(crate) fn typed(arguments: &[OsString]) -> Command {
    let mut verbs = Verb::augment_subcommands(Command::default());
    let typed = verbs.get_subcommands_mut().filter(|verb| arguments.iter().any(|word| word == verb.get_name()));
    GlobalArgs::augment_args(Command::new("neto")).subcommands(typed.map(std::mem::take))
}

/// Builds all verbs, as [`Command::build`] does but for what is below `help`.
fn build(tree: &mut Command) {
    let _ = tree.render_usage();
    tree.get_subcommands_mut().for_each(build);
}

/// A NETOSECRET on the command line is in the shell's history and was in the process list already.
fn refuse_secrets(arguments: &[OsString]) -> Result<(), Error> {
    // What follows `--` belongs to another program.
    let own = arguments.iter().skip(1).take_while(|word| *word != "--").map(|word| word.to_string_lossy());
    for word in own {
        // The base64 of the word itself may end in '='.
        let value = word.split_once('=').map_or(&*word, |(_, value)| value);
        if word.len() > LONGEST_SHOWN && [value, &word].iter().any(|text| NetoSecret::parse(text).is_ok()) {
            return Err(Error::new(
                Code::Usage,
                "a NETOSECRET was given as an argument, where the process list and the shell's history show it",
            )
            .with_hint("neto profile add    asks for it; rotate this one if others use the machine"));
        }
    }
    Ok(())
}

/// clap's complaint in neto's words: its own text would repeat whatever was typed.
fn explain(error: &clap::Error, arguments: &[OsString]) -> Error {
    let argument = text(error, ContextKind::InvalidArg).map(|argument| plain(&argument));
    let value = text(error, ContextKind::InvalidValue).filter(|value| !value.is_empty());
    let message = match error.kind() {
        ErrorKind::UnknownArgument if argument.as_deref().is_some_and(|word| !word.starts_with('-')) => {
            // Who types a secret where none is taken should not read it in a log.
            "one argument too many".to_owned()
        }
        ErrorKind::UnknownArgument => {
            format!("there is no {}", argument.as_deref().map_or("such flag".to_owned(), shown))
        }
        ErrorKind::InvalidSubcommand => {
            let verb = text(error, ContextKind::InvalidSubcommand);
            format!("there is no command {}", verb.as_deref().map_or("of that name".to_owned(), shown))
        }
        ErrorKind::MissingRequiredArgument => format!("missing: {}", argument.unwrap_or_default()),
        ErrorKind::ArgumentConflict => {
            let other = text(error, ContextKind::PriorArg);
            let other = other.map_or_else(|| "another flag".to_owned(), |other| plain(&other));
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
            // As Rust writes a range.
            let why = why.replace("..=", " to ");
            format!(
                "{} does not take {}{why}",
                argument.unwrap_or_default(),
                value.as_deref().map_or("that".to_owned(), shown)
            )
        }
        ErrorKind::TooManyValues => format!("{} takes no more values", argument.unwrap_or_default()),
        _ => "the command line cannot be read".to_owned(),
    };
    Error::new(Code::Usage, message).with_hint(hint(error, arguments))
}

fn hint(error: &clap::Error, arguments: &[OsString]) -> String {
    let usage = usage(error);
    // `neto profile` of `neto profile [OPTIONS] <COMMAND>`.
    let path: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    let path = path.join(" ");
    let typed = |kind| text(error, kind).unwrap_or_default();
    let near = |kind| {
        // clap names several with the nearest last.
        typed(kind).rsplit(", ").filter(|near| !near.is_empty()).map(str::to_owned).collect::<Vec<String>>()
    };
    let meant = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (word, near) = (typed(ContextKind::InvalidSubcommand), near(ContextKind::SuggestedSubcommand));
            suggest::verbs(&word, &path, &near, &built(help_page::WIDEST))
        }
        ErrorKind::UnknownArgument => {
            if let Some(hint) =
                suggest::flag(&typed(ContextKind::InvalidArg), &path, arguments, &built(help_page::WIDEST))
            {
                return hint;
            }
            near(ContextKind::SuggestedArg)
        }
        _ => near(ContextKind::SuggestedValue),
    };
    if !meant.is_empty() {
        return did_you_mean(&meant);
    }
    match (text(error, ContextKind::ValidValue), error.kind()) {
        (Some(values), _) => format!("one of {values}"),
        (None, ErrorKind::InvalidSubcommand) => format!("{path} --help"),
        // Its usage line would name one of the two alone.
        (None, ErrorKind::ArgumentConflict) => format!("{path} --help    says what goes together"),
        (None, _) if usage.is_empty() => format!("{} --help", suggest::verb(arguments, &built(help_page::WIDEST))),
        (None, _) => usage,
    }
}

/// An argument without the signs that stand around the name of one without a flag: `PROFILE` of `[PROFILE]...`.
fn plain(argument: &str) -> String {
    if argument.starts_with('-') {
        return argument.to_owned();
    }
    argument.trim_end_matches("...").trim_matches(['[', ']', '<', '>']).to_owned()
}

/// How the verb is typed: `neto profile add [OPTIONS] [NAME]`; empty where clap does not say.
fn usage(error: &clap::Error) -> String {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let usage = usage.to_string();
            usage.trim_start_matches("Usage:").trim().lines().next().unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")).filter(|joined| !joined.is_empty()),
        _ => None,
    }
}

/// A word that was typed, unless it may be a secret.
fn shown(word: &str) -> String {
    let harmless =
        word.len() <= LONGEST_SHOWN && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=<>[]*'".contains(&b));
    if harmless { format!("'{word}'") } else { "what was given (not shown, it may be a secret)".to_owned() }
}
