//! The real token of one profile, held as long as it is good, and renewed through the pipeline.
//!
//! A proxy asks for it a thousand times a second; the cache on disk is asked when the one at hand does no longer do.

use crate::clock::Clock;
use crate::fusion::{Head, Passed, Upload};
use crate::session::{Access, Declared, Session, SessionError, Want};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::sync::Mutex;

/// The real token of one profile.
pub struct Bearer<'a> {
    session: &'a Session<'a>,
    declared: Declared<'a>,
    clock: Clock,
    held: RefCell<Option<Rc<Access>>>,
    /// One of many requests at once gets a new one, and the others wait for that.
    turn: Mutex<()>,
}

impl<'a> Bearer<'a> {
    /// The token of this profile, which is got when it is first wanted.
    #[must_use]
    pub fn new(session: &'a Session<'a>, declared: Declared<'a>, clock: Clock) -> Self {
        Self { session, declared, clock, held: RefCell::default(), turn: Mutex::default() }
    }

    /// A token that may be used now.
    ///
    /// # Errors
    /// [`SessionError`]; `Vault` also where the server or its roots are not those that this machine trusts.
    pub async fn get(&self) -> Result<Rc<Access>, SessionError> {
        if let Some(access) = self.usable() {
            return Ok(access);
        }
        let _turn = self.turn.lock().await;
        match self.usable() {
            Some(access) => Ok(access),
            None => self.hold(self.session.obtain(self.declared, Want::default()).await?),
        }
    }

    /// Another token than the one that the server did not take.
    pub(super) async fn replace(&self, refused: &Access) -> Result<Rc<Access>, SessionError> {
        let _turn = self.turn.lock().await;
        match self.usable() {
            Some(access) if access.token != refused.token => Ok(access),
            _ => self.hold(self.session.replace(self.declared, Want::default(), refused).await?),
        }
    }

    /// Passes a request on with this token.
    pub(super) async fn pass(&self, access: &Access, head: &Head, upload: Upload) -> Result<Passed, SessionError> {
        self.session.pass(self.declared.profile, access, head, upload).await
    }

    fn hold(&self, access: Access) -> Result<Rc<Access>, SessionError> {
        self.session.check_server(self.declared.profile, access.origin)?;
        let access = Rc::new(access);
        self.held.replace(Some(Rc::clone(&access)));
        Ok(access)
    }

    /// One whose life the server did not tell is used until it is not taken.
    fn usable(&self) -> Option<Rc<Access>> {
        let held = self.held.borrow();
        let (now, leeway) = (self.clock.now(), self.declared.profile.leeway);
        held.as_ref().filter(|held| held.lifetime.is_none_or(|life| life.is_usable(now, leeway))).cloned()
    }
}
