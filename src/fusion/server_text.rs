//! Shows text from a server: without the request's secrets, without control characters, truncated.

use crate::secret::Redactor;
use serde::Deserialize;

/// Maximum number of characters of server text that are shown.
const MAX_SHOWN_CHARACTERS: usize = 500;

/// Error answer in the reference's form: `{"status", "name", "message"}`; each part may be missing.
#[derive(Deserialize)]
struct ErrorAnswer {
    message: Option<String>,
    name: Option<String>,
}

/// Returns the message of an error answer: `message`, else `name`, else a plain-text body. Returns an empty string
/// for HTML, binary data or an empty body.
pub(super) fn error_message(redactor: &Redactor, body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else { return String::new() };
    match serde_json::from_str::<ErrorAnswer>(text) {
        Ok(answer) => redacted_line(redactor, &answer.message.or(answer.name).unwrap_or_default()),
        Err(_) if text.trim_start().starts_with(['<', '{', '[', '"']) => String::new(),
        Err(_) => redacted_line(redactor, text),
    }
}

/// Returns the text as one line of at most 500 characters, without secrets and without terminal control characters.
pub(super) fn redacted_line(redactor: &Redactor, text: &str) -> String {
    // Redacted before and after sanitizing: a control character inside a secret must not hide the secret.
    let line = plain_line(&redactor.redact(text));
    let struck = redactor.redact(&line);
    match struck.char_indices().nth(MAX_SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &struck[..end]),
        None => struck,
    }
}

/// Removes control characters, text direction marks and invisible joiners; replaces each run of white space with a
/// blank.
fn plain_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !steers_layout(*c))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn steers_layout(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
