//! Endpoint of one decoy: profile, real token, fake credential, policy and audit log.

use super::audit::Audit;
use super::credential::Decoy;
use super::live_token::LiveToken;
use super::rules::RequestPolicy;
use crate::profile::Profile;
use std::rc::Rc;
use std::time::Duration;

/// Decoy and the profile whose API it serves.
pub struct Endpoint<'a> {
    /// Profile that requests are forwarded for.
    pub profile: &'a Profile,
    /// Real access token of the profile.
    pub live_token: LiveToken<'a>,
    /// Fake credential that the program holds.
    pub decoy: Decoy,
    /// Policy for the program's requests.
    pub policy: RequestPolicy,
    /// Audit log, if requests are logged.
    pub audit: Option<Rc<Audit>>,
    /// Port that the server listens on.
    pub port: u16,
}

impl Endpoint<'_> {
    /// Returns the time without data after which either side is considered stalled.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.profile.timeout.duration()
    }
}
