//! CSV as spreadsheets write it: a header line, columns in any order, between them commas, semicolons or tabs.

use super::{Entry, Form, Import, ImportError, Place, Problem, Wrong, field};
use crate::secret::json::clean_name;
use crate::secret::{Json, Secret};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What stands between columns.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The longest header line, in bytes.
const LONGEST: usize = 64 * 1024;

/// The columns without which there is no API key.
const NEEDED: [&str; 4] = ["shortname", "appname", "appkey", "sharedsecret"];

/// The header line of a text, and what follows it.
pub(super) struct Header<'a> {
    separator: char,
    columns: Vec<String>,
    rows: Rows<'a>,
}

impl<'a> Header<'a> {
    /// The header line, where the text starts with one.
    ///
    /// # Errors
    /// [`ImportError::Header`] for one whose columns do not do.
    pub(super) fn find(text: &'a str) -> Option<Result<Self, ImportError>> {
        let (told, text, line) = told_separator(text);
        let mut lines = text.split('\n').filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|line| line.len() > LONGEST) {
            return None;
        }
        let candidates = SEPARATORS.into_iter().filter(|separator| told.is_none_or(|told| told == *separator));
        let headers = candidates.filter_map(|separator| {
            let mut rows = Rows { rest: text, line, separator };
            let columns: Vec<String> = rows.next()?.1.ok()?.iter().map(|cell| cell.trim().to_owned()).collect();
            let known = columns.iter().filter(|column| means(column).is_some()).count();
            Some((known, Self { separator, columns, rows }))
        });
        // Of several the first with the most, so that a comma comes before what may stand in one cell.
        let (known, header) = headers.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let one_word = header.columns.len() == 1 && field::of_key(&header.columns[0]) == Some("netosecret");
        if header.columns.iter().any(|column| column.contains('=')) || (known < 2 && !one_word) {
            return None;
        }
        Some(header.checked())
    }

    /// Refuses columns that are mistyped, there twice, or missing.
    fn checked(self) -> Result<Self, ImportError> {
        let mut faults = Vec::new();
        let mut fields: Vec<&str> = Vec::new();
        for column in &self.columns {
            let fault = match (field::of_key(column), field::near_key(column)) {
                (Some(field), _) if fields.contains(&field) => format!("has the column '{field}' twice"),
                (Some(field), _) => {
                    fields.push(field);
                    continue;
                }
                (None, Some(near)) => {
                    format!("has the unknown column '{}' (did you mean '{near}'?)", clean_name(column))
                }
                (None, None) => continue,
            };
            faults.push(fault);
        }
        if faults.is_empty() && !fields.contains(&"netosecret") && !fields.contains(&"password") {
            let missing = NEEDED.iter().filter(|needed| !fields.contains(needed));
            faults.extend(missing.map(|column| format!("lacks the column '{column}'")));
        }
        if faults.is_empty() { Ok(self) } else { Err(ImportError::Header(faults)) }
    }
}

/// The column that a word of the header is, or nearly is.
fn means(column: &str) -> Option<&'static str> {
    field::of_key(column).or_else(|| field::near_key(column))
}

/// The separator that a first line `sep=;` tells spreadsheets, and what follows it with the number of its line.
fn told_separator(text: &str) -> (Option<char>, &str, usize) {
    let told = SEPARATORS.into_iter().find_map(|separator| {
        let (line, rest) = text.split_once('\n')?;
        (line.strip_prefix("sep=") == Some(separator.encode_utf8(&mut [0; 4]))).then_some((separator, rest))
    });
    told.map_or((None, text, 1), |(separator, rest)| (Some(separator), rest, 2))
}

/// Reads all rows.
pub(super) fn read(header: &Header<'_>) -> Import {
    let rows = Rows { separator: header.separator, ..header.rows };
    let mut ignored: Vec<String> = header
        .columns
        .iter()
        .filter(|name| !name.is_empty() && means(name).is_none())
        .map(|name| clean_name(name))
        .collect();
    let found: Vec<_> = rows.filter_map(|(line, cells)| entry(header, line, cells)).collect();
    ignored.extend(found.iter().flatten().flat_map(|entry| entry.ignored.clone()));
    Import { form: Form::Csv, found, ignored }
}

/// What a row comes to; nothing where all its cells are empty.
fn entry(header: &Header<'_>, line: usize, cells: Result<Cells, Fault>) -> Option<Result<Entry, Wrong>> {
    let place = Place::Line(line);
    let wrong = |problem| Some(Err(Wrong { place: Place::Line(line), problem }));
    let column = |at: usize| header.columns.get(at).map_or_else(|| format!("{}", at + 1), |name| clean_name(name));
    let cells = match cells {
        Ok(cells) => cells,
        Err(Fault::Open { column: at }) => return wrong(Problem::OpenCell(column(at))),
        Err(Fault::Behind { column: at }) => return wrong(Problem::BehindQuote(column(at))),
    };
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return None;
    }
    if cells.iter().skip(header.columns.len()).any(|cell| !cell.trim().is_empty()) {
        return wrong(Problem::Cells { found: cells.len(), wanted: header.columns.len() });
    }
    let mut fields = BTreeMap::new();
    for (column, cell) in header.columns.iter().zip(&cells) {
        let Some(field) = field::of_key(column) else { continue };
        // Blanks around a cell are the spreadsheet's; those of a password may be its own.
        let text = if field == "password" { cell } else { cell.trim() };
        if !text.is_empty() {
            fields.insert(field.to_owned(), Json::Text(Secret::new(text.to_owned())));
        }
    }
    Some(Entry::read(place, fields))
}

/// The cells of one row.
type Cells = Vec<Zeroizing<String>>;

/// What is wrong with how a row is written.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The quote of the nth cell, from 0, is not closed; everything that follows is behind it.
    Open { column: usize },
    /// Something follows the quote of the nth cell.
    Behind { column: usize },
}

/// The rows of a text, each with the number of its first line. Lines that are blank, or start with `#`, are none.
struct Rows<'a> {
    rest: &'a str,
    line: usize,
    separator: char,
}

impl Iterator for Rows<'_> {
    type Item = (usize, Result<Cells, Fault>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.rest.split('\n').next().filter(|_| !self.rest.is_empty())?;
            if !line.trim().is_empty() && !line.starts_with('#') {
                break;
            }
            self.pass(line.len() + 1);
        }
        let number = self.line;
        let (cells, length) = row(self.rest, self.separator);
        self.pass(length);
        Some((number, cells))
    }
}

impl Rows<'_> {
    /// Goes on behind so many bytes.
    fn pass(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }
}

/// The first row of a text, and how many bytes it takes with its line end.
fn row(text: &str, separator: char) -> (Result<Cells, Fault>, usize) {
    let mut cells = Cells::new();
    let mut at = 0;
    loop {
        let (cell, length) = match cell(&text[at..], separator) {
            Ok(read) => read,
            Err(open) => {
                let column = cells.len();
                let line = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
                return if open {
                    (Err(Fault::Open { column }), text.len())
                } else {
                    (Err(Fault::Behind { column }), line)
                };
            }
        };
        cells.push(cell);
        at += length;
        match text[at..].chars().next() {
            Some(next) if next == separator => at += next.len_utf8(),
            Some(_) => return (Ok(cells), at + 1),
            None => return (Ok(cells), at),
        }
    }
}

/// The first cell of a text, and how many bytes it takes; an open quote is true, text behind one is false.
fn cell(text: &str, separator: char) -> Result<(Zeroizing<String>, usize), bool> {
    let end = |from: usize| text[from..].find([separator, '\n']).map_or(text.len(), |end| from + end);
    let start = text.len() - text.trim_start_matches(' ').len();
    if !text[start..].starts_with('"') {
        return Ok((Zeroizing::new(text[..end(0)].to_owned()), end(0)));
    }
    let mut at = start + 1;
    let mut cell = Zeroizing::new(String::with_capacity(512));
    loop {
        let quote = at + text[at..].find('"').ok_or(true)?;
        cell.push_str(&text[at..quote]);
        at = quote + 1;
        if !text[at..].starts_with('"') {
            break;
        }
        // Two of them stand for one.
        cell.push('"');
        at += 1;
    }
    let end = end(at);
    if text[at..end].trim().is_empty() { Ok((cell, end)) } else { Err(false) }
}
