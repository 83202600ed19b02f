//! Runs programs under strace, which lists the system calls or makes them fail.

use super::scale::report_skipped;
use crate::harness::{Call, Sandbox};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// System calls to trace. A call marked with `?` does not exist on every architecture.
const CALLS: &str = "openat,?open,read,pread64,write,close,fsync,fdatasync,?rename,?renameat,renameat2,?link,linkat,\
    ?unlink,unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,ftruncate,flock,fcntl,lseek,?stat,?lstat,fstat,?newfstatat,\
    statx,getdents64,?readlink,readlinkat,?access,faccessat,getcwd,execve,\
    prctl,?eventfd,eventfd2";

/// System call in strace's log: its name, and the line of the log without the process ID.
pub(super) struct TracedCall {
    pub(super) name: String,
    pub(super) line: String,
}

/// Returns whether strace is installed and permitted to trace. Reports a skipped test if not.
pub(super) fn works() -> bool {
    let probe_run = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = probe_run.is_ok_and(|output| output.status.success());
    if !works {
        report_skipped(
            "strace is not installed or may not trace (ptrace), so no system call is listed or made to fail",
        );
    }
    works
}

/// Prepares a run under strace with these `-e` options. strace writes to [`log`], without the data read or written.
pub(super) fn traced<'a>(sandbox: &'a Sandbox, options: &[String], program: &str, arguments: &[String]) -> Call<'a> {
    let log = log(sandbox).display().to_string();
    let mut strace_arguments: Vec<String> = ["-f", "-qq", "-s", "0", "-o", &log, "-e"].map(str::to_owned).to_vec();
    strace_arguments.push(format!("trace={CALLS}"));
    strace_arguments.extend(options.iter().flat_map(|option| ["-e".to_owned(), option.clone()]));
    strace_arguments.push(program.to_owned());
    strace_arguments.extend_from_slice(arguments);
    sandbox.program("strace", strace_arguments)
}

fn log(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("trace")
}

/// Returns the calls of the last run's first process, up to an `execve` that replaces the program.
pub(super) fn traced_calls(sandbox: &Sandbox) -> Vec<TracedCall> {
    let text = fs::read_to_string(log(sandbox)).expect("a trace");
    let mut calls: Vec<TracedCall> = Vec::new();
    let main = text.split(' ').next().unwrap_or_default();
    for line in text.lines() {
        let Some((_, line)) = line.split_once(' ').filter(|(id, _)| *id == main) else { continue };
        let line = line.trim_start();
        let Some((name, _)) = line.split_once('(').filter(|(name, _)| !name.contains([' ', '<', '+', '-'])) else {
            continue;
        };
        let replaced = name == "execve" && !calls.is_empty();
        calls.push(TracedCall { name: name.to_owned(), line: line.to_owned() });
        if replaced {
            break;
        }
    }
    calls
}

/// Returns whether the last run received this signal, for example `INT`.
pub(super) fn received_signal(sandbox: &Sandbox, signal: &str) -> bool {
    fs::read_to_string(log(sandbox)).expect("a trace").contains(&format!("--- SIG{signal} "))
}

/// Text in the log line of a call that strace made to fail.
pub(super) const INJECTED: &str = "(INJECTED)";

/// Returns for each call whether it wakes the event loop. A wake is a write to an eventfd, which cannot fail in
/// practice.
pub(super) fn event_loop_wakes(calls: &[TracedCall]) -> Vec<bool> {
    let mut wake_prefix = None;
    let wakes = |call: &TracedCall| {
        if call.name.starts_with("eventfd") {
            wake_prefix = call.line.rsplit("= ").next().map(|descriptor| format!("write({},", descriptor.trim()));
        }
        wake_prefix.as_ref().is_some_and(|wake_prefix| call.line.starts_with(wake_prefix))
    };
    calls.iter().map(wakes).collect()
}
