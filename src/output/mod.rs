//! All output to streams and the terminal: tables, JSON, CSV, shell code, messages and prompts.
//!
//! No other module prints. Text from other sources is sanitized here, so that it cannot control the terminal. Results
//! go to stdout, messages to stderr, prompts to the terminal. Knows nothing of the domain: callers pass rows, names and
//! messages.

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
pub use prefixed_lines::{LinePrefix, PrefixedLineWriter};
pub use progress::ProgressLine;
pub use prompt::{Candidate, PromptError};
pub use sanitize::{sanitize_line, truncate_chars, truncate_columns, wrap_words};
pub use shell::{
    EnvFormat, Shell, ShellError, environments_json, github_masks, quote_for_display, quote_word, shell_from_program,
};
pub use table::{Cell, Column, Format, Row, Shrink, render_details, render_json, render_json_line, render_rows};
pub use ui::{ColorChoice, OutputStream, Streams, Ui, Volume};
