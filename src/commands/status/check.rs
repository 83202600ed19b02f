//! What `status --check` finds: the tokens that cannot be counted on, and the lines that get new ones.

use super::StatusRow;
use super::state::Standing;
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::profile::Span;
use clap::ValueEnum as _;
use std::fmt::Write as _;

/// What a check finds: tokens that are late, or that nothing can be known of because their profiles are `faulty`.
pub(super) fn late(rows: &[StatusRow<'_>], faulty: usize, within: Option<Span>) -> Option<Error> {
    let late: Vec<&StatusRow<'_>> = rows.iter().filter(|row| is_late(row, within)).collect();
    if late.is_empty() && faulty > 0 {
        let message = format!("{} cannot be read, so nothing is known of the token", count(faulty, "profile"));
        return Some(Error::new(Code::Found, message).with_hint("neto seal --check    says what is wrong"));
    }
    if late.is_empty() {
        return None;
    }
    let all = count(rows.len() + faulty, "token");
    let servers = late.iter().any(|row| row.state.is_of_servers());
    let what = if servers { "cannot be counted on" } else { "expired, missing or about to expire" };
    let mut message = format!("{} of {all} {what}:", late.len());
    for state in Standing::value_variants() {
        let names = names(&late, |row| row.state == *state);
        if !names.is_empty() {
            let _ = write!(message, "\n{}: {}", state.word(), names.join(", "));
        }
    }
    Some(Error::new(Code::Found, message).with_hint(mend(&late, within)))
}

/// The lines that get new tokens in the place of the late ones.
fn mend(late: &[&StatusRow<'_>], within: Option<Span>) -> String {
    let login = within.map_or_else(|| "neto login".to_owned(), |span| format!("neto login --min-ttl {span}"));
    let rejected = names(late, |row| row.state == Standing::Rejected);
    let missing = names(late, |row| !row.state.is_of_servers());
    let mut lines = Vec::new();
    if !rejected.is_empty() {
        // Good by the clock, so nothing but force makes a login; and of no other token.
        lines.push(format!("neto login --force {}", rejected.join(" ")));
    }
    match missing.len() {
        0 => {}
        1..=5 => lines.push(format!("{login} {}", missing.join(" "))),
        _ => lines.push(format!("{login} --all")),
    }
    if lines.is_empty() { "run the same line again in a while".to_owned() } else { lines.join("\n") }
}

fn names<'a>(rows: &[&StatusRow<'a>], which: impl Fn(&StatusRow<'a>) -> bool) -> Vec<&'a str> {
    rows.iter().filter(|row| which(row)).map(|row| row.profile.as_str()).collect()
}

fn is_late(row: &StatusRow<'_>, within: Option<Span>) -> bool {
    let soon = within.and_then(|span| i64::try_from(span.seconds()).ok()).unwrap_or(0);
    !row.state.is_good() || row.expires_in_seconds.is_none_or(|left| left < soon)
}
