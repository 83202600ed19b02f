//! Decoy: a local server that lets a program use a tenant's API without the real credential and access token.
//!
//! The program gets a fake credential, which works only at the decoy. The decoy forwards the program's requests with
//! the real access token. Owns the checks of requests, the filtering of headers, and the audit log. Does not obtain
//! tokens (`session`), send requests to the tenant (`fusion`) or start the program (`commands`).

mod audit;
mod body;
mod credential;
mod endpoint;
mod handler;
mod headers;
mod live_token;
mod response;
mod rules;
mod server;

pub use audit::AuditLog;
pub use credential::{DecoyCredential, NoRandomness};
pub use endpoint::Endpoint;
pub use live_token::{LiveToken, ReloadProfile};
pub use rules::RequestPolicy;
pub use server::{Listener, serve};
