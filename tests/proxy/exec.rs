//! `neto exec --decoy`: the program and its decoy server start and end together.

use super::running::add_acme;
use crate::fusion::{Fault, TOKEN};
use crate::harness::{CTRL_C, Sandbox};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until a program has written a line to this file, and returns the line.
fn wait_for_line(path: &Path) -> String {
    poll_until_some(|| fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))).trim().to_owned()
}

fn poll_until_some<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "it never comes about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn process(id: &str) -> Pid {
    Pid::from_raw(id.parse().expect("a process id")).expect("a process id")
}

#[test]
fn the_vendors_client_runs_unchanged_and_holds_nothing_real() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/client.py");
    let line = ["exec", "--decoy", "acme", "--", "python3", client, "urllib", "strip"];
    sandbox.neto(line).run().code(0).stdout("acme number=0\nacme number=1\nacme number=2\nacme 5\n");
    // The harness searches the printed environment for every real secret.
    let line = ["exec", "--decoy", "--with-secret", "acme", "--", "env"];
    let printed = sandbox.neto(line).run().code(0).stdout_trimmed().to_owned();
    let names: BTreeSet<&str> = printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in ["NETOSECRET", "NETO_TOKEN", "NETO_URL", "NETO_APPKEY", "NETO_SHARED_SECRET", "NO_PROXY", "no_proxy"] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    let every = sandbox.neto(["exec", "--decoy", "acme", "--", "env"]).env("NO_PROXY", "*").run();
    every.code(0).stdout_has("\nNO_PROXY=*\n");
    let proxied = sandbox.neto(["exec", "--decoy", "acme", "--", "env"]).env("no_proxy", "example.com").run();
    proxied.code(0).stdout_has("\nno_proxy=example.com,127.0.0.1\n").stdout_has("\nNO_PROXY=example.com,127.0.0.1\n");
}

#[test]
fn r58_its_end_is_netos_and_its_server_is_gone() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let run = |script: &str| sandbox.neto(["exec", "--decoy", "acme", "--", "sh", "-c", script]).run();
    run("exit 7").code(7);
    run("kill -KILL $$").code(137);
    let url = run("echo $NETO_URL").code(0).stdout_trimmed().to_owned();
    let port: u16 = url.split([':', '/']).nth(4).and_then(|port| port.parse().ok()).expect("a port");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    sandbox.neto(["exec", "--decoy", "acme", "--", "./nothing"]).run().code(127).stderr_has("./nothing is not found");
    sandbox.neto(["exec", "--decoy", "acme", "--", "/etc/passwd"]).run().code(126).stderr_has("cannot be run");
    sandbox.neto(["exec", "--decoy", "acme"]).env("SHELL", "/bin/true").run().code(0);
    sandbox.neto(["logout", "--all"]).run().code(0);
    sandbox.server().fault(Fault::at(TOKEN).error(401, "no such key"));
    run("touch ran").code(125).stderr_has("acme: ").stderr_has("no such key");
    assert!(!sandbox.work("ran").exists());
    sandbox.neto(["exec", "--read-only", "acme", "--", "true"]).run().code(125).stderr_has("--decoy");
}

#[test]
fn r58_it_has_what_neto_was_started_with() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    // Only signals up to 32 are compared; the C library uses higher ones itself.
    let look = "cat /proc/self/limits; grep -E '^Umask' /proc/self/status; ls /proc/self/fd | wc -l; pwd
        sed -nE 's/^(Sig(Blk|Ign|Cgt)):.*(.{8})$/\\1 \\3/p' /proc/self/status";
    let plain = sandbox.program("sh", ["-c", look]).run().code(0).stdout_trimmed().to_owned();
    let behind =
        sandbox.neto(["exec", "--decoy", "acme", "--", "sh", "-c", look]).run().code(0).stdout_trimmed().to_owned();
    assert_eq!(plain, behind);
}

#[test]
fn signals_reach_it_and_its_answer_counts() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let script = "trap 'echo told > told; exit 5' TERM; echo $$ > started; while :; do sleep 0.02; done";
    let running = sandbox.neto(["exec", "--decoy", "acme", "--", "sh", "-c", script]).start();
    wait_for_line(&sandbox.work("started"));
    running.signal(Signal::TERM);
    running.finish().code(5);
    assert_eq!(wait_for_line(&sandbox.work("told")), "told");
}

#[test]
fn ctrl_c_at_a_terminal_reaches_it_once() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let script = "trap 'echo got it; exit 9' INT; echo ready; while :; do sleep 0.02; done";
    let mut terminal = sandbox.neto(["exec", "--decoy", "acme", "--", "sh", "-c", script]).at_terminal();
    terminal.expect("ready").press(CTRL_C);
    let screen = terminal.finish();
    screen.code(9);
    assert_eq!(screen.count("got it"), 1);
}

#[test]
fn a_neto_that_is_killed_takes_it_along() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let script = "trap 'echo told > told; exit' HUP TERM; echo $$ > started; while :; do sleep 0.02; done";
    for several in [&["acme"][..], &["acme", "--output", "json"]] {
        let program = ["--", "sh", "-c", script];
        let running = sandbox.neto(["exec", "--decoy"].iter().chain(several).chain(&program)).start();
        let id = wait_for_line(&sandbox.work("started"));
        running.signal(Signal::KILL);
        running.finish().code(137);
        assert_eq!(wait_for_line(&sandbox.work("told")), "told");
        poll_until_some(|| test_kill_process(process(&id)).is_err().then_some(()));
        for file in ["started", "told"] {
            fs::remove_file(sandbox.work(file)).expect("a file");
        }
    }
    // Control: without a decoy, neto execs the program, so both have the same process ID.
    let running = sandbox.neto(["exec", "acme", "--", "sh", "-c", script]).start();
    assert_eq!(wait_for_line(&sandbox.work("started")), running.id().to_string());
    kill_process(process(&running.id().to_string()), Signal::TERM).expect("a process");
    running.finish().code(0);
}

#[test]
fn of_several_each_has_its_own() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    sandbox.add("globex");
    let ask = "curl -sS -H \"Authorization: Bearer $NETO_TOKEN\" $NETO_URL/who; printf '\\n%s' $NETO_TOKEN";
    let line = ["exec", "--decoy", "--all", "-o", "json", "--audit", "audit.jsonl", "--", "sh", "-c", ask];
    let outcome = sandbox.neto(line).run();
    let rows: Vec<Value> =
        outcome.code(0).stdout_trimmed().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2);
    let mut tokens = BTreeSet::new();
    for (row, name) in rows.iter().zip(["acme", "globex"]) {
        let (answer, token) = row["stdout"].as_str().expect("text").split_once('\n').expect("two lines");
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!((&row["profile"], &answer["data"]["shortname"]), (&name.into(), &name.into()));
        tokens.insert(token.to_owned());
    }
    assert_eq!(tokens.len(), 2);
    assert_eq!(fs::read_to_string(sandbox.work("audit.jsonl")).expect("an audit").lines().count(), 2);
    let refused = sandbox.neto(["exec", "--all", "--read-only", "--", "true"]).run();
    refused.code(125).stdout("").stderr_has("--decoy");
}
