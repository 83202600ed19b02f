//! Re-exports of private modules for the fuzz targets, benchmarks and tests of this repository.
//!
//! Not a public interface: everything here may change in any release. The cargo feature `internals` enables it.

#![allow(clippy::wildcard_imports, reason = "re-exports of whole modules")]

use clap::CommandFactory as _;

/// Returns the clap command tree, from which help, completion and manual pages are generated.
#[must_use]
pub fn command_tree() -> clap::Command {
    crate::cli::Cli::command()
}

/// Names of the environment variables that every export unsets first.
pub use crate::workflow::shell_state::ALWAYS_UNSET;

pub mod error {
    //! See `src/error`.
    pub use crate::error::Code;
}
pub mod format {
    //! See `src/profile/format`.
    pub use crate::profile::format::*;
}
pub mod disk {
    //! See `src/disk`.
    pub use crate::disk::*;
}
pub mod fusion {
    //! See `src/fusion`.
    pub use crate::fusion::*;
}
pub mod output {
    //! See `src/output`.
    pub use crate::output::sanitize::sanitize_block;
    pub use crate::output::*;
}
pub mod profile {
    //! See `src/profile`.
    pub use crate::profile::*;
}
pub mod secret {
    //! See `src/secret`.
    pub use crate::secret::*;
}
pub mod token {
    //! See `src/token`.
    pub use crate::token::*;
}
