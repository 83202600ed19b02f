//! Tests of the real binary against a real server on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a failed expectation is a failed test, and a test reads and writes files as a user would"
)]

mod answers;
mod api;
mod choice;
mod ci;
mod ci_page;
mod comments;
mod completion;
mod corpus;
mod discover;
mod doctor;
mod exec;
mod exec_many;
mod export;
mod files;
mod fleets;
mod fusion;
mod harness;
mod hook;
mod identity;
mod init;
mod keys;
mod layers;
mod login;
mod login_many;
mod logout;
mod man;
mod pages;
mod performance;
mod picture;
mod places;
mod plugins;
mod process;
mod profile_add;
mod profile_edit;
mod profile_import;
mod profile_list;
mod profile_pick;
mod profile_remove;
mod profile_rename;
mod profile_set_secret;
mod profile_use;
mod prompt;
mod proxies;
mod proxy;
mod readme;
mod recipient;
mod requirements;
mod rotate;
mod rotation;
mod schema;
mod seal;
mod seal_check;
mod self_check;
mod sharing;
mod shells;
mod single_flight;
mod source_files;
mod sources;
mod status;
mod status_live;
mod stores;
mod tls;
mod token;
mod torture;
mod transcript;
mod trust;
mod usage;
mod volume;
mod widths;
