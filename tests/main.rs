//! The tests of the real binary against a real server on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a failed expectation is a failed test, and a test reads and writes files as a user would"
)]

mod choice;
mod exec;
mod export;
mod fusion;
mod harness;
mod init;
mod login;
mod logout;
mod places;
mod profile_add;
mod rooms;
mod self_check;
mod shells;
mod single_flight;
mod status;
mod token;
mod usage;
