//! Makes text from a server safe to show: redacts the request's secrets, removes control characters, and truncates the
//! text.

use crate::secret::Redactor;
use serde::Deserialize;

/// Maximum number of characters of server text that are shown.
const MAX_SHOWN_CHARACTERS: usize = 500;

/// Body of an error response according to the reference: `{"status", "name", "message"}`. Each field may be missing.
#[derive(Deserialize)]
struct ErrorBody {
    message: Option<String>,
    name: Option<String>,
}

/// Returns the message of an error response: `message`, else `name`, else a plain-text body. Returns an empty string
/// for HTML, other JSON, data that is not UTF-8, or an empty body.
pub(super) fn error_message(redactor: &Redactor, body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else { return String::new() };
    match serde_json::from_str::<ErrorBody>(text) {
        Ok(error) => redacted_line(redactor, &error.message.or(error.name).unwrap_or_default()),
        Err(_) if text.trim_start().starts_with(['<', '{', '[', '"']) => String::new(),
        Err(_) => redacted_line(redactor, text),
    }
}

/// Returns the text as one line, without secrets and control characters. A line of more than 500 characters is cut off
/// and ends with `…`.
pub(super) fn redacted_line(redactor: &Redactor, text: &str) -> String {
    // Redact again after sanitizing: a control character inside a secret hides the secret from the first redaction.
    let sanitized = sanitized_line(&redactor.redact(text));
    let redacted = redactor.redact(&sanitized);
    match redacted.char_indices().nth(MAX_SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &redacted[..end]),
        None => redacted,
    }
}

/// Removes control characters, text direction marks and invisible joiners. Replaces each run of white space with a
/// blank, and trims the text.
fn sanitized_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_layout_control(*c))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_layout_control(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
