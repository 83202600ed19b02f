//! Live token: the real access token of one profile, kept in memory and renewed through the session.
//!
//! A decoy may serve a thousand requests a second. Therefore the token cache on disk is read only when the token in
//! memory is unusable. At most one renewal runs at a time, and all waiting requests get its result. The renewal
//! continues even if the program that caused it disconnects.

use crate::clock::Clock;
use crate::fusion::{ForwardBody, ForwardHead, ForwardedResponse, FusionError};
use crate::profile::Profile;
use crate::session::{AccessToken, LoadedProfile, Session, SessionError, TokenOrigin, TokenRequest};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Minimum age at which a refused token is replaced. If the server refuses a token younger than this, it will probably
/// refuse a replacement too.
const MIN_REPLACE_AGE: Duration = Duration::from_secs(10);
/// Pause after a renewal that the server rejected, so that not every request starts a renewal.
const PAUSE_AFTER_REJECTION: Duration = Duration::from_secs(60);
/// Pause after any other failed renewal, and minimum pause after a failure with a `Retry-After`.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Maximum pause after a failure with a `Retry-After`.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// Result of a renewal.
type RenewalOutcome = Result<Rc<AccessToken>, Rc<SessionError>>;

/// Function that reads the profile from the store again. Returns `None` if the store cannot be read, or if the profile
/// is missing or invalid.
pub type ReloadProfile<'a> = &'a dyn Fn(&Profile) -> Option<Profile>;

/// Real access token of one profile.
pub struct LiveToken<'a> {
    session: &'a Session<'a>,
    reload_profile: ReloadProfile<'a>,
    clock: Clock,
    state: RefCell<LiveState<'a>>,
    /// Notified when a renewal starts.
    renewal_started: Notify,
}

struct LiveState<'a> {
    profile: Rc<Profile>,
    token: Option<TokenInMemory>,
    /// Error of the last renewal, and the time before which no renewal starts.
    last_failure: Option<(Rc<SessionError>, Instant)>,
    running_renewal: Option<Renewal<'a>>,
    /// Number of renewals started so far.
    renewal_count: u64,
}

struct TokenInMemory {
    access: Rc<AccessToken>,
    stored_at: Instant,
}

#[derive(Clone)]
struct Renewal<'a> {
    number: u64,
    outcome: Shared<LocalBoxFuture<'a, RenewalOutcome>>,
}

impl<'a> LiveToken<'a> {
    /// Creates a live token without obtaining an access token. The first call of [`LiveToken::get`] obtains the token.
    #[must_use]
    pub fn new(session: &'a Session<'a>, profile: &Profile, reload_profile: ReloadProfile<'a>, clock: Clock) -> Self {
        let profile = Rc::new(profile.clone());
        let state = LiveState { profile, token: None, last_failure: None, running_renewal: None, renewal_count: 0 };
        Self { session, reload_profile, clock, state: RefCell::new(state), renewal_started: Notify::new() }
    }

    /// Returns the token in memory if it is usable, otherwise the token of a renewal.
    ///
    /// # Errors
    /// Returns the [`SessionError`] of the renewal. During the pause after a failed renewal, returns the error of that
    /// renewal. Returns [`SessionError::Vault`] if this machine does not trust the server or its root certificates.
    pub async fn get(&self) -> RenewalOutcome {
        if let Some(access) = self.usable_token() {
            return Ok(access);
        }
        self.renew(None).await
    }

    /// Returns a token other than `refused`, the token that the server refused. Returns `None` if `refused` was issued
    /// less than [`MIN_REPLACE_AGE`] ago.
    ///
    /// # Errors
    /// Fails with the same errors as [`get`](Self::get).
    pub(super) async fn replace(&self, refused: &Rc<AccessToken>) -> Result<Option<Rc<AccessToken>>, Rc<SessionError>> {
        match self.usable_token() {
            Some(access) if access.token != refused.token => return Ok(Some(access)),
            _ if self.is_newly_issued(refused) => return Ok(None),
            _ => {}
        }
        self.renew(Some(refused)).await.map(Some)
    }

    /// Sends a request from the program to the tenant's server with the token `access`.
    ///
    /// # Errors
    /// Returns [`SessionError`] if there is no response. A response with any status is `Ok`.
    pub(super) async fn forward(
        &self,
        access: &AccessToken,
        head: &ForwardHead,
        upload: ForwardBody,
    ) -> Result<ForwardedResponse, SessionError> {
        let profile = Rc::clone(&self.state.borrow().profile);
        self.session.forward(&profile, access, head, upload).await
    }

    /// Completes every renewal, even if all requests that wait for the renewal are dropped. Never returns.
    pub(super) async fn drive_renewals(&self) -> Infallible {
        loop {
            let renewal = self.state.borrow().running_renewal.clone();
            match renewal {
                Some(renewal) => drop(self.wait_for_renewal(&renewal).await),
                None => self.renewal_started.notified().await,
            }
        }
    }

    /// Returns the result of the running renewal, or of a new renewal. During the pause after a failed renewal, returns
    /// the error of that renewal.
    async fn renew(&self, refused: Option<&Rc<AccessToken>>) -> RenewalOutcome {
        if let Some(failure) = self.recent_failure() {
            return Err(failure);
        }
        let running_renewal = self.state.borrow().running_renewal.clone();
        let renewal = running_renewal.unwrap_or_else(|| self.start_renewal(refused.cloned()));
        self.wait_for_renewal(&renewal).await
    }

    fn start_renewal(&self, refused: Option<Rc<AccessToken>>) -> Renewal<'a> {
        let mut state = self.state.borrow_mut();
        // A rotation may have written a new key to the store. The reloaded profile is not used if its tenant or URL
        // differs.
        let is_same_tenant = |new: &Profile| new.url == state.profile.url && new.shortname == state.profile.shortname;
        if let Some(profile) = (self.reload_profile)(&state.profile).filter(is_same_tenant) {
            state.profile = Rc::new(profile);
        }
        let (session, profile) = (self.session, Rc::clone(&state.profile));
        let outcome = async move {
            let loaded = LoadedProfile::new(&profile, None);
            let access = match refused {
                Some(refused) => session.replace_refused(loaded, TokenRequest::default(), &refused).await?,
                None => session.obtain(loaded, TokenRequest::default()).await?,
            };
            session.check_server(&profile, access.origin)?;
            Ok(Rc::new(access))
        };
        let outcome = outcome.map(|outcome: Result<_, SessionError>| outcome.map_err(Rc::new)).boxed_local().shared();
        state.renewal_count += 1;
        let renewal = Renewal { number: state.renewal_count, outcome };
        state.running_renewal = Some(renewal.clone());
        self.renewal_started.notify_one();
        renewal
    }

    /// Waits for a renewal and returns its result. The first waiter also saves the result in the state.
    async fn wait_for_renewal(&self, renewal: &Renewal<'a>) -> RenewalOutcome {
        let outcome = renewal.outcome.clone().await;
        let mut state = self.state.borrow_mut();
        if state.running_renewal.as_ref().is_some_and(|running| running.number == renewal.number) {
            state.running_renewal = None;
            match &outcome {
                Ok(access) => {
                    state.token = Some(TokenInMemory { access: Rc::clone(access), stored_at: Instant::now() });
                    state.last_failure = None;
                }
                Err(error) => state.last_failure = Some((Rc::clone(error), Instant::now() + failure_pause(error))),
            }
        }
        outcome
    }

    fn recent_failure(&self) -> Option<Rc<SessionError>> {
        let state = self.state.borrow();
        state
            .last_failure
            .as_ref()
            .filter(|(_, paused_until)| Instant::now() < *paused_until)
            .map(|(error, _)| Rc::clone(error))
    }

    /// Returns the token in memory if it is usable. A token with an unknown lifetime counts as usable.
    fn usable_token(&self) -> Option<Rc<AccessToken>> {
        let state = self.state.borrow();
        let (now, leeway) = (self.clock.now(), state.profile.leeway);
        let access = state.token.as_ref().map(|token| &token.access);
        access.filter(|access| access.lifetime.is_none_or(|lifetime| lifetime.is_usable(now, leeway))).cloned()
    }

    /// Returns true if `access` is the token in memory and was issued less than [`MIN_REPLACE_AGE`] ago.
    fn is_newly_issued(&self, access: &Rc<AccessToken>) -> bool {
        let state = self.state.borrow();
        let in_memory = state.token.as_ref().filter(|token| token.access.token == access.token);
        access.origin != TokenOrigin::Cached
            && in_memory.is_some_and(|token| token.stored_at.elapsed() < MIN_REPLACE_AGE)
    }
}

/// Returns the pause before the next renewal after a renewal that failed with `error`.
fn failure_pause(error: &SessionError) -> Duration {
    match error {
        SessionError::Fusion(error) if error.is_rejection() => PAUSE_AFTER_REJECTION,
        SessionError::Shared(failure) if failure.rejected => PAUSE_AFTER_REJECTION,
        error => retry_after(error)
            .map_or(PAUSE_AFTER_FAILURE, |seconds| Duration::from_secs(seconds).clamp(PAUSE_AFTER_FAILURE, MAX_PAUSE)),
    }
}

/// Returns the `Retry-After` that the server sent with a failure, in seconds.
pub(super) fn retry_after(error: &SessionError) -> Option<u64> {
    match error {
        SessionError::Fusion(error) | SessionError::OutcomeUnknown(error) => FusionError::retry_after(error),
        _ => None,
    }
}
