//! Tests neto's files: their modes, other objects at their paths, and files that neto must not overwrite.
//! `torture::disk` tests full and failing disks, and other modules of `torture` test kills.
#![cfg(unix)]

use crate::fusion::{Fault, TOKEN};
use crate::harness::{Call, Sandbox};
use crate::torture::scale::{print_summary, report_skipped};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Creates a sandbox with two profiles. The first profile is current and has a cached token.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("beta");
    sandbox.neto(["use", "acme"]).run().code(0);
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox
}

/// Adds every file and directory below a directory to `found`, with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        found.push((path.clone(), fs::symlink_metadata(&path).expect("a file").mode() & 0o7777));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn r1_whatever_the_umask_every_verb_leaves_its_files_private() {
    // The commands run one after the other in a shell with this umask, without root privileges.
    let verbs: [&[&str]; 12] = [
        &["profile", "add", "acme", "--use"],
        &["login"],
        &["token", "--force"],
        &["profile", "edit", "acme", "--tag", "x"],
        &["profile", "rename", "acme", "globex"],
        &["use", "--none"],
        &["use", "globex"],
        &["trust", "--all"],
        &["seal"],
        &["recipient", "list"],
        &["logout", "--all"],
        // The last command is a login that the server refuses, so neto writes a failure file.
        &["login", "globex"],
    ];
    let mut looked = 0;
    for umask in ["000", "022", "077", "0777"] {
        let sandbox = Sandbox::new();
        let credential = sandbox.server().add_tenant("acme", "soc");
        for (number, verb) in (1..).zip(verbs) {
            let mut code = 0;
            if number == verbs.len() {
                sandbox.server().fault(Fault::at(TOKEN).error(401, "not today"));
                code = 4;
            }
            let script = format!("umask {umask}; exec neto \"$@\"");
            let arguments = ["-c", &script, "neto"];
            let run = sandbox.unprivileged("sh", arguments.iter().chain(verb)).allow_secret("access token");
            run.stdin(credential.netosecret()).run().code(code);
            let mut found = vec![(sandbox.home(""), fs::metadata(sandbox.home("")).expect("a folder").mode() & 0o7777)];
            modes(&sandbox.home(""), &mut found);
            for (path, mode) in &found {
                let expected = if path.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(*mode, expected, "{} ({mode:o}) after {verb:?} under {umask}", path.display());
            }
            looked += found.len();
        }
        assert!(sandbox.home("state/failures/globex.json").exists() && sandbox.home("state/current.json").exists());
    }
    print_summary(&format!("{looked} modes after 12 verbs under 4 umasks: 0700 and 0600"));
}

/// Kinds of objects that a test puts at the path of a file.
const KINDS: [&str; 5] = ["pipe", "device", "folder", "link", "huge"];

/// Creates an object of this kind at the path. Returns whether the object could be created.
fn create_object(sandbox: &Sandbox, kind: &str, path: &Path) -> bool {
    let create = |program: &str, arguments: &[&str]| {
        let path = path.to_str().expect("a path");
        sandbox.program(program, arguments.iter().chain(&[path])).run().exit_code() == 0
    };
    match kind {
        "pipe" => create("mkfifo", &["-m", "600"]),
        // This device (`/dev/zero`) never reports an end of file.
        "device" => {
            sandbox.program("mknod", ["-m", "600", path.to_str().expect("a path"), "c", "1", "5"]).run().exit_code()
                == 0
        }
        "folder" => fs::create_dir(path).is_ok(),
        "link" => symlink(sandbox.work("aside"), path).is_ok(),
        _ => {
            // Key files are smaller, because the harness reads them to collect secrets.
            let size = if path.starts_with(sandbox.home("keys")) { "16M" } else { "1G" };
            create("truncate", &["-s", size]) && fs::set_permissions(path, fs::Permissions::from_mode(0o600)).is_ok()
        }
    }
}

/// File that neto reads, a command that reads it, and the exit code if the file is another object. With code 0, neto
/// only warns.
struct Read {
    file: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    /// Kinds of objects that neto accepts at this path without a warning.
    accepted: &'static [&'static str],
}

const READS: [Read; 15] = [
    Read { file: "neto/keys/identity.txt", arguments: &["login", "acme", "--force"], code: 6, accepted: &[] },
    Read { file: "neto/keys/identity.txt", arguments: &["init"], code: 6, accepted: &[] },
    Read { file: "neto/keys/device.key", arguments: &["token", "acme"], code: 0, accepted: &[] },
    Read { file: "neto/tokens/acme.token", arguments: &["token", "acme"], code: 0, accepted: &[] },
    Read { file: "neto/tokens/acme.token", arguments: &["status"], code: 0, accepted: &[] },
    Read { file: "neto/profiles.toml", arguments: &["status"], code: 3, accepted: &["link"] },
    Read { file: "neto/profiles.toml", arguments: &["init"], code: 3, accepted: &["link"] },
    Read { file: "neto/state/current.json", arguments: &["token"], code: 1, accepted: &[] },
    Read { file: "neto/state/current.json", arguments: &["use", "beta"], code: 1, accepted: &[] },
    Read { file: "neto/state/trust.json", arguments: &["login", "acme", "--force"], code: 1, accepted: &[] },
    // The failure file only informs other processes, so neto ignores any other object at its path.
    Read { file: "neto/state/failures/acme.json", arguments: &["login", "acme", "--force"], code: 0, accepted: &KINDS },
    // neto reads only a number from a lock file and truncates the file, so a huge file does no harm.
    Read { file: "neto/state/locks/acme.lock", arguments: &["login", "acme", "--force"], code: 0, accepted: &["huge"] },
    Read { file: "neto/state/locks/_current.lock", arguments: &["use", "acme"], code: 1, accepted: &["huge"] },
    Read { file: "work/.neto-profile", arguments: &["token"], code: 3, accepted: &[] },
    Read { file: "work/named", arguments: &["login", "acme", "--force"], code: 6, accepted: &["link"] },
];

#[test]
fn r2_whatever_lies_where_a_file_belongs_is_told_at_once() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home("state/failures")).expect("a folder");
    let aside = sandbox.work("aside");
    let (mut runs, mut refused) = (0, 0);
    for Read { file, arguments, code, accepted } in &READS {
        let path = sandbox.root().join(file);
        match *file {
            "work/named" => _ = fs::copy(sandbox.home("keys/identity.txt"), &path).expect("a copy"),
            "work/.neto-profile" => fs::write(&path, "acme\n").expect("a file"),
            // A successful login has removed the failure file.
            _ if !path.exists() => fs::write(&path, "{}").expect("a file"),
            _ => {}
        }
        sandbox.allow_secrets_in(&path);
        fs::rename(&path, &aside).expect("the file aside");
        for kind in KINDS {
            if !create_object(&sandbox, kind, &path) {
                report_skipped(&format!("no {kind} can be made here"));
                continue;
            }
            let call = sandbox.neto(*arguments).allow_secret("access token");
            let call = if file.ends_with("named") { call.env("NETO_IDENTITY_FILE", &path) } else { call };
            // If neto read from the pipe, the run would block until the timeout of the harness fails the test.
            let outcome = call.run();
            if accepted.contains(&kind) {
                outcome.code(0).stderr_lacks("warning: ");
            } else {
                outcome.code(*code).stderr_has(if *code == 0 { "warning: " } else { "error: " });
                outcome.stderr_has(&path.display().to_string());
                refused += 1;
            }
            runs += 1;
            // Only objects that may be replaced were replaced.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            assert!(!path.exists());
        }
        if *file == "work/.neto-profile" {
            fs::remove_file(&aside).expect("the file is gone");
        } else {
            fs::rename(&aside, &path).expect("the file back");
        }
    }
    fs::remove_file(sandbox.work("named")).expect("the copy is gone");
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
    print_summary(&format!(
        "{runs} runs with something else in place of a file: {refused} told or warned with its path, 0 hang"
    ));
}

#[test]
fn r4_root_makes_nothing_in_the_home_of_a_user() {
    if !rustix::process::geteuid().is_root() {
        report_skipped("only root can have the home of another user");
        return;
    }
    for (home, verbs) in [
        ("empty", &[&["init"][..], &["profile", "add"], &["use", "--none"]][..]),
        (
            "used",
            &[&["login", "acme", "--force"], &["profile", "edit", "acme", "--tag", "x"], &["use", "beta"], &["init"]],
        ),
    ] {
        let sandbox = if home == "empty" { Sandbox::new() } else { sandbox() };
        fs::create_dir_all(sandbox.home("")).expect("a folder");
        let files = |sandbox: &Sandbox| {
            let mut found = Vec::new();
            modes(&sandbox.home(""), &mut found);
            found.sort();
            found.into_iter().map(|(path, mode)| (fs::read(&path).unwrap_or_default(), path, mode)).collect::<Vec<_>>()
        };
        let owned = files(&sandbox).into_iter().map(|(_, path, _)| path).chain([sandbox.home("")]);
        owned.for_each(|path| std::os::unix::fs::chown(path, Some(65_534), None).expect("another owner"));
        let before = files(&sandbox);
        let credential = sandbox.server().add_tenant("gamma", "soc").netosecret();
        for verb in verbs {
            let outcome = sandbox.neto(*verb).stdin(&credential).run();
            assert_ne!(outcome.exit_code(), 0, "{outcome}");
            outcome.stdout("").stderr_has("belongs to another user (uid 65534)");
            assert_eq!(files(&sandbox), before, "{outcome}");
        }
    }
}

#[test]
fn r6_leftovers_go_when_they_are_old_and_only_ones_own() {
    let sandbox = sandbox();
    let folders = ["", "tokens", "state", "keys"].map(|folder| sandbox.home(folder));
    for folder in &folders {
        for (name, hours) in [(".neto-tmp-old", 2), (".neto-tmp-young", 0), (".other-tmp-old", 2), ("neto-tmp-old", 2)]
        {
            fs::write(folder.join(name), "half").expect("a leftover");
            let file = fs::File::options().write(true).open(folder.join(name)).expect("a leftover");
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).expect("its time");
        }
    }
    fs::remove_file(sandbox.home("keys/device.key")).expect("a device key");
    sandbox.neto(["login", "acme", "--force"]).run().code(0);
    sandbox.neto(["use", "beta"]).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run().code(0);
    for folder in &folders {
        let remaining = [".neto-tmp-old", ".neto-tmp-young", ".other-tmp-old", "neto-tmp-old"]
            .map(|name| folder.join(name).exists());
        assert_eq!(remaining, [false, true, true, true], "{}", folder.display());
    }
}

#[test]
fn r7_what_cannot_be_understood_is_never_written_over() {
    let sandbox = sandbox();
    let credential = sandbox.server().add_tenant("gamma", "soc").netosecret();
    let cases: [(&str, i32, &[&[&str]]); 5] = [
        (
            "profiles.toml",
            3,
            &[&["init"], &["profile", "add"], &["profile", "edit", "acme", "--tag", "x"], &["seal"], &["use", "beta"]],
        ),
        ("keys/identity.txt", 6, &[&["init"], &["login", "acme", "--force"]]),
        ("keys/device.key", 0, &[&["login", "acme", "--force"], &["token", "acme"]]),
        ("state/trust.json", 1, &[&["trust", "--all"], &["login", "acme", "--force"], &["profile", "add"]]),
        ("state/current.json", 1, &[&["use", "beta"], &["use", "-"], &["use", "--none"], &["token"]]),
    ];
    let mut runs = 0;
    for (name, code, verbs) in cases {
        let path = sandbox.home(name);
        let (good, store) = (fs::read(&path).expect("a file"), sandbox.store());
        let half = good[..good.len() / 2].to_vec();
        for bad in [Vec::new(), half, b"\0\xff\xfe nothing \n{".to_vec()] {
            fs::write(&path, &bad).expect("a file");
            for verb in verbs {
                let outcome = sandbox.neto(*verb).allow_secret("access token").stdin(&credential).run();
                outcome.code(code).stderr_has(if code == 0 { "warning: " } else { "error: " }).stderr_has(name);
                assert_eq!(fs::read(&path).expect("a file"), bad, "{outcome}");
                runs += 1;
            }
            sandbox.allow_secrets_in(&path);
        }
        fs::write(&path, good).expect("a file");
        sandbox.write_store(store);
    }
    sandbox.neto(["token"]).allow_secret("access token").run().code(0);
    print_summary(&format!(
        "{runs} runs with a store, key or memory that cannot be understood: told, and left as it was"
    ));
}

#[test]
fn r9_a_store_is_not_looked_for_around_the_working_directory() {
    let sandbox = sandbox();
    let own = sandbox.store();
    let foreign = own.replace("profiles.acme", "profiles.evil").replace("profiles.beta", "profiles.evil2");
    let deep = sandbox.work("a/b");
    fs::create_dir_all(&deep).expect("a folder");
    for folder in ["a/b", "a", ""] {
        for name in
            ["profiles.toml", "neto.toml", "neto/profiles.toml", ".neto/profiles.toml", ".config/neto/profiles.toml"]
        {
            let path = sandbox.work(folder).join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &foreign).expect("a store");
        }
    }
    let names = |call: Call<'_>| {
        let rows = call.current_dir(&deep).run().code(0).json();
        let name = |row: &serde_json::Value| row["profile"].as_str().expect("a name").to_owned();
        rows.as_array().expect("rows").iter().map(name).collect::<Vec<_>>()
    };
    let list = || sandbox.neto(["ls", "-o", "json"]);
    assert_eq!(names(list()), ["acme", "beta"]);
    // Without a store at the standard path, neto finds no store.
    assert_eq!(names(list().without_env("NETO_HOME")), [""; 0]);
    assert_eq!(names(list().env("NETO_STORE", "profiles.toml")), ["evil", "evil2"], "only when told");
}
