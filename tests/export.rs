//! Tests `neto export` in real shells: an export leaves no variables of the previous tenant. Also tests that a failed
//! export leaves no variables of any tenant.

use crate::fusion::{Fault, TOKEN};
use crate::harness::{Call, Outcome, Sandbox};
use crate::shells::{find_program, report_missing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Shell, and its syntax for these tests.
struct Shell {
    program: &'static str,
    flags: &'static [&'static str],
    /// Name of the shell as a value of `--shell`.
    name: &'static str,
}

const SHELLS: [Shell; 7] = [
    Shell { program: "dash", flags: &["-c"], name: "sh" },
    Shell { program: "bash", flags: &["-c"], name: "bash" },
    Shell { program: "zsh", flags: &["-fc"], name: "zsh" },
    Shell { program: "mksh", flags: &["-c"], name: "sh" },
    Shell { program: "busybox", flags: &["sh", "-c"], name: "sh" },
    Shell { program: "fish", flags: &["--no-config", "-c"], name: "fish" },
    Shell { program: "nu", flags: &["--no-config-file", "-c"], name: "nu" },
];

/// Variables that every export sets.
const BASE_VARIABLES: [&str; 5] = ["NETO_PROFILE", "NETO_URL", "NETO_SHORTNAME", "NETO_TOKEN", "NETO_TOKEN_EXPIRES_AT"];
/// Variables that `--with-secret` adds for an API key.
const SECRET_VARIABLES: [&str; 4] = ["NETO_APPNAME", "NETO_APPKEY", "NETO_SHARED_SECRET", "NETOSECRET"];

impl Shell {
    /// Returns shell code that evaluates the output of `neto LINE`, as the help shows.
    fn load(&self, line: &str) -> String {
        match self.name {
            "fish" => format!("neto {line} | source"),
            "nu" => format!("neto {line} | from json | load-env"),
            _ => format!("eval \"$(neto {line})\""),
        }
    }

    /// Returns shell code that evaluates a failing export. The code exits with 3 if the shell sees success, and with 4
    /// if a token remains.
    fn load_failing(&self, line: &str) -> String {
        let load = self.load(line);
        match self.name {
            "fish" => format!("{load}; and exit 3\ntest -z \"$NETO_TOKEN\"; or exit 4"),
            // A failing command ends a nu script, but `complete` lets the script continue.
            "nu" => {
                let load = load.replace("| from", "| complete | get stdout | from");
                format!("{load}\nif ($env.NETO_TOKEN? | default '') != '' {{ exit 4 }}")
            }
            _ => format!("{load} && exit 3\ntest -z \"${{NETO_TOKEN-}}\" || exit 4"),
        }
    }

    /// Prepares a run of these lines, which then prints the environment of child processes. Returns `None` if the shell
    /// is not installed.
    fn call<'a>(&self, sandbox: &'a Sandbox, lines: &[String]) -> Option<Call<'a>> {
        if find_program(self.program).is_none() {
            report_missing(self.program);
            return None;
        }
        let dump = if self.name == "nu" { "^env -0" } else { "env -0" };
        let script = format!("{}\n{dump}", lines.join("\n"));
        Some(
            sandbox
                .program(self.program, self.flags.iter().copied().chain([script.as_str()]))
                .allow_secret("access token"),
        )
    }
}

/// Parses the output of `env -0`.
fn environment(outcome: &Outcome) -> BTreeMap<String, String> {
    let pairs = outcome.stdout.split('\0').filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the names of non-empty variables that neto may have set.
fn neto_variables(environment: &BTreeMap<String, String>) -> Vec<&str> {
    let is_ours = |name: &str| name.starts_with("NETO") && name != "NETO_HOME";
    environment
        .iter()
        .filter(|(name, value)| is_ours(name) && !value.is_empty())
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Adds lines to a profile in the store, as an editor would.
fn declare(sandbox: &Sandbox, profile: &str, lines: &str) {
    let header = format!("[profiles.{profile}]\n");
    sandbox.write_store(sandbox.store().replace(&header, &format!("{header}{lines}\n")));
}

#[test]
fn every_shell_gets_exactly_what_the_profile_has() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let values = [
        ("QUOTES", "it's \"so\" `id` $(touch pwned) ${HOME} $HOME"),
        ("GLOBS", "* ? [a] {b,c} ~ !! # ; & | < > \\ \\n %s"),
        ("PARAGRAPHS", "one\ntwo\n\n three"),
        ("BLANKS", "  between  "),
        ("SIGNS", "ünï – 日本 🦀\t."),
        ("NOTHING", ""),
        ("DASHES", "--shell=fish"),
    ];
    let entries: Vec<String> = values.iter().map(|(name, value)| format!("{name} = {}", json!(value))).collect();
    let templates = "BEARER = 'Bearer {token}', WORDS = '{url} {shortname} {appname} {profile} {other} {appkey}'";
    declare(&sandbox, "acme", &format!("env = {{ {}, {templates} }}", entries.join(", ")));
    let token = sandbox.neto(["token"]).allow_secret("access token").run().code(0).stdout_trimmed().to_owned();
    let expires_at = sandbox.token_header("acme")["expires_at"].to_string();
    let url = sandbox.server().url();
    for shell in &SHELLS {
        // Without `--shell`, neto detects the calling shell, and the result is the same.
        for line in ["export acme".to_owned(), format!("export acme --shell {}", shell.name)] {
            let Some(call) = shell.call(&sandbox, &[shell.load(&line)]) else { continue };
            let outcome = call.env("LEFT", "alone").run();
            let found = environment(outcome.code(0).stderr(""));
            let has = |name: &str, value: &str| {
                assert_eq!(found.get(name).map_or("", |v| v), value, "{name} {}", shell.program);
            };
            for (name, value) in values {
                has(name, value);
            }
            has("BEARER", &format!("Bearer {token}"));
            has("WORDS", &format!("{url} acme soc acme {{other}} {{appkey}}"));
            has("LEFT", "alone");
            for (name, value) in BASE_VARIABLES.into_iter().zip(["acme", &url, "acme", &token, &expires_at]) {
                has(name, value);
            }
            let mut exported: Vec<&str> = found["NETO_EXPORTED"].split(' ').collect();
            exported.sort_unstable();
            let mut expected: Vec<&str> =
                values.map(|(name, _)| name).into_iter().chain(BASE_VARIABLES).chain(["BEARER", "WORDS"]).collect();
            expected.sort_unstable();
            assert_eq!(exported, expected, "{}", shell.program);
            assert!(!sandbox.work("pwned").exists(), "{}", shell.program);
        }
    }
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn nothing_of_the_tenant_before_stays() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    declare(&sandbox, "acme", "env = { OF_ACME = 'yes', BOTH = 'acme' }");
    declare(&sandbox, "globex", "env = { BOTH = 'globex' }");
    for shell in &SHELLS {
        let lines = [shell.load("export acme --with-secret"), shell.load("export globex")];
        let Some(call) = shell.call(&sandbox, &lines) else { continue };
        let found = environment(call.run().code(0).stderr(""));
        let mut expected = BASE_VARIABLES.to_vec();
        expected.push("NETO_EXPORTED");
        expected.sort_unstable();
        assert_eq!(neto_variables(&found), expected, "{}", shell.program);
        assert_eq!((&*found["NETO_PROFILE"], &*found["BOTH"]), ("globex", "globex"), "{}", shell.program);
        assert_eq!(found.get("OF_ACME").map_or("", |value| value), "", "{}", shell.program);
        // `export --unset` removes all exported variables.
        let lines = [shell.load("export acme --with-secret"), shell.load("export --unset")];
        let found = environment(shell.call(&sandbox, &lines).unwrap().run().code(0).stderr(""));
        assert_eq!(neto_variables(&found), Vec::<&str>::new(), "{}", shell.program);
        assert_eq!(found.get("OF_ACME").map_or("", |value| value), "", "{}", shell.program);
    }
}

#[test]
fn a_failure_leaves_no_tenant_and_the_shell_knows() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex"] {
        sandbox.add(name);
    }
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("globex").error(401, "unknown key"));
    declare(&sandbox, "acme", "env = { OF_ACME = 'yes' }");
    let failing = [
        "export acme --bogus",
        "--bogus export acme",
        "export acme globex",
        "export acme --shell",
        "export acme --shell tcsh",
        "export acme --min-ttl soon",
        "export acme --offline --force",
        "export nosuch",
        "export 'A b'",
        "export globex",
        "-p nosuch export",
        "-qp nosuch export",
        "--store nowhere.toml export acme",
        "--lock-timeout forever export acme",
        "--color never export nosuch",
    ];
    for shell in &SHELLS {
        let pairs = failing.iter().flat_map(|line| [shell.load("export acme"), shell.load_failing(line)]);
        let Some(call) = shell.call(&sandbox, &pairs.collect::<Vec<_>>()) else { continue };
        let outcome = call.run();
        let found = environment(outcome.code(0));
        assert_eq!(neto_variables(&found), Vec::<&str>::new(), "{}", shell.program);
        assert_eq!(found.get("OF_ACME").map_or("", |value| value), "", "{}", shell.program);
        if shell.name != "nu" {
            assert_eq!(outcome.stderr.matches("error: ").count(), failing.len(), "{outcome}");
        }
    }
}

#[test]
fn each_failure_has_its_own_exit_code_and_an_eval_that_fails() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.server().fault(Fault::at(TOKEN).error(401, "unknown key"));
    let cases = [("--bogus", 2), ("A b", 2), ("nosuch", 3), ("acme", 4)];
    for (argument, code) in cases {
        for (shell, end) in [
            ("sh", "NETO_USERNAME\nfalse\n"),
            ("bash", "NETO_USERNAME\nfalse\n"),
            ("zsh", "NETO_USERNAME\nfalse\n"),
            ("fish", "\nfalse;\n"),
            ("powershell", "$env:NETO_USERNAME = $null\nthrow 'no environment was exported'\n"),
            ("nu", "\"NETO_USERNAME\": \"\"\n}\n"),
        ] {
            let outcome = sandbox.neto(["export", "--shell", shell, argument]).run();
            outcome.code(code).stdout_has("NETO_TOKEN").stderr_has("error: ");
            assert!(outcome.stdout.ends_with(end), "{outcome}");
        }
        // A failed export in a file format prints nothing to standard output.
        sandbox.neto(["export", "--format", "json", argument]).run().code(code).stdout("");
    }
}

#[test]
fn a_script_that_ends_at_errors_ends_where_an_export_fails() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    for shell in SHELLS.iter().filter(|shell| shell.name != "fish") {
        let (errexit, echo) = if shell.name == "nu" { ("", "^echo acme") } else { ("set -e", "echo acme") };
        let lines = [errexit, &shell.load("export acme"), echo, &shell.load("export nosuch"), "echo went on"];
        let Some(call) = shell.call(&sandbox, &lines.map(str::to_owned)) else { continue };
        let outcome = call.run();
        outcome.code(if shell.name == "nu" { 3 } else { 1 }).stderr_has("there is no profile 'nosuch'");
        outcome.stdout("acme\n");
    }
}

#[test]
fn r40_powershell_text_is_quoted_and_unsets_first() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    declare(&sandbox, "acme", "env = { HOSTILE = \"it's $(x) `u\\n\" }");
    let outcome = sandbox.neto(["export", "--shell", "powershell"]).allow_secret("access token").run();
    outcome
        .code(0)
        .stderr("")
        .stdout_has("$env:HOSTILE = 'it''s $(x) `u' + [char]10\n")
        .stdout_has("$env:NETO_PROFILE = 'acme'\n");
    let (unset, set) = (outcome.stdout.find("$env:NETO_TOKEN = $null"), outcome.stdout.find("$env:NETO_TOKEN = '"));
    assert!(unset.is_some() && unset < set, "{outcome}");
}

#[test]
fn a_neto_profile_of_an_earlier_export_is_no_choice() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex"] {
        sandbox.add(name);
    }
    sandbox.neto(["use", "globex"]).run().code(0);
    let export =
        || sandbox.neto(["export", "--format", "json"]).env("NETO_PROFILE", "acme").allow_secret("access token");
    // NETO_PROFILE selects a profile if the user set it, but not if NETO_EXPORTED lists it.
    assert_eq!(export().run().code(0).json()["NETO_PROFILE"], "acme");
    let exported = export().env("NETO_EXPORTED", "NETO_TOKEN NETO_PROFILE").run();
    assert_eq!(exported.code(0).json()["NETO_PROFILE"], "globex");
    // All other commands use an exported NETO_PROFILE.
    let current = sandbox.neto(["profile", "current"]).env("NETO_PROFILE", "acme").env("NETO_EXPORTED", "NETO_PROFILE");
    current.run().code(0).stdout("acme\n");
}

#[test]
fn a_planted_note_of_exports_harms_nobody() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let planted = "PATH HOME IFS LD_PRELOAD X;touch${IFS}pwned $(touch\tpwned) `touch\tpwned` -f MINE NETO_HOME";
    for shell in &SHELLS {
        for line in ["export acme", "export --unset", "export nosuch"] {
            let text = sandbox.neto(line.split(' ').chain(["--shell", shell.name]));
            let text = text.env("NETO_EXPORTED", planted).allow_secret("access token").run();
            text.stdout_has("MINE").stdout_lacks("touch").stdout_lacks("PATH").stdout_lacks("HOME");
        }
        let Some(call) = shell.call(&sandbox, &[shell.load("export acme")]) else { continue };
        let found = environment(call.env("NETO_EXPORTED", planted).env("MINE", "x").run().code(0).stderr(""));
        assert!(found["PATH"].len() > 1 && found["HOME"].ends_with("home"), "{}", shell.program);
        assert_eq!(found.get("MINE").map_or("", |value| value), "", "{}", shell.program);
        assert!(!sandbox.work("pwned").exists(), "{}", shell.program);
    }
}

#[test]
fn json_is_one_object_of_what_is_set() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    declare(&sandbox, "acme", "env = { MINE = \"a\\nb\" }");
    let call = sandbox.neto(["export", "--format", "json"]).env("NETO_EXPORTED", "OLD").allow_secret("access token");
    let object = call.run().code(0).stderr("").json();
    let names: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(names, ["MINE", "NETO_PROFILE", "NETO_SHORTNAME", "NETO_TOKEN", "NETO_TOKEN_EXPIRES_AT", "NETO_URL"]);
    assert_eq!((&object["MINE"], &object["NETO_SHORTNAME"]), (&json!("a\nb"), &json!("acme")));
    assert!(object.as_object().unwrap().values().all(Value::is_string));
}

#[test]
fn dotenv_is_read_back_by_a_shell_and_refuses_what_it_cannot_hold() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    declare(&sandbox, "acme", "env = { MINE = '$(touch pwned) \"x\" # y' }");
    let script = "neto export --format dotenv > .env && set -a && . ./.env && env -0";
    let outcome = sandbox.program("dash", ["-c", script]).allow_secret("access token").run();
    let found = environment(outcome.code(0).stderr(""));
    assert_eq!((&*found["MINE"], &*found["NETO_PROFILE"]), ("$(touch pwned) \"x\" # y", "acme"));
    assert!(!found.contains_key("NETO_EXPORTED"));
    sandbox.allow_secrets_in(&sandbox.work(".env"));
    for hostile in ["it's", "one\ntwo", "one\rtwo"] {
        sandbox.neto(["profile", "edit", "acme", "--env", &format!("MINE={hostile}")]).run().code(0);
        let outcome = sandbox.neto(["export", "--format", "dotenv"]).run();
        outcome.code(2).stdout("").stderr_has("MINE").stderr_has("--format json").stderr_lacks(hostile);
    }
}

/// Parses a file of assignments as GitHub's runner does. Only a line feed ends a line, and empty lines are skipped. An
/// assignment is `NAME=VALUE`, or `NAME<<MARK` followed by the lines of the value and a line with the mark. `ci_page`
/// uses this function too.
pub(crate) fn assignments(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            _ if line.is_empty() => {}
            (Some(at), heredoc) if heredoc.is_none_or(|heredoc| at < heredoc) => {
                found.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (_, Some(at)) if at > 0 && at + 2 < line.len() => {
                let (mark, mut value, mut closed) = (&line[at + 2..], Vec::new(), false);
                for line in lines.by_ref() {
                    closed = line == mark;
                    if closed {
                        break;
                    }
                    value.push(line);
                }
                if !closed {
                    return Err(format!("no line is the mark of {}", &line[..at]));
                }
                found.insert(line[..at].to_owned(), value.join("\n"));
            }
            _ => return Err(format!("no assignment: {line}")),
        }
    }
    Ok(found)
}

#[test]
fn the_reader_of_assignments_is_as_strict_as_githubs() {
    let text = "\nA=1<<2\nB<<M\nx=1\n\nM2\nM\nC<<M\nM\nD=\nE<<M\na\r\nM\n";
    let expected = [("A", "1<<2"), ("B", "x=1\n\nM2"), ("C", ""), ("D", ""), ("E", "a\r")];
    let expected: BTreeMap<_, _> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(assignments(text).unwrap(), expected);
    for broken in ["A<<M\nx\n", "A<<\nx\n", "<<M\nM\n", "A\n", "A=1B<<M\nx\nM\n", "A<<M\nx\n M\n"] {
        assert!(assignments(broken).is_err(), "{broken:?}");
    }
}

/// Prepares an export for GitHub into this file. The output may contain secrets, because GitHub masks need them.
fn for_github<'a>(sandbox: &'a Sandbox, arguments: &[&str], file: &Path) -> Call<'a> {
    let call = sandbox.neto(["export", "--format", "github"].iter().chain(arguments)).env("GITHUB_ENV", file);
    call.allow_secret("access token").allow_secret("appkey").allow_secret("sharedsecret")
}

#[test]
fn github_masks_first_and_writes_to_its_file() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let templates = "BEARER = 'Bearer {token}', BOTH = \"{appkey}\\n{sharedsecret}\"";
    declare(&sandbox, "acme", &format!("env = {{ MINE = \"a\\nMARK\\r\\n\\nb=1\", {templates} }}"));
    let token = sandbox.neto(["token"]).allow_secret("access token").run().code(0).stdout_trimmed().to_owned();
    // The last line, which an earlier step wrote, has no line feed.
    let file = sandbox.write_secret("github_env", "EARLIER=1\nOPEN=2");
    let outcome = for_github(&sandbox, &["--with-secret"], &file).run();
    outcome.code(0).stderr("");
    let found = assignments(&fs::read_to_string(&file).unwrap()).unwrap();
    let own = ["MINE", "BEARER", "BOTH", "EARLIER", "OPEN", "NETO_EXPORTED"];
    let mut expected: Vec<&str> = BASE_VARIABLES.into_iter().chain(SECRET_VARIABLES).chain(own).collect();
    expected.sort_unstable();
    let names: Vec<&str> = found.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected);
    assert_eq!((&*found["EARLIER"], &*found["OPEN"]), ("1", "2"), "what was there stays");
    assert_eq!((&*found["MINE"], &*found["NETO_TOKEN"]), ("a\nMARK\r\n\nb=1", &*token));
    assert_eq!(decoded(&found["NETOSECRET"]), credential.json());
    // neto masks each secret, each value that contains a secret, and each line of these values, but nothing else.
    let lines = format!("{}%0A{}", credential.appkey, credential.sharedsecret);
    let bearer = format!("Bearer {token}");
    for secret in [&token, &credential.appkey, &credential.sharedsecret, &bearer, &found["NETOSECRET"], &lines] {
        outcome.stdout_has(&format!("::add-mask::{secret}\n"));
    }
    assert!(outcome.stdout.lines().all(|line| line.starts_with("::add-mask::")), "{outcome}");
    outcome.stdout_lacks("MARK");
    // Without GITHUB_ENV, everything goes to standard output, the masks first. The marks are random, so that no value
    // can contain its own mark.
    let again = || sandbox.neto(["export", "--format", "github"]).allow_secret("access token").run().stdout;
    let (one, other) = (again(), again());
    let mark = |text: &str| text.lines().find_map(|line| line.strip_prefix("NETO_TOKEN<<").map(str::to_owned)).unwrap();
    assert_ne!(mark(&one), mark(&other));
    let first = one.lines().position(|line| !line.starts_with("::add-mask::")).unwrap();
    assert!(first > 0 && !one.lines().skip(first).any(|line| line.starts_with("::")), "{one}");
}

#[test]
fn the_steps_of_a_job_that_come_after_have_one_tenant_alone() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    declare(&sandbox, "acme", "env = { OF_ACME = 'yes' }");
    let step = |arguments: &[&str], name: &str, before: &BTreeMap<String, String>| {
        let file = sandbox.write_secret(name, "");
        let call = for_github(&sandbox, arguments, &file);
        let outcome = before.iter().fold(call, |call, (name, value)| call.env(name, value)).run();
        (outcome, assignments(&fs::read_to_string(&file).unwrap()).unwrap())
    };
    let (_, acme) = step(&["acme", "--with-secret"], "one", &BTreeMap::new());
    assert_eq!(acme["OF_ACME"], "yes");
    let (outcome, globex) = step(&["globex"], "two", &acme);
    outcome.code(0);
    let after: BTreeMap<String, String> = acme.clone().into_iter().chain(globex).collect();
    assert_eq!((&*after["NETO_PROFILE"], &*after["OF_ACME"], &*after["NETO_APPKEY"]), ("globex", "", ""));
    // A failed step that does not end the job (`continue-on-error`) leaves no variables of a tenant.
    let (outcome, blanks) = step(&["nosuch"], "three", &acme);
    outcome.code(3).stdout("");
    let after: BTreeMap<String, String> = acme.into_iter().chain(blanks).collect();
    assert_eq!(neto_variables(&after), Vec::<&str>::new());
    assert_eq!(after["OF_ACME"], "");
    // If there was no earlier export, a failed export keeps the variables that the job itself set.
    let (outcome, blanks) = step(&["nosuch"], "four", &BTreeMap::from([("NETO_PROFILE".into(), "acme".into())]));
    outcome.code(3);
    assert_eq!(blanks, BTreeMap::new());
}

#[cfg(unix)]
#[test]
fn a_file_for_github_is_private_whole_or_an_error() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    // A missing file is created with mode 0600, also as the target of a symbolic link. An existing file keeps its mode.
    let (target, link) = (sandbox.work("made"), sandbox.work("link"));
    symlink(&target, &link).unwrap();
    sandbox.allow_secrets_in(&target);
    let mode = || fs::metadata(&target).unwrap().permissions().mode() & 0o777;
    for_github(&sandbox, &[], &link).run().code(0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && mode() == 0o600);
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    for_github(&sandbox, &[], &target).run().code(0);
    assert_eq!(mode(), 0o640);
    assignments(&fs::read_to_string(&target).unwrap()).unwrap();
    // A path that cannot be written fails the step without blocking.
    fs::create_dir(sandbox.work("folder")).unwrap();
    sandbox.program("mkfifo", ["pipe"]).run().code(0);
    for path in ["folder", "nowhere/file", "pipe"] {
        let outcome = for_github(&sandbox, &[], &sandbox.work(path)).run();
        outcome.code(1).stderr_has("error: ").stderr_has(path).stdout_lacks("NETO_TOKEN<<");
    }
    fs::set_permissions(&target, fs::Permissions::from_mode(0o400)).unwrap();
    let call = sandbox
        .unprivileged_neto(["export", "--format", "github"])
        .env("GITHUB_ENV", &target)
        .allow_secret("access token");
    call.run().code(1).stderr_has("permission denied");
    // If only a part of the export can be written, the file stays unchanged.
    let small = sandbox.write_secret("small", "EARLIER=1\n");
    let script = "ulimit -f 1; exec neto export --format github --with-secret";
    declare(&sandbox, "acme", &format!("env = {{ LONG = \"{}\" }}", "x".repeat(2000)));
    let full = sandbox.program("sh", ["-c", script]).env("GITHUB_ENV", &small);
    full.allow_secret("access token")
        .allow_secret("appkey")
        .allow_secret("sharedsecret")
        .run()
        .code(1)
        .stderr_has("small");
    assert_eq!(fs::read_to_string(&small).unwrap(), "EARLIER=1\n");
}

fn decoded(netosecret: &str) -> Value {
    serde_json::from_slice(&STANDARD.decode(netosecret).expect("standard base64, padded")).expect("JSON")
}

#[test]
fn the_credential_comes_only_when_asked_for() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    declare(&sandbox, "acme", "env = { KEYS = '{appkey}:{sharedsecret}' }");
    let call = sandbox.neto(["export", "--with-secret", "--format", "json"]);
    let object = call
        .allow_secret("access token")
        .allow_secret("appkey")
        .allow_secret("sharedsecret")
        .run()
        .code(0)
        .stderr("")
        .json();
    assert_eq!(object["NETO_APPNAME"], "soc");
    assert_eq!(
        (&object["NETO_APPKEY"], &object["NETO_SHARED_SECRET"]),
        (&json!(credential.appkey), &json!(credential.sharedsecret))
    );
    assert_eq!(object["KEYS"], format!("{}:{}", credential.appkey, credential.sharedsecret));
    assert_eq!(decoded(object["NETOSECRET"].as_str().unwrap()), credential.json());
    let plain = sandbox.neto(["export", "--format", "json"]).allow_secret("access token").run().code(0).json();
    assert_eq!(plain["KEYS"], "{appkey}:{sharedsecret}");
    assert!(SECRET_VARIABLES.iter().all(|name| plain.get(name).is_none()));
}

#[test]
fn a_person_gives_name_and_password() {
    let sandbox = Sandbox::new();
    let person = sandbox.server().add_person("alice@example.com");
    let add = ["profile", "add", "me", "--username", &person.username, "--url", &person.url];
    sandbox.neto(add).stdin(&person.password).run().code(0);
    let call = sandbox
        .neto(["export", "--with-secret", "--format", "json"])
        .allow_secret("access token")
        .allow_secret("password");
    let object = call.run().code(0).stderr("").json();
    assert_eq!(
        (&object["NETO_USERNAME"], &object["NETO_PASSWORD"]),
        (&json!(person.username), &json!(person.password))
    );
    assert!(SECRET_VARIABLES.iter().all(|name| object.get(name).is_none()), "{object}");
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn another_store_goes_along() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let other = sandbox.work("other.toml");
    let other = other.to_str().unwrap();
    sandbox.neto(["init", "--store", other]).run().code(0);
    sandbox.neto(["profile", "add", "--store", other]).stdin(credential.netosecret()).run().code(0);
    let object = sandbox
        .neto(["export", "--store", other, "--format", "json"])
        .allow_secret("access token")
        .run()
        .code(0)
        .json();
    assert_eq!(object["NETO_STORE"], other);
    let standard = sandbox.neto(["export", "--format", "json"]).run();
    standard.code(3).stdout("").stderr_has("neto profile add");
    for shell in &SHELLS[..2] {
        let call = shell
            .call(&sandbox, &[shell.load(&format!("export --store '{other}'")), "neto profile current >&2".into()]);
        let Some(call) = call else { continue };
        call.run().code(0).stderr_has("acme\n");
    }
}

#[test]
fn several_are_an_array_of_json() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex", "hooli"] {
        sandbox.add(name);
    }
    declare(&sandbox, "globex", "timeout = 'soon'");
    sandbox.write_store(sandbox.store() + "\n[profiles.skeleton]\nshortname = \"bare\"\nappname = \"soc\"\n");
    let export = |arguments: &[&str]| {
        let call = sandbox.neto(["export", "--format", "json"].iter().chain(arguments)).allow_secret("access token");
        call.allow_secret("appkey").allow_secret("sharedsecret").run()
    };
    let profile_names = |environments: &Value| -> Vec<String> {
        let names = environments.as_array().unwrap().iter().map(|one| one["NETO_PROFILE"].as_str().unwrap().to_owned());
        names.collect()
    };
    // Each object equals the export of its profile on its own.
    let both = export(&["hooli", "acme"]).code(0).stderr("").json();
    assert_eq!(both, json!([export(&["acme"]).code(0).json(), export(&["hooli"]).code(0).json()]));
    assert_eq!(
        profile_names(&export(&["hoo*"]).code(0).stderr("").json()),
        ["hooli"],
        "one that a glob selects is an array too"
    );
    let secret = export(&["acme", "hooli", "--with-secret"]).code(0).stderr("").json();
    assert!(SECRET_VARIABLES.iter().all(|name| secret[0][name].is_string() && secret[1][name].is_string()));
    assert_eq!(sandbox.server().logins(), 2);
    // A failing profile is reported, and is not in the array.
    let outcome = export(&["--all"]);
    outcome.code(8).stderr_has("globex: ").stderr_has("profiles.globex.timeout").stderr_has("skeleton: skipped");
    assert_eq!(profile_names(&outcome.json()), ["acme", "hooli"]);
    sandbox.server().fault(Fault::at(TOKEN).for_tenant("hooli").error(401, "unknown key"));
    let outcome = export(&["acme", "hooli", "--force"]);
    outcome.code(8).stderr_has("hooli: ").stderr_has("unknown key").stderr_has("neto export hooli --format json");
    assert_eq!(profile_names(&outcome.json()), ["acme"]);
    export(&["hoo*", "--force"]).code(4).stdout("[]\n").stderr_has("unknown key");
    sandbox.neto(["logout", "acme"]).run().code(0);
    export(&["acme", "hooli", "--offline"]).code(8).stderr_has("acme: no cached token");
}

#[test]
fn several_are_no_text_of_a_shell_and_fail_closed() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    for arguments in [&["acme", "globex"][..], &["--all"], &["a*"], &["--tag", "prod"]] {
        for format in [&[][..], &["--shell", "fish"]] {
            let outcome = sandbox.neto(["export"].iter().chain(arguments).chain(format)).run();
            outcome.code(2).stderr_has("only JSON holds").stderr_has("--format json").stdout_lacks("NETO_TOKEN=");
            assert!(
                outcome.stdout_trimmed().ends_with("false") || outcome.stdout_trimmed().ends_with("false;"),
                "{outcome}"
            );
        }
        for format in ["dotenv", "github"] {
            let outcome = sandbox.neto(["export", "--format", format].iter().chain(arguments)).run();
            outcome.code(2).stdout("").stderr_has("only JSON holds");
        }
        sandbox.neto(["export", "--unset"].iter().chain(arguments)).run().code(2).stderr_has("--unset");
    }
    for shell in &SHELLS {
        let lines = [shell.load("export acme"), shell.load_failing("export --all")];
        let Some(call) = shell.call(&sandbox, &lines) else { continue };
        let outcome = call.run();
        // In nu, `complete` captures the command's stderr.
        if shell.program != "nu" {
            outcome.stderr_has("only JSON holds");
        }
        let found = environment(outcome.code(0));
        assert!(neto_variables(&found).is_empty(), "{} {:?}", shell.program, neto_variables(&found));
    }
    assert_eq!(sandbox.server().logins(), 1);
}
