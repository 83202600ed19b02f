//! Checks environment variables: the profile, identity, paths, proxy and root certificates that they select.

use super::finding::Finding;
use crate::context::ContextError;
use crate::error::{Code, Error, Hint};
use crate::fusion::{Proxies, count_system_roots};
use crate::output::humanize;
use crate::profile::{ProfileName, ProfileOrigin, ResolveError, explain_resolution};
use crate::workflow::Run;
use crate::workflow::shell_state::profile_variable_setter;
use jiff::Timestamp;

const RESOLVED: &str = "surroundings.choice";
const IDENTITY: &str = "surroundings.identity";
const PATHS: &str = "surroundings.places";

/// Checks the variables, and the files and profiles that they name.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_resolved(run, &mut findings);
    check_overridden(run, &mut findings);
    check_identity(run, &mut findings);
    check_paths(run, &mut findings);
    check_netosecret(run, &mut findings);
    check_export(run, &mut findings);
    check_roots(run, &mut findings);
    check_proxy(run, &mut findings);
    findings
}

/// Reports the resolved profile and its source, unless the store cannot be read.
fn check_resolved(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if run.context.store().is_err() {
        return;
    }
    findings.push(match run.context.resolve(None) {
        Ok(resolved) => {
            let source = if resolved.origin == ProfileOrigin::NetoProfile {
                profile_variable_setter(&run.context.process.environment)
            } else {
                ""
            };
            Finding::ok(RESOLVED, format!("the profile here is {} ({}{source})", resolved.name, resolved.origin))
        }
        Err(ContextError::Resolve(error @ (ResolveError::Empty | ResolveError::NoneSelected { .. }))) => {
            Finding::ok(RESOLVED, error.to_string())
        }
        // `files` reports the unreadable file.
        Err(ContextError::Resolve(ResolveError::Current(_))) => {
            Finding::skipped(RESOLVED, "the current profile is not known")
        }
        Err(error) => Finding::problem(RESOLVED, error),
    });
}

/// Warns about a variable that overrides a source with a different profile. A pin (`.neto-profile`) causes no warning,
/// because it overrides on purpose. A profile that `neto use` or an export set in this shell causes no warning either.
fn check_overridden(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let Ok(store) = run.context.store() else { return };
    let reports = explain_resolution(&run.context.sources(None), store);
    let mut present = reports.iter().filter(|report| report.value.is_some());
    let (Some(winner), Some(overridden)) = (present.next(), present.next()) else { return };
    let variable = match winner.origin {
        ProfileOrigin::NetoProfile if !profile_variable_setter(&run.context.process.environment).is_empty() => return,
        // An invalid name may be a pasted secret, so it is not shown. `check_resolved` reports it.
        ProfileOrigin::NetoProfile if winner.value.as_ref().is_some_and(|name| name.parse::<ProfileName>().is_ok()) => {
            "NETO_PROFILE"
        }
        ProfileOrigin::Netosecret => "NETOSECRET",
        _ => return,
    };
    if winner.value != overridden.value {
        let name_text = |name: &Option<String>| name.clone().unwrap_or_default();
        let message = format!(
            "{variable} says {} and hides {}, which says {}",
            name_text(&winner.value),
            overridden.origin,
            name_text(&overridden.value)
        );
        let error = Error::new(Code::ProblemFound, message).with_hint(Hint::command(format!("unset {variable}")));
        findings.push(Finding::warning("surroundings.hidden", error));
    }
}

fn check_identity(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let if_set = |name: &'static str| run.context.process.environment.get(name).is_some().then_some(name);
    let Some(variable) = if_set("NETO_IDENTITY_FILE").or_else(|| if_set("NETO_IDENTITY")) else { return };
    let file = run.context.paths.keys.identity_file();
    let standard_file = run.context.paths.keys.has_identity().then(|| file.display().to_string());
    let other_variable =
        if_set("NETO_IDENTITY").filter(|other_variable| *other_variable != variable).map(str::to_owned);
    match other_variable.or(standard_file) {
        Some(hidden) => {
            let error = Error::new(Code::ProblemFound, format!("{variable} hides {hidden}"));
            findings.push(Finding::warning(IDENTITY, error.with_hint(Hint::command(format!("unset {variable}")))));
        }
        None => findings.push(Finding::ok(IDENTITY, format!("the identity comes from {variable}"))),
    }
}

fn check_paths(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let environment = &run.context.process.environment;
    let store = run.context.paths.store.display();
    match (environment.text("NETO_HOME"), run.context.paths.is_store_named) {
        (_, true) => {
            let source = if run.context.globals.store.is_some() { "--store" } else { "NETO_STORE" };
            findings.push(Finding::ok(PATHS, format!("the store is {store} ({source})")));
        }
        (Some(home), false) => findings.push(Finding::ok(PATHS, format!("all lies below {home} (NETO_HOME)"))),
        (None, false) => {}
    }
}

fn check_netosecret(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if run.context.has_netosecret()
        && let Err(error) = run.context.profile(&ProfileName::env())
    {
        findings.push(Finding::problem("surroundings.netosecret", error));
    }
}

/// Warns about an expired token that an earlier export set in this shell.
fn check_export(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let expires_at = run.context.process.environment.text("NETO_TOKEN_EXPIRES_AT").and_then(|text| text.parse().ok());
    let Some(expires_at) = expires_at.and_then(|second| Timestamp::from_second(second).ok()) else { return };
    let remaining = expires_at.duration_since(run.context.process.clock.now()).as_secs();
    if remaining <= 0 {
        let error = Error::new(
            Code::ProblemFound,
            format!("the token that was exported here expired {}", humanize::duration(remaining.min(-1))),
        );
        let hint = Hint::command("eval \"$(neto export)\"").remark("or run programs with: neto exec");
        findings.push(Finding::warning("surroundings.export", error.with_hint(hint)));
    }
}

/// If variables replace the system's root certificates, checks that at least one certificate is found.
fn check_roots(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let is_set = |name: &&str| run.context.process.environment.get(name).is_some();
    let variables: Vec<&str> = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter(is_set).collect();
    if variables.is_empty() {
        return;
    }
    let names = variables.join(" and ");
    findings.push(match count_system_roots() {
        0 => {
            let hint = Hint::command(format!("unset {}", variables.join(" ")));
            let message = format!("{names} names no root certificate that can be read");
            Finding::problem("surroundings.roots", Error::new(Code::Unreachable, message).with_hint(hint))
        }
        roots => Finding::ok("surroundings.roots", format!("{roots} root certificates by {names}")),
    });
}

fn check_proxy(run: &Run<'_>, findings: &mut Vec<Finding>) {
    const PROXY: &str = "surroundings.proxy";
    let proxies = Proxies::new(|name| run.context.process.environment.get(name));
    match proxies.configured() {
        Ok(Some((variable, proxy))) => {
            findings.push(Finding::ok(PROXY, format!("{variable} names the proxy {proxy}")));
        }
        Ok(None) => {}
        Err(error) => findings.push(Finding::problem(PROXY, error)),
    }
}
