//! Real clients that work like the vendor's: decode NETOSECRET, post a request token, send the access token.

use super::running::{RunningProxy, add_acme};
use crate::fusion::TOKEN;
use crate::harness::{Call, Sandbox};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Output of a client after success.
const SERVED: &str = "acme number=0\nacme number=1\nacme number=2\nacme 5\n";

/// Libraries in the virtual environment, besides Python's own.
const LIBRARIES: [&str; 2] = ["requests==2.32.5", "httpx==0.28.1"];

/// Returns a Python with these libraries, in a virtual environment that is created once per checkout. Returns `None` if
/// Python or the package index is missing.
fn python_with_libraries() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let (python, made) = (folder.join("bin/python"), folder.join("made"));
    let lock = File::create(folder.with_extension("lock")).ok()?;
    lock.lock().ok()?;
    if !made.exists() {
        let run = |program: &Path, arguments: &[&str]| {
            let quiet = Command::new(program).args(arguments).output();
            quiet.is_ok_and(|output| output.status.success()).then_some(())
        };
        run(Path::new("python3"), &["-m", "venv", folder.to_str()?])?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(&python, &install.iter().copied().chain(LIBRARIES).collect::<Vec<_>>())?;
        File::create(made).ok()?;
    }
    Some(python)
}

/// Sets the proxy's variables, as for a program started elsewhere.
fn with_proxy_variables<'a>(proxy: &RunningProxy<'_>, call: Call<'a>) -> Call<'a> {
    proxy.environment.iter().fold(call, |call, (name, value)| call.env(name, value))
}

fn client<'a>(sandbox: &'a Sandbox, python: &str, library: &str, spelling: &str) -> Call<'a> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/client.py");
    sandbox.program(python, [script, library, spelling])
}

#[test]
fn pythons_own_library_is_served() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    for spelling in ["keep", "strip"] {
        with_proxy_variables(&proxy, client(&sandbox, "python3", "urllib", spelling)).run().code(0).stdout(SERVED);
    }
    // A proxy from the environment cannot reach the decoy, and NO_PROXY bypasses it.
    let proxied = with_proxy_variables(&proxy, client(&sandbox, "python3", "urllib", "keep"))
        .env("http_proxy", "http://127.0.0.1:9");
    proxied.run().code(0).stdout(SERVED);
    proxy.interrupt();
    assert_eq!(sandbox.server().request_count(TOKEN), 1, "neto's own login alone");
}

#[test]
fn requests_and_httpx_are_served() {
    let Some(python) = python_with_libraries() else {
        assert!(std::env::var_os("CI").is_none(), "no virtual environment with requests and httpx");
        let why = "there is no Python or no package index here";
        let _ = writeln!(io::stderr(), "NOT TESTED: requests and httpx, because {why}");
        return;
    };
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    for (library, spelling) in [("requests", "keep"), ("requests", "strip"), ("httpx", "keep"), ("httpx", "strip")] {
        let client = client(&sandbox, python.to_str().expect("UTF-8"), library, spelling);
        with_proxy_variables(&proxy, client).run().code(0).stdout(SERVED);
    }
    proxy.interrupt();
}

#[test]
fn curl_is_served() {
    let sandbox = Sandbox::new();
    add_acme(&sandbox);
    let proxy = RunningProxy::new(&sandbox, &[]);
    // curl sends large bodies like this: chunked, without a length, after `Expect: 100-continue`.
    let script = r#"head -c 3000000 /dev/zero | tr '\0' x | sed 's/.*/"&"/' > body.json
        curl -sS --fail-with-body -H "Authorization: Bearer $NETO_TOKEN" -H "Transfer-Encoding: chunked" \
            -H "Expect: 100-continue" --data-binary @body.json "$NETO_URL/widgets" | wc -c
        curl -sS --fail-with-body --http1.0 -H "Authorization: Bearer $NETO_TOKEN" "$NETO_URL/widgets" | head -c 9
        curl -sS -o /dev/null -w '\n%{http_code}' "$NETO_URL/widgets""#;
    let outcome = with_proxy_variables(&proxy, sandbox.program("sh", ["-c", script])).run();
    let output = outcome.code(0).stdout_trimmed().to_owned();
    let words: Vec<&str> = output.split_whitespace().collect();
    assert!(words[0].parse::<u64>().unwrap() > 3_000_000, "{output}");
    assert_eq!(words[1..], [r#"{"data":{"#, "401"], "{output}");
    proxy.interrupt();
}
