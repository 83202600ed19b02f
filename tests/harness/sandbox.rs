//! A throw-away home with a server beside it, searched for secrets when it ends.

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

/// A public key whose identity nobody has.
pub(crate) const STRANGER: &str = "age1eezr7zgmy0w00srkdtaaqn0u90z6wyxuh223q067rxtle73a8uhs0pc5w6";

/// One test's world: `home/` (HOME), `neto/` (`NETO_HOME`), `work/` (the working directory), `tmp/`, and a Fusion server.
///
/// When it ends, no file in it may hold a secret but the keys themselves and what the test named, and the server may
/// have seen nothing against the reference.
pub(crate) struct Sandbox {
    folder: TempDir,
    root: PathBuf,
    server: Server,
    programs: RefCell<Vec<PathBuf>>,
    planted: RefCell<Vec<Canary>>,
    spared: RefCell<Vec<PathBuf>>,
    breaches_expected: RefCell<bool>,
}

impl Sandbox {
    /// With a server over http.
    pub(crate) fn new() -> Self {
        Self::with(Server::http())
    }

    /// With this server.
    pub(crate) fn with(server: Server) -> Self {
        let folder = tempfile::Builder::new().prefix("neto-test-").tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("the temporary folder");
        for name in ["home", "work", "tmp"] {
            fs::create_dir(root.join(name)).expect("a folder");
        }
        Self {
            folder,
            root,
            server,
            programs: RefCell::default(),
            planted: RefCell::default(),
            spared: RefCell::default(),
            breaches_expected: RefCell::default(),
        }
    }

    /// The server of this sandbox.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The folder of all.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below `NETO_HOME`, which neto itself makes.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.root.join("neto").join(path)
    }

    /// A path below the working directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.root.join("work").join(path)
    }

    /// A run of neto.
    pub(crate) fn neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'_> {
        self.program(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// A run of neto that permissions bind even where the tests run as root.
    #[cfg(unix)]
    pub(crate) fn bound_neto<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call<'_> {
        self.bound(env!("CARGO_BIN_EXE_neto"), arguments)
    }

    /// A run of any program that permissions bind even where the tests run as root.
    #[cfg(unix)]
    pub(crate) fn bound<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'_> {
        if !rustix::process::geteuid().is_root() {
            return self.program(program, arguments);
        }
        let own = ["--bounding-set=-all", "--inh-caps=-all", program].map(OsStr::new);
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        self.program("setpriv", own.into_iter().chain(arguments.iter().map(OsString::as_os_str)))
    }

    /// A run of any program; neto lies on its PATH.
    pub(crate) fn program<I: IntoIterator<Item: AsRef<OsStr>>>(&self, program: &str, arguments: I) -> Call<'_> {
        Call::new(self, program, arguments)
    }

    /// The age plugin of the tests, on the PATH of every run from now on.
    pub(crate) fn plugin(&self) -> Toy {
        let toy = Toy::new();
        self.programs.borrow_mut().push(toy.folder().to_owned());
        toy
    }

    /// One whose identity is held by a plugin that asks for a PIN, with the profile `acme`.
    pub(crate) fn with_plugin_that_asks() -> Self {
        let sandbox = Self::new();
        let toy = sandbox.plugin();
        let text = format!("# public key: {}\n{}\n", toy.key("alice").recipient, toy.key("alice:pin").identity);
        let file = sandbox.write_secret("toy.txt", text);
        sandbox.neto(["init", "--identity"]).arg(&file).run().code(0);
        sandbox.add("acme");
        sandbox
    }

    /// Folders of the PATH besides neto's own and this process's.
    pub(super) fn programs(&self) -> Vec<PathBuf> {
        self.programs.borrow().clone()
    }

    /// Keys and an empty store, whose one recipient is `me`; the public key.
    pub(crate) fn init(&self) -> String {
        self.neto(["init"]).run().code(0).answer().to_owned()
    }

    /// Adds a tenant at the server and its profile here, both under the shortname.
    pub(crate) fn add(&self, shortname: &str) -> Credential {
        let credential = self.server.add_tenant(shortname, "soc");
        self.neto(["profile", "add", shortname]).stdin(credential.netosecret()).run().code(0);
        credential
    }

    /// What `neto profile show NAME -o json` says of a profile.
    pub(crate) fn shown(&self, name: &str) -> Value {
        self.neto(["profile", "show", name, "-o", "json"]).run().code(0).json()
    }

    /// The server takes the profile's credential: one login more.
    #[track_caller]
    pub(crate) fn signs_in(&self, name: &str) {
        let before = self.server.logins();
        self.neto(["login", name, "--force"]).run().code(0).stdout("");
        assert_eq!(self.server.logins(), before + 1, "logins of {name}");
    }

    /// Neto refuses to use the profile's credential: this exit code, these words, and nothing asked of the server.
    #[track_caller]
    pub(crate) fn refuses(&self, name: &str, code: i32, words: &[&str]) {
        let before = self.server.connections();
        let outcome = self.neto(["login", name, "--force"]).run();
        outcome.code(code).stdout("");
        for word in words {
            outcome.stderr_has(word);
        }
        assert_eq!(self.server.connections(), before, "connections for {name}");
    }

    /// The text of the profile store.
    pub(crate) fn store(&self) -> String {
        fs::read_to_string(self.home("profiles.toml")).expect("a profile store")
    }

    /// Writes the profile store by hand, as a user with an editor does.
    pub(crate) fn write_store(&self, text: impl AsRef<[u8]>) {
        write_private(&self.home("profiles.toml"), text.as_ref());
    }

    /// Writes a file into the working directory that may hold secrets to the end; its path.
    pub(crate) fn write_secret(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work(name);
        write_private(&path, text.as_ref());
        self.spare(&path);
        path
    }

    /// Looks for one more secret from now on.
    pub(crate) fn plant(&self, kind: &str, text: &str) {
        self.planted.borrow_mut().push(Canary::new(kind, text));
    }

    /// Lets this file hold secrets when the sandbox ends.
    pub(crate) fn spare(&self, path: &Path) {
        self.spared.borrow_mut().push(path.to_owned());
    }

    /// The test is about a request against the reference.
    pub(crate) fn expect_breaches(&self) {
        self.breaches_expected.replace(true);
    }

    /// Every secret there is now: what was planted, what the server made and saw, the key files' own.
    pub(super) fn canaries(&self) -> Vec<Canary> {
        let mut all = self.planted.borrow().clone();
        all.extend(self.server.secrets().iter().map(|(kind, text)| Canary::new(kind, text)));
        for path in files(&self.root).into_iter().filter(|path| in_folder(path, "keys")) {
            let text = fs::read_to_string(path).unwrap_or_default();
            let key = |line: &&str| line.starts_with("AGE-SECRET-KEY-") || line.starts_with("AGE-PLUGIN-");
            let keys = text.lines().filter(key);
            all.extend(keys.map(|key| Canary::new("identity", key)));
        }
        all
    }

    /// Fails if a file holds a secret.
    fn search_files(&self) {
        let canaries = self.canaries();
        let spared = self.spared.borrow();
        for path in files(&self.root).into_iter().filter(|path| !spared.contains(path)) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let own = in_folder(&path, "keys");
            for canary in canaries.iter().filter(|canary| !(own && canary.is("identity"))) {
                if let Some(spelling) = canary.in_text(&text) {
                    panic!("{} holds the {} ({spelling})", path.display(), canary.kind);
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
        let breaches = self.server.violations();
        assert!(*self.breaches_expected.borrow() || breaches.is_empty(), "against the API reference: {breaches:?}");
    }
}

fn in_folder(path: &Path, name: &str) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|parent| parent == name)
}

/// All regular files below a folder; links are not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
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
