//! The server: its listener in a thread of its own, and what a test asks of it.

use super::certificates::{Authority, Leaf, Versions};
use super::faults::Fault;
use super::record::{Record, Seen};
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

/// Shapes a grant before it is sent.
type Shape = Box<dyn Fn(&mut Map<String, Value>) + Send>;

/// A Fusion server on `127.0.0.1`; it ends when it is dropped.
pub(crate) struct Server {
    origin: String,
    state: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The state, between the test and the server's thread.
pub(super) type Shared = Arc<Mutex<State>>;

/// All that the server knows and was told.
pub(super) struct State {
    pub(super) tenants: Tenants,
    pub(super) record: Record,
    pub(super) jtis: HashSet<u64>,
    /// Seconds that `iat` may be off; None: any.
    pub(super) iat_tolerance: Option<u64>,
    pub(super) shape: Option<Shape>,
    pub(super) faults: Vec<Fault>,
    pub(super) regenerations: usize,
    /// Whether a regeneration ends the access tokens of its key.
    pub(super) regeneration_ends_access: bool,
    /// The roles that a key has after a regeneration, whatever was sent.
    pub(super) roles_after: Option<Vec<String>>,
    clock_skew: i64,
}

impl State {
    /// The server's own clock.
    pub(super) fn now(&self) -> u64 {
        epoch_seconds().saturating_add_signed(self.clock_skew)
    }

    pub(super) fn key(&self, shortname: &str, appname: &str) -> Option<&Key> {
        self.tenants.by_shortname.get(shortname)?.keys.get(appname)
    }

    /// Whose request this is, as far as one can tell before it is carried out.
    pub(super) fn tenant_of(&self, seen: &Seen) -> Option<String> {
        match seen.path.as_str() {
            TOKEN => request_token::shortname_of(&seen.body),
            REFRESH => {
                let (_, token) = url::form_urlencoded::parse(&seen.body).find(|(name, _)| name == "refresh_token")?;
                self.tenants.refreshes(&token).map(|subject| subject.shortname().to_owned())
            }
            _ => self.tenants.holder(seen.bearer()?, self.now()).map(|subject| subject.shortname().to_owned()),
        }
    }
}

/// The real clock; the server's own may differ, see [`Server::set_clock_skew`].
pub(super) fn epoch_seconds() -> u64 {
    u64::try_from(Timestamp::now().as_second()).expect("a time after 1970")
}

impl Server {
    /// Listens for http.
    pub(crate) fn http() -> Self {
        Self::start("http", None)
    }

    /// Listens for https, with a leaf that the authority signs.
    pub(crate) fn https(authority: &Authority, leaf: Leaf) -> Self {
        Self::https_of(authority, leaf, Versions::Both)
    }

    /// The same, with these versions of TLS alone.
    pub(crate) fn https_of(authority: &Authority, leaf: Leaf, versions: Versions) -> Self {
        Self::start("https", Some(authority.acceptor(leaf, versions)))
    }

    fn start(scheme: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let origin = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State {
            tenants: Tenants::default(),
            record: Record::default(),
            jtis: HashSet::new(),
            iat_tolerance: Some(60),
            shape: None,
            faults: Vec::new(),
            regenerations: 0,
            regeneration_ends_access: false,
            roles_after: None,
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The API's url, as a NETOSECRET holds it.
    pub(crate) fn url(&self) -> String {
        format!("{}/api/v1", self.origin)
    }

    // What there is.

    /// Adds an API key, and its tenant if there is none of that shortname yet.
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

    /// Adds a person with a password.
    pub(crate) fn add_person(&self, username: &str) -> Person {
        let password = self.state().tenants.add_person(username);
        Person { url: self.url(), username: username.to_owned(), password }
    }

    /// Gives a tenant accounts below it, as a reseller has.
    pub(crate) fn set_accounts(&self, shortname: &str, accounts: Vec<Account>) {
        self.state().tenants.by_shortname.get_mut(shortname).expect("a tenant").accounts = accounts;
    }

    /// Says when a key was last used (epoch seconds; None: never) and from where.
    pub(crate) fn set_last_login(&self, credential: &Credential, when: Option<u64>, address: &str) {
        let mut state = self.state();
        let tenant = state.tenants.by_shortname.get_mut(&credential.shortname).expect("a tenant");
        let key = tenant.keys.get_mut(&credential.appname).expect("a key");
        (key.last_login, key.last_ip) = (when, address.to_owned());
    }

    /// A new appkey in place of the old one, as if regenerated elsewhere.
    pub(crate) fn regenerate(&self, credential: &Credential) -> Credential {
        let appkey = self.state().tenants.regenerate(&credential.shortname, &credential.appname).expect("a key");
        Credential { appkey, ..credential.clone() }
    }

    /// Removes a key; its tokens end.
    pub(crate) fn remove_key(&self, credential: &Credential) {
        self.state().tenants.remove_key(&credential.shortname, &credential.appname);
    }

    /// Ends every access token now.
    pub(crate) fn end_access_tokens(&self) {
        self.state().tenants.end_access_tokens();
    }

    /// Ends every refresh token now.
    pub(crate) fn end_refresh_tokens(&self) {
        self.state().tenants.end_refresh_tokens();
    }

    // How it behaves.

    /// Lets a regeneration end the access tokens of its key.
    pub(crate) fn end_access_on_regeneration(&self) {
        self.state().regeneration_ends_access = true;
    }

    /// Gives keys these roles with a regeneration, whatever is sent.
    pub(crate) fn set_roles_after(&self, roles: &[&str]) {
        self.state().roles_after = Some(roles.iter().map(|role| (*role).to_owned()).collect());
    }

    /// Gives a key these roles and this description.
    pub(crate) fn describe(&self, shortname: &str, appname: &str, roles: &[&str], description: &str) {
        let mut state = self.state();
        let tenant = state.tenants.by_shortname.get_mut(shortname).expect("a tenant");
        let key = tenant.keys.get_mut(appname).expect("a key");
        key.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        description.clone_into(&mut key.description);
    }

    /// How long what is granted from now on lives.
    pub(crate) fn set_lifetime(&self, lifetime: Lifetime) {
        self.state().tenants.lifetime = lifetime;
    }

    /// The same for one tenant.
    pub(crate) fn set_lifetime_of(&self, shortname: &str, lifetime: Lifetime) {
        self.state().tenants.lifetimes.insert(shortname.to_owned(), lifetime);
    }

    /// Shapes every grant before it is sent: other types, missing fields.
    pub(crate) fn shape_grants(&self, shape: impl Fn(&mut Map<String, Value>) + Send + 'static) {
        self.state().shape = Some(Box::new(shape));
    }

    /// Moves the server's clock by so many seconds: its `Date`, and what it holds `iat` against.
    pub(crate) fn set_clock_skew(&self, seconds: i64) {
        self.state().clock_skew = seconds;
    }

    /// How far `iat` may be off, in seconds; None lets any pass (for a client whose clock a test moves).
    pub(crate) fn set_iat_tolerance(&self, seconds: Option<u64>) {
        self.state().iat_tolerance = seconds;
    }

    /// Sets a fault; of several, the first that fits strikes.
    pub(crate) fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes all faults away.
    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    // What happened.

    /// How many logins were granted.
    pub(crate) fn logins(&self) -> usize {
        self.state().record.logins
    }

    /// How often a key got another appkey.
    pub(crate) fn regenerations(&self) -> usize {
        self.state().regenerations
    }

    /// The names of a tenant's keys with their roles and descriptions, in the order of the names.
    pub(crate) fn keys(&self, shortname: &str) -> Vec<(String, Vec<String>, String)> {
        let state = self.state();
        let keys = &state.tenants.by_shortname[shortname].keys;
        keys.iter().map(|(name, key)| (name.clone(), key.roles.clone(), key.description.clone())).collect()
    }

    /// How many refreshes were granted.
    pub(crate) fn refreshes(&self) -> usize {
        self.state().record.refreshes
    }

    /// Refresh tokens that came again after they were used.
    pub(crate) fn reused_refresh_tokens(&self) -> Vec<String> {
        self.state().record.reused.clone()
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.state().record.connections
    }

    /// Of the connections over TLS: how many agreed on new keys, and how many resumed an earlier session.
    pub(crate) fn handshakes(&self) -> [usize; 2] {
        self.state().record.handshakes
    }

    /// How many requests came for a path, whatever was answered.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state().record.requests.iter().filter(|seen| seen.path == path).count()
    }

    /// All requests, in the order they came.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.state().record.requests.clone()
    }

    /// The server's own part of every request so far, from its head to the head of its answer.
    pub(crate) fn took(&self) -> Vec<Duration> {
        self.state().record.took.clone()
    }

    /// What was against the reference, each with its method and path.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().record.violations.clone()
    }

    /// Every secret made here or sent here, with what it is: nobody but those asked for may show one.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let state = self.state();
        let sent = state.record.request_tokens.iter().map(|token| ("request token", token.clone()));
        state.tenants.secrets.iter().cloned().chain(sent).collect()
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
