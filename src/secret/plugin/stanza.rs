//! The words that neto and a plugin exchange: age stanzas, as they stand in the header of an age file.

use age_core::format::read;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// How long a line of a body is, but for the last one, which is shorter.
const COLUMNS: usize = 64;

/// What starts every stanza.
const START: &[u8] = b"-> ";

/// One word of a plugin: `-> NAME ARGUMENT...` and a body, which may be a file key.
pub(super) struct Command {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What the bytes that came so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// The start of a stanza; the rest is to come.
    Part,
    /// A stanza of so many bytes.
    Whole(usize),
    /// No start of any stanza.
    Other,
}

/// A stanza as it is sent.
pub(super) fn render<'a>(words: impl IntoIterator<Item = &'a str>, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut line = String::from("->");
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    let line = Zeroizing::new(line);
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(body));
    // Reserved at once: a vector that grows leaves copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + encoded.len() + encoded.len() / COLUMNS + 2));
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    for full in encoded.as_bytes().chunks_exact(COLUMNS) {
        bytes.extend_from_slice(full);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(encoded.as_bytes().chunks_exact(COLUMNS).remainder());
    bytes.push(b'\n');
    bytes
}

/// How far the stanza has come that `bytes` start with.
pub(super) fn measure(bytes: &[u8]) -> Prefix {
    let known = bytes.len().min(START.len());
    if bytes[..known] != START[..known] {
        return Prefix::Other;
    }
    let mut end = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        end += line.len();
        let Some((_, line)) = line.split_last().filter(|(last, _)| **last == b'\n') else { return Prefix::Part };
        if index > 0 && line.len() != COLUMNS {
            return Prefix::Whole(end);
        }
    }
    Prefix::Part
}

/// Reads what [`measure`] found whole; nothing when it is no stanza after all.
pub(super) fn parse(bytes: &[u8]) -> Option<Command> {
    let (_, stanza) = read::age_stanza(bytes).ok()?;
    Some(Command {
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
            assert_eq!(measure(&bytes), Prefix::Whole(bytes.len()), "{length}");
            for cut in 0..bytes.len() {
                assert_eq!(measure(&bytes[..cut]), Prefix::Part, "{length} {cut}");
            }
            let command = parse(&bytes).unwrap();
            assert_eq!((command.name.as_str(), command.arguments.join(" ").as_str()), ("request-secret", "0 ~!"));
            assert_eq!(*command.body, body);
            let two = [bytes.as_slice(), b"-> done\n\n"].concat();
            assert_eq!(measure(&two), Prefix::Whole(bytes.len()), "{length}");
        }
        assert_eq!(render(["done"], b"").as_slice(), b"-> done\n\n");
    }

    #[test]
    fn what_is_no_stanza_is_not_read() {
        for bytes in ["hello\n", "- \n", "->x\n\n", "\n", "\u{1b}[2J"] {
            assert_eq!(measure(bytes.as_bytes()), Prefix::Other, "{bytes:?}");
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
            assert_eq!(measure(bytes.as_bytes()), Prefix::Whole(bytes.len()), "{bytes:?}");
            assert!(parse(bytes.as_bytes()).is_none(), "{bytes:?}");
        }
    }
}
