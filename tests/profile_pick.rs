//! `neto use` without a name: the list at the terminal, its keys, and how to leave it. `profile_use` tests switching.
#![cfg(unix)]

use crate::harness::{CTRL_C, CTRL_D, ENTER, Sandbox};
use crate::shells::{find_program, report_missing};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::fs;

const DOWN: &str = "\u{1b}[B";
const ESC: &str = "\u{1b}";
const CTRL_Z: &str = "\u{1a}";

/// Returns a profile with these additional lines. It never logs in.
fn profile_toml(name: &str, lines: &str) -> String {
    format!("[profiles.{name}]\nurl = \"https://x.example\"\nshortname = \"t-{name}\"\nappname = \"soc\"\n{lines}\n")
}

/// Creates three profiles; the second is the current profile.
fn three_profiles() -> Sandbox {
    let sandbox = Sandbox::new();
    let tagged = profile_toml("gamma", "tags = [\"prod\", \"emea\"]\ndescription = \"Zürich, 日本\"\n");
    sandbox.write_store(format!("version = 1\n\n{}{}{tagged}", profile_toml("alpha", ""), profile_toml("beta", "")));
    sandbox.neto(["use", "beta"]).run().code(0);
    sandbox
}

#[track_caller]
fn assert_current(sandbox: &Sandbox, name: &str) {
    sandbox.neto(["profile", "current"]).run().code(0).stderr("").stdout(&format!("{name}\n"));
}

#[test]
fn the_current_one_is_on_top_and_the_arrows_choose() {
    let sandbox = three_profiles();
    let mut terminal = sandbox.neto(["use"]).at_terminal();
    terminal.expect("Profile: ").expect("3 of 3").expect("> * beta").expect("alpha").expect("gamma");
    terminal.press(DOWN).expect(">   alpha").press(DOWN).expect(">   gamma").press(ENTER);
    terminal.finish().code(0).has("Now using 'gamma'");
    assert_current(&sandbox, "gamma");
    // `gamma` is now on top; Ctrl-N and Ctrl-P move the selection down and up again.
    let mut terminal = sandbox.neto(["profile", "use"]).at_terminal();
    terminal.expect("> * gamma").expect("alpha").expect("beta");
    terminal.press("\u{e}").expect(">   alpha").press("\u{10}").expect("> * gamma").press(ENTER);
    terminal.finish().code(0);
    assert_current(&sandbox, "gamma");
}

#[test]
fn what_is_typed_is_looked_for_everywhere() {
    for typed in ["gm", "t-gam", "zür", "emea", "prod gam", "日本"] {
        let sandbox = three_profiles();
        let mut terminal = sandbox.neto(["use"]).at_terminal();
        terminal.expect("3 of 3").press(typed).expect("1 of 3").expect(">   gamma").press(ENTER);
        terminal.finish().code(0).has("Now using 'gamma'");
    }
    // Enter does nothing while no name matches; after a correction it selects.
    let sandbox = three_profiles();
    let mut terminal = sandbox.neto(["use"]).at_terminal();
    terminal
        .expect("3 of 3")
        .press("alphx")
        .expect("0 of 3")
        .press(ENTER)
        .press("\u{7f}")
        .expect("1 of 3")
        .press(ENTER);
    terminal.finish().code(0).has("Now using 'alpha'");
}

#[test]
fn whoever_leaves_it_leaves_everything_as_it_was() {
    let sandbox = three_profiles();
    for (key, code) in [(ESC, 2), (CTRL_D, 2), (CTRL_C, 130)] {
        let mut terminal = sandbox.neto(["use"]).at_terminal();
        terminal.expect("3 of 3").press(DOWN).expect(">   alpha").press(key);
        let screen = terminal.finish();
        screen.code(code).lacks("Now using").lacks("error");
        assert_eq!(screen.count("Left as it was"), usize::from(code == 2), "{screen:?}");
        assert_current(&sandbox, "beta");
    }
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut terminal = sandbox.neto(["use"]).at_terminal();
        terminal.expect("3 of 3");
        terminal.signal(signal);
        terminal.finish().code(code).lacks("Now using");
        assert_current(&sandbox, "beta");
    }
}

#[test]
fn nothing_of_it_is_for_the_shell_that_evaluates() {
    let sandbox = three_profiles();
    let script = "out=$(neto use); code=$?; echo \"out=<$out> code=$code\"";
    let mut terminal = sandbox.program("sh", ["-c", script]).at_terminal();
    // Inside `$(...)` no shell could resume a stopped neto, so Ctrl-Z is ignored.
    terminal.expect("3 of 3").press(CTRL_Z).expect("3 of 3").press("alp").expect("1 of 3").press(ENTER);
    terminal.finish().code(0).has("out=<> code=0");
    assert_current(&sandbox, "alpha");
}

#[test]
fn a_shell_stops_it_and_goes_on_with_it() {
    if find_program("bash").is_none() {
        return report_missing("bash");
    }
    let sandbox = three_profiles();
    let mut terminal = sandbox.program("bash", ["--norc", "--noprofile", "-i"]).at_terminal();
    terminal.enter("PS1='ready$ '; neto use").expect("3 of 3").press(CTRL_Z).expect("Stopped").expect("ready$ ");
    terminal.enter("stty -a | grep -ow -e '-*echo' -e '-*icanon'").expect("icanon\r\necho\r\n");
    terminal.enter("fg").expect("3 of 3").press(DOWN).expect(">   alpha").press(ENTER).expect("Now using 'alpha'");
    terminal.expect("ready$ ").enter("exit");
    terminal.finish().code(0);
    assert_current(&sandbox, "alpha");
}

#[test]
fn a_terminal_that_can_only_print_shows_numbers() {
    for term in ["dumb", ""] {
        for (answers, chosen) in
            [(&["3"][..], "gamma"), (&["gamma"], "gamma"), (&["7", "0", "gam", "2"], "alpha"), (&[""], "beta")]
        {
            let sandbox = three_profiles();
            let mut terminal = sandbox.neto(["use"]).env("TERM", term).at_terminal();
            terminal.expect("1) * beta").expect("2)   alpha").expect("3)   gamma");
            for answer in answers {
                terminal.expect("Number or name").enter(answer);
            }
            let screen = terminal.finish();
            screen.code(if chosen == "beta" { 2 } else { 0 });
            assert!(!screen.raw.contains(ESC), "{screen:?}");
            assert_eq!(screen.count("There is no such number or name"), answers.len() - 1);
            assert_current(&sandbox, chosen);
        }
    }
}

#[test]
fn a_name_that_is_a_number_is_not_guessed_at() {
    let sandbox = Sandbox::new();
    sandbox.write_store(format!("version = 1\n\n{}{}", profile_toml("2", ""), profile_toml("acme", "")));
    let mut terminal = sandbox.neto(["use"]).env("TERM", "dumb").at_terminal();
    terminal.expect("2)   acme").expect("Number or name").enter("2").expect("whose number is 1");
    terminal.expect("Number or name").enter("1");
    terminal.finish().code(0).has("Now using '2'");
}

#[test]
fn a_small_window_scrolls_and_may_change() {
    let sandbox = Sandbox::new();
    let entries: String = (10..60).map(|number| profile_toml(&format!("p{number}"), "")).collect();
    sandbox.write_store(format!("version = 1\n\n{entries}"));
    let mut terminal = sandbox.neto(["use"]).at_terminal_sized(24, 4);
    terminal.expect(">   p10").expect("p12").press("\u{1b}[6~").expect(">   p13").press(DOWN).expect(">   p14");
    // The list is redrawn for the new window size without a key press.
    terminal.resize(60, 20).expect(">   p14").expect("p24").resize(9, 2).expect(">   p14");
    terminal.press("\u{1b}[F").expect(">   p59").press(ENTER);
    let screen = terminal.finish();
    screen.code(0).has("Now using 'p59'");
}

#[test]
fn of_thousands_the_one_is_found() {
    let sandbox = Sandbox::new();
    let mut store = String::from("version = 1\n\n");
    (0..2000).for_each(|number| write!(store, "{}", profile_toml(&format!("tenant-{number:04}"), "")).unwrap());
    sandbox.write_store(store);
    let mut terminal = sandbox.neto(["use"]).at_terminal();
    terminal.expect("2000 of 2000").press("n17").expect(" of 2000").press("42").expect(">   tenant-1742").press(ENTER);
    terminal.finish().code(0).has("Now using 'tenant-1742'");
}

#[test]
fn tokens_skeletons_and_what_is_wrong_show_in_the_list() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    sandbox.neto(["login", "acme"]).run().code(0);
    let hostile =
        profile_toml("hooli", "tags = [\"\\u001b]0;title\\u0007\"]\ndescription = \"\\u202eevil\\u001b[5m\"\n");
    let skeleton = "[profiles.bare]\nshortname = \"bare\"\nappname = \"soc\"\n\n";
    sandbox.write_store(format!(
        "{}\n{skeleton}{hostile}{}",
        sandbox.store(),
        profile_toml("odd", "timeout = \"soon\"\n")
    ));
    let mut terminal = sandbox.neto(["use"]).at_terminal_sized(160, 30);
    terminal.expect("acme").expect("● valid").expect("globex").expect("- none").expect("bare").expect("no secret");
    terminal.expect("\\u{1b}]0;title\\u{7}").expect("\\u{202e}evil\\u{1b}[5m").expect("odd").expect("! faulty");
    terminal.press("odd").expect("1 of 5").press(ENTER);
    let screen = terminal.finish();
    screen.code(0).has("Now using 'odd'");
    for harm in ["\u{1b}]0", "\u{7}", "\u{1b}[5m", "\u{202e}"] {
        assert!(!screen.raw.contains(harm), "{screen:?}");
    }
}

#[test]
fn without_profiles_or_a_choice_it_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write_store("version = 1\n");
    sandbox.neto(["use"]).at_terminal().finish().code(3).has("no profile yet").has("neto profile add");
    let sandbox = three_profiles();
    sandbox.write_store(sandbox.store().replace("version = 1\n", "version = 1\nexplicit = true\n"));
    let mut terminal = sandbox.neto(["use"]).at_terminal();
    terminal.expect(">   alpha").press(ENTER);
    terminal.finish().code(0).has("Now using 'alpha'").has("no effect");
}

#[test]
fn another_store_has_a_list_of_its_own_and_a_flag_names_as_well() {
    let sandbox = three_profiles();
    fs::write(sandbox.work("team.toml"), format!("version = 1\n\n{}", profile_toml("omega", ""))).unwrap();
    let mut terminal = sandbox.neto(["--store", "team.toml", "use"]).at_terminal();
    terminal.expect("1 of 1").expect(">   omega").press(ENTER);
    terminal.finish().code(0).has("Now using 'omega'");
    assert_current(&sandbox, "beta");
    sandbox.neto(["-p", "gamma", "use"]).run().code(0).stderr_has("Now using 'gamma'");
    sandbox.neto(["-p", "gamma", "use", "alpha"]).run().code(2).stderr_has("two profiles");
}

#[test]
fn off_a_terminal_the_line_to_paste_is_told() {
    let sandbox = three_profiles();
    for arguments in [&["use"][..], &["profile", "use"]] {
        sandbox.neto(arguments).run().code(2).stdout("").stderr_has("no terminal").stderr_has("hint: neto use NAME");
    }
    // Both streams must be terminals: neto reads keys from stdin and draws the list on stderr.
    for redirected in ["neto use </dev/null", "neto use 2>said"] {
        sandbox.program("sh", ["-c", redirected]).at_terminal().finish().code(2).lacks("Profile:");
    }
    assert!(fs::read_to_string(sandbox.work("said")).unwrap().contains("hint: neto use NAME"));
    assert_current(&sandbox, "beta");
}
