//! Sets up other secret managers, most of them with one secret of 2 KB. Also sets up two scripts (recipes) that get a
//! token without neto. Tools that are not installed are reported as absent.

use crate::fusion::Credential;
use crate::home::run_checked;
use crate::stopwatch::Program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs to time, and the names of absent peers, each with the missing program.
pub(crate) struct Peers {
    pub(crate) programs: Vec<Program>,
    pub(crate) absent: Vec<String>,
    gnupg: Option<PathBuf>,
}

/// Directory, environment variables and secret with which the peers are set up.
struct Setup<'a> {
    folder: &'a Path,
    variables: Vec<(String, String)>,
    secret: String,
}

/// Programs to time, or the name of the program that is not installed.
type SetupResult = Result<Vec<Program>, &'static str>;

impl Peers {
    /// Sets up each installed peer with this directory as its home. Each installed recipe sends one login request to
    /// the server.
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
        let setup = Setup { folder, variables, secret: "s".repeat(2_048) };
        let mut peers = Self { programs: vec![], absent: vec![], gnupg: None };
        peers.add("age", setup.age("age", "age-keygen"));
        peers.add("rage", setup.age("rage", "rage-keygen"));
        peers.add("fnox", setup.fnox());
        peers.gnupg = find_on_path("gpgconf").map(|_| folder.join("gnupg"));
        peers.add("pass", setup.pass());
        peers.add("gh", setup.gh());
        peers.add("git credential-store", setup.git());
        setup.write_dotfiles(credential);
        peers.add("the shell recipe", setup.shell());
        peers.add("the Python recipe", setup.python());
        peers
    }

    fn add(&mut self, name: &str, setup_result: SetupResult) {
        match setup_result {
            Ok(programs) => self.programs.extend(programs),
            Err(missing) => self.absent.push(format!("{name} (no {missing})")),
        }
    }
}

impl Drop for Peers {
    /// Stops the agents that gpg started.
    fn drop(&mut self) {
        if let Some(gnupg) = &self.gnupg {
            let _ = Command::new("gpgconf").arg("--homedir").arg(gnupg).args(["--kill", "all"]).status();
        }
    }
}

impl Setup<'_> {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().cloned()).current_dir(self.folder);
        command
    }

    fn program(&self, label: &str, program: &Path, arguments: &[&str]) -> Program {
        Program::new(label, program, arguments, self.folder).with_env(self.variables.clone())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file written");
    }

    /// Sets up age or rage, which have the same command line.
    fn age(&self, name: &'static str, keygen: &'static str) -> SetupResult {
        let (age, keygen) = (find_on_path(name).ok_or(name)?, find_on_path(keygen).ok_or(keygen)?);
        let (key, encrypted) = (format!("{name}.key"), format!("{name}.age"));
        run_checked(self.command(&keygen).args(["-o", &key]), "");
        run_checked(self.command(&age).args(["-e", "-i", &key, "-o", &encrypted]), &self.secret);
        Ok(vec![self.program(&format!("{name} -d, 2 KB"), &age, &["-d", "-i", &key, &encrypted])])
    }

    fn fnox(&self) -> SetupResult {
        let (fnox, keygen) = (find_on_path("fnox").ok_or("fnox")?, find_on_path("age-keygen").ok_or("age-keygen")?);
        run_checked(self.command(&keygen).args(["-o", "fnox.key"]), "");
        let recipient = run_checked(self.command(&keygen).args(["-y", "fnox.key"]), "");
        let provider = format!("type = \"age\"\nrecipients = [\"{}\"]\n", recipient.trim());
        self.write("fnox.toml", &format!("root = true\n\n[providers.age]\n{provider}\n[secrets]\n"));
        run_checked(self.command(&fnox).args(["set", "TOKEN", &self.secret, "--provider", "age"]), "");
        Ok(vec![self.program("fnox get, sealed with age", &fnox, &["get", "TOKEN"])])
    }

    fn pass(&self) -> SetupResult {
        let (pass, gpg) = (find_on_path("pass").ok_or("pass")?, find_on_path("gpg").ok_or("gpg")?);
        self.write("gnupg/gpg.conf", "");
        run_checked(Command::new("chmod").arg("700").arg(self.folder.join("gnupg")), "");
        let key = ["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "bench@example.com"];
        run_checked(self.command(&gpg).args(key), "");
        run_checked(self.command(&pass).args(["init", "bench@example.com"]), "");
        run_checked(self.command(&pass).args(["insert", "--multiline", "token"]), &self.secret);
        Ok(vec![self.program("pass show", &pass, &["show", "token"])])
    }

    fn gh(&self) -> SetupResult {
        let gh = find_on_path("gh").ok_or("gh")?;
        let token = format!("oauth_token: gho_{}", "t".repeat(36));
        self.write("gh/config.yml", "version: \"1\"\n");
        let users = format!("    users:\n        bench:\n            {token}\n");
        self.write("gh/hosts.yml", &format!("github.com:\n    user: bench\n    {token}\n{users}"));
        Ok(vec![self.program("gh auth token, in clear", &gh, &["auth", "token"])])
    }

    fn git(&self) -> SetupResult {
        let git = find_on_path("git").ok_or("git")?;
        let query = "protocol=https\nhost=api.example.com\nusername=bench\n";
        self.write("question", query);
        let store = ["credential-store", "--file", "credentials"];
        run_checked(self.command(&git).args(store).arg("store"), &format!("{query}password={}\n\n", self.secret));
        let get = [store.as_slice(), &["get"]].concat();
        let program = self.program("git credential-store, in clear", &git, &get);
        Ok(vec![program.with_stdin(self.folder.join("question"))])
    }

    /// Writes the recipes and the plaintext NETOSECRET that they read.
    fn write_dotfiles(&self, credential: &Credential) {
        self.write(".netosecret", &credential.netosecret());
        self.write("recipe.sh", include_str!("recipes/recipe.sh"));
        self.write("recipe.py", include_str!("recipes/recipe.py"));
    }

    /// Runs a recipe once, so that the timed runs find the token in the recipe's plaintext cache.
    fn fill_cache(&self, program: &Path, recipe: &str) {
        let _ = fs::remove_file(self.folder.join(".neto.token"));
        run_checked(self.command(program).arg(recipe), "");
    }

    fn shell(&self) -> SetupResult {
        let bash = find_on_path("bash").ok_or("bash")?;
        for tool in ["openssl", "curl"] {
            find_on_path(tool).ok_or(tool)?;
        }
        self.fill_cache(&bash, "recipe.sh");
        let cached = self.program("the shell recipe, cached, in clear", &bash, &["recipe.sh"]);
        let signed = self.program("the shell recipe, its request token alone", &bash, &["recipe.sh", "sign"]);
        Ok(vec![cached, signed])
    }

    fn python(&self) -> SetupResult {
        // `python3` may be the wrapper of a version manager, which starts slowly. So the real Python is timed.
        let wrapper = find_on_path("python3").ok_or("python3")?;
        let python = run_checked(Command::new(wrapper).args(["-c", "import sys; print(sys.executable)"]), "");
        let python = PathBuf::from(python.trim());
        self.fill_cache(&python, "recipe.py");
        let cached = self.program("the Python recipe, cached, in clear", &python, &["recipe.py"]);
        let signed = self.program("the Python recipe, its request token alone", &python, &["recipe.py", "sign"]);
        Ok(vec![cached, signed])
    }
}

/// Returns the path of a program on `PATH`, or `None` if it is not installed.
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
