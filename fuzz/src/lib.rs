//! Properties that hold for any input, one module per fuzz target.
//!
//! Each `check` takes the fuzzer's bytes and panics if a property fails. The checks follow the contract, not the code,
//! with simple parsers and models of their own. `tests/corpus.rs` runs the same functions on the saved inputs, so that
//! an old bug is found without compiler flags.

pub mod answer;
pub mod clean;
pub mod import;
pub mod netosecret;
pub mod quoting;
pub mod sealed_payload;
pub mod store;
pub mod token_file;

mod lines;
mod model;
mod readers;
mod script;

/// Checks the properties for one input.
type Check = fn(&[u8]);

/// All targets; the name of a target is also the name of its corpus.
pub const TARGETS: [(&str, Check); 8] = [
    ("answer", answer::check),
    ("clean", clean::check),
    ("import", import::check),
    ("netosecret", netosecret::check),
    ("quoting", quoting::check),
    ("sealed_payload", sealed_payload::check),
    ("store", store::check),
    ("token_file", token_file::check),
];
