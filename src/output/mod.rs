//! What the user sees: the streams, tables and JSON and CSV, text for shells, questions, and foreign text made harmless.
//!
//! Owns every byte that neto prints. Knows no word of the domain: callers bring rows, names and sentences.
//! The answer goes to stdout, the conversation to stderr.

pub mod checklist;
pub mod humanize;
pub mod passthrough;
pub mod prefixed_lines;
pub mod progress;
pub mod prompt;
pub mod sanitize;
pub mod shell;
pub mod table;
pub mod ui;

pub use checklist::{Checked, checklist};
pub use passthrough::Foreign;
pub use prefixed_lines::{Lines, Speaker};
pub use progress::Progress;
pub use prompt::{AskError, Candidate, confirm, hidden};
pub use sanitize::{clean, clean_block, fit, shorten, wrap};
pub use shell::{EnvFormat, Shell, ShellError, add_masks, json_of_several, quoted, shell_of_parent, word};
pub use table::{Align, Cell, Column, Format, Look, Narrow, Row, details, json_line, object, render};
pub use ui::{ColorChoice, Stream, Streams, Ui, Volume};
