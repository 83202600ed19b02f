//! Writes the subset of roff that the manual pages need.

use std::fmt::Write as _;

/// First line of each page.
const NOTICE: &str = ".\\\" Made by a test; see CONTRIBUTING.md. Do not edit.";

/// Page under construction.
pub(crate) struct Page(String);

impl Page {
    /// Starts a page. It has no date, because that would be the date of generation and not of the last change.
    pub(crate) fn new(title: &str, section: u8) -> Self {
        let manual = if section == 1 { "neto Manual" } else { "File Formats" };
        // No hyphenation and no justification: a reader copies exactly what the page shows.
        Self(format!("{NOTICE}\n.TH {} {section} \"\" neto \"{manual}\"\n.nh\n.ad l\n", title.to_uppercase()))
    }

    pub(crate) fn section(&mut self, heading: &str) -> &mut Self {
        self.line(&format!(".SH {}", quoted(&heading.to_uppercase())))
    }

    /// Starts a subsection, with the heading unchanged.
    pub(crate) fn subsection(&mut self, heading: &str) -> &mut Self {
        self.line(&format!(".SS {}", quoted(heading)))
    }

    /// Adds a paragraph; text in back quotes is bold.
    pub(crate) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.start_paragraph().line(&prose(text))
    }

    /// Adds a term with a paragraph below it.
    pub(crate) fn term(&mut self, term: &str, text: &str) -> &mut Self {
        self.line(".TP").line(&prose(term)).line(&prose(text))
    }

    /// Adds lines to paste, unchanged.
    pub(crate) fn verbatim(&mut self, lines: &[&str]) -> &mut Self {
        self.start_paragraph().line(".RS 4").line(".EX");
        for line in lines {
            self.line(&at_line_start(&escaped(line).replace('`', r"\(ga")));
        }
        self.line(".EE").line(".RE")
    }

    /// Adds the list of related pages.
    pub(crate) fn see_also(&mut self, pages: &[String]) -> &mut Self {
        self.section("See also");
        let last = pages.len().saturating_sub(1);
        for (index, page) in pages.iter().enumerate() {
            let (name, section) = page.split_once('(').unwrap();
            let comma = if index == last { "" } else { "," };
            self.line(&format!(".BR {} ({section}{comma}", escaped(name)));
        }
        self
    }

    /// Adds roff that `clap_mangen` rendered, adapted to this page.
    pub(crate) fn part(&mut self, roff: &[u8]) -> &mut Self {
        let text = std::str::from_utf8(roff).unwrap();
        // One blank line before a list of values, not a blank line between two breaks.
        let text = text.replace(".br\n\n.br\n", ".sp\n");
        // The preamble defines an apostrophe; every roff knows `\(aq`.
        let lines = text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
        for line in lines {
            let line = line.replace(r"\\", r"\e").replace(r"\*(Aq", r"\(aq");
            let line = bold_quotes(&line.replace('^', r"\(ha").replace('~', r"\(ti"));
            // An empty line separates two paragraphs of one argument.
            self.line(if line.is_empty() { ".sp" } else { &line });
        }
        self
    }

    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }

    /// Starts a paragraph, except below a heading, where roff starts one itself.
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

/// Escapes text for roff so that every character prints as itself. Keeps back quotes.
fn escaped(text: &str) -> String {
    assert!(text.is_ascii(), "{text}");
    text.replace('\\', r"\e").replace('-', r"\-").replace('\'', r"\(aq").replace('^', r"\(ha").replace('~', r"\(ti")
}

/// Makes text between back quotes bold. An unpaired back quote stays.
fn bold_quotes(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.replace('`', r"\(ga");
    }
    let font = |(index, part): (usize, &str)| if index % 2 == 1 { format!(r"\fB{part}\fR") } else { part.to_owned() };
    parts.into_iter().enumerate().map(font).collect()
}

/// Protects a leading dot, which would start a roff request.
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
