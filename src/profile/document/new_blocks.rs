//! New headers with their pairs: where they go, and the blank lines between them and the rest.

use super::apply::Plan;
use super::render::{Value, render_key, render_pair, render_path};
use super::splice::{is_blank, text_start};
use crate::profile::ProfileName;
use std::collections::BTreeSet;
use std::ops::Range;

impl<'a> Plan<'a> {
    /// Puts new profiles in: by name where those there are stand in order under headers, else behind
    /// the last one.
    pub(super) fn add_profiles(&mut self, added: &[(&ProfileName, &[(String, Value)])]) {
        let newline = self.layout.newline;
        let all = self.layout.pair(&["profiles".to_owned()]).and_then(|pair| self.layout.pairs[pair].inline);
        let order = self.order_of_profiles();
        let mut added = added.to_vec();
        if order.is_some() {
            added.sort_by_key(|(name, _)| *name);
        }
        for (name, entries) in added {
            if let Some(table) = all {
                let pair = render_pair(&render_key(name.as_str()), &Value::Table(entries.to_vec()), newline);
                self.inline.entry(table).or_default().added.push(pair);
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
            self.new_block(at, &["profiles".to_owned(), name.to_string()], &pairs);
        }
    }

    /// The names and first headers of the profiles where all have one and stand in order.
    fn order_of_profiles(&self) -> Option<Vec<(&'a str, usize)>> {
        let mut found = Vec::new();
        for (name, first, is_header) in self.layout.profiles() {
            match first.and_then(|first| self.layout.items[first].header) {
                Some(header) if is_header => found.push((name, header)),
                _ => return None,
            }
        }
        // They come sorted by name.
        found.is_sorted_by_key(|(_, header)| *header).then_some(found)
    }

    /// Behind the last block that holds profiles, else at the end of the file.
    fn end_of_profiles(&self) -> usize {
        let is_profile = |path: &[String]| path.first().is_some_and(|first| first == "profiles");
        if let Some(last) = self.layout.headers.iter().rposition(|header| is_profile(&header.path)) {
            return self.end_with_comments(last);
        }
        match self.layout.headers.first() {
            // Profiles by dotted keys at the top of the file, which ends where the headers begin.
            Some(first) if self.layout.pairs.iter().any(|pair| is_profile(&pair.path)) => {
                self.end_of_item_before(first.item)
            }
            _ => self.text.len(),
        }
    }

    /// Notes a new header with its pairs for the place `at`.
    pub(super) fn new_block(&mut self, at: usize, path: &[String], pairs: &[String]) {
        let newline = self.layout.newline;
        let mut block = format!("{}{newline}", self.header_line(path));
        block.extend(pairs.iter().flat_map(|pair| [pair, newline]));
        self.blocks.entry(at).or_default().push(block);
    }

    /// `[path]`, the profile's name renewed.
    pub(super) fn header_line(&self, path: &[String]) -> String {
        let mut path = path.to_vec();
        if let Some(new) = self.names.new_name(&path) {
            new.clone_into(&mut path[1]);
        }
        format!("[{}]", render_path(&path))
    }

    /// Splices the blocks that go, with the blank lines below them or at the end of the file those
    /// above, and the new ones.
    pub(super) fn finish_blocks(&mut self) {
        let end = self.text.len();
        let mut gaps: Vec<Range<usize>> = Vec::new();
        self.removed.sort_unstable_by_key(|block| block.start);
        for block in &self.removed {
            let below = self.lines_after(block.end, end, is_blank);
            match gaps.last_mut().filter(|gap| gap.end >= block.start) {
                Some(gap) => gap.end = gap.end.max(below),
                None => gaps.push(block.start..below),
            }
        }
        let mut filled = BTreeSet::new();
        for (at, blocks) in std::mem::take(&mut self.blocks) {
            // The last gap that starts before, since gaps rise and do not touch.
            let before = gaps.partition_point(|gap| gap.start <= at).checked_sub(1);
            let inside = before.filter(|gap| at <= gaps[*gap].end);
            filled.extend(inside);
            let gap = inside.map_or(at..at, |gap| gaps[gap].clone());
            let block = self.spaced(&gap, &blocks);
            self.splices.insert(at, block);
        }
        for (number, gap) in gaps.into_iter().enumerate() {
            let last = gap.end == end && !filled.contains(&number);
            let above = if last { self.lines_before(gap.start, text_start(self.text), is_blank) } else { gap.start };
            self.splices.remove(above..gap.end);
        }
    }

    /// New blocks with blank lines between each other and what stands before and after `gap`.
    fn spaced(&self, gap: &Range<usize>, blocks: &[String]) -> String {
        let newline = self.layout.newline;
        let (before, after) = (&self.text[text_start(self.text)..gap.start], &self.text[gap.end..]);
        let ended = before.is_empty() || before.ends_with('\n');
        let blank_above = before.is_empty()
            || (ended && is_blank(&before[before[..before.len() - 1].rfind('\n').map_or(0, |end| end + 1)..]));
        let mut spaced = String::new();
        if !ended {
            spaced.push_str(newline);
        }
        if !blank_above {
            spaced.push_str(newline);
        }
        spaced.push_str(&blocks.join(newline));
        match after.lines().next() {
            // A file without a last line end stays one.
            None if !ended => spaced.truncate(spaced.len() - newline.len()),
            Some(line) if !is_blank(line) => spaced.push_str(newline),
            _ => {}
        }
        spaced
    }
}
