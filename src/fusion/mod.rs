//! HTTP client for the Fusion API: request tokens, requests and responses.
//!
//! Owns the content of each request and the validation of each response. Must not use stores, caches or locks: the
//! caller passes the URL and the credential. The API is described in its published reference, chapter "Authentication".

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
mod request;
mod request_token;
mod server_text;
mod token_answer;
mod transport;

pub use api_keys::{ApiKey, KeyDefinition};
pub use call::{ApiResponse, Call, HOP_BY_HOP};
pub use client::{CallOptions, Client, RequestObserver};
pub use customers::Customer;
pub use error::{FusionError, TlsFault};
pub use forward::{ForwardBody, ForwardHead, ForwardedResponse, StreamProgress};
pub use list_answer::ListResponse;
pub use path::{ApiPath, METHOD_OVERRIDE_HEADERS, PathError};
pub use probe::ProbeResult;
pub use proxy::Proxies;
pub use request::LoginCredential;
pub use request_token::Claims;
pub use reqwest::Method;
pub use reqwest::header::{HeaderName, HeaderValue};
pub use token_answer::Grant;
pub use transport::count_system_roots;
