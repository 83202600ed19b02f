//! Renders a checklist, such as the report of `doctor`: each item has a symbol, a sentence and perhaps a suggested fix.
//!
//! Owns layout and wrapping. Does not perform the checks.

use anstyle::{Effects, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

use super::sanitize::{sanitize_block, sanitize_line};
use super::table::{RenderOptions, paint};

const HEADING_STYLE: Style = Style::new().effects(Effects::BOLD);
const SYMBOL_INDENT: &str = "  ";
const FIX_INDENT: &str = "      ";

/// Item of a checklist.
#[derive(Debug, Clone)]
pub struct ChecklistItem {
    /// Heading of the item's group. Callers pass items with the same heading next to each other.
    pub heading: String,
    /// Character printed before the sentence.
    pub symbol: char,
    /// Style of the symbol.
    pub style: Style,
    /// Result of the check, as a sentence.
    pub text: String,
    /// Suggested fix: lines that the user can paste, so they are never wrapped.
    pub fix: Option<String>,
}

/// Renders the items below their headings. Wraps the sentences if the terminal width is known.
pub fn render_checklist(items: &[ChecklistItem], options: &RenderOptions) -> String {
    let mut text = String::new();
    let mut heading = "";
    for item in items {
        if item.heading != heading {
            heading = &item.heading;
            let _ = writeln!(text, "{}", paint(heading, Some(HEADING_STYLE), options));
        }
        let symbol = paint(&item.symbol.to_string(), Some(item.style), options);
        let text_column = SYMBOL_INDENT.len() + 2;
        let sentence = sanitize_line(&item.text);
        let lines = wrap_optional(&sentence, options.width.map(|width| width.saturating_sub(text_column)));
        let _ = writeln!(text, "{SYMBOL_INDENT}{symbol} {}", lines.join(&format!("\n{:text_column$}", "")));
        for line in item.fix.iter().flat_map(|fix| fix.lines()) {
            let _ = writeln!(text, "{FIX_INDENT}{}", sanitize_block(line));
        }
    }
    text
}

/// Wraps the text between words into lines of at most `width` columns, if `width` is known. A wider word gets its own
/// line.
fn wrap_optional(text: &str, width: Option<usize>) -> Vec<String> {
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

    fn item(heading: &str, text: &str, fix: Option<&str>) -> ChecklistItem {
        let fix = fix.map(str::to_owned);
        ChecklistItem { heading: heading.to_owned(), symbol: '!', style: Style::new(), text: text.to_owned(), fix }
    }

    #[test]
    fn items_follow_their_heading_and_fixes_follow_their_item() {
        let items = [
            item("Keys", "one of them is too open", Some("chmod 600 'a file with a long name'\n(and rotate)")),
            item("Keys", "two", None),
            item("Store", "thr\x1bee\nfour", None),
        ];
        let wide = "Keys\n  ! one of them is too open\n      chmod 600 'a file with a long name'\n      (and rotate)\n  ! two\n\
                    Store\n  ! thr\\u{1b}ee\\nfour\n";
        assert_eq!(render_checklist(&items, &RenderOptions::default()), wide);
        let narrow = render_checklist(&items, &RenderOptions { width: Some(16), ..RenderOptions::default() });
        assert!(
            narrow.starts_with("Keys\n  ! one of them\n    is too open\n      chmod 600 'a file with a long name'\n")
        );
        assert_eq!(render_checklist(&[], &RenderOptions::default()), "");
    }

    #[test]
    fn color_does_not_change_the_layout() {
        let items = [item("Keys", "one of them is too open", None)];
        let options = RenderOptions { color: true, width: Some(16) };
        let colored = render_checklist(&items, &options);
        let parts = colored.split('\x1b').enumerate();
        let bare: String =
            parts.map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 }).collect();
        assert_ne!(colored, bare);
        assert_eq!(bare, render_checklist(&items, &RenderOptions { color: false, ..options }));
    }
}
