//! Creates home directories with sealed profiles and one cached token for each profile.

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

/// Profile that single-profile commands use; the other profiles have other numbers.
pub(crate) const PROFILE: &str = "tenant-0";

/// Time after the last change of the store before neto trusts its timestamp, plus a margin.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// Seconds in a year, so that no token expires during a measurement.
const YEAR: u64 = 31_536_000;

/// Starts an http server that grants access tokens of equal length.
pub(crate) fn server() -> Server {
    with_fixed_tokens(Server::http())
}

/// Configures the server to grant tokens as long as those of the API. Equal lengths give each run equal work.
pub(crate) fn with_fixed_tokens(server: Server) -> Server {
    server.set_lifetime(Lifetime { access: YEAR, refresh: Some(YEAR) });
    server.edit_grants(|grant| {
        for (name, length) in [("access_token", 1_100), ("refresh_token", 700)] {
            grant.insert(name.to_owned(), Value::from(format!("e30.{}", "a".repeat(length))));
        }
    });
    server
}

/// Creates a temporary directory below `/tmp`. Its path has the same length on every machine, because longer paths cost
/// instructions.
pub(crate) fn temp_dir() -> TempDir {
    temp_dir_in(Path::new("/tmp"))
}

/// Creates a temporary directory below another parent.
pub(crate) fn temp_dir_in(parent: &Path) -> TempDir {
    tempfile::Builder::new().prefix("neto-bench-").tempdir_in(parent).expect("a folder")
}

/// Home directory of neto.
pub(crate) struct Home {
    path: PathBuf,
    pub(crate) count: usize,
}

impl Home {
    /// Builds a home the way a user does: profiles with a plaintext NETOSECRET, then `neto seal`, then `neto login`.
    /// The first profile becomes the current profile.
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

    /// Creates a home with keys and an empty store; `count` profiles are added later.
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

    /// Environment variables for neto: this home and a fixed PATH.
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

    /// Returns whether the store has been unchanged long enough that neto has cached all it can about it.
    pub(crate) fn is_settled(&self) -> bool {
        let data = fs::metadata(self.store()).expect("the store");
        let (seconds, nanoseconds) = (data.ctime().unsigned_abs(), data.ctime_nsec().unsigned_abs());
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        changed.elapsed().is_ok_and(|age| age > SETTLE_TIME)
    }

    /// Runs neto with this home; panics if neto fails.
    pub(crate) fn run(&self, neto: &Path, arguments: &[&str]) {
        let mut command = Command::new(neto);
        command.args(arguments).env_clear().envs(self.variables()).current_dir(&self.path);
        run_checked(&mut command, "");
    }
}

/// Copies a program as an installer does. The layout of a file in the page cache depends on the program that wrote the
/// file. A linker leaves smaller pieces than an installer.
pub(crate) fn install_copy(program: &Path, folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let copy = bin.join(program.file_name().expect("a file"));
    fs::copy(program, &copy).expect("a copy");
    copy
}

/// Runs the command with this input and returns its stdout. Panics with its stderr if the command fails.
pub(crate) fn run_checked(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("input taken");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compiles an optimized program that does nothing; its run time is the cost of starting a process.
pub(crate) fn empty_program(folder: &Path) -> PathBuf {
    compile(folder, "empty", "fn main() {}\n")
}

/// Compiles a program from one source file.
pub(crate) fn compile(folder: &Path, name: &str, text: &str) -> PathBuf {
    let (source, program) = (folder.join(format!("{name}.rs")), folder.join(name));
    fs::write(&source, text).expect("a source file");
    run_checked(Command::new("rustc").args(["-O", "--edition", "2024", "-o"]).arg(&program).arg(&source), "");
    program
}
