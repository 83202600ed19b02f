//! Format of the commands between neto and a plugin: age stanzas, as in the header of an age file.

use age_core::format::read;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// Length of every body line except the last line, which is shorter.
const BODY_LINE_LEN: usize = 64;

/// Start of every stanza.
const MARKER: &[u8] = b"-> ";

/// Command from a plugin: `-> NAME ARGUMENT...` and a body, which may be a file key.
pub(super) struct PluginCommand {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// State of the bytes received so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StanzaScan {
    /// Start of a stanza; more bytes must follow.
    Incomplete,
    /// Complete stanza with this length in bytes.
    Complete(usize),
    /// Bytes that cannot be the start of a stanza.
    NotAStanza,
}

/// Renders a stanza as sent to a plugin.
pub(super) fn render<'a>(parts: impl IntoIterator<Item = &'a str>, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut line = String::from("->");
    for part in parts {
        line.push(' ');
        line.push_str(part);
    }
    let line = Zeroizing::new(line);
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(body));
    // Reserved at once: a growing vector leaves copies of a secret in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + encoded.len() + encoded.len() / BODY_LINE_LEN + 2));
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    for full in encoded.as_bytes().chunks_exact(BODY_LINE_LEN) {
        bytes.extend_from_slice(full);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(encoded.as_bytes().chunks_exact(BODY_LINE_LEN).remainder());
    bytes.push(b'\n');
    bytes
}

/// Checks whether `bytes` start with a complete stanza.
pub(super) fn scan(bytes: &[u8]) -> StanzaScan {
    let known = bytes.len().min(MARKER.len());
    if bytes[..known] != MARKER[..known] {
        return StanzaScan::NotAStanza;
    }
    let mut end = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        end += line.len();
        let Some((_, line)) = line.split_last().filter(|(last, _)| **last == b'\n') else {
            return StanzaScan::Incomplete;
        };
        if index > 0 && line.len() != BODY_LINE_LEN {
            return StanzaScan::Complete(end);
        }
    }
    StanzaScan::Incomplete
}

/// Parses the bytes that [`scan`] found complete. Returns `None` if they are not a valid stanza.
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
    fn what_is_rendered_reads_back_at_every_length_of_the_body() {
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
    fn what_is_no_stanza_is_not_read() {
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
