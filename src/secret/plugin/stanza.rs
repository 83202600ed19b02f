//! Format of the commands between neto and a plugin. Each command is a stanza, as in the header of an age file.

use age_core::format::read;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// Length of a full line in the body of a stanza. The last line is shorter and may be empty.
const BODY_LINE_BYTES: usize = 64;

/// Start of every stanza.
const STANZA_START: &[u8] = b"-> ";

/// Command from a plugin: a line `-> NAME ARGUMENT...` and a body. The body may be a file key.
pub(super) struct PluginCommand {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Result of a search for a stanza at the start of the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StanzaScan {
    /// Start of a stanza, perhaps empty. More bytes are necessary.
    Incomplete,
    /// Complete stanza of this length, in bytes. The stanza may be invalid.
    Complete(usize),
    /// Bytes that cannot be the start of a stanza.
    NotAStanza,
}

/// Renders a stanza for a plugin. `words` are the name and the arguments of the command.
pub(super) fn render<'a>(words: impl IntoIterator<Item = &'a str>, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut first_line = String::from("->");
    for word in words {
        first_line.push(' ');
        first_line.push_str(word);
    }
    let first_line = Zeroizing::new(first_line);
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(body));
    // The capacity is reserved at once, because a growing vector would leave copies of a secret in memory.
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(first_line.len() + encoded.len() + encoded.len() / BODY_LINE_BYTES + 2));
    bytes.extend_from_slice(first_line.as_bytes());
    bytes.push(b'\n');
    for full_line in encoded.as_bytes().chunks_exact(BODY_LINE_BYTES) {
        bytes.extend_from_slice(full_line);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(encoded.as_bytes().chunks_exact(BODY_LINE_BYTES).remainder());
    bytes.push(b'\n');
    bytes
}

/// Searches for a stanza at the start of `bytes`. Checks only the start of the stanza and the lengths of its lines.
pub(super) fn scan(bytes: &[u8]) -> StanzaScan {
    let start_len = bytes.len().min(STANZA_START.len());
    if bytes[..start_len] != STANZA_START[..start_len] {
        return StanzaScan::NotAStanza;
    }
    let mut end = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        end += line.len();
        let Some((_, line)) = line.split_last().filter(|(last, _)| **last == b'\n') else {
            return StanzaScan::Incomplete;
        };
        if index > 0 && line.len() != BODY_LINE_BYTES {
            return StanzaScan::Complete(end);
        }
    }
    StanzaScan::Incomplete
}

/// Parses the bytes of a complete stanza, as found by [`scan`]. Returns `None` if the stanza is invalid.
pub(super) fn parse(bytes: &[u8]) -> Option<PluginCommand> {
    let (_, stanza) = read::age_stanza(bytes).ok()?;
    Some(PluginCommand {
        name: stanza.tag.to_owned(),
        arguments: stanza.args.iter().map(|&argument| argument.to_owned()).collect(),
        body: Zeroizing::new(stanza.body()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered_stanzas_parse_back_for_every_body_length() {
        for length in 0..200 {
            let body = vec![0xa5; length];
            let bytes = render(["request-secret", "0", "~!"], &body);
            assert_eq!(scan(&bytes), StanzaScan::Complete(bytes.len()), "{length}");
            for cut in 0..bytes.len() {
                assert_eq!(scan(&bytes[..cut]), StanzaScan::Incomplete, "{length} {cut}");
            }
            let command = parse(&bytes).unwrap();
            assert_eq!((command.name.as_str(), command.arguments.join(" ").as_str()), ("request-secret", "0 ~!"));
            assert_eq!(*command.body, body);
            let two = [bytes.as_slice(), b"-> done\n\n"].concat();
            assert_eq!(scan(&two), StanzaScan::Complete(bytes.len()), "{length}");
        }
        assert_eq!(render(["done"], b"").as_slice(), b"-> done\n\n");
    }

    #[test]
    fn invalid_stanzas_are_refused() {
        for bytes in ["hello\n", "- \n", "->x\n\n", "\n", "\u{1b}[2J"] {
            assert_eq!(scan(bytes.as_bytes()), StanzaScan::NotAStanza, "{bytes:?}");
        }
        let long = format!("-> x\n{}\n", "A".repeat(65));
        for bytes in [
            "-> \n\n",
            "-> x  y\n\n",
            "-> x\nA\n",
            "-> x\nAB\n",
            "-> x\nAA==\n",
            "-> x\n!\n",
            "-> x\r\n\r\n",
            "-> \u{e9}\n\n",
            &long,
        ] {
            assert_eq!(scan(bytes.as_bytes()), StanzaScan::Complete(bytes.len()), "{bytes:?}");
            assert!(parse(bytes.as_bytes()).is_none(), "{bytes:?}");
        }
    }
}
