//! A real age plugin, built from `tests/plugin/toy.rs`, compiled once and found by name on `PATH`.
//!
//! The unit tests of the product's plugin client also compile this file, so it does not depend on a sandbox.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("../plugin/toy.rs");

/// PIN of every toy key that asks for one.
pub(crate) const TOY_PIN: &str = "271828";

/// The plugin `age-plugin-toy`, under any program name.
#[derive(Clone, Debug)]
pub(crate) struct Toy {
    folder: PathBuf,
}

/// Key pair of the toy plugin.
#[derive(Clone, Debug)]
pub(crate) struct ToyKey {
    /// `AGE-PLUGIN-TOY-1...`
    pub(crate) identity: String,
    /// `age1toy1...`
    pub(crate) recipient: String,
}

impl Toy {
    /// Compiles the plugin unless this source was compiled here before.
    pub(crate) fn new() -> Self {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        Self { folder: FOLDER.get_or_init(compiled).clone() }
    }

    /// Directory that contains only the program.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join(format!("age-plugin-toy{}", std::env::consts::EXE_SUFFIX))
    }

    /// Generates the key for `NAME` or `NAME:MODE`; the source lists the modes.
    pub(crate) fn key(&self, data: &str) -> ToyKey {
        let output = Command::new(self.program()).args(["--generate", data]).output().expect("the toy runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let (first, identity) = text.trim_end().split_once('\n').expect("two lines");
        let recipient = first.strip_prefix("# public key: ").expect("the public key");
        ToyKey { identity: identity.to_owned(), recipient: recipient.to_owned() }
    }
}

/// Returns the directory of the compiled plugin, next to the test binaries. The directory is named after the source, so
/// that all test binaries share it.
fn compiled() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let tests = std::env::current_exe().expect("this binary");
    let folder = tests.with_file_name(format!("age-plugin-toy-{:016x}", hasher.finish()));
    if !folder.exists() {
        let draft = folder.with_extension(std::process::id().to_string());
        fs::create_dir_all(&draft).expect("a folder");
        let (source, program) = (draft.join("toy.rs"), draft.join("age-plugin-toy"));
        fs::write(&source, SOURCE).expect("a written file");
        let output = Command::new(compiler()).args(["--edition", "2024", "-o"]).arg(&program).arg(&source).output();
        let output = output.expect("rustc runs");
        assert!(output.status.success(), "the toy does not compile: {}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(&source).expect("its source");
        // Another test binary may have been faster.
        if fs::rename(&draft, &folder).is_err() {
            fs::remove_dir_all(&draft).expect("a folder of our own");
        }
    }
    folder
}

/// Compiler next to the cargo that built this test, otherwise the one on `PATH`.
fn compiler() -> PathBuf {
    let beside = Path::new(env!("CARGO")).with_file_name("rustc");
    if beside.exists() { beside } else { "rustc".into() }
}
