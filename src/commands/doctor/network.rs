//! The servers: whether each is reached, whether it answers as a Fusion API, and how its clock stands.

use super::finding::Finding;
use crate::commands::status::live;
use crate::error::{Code, Error};
use crate::fusion::{FusionError, Progress, Sight, TlsFault, roots_of_system};
use crate::output::humanize::count;
use crate::output::quoted;
use crate::profile::Profile;
use crate::secret::{Asker, Secret, Unanswered};
use crate::session::{Jobs, Session, SessionError, Warning, Watcher};
use crate::workflow::Watch;
use std::ops::ControlFlow;
use std::time::Duration;

const CONNECTION: &str = "network.connection";
const API: &str = "network.api";

/// A profile whose server answers as a Fusion API does, and how.
pub(super) struct Reached<'p> {
    pub(super) profile: &'p Profile,
    pub(super) sight: Sight,
}

/// Asks each server once, without any credential; the profiles of those that answer as they should.
pub(super) fn check<'p>(
    session: &Session<'_>,
    profiles: &[&'p Profile],
    jobs: Jobs,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Reached<'p>>, Error> {
    let call = live::call()?;
    let same = |one: &Profile, other: &Profile| one.url == other.url && one.ca_file == other.ca_file;
    let mut first: Vec<&Profile> = Vec::new();
    for profile in profiles {
        if !first.iter().any(|known| same(known, profile)) {
            first.push(profile);
        }
    }
    let mut sights: Vec<Option<Sight>> = vec![None; first.len()];
    let mut told: Vec<Vec<Finding>> = first.iter().map(|_| Vec::new()).collect();
    let probe = async |place: usize| (place, session.probe(first[place], &call, live::PATIENCE).await);
    session.each(0..first.len(), jobs, probe, |(place, answer)| {
        let (own, profile) = (&mut told[place], first[place]);
        match answer {
            Ok(sight) => {
                own.extend(clock(&sight));
                match judge(profile, &sight) {
                    Ok(()) => {
                        let message = format!("{} answers in {} ms", sight.host, sight.took.as_millis());
                        own.push(Finding::fine(CONNECTION, message));
                        sights[place] = Some(sight);
                    }
                    Err(error) => own.push(Finding::problem_of(API, &profile.name, error)),
                }
            }
            Err(error) => own.push(unreached(profile, error)),
        }
        ControlFlow::Continue(())
    })?;
    for (profile, own) in first.iter().zip(told) {
        let others = profiles.iter().filter(|other| same(profile, other)).count() - 1;
        findings.extend(own.into_iter().map(|finding| finding.shared(others)));
    }
    let sight = |profile: &Profile| sights[first.iter().position(|known| same(known, profile))?].clone();
    let reached = |profile: &&'p Profile| Some(Reached { profile, sight: sight(profile)? });
    Ok(profiles.iter().filter_map(reached).collect())
}

fn unreached(profile: &Profile, error: SessionError) -> Finding {
    let told = |error: Error| Finding::problem_of(CONNECTION, &profile.name, error);
    match error {
        SessionError::Fusion(error @ FusionError::NotSent { .. }) => told(
            Error::from(error)
                .with_hint("neto profile show NAME    is the url right, and is this machine on the network?"),
        ),
        SessionError::Fusion(error @ FusionError::Tls { fault: TlsFault::Authority, .. }) => {
            told(error.into()).adding(&format!("trusted are {}", roots(profile)))
        }
        error => told(error.into()),
    }
}

/// Whose word is taken for the server of a profile.
fn roots(profile: &Profile) -> String {
    let system = format!("{} of the system", count(roots_of_system(), "root"));
    match &profile.ca_file {
        Some(file) => format!("{system} and those in {}", file.display()),
        None => system,
    }
}

fn clock(sight: &Sight) -> Option<Finding> {
    let skew = sight.clock_skew?;
    let side = if skew > 0 { "ahead of" } else { "behind" };
    let message = format!("this machine's clock is {} s {side} that of {}", skew.unsigned_abs(), sight.host);
    Some(Finding::problem("network.clock", Error::new(Code::Rejected, message).with_hint(SET_CLOCK)))
}

/// Fails for a server that does not answer as a Fusion API does, which gets no credential.
fn judge(profile: &Profile, sight: &Sight) -> Result<(), Error> {
    let host = &sight.host;
    let unusable = |message: String| Error::new(Code::Unreachable, message);
    let answered = match sight.status {
        status @ 300..=399 => {
            return Err(FusionError::Redirect { host: host.clone(), status, to: sight.to.clone() }.into());
        }
        status @ 500.. => {
            let error = unusable(format!("{host} answers with status {status}"));
            return Err(error.with_hint("neto doctor NAME    in a while"));
        }
        _ if sight.is_page => "a page of HTML",
        404 => "status 404",
        _ => return Ok(()),
    };
    let message = format!("{host} answers with {answered}, as no Fusion API does");
    Err(match longer_path(profile) {
        Some((why, line)) => unusable(format!("{message}; {why}")).with_hint(line),
        None => unusable(message).with_hint("neto profile show NAME    is the url that of a Fusion API?"),
    })
}

/// What speaks for a wrong url where its path is not the API's own, and the line that mends it.
pub(super) fn longer_path(profile: &Profile) -> Option<(String, String)> {
    let path = Some(profile.url.path()).filter(|path| !path.is_empty())?;
    let line = format!("neto profile edit NAME --url {}", quoted(profile.url.origin()));
    Some((format!("its url has '{path}' before /api/v1"), line))
}

/// What mends a clock where systemd keeps it.
pub(super) const SET_CLOCK: &str = "sudo timedatectl set-ntp true    or set the clock by hand";

/// Hears what the pipeline tells, and answers nothing. What it warns of the doctor finds by itself.
pub(super) struct Hushed<'a>(pub(super) Watch<'a>);

impl Progress for Hushed<'_> {
    fn asked(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128) {
        self.0.asked(method, host, path, attempt, status, millis);
    }

    fn rests(&self, host: &str, pause: Duration) {
        self.0.rests(host, pause);
    }
}

impl Watcher for Hushed<'_> {
    fn waiting(&self, what: &str, holder: Option<u32>) {
        self.0.waiting(what, holder);
    }

    fn warn(&self, _: Warning<'_>) {}

    fn trace(&self, text: &dyn Fn() -> String) {
        self.0.trace(text);
    }
}

impl Asker for Hushed<'_> {
    fn is_nobody(&self) -> bool {
        true
    }

    fn passphrase(&self, place: &str, wrong: bool) -> Result<Secret, Unanswered> {
        ().passphrase(place, wrong)
    }

    fn told_by_plugin(&self, plugin: &str, text: &str) {
        ().told_by_plugin(plugin, text);
    }

    fn asked_by_plugin(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, Unanswered> {
        ().asked_by_plugin(plugin, prompt, hidden)
    }

    fn decided_for_plugin(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, Unanswered> {
        ().decided_for_plugin(plugin, prompt, yes, no)
    }
}
