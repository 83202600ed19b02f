//! One run of a program in a sandbox.

use super::outcome::Outcome;
use super::sandbox::Sandbox;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Maximum time to wait for text in a program's output, or for the end of the program.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A program to run in a sandbox. Unless a test changes it, the environment contains only `PATH`, `HOME`, `TMPDIR`,
/// `LANG` and `NETO_HOME`.
pub(crate) struct Call<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) current_dir: PathBuf,
    pub(super) allowed_secrets: Vec<String>,
    stdin: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub(super) fn new<I: IntoIterator<Item: AsRef<OsStr>>>(sandbox: &'a Sandbox, program: &str, arguments: I) -> Self {
        let binaries = Path::new(env!("CARGO_BIN_EXE_neto")).parent().expect("the folder of the binary");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let binary_directories = std::iter::once(binaries.to_owned()).chain(sandbox.plugin_directories());
        let path = binary_directories.chain(std::env::split_paths(&path));
        let root = sandbox.root();
        let environment = vec![
            ("PATH".into(), std::env::join_paths(path).expect("a PATH")),
            ("HOME".into(), root.join("home").into()),
            ("TMPDIR".into(), root.join("tmp").into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("NETO_HOME".into(), root.join("neto").into()),
        ];
        Self {
            sandbox,
            program: program.into(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment,
            current_dir: root.join("work"),
            allowed_secrets: Vec::new(),
            stdin: None,
        }
    }

    /// Adds one argument. Paths that are not UTF-8 are allowed.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Sets standard input. Without this call, standard input is empty and not a terminal.
    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(text.as_ref().to_vec());
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Unsets an environment variable.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Prepends a directory to `PATH`.
    pub(crate) fn prepend_path(self, directory: &Path) -> Self {
        let known = self.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
        let known = known.unwrap_or_default();
        let directories = std::iter::once(directory.to_owned()).chain(std::env::split_paths(&known));
        let path = std::env::join_paths(directories).expect("a PATH");
        self.env("PATH", path)
    }

    /// Sets the working directory.
    pub(crate) fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.current_dir = directory.into();
        self
    }

    /// Permits secrets in the output, either all secrets of one kind (`access token`, `appkey`, ...) or one secret by
    /// its text.
    pub(crate) fn allow_secret(mut self, kind_or_text: &str) -> Self {
        self.allowed_secrets.push(kind_or_text.to_owned());
        self
    }

    /// Runs the program, waits for its end, and checks its output as [`Running::finish`] does.
    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts the program.
    pub(crate) fn start(self) -> Running<'a> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.current_dir);
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("`{}` does not start: {error}", self.command_line()));
        if let Some(text) = self.stdin.clone() {
            let mut pipe = child.stdin.take().expect("a pipe");
            // The result is ignored: a program may end without reading its input.
            std::thread::spawn(move || pipe.write_all(&text));
        }
        let stdout = read_in_background(child.stdout.take().expect("a pipe"));
        let stderr = read_in_background(child.stderr.take().expect("a pipe"));
        Running { call: self, child: KillOnPanic(child), stdout, stderr }
    }

    /// Renders the command line for the messages of failed tests, without quoting.
    pub(super) fn command_line(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        let command_line = std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        command_line.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// A running program.
pub(crate) struct Running<'a> {
    call: Call<'a>,
    child: KillOnPanic,
    stdout: OutputStream,
    stderr: OutputStream,
}

/// Child process that is killed if the test panics.
struct KillOnPanic(Child);

impl Drop for KillOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Bytes read so far from one output stream, and the thread that reads them.
struct OutputStream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running<'_> {
    /// Process ID of the program.
    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Returns whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().expect("a child").is_some()
    }

    /// Sends a signal to the program.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child.0), signal).expect("a living child");
    }

    /// Waits until standard error contains the text; fails after [`RUN_TIMEOUT`].
    pub(crate) fn wait_for_stderr(&self, text: &str) {
        let started = Instant::now();
        while !String::from_utf8_lossy(&self.stderr.bytes.lock().expect("no panic")).contains(text) {
            assert!(started.elapsed() < RUN_TIMEOUT, "`{}` never says '{text}'", self.call.command_line());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Calls `find` with the standard output so far until `find` returns a value; fails after [`RUN_TIMEOUT`].
    pub(crate) fn wait_for_stdout<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            let output = String::from_utf8_lossy(&self.stdout.bytes.lock().expect("no panic")).into_owned();
            if let Some(found) = find(&output) {
                return found;
            }
            assert!(
                started.elapsed() < RUN_TIMEOUT,
                "`{}` never prints what is waited for:\n{output}",
                self.call.command_line()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns the exit code (128 + n after signal n). Waits and checks as [`Running::finish`] does.
    pub(crate) fn wait_for_exit_code(self) -> i32 {
        self.finish().exit_code()
    }

    /// Waits for the end of the program. Fails after [`RUN_TIMEOUT`], or if the output contains a secret that the test
    /// did not permit.
    pub(crate) fn finish(mut self) -> Outcome {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.0.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > RUN_TIMEOUT {
                let _ = self.child.0.kill();
                panic!("`{}` does not end", self.call.command_line());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        let outcome = Outcome::new(self.call.command_line(), status, &stdout, &stderr);
        outcome.assert_no_secret(&self.call.sandbox.canaries(), &self.call.allowed_secrets);
        outcome
    }
}

impl OutputStream {
    fn finish(self) -> Vec<u8> {
        self.reader.join().expect("a listener that does not panic");
        std::mem::take(&mut self.bytes.lock().expect("no panic"))
    }
}

fn read_in_background(mut pipe: impl Read + Send + 'static) -> OutputStream {
    let output = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&output);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut bytes) {
            shared.lock().expect("no panic").extend_from_slice(&bytes[..count]);
        }
    });
    OutputStream { bytes: output, reader }
}
