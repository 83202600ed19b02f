//! Endpoint: everything that the decoy of one profile needs to handle requests.

use super::audit::AuditLog;
use super::credential::DecoyCredential;
use super::live_token::LiveToken;
use super::rules::RequestPolicy;
use crate::profile::Profile;
use std::rc::Rc;
use std::time::Duration;

/// Decoy of one profile, without its [`Listener`](super::Listener).
pub struct Endpoint<'a> {
    /// Profile of the tenant that receives the forwarded requests.
    pub profile: &'a Profile,
    /// Real access token of the profile.
    pub live_token: LiveToken<'a>,
    /// Fake credential of the program.
    pub credential: DecoyCredential,
    /// Policy for the program's requests.
    pub policy: RequestPolicy,
    /// Audit log; `None` if requests are not logged.
    pub audit: Option<Rc<AuditLog>>,
    /// Port that the decoy listens on.
    pub port: u16,
}

impl Endpoint<'_> {
    /// Returns the time without data after which the program or the tenant's server counts as stalled.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.profile.timeout.duration()
    }
}
