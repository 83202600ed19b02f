//! The harness tests itself: each of its checks must fail when it should.

use crate::harness::Sandbox;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns the message of a test that fails.
fn failure_message(body: impl FnOnce()) -> String {
    let failure = catch_unwind(AssertUnwindSafe(body)).expect_err("the harness should have failed the test");
    failure.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_secret_in_the_output_fails_the_run_unless_asked_for() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    for script in ["echo \"$SECRET\"", "echo \"$SECRET\" >&2", "printf x%s \"$SECRET\" | base64 -w0"] {
        let call = || sandbox.program("sh", ["-c", script]).env("SECRET", &credential.appkey);
        assert!(failure_message(|| drop(call().run())).contains("the appkey stands"), "{script}");
        call().allow_secret("appkey").run().code(0);
        call().allow_secret(&credential.appkey).run().code(0);
    }
}

#[test]
fn a_secret_in_a_file_fails_the_sandbox_unless_spared() {
    for spared in [true, false] {
        let sandbox = Sandbox::new();
        sandbox.add_canary("password", "correct horse battery");
        let path = sandbox.work("notes");
        sandbox.program("sh", ["-c", "printf 'correct horse battery' > notes"]).run().code(0).stderr("");
        if spared {
            sandbox.allow_secrets_in(&path);
        } else {
            assert!(failure_message(|| drop(sandbox)).contains("notes holds the password (raw)"));
        }
    }
}

#[test]
fn the_environment_is_cleared() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.program("env", [""; 0]).run();
    let mut names: Vec<&str> = outcome.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "NETO_HOME", "PATH", "TMPDIR"]);
}

#[test]
fn the_age_plugin_is_found_where_it_was_asked_for_and_speaks_as_plugins_do() {
    let sandbox = Sandbox::new();
    let find = || sandbox.program("sh", ["-c", "command -v age-plugin-toy"]).run();
    assert_ne!(find().exit_code(), 0);
    let toy = sandbox.install_plugin();
    assert_eq!(find().code(0).stdout_trimmed(), toy.program().to_str().expect("text"));
    let (alice, pin) = (toy.key("alice"), toy.key("alice:pin"));
    assert!(alice.recipient.starts_with("age1toy1") && alice.identity.starts_with("AGE-PLUGIN-TOY-1"), "{alice:?}");
    assert_ne!((alice.recipient, alice.identity), (pin.recipient, pin.identity));
    let words = "-> add-recipient age1toy1\n\n-> done\n\n";
    let outcome = sandbox.program("age-plugin-toy", ["--age-plugin=recipient-v1"]).stdin(words).run();
    outcome.code(5).stdout("");
}

#[cfg(unix)]
mod terminal {
    use super::failure_message;
    use crate::harness::{CTRL_C, Sandbox};

    #[test]
    fn a_person_types_at_a_terminal_of_the_program() {
        let sandbox = Sandbox::new();
        let script =
            "printf 'name? '; read -r name; stty size; test -t 0 -a -t 2 && echo \"hello $name\" >/dev/tty; exit 7";
        let mut terminal = sandbox.program("sh", ["-c", script]).at_terminal_sized(61, 17);
        terminal.expect("name? ").enter("bob");
        terminal.finish().code(7).has("name? bob\n17 61\nhello bob");
    }

    #[test]
    fn what_is_left_unread_or_unmended_shows() {
        let sandbox = Sandbox::new();
        let mut terminal = sandbox.program("sh", ["-c", "echo ready; read -r one"]).at_terminal();
        terminal.expect("ready").press("one\rtwo");
        let screen = terminal.finish();
        assert!(failure_message(|| _ = screen.code(0)).contains("left what was typed to the shell"));
        let screen = sandbox.program("stty", ["-echo"]).at_terminal().finish();
        assert!(failure_message(|| _ = screen.code(0)).contains("without echo"));
    }

    #[test]
    fn ctrl_c_interrupts() {
        let sandbox = Sandbox::new();
        let mut terminal = sandbox.program("sh", ["-c", "echo ready; read -r one"]).at_terminal();
        terminal.expect("ready").press(CTRL_C);
        terminal.finish().code(130);
    }

    #[test]
    fn a_secret_on_the_screen_fails_the_run() {
        let sandbox = Sandbox::new();
        sandbox.add_canary("password", "correct horse battery");
        let mut terminal = sandbox.program("sh", ["-c", "echo ready; read -r one"]).at_terminal();
        terminal.expect("ready").enter("correct horse battery");
        assert!(
            failure_message(|| drop(terminal.finish())).contains("the password stands"),
            "the echo is on the screen"
        );
    }
}
