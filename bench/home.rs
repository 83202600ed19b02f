//! Creates home directories for the benchmarks, with encrypted profiles and a cached token for each profile.

use crate::fusion::{Lifetime, Server};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Profile that commands for a single profile use. The other profiles are `tenant-1`, `tenant-2` and so on.
pub(crate) const PROFILE: &str = "tenant-0";

/// Time without a change after which neto trusts the timestamp of the store, plus a margin.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// Lifetime of the tokens in seconds, so long that no token expires during a measurement.
const YEAR: u64 = 31_536_000;

/// Starts an http server that grants tokens of fixed length.
pub(crate) fn server() -> Server {
    with_fixed_tokens(Server::http())
}

/// Configures the server to grant tokens as long as the tokens of the API. With equal lengths, each run has equal work.
pub(crate) fn with_fixed_tokens(server: Server) -> Server {
    server.set_lifetime(Lifetime { access: YEAR, refresh: Some(YEAR) });
    server.edit_grants(|grant| {
        for (name, length) in [("access_token", 1_100), ("refresh_token", 700)] {
            grant.insert(name.to_owned(), Value::from(format!("e30.{}", "a".repeat(length))));
        }
    });
    server
}

/// Creates a temporary directory below `/tmp`. `TMPDIR` is ignored: longer paths cost instructions, so the path has the
/// same length on every machine.
pub(crate) fn temp_dir() -> TempDir {
    temp_dir_in(Path::new("/tmp"))
}

/// Creates a temporary directory below `parent`.
pub(crate) fn temp_dir_in(parent: &Path) -> TempDir {
    tempfile::Builder::new().prefix("neto-bench-").tempdir_in(parent).expect("a folder")
}

/// Home directory of neto with its store, keys and tokens.
pub(crate) struct Home {
    path: PathBuf,
    pub(crate) count: usize,
}

impl Home {
    /// Builds a home as a user would: adds profiles with a plaintext NETOSECRET to the store, then runs `neto seal` and
    /// `neto login`. The first profile becomes the current profile.
    pub(crate) fn new(neto: &Path, server: &Server, path: PathBuf, count: usize) -> Self {
        let home = Self::empty(neto, path, count);
        let mut text = fs::read_to_string(home.store()).expect("the store that init made");
        for number in 0..count {
            let name = format!("tenant-{number}");
            let netosecret = server.add_tenant(&name, "bench").netosecret();
            write!(text, "\n[profiles.{name}]\ntags = [\"bench\"]\nnetosecret = \"{netosecret}\"\n").expect("text");
        }
        fs::write(home.store(), text).expect("the store written");
        home.run(neto, &["seal"]);
        home.run(neto, &["login", "--all"]);
        home.run(neto, &["profile", "use", PROFILE]);
        home
    }

    /// Creates a home with keys and an empty store. The caller adds `count` profiles later.
    pub(crate) fn empty(neto: &Path, path: PathBuf, count: usize) -> Self {
        fs::create_dir(&path).expect("a new folder");
        let home = Self { path, count };
        home.run(neto, &["init"]);
        home
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn store(&self) -> PathBuf {
        self.path.join("profiles.toml")
    }

    /// Returns the environment variables for neto: this home and a fixed `PATH`.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let home = self.path.display().to_string();
        [("HOME", home.as_str()), ("NETO_HOME", &home), ("PATH", "/usr/bin:/bin")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// Returns the size of a profile's token file, in bytes.
    pub(crate) fn token_size(&self, profile: &str) -> u64 {
        fs::metadata(self.path.join("tokens").join(format!("{profile}.token"))).expect("a token file").len()
    }

    /// Returns whether the store has been unchanged for [`SETTLE_TIME`]. Only then does neto cache what it has read
    /// from the store.
    pub(crate) fn is_settled(&self) -> bool {
        let data = fs::metadata(self.store()).expect("the store");
        let (seconds, nanoseconds) = (data.ctime().unsigned_abs(), data.ctime_nsec().unsigned_abs());
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        changed.elapsed().is_ok_and(|age| age > SETTLE_TIME)
    }

    /// Runs neto with this home. Panics if neto fails.
    pub(crate) fn run(&self, neto: &Path, arguments: &[&str]) {
        let mut command = Command::new(neto);
        command.args(arguments).env_clear().envs(self.variables()).current_dir(&self.path);
        run_checked(&mut command, "");
    }
}

/// Copies a program into a directory `bin`, as an installer does, and returns the path of the copy. The layout of a
/// file in the page cache depends on the program that wrote the file. A linker leaves smaller pieces than a copy does.
pub(crate) fn install_copy(program: &Path, folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let copy = bin.join(program.file_name().expect("a file"));
    fs::copy(program, &copy).expect("a copy");
    copy
}

/// Runs the command with this standard input and returns its standard output. Panics with the standard error if the
/// command fails.
pub(crate) fn run_checked(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("input taken");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compiles a program that does nothing. Its run time is the cost of starting a process.
pub(crate) fn empty_program(folder: &Path) -> PathBuf {
    compile(folder, "empty", "fn main() {}\n")
}

/// Compiles an optimized program from this source code, and returns the path of the program.
pub(crate) fn compile(folder: &Path, name: &str, source_code: &str) -> PathBuf {
    let (source, program) = (folder.join(format!("{name}.rs")), folder.join(name));
    fs::write(&source, source_code).expect("a source file");
    run_checked(Command::new("rustc").args(["-O", "--edition", "2024", "-o"]).arg(&program).arg(&source), "");
    program
}
