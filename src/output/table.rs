//! Rows for people (a table) and for programs (JSON, CSV).
//!
//! Owns how a list looks: alignment, width, colour, what is cut, and how a row becomes a record. Does not know what
//! the rows are about.

use anstyle::{AnsiColor, Color, Effects, Style};
use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style as Borders};
use unicode_width::UnicodeWidthStr;

use super::sanitize::{clean, clean_block, clean_json, fit, wrap};

const HEADER: Style = Style::new().effects(Effects::DIMMED);
const MARK: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green))).effects(Effects::BOLD);
/// Blanks between columns, and how many where the terminal is too narrow.
const GAPS: [usize; 2] = [3, 2];
/// How cells are cut, one way after the other: to how many columns of the terminal, and whether also those that should be
/// kept. Only the first leaves them readable; before the others, columns are left out.
const CUTS: [(usize, bool); 3] = [(12, false), (6, false), (6, true)];
/// Narrower than this, the values of [`details`] are left to the terminal.
const NARROWEST_VALUE: usize = 20;

/// How a list is written.
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

/// On which side a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Amounts.
    Right,
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its header.
    pub title: &'static str,
    /// The side its text stands on, the header too.
    pub align: Align,
    /// What becomes of it where the terminal is too narrow.
    pub narrow: Narrow,
}

/// What becomes of a column where the terminal is too narrow for all of them. Those that may be left out are, from the
/// right; the first column never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrow {
    /// It stays as it is as long as anything else can be done.
    Keep,
    /// It is cut.
    Cut,
    /// It is cut, or left out where that is not enough.
    CutOrDrop,
    /// It is left out: a part of it would say nothing.
    Drop,
}

/// One cell of a table; its text is cleaned when it is rendered.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// What stands in it; may be empty.
    pub text: String,
    /// In which colour, where there is colour.
    pub style: Option<Style>,
}

/// What a list consists of. Serialised it is a flat object: text, numbers, flags, nulls and arrays of text.
pub trait Row: Serialize {
    /// The fields in the order of a CSV's columns, named as they are serialised.
    const FIELDS: &'static [&'static str];

    /// Whether tables of such rows have a column for a mark at their left edge.
    const MARKS: bool = false;

    /// The columns of a table.
    fn columns() -> Vec<Column>;

    /// What stands in each of the columns.
    fn cells(&self) -> Vec<Cell>;

    /// Whether this row bears the mark, `*`.
    fn marked(&self) -> bool {
        false
    }
}

/// What the reader can see.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Whether to use colour.
    pub colour: bool,
    /// The terminal's columns; `None` when nothing needs to be cut.
    pub width: Option<usize>,
}

impl Narrow {
    fn is_cut(self) -> bool {
        matches!(self, Self::Cut | Self::CutOrDrop)
    }

    fn may_go(self) -> bool {
        matches!(self, Self::Drop | Self::CutOrDrop)
    }
}

impl Cell {
    /// Text in the terminal's own colour.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: None }
    }

    /// Text in this colour.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style: Some(style) }
    }
}

/// The whole list. Without rows a table is empty, JSON is `[]`, and CSV is the header.
pub fn render<R: Row>(rows: &[R], format: Format, look: &Look) -> String {
    match format {
        Format::Table if rows.is_empty() => String::new(),
        Format::Table => table(rows, look),
        Format::Json => object(&rows),
        Format::Csv => csv(rows),
    }
}

/// One value as JSON, over several lines. (A value that serde cannot serialise, which no derived one of plain fields is,
/// becomes `null`.)
pub fn object<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string_pretty(value).unwrap_or_else(|_| "null".to_owned());
    json.push('\n');
    clean_json(json)
}

/// The same on one line, for many of them one below the other.
pub fn json_line<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    json.push('\n');
    clean_json(json)
}

/// `key:  value` lines with their values aligned, for one thing in full. On a terminal long values go on below
/// themselves.
pub fn details(entries: &[(&str, String)], look: &Look) -> String {
    let widest = entries.iter().map(|(key, _)| key.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value) in entries {
        let gap = " ".repeat(widest - key.width() + 2);
        let key = paint(&format!("{key}:"), Some(HEADER), look);
        let value = clean(value);
        let room = look.width.map(|width| width.saturating_sub(widest + 3)).filter(|room| *room >= NARROWEST_VALUE);
        let lines = room.map_or_else(|| vec![value.to_string()], |room| wrap(&value, room));
        let value = lines.join(&format!("\n{:1$}", "", widest + 3));
        text += format!("{key}{gap}{value}").trim_end();
        text.push('\n');
    }
    text
}

fn table<R: Row>(rows: &[R], look: &Look) -> String {
    let mut columns = R::columns();
    let mut cells: Vec<Vec<Cell>> = rows.iter().map(|row| row.cells().iter().map(tidy).collect()).collect();
    let empty = |at: usize| cells.iter().all(|row| row.get(at).is_none_or(|cell| cell.text.is_empty()));
    let empty: Vec<usize> = (0..columns.len()).filter(|at| empty(*at)).collect();
    empty.iter().rev().for_each(|at| leave_out(*at, &mut columns, &mut cells));
    let (widths, gap) = layout(&mut columns, &mut cells, look.width, if R::MARKS { 2 } else { 0 });

    let mut builder = Builder::with_capacity(rows.len() + 1, columns.len() + 1);
    let titles =
        columns.iter().zip(&widths).map(|(column, width)| paint(&fit(column.title, *width), Some(HEADER), look));
    builder.push_record(edge::<R>(false, look).into_iter().chain(titles));
    for (row, cells) in rows.iter().zip(&cells) {
        let texts = cells.iter().zip(&widths).map(|(cell, width)| paint(&fit(&cell.text, *width), cell.style, look));
        builder.push_record(edge::<R>(row.marked(), look).into_iter().chain(texts));
    }
    lines(builder, &columns, gap, usize::from(R::MARKS))
}

/// The mark at the left edge, where such rows have one.
fn edge<R: Row>(marked: bool, look: &Look) -> Option<String> {
    R::MARKS.then(|| if marked { paint("*", Some(MARK), look) } else { " ".to_owned() })
}

fn lines(builder: Builder, columns: &[Column], gap: usize, edges: usize) -> String {
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, gap, 0, 0));
    if edges > 0 {
        table.modify(Columns::first(), Padding::new(0, 1, 0, 0));
    }
    for (at, _) in columns.iter().enumerate().filter(|(_, column)| column.align == Align::Right) {
        table.modify(Columns::one(at + edges), Alignment::right());
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn tidy(cell: &Cell) -> Cell {
    Cell { text: clean(&cell.text).into_owned(), style: cell.style }
}

fn leave_out(at: usize, columns: &mut Vec<Column>, rows: &mut [Vec<Cell>]) {
    columns.remove(at);
    for row in rows.iter_mut().filter(|row| at < row.len()) {
        row.remove(at);
    }
}

/// How wide each column is, and the blanks between them. Where the terminal is too narrow, cells are cut as far as they
/// stay readable, then columns are left out, and in the end everything is cut.
fn layout(columns: &mut Vec<Column>, rows: &mut [Vec<Cell>], limit: Option<usize>, edge: usize) -> (Vec<usize>, usize) {
    let mut widths = natural(columns, rows);
    let Some(limit) = limit else { return (widths, GAPS[0]) };
    let room = |count: usize, gap: usize| limit.saturating_sub(edge + gap * count.saturating_sub(1));
    if widths.iter().sum::<usize>() <= room(widths.len(), GAPS[0]) {
        return (widths, GAPS[0]);
    }
    loop {
        let room = room(widths.len(), GAPS[1]);
        let spare = columns.iter().rposition(|column| column.narrow.may_go()).filter(|at| *at > 0);
        let ways: &[(usize, bool)] = if spare.is_some() { &CUTS[..1] } else { &CUTS };
        let fits = ways.iter().find_map(|&(least, all)| {
            cut(&widths, room, |at| if all || columns[at].narrow.is_cut() { least } else { usize::MAX })
        });
        if let Some(widths) = fits {
            return (widths, GAPS[1]);
        }
        match spare.unwrap_or(widths.len() - 1) {
            0 => return (vec![room], GAPS[1]),
            at => {
                leave_out(at, columns, rows);
                widths.remove(at);
            }
        }
    }
}

/// How wide the columns are where nothing is cut.
fn natural(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    widths
}

/// The widths with the widest made less until their sum fits, but none less than its `least`; nothing where that cannot
/// be.
fn cut(widths: &[usize], room: usize, least: impl Fn(usize) -> usize) -> Option<Vec<usize>> {
    let mut widths = widths.to_vec();
    while widths.iter().sum::<usize>() > room {
        let widest = (0..widths.len()).filter(|&at| widths[at] > least(at)).max_by_key(|&at| widths[at])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

pub(super) fn paint(text: &str, style: Option<Style>, look: &Look) -> String {
    match style.filter(|_| look.colour && !text.is_empty()) {
        Some(style) => format!("{style}{text}{style:#}"),
        None => text.to_owned(),
    }
}

fn csv<R: Row>(rows: &[R]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Into memory, and every record as long as the header: nothing can fail.
    let _ = writer.write_record(R::FIELDS);
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        let _ = writer.write_record(R::FIELDS.iter().map(|field| record(&row[*field])));
    }
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

/// A field of a CSV: arrays joined by `;`, null empty. CSV has no escapes of its own, so hostile text is cleaned.
fn record(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => clean_block(text).into_owned(),
        serde_json::Value::Array(items) => items.iter().map(record).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Tenant {
        name: &'static str,
        note: &'static str,
        left: Option<i64>,
        current: bool,
        tags: Vec<&'static str>,
    }

    impl Row for Tenant {
        const FIELDS: &'static [&'static str] = &["name", "note", "left", "current", "tags"];
        const MARKS: bool = true;
        fn columns() -> Vec<Column> {
            vec![
                Column { title: "NAME", align: Align::Left, narrow: Narrow::Keep },
                Column { title: "NOTE", align: Align::Left, narrow: Narrow::Cut },
                Column { title: "LEFT", align: Align::Right, narrow: Narrow::Drop },
                Column { title: "TAGS", align: Align::Left, narrow: Narrow::CutOrDrop },
            ]
        }
        fn cells(&self) -> Vec<Cell> {
            let red = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
            vec![
                Cell::plain(self.name),
                Cell::styled(self.note, red),
                Cell::plain(self.left.map(|left| left.to_string()).unwrap_or_default()),
                Cell::plain(self.tags.join(", ")),
            ]
        }
        fn marked(&self) -> bool {
            self.current
        }
    }

    fn tenants() -> Vec<Tenant> {
        vec![
            Tenant { name: "acme", note: "● valid", left: Some(12345), current: true, tags: vec!["prod", "emea"] },
            Tenant { name: "globex-international", note: "x\n\x1b[31m", left: Some(7), current: false, tags: vec![] },
            Tenant { name: "日本", note: "", left: None, current: false, tags: vec![] },
        ]
    }

    #[test]
    fn a_table_has_a_mark_and_aligned_columns() {
        let expected = "
  NAME                   NOTE             LEFT   TAGS
* acme                   ● valid         12345   prod, emea
  globex-international   x\\n\\u{1b}[31m       7
  日本
";
        assert_eq!(render(&tenants(), Format::Table, &Look::default()), expected[1..]);
        assert_eq!(render::<Tenant>(&[], Format::Table, &Look::default()), "");
    }

    fn at(width: usize) -> String {
        render(&tenants(), Format::Table, &Look { colour: false, width: Some(width) })
    }

    #[test]
    fn r46_a_narrow_terminal_gets_what_fits() {
        for width in 9..120 {
            let text = at(width);
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
            assert_eq!(text.lines().count(), 4, "a row is a line:\n{text}");
        }
        let all = "
  NAME                   NOTE             LEFT   TAGS
* acme                   ● valid         12345   prod, emea
  globex-international   x\\n\\u{1b}[31m       7
  日本
";
        assert_eq!((at(200), at(59)), (all[1..].to_owned(), all[1..].to_owned()));
        // The gaps go first, then cells are cut, then columns go from the right, and last what should be kept is cut.
        let wanted = [
            (56, "* acme                  ● valid        12345  prod, emea"),
            (55, "* acme                  ● valid       12345  prod, emea"),
            (54, "* acme                  ● valid        12345"),
            (43, "* acme                  ● valid       12345"),
            (42, "* acme                  ● valid"),
            (31, "* acme                  ● valid"),
            (30, "* acme                  ● val…"),
            (20, "* acme      ● valid"),
            (10, "* acme"),
        ];
        for (width, line) in wanted {
            assert_eq!(at(width).lines().nth(1), Some(line), "{width}:\n{}", at(width));
        }
        assert_eq!(at(9).lines().nth(2), Some("  globex…"));
    }

    #[derive(Serialize)]
    struct Wide(&'static str);

    impl Row for Wide {
        const FIELDS: &'static [&'static str] = &[];
        fn columns() -> Vec<Column> {
            let column = |title| Column { title, align: Align::Left, narrow: Narrow::Cut };
            vec![column("TEXT"), column("END")]
        }
        fn cells(&self) -> Vec<Cell> {
            vec![Cell::plain(self.0), Cell::plain("|")]
        }
    }

    #[test]
    fn wide_joined_and_combining_characters_leave_the_columns_straight() {
        let texts = [
            "plain",
            "日本語の顧客",
            "e\u{301}te\u{301} n\u{303}",
            "👩\u{200d}🚀 crew",
            "❤\u{fe0f}❤\u{fe0f}",
            "🇩🇪 DE",
            "👍🏽 ok",
            "ﷺ",
        ];
        let rows = texts.map(Wide);
        for width in [None, Some(200), Some(20), Some(16), Some(12)] {
            let text = render(&rows, Format::Table, &Look { colour: false, width });
            let ends: Vec<usize> =
                text.lines().skip(1).map(|line| line.strip_suffix('|').expect("the last column").width()).collect();
            assert!(ends.iter().all(|end| *end == ends[0]), "{width:?}: {ends:?}\n{text}");
            assert!(width.is_none_or(|width| ends[0] < width), "{text}");
        }
    }

    #[test]
    fn columns_without_text_are_left_out() {
        let rows = [Tenant { name: "a", note: "", left: None, current: false, tags: vec![] }];
        assert_eq!(render(&rows, Format::Table, &Look::default()), "  NAME\n  a\n");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let look = Look { colour: true, width: Some(60) };
        let coloured = render(&tenants(), Format::Table, &look);
        let mut bare = String::new();
        for (at, part) in coloured.split('\x1b').enumerate() {
            bare += if at == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        let bare = bare.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
        assert_eq!(bare, render(&tenants(), Format::Table, &Look { colour: false, ..look }));
        assert!(coloured.contains("\x1b[31m● valid\x1b[0m"));
    }

    #[test]
    fn r47_programs_get_all_fields() {
        let csv = "name,note,left,current,tags\nacme,● valid,12345,true,prod;emea\n\
                   globex-international,\"x\n\\u{1b}[31m\",7,false,\n日本,,,false,\n";
        assert_eq!(render(&tenants(), Format::Csv, &Look::default()), csv);
        assert_eq!(render::<Tenant>(&[], Format::Csv, &Look::default()), "name,note,left,current,tags\n");
        assert_eq!(render::<Tenant>(&[], Format::Json, &Look::default()), "[]\n");
        let json = render(&tenants(), Format::Json, &Look::default());
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[1]["note"], "x\n\x1b[31m");
        assert_eq!(json_line(&tenants()[1]).matches('\n').count(), 1);
        assert!(json.starts_with("[\n  {\n    \"name\": \"acme\",\n") && json.ends_with("]\n"));
    }

    #[test]
    fn details_are_aligned() {
        let entries = [("name", "acme".to_owned()), ("shortname", "a\nb".to_owned()), ("tags", String::new())];
        assert_eq!(details(&entries, &Look::default()), "name:       acme\nshortname:  a\\nb\ntags:\n");
        let entries = [("name", "acme".to_owned()), ("text", "words that go on and on, to the end".to_owned())];
        let told = |width| details(&entries, &Look { colour: false, width: Some(width) });
        assert_eq!(told(80), "name:  acme\ntext:  words that go on and on, to the end\n");
        assert_eq!(told(31), "name:  acme\ntext:  words that go on and on,\n       to the end\n");
        assert_eq!(told(26), told(80), "where nothing sensible fits, the terminal breaks the line");
    }
}
