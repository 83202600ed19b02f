//! Renders rows as a table for people, or as JSON or CSV for programs.
//!
//! Owns alignment, column widths, color and truncation. Knows nothing of the domain: each row type implements [`Row`].

use anstyle::{AnsiColor, Color, Effects, Style};
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style as Borders};
use unicode_width::UnicodeWidthStr;

use super::sanitize::{sanitize_block, sanitize_json, sanitize_line, truncate_columns, wrap_words};

const HEADER_STYLE: Style = Style::new().effects(Effects::DIMMED);
const MARK_STYLE: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green))).effects(Effects::BOLD);
/// Number of spaces between two columns.
const GAP_WIDTH: usize = 3;
/// Number of spaces between two columns if the table does not fit with [`GAP_WIDTH`].
const NARROW_GAP_WIDTH: usize = 2;
/// Steps of truncation: the minimum width of a column, and whether the step may truncate every column. If not, the step
/// truncates only columns that [`Shrink`] allows. Only the first step leaves cells readable, so columns are dropped
/// before the other steps.
const TRUNCATION_STEPS: [(usize, bool); 3] = [(12, false), (6, false), (6, true)];
/// Minimum width in columns to which [`render_details`] wraps values. If less space is left, the terminal wraps the
/// lines.
const MIN_VALUE_WIDTH: usize = 20;

/// Output format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// An array of objects
    Json,
    /// A header and a line a row
    Csv,
}

/// Alignment of a column's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Left, for text.
    Left,
    /// Right, for numbers.
    Right,
}

/// Column of a table of rows `R`.
pub struct Column<R> {
    /// Header text.
    pub title: &'static str,
    /// Alignment of the cells and the header.
    pub align: Align,
    /// Effect on the column if the terminal is too narrow.
    pub shrink: Shrink,
    /// Function that returns the column's cell for a row.
    pub cell: fn(&R) -> Cell,
}

/// Effect on a column if the terminal is too narrow for the whole table. Columns are dropped from right to left. The
/// first column is never dropped. If the table still does not fit, even `Keep` columns are truncated and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shrink {
    /// Keep the column; do not truncate its cells.
    Keep,
    /// Truncate the cells; keep the column.
    Cut,
    /// Truncate the cells; drop the column if that is not enough.
    CutOrDrop,
    /// Drop the column, because truncated cells would be meaningless.
    Drop,
}

/// Cell of a table. Rendering the table sanitizes the text.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// Text of the cell, not sanitized; may be empty.
    pub text: String,
    /// Style of the text, if color is used.
    pub style: Option<Style>,
}

/// Row of a list. Must serialize to an object whose values are strings, numbers, booleans, nulls or arrays of strings.
pub trait Row: Serialize {
    /// Names of the serialized fields, in the order of the CSV columns.
    const FIELDS: &'static [&'static str];

    /// Whether the table starts with a column for the mark `*`.
    const HAS_MARKS: bool = false;

    /// Returns the columns of the table, except the mark column.
    fn columns() -> Vec<Column<Self>>
    where
        Self: Sized;

    /// Returns whether this row is marked with `*`.
    fn is_marked(&self) -> bool {
        false
    }
}

/// Color and width for rendering.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions {
    /// Whether to use color.
    pub color: bool,
    /// Width of the terminal in columns; `None` if text must be neither truncated nor wrapped.
    pub width: Option<usize>,
}

impl Shrink {
    fn can_truncate(self) -> bool {
        matches!(self, Self::Cut | Self::CutOrDrop)
    }

    fn can_drop(self) -> bool {
        matches!(self, Self::Drop | Self::CutOrDrop)
    }
}

impl<R> Column<R> {
    /// Creates a left-aligned column.
    pub fn left(title: &'static str, shrink: Shrink, cell: fn(&R) -> Cell) -> Self {
        Self { title, align: Align::Left, shrink, cell }
    }

    /// Creates a right-aligned column, for numbers.
    pub fn right(title: &'static str, shrink: Shrink, cell: fn(&R) -> Cell) -> Self {
        Self { title, align: Align::Right, shrink, cell }
    }
}

impl Cell {
    /// Creates a cell like [`Cell::plain`], or an empty cell for `None`.
    pub fn optional(text: Option<impl Into<String>>) -> Self {
        text.map(Self::plain).unwrap_or_default()
    }

    /// Creates a cell in the terminal's default style.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: None }
    }

    /// Creates a cell in this style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style: Some(style) }
    }
}

/// Renders the rows in `format`. Without rows, the result is empty as a table, `[]` as JSON, and the header as CSV.
pub fn render_rows<R: Row>(rows: &[R], format: Format, options: &RenderOptions) -> String {
    match format {
        Format::Table if rows.is_empty() => String::new(),
        Format::Table => render_table(rows, options),
        Format::Json => render_json(&rows),
        Format::Csv => render_csv(rows),
    }
}

/// Renders a value as indented JSON with hostile characters escaped. A value that cannot be serialized becomes `null`;
/// a derived `Serialize` of plain fields never fails.
pub fn render_json<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string_pretty(value).unwrap_or_else(|_| "null".to_owned());
    json.push('\n');
    sanitize_json(json)
}

/// Renders a value like [`render_json`], but on one line, for JSON Lines output.
pub fn render_json_line<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    json.push('\n');
    sanitize_json(json)
}

/// Renders the entries as `key:  value` lines with aligned values. If the terminal width is known, long values are
/// wrapped, and the wrapped lines are aligned with the first.
pub fn render_details(entries: &[(&str, String)], options: &RenderOptions) -> String {
    let key_width = entries.iter().map(|(key, _)| key.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value) in entries {
        let gap = " ".repeat(key_width - key.width() + 2);
        let key = paint(&format!("{key}:"), Some(HEADER_STYLE), options);
        let value = sanitize_line(value);
        let space =
            options.width.map(|width| width.saturating_sub(key_width + 3)).filter(|space| *space >= MIN_VALUE_WIDTH);
        let lines = space.map_or_else(|| vec![value.to_string()], |space| wrap_words(&value, space));
        let value = lines.join(&format!("\n{:1$}", "", key_width + 3));
        text += format!("{key}{gap}{value}").trim_end();
        text.push('\n');
    }
    text
}

/// Renders the table without columns whose cells are all empty.
fn render_table<R: Row>(rows: &[R], options: &RenderOptions) -> String {
    let mut columns = R::columns();
    let mut cells: Vec<Vec<Cell>> =
        rows.iter().map(|row| columns.iter().map(|column| sanitize_cell(&(column.cell)(row))).collect()).collect();
    let is_empty = |index: usize| cells.iter().all(|row| row.get(index).is_none_or(|cell| cell.text.is_empty()));
    let empty_columns: Vec<usize> = (0..columns.len()).filter(|index| is_empty(*index)).collect();
    empty_columns.iter().rev().for_each(|index| remove_column(*index, &mut columns, &mut cells));
    let (widths, gap) = fit_columns(&mut columns, &mut cells, options.width, if R::HAS_MARKS { 2 } else { 0 });

    let mut builder = Builder::with_capacity(rows.len() + 1, columns.len() + 1);
    let titles = columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| paint(&truncate_columns(column.title, *width), Some(HEADER_STYLE), options));
    builder.push_record(mark_cell::<R>(false, options).into_iter().chain(titles));
    for (row, cells) in rows.iter().zip(&cells) {
        let painted_cells = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| paint(&truncate_columns(&cell.text, *width), cell.style, options));
        builder.push_record(mark_cell::<R>(row.is_marked(), options).into_iter().chain(painted_cells));
    }
    layout_lines(builder, &columns, gap, usize::from(R::HAS_MARKS))
}

/// Returns the cell of the mark column; `None` if the table has no mark column.
fn mark_cell<R: Row>(is_marked: bool, options: &RenderOptions) -> Option<String> {
    R::HAS_MARKS.then(|| if is_marked { paint("*", Some(MARK_STYLE), options) } else { " ".to_owned() })
}

fn layout_lines<R>(builder: Builder, columns: &[Column<R>], gap: usize, mark_columns: usize) -> String {
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, gap, 0, 0));
    if mark_columns > 0 {
        table.modify(Columns::first(), Padding::new(0, 1, 0, 0));
    }
    for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.align == Align::Right) {
        table.modify(Columns::one(index + mark_columns), Alignment::right());
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn sanitize_cell(cell: &Cell) -> Cell {
    Cell { text: sanitize_line(&cell.text).into_owned(), style: cell.style }
}

fn remove_column<R>(index: usize, columns: &mut Vec<Column<R>>, rows: &mut [Vec<Cell>]) {
    columns.remove(index);
    for row in rows.iter_mut().filter(|row| index < row.len()) {
        row.remove(index);
    }
}

/// Drops columns that do not fit. Returns the width of each remaining column, and the gap between columns.
///
/// If the table is wider than `limit`, the gap shrinks. Columns that allow truncation are then truncated by the first
/// of the [`TRUNCATION_STEPS`]. If that is not enough, columns that allow dropping are dropped one at a time. The other
/// truncation steps follow, and finally the rightmost columns are dropped until the table fits.
fn fit_columns<R>(
    columns: &mut Vec<Column<R>>,
    rows: &mut [Vec<Cell>],
    limit: Option<usize>,
    mark_width: usize,
) -> (Vec<usize>, usize) {
    let mut widths = natural_widths(columns, rows);
    let Some(limit) = limit else { return (widths, GAP_WIDTH) };
    let text_space = |count: usize, gap: usize| limit.saturating_sub(mark_width + gap * count.saturating_sub(1));
    if widths.iter().sum::<usize>() <= text_space(widths.len(), GAP_WIDTH) {
        return (widths, GAP_WIDTH);
    }
    loop {
        let space = text_space(widths.len(), NARROW_GAP_WIDTH);
        let droppable = columns.iter().rposition(|column| column.shrink.can_drop()).filter(|index| *index > 0);
        let steps: &[(usize, bool)] = if droppable.is_some() { &TRUNCATION_STEPS[..1] } else { &TRUNCATION_STEPS };
        let fitting_widths = steps.iter().find_map(|&(min_width, truncates_all)| {
            shrink_widths(&widths, space, |index| {
                if truncates_all || columns[index].shrink.can_truncate() { min_width } else { usize::MAX }
            })
        });
        if let Some(widths) = fitting_widths {
            return (widths, NARROW_GAP_WIDTH);
        }
        match droppable.unwrap_or(widths.len() - 1) {
            0 => return (vec![space], NARROW_GAP_WIDTH),
            index => {
                remove_column(index, columns, rows);
                widths.remove(index);
            }
        }
    }
}

/// Returns the width of each column without truncation.
fn natural_widths<R>(columns: &[Column<R>], rows: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    widths
}

/// Narrows the widest column repeatedly, until the sum of the widths is at most `space`. No column gets narrower than
/// its minimum width, which `min_width` returns for a column index. Returns `None` if the columns cannot fit.
fn shrink_widths(widths: &[usize], space: usize, min_width: impl Fn(usize) -> usize) -> Option<Vec<usize>> {
    let mut widths = widths.to_vec();
    while widths.iter().sum::<usize>() > space {
        let widest =
            (0..widths.len()).filter(|&index| widths[index] > min_width(index)).max_by_key(|&index| widths[index])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

/// Adds the escape sequences of `style`, if color is enabled and the text is not empty.
pub(super) fn paint(text: &str, style: Option<Style>, options: &RenderOptions) -> String {
    match style.filter(|_| options.color && !text.is_empty()) {
        Some(style) => format!("{style}{text}{style:#}"),
        None => text.to_owned(),
    }
}

fn render_csv<R: Row>(rows: &[R]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // No error is possible: the writer writes to memory, and every record has as many fields as the header.
    let _ = writer.write_record(R::FIELDS);
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        let _ = writer.write_record(R::FIELDS.iter().map(|field| csv_field(&row[*field])));
    }
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

/// Formats a CSV field: array items are joined with `;`, and null is empty. Text is sanitized, because CSV has no
/// escapes that keep hostile characters.
fn csv_field(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => sanitize_block(text).into_owned(),
        serde_json::Value::Array(items) => items.iter().map(csv_field).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
