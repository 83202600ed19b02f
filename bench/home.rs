//! Folders with sealed profiles and a cached token each.

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

/// The profile that is asked for; the others are called the same, with their number.
pub(crate) const PROFILE: &str = "tenant-0";

/// How long a store must have lain unchanged before neto takes its time stamp for granted, and a little more.
const SETTLED: Duration = Duration::from_secs(3);

/// A year, in seconds: no token expires while it is measured.
const YEAR: u64 = 31_536_000;

/// A server over http, which grants tokens of one length.
pub(crate) fn server() -> Server {
    granting(Server::http())
}

/// The server grants tokens as long as those of the API, all of one length, so that each run has the same work.
pub(crate) fn granting(server: Server) -> Server {
    server.set_lifetime(Lifetime { access: YEAR, refresh: Some(YEAR) });
    server.shape_grants(|grant| {
        for (name, length) in [("access_token", 1_100), ("refresh_token", 700)] {
            grant.insert(name.to_owned(), Value::from(format!("e30.{}", "a".repeat(length))));
        }
    });
    server
}

/// A folder of all that is made here, of one length whatever the machine: paths are work too.
pub(crate) fn folder() -> TempDir {
    folder_in(Path::new("/tmp"))
}

/// The same elsewhere.
pub(crate) fn folder_in(parent: &Path) -> TempDir {
    tempfile::Builder::new().prefix("neto-bench-").tempdir_in(parent).expect("a folder")
}

/// A home of neto.
pub(crate) struct Home {
    path: PathBuf,
    pub(crate) count: usize,
}

impl Home {
    /// As a user gets there: profiles typed by hand with their NETOSECRET, sealed by one command, signed in by another;
    /// the first is the current one.
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

    /// With keys and a store, in which so many profiles are still to come.
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

    /// What neto is told of the world: this folder, and where programs lie.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let home = self.path.display().to_string();
        [("HOME", home.as_str()), ("NETO_HOME", &home), ("PATH", "/usr/bin:/bin")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// How long the token file of a profile is.
    pub(crate) fn token_size(&self, profile: &str) -> u64 {
        fs::metadata(self.path.join("tokens").join(format!("{profile}.token"))).expect("a token file").len()
    }

    /// The store was not changed for so long that nothing more will be learnt about it.
    pub(crate) fn is_settled(&self) -> bool {
        let data = fs::metadata(self.store()).expect("the store");
        let (seconds, nanoseconds) = (data.ctime().unsigned_abs(), data.ctime_nsec().unsigned_abs());
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        changed.elapsed().is_ok_and(|age| age > SETTLED)
    }

    /// Runs neto in it.
    pub(crate) fn run(&self, neto: &Path, arguments: &[&str]) {
        let mut command = Command::new(neto);
        command.args(arguments).env_clear().envs(self.variables()).current_dir(&self.path);
        done(&mut command, "");
    }
}

/// A copy of a program, as an installer makes one. How the page cache holds a file depends on who wrote it, and a linker
/// leaves it in smaller pieces than anything that users run.
pub(crate) fn as_installed(program: &Path, folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let copy = bin.join(program.file_name().expect("a file"));
    fs::copy(program, &copy).expect("a copy");
    copy
}

/// Runs it with this input; what it says comes out if it fails, and ends all.
pub(crate) fn done(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("input taken");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An optimised program that does nothing: what starting a process costs here.
pub(crate) fn empty_program(folder: &Path) -> PathBuf {
    compiled(folder, "empty", "fn main() {}\n")
}

/// A program of one source file.
pub(crate) fn compiled(folder: &Path, name: &str, text: &str) -> PathBuf {
    let (source, program) = (folder.join(format!("{name}.rs")), folder.join(name));
    fs::write(&source, text).expect("a source file");
    done(Command::new("rustc").args(["-O", "--edition", "2024", "-o"]).arg(&program).arg(&source), "");
    program
}
