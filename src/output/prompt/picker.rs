//! A list to choose from: moved through with the arrows, narrowed by typing.
//!
//! Owns what a key does to the list and how the list is drawn. It is drawn where the cursor stands, on standard error,
//! never on standard output, which a shell may be about to evaluate; when it ends nothing of it is left.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{Effects, Style};
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use super::decode::{Decoder, Stroke};
use super::key_codes::{Keyboard as _, erase};
use super::{AskError, Raw, fuzzy, line, screen};
use crate::disk;
use crate::output::sanitize::{clean, fit};
use crate::output::table::Cell;

const CHOSEN: Style = Style::new().effects(Effects::INVERT);
const ASIDE: Style = Style::new().effects(Effects::DIMMED);
/// What can be done, behind the number of those that fit.
const KEYS: &str = "up, down, Enter; Esc leaves";
/// The most lines of the list that are shown at once.
const MOST_LINES: usize = 15;
/// The widest that a column is, but for the first.
const MOST_COLUMNS: usize = 28;
/// The longest text that is looked for, in bytes.
const LONGEST: usize = 256;
/// Up to the cursor nothing changes; behind and below it everything goes.
const ERASE: &str = "\r\x1b[J";

/// One of the things to choose from.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What is shown of it, in columns; the first is its name.
    pub cells: Vec<Cell>,
    /// What is typed is looked for in these, the first before all others.
    pub searched: Vec<String>,
    /// Whether it bears the mark, `*`.
    pub marked: bool,
}

/// Lets choose one of the candidates; nothing when that is left with Esc.
///
/// # Errors
/// Ctrl-C, SIGINT, SIGTERM or SIGHUP meanwhile, or a terminal that fails.
pub(in crate::output) fn pick(
    question: &str,
    candidates: &[Candidate],
    colour: bool,
) -> Result<Option<usize>, AskError> {
    let mut board = Board(Raw::start(disk::hold())?);
    let mut list = List::new(question, candidates, colour);
    let mut decoder = Decoder::default();
    let mut bytes = [0; 1024];
    let mut drawn = None;
    loop {
        let size = size();
        if drawn != Some(size) {
            draw(&list.frame(size))?;
            drawn = Some(size);
        }
        let count = board.0.read(&mut bytes)?;
        if count == 0 && decoder.pause() {
            return Ok(None);
        }
        if count == 0 {
            drawn = drawn.filter(|_| !board.0.retake().unwrap_or(true));
        }
        for stroke in bytes[..count].iter().filter_map(|byte| decoder.take(*byte)) {
            drawn = None;
            match list.key(stroke) {
                Step::Stays => {}
                Step::Ends(end) => return end,
                Step::Stops => {
                    draw(ERASE)?;
                    board.0.stop()?;
                }
            }
        }
    }
}

/// Shows the candidates with numbers and asks for one by its number or name; nothing where the answer is empty.
///
/// # Errors
/// As [`line`].
pub(in crate::output) fn numbered(candidates: &[Candidate]) -> Result<Option<usize>, AskError> {
    let table = Table::new(candidates);
    let digits = candidates.len().to_string().len();
    let rows = table.rows.iter().enumerate().map(|(place, row)| {
        let line = row.join("  ");
        format!("{:>digits$}) {} {}\n", place + 1, mark(&candidates[place]), line.trim_end())
    });
    let mut text = rows.collect::<String>();
    loop {
        screen().write_all(text.as_bytes())?;
        let answer = line("Number or name (empty leaves all as it is): ")?;
        if answer.is_empty() {
            return Ok(None);
        }
        let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let number = number.filter(|place| *place < candidates.len());
        let name = candidates.iter().position(|one| one.cells.first().is_some_and(|name| name.text == answer));
        match (number, name) {
            (Some(number), Some(name)) if number != name => {
                text = format!("That is the number of one and the name of another, whose number is {}.\n", name + 1);
            }
            (Some(place), _) | (None, Some(place)) => return Ok(Some(place)),
            (None, None) => text = String::from("There is no such number or name.\n"),
        }
    }
}

fn mark(candidate: &Candidate) -> char {
    if candidate.marked { '*' } else { ' ' }
}

/// The terminal's columns and lines.
fn size() -> (usize, usize) {
    let known = |cells: u16, usual| if cells == 0 { usual } else { usize::from(cells) };
    tcgetwinsize(io::stderr()).map_or((80, 24), |size| (known(size.ws_col, 80), known(size.ws_row, 24)))
}

/// The terminal while the list stands on it.
struct Board(Raw);

impl Drop for Board {
    fn drop(&mut self) {
        let _ = draw(ERASE);
    }
}

/// One write a frame, so that nothing flickers.
fn draw(frame: &str) -> io::Result<()> {
    io::stderr().write_all(frame.as_bytes())
}

/// What a key leads to.
enum Step {
    Stays,
    Ends(Result<Option<usize>, AskError>),
    /// Ctrl-Z.
    Stops,
}

/// The cells of all candidates, cleaned and as wide as their columns.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(candidates: &[Candidate]) -> Self {
        let texts = candidates.iter().map(|one| one.cells.iter().map(|cell| clean(&cell.text).into_owned()).collect());
        let mut rows: Vec<Vec<String>> = texts.collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        for column in 0..columns {
            let most = if column == 0 { usize::MAX } else { MOST_COLUMNS };
            let widest = rows.iter().filter_map(|row| row.get(column)).map(|text| text.width()).max();
            let width = widest.unwrap_or(0).min(most);
            for text in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                // What stands last may be as long as the line is.
                if column + 1 < columns {
                    let short = fit(text, width);
                    *text = format!("{short}{}", " ".repeat(width - short.width()));
                }
            }
        }
        Self { rows }
    }
}

/// The list as it stands.
struct List<'a> {
    question: &'a str,
    candidates: &'a [Candidate],
    colour: bool,
    table: Table,
    /// What is looked for in each, in lower case.
    searched: Vec<Vec<String>>,
    /// What was typed; the bytes of a character may come one by one.
    typed: Vec<u8>,
    /// The places of those that fit what was typed, best first.
    found: Vec<usize>,
    /// Which of these the cursor is on.
    at: usize,
    /// How many lines there were when it was drawn last: what a page is.
    page: usize,
}

impl<'a> List<'a> {
    fn new(question: &'a str, candidates: &'a [Candidate], colour: bool) -> Self {
        let lower = |one: &Candidate| one.searched.iter().map(|text| text.to_lowercase()).collect();
        Self {
            question,
            candidates,
            colour,
            table: Table::new(candidates),
            searched: candidates.iter().map(lower).collect(),
            typed: Vec::new(),
            found: (0..candidates.len()).collect(),
            at: 0,
            page: 1,
        }
    }

    fn key(&mut self, stroke: Stroke) -> Step {
        match stroke {
            Stroke::Byte(b'\r' | b'\n') => {
                if let Some(place) = self.found.get(self.at) {
                    return Step::Ends(Ok(Some(*place)));
                }
            }
            Stroke::Byte(0x03 | 0x1c) => return Step::Ends(Err(AskError::Interrupted)),
            Stroke::Byte(0x04) if self.typed.is_empty() => return Step::Ends(Ok(None)),
            Stroke::Byte(0x1a) => return Step::Stops,
            Stroke::Byte(0x10) | Stroke::Key { last: b'A' | b'Z', .. } => self.move_to(self.at.saturating_sub(1)),
            Stroke::Byte(0x0e | b'\t') | Stroke::Key { last: b'B', .. } => self.move_to(self.at + 1),
            Stroke::Key { number: 5, last: b'~' } => self.move_to(self.at.saturating_sub(self.page)),
            Stroke::Key { number: 6, last: b'~' } => self.move_to(self.at + self.page),
            Stroke::Key { last: b'H', .. } | Stroke::Key { number: 1 | 7, last: b'~' } => self.move_to(0),
            Stroke::Key { last: b'F', .. } | Stroke::Key { number: 4 | 8, last: b'~' } => self.move_to(usize::MAX),
            Stroke::Byte(0x15) => self.look_for(Vec::clear),
            Stroke::Byte(0x17) => self.look_for(|typed| {
                let words = typed.trim_ascii_end();
                typed.truncate(words.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1));
            }),
            Stroke::Byte(0x08 | 0x7f) => self.look_for(erase),
            Stroke::Byte(byte @ 0x20..) if self.typed.len() < LONGEST => self.look_for(|typed| typed.push(byte)),
            Stroke::Byte(_) | Stroke::Key { .. } => {}
        }
        Step::Stays
    }

    fn move_to(&mut self, place: usize) {
        self.at = place.min(self.found.len().saturating_sub(1));
    }

    /// What was typed changes, and with it what fits.
    fn look_for(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.typed);
        let words = fuzzy::words(&String::from_utf8_lossy(&self.typed));
        let scored = self.searched.iter().enumerate();
        let mut scored: Vec<(usize, usize)> =
            scored.filter_map(|(place, fields)| Some((fuzzy::score(&words, fields)?, place))).collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, place)| place).collect();
        self.at = 0;
    }

    /// The whole picture; the cursor ends behind what was typed, in the first line.
    fn frame(&mut self, (columns, lines): (usize, usize)) -> String {
        // The last column stays free: what stands in it may or may not move the cursor to the next line.
        let width = columns.saturating_sub(1);
        self.page = lines.saturating_sub(1).clamp(1, MOST_LINES);
        let typed = String::from_utf8_lossy(&self.typed);
        let prompt = format!("{} {}", self.question, clean(&typed));
        let prompt = fit(&prompt, width);
        let aside = format!("   {} of {}   {KEYS}", self.found.len(), self.candidates.len());
        let aside = fit(&aside, width - prompt.width()).into_owned();
        let mut frame = format!("{ERASE}{prompt}{}", self.paint(ASIDE, &aside));
        let top = (self.at + 1).saturating_sub(self.page);
        let shown = self.found.iter().enumerate().skip(top).take(self.page);
        let mut below = 0;
        for (at, place) in shown {
            below += 1;
            frame += "\r\n";
            frame += &self.row(*place, at == self.at, width);
        }
        if below > 0 {
            let _ = write!(frame, "\x1b[{below}A");
        }
        frame += "\r";
        if prompt.width() > 0 {
            let _ = write!(frame, "\x1b[{}C", prompt.width());
        }
        frame
    }

    fn row(&self, place: usize, chosen: bool, width: usize) -> String {
        let candidate = &self.candidates[place];
        let row = &self.table.rows[place];
        let head = format!("{} {}", if chosen { '>' } else { ' ' }, mark(candidate));
        if chosen {
            return self.paint(CHOSEN, fit(format!("{head} {}", row.join("  ")).trim_end(), width).as_ref());
        }
        let (mut line, mut left) = (fit(&head, width).into_owned(), width.saturating_sub(head.len()));
        for (place, (text, cell)) in row.iter().zip(&candidate.cells).enumerate() {
            let gap = if place == 0 { " " } else { "  " };
            let text = format!("{gap}{text}");
            let piece = fit(&text, left);
            left -= piece.width();
            line += &match cell.style {
                Some(style) => self.paint(style, &piece),
                None => piece.into_owned(),
            };
        }
        line
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(names: &[&str]) -> Vec<Candidate> {
        let one = |name: &&str| Candidate {
            cells: vec![Cell::plain(*name), Cell::plain("tenant")],
            searched: vec![(*name).to_owned()],
            marked: *name == "acme",
        };
        names.iter().map(one).collect()
    }

    /// What is typed, as a terminal sends it; where the list then stands, by name.
    fn typed<'a>(list: &mut List<'a>, keys: &str) -> Option<&'a str> {
        let mut decoder = Decoder::default();
        for stroke in keys.bytes().filter_map(|byte| decoder.take(byte)) {
            assert!(matches!(list.key(stroke), Step::Stays), "{keys:?}");
        }
        list.found.get(list.at).map(|place| list.candidates[*place].cells[0].text.as_str())
    }

    #[test]
    fn keys_move_and_narrow() {
        let all = candidates(&["acme", "globex", "hooli", "zürich-prod"]);
        let mut list = List::new("Profile:", &all, false);
        list.frame((80, 3));
        for (keys, at) in [
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
            assert_eq!(typed(&mut list, keys), at, "{keys:?}");
        }
    }

    #[test]
    fn a_frame_keeps_to_the_terminal_and_shows_where_the_cursor_is() {
        let names: Vec<String> = (0..40).map(|number| format!("日本-{number:02}\x1b[31m")).collect();
        let all = candidates(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (columns, lines) in [(80, 24), (20, 5), (9, 2), (1, 1), (300, 100)] {
            let mut list = List::new("Profile:", &all, false);
            typed(&mut list, "\x1b[F");
            let frame = list.frame((columns, lines));
            let text = frame.strip_prefix(ERASE).unwrap();
            let rows: Vec<&str> = text[..text.rfind("\x1b[").unwrap()].split("\r\n").collect();
            assert!(rows.len() <= lines.max(2) && rows.len() <= MOST_LINES + 1, "{frame:?}");
            let lowest = rows.last().unwrap().split("\x1b[").next().unwrap();
            assert!(rows.iter().all(|row| row.split("\x1b[").next().unwrap().width() < columns.max(2)), "{frame:?}");
            assert!(columns < 20 || lowest.starts_with(">   日本-39\\u{1b}"), "{frame:?}");
        }
    }
}
