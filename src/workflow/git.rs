//! Git repository that contains the profile store, for checks by several commands.
//!
//! A checkout may contain files from other people. So git is looked up on `PATH` only. Options keep git from starting a
//! file system monitor, and from using a bare repository inside the checkout.

use crate::secret::find_program;
use crate::workflow::Run;
use crate::workflow::exported_variables::withheld_variables;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Git repository that contains the store.
pub(crate) struct GitRepository {
    program: PathBuf,
    /// Directory in which git runs. In a git hook this is the hook's own directory, because the hook's `GIT_*`
    /// variables are relative to it.
    working_directory: PathBuf,
    /// Absolute path of the store, with all symbolic links resolved.
    pub(crate) store: PathBuf,
}

impl GitRepository {
    /// Finds the repository. Returns `None` if git, the store or a repository is missing.
    pub(crate) fn find(run: &Run<'_>) -> Option<Self> {
        let environment = &run.context.process.environment;
        let program = find_program("git", environment.get("PATH")).ok()?;
        let store = run.context.paths.store.canonicalize().ok()?;
        let directory = store.parent()?;
        let is_in_hook = ["GIT_DIR", "GIT_INDEX_FILE"].iter().any(|name| environment.get(name).is_some());
        if !is_in_hook && !directory.ancestors().any(|ancestor| ancestor.join(".git").exists()) {
            return None;
        }
        let working_directory =
            if is_in_hook { run.context.process.working_directory.clone() } else { directory.to_path_buf() };
        Some(Self { program, working_directory, store })
    }

    /// Checks whether the store is unmerged, which means that a merge left conflicts in it.
    ///
    /// # Errors
    /// Fails with the same errors as [`GitRepository::list_paths`].
    pub(crate) fn is_unmerged(&self, run: &Run<'_>) -> Result<bool, String> {
        let store = self.store.to_string_lossy();
        Ok(!self.list_paths(run, &["ls-files", "--unmerged", "-z", "--", &store], &[0])?.is_empty())
    }

    /// Checks whether `git add` would add this file, given by its full path. Returns `false` if git ignores the file,
    /// the file is outside the repository, or git fails.
    pub(crate) fn would_add(&self, run: &Run<'_>, file: &Path) -> bool {
        // Exit code 0: git ignores the file. Exit code 1: git does not ignore it. Exit code 128: it is outside the
        // repository.
        let output = file.to_str().and_then(|file| self.run(run, &["check-ignore", "-q", "--", file]).ok());
        output.is_some_and(|output| output.status.code() == Some(1))
    }

    /// Runs a git command that prints paths separated by NULs, and returns the paths. `success_codes` are the exit
    /// codes that count as success.
    ///
    /// # Errors
    /// Returns the first line of git's error output, or the reason why git did not run.
    pub(crate) fn list_paths(
        &self,
        run: &Run<'_>,
        arguments: &[&str],
        success_codes: &[i32],
    ) -> Result<Vec<String>, String> {
        let output = self.run(run, arguments)?;
        if !output.status.code().is_some_and(|code| success_codes.contains(&code)) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(stderr.lines().next().unwrap_or("it failed").to_owned());
        }
        let paths = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(paths.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// Runs git with these arguments and without the variables that give access to the identity.
    ///
    /// # Errors
    /// Returns the reason why git could not be started.
    pub(crate) fn run(&self, run: &Run<'_>, arguments: &[&str]) -> Result<Output, String> {
        let mut git = Command::new(&self.program);
        git.args(["-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "--no-pager"]).args(arguments);
        git.current_dir(if self.working_directory.is_dir() { &self.working_directory } else { Path::new("/") });
        for name in withheld_variables(&run.context.process.environment) {
            git.env_remove(name);
        }
        // Callers use pathspecs such as `:(top)`. Checks must neither fetch objects nor take git's locks.
        git.env_remove("GIT_LITERAL_PATHSPECS").env("GIT_NO_LAZY_FETCH", "1").env("GIT_OPTIONAL_LOCKS", "0");
        git.stdin(Stdio::null()).output().map_err(|error| error.to_string())
    }
}
