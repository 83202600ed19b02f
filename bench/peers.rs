//! Other keepers of secrets, each made to give back one secret of 2 KB, and the two published recipes. What is not
//! installed is said to be absent.

use crate::fusion::Credential;
use crate::home::done;
use crate::stopwatch::Program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peers that are here, and the names of those that are not, each with the reason.
pub(crate) struct Peers {
    pub(crate) programs: Vec<Program>,
    pub(crate) absent: Vec<String>,
    gnupg: Option<PathBuf>,
}

/// What a peer lives in.
struct Place<'a> {
    folder: &'a Path,
    variables: Vec<(String, String)>,
    secret: String,
}

/// The programs to be timed, or what is missing for them.
type Found = Result<Vec<Program>, &'static str>;

impl Peers {
    /// Sets up each that is installed, below this folder, which is their home. The recipes ask the server once.
    pub(crate) fn new(folder: &Path, credential: &Credential) -> Self {
        let variables = [
            ("HOME", folder.to_owned()),
            ("PATH", "/usr/bin:/bin".into()),
            ("GNUPGHOME", folder.join("gnupg")),
            ("PASSWORD_STORE_DIR", folder.join("pass")),
            ("GH_CONFIG_DIR", folder.join("gh")),
            ("FNOX_AGE_KEY_FILE", folder.join("fnox.key")),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.display().to_string())).to_vec();
        let place = Place { folder, variables, secret: "s".repeat(2_048) };
        let mut peers = Self { programs: vec![], absent: vec![], gnupg: None };
        peers.take("age", place.age("age", "age-keygen"));
        peers.take("rage", place.age("rage", "rage-keygen"));
        peers.take("fnox", place.fnox());
        peers.gnupg = installed("gpgconf").map(|_| folder.join("gnupg"));
        peers.take("pass", place.pass());
        peers.take("gh", place.gh());
        peers.take("git credential-store", place.git());
        place.dotfiles(credential);
        peers.take("the shell recipe", place.shell());
        peers.take("the Python recipe", place.python());
        peers
    }

    fn take(&mut self, name: &str, found: Found) {
        match found {
            Ok(programs) => self.programs.extend(programs),
            Err(missing) => self.absent.push(format!("{name} (no {missing})")),
        }
    }
}

impl Drop for Peers {
    /// The agent that gpg left behind.
    fn drop(&mut self) {
        if let Some(gnupg) = &self.gnupg {
            let _ = Command::new("gpgconf").arg("--homedir").arg(gnupg).args(["--kill", "all"]).status();
        }
    }
}

impl Place<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().cloned()).current_dir(self.folder);
        command
    }

    fn program(&self, label: &str, program: &Path, arguments: &[&str]) -> Program {
        Program::new(label, program, arguments, self.folder).with(self.variables.clone())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file written");
    }

    /// age and rage understand the same words.
    fn age(&self, name: &'static str, keygen: &'static str) -> Found {
        let (age, keygen) = (installed(name).ok_or(name)?, installed(keygen).ok_or(keygen)?);
        let (key, sealed) = (format!("{name}.key"), format!("{name}.age"));
        done(self.command(&keygen).args(["-o", &key]), "");
        done(self.command(&age).args(["-e", "-i", &key, "-o", &sealed]), &self.secret);
        Ok(vec![self.program(&format!("{name} -d, 2 KB"), &age, &["-d", "-i", &key, &sealed])])
    }

    fn fnox(&self) -> Found {
        let (fnox, keygen) = (installed("fnox").ok_or("fnox")?, installed("age-keygen").ok_or("age-keygen")?);
        done(self.command(&keygen).args(["-o", "fnox.key"]), "");
        let recipient = done(self.command(&keygen).args(["-y", "fnox.key"]), "");
        let provider = format!("type = \"age\"\nrecipients = [\"{}\"]\n", recipient.trim());
        self.write("fnox.toml", &format!("root = true\n\n[providers.age]\n{provider}\n[secrets]\n"));
        done(self.command(&fnox).args(["set", "TOKEN", &self.secret, "--provider", "age"]), "");
        Ok(vec![self.program("fnox get, sealed with age", &fnox, &["get", "TOKEN"])])
    }

    fn pass(&self) -> Found {
        let (pass, gpg) = (installed("pass").ok_or("pass")?, installed("gpg").ok_or("gpg")?);
        self.write("gnupg/gpg.conf", "");
        done(Command::new("chmod").arg("700").arg(self.folder.join("gnupg")), "");
        let key = ["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "bench@example.com"];
        done(self.command(&gpg).args(key), "");
        done(self.command(&pass).args(["init", "bench@example.com"]), "");
        done(self.command(&pass).args(["insert", "--multiline", "token"]), &self.secret);
        Ok(vec![self.program("pass show", &pass, &["show", "token"])])
    }

    fn gh(&self) -> Found {
        let gh = installed("gh").ok_or("gh")?;
        let token = format!("oauth_token: gho_{}", "t".repeat(36));
        self.write("gh/config.yml", "version: \"1\"\n");
        let users = format!("    users:\n        bench:\n            {token}\n");
        self.write("gh/hosts.yml", &format!("github.com:\n    user: bench\n    {token}\n{users}"));
        Ok(vec![self.program("gh auth token, in clear", &gh, &["auth", "token"])])
    }

    fn git(&self) -> Found {
        let git = installed("git").ok_or("git")?;
        let question = "protocol=https\nhost=api.example.com\nusername=bench\n";
        self.write("question", question);
        let store = ["credential-store", "--file", "credentials"];
        done(self.command(&git).args(store).arg("store"), &format!("{question}password={}\n\n", self.secret));
        let get = [store.as_slice(), &["get"]].concat();
        let program = self.program("git credential-store, in clear", &git, &get);
        Ok(vec![program.reading(self.folder.join("question"))])
    }

    /// What the recipes live on: a NETOSECRET in clear.
    fn dotfiles(&self, credential: &Credential) {
        self.write(".netosecret", &credential.netosecret());
        self.write("recipe.sh", include_str!("recipes/recipe.sh"));
        self.write("recipe.py", include_str!("recipes/recipe.py"));
    }

    /// A first run, which asks the server and leaves its answer in clear for those that are timed.
    fn asks(&self, program: &Path, recipe: &str) {
        let _ = fs::remove_file(self.folder.join(".neto.token"));
        done(self.command(program).arg(recipe), "");
    }

    fn shell(&self) -> Found {
        let bash = installed("bash").ok_or("bash")?;
        for tool in ["openssl", "curl"] {
            installed(tool).ok_or(tool)?;
        }
        self.asks(&bash, "recipe.sh");
        let cached = self.program("the shell recipe, cached, in clear", &bash, &["recipe.sh"]);
        let signed = self.program("the shell recipe, its request token alone", &bash, &["recipe.sh", "sign"]);
        Ok(vec![cached, signed])
    }

    fn python(&self) -> Found {
        // Not a version manager's wrapper, which takes longer than Python.
        let wrapper = installed("python3").ok_or("python3")?;
        let python = done(Command::new(wrapper).args(["-c", "import sys; print(sys.executable)"]), "");
        let python = PathBuf::from(python.trim());
        self.asks(&python, "recipe.py");
        let cached = self.program("the Python recipe, cached, in clear", &python, &["recipe.py"]);
        let signed = self.program("the Python recipe, its request token alone", &python, &["recipe.py", "sign"]);
        Ok(vec![cached, signed])
    }
}

/// Where a program lies on the PATH.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
