//! Parses TOML into a tree of keys and values, each with its byte offset.
//!
//! Owns TOML's rules for declaring and extending tables; the crate `toml_parser` owns tokens and grammar. Parses the
//! text in pieces, so that only the tokens of one piece are in memory at once.

use std::borrow::Cow;
use std::collections::HashMap;
use toml::value::Datetime;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

/// Maximum nesting depth of lists, tables and dotted keys.
pub(super) const MAX_DEPTH: usize = 64;

/// Minimum number of tokens in a piece of the text. After these tokens, the piece ends at the next line ending outside
/// brackets.
const MIN_PIECE_TOKENS: usize = 4096;

/// Maximum number of entries in a table without a hash index.
const MAX_UNINDEXED_ENTRIES: usize = 16;

/// Key with decoded escapes, without quotes.
#[derive(Debug, Clone)]
pub(super) struct TomlKey<'i> {
    pub(super) text: Cow<'i, str>,
    /// Byte offset of the key.
    pub(super) offset: usize,
}

#[derive(Debug)]
pub(super) struct TomlValue<'i> {
    /// Byte offset of the value. For a table with a header, the byte offset of the header.
    pub(super) offset: usize,
    pub(super) kind: TomlKind<'i>,
}

#[derive(Debug)]
pub(super) enum TomlKind<'i> {
    Text(Cow<'i, str>),
    /// Integer, as its digits.
    Integer(Cow<'i, str>),
    Float,
    Flag(bool),
    Date(Datetime),
    List(Vec<TomlValue<'i>>),
    /// List of tables that are declared by headers `[[...]]`; never empty.
    Tables(Vec<TomlTable<'i>>),
    Table(TomlTable<'i>),
}

pub(super) type TomlEntry<'i> = (TomlKey<'i>, TomlValue<'i>);

/// Table of keys and values.
#[derive(Debug)]
pub(super) struct TomlTable<'i> {
    /// Entries in the order in which the text first names their keys.
    entries: Vec<TomlEntry<'i>>,
    /// Position of each key in `entries`; `None` for a table of at most [`MAX_UNINDEXED_ENTRIES`] entries.
    #[allow(clippy::box_collection, reason = "most tables have none, and it is large")]
    key_index: Option<Box<HashMap<Cow<'i, str>, usize>>>,
    origin: TableOrigin,
}

/// Way in which a table was declared. TOML's rules for adding keys to a table depend on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TableOrigin {
    /// Not declared itself, but named in the header of a table inside this table.
    Implicit,
    /// Declared by a dotted key.
    Dotted,
    /// Declared by its own header, or the top level of the document.
    Header,
    /// Declared as an inline table, in braces.
    Inline,
}

/// Reason why a text cannot be parsed.
#[derive(Debug)]
pub(super) enum TomlError {
    /// Nesting deeper than [`MAX_DEPTH`]. Holds the byte offset of the first token that is too deep.
    TooDeep(usize),
    /// Text that is not valid TOML.
    Syntax(ParseError),
}

/// Parses a text.
///
/// # Errors
/// Returns a [`TomlError`]. If the text has several errors, the returned error is not always the first in the text.
/// Nesting errors take precedence over grammar errors. Grammar errors take precedence over duplicate keys and decoding
/// errors.
pub(super) fn parse(text: &str) -> Result<TomlTable<'_>, TomlError> {
    parse_in_pieces(text, MIN_PIECE_TOKENS)
}

fn parse_in_pieces(text: &str, min_tokens: usize) -> Result<TomlTable<'_>, TomlError> {
    let source = Source::new(text);
    let mut builder = TreeBuilder::new(source);
    let mut grammar_error = None;
    let mut piece = Vec::new();
    let mut depth = NestingDepth::default();
    for token in source.lex() {
        if depth.count(token) > MAX_DEPTH {
            return Err(TomlError::TooDeep(token.span().start()));
        }
        piece.push(token);
        if token.kind() == TokenKind::Newline && piece.len() >= min_tokens && depth.dots_before_open.is_empty() {
            builder.parse_piece(&piece, &mut grammar_error);
            piece.clear();
        }
    }
    builder.parse_piece(&piece, &mut grammar_error);
    match grammar_error.or(builder.first_error) {
        Some(error) => Err(TomlError::Syntax(error)),
        None => Ok(builder.root),
    }
}

/// Counter of the nesting depth: open brackets and dots of keys. Counts tokens, so that the text need not be valid
/// TOML. Without the limit [`MAX_DEPTH`], deep nesting would exhaust the stack of recursive code.
#[derive(Default)]
struct NestingDepth {
    /// Number of dots in the current key and in the keys of the open brackets.
    dots: usize,
    /// Value of `dots` at each open bracket, outermost bracket first.
    dots_before_open: Vec<usize>,
}

impl NestingDepth {
    /// Counts a token and returns the new depth. Returns 0 for a token that does not change the depth.
    fn count(&mut self, token: Token) -> usize {
        match token.kind() {
            TokenKind::Dot => self.dots += 1,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => self.dots_before_open.push(self.dots),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                self.dots = self.dots_before_open.pop().unwrap_or(0);
            }
            TokenKind::Comma | TokenKind::Newline => self.dots = self.dots_before_open.last().copied().unwrap_or(0),
            _ => return 0,
        }
        self.dots_before_open.len() + self.dots
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

    /// Returns the entry with the key `key`, if there is such an entry.
    pub(super) fn entry(&self, key: &str) -> Option<&TomlEntry<'i>> {
        self.index_of(key).map(|index| &self.entries[index])
    }

    fn index_of(&self, key: &str) -> Option<usize> {
        match &self.key_index {
            Some(key_index) => key_index.get(key).copied(),
            None => self.entries.iter().position(|(entry_key, _)| entry_key.text == key),
        }
    }

    fn push(&mut self, key: TomlKey<'i>, kind: TomlKind<'i>, offset: usize) -> usize {
        let index = self.entries.len();
        if let Some(key_index) = &mut self.key_index {
            key_index.insert(key.text.clone(), index);
        }
        self.entries.push((key, TomlValue { offset, kind }));
        if index == MAX_UNINDEXED_ENTRIES {
            let key_index = self.entries.iter().enumerate().map(|(index, (key, _))| (key.text.clone(), index));
            self.key_index = Some(Box::new(key_index.collect()));
        }
        index
    }

    /// Returns the table at `index` in `entries`, or the last table if the entry is a list of tables. Returns `None`
    /// for any other value.
    fn table_at(&mut self, index: usize) -> Option<&mut Self> {
        match &mut self.entries[index].1.kind {
            TomlKind::Table(table) => Some(table),
            TomlKind::Tables(tables) => tables.last_mut(),
            _ => None,
        }
    }

    /// Returns the index of the table under `key`. Creates the table if it is missing. `origin` says where `key`
    /// occurs: in a header, in an inline table, or in a dotted key elsewhere.
    ///
    /// # Errors
    /// Fails if the value under `key` is not a table. Also fails if a key with this `origin` cannot extend the table.
    fn enter_table(&mut self, key: TomlKey<'i>, origin: TableOrigin) -> Result<usize, ParseError> {
        let Some(index) = self.index_of(&key.text) else {
            let (offset, origin) =
                (key.offset, if origin == TableOrigin::Header { TableOrigin::Implicit } else { TableOrigin::Dotted });
            return Ok(self.push(key, TomlKind::Table(Self::new(origin)), offset));
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

    /// Inserts a value under the last of `keys`, in the table that the other keys lead to. Leaves `keys` empty.
    /// `origin` is `Inline` inside an inline table, and `Dotted` elsewhere.
    ///
    /// # Errors
    /// Returns an error if the last key already exists, or if the table cannot be extended.
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
        table.push(last, value.kind, value.offset);
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
    ParseError::new("duplicate key").with_unexpected(Span::new_unchecked(key.offset, key.offset))
}

fn extended_value_error(key: &TomlKey<'_>) -> ParseError {
    ParseError::new("cannot extend value").with_unexpected(Span::new_unchecked(key.offset, key.offset))
}

/// Builds the tree from the parser's events. If the text has grammar errors, events can come in an unexpected order,
/// and the methods must not panic.
struct TreeBuilder<'i> {
    source: Source<'i>,
    root: TomlTable<'i>,
    /// Path from the root to the table of the last header, as indexes in `entries`.
    current_path: Vec<usize>,
    /// Byte offset of the header that is being read.
    header_start: usize,
    /// Parts of the key or header that is being read.
    keys: Vec<TomlKey<'i>>,
    /// Lists and inline tables whose brackets are open, each with the parts of its key.
    open_values: Vec<(Vec<TomlKey<'i>>, TomlValue<'i>)>,
    /// First duplicate key or decoding error. After such an error, no value is added.
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
            open_values: Vec::new(),
            first_error: None,
        }
    }

    /// Parses a piece of the text, unless an earlier piece has a grammar error. A piece must consist of whole
    /// statements.
    fn parse_piece(&mut self, piece: &[Token], grammar_error: &mut Option<ParseError>) {
        if grammar_error.is_none() {
            let source = self.source;
            parse_document(piece, &mut ValidateWhitespace::new(self, source), grammar_error);
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

    /// Makes the table of a header the current table. If `in_list` is true, the header is `[[...]]` and adds a table to
    /// a list.
    ///
    /// # Errors
    /// Returns an error if the name is already taken, or if a value on its path cannot be extended.
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
        let new_table = TomlTable::new(TableOrigin::Header);
        let Some(index) = table.index_of(&last.text) else {
            let kind = if in_list { TomlKind::Tables(vec![new_table]) } else { TomlKind::Table(new_table) };
            self.current_path.push(table.push(last, kind, self.header_start));
            return Ok(());
        };
        self.current_path.push(index);
        let (key, value) = &mut table.entries[index];
        match &mut value.kind {
            TomlKind::Tables(tables) if in_list => tables.push(new_table),
            TomlKind::Table(table) if !in_list && table.origin == TableOrigin::Implicit => {
                table.origin = TableOrigin::Header;
                value.offset = self.header_start;
                *key = last;
            }
            _ => return Err(duplicate_key_error(&last)),
        }
        Ok(())
    }

    /// Adds a value to the innermost open list or inline table. If none is open, adds the value to the current table.
    fn add_value(&mut self, value: TomlValue<'i>) {
        if self.first_error.is_some() {
            return;
        }
        let result = match self.open_values.last_mut().map(|(_, open)| &mut open.kind) {
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
        self.open_values.push((std::mem::take(&mut self.keys), TomlValue { offset: span.start(), kind }));
        true
    }

    fn pop_open(&mut self) {
        if let Some((keys, value)) = self.open_values.pop() {
            self.keys = keys;
            self.add_value(value);
        }
    }

    fn decode_scalar(&mut self, span: Span, encoding: Option<Encoding>) -> Option<TomlKind<'i>> {
        let text = self.source.input().get(span.start()..span.end())?;
        if let Some(content) = undecoded_lines(text).filter(|_| encoding == Some(Encoding::MlBasicString)) {
            return Some(TomlKind::Text(Cow::Borrowed(content)));
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

/// Returns the content of a multi-line string in double quotes if the content needs no decoding. The content must be
/// printable ASCII and line feeds, without backslashes, as in a sealed secret. Checks chunks of 64 bytes for speed.
fn undecoded_lines(text: &str) -> Option<&str> {
    let content = text.strip_prefix("\"\"\"")?.strip_suffix("\"\"\"")?;
    let content = content.strip_prefix('\n').unwrap_or(content);
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'[' | b']'..=b'~');
    let is_plain_chunk = |chunk: &[u8]| chunk.iter().fold(true, |all, byte| all & is_plain(byte));
    content.as_bytes().chunks(64).all(is_plain_chunk).then_some(content)
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
            self.keys.push(TomlKey { text: decoded, offset: span.start() });
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        if let Some(kind) = self.decode_scalar(span, encoding) {
            self.add_value(TomlValue { offset: span.start(), kind });
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
