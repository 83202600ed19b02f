//! `status --check`: finds tokens that are not usable or about to expire, and the commands that replace them.

use super::StatusRow;
use super::state::TokenStatus;
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::profile::Span;
use clap::ValueEnum as _;
use std::fmt::Write as _;

/// Returns the error that `--check` reports; `None` if all tokens are usable for the time `within`.
///
/// The error lists the late tokens: those that are not usable, or that expire within that time. If no token is late,
/// the error reports the number of `invalid` profiles, whose tokens are unknown.
pub(super) fn late_tokens(rows: &[StatusRow<'_>], invalid: usize, within: Option<Span>) -> Option<Error> {
    let late: Vec<&StatusRow<'_>> = rows.iter().filter(|row| is_late(row, within)).collect();
    if late.is_empty() && invalid > 0 {
        let message = format!("{} cannot be read, so nothing is known of the token", pluralize(invalid, "profile"));
        return Some(
            Error::new(Code::ProblemFound, message)
                .with_hint(Hint::command("neto seal --check").remark("says what is wrong")),
        );
    }
    if late.is_empty() {
        return None;
    }
    let all = pluralize(rows.len() + invalid, "token");
    let any_from_server = late.iter().any(|row| row.state.needs_server());
    let problem = if any_from_server { "cannot be counted on" } else { "expired, missing or about to expire" };
    let mut message = format!("{} of {all} {problem}:", late.len());
    for state in TokenStatus::value_variants() {
        let names = names(&late, |row| row.state == *state);
        if !names.is_empty() {
            let _ = write!(message, "\n{}: {}", state.as_str(), names.join(", "));
        }
    }
    Some(Error::new(Code::ProblemFound, message).with_hint(renewal_hint(&late, within)))
}

/// Returns the hint with the commands that replace the late tokens.
fn renewal_hint(late: &[&StatusRow<'_>], within: Option<Span>) -> Hint {
    let login = within.map_or_else(|| "neto login".to_owned(), |span| format!("neto login --min-ttl {span}"));
    let rejected = names(late, |row| row.state == TokenStatus::Rejected);
    let missing = names(late, |row| !row.state.needs_server());
    let mut lines = Vec::new();
    if !rejected.is_empty() {
        // By the clock these tokens are valid, so only `--force` gets new ones. Other tokens do not need `--force`.
        lines.push(format!("neto login --force {}", rejected.join(" ")));
    }
    match missing.len() {
        0 => {}
        1..=5 => lines.push(format!("{login} {}", missing.join(" "))),
        _ => lines.push(format!("{login} --all")),
    }
    if lines.is_empty() { Hint::advice("run the same line again in a while") } else { Hint::command(lines.join("\n")) }
}

fn names<'a>(rows: &[&StatusRow<'a>], matches: impl Fn(&StatusRow<'a>) -> bool) -> Vec<&'a str> {
    rows.iter().filter(|row| matches(row)).map(|row| row.profile.as_str()).collect()
}

fn is_late(row: &StatusRow<'_>, within: Option<Span>) -> bool {
    let within_seconds = within.and_then(|span| i64::try_from(span.seconds()).ok()).unwrap_or(0);
    !row.state.is_usable() || row.expires_in_seconds.is_none_or(|remaining| remaining < within_seconds)
}
