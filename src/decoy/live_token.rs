//! The real token of one profile, held as long as it is good, and renewed through the pipeline.
//!
//! A decoy asks for it a thousand times a second; the cache on disk is asked when the one at hand does no longer do. A
//! renewal belongs to no request: programs that go away in the middle of it end nothing, and all who wait get the one
//! outcome, be it a failure.

use crate::clock::Clock;
use crate::fusion::{FusionError, Head, Passed, Upload};
use crate::profile::Profile;
use crate::session::{Access, Declared, Granted, Session, SessionError, Want};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A token that was got so lately is not replaced: what the server says of it, it would say of the next one too.
const FRESH: Duration = Duration::from_secs(10);
/// How long a failure stands, so that not every request asks for a token in vain: one that asking again cannot help, and
/// any other for which the server names no time.
const REJECTED: Duration = Duration::from_secs(60);
const FAILED: Duration = Duration::from_secs(1);
/// No pause that a server names is longer.
const LONGEST: Duration = Duration::from_secs(300);

/// What came of a renewal.
type Outcome = Result<Rc<Access>, Rc<SessionError>>;

/// Reads the profile of the store as it is now; nothing where there is none, or it is faulty.
pub type Reread<'a> = &'a dyn Fn(&Profile) -> Option<Profile>;

/// The real token of one profile.
pub struct Bearer<'a> {
    session: &'a Session<'a>,
    reread: Reread<'a>,
    clock: Clock,
    state: RefCell<State<'a>>,
    /// A renewal has begun.
    begun: Notify,
}

struct State<'a> {
    profile: Rc<Profile>,
    held: Option<Held>,
    failed: Option<(Rc<SessionError>, Instant)>,
    renewal: Option<Renewal<'a>>,
    /// How many renewals have begun.
    count: u64,
}

struct Held {
    access: Rc<Access>,
    since: Instant,
}

#[derive(Clone)]
struct Renewal<'a> {
    number: u64,
    outcome: Shared<LocalBoxFuture<'a, Outcome>>,
}

impl<'a> Bearer<'a> {
    /// The token of this profile, which is got when it is first wanted.
    #[must_use]
    pub fn new(session: &'a Session<'a>, profile: &Profile, reread: Reread<'a>, clock: Clock) -> Self {
        let profile = Rc::new(profile.clone());
        let state = State { profile, held: None, failed: None, renewal: None, count: 0 };
        Self { session, reread, clock, state: RefCell::new(state), begun: Notify::new() }
    }

    /// A token that may be used now.
    ///
    /// # Errors
    /// [`SessionError`]; `Vault` also where the server or its roots are not those that this machine trusts.
    pub async fn get(&self) -> Outcome {
        if let Some(access) = self.usable() {
            return Ok(access);
        }
        self.renewed(None).await
    }

    /// Another token than the one that the server did not take; nothing where that was got just now.
    pub(super) async fn replace(&self, refused: &Rc<Access>) -> Result<Option<Rc<Access>>, Rc<SessionError>> {
        match self.usable() {
            Some(access) if access.token != refused.token => return Ok(Some(access)),
            _ if self.is_fresh(refused) => return Ok(None),
            _ => {}
        }
        self.renewed(Some(refused)).await.map(Some)
    }

    /// Passes a request on with this token.
    pub(super) async fn pass(&self, access: &Access, head: &Head, upload: Upload) -> Result<Passed, SessionError> {
        let profile = Rc::clone(&self.state.borrow().profile);
        self.session.pass(&profile, access, head, upload).await
    }

    /// Brings renewals to their end, also those whose requests went away; never ends.
    pub(super) async fn drive(&self) -> Infallible {
        loop {
            let renewal = self.state.borrow().renewal.clone();
            match renewal {
                Some(renewal) => drop(self.settle(&renewal).await),
                None => self.begun.notified().await,
            }
        }
    }

    /// What comes of the renewal that is under way, or else of a new one.
    async fn renewed(&self, refused: Option<&Rc<Access>>) -> Outcome {
        if let Some(failure) = self.standing_failure() {
            return Err(failure);
        }
        let renewal = self.state.borrow().renewal.clone();
        let renewal = renewal.unwrap_or_else(|| self.begin(refused.cloned()));
        self.settle(&renewal).await
    }

    fn begin(&self, refused: Option<Rc<Access>>) -> Renewal<'a> {
        let mut state = self.state.borrow_mut();
        // A new key may have come into the store meanwhile. Another tenant or server is none that this decoy stands for.
        let same = |new: &Profile| new.url == state.profile.url && new.shortname == state.profile.shortname;
        if let Some(profile) = (self.reread)(&state.profile).filter(same) {
            state.profile = Rc::new(profile);
        }
        let (session, profile) = (self.session, Rc::clone(&state.profile));
        let outcome = async move {
            let declared = Declared { profile: &profile, reading: None };
            let access = match refused {
                Some(refused) => session.replace(declared, Want::default(), &refused).await?,
                None => session.obtain(declared, Want::default()).await?,
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

    /// Waits for a renewal; the first who knows what came of it notes that.
    async fn settle(&self, renewal: &Renewal<'a>) -> Outcome {
        let outcome = renewal.outcome.clone().await;
        let mut state = self.state.borrow_mut();
        if state.renewal.as_ref().is_some_and(|under_way| under_way.number == renewal.number) {
            state.renewal = None;
            match &outcome {
                Ok(access) => {
                    state.held = Some(Held { access: Rc::clone(access), since: Instant::now() });
                    state.failed = None;
                }
                Err(error) => state.failed = Some((Rc::clone(error), Instant::now() + pause(error))),
            }
        }
        outcome
    }

    fn standing_failure(&self) -> Option<Rc<SessionError>> {
        let state = self.state.borrow();
        state.failed.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(error, _)| Rc::clone(error))
    }

    /// One whose life the server did not tell is used until it is not taken.
    fn usable(&self) -> Option<Rc<Access>> {
        let state = self.state.borrow();
        let (now, leeway) = (self.clock.now(), state.profile.leeway);
        let held = state.held.as_ref().map(|held| &held.access);
        held.filter(|held| held.lifetime.is_none_or(|life| life.is_usable(now, leeway))).cloned()
    }

    /// Whether it came from the server, and a moment ago.
    fn is_fresh(&self, access: &Rc<Access>) -> bool {
        let state = self.state.borrow();
        let held = state.held.as_ref().filter(|held| held.access.token == access.token);
        access.origin != Granted::Cached && held.is_some_and(|held| held.since.elapsed() < FRESH)
    }
}

/// How long a failure stands.
fn pause(error: &SessionError) -> Duration {
    match error {
        SessionError::Fusion(error) if error.is_rejection() => REJECTED,
        SessionError::Shared(failure) if failure.rejected => REJECTED,
        error => retry_after(error).map_or(FAILED, |seconds| Duration::from_secs(seconds).clamp(FAILED, LONGEST)),
    }
}

/// How long the server wants to be left alone, in seconds, where a failure says it.
pub(super) fn retry_after(error: &SessionError) -> Option<u64> {
    match error {
        SessionError::Fusion(error) | SessionError::Unsure(error) => FusionError::retry_after(error),
        _ => None,
    }
}
