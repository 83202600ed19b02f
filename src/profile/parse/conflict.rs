//! What a merge leaves in a file: `<<<<<<<`, `=======`, `>>>>>>>`.

use super::fault::Wrong;
use super::{Problem, tree};
use crate::profile::ProfileName;
use std::collections::BTreeSet;

/// What starts a line of each kind.
const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Fails where two sides of a merge still stand in the text, also where they stand within a
/// string, as those of a sealed secret do.
pub(super) fn check_conflict(text: &str) -> Result<(), Wrong> {
    let Some(start) = marker(text, "<<<<<<< ") else { return Ok(()) };
    let rest = &text[start..];
    if !rest.contains("\n=======") || !rest.contains("\n>>>>>>> ") {
        return Ok(());
    }
    Err(Wrong::new(start, Problem::ConflictMarkers { profiles: profiles_within(text) }))
}

/// The start of the line that holds the byte `at`, where that is a marker: one that was left over when the others of its
/// conflict were taken out.
pub(super) fn left_over(text: &str, at: usize) -> Option<usize> {
    let before = text.bytes().take(at).rposition(|byte| byte == b'\n');
    let start = before.map_or(0, |end| end + 1);
    MARKERS.iter().any(|mark| text[start..].starts_with(mark)).then_some(start)
}

/// The first line that starts with `mark`.
fn marker(text: &str, mark: &str) -> Option<usize> {
    let text_start = text.len() - text.trim_start_matches('\u{feff}').len();
    if text[text_start..].starts_with(mark) {
        return Some(text_start);
    }
    let line = format!("\n{mark}");
    // Whether it is there at all is known much sooner than where.
    let there = text.contains(&line);
    there.then(|| text.find(&line).map(|found| found + 1)).flatten()
}

/// The names of the profiles that have lines between the markers, in the order of the file.
fn profiles_within(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut header: Vec<String> = Vec::new();
    let mut within = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.starts_with("<<<<<<< ") {
            within = true;
        } else if line.starts_with(">>>>>>> ") {
            within = false;
        } else if line.trim_start().starts_with('[') {
            header = path_of(line).unwrap_or(header);
        }
        let is_marker = MARKERS.iter().any(|mark| line.starts_with(mark));
        if within && !is_marker && !line.trim().is_empty() {
            names.extend(profile_of(&header, line).filter(|name| seen.insert(name.clone())));
        }
    }
    names
}

/// The profile that a line under `header` belongs to.
fn profile_of(header: &[String], line: &str) -> Option<String> {
    let name = match header {
        [first, name, ..] if first == "profiles" => name.clone(),
        // Its own header belongs to none.
        [first] if first == "profiles" && line.trim_start().starts_with('[') => return None,
        [first] if first == "profiles" => path_of(line)?.into_iter().next()?,
        [] => path_of(line).filter(|path| path[0] == "profiles")?.into_iter().nth(1)?,
        _ => return None,
    };
    name.parse::<ProfileName>().ok().map(|name| name.to_string())
}

/// The path of the one key that a line declares, a header included.
fn path_of(line: &str) -> Option<Vec<String>> {
    let document = tree::parse(line).ok()?;
    let mut path = Vec::new();
    let mut table = Some(&document);
    while let Some((key, value)) = table.and_then(|table| table.entries().first()) {
        path.push(key.text.to_string());
        table = value.kind.as_table();
    }
    (!path.is_empty()).then_some(path)
}
