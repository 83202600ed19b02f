//! Foundation of all tests: a temporary home, runs of the real binary and their results, a terminal, and a search for
//! leaked secrets.
//!
//! - `sandbox`: the directories, the server, the secrets in them;
//! - `call`: one run of a program in a sandbox;
//! - `outcome`: the result of a run, with assertions;
//! - `terminal`: a run on a pseudo-terminal, where the test types;
//! - `peer`: a second listener that sends any bytes or forwards them: a proxy or a broken server;
//! - `tokens`: token files, decrypted and backdated;
//! - `plugin`: an age plugin, compiled for the tests;
//! - `canary`: secrets in any encoding, searched for in all output and all files.
//!
//! Knowledge of a command belongs in the tests of that command.
#![allow(dead_code, unused_imports, reason = "each verb's tests use a part of it")]

mod call;
mod canary;
mod machine;
mod outcome;
mod peer;
mod plugin;
mod sandbox;
#[cfg(unix)]
mod terminal;
mod tokens;

pub(crate) use call::{Call, Running};
pub(crate) use machine::Machine;
pub(crate) use outcome::Outcome;
pub(crate) use peer::{Peer, Reaction};
pub(crate) use plugin::{TOY_PIN, Toy, ToyKey};
pub(crate) use sandbox::{OTHER_RECIPIENT, Sandbox};
#[cfg(unix)]
pub(crate) use terminal::{CTRL_C, CTRL_D, ENTER, Screen, Terminal};
