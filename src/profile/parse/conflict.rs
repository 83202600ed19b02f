//! Conflict markers that a merge leaves in a file: `<<<<<<<`, `=======`, `>>>>>>>`.

use super::fault::UnlocatedFault;
use super::{StoreProblem, tree};
use crate::profile::ProfileName;
use std::collections::BTreeSet;

/// Line starts of each kind of marker.
const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Fails if the text contains an unresolved conflict. Markers count inside a string too, since a sealed secret is a
/// string.
pub(super) fn check_conflict(text: &str) -> Result<(), UnlocatedFault> {
    let Some(start) = find_marker_line(text, "<<<<<<< ") else { return Ok(()) };
    let rest = &text[start..];
    if !rest.contains("\n=======") || !rest.contains("\n>>>>>>> ") {
        return Ok(());
    }
    Err(UnlocatedFault::new(start, StoreProblem::ConflictMarkers { profiles: conflicting_profiles(text) }))
}

/// Returns the start of the line that holds the byte `at`, if a marker starts it. Finds a marker that remained after
/// the others of its conflict were removed.
pub(super) fn leftover_marker(text: &str, at: usize) -> Option<usize> {
    let before = text.bytes().take(at).rposition(|byte| byte == b'\n');
    let start = before.map_or(0, |end| end + 1);
    MARKERS.iter().any(|mark| text[start..].starts_with(mark)).then_some(start)
}

/// Returns the start of the first line that starts with `mark`.
fn find_marker_line(text: &str, mark: &str) -> Option<usize> {
    let text_start = text.len() - text.trim_start_matches('\u{feff}').len();
    if text[text_start..].starts_with(mark) {
        return Some(text_start);
    }
    let line = format!("\n{mark}");
    // `contains` is much faster than `find`, and few texts have markers.
    let there = text.contains(&line);
    there.then(|| text.find(&line).map(|found| found + 1)).flatten()
}

/// Returns the names of the profiles that have lines between the markers, in the order of the file.
fn conflicting_profiles(text: &str) -> Vec<String> {
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
            header = key_path_of_line(line).unwrap_or(header);
        }
        let is_marker = MARKERS.iter().any(|mark| line.starts_with(mark));
        if within && !is_marker && !line.trim().is_empty() {
            names.extend(profile_of_line(&header, line).filter(|name| seen.insert(name.clone())));
        }
    }
    names
}

/// Returns the profile that a line under `header` belongs to.
fn profile_of_line(header: &[String], line: &str) -> Option<String> {
    let name = match header {
        [first, name, ..] if first == "profiles" => name.clone(),
        // The line `[profiles]` itself belongs to no profile.
        [first] if first == "profiles" && line.trim_start().starts_with('[') => return None,
        [first] if first == "profiles" => key_path_of_line(line)?.into_iter().next()?,
        [] => key_path_of_line(line).filter(|path| path[0] == "profiles")?.into_iter().nth(1)?,
        _ => return None,
    };
    name.parse::<ProfileName>().ok().map(|name| name.to_string())
}

/// Returns the path of the single key that a line declares; a header counts as a key.
fn key_path_of_line(line: &str) -> Option<Vec<String>> {
    let document = tree::parse(line).ok()?;
    let mut path = Vec::new();
    let mut table = Some(&document);
    while let Some((key, value)) = table.and_then(|table| table.entries().first()) {
        path.push(key.text.to_string());
        table = value.kind.as_table();
    }
    (!path.is_empty()).then_some(path)
}
