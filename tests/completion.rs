//! Tests `neto completions` in real shells at a terminal, which complete a line at TAB and then run it. Also tests
//! neto's candidates themselves, from valid, hostile and broken stores.

#![cfg(unix)]

use crate::harness::{ENTER, OTHER_RECIPIENT, Sandbox, Screen, Terminal};
use crate::shells::{find_program, report_missing};
use crate::torture::scale::report_skipped;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// Real shell with completion set up in one of the documented ways.
struct Case {
    program: &'static str,
    /// Path of the shell's startup file relative to the home, and the text that precedes neto's line in the file.
    start: (&'static str, &'static str),
    /// Line in the startup file that enables completion for neto.
    line: &'static str,
    /// File in which a package would install the completion script instead of the line.
    file: Option<&'static str>,
}

const BASH: &str = "PS1='READY> '\nbind 'set bell-style none'\nbind 'set show-all-if-ambiguous on'\n\
    bind 'set enable-bracketed-paste off'\n";
const ZSH: &str = "PS1='READY> '\nunsetopt beep\nfpath=(~/functions $fpath)\nautoload -Uz compinit\ncompinit -u -D\n";
const FISH: &str = "function fish_prompt\necho 'READY> '\nend\nset -g fish_greeting\n";
const ELVISH: &str = "set edit:prompt = { put 'READY> ' }\nset edit:rprompt = { put '' }\n";

const CASES: [Case; 6] = [
    Case { program: "bash", start: (".bashrc", BASH), line: "eval \"$(neto completions bash)\"", file: None },
    Case { program: "bash", start: (".bashrc", BASH), line: ". ~/completions/neto", file: Some("completions/neto") },
    Case { program: "zsh", start: (".zshrc", ZSH), line: "eval \"$(neto completions zsh)\"", file: None },
    Case { program: "zsh", start: (".zshrc", ZSH), line: "", file: Some("functions/_neto") },
    Case {
        program: "fish",
        start: (".config/fish/config.fish", FISH),
        line: "",
        file: Some(".config/fish/completions/neto.fish"),
    },
    Case {
        program: "elvish",
        start: (".config/elvish/rc.elv", ELVISH),
        line: "eval (neto completions elvish | slurp)",
        file: None,
    },
];

impl Case {
    /// Sets up the shell and starts it at a terminal. If the shell is not installed, reports a skipped test and returns
    /// `None`.
    fn start<'a>(&self, sandbox: &'a Sandbox) -> Option<Terminal<'a>> {
        if find_program(self.program).is_none() {
            report_missing(self.program);
            return None;
        }
        let home = sandbox.root().join("home");
        let write = |path: &str, text: &str| {
            let path = home.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(self.start.0, &format!("{}{}\n", self.start.1, self.line));
        if let Some(file) = self.file {
            write(file, &sandbox.neto(["completions", self.program]).run().code(0).stderr("").stdout);
        }
        let arguments: &[&str] = if self.program == "bash" { &["--noprofile", "-i"] } else { &["-i"] };
        let arguments = if self.program == "elvish" { &[] } else { arguments };
        let own = [sandbox.work("bin"), Path::new(env!("CARGO_BIN_EXE_neto")).parent().unwrap().to_owned()];
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut terminal = sandbox.program(self.program, arguments).env("PATH", path).at_terminal_sized(120, 40);
        terminal.expect("READY> ");
        Some(terminal)
    }

    /// Ends a shell that shows a list of candidates. In elvish a candidate must be accepted first, because its list
    /// closes only then.
    fn exit(&self, mut terminal: Terminal<'_>) -> Screen {
        let taken = if self.program == "elvish" { ENTER } else { "" };
        terminal.press(taken).press("\u{15}exit").press(ENTER);
        terminal.finish()
    }

    /// Returns the text that the list shows last for a candidate: its name in bash, its description in other shells.
    fn listed_text<'a>(&self, name: &'a str, about: &'a str) -> &'a str {
        if self.program == "bash" { name } else { about }
    }

    fn name(&self) -> String {
        format!("{} {}", self.program, self.file.unwrap_or(self.line))
    }
}

/// Returns neto's completion output for a line whose last word is unfinished. The first line of the output names its
/// kind.
fn completion_answer(sandbox: &Sandbox, shell: &str, line: &[&str]) -> String {
    let arguments = ["--", "neto"].iter().chain(line);
    sandbox.neto(arguments).env("_NETO_COMPLETE", shell).run().code(0).stderr("").stdout.clone()
}

/// Returns the candidates for a line, without their descriptions.
fn offered(sandbox: &Sandbox, line: &[&str]) -> Vec<String> {
    let answer = completion_answer(sandbox, "fish", line);
    let values = answer.strip_prefix("names\n").unwrap_or_else(|| panic!("{line:?}: {answer}"));
    values.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// Creates a store with three profiles and two recipients. One recipient is the sandbox's own.
fn with_store() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    let edit = ["--tag", "prod", "--tag", "emea", "--tag", "team:a", "--description", "Acme Corp"];
    sandbox.neto(["profile", "edit", "acme"].iter().chain(&edit)).run().code(0);
    let more = "\n[profiles.acorn]\ntags = ['prod', \"team:b\"]\nshortname = \"oak\"\nurl = \"https://x.example\"\n\
        [profiles.\"globex.eu\"] # by hand\nurl = \"https://x.example\"\n";
    sandbox.write_store(sandbox.store() + more);
    sandbox
}

/// Returns the text of a store with one profile.
fn other_store(name: &str) -> String {
    format!("version = 1\n[profiles.{name}]\nurl = \"https://x.example\"\n")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Adds every file and directory below a directory to `found`, with its modification time, mode and content.
fn snapshot(folder: &Path, found: &mut BTreeMap<PathBuf, (SystemTime, u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::symlink_metadata(&path).unwrap();
        let text = if data.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(path.clone(), (data.modified().unwrap(), data.permissions().mode(), text));
        if data.is_dir() {
            snapshot(&path, found);
        }
    }
}

#[test]
fn tab_completes_names_tags_files_and_programs_in_every_shell() {
    for case in CASES {
        let sandbox = with_store();
        sandbox.neto(["login", "acme"]).run().code(0);
        fs::write(sandbox.work("other.toml"), other_store("elsewhere")).unwrap();
        fs::write(sandbox.work("a store.toml"), other_store("spaced")).unwrap();
        fs::write(sandbox.root().join("home/zz-home.toml"), other_store("at-home")).unwrap();
        fs::create_dir(sandbox.work("bin")).unwrap();
        let program = sandbox.work("bin/zz-report");
        fs::write(&program, "#!/bin/sh\necho \"report of $NETO_PROFILE on $1\"\n").unwrap();
        set_mode(&program, 0o755);
        let Some(mut terminal) = case.start(&sandbox) else { continue };
        for (typed, output) in [
            ("neto us\tglo\t", "Now using 'globex.eu'"),
            ("neto ls -o csv --tag team:b\t", "acorn,"),
            ("neto ls -o csv --tag=em\t", "acme,"),
            ("neto ls -o csv --store oth\t", "elsewhere,"),
            ("neto ls -o csv --store=oth\t", "elsewhere,"),
            ("neto ls -o csv --store ~/zz\t", "at-home,"),
            ("neto ls -o csv --store 'a st\t", "spaced,"),
            ("neto use 'glo\t", "Now using 'globex.eu'"),
            ("neto --store other.toml profile sho\tels\t", "elsewhere"),
            ("neto exec acme -- zz-rep\t oth\t", "report of acme on other.toml"),
        ] {
            // If a completed word contains = or ~, elvish rewrites the word and first waits for Enter.
            let accepted = if case.program == "elvish" && typed.contains(['=', '~']) { ENTER } else { "" };
            terminal.press(typed).press(accepted).press(ENTER).expect(output).expect("READY> ");
        }
        terminal.press("exit").press(ENTER);
        let screen = terminal.finish();
        screen.lacks("command not found").lacks("error:");
        assert!(!screen.text.contains("_NETO"), "{}:\n{}", case.name(), screen.text);
    }
}

#[test]
fn several_that_fit_are_listed_with_what_they_are_about() {
    for case in CASES {
        let sandbox = with_store();
        fs::create_dir(sandbox.work("bin")).unwrap();
        let Some(mut terminal) = case.start(&sandbox) else { continue };
        terminal.press("neto use ac\t").expect(case.listed_text("acorn", "oak"));
        let screen = case.exit(terminal);
        assert!(screen.raw.contains(case.listed_text("acme", "Acme Corp")), "{}: {}", case.name(), screen.raw);
        assert!(!screen.raw.contains("globex"), "{}: {}", case.name(), screen.raw);
    }
}

#[test]
fn hostile_text_reaches_no_terminal_and_is_never_run() {
    let hostile = [
        "$(touch bad)",
        "`touch bad`",
        "x;touch bad",
        "x\\u001b[2J\\u001b]0;bad\\u0007",
        "a\\nnames\\nmore",
        "a\\tb",
        "'x",
        "\\\"x",
        "x\\\\",
        "*",
        "~",
        "-rf",
        "x y",
        "x\\u202ey",
        "%s",
        "x|touch bad",
    ];
    let list: Vec<String> = hostile.iter().map(|text| format!("\"{text}\"")).collect();
    let mut text = format!(
        "version = 1\ndefaults.url = \"https://x.example\"\n[profiles.hit]\ntags = [{}, \"xgood\"]\n",
        list.join(", ")
    );
    let about = |(at, text): (usize, &String)| format!("[profiles.hit-{at}]\ndescription = {text}\n");
    text.extend(list.iter().enumerate().map(about));
    text += "[profiles.hit-last]\ndescription = \"the end\"\n";
    let store = |sandbox: &Sandbox| {
        sandbox.init();
        sandbox.write_store(&text);
        fs::create_dir(sandbox.work("bin")).unwrap();
    };
    let sandbox = Sandbox::new();
    store(&sandbox);
    sandbox.neto(["ls", "-q"]).run().code(0);
    for shell in SHELLS {
        let start = if shell == "powershell" { "=" } else { "" };
        assert!(completion_answer(&sandbox, shell, &["login", "--tag", start]).starts_with("names\nxgood"), "{shell}");
        let names = completion_answer(&sandbox, shell, &["use", start]);
        assert_eq!(names.lines().count(), hostile.len() + 4, "{shell}:\n{names}");
        let steers = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
        assert!(!names.contains(steers), "{shell}:\n{names}");
    }
    for case in CASES {
        let sandbox = Sandbox::new();
        store(&sandbox);
        let Some(mut terminal) = case.start(&sandbox) else { continue };
        // The shell inserts the completed text and runs the line, whatever the list shows.
        terminal.press("neto ls --tag x\t").press(ENTER).expect("hit").expect("READY> ");
        terminal.press("neto use hit-\t").expect(case.listed_text("hit-last", "the end"));
        let screen = case.exit(terminal);
        assert!(!screen.raw.contains("\u{1b}[2J\u{1b}]0;bad"), "{}: {:?}", case.name(), screen.raw);
        assert!(!sandbox.work("bad").exists(), "{} ran what a store holds", case.name());
    }
}

#[test]
fn what_fits_where() {
    let sandbox = with_store();
    sandbox.neto(["recipient", "add", "bob", OTHER_RECIPIENT]).run().code(0);
    let cases: &[(&[&str], &str)] = &[
        // Commands. Hidden commands are not offered.
        (&["pro"], "profile proxy prompt"),
        (&["profile", "re"], "rename remove"),
        (&["__"], ""),
        (&["help", "stat"], "status"),
        // Profile names, for every command that takes them. Each name is offered once per line.
        (&["use", ""], "acme acorn globex.eu -"),
        (&["profile", "use", "a"], "acme acorn"),
        (&["login", "acme", ""], "acorn globex.eu"),
        (&["login", "acme", "--force", "acorn", ""], "globex.eu"),
        (&["token", "-p", "g"], "globex.eu"),
        (&["token", "-pg"], "-pglobex.eu"),
        (&["--profile=g"], "--profile=globex.eu"),
        (&["status", "--profile", "ac"], "acme acorn"),
        (&["profile", "rename", "glo"], "globex.eu"),
        (&["profile", "rename", "acme", "a"], ""),
        (&["profile", "remove", "acorn", "a"], "acme"),
        (&["profile", "edit", "glo"], "globex.eu"),
        (&["profile", "show", "glo"], "globex.eu"),
        (&["api", "GET", "/x", "glo"], "globex.eu"),
        (&["exec", "acme", "ac"], "acorn"),
        (&["trust", "glo"], "globex.eu"),
        (&["use", "--", "glo"], "globex.eu"),
        (&["use", "nothing"], ""),
        // Tags and names of recipients.
        (&["ls", "--tag", ""], "emea prod team:a team:b"),
        (&["ls", "--tag", "prod", "--tag", ""], "emea team:a team:b"),
        (&["ls", "--not-tag=e"], "--not-tag=emea"),
        (&["profile", "edit", "acme", "--untag", "team:"], "team:a team:b"),
        (&["recipient", "remove", ""], "bob me"),
        (&["trust", "--recipient", "b"], "bob"),
        // Values that an argument declares.
        (&["api", "P"], "POST PUT PATCH"),
        (&["export", "--shell", "z"], "zsh"),
        (&["status", "--state", "exp"], "expiring expired"),
        (&["status", "-o", "j"], "json"),
        (&["--color", "n"], "never"),
        (&["completions", ""], "bash zsh fish powershell elvish"),
        // Flags, when the last word starts with a dash or no other argument is possible.
        (&["login", "--fo"], "--force"),
        (
            &["profile", "show", "acme", ""],
            "--output --profile --store --lock-timeout --color --verbose --quiet --help",
        ),
    ];
    for (line, expected) in cases {
        let mut found = offered(&sandbox, line);
        if line.last() == Some(&"") && expected.starts_with("--") {
            found.retain(|flag| flag.starts_with("--"));
            found.sort_by_key(|flag| expected.find(flag.as_str()));
        }
        assert_eq!(found.join(" "), *expected, "{line:?}");
    }
    for (line, expected) in [
        (&["--store", "x"][..], "files\n"),
        (&["--store=x"], "files\n"),
        (&["profile", "add", "--ca-file", ""], "files\n"),
        (&["profile", "add", "--netosecret-file", "/"], "files\n"),
        (&["profile", "import", ""], "files\n"),
        (&["exec", "acme", "--", ""], "command 4\n"),
        (&["exec", "--", "ls", "-"], "command 3\n"),
        (&["profile", "add", "x", "--secret-command", "--", "op", "re"], "command 6\n"),
    ] {
        assert_eq!(completion_answer(&sandbox, "fish", line), expected, "{line:?}");
    }
    let descriptions = completion_answer(&sandbox, "fish", &["use", "ac"]);
    assert_eq!(descriptions, "names\nacme\tAcme Corp\nacorn\toak\n");
}

#[test]
fn the_store_is_the_one_that_the_line_means() {
    let sandbox = with_store();
    for (path, name) in [("other.toml", "other"), ("b/c.toml", "deep")] {
        let path = sandbox.work(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, other_store(name)).unwrap();
    }
    fs::write(sandbox.root().join("home/h.toml"), other_store("home")).unwrap();
    let absolute = sandbox.work("b/c.toml");
    let cases: [(&[&str], &str); 6] = [
        (&["--store", "other.toml", "profile", "show", ""], "other"),
        (&["profile", "show", "--store=b/c.toml", ""], "deep"),
        (&["profile", "show", "--store", absolute.to_str().unwrap(), "d"], "deep"),
        (&["profile", "show", "--store", "~/h.toml", ""], "home"),
        (&["profile", "show", "--store", "absent.toml", "a"], ""),
        (&["profile", "show", "--store", "other.toml", "--color", "wrong", ""], "other"),
    ];
    for (line, expected) in cases {
        let mut found = offered(&sandbox, line);
        found.retain(|value| !value.starts_with('-'));
        assert_eq!(found.join(" "), expected, "{line:?}");
    }
    let ask = |name: &str, value: &str, folder: &Path| {
        let call =
            sandbox.neto(["--", "neto", "profile", "show", "o"]).env("_NETO_COMPLETE", "bash").current_dir(folder);
        call.env(name, value).run().code(0).stderr("").stdout.clone()
    };
    assert_eq!(ask("NETO_STORE", "other.toml", &sandbox.work("")), "names\nother\n");
    assert_eq!(ask("NETO_STORE", "../other.toml", &sandbox.work("b")), "names\nother\n");
    assert_eq!(ask("NETO_HOME", "nowhere", &sandbox.work("")), "names\n");
}

#[test]
fn whatever_is_wrong_there_is_less_to_offer_and_nothing_else() {
    type Damage = &'static dyn Fn(&Path);
    let spoil: [(&str, Damage); 8] = [
        ("absent", &|store| fs::remove_file(store).unwrap()),
        ("writable by others", &|store| set_mode(store, 0o666)),
        ("in a folder that others write", &|store| set_mode(store.parent().unwrap(), 0o777)),
        ("a folder", &|store| {
            fs::remove_file(store).unwrap();
            fs::create_dir(store).unwrap();
        }),
        ("a pipe", &|store| {
            fs::remove_file(store).unwrap();
            assert!(Command::new("mkfifo").arg(store).status().unwrap().success());
        }),
        ("no TOML", &|store| fs::write(store, "version = 1\n[profiles.acme]\ntags = [\n").unwrap()),
        ("of another version", &|store| fs::write(store, "version = 2\n[profiles.acme]\n").unwrap()),
        ("no text", &|store| fs::write(store, b"version = 1\n[profiles.acme]\n# \xff\n").unwrap()),
    ];
    for (what, spoil) in spoil {
        let sandbox = with_store();
        assert_eq!(offered(&sandbox, &["login", "acm"]), ["acme"], "a sound store");
        spoil(&sandbox.home("profiles.toml"));
        for shell in SHELLS {
            assert_eq!(completion_answer(&sandbox, shell, &["login", "=acm"]), "names\n", "{what}, {shell}");
        }
        assert_eq!(offered(&sandbox, &["login", "acm"]), [""; 0], "{what}");
        assert_eq!(offered(&sandbox, &["recipient", "rem"]), ["remove"], "{what}");
        set_mode(&sandbox.home(""), 0o700);
    }
    let sandbox = Sandbox::new();
    assert_eq!(offered(&sandbox, &["login", "a"]), [""; 0], "no home");
    for line in
        [&[][..], &["neto"], &["neto", "--help", "x"], &["neto", "no-verb", "x"], &["neto", "use", "a", "b", "c"]]
    {
        let arguments = ["--"].iter().chain(line);
        sandbox.neto(arguments).env("_NETO_COMPLETE", "fish").run().code(0).stderr("").stdout("names\n");
    }
    assert!(!sandbox.home("").exists(), "a TAB makes nothing");
}

#[test]
fn only_a_question_is_answered_so() {
    let sandbox = with_store();
    sandbox.neto(["profile", "current"]).env("_NETO_COMPLETE", "fish").run().code(3).stdout("");
    sandbox.neto(["ls", "-o", "csv"]).env("_NETO_COMPLETE", "fish").run().code(0).stdout_has("acorn,");
    for shell in [None, Some(""), Some("nu"), Some("/bin/bash")] {
        let call = sandbox.neto(["--", "neto", "use", ""]);
        let call = if let Some(shell) = shell { call.env("_NETO_COMPLETE", shell) } else { call };
        call.run().code(2).stdout("").stderr_has("error: ");
    }
}

#[test]
fn a_tab_opens_the_store_and_nothing_else_and_writes_nothing() {
    let sandbox = with_store();
    sandbox.neto(["login", "acme"]).run().code(0);
    let mut before = BTreeMap::new();
    snapshot(sandbox.root(), &mut before);
    let connections = sandbox.server().connections();
    for line in [&["use", ""][..], &["login", "--tag", ""], &["exec", "acme", "--", "l"], &["--store", ""]] {
        completion_answer(&sandbox, "zsh", line);
    }
    let mut after = BTreeMap::new();
    snapshot(sandbox.root(), &mut after);
    assert!(before == after, "a TAB changed a file");
    assert_eq!(sandbox.server().connections(), connections);

    if !Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success()) {
        return report_skipped("strace is not installed or may not trace (ptrace), so no system call is looked at");
    }
    // The trace lists opened files, and calls that write, connect or start a process.
    let log = sandbox.work("trace");
    let traced = |arguments: &[&str]| {
        let options = ["-f", "-qq", "-s", "0", "-o", log.to_str().unwrap()];
        let calls = ["-e", "trace=open,openat,write,socket,connect,rename,unlink,mkdir,fork,vfork"];
        let command = options.iter().chain(&calls).chain(&[env!("CARGO_BIN_EXE_neto")]).chain(arguments);
        sandbox.program("strace", command).env("_NETO_COMPLETE", "bash").allow_secret("access token").run().code(0);
        let text = fs::read_to_string(&log).unwrap().replace(sandbox.home("").to_str().unwrap(), "HOME/");
        let calls = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start().to_owned());
        calls.filter(|call| !call.starts_with("open") || call.contains("HOME/")).collect::<Vec<_>>()
    };
    let calls = traced(&["--", "neto", "use", ""]);
    let seen = |call: usize, start: &str, holds: &str| calls[call].starts_with(start) && calls[call].contains(holds);
    assert!(calls.len() == 2 && seen(0, "openat", "HOME/profiles.toml") && seen(1, "write(1", ""), "{calls:?}");
    assert!(traced(&["token", "acme"]).iter().any(|call| call.contains("HOME/keys/")), "what is opened is seen");
}

#[test]
fn ten_thousand_names_are_all_offered() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let profile = |number: usize| {
        let tags = format!("tags = [\"t{}\"]", number % 7);
        format!(
            "\n[profiles.n{number}]\n{tags}\ndescription = \"Number {number}\"\nshortname = \"n\"\nappname = \"a\"\n"
        )
    };
    let text = sandbox.store() + &(0..10_000).map(profile).collect::<String>();
    sandbox.write_store(text);
    assert_eq!(offered(&sandbox, &["login", ""]).len(), 10_000);
    assert_eq!(offered(&sandbox, &["login", "n999"]).len(), 11);
    assert_eq!(completion_answer(&sandbox, "fish", &["ls", "--tag", "t6"]), "names\nt6\t1428 profiles\n");
}
