//! The decoy: a server on this machine that stands in for a tenant's API towards one program.
//!
//! The program gets a credential that opens nothing but this server. What it asks with it goes on to the tenant with the
//! real bearer, which the program never sees. Owns what is believed of such a program, what of its requests is passed on,
//! and what is kept of them in an audit. Getting and renewing the real token is the session's business, sending it
//! `fusion`'s; who starts the program and hands it the credential is a command's.

mod answer;
mod audit;
mod body;
mod credential;
mod handler;
mod headers;
mod live_token;
mod rules;
mod server;

pub use audit::Audit;
pub use credential::{Decoy, NoChance};
pub use live_token::{Bearer, Reread};
pub use rules::Rules;
pub use server::{Door, Site, allow_many, serve};
