//! The lines of a store that an edit may change. All other lines must survive unchanged and in order.

use neto::internals::profile::{Edit, Section};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Byte ranges of keys and values in the text.
type Spans = Vec<Range<usize>>;

/// Panics if the edit changed a line that it must not change.
pub fn assert_kept(before: &str, after: &str, edit: &Edit) {
    let root = DeTable::parse(before).expect("it was read");
    let text = Lines::of(before);
    let touched = text.touched(root.get_ref(), edit);
    let mut rest = after.split_inclusive('\n');
    for (number, line) in before.split_inclusive('\n').enumerate().filter(|(number, _)| !touched.contains(number)) {
        // The last line may gain a line end.
        let same =
            |other: &str| other == line || (!line.ends_with('\n') && other.trim_end_matches(['\r', '\n']) == line);
        // A byte-order mark precedes the first line, and new lines are inserted after the mark.
        let bare = line.trim_start_matches('\u{feff}');
        let found = rest.any(|other| same(other) || (number == 0 && other == bare));
        assert!(found, "line {} is gone or changed: {line:?}\n{edit:?}\n{before}\n-----\n{after}", number + 1);
    }
}

struct Lines<'a> {
    text: &'a str,
    all: Vec<&'a str>,
    /// Byte offset of each line.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let all: Vec<&str> = text.split_inclusive('\n').collect();
        let starts = all.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
        Self { text, all, starts }
    }

    fn touched(&self, root: &DeTable<'_>, edit: &Edit) -> BTreeSet<usize> {
        match edit {
            Edit::Set { section, key, .. } | Edit::Unset { section, key } => {
                let mut path = match section {
                    Section::Top => vec![],
                    Section::Recipients => vec!["recipients"],
                    Section::Defaults => vec!["defaults"],
                    Section::Profile(name) => vec!["profiles", name.as_str()],
                };
                path.extend(key.iter().map(String::as_str));
                self.lines_of_key(root, &path)
            }
            Edit::AddProfile { .. } => self.inline_above(root, &["profiles", ""]),
            Edit::RenameProfile { from, .. } => {
                let mut lines = self.inline_above(root, &["profiles", from.as_str()]);
                let (spans, _) = node(root, &["profiles", from.as_str()]).unwrap_or_default();
                lines.extend(spans.iter().map(|place| self.number(place.start)));
                lines
            }
            Edit::RemoveProfile { name } | Edit::ReplaceBlock { name, .. } => {
                let path = ["profiles", name.as_str()];
                let mut lines = self.inline_above(root, &path);
                let (spans, _) = node(root, &path).unwrap_or_default();
                lines.extend(self.with_comments(&spans));
                lines
            }
        }
    }

    fn lines_of_key(&self, root: &DeTable<'_>, path: &[&str]) -> BTreeSet<usize> {
        let mut lines = self.inline_above(root, path);
        match node(root, path) {
            Some((spans, true)) => lines.extend(self.with_comments(&spans)),
            Some((spans, false)) => lines.extend(self.covered(&spans)),
            None => {}
        }
        lines
    }

    /// Lines of the inline tables that contain a key; an edit rewrites these tables.
    fn inline_above(&self, root: &DeTable<'_>, path: &[&str]) -> BTreeSet<usize> {
        let mut lines = BTreeSet::new();
        let mut table = root;
        for key in path {
            let Some(value) = table.get(*key) else { break };
            let DeValue::Table(inner) = value.get_ref() else { break };
            if self.text[value.span()].starts_with('{') {
                lines.extend(self.covered(&[value.span()]));
            }
            table = inner;
        }
        lines
    }

    fn covered(&self, spans: &[Range<usize>]) -> BTreeSet<usize> {
        spans.iter().flat_map(|place| self.number(place.start)..=self.number(place.end)).collect()
    }

    /// Lines of these ranges, the lines between them, and the comments around them. Comments above count unless they
    /// start the file. Comments below count unless a header follows or they end the file. Blank lines around may change
    /// too.
    fn with_comments(&self, spans: &[Range<usize>]) -> BTreeSet<usize> {
        let mut lines = self.covered(spans);
        let comment = |number: usize| self.all.get(number).is_some_and(|line| line.trim_start().starts_with('#'));
        let blank = |number: usize| self.all.get(number).is_some_and(|line| line.trim().is_empty());
        let skippable = |number: usize| comment(number) || blank(number);
        for line in lines.clone() {
            let next = (line + 1..self.all.len()).find(|number| !skippable(*number)).unwrap_or_default();
            if lines.contains(&next) {
                lines.extend(line..next);
            }
        }
        for line in lines.clone() {
            let above = (0..line).rev().take_while(|number| comment(*number)).last().unwrap_or(line);
            let below = (line + 1..self.all.len()).find(|number| !comment(*number)).unwrap_or(self.all.len());
            let others = self.all.get(below).is_none_or(|line| line.trim_start().starts_with('['));
            lines.extend((above..line).filter(|_| above > 0));
            lines.extend((line + 1..below).filter(|_| !others));
        }
        for line in lines.clone() {
            lines.extend((0..line).rev().take_while(|number| blank(*number)));
            lines.extend((line + 1..self.all.len()).take_while(|number| blank(*number)));
        }
        lines
    }

    fn number(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }
}

/// Byte ranges of a node and its contents, headers included, and whether the node is a table.
fn node(root: &DeTable<'_>, path: &[&str]) -> Option<(Spans, bool)> {
    let (last, above) = path.split_last()?;
    let mut table = root;
    for key in above {
        let DeValue::Table(inner) = table.get(*key)?.get_ref() else { return None };
        table = inner;
    }
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == last)?;
    let mut spans = vec![key.span(), value.span()];
    let DeValue::Table(inner) = value.get_ref() else { return Some((spans, false)) };
    gather(inner, &mut spans);
    Some((spans, true))
}

fn gather(table: &DeTable<'_>, spans: &mut Spans) {
    for (key, value) in table {
        spans.extend([key.span(), value.span()]);
        if let DeValue::Table(inner) = value.get_ref() {
            gather(inner, spans);
        }
    }
}
