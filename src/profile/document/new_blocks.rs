//! Inserts new headers with their pairs, and keeps blank lines around them.

use super::edit_plan::EditPlan;
use super::render::{EditValue, render_key, render_pair, render_path};
use super::splice::{is_blank, text_start};
use crate::profile::ProfileName;
use std::collections::BTreeSet;
use std::ops::Range;

impl<'a> EditPlan<'a> {
    /// Adds new profiles: in name order if the existing profiles have sorted headers, else after the
    /// last profile.
    pub(super) fn add_profiles(&mut self, added: &[(&ProfileName, &[(String, EditValue)])]) {
        let newline = self.layout.newline;
        let profiles_table =
            self.layout.pair(&["profiles".to_owned()]).and_then(|pair| self.layout.pairs[pair].inline_table);
        let order = self.sorted_profile_headers();
        let mut added = added.to_vec();
        if order.is_some() {
            added.sort_by_key(|(name, _)| *name);
        }
        for (name, entries) in added {
            if let Some(table) = profiles_table {
                let pair = render_pair(&render_key(name.as_str()), &EditValue::Table(entries.to_vec()), newline);
                self.inline_changes.entry(table).or_default().added.push(pair);
                continue;
            }
            let next =
                order.as_ref().and_then(|order| order.get(order.partition_point(|(other, _)| *other < name.as_str())));
            let at = match next {
                Some((_, header)) => self.block_with_comments(*header).start,
                None => self.end_of_profiles(),
            };
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| render_pair(&render_key(key), value, newline)).collect();
            self.add_block(at, &["profiles".to_owned(), name.to_string()], &pairs);
        }
    }

    /// Returns the names and first headers of the profiles, if all have a header and are in order.
    fn sorted_profile_headers(&self) -> Option<Vec<(&'a str, usize)>> {
        let mut found = Vec::new();
        for (name, first, is_header) in self.layout.profiles() {
            match first.and_then(|first| self.layout.statements[first].header) {
                Some(header) if is_header => found.push((name, header)),
                _ => return None,
            }
        }
        // `Layout::profiles` returns them sorted by name.
        found.is_sorted_by_key(|(_, header)| *header).then_some(found)
    }

    /// Returns the end of the last block that holds profiles, else the end of the file.
    fn end_of_profiles(&self) -> usize {
        let is_profile = |path: &[String]| path.first().is_some_and(|first| first == "profiles");
        if let Some(last) = self.layout.headers.iter().rposition(|header| is_profile(&header.path)) {
            return self.block_end_with_comments(last);
        }
        match self.layout.headers.first() {
            // Profiles with dotted keys at the top of the file end before the first header.
            Some(first) if self.layout.pairs.iter().any(|pair| is_profile(&pair.path)) => {
                self.end_of_previous_statement(first.statement)
            }
            _ => self.text.len(),
        }
    }

    /// Records a new header with its pairs for insertion at `at`.
    pub(super) fn add_block(&mut self, at: usize, path: &[String], pairs: &[String]) {
        let newline = self.layout.newline;
        let mut block = format!("{}{newline}", self.header_line(path));
        block.extend(pairs.iter().flat_map(|pair| [pair, newline]));
        self.new_blocks.entry(at).or_default().push(block);
    }

    /// Returns `[path]`, with a new profile name applied.
    pub(super) fn header_line(&self, path: &[String]) -> String {
        let mut path = path.to_vec();
        if let Some(new) = self.names.new_name(&path) {
            new.clone_into(&mut path[1]);
        }
        format!("[{}]", render_path(&path))
    }

    /// Splices the removed and the new blocks. The blank lines below a removed block are removed too;
    /// at the end of the file, those above.
    pub(super) fn splice_blocks(&mut self) {
        let end = self.text.len();
        let mut gaps: Vec<Range<usize>> = Vec::new();
        self.removed_blocks.sort_unstable_by_key(|block| block.start);
        for block in &self.removed_blocks {
            let below = self.end_of_lines_after(block.end, end, is_blank);
            match gaps.last_mut().filter(|gap| gap.end >= block.start) {
                Some(gap) => gap.end = gap.end.max(below),
                None => gaps.push(block.start..below),
            }
        }
        let mut filled = BTreeSet::new();
        for (at, blocks) in std::mem::take(&mut self.new_blocks) {
            // Only the last gap that starts before can hold `at`: gaps are sorted and do not touch.
            let before = gaps.partition_point(|gap| gap.start <= at).checked_sub(1);
            let inside = before.filter(|gap| at <= gaps[*gap].end);
            filled.extend(inside);
            let gap = inside.map_or(at..at, |gap| gaps[gap].clone());
            let block = self.with_blank_lines(&gap, &blocks);
            self.splices.insert(at, block);
        }
        for (number, gap) in gaps.into_iter().enumerate() {
            let last = gap.end == end && !filled.contains(&number);
            let above =
                if last { self.start_of_lines_before(gap.start, text_start(self.text), is_blank) } else { gap.start };
            self.splices.remove(above..gap.end);
        }
    }

    /// Returns new blocks with blank lines between them and the text before and after `gap`.
    fn with_blank_lines(&self, gap: &Range<usize>, blocks: &[String]) -> String {
        let newline = self.layout.newline;
        let (before, after) = (&self.text[text_start(self.text)..gap.start], &self.text[gap.end..]);
        let ends_line = before.is_empty() || before.ends_with('\n');
        let blank_above = before.is_empty()
            || (ends_line && is_blank(&before[before[..before.len() - 1].rfind('\n').map_or(0, |end| end + 1)..]));
        let mut spaced = String::new();
        if !ends_line {
            spaced.push_str(newline);
        }
        if !blank_above {
            spaced.push_str(newline);
        }
        spaced.push_str(&blocks.join(newline));
        match after.lines().next() {
            // A file without a last line end gets none.
            None if !ends_line => spaced.truncate(spaced.len() - newline.len()),
            Some(line) if !is_blank(line) => spaced.push_str(newline),
            _ => {}
        }
        spaced
    }
}
