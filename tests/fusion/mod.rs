//! A Fusion server on loopback for the tests and the tour, built only from the published API reference.
//!
//! The module implements the reference's calls about tokens, keys and accounts, and checks every request against it. It
//! uses no code of the `neto` library, so a mistake there cannot cancel itself out. A violation of the reference is
//! answered as the API would (`401`, `400`) and recorded in [`Server::violations`].
//!
//! - `server`: the interface for tests: start, settings, queries;
//! - `serve`: the listener, over http or https, and how an answer or a fault reaches the socket;
//! - `tenants`: accounts, keys, people, tokens and their owners;
//! - `request_token`: the JWT of a login, parsed and verified by hand;
//! - `routes`: the answer to each call; `authentication`: the three calls that grant a token;
//! - `record`: requests, counts, and violations of the reference;
//! - `faults`: wrong, late, partial or missing answers;
//! - `wire`: the socket below them, which can send any bytes;
//! - `certificates`: a private authority and the certificates it signs.
//!
//! The API's rate limits, search calls and data are not imitated.
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
pub(crate) use record::RecordedRequest;
pub(crate) use server::Server;
pub(crate) use tenants::{Account, Credential, Lifetime, Person};

/// Path of an API key's login.
pub(crate) const TOKEN: &str = "/api/v1/auth/token";
/// Path of a token refresh; the reference has no `/v1` here.
pub(crate) const REFRESH: &str = "/api/auth/bearer/refresh";
/// Path of a person's login.
pub(crate) const PERSON: &str = "/api/auth/bearer/token";
