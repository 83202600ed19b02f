//! Reading the command line, and saying what is wrong with it without repeating a secret that was typed
//! there by mistake.

use crate::cli::{Cli, GlobalArgs, Verb};
use crate::error::{Code, Error};
use crate::output::Ui;
use crate::secret::NetoSecret;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, Command, CommandFactory as _, FromArgMatches as _, Subcommand as _};
use std::ffi::OsString;

/// A word this long that clap did not expect may be a secret; it is not shown.
const LONGEST_SHOWN: usize = 24;

/// The parsed command line; nothing after `--help` and `--version`, which are answered here.
pub(crate) fn parse(arguments: &[OsString], ui: &Ui) -> Result<Option<Cli>, Error> {
    refuse_secrets(arguments)?;
    match read(arguments) {
        Ok(cli) => Ok(Some(cli)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                ui.answer(&error.render().to_string())?;
                Ok(None)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                ui.note(&error.render().to_string());
                Err(Error::silent(Code::Usage))
            }
            _ => Err(explain(&error)),
        },
    }
}

/// Of the tree only the verb that was typed is built, and none of it is freed. What comes to no run (help, a complaint)
/// is told from the whole tree.
fn read(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    read_from(typed(arguments), arguments).or_else(|_| {
        let mut whole = Cli::command();
        build(&mut whole);
        read_from(whole, arguments)
    })
}

fn read_from(tree: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Box::leak(Box::new(tree)).try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(Box::leak(Box::new(matches)))
}

/// The tree without the verbs that are no word of the command line: none of them can be the one that is meant.
fn typed(arguments: &[OsString]) -> Command {
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
fn explain(error: &clap::Error) -> Error {
    let argument = text(error, ContextKind::InvalidArg);
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
            let other = text(error, ContextKind::PriorArg).unwrap_or_else(|| "another flag".to_owned());
            format!("{} does not go with {other}", argument.unwrap_or_default())
        }
        ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{} wants a value", argument.unwrap_or_default())
        }
        ErrorKind::InvalidValue if value.is_none() => format!("{} wants a value", argument.unwrap_or_default()),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            format!(
                "{} does not take {}{why}",
                argument.unwrap_or_default(),
                value.as_deref().map_or("that".to_owned(), shown)
            )
        }
        ErrorKind::TooManyValues => format!("{} takes no more values", argument.unwrap_or_default()),
        _ => "the command line cannot be read".to_owned(),
    };
    Error::new(Code::Usage, message).with_hint(hint(error))
}

fn hint(error: &clap::Error) -> String {
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        if let Some(near) = text(error, kind) {
            // clap names several with the nearest last.
            let near: Vec<_> = near.rsplit(", ").map(|near| format!("'{near}'")).collect();
            return format!("did you mean {}?", near.join(" or "));
        }
    }
    if let Some(values) = text(error, ContextKind::ValidValue) {
        return format!("one of {values}");
    }
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let usage = usage.to_string();
            usage.trim_start_matches("Usage:").trim().lines().next().unwrap_or_default().to_owned()
        }
        _ => "neto --help".to_owned(),
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
