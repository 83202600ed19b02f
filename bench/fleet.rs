//! Many profiles at once against a server that takes its time, beside the ideal: requests, divided by those in flight,
//! times the time that one takes.

use crate::fusion::{Authority, Fault, Leaf, Server, TOKEN};
use crate::home::{self, Home};
use crate::stopwatch::{Program, Runs, Stopwatch};
use crate::table::Table;
use crate::times::{f1, f2, goal, machine};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How often each is run, but for the import, which can be done once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many profiles there are: a home is made of each number
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 2_000, 10_000], value_name = "COUNTS")]
    profiles: Vec<usize>,
    /// How many requests are in flight
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// How long the server takes for each, in milliseconds
    #[arg(long, default_value_t = 50, value_name = "MS")]
    delay: u64,
    /// Where the homes are made: each login writes a file, so the file system counts
    #[arg(long, default_value = "/tmp", value_name = "DIR")]
    folder: PathBuf,
    /// Print the tables as Markdown, as they stand in docs/performance.md
    #[arg(long)]
    markdown: bool,
}

/// The call of `status --live`, and of `api` here.
const KEYS: &str = "/api/v1/api-keys";

/// Of so many the goals speak.
const GOAL: usize = 2_000;
const MOST: usize = 10_000;

/// `status` is short, so it is run oftener.
const SHORT: usize = 7;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::folder_in(&options.folder);
    let bench = Bench {
        neto,
        folder: folder.path(),
        stopwatch: Stopwatch::new(folder.path()),
        has_api: knows_api(neto),
        options,
    };
    let mut sizes = options.profiles.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let fleets: Vec<Fleet> = sizes.iter().map(|count| bench.fleet(*count)).collect();
    let secure = sizes.contains(&GOAL).then(|| bench.encrypted(GOAL));
    let Options { rounds, jobs, delay, .. } = options;
    let how = format!("Medians of {rounds} rounds. {jobs} requests in flight; the server takes {delay} ms for each.");
    println!("{}", machine(neto, &how));
    let show = |table: &Table| println!("{}", if options.markdown { table.markdown() } else { table.text() });
    show(&work(&fleets));
    show(&lists(&fleets));
    if let Some(secure) = &secure {
        show(&secure.table());
    }
    show(&goals(&fleets, secure.as_ref()));
    ExitCode::SUCCESS
}

/// What it is measured with.
struct Bench<'a> {
    neto: &'a Path,
    folder: &'a Path,
    stopwatch: Stopwatch,
    /// Whether this neto has the verb.
    has_api: bool,
    options: &'a Options,
}

/// What so many profiles cost.
struct Fleet {
    count: usize,
    /// In milliseconds.
    ideal: f64,
    import: Runs,
    login: Runs,
    live: Runs,
    api: Option<Runs>,
    status: Runs,
}

/// Logins over TLS.
struct Encrypted {
    ideal: f64,
    login: Runs,
    requests: usize,
    connections: usize,
    /// With new keys, and resumed.
    handshakes: [usize; 2],
}

impl Bench<'_> {
    fn fleet(&self, count: usize) -> Fleet {
        eprintln!("{count} profiles");
        let server = home::server();
        let home = Home::empty(self.neto, self.folder.join(format!("home-{count}")), count);
        let import = self.import(&server, &home);
        self.slow_down(&server);
        let login = self.logins(&home, &self.program(&home, &self.many(&["login"])));
        let live = self.measure(&home, &self.many(&["status", "--live"]), self.rounds());
        let api = self.has_api.then(|| self.measure(&home, &self.many(&["api", "GET", KEYS]), self.rounds()));
        let status = self.measure(&home, &words(&["status", "-o", "json"]), self.rounds() * SHORT);
        assert_eq!(server.logins(), count * self.rounds(), "each login asks once, and nothing else does");
        is_clean(&server);
        Fleet { count, ideal: self.ideal(count), import, login, live, api, status }
    }

    fn encrypted(&self, count: usize) -> Encrypted {
        eprintln!("{count} profiles over TLS");
        let authority = Authority::new();
        let roots = self.folder.join("roots.pem");
        fs::write(&roots, authority.pem()).expect("a file of roots");
        let server = home::granting(Server::https(&authority, Leaf::Good));
        let home = Home::empty(self.neto, self.folder.join("encrypted"), count);
        self.import(&server, &home);
        self.slow_down(&server);
        let mut program = self.program(&home, &self.many(&["login"]));
        program.variables.push(("SSL_CERT_FILE".to_owned(), roots.display().to_string()));
        let login = self.logins(&home, &program);
        is_clean(&server);
        let a_round = |all: usize| all / self.rounds();
        Encrypted {
            ideal: self.ideal(count),
            login,
            requests: a_round(server.requests().len()),
            connections: a_round(server.connections()),
            handshakes: server.handshakes().map(a_round),
        }
    }

    /// As many NETOSECRETs as the home is to have, from one file.
    fn import(&self, server: &Server, home: &Home) -> Runs {
        let tenant = |number| server.add_tenant(&format!("tenant-{number}"), "bench").netosecret() + "\n";
        let file = home.path().join("secrets.txt");
        fs::write(&file, (0..home.count).map(tenant).collect::<String>()).expect("a file of secrets");
        self.measure(home, &words(&["profile", "import", "secrets.txt"]), 1)
    }

    /// Each of profiles that have no token.
    fn logins(&self, home: &Home, program: &Program) -> Runs {
        let round = || {
            home.run(self.neto, &["logout", "--all"]);
            self.stopwatch.run(std::slice::from_ref(program), 1).remove(0).0.remove(0)
        };
        Runs((0..self.rounds()).map(|_| round()).collect())
    }

    fn slow_down(&self, server: &Server) {
        let slow = |path| Fault::at(path).delay(Duration::from_millis(self.options.delay));
        server.fault(slow(TOKEN));
        // It would know the tokens that it made, not those that it gave: they are all of one length.
        server.fault(slow(KEYS).answer(200, r#"{"meta":{"code":200,"count":0},"data":[]}"#));
    }

    fn measure(&self, home: &Home, arguments: &[String], rounds: usize) -> Runs {
        self.stopwatch.run(&[self.program(home, arguments)], rounds).remove(0)
    }

    fn program(&self, home: &Home, arguments: &[String]) -> Program {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Program::new("", self.neto, &arguments, home.path()).with(home.variables())
    }

    /// The verb for all profiles, so many at once.
    fn many(&self, verb: &[&str]) -> Vec<String> {
        words(verb).into_iter().chain(words(&["--all", "--jobs", &self.options.jobs.to_string()])).collect()
    }

    fn rounds(&self) -> usize {
        usize::try_from(self.options.rounds).expect("a count")
    }

    /// In milliseconds.
    fn ideal(&self, count: usize) -> f64 {
        let jobs = usize::try_from(self.options.jobs).expect("a count");
        count as f64 / jobs.min(count) as f64 * self.options.delay as f64
    }
}

impl Encrypted {
    fn table(&self) -> Table {
        let head = ["over TLS", "s", "x ideal", "peak MiB", "requests", "connections", "full handshakes", "resumed"];
        let mut table = Table::new(head);
        let ms = self.login.milliseconds();
        let [full, resumed] = self.handshakes;
        let counts = [self.requests, self.connections, full, resumed].map(|count| count.to_string());
        let figures = [format!("login of {GOAL}"), f2(ms / 1e3), f2(ms / self.ideal), f1(self.login.peak())];
        table.push(figures.into_iter().chain(counts).collect());
        table
    }
}

/// What waits for the server.
fn work(fleets: &[Fleet]) -> Table {
    let mut table = Table::new([
        "profiles",
        "ideal: s",
        "login: s",
        "x ideal",
        "CPU s",
        "peak MiB",
        "status --live: s",
        "x ideal",
        "api --all: s",
        "x ideal",
    ]);
    let beside = |runs: &Runs, ideal: f64| [f2(runs.milliseconds() / 1e3), f2(runs.milliseconds() / ideal)];
    for Fleet { count, ideal, login, live, api, .. } in fleets {
        let api = api.as_ref().map_or_else(|| ["-".to_owned(), "-".to_owned()], |api| beside(api, *ideal));
        let own = [f2(login.busy_milliseconds() / 1e3), f1(login.peak())];
        let row = [count.to_string(), f2(ideal / 1e3)].into_iter().chain(beside(login, *ideal)).chain(own);
        table.push(row.chain(beside(live, *ideal)).chain(api).collect());
    }
    table
}

/// What waits for nobody.
fn lists(fleets: &[Fleet]) -> Table {
    let mut table =
        Table::new(["profiles", "import: s", "CPU s", "peak MiB", "status -o json: ms", "CPU ms", "peak MiB"]);
    for Fleet { count, import, status, .. } in fleets {
        table.push(vec![
            count.to_string(),
            f2(import.milliseconds() / 1e3),
            f2(import.busy_milliseconds() / 1e3),
            f1(import.peak()),
            f1(status.milliseconds()),
            f1(status.busy_milliseconds()),
            f1(status.peak()),
        ]);
    }
    table
}

fn goals(fleets: &[Fleet], secure: Option<&Encrypted>) -> Table {
    let mut table = Table::new(["goal", "at most", "seen", ""]);
    let of = |count: usize| fleets.iter().find(|fleet| fleet.count == count);
    let (some, most) = (of(GOAL), of(MOST));
    let beside = |runs: &Runs, ideal: f64| runs.milliseconds() / ideal;
    let login = some.map(|fleet| beside(&fleet.login, fleet.ideal));
    goal(&mut table, "login of 2,000, against the ideal", 1.3, login, " x");
    let peak = some.map(|fleet| fleet.login.peak() * 1.048_576);
    goal(&mut table, "login of 2,000: memory at its peak", 60.0, peak, " MB");
    let api = some.and_then(|fleet| Some(beside(fleet.api.as_ref()?, fleet.ideal)));
    goal(&mut table, "api --all of 2,000, against the ideal", 1.3, api, " x");
    let live = some.map(|fleet| beside(&fleet.live, fleet.ideal));
    goal(&mut table, "status --live of 2,000, against the ideal", 1.3, live, " x");
    let full = secure.map(|secure| secure.handshakes[0] as f64 / secure.requests as f64 * 100.0);
    goal(&mut table, "logins over TLS that needed a full handshake", 5.0, full, " %");
    goal(&mut table, "import of 10,000", 10.0, most.map(|fleet| fleet.import.milliseconds() / 1e3), " s");
    goal(&mut table, "status -o json of 10,000", 60.0, most.map(|fleet| fleet.status.milliseconds()), " ms");
    table
}

fn knows_api(neto: &Path) -> bool {
    let help = Command::new(neto).args(["api", "--help"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    help.is_ok_and(|status| status.success())
}

fn is_clean(server: &Server) {
    let breaches = server.violations();
    assert!(breaches.is_empty(), "against the API's reference: {breaches:?}");
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
