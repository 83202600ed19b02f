//! Positions of headers, keys and values in the text.

use std::collections::BTreeMap;
use std::ops::Range;

/// Layout of a whole text, which the parser has accepted.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) headers: Vec<TableHeader>,
    /// All `key = value` pairs, also those within inline tables.
    pub(super) pairs: Vec<Pair>,
    pub(super) inline_tables: Vec<InlineTable>,
    /// Headers, and pairs on lines of their own, in the order of the text.
    pub(super) statements: Vec<Statement>,
    /// Headers and pairs by section.
    parts_by_section: BTreeMap<SectionPath, SectionParts>,
    /// Line end of the file.
    pub(super) newline: &'static str,
}

/// `[a.b]` or `[[a.b]]`.
#[derive(Debug)]
pub(super) struct TableHeader {
    pub(super) path: Vec<String>,
    /// Spans of the parts of the path.
    pub(super) key_spans: Vec<Range<usize>>,
    /// Index in [`Layout::statements`].
    pub(super) statement: usize,
    /// Pairs under the header.
    pub(super) pairs: Vec<usize>,
}

/// `key = value`.
#[derive(Debug)]
pub(super) struct Pair {
    /// Path from the top of the file.
    pub(super) path: Vec<String>,
    /// Spans of the parts of the key as written, which are the last parts of the path.
    pub(super) key_spans: Vec<Range<usize>>,
    pub(super) value_span: Range<usize>,
    /// Index in [`Layout::inline_tables`], if the value is an inline table.
    pub(super) inline_table: Option<usize>,
    pub(super) position: PairPosition,
}

/// Position of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) enum PairPosition {
    /// Lines of its own, under a header or at the top.
    Lines { header: Option<usize>, statement: usize },
    /// Entry of an inline table, with its ordinal.
    Inline { table: usize, ordinal: usize },
}

/// `{ ... }`.
#[derive(Debug)]
pub(super) struct InlineTable {
    /// Span of the table with its braces.
    pub(super) span: Range<usize>,
    /// Pair whose value is this table.
    pub(super) owner: usize,
    /// Pairs of the table, each with the offset of the comma after the pair.
    pub(super) entries: Vec<(usize, Option<usize>)>,
}

/// A header or pair with all its lines, including the last line end.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) lines: Range<usize>,
    /// Index in [`Layout::headers`]; `None` for a pair.
    pub(super) header: Option<usize>,
}

/// Headers and pairs of one section.
#[derive(Debug, Default)]
pub(super) struct SectionParts {
    pub(super) headers: Vec<usize>,
    pub(super) pairs: Vec<usize>,
}

/// Path of a section: empty for the top, else the first key, with the profile's name under `profiles`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SectionPath(Vec<String>);

impl SectionPath {
    fn containing(path: &[String]) -> Self {
        let known = path.first().is_some_and(|first| ["recipients", "defaults", "profiles"].contains(&first.as_str()));
        let depth = match path.first() {
            Some(first) if first == "profiles" => 2,
            _ => usize::from(known),
        };
        Self(path.iter().take(depth).cloned().collect())
    }
}

static NO_PARTS: SectionParts = SectionParts { headers: Vec::new(), pairs: Vec::new() };

impl Layout {
    pub(super) fn empty(newline: &'static str) -> Self {
        Self { newline, ..Self::default() }
    }

    /// Returns the headers and pairs of the section that `path` belongs to.
    pub(super) fn parts(&self, path: &[String]) -> &SectionParts {
        self.parts_by_section.get(&SectionPath::containing(path)).unwrap_or(&NO_PARTS)
    }

    /// Returns the pair with exactly this path.
    pub(super) fn pair(&self, path: &[String]) -> Option<usize> {
        self.parts(path).pairs.iter().copied().find(|pair| self.pairs[*pair].path == path)
    }

    /// Returns the sorted names of the profiles, each with its first statement and whether that
    /// statement is a header. A profile within an inline table of all profiles has no statement.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (&str, Option<usize>, bool)> {
        self.parts_by_section.iter().filter(|(section, _)| section.0.len() == 2).map(|(section, parts)| {
            let header = parts.headers.first().map(|header| self.headers[*header].statement);
            let pair = parts.pairs.iter().find_map(|pair| self.pairs[*pair].statement());
            let first = header.into_iter().chain(pair).min();
            (section.0[1].as_str(), first, first.is_some() && first == header)
        })
    }

    /// Fills `parts_by_section` after all headers and pairs are known.
    pub(super) fn index_sections(&mut self) {
        for (number, header) in self.headers.iter().enumerate() {
            self.parts_by_section.entry(SectionPath::containing(&header.path)).or_default().headers.push(number);
        }
        for (number, pair) in self.pairs.iter().enumerate() {
            self.parts_by_section.entry(SectionPath::containing(&pair.path)).or_default().pairs.push(number);
        }
    }
}

impl Pair {
    /// Returns the span from the key to the end of the value.
    pub(super) fn span(&self) -> Range<usize> {
        self.key_spans[0].start..self.value_span.end
    }

    /// Number of path parts that come from the header or the inline tables around the pair.
    pub(super) fn inherited_depth(&self) -> usize {
        self.path.len() - self.key_spans.len()
    }

    /// Returns the index in [`Layout::statements`], unless the pair is within an inline table.
    pub(super) fn statement(&self) -> Option<usize> {
        match self.position {
            PairPosition::Lines { statement, .. } => Some(statement),
            PairPosition::Inline { .. } => None,
        }
    }
}
