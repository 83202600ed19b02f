//! Real token of one profile, kept in memory while it is valid, and renewed through the session.
//!
//! A decoy may serve a thousand requests a second. So the disk cache is read only when the token in memory is unusable.
//! A renewal is independent of requests: it continues if its program disconnects, and all waiting requests get its
//! result.

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

/// Age below which a refused token is not replaced, because the server would refuse the next token too.
const MIN_REPLACE_AGE: Duration = Duration::from_secs(10);
/// Pause before the next renewal after a failure, so that not every request starts a renewal. The longer pause is for
/// rejections; the shorter is for failures without a `Retry-After`.
const RETRY_AFTER_REJECTION: Duration = Duration::from_secs(60);
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Maximum pause after a server's `Retry-After`.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// Result of a renewal.
type RenewalOutcome = Result<Rc<AccessToken>, Rc<SessionError>>;

/// Reads the current profile from the store; `None` if the profile is missing or invalid.
pub type ReloadProfile<'a> = &'a dyn Fn(&Profile) -> Option<Profile>;

/// Real access token of one profile.
pub struct LiveToken<'a> {
    session: &'a Session<'a>,
    reload_profile: ReloadProfile<'a>,
    clock: Clock,
    state: RefCell<LiveState<'a>>,
    /// Notified when a renewal begins.
    begun: Notify,
}

struct LiveState<'a> {
    profile: Rc<Profile>,
    token: Option<HeldToken>,
    failed: Option<(Rc<SessionError>, Instant)>,
    renewal: Option<Renewal<'a>>,
    /// Number of renewals begun.
    count: u64,
}

struct HeldToken {
    access: Rc<AccessToken>,
    since: Instant,
}

#[derive(Clone)]
struct Renewal<'a> {
    number: u64,
    outcome: Shared<LocalBoxFuture<'a, RenewalOutcome>>,
}

impl<'a> LiveToken<'a> {
    /// Creates a live token; the token is obtained at first use.
    #[must_use]
    pub fn new(session: &'a Session<'a>, profile: &Profile, reload_profile: ReloadProfile<'a>, clock: Clock) -> Self {
        let profile = Rc::new(profile.clone());
        let state = LiveState { profile, token: None, failed: None, renewal: None, count: 0 };
        Self { session, reload_profile, clock, state: RefCell::new(state), begun: Notify::new() }
    }

    /// Returns a token that is valid now.
    ///
    /// # Errors
    /// [`SessionError`]; `Vault` also if this machine does not trust the server or its root certificates.
    pub async fn get(&self) -> RenewalOutcome {
        if let Some(access) = self.usable_token() {
            return Ok(access);
        }
        self.renew(None).await
    }

    /// Returns another token after the server refused `refused`; `None` if `refused` is too new to be replaced.
    pub(super) async fn replace(&self, refused: &Rc<AccessToken>) -> Result<Option<Rc<AccessToken>>, Rc<SessionError>> {
        match self.usable_token() {
            Some(access) if access.token != refused.token => return Ok(Some(access)),
            _ if self.is_fresh(refused) => return Ok(None),
            _ => {}
        }
        self.renew(Some(refused)).await.map(Some)
    }

    /// Forwards a request with this token.
    pub(super) async fn forward(
        &self,
        access: &AccessToken,
        head: &ForwardHead,
        upload: ForwardBody,
    ) -> Result<ForwardedResponse, SessionError> {
        let profile = Rc::clone(&self.state.borrow().profile);
        self.session.forward(&profile, access, head, upload).await
    }

    /// Drives renewals to completion, also after their requests were dropped. Never returns.
    pub(super) async fn drive(&self) -> Infallible {
        loop {
            let renewal = self.state.borrow().renewal.clone();
            match renewal {
                Some(renewal) => drop(self.wait_for_renewal(&renewal).await),
                None => self.begun.notified().await,
            }
        }
    }

    /// Returns the result of the running renewal, or of a new one.
    async fn renew(&self, refused: Option<&Rc<AccessToken>>) -> RenewalOutcome {
        if let Some(failure) = self.recent_failure() {
            return Err(failure);
        }
        let renewal = self.state.borrow().renewal.clone();
        let renewal = renewal.unwrap_or_else(|| self.start_renewal(refused.cloned()));
        self.wait_for_renewal(&renewal).await
    }

    fn start_renewal(&self, refused: Option<Rc<AccessToken>>) -> Renewal<'a> {
        let mut state = self.state.borrow_mut();
        // The store may have a new key. A profile with another tenant or URL is not used.
        let same = |new: &Profile| new.url == state.profile.url && new.shortname == state.profile.shortname;
        if let Some(profile) = (self.reload_profile)(&state.profile).filter(same) {
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
        state.count += 1;
        let renewal = Renewal { number: state.count, outcome };
        state.renewal = Some(renewal.clone());
        self.begun.notify_one();
        renewal
    }

    /// Waits for a renewal; the first waiter saves the result.
    async fn wait_for_renewal(&self, renewal: &Renewal<'a>) -> RenewalOutcome {
        let outcome = renewal.outcome.clone().await;
        let mut state = self.state.borrow_mut();
        if state.renewal.as_ref().is_some_and(|under_way| under_way.number == renewal.number) {
            state.renewal = None;
            match &outcome {
                Ok(access) => {
                    state.token = Some(HeldToken { access: Rc::clone(access), since: Instant::now() });
                    state.failed = None;
                }
                Err(error) => state.failed = Some((Rc::clone(error), Instant::now() + failure_pause(error))),
            }
        }
        outcome
    }

    fn recent_failure(&self) -> Option<Rc<SessionError>> {
        let state = self.state.borrow();
        state.failed.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(error, _)| Rc::clone(error))
    }

    /// Returns the token in memory if it is usable. A token of unknown lifetime is used until the server refuses it.
    fn usable_token(&self) -> Option<Rc<AccessToken>> {
        let state = self.state.borrow();
        let (now, leeway) = (self.clock.now(), state.profile.leeway);
        let held = state.token.as_ref().map(|held| &held.access);
        held.filter(|held| held.lifetime.is_none_or(|life| life.is_usable(now, leeway))).cloned()
    }

    /// Returns whether the token came from the server within [`MIN_REPLACE_AGE`].
    fn is_fresh(&self, access: &Rc<AccessToken>) -> bool {
        let state = self.state.borrow();
        let held = state.token.as_ref().filter(|held| held.access.token == access.token);
        access.origin != TokenOrigin::Cached && held.is_some_and(|held| held.since.elapsed() < MIN_REPLACE_AGE)
    }
}

/// Returns the pause before the next renewal after this failure.
fn failure_pause(error: &SessionError) -> Duration {
    match error {
        SessionError::Fusion(error) if error.is_rejection() => RETRY_AFTER_REJECTION,
        SessionError::Shared(failure) if failure.rejected => RETRY_AFTER_REJECTION,
        error => retry_after(error)
            .map_or(RETRY_AFTER_FAILURE, |seconds| Duration::from_secs(seconds).clamp(RETRY_AFTER_FAILURE, MAX_PAUSE)),
    }
}

/// Returns the server's `Retry-After` from a failure, in seconds.
pub(super) fn retry_after(error: &SessionError) -> Option<u64> {
    match error {
        SessionError::Fusion(error) | SessionError::OutcomeUnknown(error) => FusionError::retry_after(error),
        _ => None,
    }
}
