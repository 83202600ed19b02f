//! Interactive picker: the user moves in a list with arrow keys, and types to filter the list.
//!
//! Owns key handling and drawing. Draws on stderr, starting at the cursor's line, and erases the picker at the end.
//! Never draws on stdout, because a shell may capture and evaluate stdout.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{Effects, Style};
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use super::hidden::{Keyboard as _, erase_character};
use super::key_codes::{Decoder, Stroke};
use super::{PromptError, RawTerminal, fuzzy, open_terminal, read_line};
use crate::disk;
use crate::output::sanitize::{sanitize_line, truncate_columns};
use crate::output::table::Cell;

const SELECTED_STYLE: Style = Style::new().effects(Effects::INVERT);
const DIMMED_STYLE: Style = Style::new().effects(Effects::DIMMED);
/// Help for the keys, shown after the number of matches.
const KEY_HELP: &str = "up, down, Enter; Esc leaves";
/// Maximum number of list lines shown at once.
const MAX_LIST_LINES: usize = 15;
/// Maximum width of a column in terminal columns. The first and the last column may be wider.
const MAX_COLUMN_WIDTH: usize = 28;
/// Maximum length of the query in bytes.
const MAX_QUERY_BYTES: usize = 256;
/// Escape sequence that moves the cursor to the start of the line, and erases this line and all lines below.
const ERASE: &str = "\r\x1b[J";

/// Entry of a picker.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Cells to show. The text of the first cell is the name.
    pub cells: Vec<Cell>,
    /// Fields that the query can match. A match in the first field scores higher.
    pub search_fields: Vec<String>,
    /// Whether the candidate is marked with `*`.
    pub is_marked: bool,
}

/// Shows the picker and returns the index of the chosen candidate. Returns `None` if the user presses Esc, or Ctrl-D
/// while the query is empty.
///
/// # Errors
/// Returns [`PromptError::Interrupted`] after Ctrl-C, Ctrl-\ or SIGINT, and [`PromptError::Terminated`] after SIGTERM.
/// Returns [`PromptError::Closed`] after SIGHUP or if the terminal is closed, and [`PromptError::TerminalFailed`] if
/// reading or drawing fails.
pub(in crate::output) fn pick(
    question: &str,
    candidates: &[Candidate],
    color: bool,
) -> Result<Option<usize>, PromptError> {
    let mut terminal = PickerTerminal(RawTerminal::start(disk::defer_signals())?);
    let mut picker = Picker::new(question, candidates, color);
    let mut decoder = Decoder::default();
    let mut bytes = [0; 1024];
    let mut drawn_size = None;
    loop {
        let size = terminal_size();
        if drawn_size != Some(size) {
            draw(&picker.render_frame(size))?;
            drawn_size = Some(size);
        }
        let count = terminal.0.read(&mut bytes)?;
        if count == 0 && decoder.end_sequence() {
            return Ok(None);
        }
        if count == 0 {
            drawn_size = drawn_size.filter(|_| !terminal.0.reapply_raw_mode().unwrap_or(true));
        }
        for stroke in bytes[..count].iter().filter_map(|byte| decoder.feed(*byte)) {
            drawn_size = None;
            match picker.handle_key(stroke) {
                KeyResult::Continue => {}
                KeyResult::Finish(result) => return result,
                KeyResult::Suspend => {
                    draw(ERASE)?;
                    terminal.0.suspend()?;
                }
            }
        }
    }
}

/// Prints a numbered list and asks for a number or name, until the answer is empty or selects one candidate. Returns
/// the index of the chosen candidate; `None` for an empty answer.
///
/// # Errors
/// Returns the errors of [`read_line`], and [`PromptError::TerminalFailed`] if the list cannot be printed.
pub(in crate::output) fn pick_by_number(candidates: &[Candidate]) -> Result<Option<usize>, PromptError> {
    let table = CellTable::new(candidates);
    let digits = candidates.len().to_string().len();
    let rows = table.rows.iter().enumerate().map(|(index, row)| {
        let line = row.join("  ");
        format!("{:>digits$}) {} {}\n", index + 1, mark_char(&candidates[index]), line.trim_end())
    });
    let mut text = rows.collect::<String>();
    loop {
        open_terminal().write_all(text.as_bytes())?;
        let answer = read_line("Number or name (empty leaves all as it is): ")?;
        if answer.is_empty() {
            return Ok(None);
        }
        let numbered = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let numbered = numbered.filter(|index| *index < candidates.len());
        let named =
            candidates.iter().position(|candidate| candidate.cells.first().is_some_and(|name| name.text == answer));
        match (numbered, named) {
            (Some(numbered), Some(named)) if numbered != named => {
                text = format!("That is the number of one and the name of another, whose number is {}.\n", named + 1);
            }
            (Some(index), _) | (None, Some(index)) => return Ok(Some(index)),
            (None, None) => text = String::from("There is no such number or name.\n"),
        }
    }
}

fn mark_char(candidate: &Candidate) -> char {
    if candidate.is_marked { '*' } else { ' ' }
}

/// Returns the number of columns and lines of the terminal on stderr; 80 columns and 24 lines if unknown.
fn terminal_size() -> (usize, usize) {
    let or_default = |reported: u16, default| if reported == 0 { default } else { usize::from(reported) };
    tcgetwinsize(io::stderr()).map_or((80, 24), |size| (or_default(size.ws_col, 80), or_default(size.ws_row, 24)))
}

/// Terminal that shows the picker. Dropping the value erases the picker and restores the terminal.
struct PickerTerminal(RawTerminal);

impl Drop for PickerTerminal {
    fn drop(&mut self) {
        let _ = draw(ERASE);
    }
}

/// Writes a frame with a single write, so that the terminal does not flicker.
fn draw(frame: &str) -> io::Result<()> {
    io::stderr().write_all(frame.as_bytes())
}

/// Effect of a key.
enum KeyResult {
    /// Go on with the picker.
    Continue,
    /// Return from the picker.
    Finish(Result<Option<usize>, PromptError>),
    /// Suspend the process (Ctrl-Z).
    Suspend,
}

/// Cells of all candidates, sanitized and padded to the column widths. The last column is not padded.
struct CellTable {
    rows: Vec<Vec<String>>,
}

impl CellTable {
    fn new(candidates: &[Candidate]) -> Self {
        let texts = candidates
            .iter()
            .map(|candidate| candidate.cells.iter().map(|cell| sanitize_line(&cell.text).into_owned()).collect());
        let mut rows: Vec<Vec<String>> = texts.collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        for column in 0..columns {
            let max_width = if column == 0 { usize::MAX } else { MAX_COLUMN_WIDTH };
            let widest = rows.iter().filter_map(|row| row.get(column)).map(|text| text.width()).max();
            let width = widest.unwrap_or(0).min(max_width);
            for text in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                if column + 1 < columns {
                    let short = truncate_columns(text, width);
                    *text = format!("{short}{}", " ".repeat(width - short.width()));
                }
            }
        }
        Self { rows }
    }
}

/// State of the picker.
struct Picker<'a> {
    question: &'a str,
    candidates: &'a [Candidate],
    color: bool,
    table: CellTable,
    /// Search fields of each candidate, in lower case.
    search_fields: Vec<Vec<String>>,
    /// Typed query. Kept as bytes, because the bytes of a character may arrive one at a time.
    query: Vec<u8>,
    /// Indexes of the candidates that match the query, best match first.
    matches: Vec<usize>,
    /// Index in `matches` of the selected candidate.
    cursor: usize,
    /// Maximum number of list lines in the last frame. Page Up and Page Down move by this number.
    page_lines: usize,
}

impl<'a> Picker<'a> {
    fn new(question: &'a str, candidates: &'a [Candidate], color: bool) -> Self {
        let lower_fields =
            |candidate: &Candidate| candidate.search_fields.iter().map(|text| text.to_lowercase()).collect();
        Self {
            question,
            candidates,
            color,
            table: CellTable::new(candidates),
            search_fields: candidates.iter().map(lower_fields).collect(),
            query: Vec::new(),
            matches: (0..candidates.len()).collect(),
            cursor: 0,
            page_lines: 1,
        }
    }

    fn handle_key(&mut self, stroke: Stroke) -> KeyResult {
        match stroke {
            Stroke::Byte(b'\r' | b'\n') => {
                if let Some(index) = self.matches.get(self.cursor) {
                    return KeyResult::Finish(Ok(Some(*index)));
                }
            }
            Stroke::Byte(0x03 | 0x1c) => return KeyResult::Finish(Err(PromptError::Interrupted)),
            Stroke::Byte(0x04) if self.query.is_empty() => return KeyResult::Finish(Ok(None)),
            Stroke::Byte(0x1a) => return KeyResult::Suspend,
            Stroke::Byte(0x10) | Stroke::Key { last: b'A' | b'Z', .. } => self.move_to(self.cursor.saturating_sub(1)),
            Stroke::Byte(0x0e | b'\t') | Stroke::Key { last: b'B', .. } => self.move_to(self.cursor + 1),
            Stroke::Key { number: 5, last: b'~' } => self.move_to(self.cursor.saturating_sub(self.page_lines)),
            Stroke::Key { number: 6, last: b'~' } => self.move_to(self.cursor + self.page_lines),
            Stroke::Key { last: b'H', .. } | Stroke::Key { number: 1 | 7, last: b'~' } => self.move_to(0),
            Stroke::Key { last: b'F', .. } | Stroke::Key { number: 4 | 8, last: b'~' } => self.move_to(usize::MAX),
            Stroke::Byte(0x15) => self.edit_query(Vec::clear),
            Stroke::Byte(0x17) => self.edit_query(|query| {
                let trimmed = query.trim_ascii_end();
                query.truncate(trimmed.iter().rposition(u8::is_ascii_whitespace).map_or(0, |index| index + 1));
            }),
            Stroke::Byte(0x08 | 0x7f) => self.edit_query(erase_character),
            Stroke::Byte(byte @ 0x20..) if self.query.len() < MAX_QUERY_BYTES => {
                self.edit_query(|query| query.push(byte));
            }
            Stroke::Byte(_) | Stroke::Key { .. } => {}
        }
        KeyResult::Continue
    }

    fn move_to(&mut self, index: usize) {
        self.cursor = index.min(self.matches.len().saturating_sub(1));
    }

    /// Changes the query, updates the matches and selects the first match.
    fn edit_query(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.query);
        let query_words = fuzzy::query_words(&String::from_utf8_lossy(&self.query));
        let scored = self.search_fields.iter().enumerate();
        let mut scored: Vec<(usize, usize)> =
            scored.filter_map(|(index, fields)| Some((fuzzy::score(&query_words, fields)?, index))).collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.matches = scored.into_iter().map(|(_, index)| index).collect();
        self.cursor = 0;
    }

    /// Renders the complete picker, and moves the terminal's cursor to the end of the query in the first line.
    fn render_frame(&mut self, (columns, lines): (usize, usize)) -> String {
        // The last column of the terminal stays empty: a character there moves the cursor to the next line on some
        // terminals.
        let width = columns.saturating_sub(1);
        self.page_lines = lines.saturating_sub(1).clamp(1, MAX_LIST_LINES);
        let query = String::from_utf8_lossy(&self.query);
        let prompt = format!("{} {}", self.question, sanitize_line(&query));
        let prompt = truncate_columns(&prompt, width);
        let help = format!("   {} of {}   {KEY_HELP}", self.matches.len(), self.candidates.len());
        let help = truncate_columns(&help, width - prompt.width()).into_owned();
        let mut frame = format!("{ERASE}{prompt}{}", self.paint(DIMMED_STYLE, &help));
        let first_line = (self.cursor + 1).saturating_sub(self.page_lines);
        let shown = self.matches.iter().enumerate().skip(first_line).take(self.page_lines);
        let mut list_lines = 0;
        for (position, index) in shown {
            list_lines += 1;
            frame += "\r\n";
            frame += &self.render_row(*index, position == self.cursor, width);
        }
        if list_lines > 0 {
            let _ = write!(frame, "\x1b[{list_lines}A");
        }
        frame += "\r";
        if prompt.width() > 0 {
            let _ = write!(frame, "\x1b[{}C", prompt.width());
        }
        frame
    }

    fn render_row(&self, index: usize, is_selected: bool, width: usize) -> String {
        let candidate = &self.candidates[index];
        let row = &self.table.rows[index];
        let head = format!("{} {}", if is_selected { '>' } else { ' ' }, mark_char(candidate));
        if is_selected {
            return self.paint(
                SELECTED_STYLE,
                truncate_columns(format!("{head} {}", row.join("  ")).trim_end(), width).as_ref(),
            );
        }
        let (mut line, mut remaining) = (truncate_columns(&head, width).into_owned(), width.saturating_sub(head.len()));
        for (index, (text, cell)) in row.iter().zip(&candidate.cells).enumerate() {
            let gap = if index == 0 { " " } else { "  " };
            let text = format!("{gap}{text}");
            let piece = truncate_columns(&text, remaining);
            remaining -= piece.width();
            line += &match cell.style {
                Some(style) => self.paint(style, &piece),
                None => piece.into_owned(),
            };
        }
        line
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(names: &[&str]) -> Vec<Candidate> {
        let candidate = |name: &&str| Candidate {
            cells: vec![Cell::plain(*name), Cell::plain("tenant")],
            search_fields: vec![(*name).to_owned()],
            is_marked: *name == "acme",
        };
        names.iter().map(candidate).collect()
    }

    /// Sends `keys` as a terminal does and returns the name at the cursor.
    fn typed<'a>(picker: &mut Picker<'a>, keys: &str) -> Option<&'a str> {
        let mut decoder = Decoder::default();
        for stroke in keys.bytes().filter_map(|byte| decoder.feed(byte)) {
            assert!(matches!(picker.handle_key(stroke), KeyResult::Continue), "{keys:?}");
        }
        picker.matches.get(picker.cursor).map(|index| picker.candidates[*index].cells[0].text.as_str())
    }

    #[test]
    fn keys_move_the_cursor_and_filter_the_list() {
        let all = candidates(&["acme", "globex", "hooli", "zürich-prod"]);
        let mut picker = Picker::new("Profile:", &all, false);
        picker.render_frame((80, 3));
        for (keys, expected) in [
            ("", Some("acme")),
            ("\x1b[B\x0e", Some("hooli")),
            ("\x1b[A", Some("globex")),
            ("\x10\x10\x10", Some("acme")),
            ("\x1b[6~", Some("hooli")),
            ("\x1b[F\x1b[B", Some("zürich-prod")),
            ("\x1bOH", Some("acme")),
            ("ü", Some("zürich-prod")),
            ("\x7foo", Some("hooli")),
            (" x", None),
            ("\x17", Some("hooli")),
            ("\x15gbx", Some("globex")),
            ("\x15", Some("acme")),
        ] {
            assert_eq!(typed(&mut picker, keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_frame_fits_the_terminal_and_shows_the_selected_row() {
        let names: Vec<String> = (0..40).map(|number| format!("日本-{number:02}\x1b[31m")).collect();
        let all = candidates(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (columns, lines) in [(80, 24), (20, 5), (9, 2), (1, 1), (300, 100)] {
            let mut picker = Picker::new("Profile:", &all, false);
            typed(&mut picker, "\x1b[F");
            let frame = picker.render_frame((columns, lines));
            let text = frame.strip_prefix(ERASE).unwrap();
            let rows: Vec<&str> = text[..text.rfind("\x1b[").unwrap()].split("\r\n").collect();
            assert!(rows.len() <= lines.max(2) && rows.len() <= MAX_LIST_LINES + 1, "{frame:?}");
            let lowest = rows.last().unwrap().split("\x1b[").next().unwrap();
            assert!(rows.iter().all(|row| row.split("\x1b[").next().unwrap().width() < columns.max(2)), "{frame:?}");
            assert!(columns < 20 || lowest.starts_with(">   日本-39\\u{1b}"), "{frame:?}");
        }
    }
}
