//! Fast reader of a store for shell completion: names of profiles and recipients, and a summary of each profile.
//!
//! Splits the text into statements. A statement is a header, or a key with its value. Most statements are plain: the
//! reader recognizes a plain statement by a few characters. For any other statement, the lexer finds the end, and the
//! module `tree` parses the statement. For a valid store, the outline agrees with the full parser. For an invalid
//! store, the reader may miss faults.

use super::tree::{self, TomlKind, TomlTable, TomlValue};
use super::value;
use super::{ProfileName, RecipientName, VERSION};
use memchr::memchr2;
use std::borrow::Cow;
use std::collections::BTreeSet;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// Names in a store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline<'t> {
    /// Profiles, valid or faulty, sorted by name.
    pub profiles: Vec<(ProfileName, ProfileSummary<'t>)>,
    /// Names in `[recipients]`.
    pub recipients: BTreeSet<RecipientName>,
}

/// Details that help users to tell profiles apart. A detail with a value of the wrong type counts as absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProfileSummary<'t> {
    /// Tags, in the order of the file.
    pub tags: Vec<Cow<'t, str>>,
    /// Description of the profile.
    pub description: Option<Cow<'t, str>>,
    /// Value of `shortname` or `username`.
    pub account: Option<Cow<'t, str>>,
}

impl<'t> Outline<'t> {
    /// Reads a text, which may start with a byte-order mark. Returns `None` if the reader finds invalid TOML or an
    /// invalid name, or if the version is missing or unsupported.
    pub(in crate::profile) fn read(text: &'t str) -> Option<Self> {
        let mut reader = OutlineReader::default();
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        while !rest.is_empty() {
            rest = match reader.read_plain_statement(rest) {
                Some(after) => after,
                None => reader.read_any_statement(rest)?,
            };
        }
        reader.finish()
    }
}

/// Table to which the following keys belong.
enum CurrentTable {
    /// Table of the last profile that was read.
    LastProfile,
    /// Table with this path. An empty path is the top level.
    Path(Vec<String>),
}

impl Default for CurrentTable {
    fn default() -> Self {
        Self::Path(Vec::new())
    }
}

/// Content of the statements read so far.
#[derive(Default)]
struct OutlineReader<'t> {
    /// Table of the last header.
    table: CurrentTable,
    /// Profiles in the order of the file. A profile whose parts are apart in the file occurs several times.
    profiles: Vec<(ProfileName, ProfileSummary<'t>)>,
    /// Whether `profiles` is not sorted by name, or contains a name several times.
    is_unsorted: bool,
    recipients: BTreeSet<RecipientName>,
    has_version: bool,
}

impl<'t> OutlineReader<'t> {
    /// Reads a plain statement, and returns the text after the statement. Returns `None` and records nothing if the
    /// statement is not plain.
    fn read_plain_statement(&mut self, text: &'t str) -> Option<&'t str> {
        let (line, after) = text.split_once('\n').unwrap_or((text, ""));
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            return Some(after);
        }
        if let Some(header) = line.strip_prefix("[profiles.") {
            let name = header.strip_suffix(']').filter(|name| is_bare(name))?;
            self.start_profile(name)?;
            self.table = CurrentTable::LastProfile;
            return Some(after);
        }
        let CurrentTable::LastProfile = self.table else { return None };
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim_end_matches(' '), value.trim_start_matches(' '));
        let (_, summary) = self.profiles.last_mut().filter(|_| is_bare(key))?;
        match key {
            "tags" => summary.tags = unescaped_texts(value)?,
            "description" => summary.description = Some(unescaped_text(value)?.into()),
            "shortname" | "username" => summary.account = Some(unescaped_text(value)?.into()),
            _ if value == "\"\"\"" => return skip_unescaped_lines(after),
            _ if unescaped_text(value).is_some() || is_single_line_group(value) || value.bytes().all(is_plain_byte) => {
            }
            _ => return None,
        }
        Some(after)
    }

    /// Reads any statement, after skipping blank lines and comments. Returns the text after the statement. Returns
    /// `None` if the statement is not valid TOML or contains an invalid name.
    fn read_any_statement(&mut self, text: &'t str) -> Option<&'t str> {
        let (end, is_header) = statement_end(text);
        let (statement, after) = text.split_at(end);
        let table = tree::parse(statement).ok()?;
        let mut path = if is_header { Vec::new() } else { self.table_path() };
        if is_header {
            self.table = CurrentTable::Path(header_path(&table));
        }
        self.record(&mut path, &TomlValue { offset: 0, kind: TomlKind::Table(table) })?;
        Some(after)
    }

    /// Returns the path of the table to which the following keys belong.
    fn table_path(&self) -> Vec<String> {
        match (&self.table, self.profiles.last()) {
            (CurrentTable::LastProfile, Some((name, _))) => vec!["profiles".to_owned(), name.to_string()],
            (CurrentTable::LastProfile, None) => Vec::new(),
            (CurrentTable::Path(path), _) => path.clone(),
        }
    }

    /// Records the version, names and details in the value at `path` and in all values below. Returns `None` if a name
    /// is invalid.
    fn record(&mut self, path: &mut Vec<String>, value: &TomlValue<'_>) -> Option<()> {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts[..] {
            ["version"] => self.has_version = matches!(&value.kind, TomlKind::Integer(digits) if digits == VERSION),
            ["recipients", name] => drop(self.recipients.insert(name.parse().ok()?)),
            ["profiles", name] => drop(self.summary(name)?),
            ["profiles", name, key] => self.summary(name)?.set_detail(key, value),
            _ => {}
        }
        let tables = match &value.kind {
            TomlKind::Table(table) => std::slice::from_ref(table),
            TomlKind::Tables(tables) => tables,
            _ => &[],
        };
        for (key, value) in tables.iter().flatten() {
            path.push(key.text.clone().into_owned());
            self.record(path, value)?;
            path.pop();
        }
        Some(())
    }

    /// Adds the profile `name` with an empty summary. Returns `None` if the name is invalid.
    fn start_profile(&mut self, name: &str) -> Option<()> {
        let name: ProfileName = name.parse().ok()?;
        self.is_unsorted |= self.profiles.last().is_some_and(|(last, _)| *last >= name);
        self.profiles.push((name, ProfileSummary::default()));
        Some(())
    }

    /// Returns the summary of the profile `name`. Adds the profile if the last profile in the list has another name.
    /// Returns `None` if the name is invalid.
    fn summary(&mut self, name: &str) -> Option<&mut ProfileSummary<'t>> {
        if self.profiles.last().is_none_or(|(last, _)| last.as_str() != name) {
            self.start_profile(name)?;
        }
        self.profiles.last_mut().map(|(_, summary)| summary)
    }

    /// Sorts the profiles and merges the parts of each profile. Returns `None` if no supported version was read.
    fn finish(self) -> Option<Outline<'t>> {
        let mut profiles = self.profiles;
        if self.is_unsorted {
            profiles.sort_by(|(left, _), (right, _)| left.cmp(right));
            profiles.dedup_by(|(name, later_part), (previous_name, summary)| {
                let is_same = name == previous_name;
                if is_same {
                    summary.merge(std::mem::take(later_part));
                }
                is_same
            });
        }
        self.has_version.then_some(Outline { profiles, recipients: self.recipients })
    }
}

impl ProfileSummary<'_> {
    /// Adds the details from a later part of the same profile.
    fn merge(&mut self, later_part: Self) {
        self.tags.extend(later_part.tags);
        self.description = later_part.description.or(self.description.take());
        self.account = later_part.account.or(self.account.take());
    }

    fn set_detail(&mut self, key: &str, value: &TomlValue<'_>) {
        let text = || value::text(value).ok().map(|text| Cow::Owned(text.to_owned()));
        match key {
            "tags" => self.tags = value::owned_texts(value).unwrap_or_default().into_iter().map(Cow::Owned).collect(),
            "description" => self.description = text(),
            "shortname" | "username" => self.account = text(),
            _ => {}
        }
    }
}

/// Returns the end of the first statement, and whether the statement is a header. Blank lines and comments before the
/// statement belong to the statement. The statement ends after its first line ending outside brackets.
fn statement_end(text: &str) -> (usize, bool) {
    let (mut open_brackets, mut first) = (0_usize, None);
    for token in Source::new(text).lex() {
        let kind = token.kind();
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open_brackets += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                open_brackets = open_brackets.saturating_sub(1);
            }
            TokenKind::Newline if first.is_some() && open_brackets == 0 => {
                return (token.span().end(), first == Some(TokenKind::LeftSquareBracket));
            }
            _ => {}
        }
        if !matches!(kind, TokenKind::Newline | TokenKind::Whitespace | TokenKind::Comment | TokenKind::Eof) {
            first.get_or_insert(kind);
        }
    }
    (text.len(), first == Some(TokenKind::LeftSquareBracket))
}

/// Returns the path of the table that a header names. `header` is the tree of a text that consists of the header only.
fn header_path(header: &TomlTable<'_>) -> Vec<String> {
    let mut path = Vec::new();
    let mut table = Some(header);
    while let Some((key, value)) = table.and_then(|table| table.entries().first()) {
        path.push(key.text.clone().into_owned());
        table = match &value.kind {
            TomlKind::Table(table) => Some(table),
            TomlKind::Tables(tables) => tables.last(),
            _ => None,
        };
    }
    path
}

/// Whether `key` is a valid key without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether `byte` can be part of a boolean, number or date.
fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'_')
}

/// Returns the content of `value` if `value` is a string in double quotes without escapes.
fn unescaped_text(value: &str) -> Option<&str> {
    let content = value.strip_prefix('"')?.strip_suffix('"')?;
    (!content.contains(['"', '\\'])).then_some(content)
}

/// Returns the texts in `value` if `value` is a list of strings in double quotes without escapes.
fn unescaped_texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut rest = value.strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = rest.strip_prefix('"')?.split_once('"')?;
        if text.contains('\\') {
            return None;
        }
        texts.push(text.into());
        let after = after.trim_start();
        rest = if after.is_empty() { after } else { after.strip_prefix(',')?.trim_start() };
    }
    Some(texts)
}

/// Whether `value` is a complete list or inline table on one line, without escapes, single quotes or comments.
fn is_single_line_group(value: &str) -> bool {
    let (mut open_brackets, mut in_text) = (0_usize, false);
    for byte in value.bytes() {
        match byte {
            b'\\' | b'\'' | b'#' => return false,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => open_brackets += 1,
            b']' | b'}' if !in_text && open_brackets == 0 => return false,
            b']' | b'}' if !in_text => open_brackets -= 1,
            _ => {}
        }
    }
    value.starts_with(['[', '{']) && value.ends_with([']', '}']) && open_brackets == 0 && !in_text
}

/// Returns the text after a multi-line string and its line ending. `text` must start inside the string. Returns `None`
/// if the string contains quotes or escapes, or if more text follows on its last line. A sealed secret contains none of
/// these.
fn skip_unescaped_lines(text: &str) -> Option<&str> {
    // This search must be fast, because most bytes of a store are in sealed secrets.
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    let after = text[end..].strip_prefix("\"\"\"")?;
    let after = after.strip_prefix('\r').unwrap_or(after);
    if after.is_empty() { Some(after) } else { after.strip_prefix('\n') }
}

#[cfg(test)]
mod tests;
