//! Tests `neto hook` in real shells. With the hook, `neto use` switches only the current shell, and outdated exported
//! variables are dropped before the next prompt. All other commands must work as without the hook.
#![cfg(unix)]

use crate::harness::{Call, Outcome, Sandbox, Terminal};
use crate::shells::{ZSH_OPTIONS, find_program, report_missing};
use crate::transcript::{Example, TranscriptPage};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// Shell that supports the hook, and its syntax for these tests.
struct Shell {
    program: &'static str,
    /// Arguments that make the shell run a script.
    script: &'static [&'static str],
    /// Arguments that make the shell interactive.
    interactive: &'static [&'static str],
}

const BASH: Shell = Shell { program: "bash", script: &["--norc", "-c"], interactive: &["--norc", "--noprofile", "-i"] };
const ZSH: Shell = Shell { program: "zsh", script: &["-fc"], interactive: &["-f", "-i"] };
const FISH: Shell = Shell { program: "fish", script: &["--no-config", "-c"], interactive: &["--no-config", "-i"] };
const NU: Shell = Shell { program: "nu", script: &["--no-config-file", "-c"], interactive: &["--no-config-file"] };
const SHELLS: [Shell; 4] = [BASH, ZSH, FISH, NU];

/// Variables set by neto that [`Shell::print_variables`] prints.
const SHELL_VARIABLES: [&str; 4] = ["NETO_PROFILE", "NETO_SHELL_PROFILE", "NETO_SHELL_PREVIOUS", "NETO_SHORTNAME"];

/// Query for the cursor position, which nu sends to the terminal just before it reads a line.
const CURSOR_QUERY: &str = "\u{1b}[6n";
const CTRL_Z: &str = "\u{1a}";
const CTRL_U: &str = "\u{15}";
/// Maximum time to wait for the effect of a typed line, chosen for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Shell {
    /// Returns whether the shell is installed. Reports a skipped test if not.
    fn is_installed(&self) -> bool {
        let found = find_program(self.program).is_some();
        if !found {
            report_missing(self.program);
        }
        found
    }

    /// Returns the line that loads the hook. nu loads the hook from a file, which is written here.
    fn hook(&self, sandbox: &Sandbox) -> String {
        match self.program {
            "fish" => "neto hook fish | source".to_owned(),
            "nu" => {
                let text = sandbox.neto(["hook", "nu"]).run().code(0).stderr("").stdout.clone();
                fs::write(sandbox.work("hook.nu"), text).unwrap();
                "source hook.nu".to_owned()
            }
            program => format!("\\builtin eval \"$(neto hook {program})\""),
        }
    }

    /// Returns the line that evaluates `neto export` with these arguments.
    fn export(&self, words: &str) -> String {
        match self.program {
            "fish" => format!("neto export {words} | source"),
            "nu" => format!("neto export {words} | from json | load-env"),
            _ => format!("eval \"$(neto export {words})\""),
        }
    }

    /// Returns the line that prints `<`, the [`SHELL_VARIABLES`] separated by `:`, and `>`.
    fn print_variables(&self) -> String {
        let value = |name: &str| match self.program {
            "fish" => format!("${name}"),
            "nu" => format!("($env.{name}? | default \"\")"),
            _ => format!("${{{name}-}}"),
        };
        let values = SHELL_VARIABLES.map(value).join(":");
        if self.program == "nu" { format!("print $\"<{values}>\"") } else { format!("echo \"<{values}>\"") }
    }

    /// Returns the line that sets a variable.
    fn set(&self, name: &str, value: &str) -> String {
        match self.program {
            "fish" => format!("set -gx {name} '{value}'"),
            "nu" => format!("$env.{name} = '{value}'"),
            _ => format!("export {name}='{value}'"),
        }
    }

    /// Runs these lines in a script that first loads the hook twice. The second load must change nothing.
    fn run(&self, sandbox: &Sandbox, lines: &[String]) -> Outcome {
        let hook = self.hook(sandbox);
        let script = [&[hook.clone(), hook], lines].concat().join("\n");
        self.call(sandbox, &script).run()
    }

    fn call<'a>(&self, sandbox: &'a Sandbox, script: &str) -> Call<'a> {
        sandbox.program(self.program, self.script.iter().copied().chain([script]))
    }

    /// Starts the shell at a terminal and loads the hook twice.
    fn at_terminal<'a>(&'a self, sandbox: &'a Sandbox, prepare: &[&str]) -> Session<'a> {
        let call = sandbox.program(self.program, self.interactive.iter().copied()).env("NETO_LOG", sandbox.work("log"));
        let terminal = call.prepend_path(&sandbox.root().join("logged")).at_terminal_sized(250, 40);
        let mut session = Session { shell: self, terminal };
        let hook = self.hook(sandbox);
        for line in prepare.iter().copied().chain([hook.as_str(), hook.as_str()]) {
            session.enter(line);
        }
        session
    }
}

/// Interactive session in a shell.
struct Session<'a> {
    shell: &'a Shell,
    terminal: Terminal<'a>,
}

impl Session<'_> {
    /// Types a line when the shell is ready to read one.
    fn enter(&mut self, line: &str) {
        if self.shell.program == "nu" {
            self.terminal.expect(CURSOR_QUERY);
        }
        self.terminal.enter(line);
    }

    /// Types a line and waits for the expected output.
    #[track_caller]
    fn enter_and_expect(&mut self, line: &str, expected: &str) {
        self.enter(line);
        if self.shell.program == "nu" {
            if self.terminal.appears_within(expected, TIMEOUT) {
                return;
            }
            // On a busy machine, nu sometimes loses typed characters. So the line is cleared and typed again.
            self.terminal.press(CTRL_U).enter(line);
        }
        self.terminal.expect(expected);
    }

    /// Asserts the current values of [`SHELL_VARIABLES`].
    #[track_caller]
    fn expect_variables(&mut self, wanted: &str) {
        let print_variables = self.shell.print_variables();
        self.enter_and_expect(&print_variables, &format!("<{wanted}>"));
    }

    fn exit(mut self) {
        self.enter("exit");
        self.terminal.finish();
    }
}

/// Creates a store with these profiles, without secrets.
fn with_profiles(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let entry = |name: &&str| {
        format!("[profiles.{name}]\nurl = \"https://x.example\"\nshortname = \"{name}\"\nappname = \"soc\"\n\n")
    };
    sandbox.write_store(format!("version = 1\n\n{}", names.iter().map(entry).collect::<String>()));
    sandbox
}

/// Creates profiles with cached tokens, and a wrapper of neto that logs each start of neto in a terminal session.
fn logged_in(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in names {
        sandbox.add(name);
    }
    sandbox.neto(["login", "--all"]).run().code(0);
    let folder = sandbox.root().join("logged");
    fs::create_dir(&folder).unwrap();
    let neto = env!("CARGO_BIN_EXE_neto");
    fs::write(folder.join("neto"), format!("#!/bin/sh\necho \"$*\" >>\"$NETO_LOG\"\nexec '{neto}' \"$@\"\n")).unwrap();
    fs::set_permissions(folder.join("neto"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

/// Returns how often prompts have started neto, according to the log.
fn prompt_starts(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.work("log")).unwrap_or_default().matches("--prompt").count()
}

#[test]
fn use_switches_one_shell_and_global_all() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = with_profiles(&["alpha", "beta", "gamma"]);
        let print_variables = shell.print_variables();
        let lines = [
            "neto use alpha",
            &print_variables,
            "neto use beta",
            &print_variables,
            "neto use -",
            &print_variables,
            "neto -q profile use beta",
            &print_variables,
        ];
        let outcome = shell.run(&sandbox, &lines.map(str::to_owned));
        outcome.code(0).stdout("<alpha:alpha::>\n<beta:beta:alpha:>\n<alpha:alpha:beta:>\n<beta:beta:alpha:>\n");
        assert_eq!(
            outcome.stderr,
            "Now using 'alpha' in this shell\nNow using 'beta' in this shell\nNow using 'alpha' in this shell\n"
        );
        assert!(!sandbox.home("state").exists(), "{}: no other shell knows of it", shell.program);

        let lines = [
            "neto use alpha",
            "neto use --global gamma",
            &print_variables,
            "neto use --none",
            &print_variables,
            "neto profile current",
        ];
        let outcome = shell.run(&sandbox, &lines.map(str::to_owned));
        outcome.code(0).stdout("<alpha:alpha::>\n<::alpha:>\ngamma\n");
        outcome.stderr_has("Now using 'gamma'\nwarning: this shell uses 'alpha' and that is stronger here");
        outcome.stderr_has("\n  neto use --none\n");
        outcome.stderr_has("This shell chooses no profile of its own; 'gamma' is meant here");
        sandbox.neto(["profile", "current"]).run().code(0).stdout("gamma\n");
        // `use -` returns to the profile that was current before the first `use` in this shell.
        let outcome = shell.run(&sandbox, &["neto use beta", "neto use -", &print_variables].map(str::to_owned));
        outcome.code(0).stdout("<gamma:gamma:beta:>\n");
    }
}

#[test]
fn a_use_that_fails_changes_nothing_and_returns_its_code() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = with_profiles(&["alpha", "beta"]);
        let other = sandbox.work("other.toml");
        fs::copy(sandbox.home("profiles.toml"), other).unwrap();
        for (line, code, message) in [
            ("neto use nosuch", 3, "there is no profile 'nosuch'"),
            ("neto use -", 3, "no profile was current before this one"),
            ("neto use 'a;touch pwned'", 2, "not the name of a profile"),
            ("neto use beta --bogus", 2, "there is no '--bogus'"),
            ("neto --store other.toml use beta", 2, "export NETO_STORE='"),
        ] {
            let status = match shell.program {
                "fish" => format!("{line}; or echo $status"),
                "nu" => format!("try {{ {line} }} catch {{|error| print $error.exit_code }}"),
                _ => format!("{line} || echo $?"),
            };
            let lines = ["neto use alpha", &status, &shell.print_variables()].map(str::to_owned);
            // Without a previous profile, `use -` has no profile to return to.
            shell.run(&sandbox, &lines).code(0).stdout(&format!("{code}\n<alpha:alpha::>\n")).stderr_has(message);
        }
        assert!(!sandbox.home("state").exists() && !sandbox.work("pwned").exists(), "{}", shell.program);
        // `--global` is allowed with another store.
        let line = "neto --store other.toml use beta --global".to_owned();
        shell.run(&sandbox, &[line]).code(0).stderr_has("Now using 'beta'");
        sandbox.neto(["--store", "other.toml", "profile", "current"]).run().code(0).stdout("beta\n");
    }
}

#[test]
fn a_store_that_came_with_an_export_is_none_to_choose_from() {
    let sandbox = with_profiles(&["alpha"]);
    let store = sandbox.home("profiles.toml");
    let hooked = |exported: &str| {
        let call = sandbox.neto(["use", "alpha"]).env("_NETO_HOOK", "bash").env("NETO_STORE", &store);
        call.env("NETO_PROFILE", "alpha").env("NETO_EXPORTED", exported).run()
    };
    let outcome = hooked("NETO_PROFILE NETO_STORE");
    outcome.code(2).stdout("").stderr_has("came with an export").stderr_has("eval \"$(neto export --unset)\"");
    // A NETO_STORE that NETO_EXPORTED does not list was set by the user, so `use` works.
    hooked("NETO_PROFILE").code(0).stdout_has("export NETO_SHELL_PROFILE='alpha'\n");
}

#[test]
fn without_the_hook_global_is_what_happens_anyway() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    sandbox.neto(["use", "--global", "alpha"]).run().code(0).stdout("").stderr_has("Now using 'alpha'\n");
    sandbox.neto(["use", "beta"]).run().code(0).stdout("").stderr_lacks("this shell");
    sandbox.neto(["use", "--global", "-"]).run().code(0);
    sandbox.neto(["profile", "current"]).run().code(0).stdout("alpha\n");
    sandbox.neto(["use", "--global", "--none"]).run().code(0);
    sandbox.neto(["profile", "current"]).run().code(3);
    // If `_NETO_HOOK` does not name a shell that supports the hook, neto ignores the variable.
    for caller in ["sh", "tcsh", "bash; touch pwned", ""] {
        let outcome = sandbox.neto(["use", "alpha"]).env("_NETO_HOOK", caller).run();
        if caller != "sh" {
            outcome.code(0).stdout("");
        }
    }
}

#[test]
fn help_is_printed_and_never_evaluated() {
    let sandbox = with_profiles(&["alpha"]);
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        for line in ["neto use --help", "neto --help use", "neto use -h", "neto help use", "neto profile use --help"] {
            let outcome = shell.run(&sandbox, &[line.to_owned(), shell.print_variables()]);
            outcome.code(0).stderr("").stdout_has("Usage: neto").stdout_has("\n<:::>\n");
        }
    }
}

#[test]
fn everything_else_is_the_program_itself() {
    let sandbox = logged_in(&["acme", "use", "export"]);
    let lines = [
        "printf 'one two' | neto exec acme -- cat",
        "neto exec acme -- printf '[%s]' 'a b' '' '*' '$HOME' -- use",
        "neto -p acme exec -- sh -c 'exit 7' || echo \" $?\"",
        "neto exec acme -- sh -c 'kill -TERM $$' || echo $?",
        "neto nosuch || echo $?",
        // The profiles here have the names of commands.
        "neto exec use -- printenv NETO_PROFILE",
        "neto -p use exec -- printenv NETO_PROFILE _NETO_HOOK; neto --profile export profile current",
    ];
    let expected = "one two[a b][][*][$HOME][--][use] 7\n143\n2\nuse\nuse\nexport\n";
    for (shell, settings) in [
        (&BASH, ""),
        (&BASH, "set -euo pipefail -o noclobber; IFS=xtu; alias neto='neto -q' eval=false; shopt -s expand_aliases"),
        (&BASH, "set -o posix"),
        (&ZSH, ""),
        (&ZSH, ZSH_OPTIONS),
    ] {
        if !shell.is_installed() {
            continue;
        }
        // Some settings end a script at an error, unless `||` follows the failing command.
        let lines: Vec<String> = lines.iter().map(|line| line.replace("; neto", " || :\nneto")).collect();
        let script = [vec![settings.to_owned(), shell.hook(&sandbox)], lines].concat().join("\n");
        let outcome = shell.call(&sandbox, &script).run();
        outcome.code(0).stdout(expected).stderr_has("'nosuch'");
        // The code that the hook evaluates also works under these settings.
        let print_variables = shell.print_variables();
        let script = [
            settings,
            &shell.hook(&sandbox),
            "neto use acme",
            &print_variables,
            "neto use nosuch || :",
            &print_variables,
        ]
        .join("\n");
        let outcome = shell.call(&sandbox, &script).run();
        outcome.code(0).stdout("<acme:acme::>\n<acme:acme::>\n").stderr_has("'nosuch'");
    }
    for shell in [&FISH, &NU].into_iter().filter(|shell| shell.is_installed()) {
        let lines = match shell.program {
            "fish" => {
                "printf 'one two' | neto exec acme -- cat\nneto exec acme -- printf '[%s]' 'a b' '' '*' '$HOME' -- use\n\
                neto -p acme exec -- sh -c 'exit 7'; or echo \" $status\"\nneto exec use -- printenv NETO_PROFILE"
            }
            _ => {
                "'one two' | neto exec acme -- cat\nneto exec acme -- printf '[%s]' 'a b' '' '*' '$HOME' -- use\n\
                try { neto -p acme exec -- sh -c 'exit 7' } catch {|error| print $\" ($error.exit_code)\" }\n\
                neto exec use -- printenv NETO_PROFILE"
            }
        };
        let outcome = shell.run(&sandbox, &[lines.to_owned()]);
        outcome.code(0).stderr("").stdout("one two[a b][][*][$HOME][--][use] 7\nuse\n");
    }
}

#[test]
fn a_job_of_it_stops_and_goes_on() {
    if !BASH.is_installed() {
        return;
    }
    let sandbox = logged_in(&["acme"]);
    let program = "trap 'echo wo''ken; kill $!; exit' CONT; sleep 300 & echo rea''dy; wait";
    fs::write(sandbox.work("program"), program).unwrap();
    let mut session = BASH.at_terminal(&sandbox, &[]);
    session.enter_and_expect("neto exec acme -- sh program", "ready");
    session.terminal.press(CTRL_Z).expect("Stopped");
    session.enter_and_expect("fg", "woken");
    session.exit();
}

#[test]
fn an_export_follows_what_use_chose_and_gives_it_back() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = logged_in(&["acme", "globex", "hooli"]);
        let print_variables = shell.print_variables();
        let outcome = shell.run(
            &sandbox,
            &[
                // The script chooses a profile, exports it, exports another profile, and exports the chosen profile
                // again.
                "neto use acme",
                &shell.export(""),
                &print_variables,
                &shell.export("globex"),
                &print_variables,
                &shell.export(""),
                &print_variables,
                // A switch drops the exported variables of any other profile, and keeps those of the chosen profile.
                "neto use hooli",
                &print_variables,
                &shell.export("acme"),
                "neto use acme",
                &print_variables,
                &shell.export("globex"),
                "neto use -",
                &print_variables,
                // `export --unset` keeps the chosen profile.
                &shell.export("globex"),
                &shell.export("--unset"),
                &print_variables,
                // `use --none` ends the choice and drops the exported variables.
                &shell.export(""),
                "neto use --none",
                &print_variables,
            ]
            .map(str::to_owned),
        );
        outcome.code(0).stdout(
            "<acme:acme::acme>\n<globex:acme::globex>\n<acme:acme::acme>\n<hooli:hooli:acme:>\n<acme:acme:hooli:acme>\n\
             <hooli:hooli:acme:>\n<hooli:hooli:acme:>\n<::hooli:>\n",
        );
        outcome.stderr_has("Dropped the variables of 'acme'\nNow using 'hooli' in this shell");
        assert_eq!(outcome.stderr.matches("Dropped").count(), 3, "{outcome}");
        // A failed export keeps the chosen profile and drops all exported variables.
        let failing = match shell.program {
            "fish" => format!("{}; or true", shell.export("nosuch")),
            "nu" => "^neto export nosuch | complete | get stdout | from json | load-env".to_owned(),
            _ => format!("{} || true", shell.export("nosuch")),
        };
        let outcome = shell
            .run(&sandbox, &["neto use acme", &shell.export("globex"), &failing, &print_variables].map(str::to_owned));
        outcome.code(0).stdout("<acme:acme::>\n");
        // If NETO_PROFILE was set by hand, an export keeps that profile as the chosen one.
        let by_hand = shell.set("NETO_PROFILE", "hooli");
        let lines = [by_hand.as_str(), &shell.export("acme"), &shell.export(""), &print_variables];
        shell.run(&sandbox, &lines.map(str::to_owned)).code(0).stdout("<hooli:hooli::hooli>\n");
        // Clearing NETO_PROFILE by hand ends the choice that `use` made.
        let lines = [
            "neto use acme",
            &shell.set("NETO_PROFILE", ""),
            &shell.export("globex"),
            &shell.export("--unset"),
            &print_variables,
        ];
        shell.run(&sandbox, &lines.map(str::to_owned)).code(0).stdout("<:::>\n");
    }
}

#[test]
fn who_sets_neto_profile_by_hand_is_left_no_token_of_another() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = logged_in(&["acme", "globex"]);
        let (print_variables, export) = (shell.print_variables(), shell.export(""));
        let (other, none) = (shell.set("NETO_PROFILE", "globex"), shell.set("NETO_PROFILE", ""));
        for (lines, expected) in [
            (&[other.as_str(), "neto use globex"][..], ["globex", "globex", ""]),
            (&[&none, "neto use globex"], ["globex", "globex", ""]),
            (&[&none, "neto use globex", "__neto_before_prompt"], ["globex", "globex", ""]),
            (&[&other, "__neto_before_prompt"], ["globex", "globex", ""]),
            (&[&none, "__neto_before_prompt"], [""; 3]),
            // A NETO_PROFILE set by hand is a choice, and an export follows the choice.
            (&[&other, &export], ["globex"; 3]),
            // Control: variables exported for the chosen profile stay.
            (&["__neto_before_prompt", "neto use acme", "__neto_before_prompt"], ["acme"; 3]),
        ] {
            let lines = [&["neto use acme", export.as_str()], lines, &[print_variables.as_str()]].concat();
            let outcome = shell.run(&sandbox, &lines.iter().map(ToString::to_string).collect::<Vec<_>>());
            let values = outcome.code(0).stdout_trimmed().trim_matches(['<', '>']);
            let values: Vec<&str> = values.split(':').collect();
            assert_eq!([values[0], values[1], values[3]], expected, "{}: {lines:?}\n{outcome}", shell.program);
        }
    }
}

#[test]
fn a_shell_that_runs_for_a_profile_drops_it_with_a_switch() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = logged_in(&["acme", "globex"]);
        let print_secrets = match shell.program {
            "nu" => "print $\"<($env.NETO_TOKEN? | default '')($env.NETOSECRET? | default '')>\"",
            "fish" => "echo \"<$NETO_TOKEN$NETOSECRET>\"",
            _ => "echo \"<${NETO_TOKEN-}${NETOSECRET-}>\"",
        };
        let run = |lines: &[&str]| {
            let script = [&[shell.hook(&sandbox).as_str()], lines].concat().join("\n");
            let arguments = ["exec", "acme", "--with-secret", "--", shell.program];
            let arguments = arguments.iter().chain(shell.script).copied().chain([script.as_str()]);
            sandbox.neto(arguments).run()
        };
        for switch in ["neto use globex", "neto use --none"] {
            run(&[switch, print_secrets]).code(0).stdout("<>\n").stderr_has("Dropped the variables of 'acme'");
        }
        // Control: a `use` of the same profile keeps the variables.
        run(&["neto use acme", &shell.print_variables()]).code(0).stdout("<acme:acme::acme>\n").stderr_lacks("Dropped");
    }
}

#[test]
fn a_token_of_another_store_is_one_of_another_tenant() {
    let sandbox = logged_in(&["acme", "globex"]);
    let other = sandbox.work("other.toml");
    fs::copy(sandbox.home("profiles.toml"), &other).unwrap();
    sandbox.neto(["--store", "other.toml", "login", "acme"]).run().code(0);
    let set = BASH.set("NETO_STORE", other.to_str().unwrap());
    let (print_variables, export, back) = (BASH.print_variables(), BASH.export("acme"), "unset NETO_STORE");
    for (change, end) in [
        ("neto use acme", "Dropped the variables of 'acme'"),
        ("__neto_before_prompt", "Another store is used here, and the variables of 'acme' are dropped; again: "),
    ] {
        let lines = [&set, &export, "__neto_before_prompt", &print_variables, back, change, &print_variables]
            .map(str::to_owned);
        let outcome = BASH.run(&sandbox, &lines);
        outcome.code(0).stderr_has(end).stdout_has("<acme:::acme>\n");
        assert!(outcome.stdout.ends_with(":>\n"), "{outcome}");
    }
    // A switch with `--global` in another store changes nothing in this shell.
    let line = "neto --store other.toml use --global globex";
    let lines = [&export, line, &print_variables].map(str::to_owned);
    BASH.run(&sandbox, &lines).code(0).stdout("<acme:::acme>\n").stderr_lacks("dropped");
}

#[test]
fn a_netosecret_of_the_user_outlives_what_was_exported_of_it() {
    let sandbox = logged_in(&["acme"]);
    sandbox.neto(["use", "acme"]).run().code(0);
    let credential = sandbox.server().add_tenant("zed", "soc");
    let past = BASH.set("NETO_TOKEN_EXPIRES_AT", "1700000000");
    let print_lengths = "echo \"$NETO_PROFILE:${NETO_SHORTNAME-}:${#NETOSECRET}\"";
    for arguments in ["", "--with-secret"] {
        let lines = [
            &BASH.export(arguments),
            "__neto_before_prompt",
            print_lengths,
            &past,
            "__neto_before_prompt",
            &BASH.export(""),
            print_lengths,
            "neto use acme",
            print_lengths,
        ];
        let lines = lines.map(str::to_owned);
        let hook = BASH.hook(&sandbox);
        let script = [&[hook], &lines[..]].concat().join("\n");
        let outcome = BASH.call(&sandbox, &script).env("NETOSECRET", credential.netosecret()).run();
        let length = credential.netosecret().trim().len();
        outcome.code(0).stdout(&format!("env:zed:{length}\nenv:zed:{length}\nacme::{length}\n"));
    }
}

#[test]
fn what_hides_a_switch_and_came_with_an_export_goes_as_a_whole() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    let call = || sandbox.neto(["use", "beta"]).env("NETO_PROFILE", "alpha");
    call().run().code(0).stderr_has("unset NETO_PROFILE");
    let exported = call().env("NETO_EXPORTED", "NETO_PROFILE NETO_TOKEN").run();
    exported.code(0).stderr_has("eval \"$(neto export --unset)\"").stderr_lacks("unset NETO_PROFILE");
    // A shell started by `neto exec` has NETO_TOKEN without NETO_EXPORTED.
    call().env("NETO_TOKEN", "x").run().code(0).stderr_has("eval \"$(neto export --unset)\"");
}

#[test]
fn fish_switches_whatever_its_ifs_is() {
    if !FISH.is_installed() {
        return;
    }
    let sandbox = with_profiles(&["alpha"]);
    let lines = ["set -g IFS ''", "neto use alpha", &FISH.print_variables()].map(str::to_owned);
    FISH.run(&sandbox, &lines).code(0).stdout("<alpha:alpha::>\n");
}

#[test]
fn a_list_of_the_hook_does_not_stop() {
    if !NU.is_installed() {
        return;
    }
    // nu runs neto as its own job and waits for its output. If Ctrl-Z stopped neto, nu would wait forever.
    let sandbox = with_profiles(&["alpha", "beta"]);
    let mut session = NU.at_terminal(&sandbox, &[]);
    session.enter_and_expect("neto use", "2 of 2");
    session.terminal.press(CTRL_Z).expect("2 of 2").press("bet").expect("1 of 2").press("\r");
    session.terminal.expect("Now using 'beta' in this shell");
    session.expect_variables("beta:beta::");
    session.exit();
}

#[test]
fn the_words_of_nu_reach_the_program_as_without_the_hook() {
    if !NU.is_installed() {
        return;
    }
    let sandbox = logged_in(&["acme"]);
    fs::write(sandbox.work("a.txt"), "").unwrap();
    let line = "neto exec acme -- printf '[%s]' ~ *.txt \"*\" $\"a(1 + 1)\" (1 + 2) 007 ...[x y] -n --x=1";
    let outcome = NU.run(&sandbox, &[line.to_owned(), format!("^{line}")]);
    let (hooked, plain) = outcome.code(0).stdout.split_at(outcome.stdout.len() / 2);
    assert_eq!(hooked, plain);
    assert!(plain.contains("[a.txt][*][a2][3][007][x][y][-n][--x=1]") && !plain.contains('~'), "{plain}");
}

#[test]
fn a_program_run_for_a_profile_has_no_choice_of_the_shell() {
    let sandbox = logged_in(&["acme", "globex"]);
    let lines = [
        "neto use acme",
        "neto use globex",
        "neto exec acme -- sh -c 'echo \"<$NETO_PROFILE>\"; env | grep -c NETO_SHELL'",
    ];
    let outcome = BASH.run(&sandbox, &lines.map(str::to_owned));
    outcome.stdout("<acme>\n0\n");
}

#[test]
fn explain_says_who_set_the_variable() {
    let sandbox = logged_in(&["acme", "globex"]);
    let explain = "neto profile current --explain -o json".to_owned();
    let source = |lines: &[String]| {
        let outcome = BASH.run(&sandbox, &[lines, std::slice::from_ref(&explain)].concat());
        let rows = outcome.code(0).json();
        let winner = rows.as_array().unwrap().iter().find(|row| row["wins"] == true).unwrap().clone();
        (winner["source"].as_str().unwrap().to_owned(), winner["says"].as_str().unwrap().to_owned())
    };
    let pair = |source: &str, says: &str| (source.to_owned(), says.to_owned());
    assert_eq!(source(&["export NETO_PROFILE=acme".to_owned()]), pair("NETO_PROFILE", "acme"));
    assert_eq!(source(&["neto use acme".to_owned()]), pair("NETO_PROFILE, by neto use in this shell", "acme"));
    let exported = ["neto use acme".to_owned(), BASH.export("globex")];
    assert_eq!(source(&exported), pair("NETO_PROFILE, by an export", "globex"));
}

#[test]
fn a_pin_a_global_switch_and_expiry_drop_what_was_exported() {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let sandbox = logged_in(&["acme", "globex"]);
        sandbox.neto(["use", "acme"]).run().code(0);
        fs::create_dir(sandbox.work("pinned")).unwrap();
        fs::write(sandbox.work("pinned/.neto-profile"), "globex\n").unwrap();
        let connections = sandbox.server().connections();
        let mut session = shell.at_terminal(&sandbox, &[]);
        session.expect_variables(":::");
        assert_eq!(prompt_starts(&sandbox), 0, "{}: nothing is exported, and nothing started", shell.program);
        let export = shell.export("");
        session.enter(&export);
        session.expect_variables("acme:::acme");
        session.expect_variables("acme:::acme");
        // Each prompt starts neto once. The prompts follow the export, the first print, and perhaps already the second
        // print.
        let asked = prompt_starts(&sandbox);
        assert!((2..=3).contains(&asked), "{}: {asked}", shell.program);

        session.enter_and_expect(
            "cd pinned",
            "Now 'globex' is chosen here, and the variables of 'acme' are dropped; again: ",
        );
        session.terminal.expect(&shell.export("acme"));
        session.expect_variables(":::");
        session.enter(&export);
        session.expect_variables("globex:::globex");
        // Variables of a profile other than the chosen one stay until the choice changes.
        let other = shell.export("acme");
        session.enter(&other);
        session.expect_variables("acme:::acme");
        // Variables also stay when their profile becomes the chosen one.
        session.enter("cd ..");
        session.expect_variables("acme:::acme");
        session.enter(&shell.export("globex"));
        session.expect_variables("globex:::globex");
        sandbox.neto(["use", "globex"]).run().code(0);
        // The exported profile is now the chosen one.
        session.expect_variables("globex:::globex");
        session.expect_variables("globex:::globex");
        sandbox.neto(["use", "acme"]).run().code(0);
        session.enter_and_expect("cd .", "Now 'acme' is chosen here, and the variables of 'globex' are dropped");
        session.expect_variables(":::");

        session.enter("neto use globex");
        session.expect_variables("globex:globex:acme:");
        session.enter(&shell.export("acme"));
        session.expect_variables("acme:globex:acme:acme");
        let past = shell.set("NETO_TOKEN_EXPIRES_AT", "1700000000");
        session.enter_and_expect(&past, "The token of 'acme' has expired, and its variables are dropped; again: ");
        session.expect_variables("globex:globex:acme:");
        session.exit();
        assert_eq!(sandbox.server().connections(), connections, "{}: nobody is asked", shell.program);
    }
}

#[test]
fn a_switch_on_one_line_reaches_the_rest_of_the_line() {
    let sandbox = logged_in(&["acme", "globex"]);
    let token = "test -z \"${NETO_TOKEN-}\"; echo $?";
    let lines = [&BASH.export("acme"), "neto use globex", token].map(str::to_owned);
    BASH.run(&sandbox, &lines).code(0).stdout("0\n");
    sandbox.neto(["use", "acme"]).run().code(0);
    let lines = [&BASH.export("acme"), "neto use --global globex", token, "neto profile current"].map(str::to_owned);
    let outcome = BASH.run(&sandbox, &lines);
    outcome.code(0).stdout("0\nglobex\n").stderr_has("the variables of 'acme' are dropped").stderr_lacks("stronger");
    // Control: without the hook, the token of the previous tenant remains.
    let lines = [&BASH.export("acme"), "neto use acme", token].map(str::to_owned).join("\n");
    BASH.call(&sandbox, &lines).run().code(0).stdout("1\n");
}

#[test]
fn the_users_own_prompt_and_the_last_status_stay() {
    let sandbox = logged_in(&["acme"]);
    let own = "own_prompt() { last=$?; }";
    let cases: [(&Shell, &[&str]); 4] = [
        (&BASH, &[own, "PROMPT_COMMAND=own_prompt"]),
        (&BASH, &[own, "PROMPT_COMMAND=(true own_prompt)", "set -u"]),
        (&BASH, &["set -u", own, "PROMPT_COMMAND='own_prompt; '"]),
        (&ZSH, &[own, "precmd_functions=(own_prompt)", "setopt ksh_arrays sh_word_split no_unset glob_subst"]),
    ];
    for (shell, prepare) in cases.into_iter().filter(|(shell, _)| shell.is_installed()) {
        let mut session = shell.at_terminal(&sandbox, prepare);
        session.enter("(exit 5)");
        session.enter_and_expect("echo \"<$?:$last>\"", "<5:5>");
        session.enter(&shell.export("acme"));
        session.enter("(exit 6)");
        session.enter_and_expect("echo \"<$?:$last>\"", "<6:6>");
        let hooks = match shell.program {
            "bash" => "echo \"<${PROMPT_COMMAND[*]}>\" | grep -o __neto_before_prompt | wc -l | sed 's/.*/<&>/'",
            _ => "echo \"<${(j: :)precmd_functions}>\" | grep -o __neto_before_prompt | wc -l | sed 's/.*/<&>/'",
        };
        session.enter_and_expect(hooks, "<1>");
        session.exit();
    }
    for (shell, status) in [(&FISH, "(exit 6)"), (&FISH, "false")].into_iter().filter(|(shell, _)| shell.is_installed())
    {
        let mut session = shell.at_terminal(&sandbox, &[]);
        session.enter(&shell.export("acme"));
        session.enter(&status.replace("(exit 6)", "sh -c 'exit 6'"));
        session.enter_and_expect("echo \"<$status>\"", if status == "false" { "<1>" } else { "<6>" });
        session.exit();
    }
}

#[test]
fn a_shell_that_ends_at_errors_does_not_end_at_its_prompt() {
    let sandbox = logged_in(&["acme"]);
    for shell in [&BASH, &ZSH].into_iter().filter(|shell| shell.is_installed()) {
        let mut session = shell.at_terminal(&sandbox, &["set -e"]);
        session.enter(&shell.export("acme"));
        session.enter("! true");
        session.enter_and_expect("echo st''ill", "still");
        session.exit();
    }
}

#[test]
fn what_is_planted_in_variables_is_never_evaluated() {
    let sandbox = with_profiles(&["alpha"]);
    let evil = "alpha';touch pwned;'$(touch pwned)`touch pwned`";
    for shell in ["bash", "zsh", "fish", "nu", "powershell"] {
        let call = || {
            let call =
                sandbox.neto(["hook", shell, "--prompt"]).env("NETO_EXPORTED", "NETO_TOKEN NETO_PROFILE X;touch MINE");
            ["NETO_PROFILE", "NETO_SHELL_PROFILE", "NETO_SHELL_PREVIOUS", "NETO_CHOSEN"]
                .iter()
                .fold(call, |call, name| call.env(name, evil))
        };
        let outcome = call().run();
        outcome.code(0).stdout_has("NETO_TOKEN").stdout_has("MINE").stdout_lacks("touch").stderr_lacks("touch");
        let outcome = call().env("NETO_TOKEN_EXPIRES_AT", "1").run();
        outcome.code(0).stdout_has("NETO_TOKEN").stdout_lacks("touch").stderr_lacks("touch");
        // The hook prints nothing if no variable is exported, or if all exported variables are still valid.
        sandbox.neto(["hook", shell, "--prompt"]).run().code(0).stderr("").stdout("");
        let good =
            sandbox.neto(["hook", shell, "--prompt"]).env("NETO_EXPORTED", "NETO_PROFILE").env("NETO_PROFILE", "x");
        good.env("NETO_CHOSEN", "- x").env("NETO_TOKEN_EXPIRES_AT", "soon").run().code(0).stderr("").stdout("");
    }
}

#[test]
fn an_export_that_was_not_noted_counts_from_the_first_prompt() {
    let sandbox = with_profiles(&["alpha", "beta"]);
    sandbox.neto(["use", "alpha"]).run().code(0);
    let check =
        || sandbox.neto(["hook", "bash", "--prompt"]).env("NETO_EXPORTED", "NETO_PROFILE").env("NETO_PROFILE", "x");
    check().run().code(0).stderr("").stdout("export NETO_CHOSEN='alpha x'\n");
    check().env("NETO_CHOSEN", "alpha x").run().code(0).stderr("").stdout("");
    let dropped = check().env("NETO_CHOSEN", "beta x").run();
    dropped.code(0).stdout_has("unset -v").stdout_has(" NETO_CHOSEN ").stderr_has("again: eval \"$(neto export x)\"");
    // With an invalid pin no profile is selected, which counts as a change too.
    fs::write(sandbox.work(".neto-profile"), "no name\n").unwrap();
    check().env("NETO_CHOSEN", "alpha x").run().code(0).stdout_has("unset -v").stderr_has("Now none is chosen here");
}

#[test]
fn r40_powershell_is_told_in_its_own_quotes() {
    let sandbox = with_profiles(&["alpha"]);
    let used = sandbox.neto(["use", "alpha"]).env("_NETO_HOOK", "powershell").run();
    let text = "neto-hook:\n$env:NETO_PROFILE = $null\n$env:NETO_SHELL_PREVIOUS = $null\n\
                $env:NETO_PROFILE = 'alpha'\n$env:NETO_SHELL_PROFILE = 'alpha'\n";
    used.code(0).stdout(text);
    let hook = sandbox.neto(["hook", "powershell"]).run();
    hook.code(0).stderr("").stdout_has("function global:neto {").stdout_has("hook powershell --prompt");
    let quotes = hook.stdout.lines().filter(|line| !line.starts_with('#')).map(|line| line.matches('\'').count());
    assert!(quotes.clone().sum::<usize>() > 20 && quotes.into_iter().all(|count| count % 2 == 0), "{hook}");
    assert_eq!(hook.stdout.matches('{').count(), hook.stdout.matches('}').count(), "{hook}");
}

#[test]
fn a_shell_without_a_prompt_to_hook_is_told_which_have_one() {
    let sandbox = Sandbox::new();
    for name in ["sh", "tcsh"] {
        sandbox.neto(["hook", name]).run().code(2).stdout("").stderr_has("SHELL does not take");
    }
    assert!(!sandbox.home("").exists());
}

/// Returns a script that runs the examples of the page in one shell with the hook. Each example has two files: one for
/// its output and the output of the next prompt, one for its exit code.
fn page_script(examples: &[Example], folder: &str) -> String {
    let lines = examples.iter().map(|Example { line, command, .. }| {
        let file = format!("{folder}/{line}");
        format!("{{ {command}\n}} >{file} 2>&1 </dev/null\necho $? >{file}.code\n[[ $(type -t __neto_before_prompt) ]] && __neto_before_prompt 2>>{file}\n")
    });
    lines.collect()
}

#[test]
fn the_page_shows_what_a_shell_says() {
    if !BASH.is_installed() {
        return;
    }
    let sandbox = logged_in(&["acme", "globex", "hooli"]);
    sandbox.neto(["profile", "edit", "hooli", "--protected"]).run().code(0);
    sandbox.neto(["login", "--all"]).run().code(0);
    sandbox.neto(["use", "acme"]).run().code(0);
    fs::create_dir(sandbox.work("for-hooli")).unwrap();
    fs::write(sandbox.work("for-hooli/.neto-profile"), "hooli\n").unwrap();
    let mut page = TranscriptPage::read("docs/shells.md");
    assert!(page.examples.len() > 15, "the page has lost its examples: {}", page.examples.len());
    let outputs = tempfile::tempdir().unwrap();
    let script = page_script(&page.examples, outputs.path().to_str().unwrap());
    BASH.call(&sandbox, &script).run().stdout("").stderr("");
    for at in 0..page.examples.len() {
        let line = page.examples[at].line;
        let read = |name: String| fs::read_to_string(outputs.path().join(name)).unwrap();
        let code = read(format!("{line}.code")).trim().parse().unwrap();
        page.compare(at, &read(line.to_string()), code);
    }
    page.finish();
}

#[test]
fn the_lines_for_prompts_show_the_segment() {
    let page = include_str!("../docs/shells.md");
    let sandbox = with_profiles(&["alpha"]);
    for (shell, start) in [
        (&BASH, "PS1="),
        (&ZSH, "setopt prompt_subst;"),
        (&FISH, "function fish_prompt;"),
        (&NU, "$env.PROMPT_COMMAND ="),
    ] {
        if !shell.is_installed() {
            continue;
        }
        let line = page.lines().find(|line| line.starts_with(start)).expect("a line of the page");
        let call = sandbox.program(shell.program, shell.interactive.iter().copied());
        let mut session = Session { shell, terminal: call.at_terminal_sized(250, 40) };
        session.enter_and_expect(line, "[alpha -] ");
        // nu has sent its cursor query before it printed this prompt, so the test does not wait for another query.
        session.terminal.enter("exit");
        session.terminal.finish();
    }
}
