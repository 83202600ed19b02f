//! Formats made of lines: a list of NETOSECRETs, or assignments to variables.
//!
//! In a list, every line must be blank, a comment, or part of a NETOSECRET. Among assignments, other lines are ignored,
//! because they may be the code of a program. The value of a variable is a NETOSECRET or a single field. Fields whose
//! variables have the same prefix belong to one credential, and a repeated field begins the next credential.

use super::assignment::Assignment;
use super::quote::{self, ValueError};
use super::{EntryError, EntryLocation, EntryProblem, Import, ImportEntry, ImportFormat, field};
use crate::secret::json::sanitize_name;
use crate::secret::{Json, NetoSecret, NetoSecretError, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Maximum number of lines of a wrapped NETOSECRET.
const MAX_WRAPPED_LINES: usize = 40;

/// Maximum number of unrecognized lines that are kept as possible errors. Limits the memory for a large file of another
/// kind.
const MAX_UNRECOGNIZED_LINES: usize = 10_000;

/// Initial capacity of a buffer for a NETOSECRET; enough for any real NETOSECRET.
const INITIAL_CAPACITY_BYTES: usize = 4096;

/// Maximum length of a NETOSECRET that is joined from several lines.
const MAX_JOINED_BYTES: usize = 64 * 1024;

/// Maximum length of the name of a variable. The shortest NETOSECRET has about 100 characters.
const MAX_NAME_BYTES: usize = 64;

/// End of the login URL. The published recipes contain the login URL instead of the API URL.
const LOGIN_PATH: &str = "/auth/token";

/// Parses all lines. Returns `None` if the text contains no entry, valid or invalid.
pub(super) fn parse(text: &str) -> Option<Import> {
    let mut parser = LineParser::default();
    let (mut rest, mut line_number) = (text, 1);
    while !rest.is_empty() {
        let consumed = parser.consume(rest, line_number);
        // Skips the unconsumed end of the last line, such as a comment.
        let end = rest[consumed..].find('\n').map_or(rest.len(), |end| consumed + end + 1);
        line_number += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    parser.finish()
}

/// Fields of one credential, parsed so far.
struct FieldGroup {
    /// Number of the line with the first variable of the group.
    line_number: usize,
    /// Name of the first variable of the group, for a message.
    first_variable: String,
    fields: BTreeMap<String, Json>,
    /// True if a value was refused. The error is already in [`LineParser::entries`].
    has_refused_value: bool,
}

#[derive(Default)]
struct LineParser {
    /// Entries with their line numbers.
    entries: Vec<(usize, Result<ImportEntry, EntryError>)>,
    /// Groups that may still get fields, by prefix.
    open_groups: BTreeMap<String, FieldGroup>,
    /// Numbers and errors of unrecognized lines, which are errors only in a list of NETOSECRETs.
    unrecognized_lines: Vec<(usize, NetoSecretError)>,
    /// True if a NETOSECRET was found outside an assignment.
    has_bare_netosecrets: bool,
    /// True if a known variable other than `NETOSECRET` is assigned, or if a value was refused. The text is then not a
    /// list of NETOSECRETs.
    has_other_assignments: bool,
    ignored: Vec<String>,
}

impl LineParser {
    /// Parses the line or lines at the start of `rest`. Returns the number of bytes consumed, without the last line
    /// ending.
    fn consume(&mut self, rest: &str, line_number: usize) -> usize {
        let line = first_line(rest);
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return line.len();
        }
        // A NETOSECRET with padding (`=`) looks like an assignment to a very long name.
        if let Some(assignment) = Assignment::parse(line).filter(|assignment| assignment.name.len() <= MAX_NAME_BYTES) {
            return match field::split_variable(assignment.name) {
                Some((prefix, field)) => self.parse_assignment(rest, line_number, &assignment, prefix, field),
                None => line.len(),
            };
        }
        if !looks_like_netosecret(trimmed) {
            if self.unrecognized_lines.len() < MAX_UNRECOGNIZED_LINES {
                let error = NetoSecret::parse(trimmed).err().unwrap_or(NetoSecretError::Base64);
                self.unrecognized_lines.push((line_number, error));
            }
            return line.len();
        }
        self.has_bare_netosecrets = true;
        let (netosecret, length) = parse_wrapped(rest);
        self.add_netosecret(line_number, netosecret);
        length
    }

    /// Parses the value of an assignment and adds its field or NETOSECRET. Returns the number of bytes consumed.
    fn parse_assignment(
        &mut self,
        rest: &str,
        line_number: usize,
        assignment: &Assignment<'_>,
        prefix: String,
        field: &'static str,
    ) -> usize {
        let line_len = first_line(rest).len();
        let value_text = &rest[assignment.value_start..];
        // A name with lower-case letters may belong to the code of a program. Its value is imported only if quoted.
        if !assignment.is_constant() && !quote::is_quoted(value_text) {
            return line_len;
        }
        // Only the value of a NETOSECRET may contain line endings.
        let max_lines = if field == "netosecret" { MAX_WRAPPED_LINES } else { 1 };
        let value = match quote::parse_value(first_lines(value_text, max_lines), assignment.language) {
            Ok(value) => value,
            Err(_) if !assignment.is_constant() => return line_len,
            Err(error) => {
                self.add_refused_value(line_number, assignment.name, error);
                if field != "netosecret" {
                    self.group_for(line_number, assignment.name, prefix, field).has_refused_value = true;
                }
                return line_len;
            }
        };
        if field == "netosecret" {
            self.has_other_assignments |= !prefix.is_empty();
            if !quote::is_quoted(value_text) && looks_like_netosecret(value_text) {
                let (netosecret, length) = parse_wrapped(value_text);
                self.add_netosecret(line_number, netosecret);
                return assignment.value_start + length;
            }
            self.add_netosecret(line_number, NetoSecret::parse(&value.text));
        } else {
            self.has_other_assignments = true;
            self.add_field(line_number, assignment.name, prefix, field, &value.text);
        }
        assignment.value_start + value.consumed
    }

    fn add_field(&mut self, line_number: usize, name: &str, prefix: String, field: &'static str, text: &str) {
        let text = if field == "url" { strip_login_path(text) } else { text };
        let group = self.group_for(line_number, name, prefix, field);
        group.fields.insert(field.to_owned(), Json::Text(Secret::new(text.to_owned())));
    }

    /// Returns the open group for `prefix`. Begins a new group if none is open, or if the open group already has
    /// `field`.
    fn group_for(&mut self, line_number: usize, name: &str, prefix: String, field: &'static str) -> &mut FieldGroup {
        if self.open_groups.get(&prefix).is_some_and(|group| group.fields.contains_key(field)) {
            self.close_group(&prefix);
        }
        let new_group = || FieldGroup {
            line_number,
            first_variable: name.to_owned(),
            fields: BTreeMap::new(),
            has_refused_value: false,
        };
        self.open_groups.entry(prefix).or_insert_with(new_group)
    }

    /// Turns the open group for `prefix` into an entry, unless a value was refused. Ignores a group with neither a
    /// shortname nor a shared secret, because its variables belong to another program.
    fn close_group(&mut self, prefix: &str) {
        let Some(FieldGroup { line_number, first_variable, fields, has_refused_value }) =
            self.open_groups.remove(prefix)
        else {
            return;
        };
        if has_refused_value {
            return;
        }
        let has = |field: &str| fields.contains_key(field);
        if has("shortname") || has("sharedsecret") {
            self.entries.push((line_number, ImportEntry::from_fields(EntryLocation::Line(line_number), fields)));
        } else if has("appkey") {
            self.ignored.push(sanitize_name(&first_variable));
        }
    }

    fn add_netosecret(&mut self, line_number: usize, netosecret: Result<NetoSecret, NetoSecretError>) {
        let location = EntryLocation::Line(line_number);
        let entry = match netosecret {
            Ok(secret) => Ok(ImportEntry::from_netosecret(location, secret)),
            Err(error) => Err(EntryError { location, problem: error.into() }),
        };
        self.entries.push((line_number, entry));
    }

    fn add_refused_value(&mut self, line_number: usize, name: &str, error: ValueError) {
        let name = sanitize_name(name);
        let problem = match error {
            ValueError::UnclosedQuote => EntryProblem::UnclosedQuote(name),
            ValueError::Expression => EntryProblem::Expression(name),
        };
        self.has_other_assignments = true;
        self.entries.push((line_number, Err(EntryError { location: EntryLocation::Line(line_number), problem })));
    }

    fn finish(mut self) -> Option<Import> {
        for prefix in self.open_groups.keys().cloned().collect::<Vec<_>>() {
            self.close_group(&prefix);
        }
        let format = if self.has_other_assignments || !self.has_bare_netosecrets {
            ImportFormat::Assignments
        } else {
            ImportFormat::NetosecretList
        };
        if self.entries.is_empty() {
            return None;
        }
        if format == ImportFormat::NetosecretList {
            for (line_number, error) in std::mem::take(&mut self.unrecognized_lines) {
                self.add_netosecret(line_number, Err(error));
            }
        }
        self.entries.sort_by_key(|(line_number, _)| *line_number);
        let entries: Vec<_> = self.entries.into_iter().map(|(_, entry)| entry).collect();
        let ignored_fields = entries.iter().flatten().flat_map(|entry| entry.ignored.clone());
        let ignored = self.ignored.into_iter().chain(ignored_fields).collect();
        Some(Import { format, entries, ignored })
    }
}

fn first_line(text: &str) -> &str {
    first_lines(text, 1)
}

/// Returns the first `count` lines of `text`, or all of `text` if there are fewer. Omits the last line ending.
fn first_lines(text: &str, count: usize) -> &str {
    text.match_indices('\n').nth(count - 1).map_or(text, |(end, _)| &text[..end])
}

/// Converts the login URL to the API URL. Returns any other URL unchanged.
fn strip_login_path(url: &str) -> &str {
    let without_slash = url.trim_end_matches('/');
    without_slash.strip_suffix(LOGIN_PATH).unwrap_or(url)
}

/// Returns true if the text may start with a NETOSECRET: base64 of optional white space and `{`, perhaps after quotes.
fn looks_like_netosecret(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "'\"`\u{201c}\u{2018}".contains(c));
    let start: String = text.chars().take(8).collect();
    let bytes = BASE64_STANDARD_NO_PAD.decode(start).unwrap_or_default();
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// Parses the NETOSECRET at the start of `text`, joining as few lines as necessary. Also returns the length of the
/// joined lines, in bytes. If all attempts fail, returns the error for the first line alone, and the length of the
/// first line.
fn parse_wrapped(text: &str) -> (Result<NetoSecret, NetoSecretError>, usize) {
    let first = first_line(text);
    let mut joined = Zeroizing::new(String::with_capacity(text.len().min(INITIAL_CAPACITY_BYTES)));
    joined.push_str(first.split(" #").next().unwrap_or_default());
    let from_first_line = NetoSecret::parse(&joined);
    if from_first_line.is_ok() {
        return (from_first_line, first.len());
    }
    let mut length = first.len();
    for line in text[first.len()..].split('\n').skip(1).take(MAX_WRAPPED_LINES - 1) {
        if line.trim().is_empty() || line.contains('#') || joined.len() + line.len() > MAX_JOINED_BYTES {
            break;
        }
        joined.push_str(line);
        length += 1 + line.len();
        if let Ok(secret) = NetoSecret::parse(&joined) {
            return (Ok(secret), length);
        }
        if looks_like_netosecret(line) {
            break;
        }
    }
    (from_first_line, first.len())
}
