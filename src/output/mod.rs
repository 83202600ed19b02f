//! Terminal and stream output: tables, JSON, CSV, shell text, prompts, and sanitized foreign text.
//!
//! Owns every byte that neto prints. Knows nothing of the domain: callers pass rows, names and messages. Results go to
//! stdout; messages and prompts go to stderr.

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

pub use checklist::{ChecklistItem, render_checklist};
pub use passthrough::Passthrough;
pub use prefixed_lines::{LinePrefix, PrefixedLines};
pub use progress::ProgressLine;
pub use prompt::{Candidate, PromptError, confirm, read_hidden};
pub use sanitize::{sanitize_block, sanitize_line, truncate_chars, truncate_columns, wrap_words};
pub use shell::{
    EnvFormat, Shell, ShellError, environments_json, github_masks, quote_for_display, quote_word, shell_from_program,
};
pub use table::{
    Align, Cell, Column, Format, RenderOptions, Row, Shrink, render_details, render_json, render_json_line, render_rows,
};
pub use ui::{ColorChoice, OutputStream, Streams, Ui, Volume};
