//! Runs work on many profiles concurrently, on one event loop. A slow tenant does not delay the other tenants.

use super::error::SessionError;
use super::lookup::Lookup;
use super::pipeline::Session;
use super::request::{AccessToken, LoadedProfile, TokenRequest};
use crate::platform;
use futures_util::{StreamExt as _, stream};
use std::num::NonZero;
use std::ops::ControlFlow;

/// Maximum number of profiles that are processed at once.
pub type Jobs = NonZero<usize>;

impl Session<'_> {
    /// Returns a token that meets `request`: from the cache, by a refresh, or by a login. Starts an event loop only if
    /// the cache has no suitable token.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no token can be obtained.
    pub fn obtain_blocking(
        &self,
        loaded: LoadedProfile<'_>,
        request: TokenRequest,
    ) -> Result<AccessToken, SessionError> {
        match self.lookup(loaded, request)? {
            Lookup::Hit(access) => Ok(access),
            Lookup::Miss(cached) => Self::block_on(self.renew(loaded, request, cached))?,
        }
    }

    /// Gets tokens for several profiles, at most `jobs` at once. `on_result` receives each result as it arrives, and
    /// returns `Break` to stop.
    ///
    /// # Errors
    /// Returns [`SessionError::Runtime`] if the event loop cannot be started. Errors of single profiles go to
    /// `on_result`.
    pub fn obtain_each<'p>(
        &self,
        profiles: impl IntoIterator<Item = LoadedProfile<'p>>,
        request: TokenRequest,
        jobs: Jobs,
        mut on_result: impl FnMut(LoadedProfile<'p>, Result<AccessToken, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let obtain = async |loaded| (loaded, self.obtain(loaded, request).await);
        self.run_each(profiles, jobs, obtain, |(loaded, result)| on_result(loaded, result))
    }

    /// Runs `work` on several items, at most `jobs` at once. `on_result` receives the results as they arrive, in any
    /// order. Once `on_result` returns `Break`, unfinished work is dropped.
    ///
    /// # Errors
    /// Returns [`SessionError::Runtime`] if the event loop cannot be started.
    pub fn run_each<T, R>(
        &self,
        items: impl IntoIterator<Item = T>,
        jobs: Jobs,
        work: impl AsyncFn(T) -> R,
        mut on_result: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let items: Vec<T> = items.into_iter().collect();
        self.is_concurrent.set(items.len() > 1);
        Self::block_on(async { _ = self.run_each_in_loop(items, jobs, work, &mut on_result).await })
    }

    /// Runs `work` like [`Session::run_each`], but on the current event loop. Returns `Break` if `on_result` did.
    pub(super) async fn run_each_in_loop<T, R>(
        &self,
        items: impl IntoIterator<Item = T>,
        jobs: Jobs,
        work: impl AsyncFn(T) -> R,
        mut on_result: impl FnMut(R) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut results = stream::iter(items).map(|item| work(item)).buffer_unordered(jobs.get());
        while let Some(result) = results.next().await {
            on_result(result)?;
        }
        ControlFlow::Continue(())
    }

    /// Runs `work` on a new event loop.
    ///
    /// # Errors
    /// Returns [`SessionError::Runtime`] if the event loop cannot be started.
    pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, SessionError> {
        let runtime = runtime()?;
        let output = runtime.block_on(work);
        // Dropped work may leave a secret command or a name lookup in a background thread. The run does not wait for
        // them.
        runtime.shutdown_background();
        Ok(output)
    }

    /// Returns a token that meets `request`: from the cache, by a refresh, or by a login.
    ///
    /// # Errors
    /// Returns [`SessionError`] if no token can be obtained.
    pub async fn obtain(&self, loaded: LoadedProfile<'_>, request: TokenRequest) -> Result<AccessToken, SessionError> {
        self.yield_turn().await;
        match self.lookup(loaded, request)? {
            Lookup::Hit(access) => Ok(access),
            Lookup::Miss(cached) => self.renew(loaded, request, cached).await,
        }
    }

    /// Yields to the event loop before CPU work, so that queued requests are sent first. Without the lock, the CPU work
    /// of all ready profiles would run before the first request. Does nothing if only one profile is processed.
    pub(super) async fn yield_turn(&self) {
        if self.is_concurrent.get() {
            let _turn = self.turn_lock.lock().await;
            tokio::task::yield_now().await;
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, SessionError> {
    platform::check_spare_descriptors().map_err(SessionError::Runtime)?;
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(SessionError::Runtime)
}
