//! Many profiles at once: so many requests in flight on one event loop, and no tenant that holds up another.

use super::{Access, Declared, Look, Session, SessionError, Want, runtime};
use futures_util::{StreamExt as _, stream};
use std::num::NonZero;
use std::ops::ControlFlow;

/// How many profiles are worked on at once.
pub type Jobs = NonZero<usize>;

impl Session<'_> {
    /// Tokens for several profiles, `jobs` of them in flight; `each` gets every result as it comes and says whether to go
    /// on.
    ///
    /// # Errors
    /// [`SessionError::Runtime`]; what goes wrong with one profile goes to `each`.
    pub fn access_each<'p>(
        &self,
        profiles: impl IntoIterator<Item = Declared<'p>>,
        want: Want,
        jobs: Jobs,
        mut each: impl FnMut(Declared<'p>, Result<Access, SessionError>) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let obtain = async |declared| (declared, self.obtain(declared, want).await);
        self.each(profiles, jobs, obtain, |(declared, result)| each(declared, result))
    }

    /// Does `work` for several things, `jobs` of them at once; `each` gets every result as it comes, in no order. Once it
    /// breaks, what is in flight is dropped.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub fn each<T, R>(
        &self,
        things: impl IntoIterator<Item = T>,
        jobs: Jobs,
        work: impl AsyncFn(T) -> R,
        mut each: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let things: Vec<T> = things.into_iter().collect();
        self.is_fleet.set(things.len() > 1);
        self.block_on(async { _ = self.each_here(things, jobs, work, &mut each).await })
    }

    /// The same on the event loop that there is; says whether `each` broke.
    pub(super) async fn each_here<T, R>(
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

    /// Does `work` on an event loop of its own.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, SessionError> {
        let runtime = runtime()?;
        let done = runtime.block_on(work);
        // A command that is the source of a secret may still run for something that was dropped, and the system may still
        // look for the address of a name.
        runtime.shutdown_background();
        Ok(done)
    }

    /// A token for a profile, from the cache, with the refresh token or by a login.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn obtain(&self, declared: Declared<'_>, want: Want) -> Result<Access, SessionError> {
        self.breathe().await;
        match self.look(declared, want)? {
            Look::Usable(access) => Ok(access),
            Look::Stale(seen) => self.renew(declared, want, seen).await,
        }
    }

    /// Lets the event loop go round once before a profile's next piece of work, and no other's in between. Else the work
    /// of all that are ready would be done in one go, with the requests of the first waiting for the last, and then all
    /// would wait for the servers together.
    pub(super) async fn breathe(&self) {
        if self.is_fleet.get() {
            let _turn = self.breath.lock().await;
            tokio::task::yield_now().await;
        }
    }
}
