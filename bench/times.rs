//! Measures the run times of commands for one profile among many, and compares them with the goals.

use crate::home::{self, Home, PROFILE};
use crate::peers::{Peers, find_on_path};
use crate::stopwatch::{Program, Runs, Stopwatch, median};
use crate::table::Table;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How often each program is run
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many profiles there are: a home is made of each number
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 1_000, 2_000, 10_000], value_name = "COUNTS")]
    profiles: Vec<usize>,
    /// Leave other keepers of secrets out
    #[arg(long)]
    without_peers: bool,
    /// Print the tables as Markdown, as they stand in docs/performance.md
    #[arg(long)]
    markdown: bool,
}

/// Number of unmeasured rounds, which fill the page cache and let neto write its caches.
const WARM_UP: usize = 20;

/// Indexes of the first [`FIXED`] programs. After them come [`PER_SIZE`] programs for each number of profiles, then the
/// peers.
#[derive(Clone, Copy)]
enum Slot {
    Empty,
    TokenNamed,
    TokenCurrent,
    Export,
    Prompt,
    True,
    Exec,
    Login,
}

const FIXED: usize = 8;

/// Number of programs that are timed in each home.
const PER_SIZE: usize = 5;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::temp_dir();
    let server = home::server();
    let neto = &home::install_copy(neto, folder.path());
    let sizes = sizes(&options.profiles);
    eprintln!("making homes of {sizes:?} profiles and one for logins");
    let homes: Vec<Home> = sizes
        .iter()
        .map(|count| Home::new(neto, &server, folder.path().join(format!("home-{count}")), *count))
        .collect();
    let login = Home::new(neto, &server, folder.path().join("login"), 1);
    let peers_dir = folder.path().join("peers");
    fs::create_dir(&peers_dir).expect("a new folder");
    let peers = (!options.without_peers).then(|| Peers::new(&peers_dir, &server.add_tenant("recipe", "bench")));

    let mut programs = fixed_programs(neto, folder.path(), &homes[0], &login).to_vec();
    programs.extend(homes.iter().flat_map(|home| programs_per_size(neto, home)));
    programs.extend(peers.iter().flat_map(|peers| peers.programs.clone()));
    let stopwatch = Stopwatch::new(folder.path());
    eprintln!("warming up");
    stopwatch.run(&programs, WARM_UP);
    while !homes.iter().all(Home::is_settled) {
        stopwatch.run(&programs, 1);
    }
    stopwatch.run(&programs, 1);
    let rounds = usize::try_from(options.rounds).expect("a count");
    eprintln!("{rounds} rounds of {} programs", programs.len());
    let before = server.response_times().len();
    let runs = stopwatch.run(&programs, rounds);
    let response_times = &server.response_times()[before..];
    assert_eq!(response_times.len(), rounds, "one login a round, and nothing else, asks the server");
    let client_ms = runs[Slot::Login as usize].0.iter().zip(response_times);
    let client_ms = median(client_ms.map(|(run, response_time)| run.milliseconds - response_time.as_secs_f64() * 1e3));

    let violations = server.violations();
    assert!(violations.is_empty(), "against the API's reference: {violations:?}");

    let results = Results { programs, runs, sizes, client_ms, bytes: fs::metadata(neto).expect("neto").len() };
    println!("{}", describe_machine(neto, &format!("Medians of {rounds} interleaved rounds.")));
    for table in [results.costs(), results.growth(), results.goals()] {
        println!("{}", if options.markdown { table.markdown() } else { table.text() });
    }
    if let Some(peers) = peers.filter(|peers| !peers.absent.is_empty()) {
        println!("Absent here: {}.", peers.absent.join(", "));
    }
    ExitCode::SUCCESS
}

/// Returns the numbers of profiles, sorted and without duplicates. 0 is removed. 1 is always included, because growth
/// is relative to one profile.
fn sizes(asked: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = asked.iter().copied().chain([1]).filter(|count| *count > 0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Returns the programs in the order of [`Slot`].
fn fixed_programs(neto: &Path, folder: &Path, one: &Home, login: &Home) -> [Program; FIXED] {
    let empty = home::install_copy(&home::empty_program(folder), folder);
    let true_program = find_on_path("true").expect("`true`");
    let program = |label, program: &Path, arguments: &[&str], home: &Home| {
        Program::new(label, program, arguments, home.path()).with_env(home.variables())
    };
    [
        program("an empty program", &empty, &[], one),
        program("neto token NAME", neto, &["token", PROFILE], one),
        program("neto token", neto, &["token"], one),
        program("neto export NAME", neto, &["export", PROFILE], one),
        program("neto prompt", neto, &["prompt"], one),
        program("true", &true_program, &[], one),
        program("neto exec -- true", neto, &["exec", "--", true_program.to_str().expect("UTF-8")], one),
        program("neto login --force NAME, with the server", neto, &["login", "--force", PROFILE], login),
    ]
}

/// Returns the programs that are timed in each home: `token`, `status`, `prompt`, and two completions. A completion is
/// TAB after one name, or TAB after the common prefix of all names.
fn programs_per_size(neto: &Path, home: &Home) -> [Program; PER_SIZE] {
    let count = home.count;
    let program = |arguments: &[&str]| {
        let label = format!("neto {} among {count}", arguments.join(" "));
        Program::new(label, neto, arguments, home.path()).with_env(home.variables())
    };
    let asked = [("_NETO_COMPLETE".to_owned(), "zsh".to_owned())];
    let variables: Vec<_> = home.variables().into_iter().chain(asked).collect();
    let tab = |start: &str| program(&["--", "neto", "login", start]).with_env(variables.clone());
    [
        program(&["token", PROFILE]),
        program(&["status", "-o", "json"]),
        program(&["prompt"]),
        tab(PROFILE),
        tab("tenant-"),
    ]
}

/// Programs, and the measurements of each program.
struct Results {
    programs: Vec<Program>,
    runs: Vec<Runs>,
    sizes: Vec<usize>,
    /// Median time of a login without the time spent in the server, in milliseconds.
    client_ms: f64,
    /// Size of the neto binary, in bytes.
    bytes: u64,
}

impl Results {
    fn median_ms(&self, slot: Slot) -> f64 {
        self.runs[slot as usize].milliseconds()
    }

    /// Returns the runs of [`programs_per_size`] in the home with this index.
    fn runs_at(&self, size: usize) -> [&Runs; PER_SIZE] {
        std::array::from_fn(|index| &self.runs[FIXED + PER_SIZE * size + index])
    }

    /// Returns the runs in the home with `count` profiles, or `None` if there is no such home.
    fn runs_for(&self, count: usize) -> Option<[&Runs; PER_SIZE]> {
        Some(self.runs_at(self.sizes.iter().position(|known| *known == count)?))
    }

    /// Builds the table of costs, without the programs of [`programs_per_size`].
    fn costs(&self) -> Table {
        let empty = self.median_ms(Slot::Empty);
        let mut table = Table::new(["what", "ms", "x empty", "CPU ms", "peak MiB"]);
        let peers = FIXED + PER_SIZE * self.sizes.len();
        for (index, (program, runs)) in self.programs.iter().zip(&self.runs).enumerate() {
            if (FIXED..peers).contains(&index) {
                continue;
            }
            let ms = runs.milliseconds();
            let (busy, peak) = (runs.busy_milliseconds(), runs.peak_mib());
            table.push(vec![
                program.label.clone(),
                two_decimals(ms),
                two_decimals(ms / empty),
                two_decimals(busy),
                one_decimal(peak),
            ]);
        }
        table
    }

    fn growth(&self) -> Table {
        let one = self.runs_at(0)[0].milliseconds();
        let head = [
            "profiles",
            "token NAME: ms",
            "x one profile",
            "peak MiB",
            "status -o json: ms",
            "CPU ms",
            "peak MiB",
            "prompt: ms",
            "TAB at one: ms",
            "TAB at all: ms",
            "peak MiB",
        ];
        let mut table = Table::new(head);
        for (size, count) in self.sizes.iter().enumerate() {
            let [token, status, prompt, tab_one, tab_all] = self.runs_at(size);
            let ms = token.milliseconds();
            let status = [status.milliseconds(), status.busy_milliseconds(), status.peak_mib()];
            let mut row =
                vec![count.to_string(), two_decimals(ms), two_decimals(ms / one), one_decimal(token.peak_mib())];
            row.extend(status.map(one_decimal));
            let tabs = [tab_one.milliseconds(), tab_all.milliseconds(), tab_all.peak_mib()];
            row.push(two_decimals(prompt.milliseconds()));
            row.extend(tabs.map(one_decimal));
            table.push(row);
        }
        table
    }

    fn goals(&self) -> Table {
        let mut table = Table::new(["goal", "at most", "seen", ""]);
        let mut goal = |what: &str, limit: f64, measured: Option<f64>, unit: &str| {
            push_goal(&mut table, what, limit, measured, unit);
        };
        let empty = self.median_ms(Slot::Empty);
        let many = self.runs_for(10_000);
        let one = self.runs_at(0)[0].milliseconds();
        goal("neto token NAME, against an empty program", 1.35, Some(self.median_ms(Slot::TokenNamed) / empty), " x");
        goal("neto token, against an empty program", 1.35, Some(self.median_ms(Slot::TokenCurrent) / empty), " x");
        goal("neto export NAME, against an empty program", 1.45, Some(self.median_ms(Slot::Export) / empty), " x");
        goal("neto prompt, against an empty program", 2.0, Some(self.median_ms(Slot::Prompt) / empty), " x");
        let token = many.map(|[token, ..]| token.milliseconds() / one);
        goal("neto token among 10,000 profiles, against one", 1.1, token, " x");
        let status = many.map(|[_, status, ..]| status.milliseconds());
        goal("neto status -o json of 10,000 profiles", 60.0, status, " ms");
        let prompt = many.map(|[_, _, prompt, ..]| prompt.milliseconds());
        goal("neto prompt among 10,000 profiles", 5.0, prompt, " ms");
        for (count, of) in [(2_000, "2,000"), (10_000, "10,000")] {
            let [tab_one, tab_all] = [3, 4].map(|index| self.runs_for(count).map(|runs| runs[index].milliseconds()));
            goal(&format!("a TAB behind a name among {of}"), 20.0, tab_one, " ms");
            goal(&format!("a TAB that offers all {of} names"), 20.0, tab_all, " ms");
        }
        goal(
            "neto exec -- true, more than true",
            1.3,
            Some(self.median_ms(Slot::Exec) - self.median_ms(Slot::True)),
            " ms",
        );
        let login = "neto login without the server's part, more than an empty program";
        goal(login, 4.0, Some(self.client_ms - empty), " ms");
        goal("the binary", 6.0, Some(self.bytes as f64 / 1e6), " MB");
        table
    }
}

/// Adds a row to a table of goals: the limit, the measured figure if there is one, and whether the goal is reached.
pub(crate) fn push_goal(table: &mut Table, what: &str, limit: f64, measured: Option<f64>, unit: &str) {
    let result = measured.map_or("not measured", |measured| if measured <= limit { "reached" } else { "missed" });
    let measured = measured.map_or_else(|| "-".to_owned(), |measured| format!("{}{unit}", two_decimals(measured)));
    table.push(vec![what.to_owned(), format!("{}{unit}", two_decimals(limit)), measured, result.to_owned()]);
}

pub(crate) fn one_decimal(figure: f64) -> String {
    format!("{figure:.1}")
}

pub(crate) fn two_decimals(figure: f64) -> String {
    format!("{figure:.2}")
}

/// Describes the measured program, the machine, and `how` they were measured.
pub(crate) fn describe_machine(neto: &Path, how: &str) -> String {
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let version = first(home::run_checked(Command::new(neto).arg("--version"), ""));
    let rustc = first(home::run_checked(Command::new("rustc").arg("--version"), ""));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{version}, {rustc}; {cores} cores ({model}), Linux {kernel}. {how}\n")
}
