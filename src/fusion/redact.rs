//! Text of a server, made fit to be shown: our own secrets struck out, control characters gone, short.

use crate::profile::hex;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// The most characters of a server's text that are shown.
const MOST: usize = 500;
/// What stands where a secret stood.
const STRUCK: &str = "[redacted]";
/// The shortest run of characters that is taken for a piece of a secret.
const PIECE: usize = 12;
/// The shortest secret, in bytes, that is looked for in hex and in base64.
const SHORTEST_SPELT: usize = 6;

/// Knows the secrets of one request, so that a server which echoes them does not bring them to light.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    own: Vec<Secret>,
    /// These in all their spellings, made when there is text to strike them out of.
    spelt: OnceLock<Vec<Secret>>,
}

/// An error as the reference has it: `{"status", "name", "message"}`; each part may be missing.
#[derive(Deserialize)]
struct ErrorAnswer {
    message: Option<String>,
    name: Option<String>,
}

impl Redactor {
    /// Strikes out these and each part of a JWT, also where they come back cut, percent-encoded, in hex or in base64.
    pub(super) fn new(secrets: Vec<Secret>) -> Self {
        Self { own: secrets, spelt: OnceLock::new() }
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
        for secret in self.secrets().iter().map(Secret::reveal).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, STRUCK);
        }
        self.strike_pieces(&text)
    }

    fn secrets(&self) -> &[Secret] {
        self.spelt.get_or_init(|| {
            let mut secrets = self.own.clone();
            secrets.extend(self.own.iter().flat_map(parts));
            let spellings: Vec<Secret> = secrets.iter().flat_map(spellings).collect();
            secrets.extend(spellings);
            secrets
        })
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
        run.len() >= PIECE && (run.contains("eyJ") || self.secrets().iter().any(|secret| secret.reveal().contains(run)))
    }
}

/// The parts of a JWT that are long enough to be told from other text; of any other secret nothing, or as little.
fn parts(secret: &Secret) -> Vec<Secret> {
    let text = secret.reveal();
    text.split('.')
        .filter(|part| (PIECE..text.len()).contains(&part.len()))
        .map(|part| part.to_owned().into())
        .collect()
}

/// The other ways in which a secret may be written: as a form has it, every byte percent-encoded, hex, and what base64
/// makes of it alone at each of its three offsets. Of a short one the last two are left out: they would be found by
/// chance.
fn spellings(secret: &Secret) -> Vec<Secret> {
    let bytes = secret.reveal().as_bytes();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut percent = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let _ = write!(percent, "%{byte:02X}");
    }
    let mut spellings: Vec<Secret> = [form, percent.to_ascii_lowercase(), percent].map(Secret::new).into();
    if bytes.len() < SHORTEST_SPELT {
        return spellings;
    }
    let hex = hex(bytes);
    spellings.extend([hex.to_ascii_uppercase(), hex].map(Secret::new));
    for offset in 0..3 {
        let shifted = Zeroizing::new([&[0; 3][..offset], bytes].concat());
        // Only the characters that no neighbouring byte has a part in.
        let own = (offset * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for base in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(base.encode(shifted.as_slice()));
            spellings.push(Secret::new(encoded[own.clone()].to_owned()));
        }
    }
    spellings
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
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
            "key \u{2060}appkey-01\u{ad}23456789".to_owned(),
            "part %63%32%6C%6E%62%6D%46%30%64%58%4A%6C%4C%57%39%6D%4C%57%6C%30".to_owned(),
            "form pass+word%261".to_owned(),
            "form pass word&1".to_owned(),
            "form %70%61%73%73%20%77%6F%72%64%26%31 and %70%61%73%73%20%77%6f%72%64%26%31".to_owned(),
            "hex 7061737320776f72642631 and 7061737320776F72642631".to_owned(),
        ] {
            let shown = redactor().show(&echo);
            assert!(shown.contains(STRUCK), "{shown}");
            for piece in ["eyJ", "c2lnbmF0", "appkey-0", "pass"] {
                assert!(!shown.contains(piece), "{shown}");
            }
        }
    }

    #[test]
    fn r32_own_secrets_are_struck_out_of_base64_wherever_they_stand_in_it() {
        for secret in ["a?b>c~", "pass word&1", "a?b>c~d\u{e9}f", "0123456789abcdef"] {
            let redactor = Redactor::new(vec![secret.to_owned().into()]);
            for before in ["", "x", "xy", "xyz"] {
                for (after, base) in [("", &STANDARD_NO_PAD), ("tail", &STANDARD_NO_PAD), ("&", &URL_SAFE_NO_PAD)] {
                    let shown = redactor.show(&base.encode(format!("{before}{secret}{after}")));
                    assert!(shown.contains(STRUCK), "{before:?} {secret} {after}: {shown}");
                }
            }
        }
        // Of a short secret they would be found by chance; how a form writes it is told from other text.
        assert_eq!(
            Redactor::new(vec!["a&1".to_owned().into()]).show("612631 YSYx a%261 %61%26%31"),
            "612631 YSYx [redacted] [redacted]"
        );
        assert_eq!(Redactor::new(vec![String::new().into()]).show("plain"), "plain");
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
