//! The git repository that a store lies in, asked carefully.
//!
//! A checkout may hold what somebody else put there, so git is found on PATH alone and told to start no program and to
//! believe no repository that lies inside another.

use crate::secret::find_program;
use crate::workflow::Run;
use crate::workflow::exported_variables::keys;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The repository that the store lies in.
pub(crate) struct Git {
    program: PathBuf,
    /// Where it is started: a hook is in the right folder already, with variables that are relative to it.
    folder: PathBuf,
    /// The store, through all links.
    pub(crate) store: PathBuf,
}

impl Git {
    /// None where there is no git, or no repository.
    pub(crate) fn of(run: &Run<'_>) -> Option<Self> {
        let environment = &run.context.process.environment;
        let program = find_program("git", environment.get("PATH")).ok()?;
        let store = run.context.paths.store.canonicalize().ok()?;
        let folder = store.parent()?;
        let in_hook = ["GIT_DIR", "GIT_INDEX_FILE"].iter().any(|name| environment.get(name).is_some());
        if !in_hook && !folder.ancestors().any(|above| above.join(".git").exists()) {
            return None;
        }
        let folder = if in_hook { run.context.process.folder.clone() } else { folder.to_path_buf() };
        Some(Self { program, folder, store })
    }

    /// Whether a merge that is not finished left the store open, as git keeps it.
    ///
    /// # Errors
    /// As [`Git::paths`].
    pub(crate) fn is_unmerged(&self, run: &Run<'_>) -> Result<bool, String> {
        let store = self.store.to_string_lossy();
        Ok(!self.paths(run, &["ls-files", "--unmerged", "-z", "--", &store], &[0])?.is_empty())
    }

    /// Whether git would take this file, by its whole path, with the next `git add`; not where it lies outside of the
    /// repository, or git cannot be asked.
    pub(crate) fn would_take(&self, run: &Run<'_>, file: &Path) -> bool {
        // 1 says that nothing ignores it, 128 that it lies elsewhere.
        let asked = file.to_str().and_then(|file| self.run(run, &["check-ignore", "-q", "--", file]).ok());
        asked.is_some_and(|answer| answer.status.code() == Some(1))
    }

    /// The paths that a question lists, separated by NULs; `fine` are the exit codes of an answer.
    ///
    /// # Errors
    /// What git says, or why it did not run.
    pub(crate) fn paths(&self, run: &Run<'_>, arguments: &[&str], fine: &[i32]) -> Result<Vec<String>, String> {
        let output = self.run(run, arguments)?;
        if !output.status.code().is_some_and(|code| fine.contains(&code)) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(said.lines().next().unwrap_or("it failed").to_owned());
        }
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Asks git.
    ///
    /// # Errors
    /// Why it did not run.
    pub(crate) fn run(&self, run: &Run<'_>, arguments: &[&str]) -> Result<Output, String> {
        let mut git = Command::new(&self.program);
        git.args(["-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "--no-pager"]).args(arguments);
        git.current_dir(if self.folder.is_dir() { &self.folder } else { Path::new("/") });
        for name in keys(&run.context.process.environment) {
            git.env_remove(name);
        }
        git.env_remove("GIT_LITERAL_PATHSPECS").env("GIT_NO_LAZY_FETCH", "1").env("GIT_OPTIONAL_LOCKS", "0");
        git.stdin(Stdio::null()).output().map_err(|error| error.to_string())
    }
}
