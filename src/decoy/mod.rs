//! The decoy: a local server with a fake credential, which forwards one program's requests to a tenant's API.
//!
//! The program gets a credential that works only at this server. The server forwards the program's requests with the
//! real access token, which the program never sees. Owns the checks of requests, the headers that are forwarded, and
//! the audit log. The session gets the real token, `fusion` sends it, and a command starts the program.

mod answer;
mod audit;
mod body;
mod credential;
mod endpoint;
mod handler;
mod headers;
mod live_token;
mod rules;
mod server;

pub use audit::Audit;
pub use credential::{Decoy, NoRandomness};
pub use endpoint::Endpoint;
pub use live_token::{LiveToken, ReloadProfile};
pub use rules::RequestPolicy;
pub use server::{Listener, serve};
