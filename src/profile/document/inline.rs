//! Entries of inline tables, on one line or on several.

use super::layout::{InlineTable, Layout, Pair};
use super::splice::{Splices, blanks_end, is_blank, is_comment, line_end, line_start};
use std::collections::BTreeSet;
use std::ops::Range;

/// What changes in one inline table.
#[derive(Default)]
pub(super) struct Changes {
    /// The entries that go.
    pub(super) gone: BTreeSet<usize>,
    /// The pairs that come, rendered.
    pub(super) added: Vec<String>,
}

/// Splices the changes of one table.
pub(super) fn splice(text: &str, layout: &Layout, table: usize, changes: &Changes, splices: &mut Splices) {
    let table = Table { text, layout, own: &layout.tables[table] };
    let last_kept = (0..table.own.entries.len()).rev().find(|entry| !changes.gone.contains(entry));
    table.remove(&changes.gone, last_kept, splices);
    if changes.added.is_empty() {
        return;
    }
    match last_kept {
        Some(last) => table.append(last, &changes.added, splices),
        None => table.fill(&changes.added, splices),
    }
}

struct Table<'a> {
    text: &'a str,
    layout: &'a Layout,
    own: &'a InlineTable,
}

impl Table<'_> {
    fn pair(&self, entry: usize) -> &Pair {
        &self.layout.pairs[self.own.entries[entry].0]
    }

    /// The end of an entry with its comma, if it has one.
    fn end(&self, entry: usize) -> usize {
        self.own.entries[entry].1.map_or(self.pair(entry).value.end, |comma| comma + 1)
    }

    /// Takes entries out.
    fn remove(&self, gone: &BTreeSet<usize>, last_kept: Option<usize>, splices: &mut Splices) {
        let tail = last_kept.map_or(0, |last| last + 1)..self.own.entries.len();
        // At the end of a line, what goes takes the comma before it along.
        let joined = last_kept.map(|last| self.pair(last).value.end..self.end(tail.end - 1)).filter(|joined| {
            !tail.is_empty()
                && !self.text[joined.start..self.pair(tail.start).keys[0].start].contains('\n')
                && tail.clone().all(|entry| !self.stands_alone(entry))
        });
        for entry in gone.iter().filter(|entry| joined.is_none() || !tail.contains(entry)) {
            self.remove_one(*entry, splices);
        }
        if let Some(joined) = joined {
            splices.remove(joined);
        }
    }

    /// Whether an entry begins its line.
    fn stands_alone(&self, entry: usize) -> bool {
        let before = &self.text[..self.pair(entry).keys[0].start];
        before.trim_end_matches([' ', '\t']).ends_with('\n')
    }

    /// Takes out an entry with its comma and the blanks behind, or its whole lines where nothing else
    /// stands on them.
    fn remove_one(&self, entry: usize, splices: &mut Splices) {
        let Range { start, end: value_end } = self.pair(entry).span();
        let mut end = self.end(entry);
        if self.text[value_end..end].contains('\n') {
            // The comma begins a later line, and a comment may stand between.
            splices.remove(end - 1..end);
            end = value_end;
        }
        let rest = blanks_end(self.text, end);
        let alone = self.stands_alone(entry) && self.text[rest..].starts_with(['\r', '\n']);
        splices.remove(if alone { line_start(self.text, start)..line_end(self.text, rest) } else { start..rest });
    }

    /// Adds behind the `last` entry that stays, in the way it is written.
    fn append(&self, last: usize, added: &[String], splices: &mut Splices) {
        let (start, value_end) = (self.pair(last).keys[0].start, self.pair(last).value.end);
        let has_comma = self.own.entries[last].1.is_some();
        let end = self.end(last);
        let line_end = line_end(self.text, end);
        let rest = &self.text[end..line_end];
        let own_lines = self.stands_alone(last) && rest.ends_with('\n') && (is_blank(rest) || is_comment(rest));
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

    /// Puts the first entries into a table that is empty, or becomes so.
    fn fill(&self, added: &[String], splices: &mut Splices) {
        let inside = self.own.span.start + 1..self.own.span.end - 1;
        let closing = if inside.is_empty() { " " } else { "" };
        splices.insert(inside.start, format!(" {}{closing}", added.join(", ")));
    }
}
