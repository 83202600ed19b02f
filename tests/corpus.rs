//! Runs each committed fuzz input through the check of its fuzz target, so that ordinary test runs cover the inputs.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library of its own for the fuzzer")]
mod oracle;

#[test]
fn every_kept_input_holds_what_is_promised() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failing = Vec::new();
    for (target, check) in oracle::TARGETS {
        let inputs: Vec<_> = fs::read_dir(folder.join(target)).expect("a corpus").flatten().collect();
        assert!(!inputs.is_empty(), "nothing is kept for {target}");
        for input in inputs {
            let bytes = fs::read(input.path()).expect("an input");
            if std::panic::catch_unwind(|| check(&bytes)).is_err() {
                failing.push(format!("{target}/{}", input.file_name().display()));
            }
        }
    }
    assert_eq!(failing, Vec::<String>::new(), "what is promised does not hold; each one's panic stands above");
}
