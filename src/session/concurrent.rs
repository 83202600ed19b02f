//! Work on many profiles at once on one event loop. A slow tenant does not delay the other tenants.

use super::error::SessionError;
use super::lookup::Lookup;
use super::pipeline::Session;
use super::request::{AccessToken, LoadedProfile, TokenRequest};
use crate::platform;
use futures_util::{StreamExt as _, stream};
use std::num::NonZero;
use std::ops::ControlFlow;

/// Number of profiles that are worked on at once.
pub type Jobs = NonZero<usize>;

impl Session<'_> {
    /// Returns a token that meets `request`: from the cache, by a refresh, or by a login. The event loop is started
    /// only if a request is due.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn obtain_blocking(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
    ) -> Result<AccessToken, SessionError> {
        match self.lookup(loaded, request)? {
            Lookup::Hit(access) => Ok(access),
            Lookup::Miss(seen) => self.block_on(self.renew(loaded, request, seen))?,
        }
    }

    /// Gets tokens for several profiles, `jobs` of them at once. `each` receives every result as it arrives and returns
    /// whether to continue.
    ///
    /// # Errors
    /// [`SessionError::Runtime`]; an error of a single profile goes to `each`.
    pub fn obtain_each<'p>(
        &self,
        profiles: impl IntoIterator<Item = LoadedProfile<'p>>,
        request: TokenRequest,
        jobs: Jobs,
        mut each: impl FnMut(LoadedProfile<'p>, Result<AccessToken, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let obtain = async |loaded| (loaded, self.obtain(loaded, request).await);
        self.run_each(profiles, jobs, obtain, |(loaded, result)| each(loaded, result))
    }

    /// Runs `work` on several items, `jobs` of them at once. `each` receives the results as they arrive, in any order.
    /// Once `each` breaks, unfinished work is dropped.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub fn run_each<T, R>(
        &self,
        things: impl IntoIterator<Item = T>,
        jobs: Jobs,
        work: impl AsyncFn(T) -> R,
        mut each: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let things: Vec<T> = things.into_iter().collect();
        self.is_concurrent.set(things.len() > 1);
        self.block_on(async { _ = self.run_each_in_loop(things, jobs, work, &mut each).await })
    }

    /// Runs `work` like [`Session::run_each`], but on the current event loop. Returns whether `each` broke.
    pub(super) async fn run_each_in_loop<T, R>(
        &self,
        things: impl IntoIterator<Item = T>,
        jobs: Jobs,
        work: impl AsyncFn(T) -> R,
        mut each: impl FnMut(R) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut results = stream::iter(things).map(|thing| work(thing)).buffer_unordered(jobs.get());
        while let Some(result) = results.next().await {
            each(result)?;
        }
        ControlFlow::Continue(())
    }

    /// Runs `work` on a new event loop.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, SessionError> {
        let runtime = runtime()?;
        let done = runtime.block_on(work);
        // Dropped work may have left a secret command or a name lookup running in a background thread.
        runtime.shutdown_background();
        Ok(done)
    }

    /// Returns a token for a profile: from the cache, by a refresh, or by a login.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn obtain(&self, loaded: LoadedProfile<'_>, request: TokenRequest) -> Result<AccessToken, SessionError> {
        self.yield_turn().await;
        match self.lookup(loaded, request)? {
            Lookup::Hit(access) => Ok(access),
            Lookup::Miss(seen) => self.renew(loaded, request, seen).await,
        }
    }

    /// Yields to the event loop before each profile's CPU work, so that queued requests are sent first. Without the
    /// lock, the CPU work of all ready profiles would run before the first request is sent.
    pub(super) async fn yield_turn(&self) {
        if self.is_concurrent.get() {
            let _turn = self.turn_lock.lock().await;
            tokio::task::yield_now().await;
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, SessionError> {
    platform::check_descriptors().map_err(SessionError::Runtime)?;
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(SessionError::Runtime)
}
