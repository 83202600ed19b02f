//! Shows the whole product without an account: a Fusion server on loopback, a temporary home, and the real `neto`.
//!
//! ```text
//! cargo run --release --example tour
//! ```
//!
//! `sh` runs every line after a `$` unchanged, and its real output follows. The tour fails if a command exits with an
//! unexpected code. It also fails if the server saw a request that the API reference does not allow.
#![allow(clippy::disallowed_methods, reason = "a program of its own: it reads its environment and writes its files")]

#[path = "../tests/fusion/mod.rs"]
mod fusion;

use fusion::{Lifetime, Server};
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Name under which this program acts as the user's own program.
const CLIENT: &str = "report";

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let done = if name.file_stem().is_some_and(|stem| stem == CLIENT) { report() } else { tour() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Fallible<()> {
    let server = Server::http();
    server.set_tenant_lifetime("initech", Lifetime { access: 600, refresh: Some(3_600) });
    let stage = Stage::set(&neto()?, &server)?;
    say(&format!(
        "This is neto against a Fusion server of its own at {}.\nEach line after a $ is run as it stands; nothing of it \
         touches your home.",
        server.url()
    ))?;
    let keys =
        [server.add_tenant("acme", "soc"), server.add_tenant("globex", "soc"), server.add_tenant("initech", "soc")];
    let stage = stage
        .variable("ACME", &keys[0].netosecret())
        .variable("GLOBEX", &keys[1].netosecret())
        .variable("INITECH", &format!(r#"{{"appkey":"{}","sharedsecret":"{}"}}"#, keys[2].appkey, keys[2].sharedsecret))
        .variable("FUSION", &server.url());

    title("Keys and an empty store")?;
    stage.run("neto init")?;

    title("Three tenants, each from what the portal shows for its API key")?;
    stage.run("echo \"$ACME\" | neto profile add acme --tag prod --tag emea --description 'Acme Corp'")?;
    stage.run("echo \"$GLOBEX\" | neto profile add globex --tag prod")?;
    stage.run("echo \"$INITECH\" | neto profile add --shortname initech --appname soc --url \"$FUSION\"")?;
    stage.run("neto ls")?;

    title("The store may go into git: the secrets are sealed")?;
    stage.run("sed -n '/profiles.acme/,/BEGIN/p' \"$NETO_HOME/profiles.toml\"")?;

    title("A token for each of them")?;
    stage.run("neto login --all")?;
    stage.run("neto status")?;

    title("One tenant is the current one")?;
    stage.run("neto use globex")?;
    stage.run("neto profile current --explain")?;
    stage.run("neto token | cut -c 1-60        # a bearer token; the cached one, no request")?;
    stage.run("NETO_PROFILE=acme neto token -o json | tr ',' '\\n' | grep -v '\"token\"'")?;

    title("The environment of a tenant, in this shell")?;
    stage.run("eval \"$(neto export acme)\"; echo \"$NETO_PROFILE at $NETO_URL\"; report")?;
    stage.run("eval \"$(neto export acme)\"; eval \"$(neto export --unset)\"; echo \"token: ${NETO_TOKEN-none}\"")?;

    title("The environment of a tenant, for one program that calls the API with $NETO_TOKEN")?;
    stage.run("neto exec initech -- report")?;
    stage.run("for tenant in acme globex initech; do neto exec $tenant -- report; done")?;

    title("A key that was regenerated elsewhere: rejected, and mended")?;
    let stage = stage.variable("GLOBEX", &server.regenerate(&keys[1]).netosecret());
    stage.fail(4, "neto login globex --force")?;
    stage.run("echo \"$GLOBEX\" | neto profile set-secret globex")?;
    stage.run("neto login globex")?;

    title("Scripts fail closed: a wrong name leaves no other tenant's token behind")?;
    stage.run("eval \"$(neto export acme)\"; eval \"$(neto export amce)\" || echo \"token: ${NETO_TOKEN-none}\"")?;

    title("Done for today")?;
    stage.run("neto logout --all")?;
    stage.run("neto status")?;

    say(&format!(
        "\nThe server granted {} tokens over {} connections and saw nothing against the API reference.",
        server.logins() + server.refreshes(),
        server.connections(),
    ))?;
    match server.violations().as_slice() {
        [] => Ok(()),
        breaches => Err(format!("against the API reference: {breaches:?}").into()),
    }
}

/// Temporary home, and the environment variables of the commands.
struct Stage {
    folder: tempfile::TempDir,
    variables: Vec<(String, std::ffi::OsString)>,
}

impl Stage {
    /// Creates a directory with the two programs on its PATH and an environment without the user's own variables.
    fn set(neto: &Path, server: &Server) -> Fallible<Self> {
        let folder = tempfile::Builder::new().prefix("neto-tour-").tempdir()?;
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs)?;
        link(&std::env::current_exe()?, &programs.join(CLIENT))?;
        link(neto, &programs.join("neto"))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path)))?;
        let variables = vec![
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), folder.path().into()),
            ("NETO_HOME".to_owned(), folder.path().join("neto").into()),
            ("LANG".to_owned(), "C.UTF-8".into()),
        ];
        assert!(server.origin().starts_with("http://127.0.0.1:"), "the tour stays on this machine");
        Ok(Self { folder, variables })
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs a line that must succeed.
    fn run(&self, line: &str) -> Fallible<()> {
        self.fail(0, line)
    }

    /// Runs a line that must exit with this code, and prints the line and its output.
    fn fail(&self, wanted: i32, line: &str) -> Fallible<()> {
        say(&format!("\n$ {line}"))?;
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("the tour needs `sh`: {error}"))?;
        std::io::stdout().write_all(&output.stdout)?;
        let code = output.status.code();
        if wanted != 0 {
            say(&format!("(exit {})", code.unwrap_or_default()))?;
        }
        if code == Some(wanted) {
            Ok(())
        } else {
            Err(format!("the line above should end with {wanted}: {code:?}").into())
        }
    }
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

fn title(text: &str) -> std::io::Result<()> {
    say(&format!("\n\n# {text}"))
}

#[cfg(unix)]
fn link(program: &Path, name: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, name)
}

#[cfg(not(unix))]
fn link(program: &Path, name: &Path) -> std::io::Result<()> {
    std::fs::copy(program, name.with_extension("exe")).map(drop)
}

/// Returns the binary of the same build as this program. Cargo builds no binary for an example, so this function runs
/// `cargo build`.
fn neto() -> Fallible<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.ancestors().nth(2).ok_or("the tour does not lie in a target folder")?;
    if std::env::var_os("CARGO").is_some() {
        let name = profile.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or("debug");
        let name = if name == "debug" { "dev" } else { name };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bin", "neto", "--profile", name, "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .status()?;
        if !built.success() {
            return Err("neto does not build".into());
        }
    }
    let binary = profile.join(format!("neto{}", std::env::consts::EXE_SUFFIX));
    if binary.exists() { Ok(binary) } else { Err("neto is not built: cargo build --bin neto".into()) }
}

/// Acts as the user's own program: calls the API with `$NETO_TOKEN` and prints the answer.
fn report() -> Fallible<()> {
    let url = std::env::var("NETO_URL").map_err(|_| "NETO_URL is not set")?;
    let token = std::env::var("NETO_TOKEN").map_err(|_| "NETO_TOKEN is not set")?;
    let address = url.strip_prefix("http://").ok_or("the tour's server speaks http")?;
    let (host, path) = address.split_once('/').ok_or("a url without a path")?;
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path}/devices?limit=1 HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a header")?;
    let status = head.lines().next().unwrap_or_default();
    let body: serde_json::Value = serde_json::from_str(body)?;
    writeln!(std::io::stdout(), "report: {status}, for {} from {}", body["data"]["shortname"], body["data"]["path"])?;
    Ok(())
}
