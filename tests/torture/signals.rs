//! a stopped lock holder, interrupted runs, and the state that a child process inherits.

use super::scale::print_summary;
use crate::fusion::{Fault, Gate, REFRESH, TOKEN};
use crate::harness::{Running, Sandbox};
use rustix::process::Signal;

/// Signals that end a run, and the exit code after each.
const ENDS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

/// Starts a run and waits until its login request has reached the server. While the gate is closed, the run holds the
/// profile's lock.
fn holder<'a>(sandbox: &'a Sandbox, gate: &Gate) -> Running<'a> {
    sandbox.server().fault(Fault::at(TOKEN).once().hold_at(gate));
    let holder = sandbox.neto(["token", "acme", "--force"]).allow_secret("access token").start();
    gate.wait_for_requests(1);
    holder
}

#[test]
fn r13_a_stopped_holder_is_named_and_goes_on_when_it_may() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let gate = Gate::new();
    let holder = holder(&sandbox, &gate);
    let process_name = format!("process {}", holder.id());
    holder.signal(Signal::STOP);
    let start_waiter = || sandbox.neto(["token", "acme", "--lock-timeout", "2s"]).start();
    let waiters: Vec<_> = (0..8).map(|_| start_waiter()).collect();
    for waiter in waiters {
        waiter.finish().code(7).stdout("").stderr_has(&process_name);
    }
    // Another profile is not affected.
    sandbox.add("beta");
    sandbox.neto(["token", "beta"]).allow_secret("access token").run().code(0);
    gate.open();
    holder.signal(Signal::CONT);
    let token = holder.finish().code(0).stdout_trimmed().to_owned();
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("").stdout(&format!("{token}\n"));
    assert_eq!(sandbox.server().logins(), 2);
    print_summary("a stopped holder: 8 runs exit with 7 and name it, then all goes on");
}

#[test]
fn r18_a_run_that_waits_for_the_server_ends_at_once() {
    for (signal, code) in ENDS {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        // The gate stays closed, so the run ends without a response from the server.
        let gate = Gate::new();
        let run = holder(&sandbox, &gate);
        run.signal(signal);
        run.finish().code(code).stdout("");
        assert!(sandbox.temporary_files().is_empty());
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    }
}

#[test]
fn r18_a_run_that_waits_for_the_lock_ends_at_once() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let gate = Gate::new();
    let holder = holder(&sandbox, &gate);
    for (signal, code) in ENDS {
        let run = sandbox.neto(["token", "acme"]).start();
        run.wait_for_stderr("waiting for neto process");
        run.signal(signal);
        run.finish().code(code).stdout("");
    }
    assert!(sandbox.temporary_files().is_empty());
    gate.open();
    holder.finish().code(0).stderr("");
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn r18_a_run_that_waits_for_a_person_ends_at_once_with_the_echo_back() {
    for (signal, code) in ENDS {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        let before = sandbox.store();
        let mut terminal = sandbox.neto(["profile", "add", "beta"]).at_terminal();
        terminal.expect("NETOSECRET").press("half of it");
        terminal.signal(signal);
        // `code` also checks that the terminal modes, such as echo, are restored.
        terminal.finish().code(code).lacks("half of it");
        assert_eq!(sandbox.store(), before);
        assert!(sandbox.temporary_files().is_empty());
    }
    print_summary(
        "SIGINT and SIGTERM while waiting for server, lock and prompt: 130 and 143, the echo back, no leftovers",
    );
}

/// Starts a refresh and waits until its request has reached the server. By then neto has written a file, because it
/// records the refresh token as used before it sends the token.
fn start_refresh<'a>(sandbox: &'a Sandbox, program: &str, arguments: &[&str]) -> (Running<'a>, Gate) {
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    sandbox.backdate_token("acme", 2 * 86_400);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(REFRESH).once().hold_at(&gate));
    let run = sandbox.program(program, arguments).start();
    gate.wait_for_requests(1);
    (run, gate)
}

#[test]
fn r18_a_run_that_wrote_a_file_ends_at_once_as_before() {
    for (signal, code) in ENDS.into_iter().chain([(Signal::HUP, 129)]) {
        let sandbox = Sandbox::new();
        let (run, gate) = start_refresh(&sandbox, "neto", &["login", "acme"]);
        run.signal(signal);
        run.finish().code(code).stdout("");
        assert!(sandbox.temporary_files().is_empty());
        gate.open();
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn r58_what_was_ignored_stays_ignored() {
    let sandbox = Sandbox::new();
    // nohup and the background jobs of a script also start a program with ignored signals.
    let (run, gate) = start_refresh(&sandbox, "sh", &["-c", "trap '' INT HUP; exec neto login acme"]);
    run.signal(Signal::INT);
    run.signal(Signal::HUP);
    gate.open();
    run.finish().code(0);
    assert_eq!((sandbox.server().request_count(REFRESH), sandbox.server().logins()), (1, 1));
}

#[test]
#[cfg(target_os = "linux")]
fn r16_r56_r58_a_child_inherits_what_neto_was_started_with_and_nothing_more() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let script = "echo /proc/self/fd/*; umask; pwd; ulimit -c; grep -E '^(Sig(Blk|Ign|Cgt)|Umask)' /proc/self/status; \
                  cat /proc/self/limits";
    // The shell is started by its absolute path, as neto starts programs. A start by name leaves other signals ignored.
    for set in [
        "",
        "umask 027; ulimit -c 0; ulimit -n 64",
        "trap '' INT TERM HUP XFSZ; ulimit -S -c \"$(ulimit -H -c)\"; ulimit -f 999",
    ] {
        // The first run refreshes the token, which writes files, opens sockets and takes locks. The second run uses the
        // cached token.
        sandbox.neto(["login", "acme"]).run().code(0);
        sandbox.backdate_token("acme", 2 * 86_400);
        let run_via = |run: &str| {
            sandbox.program("/bin/sh", ["-c", &format!("{set}\nexec {run} /bin/sh -c \"$0\""), script]).run()
        };
        let expected = run_via("env -u NETO_NONE").code(0).stdout.clone();
        let before = sandbox.server().request_count(REFRESH);
        for _ in 0..2 {
            run_via("neto exec acme --").code(0).stderr("").stdout(&expected);
            assert_eq!(sandbox.server().request_count(REFRESH), before + 1);
        }
    }
}

#[test]
fn r16_a_child_that_sleeps_holds_no_lock() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let ready = sandbox.work("ready");
    let child = sandbox.neto(["exec", "acme", "--", "sh", "-c", ": > ready; exec sleep 60"]).start();
    while !ready.exists() {
        std::thread::yield_now();
    }
    let token = sandbox.neto(["token", "acme", "--force", "--lock-timeout", "0s"]).allow_secret("access token").run();
    token.code(0).stderr("");
    sandbox.neto(["use", "acme", "--lock-timeout", "0s"]).run().code(0);
    child.signal(Signal::KILL);
    child.finish().code(137);
}
