//! Finds conflict markers that a Git merge leaves in a file: `<<<<<<<`, `|||||||`, `=======`, `>>>>>>>`.

use super::fault::UnlocatedFault;
use super::{StoreProblem, tree};
use crate::profile::ProfileName;
use std::collections::BTreeSet;

/// Start of the line for each kind of marker.
const MARKER_PREFIXES: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Checks that the text contains no unresolved conflict. Also finds a conflict inside a multi-line string, because a
/// sealed secret is a multi-line string.
///
/// # Errors
/// Returns a fault that names the profiles between the markers.
pub(super) fn check_conflict(text: &str) -> Result<(), UnlocatedFault> {
    let Some(conflict_start) = find_marker_line(text, "<<<<<<< ") else { return Ok(()) };
    let conflict = &text[conflict_start..];
    if !conflict.contains("\n=======") || !conflict.contains("\n>>>>>>> ") {
        return Ok(());
    }
    Err(UnlocatedFault::new(conflict_start, StoreProblem::ConflictMarkers { profiles: conflicting_profiles(text) }))
}

/// Returns the start of the line at the byte `offset` if that line starts with a marker. This detects a marker that
/// remains after the other markers of its conflict were removed.
pub(super) fn leftover_marker_start(text: &str, offset: usize) -> Option<usize> {
    let line_feed = text.bytes().take(offset).rposition(|byte| byte == b'\n');
    let line_start = line_feed.map_or(0, |line_feed| line_feed + 1);
    MARKER_PREFIXES.iter().any(|prefix| text[line_start..].starts_with(prefix)).then_some(line_start)
}

/// Returns the offset of the first line that starts with `prefix`.
fn find_marker_line(text: &str, prefix: &str) -> Option<usize> {
    let text_start = text.len() - text.trim_start_matches('\u{feff}').len();
    if text[text_start..].starts_with(prefix) {
        return Some(text_start);
    }
    let line_prefix = format!("\n{prefix}");
    // `contains` is much faster than `find`, and most texts have no markers.
    let is_present = text.contains(&line_prefix);
    is_present.then(|| text.find(&line_prefix).map(|line_feed| line_feed + 1)).flatten()
}

/// Returns the names of the profiles with lines between conflict markers, in the order of the file.
fn conflicting_profiles(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut header: Vec<String> = Vec::new();
    let mut in_conflict = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.starts_with("<<<<<<< ") {
            in_conflict = true;
        } else if line.starts_with(">>>>>>> ") {
            in_conflict = false;
        } else if line.trim_start().starts_with('[') {
            header = key_path_of_line(line).unwrap_or(header);
        }
        let is_marker = MARKER_PREFIXES.iter().any(|prefix| line.starts_with(prefix));
        if in_conflict && !is_marker && !line.trim().is_empty() {
            names.extend(profile_of_line(&header, line).filter(|name| seen.insert(name.clone())));
        }
    }
    names
}

/// Returns the name of the profile to which a line belongs. `header` is the path of the last header at or before that
/// line.
fn profile_of_line(header: &[String], line: &str) -> Option<String> {
    let name = match header {
        [first, name, ..] if first == "profiles" => name.clone(),
        // The header `[profiles]` itself belongs to no profile.
        [first] if first == "profiles" && line.trim_start().starts_with('[') => return None,
        [first] if first == "profiles" => key_path_of_line(line)?.into_iter().next()?,
        [] => key_path_of_line(line).filter(|path| path[0] == "profiles")?.into_iter().nth(1)?,
        _ => return None,
    };
    name.parse::<ProfileName>().ok().map(|name| name.to_string())
}

/// Returns the path of the first key that a line declares, or the path of a header. Returns `None` if the line alone is
/// not valid TOML or declares no key.
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
