//! The long rounds: many processes at once, kills, failing system calls, signals and clocks.
//!
//! The ordinary suite runs a small part of each; `NETO_TORTURE=1.0` runs all of it. Every round says what it did in a
//! line on standard error.
//!
//! - `scale`: how much of it is run, chance with a printed seed, the line at the end;
//! - `whole`: what must be true of every file, whatever was done to neto;
//! - `verb`: what is done to a profile while neto is killed or the system fails it, and the run after that;
//! - `strace`: runs whose system calls are listed, or made to fail;
//! - then a file for each kind of round.
#![cfg(unix)]

mod bursts;
mod clock;
mod crowds;
mod disk;
mod durability;
mod faults;
mod imports;
mod interrupts;
mod kills;
mod reuse;
mod rotations;
pub(crate) mod scale;
mod signals;
mod stamps;
mod strace;
mod verb;
mod whole;
