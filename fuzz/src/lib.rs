//! What must hold of any input, one module a fuzz target.
//!
//! Each `check` takes the fuzzer's bytes and panics where a promise does not hold. It is written against the
//! contract, not against the code: own readers and own models, as plain as can be. `tests/corpus.rs` runs the same
//! functions over the kept inputs, so that no compiler flag is needed to see an old bug come back.

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

/// Holds an input against the promises.
type Check = fn(&[u8]);

/// Every target by its name, which is that of its corpus too.
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
