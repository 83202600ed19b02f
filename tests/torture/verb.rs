//! What is done to a profile while neto is killed or the system fails it, and the run after that.

use super::whole::LISTED;
use crate::fusion::Credential;
use crate::harness::{STRANGER, Sandbox};

/// Longer than an access token lives, and less than a refresh token.
const DAYS: i64 = 2 * 86_400;

/// What neto is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Login,
    Refresh,
    Add,
    Seal,
    Use,
    Logout,
    Exec,
    /// Lets somebody else open all secrets, or no longer.
    Share,
}

/// A sandbox with two profiles in which one verb is run again and again.
pub(super) struct Scene {
    pub(super) sandbox: Sandbox,
    verb: Verb,
    round: usize,
    /// The credential that `add` and `seal` are given in this round.
    credential: Option<Credential>,
}

impl Scene {
    pub(super) fn new(verb: Verb) -> Self {
        let sandbox = Sandbox::new();
        for profile in LISTED {
            sandbox.add(profile);
        }
        sandbox.neto(["use", "acme"]).run().code(0);
        sandbox.neto(["login", "acme"]).run().code(0);
        Self { sandbox, verb, round: 0, credential: None }
    }

    /// Brings about what the verb needs.
    pub(super) fn prepare(&mut self) {
        self.round += 1;
        let sandbox = &self.sandbox;
        match self.verb {
            Verb::Use | Verb::Share => {}
            Verb::Login | Verb::Exec | Verb::Logout => _ = sandbox.neto(["login", "acme"]).run().code(0),
            Verb::Refresh => {
                let has_one =
                    sandbox.token_file("acme").exists() && !sandbox.sealed_token("acme")["refresh_token"].is_null();
                if !has_one {
                    sandbox.neto(["login", "acme", "--force"]).run().code(0);
                }
                sandbox.age_token("acme", DAYS);
            }
            Verb::Add | Verb::Seal => {
                let credential = sandbox.server().add_tenant(&self.fresh(), "soc");
                if self.verb == Verb::Seal {
                    let block =
                        format!("\n[profiles.{}]\nnetosecret = \"{}\"\n", self.fresh(), credential.netosecret());
                    sandbox.write_store(sandbox.store() + &block);
                }
                self.credential = Some(credential);
            }
        }
    }

    /// The profile that this round makes or seals.
    fn fresh(&self) -> String {
        format!("new-{}", self.round)
    }

    /// The profile that this round switches to.
    fn switched_to(&self) -> &'static str {
        LISTED[self.round % LISTED.len()]
    }

    /// Whether somebody else can open the secrets.
    fn is_shared(&self) -> bool {
        self.sandbox.store().contains(STRANGER)
    }

    /// The arguments of the run that is harmed.
    pub(super) fn arguments(&self) -> Vec<String> {
        let fresh = self.fresh();
        let words = match self.verb {
            Verb::Login => vec!["login", "acme", "--force"],
            Verb::Refresh => vec!["login", "acme"],
            Verb::Add => vec!["profile", "add", &fresh],
            Verb::Seal => vec!["seal", &fresh],
            Verb::Use => vec!["use", self.switched_to()],
            Verb::Logout => vec!["logout", "acme"],
            Verb::Exec => vec!["exec", "acme", "--", "true"],
            Verb::Share if self.is_shared() => vec!["recipient", "remove", "other"],
            Verb::Share => vec!["recipient", "add", "other", STRANGER],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// What that run reads.
    pub(super) fn stdin(&self) -> String {
        self.credential.as_ref().filter(|_| self.verb == Verb::Add).map(Credential::netosecret).unwrap_or_default()
    }

    /// After a run that ended with this code: all is whole, an exit of 0 was no lie, and the next run works.
    pub(super) fn check(&self, code: i32) {
        let sandbox = &self.sandbox;
        sandbox.is_whole(&LISTED);
        let fresh = self.fresh();
        let again = || _ = sandbox.neto(self.arguments()).stdin(self.stdin()).run().code(0);
        match self.verb {
            Verb::Login | Verb::Refresh => {
                sandbox.neto(["token", "acme"]).reveals("access token").run().code(0);
            }
            Verb::Add => {
                let made = sandbox.lists(&fresh);
                assert!(made || code != 0, "`profile add` exits with 0 and {fresh} is not there");
                if !made {
                    again();
                }
                sandbox.neto(["login", &fresh]).run().code(0);
            }
            Verb::Seal => {
                let clear = sandbox.store().contains("netosecret");
                assert!(!clear || code != 0, "`seal` exits with 0 and {fresh} stands in clear");
                again();
                assert!(!sandbox.store().contains("netosecret"));
                sandbox.neto(["login", &fresh]).run().code(0);
            }
            Verb::Use => {
                let current = sandbox.neto(["profile", "current"]).run().code(0).answer().to_owned();
                assert!(LISTED.contains(&current.as_str()), "{current:?} is current");
                assert!(current == self.switched_to() || code != 0, "`use` exits with 0 and {current} is current");
                again();
                sandbox.neto(["profile", "current"]).run().code(0).stdout(&format!("{}\n", self.switched_to()));
            }
            Verb::Logout => {
                let forgotten = !sandbox.token_file("acme").exists();
                assert!(forgotten || code != 0, "`logout` exits with 0 and the token is there");
                again();
            }
            Verb::Exec => again(),
            // All secrets are sealed to the recipients that the store has, before as after.
            Verb::Share => {
                sandbox.neto(["seal", "--check"]).run().code(0);
                again();
                sandbox.neto(["seal", "--check"]).run().code(0);
            }
        }
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
}
