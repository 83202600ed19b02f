//! CSV format, as spreadsheets save it: a header line, then one row per credential. Columns may have any order, and are
//! separated by commas, semicolons or tabs.

use super::{EntryError, EntryLocation, EntryProblem, Import, ImportEntry, ImportError, ImportFormat, field};
use crate::secret::json::sanitize_name;
use crate::secret::{Json, Secret};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Characters that may separate columns.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Maximum length of the header line.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Columns that are required if there is neither a `netosecret` nor a `password` column.
const REQUIRED_COLUMNS: [&str; 4] = ["shortname", "appname", "appkey", "sharedsecret"];

/// Header line of a CSV file, and the rows after the header line.
pub(super) struct CsvHeader<'a> {
    separator: char,
    columns: Vec<String>,
    rows: Rows<'a>,
}

impl<'a> CsvHeader<'a> {
    /// Detects the separator and parses the header line. Returns `None` if the text has no header line.
    ///
    /// A header line has at most [`MAX_HEADER_BYTES`], no `=` in a column, and no quoting error. At least two columns
    /// have names equal or similar to known fields, or the only column is `netosecret`.
    ///
    /// # Errors
    /// Returns [`ImportError::Header`] if a column is misspelled or duplicate, or if a required column is missing.
    pub(super) fn detect(text: &'a str) -> Option<Result<Self, ImportError>> {
        let (declared_separator, text, line_number) = parse_separator_line(text);
        let mut lines = text.split('\n').filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|line| line.len() > MAX_HEADER_BYTES) {
            return None;
        }
        let candidates =
            SEPARATORS.into_iter().filter(|separator| declared_separator.is_none_or(|declared| declared == *separator));
        let headers = candidates.filter_map(|separator| {
            let mut rows = Rows { rest: text, line_number, separator };
            let columns: Vec<String> = rows.next()?.1.ok()?.iter().map(|cell| cell.trim().to_owned()).collect();
            let known_columns = columns.iter().filter(|column| nearest_field(column).is_some()).count();
            Some((known_columns, Self { separator, columns, rows }))
        });
        // On a tie, the earlier separator is used. A cell is more likely to contain a semicolon or a tab than a comma.
        let (known_columns, header) = headers.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let is_netosecret_list = header.columns.len() == 1 && field::from_key(&header.columns[0]) == Some("netosecret");
        if header.columns.iter().any(|column| column.contains('=')) || (known_columns < 2 && !is_netosecret_list) {
            return None;
        }
        Some(header.validate())
    }

    /// Returns an error that lists the misspelled and duplicate columns, or else the missing columns.
    fn validate(self) -> Result<Self, ImportError> {
        let mut problems = Vec::new();
        let mut fields: Vec<&str> = Vec::new();
        for column in &self.columns {
            let problem = match (field::from_key(column), field::closest_to_key(column)) {
                (Some(field), _) if fields.contains(&field) => format!("has the column '{field}' twice"),
                (Some(field), _) => {
                    fields.push(field);
                    continue;
                }
                (None, Some(field)) => {
                    format!("has the unknown column '{}' (did you mean '{field}'?)", sanitize_name(column))
                }
                (None, None) => continue,
            };
            problems.push(problem);
        }
        if problems.is_empty() && !fields.contains(&"netosecret") && !fields.contains(&"password") {
            let missing = REQUIRED_COLUMNS.iter().filter(|column| !fields.contains(column));
            problems.extend(missing.map(|column| format!("lacks the column '{column}'")));
        }
        if problems.is_empty() { Ok(self) } else { Err(ImportError::Header(problems)) }
    }
}

/// Returns the field that a column names exactly, or else the field with the most similar name, if any.
fn nearest_field(column: &str) -> Option<&'static str> {
    field::from_key(column).or_else(|| field::closest_to_key(column))
}

/// Parses a first line such as `sep=;`, which declares the separator for spreadsheets. Returns the separator, the
/// remaining text, and the line number where the remaining text starts.
fn parse_separator_line(text: &str) -> (Option<char>, &str, usize) {
    let declared = SEPARATORS.into_iter().find_map(|separator| {
        let (line, rest) = text.split_once('\n')?;
        (line.strip_prefix("sep=") == Some(separator.encode_utf8(&mut [0; 4]))).then_some((separator, rest))
    });
    declared.map_or((None, text, 1), |(separator, rest)| (Some(separator), rest, 2))
}

/// Parses all rows after the header line.
pub(super) fn parse(header: &CsvHeader<'_>) -> Import {
    let rows = Rows { separator: header.separator, ..header.rows };
    let mut ignored: Vec<String> = header
        .columns
        .iter()
        .filter(|name| !name.is_empty() && nearest_field(name).is_none())
        .map(|name| sanitize_name(name))
        .collect();
    let entries: Vec<_> = rows.filter_map(|(line, cells)| parse_row(header, line, cells)).collect();
    ignored.extend(entries.iter().flatten().flat_map(|entry| entry.ignored.clone()));
    Import { format: ImportFormat::Csv, entries, ignored }
}

/// Parses a row. Returns `None` if all cells are empty.
fn parse_row(
    header: &CsvHeader<'_>,
    line: usize,
    cells: Result<Cells, RowError>,
) -> Option<Result<ImportEntry, EntryError>> {
    let location = EntryLocation::Line(line);
    let failed = |problem| Some(Err(EntryError { location: EntryLocation::Line(line), problem }));
    let column_name =
        |index: usize| header.columns.get(index).map_or_else(|| format!("{}", index + 1), |name| sanitize_name(name));
    let cells = match cells {
        Ok(cells) => cells,
        Err(RowError::UnclosedQuote { column }) => return failed(EntryProblem::UnclosedCell(column_name(column))),
        Err(RowError::TextAfterQuote { column }) => return failed(EntryProblem::TextAfterQuote(column_name(column))),
    };
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return None;
    }
    if cells.iter().skip(header.columns.len()).any(|cell| !cell.trim().is_empty()) {
        return failed(EntryProblem::TooManyCells { cells: cells.len(), columns: header.columns.len() });
    }
    let mut fields = BTreeMap::new();
    for (column, cell) in header.columns.iter().zip(&cells) {
        let Some(field) = field::from_key(column) else { continue };
        // Blanks at the ends of a cell come from the spreadsheet, except in a password, where they may be intended.
        let text = if field == "password" { cell } else { cell.trim() };
        if !text.is_empty() {
            fields.insert(field.to_owned(), Json::Text(Secret::new(text.to_owned())));
        }
    }
    Some(ImportEntry::from_fields(location, fields))
}

/// Cells of one row.
type Cells = Vec<Zeroizing<String>>;

/// Quoting error in a row, with the index of the column.
#[derive(Debug, PartialEq, Eq)]
enum RowError {
    /// The quote of a cell is not closed. The rest of the file is part of this cell.
    UnclosedQuote { column: usize },
    /// Text follows the closing quote of a cell.
    TextAfterQuote { column: usize },
}

/// Iterator over the rows of a CSV file. Returns each row with the number of its first line. Skips blank lines between
/// rows, and rows that start with `#`.
struct Rows<'a> {
    rest: &'a str,
    line_number: usize,
    separator: char,
}

impl Iterator for Rows<'_> {
    type Item = (usize, Result<Cells, RowError>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.rest.split('\n').next().filter(|_| !self.rest.is_empty())?;
            if !line.trim().is_empty() && !line.starts_with('#') {
                break;
            }
            self.advance(line.len() + 1);
        }
        let number = self.line_number;
        let (cells, length) = split_row(self.rest, self.separator);
        self.advance(length);
        Some((number, cells))
    }
}

impl Rows<'_> {
    /// Skips `length` bytes and advances the line number.
    fn advance(&mut self, length: usize) {
        let (consumed, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line_number += consumed.matches('\n').count();
        self.rest = rest;
    }
}

/// Splits the first row of `text` into cells. Also returns the number of bytes before the next row. An unclosed quote
/// consumes all of `text`.
fn split_row(text: &str, separator: char) -> (Result<Cells, RowError>, usize) {
    let mut cells = Cells::new();
    let mut at = 0;
    loop {
        let (cell, length) = match split_cell(&text[at..], separator) {
            Ok(cell) => cell,
            Err(is_unclosed) => {
                let column = cells.len();
                let next_line = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
                return if is_unclosed {
                    (Err(RowError::UnclosedQuote { column }), text.len())
                } else {
                    (Err(RowError::TextAfterQuote { column }), next_line)
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

/// Parses the first cell of `text`. Also returns the length of the cell in `text`, in bytes. The error is true for an
/// unclosed quote, and false for text after the closing quote.
fn split_cell(text: &str, separator: char) -> Result<(Zeroizing<String>, usize), bool> {
    let end_after = |from: usize| text[from..].find([separator, '\n']).map_or(text.len(), |end| from + end);
    let start = text.len() - text.trim_start_matches(' ').len();
    if !text[start..].starts_with('"') {
        return Ok((Zeroizing::new(text[..end_after(0)].to_owned()), end_after(0)));
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
        // A doubled quote means one quote.
        cell.push('"');
        at += 1;
    }
    let end = end_after(at);
    if text[at..end].trim().is_empty() { Ok((cell, end)) } else { Err(false) }
}
