//! Test harness: runs the real binary in a temporary home or at a terminal, and searches output and files for leaked
//! secrets.
//!
//! - `sandbox`: the directories, the server, and the secrets that must not leak;
//! - `call`: one run of a program in a sandbox;
//! - `outcome`: the result of a run, with assertions;
//! - `terminal`: a run on a pseudo-terminal, at which the test types;
//! - `peer`: a listener that sends arbitrary bytes or forwards them, as a proxy or a broken server;
//! - `tokens`: decrypts and backdates token files;
//! - `plugin`: an age plugin, compiled for the tests;
//! - `canary`: a search for secrets in several encodings;
//! - `machine`: another machine in the same sandbox.
//!
//! Code that knows a single command belongs in the tests of that command, not here.
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
