//! Adds and removes entries of inline tables, which may be written on one line or on several lines.

use super::layout::{InlineTable, Layout, Pair};
use super::splice::{Splices, blanks_end, is_blank, is_comment, line_end, line_start};
use std::collections::BTreeSet;
use std::ops::Range;

/// Changes of one inline table.
#[derive(Default)]
pub(super) struct InlineChanges {
    /// Ordinals of the entries to remove.
    pub(super) removed: BTreeSet<usize>,
    /// Pairs to add, already rendered.
    pub(super) added: Vec<String>,
}

/// Adds the changes of one inline table to `splices`. `table` is the index of the inline table.
pub(super) fn splice(text: &str, layout: &Layout, table: usize, changes: &InlineChanges, splices: &mut Splices) {
    let editor = InlineTableEditor { text, layout, table: &layout.inline_tables[table] };
    let last_kept = (0..editor.table.entries.len()).rev().find(|entry| !changes.removed.contains(entry));
    editor.remove_entries(&changes.removed, last_kept, splices);
    if changes.added.is_empty() {
        return;
    }
    match last_kept {
        Some(last) => editor.append_entries(last, &changes.added, splices),
        None => editor.fill_empty(&changes.added, splices),
    }
}

struct InlineTableEditor<'a> {
    text: &'a str,
    layout: &'a Layout,
    table: &'a InlineTable,
}

impl InlineTableEditor<'_> {
    fn pair(&self, entry: usize) -> &Pair {
        &self.layout.pairs[self.table.entries[entry].0]
    }

    /// Returns the end of an entry, after its comma if there is one.
    fn entry_end(&self, entry: usize) -> usize {
        self.table.entries[entry].1.map_or(self.pair(entry).value_span.end, |comma| comma + 1)
    }

    fn remove_entries(&self, removed: &BTreeSet<usize>, last_kept: Option<usize>, splices: &mut Splices) {
        let removed_tail = last_kept.map_or(0, |last| last + 1)..self.table.entries.len();
        // The entries after the last kept entry are all removed. If these entries continue the line of
        // the last kept entry, the comma before them is removed too.
        let tail_with_comma = last_kept
            .map(|last| self.pair(last).value_span.end..self.entry_end(removed_tail.end - 1))
            .filter(|range| {
                !removed_tail.is_empty()
                    && !self.text[range.start..self.pair(removed_tail.start).key_spans[0].start].contains('\n')
                    && removed_tail.clone().all(|entry| !self.starts_line(entry))
            });
        for entry in removed.iter().filter(|entry| tail_with_comma.is_none() || !removed_tail.contains(entry)) {
            self.remove_entry(*entry, splices);
        }
        if let Some(range) = tail_with_comma {
            splices.remove(range);
        }
    }

    /// Returns true if only blanks precede an entry on its line.
    fn starts_line(&self, entry: usize) -> bool {
        let before = &self.text[..self.pair(entry).key_spans[0].start];
        before.trim_end_matches([' ', '\t']).ends_with('\n')
    }

    /// Removes an entry, its comma and the blanks that follow. Removes whole lines if they contain only
    /// the entry.
    fn remove_entry(&self, entry: usize, splices: &mut Splices) {
        let Range { start, end: value_end } = self.pair(entry).span();
        let mut end = self.entry_end(entry);
        if self.text[value_end..end].contains('\n') {
            // The comma is on a later line than the value. A comment between the value and the comma
            // must stay.
            splices.remove(end - 1..end);
            end = value_end;
        }
        let blanks_end = blanks_end(self.text, end);
        let has_own_lines = self.starts_line(entry) && self.text[blanks_end..].starts_with(['\r', '\n']);
        splices.remove(if has_own_lines {
            line_start(self.text, start)..line_end(self.text, blanks_end)
        } else {
            start..blanks_end
        });
    }

    /// Adds entries after `last`, the last kept entry. The new entries get lines of their own if `last`
    /// has its own line. The last new entry has a comma if `last` has a comma.
    fn append_entries(&self, last: usize, added: &[String], splices: &mut Splices) {
        let (start, value_end) = (self.pair(last).key_spans[0].start, self.pair(last).value_span.end);
        let has_comma = self.table.entries[last].1.is_some();
        let end = self.entry_end(last);
        let line_end = line_end(self.text, end);
        let rest_of_line = &self.text[end..line_end];
        let has_own_lines = self.starts_line(last)
            && rest_of_line.ends_with('\n')
            && (is_blank(rest_of_line) || is_comment(rest_of_line));
        if !has_own_lines {
            splices.insert(value_end, format!(", {}", added.join(", ")));
            return;
        }
        if !has_comma {
            splices.insert(value_end, ",");
        }
        let indent = &self.text[line_start(self.text, start)..start];
        let lines = added.iter().map(|pair| format!("{indent}{pair}")).collect::<Vec<_>>();
        let final_comma = if has_comma { "," } else { "" };
        splices.insert(
            line_end,
            format!("{}{final_comma}{}", lines.join(&format!(",{}", self.layout.newline)), self.layout.newline),
        );
    }

    /// Adds entries to a table that has no entries, or from which all entries are removed.
    fn fill_empty(&self, added: &[String], splices: &mut Splices) {
        let inside = self.table.span.start + 1..self.table.span.end - 1;
        let final_blank = if inside.is_empty() { " " } else { "" };
        splices.insert(inside.start, format!(" {}{final_blank}", added.join(", ")));
    }
}
