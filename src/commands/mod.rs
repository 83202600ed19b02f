//! Commands of `neto`, one module each. A module contains help, arguments, output rows and `run`, in this order.
//!
//! Code that several commands share is in `workflow`.
#![allow(clippy::doc_markdown, reason = "comments of arguments are the help that users read")]

pub(crate) mod api;
pub(crate) mod completions;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod hook;
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod profile;
pub(crate) mod prompt;
pub(crate) mod proxy;
pub(crate) mod recipient;
pub(crate) mod rotate;
pub(crate) mod schema;
pub(crate) mod seal;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod trust;
