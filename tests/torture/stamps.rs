//! What a token remembers of the store never outlives a change of the store, however the change is made: a run that
//! may remember says what one says that has to read.

use super::scale::{Dice, faketime_works, rounds, say};
use super::strace;
use crate::harness::{Machine, Outcome, Sandbox};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many homes wait together until their stores are still.
const TOGETHER: usize = 64;

/// Longer than a file has to be still before its stamp is believed, by the file system's clock.
const STILL: i64 = 4;

/// What is asked after each change; none of it needs the server.
const QUESTIONS: [&[&str]; 4] = [
    &["token", "acme", "--offline"],
    &["token", "--offline"],
    &["export", "--shell", "sh", "--offline"],
    &["token", "globex", "--offline"],
];

/// Where the clock of a run may stand, as libfaketime writes it.
const CLOCKS: [Option<&str>; 6] = [None, None, None, Some("-10y"), Some("+1h"), Some("+10y")];

/// Other texts of the same length as the store's, each of which means something else, but for the last.
const CHANGES: [(&str, &str); 5] = [
    ("shortname = \"acme\"", "shortname = \"acmf\""),
    ("appname = \"soc\"", "appname = \"sod\""),
    ("explicit = false", "explicit = true "),
    ("id = \"", "id = \"0"),
    ("# one", "# two"),
];

/// The ways to change a store.
const WAYS: usize = 10;

impl Sandbox {
    /// Two profiles with their tokens, of which `acme` is current, and a store that says what the changes change.
    fn with_two(&self) {
        self.add("acme");
        self.add("globex");
        let text = self.store().replace("version = 1\n", "version = 1\nexplicit = false\n# one\n");
        self.write_store(text);
        self.neto(["use", "acme"]).run().code(0);
        self.neto(["login", "--all"]).run().code(0);
    }

    /// Waits until what was last written at `path` is old by the clock of its file system.
    fn wait_until_still(&self, path: &Path) {
        let start = Instant::now();
        let probe = self.root().join("tmp/probe");
        loop {
            fs::write(&probe, "").expect("a probe");
            if fs::metadata(&probe).expect("a probe").ctime() - fs::metadata(path).expect("a file").ctime() >= STILL {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the file system's clock stands");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether the token of a profile in this home remembers what the store declares.
    fn remembers(&self, profile: &str) -> bool {
        self.sealed_token(profile).get("declaration").is_some()
    }
}

/// Copies a home with everything in it; every file of the copy is another file.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mode = fs::metadata(from).expect("a folder").permissions();
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        // A link that leads nowhere stays out.
        let Ok(found) = fs::metadata(&path) else { continue };
        if found.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
    fs::set_permissions(to, mode).expect("the mode");
}

/// One home whose token remembers the store, and the texts that its store may have.
struct Home<'a> {
    sandbox: &'a Sandbox,
    machine: Machine<'a>,
    number: usize,
}

impl<'a> Home<'a> {
    fn new(sandbox: &'a Sandbox, number: usize) -> Self {
        let machine = sandbox.machine(&format!("home-{number}"));
        copy(&sandbox.home(""), &machine.home(""));
        // Another store of the same length, as old as the first.
        fs::write(machine.home("other.toml"), changed(&sandbox.store(), number)).expect("another store");
        Self { sandbox, machine, number }
    }

    fn store(&self) -> PathBuf {
        self.machine.home("profiles.toml")
    }

    /// What this home answers, and what a copy of it does, whose store is no file that any token remembers.
    fn ask(&self, question: &[&str], clock: Option<&str>) -> [(i32, String); 2] {
        let copied = self.sandbox.machine(&format!("copy-{}", self.number));
        let _ = fs::remove_dir_all(copied.home(""));
        copy(&self.machine.home(""), &copied.home(""));
        [run(&self.machine, question, clock), run(&copied, question, clock)]
            .map(|outcome| (outcome.exit_code(), outcome.stdout.clone()))
    }

    /// Changes the store in one of [`WAYS`].
    fn change(&self, way: usize, dice: &mut Dice) {
        let store = self.store();
        let _ = fs::set_permissions(self.machine.home(""), Permissions::from_mode(0o700));
        let original = self.sandbox.store();
        let text = changed(&original, dice.below(CHANGES.len()));
        if !store.exists() {
            fs::write(&store, &original).expect("a store");
        }
        let times = fs::metadata(&store).expect("a store");
        let back = FileTimes::new()
            .set_modified(times.modified().expect("a time"))
            .set_accessed(times.accessed().expect("a time"));
        match way {
            0 => fs::write(&store, text).expect("written in place"),
            1 => {
                fs::write(&store, text).expect("written in place");
                File::options().write(true).open(&store).expect("a store").set_times(back).expect("its old times");
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
                let later = FileTimes::new().set_modified(times.modified().expect("a time") + Duration::from_secs(9));
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

fn changed(text: &str, number: usize) -> String {
    let (from, to) = CHANGES[number % CHANGES.len()];
    let changed = text.replacen(from, to, 1);
    // One digit more at the start of an id, one less at its end.
    match (from == "id = \"", changed.find("id = \"0")) {
        (true, Some(at)) => format!("{}{}", &changed[..at + 22], &changed[at + 23..]),
        _ => changed,
    }
}

fn run(machine: &Machine<'_>, question: &[&str], clock: Option<&str>) -> Outcome {
    let call = match clock {
        None => machine.neto(question),
        Some(jump) => {
            let words = ["--exclude-monotonic", "-f", jump, env!("CARGO_BIN_EXE_neto")];
            machine.program("faketime", words.iter().chain(question))
        }
    };
    call.reveals("access token").run()
}

#[test]
fn what_a_token_remembers_ends_with_any_change_of_the_store() {
    if !faketime_works() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.with_two();
    assert_eq!(changed(&sandbox.store(), 3).len(), sandbox.store().len());
    let mut dice = Dice::new();
    let wanted = rounds(3_000, 40);
    let (mut asked, mut other, mut number) = (0, 0, 0);
    while number < wanted {
        let homes: Vec<Home<'_>> =
            (number..wanted.min(number + TOGETHER)).map(|number| Home::new(&sandbox, number)).collect();
        number += homes.len();
        sandbox.wait_until_still(&homes.last().expect("a home").store());
        for home in &homes {
            // The first look writes down what the store declares, the second one lives by it.
            let before = run(&home.machine, QUESTIONS[0], None).code(0).answer().to_owned();
            assert_eq!(run(&home.machine, QUESTIONS[0], None).answer(), before);
            let mut question = QUESTIONS[0];
            for step in 0..3 {
                let way = dice.below(WAYS);
                home.change(way, &mut dice);
                let clock = CLOCKS[dice.below(CLOCKS.len())];
                let [own, read] = home.ask(question, clock);
                assert_eq!(own, read, "{question:?}, change {way} at step {step}, clock {clock:?}, seed {}", dice.seed);
                asked += 1;
                other += usize::from(read.1.trim() != before);
                question = QUESTIONS[dice.below(QUESTIONS.len())];
            }
            fs::remove_dir_all(home.machine.home("")).expect("removed");
        }
    }
    assert!(other > 0 && other < asked, "every change mattered or none did");
    say(&format!("{asked} questions after changes of {wanted} stores, {other} with another answer: none by memory"));
}

/// The stamp of a file that changed a moment ago may stand for two contents: it is not believed.
#[test]
fn a_store_that_just_changed_is_read_each_time() {
    let sandbox = Sandbox::new();
    sandbox.with_two();
    let text = sandbox.store();
    for number in 0..rounds(1_000, 20) {
        let changed = changed(&text, number % 2);
        for (text, code) in [(&changed, 5), (&text, 0)] {
            // In place, so that only the times can tell.
            fs::write(sandbox.home("profiles.toml"), text).expect("written");
            sandbox.neto(QUESTIONS[0]).reveals("access token").run().code(code);
        }
    }
    assert!(!sandbox.remembers("acme"), "the stamp of a store that changed a moment ago was written");
}

#[test]
fn a_cached_token_is_had_without_a_look_into_the_store() {
    if !strace::works() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.with_two();
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    let opened = |question: &[&str]| {
        let words: Vec<String> = question.iter().map(ToString::to_string).collect();
        let call = strace::under(&sandbox, &[], env!("CARGO_BIN_EXE_neto"), &words);
        call.reveals("access token").run().code(0);
        strace::listed(&sandbox)
            .iter()
            .filter(|call| call.line.contains("profiles.toml") && call.name.contains("open"))
            .count()
    };
    for question in QUESTIONS {
        // The one that reads writes down what it read; `acme` is asked for by its name first, then as the current one.
        let first = opened(question);
        assert_eq!((first, opened(question)), (usize::from(question == QUESTIONS[0] || question == QUESTIONS[3]), 0));
    }
    assert!(sandbox.remembers("acme") && sandbox.remembers("globex"));
}

/// What is written beside a token never brings back a refresh token that was burnt.
#[test]
fn what_is_remembered_does_not_touch_the_tokens() {
    let sandbox = Sandbox::new();
    sandbox.with_two();
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    let tokens = || {
        let sealed = sandbox.sealed_token("acme");
        (sealed["access_token"].clone(), sealed["refresh_token"].clone(), sealed["expires_at"].clone())
    };
    let before = tokens();
    sandbox.neto(QUESTIONS[0]).reveals("access token").run().code(0);
    assert!(sandbox.remembers("acme"));
    assert_eq!(tokens(), before);
}

#[test]
fn where_profiles_must_be_named_no_token_remembers_a_current_one() {
    let sandbox = Sandbox::new();
    sandbox.with_two();
    sandbox.write_store(sandbox.store().replace("explicit = false", "explicit = true"));
    sandbox.wait_until_still(&sandbox.home("profiles.toml"));
    sandbox.neto(QUESTIONS[0]).reveals("access token").run().code(0);
    assert!(sandbox.remembers("acme"));
    sandbox.neto(QUESTIONS[1]).run().code(3).stderr_has("no profile is chosen");
    sandbox.neto(QUESTIONS[0]).reveals("access token").run().code(0);
}
