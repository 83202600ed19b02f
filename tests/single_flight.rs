//! Many processes send one request: every waiting process gets the token or the failure of the process that sent it.

use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::{Running, Sandbox};
use rustix::process::Signal;

/// Starts a process that waits for the server, then processes that wait for the first process.
fn holder_and_waiters<'a>(sandbox: &'a Sandbox, gate: &Gate, arguments: &[&str]) -> (Running<'a>, Vec<Running<'a>>) {
    let start = || sandbox.neto(["token", "acme"].iter().chain(arguments)).allow_secret("access token").start();
    let holder = start();
    gate.wait_for_requests(1);
    let waiters: Vec<_> = (0..4).map(|_| start()).collect();
    for waiter in &waiters {
        waiter.wait_for_stderr(&format!("waiting for neto process {}", holder.id()));
    }
    (holder, waiters)
}

#[test]
fn r11_who_waited_gets_the_token_even_with_force() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for arguments in [&[][..], &["--force"], &["--min-ttl", "20h"]] {
        let gate = Gate::new();
        sandbox.neto(["logout", "acme"]).run().code(0);
        let before = sandbox.server().logins();
        sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
        let (holder, waiters) = holder_and_waiters(&sandbox, &gate, arguments);
        gate.open();
        let token = holder.finish().code(0).stdout_trimmed().to_owned();
        for waiter in waiters {
            assert_eq!(waiter.finish().code(0).stdout_trimmed(), token);
        }
        assert_eq!(sandbox.server().logins(), before + 1, "{arguments:?}");
    }
}

#[test]
fn r11_who_waited_adopts_the_failure_and_who_comes_later_asks_anew() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for (status, code) in [(401, 4), (500, 5)] {
        let gate = Gate::new();
        let before = sandbox.server().request_count(TOKEN);
        sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate).error(status, "not today"));
        let (holder, waiters) = holder_and_waiters(&sandbox, &gate, &[]);
        gate.open();
        holder.finish().code(code).stdout("").stderr_has("not today");
        for waiter in waiters {
            waiter.finish().code(code).stdout("").stderr_has("not today").stderr_has("another neto was told so");
        }
        assert_eq!(sandbox.server().request_count(TOKEN), before + 1, "{status}");
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
        sandbox.neto(["logout", "acme"]).run().code(0);
    }
}

#[test]
fn a_pause_that_the_server_wants_binds_all_but_force_and_another_credential() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().fault(Fault::at(TOKEN).once().error(429, "slow down").header("Retry-After", "200"));
    sandbox.neto(["token", "acme"]).run().code(5).stderr_has("slow down");
    sandbox
        .neto(["token", "acme"])
        .run()
        .code(5)
        .stdout("")
        .stderr_has("wants to be left alone until")
        .stderr_has("--force");
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
    sandbox.neto(["token", "acme", "--force"]).allow_secret("access token").run().code(0);
    assert_eq!(sandbox.server().request_count(TOKEN), 2);
    sandbox.neto(["logout", "acme"]).run().code(0);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
}

#[test]
fn r12_a_killed_holder_is_succeeded_at_once() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
    let (holder, waiters) = holder_and_waiters(&sandbox, &gate, &[]);
    holder.signal(Signal::KILL);
    holder.finish().code(137);
    let tokens: Vec<String> =
        waiters.into_iter().map(|waiter| waiter.finish().code(0).stdout_trimmed().to_owned()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(sandbox.server().logins(), 1);
    gate.open();
}
