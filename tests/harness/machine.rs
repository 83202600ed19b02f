//! Another machine in the same sandbox, with its own home, and the same server and working directory.

use super::call::Call;
use super::sandbox::Sandbox;
use std::ffi::OsStr;
use std::path::PathBuf;

/// A second user's machine.
pub(crate) struct Machine<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl Sandbox {
    /// Returns the machine of that name, which is empty at first.
    pub(crate) fn machine(&self, name: &str) -> Machine<'_> {
        Machine { sandbox: self, name: name.to_owned() }
    }
}

impl<'a> Machine<'a> {
    /// Returns a path below its `NETO_HOME`.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.sandbox.root().join("machines").join(&self.name).join(path)
    }

    /// Prepares a run of neto on the machine. The user has the machine's name.
    pub(crate) fn neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'a> {
        self.program(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// Prepares a run of any program on the machine.
    pub(crate) fn program<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'a> {
        self.sandbox.program(program, arguments).env("NETO_HOME", self.home("")).env("USER", &self.name)
    }
}
