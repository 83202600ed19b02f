//! What the user sees: the streams, tables and JSON and CSV, text for shells, questions, and foreign text made harmless.
//!
//! Owns every byte that neto prints. Knows no word of the domain: callers bring rows, names and sentences.
//! The answer goes to stdout, the conversation to stderr.

pub mod ask;
pub mod checklist;
pub mod clean;
pub mod foreign;
pub mod lines;
pub mod progress;
pub mod shell;
pub mod ui;
pub mod view;

pub use ask::{AskError, Candidate, confirm, hidden};
pub use checklist::{Checked, checklist};
pub use clean::{clean, clean_block, fit, shorten, wrap};
pub use foreign::Foreign;
pub use lines::{Lines, Speaker};
pub use progress::Progress;
pub use shell::{EnvFormat, Shell, ShellError, add_masks, json_of_several, quoted, shell_of_parent, word};
pub use ui::{ColorChoice, Stream, Streams, Ui, Volume};
pub use view::{Align, Cell, Column, Format, Look, Narrow, Row, details, json_line, object, render};
