//! Measures the cost of the decoy (`neto proxy`): the same requests go directly to a server and through the decoy. Also
//! measures large bodies and a thousand requests at once.

use crate::home::{self, PROFILE};
use crate::stopwatch::median;
use crate::table::Table;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How many requests one after the other, each way
    #[arg(long, default_value_t = 6_000)]
    requests: usize,
    /// How many gibibytes in one body, each way
    #[arg(long, default_value_t = 1)]
    gibibytes: u64,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
}

/// Number of requests in flight while requests per second are measured.
const CONCURRENT_REQUESTS: usize = 32;
/// Number of requests sent at the same time, each on its own connection.
const AT_ONCE: usize = 1_000;
/// Number of measured rounds. Each round measures the direct route, then the decoy.
const ROUNDS: usize = 5;
const CHUNK_BYTES: usize = 64 * 1024;
/// Length of the access token in bytes, as the API grants it.
const TOKEN_BYTES: usize = 1_100;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::temp_dir();
    let neto = &home::install_copy(neto, folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = serve(options.gibibytes << 30);
    let proxy = Proxy::start(neto, folder.path(), address);
    let direct = Route { base: format!("http://{address}/api/v1"), token: "a".repeat(TOKEN_BYTES) };
    let through = Route { base: proxy.url.clone(), token: proxy.token.clone() };
    let mut table = Table::new(["what", "direct", "through the decoy", "", "goal"]);
    let mut row = |what: &str, direct: String, through: String, comparison: String, goal: &str| {
        table.push([what, &direct, &through, &comparison, goal].map(str::to_owned).to_vec());
    };

    let [direct_result, decoy_result] = runtime.block_on(median_latencies(&direct, &through, options.requests));
    let (ms, added) = (|ms: f64| format!("{ms:.3} ms"), decoy_result - direct_result);
    row("a request, median", ms(direct_result), ms(decoy_result), format!("{added:+.3} ms"), "at most +0.300 ms");

    let [direct_result, decoy_result] = runtime.block_on(requests_per_second(&direct, &through, options.requests));
    let ratio = decoy_result / direct_result;
    row(
        &format!("requests a second, {CONCURRENT_REQUESTS} at once"),
        format!("{direct_result:.0}"),
        format!("{decoy_result:.0}"),
        format!("{ratio:.2} x"),
        "at least 0.50 x",
    );

    let length = options.gibibytes << 30;
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    for (what, up) in [("up", true), ("down", false)] {
        let direct_result = runtime.block_on(time_body(&direct, length, up));
        let decoy_result = runtime.block_on(time_body(&through, length, up));
        row(
            &format!("{} GiB {what}", options.gibibytes),
            seconds(direct_result),
            seconds(decoy_result),
            String::new(),
            "",
        );
    }
    row(
        "peak memory of neto until here",
        String::new(),
        format!("{:.1} MB", proxy.peak_bytes() / 1e6),
        String::new(),
        "under 40 MB",
    );
    let failed = |route| runtime.block_on(count_failures(route));
    let (direct_result, decoy_result) = (failed(&direct), failed(&through));
    row(
        &format!("of {AT_ONCE} requests at once, failed"),
        direct_result.to_string(),
        decoy_result.to_string(),
        String::new(),
        "0",
    );
    row(
        "peak memory of neto with these",
        String::new(),
        format!("{:.1} MB", proxy.peak_bytes() / 1e6),
        String::new(),
        "",
    );
    println!("{}", if options.markdown { table.markdown() } else { table.text() });
    ExitCode::SUCCESS
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Base URL and access token of requests, either direct or through the decoy.
struct Route {
    base: String,
    token: String,
}

impl Route {
    async fn get(&self, client: &reqwest::Client) -> Result<(), reqwest::Error> {
        let response = client.get(format!("{}/small", self.base)).bearer_auth(&self.token).send().await?;
        response.error_for_status()?.bytes().await.map(drop)
    }
}

fn client() -> reqwest::Client {
    // reqwest needs a crypto provider even for plain http. Later calls fail because a provider is installed, so the
    // result is ignored.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Returns the median latency of each route in milliseconds. Requests are sent one at a time, alternately on each
/// route; the first 100 on each are not measured.
async fn median_latencies(direct: &Route, through: &Route, requests: usize) -> [f64; 2] {
    let clients = [client(), client()];
    let mut latencies = [Vec::new(), Vec::new()];
    for number in 0..requests + 100 {
        for (index, route) in [direct, through].into_iter().enumerate() {
            let started = Instant::now();
            route.get(&clients[index]).await.expect("an answer");
            if number >= 100 {
                latencies[index].push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    latencies.map(|latencies| median(latencies.into_iter()))
}

/// Returns the requests per second of each route: the median of [`ROUNDS`] rounds after an unmeasured round.
async fn requests_per_second(direct: &Route, through: &Route, requests: usize) -> [f64; 2] {
    let clients = [client(), client()];
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (index, route) in [direct, through].into_iter().enumerate() {
            let started = Instant::now();
            let requests_per_task = requests / CONCURRENT_REQUESTS;
            join_all((0..CONCURRENT_REQUESTS).map(async |_| {
                for _ in 0..requests_per_task {
                    route.get(&clients[index]).await.expect("an answer");
                }
            }))
            .await;
            if round > 0 {
                rates[index].push((requests_per_task * CONCURRENT_REQUESTS) as f64 / started.elapsed().as_secs_f64());
            }
        }
    }
    rates.map(|rates| median(rates.into_iter()))
}

/// Sends [`AT_ONCE`] requests at the same time and returns the number of failed requests.
async fn count_failures(route: &Route) -> usize {
    let outcomes = join_all((0..AT_ONCE).map(async |_| route.get(&client()).await)).await;
    outcomes.iter().filter(|outcome| outcome.is_err()).count()
}

/// Returns the time to send (`up`) or receive a body of `length` bytes.
async fn time_body(route: &Route, length: u64, up: bool) -> Duration {
    let client = client();
    let started = Instant::now();
    if up {
        let body = reqwest::Body::wrap(zeros(length));
        let response = client.post(format!("{}/up", route.base)).bearer_auth(&route.token).body(body).send().await;
        let response = response.expect("an answer").text().await.expect("its text");
        assert_eq!(response, length.to_string(), "every byte arrived");
    } else {
        let mut response =
            client.get(format!("{}/down", route.base)).bearer_auth(&route.token).send().await.expect("an answer");
        let mut received = 0;
        while let Some(chunk) = response.chunk().await.expect("a piece") {
            received += chunk.len() as u64;
        }
        assert_eq!(received, length, "every byte came");
    }
    started.elapsed()
}

fn zeros(length: u64) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Sync + Unpin + 'static {
    let chunk = Bytes::from(vec![0; CHUNK_BYTES]);
    let chunks = (0..length / CHUNK_BYTES as u64).map(move |_| Ok(Frame::data(chunk.clone())));
    StreamBody::new(futures_util::stream::iter(chunks))
}

/// Starts a server on its own thread. The server grants an access token, accepts bodies of any size, and sends bodies
/// of `length` bytes.
fn serve(length: u64) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener that does not block");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { listen(TcpListener::from_std(listener).expect("a listener"), length).await });
    });
    address
}

async fn listen(listener: TcpListener, length: u64) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, length));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    length: u64,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = BoxError>>, Infallible> {
    let text = |text: String| Either::Left(Full::new(Bytes::from(text)));
    let path = request.uri().path().to_owned();
    Ok(Response::new(match path.as_str() {
        "/api/v1/auth/token" => {
            text(json!({"access_token": "a".repeat(TOKEN_BYTES), "expires_in": 86_400}).to_string())
        }
        "/api/v1/down" => Either::Right(zeros(length)),
        "/api/v1/up" => {
            let mut body = request.into_body();
            let mut received = 0;
            while let Some(Ok(frame)) = body.frame().await {
                received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            text(received.to_string())
        }
        _ => text(json!({"data": "x".repeat(200)}).to_string()),
    }))
}

/// Running `neto proxy`; killed when dropped.
struct Proxy {
    child: Child,
    url: String,
    token: String,
}

impl Proxy {
    fn start(neto: &Path, folder: &Path, server: SocketAddr) -> Self {
        let command = |arguments: &[&str]| {
            let mut command = Command::new(neto);
            command.args(arguments).env_clear().env("NETO_HOME", folder.join("proxy")).env("HOME", folder);
            command
        };
        let secret = json!({
            "url": format!("http://{server}"), "shortname": "bench", "appname": "bench",
            "appkey": "k".repeat(24), "sharedsecret": "s".repeat(32),
        });
        let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret.to_string());
        home::run_checked(&mut command(&["profile", "add", PROFILE]), &secret);
        let mut started = command(&["proxy", PROFILE, "--format", "json", "--quiet"]);
        let mut child = started.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("neto");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let mut text = String::new();
        for line in lines {
            text += &line;
            if line == "}" {
                break;
            }
        }
        let environment: Value = serde_json::from_str(&text).expect("an environment");
        let value = |name: &str| environment[name].as_str().expect("a value").to_owned();
        Self { child, url: value("NETO_URL"), token: value("NETO_TOKEN") }
    }

    /// Returns the peak memory of the proxy so far, in bytes.
    fn peak_bytes(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a living proxy");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
