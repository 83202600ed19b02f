//! `neto prompt`: prints the current profile and the time until its token expires, for a shell prompt.
//!
//! Runs before every prompt. Must not take longer than `neto token` with a cached token, and must not print errors.

use crate::error::Error;
use crate::output::humanize;
use crate::output::render_json_line;
use crate::session::peek;
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
    #[arg(short, long, value_enum, default_value_t = PromptFormat::Text)]
    output: PromptFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PromptFormat {
    /// A word or two, without colour
    Text,
    /// An object on one line: profile, protected, expires_in_seconds
    Json,
}

#[derive(Serialize)]
struct PromptSegment<'a> {
    profile: &'a str,
    protected: bool,
    /// Null without a valid token.
    expires_in_seconds: Option<i64>,
}

/// Prints the segment; prints nothing if no profile can be resolved.
pub(crate) fn run(args: &PromptArgs, run: &Run<'_>) -> Result<(), Error> {
    let context = run.context;
    context.cache.forbid_key_creation();
    let Ok(resolved) = context.resolve_profile(None) else { return Ok(()) };
    let now = context.process.clock.now();
    let lifetime = peek(&context.cache, &context.vault, resolved.loaded_profile(), now);
    let segment = PromptSegment {
        profile: resolved.profile.name.as_str(),
        protected: resolved.profile.protected,
        expires_in_seconds: lifetime.map(|lifetime| lifetime.remaining(now).as_secs()),
    };
    Ok(run.ui.print(&match args.output {
        PromptFormat::Text => segment.render_text(),
        PromptFormat::Json => render_json_line(&segment),
    })?)
}

impl PromptSegment<'_> {
    fn render_text(&self) -> String {
        let mark = if self.protected { "!" } else { "" };
        let remaining = self.expires_in_seconds.map_or_else(|| "-".to_owned(), humanize::duration);
        format!("{}{mark} {remaining}\n", self.profile)
    }
}
