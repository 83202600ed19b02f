//! A Fusion server on loopback for the tests and the tour, built only from the published API reference.
//!
//! The module implements the calls about tokens, keys and accounts, and checks their requests against the reference. It
//! uses no code of the `neto` library, so a bug in neto cannot hide in the server too. A request that violates the
//! reference gets the error that the API would return (`400`, `401`). The violation is recorded in
//! [`Server::violations`].
//!
//! - `server`: the interface for tests, which start the server, configure it and query its records;
//! - `serve`: accepts connections over http or https, and sends a response or a fault;
//! - `tenants`: accounts, keys, people, and the tokens granted to them;
//! - `request_token`: the JWT of a login, parsed and verified without a JWT library;
//! - `routes`: the response to each call; `authentication`: the three calls that grant tokens;
//! - `record`: the recorded requests, counts, and violations of the reference;
//! - `faults`: wrong, late, partial or missing responses;
//! - `wire`: a stream that can send arbitrary bytes in place of a response;
//! - `certificates`: a private certificate authority and the certificates that it signs.
//!
//! Rate limits, search calls and data are not implemented. Other calls with a valid access token get a description of
//! the request.
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

/// Path of the login with an API key.
pub(crate) const TOKEN: &str = "/api/v1/auth/token";
/// Path of the token refresh. The reference has no `/v1` in this path.
pub(crate) const REFRESH: &str = "/api/auth/bearer/refresh";
/// Path of the login with a user name and a password.
pub(crate) const PERSON: &str = "/api/auth/bearer/token";
