//! Formats a table as text for a terminal or as Markdown for a page.

use std::fmt::Write as _;

/// Header and rows. The first column is left-aligned, the others are right-aligned.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { head: head.map(str::to_owned).to_vec(), rows: vec![] }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.head.len(), "a cell for each column");
        self.rows.push(row);
    }

    pub(crate) fn text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| lines().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let mut text = String::new();
        for line in lines() {
            write!(text, "{:<1$}", line[0], width(0)).expect("text");
            for (column, cell) in line.iter().enumerate().skip(1) {
                write!(text, "  {cell:>0$}", width(column)).expect("text");
            }
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("| --- |{}\n", " ---: |".repeat(self.head.len() - 1));
        line(&self.head) + &rule + &self.rows.iter().map(|row| line(row)).collect::<String>()
    }
}
