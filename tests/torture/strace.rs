//! Runs under strace, whose system calls are listed or made to fail.

use super::scale::report_skipped;
use crate::harness::{Call, Sandbox};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// File-related system calls of all architectures.
const CALLS: &str = "openat,?open,read,pread64,write,close,fsync,fdatasync,?rename,?renameat,renameat2,?link,linkat,\
    ?unlink,unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,ftruncate,flock,fcntl,lseek,?stat,?lstat,fstat,?newfstatat,\
    statx,getdents64,?readlink,readlinkat,?access,faccessat,getcwd,execve,\
    prctl,?eventfd,eventfd2";

/// A system call from strace's log: its name, and the line without the process ID.
pub(super) struct TracedCall {
    pub(super) name: String,
    pub(super) line: String,
}

/// Returns whether strace is installed and may trace. Prints a line if not.
pub(super) fn works() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        report_skipped(
            "strace is not installed or may not trace (ptrace), so no system call is listed or made to fail",
        );
    }
    works
}

/// Prepares a run under strace, which writes to [`log`]. The log does not contain the data read or written.
pub(super) fn traced<'a>(sandbox: &'a Sandbox, options: &[String], program: &str, arguments: &[String]) -> Call<'a> {
    let log = log(sandbox).display().to_string();
    let mut words: Vec<String> = ["-f", "-qq", "-s", "0", "-o", &log, "-e"].map(str::to_owned).to_vec();
    words.push(format!("trace={CALLS}"));
    words.extend(options.iter().flat_map(|option| ["-e".to_owned(), option.clone()]));
    words.push(program.to_owned());
    words.extend_from_slice(arguments);
    sandbox.program("strace", words)
}

fn log(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("trace")
}

/// Returns the calls of the last run's first process, up to the program that replaced it.
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

/// Returns whether the last run received a signal (`INT`).
pub(super) fn received_signal(sandbox: &Sandbox, signal: &str) -> bool {
    fs::read_to_string(log(sandbox)).expect("a trace").contains(&format!("--- SIG{signal} "))
}

/// Mark in the log of a call that was made to fail.
pub(super) const INJECTED: &str = "(INJECTED)";

/// Returns which calls wake the event loop. They write to its eventfd, which is not a file and cannot fail.
pub(super) fn event_loop_wakes(calls: &[TracedCall]) -> Vec<bool> {
    let mut own = None;
    let wakes = |call: &TracedCall| {
        if call.name.starts_with("eventfd") {
            own = call.line.rsplit("= ").next().map(|descriptor| format!("write({},", descriptor.trim()));
        }
        own.as_ref().is_some_and(|own| call.line.starts_with(own))
    };
    calls.iter().map(wakes).collect()
}
