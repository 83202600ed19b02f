//! Where each header, key and value stands in the text.

use std::collections::BTreeMap;
use std::ops::Range;

/// A whole text. Only of a text that the reader took.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) headers: Vec<Header>,
    /// Every `key = value`, also those within inline tables.
    pub(super) pairs: Vec<Pair>,
    pub(super) tables: Vec<InlineTable>,
    /// Headers and the pairs that stand on lines of their own, in the order of the text.
    pub(super) items: Vec<Item>,
    /// Headers and pairs by the part of the file they belong to.
    groups: BTreeMap<Group, Parts>,
    /// The line end of the file.
    pub(super) newline: &'static str,
}

/// `[a.b]` or `[[a.b]]`.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) path: Vec<String>,
    /// Where each part of the path stands.
    pub(super) keys: Vec<Range<usize>>,
    /// Its place in `items`.
    pub(super) item: usize,
    /// The pairs under it.
    pub(super) pairs: Vec<usize>,
}

/// `key = value`.
#[derive(Debug)]
pub(super) struct Pair {
    /// From the top of the file.
    pub(super) path: Vec<String>,
    /// Where each part of the key as written stands; the last parts of the path.
    pub(super) keys: Vec<Range<usize>>,
    pub(super) value: Range<usize>,
    /// The table, where the value is an inline one.
    pub(super) inline: Option<usize>,
    pub(super) home: Home,
}

/// Where a pair stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Home {
    /// On lines of its own, under a header or at the top.
    Lines { header: Option<usize>, item: usize },
    /// Within an inline table, as its nth entry.
    Inline { table: usize, ordinal: usize },
}

/// `{ ... }`
#[derive(Debug)]
pub(super) struct InlineTable {
    /// With its braces.
    pub(super) span: Range<usize>,
    /// The pair whose value it is.
    pub(super) owner: usize,
    /// Its pairs, each with the place of the comma behind it.
    pub(super) entries: Vec<(usize, Option<usize>)>,
}

/// A header or pair with all its lines, the last line end included.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) lines: Range<usize>,
    /// The header, unless it is a pair.
    pub(super) header: Option<usize>,
}

/// The headers and pairs of one part of the file.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) headers: Vec<usize>,
    pub(super) pairs: Vec<usize>,
}

/// A part of the file: what has the same first key, or the same profile's name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group(Vec<String>);

impl Group {
    fn of(path: &[String]) -> Self {
        let known = path.first().is_some_and(|first| ["recipients", "defaults", "profiles"].contains(&first.as_str()));
        let depth = match path.first() {
            Some(first) if first == "profiles" => 2,
            _ => usize::from(known),
        };
        Self(path.iter().take(depth).cloned().collect())
    }
}

static NO_PARTS: Parts = Parts { headers: Vec::new(), pairs: Vec::new() };

impl Layout {
    pub(super) fn empty(newline: &'static str) -> Self {
        Self { newline, ..Self::default() }
    }

    /// The headers and pairs of the part of the file that `path` belongs to.
    pub(super) fn parts(&self, path: &[String]) -> &Parts {
        self.groups.get(&Group::of(path)).unwrap_or(&NO_PARTS)
    }

    /// The pair of exactly that path.
    pub(super) fn pair(&self, path: &[String]) -> Option<usize> {
        self.parts(path).pairs.iter().copied().find(|pair| self.pairs[*pair].path == path)
    }

    /// The names of the profiles, each with the first of its items (none where it stands in an
    /// inline table of all) and whether that is a header.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (&str, Option<usize>, bool)> {
        self.groups.iter().filter(|(group, _)| group.0.len() == 2).map(|(group, parts)| {
            let header = parts.headers.first().map(|header| self.headers[*header].item);
            let pair = parts.pairs.iter().find_map(|pair| self.pairs[*pair].item());
            let first = header.into_iter().chain(pair).min();
            (group.0[1].as_str(), first, first.is_some() && first == header)
        })
    }

    /// Sorts headers and pairs into their groups, once all are known.
    pub(super) fn group(&mut self) {
        for (number, header) in self.headers.iter().enumerate() {
            self.groups.entry(Group::of(&header.path)).or_default().headers.push(number);
        }
        for (number, pair) in self.pairs.iter().enumerate() {
            self.groups.entry(Group::of(&pair.path)).or_default().pairs.push(number);
        }
    }
}

impl Pair {
    /// From the key to the end of the value.
    pub(super) fn span(&self) -> Range<usize> {
        self.keys[0].start..self.value.end
    }

    /// How many parts of the path come from the header or the inline tables around it.
    pub(super) fn given(&self) -> usize {
        self.path.len() - self.keys.len()
    }

    /// Its place among the items, unless it stands within an inline table.
    pub(super) fn item(&self) -> Option<usize> {
        match self.home {
            Home::Lines { item, .. } => Some(item),
            Home::Inline { .. } => None,
        }
    }
}
