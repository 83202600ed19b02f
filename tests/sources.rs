//! Runs the commands of `docs/sources.md` unchanged: `pass` for real, the other programs replaced by scripts.
#![cfg(unix)]

use crate::harness::Sandbox;
use crate::shells::find_program;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Returns the command lines of the page.
fn page_commands() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sources.md")).unwrap();
    let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the commands");
    block.lines().map(str::to_owned).collect()
}

/// Runs a line of the page with `bin` first on the PATH.
fn run(sandbox: &Sandbox, line: &str) -> crate::harness::Outcome {
    let line = format!("PATH=$PWD/bin:$PATH; {line}");
    sandbox.program("sh", ["-c", &line]).run()
}

#[test]
fn each_documented_command_is_run_as_it_stands() {
    let commands = page_commands();
    assert_eq!(commands.len(), 4);
    for line in commands {
        let sandbox = Sandbox::new();
        let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
        let command = line.split(" -- ").nth(1).expect("a command");
        let (program, arguments) = command.split_once(' ').unwrap();
        // The script accepts only the exact arguments of the page.
        let stand_in = format!(
            "#!/bin/sh\n[ \"$*\" = '{arguments}' ] || exit 9\necho telling >&2\nprintf '%s\\n' '{netosecret}'\n"
        );
        fs::create_dir(sandbox.work("bin")).unwrap();
        let path = sandbox.write_secret(&format!("bin/{program}"), stand_in);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        run(&sandbox, &line).code(0).stdout("").stderr_has("its secret comes from a command").stderr_has("telling");
        run(&sandbox, "neto login acme").code(0);
        assert_eq!(sandbox.server().logins(), 1);
        assert_eq!(sandbox.neto(["ls", "-o", "json"]).run().code(0).json()[0]["secret"], "command");
        // The error names the program that failed or is missing, and its exit code.
        fs::write(&path, "#!/bin/sh\necho locked >&2\nexit 4\n").unwrap();
        let words = format!("'{program}' failed (exit code 4)");
        run(&sandbox, "neto login acme --force").code(6).stdout("").stderr_has(&words).stderr_has("locked");
        fs::remove_file(&path).unwrap();
        let gone = sandbox.neto(["login", "acme", "--force"]).env("PATH", "/nowhere").run();
        gone.code(6).stderr_has(&format!("'{program}' was not found"));
        sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    }
}

#[test]
fn pass_gives_what_it_keeps() {
    if find_program("pass").is_none() || find_program("gpg").is_none() {
        return crate::shells::report_missing("pass and gpg");
    }
    let sandbox = Sandbox::new();
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    sandbox.write_secret("netosecret.txt", &netosecret);
    let script = "mkdir -m 700 ~/.gnupg
        gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key me@example.com default default never
        pass init me@example.com && pass insert -m fusion/acme < netosecret.txt";
    sandbox.program("sh", ["-ec", script]).run().code(0);
    // The agent would outlive the test, and its socket would outlive the directory.
    let quit = || _ = sandbox.program("gpgconf", ["--kill", "all"]).run();
    run(&sandbox, &page_commands()[0]).code(0).stderr_has("Added 'acme' (tenant acme, key soc)");
    run(&sandbox, "neto login acme").code(0);
    assert_eq!(sandbox.server().logins(), 1);
    run(&sandbox, "pass rm -f fusion/acme && neto login acme --force")
        .code(6)
        .stderr_has("'pass' failed (exit code 1)");
    quit();
}
