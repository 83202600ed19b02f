//! Text of a server, made fit to be shown: our own secrets struck out, control characters gone, short.

use crate::secret::Secret;
use serde::Deserialize;

/// The most characters of a server's text that are shown.
const MOST: usize = 500;
/// What stands where a secret stood.
const STRUCK: &str = "[redacted]";
/// The shortest run of characters that is taken for a piece of a secret.
const PIECE: usize = 12;

/// Knows the secrets of one request, so that a server which echoes them does not bring them to light.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    secrets: Vec<Secret>,
}

/// An error as the reference has it: `{"status", "name", "message"}`; each part may be missing.
#[derive(Deserialize)]
struct ErrorAnswer {
    message: Option<String>,
    name: Option<String>,
}

impl Redactor {
    /// Strikes out these, also where they come back percent-encoded or cut.
    pub(super) fn new(secrets: Vec<Secret>) -> Self {
        let encoded: Vec<Secret> = secrets
            .iter()
            .map(|secret| url::form_urlencoded::byte_serialize(secret.reveal().as_bytes()).collect::<String>().into())
            .collect();
        Self { secrets: secrets.into_iter().chain(encoded).collect() }
    }

    /// What an error answer says in words: `message`, else `name`, else a body that is plain text.
    /// Empty for a page of HTML, bytes, or nothing.
    pub(super) fn message(&self, body: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(body) else { return String::new() };
        match serde_json::from_str::<ErrorAnswer>(text) {
            Ok(answer) => self.show(&answer.message.or(answer.name).unwrap_or_default()),
            Err(_) if text.trim_start().starts_with(['<', '{', '[', '"']) => String::new(),
            Err(_) => self.show(text),
        }
    }

    /// One line of at most 500 characters without a secret or a character that steers a terminal.
    pub(super) fn show(&self, text: &str) -> String {
        // Struck out before and after the cleaning: a control character inside must not hide a secret.
        let line = plain_line(&self.strike(text));
        let struck = self.strike(&line);
        match struck.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", &struck[..end]),
            None => struck,
        }
    }

    fn strike(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().map(Secret::reveal).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, STRUCK);
        }
        self.strike_pieces(&text)
    }

    /// Strikes runs of token characters that are a part of a secret (an echo may be cut), or look like a JWT.
    fn strike_pieces(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_token_character) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_token_character(c)).unwrap_or(from.len());
            let (run, after) = from.split_at(end);
            shown.push_str(before);
            shown.push_str(if self.is_piece(run) { STRUCK } else { run });
            rest = after;
        }
        shown + rest
    }

    fn is_piece(&self, run: &str) -> bool {
        let run = run.trim_end_matches('.');
        run.len() >= PIECE && (run.contains("eyJ") || self.secrets.iter().any(|secret| secret.reveal().contains(run)))
    }
}

/// The characters that the tokens of the API are made of.
pub(super) fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._~+/=-".contains(c)
}

/// Without control characters, marks of writing direction and invisible joiners; white space as one blank.
fn plain_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !steers_layout(*c))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn steers_layout(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJhcHBrZXkiOiJrZXktMSJ9.c2lnbmF0dXJlLW9mLWl0";

    fn redactor() -> Redactor {
        Redactor::new(vec![
            JWT.to_owned().into(),
            "appkey-0123456789".to_owned().into(),
            "pass word&1".to_owned().into(),
            String::new().into(),
        ])
    }

    #[test]
    fn r32_own_secrets_are_struck_out() {
        for echo in [
            format!("bad token {JWT}"),
            format!("bad token {}", &JWT[..40]),
            "bad part eyJhcHBrZXkiOiJrZXktMSJ9".to_owned(),
            "bad part c2lnbmF0dXJlLW9mLWl0.".to_owned(),
            "key appkey-0123456789!".to_owned(),
            "key appkey-012345".to_owned(),
            "key \u{200b}appkey-01\u{0}23456789".to_owned(),
            "form pass+word%261".to_owned(),
            "form pass word&1".to_owned(),
        ] {
            let shown = redactor().show(&echo);
            assert!(shown.contains(STRUCK), "{shown}");
            for piece in ["eyJ", "c2lnbmF0", "appkey-0", "pass"] {
                assert!(!shown.contains(piece), "{shown}");
            }
        }
    }

    #[test]
    fn r32_text_is_one_short_clean_line() {
        let shown = redactor().show(&"é ".repeat(10_000));
        assert_eq!(shown.chars().count(), MOST + 1);
        assert_eq!(redactor().show("a\r\n\tb\u{1b}[31mc\u{202e}d\u{9b}e"), "a b[31mcde");
        assert_eq!(redactor().show("Missing or invalid credentials"), "Missing or invalid credentials");
    }

    #[test]
    fn the_words_of_an_error_answer() {
        for (body, words) in [
            (r#"{"status":401,"name":"Unauthorized","message":"bad credentials"}"#, "bad credentials"),
            (r#"{"status":401,"name":"Unauthorized"}"#, "Unauthorized"),
            ("{}", ""),
            (r#"{"message":5}"#, ""),
            ("<html>no</html>", ""),
            ("", ""),
            ("slow down\n", "slow down"),
        ] {
            assert_eq!(redactor().message(body.as_bytes()), words, "{body}");
        }
        assert_eq!(redactor().message(b"\xff\xfe"), "");
    }
}
