//! Another machine in the same sandbox: its own `NETO_HOME`, but the same server and working directory.

use super::call::Call;
use super::sandbox::Sandbox;
use std::ffi::OsStr;
use std::path::PathBuf;

/// Machine of another user, in the same sandbox.
pub(crate) struct Machine<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl Sandbox {
    /// Returns a machine with this name. Its home does not exist until a run creates it.
    pub(crate) fn machine(&self, name: &str) -> Machine<'_> {
        Machine { sandbox: self, name: name.to_owned() }
    }
}

impl<'a> Machine<'a> {
    /// Returns a path below the machine's `NETO_HOME`.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.sandbox.root().join("machines").join(&self.name).join(path)
    }

    /// Prepares a run of neto on the machine. `USER` is the machine's name.
    pub(crate) fn neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'a> {
        self.program(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// Prepares a run of any program on the machine. `USER` is the machine's name.
    pub(crate) fn program<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'a> {
        self.sandbox.program(program, arguments).env("NETO_HOME", self.home("")).env("USER", &self.name)
    }
}
