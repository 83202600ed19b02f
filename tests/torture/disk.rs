//! R-7, R-8, promise 4: files that cannot be read or written. User data is never damaged, and the message contains the
//! path and the reason. If only the token cache or its lock fails, neto prints one warning and continues.

use super::scale::{print_summary, report_skipped};
use super::strace;
use crate::harness::{Call, Outcome, Sandbox};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// System errors, and the text of each error in neto's messages.
const READ_ERRORS: [(&str, &str); 3] =
    [("EIO", "input/output error"), ("EACCES", "permission denied"), ("EMFILE", "too many open files")];
const WRITE_ERRORS: [(&str, &str); 4] = [
    ("EIO", "input/output error"),
    ("ENOSPC", "no space left on device"),
    ("EDQUOT", "disk quota exceeded"),
    ("EROFS", "read-only file system"),
];

const OPEN: &str = "?open,openat";
const RENAME: &str = "?rename,?renameat,renameat2,?link,linkat";
const REMOVE: &str = "?unlink,unlinkat";

/// Expected result of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExpectedResult {
    /// This exit code, an error message, and an empty standard output.
    Error(i32),
    /// Exit code 0, a token, and one warning.
    Warning,
    /// Exit code 0 without a message.
    Success,
}

/// Creates a sandbox with two profiles. The first profile is current and has a cached token.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("beta");
    sandbox.neto(["use", "acme"]).run().code(0);
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox
}

/// Prepares a run in which these system calls fail with this error for this path.
fn with_failing_calls<'a>(sandbox: &'a Sandbox, path: &Path, calls: &str, error: &str, arguments: &[&str]) -> Call<'a> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
    let path = path.to_str().expect("a path");
    let options = ["-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &trace, "-e", &inject, "neto"];
    sandbox.program("strace", options.iter().chain(arguments)).allow_secret("access token")
}

/// Returns all files below `NETO_HOME`, except tokens and locks, with their contents.
fn lasting_files(sandbox: &Sandbox) -> Vec<(PathBuf, Vec<u8>)> {
    let is_lasting =
        |path: &PathBuf| path.extension().is_none_or(|extension| extension != "lock" && extension != "token");
    let mut files: Vec<_> = sandbox.home_files().into_iter().filter(is_lasting).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

/// Asserts that the run has the expected result, and that an error or warning contains the path and the reason.
#[track_caller]
fn assert_result(outcome: &Outcome, expected: ExpectedResult, path: &Path, reason: &str) {
    match expected {
        ExpectedResult::Success => {
            outcome.code(0).stderr("");
        }
        ExpectedResult::Error(code) => {
            outcome.code(code).stdout("").stderr_has("error: ").stderr_lacks("warning: ");
        }
        ExpectedResult::Warning => {
            outcome.code(0).stdout_has("eyJ");
            assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "it warns once: {outcome}");
        }
    }
    if expected != ExpectedResult::Success {
        outcome.stderr_has(&path.display().to_string()).stderr_has(reason);
    }
}

#[test]
fn r7_r8_a_file_that_cannot_be_read_is_not_taken_for_absent() {
    if !strace::works() {
        return;
    }
    let cases: [(&str, &[&str], ExpectedResult); 16] = [
        ("profiles.toml", &["token", "acme"], ExpectedResult::Error(1)),
        ("profiles.toml", &["status"], ExpectedResult::Error(1)),
        ("profiles.toml", &["profile", "edit", "acme", "--tag", "x"], ExpectedResult::Error(1)),
        ("profiles.toml", &["init"], ExpectedResult::Error(1)),
        ("keys/identity.txt", &["token", "acme", "--force"], ExpectedResult::Error(6)),
        ("keys/identity.txt", &["init"], ExpectedResult::Error(6)),
        ("keys/device.key", &["token", "acme"], ExpectedResult::Warning),
        ("tokens/acme.token", &["token", "acme"], ExpectedResult::Warning),
        ("state/trust.json", &["token", "acme", "--force"], ExpectedResult::Error(1)),
        ("state/trust.json", &["trust", "--all"], ExpectedResult::Error(1)),
        ("state/current.json", &["token"], ExpectedResult::Error(1)),
        ("state/current.json", &["use", "beta"], ExpectedResult::Error(1)),
        ("state/locks/acme.lock", &["token", "acme", "--force"], ExpectedResult::Warning),
        ("state/locks/acme.lock", &["logout", "acme"], ExpectedResult::Error(1)),
        ("state/locks/_current.lock", &["use", "beta"], ExpectedResult::Error(1)),
        // The failure file only informs other processes, so neto ignores errors on it.
        ("state/failures/acme.json", &["token", "acme", "--force"], ExpectedResult::Success),
    ];
    let sandbox = sandbox();
    let before = lasting_files(&sandbox);
    for (path, arguments, expected) in cases {
        let path = sandbox.home(path);
        for (error, reason) in READ_ERRORS {
            let outcome = with_failing_calls(&sandbox, &path, OPEN, error, arguments).run();
            assert_result(&outcome, expected, &path, reason);
            assert_eq!(lasting_files(&sandbox), before, "{error} of {}: {outcome}", path.display());
        }
    }
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    print_summary(&format!(
        "{} runs with a file that cannot be opened: all told or warned, nothing lost",
        cases.len() * 3
    ));
}

#[test]
fn r8_a_file_that_cannot_be_written_stays_as_it_was() {
    if !strace::works() {
        return;
    }
    let cases: [(&str, &str, &[&str], ExpectedResult); 8] = [
        ("profiles.toml", RENAME, &["profile", "edit", "acme", "--tag", "x"], ExpectedResult::Error(1)),
        ("profiles.toml", RENAME, &["profile", "remove", "beta", "--yes"], ExpectedResult::Error(1)),
        ("state/current.json", RENAME, &["use", "beta"], ExpectedResult::Error(1)),
        ("tokens/acme.token", RENAME, &["token", "acme", "--force"], ExpectedResult::Warning),
        ("tokens/acme.token", REMOVE, &["logout", "acme"], ExpectedResult::Error(1)),
        ("state/failures/acme.json", RENAME, &["token", "acme", "--force"], ExpectedResult::Success),
        ("keys/identity.txt", RENAME, &["init"], ExpectedResult::Error(6)),
        ("keys/device.key", RENAME, &["token", "acme"], ExpectedResult::Warning),
    ];
    let sandbox = sandbox();
    for (name, calls, arguments, expected) in cases {
        let path = sandbox.home(name);
        let away = sandbox.home("away");
        // neto writes a key file only if none exists, so an existing one is moved away first.
        let is_key = name.starts_with("keys/");
        for (error, reason) in WRITE_ERRORS {
            if is_key {
                fs::rename(&path, &away).expect("a key");
            }
            let before = lasting_files(&sandbox);
            let outcome = with_failing_calls(&sandbox, &path, calls, error, arguments).run();
            assert_result(&outcome, expected, &path, reason);
            assert_eq!(lasting_files(&sandbox), before, "{error} of {}: {outcome}", path.display());
            if is_key {
                fs::rename(&away, &path).expect("a key");
            }
        }
    }
    assert!(sandbox.temporary_files().is_empty());
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    print_summary(&format!(
        "{} runs with a file that cannot be replaced: all told or warned, nothing harmed",
        cases.len() * 4
    ));
}

#[test]
fn r7_what_a_user_wrote_is_kept_where_it_cannot_be_looked_at() {
    if !strace::works() {
        return;
    }
    let sandbox = sandbox();
    let path = sandbox.home(".gitignore");
    fs::write(&path, "mine\n").expect("a file");
    for verb in [&["token", "acme", "--force"][..], &["init"]] {
        fs::remove_file(sandbox.home("keys/device.key")).expect("a device key");
        with_failing_calls(&sandbox, &path, "?lstat,?newfstatat,statx", "EIO", verb).run().code(0);
        assert_eq!(fs::read_to_string(&path).expect("a file"), "mine\n");
    }
}

/// Prepares a run that cannot write files larger than this size (as with `ulimit -f`).
fn with_short_files<'a>(sandbox: &'a Sandbox, bytes: u32, arguments: &[&str]) -> Call<'a> {
    let limit = format!("--fsize={bytes}");
    sandbox.program("prlimit", [limit.as_str(), "neto"].iter().chain(arguments)).allow_secret("access token")
}

#[test]
#[cfg(target_os = "linux")]
fn r8_a_file_that_grows_too_large_is_an_error_and_no_death() {
    let sandbox = sandbox();
    let block =
        format!("\n[profiles.gamma]\nnetosecret = \"{}\"\n", sandbox.server().add_tenant("gamma", "soc").netosecret());
    sandbox.write_store(sandbox.store() + &block);
    let credential = sandbox.server().add_tenant("delta", "soc").netosecret();
    let cases: [(&str, &[&str]); 5] = [
        ("profiles.toml", &["profile", "edit", "acme", "--tag", "x"]),
        ("profiles.toml", &["profile", "add", "delta"]),
        ("profiles.toml", &["profile", "remove", "acme", "--yes"]),
        ("profiles.toml", &["seal"]),
        ("state/current.json", &["use", "beta"]),
    ];
    let before = lasting_files(&sandbox);
    // With 0 bytes nothing can be written, with 1 and 20 bytes only the start of a file.
    for bytes in [0, 1, 20] {
        for (name, arguments) in cases {
            let outcome = with_short_files(&sandbox, bytes, arguments).stdin(&credential).run();
            assert_result(&outcome, ExpectedResult::Error(1), &sandbox.home(name), "file too large");
            assert_eq!(lasting_files(&sandbox), before, "{outcome}");
        }
        let outcome = with_short_files(&sandbox, bytes, &["token", "acme", "--force"]).run();
        assert_result(&outcome, ExpectedResult::Warning, &sandbox.token_file("acme"), "file too large");
        // Commands that only read are not affected.
        with_short_files(&sandbox, bytes, &["token", "acme"]).run().code(0).stderr("");
        with_short_files(&sandbox, bytes, &["status"]).run().code(0);
    }
    assert!(sandbox.temporary_files().is_empty());
    for (_, arguments) in cases {
        sandbox.neto(arguments).stdin(&credential).run().code(0);
    }
    print_summary("15 writes beyond the largest file allowed: exit 1, the old file whole; 3 tokens printed, not kept");
}

#[test]
#[cfg(target_os = "linux")]
fn r8_too_few_descriptors_are_an_error_and_no_harm() {
    let sandbox = sandbox();
    let verbs: [&[&str]; 7] = [
        &["token", "acme"],
        &["token", "acme", "--force"],
        &["login", "--all", "--force"],
        &["profile", "edit", "acme", "--tag", "x"],
        &["use", "beta"],
        &["status"],
        &["exec", "acme", "--", "true"],
    ];
    let (mut failed, mut unstarted) = (0, 0);
    for count in 3..=12 {
        for arguments in verbs {
            let limit = format!("--nofile={count}");
            let run = sandbox.program("prlimit", [limit.as_str(), "neto"].iter().chain(arguments));
            let outcome = run.allow_secret("access token").run();
            if outcome.stderr.contains("error while loading shared libraries") {
                // The dynamic loader failed before neto started, because no descriptor was left.
                outcome.code(127);
                unstarted += 1;
                continue;
            }
            outcome.stderr_lacks("is a bug");
            let code = outcome.exit_code();
            assert!([0, 1, 5, 6, 8, 125].contains(&code), "with {count} descriptors: {outcome}");
            if code != 0 {
                failed += 1;
                outcome.stderr_has("error: ").stderr_has("oo many open files");
            }
            assert!(sandbox.has_profile("acme") && sandbox.has_profile("beta"), "with {count} descriptors: {outcome}");
        }
        sandbox.neto(["use", "acme"]).run().code(0);
        sandbox.neto(["profile", "edit", "acme", "--untag", "x"]).run();
    }
    assert!(sandbox.temporary_files().is_empty());
    sandbox.assert_intact(&["acme", "beta"]);
    assert!(failed > 0, "no limit was too low");
    print_summary(&format!(
        "70 runs with 3 to 12 descriptors: {failed} errors, {unstarted} not even loaded, 0 panics, 0 harm"
    ));
}

/// Copies the home to a small file system, which is first full, then read-only, then writable again. Prints the result
/// of each command in each state.
const SMALL_DISK_SCRIPT: &str = r#"
home=$1
mount -t tmpfs -o size=128k,mode=700 tmpfs "$home-small" || exit 99
cp -a "$home/." "$home-small"
cp "$home/profiles.toml" "$home-before"
NETO_HOME=$home-small
export NETO_HOME
try() { "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"; echo "$2 $?$(grep -c eyJ "$TMPDIR/out") $(grep -c '^warning: ' "$TMPDIR/err")"; cat "$TMPDIR/err" >&2; }
state() { find "$NETO_HOME" -name '.neto-tmp-*' | grep -c . ; cmp "$home-before" "$NETO_HOME/profiles.toml" && echo same; }
verbs() { try neto profile edit acme --tag x; try neto use beta; try neto token acme --force; try neto status; }
echo full
while dd if=/dev/zero bs=512 count=1 >>"$NETO_HOME/filler" 2>/dev/null; do :; done
verbs; state
rm "$NETO_HOME/filler"
mount -o remount,ro "$NETO_HOME" || exit 99
echo read-only
verbs; state
mount -o remount,rw "$NETO_HOME"
echo free
verbs
"#;

#[test]
#[cfg(target_os = "linux")]
fn r8_on_a_disk_that_is_full_or_read_only_nothing_is_harmed() {
    let may_mount = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        report_skipped("no file system can be mounted here (unshare -m, mount), so none is really full or read-only");
        return;
    }
    let sandbox = sandbox();
    let home = sandbox.home("");
    let home = home.to_str().expect("a path").trim_end_matches('/');
    fs::create_dir(format!("{home}-small")).expect("a folder");
    let outcome = sandbox.program("unshare", ["-m", "sh", "-c", SMALL_DISK_SCRIPT, "sh", home]).run();
    let refused = "profile 10 0\nuse 10 0\ntoken 01 1\nstatus 00 0\n0\nsame\n";
    let fine = "profile 00 0\nuse 00 0\ntoken 01 0\nstatus 00 0\n";
    outcome.code(0).stdout(&format!("full\n{refused}read-only\n{refused}free\n{fine}"));
    for (path, reason) in [
        ("profiles.toml", "no space left on device"),
        ("state/current.json", "no space left on device"),
        ("tokens/acme.token", "no space left on device"),
        ("state/locks/_current.lock", "read-only file system"),
        ("state/locks/acme.lock", "read-only file system"),
    ] {
        outcome.stderr_has(&format!("{home}-small/{path}: {reason}"));
    }
    print_summary(
        "a disk really full and really read-only: store and switch refused with path and reason, a token printed",
    );
}
