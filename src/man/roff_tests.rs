//! The little of roff that a page is made of.

use std::fmt::Write as _;

/// Where each page says that it is made.
const MADE: &str = ".\\\" Made by a test; see CONTRIBUTING.md. Do not edit.";

/// A page as it grows.
pub(super) struct Page(String);

impl Page {
    /// Without a date, which would say when the page was made and not when it changed.
    pub(super) fn new(title: &str, section: u8) -> Self {
        let manual = if section == 1 { "neto Manual" } else { "File Formats" };
        // Neither words nor lines are stretched: what a reader copies is what stands there.
        Self(format!("{MADE}\n.TH {} {section} \"\" neto \"{manual}\"\n.nh\n.ad l\n", title.to_uppercase()))
    }

    pub(super) fn section(&mut self, heading: &str) -> &mut Self {
        self.line(&format!(".SH {}", quoted(&heading.to_uppercase())))
    }

    /// A part of a section, whose heading is written as it stands.
    pub(super) fn subsection(&mut self, heading: &str) -> &mut Self {
        self.line(&format!(".SS {}", quoted(heading)))
    }

    /// A paragraph, in which what stands in back quotes is bold.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.start_paragraph().line(&prose(text))
    }

    /// A paragraph below a term.
    pub(super) fn term(&mut self, term: &str, text: &str) -> &mut Self {
        self.line(".TP").line(&prose(term)).line(&prose(text))
    }

    /// Lines as they stand, to be pasted.
    pub(super) fn verbatim(&mut self, lines: &[&str]) -> &mut Self {
        self.start_paragraph().line(".RS 4").line(".EX");
        for line in lines {
            self.line(&at_line_start(&escaped(line).replace('`', r"\(ga")));
        }
        self.line(".EE").line(".RE")
    }

    /// The pages to go on with.
    pub(super) fn see_also(&mut self, pages: &[String]) -> &mut Self {
        self.section("See also");
        let last = pages.len().saturating_sub(1);
        for (place, page) in pages.iter().enumerate() {
            let (name, section) = page.split_once('(').unwrap();
            let comma = if place == last { "" } else { "," };
            self.line(&format!(".BR {} ({section}{comma}", escaped(name)));
        }
        self
    }

    /// A part that another made, in the form of this page.
    pub(super) fn part(&mut self, roff: &[u8]) -> &mut Self {
        let text = std::str::from_utf8(roff).unwrap();
        // A list of values is set off by one blank line, not by one between two breaks.
        let text = text.replace(".br\n\n.br\n", ".sp\n");
        // Its preamble chooses between two apostrophes; there is one that every roff knows.
        let lines = text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
        for line in lines {
            let line = line.replace(r"\\", r"\e").replace(r"\*(Aq", r"\(aq");
            let line = bold_quotes(&line.replace('^', r"\(ha").replace('~', r"\(ti"));
            // Between two paragraphs of one argument.
            self.line(if line.is_empty() { ".sp" } else { &line });
        }
        self
    }

    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }

    /// Below a heading stands a paragraph already.
    fn start_paragraph(&mut self) -> &mut Self {
        let below_heading = self.0.lines().last().is_some_and(|line| line.starts_with(".S"));
        if below_heading { self } else { self.line(".PP") }
    }

    fn line(&mut self, line: &str) -> &mut Self {
        let _ = writeln!(self.0, "{line}");
        self
    }
}

fn prose(text: &str) -> String {
    at_line_start(&bold_quotes(&escaped(text)))
}

/// Text in which nothing is taken for an escape, and every character is the one of ASCII. Back quotes are left.
fn escaped(text: &str) -> String {
    assert!(text.is_ascii(), "{text}");
    text.replace('\\', r"\e").replace('-', r"\-").replace('\'', r"\(aq").replace('^', r"\(ha").replace('~', r"\(ti")
}

/// What stands between back quotes in bold; one without its partner stays.
fn bold_quotes(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.replace('`', r"\(ga");
    }
    let font = |(place, part): (usize, &str)| if place % 2 == 1 { format!(r"\fB{part}\fR") } else { part.to_owned() };
    parts.into_iter().enumerate().map(font).collect()
}

/// A line that starts with a dot is no request.
fn at_line_start(text: &str) -> String {
    if text.starts_with('.') { format!(r"\&{text}") } else { text.to_owned() }
}

fn quoted(argument: &str) -> String {
    let argument = escaped(argument);
    if argument.contains(' ') { format!("\"{argument}\"") } else { argument }
}

#[test]
fn what_is_pasted_from_a_page_is_what_was_written() {
    let mut page = Page::new("x", 1);
    page.verbatim(&["curl 'a-b' `c` ~/d ^e \\f", ".g"]).paragraph("see `neto-x` or 'y'").term(".a", "it's");
    let text = page.finish();
    let lines: Vec<&str> = text.lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            ".PP",
            ".RS 4",
            ".EX",
            r"curl \(aqa\-b\(aq \(gac\(ga \(ti/d \(hae \ef",
            r"\&.g",
            ".EE",
            ".RE",
            ".PP",
            r"see \fBneto\-x\fR or \(aqy\(aq",
            ".TP",
            r"\&.a",
            r"it\(aqs",
        ]
    );
}
