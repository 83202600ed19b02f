//! Formats made of lines: a list of NETOSECRETs, or assignments of NETOSECRETs and of single fields.
//!
//! Fields with the same prefix belong to one credential; a repeated field begins the next credential. In a list, every
//! line must be a NETOSECRET. Around assignments, other lines are ignored: they may be a program.

use super::assignment::Assignment;
use super::quote::{self, ValueError};
use super::{EntryError, EntryLocation, EntryProblem, Import, ImportEntry, ImportFormat, field};
use crate::secret::json::sanitize_name;
use crate::secret::{Json, NetoSecret, NetoSecretError, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Most lines that one NETOSECRET is wrapped into.
const MAX_WRAPPED_LINES: usize = 40;

/// Most unrecognized lines that are kept as possible errors: the text may be a large file of any kind.
const MAX_STRAYS: usize = 10_000;

/// Initial size of a buffer, enough for any real NETOSECRET, in bytes.
const INITIAL_CAPACITY: usize = 4096;

/// Longest NETOSECRET that is joined from lines, in bytes.
const MAX_NETOSECRET_LEN: usize = 64 * 1024;

/// Longest name of a variable, in bytes; the shortest NETOSECRET has about 100 characters.
const MAX_NAME_LEN: usize = 64;

/// Path of the login call, with which URLs in the recipes may end.
const LOGIN_PATH: &str = "/auth/token";

/// Parses all lines. Returns `None` if the text contains no entry, valid or invalid.
pub(super) fn read(text: &str) -> Option<Import> {
    let mut parser = LineParser::default();
    let (mut rest, mut number) = (text, 1);
    while !rest.is_empty() {
        let consumed = parser.consume(rest, number);
        // Skips the rest of the last consumed line.
        let end = rest[consumed..].find('\n').map_or(rest.len(), |end| consumed + end + 1);
        number += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    parser.finish()
}

/// Fields of one credential that were parsed so far.
struct FieldGroup {
    line: usize,
    /// First variable of the group, for a message.
    first_variable: String,
    fields: BTreeMap<String, Json>,
    /// True if a value was refused; the error is already in the parser's entries.
    has_refused_value: bool,
}

#[derive(Default)]
struct LineParser {
    entries: Vec<(usize, Result<ImportEntry, EntryError>)>,
    open_groups: BTreeMap<String, FieldGroup>,
    /// Unrecognized lines. They become errors if the text is a list of NETOSECRETs.
    strays: Vec<(usize, NetoSecretError)>,
    /// True if a NETOSECRET was found without an assignment.
    has_bare_netosecrets: bool,
    /// True if a variable other than `NETOSECRET` is assigned, or a value was refused.
    has_other_assignments: bool,
    ignored: Vec<String>,
}

impl LineParser {
    /// Parses the start of `rest`, and returns the number of bytes consumed, without the line end of the last line.
    fn consume(&mut self, rest: &str, number: usize) -> usize {
        let line = first_line(rest);
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            return line.len();
        }
        // The padding of a NETOSECRET looks like an assignment to a very long name.
        if let Some(assignment) = Assignment::find(line).filter(|assignment| assignment.name.len() <= MAX_NAME_LEN) {
            return match field::from_variable(assignment.name) {
                Some((prefix, field)) => self.parse_assignment(rest, number, &assignment, prefix, field),
                None => line.len(),
            };
        }
        if !looks_like_netosecret(bare) {
            if self.strays.len() < MAX_STRAYS {
                let error = NetoSecret::parse(bare).err().unwrap_or(NetoSecretError::Base64);
                self.strays.push((number, error));
            }
            return line.len();
        }
        self.has_bare_netosecrets = true;
        let (netosecret, length) = join_wrapped(rest);
        self.add_netosecret(number, netosecret);
        length
    }

    fn parse_assignment(
        &mut self,
        rest: &str,
        number: usize,
        assignment: &Assignment<'_>,
        prefix: String,
        field: &'static str,
    ) -> usize {
        let line_len = first_line(rest).len();
        let value_text = &rest[assignment.value_start..];
        // A program may use such names for other values; only a quoted text is a credential.
        if !assignment.is_constant() && !quote::is_quoted(value_text) {
            return line_len;
        }
        // A single field contains no line end.
        let max_lines = if field == "netosecret" { MAX_WRAPPED_LINES } else { 1 };
        let value = match quote::read(first_lines(value_text, max_lines), assignment.language) {
            Ok(value) => value,
            Err(_) if !assignment.is_constant() => return line_len,
            Err(error) => {
                self.add_refused_value(number, assignment.name, error);
                if field != "netosecret" {
                    self.group_for(number, assignment.name, prefix, field).has_refused_value = true;
                }
                return line_len;
            }
        };
        if field == "netosecret" {
            self.has_other_assignments |= !prefix.is_empty();
            if !quote::is_quoted(value_text) && looks_like_netosecret(value_text) {
                let (netosecret, length) = join_wrapped(value_text);
                self.add_netosecret(number, netosecret);
                return assignment.value_start + length;
            }
            self.add_netosecret(number, NetoSecret::parse(&value.text));
        } else {
            self.has_other_assignments = true;
            self.add_field(number, assignment.name, prefix, field, &value.text);
        }
        assignment.value_start + value.consumed
    }

    fn add_field(&mut self, number: usize, name: &str, prefix: String, field: &'static str, text: &str) {
        let text = if field == "url" { strip_login_path(text) } else { text };
        let group = self.group_for(number, name, prefix, field);
        group.fields.insert(field.to_owned(), Json::Text(Secret::new(text.to_owned())));
    }

    /// Returns the open group of a prefix, or begins the next group if the open group already has the field.
    fn group_for(&mut self, line: usize, name: &str, prefix: String, field: &'static str) -> &mut FieldGroup {
        if self.open_groups.get(&prefix).is_some_and(|group| group.fields.contains_key(field)) {
            self.close_group(&prefix);
        }
        let new_group =
            || FieldGroup { line, first_variable: name.to_owned(), fields: BTreeMap::new(), has_refused_value: false };
        self.open_groups.entry(prefix).or_insert_with(new_group)
    }

    /// Turns a group into an entry. A group without shortname and shared secret belongs to another program and is
    /// ignored.
    fn close_group(&mut self, prefix: &str) {
        let Some(FieldGroup { line, first_variable, fields, has_refused_value }) = self.open_groups.remove(prefix)
        else {
            return;
        };
        if has_refused_value {
            return;
        }
        let has = |field: &str| fields.contains_key(field);
        if has("shortname") || has("sharedsecret") {
            self.entries.push((line, ImportEntry::from_fields(EntryLocation::Line(line), fields)));
        } else if has("appkey") {
            self.ignored.push(sanitize_name(&first_variable));
        }
    }

    fn add_netosecret(&mut self, number: usize, netosecret: Result<NetoSecret, NetoSecretError>) {
        let location = EntryLocation::Line(number);
        let entry = match netosecret {
            Ok(secret) => Ok(ImportEntry::from_netosecret(location, secret)),
            Err(error) => Err(EntryError { location, problem: error.into() }),
        };
        self.entries.push((number, entry));
    }

    fn add_refused_value(&mut self, number: usize, name: &str, error: ValueError) {
        let name = sanitize_name(name);
        let problem = match error {
            ValueError::UnclosedQuote => EntryProblem::UnclosedQuote(name),
            ValueError::Expression => EntryProblem::Expression(name),
        };
        self.has_other_assignments = true;
        self.entries.push((number, Err(EntryError { location: EntryLocation::Line(number), problem })));
    }

    fn finish(mut self) -> Option<Import> {
        for prefix in self.open_groups.keys().cloned().collect::<Vec<_>>() {
            self.close_group(&prefix);
        }
        let format = if self.has_other_assignments || !self.has_bare_netosecrets {
            ImportFormat::Assignments
        } else {
            ImportFormat::Lines
        };
        if self.entries.is_empty() {
            return None;
        }
        if format == ImportFormat::Lines {
            for (line, error) in std::mem::take(&mut self.strays) {
                self.add_netosecret(line, Err(error));
            }
        }
        self.entries.sort_by_key(|(line, _)| *line);
        let entries: Vec<_> = self.entries.into_iter().map(|(_, entry)| entry).collect();
        let ignored_fields = entries.iter().flatten().flat_map(|entry| entry.ignored.clone());
        let ignored = self.ignored.into_iter().chain(ignored_fields).collect();
        Some(Import { format, entries, ignored })
    }
}

fn first_line(rest: &str) -> &str {
    first_lines(rest, 1)
}

/// Returns at most `max` lines, without the last line end.
fn first_lines(rest: &str, max: usize) -> &str {
    rest.match_indices('\n').nth(max - 1).map_or(rest, |(end, _)| &rest[..end])
}

/// Returns the API URL if the URL of the login call is given, otherwise the URL unchanged.
fn strip_login_path(url: &str) -> &str {
    let bare = url.trim_end_matches('/');
    bare.strip_suffix(LOGIN_PATH).unwrap_or(url)
}

/// Returns true if the text may start with a NETOSECRET: base64 of optional blanks and a brace.
fn looks_like_netosecret(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "'\"`\u{201c}\u{2018}".contains(c));
    let digits: String = text.chars().take(8).collect();
    let bytes = BASE64_STANDARD_NO_PAD.decode(digits).unwrap_or_default();
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// Parses the NETOSECRET at the start of `rest`, and joins as few further lines as needed. Also returns the length in
/// bytes.
fn join_wrapped(rest: &str) -> (Result<NetoSecret, NetoSecretError>, usize) {
    let first = first_line(rest);
    let mut joined = Zeroizing::new(String::with_capacity(rest.len().min(INITIAL_CAPACITY)));
    joined.push_str(first.split(" #").next().unwrap_or_default());
    let alone = NetoSecret::parse(&joined);
    if alone.is_ok() {
        return (alone, first.len());
    }
    let mut length = first.len();
    for line in rest[first.len()..].split('\n').skip(1).take(MAX_WRAPPED_LINES - 1) {
        if line.trim().is_empty() || line.contains('#') || joined.len() + line.len() > MAX_NETOSECRET_LEN {
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
    (alone, first.len())
}
