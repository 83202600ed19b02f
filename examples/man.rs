//! Writes the manual pages in `man/`: `cargo run --example man`.
//!
//! The pages of the commands come from the tree that `--help` comes from, `neto-profiles(5)` from the description that
//! the schema comes from. `tests/man.rs` includes this file and checks that the pages are up to date.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a generator reads and writes the pages as files, and stops at the first failure"
)]

#[path = "man/commands.rs"]
mod commands;
#[path = "man/environment.rs"]
mod environment;
#[path = "man/format.rs"]
mod format;
#[path = "man/roff.rs"]
mod roff;

#[allow(unused_imports, reason = "the test that includes this file uses it")]
pub(crate) use environment::CODES;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[allow(dead_code, reason = "the test that includes this file has its own main")]
fn main() {
    write(&pages());
}

/// Returns the text of every page by its file name.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let mut pages = commands::pages();
    pages.insert("neto-profiles.5".to_owned(), format::page());
    pages
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// Returns the pages of the repository by their file names.
pub(crate) fn written() -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory()).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Writes the pages and deletes those of removed verbs.
pub(crate) fn write(pages: &BTreeMap<String, String>) {
    fs::create_dir_all(directory()).unwrap();
    for removed in written().keys().filter(|name| !pages.contains_key(*name)) {
        fs::remove_file(directory().join(removed)).unwrap();
    }
    for (name, page) in pages {
        fs::write(directory().join(name), page).unwrap();
    }
}
