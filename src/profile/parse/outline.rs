//! Names in a store, without its other content: profiles with tags, description and account, and recipients.
//!
//! Owns fast reading for shell completion. The text is cut into statements: a header, or a key with its value. Most
//! statements are plain: their first and last characters are enough to recognize them, and most are skipped. The lexer
//! cuts any other statement, and the parser of whole stores reads it. For a valid store, the outline agrees with the
//! full parser; faults of other stores may go unnoticed.

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
    /// Profiles, valid or faulty, by name.
    pub profiles: Vec<(ProfileName, ProfileSummary<'t>)>,
    /// Recipients that can decrypt the secrets.
    pub recipients: BTreeSet<RecipientName>,
}

/// Details that tell profiles apart. A detail of the wrong type, in a faulty profile, is absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProfileSummary<'t> {
    /// Labels for selection, in the order of the file.
    pub tags: Vec<Cow<'t, str>>,
    /// Free text.
    pub description: Option<Cow<'t, str>>,
    /// Tenant or person.
    pub account: Option<Cow<'t, str>>,
}

impl<'t> Outline<'t> {
    /// Reads a text that may start with a byte-order mark. Returns `None` if a statement is not TOML, a name is
    /// invalid, or the version is unsupported.
    pub(in crate::profile) fn read(text: &'t str) -> Option<Self> {
        let mut reader = OutlineReader::default();
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        while !rest.is_empty() {
            rest = match reader.read_plain(rest) {
                Some(after) => after,
                None => reader.read_any(rest)?,
            };
        }
        reader.finish()
    }
}

/// Table to which the following keys belong.
enum CurrentTable {
    /// Table of the last profile.
    Profile,
    /// Table of this path; the top level if the path is empty.
    Table(Vec<String>),
}

impl Default for CurrentTable {
    fn default() -> Self {
        Self::Table(Vec::new())
    }
}

/// Content that was read so far.
#[derive(Default)]
struct OutlineReader<'t> {
    /// Table of the last header. A plain header of a profile means the last of `profiles`.
    table: CurrentTable,
    /// Profiles in the order of the file. A profile repeats if its parts are apart.
    profiles: Vec<(ProfileName, ProfileSummary<'t>)>,
    /// Whether `profiles` are not in order of their names, or one repeats.
    is_unsorted: bool,
    recipients: BTreeSet<RecipientName>,
    has_version: bool,
}

impl<'t> OutlineReader<'t> {
    /// Reads a plain statement and returns the text after it. Returns `None` for any other statement, and records
    /// nothing.
    fn read_plain(&mut self, text: &'t str) -> Option<&'t str> {
        let (line, after) = text.split_once('\n').unwrap_or((text, ""));
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            return Some(after);
        }
        if let Some(header) = line.strip_prefix("[profiles.") {
            let name = header.strip_suffix(']').filter(|name| is_bare(name))?;
            self.start_profile(name)?;
            self.table = CurrentTable::Profile;
            return Some(after);
        }
        let CurrentTable::Profile = self.table else { return None };
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

    /// Reads any statement, with the blank lines and comments before it, and returns the text after it.
    fn read_any(&mut self, text: &'t str) -> Option<&'t str> {
        let (end, is_header) = statement_end(text);
        let (statement, after) = text.split_at(end);
        let table = tree::parse(statement).ok()?;
        let mut path = if is_header { Vec::new() } else { self.table_path() };
        if is_header {
            self.table = CurrentTable::Table(header_path(&table));
        }
        self.record(&mut path, &TomlValue { at: 0, kind: TomlKind::Table(table) })?;
        Some(after)
    }

    /// Returns the path of the table to which the following keys belong.
    fn table_path(&self) -> Vec<String> {
        match (&self.table, self.profiles.last()) {
            (CurrentTable::Profile, Some((name, _))) => vec!["profiles".to_owned(), name.to_string()],
            (CurrentTable::Profile, None) => Vec::new(),
            (CurrentTable::Table(path), _) => path.clone(),
        }
    }

    /// Records the relevant parts of a value and of all values below it. Returns `None` if a name is invalid.
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

    /// Starts the profile `name`. Returns `None` if the name is invalid.
    fn start_profile(&mut self, name: &str) -> Option<()> {
        let name: ProfileName = name.parse().ok()?;
        self.is_unsorted |= self.profiles.last().is_some_and(|(last, _)| *last >= name);
        self.profiles.push((name, ProfileSummary::default()));
        Some(())
    }

    /// Returns the summary of the profile `name`. Starts the profile unless it is the last.
    fn summary(&mut self, name: &str) -> Option<&mut ProfileSummary<'t>> {
        if self.profiles.last().is_none_or(|(last, _)| last.as_str() != name) {
            self.start_profile(name)?;
        }
        self.profiles.last_mut().map(|(_, summary)| summary)
    }

    fn finish(self) -> Option<Outline<'t>> {
        let mut profiles = self.profiles;
        if self.is_unsorted {
            profiles.sort_by(|(one, _), (other, _)| one.cmp(other));
            profiles.dedup_by(|(name, part), (last, whole)| {
                let same = name == last;
                if same {
                    whole.merge(std::mem::take(part));
                }
                same
            });
        }
        self.has_version.then_some(Outline { profiles, recipients: self.recipients })
    }
}

impl ProfileSummary<'_> {
    /// Adds the details from another part of the same profile.
    fn merge(&mut self, part: Self) {
        self.tags.extend(part.tags);
        self.description = part.description.or(self.description.take());
        self.account = part.account.or(self.account.take());
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

/// Returns the end of the first statement, and whether it is a header. A statement ends at the first line end after it
/// outside brackets.
fn statement_end(text: &str) -> (usize, bool) {
    let (mut open, mut first) = (0_usize, None);
    for token in Source::new(text).lex() {
        let kind = token.kind();
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => open = open.saturating_sub(1),
            TokenKind::Newline if first.is_some() && open == 0 => {
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

/// Returns the path of the table that a header names.
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

/// Whether a key needs no quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether a byte can be part of a boolean, number or date.
fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'_')
}

/// Returns the text between two quotes, if it contains no escapes and nothing follows.
fn unescaped_text(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// Returns the texts of a list on one line, if they contain no escapes.
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

/// Whether a list or table ends on its line, without escapes, single quotes and comments.
fn is_single_line_group(value: &str) -> bool {
    let (mut open, mut in_text) = (0_usize, false);
    for byte in value.bytes() {
        match byte {
            b'\\' | b'\'' | b'#' => return false,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => open += 1,
            b']' | b'}' if !in_text && open == 0 => return false,
            b']' | b'}' if !in_text => open -= 1,
            _ => {}
        }
    }
    value.starts_with(['[', '{']) && value.ends_with([']', '}']) && open == 0 && !in_text
}

/// Returns the text after the closing quotes of a multi-line text. Returns `None` if the multi-line text contains
/// quotes or escapes; a sealed secret has none.
fn skip_unescaped_lines(text: &str) -> Option<&str> {
    // Most bytes of a store are in multi-line texts.
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    let after = text[end..].strip_prefix("\"\"\"")?;
    let after = after.strip_prefix('\r').unwrap_or(after);
    if after.is_empty() { Some(after) } else { after.strip_prefix('\n') }
}

#[cfg(test)]
mod tests;
