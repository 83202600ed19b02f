//! From the parser's events to the layout of a text.

use super::layout::{Header, Home, InlineTable, Item, Layout, Pair};
use super::splice::{line_end, line_start};
use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::Range;
use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

impl Layout {
    /// The layout of a text that the reader took.
    pub(super) fn of(text: &str) -> Self {
        let tokens = Source::new(text).lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        parse_document(&tokens, &mut events, &mut ());
        let newline = match text.find('\n') {
            Some(end) if text[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        let meaningful =
            |event: &&Event| !matches!(event.kind(), EventKind::Whitespace | EventKind::Comment | EventKind::Newline);
        let mut reader =
            Reader { text, events: events.iter().filter(meaningful).peekable(), layout: Self::empty(newline) };
        while reader.statement() {}
        let mut layout = reader.layout;
        layout.group();
        layout
    }
}

/// Walks the parser's events.
struct Reader<'a, I: Iterator<Item = &'a Event>> {
    text: &'a str,
    events: Peekable<I>,
    layout: Layout,
}

impl<'a, I: Iterator<Item = &'a Event>> Reader<'a, I> {
    /// Reads a header or pair; false at the end.
    fn statement(&mut self) -> bool {
        match self.events.peek().map(|event| event.kind()) {
            None => return false,
            Some(EventKind::StdTableOpen | EventKind::ArrayTableOpen) => self.header(),
            Some(EventKind::SimpleKey) => {
                let header = self.layout.headers.len().checked_sub(1);
                let item = self.layout.items.len();
                let above = header.map(|header| self.layout.headers[header].path.clone()).unwrap_or_default();
                let pair = self.pair(&above, Home::Lines { header, item });
                if let Some(header) = header {
                    self.layout.headers[header].pairs.push(pair);
                }
                self.item(self.layout.pairs[pair].span(), None);
            }
            // Not of a text that the reader took.
            Some(_) => drop(self.events.next()),
        }
        true
    }

    fn header(&mut self) {
        let open = self.events.next().map_or(0, |event| event.span().start());
        let (path, keys) = self.key();
        let close = self.events.next().map_or(open, |event| event.span().end());
        self.layout.headers.push(Header { path, keys, item: self.layout.items.len(), pairs: Vec::new() });
        self.item(open..close, Some(self.layout.headers.len() - 1));
    }

    fn item(&mut self, span: Range<usize>, header: Option<usize>) {
        let lines = line_start(self.text, span.start)..line_end(self.text, span.end);
        self.layout.items.push(Item { lines, header });
    }

    /// Reads a pair under `above` and gives its number.
    fn pair(&mut self, above: &[String], home: Home) -> usize {
        let (key, keys) = self.key();
        let path = [above, &key].concat();
        // What stands between is the '='.
        self.events.next();
        let number = self.layout.pairs.len();
        self.layout.pairs.push(Pair { path, keys, value: 0..0, inline: None, home });
        let (value, inline) = self.value(number);
        self.layout.pairs[number].value = value;
        self.layout.pairs[number].inline = inline;
        number
    }

    fn key(&mut self) -> (Vec<String>, Vec<Range<usize>>) {
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

    /// Reads the value of the pair `owner`.
    fn value(&mut self, owner: usize) -> (Range<usize>, Option<usize>) {
        let Some(event) = self.events.next() else { return (0..0, None) };
        let start = event.span().start();
        match event.kind() {
            EventKind::InlineTableOpen => {
                let table = self.inline_table(owner, start);
                (self.layout.tables[table].span.clone(), Some(table))
            }
            EventKind::ArrayOpen => (start..self.list_end(), None),
            _ => (start..event.span().end(), None),
        }
    }

    fn inline_table(&mut self, owner: usize, start: usize) -> usize {
        let table = self.layout.tables.len();
        self.layout.tables.push(InlineTable { span: start..start, owner, entries: Vec::new() });
        let above = self.layout.pairs[owner].path.clone();
        while let Some(event) = self.events.peek().copied() {
            match event.kind() {
                EventKind::SimpleKey => {
                    let ordinal = self.layout.tables[table].entries.len();
                    let pair = self.pair(&above, Home::Inline { table, ordinal });
                    self.layout.tables[table].entries.push((pair, None));
                }
                kind => {
                    self.events.next();
                    if kind == EventKind::InlineTableClose {
                        self.layout.tables[table].span.end = event.span().end();
                        break;
                    }
                    if let Some((_, comma)) = self.layout.tables[table].entries.last_mut() {
                        *comma = Some(event.span().start());
                    }
                }
            }
        }
        table
    }

    /// The end of a list whose opening was read; what is in it is never edited by parts.
    fn list_end(&mut self) -> usize {
        let mut open = 1;
        for event in self.events.by_ref() {
            match event.kind() {
                EventKind::ArrayOpen => open += 1,
                EventKind::ArrayClose => open -= 1,
                _ => {}
            }
            if open == 0 {
                return event.span().end();
            }
        }
        self.text.len()
    }
}
