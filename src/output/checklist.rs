//! A page of things that were checked: under each heading a sentence a thing, a sign before it, and below it what to do.
//!
//! Owns how the page is laid out and wrapped. Does not know what was checked.

use anstyle::{Effects, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

use super::sanitize::{clean, clean_block};
use super::table::{Look, paint};

const HEADING: Style = Style::new().effects(Effects::BOLD);
/// Before a sign, and before a line to paste.
const EDGE: &str = "  ";
const INDENT: &str = "      ";

/// One thing that was checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The heading it stands under; those of one heading stand together.
    pub heading: String,
    /// One character before the sentence.
    pub sign: char,
    /// The colour of the sign.
    pub style: Style,
    /// The sentence.
    pub text: String,
    /// What to do: lines to paste, never wrapped.
    pub line: Option<String>,
}

/// The page. Sentences are wrapped where the width is known.
pub fn checklist(things: &[Checked], look: &Look) -> String {
    let mut page = String::new();
    let mut heading = "";
    for thing in things {
        if thing.heading != heading {
            heading = &thing.heading;
            let _ = writeln!(page, "{}", paint(heading, Some(HEADING), look));
        }
        let sign = paint(&thing.sign.to_string(), Some(thing.style), look);
        let edge = EDGE.len() + 2;
        let text = clean(&thing.text);
        let lines = wrapped(&text, look.width.map(|width| width.saturating_sub(edge)));
        let _ = writeln!(page, "{EDGE}{sign} {}", lines.join(&format!("\n{:edge$}", "")));
        for line in thing.line.iter().flat_map(|line| line.lines()) {
            let _ = writeln!(page, "{INDENT}{}", clean_block(line));
        }
    }
    page
}

/// Broken between words, so that no line is wider than this unless a word is.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.width() + 1 + word.width() <= width => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(heading: &str, text: &str, line: Option<&str>) -> Checked {
        let line = line.map(str::to_owned);
        Checked { heading: heading.to_owned(), sign: '!', style: Style::new(), text: text.to_owned(), line }
    }

    #[test]
    fn things_stand_under_their_heading_and_what_to_do_below_them() {
        let things = [
            thing("Keys", "one of them is too open", Some("chmod 600 'a file with a long name'\n(and rotate)")),
            thing("Keys", "two", None),
            thing("Store", "thr\x1bee\nfour", None),
        ];
        let wide = "Keys\n  ! one of them is too open\n      chmod 600 'a file with a long name'\n      (and rotate)\n  ! two\n\
                    Store\n  ! thr\\u{1b}ee\\nfour\n";
        assert_eq!(checklist(&things, &Look::default()), wide);
        let narrow = checklist(&things, &Look { width: Some(16), ..Look::default() });
        assert!(
            narrow.starts_with("Keys\n  ! one of them\n    is too open\n      chmod 600 'a file with a long name'\n")
        );
        assert_eq!(checklist(&[], &Look::default()), "");
    }

    #[test]
    fn colour_changes_no_column() {
        let things = [thing("Keys", "one of them is too open", None)];
        let look = Look { colour: true, width: Some(16) };
        let coloured = checklist(&things, &look);
        let parts = coloured.split('\x1b').enumerate();
        let bare: String =
            parts.map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 }).collect();
        assert_ne!(coloured, bare);
        assert_eq!(bare, checklist(&things, &Look { colour: false, ..look }));
    }
}
