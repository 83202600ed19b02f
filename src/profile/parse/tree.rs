//! TOML as a tree of keys and values, each with its position.
//!
//! Owns TOML's rules for declaring and extending tables; tokens and grammar belong to `toml_parser`. Reads a text in
//! pieces, so that it needs little more memory than the text and the tree.

use std::borrow::Cow;
use std::collections::HashMap;
use toml::value::Datetime;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

/// Maximum nesting of lists, tables and dotted keys.
pub(super) const MAX_DEPTH: usize = 64;

/// Minimum number of tokens in a piece, which ends at the next line end outside brackets.
const PIECE_TOKENS: usize = 4096;

/// Number of entries up to which a table is searched without a hash index.
const MAX_SCANNED: usize = 16;

/// Key without quotes, its escapes decoded.
#[derive(Debug, Clone)]
pub(super) struct TomlKey<'i> {
    pub(super) text: Cow<'i, str>,
    /// Byte offset of the key.
    pub(super) at: usize,
}

#[derive(Debug)]
pub(super) struct TomlValue<'i> {
    /// Byte offset of the value, or of the header if a table has one.
    pub(super) at: usize,
    pub(super) kind: TomlKind<'i>,
}

#[derive(Debug)]
pub(super) enum TomlKind<'i> {
    Text(Cow<'i, str>),
    /// Digits of the number.
    Integer(Cow<'i, str>),
    Float,
    Flag(bool),
    Date(Datetime),
    List(Vec<TomlValue<'i>>),
    /// List of tables with headers of their own, `[[...]]`; never empty.
    Tables(Vec<TomlTable<'i>>),
    Table(TomlTable<'i>),
}

pub(super) type TomlEntry<'i> = (TomlKey<'i>, TomlValue<'i>);

/// Entries of a table in the order in which they are first named.
#[derive(Debug)]
pub(super) struct TomlTable<'i> {
    entries: Vec<TomlEntry<'i>>,
    /// Index of each key in `entries`, for large tables.
    #[allow(clippy::box_collection, reason = "most tables have none, and it is large")]
    key_index: Option<Box<HashMap<Cow<'i, str>, usize>>>,
    origin: TableOrigin,
}

/// Declaration of a table, which decides which keys may still be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TableOrigin {
    /// Header of a table inside this table.
    Implicit,
    /// Dotted key.
    Dotted,
    /// Header of its own; also the whole document.
    Header,
    /// Inline table, in braces.
    Inline,
}

/// Reason why a text has no tree.
#[derive(Debug)]
pub(super) enum TomlError {
    /// Nesting deeper than [`MAX_DEPTH`] at this byte.
    TooDeep(usize),
    /// Text that is not TOML.
    Syntax(ParseError),
}

/// Parses a text. Grammar errors are reported before duplicate keys and decoding errors, at any position.
///
/// # Errors
/// [`TomlError`]; nesting errors come before all others.
pub(super) fn parse(text: &str) -> Result<TomlTable<'_>, TomlError> {
    parse_in_pieces(text, PIECE_TOKENS)
}

fn parse_in_pieces(text: &str, size: usize) -> Result<TomlTable<'_>, TomlError> {
    let source = Source::new(text);
    let mut builder = TreeBuilder::new(source);
    let mut grammar = None;
    let mut piece = Vec::new();
    let mut depth = NestingDepth::default();
    for token in source.lex() {
        if depth.depth_after(token) > MAX_DEPTH {
            return Err(TomlError::TooDeep(token.span().start()));
        }
        piece.push(token);
        if token.kind() == TokenKind::Newline && piece.len() >= size && depth.open.is_empty() {
            builder.read(&piece, &mut grammar);
            piece.clear();
        }
    }
    builder.read(&piece, &mut grammar);
    match grammar.or(builder.first_error) {
        Some(error) => Err(TomlError::Syntax(error)),
        None => Ok(builder.root),
    }
}

/// Counts open brackets and dots by tokens alone, which works for any text. Deeper nesting would exhaust the stack of
/// recursive code.
#[derive(Default)]
struct NestingDepth {
    dots: usize,
    /// Number of dots before each open bracket.
    open: Vec<usize>,
}

impl NestingDepth {
    fn depth_after(&mut self, token: Token) -> usize {
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

impl<'i> TomlKind<'i> {
    pub(super) fn as_table(&self) -> Option<&TomlTable<'i>> {
        if let Self::Table(table) = self { Some(table) } else { None }
    }
}

impl<'i> TomlTable<'i> {
    fn new(origin: TableOrigin) -> Self {
        Self { entries: Vec::new(), key_index: None, origin }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> &[TomlEntry<'i>] {
        &self.entries
    }

    /// Returns the key as it is written, and its value.
    pub(super) fn entry(&self, key: &str) -> Option<&TomlEntry<'i>> {
        self.index_of(key).map(|index| &self.entries[index])
    }

    fn index_of(&self, key: &str) -> Option<usize> {
        match &self.key_index {
            Some(key_index) => key_index.get(key).copied(),
            None => self.entries.iter().position(|(own, _)| own.text == key),
        }
    }

    fn push(&mut self, key: TomlKey<'i>, kind: TomlKind<'i>, at: usize) -> usize {
        let index = self.entries.len();
        if let Some(key_index) = &mut self.key_index {
            key_index.insert(key.text.clone(), index);
        }
        self.entries.push((key, TomlValue { at, kind }));
        if index == MAX_SCANNED {
            let key_index = self.entries.iter().enumerate().map(|(index, (key, _))| (key.text.clone(), index));
            self.key_index = Some(Box::new(key_index.collect()));
        }
        index
    }

    /// Returns the table at an index of `entries`, or the last table of a list of tables.
    fn table_at(&mut self, index: usize) -> Option<&mut Self> {
        match &mut self.entries[index].1.kind {
            TomlKind::Table(table) => Some(table),
            TomlKind::Tables(tables) => tables.last_mut(),
            _ => None,
        }
    }

    /// Returns the index of the table under `key`. Creates the table if it is missing.
    fn enter_table(&mut self, key: TomlKey<'i>, origin: TableOrigin) -> Result<usize, ParseError> {
        let Some(index) = self.index_of(&key.text) else {
            let (at, origin) =
                (key.at, if origin == TableOrigin::Header { TableOrigin::Implicit } else { TableOrigin::Dotted });
            return Ok(self.push(key, TomlKind::Table(Self::new(origin)), at));
        };
        match &mut self.entries[index].1.kind {
            TomlKind::Tables(_) if origin != TableOrigin::Inline => Ok(index),
            TomlKind::Table(table) => match (origin, table.origin) {
                (TableOrigin::Header | TableOrigin::Dotted, TableOrigin::Inline) => Err(extended_value_error(&key)),
                (TableOrigin::Dotted, TableOrigin::Implicit | TableOrigin::Dotted) => {
                    table.origin = TableOrigin::Dotted;
                    Ok(index)
                }
                (TableOrigin::Header, _) | (_, TableOrigin::Implicit | TableOrigin::Dotted) => Ok(index),
                _ => Err(duplicate_key_error(&key)),
            },
            _ => Err(extended_value_error(&key)),
        }
    }

    /// Inserts a value under the last of `keys`, below the tables that the other keys name.
    fn insert(
        &mut self,
        keys: &mut Vec<TomlKey<'i>>,
        value: TomlValue<'i>,
        origin: TableOrigin,
    ) -> Result<(), ParseError> {
        let Some(last) = keys.pop() else { return Ok(()) };
        let is_dotted = !keys.is_empty();
        let mut table = self;
        for key in keys.drain(..) {
            let index = table.enter_table(key, origin)?;
            let Some(next) = table.table_at(index) else { return Ok(()) };
            table = next;
        }
        let is_closed = is_dotted && !matches!(table.origin, TableOrigin::Implicit | TableOrigin::Dotted);
        if is_closed || table.index_of(&last.text).is_some() {
            return Err(duplicate_key_error(&last));
        }
        table.push(last, value.kind, value.at);
        Ok(())
    }
}

impl<'i> IntoIterator for TomlTable<'i> {
    type Item = TomlEntry<'i>;
    type IntoIter = std::vec::IntoIter<TomlEntry<'i>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, 'i> IntoIterator for &'a TomlTable<'i> {
    type Item = &'a TomlEntry<'i>;
    type IntoIter = std::slice::Iter<'a, TomlEntry<'i>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

fn duplicate_key_error(key: &TomlKey<'_>) -> ParseError {
    ParseError::new("duplicate key").with_unexpected(Span::new_unchecked(key.at, key.at))
}

fn extended_value_error(key: &TomlKey<'_>) -> ParseError {
    ParseError::new("cannot extend value").with_unexpected(Span::new_unchecked(key.at, key.at))
}

/// Builds the tree from the parser's events. Events of a text with grammar errors come in any order.
struct TreeBuilder<'i> {
    source: Source<'i>,
    root: TomlTable<'i>,
    /// Indexes from the root to the table that lines belong to.
    current_path: Vec<usize>,
    /// Byte offset of the header that is being read.
    header_start: usize,
    /// Parts of the key that is being read.
    keys: Vec<TomlKey<'i>>,
    /// Lists and inline tables whose brackets are open, each with its key.
    open: Vec<(Vec<TomlKey<'i>>, TomlValue<'i>)>,
    /// First duplicate key or decoding error; nothing is added after it.
    first_error: Option<ParseError>,
}

impl<'i> TreeBuilder<'i> {
    fn new(source: Source<'i>) -> Self {
        let root = TomlTable::new(TableOrigin::Header);
        Self {
            source,
            root,
            current_path: Vec::new(),
            header_start: 0,
            keys: Vec::new(),
            open: Vec::new(),
            first_error: None,
        }
    }

    /// Reads whole lines, unless an earlier piece has a grammar error.
    fn read(&mut self, piece: &[Token], grammar: &mut Option<ParseError>) {
        if grammar.is_none() {
            let source = self.source;
            parse_document(piece, &mut ValidateWhitespace::new(self, source), grammar);
        }
    }

    fn record_error(&mut self, result: Result<(), ParseError>) {
        if let Err(error) = result {
            self.first_error.report_error(error);
        }
    }

    fn start_header(&mut self, span: Span) {
        self.header_start = span.start();
        self.keys.clear();
    }

    /// Enters the table that a header names. Two brackets add a table to a list.
    fn enter_header(&mut self, in_list: bool) -> Result<(), ParseError> {
        self.current_path.clear();
        let Some(last) = self.keys.pop() else { return Ok(()) };
        let mut table = &mut self.root;
        for key in self.keys.drain(..) {
            let index = table.enter_table(key, TableOrigin::Header)?;
            self.current_path.push(index);
            let Some(next) = table.table_at(index) else { return Ok(()) };
            table = next;
        }
        let new = TomlTable::new(TableOrigin::Header);
        let Some(index) = table.index_of(&last.text) else {
            let kind = if in_list { TomlKind::Tables(vec![new]) } else { TomlKind::Table(new) };
            self.current_path.push(table.push(last, kind, self.header_start));
            return Ok(());
        };
        self.current_path.push(index);
        let (key, value) = &mut table.entries[index];
        match &mut value.kind {
            TomlKind::Tables(tables) if in_list => tables.push(new),
            TomlKind::Table(table) if !in_list && table.origin == TableOrigin::Implicit => {
                table.origin = TableOrigin::Header;
                value.at = self.header_start;
                *key = last;
            }
            _ => return Err(duplicate_key_error(&last)),
        }
        Ok(())
    }

    /// Adds a value to the innermost open bracket, or to the current table.
    fn add_value(&mut self, value: TomlValue<'i>) {
        if self.first_error.is_some() {
            return;
        }
        let result = match self.open.last_mut().map(|(_, open)| &mut open.kind) {
            Some(TomlKind::List(items)) => {
                items.push(value);
                Ok(())
            }
            Some(TomlKind::Table(table)) => table.insert(&mut self.keys, value, TableOrigin::Inline),
            _ => {
                let mut path = self.current_path.iter();
                let table = path.try_fold(&mut self.root, |table, index| table.table_at(*index));
                table.map_or(Ok(()), |table| table.insert(&mut self.keys, value, TableOrigin::Dotted))
            }
        };
        self.record_error(result);
    }

    fn push_open(&mut self, span: Span, kind: TomlKind<'i>) -> bool {
        self.open.push((std::mem::take(&mut self.keys), TomlValue { at: span.start(), kind }));
        true
    }

    fn pop_open(&mut self) {
        if let Some((keys, value)) = self.open.pop() {
            self.keys = keys;
            self.add_value(value);
        }
    }

    fn decode_scalar(&mut self, span: Span, encoding: Option<Encoding>) -> Option<TomlKind<'i>> {
        let text = self.source.input().get(span.start()..span.end())?;
        if let Some(plain) = undecoded_lines(text).filter(|_| encoding == Some(Encoding::MlBasicString)) {
            return Some(TomlKind::Text(Cow::Borrowed(plain)));
        }
        let mut decoded = Cow::Borrowed("");
        let raw = toml_parser::Raw::new_unchecked(text, encoding, span);
        Some(match raw.decode_scalar(&mut decoded, &mut self.first_error) {
            ScalarKind::String => TomlKind::Text(decoded),
            ScalarKind::Boolean(flag) => TomlKind::Flag(flag),
            ScalarKind::Integer(_) => TomlKind::Integer(decoded),
            ScalarKind::Float => TomlKind::Float,
            ScalarKind::DateTime => match decoded.parse() {
                Ok(date) => TomlKind::Date(date),
                Err(error) => {
                    let error = ParseError::new(toml::value::DatetimeParseError::to_string(&error));
                    self.first_error.report_error(error.with_unexpected(span));
                    TomlKind::Float
                }
            },
        })
    }
}

/// Returns the text between the quotes if it needs no decoding: lines of ASCII without escapes, as in a sealed secret.
/// Checks 64 bytes at a time.
fn undecoded_lines(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\"\"\"")?.strip_suffix("\"\"\"")?;
    let inner = inner.strip_prefix('\n').unwrap_or(inner);
    let plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'[' | b']'..=b'~');
    inner.as_bytes().chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & plain(byte))).then_some(inner)
}

impl EventReceiver for TreeBuilder<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span);
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        let result = self.enter_header(false);
        self.record_error(result);
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span);
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        let result = self.enter_header(true);
        self.record_error(result);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        let Some(text) = self.source.input().get(span.start()..span.end()) else { return };
        let mut decoded = Cow::Borrowed("");
        toml_parser::Raw::new_unchecked(text, encoding, span).decode_key(&mut decoded, &mut self.first_error);
        if self.first_error.is_none() {
            self.keys.push(TomlKey { text: decoded, at: span.start() });
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        if let Some(kind) = self.decode_scalar(span, encoding) {
            self.add_value(TomlValue { at: span.start(), kind });
        }
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.push_open(span, TomlKind::List(Vec::new()))
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.pop_open();
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.push_open(span, TomlKind::Table(TomlTable::new(TableOrigin::Inline)))
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.pop_open();
    }
}

#[cfg(test)]
mod tests;
