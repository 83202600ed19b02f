//! Temporary directories and a Fusion server for one test. All files are searched for secrets when the sandbox is
//! dropped.

use super::call::Call;
use super::canary::Canary;
use super::plugin::Toy;
use crate::fusion::{Credential, Server};
use serde_json::Value;
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Public key (age recipient) for which no identity exists.
pub(crate) const OTHER_RECIPIENT: &str = "age1eezr7zgmy0w00srkdtaaqn0u90z6wyxuh223q067rxtle73a8uhs0pc5w6";

/// Directories of one test, and its Fusion server. The directories are `home/` (`HOME`), `neto/` (`NETO_HOME`), `work/`
/// (the working directory) and `tmp/` (`TMPDIR`).
///
/// Dropping the sandbox fails the test if a file contains a secret. Files in a directory `keys` may contain identities,
/// and a test can exempt other files. The test also fails if the server recorded an unexpected violation of the API
/// reference.
pub(crate) struct Sandbox {
    folder: TempDir,
    root: PathBuf,
    server: Server,
    plugin_directories: RefCell<Vec<PathBuf>>,
    added_canaries: RefCell<Vec<Canary>>,
    files_with_secrets: RefCell<Vec<PathBuf>>,
    violations_allowed: RefCell<bool>,
}

impl Sandbox {
    /// Creates a sandbox with an http server.
    pub(crate) fn new() -> Self {
        Self::with_server(Server::http())
    }

    /// Creates a sandbox with this server.
    pub(crate) fn with_server(server: Server) -> Self {
        let folder = tempfile::Builder::new().prefix("neto-test-").tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("the temporary folder");
        for name in ["home", "work", "tmp"] {
            fs::create_dir(root.join(name)).expect("a folder");
        }
        Self {
            folder,
            root,
            server,
            plugin_directories: RefCell::default(),
            added_canaries: RefCell::default(),
            files_with_secrets: RefCell::default(),
            violations_allowed: RefCell::default(),
        }
    }

    /// The server of this sandbox.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Directory that contains all directories of the sandbox.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a path below `NETO_HOME`. The directory `NETO_HOME` does not exist until neto creates it.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.root.join("neto").join(path)
    }

    /// Returns a path below the working directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.root.join("work").join(path)
    }

    /// Prepares a run of neto.
    pub(crate) fn neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'_> {
        self.program(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// Prepares a run of neto without root privileges, so that file permissions apply even to root.
    #[cfg(unix)]
    pub(crate) fn unprivileged_neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'_> {
        self.unprivileged(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// Prepares a run of any program without root privileges, so that file permissions apply even to root.
    #[cfg(unix)]
    pub(crate) fn unprivileged<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'_> {
        if !rustix::process::geteuid().is_root() {
            return self.program(program, arguments);
        }
        let setpriv_arguments = ["--bounding-set=-all", "--inh-caps=-all", program].map(OsStr::new);
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        self.program("setpriv", setpriv_arguments.into_iter().chain(arguments.iter().map(OsString::as_os_str)))
    }

    /// Prepares a run of any program, with neto on its `PATH`.
    pub(crate) fn program<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'_> {
        Call::new(self, program, arguments)
    }

    /// Compiles the age plugin of the tests and puts it on the `PATH` of all later runs.
    pub(crate) fn install_plugin(&self) -> Toy {
        let toy = Toy::new();
        self.plugin_directories.borrow_mut().push(toy.folder().to_owned());
        toy
    }

    /// Creates a sandbox whose identity is a plugin identity that requires a PIN, and adds the profile `acme`.
    pub(crate) fn with_pin_plugin() -> Self {
        let sandbox = Self::new();
        let toy = sandbox.install_plugin();
        let text = format!("# public key: {}\n{}\n", toy.key("alice").recipient, toy.key("alice:pin").identity);
        let file = sandbox.write_secret("toy.txt", text);
        sandbox.neto(["init", "--identity"]).arg(&file).run().code(0);
        sandbox.add("acme");
        sandbox
    }

    /// Directories of the installed plugins, to be put on `PATH`.
    pub(super) fn plugin_directories(&self) -> Vec<PathBuf> {
        self.plugin_directories.borrow().clone()
    }

    /// Runs `neto init`, which creates keys and an empty store. Returns the public key, the only recipient of the
    /// store.
    pub(crate) fn init(&self) -> String {
        self.neto(["init"]).run().code(0).stdout_trimmed().to_owned()
    }

    /// Adds a tenant on the server, and a profile with the same name.
    pub(crate) fn add(&self, shortname: &str) -> Credential {
        let credential = self.server.add_tenant(shortname, "soc");
        self.neto(["profile", "add", shortname]).stdin(credential.netosecret()).run().code(0);
        credential
    }

    /// Returns the output of `neto profile show NAME -o json`.
    pub(crate) fn profile_json(&self, name: &str) -> Value {
        self.neto(["profile", "show", name, "-o", "json"]).run().code(0).json()
    }

    /// Logs in and asserts that the server granted exactly one login with the profile's credential.
    #[track_caller]
    pub(crate) fn assert_logs_in(&self, name: &str) {
        let before = self.server.logins();
        self.neto(["login", name, "--force"]).run().code(0).stdout("");
        assert_eq!(self.server.logins(), before + 1, "logins of {name}");
    }

    /// Asserts that a login fails with this exit code and these texts, before neto connects to the server.
    #[track_caller]
    pub(crate) fn assert_login_refused(&self, name: &str, code: i32, fragments: &[&str]) {
        let before = self.server.connections();
        let outcome = self.neto(["login", name, "--force"]).run();
        outcome.code(code).stdout("");
        for fragment in fragments {
            outcome.stderr_has(fragment);
        }
        assert_eq!(self.server.connections(), before, "connections for {name}");
    }

    /// Text of the profile store.
    pub(crate) fn store(&self) -> String {
        fs::read_to_string(self.home("profiles.toml")).expect("a profile store")
    }

    /// Writes the profile store directly, as an editor would.
    pub(crate) fn write_store(&self, text: impl AsRef<[u8]>) {
        write_private(&self.home("profiles.toml"), text.as_ref());
    }

    /// Writes a file into the working directory, permits secrets in the file, and returns its path.
    pub(crate) fn write_secret(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work(name);
        write_private(&path, text.as_ref());
        self.allow_secrets_in(&path);
        path
    }

    /// Adds a secret that must not appear in output or files from now on.
    pub(crate) fn add_canary(&self, kind: &str, text: &str) {
        self.added_canaries.borrow_mut().push(Canary::new(kind, text));
    }

    /// Exempts this file from the search for secrets when the sandbox is dropped.
    pub(crate) fn allow_secrets_in(&self, path: &Path) {
        self.files_with_secrets.borrow_mut().push(path.to_owned());
    }

    /// Permits violations of the API reference, for a test that causes them on purpose.
    pub(crate) fn allow_violations(&self) {
        self.violations_allowed.replace(true);
    }

    /// Returns all secrets known now: those added by the test, created or received by the server, or stored in key
    /// files.
    pub(super) fn canaries(&self) -> Vec<Canary> {
        let mut all = self.added_canaries.borrow().clone();
        all.extend(self.server.secrets().iter().map(|(kind, text)| Canary::new(kind, text)));
        for path in regular_files(&self.root).into_iter().filter(|path| is_in_directory(path, "keys")) {
            let text = fs::read_to_string(path).unwrap_or_default();
            let key = |line: &&str| line.starts_with("AGE-SECRET-KEY-") || line.starts_with("AGE-PLUGIN-");
            let keys = text.lines().filter(key);
            all.extend(keys.map(|key| Canary::new("identity", key)));
        }
        all
    }

    /// Panics if a file contains a secret that is not permitted there.
    fn search_files(&self) {
        let canaries = self.canaries();
        let files_with_secrets = self.files_with_secrets.borrow();
        for path in regular_files(&self.root).into_iter().filter(|path| !files_with_secrets.contains(path)) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let is_key_file = is_in_directory(&path, "keys");
            for canary in canaries.iter().filter(|canary| !(is_key_file && canary.matches("identity"))) {
                if let Some(encoding) = canary.encoding_in(&text) {
                    panic!("{} holds the {} ({encoding})", path.display(), canary.kind);
                }
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.search_files();
        let violations = self.server.violations();
        assert!(
            *self.violations_allowed.borrow() || violations.is_empty(),
            "against the API reference: {violations:?}"
        );
    }
}

fn is_in_directory(path: &Path, name: &str) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|parent| parent == name)
}

/// Lists all regular files below a directory, without following symbolic links.
fn regular_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(regular_files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a written file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
        let folder = path.parent().expect("a folder");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("its folder's mode");
    }
}
