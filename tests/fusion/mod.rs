//! A Fusion server on loopback, for the tests and the tour: built from the published API reference alone.
//!
//! It owns what the reference says about tokens, keys and accounts, and checks every word of it by hand: nothing here
//! comes from the `neto` library, so that a mistake there cannot agree with itself. What a client does against the
//! reference is answered as the API would (`401`, `400`) and kept in [`Server::violations`].
//!
//! - `server`: what a test starts, sets and asks;
//! - `serve`: the listener, over http or https, and how an answer or a fault reaches the socket;
//! - `tenants`: accounts, keys, people, tokens and what was granted to whom;
//! - `request_token`: the JWT of a login, read and checked by hand;
//! - `routes`: which call answers what; `authentication`: the three of them that give a token;
//! - `record`: what was asked, counted, and what was against the reference;
//! - `faults`: switches that answer wrongly, late, in part or not at all;
//! - `wire`: the socket under them, which can say any bytes;
//! - `certificates`: a private authority and what it signs.
//!
//! It does not imitate the API's rate limits, its search calls or its data.
#![allow(
    dead_code,
    unused_imports,
    reason = "a whole server: each test binary and the tour ask a part of it, and faults wait for their tests"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test server: a failed expectation is a failed test, and its clock is the real one"
)]

mod authentication;
mod certificates;
mod faults;
mod record;
mod request_token;
mod routes;
mod serve;
mod server;
mod tenants;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use certificates::{Authority, Leaf, Versions};
pub(crate) use faults::{Fault, Gate};
pub(crate) use record::Seen;
pub(crate) use server::Server;
pub(crate) use tenants::{Account, Credential, Lifetime, Person};

/// The login of an API key.
pub(crate) const TOKEN: &str = "/api/v1/auth/token";
/// The refresh of a token; the reference has no `/v1` here.
pub(crate) const REFRESH: &str = "/api/auth/bearer/refresh";
/// The login of a person.
pub(crate) const PERSON: &str = "/api/auth/bearer/token";
