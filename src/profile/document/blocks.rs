//! Finds, removes, renames and replaces the text of a profile.

use super::EditError;
use super::edit_plan::{EditPlan, NameChanges};
use super::layout::{Layout, PairPosition, SectionParts};
use super::render::render_key;
use super::splice::{is_comment, line_end, line_start, text_start};
use crate::profile::ProfileName;
use std::ops::Range;

/// Returns the lines of a profile, in order; `None` if it has no lines of its own.
pub(super) fn profile_lines(text: &str, layout: &Layout, name: &ProfileName) -> Option<Vec<Range<usize>>> {
    EditPlan::new(text, layout, NameChanges::default()).profile_lines(name)
}

impl EditPlan<'_> {
    /// Returns the lines of a header and of all pairs under it.
    pub(super) fn header_block(&self, header: usize) -> Range<usize> {
        let first = self.layout.headers[header].statement;
        let last = first + self.layout.headers[header].pairs.len();
        self.layout.statements[first].lines.start..self.layout.statements[last].lines.end
    }

    /// Returns a header's block with the comment lines directly above the header. Comments at the
    /// start of the file belong to the file.
    pub(super) fn block_with_comments(&self, header: usize) -> Range<usize> {
        let block = self.header_block(header);
        let floor = self.end_of_previous_statement(self.layout.headers[header].statement);
        let above = self.start_of_lines_before(block.start, floor, is_comment);
        if above == text_start(self.text) { block } else { above..block.end }
    }

    /// Returns the end of a header's block with the comment lines directly below the block. Comments
    /// directly above the next header belong to that header.
    pub(super) fn block_end_with_comments(&self, header: usize) -> usize {
        let block = self.header_block(header);
        let last = self.layout.headers[header].statement + self.layout.headers[header].pairs.len();
        let ceiling = self.layout.statements.get(last + 1).map_or(self.text.len(), |next| next.lines.start);
        let below = self.end_of_lines_after(block.end, ceiling, is_comment);
        if below == ceiling && ceiling < self.text.len() { block.end } else { below }
    }

    /// Returns a header's block with its own comments, above and below. Comments at the end of the
    /// file belong to the file.
    fn block_with_own_comments(&self, header: usize) -> Range<usize> {
        let Range { start, end } = self.block_with_comments(header);
        let below = self.block_end_with_comments(header);
        start..if below == self.text.len() { end } else { below }
    }

    /// Replaces the first lines of a profile with `new_text` and removes its other lines.
    pub(super) fn replace_block(
        &mut self,
        name: &ProfileName,
        old_text: &str,
        new_text: &str,
    ) -> Result<(), EditError> {
        let lines = self.profile_lines(name).ok_or_else(|| EditError::SharedLines(name.clone()))?;
        let found: String = lines.iter().map(|lines| &self.text[lines.clone()]).collect();
        if found != old_text {
            return Err(EditError::BlockChanged(name.clone()));
        }
        if found == new_text {
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
        // All other pairs are removed with these headers or within other pairs.
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

    /// Replaces the old names with the new names, in headers and in keys.
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

    /// Quotes a name like the key at `at`. Profile names need no escapes.
    pub(super) fn quote_like(&self, at: usize, name: &str) -> String {
        match self.text[at..].chars().next() {
            Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
            _ => render_key(name),
        }
    }

    /// Returns the end of the statement before this statement, else the start of the text.
    pub(super) fn end_of_previous_statement(&self, statement: usize) -> usize {
        statement
            .checked_sub(1)
            .map_or_else(|| text_start(self.text), |before| self.layout.statements[before].lines.end)
    }

    /// Returns the start of the matching lines directly before `at`, but not before `floor`.
    pub(super) fn start_of_lines_before(&self, mut at: usize, floor: usize, matches: fn(&str) -> bool) -> usize {
        while at > floor {
            let start = line_start(self.text, at - 1);
            if start < floor || !matches(&self.text[start..at]) {
                break;
            }
            at = start;
        }
        at
    }

    /// Returns the end of the matching lines directly after `at`, but not after `ceiling`.
    pub(super) fn end_of_lines_after(&self, mut at: usize, ceiling: usize, matches: fn(&str) -> bool) -> usize {
        while at < ceiling {
            let end = line_end(self.text, at);
            if end > ceiling || !matches(&self.text[at..end]) {
                break;
            }
            at = end;
        }
        at
    }
}
