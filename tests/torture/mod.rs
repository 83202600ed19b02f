//! Stress tests: many processes at once, kills, failing system calls, signals and clock changes.
//!
//! The ordinary test run covers a small part of each; `NETO_TORTURE=1.0` runs all of it. Every test prints a summary
//! line to standard error.
//!
//! - `scale`: the number of rounds, a random generator with a printed seed, the summary line;
//! - `invariants`: conditions that every file must meet after every run;
//! - `verb`: commands that are killed or failed, and the checks after them;
//! - `strace`: runs whose system calls are listed or made to fail;
//! - the other files: one kind of test each.
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
