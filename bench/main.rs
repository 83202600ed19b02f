//! Measures neto: its run time against an empty program and similar tools (`bench/run`), and its instructions
//! (`bench/instructions`). The latest figures and their interpretation are in `docs/performance.md`.
//!
//! - `home`: home directories with sealed profiles and cached tokens, built the way a user does;
//! - `stopwatch`: timed runs of programs, started by the separate program `stopwatch/program.rs`;
//! - `peers`: other secret managers, if installed, and two scripts;
//! - `times`: run times of commands for one profile among many, and the goals;
//! - `fleet`: run times of commands for many profiles at once (`bench/run --fleet`);
//! - `decoy`: requests through a decoy, compared with direct requests (`bench/run --decoy`);
//! - `table`: figures as text or Markdown;
//! - `instructions`: counts under valgrind; `counts`: the committed counts and their limits.
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
struct Cli {
    /// The neto to measure
    #[arg(long, global = true, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_neto"))]
    neto: PathBuf,
    /// Cargo says it to every bench
    #[arg(long, global = true, hide = true)]
    bench: bool,
    #[command(subcommand)]
    measurement: Option<Measurement>,
}

#[derive(Subcommand)]
enum Measurement {
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
    let cli = Cli::parse();
    let neto = cli.neto.canonicalize().expect("neto is built");
    match cli.measurement {
        Some(Measurement::Times(options)) => times::run(&neto, &options),
        Some(Measurement::Fleet(options)) => fleet::run(&neto, &options),
        Some(Measurement::Decoy(options)) => decoy::run(&neto, &options),
        Some(Measurement::Instructions(options)) => instructions::run(&neto, &options),
        None => times::run(&neto, &times::Options::parse_from([""])),
    }
}
