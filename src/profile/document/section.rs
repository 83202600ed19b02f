//! Setting and unsetting keys of one section, however it is written: under its header, by dotted
//! keys, or as an inline table.

use super::apply::Plan;
use super::layout::{Header, Home, Pair, Parts};
use super::render::{Value, render_pair, render_path};
use super::splice::{blanks_end, line_start, text_start};
use super::{EditError, Section};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of one key.
pub(super) struct Change<'a> {
    pub(super) key: &'a [String],
    /// Nothing, to take it out.
    pub(super) value: Option<&'a Value>,
}

/// Where new pairs of a section go.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    /// Into an inline table.
    Inline(usize),
    /// On lines of their own under a header, or at the top of the file.
    Under(Option<usize>),
    /// On lines of their own beside a pair whose dotted key names the section.
    Beside(usize),
    /// Under a header of their own, before this one.
    Before(usize),
    /// Under a header of their own, since the section is not there.
    Nowhere,
}

impl<'a> Plan<'a> {
    pub(super) fn change_section(&mut self, section: &Section, changes: &[Change<'a>]) -> Result<(), EditError> {
        let base = section.path();
        let parts = self.layout.parts(&base);
        if let (Section::Profile(name), true) = (section, parts.headers.is_empty() && parts.pairs.is_empty()) {
            return Err(EditError::UnknownProfile(name.clone()));
        }
        let (mut gone, mut added) = (Vec::new(), Vec::new());
        for change in changes {
            let target = section.path_of(change.key);
            let goes_with_its_table =
                || changes.iter().any(|other| other.value.is_none() && change.key.starts_with(other.key));
            let pair = self.layout.pair(&target).filter(|_| !goes_with_its_table());
            match (change.value, pair) {
                (Some(value), Some(pair)) => {
                    let place = self.layout.pairs[pair].value.clone();
                    self.splices.replace(place, value.render(self.layout.newline));
                }
                (Some(value), None) => {
                    added.push((change.key, value));
                    gone.push(target);
                }
                (None, _) => gone.push(target),
            }
        }
        let lines = self.take_out(parts, &gone);
        let mut spots: BTreeMap<Spot, Vec<String>> = BTreeMap::new();
        for (key, value) in added {
            let (spot, key) = self.spot(&base, parts, key)?;
            spots.entry(spot).or_default().push(render_pair(&render_path(&key), value, self.layout.newline));
        }
        let emptied = spots.is_empty() && !gone.is_empty() && matches!(section, Section::Profile(_));
        let mut replaced = BTreeSet::new();
        if emptied && !self.anything_left(parts, &gone) {
            replaced.extend(self.leave_empty(&base, parts));
        }
        for (spot, pairs) in spots {
            replaced.extend(self.put(&spot, &base, parts, &pairs));
        }
        for pair in lines.difference(&replaced) {
            self.remove_lines(&self.layout.pairs[*pair]);
        }
        Ok(())
    }

    /// Takes out what lies at or under the `gone` paths, but for the pairs on lines of their own,
    /// which it gives back.
    fn take_out(&mut self, parts: &Parts, gone: &[Vec<String>]) -> BTreeSet<usize> {
        let layout = self.layout;
        let is_gone = |path: &[String]| gone.iter().any(|gone| path.starts_with(gone));
        for header in parts.headers.iter().filter(|header| is_gone(&layout.headers[**header].path)) {
            self.gone_headers.insert(*header);
            self.removed.push(self.block(*header));
        }
        let mut lines = BTreeSet::new();
        for pair in parts.pairs.iter().filter(|pair| is_gone(&layout.pairs[**pair].path)) {
            match layout.pairs[*pair].home {
                Home::Lines { header: Some(header), .. } if self.gone_headers.contains(&header) => continue,
                Home::Lines { .. } => drop(lines.insert(*pair)),
                Home::Inline { table, .. } if is_gone(&layout.pairs[layout.tables[table].owner].path) => continue,
                Home::Inline { table, ordinal } => drop(self.inline.entry(table).or_default().gone.insert(ordinal)),
            }
            self.gone_pairs.insert(*pair);
        }
        lines
    }

    /// Where a new `key` of the section goes, and the key as it is called there.
    fn spot(&self, base: &[String], parts: &Parts, key: &[String]) -> Result<(Spot, Vec<String>), EditError> {
        let target = [base, key].concat();
        for depth in (1..target.len()).rev() {
            let above = &target[..depth];
            if let Some(pair) = self.layout.pair(above).filter(|pair| !self.gone_pairs.contains(pair)) {
                let table =
                    self.layout.pairs[pair].inline.ok_or_else(|| EditError::NotATable { key: above.join(".") })?;
                return Ok((Spot::Inline(table), target[depth..].to_vec()));
            }
            let stays = |header: &&usize| !self.gone_headers.contains(*header);
            let mut headers = parts.headers.iter().filter(stays);
            if let Some(header) =
                headers.find(|header| depth >= base.len() && self.layout.headers[**header].path == above)
            {
                return Ok((Spot::Under(Some(*header)), target[depth..].to_vec()));
            }
        }
        let beside = |pair: &&usize| {
            let pair = &self.layout.pairs[**pair];
            pair.item().is_some() && pair.given() < base.len()
        };
        let spot = match (base.is_empty(), parts.pairs.iter().rev().find(beside), parts.headers.first()) {
            (true, ..) => Spot::Under(None),
            (_, Some(pair), _) => Spot::Beside(*pair),
            (_, None, Some(header)) => Spot::Before(*header),
            (_, None, None) => Spot::Nowhere,
        };
        Ok((spot, key.to_vec()))
    }

    /// Puts new pairs in; gives the pair whose lines they replace, if they do.
    fn put(&mut self, spot: &Spot, base: &[String], parts: &Parts, pairs: &[String]) -> Option<usize> {
        match *spot {
            Spot::Inline(table) => {
                self.inline.entry(table).or_default().added.extend_from_slice(pairs);
                None
            }
            Spot::Under(header) => {
                let siblings = match header {
                    Some(header) => self.layout.headers[header].pairs.clone(),
                    None => {
                        parts.pairs.iter().copied().filter(|pair| self.layout.pairs[*pair].item().is_some()).collect()
                    }
                };
                let above = header.map(|header| self.layout.headers[header].item);
                self.put_lines(&siblings, above, pairs)
            }
            Spot::Beside(pair) => {
                let home = &self.layout.pairs[pair];
                let prefix = self.prefix(home, base.len());
                let alike = |other: &Pair| other.item().is_some() && other.given() == home.given();
                let siblings: Vec<usize> =
                    parts.pairs.iter().copied().filter(|pair| alike(&self.layout.pairs[*pair])).collect();
                let pairs: Vec<String> = pairs.iter().map(|pair| format!("{prefix}{pair}")).collect();
                self.put_lines(&siblings, None, &pairs)
            }
            Spot::Before(header) => {
                let at = self.block_with_comments(header).start;
                self.new_block(at, base, pairs);
                None
            }
            Spot::Nowhere => {
                let at = self.place_of_section(base);
                self.new_block(at, base, pairs);
                None
            }
        }
    }

    /// New lines in the place of the first sibling that goes, else behind the last one, else behind
    /// the item above.
    fn put_lines(&mut self, siblings: &[usize], above: Option<usize>, pairs: &[String]) -> Option<usize> {
        let newline = self.layout.newline;
        if let Some(first) = siblings.iter().find(|pair| self.gone_pairs.contains(pair)) {
            let span = self.layout.pairs[*first].span();
            let indent = self.indent(span.start);
            self.splices.replace(span, pairs.join(&format!("{newline}{indent}")));
            return Some(*first);
        }
        let last = siblings.last().and_then(|pair| self.layout.pairs[*pair].item()).or(above);
        let (indent, at) = match last.map(|last| &self.layout.items[last].lines) {
            Some(lines) => (self.indent(blanks_end(self.text, lines.start)), lines.end),
            None => ("", text_start(self.text)),
        };
        // A file without a last line end stays one.
        let open = at > 0 && last.is_some() && !self.text[..at].ends_with('\n');
        let line =
            |pair: &String| if open { format!("{newline}{indent}{pair}") } else { format!("{indent}{pair}{newline}") };
        self.splices.insert(at, pairs.iter().map(line).collect::<String>());
        None
    }

    /// What stands before the key of a section, up to and with its dot, in a pair that names it.
    fn prefix(&self, pair: &Pair, depth: usize) -> String {
        let count = depth - pair.given();
        let dot = &self.text[pair.keys[count - 1].end..pair.keys[count].start];
        format!("{}{dot}", self.written_key(pair, count))
    }

    fn anything_left(&self, parts: &Parts, gone: &[Vec<String>]) -> bool {
        let stays = |path: &[String]| !gone.iter().any(|gone| path.starts_with(gone));
        parts.headers.iter().any(|header| stays(&self.layout.headers[*header].path))
            || parts.pairs.iter().any(|pair| stays(&self.layout.pairs[*pair].path))
    }

    /// A profile of which every key is taken out stays, empty; gives the pair it replaces, if it does.
    fn leave_empty(&mut self, base: &[String], parts: &Parts) -> Option<usize> {
        if let Some(header) = parts.headers.first() {
            let block = self.block(*header);
            self.removed.retain(|removed| *removed != block);
            self.splices.replace(block, format!("{}{}", self.header_line(base), self.layout.newline));
            return None;
        }
        let first = *parts.pairs.first()?;
        let pair = &self.layout.pairs[first];
        let stub = format!("{} = {{}}", self.written_key(pair, base.len() - pair.given()));
        match pair.home {
            Home::Lines { .. } => self.splices.replace(pair.span(), stub),
            Home::Inline { table, .. } => self.inline.entry(table).or_default().added.push(stub),
        }
        Some(first)
    }

    /// Takes a pair's lines out; a comment behind it stays.
    pub(super) fn remove_lines(&mut self, pair: &Pair) {
        let Home::Lines { item, .. } = pair.home else { return };
        let lines = self.layout.items[item].lines.clone();
        let behind = blanks_end(self.text, pair.value.end);
        if self.text[behind..].starts_with('#') {
            self.splices.remove(pair.keys[0].start..behind);
        } else {
            self.splices.remove(lines);
        }
    }

    /// The blanks before what stands at `at`.
    fn indent(&self, at: usize) -> &'a str {
        let line = line_start(self.text, at);
        let indent = &self.text[line..at];
        if indent.trim().is_empty() { indent } else { "" }
    }

    /// Where a section goes that is not there: above those that come after it, else at the end.
    fn place_of_section(&self, base: &[String]) -> usize {
        let later: &[&str] = if base[0] == "recipients" { &["defaults", "profiles"] } else { &["profiles"] };
        let is_later = |header: &&Header| later.contains(&header.path[0].as_str());
        let header = self.layout.headers.iter().find(is_later);
        let header = header.and_then(|header| self.layout.items[header.item].header);
        header.map_or(self.text.len(), |header| self.block_with_comments(header).start)
    }
}
