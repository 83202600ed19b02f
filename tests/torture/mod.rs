//! Stress tests: many processes at once, kills, failing system calls, signals, full disks and clock changes.
//!
//! An ordinary test run executes only a small share of the rounds; `NETO_TORTURE=1.0` executes all. Most tests print a
//! summary line to standard error.
//!
//! - `scale`: the number of rounds, reproducible random numbers, and the summary line;
//! - `invariants`: conditions that every file must meet after every run;
//! - `verb`: the commands that are killed or made to fail, and the checks after each run;
//! - `strace`: runs under strace, which lists the system calls or makes them fail;
//! - each other file: one kind of test.
#![cfg(unix)]

mod bursts;
mod clock;
mod crowds;
mod disk;
mod durability;
mod faults;
mod imports;
mod interrupts;
mod invariants;
mod kills;
mod reuse;
mod rotations;
pub(crate) mod scale;
mod signals;
mod stamps;
mod strace;
mod verb;
