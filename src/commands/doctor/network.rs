//! Checks the servers: the connection, the clock difference, and whether a server offers the Fusion API.

use super::finding::Finding;
use crate::commands::status::live;
use crate::error::{Code, Error, Hint};
use crate::fusion::{FusionError, ProbeResult, RequestObserver, TlsFault, count_system_roots};
use crate::output::humanize::pluralize;
use crate::output::quote_for_display;
use crate::profile::Profile;
use crate::secret::{Prompter, PrompterError, Secret};
use crate::session::{Jobs, Reporter, Session, SessionError, Warning};
use crate::workflow::TerminalReporter;
use std::ops::ControlFlow;
use std::time::Duration;

const CONNECTION: &str = "network.connection";
const API: &str = "network.api";

/// Profile whose server responds like a Fusion API server, and the result of the probe.
pub(super) struct ReachedProfile<'p> {
    pub(super) profile: &'p Profile,
    pub(super) probe: ProbeResult,
}

/// Probes each server once, without a credential. Returns the profiles whose server responds like a Fusion API server.
pub(super) fn check<'p>(
    session: &Session<'_>,
    profiles: &[&'p Profile],
    jobs: Jobs,
    findings: &mut Vec<Finding>,
) -> Result<Vec<ReachedProfile<'p>>, Error> {
    let call = live::check_call()?;
    let same_server = |left: &Profile, right: &Profile| left.url == right.url && left.ca_file == right.ca_file;
    let mut servers: Vec<&Profile> = Vec::new();
    for profile in profiles {
        if !servers.iter().any(|other| same_server(other, profile)) {
            servers.push(profile);
        }
    }
    let mut probes: Vec<Option<ProbeResult>> = vec![None; servers.len()];
    let mut findings_by_server: Vec<Vec<Finding>> = servers.iter().map(|_| Vec::new()).collect();
    let probe = async |index: usize| (index, session.probe(servers[index], &call, live::LIVE_TIMEOUT).await);
    session.run_each(0..servers.len(), jobs, probe, |(index, result)| {
        let (findings_of_server, profile) = (&mut findings_by_server[index], servers[index]);
        match result {
            Ok(probe) => {
                findings_of_server.extend(clock_finding(&probe));
                match check_is_api(profile, &probe) {
                    Ok(()) => {
                        let message = format!("{} answers in {} ms", probe.host, probe.took.as_millis());
                        findings_of_server.push(Finding::ok(CONNECTION, message));
                        probes[index] = Some(probe);
                    }
                    Err(error) => findings_of_server.push(Finding::profile_problem(API, &profile.name, error)),
                }
            }
            Err(error) => findings_of_server.push(unreached_finding(profile, error)),
        }
        ControlFlow::Continue(())
    })?;
    for (profile, findings_of_server) in servers.iter().zip(findings_by_server) {
        let others = profiles.iter().filter(|other| same_server(profile, other)).count() - 1;
        findings.extend(findings_of_server.into_iter().map(|finding| finding.with_other_profiles(others)));
    }
    let probe_of = |profile: &Profile| probes[servers.iter().position(|other| same_server(other, profile))?].clone();
    let reached = |profile: &&'p Profile| Some(ReachedProfile { profile, probe: probe_of(profile)? });
    Ok(profiles.iter().filter_map(reached).collect())
}

fn unreached_finding(profile: &Profile, error: SessionError) -> Finding {
    let finding = |error: Error| Finding::profile_problem(CONNECTION, &profile.name, error);
    match error {
        SessionError::Fusion(error @ FusionError::NotSent { .. }) => finding(
            Error::from(error)
                .with_hint(Hint::show_profile().remark("is the url right, and is this machine on the network?")),
        ),
        SessionError::Fusion(error @ FusionError::Tls { fault: TlsFault::UnknownAuthority, .. }) => {
            finding(error.into()).with_suffix(&format!("trusted are {}", trusted_roots(profile)))
        }
        error => finding(error.into()),
    }
}

/// Describes the root certificates that are trusted for the server of a profile.
fn trusted_roots(profile: &Profile) -> String {
    let system = format!("{} of the system", pluralize(count_system_roots(), "root"));
    match &profile.ca_file {
        Some(file) => format!("{system} and those in {}", file.display()),
        None => system,
    }
}

fn clock_finding(probe: &ProbeResult) -> Option<Finding> {
    let skew = probe.clock_skew?;
    let direction = if skew > 0 { "ahead of" } else { "behind" };
    let message = format!("this machine's clock is {} s {direction} that of {}", skew.unsigned_abs(), probe.host);
    Some(Finding::problem("network.clock", Error::new(Code::Rejected, message).with_hint(set_clock_hint())))
}

/// Returns an error if the response does not look like the response of a Fusion API server. The credential check then
/// skips the server, so that the server receives no credential.
fn check_is_api(profile: &Profile, probe: &ProbeResult) -> Result<(), Error> {
    let host = &probe.host;
    let unusable = |message: String| Error::new(Code::Unreachable, message);
    let unexpected_response = match probe.status {
        status @ 300..=399 => {
            return Err(FusionError::Redirect { host: host.clone(), status, to: probe.redirect_to.clone() }.into());
        }
        status @ 500.. => {
            let error = unusable(format!("{host} answers with status {status}"));
            return Err(
                error.with_hint(Hint::profile_command(|name| format!("neto doctor {name}")).remark("in a while"))
            );
        }
        _ if probe.is_html => "a page of HTML",
        404 => "status 404",
        _ => return Ok(()),
    };
    let message = format!("{host} answers with {unexpected_response}, as no Fusion API does");
    Err(match url_path_reason(profile) {
        Some((reason, hint)) => unusable(format!("{message}; {reason}")).with_hint(hint),
        None => unusable(message).with_hint(Hint::show_profile().remark("is the url that of a Fusion API?")),
    })
}

/// Returns the reason to suspect the profile's URL, with a hint, if the URL has a path before `/api/v1`. Otherwise
/// returns `None`.
pub(super) fn url_path_reason(profile: &Profile) -> Option<(String, Hint)> {
    let path = Some(profile.url.path()).filter(|path| !path.is_empty())?;
    let origin = quote_for_display(profile.url.origin());
    let hint = Hint::profile_command(move |name| format!("neto profile edit {name} --url {origin}"));
    Some((format!("its url has '{path}' before /api/v1"), hint))
}

/// Returns the hint to set the clock, with the command for systems that use systemd.
pub(super) fn set_clock_hint() -> Hint {
    Hint::command("sudo timedatectl set-ntp true").remark("or set the clock by hand")
}

/// Reporter that drops warnings, because the checks report the same problems. Never prompts.
pub(super) struct QuietReporter<'a>(pub(super) TerminalReporter<'a>);

impl RequestObserver for QuietReporter<'_> {
    fn request_ended(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128) {
        self.0.request_ended(method, host, path, attempt, status, millis);
    }

    fn server_paused(&self, host: &str, pause: Duration) {
        self.0.server_paused(host, pause);
    }
}

impl Reporter for QuietReporter<'_> {
    fn waiting_for_lock(&self, lock_name: &str, holder: Option<u32>) {
        self.0.waiting_for_lock(lock_name, holder);
    }

    fn warn(&self, _: Warning<'_>) {}

    fn trace(&self, text: &dyn Fn() -> String) {
        self.0.trace(text);
    }
}

impl Prompter for QuietReporter<'_> {
    fn is_unavailable(&self) -> bool {
        true
    }

    fn passphrase(&self, location: &str, is_retry: bool) -> Result<Secret, PrompterError> {
        ().passphrase(location, is_retry)
    }

    fn plugin_message(&self, plugin: &str, text: &str) {
        ().plugin_message(plugin, text);
    }

    fn plugin_input(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, PrompterError> {
        ().plugin_input(plugin, prompt, hidden)
    }

    fn plugin_confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, PrompterError> {
        ().plugin_confirm(plugin, prompt, yes, no)
    }
}
