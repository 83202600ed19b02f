//! Inserts new profiles and tables, and separates tables with blank lines.

use super::edit_plan::EditPlan;
use super::render::{EditValue, render_key, render_pair, render_path};
use super::splice::{is_blank, text_start};
use crate::profile::ProfileName;
use std::collections::BTreeSet;
use std::ops::Range;

impl<'a> EditPlan<'a> {
    /// Adds new profiles. If the file has an inline table `profiles = { ... }`, the new profiles become
    /// entries of that table. If all existing profiles have headers in name order, the new profiles
    /// keep that order. Otherwise the new profiles follow the last profile.
    pub(super) fn add_profiles(&mut self, added: &[(&ProfileName, &[(String, EditValue)])]) {
        let newline = self.layout.newline;
        let profiles_table =
            self.layout.pair(&["profiles".to_owned()]).and_then(|pair| self.layout.pairs[pair].inline_table);
        let sorted_headers = self.sorted_profile_headers();
        let mut added = added.to_vec();
        if sorted_headers.is_some() {
            added.sort_by_key(|(name, _)| *name);
        }
        for (name, entries) in added {
            if let Some(table) = profiles_table {
                let pair = render_pair(&render_key(name.as_str()), &EditValue::Table(entries.to_vec()), newline);
                self.inline_changes.entry(table).or_default().added.push(pair);
                continue;
            }
            let next = sorted_headers
                .as_ref()
                .and_then(|headers| headers.get(headers.partition_point(|(other, _)| *other < name.as_str())));
            let at = match next {
                Some((_, header)) => self.block_with_comments(*header).start,
                None => self.end_of_profiles(),
            };
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| render_pair(&render_key(key), value, newline)).collect();
            self.add_block(at, &["profiles".to_owned(), name.to_string()], &pairs);
        }
    }

    /// Returns the name and first header of each profile. Returns `None` if a profile does not start
    /// with a header, or if these headers are not in name order.
    fn sorted_profile_headers(&self) -> Option<Vec<(&'a str, usize)>> {
        let mut found = Vec::new();
        for (name, first, is_header) in self.layout.profiles() {
            match first.and_then(|first| self.layout.statements[first].header) {
                Some(header) if is_header => found.push((name, header)),
                _ => return None,
            }
        }
        // `found` is in name order, because `Layout::profiles` returns the profiles in that order.
        found.is_sorted_by_key(|(_, header)| *header).then_some(found)
    }

    /// Returns the end of the last profile and its comments. Without a profile, returns the end of the
    /// file.
    fn end_of_profiles(&self) -> usize {
        let is_profile = |path: &[String]| path.first().is_some_and(|first| first == "profiles");
        if let Some(last) = self.layout.headers.iter().rposition(|header| is_profile(&header.path)) {
            return self.block_end_with_comments(last);
        }
        match self.layout.headers.first() {
            // All profiles are pairs at the top level, so they end before the first header.
            Some(first) if self.layout.pairs.iter().any(|pair| is_profile(&pair.path)) => {
                self.end_of_previous_statement(first.statement)
            }
            _ => self.text.len(),
        }
    }

    /// Plans to insert a new header with its pairs at the offset `at`.
    pub(super) fn add_block(&mut self, at: usize, path: &[String], pairs: &[String]) {
        let newline = self.layout.newline;
        let mut block = format!("{}{newline}", self.header_line(path));
        block.extend(pairs.iter().flat_map(|pair| [pair, newline]));
        self.new_blocks.entry(at).or_default().push(block);
    }

    /// Returns the header `[path]`. If an edit renames the profile in the path, the header has the new
    /// name.
    pub(super) fn header_line(&self, path: &[String]) -> String {
        let mut path = path.to_vec();
        if let Some(new) = self.names.new_name(&path) {
            new.clone_into(&mut path[1]);
        }
        format!("[{}]", render_path(&path))
    }

    /// Adds the removed and the new blocks to the splices. The blank lines below a removed block are
    /// removed too. If nothing remains below a removed block, the blank lines above the block are
    /// removed as well.
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
        let mut filled_gaps = BTreeSet::new();
        for (at, blocks) in std::mem::take(&mut self.new_blocks) {
            // Gaps are sorted and do not touch. Only the last gap that starts at or before `at` can
            // contain `at`.
            let candidate = gaps.partition_point(|gap| gap.start <= at).checked_sub(1);
            let containing_gap = candidate.filter(|gap| at <= gaps[*gap].end);
            filled_gaps.extend(containing_gap);
            let gap = containing_gap.map_or(at..at, |gap| gaps[gap].clone());
            let block = self.with_blank_lines(&gap, &blocks);
            self.splices.insert(at, block);
        }
        for (number, gap) in gaps.into_iter().enumerate() {
            let ends_file = gap.end == end && !filled_gaps.contains(&number);
            let start = if ends_file {
                self.start_of_lines_before(gap.start, text_start(self.text), is_blank)
            } else {
                gap.start
            };
            self.splices.remove(start..gap.end);
        }
    }

    /// Joins new blocks for insertion into `gap`. Adds a blank line between two blocks, and where a
    /// block would touch the text before or after the gap.
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
            // If the file has no final line ending, the last new block gets none either.
            None if !ends_line => spaced.truncate(spaced.len() - newline.len()),
            Some(line) if !is_blank(line) => spaced.push_str(newline),
            _ => {}
        }
        spaced
    }
}
