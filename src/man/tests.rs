//! The manual pages in `man/`: the commands' from the tree that `--help` is made of, `neto-profiles(5)` from the
//! description that the schema is made of. `UPDATE_GOLDEN=1 cargo test --lib man` writes them anew.
#![allow(clippy::disallowed_methods, reason = "a test reads and writes the pages as files")]

#[path = "command_tests.rs"]
mod command;
#[path = "format_tests.rs"]
mod format;
#[path = "roff_tests.rs"]
mod roff;
#[path = "surroundings_tests.rs"]
mod surroundings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Every page by the name of its file.
fn pages() -> BTreeMap<String, String> {
    let mut pages = command::pages();
    pages.insert("neto-profiles.5".to_owned(), format::page());
    pages
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// The pages as they lie in the repository.
fn written() -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Takes away the pages of verbs that are gone, and writes the others.
fn write(pages: &BTreeMap<String, String>) {
    fs::create_dir_all(folder()).unwrap();
    for gone in written().keys().filter(|name| !pages.contains_key(*name)) {
        fs::remove_file(folder().join(gone)).unwrap();
    }
    for (name, page) in pages {
        fs::write(folder().join(name), page).unwrap();
    }
}

#[test]
fn the_pages_are_fresh() {
    let pages = pages();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        write(&pages);
    }
    let written = written();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&pages), "the pages in man/ and those there should be; {UPDATE}");
    for (name, page) in &pages {
        let differs = written[name].lines().zip(page.lines()).find(|(written, page)| written != page);
        assert!(written[name] == *page, "man/{name} changed ({differs:?}); {UPDATE}");
    }
}

/// What is done when the pages should have changed.
const UPDATE: &str = "if that is meant: UPDATE_GOLDEN=1 cargo test --lib man";

#[test]
fn every_verb_has_a_page_and_hidden_ones_have_none() {
    let pages = pages();
    for name in ["neto.1", "neto-login.1", "neto-profile.1", "neto-profile-add.1", "neto-schema.1", "neto-profiles.5"] {
        assert!(pages.contains_key(name), "{name}");
    }
    assert!(!pages.keys().any(|name| name.contains("tied") || name.contains("help")), "{:?}", pages.keys());
}

#[test]
fn pages_do_not_grow_old_of_themselves() {
    for (name, page) in pages() {
        assert!(!page.contains(env!("CARGO_PKG_VERSION")), "{name} holds the version");
        assert!(page.starts_with(".\\\"") && page.is_ascii() && page.ends_with('\n'), "{name}");
    }
}
