//! `neto prompt`: which profile a command would use now, and for how long its token is good, as a part of a prompt.
//!
//! It stands in every prompt, so it costs what `neto token` costs, and whatever is wrong, it says nothing.

use crate::error::Error;
use crate::output::humanize;
use crate::output::json_line;
use crate::session::glance;
use crate::workflow::Run;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Print the chosen profile and the life of its token, for a prompt
///
/// `acme 42m`: the profile that `neto token` would use, and how long the cached token is still good; `acme! 42m` for a
/// protected one; `acme -` without a token that may be used. Where no profile is chosen, or something is wrong, it
/// prints nothing, and succeeds. It asks nobody, no server either, and writes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  PS1='$(neto prompt) \\$ '                             bash
  setopt prompt_subst; PROMPT='$(neto prompt) %# '     zsh
  neto prompt -o json")]
pub(crate) struct PromptArgs {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A word or two, without colour
    Text,
    /// An object on one line: profile, protected, expires_in_seconds
    Json,
}

#[derive(Serialize)]
struct Segment<'a> {
    profile: &'a str,
    protected: bool,
    /// Null without a token that may be used.
    expires_in_seconds: Option<i64>,
}

/// Prints the segment.
pub(crate) fn run(args: &PromptArgs, run: &Run<'_>) -> Result<(), Error> {
    let context = run.context;
    context.cache.only_read();
    let Ok(chosen) = context.chosen(None) else { return Ok(()) };
    let now = context.process.clock.now();
    let lifetime = glance(&context.cache, &context.vault, &chosen.profile, now);
    let segment = Segment {
        profile: chosen.profile.name.as_str(),
        protected: chosen.profile.protected,
        expires_in_seconds: lifetime.map(|lifetime| lifetime.left(now).as_secs()),
    };
    Ok(run.ui.answer(&match args.output {
        Form::Text => segment.text(),
        Form::Json => json_line(&segment),
    })?)
}

impl Segment<'_> {
    fn text(&self) -> String {
        let mark = if self.protected { "!" } else { "" };
        let left = self.expires_in_seconds.map_or_else(|| "-".to_owned(), humanize::span);
        format!("{}{mark} {left}\n", self.profile)
    }
}
