//! What neto costs: in time beside an empty program and its peers (`bench/run`), and in instructions
//! (`bench/instructions`). The figures last seen, and what they say, stand in `docs/performance.md`.
//!
//! - `home`: folders with sealed profiles and cached tokens, as a user gets there;
//! - `stopwatch`: runs of programs, timed by `stopwatch.rs`, a program of its own;
//! - `peers`: other keepers of secrets, as far as they are installed, and two scripts;
//! - `times`: what is timed of one profile among many, and the goals; `fleet`: the same of many at once (`bench/run --fleet`);
//! - `decoy`: what goes through a decoy, beside what does not (`bench/run --decoy`);
//! - `table`: figures as text or Markdown;
//! - `instructions`: what is counted under valgrind; `counts`: the committed counts and what may not rise.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a measuring program, not the product: it prints, what goes wrong ends it, and figures are rounded"
)]

#[path = "../tests/fusion/mod.rs"]
mod fusion;

mod counts;
mod decoy;
mod fleet;
mod home;
mod instructions;
mod peers;
mod stopwatch;
mod table;
mod times;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "bench", about = "What neto costs")]
struct Line {
    /// The neto to measure
    #[arg(long, global = true, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_neto"))]
    neto: PathBuf,
    /// Cargo says it to every bench
    #[arg(long, global = true, hide = true)]
    bench: bool,
    #[command(subcommand)]
    measured: Option<Measured>,
}

#[derive(Subcommand)]
enum Measured {
    /// Times, beside an empty program and neto's peers (without options this is the default)
    Times(times::Options),
    /// Requests through `neto proxy`, beside the same straight to the server
    Decoy(decoy::Options),
    /// Work on many profiles at once, beside the ideal
    Fleet(fleet::Options),
    /// Instructions, counted by valgrind's callgrind
    Instructions(instructions::Options),
}

fn main() -> ExitCode {
    let line = Line::parse();
    let neto = line.neto.canonicalize().expect("neto is built");
    match line.measured {
        Some(Measured::Times(options)) => times::run(&neto, &options),
        Some(Measured::Fleet(options)) => fleet::run(&neto, &options),
        Some(Measured::Decoy(options)) => decoy::run(&neto, &options),
        Some(Measured::Instructions(options)) => instructions::run(&neto, &options),
        None => times::run(&neto, &times::Options::parse_from([""])),
    }
}
