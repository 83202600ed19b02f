//! Measures neto: its run times, compared with an empty program and similar tools (`bench/run`), and its instruction
//! counts (`bench/instructions`). `docs/performance.md` has the latest figures and explains them.
//!
//! - `home`: home directories with encrypted profiles and cached tokens;
//! - `stopwatch`: timed runs of programs, started by a separate small program, `stopwatch/program.rs`;
//! - `peers`: other secret managers, if installed, and two scripts that get a token without neto;
//! - `times`: run times of commands for one profile among many, compared with the goals;
//! - `fleet`: run times of commands for many profiles at once (`bench/run --fleet`);
//! - `decoy`: requests through the decoy of `neto proxy`, compared with direct requests (`bench/run --decoy`);
//! - `table`: tables as text or Markdown;
//! - `instructions`: instruction counts under valgrind; `counts`: the committed counts and the allowed increase.
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
