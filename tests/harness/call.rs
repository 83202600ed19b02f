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

/// No run of a test takes longer.
const LONGEST: Duration = Duration::from_secs(60);

/// A run to be started. Its environment holds `PATH`, `HOME`, `TMPDIR`, `LANG` and `NETO_HOME`, nothing else.
pub(crate) struct Call<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) folder: PathBuf,
    pub(super) revealed: Vec<String>,
    stdin: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub(super) fn new<I: IntoIterator<Item: AsRef<OsStr>>>(sandbox: &'a Sandbox, program: &str, arguments: I) -> Self {
        let binaries = Path::new(env!("CARGO_BIN_EXE_neto")).parent().expect("the folder of the binary");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = std::iter::once(binaries.to_owned()).chain(sandbox.programs());
        let path = own.chain(std::env::split_paths(&path));
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
            folder: root.join("work"),
            revealed: Vec::new(),
            stdin: None,
        }
    }

    /// One more argument, which may be any path.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Gives it this on standard input; without it, standard input is empty and no terminal.
    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(text.as_ref().to_vec());
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Unsets a variable.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Looks for programs in this folder first.
    pub(crate) fn path(self, folder: &Path) -> Self {
        let known = self.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
        let known = known.unwrap_or_default();
        let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&known));
        let path = std::env::join_paths(folders).expect("a PATH");
        self.env("PATH", path)
    }

    /// Runs it in another folder.
    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Its output may hold this: a kind (`access token`, `appkey`, ...) or one secret's text.
    pub(crate) fn reveals(mut self, what: &str) -> Self {
        self.revealed.push(what.to_owned());
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running<'a> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder);
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("`{}` does not start: {error}", self.line()));
        if let Some(text) = self.stdin.clone() {
            let mut pipe = child.stdin.take().expect("a pipe");
            // A program that does not read its input is no failure of the test.
            std::thread::spawn(move || pipe.write_all(&text));
        }
        let stdout = collect(child.stdout.take().expect("a pipe"));
        let stderr = collect(child.stderr.take().expect("a pipe"));
        Running { call: self, child: Alive(child), stdout, stderr }
    }

    /// The command as a person would read it.
    pub(super) fn line(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        let words = std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// A program that runs.
pub(crate) struct Running<'a> {
    call: Call<'a>,
    child: Alive,
    stdout: Stream,
    stderr: Stream,
}

/// A child that does not outlive the test, also one that fails.
struct Alive(Child);

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// What a program said so far on one stream, and the thread that listens.
struct Stream {
    said: Arc<Mutex<Vec<u8>>>,
    listener: JoinHandle<()>,
}

impl Running<'_> {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.0.try_wait().expect("a child").is_some()
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child.0), signal).expect("a living child");
    }

    /// Waits until it has said this on its standard error.
    pub(crate) fn wait_until_it_says(&self, text: &str) {
        let started = Instant::now();
        while !String::from_utf8_lossy(&self.stderr.said.lock().expect("no panic")).contains(text) {
            assert!(started.elapsed() < LONGEST, "`{}` never says '{text}'", self.call.line());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until what it has printed is what `wanted` looks for; that.
    pub(crate) fn wait_until_it_prints<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            let said = String::from_utf8_lossy(&self.stdout.said.lock().expect("no panic")).into_owned();
            if let Some(found) = wanted(&said) {
                return found;
            }
            assert!(started.elapsed() < LONGEST, "`{}` never prints what is waited for:\n{said}", self.call.line());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end as `finish` does; its exit code (128 + n: by signal n).
    pub(crate) fn end(self) -> i32 {
        self.finish().exit_code()
    }

    /// Waits for its end and looks for secrets in what it said.
    pub(crate) fn finish(mut self) -> Outcome {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.0.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > LONGEST {
                let _ = self.child.0.kill();
                panic!("`{}` does not end", self.call.line());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        let outcome = Outcome::new(self.call.line(), status, &stdout, &stderr);
        outcome.shows_no_secret(&self.call.sandbox.canaries(), &self.call.revealed);
        outcome
    }
}

impl Stream {
    fn finish(self) -> Vec<u8> {
        self.listener.join().expect("a listener that does not panic");
        std::mem::take(&mut self.said.lock().expect("no panic"))
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> Stream {
    let said = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&said);
    let listener = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut bytes) {
            shared.lock().expect("no panic").extend_from_slice(&bytes[..count]);
        }
    });
    Stream { said, listener }
}
