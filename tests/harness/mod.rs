//! What every test stands on: a throw-away home, a run of the real binary and what came of it, a terminal, and a
//! watch for secrets in all of it.
//!
//! - `sandbox`: the folders, the server, the secrets that lie in them;
//! - `call`: one run of a program in a sandbox;
//! - `outcome`: what came of it, with the questions a test asks;
//! - `terminal`: a run at a pseudo-terminal, where a person types;
//! - `peer`: a listener beside the server, which says bytes or passes them on: a proxy, or nothing sensible;
//! - `tokens`: token files, opened and dated back;
//! - `plugin`: an age plugin, compiled for the tests;
//! - `canary`: secrets in any spelling, looked for in all output and all files.
//!
//! It knows nothing of what a verb does; that is for the file of that verb.
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
pub(crate) use peer::{Peer, Reply};
pub(crate) use plugin::{TOY_PIN, Toy, ToyKey};
pub(crate) use sandbox::{STRANGER, Sandbox};
#[cfg(unix)]
pub(crate) use terminal::{CTRL_C, CTRL_D, ENTER, Screen, Terminal};
