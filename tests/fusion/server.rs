//! The Fusion server as tests see it: they start it, add tenants, change settings and query the record.

use super::certificates::{Authority, Leaf, Versions};
use super::faults::Fault;
use super::record::{RecordedRequest, ServerRecord};
use super::request_token;
use super::serve::listen;
use super::tenants::{Account, Credential, Key, Lifetime, Person, Tenants};
use super::{REFRESH, TOKEN};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Function that changes a grant before the server sends it.
type GrantEdit = Box<dyn Fn(&mut Map<String, Value>) + Send>;

/// Running Fusion server on `127.0.0.1`; stops when dropped.
pub(crate) struct Server {
    origin: String,
    state: SharedState,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// State that the test and the server's thread share.
pub(super) type SharedState = Arc<Mutex<ServerState>>;

/// Data, settings and record of the server.
pub(super) struct ServerState {
    pub(super) tenants: Tenants,
    pub(super) record: ServerRecord,
    pub(super) used_jtis: HashSet<u64>,
    /// Permitted difference between `iat` and the current time, in seconds. `None` accepts any `iat`.
    pub(super) iat_tolerance: Option<u64>,
    pub(super) grant_edit: Option<GrantEdit>,
    pub(super) faults: Vec<Fault>,
    pub(super) regenerations: usize,
    /// Whether regenerating a key ends the access tokens of that key.
    pub(super) regeneration_ends_access: bool,
    /// Roles that a key has after its regeneration, in place of the roles in the request.
    pub(super) roles_after_regeneration: Option<Vec<String>>,
    clock_skew: i64,
}

impl ServerState {
    /// Returns the server's time in epoch seconds: the real time plus the clock skew.
    pub(super) fn now(&self) -> u64 {
        epoch_seconds().saturating_add_signed(self.clock_skew)
    }

    pub(super) fn key(&self, shortname: &str, appname: &str) -> Option<&Key> {
        self.tenants.by_shortname.get(shortname)?.keys.get(appname)
    }

    /// Returns the tenant (or the user name) to which the token in the request belongs. Returns `None` if the request
    /// has no token that the server can read or knows.
    pub(super) fn tenant_of(&self, request: &RecordedRequest) -> Option<String> {
        match request.path.as_str() {
            TOKEN => request_token::shortname_of(&request.body),
            REFRESH => {
                let (_, token) =
                    url::form_urlencoded::parse(&request.body).find(|(name, _)| name == "refresh_token")?;
                self.tenants.refresh_token_owner(&token).map(|subject| subject.shortname().to_owned())
            }
            _ => self
                .tenants
                .access_token_owner(request.access_token()?, self.now())
                .map(|subject| subject.shortname().to_owned()),
        }
    }
}

/// Returns the real time in epoch seconds. The server's clock may differ, see [`Server::set_clock_skew`].
pub(super) fn epoch_seconds() -> u64 {
    u64::try_from(Timestamp::now().as_second()).expect("a time after 1970")
}

impl Server {
    /// Starts an http server.
    pub(crate) fn http() -> Self {
        Self::start("http", None)
    }

    /// Starts an https server that presents this leaf certificate and accepts TLS 1.2 and 1.3.
    pub(crate) fn https(authority: &Authority, leaf: Leaf) -> Self {
        Self::https_with_versions(authority, leaf, Versions::Both)
    }

    /// Starts an https server that presents this leaf certificate and accepts only these TLS versions.
    pub(crate) fn https_with_versions(authority: &Authority, leaf: Leaf, versions: Versions) -> Self {
        Self::start("https", Some(authority.acceptor(leaf, versions)))
    }

    fn start(scheme: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let origin = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(ServerState {
            tenants: Tenants::default(),
            record: ServerRecord::default(),
            used_jtis: HashSet::new(),
            iat_tolerance: Some(60),
            grant_edit: None,
            faults: Vec::new(),
            regenerations: 0,
            regeneration_ends_access: false,
            roles_after_regeneration: None,
            clock_skew: 0,
        }));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = listen(listener, tls, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { origin, state, stop: Some(stop), thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Origin of the server: `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// URL of the API, as a NETOSECRET contains it.
    pub(crate) fn url(&self) -> String {
        format!("{}/api/v1", self.origin)
    }

    // Data.

    /// Adds or replaces an API key, and adds its tenant if the shortname is new.
    pub(crate) fn add_tenant(&self, shortname: &str, appname: &str) -> Credential {
        let mut state = self.state();
        let appkey = state.tenants.add_key(shortname, appname, vec!["admin".to_owned()], "made for a test");
        let sharedsecret = state.tenants.by_shortname[shortname].sharedsecret.clone();
        Credential {
            url: self.url(),
            shortname: shortname.to_owned(),
            appname: appname.to_owned(),
            appkey,
            sharedsecret,
        }
    }

    /// Adds a person who can log in with a user name and a new password.
    pub(crate) fn add_person(&self, username: &str) -> Person {
        let password = self.state().tenants.add_person(username);
        Person { url: self.url(), username: username.to_owned(), password }
    }

    /// Sets the accounts that the reseller with this shortname sees.
    pub(crate) fn set_accounts(&self, shortname: &str, accounts: Vec<Account>) {
        self.state().tenants.by_shortname.get_mut(shortname).expect("a tenant").accounts = accounts;
    }

    /// Sets the time and the address of a key's last login. The time is in epoch seconds; `None` means never.
    pub(crate) fn set_last_login(&self, credential: &Credential, when: Option<u64>, address: &str) {
        let mut state = self.state();
        let tenant = state.tenants.by_shortname.get_mut(&credential.shortname).expect("a tenant");
        let key = tenant.keys.get_mut(&credential.appname).expect("a key");
        (key.last_login, key.last_ip) = (when, address.to_owned());
    }

    /// Regenerates a key as another client would, and returns the credential with the new appkey.
    pub(crate) fn regenerate(&self, credential: &Credential) -> Credential {
        let appkey = self.state().tenants.regenerate_key(&credential.shortname, &credential.appname).expect("a key");
        Credential { appkey, ..credential.clone() }
    }

    /// Removes a key and ends its access tokens and refresh tokens.
    pub(crate) fn remove_key(&self, credential: &Credential) {
        self.state().tenants.remove_key(&credential.shortname, &credential.appname);
    }

    /// Ends all access tokens.
    pub(crate) fn end_access_tokens(&self) {
        self.state().tenants.end_access_tokens();
    }

    /// Ends all refresh tokens.
    pub(crate) fn end_refresh_tokens(&self) {
        self.state().tenants.end_refresh_tokens();
    }

    // Settings.

    /// Makes each later regeneration end the access tokens of the key.
    pub(crate) fn end_access_on_regeneration(&self) {
        self.state().regeneration_ends_access = true;
    }

    /// Sets the roles that a key has after a regeneration, in place of the roles in the request.
    pub(crate) fn set_roles_after_regeneration(&self, roles: &[&str]) {
        self.state().roles_after_regeneration = Some(roles.iter().map(|role| (*role).to_owned()).collect());
    }

    /// Sets the roles and the description of a key.
    pub(crate) fn describe(&self, shortname: &str, appname: &str, roles: &[&str], description: &str) {
        let mut state = self.state();
        let tenant = state.tenants.by_shortname.get_mut(shortname).expect("a tenant");
        let key = tenant.keys.get_mut(appname).expect("a key");
        key.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        description.clone_into(&mut key.description);
    }

    /// Sets the lifetime of later grants, except for tenants with their own lifetime.
    pub(crate) fn set_lifetime(&self, lifetime: Lifetime) {
        self.state().tenants.lifetime = lifetime;
    }

    /// Sets the lifetime of later grants to one tenant.
    pub(crate) fn set_tenant_lifetime(&self, shortname: &str, lifetime: Lifetime) {
        self.state().tenants.lifetimes.insert(shortname.to_owned(), lifetime);
    }

    /// Changes each later grant before it is sent, for example removes a field or changes its type.
    pub(crate) fn edit_grants(&self, grant_edit: impl Fn(&mut Map<String, Value>) + Send + 'static) {
        self.state().grant_edit = Some(Box::new(grant_edit));
    }

    /// Sets the difference between the server's clock and the real time. The server's clock gives `Date` and token
    /// expiry, and is compared with `iat`.
    pub(crate) fn set_clock_skew(&self, seconds: i64) {
        self.state().clock_skew = seconds;
    }

    /// Sets the permitted difference between `iat` and the current time, in seconds. `None` accepts any `iat`, for
    /// tests that change the client's clock.
    pub(crate) fn set_iat_tolerance(&self, seconds: Option<u64>) {
        self.state().iat_tolerance = seconds;
    }

    /// Adds a fault. If several faults affect a request, the fault added first takes effect.
    pub(crate) fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Clears all faults.
    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    // Results.

    /// Number of logins granted.
    pub(crate) fn logins(&self) -> usize {
        self.state().record.logins
    }

    /// Number of keys regenerated by requests.
    pub(crate) fn regenerations(&self) -> usize {
        self.state().regenerations
    }

    /// Returns the name, roles and description of each key of a tenant, sorted by name.
    pub(crate) fn keys(&self, shortname: &str) -> Vec<(String, Vec<String>, String)> {
        let state = self.state();
        let keys = &state.tenants.by_shortname[shortname].keys;
        keys.iter().map(|(name, key)| (name.clone(), key.roles.clone(), key.description.clone())).collect()
    }

    /// Number of refreshes granted.
    pub(crate) fn refreshes(&self) -> usize {
        self.state().record.refreshes
    }

    /// Refresh tokens that a client sent again after the server had accepted them.
    pub(crate) fn reused_refresh_tokens(&self) -> Vec<String> {
        self.state().record.reused_refresh_tokens.clone()
    }

    /// Number of connections accepted.
    pub(crate) fn connections(&self) -> usize {
        self.state().record.connections
    }

    /// Numbers of full and of resumed TLS handshakes, in this order.
    pub(crate) fn handshakes(&self) -> [usize; 2] {
        self.state().record.handshakes
    }

    /// Number of requests for a path, including failed requests.
    pub(crate) fn request_count(&self, path: &str) -> usize {
        self.state().record.requests.iter().filter(|request| request.path == path).count()
    }

    /// All requests in the order received.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.state().record.requests.clone()
    }

    /// Time from the head of each request to the head of its response, in the order of the responses.
    pub(crate) fn response_times(&self) -> Vec<Duration> {
        self.state().record.response_times.clone()
    }

    /// Violations of the API reference, each with the method and the path of the request.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().record.violations.clone()
    }

    /// All secrets that the server created, and all request tokens that it received, each with its kind.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let state = self.state();
        let request_tokens = state.record.request_tokens.iter().map(|token| ("request token", token.clone()));
        state.tenants.secrets.iter().cloned().chain(request_tokens).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
