//! Tests `neto exec` for several profiles: one run per profile, prefixed or JSON output, exit codes, and the signals
//! that end all runs.
#![cfg(unix)]

use crate::exec::wait_for_file;
use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::{CTRL_C, Outcome, Sandbox};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Creates a sandbox with these profiles.
fn with_profiles(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in names {
        sandbox.add(name);
    }
    sandbox
}

/// Returns the arguments that run a `sh` script for the profiles in `selection`.
fn exec<'a>(selection: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["exec"], selection, &["--", "sh", "-c", script]].concat()
}

/// Returns the lines sorted, since profiles finish in any order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Parses each line as JSON.
fn rows(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON on a line")).collect()
}

/// Returns the process ID that is in this file.
fn process_from(path: &Path) -> Pid {
    Pid::from_raw(fs::read_to_string(path).expect("an id").trim().parse().expect("a number")).expect("an id")
}

#[test]
fn each_profile_has_its_run_and_its_name_before_the_lines() {
    let sandbox = with_profiles(&["acme-eu", "acme-us", "globex"]);
    let script = "echo \"I am $NETO_SHORTNAME\"; echo 'two  blanks' >&2; printf 'no end'";
    let outcome = sandbox.neto(exec(&["acme-*"], script)).run();
    let expected = ["acme-eu | I am acme-eu", "acme-eu | no end", "acme-us | I am acme-us", "acme-us | no end"];
    assert_eq!(sorted(&outcome.code(0).stdout), expected);
    assert_eq!(sorted(&outcome.stderr), ["acme-eu | two  blanks", "acme-us | two  blanks"]);
    assert_eq!(sandbox.server().logins(), 2);
    for selection in [&["globex", "acme-us"][..], &["--all"], &["globex", "*-us", "globex"]] {
        let outcome = sandbox.neto(exec(selection, "echo x")).run();
        outcome.code(0).stderr("").stdout_has("globex | x\n").stdout_has("acme-us | x\n");
    }
    // A glob counts as several profiles even if it matches only one. A plain name counts as one profile.
    sandbox.neto(exec(&["glob*"], "echo x")).run().code(0).stderr("").stdout("globex | x\n");
    sandbox.neto(exec(&["globex"], "echo x")).run().code(0).stderr("").stdout("x\n");
    assert_eq!(sandbox.server().logins(), 3);
}

#[test]
fn each_failure_is_told_and_all_come_to_8() {
    let sandbox = with_profiles(&["acme", "globex", "hooli"]);
    let script = "case $NETO_PROFILE in globex) exit 3;; hooli) kill -KILL $$;; esac; echo done";
    let outcome = sandbox.neto(exec(&["--all"], script)).run();
    outcome.code(8).stdout("acme | done\n").stderr_has("error: globex: exit 3\n");
    outcome.stderr_has("error: hooli: ended by signal 9\n").stderr_lacks("acme").stderr_has("2 of 3 profiles failed");
    outcome.stderr_has("neto exec globex hooli -- ...");
    // If only one profile matches, the exit code is that of its program.
    sandbox.neto(exec(&["g*"], script)).run().code(3).stdout("").stderr_has("error: globex: exit 3");
    sandbox.neto(exec(&["h*"], script)).run().code(137).stdout("").stderr_has("hooli: ended by signal 9");
    let outcome = sandbox.neto(["exec", "acme", "globex", "--", "nosuch"]).run();
    outcome.code(8).stdout("").stderr_has("acme: nosuch is not found").stderr_has("globex: nosuch is not found");
    sandbox.neto(["exec", "a*", "--", "nosuch"]).run().code(127).stdout("");
    sandbox.neto(["exec", "a*", "--", "/"]).run().code(126).stdout("");
}

#[test]
fn who_gets_no_token_fails_alone_and_who_has_no_secret_is_skipped() {
    let sandbox = with_profiles(&["acme", "globex"]);
    sandbox.write_store(sandbox.store() + "\n[profiles.skeleton]\nshortname = \"bare\"\nappname = \"soc\"\n");
    sandbox.neto(exec(&["--all"], "echo $NETO_PROFILE")).run().code(0).stderr_has("skeleton: skipped");
    sandbox.neto(["logout", "--all"]).run().code(0);
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("globex").error(401, "unknown key"));
    let outcome = sandbox.neto(exec(&["--all"], "echo ran")).run();
    outcome.code(8).stdout("acme | ran\n").stderr_has("globex: ").stderr_has("unknown key");
    let outcome = sandbox.neto(exec(&["--all", "-o", "json"], "echo ran")).run();
    let rows = rows(outcome.code(8));
    assert_eq!((&rows[1]["profile"], &rows[1]["exit_code"]), (&json!("globex"), &Value::Null));
    assert!(rows.len() == 2 && rows[1]["error"].as_str().is_some_and(|error| error.contains("unknown key")));
    // If only one profile matches, neto exits with 125 for its own failure.
    sandbox.neto(exec(&["glob*"], "echo ran")).run().code(125).stdout("").stderr_has("unknown key");
}

#[test]
fn who_failed_is_told_by_name_whoever_failed_first() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let script = "test $NETO_PROFILE = globex && touch gone || until test -e gone; do sleep 0.01; done; exit 3";
    sandbox.neto(exec(&["--all"], script)).run().code(8).stderr_has("neto exec acme globex -- ...");
}

#[test]
fn what_selects_nothing_or_runs_nothing_is_said_before_anything_is_asked() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let cases: &[(&[&str], &str)] = &[
        (&["exec", "acme", "globex"], "want a program"),
        (&["exec", "--all"], "want a program"),
        (&["exec", "acme", "-o", "json"], "want a program"),
        (&["exec", "x*", "--", "touch", "ran"], "the profiles are acme, globex"),
        (&["exec", "--tag", "prod", "--", "touch", "ran"], "no profile matches --tag prod"),
        (&["exec", "acme", "glbex", "--", "touch", "ran"], "'globex'"),
        (&["exec", "acme", "--all", "--", "touch", "ran"], "--all"),
        (&["exec", "-p", "acme", "--all", "--", "touch", "ran"], "does not go with --profile"),
        (&["exec", "--all", "--jobs", "0", "--", "touch", "ran"], "--jobs"),
    ];
    for (arguments, message) in cases {
        sandbox.neto(*arguments).run().code(125).stdout("").stderr_has("error: ").stderr_has(message);
    }
    assert!(!sandbox.work("ran").exists());
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn json_is_a_line_for_each_in_the_order_of_the_store() {
    let sandbox = with_profiles(&["acme", "globex", "hooli"]);
    let script = "case $NETO_PROFILE in
        acme) until [ -e hooli ]; do sleep 0.01; done; printf 'a\\nb';;
        globex) printf '\\377\"' >&2; exit 3;;
        hooli) : > hooli; kill -TERM $$;;
    esac";
    let outcome = sandbox.neto(exec(&["--all", "-o", "json"], script)).run();
    let row = |profile: &str, code: i32, signal: Value, stdout: &str, stderr: &str| {
        json!({"profile": profile, "shortname": profile, "exit_code": code, "signal": signal, "stdout": stdout,
               "stderr": stderr, "truncated": false, "error": null})
    };
    let expected = [
        row("acme", 0, Value::Null, "a\nb", ""),
        row("globex", 3, Value::Null, "", "\u{fffd}\""),
        row("hooli", 143, json!(15), "", ""),
    ];
    assert_eq!(rows(outcome.code(8)), expected);
    outcome.stderr_has("globex: exit 3").stderr_has("hooli: ended by signal 15");
    // With `-o json`, a single profile gets a JSON line too.
    let outcome = sandbox.neto(exec(&["acme", "-o", "json"], "echo x; echo y >&2")).run();
    assert_eq!(rows(outcome.code(0).stderr("")), [row("acme", 0, Value::Null, "x\n", "y\n")]);
    let outcome = sandbox.neto(["exec", "-p", "acme", "-o", "json", "--", "nosuch"]).run();
    let row = &rows(outcome.code(127))[0];
    assert_eq!((&row["exit_code"], &row["error"]), (&json!(127), &json!("nosuch is not found")));
}

#[test]
fn so_many_run_at_once_and_no_more() {
    let sandbox = with_profiles(&["acme", "globex", "hooli"]);
    // Each program waits until the other program has started too.
    let script = ": > $NETO_PROFILE; until [ -e acme ] && [ -e globex ]; do sleep 0.01; done";
    sandbox.neto(exec(&["acme", "globex", "--jobs", "2"], script)).run().code(0).stderr("");
    // Each program fails if another program runs at the same time.
    let script = "mkdir busy && sleep 0.05 && rmdir busy";
    sandbox.neto(exec(&["--all", "--jobs", "1"], script)).run().code(0).stderr("");
}

#[test]
fn a_tenant_that_does_not_answer_holds_up_nobody() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("acme").once().hold_at(&gate));
    let run = sandbox.neto(exec(&["--all"], ": > $NETO_PROFILE")).start();
    gate.wait_for_requests(1);
    wait_for_file(&sandbox.work("globex"));
    assert!(!sandbox.work("acme").exists());
    gate.open();
    run.finish().code(0).stderr("");
    assert!(sandbox.work("acme").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn r16_no_lock_no_file_and_no_input_goes_along() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let files = "cd /proc/self/fd && echo * && readlink 0 && cat";
    let expected = sandbox.program("sh", ["-c", files]).run().stdout;
    let expected: Vec<String> = expected.lines().map(|line| format!("acme | {line}")).collect();
    let script = format!("neto token $NETO_PROFILE --force --lock-timeout 1s >/dev/null && {files}");
    let outcome = sandbox.neto(exec(&["a*"], &script)).stdin("typed\n").run();
    assert_eq!(outcome.code(0).stderr("").stdout.lines().collect::<Vec<_>>(), expected);
    assert!(expected[1] == "acme | /dev/null" && sandbox.server().logins() == 2);
    // Programs that run in parallel inherit no lock and no open file either.
    let outcome = sandbox.neto(exec(&["--all"], &script)).run();
    outcome.code(0).stderr("").stdout_has(&format!("{}\n", expected[0])).stdout_has("globex | /dev/null\n");
}

#[test]
fn r59_each_program_gets_the_environment_of_its_profile() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let script = "test \"$NETO_TOKEN\" = \"$(neto token $NETO_PROFILE)\" && echo \"$NETO_SHORTNAME $NETO_URL\" \
                  ${NETO_IDENTITY_FILE-none} ${NETO_EXPORTED-none} ${OF_ANOTHER-none} ${NETO_APPKEY:+key}";
    let run = |selection: &[&str]| {
        let call = sandbox.neto(exec(selection, script)).env("NETO_IDENTITY_FILE", sandbox.home("keys/identity.txt"));
        call.env("NETO_EXPORTED", "OF_ANOTHER").env("OF_ANOTHER", "tenant").env("NETO_APPKEY", "another").run()
    };
    let line = |name: &str, key: &str| format!("{name} | {name} {} none none none{key}", sandbox.server().url());
    let outcome = run(&["--all"]);
    assert_eq!(sorted(&outcome.code(0).stderr("").stdout), [line("acme", ""), line("globex", "")]);
    let outcome = run(&["--all", "--with-secret"]);
    assert_eq!(sorted(&outcome.code(0).stderr("").stdout), [line("acme", " key"), line("globex", " key")]);
    assert_eq!(sandbox.server().logins(), 2);
}

#[test]
fn lines_are_never_mixed_and_bytes_stay_as_they_are() {
    let sandbox = with_profiles(&["acme", "globex"]);
    // Each line is longer than what a pipe takes in one atomic write.
    let script = "line=$(head -c 9000 /dev/zero | tr '\\0' ${NETO_PROFILE%${NETO_PROFILE#?}})
                  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $line; done";
    let outcome = sandbox.neto(exec(&["--all"], script)).run();
    let (acme, globex) = (format!("acme | {}", "a".repeat(9000)), format!("globex | {}", "g".repeat(9000)));
    let lines = sorted(&outcome.code(0).stderr("").stdout);
    assert!(lines.len() == 40 && lines[..20].iter().all(|line| *line == acme));
    assert!(lines[20..].iter().all(|line| *line == globex));
    // A very long line is printed in pieces, each with the prefix.
    let long = sandbox.neto(exec(&["a*"], "head -c 200000 /dev/zero | tr '\\0' x")).run();
    let pieces = long.code(0).stderr("").stdout.lines().map(|line| line.strip_prefix("acme | ").unwrap());
    let pieces: Vec<usize> = pieces.map(str::len).collect();
    assert_eq!(pieces, [65_536, 65_536, 65_536, 200_000 - 3 * 65_536]);
    let line = "neto exec 'a*' -- printf '\\377\\033\\r\\n' | od -An -tx1";
    sandbox.program("sh", ["-c", line]).run().code(0).stderr("").stdout(" 61 63 6d 65 20 7c 20 ff 1b 0d 0a\n");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let sandbox = with_profiles(&["acme", "globex", "hooli"]);
    sandbox.neto(["login", "--all"]).run().code(0);
    let line = "neto exec --all --jobs 2 -- sh -c ': > $NETO_PROFILE; exec yes'";
    let outcome = sandbox.program("bash", ["-c", &format!("{line} | head -n 1; echo ${{PIPESTATUS[0]}}")]).run();
    outcome.code(0).stderr("").stdout_has("| y\n0\n");
    assert!(!sandbox.work("hooli").exists(), "nothing more is begun");
    for form in ["text", "json"] {
        let line = format!("neto exec --all -o {form} -- echo x >/dev/full");
        let outcome = sandbox.program("sh", ["-c", &line]).run();
        outcome.code(125).stdout("").stderr_has("error: cannot write the answer: no space left on device");
    }
}

/// Script that writes its process ID to a file, waits for a signal, prints `told`, and exits with code 9.
const WAIT_SCRIPT: &str =
    "trap 'echo told; exit 9' TERM INT HUP; echo $$ > $NETO_PROFILE; while :; do sleep 0.02; done";

#[test]
fn a_signal_is_handed_on_and_neto_ends_after_the_last() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let sandbox = with_profiles(&["acme", "globex", "hooli"]);
        let run = sandbox.neto(exec(&["--all", "--jobs", "2"], WAIT_SCRIPT)).start();
        let (acme, globex) = (sandbox.work("acme"), sandbox.work("globex"));
        wait_for_file(&acme);
        wait_for_file(&globex);
        run.signal(signal);
        let outcome = run.finish();
        assert_eq!(sorted(&outcome.code(code).stdout), ["acme | told", "globex | told"]);
        outcome.stderr_has("acme: exit 9").stderr_lacks("hooli");
        assert!(!sandbox.work("hooli").exists(), "nothing more is begun");
        for path in [acme, globex] {
            assert!(test_kill_process(process_from(&path)).is_err(), "{} outlives neto", path.display());
        }
    }
}

#[test]
fn a_signal_ends_a_login_at_once() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("acme").once().hold_at(&gate));
    let run = sandbox.neto(exec(&["--all", "-o", "json"], "echo ran; : > $NETO_PROFILE")).start();
    gate.wait_for_requests(1);
    wait_for_file(&sandbox.work("globex"));
    run.signal(Signal::TERM);
    // The result of the finished profile is printed, although a profile before it in the store has no result.
    run.finish().code(143).stderr("").stdout_has("\"profile\":\"globex\"").stdout_lacks("acme");
    gate.open();
    assert!(!sandbox.work("acme").exists());
}

#[test]
fn a_signal_does_not_wait_for_the_source_of_a_secret() {
    let sandbox = with_profiles(&["acme"]);
    let source = "\n[profiles.slow]\nshortname = \"slow\"\nappname = \"soc\"\n\
                  secret = { command = [\"sh\", \"-c\", \"echo $$ > source; exec sleep 60 2>/dev/null\"] }\n";
    sandbox.write_store(sandbox.store() + source);
    sandbox.neto(["trust", "slow"]).run().code(0);
    let run = sandbox.neto(exec(&["--all"], "echo ran; : > ran")).start();
    wait_for_file(&sandbox.work("source"));
    wait_for_file(&sandbox.work("ran"));
    run.signal(Signal::TERM);
    run.finish().code(143).stdout("acme | ran\n");
    kill_process(process_from(&sandbox.work("source")), Signal::KILL).unwrap();
}

#[test]
fn what_a_program_leaves_behind_is_heard_until_a_signal() {
    let sandbox = with_profiles(&["acme"]);
    let script = "(until [ -e more ]; do sleep 0.01; done; echo late; : > said; exec sleep 60) &
                  echo early; echo $! > helper";
    let run = sandbox.neto(exec(&["a*"], script)).start();
    wait_for_file(&sandbox.work("helper"));
    fs::write(sandbox.work("more"), "").unwrap();
    wait_for_file(&sandbox.work("said"));
    run.signal(Signal::TERM);
    run.finish().code(143).stdout("acme | early\nacme | late\n");
    kill_process(process_from(&sandbox.work("helper")), Signal::KILL).unwrap();
}

#[test]
fn at_a_terminal_lines_are_aligned_coloured_and_clean() {
    let sandbox = with_profiles(&["acme", "globex"]);
    let script = "printf '\\033]0;title\\007\\ta\\n'";
    let screen = sandbox.neto(exec(&["--all"], script)).at_terminal().finish();
    screen.code(0).has("acme   | \\u{1b}]0;title\\u{7}").has("globex | \\u{1b}]0;title\\u{7}");
    assert!(screen.raw.contains("\x1b[36macme   | \x1b[0m") && !screen.raw.contains("\x1b]0"));
    let call = sandbox.neto(exec(&["--all"], script)).env("NO_COLOR", "1");
    assert!(!call.at_terminal().finish().raw.contains('\x1b'));
}

#[test]
fn ctrl_c_reaches_each_program_once() {
    let sandbox = with_profiles(&["acme", "globex", "hooli"]);
    // A program that gets the signal twice prints twice. It runs long enough, because neto polls for signals every few
    // milliseconds.
    let script = "trap 'echo told' INT; echo ready; i=0; while [ $i -lt 40 ]; do sleep 0.02; i=$((i + 1)); done";
    let mut terminal = sandbox.neto(exec(&["--all", "--jobs", "2"], script)).at_terminal();
    terminal.expect("ready").expect("ready").press(CTRL_C);
    let screen = terminal.finish();
    screen.code(130).lacks("hooli");
    assert_eq!((screen.count("acme   | told"), screen.count("globex | told")), (1, 1), "{}", screen.text);
}
