//! Layout of a store's text: the byte positions of its headers, keys and values. All indices
//! are positions in the lists of [`Layout`].

use std::collections::BTreeMap;
use std::ops::Range;

/// Layout of a whole text, which must be valid TOML.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) headers: Vec<TableHeader>,
    /// All `key = value` pairs, including the pairs in inline tables.
    pub(super) pairs: Vec<Pair>,
    pub(super) inline_tables: Vec<InlineTable>,
    /// Headers, and pairs outside inline tables, in the order of the text.
    pub(super) statements: Vec<Statement>,
    /// Headers and pairs by section.
    parts_by_section: BTreeMap<SectionPath, SectionParts>,
    /// Line ending for new lines, which is the ending of the file's first line.
    pub(super) newline: &'static str,
}

/// `[a.b]` or `[[a.b]]`.
#[derive(Debug)]
pub(super) struct TableHeader {
    pub(super) path: Vec<String>,
    /// Span of each part of the path.
    pub(super) key_spans: Vec<Range<usize>>,
    /// Index in [`Layout::statements`].
    pub(super) statement: usize,
    /// Indices of the pairs under the header, without pairs in inline tables.
    pub(super) pairs: Vec<usize>,
}

/// `key = value`.
#[derive(Debug)]
pub(super) struct Pair {
    /// Path from the top of the file.
    pub(super) path: Vec<String>,
    /// Span of each part of the written key. These parts are the last parts of the path.
    pub(super) key_spans: Vec<Range<usize>>,
    pub(super) value_span: Range<usize>,
    /// Index in [`Layout::inline_tables`], if the value is an inline table.
    pub(super) inline_table: Option<usize>,
    pub(super) position: PairPosition,
}

/// Position of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) enum PairPosition {
    /// On lines of its own, under a header or at the top level.
    Lines { header: Option<usize>, statement: usize },
    /// Entry of an inline table. The ordinal is its index in [`InlineTable::entries`].
    Inline { table: usize, ordinal: usize },
}

/// `{ ... }`.
#[derive(Debug)]
pub(super) struct InlineTable {
    /// Span of the table, including its braces.
    pub(super) span: Range<usize>,
    /// Index of the pair whose value is this table.
    pub(super) owner: usize,
    /// Indices of the table's pairs, each with the offset of the comma after the pair, if there is one.
    pub(super) entries: Vec<(usize, Option<usize>)>,
}

/// A header, or a pair outside inline tables.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) lines: Range<usize>,
    /// Index in [`Layout::headers`]; `None` for a pair.
    pub(super) header: Option<usize>,
}

/// Indices of the headers and pairs of one section, including its subtables.
#[derive(Debug, Default)]
pub(super) struct SectionParts {
    pub(super) headers: Vec<usize>,
    pub(super) pairs: Vec<usize>,
}

/// Path of a section: empty for the top level, `recipients`, `defaults`, or `profiles` with the name of
/// a profile. The table `profiles` itself has the path `profiles`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SectionPath(Vec<String>);

impl SectionPath {
    fn containing(path: &[String]) -> Self {
        let has_own_section =
            path.first().is_some_and(|first| ["recipients", "defaults", "profiles"].contains(&first.as_str()));
        let depth = match path.first() {
            Some(first) if first == "profiles" => 2,
            _ => usize::from(has_own_section),
        };
        Self(path.iter().take(depth).cloned().collect())
    }
}

static NO_PARTS: SectionParts = SectionParts { headers: Vec::new(), pairs: Vec::new() };

impl Layout {
    pub(super) fn empty(newline: &'static str) -> Self {
        Self { newline, ..Self::default() }
    }

    /// Returns the headers and pairs of the section that contains `path`.
    pub(super) fn parts(&self, path: &[String]) -> &SectionParts {
        self.parts_by_section.get(&SectionPath::containing(path)).unwrap_or(&NO_PARTS)
    }

    /// Returns the index of the pair with exactly this path.
    pub(super) fn pair(&self, path: &[String]) -> Option<usize> {
        self.parts(path).pairs.iter().copied().find(|pair| self.pairs[*pair].path == path)
    }

    /// Returns the profiles in name order: the name, the index of the first statement, and whether that
    /// statement is a header. An entry of an inline table `profiles = { ... }` has no statement.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (&str, Option<usize>, bool)> {
        self.parts_by_section.iter().filter(|(section, _)| section.0.len() == 2).map(|(section, parts)| {
            let header = parts.headers.first().map(|header| self.headers[*header].statement);
            let pair = parts.pairs.iter().find_map(|pair| self.pairs[*pair].statement());
            let first = header.into_iter().chain(pair).min();
            (section.0[1].as_str(), first, first.is_some() && first == header)
        })
    }

    /// Fills `parts_by_section`. Call this after all headers and pairs are added.
    pub(super) fn index_sections(&mut self) {
        for (index, header) in self.headers.iter().enumerate() {
            self.parts_by_section.entry(SectionPath::containing(&header.path)).or_default().headers.push(index);
        }
        for (index, pair) in self.pairs.iter().enumerate() {
            self.parts_by_section.entry(SectionPath::containing(&pair.path)).or_default().pairs.push(index);
        }
    }
}

impl Pair {
    /// Returns the span from the key to the end of the value.
    pub(super) fn span(&self) -> Range<usize> {
        self.key_spans[0].start..self.value_span.end
    }

    /// Returns the number of path parts that the pair's key does not contain. The header, or the owner of
    /// the inline table, contributes these parts.
    pub(super) fn inherited_depth(&self) -> usize {
        self.path.len() - self.key_spans.len()
    }

    /// Returns the index in [`Layout::statements`], or `None` if the pair is in an inline table.
    pub(super) fn statement(&self) -> Option<usize> {
        match self.position {
            PairPosition::Lines { statement, .. } => Some(statement),
            PairPosition::Inline { .. } => None,
        }
    }
}
