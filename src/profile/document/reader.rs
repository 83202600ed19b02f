//! Builds the layout of a store's text from the events of the TOML parser.

use super::layout::{InlineTable, Layout, Pair, PairPosition, Statement, TableHeader};
use super::splice::{line_end, line_start};
use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::Range;
use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

impl Layout {
    /// Builds the layout of a text. The text must be valid TOML; the caller has already parsed the text
    /// as a store.
    pub(super) fn parse(text: &str) -> Self {
        let tokens = Source::new(text).lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        parse_document(&tokens, &mut events, &mut ());
        let newline = match text.find('\n') {
            Some(end) if text[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        let is_relevant =
            |event: &&Event| !matches!(event.kind(), EventKind::Whitespace | EventKind::Comment | EventKind::Newline);
        let mut reader =
            LayoutReader { text, events: events.iter().filter(is_relevant).peekable(), layout: Self::empty(newline) };
        while reader.read_statement() {}
        let mut layout = reader.layout;
        layout.index_sections();
        layout
    }
}

/// Reader that adds the parser's events to a layout.
struct LayoutReader<'a, I: Iterator<Item = &'a Event>> {
    text: &'a str,
    events: Peekable<I>,
    layout: Layout,
}

impl<'a, I: Iterator<Item = &'a Event>> LayoutReader<'a, I> {
    /// Reads a header or a pair. Returns false at the end of the events.
    fn read_statement(&mut self) -> bool {
        match self.events.peek().map(|event| event.kind()) {
            None => return false,
            Some(EventKind::StdTableOpen | EventKind::ArrayTableOpen) => self.read_header(),
            Some(EventKind::SimpleKey) => {
                let header = self.layout.headers.len().checked_sub(1);
                let statement = self.layout.statements.len();
                let table_path = header.map(|header| self.layout.headers[header].path.clone()).unwrap_or_default();
                let pair = self.read_pair(&table_path, PairPosition::Lines { header, statement });
                if let Some(header) = header {
                    self.layout.headers[header].pairs.push(pair);
                }
                self.push_statement(self.layout.pairs[pair].span(), None);
            }
            // Valid TOML has no other event here. Skipping the event guarantees progress.
            Some(_) => drop(self.events.next()),
        }
        true
    }

    fn read_header(&mut self) {
        let open = self.events.next().map_or(0, |event| event.span().start());
        let (path, key_spans) = self.read_key();
        let close = self.events.next().map_or(open, |event| event.span().end());
        self.layout.headers.push(TableHeader {
            path,
            key_spans,
            statement: self.layout.statements.len(),
            pairs: Vec::new(),
        });
        self.push_statement(open..close, Some(self.layout.headers.len() - 1));
    }

    fn push_statement(&mut self, span: Range<usize>, header: Option<usize>) {
        let lines = line_start(self.text, span.start)..line_end(self.text, span.end);
        self.layout.statements.push(Statement { lines, header });
    }

    /// Reads a pair in the table at `table_path`. Returns the index of the pair.
    fn read_pair(&mut self, table_path: &[String], position: PairPosition) -> usize {
        let (key, key_spans) = self.read_key();
        let path = [table_path, &key].concat();
        // Skips the '='.
        self.events.next();
        let index = self.layout.pairs.len();
        self.layout.pairs.push(Pair { path, key_spans, value_span: 0..0, inline_table: None, position });
        let (value_span, inline_table) = self.read_value(index);
        self.layout.pairs[index].value_span = value_span;
        self.layout.pairs[index].inline_table = inline_table;
        index
    }

    fn read_key(&mut self) -> (Vec<String>, Vec<Range<usize>>) {
        let (mut path, mut spans) = (Vec::new(), Vec::new());
        while let Some(event) =
            self.events.next_if(|event| matches!(event.kind(), EventKind::SimpleKey | EventKind::KeySep))
        {
            if event.kind() == EventKind::SimpleKey {
                let mut part = Cow::Borrowed("");
                if let Some(raw) = Source::new(self.text).get(*event) {
                    raw.decode_key(&mut part, &mut ());
                }
                path.push(part.into_owned());
                spans.push(event.span().start()..event.span().end());
            }
        }
        (path, spans)
    }

    /// Reads the value of the pair with the index `owner`. Returns the span of the value, and the index
    /// of the inline table if the value is an inline table.
    fn read_value(&mut self, owner: usize) -> (Range<usize>, Option<usize>) {
        let Some(event) = self.events.next() else { return (0..0, None) };
        let start = event.span().start();
        match event.kind() {
            EventKind::InlineTableOpen => {
                let table = self.read_inline_table(owner, start);
                (self.layout.inline_tables[table].span.clone(), Some(table))
            }
            EventKind::ArrayOpen => (start..self.skip_array(), None),
            _ => (start..event.span().end(), None),
        }
    }

    fn read_inline_table(&mut self, owner: usize, start: usize) -> usize {
        let table = self.layout.inline_tables.len();
        self.layout.inline_tables.push(InlineTable { span: start..start, owner, entries: Vec::new() });
        let table_path = self.layout.pairs[owner].path.clone();
        while let Some(event) = self.events.peek().copied() {
            match event.kind() {
                EventKind::SimpleKey => {
                    let ordinal = self.layout.inline_tables[table].entries.len();
                    let pair = self.read_pair(&table_path, PairPosition::Inline { table, ordinal });
                    self.layout.inline_tables[table].entries.push((pair, None));
                }
                kind => {
                    self.events.next();
                    if kind == EventKind::InlineTableClose {
                        self.layout.inline_tables[table].span.end = event.span().end();
                        break;
                    }
                    if let Some((_, comma)) = self.layout.inline_tables[table].entries.last_mut() {
                        *comma = Some(event.span().start());
                    }
                }
            }
        }
        table
    }

    /// Skips the rest of an array after the opening bracket, because edits replace arrays as a whole.
    /// Returns the end of the array.
    fn skip_array(&mut self) -> usize {
        let mut open_brackets = 1;
        for event in self.events.by_ref() {
            match event.kind() {
                EventKind::ArrayOpen => open_brackets += 1,
                EventKind::ArrayClose => open_brackets -= 1,
                _ => {}
            }
            if open_brackets == 0 {
                return event.span().end();
            }
        }
        self.text.len()
    }
}
