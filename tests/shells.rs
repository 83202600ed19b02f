//! Reads the shell code of `neto::internals::output` back with the real shells. Each value arrives byte for byte, unset variables
//! are gone, failures fail, and there are no side effects.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use neto::internals::output::{EnvFormat, Shell, ShellError};
use tempfile::TempDir;

/// Shell with its settings.
struct Case {
    shell: Shell,
    program: &'static str,
    flags: &'static [&'static str],
    /// Runs before the text is evaluated.
    settings: &'static str,
    locale: &'static str,
}

const UTF8: &str = "C.UTF-8";
pub(crate) const ZSH_OPTIONS: &str = "setopt err_exit no_unset pipe_fail rc_quotes ksh_arrays sh_word_split glob_subst \
    magic_equal_subst extended_glob ksh_glob no_match bang_hist interactive_comments warn_create_global ignore_braces";

/// Every shell, plain and with settings that break careless shell code.
const CASES: &[Case] = &[
    Case { shell: Shell::Sh, program: "dash", flags: &["-c"], settings: "", locale: UTF8 },
    Case { shell: Shell::Sh, program: "dash", flags: &["-c"], settings: "set -eu", locale: "C" },
    Case { shell: Shell::Sh, program: "mksh", flags: &["-c"], settings: "", locale: UTF8 },
    Case { shell: Shell::Sh, program: "mksh", flags: &["-c"], settings: "set -euo pipefail", locale: "C" },
    Case { shell: Shell::Sh, program: "busybox", flags: &["sh", "-c"], settings: "", locale: UTF8 },
    Case { shell: Shell::Sh, program: "busybox", flags: &["sh", "-c"], settings: "set -euo pipefail", locale: "C" },
    Case { shell: Shell::Bash, program: "bash", flags: &["-c"], settings: "", locale: UTF8 },
    Case { shell: Shell::Bash, program: "bash", flags: &["-c"], settings: "set -euo pipefail", locale: "C" },
    Case { shell: Shell::Bash, program: "bash", flags: &["--posix", "-c"], settings: "set -eu", locale: UTF8 },
    Case {
        shell: Shell::Bash,
        program: "bash",
        flags: &["-c"],
        settings: "set -H -o history; shopt -s extglob nullglob failglob expand_aliases",
        locale: UTF8,
    },
    Case { shell: Shell::Zsh, program: "zsh", flags: &["-fc"], settings: "", locale: UTF8 },
    Case { shell: Shell::Zsh, program: "zsh", flags: &["-fc"], settings: "set -euo pipefail", locale: "C" },
    Case { shell: Shell::Zsh, program: "zsh", flags: &["-fc"], settings: ZSH_OPTIONS, locale: UTF8 },
    Case { shell: Shell::Zsh, program: "zsh", flags: &["-fc"], settings: "emulate sh; set -eu", locale: UTF8 },
    Case { shell: Shell::Zsh, program: "zsh", flags: &["-fc"], settings: "emulate ksh", locale: UTF8 },
    Case { shell: Shell::Fish, program: "fish", flags: &["--no-config", "-c"], settings: "", locale: UTF8 },
    Case { shell: Shell::Fish, program: "fish", flags: &["--no-config", "-c"], settings: "", locale: "C" },
    Case { shell: Shell::Nu, program: "nu", flags: &["--no-config-file", "-c"], settings: "", locale: UTF8 },
];

/// Result of one evaluation: the empty directory it ran in, the evaluated text, and the output.
struct Run {
    folder: TempDir,
    text: PathBuf,
    output: Output,
}

impl Case {
    /// Evaluates `text` as the documentation says, then runs `after`. Returns `None` if the shell is not installed.
    fn run(&self, text: &str, before: &[(String, String)], after: &str) -> Option<Run> {
        let Some(program) = find_program(self.program) else {
            report_missing(self.program);
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let (work, file) = (folder.path().join("work"), folder.path().join("text"));
        fs::create_dir(&work).unwrap();
        fs::write(&file, text).unwrap();
        let shown = file.to_str().unwrap();
        let evaluate = match self.shell {
            Shell::Fish => format!("cat '{shown}' | source"),
            Shell::Nu => format!("^cat '{shown}' | from json | load-env"),
            _ => format!("eval \"$(cat '{shown}')\""),
        };
        let output = Command::new(program)
            .args(self.flags)
            .arg(format!("{}\n{evaluate}{after}", self.settings))
            .current_dir(&work)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", folder.path())
            .env("LC_ALL", self.locale)
            .envs(before.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Some(Run { text: file, folder, output })
    }

    fn format(&self) -> EnvFormat {
        EnvFormat::Shell(self.shell)
    }

    fn name(&self) -> String {
        format!("{} {} {} ({})", self.program, self.flags.join(" "), self.settings, self.locale)
    }

    /// Returns the command that prints the environment of the shell's child.
    fn print_environment(&self) -> &'static str {
        if self.shell == Shell::Nu { "\n^env -0" } else { "\nenv -0" }
    }
}

impl Run {
    /// Returns the environment that was printed. Fails if the shell printed or did anything else.
    fn environment(&self, case: &Case) -> BTreeMap<String, String> {
        let name = case.name();
        assert_eq!(String::from_utf8_lossy(&self.output.stderr), "", "{name}");
        assert!(self.output.status.success(), "{name}: {}", self.output.status);
        self.assert_no_files(case);
        let text = String::from_utf8(self.output.stdout.clone()).unwrap();
        let lines = text.split_terminator('\0').map(|line| line.split_once('=').unwrap());
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn assert_no_files(&self, case: &Case) {
        let files: Vec<_> = fs::read_dir(self.folder.path().join("work")).unwrap().collect();
        assert!(files.is_empty(), "{}: {files:?} after evaluating {}", case.name(), self.text.display());
    }
}

#[test]
fn r40_every_value_arrives_and_nothing_else_happens() {
    let values = hostile_values();
    assert!(values.len() >= 200, "{}", values.len());
    let set: Vec<_> = values.iter().enumerate().map(|(at, value)| (format!("V_{at}"), value.clone())).collect();
    let unset = names(&["OLD_TOKEN", "NEVER_SET", "V_0"]);
    let before = [pair("OLD_TOKEN", "of another tenant"), pair("V_0", "of another tenant"), pair("KEPT", "kept")];
    for case in CASES {
        let text = case.format().render_exports(&unset, &set).unwrap();
        let Some(run) = case.run(&text, &before, case.print_environment()) else { continue };
        let mut found = run.environment(case);
        for (name, value) in &set {
            assert_eq!(found.remove(name).as_ref(), Some(value), "{name} in {}", case.name());
        }
        assert_eq!(found.remove("KEPT").as_deref(), Some("kept"));
        assert_gone(&mut found, case, &["OLD_TOKEN", "NEVER_SET"]);
        let idle = case.format().render_exports(&[], &[]).unwrap();
        let Some(idle) = case.run(&idle, &[], case.print_environment()) else { continue };
        let default_variables = idle.environment(case);
        found.retain(|name, _| !default_variables.contains_key(name));
        assert!(found.is_empty(), "{} also set {found:?}", case.name());
    }
}

#[test]
fn unsetting_leaves_nothing_and_never_fails() {
    let gone = ["OLD_TOKEN", "OLD_EMPTY", "NEVER_SET"];
    let before = [pair("OLD_TOKEN", "of another tenant"), pair("OLD_EMPTY", ""), pair("KEPT", "kept")];
    for case in CASES {
        for text in
            [case.format().render_unsets(&names(&gone)), case.format().render_exports(&names(&gone), &[]).unwrap()]
        {
            let Some(run) = case.run(&text, &before, &print_environment_if_ok(case)) else { continue };
            let mut found = run.environment(case);
            assert_eq!(found.remove("KEPT").as_deref(), Some("kept"), "{}", case.name());
            assert_gone(&mut found, case, &gone);
        }
        // A shell function is not a variable, even under the same name.
        if !matches!(case.shell, Shell::Fish | Shell::Nu) {
            let text = format!("NEVER_SET() {{ :; }}\n{}NEVER_SET\n", case.format().render_unsets(&names(&gone)));
            let Some(run) = case.run(&text, &before, case.print_environment()) else { continue };
            run.environment(case);
        }
    }
}

/// Returns a command that prints the environment only if the evaluated text succeeded.
fn print_environment_if_ok(case: &Case) -> String {
    match case.shell {
        Shell::Nu => case.print_environment().to_owned(),
        Shell::Fish => format!("; or exit 1{}", case.print_environment()),
        _ => format!(" || exit 1{}", case.print_environment()),
    }
}

#[test]
fn a_failure_fails_and_leaves_no_variable() {
    let gone = ["OLD_TOKEN", "NEVER_SET"];
    let before = [pair("OLD_TOKEN", "of another tenant")];
    for case in CASES {
        let text = case.format().render_failure(&names(&gone), &[]);
        let after = match case.shell {
            Shell::Nu => case.print_environment().to_owned(),
            Shell::Fish => format!("; and touch went-on{}", case.print_environment()),
            _ => format!(" && touch went-on{}", case.print_environment()),
        };
        let Some(run) = case.run(&text, &before, &after) else { continue };
        assert_gone(&mut run.environment(case), case, &gone);
    }
}

#[test]
fn a_failure_ends_a_careful_script() {
    for case in CASES.iter().filter(|case| case.settings.contains("set -e") || case.settings.contains("err_exit")) {
        let text = case.format().render_failure(&names(&["OLD_TOKEN"]), &[]);
        let Some(run) = case.run(&text, &[], "\ntouch went-on") else { continue };
        assert!(!run.output.status.success(), "{}", case.name());
        run.assert_no_files(case);
    }
}

#[test]
fn r40_a_dotenv_file_reads_back_in_sh() {
    let (mut set, mut refused) = (Vec::new(), 0);
    for (at, value) in hostile_values().into_iter().enumerate() {
        let one = (format!("V_{at}"), value);
        match EnvFormat::Dotenv.render_exports(&[], std::slice::from_ref(&one)) {
            Ok(_) => set.push(one),
            Err(ShellError::DotenvUnsupported { name, .. }) if name == one.0 => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(set.len() > 100 && refused > 10, "{} and {refused}", set.len());
    let text = EnvFormat::Dotenv.render_exports(&[], &set).unwrap();
    for case in CASES.iter().filter(|case| !matches!(case.shell, Shell::Fish | Shell::Nu)) {
        let case = Case { settings: "set -a", ..*case };
        let Some(run) = case.run(&text, &[], case.print_environment()) else { continue };
        let found = run.environment(&case);
        for (name, value) in &set {
            assert_eq!(found.get(name), Some(value), "{name} in {}", case.name());
        }
    }
}

/// Asserts that these variables are gone. nu cannot unset from data, so there they are empty, which neto treats as
/// unset.
fn assert_gone(found: &mut BTreeMap<String, String>, case: &Case, gone: &[&str]) {
    for name in gone {
        let expected = (case.shell == Shell::Nu).then(String::new);
        assert_eq!(found.remove(*name), expected, "{name} in {}", case.name());
    }
}

/// Returns values that try to end a quote, start a command, or get lost.
fn hostile_values() -> Vec<String> {
    let mut values: Vec<String> = FRAGMENTS.iter().map(|&value| value.to_owned()).collect();
    values.extend(["x".repeat(100_000), "'".repeat(10_000), "\\'".repeat(5_000), "é\n".repeat(5_000)]);
    for character in ('\u{1}'..='\u{1f}').chain('!'..='/').chain(':'..='@').chain('['..='`').chain('{'..='\u{9f}') {
        values.extend([format!("{character}"), format!("a{character}{character}b{character}")]);
    }
    // Shells use these characters internally: bytes 0x80 to 0x9f within UTF-8, fish's private characters,
    // non-characters.
    for character in
        ['Ł', 'Ā', 'ā', 'Ą', '\u{a0}', '\u{f600}', '\u{f6ff}', '\u{f8ff}', '\u{fdd0}', '\u{fffd}', '\u{10ffff}']
    {
        values.extend([format!("{character}"), format!("'{character}\\{character}'\n")]);
    }
    // Random combinations of fragments, equal in every run.
    let mut state = 0x2545_f491_u32;
    let mut fragment = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        FRAGMENTS[(state >> 8) as usize % FRAGMENTS.len()]
    };
    values.extend((0..150).map(|_| format!("{}{}{}", fragment(), fragment(), fragment())));
    values
}

const FRAGMENTS: &[&str] = &[
    "",
    " ",
    "  two  ",
    "plain",
    "'",
    "''",
    "'''",
    "\"",
    "\"\"",
    "`",
    "'\"'\"'",
    "it's",
    "'quoted'",
    "\"quoted\"",
    "\\",
    "\\\\",
    "\\'",
    "\\\"",
    "'\\''",
    "\\n",
    "\\0",
    "\\x41",
    "\\u0041",
    "\\u{41}",
    "\\e[31m",
    "\\c",
    "\\101",
    "$",
    "$$",
    "$HOME",
    "${HOME}",
    "$(touch pwned)",
    "`touch pwned`",
    "';touch pwned;'",
    "\";touch pwned;\"",
    "'\ntouch pwned\n'",
    "\ntouch pwned\n",
    "(touch pwned)",
    ";touch pwned",
    "|touch pwned",
    "&touch pwned&",
    "&&touch pwned",
    "<(touch pwned)",
    ">(touch pwned)",
    ">pwned",
    ">>pwned",
    "$'\\n'",
    "$\"x\"",
    "$((1+1))",
    "${x:=pwned}",
    "${x:?pwned}",
    "$[1+1]",
    "!",
    "!!",
    "!$",
    "!touch",
    "a!b",
    "^a^b",
    "-",
    "--",
    "-n",
    "-e",
    "-x y",
    "--help",
    "~",
    "~root",
    "a:~:b",
    "*",
    "?",
    "[a-z]*",
    "{a,b}",
    "@(a|b)",
    "#",
    " # no comment",
    "%",
    "%s%n",
    "%PATH%",
    "=",
    "=ls",
    "a=b",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n\n",
    "\na",
    "a\nb\nc",
    "\r",
    "\r\n",
    "a\rb",
    "\t",
    "\t\ttab\t",
    "\u{7}",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{9b}31m",
    "é",
    "日本語",
    "🔑",
    "e\u{301}",
    "\u{2018}",
    "\u{2019}",
    "\u{201a}",
    "\u{201b}",
    "\u{201c}x\u{201d}",
    "\u{2018};touch pwned;\u{2019}",
    "\u{202e}right to left",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "\u{a0}",
    "eyJhbGciOiJIUzI1NiJ9.e30.c2ln==",
    "https://a.example/?b=c&d=e#f",
    "{\"a\": \"b\\\"c\"}",
    "<<EOF\npwned\nEOF\n",
    "EOF",
    "'@\n",
    "true",
    "null",
    "0",
    "1e9",
    "0x10",
    "[1, 2]",
    "(1 2)",
    "$env.HOME",
    "$nu.home-path",
    "$env:HOME",
    "\\$HOME",
    "\\`x\\`",
    "\u{1f}",
    "\u{1}\u{1}",
    "\\\n",
    "a\\\nb",
    "'\n'",
    "\"\n\"",
    "'\\",
    "\\'\\'\\",
    "${IFS}",
    "$IFS$9",
    "a;b",
    "a|b",
    "a&b",
    "a<b>c",
    "a(b)c",
    "$@",
    "$*",
    "$#",
    "$?",
    "$!",
    "$0",
];

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| Path::is_file(file))
}

/// Reports past the test's captured output that a shell was not tested; in CI that is a failure.
pub(crate) fn report_missing(program: &str) {
    let _ = writeln!(io::stderr(), "NOT TESTED: there is no {program} on PATH (nu: npm package @nushell/linux-x64)");
    assert!(std::env::var_os("CI").is_none(), "{program} must be there in CI");
}
