//! A token file can contain a copy of the profile's declaration, and a stamp of the store file. While the stamp
//! matches, neto does not read the store. These tests change the store and compare with a run that must read the store.

use super::scale::{SeededRng, faketime_works, print_summary, rounds};
use super::strace;
use crate::harness::{Machine, Outcome, Sandbox};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Number of homes that wait together until their stores have been unchanged long enough.
const HOMES_PER_BATCH: usize = 64;

/// Seconds without a change of a file after which neto trusts its stamp, plus a margin. The file system's clock counts.
const SETTLE_SECONDS: i64 = 4;

/// Commands to run after changes. None of them needs the server.
const COMMANDS: [&[&str]; 4] = [
    &["token", "acme", "--offline"],
    &["token", "--offline"],
    &["export", "--shell", "sh", "--offline"],
    &["token", "globex", "--offline"],
];

/// Clock offsets of a run in libfaketime's notation; `None` keeps the real clock.
const CLOCKS: [Option<&str>; 6] = [None, None, None, Some("-10y"), Some("+1h"), Some("+10y")];

/// Replacements in the text of the store that keep its length. All except the last change the meaning of the store.
const CHANGES: [(&str, &str); 5] = [
    ("shortname = \"acme\"", "shortname = \"acmf\""),
    ("appname = \"soc\"", "appname = \"sod\""),
    ("explicit = false", "explicit = true "),
    ("id = \"", "id = \"0"),
    ("# one", "# two"),
];

/// Number of ways in which [`Home::change`] can change a store.
const CHANGE_KINDS: usize = 10;

impl Sandbox {
    /// Adds two profiles with cached tokens and makes `acme` current. Adds the text that [`CHANGES`] replaces to the
    /// store.
    fn add_two_profiles(&self) {
        self.add("acme");
        self.add("globex");
        let text = self.store().replace("version = 1\n", "version = 1\nexplicit = false\n# one\n");
        self.write_store(text);
        self.neto(["use", "acme"]).run().code(0);
        self.neto(["login", "--all"]).run().code(0);
    }

    /// Waits until the file has been unchanged for [`SETTLE_SECONDS`] by the clock of its file system.
    fn wait_until_still(&self, path: &Path) {
        let start = Instant::now();
        let probe = self.root().join("tmp/probe");
        loop {
            fs::write(&probe, "").expect("a probe");
            if fs::metadata(&probe).expect("a probe").ctime() - fs::metadata(path).expect("a file").ctime()
                >= SETTLE_SECONDS
            {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the file system's clock stands");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns whether the profile's token file contains a copy of the profile's declaration.
    fn has_declaration(&self, profile: &str) -> bool {
        self.sealed_token(profile).get("declaration").is_some()
    }
}

/// Copies a directory recursively, so that each copy is a new file. Dangling links are skipped.
fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mode = fs::metadata(from).expect("a folder").permissions();
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            copy_directory(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
    fs::set_permissions(to, mode).expect("the mode");
}

/// Copy of the sandbox's home, in which the tests change the store.
struct Home<'a> {
    sandbox: &'a Sandbox,
    machine: Machine<'a>,
    number: usize,
}

impl<'a> Home<'a> {
    fn new(sandbox: &'a Sandbox, number: usize) -> Self {
        let machine = sandbox.machine(&format!("home-{number}"));
        copy_directory(&sandbox.home(""), &machine.home(""));
        // Another store of the same length and about the same age.
        fs::write(machine.home("other.toml"), with_change(&sandbox.store(), number)).expect("another store");
        Self { sandbox, machine, number }
    }

    fn store(&self) -> PathBuf {
        self.machine.home("profiles.toml")
    }

    /// Returns exit code and standard output of the command, run in this home and in a copy of it. The store in the
    /// copy is a new file, so no stamp matches and neto must read the store.
    fn run_in_home_and_copy(&self, command: &[&str], clock: Option<&str>) -> [(i32, String); 2] {
        let copied = self.sandbox.machine(&format!("copy-{}", self.number));
        let _ = fs::remove_dir_all(copied.home(""));
        copy_directory(&self.machine.home(""), &copied.home(""));
        [run(&self.machine, command, clock), run(&copied, command, clock)]
            .map(|outcome| (outcome.exit_code(), outcome.stdout.clone()))
    }

    /// Changes the store in the given way, a number below [`CHANGE_KINDS`]. Not every way changes the content.
    fn change(&self, change_kind: usize, rng: &mut SeededRng) {
        let store = self.store();
        let _ = fs::set_permissions(self.machine.home(""), Permissions::from_mode(0o700));
        let original = self.sandbox.store();
        let text = with_change(&original, rng.below(CHANGES.len()));
        if !store.exists() {
            fs::write(&store, &original).expect("a store");
        }
        let metadata = fs::metadata(&store).expect("a store");
        let original_times = FileTimes::new()
            .set_modified(metadata.modified().expect("a time"))
            .set_accessed(metadata.accessed().expect("a time"));
        match change_kind {
            0 => fs::write(&store, text).expect("written in place"),
            1 => {
                fs::write(&store, text).expect("written in place");
                File::options()
                    .write(true)
                    .open(&store)
                    .expect("a store")
                    .set_times(original_times)
                    .expect("its old times");
            }
            2 => {
                fs::write(self.machine.home("new"), text).expect("a new file");
                fs::rename(self.machine.home("new"), &store).expect("put in place");
            }
            3 => drop(fs::rename(self.machine.home("other.toml"), &store)),
            4 if self.machine.home("other.toml").exists() => {
                fs::remove_file(&store).expect("removed");
                symlink(self.machine.home("other.toml"), &store).expect("a link");
            }
            5 => {
                let later =
                    FileTimes::new().set_modified(metadata.modified().expect("a time") + Duration::from_secs(9));
                File::options().write(true).open(&store).expect("a store").set_times(later).expect("touched");
            }
            6 => fs::set_permissions(self.machine.home(""), Permissions::from_mode(0o777)).expect("open to all"),
            7 => fs::remove_file(&store).expect("removed"),
            8 => {
                fs::rename(&store, self.machine.home("away")).expect("away");
                fs::rename(self.machine.home("away"), &store).expect("and back");
            }
            _ => {}
        }
    }
}

fn with_change(text: &str, number: usize) -> String {
    let (from, to) = CHANGES[number % CHANGES.len()];
    let changed = text.replacen(from, to, 1);
    // The replacement adds a digit to an ID, so the last digit is removed to keep the length.
    match (from == "id = \"", changed.find("id = \"0")) {
        (true, Some(at)) => format!("{}{}", &changed[..at + 22], &changed[at + 23..]),
        _ => changed,
    }
}

fn run(machine: &Machine<'_>, command: &[&str], clock: Option<&str>) -> Outcome {
    let call = match clock {
        None => machine.neto(command),
        Some(jump) => {
            let arguments = ["--exclude-monotonic", "-f", jump, env!("CARGO_BIN_EXE_neto")];
            machine.program("faketime", arguments.iter().chain(command))
        }
    };
    call.allow_secret("access token").run()
}

#[test]
fn what_a_token_remembers_ends_with_any_change_of_the_store() {
    if !faketime_works() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.add_two_profiles();
    assert_eq!(with_change(&sandbox.store(), 3).len(), sandbox.store().len());
    let mut rng = SeededRng::new();
    let store_count = rounds(3_000, 40);
    let (mut runs, mut changed_outputs, mut number) = (0, 0, 0);
    while number < store_count {
        let homes: Vec<Home<'_>> =
            (number..store_count.min(number + HOMES_PER_BATCH)).map(|number| Home::new(&sandbox, number)).collect();
        number += homes.len();
        sandbox.wait_until_still(&homes.last().expect("a home").store());
        for home in &homes {
            // The first run saves the declaration in the token file, and the second run uses it.
            let before = run(&home.machine, COMMANDS[0], None).code(0).stdout_trimmed().to_owned();
            assert_eq!(run(&home.machine, COMMANDS[0], None).stdout_trimmed(), before);
            let mut command = COMMANDS[0];
            for step in 0..3 {
                let change_kind = rng.below(CHANGE_KINDS);
                home.change(change_kind, &mut rng);
                let clock = CLOCKS[rng.below(CLOCKS.len())];
                let [in_home, in_copy] = home.run_in_home_and_copy(command, clock);
                assert_eq!(
                    in_home, in_copy,
                    "{command:?}, change {change_kind} at step {step}, clock {clock:?}, seed {}",
                    rng.seed
                );
                runs += 1;
                changed_outputs += usize::from(in_copy.1.trim() != before);
                command = COMMANDS[rng.below(COMMANDS.len())];
            }
            fs::remove_dir_all(home.machine.home("")).expect("removed");
        }
    }
    assert!(changed_outputs > 0 && changed_outputs < runs, "every change mattered or none did");
    print_summary(&format!(
        "{runs} questions after changes of {store_count} stores, {changed_outputs} with another answer: none by memory"
    ));
}

/// A file can change twice within the resolution of its timestamp. So neto does not trust the stamp of a file that has
/// just changed.
#[test]
fn a_store_that_just_changed_is_read_each_time() {
    let sandbox = Sandbox::new();
    sandbox.add_two_profiles();
    let text = sandbox.store();
    for number in 0..rounds(1_000, 20) {
        let changed = with_change(&text, number % 2);
        for (text, code) in [(&changed, 5), (&text, 0)] {
            // The store is written in place, so that only the timestamps of the file differ.
            fs::write(sandbox.home("profiles.toml"), text).expect("written");
            sandbox.neto(COMMANDS[0]).allow_secret("access token").run().code(code);
        }
    }
    assert!(!sandbox.has_declaration("acme"), "the stamp of a store that changed a moment ago was written");
}

#[test]
fn a_cached_token_is_had_without_a_look_into_the_store() {
    if !strace::works() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.add_two_profiles();
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    let opened = |command: &[&str]| {
        let arguments: Vec<String> = command.iter().map(ToString::to_string).collect();
        let call = strace::traced(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &arguments);
        call.allow_secret("access token").run().code(0);
        strace::traced_calls(&sandbox)
            .iter()
            .filter(|call| call.line.contains("profiles.toml") && call.name.contains("open"))
            .count()
    };
    for command in COMMANDS {
        // A run that reads the store saves the declaration of its profile. The first and the last command read the
        // store, for one profile each.
        let first = opened(command);
        assert_eq!((first, opened(command)), (usize::from(command == COMMANDS[0] || command == COMMANDS[3]), 0));
    }
    assert!(sandbox.has_declaration("acme") && sandbox.has_declaration("globex"));
}

/// Saving the declaration rewrites the token file, but must not change the tokens.
#[test]
fn what_is_remembered_does_not_touch_the_tokens() {
    let sandbox = Sandbox::new();
    sandbox.add_two_profiles();
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    let tokens = || {
        let sealed = sandbox.sealed_token("acme");
        (sealed["access_token"].clone(), sealed["refresh_token"].clone(), sealed["expires_at"].clone())
    };
    let before = tokens();
    sandbox.neto(COMMANDS[0]).allow_secret("access token").run().code(0);
    assert!(sandbox.has_declaration("acme"));
    assert_eq!(tokens(), before);
}

#[test]
fn where_profiles_must_be_named_no_token_remembers_a_current_one() {
    let sandbox = Sandbox::new();
    sandbox.add_two_profiles();
    sandbox.write_store(sandbox.store().replace("explicit = false", "explicit = true"));
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    sandbox.neto(COMMANDS[0]).allow_secret("access token").run().code(0);
    assert!(sandbox.has_declaration("acme"));
    sandbox.neto(COMMANDS[1]).run().code(3).stderr_has("no profile is chosen");
    sandbox.neto(COMMANDS[0]).allow_secret("access token").run().code(0);
}
