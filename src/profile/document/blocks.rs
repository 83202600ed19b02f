//! Profiles with all that is theirs: found, taken out, renamed, replaced.

use super::EditError;
use super::apply::{Names, Plan};
use super::layout::{Home, Layout, Parts};
use super::render::render_key;
use super::splice::{is_comment, line_end, line_start, text_start};
use crate::profile::ProfileName;
use std::ops::Range;

/// The lines of a profile, in order; none where it has no lines of its own.
pub(super) fn lines_of(text: &str, layout: &Layout, name: &ProfileName) -> Option<Vec<Range<usize>>> {
    Plan::new(text, layout, Names::default()).lines_of(name)
}

impl Plan<'_> {
    /// The lines of a header and of everything under it.
    pub(super) fn block(&self, header: usize) -> Range<usize> {
        let first = self.layout.headers[header].item;
        let last = first + self.layout.headers[header].pairs.len();
        self.layout.items[first].lines.start..self.layout.items[last].lines.end
    }

    /// The same with the comment lines directly above the header. Those that the file starts with
    /// belong to the file.
    pub(super) fn block_with_comments(&self, header: usize) -> Range<usize> {
        let block = self.block(header);
        let floor = self.end_of_item_before(self.layout.headers[header].item);
        let above = self.lines_before(block.start, floor, is_comment);
        if above == text_start(self.text) { block } else { above..block.end }
    }

    /// The end of a block with the comment lines directly below it, unless these stand directly above
    /// the next header.
    pub(super) fn end_with_comments(&self, header: usize) -> usize {
        let block = self.block(header);
        let last = self.layout.headers[header].item + self.layout.headers[header].pairs.len();
        let ceiling = self.layout.items.get(last + 1).map_or(self.text.len(), |next| next.lines.start);
        let below = self.lines_after(block.end, ceiling, is_comment);
        if below == ceiling && ceiling < self.text.len() { block.end } else { below }
    }

    /// A header's block with the comments that are its own, above and below; those that the file
    /// ends with belong to the file.
    fn own_block(&self, header: usize) -> Range<usize> {
        let Range { start, end } = self.block_with_comments(header);
        let below = self.end_with_comments(header);
        start..if below == self.text.len() { end } else { below }
    }

    /// Puts `text` in the place of a profile's first lines; its other lines go.
    pub(super) fn replace_block(&mut self, name: &ProfileName, was: &str, text: &str) -> Result<(), EditError> {
        let lines = self.lines_of(name).ok_or_else(|| EditError::NoLines(name.clone()))?;
        let found: String = lines.iter().map(|lines| &self.text[lines.clone()]).collect();
        if found != was {
            return Err(EditError::BlockChanged(name.clone()));
        }
        if found == text {
            return Ok(());
        }
        for (number, lines) in lines.into_iter().enumerate() {
            self.splices.replace(lines, if number == 0 { text } else { "" });
        }
        Ok(())
    }

    /// The lines of a profile, in order.
    fn lines_of(&self, name: &ProfileName) -> Option<Vec<Range<usize>>> {
        let path = ["profiles".to_owned(), name.to_string()];
        let Parts { headers, pairs } = self.layout.parts(&path);
        let mut lines: Vec<Range<usize>> = headers.iter().map(|header| self.own_block(*header)).collect();
        for pair in pairs.iter().map(|pair| &self.layout.pairs[*pair]).filter(|pair| pair.given() < path.len()) {
            lines.push(self.layout.items[pair.item()?].lines.clone());
        }
        lines.sort_unstable_by_key(|lines| lines.start);
        (!lines.is_empty()).then_some(lines)
    }

    pub(super) fn remove_profile(&mut self, name: &str) {
        let path = ["profiles".to_owned(), name.to_owned()];
        let layout = self.layout;
        let Parts { headers, pairs } = layout.parts(&path);
        for header in headers {
            self.gone_headers.insert(*header);
            self.removed.push(self.own_block(*header));
        }
        // The rest goes with these headers or within other pairs.
        for number in pairs.iter().copied().filter(|pair| layout.pairs[*pair].given() < path.len()) {
            self.gone_pairs.insert(number);
            match layout.pairs[number].home {
                Home::Lines { item, .. } => self.splices.remove(layout.items[item].lines.clone()),
                Home::Inline { table, ordinal } => drop(self.inline.entry(table).or_default().gone.insert(ordinal)),
            }
        }
    }

    /// Writes the new names wherever the old ones stand, in headers and in keys.
    pub(super) fn rename_profiles(&mut self) {
        let layout = self.layout;
        for (from, to) in self.names.renamed.clone() {
            let parts = layout.parts(&["profiles".to_owned(), from.to_owned()]);
            let headers = parts.headers.iter().filter(|header| !self.gone_headers.contains(header));
            let in_headers = headers.map(|header| layout.headers[*header].keys[1].clone());
            let pairs =
                parts.pairs.iter().filter(|pair| !self.gone_pairs.contains(pair)).map(|pair| &layout.pairs[*pair]);
            let in_pairs = pairs.filter_map(|pair| Some(pair.keys[1_usize.checked_sub(pair.given())?].clone()));
            for place in in_headers.chain(in_pairs).collect::<Vec<_>>() {
                let name = self.quoted_alike(place.start, to);
                self.splices.replace(place, name);
            }
        }
    }

    /// A name with the quotes of the one that stands at `at`. Names hold nothing that needs an escape.
    pub(super) fn quoted_alike(&self, at: usize, name: &str) -> String {
        match self.text[at..].chars().next() {
            Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
            _ => render_key(name),
        }
    }

    /// The end of the item before this one, else the start of the text.
    pub(super) fn end_of_item_before(&self, item: usize) -> usize {
        item.checked_sub(1).map_or_else(|| text_start(self.text), |before| self.layout.items[before].lines.end)
    }

    /// The start of the lines of a kind that stand directly before `at`, but not before `floor`.
    pub(super) fn lines_before(&self, mut at: usize, floor: usize, kind: fn(&str) -> bool) -> usize {
        while at > floor {
            let start = line_start(self.text, at - 1);
            if start < floor || !kind(&self.text[start..at]) {
                break;
            }
            at = start;
        }
        at
    }

    /// The end of the lines of a kind that stand directly behind `at`, but not behind `ceiling`.
    pub(super) fn lines_after(&self, mut at: usize, ceiling: usize, kind: fn(&str) -> bool) -> usize {
        while at < ceiling {
            let end = line_end(self.text, at);
            if end > ceiling || !kind(&self.text[at..end]) {
                break;
            }
            at = end;
        }
        at
    }
}
