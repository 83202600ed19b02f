//! Runs under strace: their system calls listed, or made to fail.

use super::scale::say_not_tested;
use crate::harness::{Call, Sandbox};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The calls that have to do with files, on any architecture.
const CALLS: &str = "openat,?open,read,pread64,write,close,fsync,fdatasync,?rename,?renameat,renameat2,?link,linkat,\
    ?unlink,unlinkat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,ftruncate,flock,fcntl,lseek,?stat,?lstat,fstat,?newfstatat,\
    statx,getdents64,?readlink,readlinkat,?access,faccessat,getcwd,execve,\
    prctl,?eventfd,eventfd2";

/// One system call as strace lists it: its name, and the whole line without the process id.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) line: String,
}

/// Whether strace is here and may trace; says so if not.
pub(super) fn works() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        say_not_tested(
            "strace is not installed or may not trace (ptrace), so no system call is listed or made to fail",
        );
    }
    works
}

/// A run of a program under strace, which writes into [`log`]. What is read and written is not in it.
pub(super) fn under<'a>(sandbox: &'a Sandbox, options: &[String], program: &str, arguments: &[String]) -> Call<'a> {
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

/// What the last run did in its first process, up to the program that took its place.
pub(super) fn listed(sandbox: &Sandbox) -> Vec<Listed> {
    let text = fs::read_to_string(log(sandbox)).expect("a trace");
    let mut calls: Vec<Listed> = Vec::new();
    let main = text.split(' ').next().unwrap_or_default();
    for line in text.lines() {
        let Some((_, line)) = line.split_once(' ').filter(|(id, _)| *id == main) else { continue };
        let line = line.trim_start();
        let Some((name, _)) = line.split_once('(').filter(|(name, _)| !name.contains([' ', '<', '+', '-'])) else {
            continue;
        };
        let replaced = name == "execve" && !calls.is_empty();
        calls.push(Listed { name: name.to_owned(), line: line.to_owned() });
        if replaced {
            break;
        }
    }
    calls
}

/// Whether a signal (`INT`) came to the last run.
pub(super) fn signalled(sandbox: &Sandbox, signal: &str) -> bool {
    fs::read_to_string(log(sandbox)).expect("a trace").contains(&format!("--- SIG{signal} "))
}

/// What is in the log of a call that was made to fail.
pub(super) const INJECTED: &str = "(INJECTED)";

/// Which of the calls wake the event loop: writes into its own descriptor, which is no file and cannot fail.
pub(super) fn wakes(calls: &[Listed]) -> Vec<bool> {
    let mut own = None;
    let wakes = |call: &Listed| {
        if call.name.starts_with("eventfd") {
            own = call.line.rsplit("= ").next().map(|descriptor| format!("write({},", descriptor.trim()));
        }
        own.as_ref().is_some_and(|own| call.line.starts_with(own))
    };
    calls.iter().map(wakes).collect()
}
