//! TOML as a tree of keys and values, each with its place.
//!
//! Owns in which ways a table may be declared and continued, as TOML has it; what the words are, and their order, is the
//! parser's business. A text is read piece by piece, so that beside the tree there is little more than the text.

use std::borrow::Cow;
use std::collections::HashMap;
use toml::value::Datetime;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

/// How deep lists, tables and dotted keys may stand within one another.
pub(super) const DEEPEST: usize = 64;

/// A piece ends at the first end of a line after so many tokens at which nothing is open.
const PIECE: usize = 4096;

/// A table with more entries than this finds them by hash.
const FEW: usize = 16;

/// A key as it is meant, without quotes.
#[derive(Debug, Clone)]
pub(super) struct Key<'i> {
    pub(super) text: Cow<'i, str>,
    /// The byte where it stands.
    pub(super) at: usize,
}

#[derive(Debug)]
pub(super) struct Value<'i> {
    /// The byte where it stands; of a table that has a header, where that stands.
    pub(super) at: usize,
    pub(super) kind: Kind<'i>,
}

#[derive(Debug)]
pub(super) enum Kind<'i> {
    Text(Cow<'i, str>),
    /// Its digits.
    Integer(Cow<'i, str>),
    Float,
    Flag(bool),
    Date(Datetime),
    List(Vec<Value<'i>>),
    /// A list whose items have headers of their own, `[[...]]`; never empty.
    Tables(Vec<Table<'i>>),
    Table(Table<'i>),
}

pub(super) type Entry<'i> = (Key<'i>, Value<'i>);

/// The entries of a table in the order in which they are first named.
#[derive(Debug)]
pub(super) struct Table<'i> {
    entries: Vec<Entry<'i>>,
    /// The place of each among them, where they are many.
    #[allow(clippy::box_collection, reason = "most tables have none, and it is large")]
    places: Option<Box<HashMap<Cow<'i, str>, usize>>>,
    declared: Declared,
}

/// How a table came about, which decides what may still be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    /// By the header of a table within it.
    Implicit,
    /// By a dotted key.
    Dotted,
    /// By its own header; the whole document is such a table too.
    Header,
    /// In braces.
    Inline,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(super) enum TreeError {
    /// At this byte it is nested deeper than [`DEEPEST`].
    TooDeep(usize),
    /// It is not TOML.
    Syntax(ParseError),
}

/// Reads a text. What is against the grammar is told before what is declared twice or cannot be decoded, wherever they
/// stand.
///
/// # Errors
/// [`TreeError`], depth first.
pub(super) fn parse(text: &str) -> Result<Table<'_>, TreeError> {
    parse_in_pieces(text, PIECE)
}

fn parse_in_pieces(text: &str, size: usize) -> Result<Table<'_>, TreeError> {
    let source = Source::new(text);
    let mut builder = Builder::new(source);
    let mut grammar = None;
    let mut piece = Vec::new();
    let mut depth = Depth::default();
    for token in source.lex() {
        if depth.after(token) > DEEPEST {
            return Err(TreeError::TooDeep(token.span().start()));
        }
        piece.push(token);
        if token.kind() == TokenKind::Newline && piece.len() >= size && depth.open.is_empty() {
            builder.read(&piece, &mut grammar);
            piece.clear();
        }
    }
    builder.read(&piece, &mut grammar);
    match grammar.or(builder.wrong) {
        Some(error) => Err(TreeError::Syntax(error)),
        None => Ok(builder.root),
    }
}

/// Counts what is open, by tokens alone, so that it holds for text of any kind. What is nested too deep would exhaust the
/// stack of who walks it.
#[derive(Default)]
struct Depth {
    dots: usize,
    /// For each bracket that is open, the dots before it.
    open: Vec<usize>,
}

impl Depth {
    fn after(&mut self, token: Token) -> usize {
        match token.kind() {
            TokenKind::Dot => self.dots += 1,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => self.open.push(self.dots),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => self.dots = self.open.pop().unwrap_or(0),
            TokenKind::Comma | TokenKind::Newline => self.dots = self.open.last().copied().unwrap_or(0),
            _ => return 0,
        }
        self.open.len() + self.dots
    }
}

impl<'i> Kind<'i> {
    pub(super) fn as_table(&self) -> Option<&Table<'i>> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }
}

impl<'i> Table<'i> {
    fn new(declared: Declared) -> Self {
        Self { entries: Vec::new(), places: None, declared }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> &[Entry<'i>] {
        &self.entries
    }

    /// The key as it stands there and its value.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'i>> {
        self.place(key).map(|place| &self.entries[place])
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(key).copied(),
            None => self.entries.iter().position(|(own, _)| own.text == key),
        }
    }

    fn push(&mut self, key: Key<'i>, kind: Kind<'i>, at: usize) -> usize {
        let place = self.entries.len();
        if let Some(places) = &mut self.places {
            places.insert(key.text.clone(), place);
        }
        self.entries.push((key, Value { at, kind }));
        if place == FEW {
            let places = self.entries.iter().enumerate().map(|(place, (key, _))| (key.text.clone(), place));
            self.places = Some(Box::new(places.collect()));
        }
        place
    }

    /// The table at a place, or the last one of a list of them.
    fn table_at(&mut self, place: usize) -> Option<&mut Self> {
        match &mut self.entries[place].1.kind {
            Kind::Table(table) => Some(table),
            Kind::Tables(tables) => tables.last_mut(),
            _ => None,
        }
    }

    /// The place of the table under `key`, which is made when it is not there, to go on below it.
    fn enter(&mut self, key: Key<'i>, way: Declared) -> Result<usize, ParseError> {
        let Some(place) = self.place(&key.text) else {
            let (at, declared) = (key.at, if way == Declared::Header { Declared::Implicit } else { Declared::Dotted });
            return Ok(self.push(key, Kind::Table(Self::new(declared)), at));
        };
        match &mut self.entries[place].1.kind {
            Kind::Tables(_) if way != Declared::Inline => Ok(place),
            Kind::Table(table) => match (way, table.declared) {
                (Declared::Header | Declared::Dotted, Declared::Inline) => Err(continued(&key)),
                (Declared::Dotted, Declared::Implicit | Declared::Dotted) => {
                    table.declared = Declared::Dotted;
                    Ok(place)
                }
                (Declared::Header, _) | (_, Declared::Implicit | Declared::Dotted) => Ok(place),
                _ => Err(twice(&key)),
            },
            _ => Err(continued(&key)),
        }
    }

    /// Puts a value under the last of `keys`, below the tables that the others name.
    fn declare(&mut self, keys: &mut Vec<Key<'i>>, value: Value<'i>, way: Declared) -> Result<(), ParseError> {
        let Some(last) = keys.pop() else { return Ok(()) };
        let is_dotted = !keys.is_empty();
        let mut table = self;
        for key in keys.drain(..) {
            let place = table.enter(key, way)?;
            let Some(next) = table.table_at(place) else { return Ok(()) };
            table = next;
        }
        let is_closed = is_dotted && !matches!(table.declared, Declared::Implicit | Declared::Dotted);
        if is_closed || table.place(&last.text).is_some() {
            return Err(twice(&last));
        }
        table.push(last, value.kind, value.at);
        Ok(())
    }
}

impl<'i> IntoIterator for Table<'i> {
    type Item = Entry<'i>;
    type IntoIter = std::vec::IntoIter<Entry<'i>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, 'i> IntoIterator for &'a Table<'i> {
    type Item = &'a Entry<'i>;
    type IntoIter = std::slice::Iter<'a, Entry<'i>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

fn twice(key: &Key<'_>) -> ParseError {
    ParseError::new("duplicate key").with_unexpected(Span::new_unchecked(key.at, key.at))
}

fn continued(key: &Key<'_>) -> ParseError {
    ParseError::new("cannot extend value").with_unexpected(Span::new_unchecked(key.at, key.at))
}

/// Takes the parser's events. Those of a text that is against the grammar come in any order.
struct Builder<'i> {
    source: Source<'i>,
    root: Table<'i>,
    /// The way from the root to the table that lines belong to.
    current: Vec<usize>,
    /// Where the header starts that is being read.
    header: usize,
    /// The parts of the key that is being read.
    keys: Vec<Key<'i>>,
    /// The lists and tables whose brackets are open, each with its key.
    open: Vec<(Vec<Key<'i>>, Value<'i>)>,
    /// The first thing that is declared twice or cannot be decoded; nothing is built from there on.
    wrong: Option<ParseError>,
}

impl<'i> Builder<'i> {
    fn new(source: Source<'i>) -> Self {
        let root = Table::new(Declared::Header);
        Self { source, root, current: Vec::new(), header: 0, keys: Vec::new(), open: Vec::new(), wrong: None }
    }

    /// Reads whole lines, unless what came before is against the grammar.
    fn read(&mut self, piece: &[Token], grammar: &mut Option<ParseError>) {
        if grammar.is_none() {
            let source = self.source;
            parse_document(piece, &mut ValidateWhitespace::new(self, source), grammar);
        }
    }

    fn check(&mut self, done: Result<(), ParseError>) {
        if let Err(error) = done {
            self.wrong.report_error(error);
        }
    }

    fn start_header(&mut self, span: Span) {
        self.header = span.start();
        self.keys.clear();
    }

    /// Goes to the table that a header names; with two brackets to a new one in a list.
    fn go(&mut self, in_list: bool) -> Result<(), ParseError> {
        self.current.clear();
        let Some(last) = self.keys.pop() else { return Ok(()) };
        let mut table = &mut self.root;
        for key in self.keys.drain(..) {
            let place = table.enter(key, Declared::Header)?;
            self.current.push(place);
            let Some(next) = table.table_at(place) else { return Ok(()) };
            table = next;
        }
        let new = Table::new(Declared::Header);
        let Some(place) = table.place(&last.text) else {
            let kind = if in_list { Kind::Tables(vec![new]) } else { Kind::Table(new) };
            self.current.push(table.push(last, kind, self.header));
            return Ok(());
        };
        self.current.push(place);
        let (key, value) = &mut table.entries[place];
        match &mut value.kind {
            Kind::Tables(tables) if in_list => tables.push(new),
            Kind::Table(table) if !in_list && table.declared == Declared::Implicit => {
                table.declared = Declared::Header;
                value.at = self.header;
                *key = last;
            }
            _ => return Err(twice(&last)),
        }
        Ok(())
    }

    /// Puts a value where the brackets that are open, or the lines, have it.
    fn put(&mut self, value: Value<'i>) {
        if self.wrong.is_some() {
            return;
        }
        let done = match self.open.last_mut().map(|(_, open)| &mut open.kind) {
            Some(Kind::List(items)) => {
                items.push(value);
                Ok(())
            }
            Some(Kind::Table(table)) => table.declare(&mut self.keys, value, Declared::Inline),
            _ => {
                let mut way = self.current.iter();
                let table = way.try_fold(&mut self.root, |table, place| table.table_at(*place));
                table.map_or(Ok(()), |table| table.declare(&mut self.keys, value, Declared::Dotted))
            }
        };
        self.check(done);
    }

    fn open(&mut self, span: Span, kind: Kind<'i>) -> bool {
        self.open.push((std::mem::take(&mut self.keys), Value { at: span.start(), kind }));
        true
    }

    fn close(&mut self) {
        if let Some((keys, value)) = self.open.pop() {
            self.keys = keys;
            self.put(value);
        }
    }

    fn scalar_at(&mut self, span: Span, encoding: Option<Encoding>) -> Option<Kind<'i>> {
        let text = self.source.input().get(span.start()..span.end())?;
        if let Some(plain) = plain_lines(text).filter(|_| encoding == Some(Encoding::MlBasicString)) {
            return Some(Kind::Text(Cow::Borrowed(plain)));
        }
        let mut decoded = Cow::Borrowed("");
        let raw = toml_parser::Raw::new_unchecked(text, encoding, span);
        Some(match raw.decode_scalar(&mut decoded, &mut self.wrong) {
            ScalarKind::String => Kind::Text(decoded),
            ScalarKind::Boolean(flag) => Kind::Flag(flag),
            ScalarKind::Integer(_) => Kind::Integer(decoded),
            ScalarKind::Float => Kind::Float,
            ScalarKind::DateTime => match decoded.parse() {
                Ok(date) => Kind::Date(date),
                Err(error) => {
                    let error = ParseError::new(toml::value::DatetimeParseError::to_string(&error));
                    self.wrong.report_error(error.with_unexpected(span));
                    Kind::Float
                }
            },
        })
    }
}

/// What stands between the quotes, where that is as it is meant: lines of ASCII without escapes, as a sealed secret is. Looks at many bytes at a time.
fn plain_lines(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\"\"\"")?.strip_suffix("\"\"\"")?;
    let inner = inner.strip_prefix('\n').unwrap_or(inner);
    let plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'[' | b']'..=b'~');
    inner.as_bytes().chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & plain(byte))).then_some(inner)
}

impl EventReceiver for Builder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span);
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        let done = self.go(false);
        self.check(done);
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span);
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        let done = self.go(true);
        self.check(done);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        let Some(text) = self.source.input().get(span.start()..span.end()) else { return };
        let mut decoded = Cow::Borrowed("");
        toml_parser::Raw::new_unchecked(text, encoding, span).decode_key(&mut decoded, &mut self.wrong);
        if self.wrong.is_none() {
            self.keys.push(Key { text: decoded, at: span.start() });
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        if let Some(kind) = self.scalar_at(span, encoding) {
            self.put(Value { at: span.start(), kind });
        }
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span, Kind::List(Vec::new()))
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close();
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span, Kind::Table(Table::new(Declared::Inline)))
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.close();
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
