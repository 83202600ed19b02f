//! Sets and unsets keys of one section, however the section is written: under a header, with dotted
//! keys, or as an inline table. Does not check the result.

use super::edit_plan::EditPlan;
use super::layout::{Pair, PairPosition, SectionParts, TableHeader};
use super::render::{EditValue, render_pair, render_path};
use super::splice::{blanks_end, line_start, text_start};
use super::{EditError, Section};
use std::collections::{BTreeMap, BTreeSet};

/// Change of one key.
pub(super) struct KeyChange<'a> {
    pub(super) key: &'a [String],
    /// New value; `None` removes the key.
    pub(super) value: Option<&'a EditValue>,
}

/// Place for new pairs of a section. Numbers are indices in the [`Layout`](super::layout::Layout).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Destination {
    /// In this inline table.
    Inline(usize),
    /// On lines of their own: under this header, or at the top level of the file for `None`.
    Under(Option<usize>),
    /// On lines of their own near this pair. The dotted key of this pair names the section.
    Beside(usize),
    /// Under a new header of the section. The new header is inserted before this header of a subtable.
    Before(usize),
    /// Under a new header, because the file does not contain the section.
    NewSection,
}

impl<'a> EditPlan<'a> {
    /// Plans the changes of one section. Fails if the profile is unknown or a key cannot be set.
    pub(super) fn change_section(&mut self, section: &Section, changes: &[KeyChange<'a>]) -> Result<(), EditError> {
        let base = section.path();
        let parts = self.layout.parts(&base);
        if let (Section::Profile(name), true) = (section, parts.headers.is_empty() && parts.pairs.is_empty()) {
            return Err(EditError::UnknownProfile(name.clone()));
        }
        let (mut removed_paths, mut added) = (Vec::new(), Vec::new());
        for change in changes {
            let target = section.key_path(change.key);
            let is_removed_with_table =
                || changes.iter().any(|other| other.value.is_none() && change.key.starts_with(other.key));
            let pair = self.layout.pair(&target).filter(|_| !is_removed_with_table());
            match (change.value, pair) {
                (Some(value), Some(pair)) => {
                    let span = self.layout.pairs[pair].value_span.clone();
                    self.splices.replace(span, value.render(self.layout.newline));
                }
                (Some(value), None) => {
                    // A table at this path is removed, because the new value replaces the table.
                    added.push((change.key, value));
                    removed_paths.push(target);
                }
                (None, _) => removed_paths.push(target),
            }
        }
        let removed_line_pairs = self.remove_keys(parts, &removed_paths);
        let mut new_pairs: BTreeMap<Destination, Vec<String>> = BTreeMap::new();
        for (key, value) in added {
            let (destination, key) = self.destination(&base, parts, key)?;
            new_pairs.entry(destination).or_default().push(render_pair(&render_path(&key), value, self.layout.newline));
        }
        let may_empty_profile =
            new_pairs.is_empty() && !removed_paths.is_empty() && matches!(section, Section::Profile(_));
        let mut replaced_pairs = BTreeSet::new();
        if may_empty_profile && !self.has_remaining_keys(parts, &removed_paths) {
            replaced_pairs.extend(self.keep_empty_profile(&base, parts));
        }
        for (destination, pairs) in new_pairs {
            replaced_pairs.extend(self.insert_pairs(&destination, &base, parts, &pairs));
        }
        for pair in removed_line_pairs.difference(&replaced_pairs) {
            self.remove_pair(&self.layout.pairs[*pair]);
        }
        Ok(())
    }

    /// Plans to remove all headers and pairs at or under the `removed_paths`. Returns the removed pairs
    /// that have lines of their own, except the pairs below removed headers. The caller must remove or
    /// reuse the lines of these pairs.
    fn remove_keys(&mut self, parts: &SectionParts, removed_paths: &[Vec<String>]) -> BTreeSet<usize> {
        let layout = self.layout;
        let is_removed = |path: &[String]| removed_paths.iter().any(|removed| path.starts_with(removed));
        for header in parts.headers.iter().filter(|header| is_removed(&layout.headers[**header].path)) {
            self.removed_headers.insert(*header);
            self.removed_blocks.push(self.header_block(*header));
        }
        let mut own_lines = BTreeSet::new();
        for pair in parts.pairs.iter().filter(|pair| is_removed(&layout.pairs[**pair].path)) {
            match layout.pairs[*pair].position {
                PairPosition::Lines { header: Some(header), .. } if self.removed_headers.contains(&header) => continue,
                PairPosition::Lines { .. } => drop(own_lines.insert(*pair)),
                PairPosition::Inline { table, .. }
                    if is_removed(&layout.pairs[layout.inline_tables[table].owner].path) =>
                {
                    continue;
                }
                PairPosition::Inline { table, ordinal } => {
                    self.inline_changes.entry(table).or_default().removed.insert(ordinal);
                }
            }
            self.removed_pairs.insert(*pair);
        }
        own_lines
    }

    /// Returns the destination of a new `key` of the section, and the part of the path to write there.
    /// Fails with [`EditError::NotATable`] if the path leads through a value that is not a table.
    fn destination(
        &self,
        base: &[String],
        parts: &SectionParts,
        key: &[String],
    ) -> Result<(Destination, Vec<String>), EditError> {
        let target = [base, key].concat();
        for depth in (1..target.len()).rev() {
            let parent = &target[..depth];
            if let Some(pair) = self.layout.pair(parent).filter(|pair| !self.removed_pairs.contains(pair)) {
                let table = self.layout.pairs[pair]
                    .inline_table
                    .ok_or_else(|| EditError::NotATable { key: parent.join(".") })?;
                return Ok((Destination::Inline(table), target[depth..].to_vec()));
            }
            let stays = |header: &&usize| !self.removed_headers.contains(*header);
            let mut headers = parts.headers.iter().filter(stays);
            if let Some(header) =
                headers.find(|header| depth >= base.len() && self.layout.headers[**header].path == parent)
            {
                return Ok((Destination::Under(Some(*header)), target[depth..].to_vec()));
            }
        }
        let names_section = |pair: &&usize| {
            let pair = &self.layout.pairs[**pair];
            pair.statement().is_some() && pair.inherited_depth() < base.len()
        };
        let destination = match (base.is_empty(), parts.pairs.iter().rev().find(names_section), parts.headers.first()) {
            (true, ..) => Destination::Under(None),
            (_, Some(pair), _) => Destination::Beside(*pair),
            (_, None, Some(header)) => Destination::Before(*header),
            (_, None, None) => Destination::NewSection,
        };
        Ok((destination, key.to_vec()))
    }

    /// Inserts new pairs at their destination. Returns the removed pair whose text the new pairs
    /// replace, if there is one.
    fn insert_pairs(
        &mut self,
        destination: &Destination,
        base: &[String],
        parts: &SectionParts,
        pairs: &[String],
    ) -> Option<usize> {
        match *destination {
            Destination::Inline(table) => {
                self.inline_changes.entry(table).or_default().added.extend_from_slice(pairs);
                None
            }
            Destination::Under(header) => {
                let siblings = match header {
                    Some(header) => self.layout.headers[header].pairs.clone(),
                    None => parts
                        .pairs
                        .iter()
                        .copied()
                        .filter(|pair| self.layout.pairs[*pair].statement().is_some())
                        .collect(),
                };
                let statement = header.map(|header| self.layout.headers[header].statement);
                self.insert_lines(&siblings, statement, pairs)
            }
            Destination::Beside(pair) => {
                let neighbor = &self.layout.pairs[pair];
                let prefix = self.dotted_prefix(neighbor, base.len());
                let has_same_depth =
                    |other: &Pair| other.statement().is_some() && other.inherited_depth() == neighbor.inherited_depth();
                let siblings: Vec<usize> =
                    parts.pairs.iter().copied().filter(|pair| has_same_depth(&self.layout.pairs[*pair])).collect();
                let pairs: Vec<String> = pairs.iter().map(|pair| format!("{prefix}{pair}")).collect();
                self.insert_lines(&siblings, None, &pairs)
            }
            Destination::Before(header) => {
                let at = self.block_with_comments(header).start;
                self.add_block(at, base, pairs);
                None
            }
            Destination::NewSection => {
                let at = self.new_section_offset(base);
                self.add_block(at, base, pairs);
                None
            }
        }
    }

    /// Inserts new pairs on lines of their own. The new pairs replace the first sibling that is
    /// removed. Without a removed sibling, the new lines follow the last sibling. Without any sibling,
    /// the new lines follow `header_statement`. If there is no header either, the new lines are the
    /// first lines of the text.
    fn insert_lines(&mut self, siblings: &[usize], header_statement: Option<usize>, pairs: &[String]) -> Option<usize> {
        let newline = self.layout.newline;
        if let Some(first) = siblings.iter().find(|pair| self.removed_pairs.contains(pair)) {
            let span = self.layout.pairs[*first].span();
            let indent = self.indent_before(span.start);
            self.splices.replace(span, pairs.join(&format!("{newline}{indent}")));
            return Some(*first);
        }
        let last = siblings.last().and_then(|pair| self.layout.pairs[*pair].statement()).or(header_statement);
        let (indent, at) = match last.map(|last| &self.layout.statements[last].lines) {
            Some(lines) => (self.indent_before(blanks_end(self.text, lines.start)), lines.end),
            None => ("", text_start(self.text)),
        };
        // If the file has no final line ending, none is added.
        let lacks_newline = at > 0 && last.is_some() && !self.text[..at].ends_with('\n');
        let render_line = |pair: &String| {
            if lacks_newline { format!("{newline}{indent}{pair}") } else { format!("{indent}{pair}{newline}") }
        };
        self.splices.insert(at, pairs.iter().map(render_line).collect::<String>());
        None
    }

    /// Returns the parts of a pair's dotted key that name the section, with the dot after these parts.
    /// `depth` is the number of parts in the section's path.
    fn dotted_prefix(&self, pair: &Pair, depth: usize) -> String {
        let count = depth - pair.inherited_depth();
        let dot = &self.text[pair.key_spans[count - 1].end..pair.key_spans[count].start];
        format!("{}{dot}", self.written_key(pair, count))
    }

    fn has_remaining_keys(&self, parts: &SectionParts, removed_paths: &[Vec<String>]) -> bool {
        let stays = |path: &[String]| !removed_paths.iter().any(|removed| path.starts_with(removed));
        parts.headers.iter().any(|header| stays(&self.layout.headers[*header].path))
            || parts.pairs.iter().any(|pair| stays(&self.layout.pairs[*pair].path))
    }

    /// Writes an empty table for a profile that loses its last key, so that the profile still exists.
    /// Returns the pair that the empty table replaces, if there is one.
    fn keep_empty_profile(&mut self, base: &[String], parts: &SectionParts) -> Option<usize> {
        if let Some(header) = parts.headers.first() {
            let block = self.header_block(*header);
            self.removed_blocks.retain(|removed| *removed != block);
            self.splices.replace(block, format!("{}{}", self.header_line(base), self.layout.newline));
            return None;
        }
        let first = *parts.pairs.first()?;
        let pair = &self.layout.pairs[first];
        let empty_table = format!("{} = {{}}", self.written_key(pair, base.len() - pair.inherited_depth()));
        match pair.position {
            PairPosition::Lines { .. } => self.splices.replace(pair.span(), empty_table),
            PairPosition::Inline { table, .. } => self.inline_changes.entry(table).or_default().added.push(empty_table),
        }
        Some(first)
    }

    /// Removes the lines of a pair, but not a comment after the value. Ignores a pair in an inline
    /// table.
    pub(super) fn remove_pair(&mut self, pair: &Pair) {
        let PairPosition::Lines { statement, .. } = pair.position else { return };
        let lines = self.layout.statements[statement].lines.clone();
        let after_blanks = blanks_end(self.text, pair.value_span.end);
        if self.text[after_blanks..].starts_with('#') {
            self.splices.remove(pair.key_spans[0].start..after_blanks);
        } else {
            self.splices.remove(lines);
        }
    }

    /// Returns the blanks between the start of the line and offset `at`. Returns an empty string if
    /// this part of the line contains other text.
    fn indent_before(&self, at: usize) -> &'a str {
        let start = line_start(self.text, at);
        let indent = &self.text[start..at];
        if indent.trim().is_empty() { indent } else { "" }
    }

    /// Returns the offset at which to insert a missing section. `[recipients]` belongs before
    /// `[defaults]`, and both belong before the profiles. Without a later section, the offset is the
    /// end of the text.
    fn new_section_offset(&self, base: &[String]) -> usize {
        let later_sections: &[&str] = if base[0] == "recipients" { &["defaults", "profiles"] } else { &["profiles"] };
        let is_later = |header: &&TableHeader| later_sections.contains(&header.path[0].as_str());
        let header = self.layout.headers.iter().find(is_later);
        let header = header.and_then(|header| self.layout.statements[header.statement].header);
        header.map_or(self.text.len(), |header| self.block_with_comments(header).start)
    }
}
