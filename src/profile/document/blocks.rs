//! Finds, removes, renames and replaces the text of a profile.

use super::EditError;
use super::edit_plan::{EditPlan, NameChanges};
use super::layout::{Layout, PairPosition, SectionParts};
use super::render::render_key;
use super::splice::{is_comment, line_end, line_start, text_start};
use crate::profile::ProfileName;
use std::ops::Range;

/// Returns the lines of a profile and its comments, in order. Returns `None` if the profile is missing
/// or is an entry of an inline table `profiles = { ... }`.
pub(super) fn profile_lines(text: &str, layout: &Layout, name: &ProfileName) -> Option<Vec<Range<usize>>> {
    EditPlan::new(text, layout, NameChanges::default()).profile_lines(name)
}

impl EditPlan<'_> {
    /// Returns the lines from a header to the last pair under that header.
    pub(super) fn header_block(&self, header: usize) -> Range<usize> {
        let first = self.layout.headers[header].statement;
        let last = first + self.layout.headers[header].pairs.len();
        self.layout.statements[first].lines.start..self.layout.statements[last].lines.end
    }

    /// Returns a header's block and the comment lines directly above the header. If these comments
    /// start the file, they belong to the file and are excluded.
    pub(super) fn block_with_comments(&self, header: usize) -> Range<usize> {
        let block = self.header_block(header);
        let previous_end = self.end_of_previous_statement(self.layout.headers[header].statement);
        let comments_start = self.start_of_lines_before(block.start, previous_end, is_comment);
        if comments_start == text_start(self.text) { block } else { comments_start..block.end }
    }

    /// Returns the end of the comment lines directly below a header's block. Comments that reach the
    /// next header belong to that header. The result is then the end of the block.
    pub(super) fn block_end_with_comments(&self, header: usize) -> usize {
        let block = self.header_block(header);
        let last = self.layout.headers[header].statement + self.layout.headers[header].pairs.len();
        let next_start = self.layout.statements.get(last + 1).map_or(self.text.len(), |next| next.lines.start);
        let comments_end = self.end_of_lines_after(block.end, next_start, is_comment);
        if comments_end == next_start && next_start < self.text.len() { block.end } else { comments_end }
    }

    /// Returns a header's block and its comments, above and below. If the comments below the block end
    /// the file, they belong to the file and are excluded.
    fn block_with_own_comments(&self, header: usize) -> Range<usize> {
        let Range { start, end } = self.block_with_comments(header);
        let comments_end = self.block_end_with_comments(header);
        start..if comments_end == self.text.len() { end } else { comments_end }
    }

    /// Replaces the lines of a profile. If the lines are not contiguous, `new_text` replaces the first
    /// range and the other ranges are removed.
    ///
    /// Fails if the profile has no lines of its own, or if the lines differ from `old_text`.
    pub(super) fn replace_block(
        &mut self,
        name: &ProfileName,
        old_text: &str,
        new_text: &str,
    ) -> Result<(), EditError> {
        let lines = self.profile_lines(name).ok_or_else(|| EditError::SharedLines(name.clone()))?;
        let current_text: String = lines.iter().map(|lines| &self.text[lines.clone()]).collect();
        if current_text != old_text {
            return Err(EditError::BlockChanged(name.clone()));
        }
        if current_text == new_text {
            return Ok(());
        }
        for (number, lines) in lines.into_iter().enumerate() {
            self.splices.replace(lines, if number == 0 { new_text } else { "" });
        }
        Ok(())
    }

    fn profile_lines(&self, name: &ProfileName) -> Option<Vec<Range<usize>>> {
        let path = ["profiles".to_owned(), name.to_string()];
        let SectionParts { headers, pairs } = self.layout.parts(&path);
        let mut lines: Vec<Range<usize>> = headers.iter().map(|header| self.block_with_own_comments(*header)).collect();
        for pair in
            pairs.iter().map(|pair| &self.layout.pairs[*pair]).filter(|pair| pair.inherited_depth() < path.len())
        {
            lines.push(self.layout.statements[pair.statement()?].lines.clone());
        }
        lines.sort_unstable_by_key(|lines| lines.start);
        (!lines.is_empty()).then_some(lines)
    }

    pub(super) fn remove_profile(&mut self, name: &str) {
        let path = ["profiles".to_owned(), name.to_owned()];
        let layout = self.layout;
        let SectionParts { headers, pairs } = layout.parts(&path);
        for header in headers {
            self.removed_headers.insert(*header);
            self.removed_blocks.push(self.block_with_own_comments(*header));
        }
        // Removes only the pairs whose key contains the profile's name. All other pairs of the profile
        // are below a removed header or in the value of a removed pair.
        for number in pairs.iter().copied().filter(|pair| layout.pairs[*pair].inherited_depth() < path.len()) {
            self.removed_pairs.insert(number);
            match layout.pairs[number].position {
                PairPosition::Lines { statement, .. } => {
                    self.splices.remove(layout.statements[statement].lines.clone());
                }
                PairPosition::Inline { table, ordinal } => {
                    self.inline_changes.entry(table).or_default().removed.insert(ordinal);
                }
            }
        }
    }

    /// Replaces the names of renamed profiles in all headers and keys that are not removed.
    pub(super) fn rename_profiles(&mut self) {
        let layout = self.layout;
        for (from, to) in self.names.renamed.clone() {
            let parts = layout.parts(&["profiles".to_owned(), from.to_owned()]);
            let headers = parts.headers.iter().filter(|header| !self.removed_headers.contains(header));
            let in_headers = headers.map(|header| layout.headers[*header].key_spans[1].clone());
            let pairs =
                parts.pairs.iter().filter(|pair| !self.removed_pairs.contains(pair)).map(|pair| &layout.pairs[*pair]);
            let in_pairs =
                pairs.filter_map(|pair| Some(pair.key_spans[1_usize.checked_sub(pair.inherited_depth())?].clone()));
            for span in in_headers.chain(in_pairs).collect::<Vec<_>>() {
                let name = self.quote_like(span.start, to);
                self.splices.replace(span, name);
            }
        }
    }

    /// Renders a profile name with the same quotes as the key at the offset `at`. Profile names need no
    /// escapes.
    pub(super) fn quote_like(&self, at: usize, name: &str) -> String {
        match self.text[at..].chars().next() {
            Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
            _ => render_key(name),
        }
    }

    /// Returns the end of the statement before `statement`, or the start of the text for the first
    /// statement.
    pub(super) fn end_of_previous_statement(&self, statement: usize) -> usize {
        statement
            .checked_sub(1)
            .map_or_else(|| text_start(self.text), |before| self.layout.statements[before].lines.end)
    }

    /// Returns the start of the run of matching lines that ends at the line start `at`. The result is
    /// at least `min`.
    pub(super) fn start_of_lines_before(&self, mut at: usize, min: usize, matches: fn(&str) -> bool) -> usize {
        while at > min {
            let start = line_start(self.text, at - 1);
            if start < min || !matches(&self.text[start..at]) {
                break;
            }
            at = start;
        }
        at
    }

    /// Returns the end of the run of matching lines that begins at the line start `at`. The result is
    /// at most `max`.
    pub(super) fn end_of_lines_after(&self, mut at: usize, max: usize, matches: fn(&str) -> bool) -> usize {
        while at < max {
            let end = line_end(self.text, at);
            if end > max || !matches(&self.text[at..end]) {
                break;
            }
            at = end;
        }
        at
    }
}
