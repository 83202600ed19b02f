//! Real clients, each doing what the vendor's does: decode NETOSECRET, post a request token, call with the bearer.

use super::served::{Served, acme};
use crate::fusion::TOKEN;
use crate::harness::{Call, Sandbox};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a client prints that was served.
const SERVED: &str = "acme number=0\nacme number=1\nacme number=2\nacme 5\n";

/// The libraries beside Python's own, as the virtual environment has them.
const LIBRARIES: [&str; 2] = ["requests==2.32.5", "httpx==0.28.1"];

/// A Python that has these libraries, in a virtual environment that is made once a checkout; nothing where there is no
/// Python or no package index.
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

/// Behind this proxy, as a program started elsewhere has it.
fn behind<'a>(served: &Served<'_>, call: Call<'a>) -> Call<'a> {
    served.environment.iter().fold(call, |call, (name, value)| call.env(name, value))
}

fn client<'a>(sandbox: &'a Sandbox, python: &str, library: &str, spelling: &str) -> Call<'a> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/client.py");
    sandbox.program(python, [script, library, spelling])
}

#[test]
fn pythons_own_library_is_served() {
    let sandbox = Sandbox::new();
    acme(&sandbox);
    let served = Served::new(&sandbox, &[]);
    for spelling in ["keep", "strip"] {
        behind(&served, client(&sandbox, "python3", "urllib", spelling)).run().code(0).stdout(SERVED);
    }
    // A proxy of the environment would be in the way, and is gone around.
    let proxied =
        behind(&served, client(&sandbox, "python3", "urllib", "keep")).env("http_proxy", "http://127.0.0.1:9");
    proxied.run().code(0).stdout(SERVED);
    served.interrupt();
    assert_eq!(sandbox.server().asked(TOKEN), 1, "neto's own login alone");
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
    acme(&sandbox);
    let served = Served::new(&sandbox, &[]);
    for (library, spelling) in [("requests", "keep"), ("requests", "strip"), ("httpx", "keep"), ("httpx", "strip")] {
        let client = client(&sandbox, python.to_str().expect("UTF-8"), library, spelling);
        behind(&served, client).run().code(0).stdout(SERVED);
    }
    served.interrupt();
}

#[test]
fn curl_is_served() {
    let sandbox = Sandbox::new();
    acme(&sandbox);
    let served = Served::new(&sandbox, &[]);
    // As it does for large bodies: in chunks, of unknown length, after asking whether it may.
    let script = r#"head -c 3000000 /dev/zero | tr '\0' x | sed 's/.*/"&"/' > body.json
        curl -sS --fail-with-body -H "Authorization: Bearer $NETO_TOKEN" -H "Transfer-Encoding: chunked" \
            -H "Expect: 100-continue" --data-binary @body.json "$NETO_URL/widgets" | wc -c
        curl -sS --fail-with-body --http1.0 -H "Authorization: Bearer $NETO_TOKEN" "$NETO_URL/widgets" | head -c 9
        curl -sS -o /dev/null -w '\n%{http_code}' "$NETO_URL/widgets""#;
    let outcome = behind(&served, sandbox.program("sh", ["-c", script])).run();
    let said = outcome.code(0).answer().to_owned();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words[0].parse::<u64>().unwrap() > 3_000_000, "{said}");
    assert_eq!(words[1..], [r#"{"data":{"#, "401"], "{said}");
    served.interrupt();
}
