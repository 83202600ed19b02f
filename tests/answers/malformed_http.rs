//! Broken HTTP and other protocols: one request, exit code 5.

use super::case::{AnswerCase, VALID_ANSWER, case, login, raw, raw_ok};
use super::runner::try_all;

/// Bytes sent in place of an answer before the connection closes.
const NO_HTTP: [(&str, &str); 36] = [
    ("nothing at all", ""),
    ("a NUL", "\0"),
    ("a blank line", "\r\n"),
    ("a greeting", "hello\r\n\r\n"),
    ("a grant without a header", VALID_ANSWER),
    ("a page without a header", "<html>\r\n<body>hello</body>\r\n</html>\r\n\r\n"),
    ("a protocol alone", "HTTP/1.1"),
    ("a protocol and a line end", "HTTP/1.1\r\n\r\n"),
    ("a status that lacks", "HTTP/1.1 \r\n\r\n"),
    ("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"),
    ("a status of six digits", "HTTP/1.1 200200 OK\r\n\r\n"),
    ("a status of letters", "HTTP/1.1 2OO OK\r\n\r\n"),
    ("a status below zero", "HTTP/1.1 -20 OK\r\n\r\n"),
    ("a status run together", "HTTP/1.1 200OK\r\n\r\n"),
    ("status 000", "HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n"),
    ("status 099", "HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n"),
    ("HTTP 9.9", "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("HTTP 2 in words", "HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("HTTP in small letters", "http/1.1 200 ok\r\ncontent-length: 0\r\n\r\n"),
    ("ICY", "ICY 200 OK\r\n\r\n"),
    ("a blank before it", " HTTP/1.1 200 OK\r\n\r\n"),
    ("a byte-order mark before it", "\u{feff}HTTP/1.1 200 OK\r\n\r\n"),
    ("an escape in the reason", "HTTP/1.1 200 \u{1b}[2J\r\n\r\n"),
    ("a NUL in the reason", "HTTP/1.1 200 \0\r\n\r\n"),
    ("a request", "POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\n\r\n"),
    ("the preface of HTTP 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a frame of HTTP 2", "\0\0\0\u{4}\0\0\0\0\0"),
    ("SSH", "SSH-2.0-OpenSSH_9.9\r\n"),
    ("mail", "220 mail.example.com ESMTP\r\n"),
    ("a mailbox", "+OK ready\r\n"),
    ("a cache", "-ERR unknown command\r\n"),
    ("an alert of TLS", "\u{15}\u{3}\u{3}\0\u{2}\u{2}("),
    ("a header cut", "HTTP/1.1 200 OK\r\ncontent-le"),
    ("a header that never ends", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"),
    ("only a promise", "HTTP/1.1 100 Continue\r\n\r\n"),
    ("only hints", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
];

/// Invalid header lines, added to a valid grant.
const BAD_HEADERS: [(&str, &str); 16] = [
    ("a header without a colon", "hello\r\n"),
    ("a header without a name", ": x\r\n"),
    ("a blank before the colon", "x-a : 1\r\n"),
    ("a blank in a name", "x a: 1\r\n"),
    ("a NUL in a name", "x\0a: 1\r\n"),
    ("an umlaut in a name", "xö: 1\r\n"),
    ("a NUL in a value", "x-a: 1\0\r\n"),
    ("an escape in a value", "x-a: \u{1b}[2J\r\n"),
    ("a delete in a value", "x-a: \u{7f}\r\n"),
    ("a folded header", "x-a: 1\r\n 2\r\n"),
    ("CR alone in a value", "x-a: 1\r2\r\n"),
    ("two lengths that differ", "content-length: 7\r\n"),
    ("a length below zero", "content-length: -1\r\n"),
    ("a length of letters", "content-length: abc\r\n"),
    ("a length with a sign", "content-length: +5\r\n"),
    ("a length beyond all numbers", "content-length: 18446744073709551616\r\n"),
];

/// Invalid chunked bodies. `GOOD` is replaced by a valid grant and `SIZE` by its length.
const BAD_CHUNKS: [(&str, &str); 12] = [
    ("a chunk cut", "40\r\n{\"access_token\""),
    ("a chunk without a size", "\r\nGOOD\r\n0\r\n\r\n"),
    ("a size of letters", "zz\r\nGOOD\r\n0\r\n\r\n"),
    ("a size below zero", "-1\r\nGOOD\r\n0\r\n\r\n"),
    ("a size with a sign", "+5\r\nGOOD\r\n0\r\n\r\n"),
    ("a huge size", "ffffffffffffffff\r\nGOOD\r\n0\r\n\r\n"),
    ("a size beyond all numbers", "fffffffffffffffff\r\nGOOD\r\n0\r\n\r\n"),
    ("a chunk longer than its size", "4\r\nGOOD\r\n0\r\n\r\n"),
    ("no last chunk", "SIZE\r\nGOOD\r\n"),
    ("a last chunk without its end", "SIZE\r\nGOOD\r\n0"),
    ("a second size of nonsense", "SIZE\r\nGOOD\r\nxyz\r\n\r\n"),
    ("no chunks at all", "GOOD"),
];

/// All cases of this file.
pub(super) fn cases() -> Vec<AnswerCase> {
    let broke = |name: &str, fault| case(name, fault).stderr_has("the connection to ");
    let mut cases: Vec<AnswerCase> = NO_HTTP.iter().map(|(name, text)| broke(name, login().raw(*text))).collect();
    cases.extend(BAD_HEADERS.iter().map(|(name, header)| broke(name, raw_ok(header, VALID_ANSWER))));
    for (name, text) in BAD_CHUNKS {
        let body = text.replace("SIZE", &format!("{:x}", VALID_ANSWER.len())).replace("GOOD", VALID_ANSWER);
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked";
        cases.push(case(name, raw(head, body)).stderr_has("is not usable: it breaks off"));
    }
    let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
    cases.push(broke("all bytes there are", login().raw(bytes)));
    cases.push(broke("a megabyte of NULs", login().raw(vec![0; 1_000_000])));
    cases.push(broke("the connection ends without a word", login().close()));
    let short = |length: usize| raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}"), VALID_ANSWER);
    cases.push(case("a length too long", short(VALID_ANSWER.len() + 1)).stderr_has("is not usable: it breaks off"));
    cases.push(case("a length far too long", short(1 << 40)).stderr_has("is not usable: it breaks off"));
    cases.push(
        case("a length too short", short(VALID_ANSWER.len() - 1))
            .stderr_has("is not usable: it is not one JSON object"),
    );
    cases.push(case("a length of nothing", short(0)).stderr_has("is not usable: it is not one JSON object"));
    cases.push(case("an answer lost in the middle", login().cut_body(20)).stderr_has("is not usable: it breaks off"));
    cases
}

#[test]
fn r30_broken_http_and_what_is_no_http_is_5() {
    try_all("answers that are broken HTTP or none", &cases(), 8, &[]);
}
