//! A real age plugin, made of `tests/plugin/toy.rs`: compiled once, found by its name on a PATH.
//!
//! The unit tests of the product's plugin client compile this file as well, so it knows nothing of a sandbox.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("../plugin/toy.rs");

/// The PIN of every toy key that asks for one.
pub(crate) const TOY_PIN: &str = "271828";

/// The plugin `age-plugin-toy`, and whatever else its program is called.
#[derive(Clone, Debug)]
pub(crate) struct Toy {
    folder: PathBuf,
}

/// A key of the toy.
#[derive(Clone, Debug)]
pub(crate) struct ToyKey {
    /// `AGE-PLUGIN-TOY-1...`
    pub(crate) identity: String,
    /// `age1toy1...`
    pub(crate) recipient: String,
}

impl Toy {
    /// Compiles it, unless this very source was compiled here before.
    pub(crate) fn new() -> Self {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        Self { folder: FOLDER.get_or_init(compiled).clone() }
    }

    /// The folder of the program, which holds nothing else.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join(format!("age-plugin-toy{}", std::env::consts::EXE_SUFFIX))
    }

    /// The key of `NAME` or `NAME:MODE`; the source says what modes there are.
    pub(crate) fn key(&self, data: &str) -> ToyKey {
        let output = Command::new(self.program()).args(["--generate", data]).output().expect("the toy runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let (first, identity) = text.trim_end().split_once('\n').expect("two lines");
        let recipient = first.strip_prefix("# public key: ").expect("the public key");
        ToyKey { identity: identity.to_owned(), recipient: recipient.to_owned() }
    }
}

/// Beside the test binaries, in a folder named after the source, so that it is compiled once for all of them.
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

/// The compiler beside the cargo that built this test, else the one on PATH.
fn compiler() -> PathBuf {
    let beside = Path::new(env!("CARGO")).with_file_name("rustc");
    if beside.exists() { beside } else { "rustc".into() }
}
