//! Stores that a repository cannot contain: other encodings, stray bytes, depth, size, and files of unsafe type or
//! owner.

use super::{StoreFixture, assert_no_differences, one_line, run};
use crate::torture::scale::{print_summary, report_skipped};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Maximum size of a store, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// Returns a store with these bytes in the middle of a secret.
fn with_secret_bytes(inside: &[u8]) -> Vec<u8> {
    [b"version = 1\n[profiles.acme]\nnetosecret = \"canary-", inside, b"-secret\"\n"].concat()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// Name of a store, its bytes, and the expected error.
type ByteCase = (&'static str, Vec<u8>, &'static str);

/// Stores that are not UTF-8.
fn encodings() -> Vec<ByteCase> {
    let plain = "version = 1\n[profiles.acme]\nnetosecret = \"canary-secret\"\n";
    let marked = format!("\u{feff}{plain}");
    let is_utf16 = "line 1, column 1: the file is UTF-16, not UTF-8 hint: save the file as UTF-8";
    vec![
        ("UTF-16, little end first, marked", utf16(&marked, u16::to_le_bytes), is_utf16),
        ("UTF-16, big end first, marked", utf16(&marked, u16::to_be_bytes), is_utf16),
        ("UTF-16, little end first", utf16(plain, u16::to_le_bytes), is_utf16),
        ("UTF-16, big end first", utf16(plain, u16::to_be_bytes), is_utf16),
        ("UTF-16 with one letter", b"\xff\xfev\0".to_vec(), is_utf16),
        ("a bad byte at the start", [b"\x80", plain.as_bytes()].concat(), "line 1, column 1: byte 0 is not UTF-8"),
        (
            "a bad byte in a key",
            b"version = 1\n[profiles.ac\xe9e]\n".to_vec(),
            "line 2, column 13: byte 24 is not UTF-8",
        ),
        ("a bad byte in a secret", with_secret_bytes(b"\xfe"), "line 3, column 22: byte 49 is not UTF-8"),
        ("a bad byte in a comment", b"version = 1 # \xc3\n".to_vec(), "line 1, column 15: byte 14 is not UTF-8"),
        ("a bad byte at the end", [plain.as_bytes(), b"\xff"].concat(), "line 4, column 1: byte 57 is not UTF-8"),
        (
            "a character cut off at the end",
            b"version = 1\n# \xe2\x82".to_vec(),
            "line 2, column 3: byte 14 is not UTF-8",
        ),
        ("an accent of Latin-1", with_secret_bytes(b"caf\xe9"), "line 3, column 25: byte 52 is not UTF-8"),
        ("a slash in two bytes", with_secret_bytes(b"\xc0\xaf"), "line 3, column 22: byte 49 is not UTF-8"),
        ("half a surrogate pair", with_secret_bytes(b"\xed\xa0\x80"), "line 3, column 22: byte 49 is not UTF-8"),
        ("beyond Unicode", with_secret_bytes(b"\xf4\x90\x80\x80"), "line 3, column 22: byte 49 is not UTF-8"),
        (
            "a secret's bytes as they are",
            with_secret_bytes(&(0x80..=0xff).collect::<Vec<u8>>()),
            "line 3, column 22: byte 49 is not UTF-8",
        ),
    ]
}

/// Stores with characters that TOML forbids at that place, and files that are not text.
fn characters() -> Vec<ByteCase> {
    let plain = "version = 1\n[profiles.acme]\nnetosecret = \"canary-secret\"\n";
    let control = "line 3, column 22: profiles.acme.netosecret: a control character, which TOML does not allow";
    vec![
        (
            "two byte-order marks",
            format!("\u{feff}\u{feff}{plain}").into_bytes(),
            "line 1, column 1: a key with characters that need quotes",
        ),
        (
            "a byte-order mark within",
            plain.replace('[', "\u{feff}[").into_bytes(),
            "line 2, column 2: a key without '=' and a value",
        ),
        ("NUL in a text", with_secret_bytes(b"\0"), control),
        ("an escape sequence in a text", with_secret_bytes(b"\x1b[2J"), control),
        ("a bell in a text", with_secret_bytes(b"\x07"), control),
        ("delete in a text", with_secret_bytes(b"\x7f"), control),
        ("a carriage return in a text", with_secret_bytes(b"\r"), control),
        (
            "NUL in a comment",
            b"version = 1 # canary \0\n".to_vec(),
            "line 1, column 22: version: a control character, which TOML does not allow",
        ),
        (
            "an escape sequence in a comment",
            b"version = 1\n# \x1b[2Jcanary\n".to_vec(),
            "line 2, column 3: a control character, which TOML does not allow",
        ),
        ("NUL alone on a line", b"version = 1\n\0\n".to_vec(), "line 2, column 2: a key without '=' and a value"),
        (
            "NUL behind the last line",
            [plain.as_bytes(), b"\0"].concat(),
            "line 4, column 2: profiles.acme: a key without '=' and a value",
        ),
        (
            "nothing but NUL",
            vec![0; 4096],
            "line 1, column 1: the file is UTF-16, not UTF-8 hint: save the file as UTF-8",
        ),
        (
            "a form feed between lines",
            b"version = 1\n\x0c\n[profiles.acme]\n".to_vec(),
            "line 2, column 2: a key without '=' and a value",
        ),
        (
            "line ends of an old Macintosh",
            plain.replace('\n', "\r").into_bytes(),
            "line 1, column 12: version: a carriage return without a line feed",
        ),
        (
            "a carriage return in a comment",
            b"version = 1 # canary\r# canary\n".to_vec(),
            "line 1, column 21: version: a carriage return without a line feed",
        ),
        (
            "a carriage return in a secret over lines",
            b"version = 1\n[profiles.acme]\nnetosecret = '''\rcanary-secret'''\n".to_vec(),
            "line 3, column 17: profiles.acme.netosecret: a carriage return without a line feed",
        ),
        (
            "a blank that does not break",
            "version\u{a0}= 1\n".into(),
            "line 1, column 8: a key with characters that need quotes",
        ),
        (
            "a blank of no width in a key",
            "version = 1\nver\u{200b}sion = 1\n".into(),
            "line 2, column 4: a key with characters that need quotes",
        ),
        (
            "a line separator of Unicode",
            "version = 1\u{2028}explicit = true\n".into(),
            "line 1, column 22: version: the line goes on where it should end",
        ),
        (
            "an equals sign of full width",
            "version \u{ff1d} 1\n".into(),
            "line 1, column 9: version: a key without '=' and a value",
        ),
        ("the head of an image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "line 1, column 1: byte 0 is not UTF-8"),
        (
            "the head of an archive",
            b"PK\x03\x04\x14\0canary".to_vec(),
            "line 1, column 13: a key without '=' and a value",
        ),
        (
            "the head of a program",
            b"\x7fELF\x02\x01\x01\0canary".to_vec(),
            "line 1, column 15: a key without '=' and a value",
        ),
        ("the head of a packed file", b"\x1f\x8b\x08\0canary".to_vec(), "line 1, column 2: byte 1 is not UTF-8"),
        (
            "an age file that is not armored",
            b"age-encryption.org/v1\n-> X25519 canary\n".to_vec(),
            "line 1, column 22: a key without '=' and a value",
        ),
    ]
}

#[test]
fn r43_what_is_no_text_of_toml_is_told_by_its_place() {
    let fixture = StoreFixture::new();
    let stores = [encodings(), characters()].concat();
    let mut all = Vec::new();
    for (name, bytes, expected) in &stores {
        fixture.sandbox.write_store(bytes);
        let expected = format!("error: {}: {expected}", fixture.path().display());
        let mut differing = fixture.refusal_differences(3, &expected);
        if fs::read(fixture.path()).expect("the store") != *bytes {
            differing.push("the store was changed".to_owned());
        }
        all.push(((*name).to_owned(), differing));
    }
    assert_no_differences(&all);
    print_summary(&format!("{} stores of stray bytes through 5 commands each: told by their place", stores.len()));
}

/// Stores that are nested too deep or too long, and the expected errors.
fn deep_stores() -> Vec<(&'static str, String, &'static str)> {
    let many = 100_000;
    let within = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
    vec![
        ("65 lists", format!("version = 1\nx = {}\n", within(65)), "line 2, column 69: nested deeper than 64 levels"),
        (
            "65 tables",
            format!("version = 1\nx = {}\n", "{a=".repeat(65)),
            "line 2, column 197: nested deeper than 64 levels",
        ),
        (
            "66 parts of a key",
            format!("version = 1\n{}a = 1\n", "a.".repeat(65)),
            "line 2, column 130: nested deeper than 64 levels",
        ),
        (
            "a header of 66 parts",
            format!("version = 1\n[{}a]\n", "a.".repeat(65)),
            "line 2, column 129: nested deeper than 64 levels",
        ),
        (
            "100,000 lists",
            format!("version = 1\nx = {}\n", within(many)),
            "line 2, column 69: nested deeper than 64 levels",
        ),
        (
            "100,000 open lists",
            format!("version = 1\nx = {}", "[".repeat(many)),
            "line 2, column 69: nested deeper than 64 levels",
        ),
        (
            "100,000 open lists over lines",
            format!("version = 1\nx = {}", "[\n".repeat(many)),
            "line 66, column 1: nested deeper than 64 levels",
        ),
        (
            "100,000 open tables",
            format!("version = 1\nx = {}", "{a=".repeat(many)),
            "line 2, column 197: nested deeper than 64 levels",
        ),
        (
            "100,000 parts of a key",
            format!("version = 1\n{}a = 1\n", "a.".repeat(many)),
            "line 2, column 130: nested deeper than 64 levels",
        ),
        (
            "a header of 100,000 parts",
            format!("version = 1\n[{}a]\n", "a.".repeat(many)),
            "line 2, column 129: nested deeper than 64 levels",
        ),
        (
            "deep in a secret's place",
            format!("version = 1\n[profiles.acme]\nsecret = {}\n", within(many)),
            "line 3, column 74: nested deeper than 64 levels",
        ),
        // The deepest permitted nesting, but an unknown key.
        ("64 lists", format!("version = 1\nx = {}\n", within(64)), "line 2, column 1: x: unknown key"),
        ("64 parts of a key", format!("version = 1\n{}a = 1\n", "a.".repeat(63)), "line 2, column 1: a: unknown key"),
        // Large numbers of one element.
        (
            "100,000 open texts",
            format!("version = 1\n{}", "\"canary\n".repeat(many)),
            "line 2, column 1: a text that is not closed by its quotes",
        ),
        (
            "100,000 bare words",
            format!("version = 1\n{}", "canary\n".repeat(many)),
            "line 2, column 7: a key without '=' and a value",
        ),
        (
            "100,000 unknown keys",
            format!("version = 1\n{}", (0..many).map(|n| format!("k{n} = 1\n")).collect::<Vec<_>>().concat()),
            "line 2, column 1: k0: unknown key",
        ),
        (
            "a name of 8 MiB",
            format!("version = 1\n[profiles.{}]\n", "a".repeat(8 << 20)),
            "line 2, column 11: profiles: a name has at most 64 characters",
        ),
        (
            "a line of 8 MiB",
            format!("version = 1\nx = \"{}\n", "canary".repeat(8 << 18)),
            "line 2, column 5: a text that is not closed by its quotes",
        ),
    ]
}

#[test]
fn r43_depth_and_length_are_told_at_once() {
    let fixture = StoreFixture::new();
    let stores = deep_stores();
    let mut all = Vec::new();
    for (name, text, expected) in &stores {
        fixture.sandbox.write_store(text);
        let expected = format!("error: {}: {expected}", fixture.path().display());
        all.push(((*name).to_owned(), fixture.refusal_differences(3, &expected)));
    }
    assert_no_differences(&all);
    print_summary(&format!("{} deep and long stores through 5 commands each: told, none waited for", stores.len()));
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

/// Object in place of the store file: its name, its constructor, and the expected exit code and error. In the error,
/// `STORE` is the path of the store, `HOME` its directory, and `WORK` the working directory.
struct Obstacle {
    name: &'static str,
    make: fn(&StoreFixture, &Path),
    code: i32,
    expected: &'static str,
}

/// A valid store.
const VALID_STORE: &str = "version = 1\n";

const OBSTACLES: &[Obstacle] = &[
    Obstacle {
        name: "a pipe",
        make: |fixture, path| _ = fixture.sandbox.program("mkfifo", ["-m", "600"]).arg(path).run().code(0),
        code: 3,
        expected: "error: STORE is a device or pipe, not a regular file",
    },
    Obstacle {
        name: "a folder",
        make: |_, path| fs::create_dir(path).expect("a folder"),
        code: 3,
        expected: "error: STORE is a folder, not a regular file",
    },
    Obstacle {
        name: "a link to a folder",
        make: |fixture, path| symlink(fixture.sandbox.work(""), path).expect("a link"),
        code: 3,
        expected: "error: STORE is a folder, not a regular file",
    },
    Obstacle {
        name: "a link to an endless device",
        make: |_, path| symlink("/dev/zero", path).expect("a link"),
        code: 3,
        expected: "error: STORE is a device or pipe, not a regular file",
    },
    Obstacle {
        name: "a link to itself",
        make: |_, path| symlink(path, path).expect("a link"),
        code: 1,
        expected: "error: cannot read STORE: too many levels of symbolic links",
    },
    Obstacle {
        name: "a link to a link back",
        make: |fixture, path| {
            symlink(fixture.sandbox.work("link"), path).expect("a link");
            symlink(path, fixture.sandbox.work("link")).expect("a link");
        },
        code: 1,
        expected: "error: cannot read STORE: too many levels of symbolic links",
    },
    Obstacle {
        name: "a link through a file",
        make: |fixture, path| {
            fs::write(fixture.sandbox.work("file"), VALID_STORE).expect("a file");
            symlink(fixture.sandbox.work("file/profiles.toml"), path).expect("a link");
        },
        code: 1,
        expected: "error: cannot read STORE: not a directory",
    },
    Obstacle {
        name: "a socket",
        make: |_, path| drop(UnixListener::bind(path).expect("a socket")),
        code: 1,
        expected: "error: cannot read STORE: no such device or address",
    },
    Obstacle {
        name: "a byte more than 64 MiB",
        make: |_, path| sized(path, MAX_SIZE + 1),
        code: 3,
        expected: "error: STORE has 67108865 bytes; at most 67108864 are read",
    },
    Obstacle {
        name: "a gigabyte of nothing",
        make: |_, path| sized(path, 1 << 30),
        code: 3,
        expected: "error: STORE has 1073741824 bytes; at most 67108864 are read",
    },
    Obstacle {
        name: "a link to a gigabyte of nothing",
        make: |fixture, path| {
            sized(&fixture.sandbox.work("large"), 1 << 30);
            // Excludes the file from the search for secrets.
            fixture.sandbox.allow_secrets_in(&fixture.sandbox.work("large"));
            symlink(fixture.sandbox.work("large"), path).expect("a link");
        },
        code: 3,
        expected: "error: STORE has 1073741824 bytes; at most 67108864 are read",
    },
    Obstacle {
        name: "a file that its group can write",
        make: |_, path| file(path, 0o620),
        code: 3,
        expected: "error: STORE can be written by others (mode 0620) hint: chmod go-w 'STORE'",
    },
    Obstacle {
        name: "a file that all can write",
        make: |_, path| file(path, 0o602),
        code: 3,
        expected: "error: STORE can be written by others (mode 0602) hint: chmod go-w 'STORE'",
    },
    Obstacle {
        name: "a file that is everybody's",
        make: |_, path| file(path, 0o666),
        code: 3,
        expected: "error: STORE can be written by others (mode 0666) hint: chmod go-w 'STORE'",
    },
    Obstacle {
        name: "a folder that its group can write",
        make: |fixture, path| {
            file(path, 0o600);
            set_mode(&fixture.sandbox.home(""), 0o770);
        },
        code: 3,
        expected: "error: HOME can be written by others (mode 0770) hint: chmod go-w 'HOME'",
    },
    Obstacle {
        name: "a folder that all can write, if sticky",
        make: |fixture, path| {
            file(path, 0o600);
            set_mode(&fixture.sandbox.home(""), 0o1777);
        },
        code: 3,
        expected: "error: HOME can be written by others (mode 1777) hint: mkdir -m 700 'HOME/neto' (and keep it there: this folder is everybody's)",
    },
    Obstacle {
        name: "a link into a folder that all can write",
        make: |fixture, path| {
            fs::create_dir(fixture.sandbox.work("shared")).expect("a folder");
            file(&fixture.sandbox.work("shared/profiles.toml"), 0o600);
            set_mode(&fixture.sandbox.work("shared"), 0o777);
            symlink(fixture.sandbox.work("shared/profiles.toml"), path).expect("a link");
        },
        code: 3,
        expected: "error: WORK/shared can be written by others (mode 0777) hint: chmod go-w 'WORK/shared'",
    },
];

fn sized(path: &Path, size: u64) {
    File::create(path).and_then(|file| file.set_len(size)).expect("a large file");
    set_mode(path, 0o600);
}

fn file(path: &Path, mode: u32) {
    fs::write(path, VALID_STORE).expect("a file");
    set_mode(path, mode);
}

/// Returns all differences from the expected errors for this object.
fn differences(obstacle: &Obstacle) -> Vec<String> {
    let fixture = StoreFixture::new();
    let path = fixture.path();
    fs::remove_file(&path).expect("the store that init made");
    (obstacle.make)(&fixture, &path);
    let (home, work) = (fixture.sandbox.home(""), fixture.sandbox.work(""));
    let text = |path: &Path| path.to_str().expect("text").trim_end_matches('/').to_owned();
    let expected =
        obstacle.expected.replace("STORE", &text(&path)).replace("HOME", &text(&home)).replace("WORK", &text(&work));
    let differing = fixture.refusal_differences(obstacle.code, &expected);
    set_mode(&home, 0o700);
    differing
}

#[test]
fn r2_r3_what_is_no_file_of_ones_own_is_told_at_once() {
    let all: Vec<_> = OBSTACLES.iter().map(|obstacle| (obstacle.name.to_owned(), differences(obstacle))).collect();
    assert_no_differences(&all);
    print_summary(&format!(
        "{} things in place of a store through 5 commands each: told, none waited for or written",
        OBSTACLES.len()
    ));
}

#[test]
fn r3_a_store_of_another_user_is_refused_and_one_that_cannot_be_read_is_not_absent() {
    let fixture = StoreFixture::new();
    file(&fixture.path(), 0o000);
    let expected = format!("error: cannot read {}: permission denied", fixture.path().display());
    for verb in [&["ls"][..], &["token", "acme"], &["profile", "add", "globex"]] {
        let outcome = run(fixture.sandbox.unprivileged_neto(verb).stdin(fixture.credential.netosecret()));
        outcome.code(1).stdout("");
        assert_eq!(one_line(&outcome.stderr), expected, "{outcome}");
    }
    set_mode(&fixture.path(), 0o600);
    if !rustix::process::geteuid().is_root() {
        report_skipped("only root can make a store that belongs to another user");
        return;
    }
    for (owner, code) in [(Some(65_534), 3), (Some(0), 0)] {
        chown(fixture.path(), owner, None).expect("another owner");
        let outcome = run(fixture.neto(&["ls"]));
        outcome.code(code).stdout("");
        if code != 0 {
            let expected = format!("error: {} belongs to another user (uid 65534)", fixture.path().display());
            let hint = "hint: run neto as the user whom its files belong to";
            assert_eq!(fixture.refusal_differences(code, &format!("{expected} {hint}")), Vec::<String>::new());
        }
    }
}

#[test]
fn r2_a_store_of_64_mib_is_read() {
    let fixture = StoreFixture::new();
    let head = "version = 1\n#";
    let rest = usize::try_from(MAX_SIZE).expect("a size") - head.len();
    fixture.sandbox.write_store(format!("{head}{}", "x".repeat(rest)));
    run(fixture.neto(&["ls", "-o", "json"])).code(0).stdout("[]\n");
}

#[test]
fn r3_nothing_is_made_where_a_link_leads_nowhere() {
    let fixture = StoreFixture::new();
    fs::remove_file(fixture.path()).expect("the store that init made");
    symlink(fixture.sandbox.work("gone/profiles.toml"), fixture.path()).expect("a link");
    for verb in [&["profile", "add", "globex"][..], &["token", "acme"], &["ls"], &["init"]] {
        run(fixture.neto(verb)).code(1).stdout("").stderr_has("which is not there\n  hint: neto init --link FILE\n");
    }
    assert!(fixture.path().is_symlink() && !fixture.sandbox.work("gone").exists());
    assert_eq!(fixture.sandbox.server().connections(), 0);
}
