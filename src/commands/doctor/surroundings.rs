//! What stands around neto: which variables decide, what hides what, and what is on the way to the servers.

use super::finding::Finding;
use crate::context::ContextError;
use crate::error::{Code, Error};
use crate::fusion::{Proxies, roots_of_system};
use crate::output::humanize;
use crate::profile::{ChoiceError, Origin, ProfileName, explain};
use crate::workflow::Run;
use crate::workflow::shell_state::who_set_it;
use jiff::Timestamp;

const CHOICE: &str = "surroundings.choice";
const IDENTITY: &str = "surroundings.identity";
const PLACES: &str = "surroundings.places";

/// Looks at the variables, and at what they name.
pub(super) fn check(run: &Run<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    choice(run, &mut findings);
    hidden_choice(run, &mut findings);
    identity(run, &mut findings);
    places(run, &mut findings);
    netosecret(run, &mut findings);
    exported(run, &mut findings);
    roots(run, &mut findings);
    proxy(run, &mut findings);
    findings
}

/// Which profile is chosen here, and who says so.
fn choice(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if run.context.store().is_err() {
        return;
    }
    findings.push(match run.context.choose(None) {
        Ok(choice) => {
            let by = if choice.origin == Origin::Variable { who_set_it(&run.context.process.environment) } else { "" };
            Finding::fine(CHOICE, format!("the profile here is {} ({}{by})", choice.name, choice.origin))
        }
        Err(ContextError::Choice(error @ (ChoiceError::Empty | ChoiceError::Nobody { .. }))) => {
            Finding::fine(CHOICE, error.to_string())
        }
        // The file is told of among the places.
        Err(ContextError::Choice(ChoiceError::Current(_))) => {
            Finding::skipped(CHOICE, "the current profile is not known")
        }
        Err(error) => Finding::problem(CHOICE, error),
    });
}

/// A variable that says something else than the places that it hides. A pin is there to say so, and so is what this shell
/// chose or exported.
fn hidden_choice(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let Ok(store) = run.context.store() else { return };
    let said = explain(&run.context.sources(None), store);
    let mut speaking = said.iter().filter(|said| said.text.is_some());
    let (Some(winner), Some(hidden)) = (speaking.next(), speaking.next()) else { return };
    let variable = match winner.origin {
        Origin::Variable if !who_set_it(&run.context.process.environment).is_empty() => return,
        // What is no name may be a secret that was pasted there; that it is none is told of the choice.
        Origin::Variable if winner.text.as_ref().is_some_and(|text| text.parse::<ProfileName>().is_ok()) => {
            "NETO_PROFILE"
        }
        Origin::Netosecret => "NETOSECRET",
        _ => return,
    };
    if winner.text != hidden.text {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let message = format!(
            "{variable} says {} and hides {}, which says {}",
            text(&winner.text),
            hidden.origin,
            text(&hidden.text)
        );
        let error = Error::new(Code::Found, message).with_hint(format!("unset {variable}"));
        findings.push(Finding::warning("surroundings.hidden", error));
    }
}

fn identity(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let set = |name: &'static str| run.context.process.environment.get(name).is_some().then_some(name);
    let Some(variable) = set("NETO_IDENTITY_FILE").or_else(|| set("NETO_IDENTITY")) else { return };
    let file = run.context.paths.keys.identity_file();
    let own = run.context.paths.keys.has_identity().then(|| file.display().to_string());
    let other = set("NETO_IDENTITY").filter(|other| *other != variable).map(str::to_owned);
    match other.or(own) {
        Some(hidden) => {
            let error = Error::new(Code::Found, format!("{variable} hides {hidden}"));
            findings.push(Finding::warning(IDENTITY, error.with_hint(format!("unset {variable}"))));
        }
        None => findings.push(Finding::fine(IDENTITY, format!("the identity comes from {variable}"))),
    }
}

fn places(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let environment = &run.context.process.environment;
    let store = run.context.paths.store.display();
    match (environment.text("NETO_HOME"), run.context.paths.named_store) {
        (_, true) => {
            let by = if run.context.globals.store.is_some() { "--store" } else { "NETO_STORE" };
            findings.push(Finding::fine(PLACES, format!("the store is {store} ({by})")));
        }
        (Some(home), false) => findings.push(Finding::fine(PLACES, format!("all lies below {home} (NETO_HOME)"))),
        (None, false) => {}
    }
}

fn netosecret(run: &Run<'_>, findings: &mut Vec<Finding>) {
    if run.context.has_netosecret()
        && let Err(error) = run.context.profile(&ProfileName::env())
    {
        findings.push(Finding::problem("surroundings.netosecret", error));
    }
}

/// What an earlier export left in this shell.
fn exported(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let until = run.context.process.environment.text("NETO_TOKEN_EXPIRES_AT").and_then(|text| text.parse().ok());
    let Some(until) = until.and_then(|second| Timestamp::from_second(second).ok()) else { return };
    let left = until.duration_since(run.context.process.clock.now()).as_secs();
    if left <= 0 {
        let error = Error::new(
            Code::Found,
            format!("the token that was exported here expired {}", humanize::span(left.min(-1))),
        );
        let line = "eval \"$(neto export)\"    or run programs with: neto exec";
        findings.push(Finding::warning("surroundings.export", error.with_hint(line)));
    }
}

/// Root certificates that variables name in the place of the system's.
fn roots(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let set = |name: &&str| run.context.process.environment.get(name).is_some();
    let variables: Vec<&str> = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter(set).collect();
    if variables.is_empty() {
        return;
    }
    let variables = variables.join(" and ");
    findings.push(match roots_of_system() {
        0 => {
            let hint = format!("unset {}", variables.replace(" and", ""));
            let message = format!("{variables} names no root certificate that can be read");
            Finding::problem("surroundings.roots", Error::new(Code::Unreachable, message).with_hint(hint))
        }
        roots => Finding::fine("surroundings.roots", format!("{roots} root certificates by {variables}")),
    });
}

fn proxy(run: &Run<'_>, findings: &mut Vec<Finding>) {
    const PROXY: &str = "surroundings.proxy";
    let proxies = Proxies::new(|name| run.context.process.environment.get(name));
    match proxies.named() {
        Ok(Some((variable, proxy))) => {
            findings.push(Finding::fine(PROXY, format!("{variable} names the proxy {proxy}")));
        }
        Ok(None) => {}
        Err(error) => findings.push(Finding::problem(PROXY, error)),
    }
}
