//! Asking the server: request tokens, the shapes of its answers, and the HTTP client.
//!
//! Owns what goes over the wire to a Fusion API and what of an answer is believed. Knows nothing of
//! stores, caches or locks: it is told whom to ask with what, and says what came of it. Facts about
//! the API come from its published reference ("Authentication").

mod api_keys;
mod call;
mod client;
mod customers;
mod error;
mod forward;
mod list_answer;
mod path;
mod probe;
mod proxy;
mod rate_limit;
mod redact;
mod request;
mod request_token;
mod token_answer;
mod transport;

pub use api_keys::{ApiKey, KeyTerms};
pub use call::{Call, HOP_BY_HOP, Reply};
pub use client::{Client, Manner, Progress};
pub use customers::Customer;
pub use error::{FusionError, TlsFault};
pub use forward::{Flow, Head, Passed, Upload};
pub use list_answer::Listed;
pub use path::{ApiPath, METHOD_OVERRIDES, PathError};
pub use probe::Sight;
pub use proxy::Proxies;
pub use request::Login;
pub use request_token::Claims;
pub use reqwest::Method;
pub use reqwest::header::{HeaderName, HeaderValue};
pub use token_answer::{Grant, Refresh};
pub use transport::roots_of_system;
