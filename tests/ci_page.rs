//! Runs the jobs in `docs/ci.md` as the runners of GitHub and GitLab would. The commands of the page create the store.
//! Only the installation of neto is skipped.
#![cfg(target_os = "linux")]

use crate::export::assignments;
use crate::harness::{Call, Outcome, Sandbox};
use crate::shells::{find_program, report_missing};
use crate::torture::scale::print_summary;
use crate::transcript::TranscriptPage;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGE: &str = "docs/ci.md";
/// Start of the script lines that are skipped.
const INSTALLATION: &str = "cargo install";
/// Keys that the tests support in a workflow, job and step of GitHub, and in a job of GitLab.
const WORKFLOW_KEYS: &[&str] = &["name", "on", "permissions", "jobs"];
const JOB_KEYS: &[&str] = &["runs-on", "environment", "env", "steps"];
const STEP_KEYS: &[&str] = &["name", "uses", "with", "env", "run", "if"];
const GITLAB_JOB_KEYS: &[&str] =
    &["image", "environment", "variables", "before_script", "script", "after_script", "artifacts"];

/// Returns the code blocks of the page that are marked with this language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    let start = format!("```{language}\n");
    let parts = page.split(&start).skip(1);
    parts.map(|part| part.split("```").next().expect("a block").to_owned()).collect()
}

/// Parser for the subset of YAML that the page uses: maps, lists, block text, and quoted and plain scalars. Panics on
/// other syntax.
struct Yaml<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Yaml<'a> {
    fn parse(text: &'a str) -> Value {
        let mut yaml = Yaml { lines: text.lines().collect(), at: 0 };
        let value = yaml.node(0);
        assert!(yaml.peek().is_none(), "what is left: {:?}", yaml.peek());
        value
    }

    /// Returns the next line that is neither empty nor a comment, with its indent.
    fn peek(&mut self) -> Option<(usize, &'a str)> {
        while let Some(line) = self.lines.get(self.at) {
            let text = line.trim_start();
            if !text.is_empty() && !text.starts_with('#') {
                return Some((line.len() - text.len(), text));
            }
            self.at += 1;
        }
        None
    }

    fn node(&mut self, indent: usize) -> Value {
        let Some((_, first)) = self.peek() else { return Value::String(String::new()) };
        if first.starts_with("- ") { self.list(indent) } else { self.map(indent, None) }
    }

    fn list(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        while let Some((_, text)) = self.peek().filter(|(at, text)| *at == indent && text.starts_with("- ")) {
            let text = &text[2..];
            self.at += 1;
            items.push(if entry(text).is_some() { self.map(indent + 2, Some(text)) } else { scalar(text) });
        }
        Value::Array(items)
    }

    /// Parses a map. `first` is the first entry if it follows the dash of a list item on the same line.
    fn map(&mut self, indent: usize, mut first: Option<&'a str>) -> Value {
        let mut map = Map::new();
        loop {
            let line = match first.take() {
                Some(text) => text,
                None => match self.peek().filter(|(at, text)| *at == indent && !text.starts_with("- ")) {
                    Some((_, text)) => {
                        self.at += 1;
                        text
                    }
                    None => break,
                },
            };
            let (name, rest) = entry(line).unwrap_or_else(|| panic!("no entry of a map: {line}"));
            let value = match rest {
                "|" => self.block(indent),
                "" => match self.peek() {
                    Some((deeper, _)) if deeper > indent => self.node(deeper),
                    _ => Value::String(String::new()),
                },
                rest => scalar(rest),
            };
            assert!(map.insert(name.to_owned(), value).is_none(), "{name} is there twice");
        }
        Value::Object(map)
    }

    fn block(&mut self, above: usize) -> Value {
        let deep = |line: &&str| line.trim().is_empty() || line.len() - line.trim_start().len() > above;
        let lines: Vec<&str> = self.lines[self.at..].iter().copied().take_while(deep).collect();
        self.at += lines.len();
        let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
        let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
        Value::String(lines.join("\n").trim_end().to_owned() + "\n")
    }
}

/// Splits `name: rest` or `name:` into name and rest. Returns `None` for other text.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    plain.then(|| (name, rest.trim()))
}

fn scalar(text: &str) -> Value {
    let quote = text.chars().next().filter(|first| ['"', '\''].contains(first));
    if let Some(quote) = quote {
        let inner = text[1..].strip_suffix(quote).unwrap_or_else(|| panic!("no end of the quote: {text}"));
        assert!(!inner.contains([quote, '\\']), "{text}");
        return Value::String(inner.to_owned());
    }
    assert!(!text.contains(": ") && !text.contains(" #") && !text.ends_with(':'), "not plain: {text}");
    assert!(!text.starts_with(['[', '{', '&', '*', '!', '|', '>', '%', '@', '`']), "not plain: {text}");
    Value::String(text.to_owned())
}

/// Parses the text with Python's YAML parser, to check our parser. Returns `None` if that parser is not installed.
fn parse_with_python(text: &str) -> Option<Value> {
    let program = "import json, sys, yaml; json.dump(yaml.load(sys.stdin, Loader=yaml.BaseLoader), sys.stdout)";
    let mut python = Command::new("python3");
    python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = python.spawn().ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Returns the entries of a map as environment variables; `None` gives no variables.
fn variables(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.map(|map| map.as_object().expect("a map"));
    entries.into_iter().flatten().map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

#[track_caller]
fn assert_known_keys(value: &Value, known: &[&str]) {
    for name in value.as_object().expect("a map").keys() {
        assert!(known.contains(&name.as_str()), "{name} is none of {known:?}");
    }
}

/// Repository that the commands of the page set up for two tenants, and the secrets that are stored in CI.
struct CiSetup {
    sandbox: Sandbox,
    secrets: BTreeMap<String, String>,
}

impl CiSetup {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for folder in ["tenants", "alice"] {
            fs::create_dir(sandbox.work(folder)).unwrap();
        }
        let setup = Self { sandbox, secrets: BTreeMap::new() };
        setup.run_as_alice("neto init && git init -q").code(0);
        for tenant in ["acme", "globex"] {
            let credential = setup.sandbox.server().add_tenant(tenant, "soc").netosecret();
            let add = setup.alices_call(&format!("neto profile add {tenant}"));
            add.stdin(credential).run().code(0);
        }
        let report = "#!/bin/sh\necho \"report of $NETO_SHORTNAME\"\n";
        fs::write(setup.sandbox.work("tenants/report.sh"), report).unwrap();
        setup
            .run_as_alice("chmod +x report.sh && git add profiles.toml report.sh && git commit -qm 'the tenants'")
            .code(0);
        setup
    }

    fn alices_call(&self, command: &str) -> Call<'_> {
        let call = self.sandbox.program("bash", ["-c", &format!("{{ {command}\n}} 2>&1")]);
        let call = ["AUTHOR", "COMMITTER"].iter().fold(call, |call, who| {
            call.env(&format!("GIT_{who}_NAME"), "alice").env(&format!("GIT_{who}_EMAIL"), "alice@example.com")
        });
        call.env("HOME", self.sandbox.work("alice"))
            .env("NETO_STORE", "profiles.toml")
            .current_dir(self.sandbox.work("tenants"))
    }

    fn run_as_alice(&self, command: &str) -> Outcome {
        self.alices_call(command).run()
    }

    /// Runs the commands of the page and collects the secrets for CI.
    fn prepared() -> Self {
        let mut setup = Self::new();
        let mut page = TranscriptPage::read(PAGE);
        assert!(page.examples.len() > 3, "the page has lost its examples");
        for at in 0..page.examples.len() {
            let outcome = setup.run_as_alice(&page.command(at));
            page.compare(at, &outcome.stdout, outcome.exit_code());
            if let Ok(identity) = fs::read_to_string(setup.sandbox.work("alice/for-ci/keys/identity.txt")) {
                // The harness finds secrets in key files, but the page deletes this file. So the key is added as a
                // secret.
                let key = identity.lines().find(|line| line.starts_with("AGE-")).unwrap().to_owned();
                setup.sandbox.add_canary("identity", &key);
                setup.secrets.insert("NETO_IDENTITY".to_owned(), identity);
            }
        }
        page.finish();
        let netosecret = setup.sandbox.server().add_tenant("initech", "soc").netosecret();
        setup.secrets.insert("NETOSECRET".to_owned(), netosecret);
        assert!(!setup.sandbox.work("alice/for-ci").exists(), "the key has no business there");
        setup
    }

    /// Creates the directory of a job with a home. If `checkout` is set, also creates a checkout of the repository.
    fn create_job(&self, name: &str, checkout: bool) -> PathBuf {
        let folder = self.sandbox.work(name);
        fs::create_dir_all(folder.join("home")).unwrap();
        if checkout {
            let clone = ["clone", "-q", "tenants", &format!("{name}/checkout")];
            self.sandbox.program("git", clone).run().code(0);
        } else {
            fs::create_dir(folder.join("checkout")).unwrap();
        }
        folder
    }

    /// Prepares a run of a program in a job. The output may contain secrets here, because the caller checks the masked
    /// log.
    fn program<'a>(
        &'a self,
        job: &Path,
        program: &str,
        arguments: &[&str],
        env: &BTreeMap<String, String>,
    ) -> Call<'a> {
        let call = self.sandbox.program(program, arguments).without_env("NETO_HOME").env("HOME", job.join("home"));
        let call = env.iter().fold(call, |call, (name, value)| call.env(name, value));
        call.env("CI", "true").current_dir(job.join("checkout"))
    }

    /// Expands a GitHub expression of the form `${{ secrets.NAME }}`. Panics on other expressions.
    fn expanded(&self, value: &str) -> String {
        let Some(inner) = value.strip_prefix("${{ secrets.").and_then(|rest| rest.strip_suffix(" }}")) else {
            assert!(!value.contains("${{"), "{value}");
            return value.to_owned();
        };
        self.secrets.get(inner).unwrap_or_else(|| panic!("there is no secret {inner}")).clone()
    }

    /// Runs the steps of a GitHub job and returns the log after masking.
    fn run_on_github(&self, name: &str, job: &Value) -> String {
        assert_known_keys(job, JOB_KEYS);
        let steps = job["steps"].as_array().expect("steps");
        let folder = self.create_job(name, steps.iter().any(|step| step.get("uses").is_some()));
        let (mut exported, mut log, mut masks) = (variables(job.get("env")), String::new(), Vec::new());
        for (number, step) in steps.iter().enumerate() {
            assert_known_keys(step, STEP_KEYS);
            let Some(script) = step.get("run").map(text).filter(|script| !script.starts_with(INSTALLATION)) else {
                continue;
            };
            let (file, body) = (folder.join(format!("env-{number}")), folder.join(format!("step-{number}.sh")));
            fs::write(&file, "").unwrap();
            fs::write(&body, script).unwrap();
            self.sandbox.allow_secrets_in(&file);
            let mut env = exported.clone();
            env.extend(variables(step.get("env")).iter().map(|(name, value)| (name.clone(), self.expanded(value))));
            let call = self.program(&folder, "bash", &["-e", body.to_str().unwrap()], &env).env("GITHUB_ENV", &file);
            let outcome = call.env("GITHUB_ACTIONS", "true").allow_secret("access token").run();
            outcome.code(0);
            for line in outcome.stdout.lines().chain(outcome.stderr.lines()) {
                if let Some(mask) = line.strip_prefix("::add-mask::") {
                    masks.push(mask.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%"));
                } else {
                    let shown = masks.iter().fold(line.to_owned(), |line, mask| line.replace(mask.as_str(), "***"));
                    log.push_str(&(shown + "\n"));
                }
            }
            exported.extend(assignments(&fs::read_to_string(&file).unwrap()).unwrap());
        }
        if let Some(token) = exported.get("NETO_TOKEN") {
            assert!(!token.is_empty() && !log.contains(token.as_str()), "{log}");
        }
        log
    }

    /// Runs a GitLab job: `before_script` and `script` as one script, then `after_script` as another.
    fn run_on_gitlab(&self, name: &str, job: &Value, shell: &[&str]) -> Outcome {
        assert_known_keys(job, GITLAB_JOB_KEYS);
        let folder = self.gitlab_checkout(name, job.get("variables").is_some());
        let lines = |part: &str| {
            let lines = job.get(part).and_then(Value::as_array).into_iter().flatten().map(text);
            lines.filter(|line| !line.starts_with(INSTALLATION)).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut env = variables(job.get("variables"));
        if env.is_empty() {
            env.insert("NETOSECRET".to_owned(), self.secrets["NETOSECRET"].clone());
        } else {
            env.insert("NETO_IDENTITY_FILE".to_owned(), folder.join("identity").display().to_string());
        }
        let run = |lines: Vec<String>| {
            let script = lines.join("\n");
            let arguments: Vec<&str> = shell[1..].iter().copied().chain(["-c", &script]).collect();
            self.program(&folder, shell[0], &arguments, &env).run()
        };
        let outcome = run([lines("before_script"), lines("script")].concat());
        run(lines("after_script")).code(0);
        outcome
    }

    /// Creates the directory of a job with an identity file, and a checkout if `with_checkout` is set. As GitLab's
    /// runner does, lets every user read and write the files.
    fn gitlab_checkout(&self, name: &str, with_checkout: bool) -> PathBuf {
        let folder = self.create_job(name, with_checkout);
        let file = folder.join("identity");
        fs::write(&file, &self.secrets["NETO_IDENTITY"]).unwrap();
        self.sandbox.allow_secrets_in(&file);
        self.sandbox.program("chmod", ["-R", "a+rwX"]).arg(&folder).run().code(0);
        folder
    }

    /// Returns the number of cached tokens that a job has left in its home.
    fn cached_tokens(&self, name: &str) -> usize {
        let tokens = self.sandbox.work(name).join("home/.cache/neto/tokens");
        let names = fs::read_dir(tokens).into_iter().flatten().flatten().map(|entry| entry.path());
        names.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap()).count()
    }

    fn read_output(&self, name: &str, file: &str) -> String {
        fs::read_to_string(self.sandbox.work(name).join("checkout").join(file)).unwrap()
    }
}

#[test]
fn the_jobs_are_yaml() {
    for block in blocks("yaml") {
        let own = Yaml::parse(&block);
        match parse_with_python(&block) {
            Some(other) => assert_eq!(own, other),
            None => print_summary("the jobs of docs/ci.md are read by one reader alone: there is no python3 with yaml"),
        }
    }
    let text = "a: 1\nb:\n  - c: \"x: y\"\n    d: |\n      one\n\n        two\n  # no\n  - e\nf:\n";
    let expected = r#"{"a": "1", "b": [{"c": "x: y", "d": "one\n\n  two\n"}, "e"], "f": ""}"#;
    assert_eq!(Yaml::parse(text), serde_json::from_str::<Value>(expected).unwrap());
}

#[test]
fn the_jobs_of_github_run_as_the_page_has_them() {
    if find_program("bash").is_none() {
        return report_missing("bash");
    }
    let setup = CiSetup::prepared();
    let workflow = Yaml::parse(&blocks("yaml")[0]);
    assert_known_keys(&workflow, WORKFLOW_KEYS);
    let logs: BTreeMap<&str, String> = workflow["jobs"]
        .as_object()
        .expect("jobs")
        .iter()
        .map(|(name, job)| (name.as_str(), setup.run_on_github(name, job)))
        .collect();
    for (job, texts) in [
        ("tenants", &["acme: signed in", "globex: signed in", "report of acme", "devices of acme"][..]),
        ("one-tenant", &["signed in to initech"]),
    ] {
        assert!(texts.iter().all(|word| logs[job].contains(word)), "{job}: {}", logs[job]);
    }
    let all = setup.read_output("tenants", "devices.ndjson");
    assert!(all.lines().count() == 2 && all.contains("acme") && all.contains("globex"), "{all}");
    for (job, file) in [("tenants", "acme.json"), ("one-tenant", "devices.json")] {
        serde_json::from_str::<Value>(&setup.read_output(job, file)).expect("JSON");
    }
    assert_eq!(setup.cached_tokens("tenants"), 0);
    // Each tenant has one login, because later steps use the cached token.
    assert_eq!(setup.sandbox.server().logins(), 3);
}

#[test]
fn the_jobs_of_gitlab_run_as_the_page_has_them() {
    if find_program("bash").is_none() {
        return report_missing("bash");
    }
    let setup = CiSetup::prepared();
    let jobs = Yaml::parse(&blocks("yaml")[1]);
    for shell in [&["bash", "-eo", "pipefail"][..], &["sh", "-e"]] {
        let name = |job: &str| format!("{job}-{}", shell[0]);
        let tenants = setup.run_on_gitlab(&name("tenants"), &jobs["tenants"], shell);
        tenants.code(0).stdout_has("report of acme").stderr_has("globex: signed in");
        assert_eq!(setup.read_output(&name("tenants"), "devices.ndjson").lines().count(), 2);
        assert_eq!(setup.cached_tokens(&name("tenants")), 0);
        let one_tenant = setup.run_on_gitlab(&name("one-tenant"), &jobs["one-tenant"], shell);
        one_tenant.code(0).stdout_has("signed in to initech");
    }
    // Without either of the two lines that restrict the file modes, the job fails.
    for line in ["chmod go-w", "chmod 600"] {
        let mut job = jobs["tenants"].clone();
        job["before_script"].as_array_mut().unwrap().retain(|kept| !text(kept).starts_with(line));
        let outcome = setup.run_on_gitlab(&line.replace(' ', "-"), &job, &["sh", "-e"]);
        assert_ne!(outcome.exit_code(), 0, "without {line}");
        outcome.stderr_has(line);
    }
}

#[test]
fn a_container_needs_no_home_for_what_the_page_says() {
    let setup = CiSetup::prepared();
    let folder = setup.create_job("container", true);
    let identity = setup.sandbox.write_secret("mounted", &setup.secrets["NETO_IDENTITY"]);
    let [script] = &blocks("sh")[..] else { panic!("one block") };
    let store = folder.join("checkout/profiles.toml");
    let script = script
        .replace("/srv/tenants/profiles.toml", store.to_str().unwrap())
        .replace("/run/secrets/neto-identity", identity.to_str().unwrap());
    let run = || setup.program(&folder, "sh", &["-e", "-c", &script], &BTreeMap::new());
    run().run().code(0).stdout_has("report of acme").stderr_lacks("warning");
    assert_eq!(setup.read_output("container", "devices.ndjson").lines().count(), 2);
    run().env("HOME", "/proc").run().code(0).stdout_has("report of acme").stderr_has("the token is not kept");
    assert_eq!(setup.read_output("container", "devices.ndjson").lines().count(), 2);
}
