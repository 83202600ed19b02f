//! Adds and removes entries of inline tables, on one line or on several.

use super::layout::{InlineTable, Layout, Pair};
use super::splice::{Splices, blanks_end, is_blank, is_comment, line_end, line_start};
use std::collections::BTreeSet;
use std::ops::Range;

/// Changes of one inline table.
#[derive(Default)]
pub(super) struct InlineChanges {
    /// Entries to remove.
    pub(super) removed: BTreeSet<usize>,
    /// Pairs to add, rendered.
    pub(super) added: Vec<String>,
}

/// Splices the changes of one inline table.
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

    /// Returns the end of an entry, with its comma if it has one.
    fn entry_end(&self, entry: usize) -> usize {
        self.table.entries[entry].1.map_or(self.pair(entry).value_span.end, |comma| comma + 1)
    }

    fn remove_entries(&self, removed: &BTreeSet<usize>, last_kept: Option<usize>, splices: &mut Splices) {
        let tail = last_kept.map_or(0, |last| last + 1)..self.table.entries.len();
        // Entries removed at the end of a line are removed together with the comma before them.
        let joined =
            last_kept.map(|last| self.pair(last).value_span.end..self.entry_end(tail.end - 1)).filter(|joined| {
                !tail.is_empty()
                    && !self.text[joined.start..self.pair(tail.start).key_spans[0].start].contains('\n')
                    && tail.clone().all(|entry| !self.starts_line(entry))
            });
        for entry in removed.iter().filter(|entry| joined.is_none() || !tail.contains(entry)) {
            self.remove_entry(*entry, splices);
        }
        if let Some(joined) = joined {
            splices.remove(joined);
        }
    }

    /// Returns whether only blanks precede an entry on its line.
    fn starts_line(&self, entry: usize) -> bool {
        let before = &self.text[..self.pair(entry).key_spans[0].start];
        before.trim_end_matches([' ', '\t']).ends_with('\n')
    }

    /// Removes an entry with its comma and the blanks after it. Removes its whole lines if they hold
    /// nothing else.
    fn remove_entry(&self, entry: usize, splices: &mut Splices) {
        let Range { start, end: value_end } = self.pair(entry).span();
        let mut end = self.entry_end(entry);
        if self.text[value_end..end].contains('\n') {
            // The comma starts a later line, and a comment may precede the comma.
            splices.remove(end - 1..end);
            end = value_end;
        }
        let rest = blanks_end(self.text, end);
        let alone = self.starts_line(entry) && self.text[rest..].starts_with(['\r', '\n']);
        splices.remove(if alone { line_start(self.text, start)..line_end(self.text, rest) } else { start..rest });
    }

    /// Adds entries after the `last` entry that stays, formatted like that entry.
    fn append_entries(&self, last: usize, added: &[String], splices: &mut Splices) {
        let (start, value_end) = (self.pair(last).key_spans[0].start, self.pair(last).value_span.end);
        let has_comma = self.table.entries[last].1.is_some();
        let end = self.entry_end(last);
        let line_end = line_end(self.text, end);
        let rest = &self.text[end..line_end];
        let own_lines = self.starts_line(last) && rest.ends_with('\n') && (is_blank(rest) || is_comment(rest));
        if !own_lines {
            splices.insert(value_end, format!(", {}", added.join(", ")));
            return;
        }
        if !has_comma {
            splices.insert(value_end, ",");
        }
        let indent = &self.text[line_start(self.text, start)..start];
        let lines = added.iter().map(|pair| format!("{indent}{pair}")).collect::<Vec<_>>();
        let closing = if has_comma { "," } else { "" };
        splices.insert(
            line_end,
            format!("{}{closing}{}", lines.join(&format!(",{}", self.layout.newline)), self.layout.newline),
        );
    }

    /// Adds entries to a table that is empty or becomes empty.
    fn fill_empty(&self, added: &[String], splices: &mut Splices) {
        let inside = self.table.span.start + 1..self.table.span.end - 1;
        let closing = if inside.is_empty() { " " } else { "" };
        splices.insert(inside.start, format!(" {}{closing}", added.join(", ")));
    }
}
