//! Tenants with their API keys and accounts, people with passwords, and the tokens granted to both.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The five fields of a NETOSECRET. A test passes them to neto.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) url: String,
    pub(crate) shortname: String,
    pub(crate) appname: String,
    pub(crate) appkey: String,
    pub(crate) sharedsecret: String,
}

impl Credential {
    /// Encodes the credential as a NETOSECRET: JSON in standard base64 with padding, as the portal shows it.
    pub(crate) fn netosecret(&self) -> String {
        STANDARD.encode(self.json().to_string())
    }

    /// Returns the five fields as a JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "url": self.url,
            "shortname": self.shortname,
            "appname": self.appname,
            "appkey": self.appkey,
            "sharedsecret": self.sharedsecret,
        })
    }
}

/// A person who logs in with a user name and a password.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Lifetimes of granted tokens, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) access: u64,
    /// `None`: no refresh token is granted.
    pub(crate) refresh: Option<u64>,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self { access: 86_400, refresh: Some(604_800) }
    }
}

/// An account as `GET /customers` shows it to a reseller.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) shortname: String,
    pub(crate) parent: String,
    pub(crate) children: u64,
    pub(crate) trial: bool,
}

/// Owner of a token: an API key or a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Key { shortname: String, appname: String },
    Person { username: String },
}

impl Subject {
    /// Shortname of the tenant, or the user name of the person.
    pub(super) fn shortname(&self) -> &str {
        match self {
            Self::Key { shortname, .. } => shortname,
            Self::Person { username } => username,
        }
    }
}

/// An API key as the server stores it.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) appkey: String,
    pub(super) description: String,
    pub(super) roles: Vec<String>,
    pub(super) last_login: Option<u64>,
    pub(super) last_ip: String,
}

#[derive(Default)]
pub(super) struct Tenant {
    pub(super) sharedsecret: String,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) accounts: Vec<Account>,
}

struct GrantedToken {
    subject: Subject,
    session: u64,
    expires_at: u64,
}

/// All tenants and people, and the tokens granted to them.
#[derive(Default)]
pub(super) struct Tenants {
    pub(super) by_shortname: BTreeMap<String, Tenant>,
    people: HashMap<String, String>,
    access_tokens: HashMap<String, GrantedToken>,
    refresh_tokens: HashMap<String, GrantedToken>,
    used_refresh_tokens: HashSet<String>,
    ended_sessions: HashSet<u64>,
    session_count: u64,
    /// Lifetime of grants to tenants that are not in `lifetimes`.
    pub(super) lifetime: Lifetime,
    pub(super) lifetimes: HashMap<String, Lifetime>,
    /// All secrets created here, each with its kind.
    pub(super) secrets: Vec<(&'static str, String)>,
}

/// Reason why a refresh token is rejected.
pub(super) enum RefreshRefusal {
    Reused,
    Unknown,
    Expired,
}

impl Tenants {
    /// Adds or replaces a key, adds its tenant if the shortname is new, and returns the appkey.
    pub(super) fn add_key(&mut self, shortname: &str, appname: &str, roles: Vec<String>, description: &str) -> String {
        let appkey = self.record_secret("appkey", &format!("ak-{}", random_text(24)));
        let description = description.to_owned();
        let key = Key { appkey: appkey.clone(), description, roles, last_login: None, last_ip: String::new() };
        if !self.by_shortname.contains_key(shortname) {
            let sharedsecret = self.record_secret("sharedsecret", &format!("ss-{}", random_text(32)));
            let tenant = Tenant { sharedsecret, ..Tenant::default() };
            self.by_shortname.insert(shortname.to_owned(), tenant);
        }
        let tenant = self.by_shortname.get_mut(shortname).expect("just made");
        tenant.keys.insert(appname.to_owned(), key);
        appkey
    }

    pub(super) fn add_person(&mut self, username: &str) -> String {
        let password = self.record_secret("password", &format!("pw-{}", random_text(24)));
        self.people.insert(username.to_owned(), password.clone());
        password
    }

    pub(super) fn password_matches(&self, username: &str, password: &str) -> bool {
        self.people.get(username).is_some_and(|stored| stored == password)
    }

    /// Ends the access tokens of a key but not its refresh tokens. The API reference does not say whether a
    /// regeneration ends them.
    pub(super) fn end_access_tokens_of(&mut self, shortname: &str, appname: &str) {
        let key = Subject::Key { shortname: shortname.to_owned(), appname: appname.to_owned() };
        self.access_tokens.retain(|_, granted| granted.subject != key);
    }

    /// Replaces the appkey of a key and returns the new one, or `None` if the key does not exist.
    pub(super) fn regenerate_key(&mut self, shortname: &str, appname: &str) -> Option<String> {
        let appkey = self.record_secret("appkey", &format!("ak-{}", random_text(24)));
        let key = self.by_shortname.get_mut(shortname)?.keys.get_mut(appname)?;
        key.appkey.clone_from(&appkey);
        Some(appkey)
    }

    /// Removes a key and ends its tokens. Returns whether the key existed.
    pub(super) fn remove_key(&mut self, shortname: &str, appname: &str) -> bool {
        let removed_key = Subject::Key { shortname: shortname.to_owned(), appname: appname.to_owned() };
        self.access_tokens.retain(|_, granted| granted.subject != removed_key);
        self.refresh_tokens.retain(|_, granted| granted.subject != removed_key);
        self.by_shortname.get_mut(shortname).is_some_and(|tenant| tenant.keys.remove(appname).is_some())
    }

    /// Ends all access tokens, as if all had expired.
    pub(super) fn end_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    /// Ends all refresh tokens, as if all had expired.
    pub(super) fn end_refresh_tokens(&mut self) {
        for granted in self.refresh_tokens.values_mut() {
            granted.expires_at = 0;
        }
    }

    /// Returns the owner of an access token; `None` if the token is unknown, ended or expired.
    pub(super) fn access_token_owner(&self, token: &str, now: u64) -> Option<&Subject> {
        self.access_tokens.get(token).filter(|granted| now < granted.expires_at).map(|granted| &granted.subject)
    }

    /// Returns the owner of a refresh token, even if the token is used or expired. Returns `None` if the token is
    /// unknown.
    pub(super) fn refresh_token_owner(&self, token: &str) -> Option<&Subject> {
        self.refresh_tokens.get(token).map(|granted| &granted.subject)
    }

    /// Marks a refresh token as used, and returns its owner and session. A second use ends the session, so that its
    /// other refresh tokens are refused too.
    pub(super) fn use_refresh_token(&mut self, token: &str, now: u64) -> Result<(Subject, u64), RefreshRefusal> {
        let Some(granted) = self.refresh_tokens.get(token) else { return Err(RefreshRefusal::Unknown) };
        if self.used_refresh_tokens.contains(token) {
            self.ended_sessions.insert(granted.session);
            return Err(RefreshRefusal::Reused);
        }
        if granted.expires_at <= now || self.ended_sessions.contains(&granted.session) {
            return Err(RefreshRefusal::Expired);
        }
        self.used_refresh_tokens.insert(token.to_owned());
        Ok((granted.subject.clone(), granted.session))
    }

    /// Creates the tokens of a grant and returns them in the API's format. A refresh passes the `session` to continue;
    /// `None` starts a new session.
    pub(super) fn grant(&mut self, subject: &Subject, session: Option<u64>, now: u64) -> Map<String, Value> {
        let lifetime = self.lifetimes.get(subject.shortname()).copied().unwrap_or(self.lifetime);
        let session = session.unwrap_or_else(|| {
            self.session_count += 1;
            self.session_count
        });
        let access = self.new_token("access token", subject, now, lifetime.access);
        let granted = GrantedToken { subject: subject.clone(), session, expires_at: now + lifetime.access };
        self.access_tokens.insert(access.clone(), granted);
        let id = self.new_token("id token", subject, now, lifetime.access);
        let mut grant = Map::new();
        grant.insert("access_token".to_owned(), json!(access));
        grant.insert("expires_in".to_owned(), json!(lifetime.access));
        if let Some(seconds) = lifetime.refresh {
            let refresh = self.new_token("refresh token", subject, now, seconds);
            let granted = GrantedToken { subject: subject.clone(), session, expires_at: now + seconds };
            self.refresh_tokens.insert(refresh.clone(), granted);
            grant.insert("refresh_token".to_owned(), json!(refresh));
            grant.insert("refresh_expires_in".to_owned(), json!(seconds));
        }
        grant.insert("token_type".to_owned(), json!("bearer"));
        grant.insert("id_token".to_owned(), json!(id));
        grant.insert("not-before-policy".to_owned(), json!(0));
        grant.insert("session-state".to_owned(), json!(format!("session-{session}")));
        grant.insert("scope".to_owned(), json!("profile email"));
        grant
    }

    /// Creates a unique token in the form of a JWT and records it as a secret.
    fn new_token(&mut self, kind: &'static str, subject: &Subject, now: u64, seconds: u64) -> String {
        let claims = json!({
            "typ": kind, "sub": subject.shortname(), "iat": now, "exp": now + seconds, "jti": random_text(12),
        });
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let text = format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            random_text(43)
        );
        self.record_secret(kind, &text)
    }

    fn record_secret(&mut self, kind: &'static str, text: &str) -> String {
        self.secrets.push((kind, text.to_owned()));
        text.to_owned()
    }
}

/// Returns this number of random characters from the base64url alphabet.
pub(super) fn random_text(characters: usize) -> String {
    let mut bytes = vec![0_u8; characters];
    rand::fill(&mut bytes[..]);
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(characters);
    text
}
