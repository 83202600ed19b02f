//! Real age plugin for the tests, compiled from `tests/plugin/toy.rs`. age clients find plugins by name on `PATH`.
//!
//! The unit tests of neto's plugin client include this file too, so this file must not use the sandbox.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("../plugin/toy.rs");

/// PIN of every toy key whose mode requires a PIN.
pub(crate) const TOY_PIN: &str = "271828";

/// Compiled plugin `age-plugin-toy`.
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
    /// Compiles the plugin, unless an earlier test compiled the same source.
    pub(crate) fn new() -> Self {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        Self { folder: FOLDER.get_or_init(compile_once).clone() }
    }

    /// Directory that contains only the plugin, to be put on `PATH`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the plugin.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join(format!("age-plugin-toy{}", std::env::consts::EXE_SUFFIX))
    }

    /// Generates a key from `NAME` or `NAME:MODE`. `tests/plugin/toy.rs` lists the modes.
    pub(crate) fn key(&self, data: &str) -> ToyKey {
        let output = Command::new(self.program()).args(["--generate", data]).output().expect("the toy runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let (first, identity) = text.trim_end().split_once('\n').expect("two lines");
        let recipient = first.strip_prefix("# public key: ").expect("the public key");
        ToyKey { identity: identity.to_owned(), recipient: recipient.to_owned() }
    }
}

/// Compiles the plugin if needed, and returns its directory next to the test binaries. A hash of the source is part of
/// the directory name, so all test binaries share one compiled plugin.
fn compile_once() -> PathBuf {
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
        // The rename fails if another test binary has created the directory in the meantime.
        if fs::rename(&draft, &folder).is_err() {
            fs::remove_dir_all(&draft).expect("a folder of our own");
        }
    }
    folder
}

/// Returns the `rustc` next to the cargo that built this test, or else the `rustc` on `PATH`.
fn compiler() -> PathBuf {
    let sibling = Path::new(env!("CARGO")).with_file_name("rustc");
    if sibling.exists() { sibling } else { "rustc".into() }
}
