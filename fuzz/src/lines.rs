//! Which lines of a store one edit may change; all others have to survive it, byte for byte and in their order.

use neto::profile::{Edit, Section};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A node's key and value in the text.
type Places = Vec<Range<usize>>;

/// Panics where a line is gone that the edit does not speak of.
pub fn assert_kept(before: &str, after: &str, edit: &Edit) {
    let root = DeTable::parse(before).expect("it was read");
    let text = Lines::of(before);
    let touched = text.touched(root.get_ref(), edit);
    let mut rest = after.split_inclusive('\n');
    for (number, line) in before.split_inclusive('\n').enumerate().filter(|(number, _)| !touched.contains(number)) {
        // The last line may get a line end that it did not have.
        let same =
            |other: &str| other == line || (!line.ends_with('\n') && other.trim_end_matches(['\r', '\n']) == line);
        // A byte-order mark stands before the first line, and what is put there goes behind the mark.
        let bare = line.trim_start_matches('\u{feff}');
        let found = rest.any(|other| same(other) || (number == 0 && other == bare));
        assert!(found, "line {} is gone or changed: {line:?}\n{edit:?}\n{before}\n-----\n{after}", number + 1);
    }
}

struct Lines<'a> {
    text: &'a str,
    all: Vec<&'a str>,
    /// Where each line starts.
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
                self.of_key(root, &path)
            }
            Edit::AddProfile { .. } => self.inline_above(root, &["profiles", ""]),
            Edit::RenameProfile { from, .. } => {
                let mut lines = self.inline_above(root, &["profiles", from.as_str()]);
                let (places, _) = node(root, &["profiles", from.as_str()]).unwrap_or_default();
                lines.extend(places.iter().map(|place| self.number(place.start)));
                lines
            }
            Edit::RemoveProfile { name } | Edit::ReplaceBlock { name, .. } => {
                let path = ["profiles", name.as_str()];
                let mut lines = self.inline_above(root, &path);
                let (places, _) = node(root, &path).unwrap_or_default();
                lines.extend(self.with_comments(&places));
                lines
            }
        }
    }

    fn of_key(&self, root: &DeTable<'_>, path: &[&str]) -> BTreeSet<usize> {
        let mut lines = self.inline_above(root, path);
        match node(root, path) {
            Some((places, true)) => lines.extend(self.with_comments(&places)),
            Some((places, false)) => lines.extend(self.covered(&places)),
            None => {}
        }
        lines
    }

    /// The lines of the inline tables on the way to a key, which are written anew around it.
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

    fn covered(&self, places: &[Range<usize>]) -> BTreeSet<usize> {
        places.iter().flat_map(|place| self.number(place.start)..=self.number(place.end)).collect()
    }

    /// The lines with what lies between them, the comments directly above unless the file starts with them, and those
    /// below unless they stand directly above a header or the file ends with them. Blank lines may come and go around.
    fn with_comments(&self, places: &[Range<usize>]) -> BTreeSet<usize> {
        let mut lines = self.covered(places);
        let comment = |number: usize| self.all.get(number).is_some_and(|line| line.trim_start().starts_with('#'));
        let blank = |number: usize| self.all.get(number).is_some_and(|line| line.trim().is_empty());
        let idle = |number: usize| comment(number) || blank(number);
        for line in lines.clone() {
            let next = (line + 1..self.all.len()).find(|number| !idle(*number)).unwrap_or_default();
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

/// Where a node and everything in it stands, headers included, and whether it is a table.
fn node(root: &DeTable<'_>, path: &[&str]) -> Option<(Places, bool)> {
    let (last, above) = path.split_last()?;
    let mut table = root;
    for key in above {
        let DeValue::Table(inner) = table.get(*key)?.get_ref() else { return None };
        table = inner;
    }
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == last)?;
    let mut places = vec![key.span(), value.span()];
    let DeValue::Table(inner) = value.get_ref() else { return Some((places, false)) };
    gather(inner, &mut places);
    Some((places, true))
}

fn gather(table: &DeTable<'_>, places: &mut Places) {
    for (key, value) in table {
        places.extend([key.span(), value.span()]);
        if let DeValue::Table(inner) = value.get_ref() {
            gather(inner, places);
        }
    }
}
