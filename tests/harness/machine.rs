//! Another machine in the same sandbox: a home of its own, the same server and working directory.

use super::call::Call;
use super::sandbox::Sandbox;
use std::ffi::OsStr;
use std::path::PathBuf;

/// Somebody else's machine.
pub(crate) struct Machine<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl Sandbox {
    /// The machine of that name; nothing is on it yet.
    pub(crate) fn machine(&self, name: &str) -> Machine<'_> {
        Machine { sandbox: self, name: name.to_owned() }
    }
}

impl<'a> Machine<'a> {
    /// A path below its `NETO_HOME`.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.sandbox.root().join("machines").join(&self.name).join(path)
    }

    /// A run of neto on it, by the user of that name.
    pub(crate) fn neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'a> {
        self.program(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// A run of any program on it.
    pub(crate) fn program<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'a> {
        self.sandbox.program(program, arguments).env("NETO_HOME", self.home("")).env("USER", &self.name)
    }
}
