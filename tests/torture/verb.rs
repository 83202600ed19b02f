//! The commands that stress tests kill or make fail, and the checks after each run.

use super::invariants::SURVIVING_PROFILES;
use crate::fusion::Credential;
use crate::harness::{OTHER_RECIPIENT, Sandbox};

/// Age in seconds at which an access token has expired but its refresh token has not.
const TWO_DAYS_SECONDS: i64 = 2 * 86_400;

/// Command under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Login,
    Refresh,
    Add,
    Seal,
    Use,
    Logout,
    Exec,
    /// Adds another recipient to all secrets, or removes that recipient again.
    Share,
}

/// Sandbox with two profiles, in which one command runs again and again.
pub(super) struct VerbFixture {
    pub(super) sandbox: Sandbox,
    verb: Verb,
    round: usize,
    /// Credential that this round adds (`Add`) or encrypts (`Seal`).
    credential: Option<Credential>,
}

impl VerbFixture {
    pub(super) fn new(verb: Verb) -> Self {
        let sandbox = Sandbox::new();
        for profile in SURVIVING_PROFILES {
            sandbox.add(profile);
        }
        sandbox.neto(["use", "acme"]).run().code(0);
        sandbox.neto(["login", "acme"]).run().code(0);
        Self { sandbox, verb, round: 0, credential: None }
    }

    /// Starts a new round: creates the state that the command needs.
    pub(super) fn prepare(&mut self) {
        self.round += 1;
        let sandbox = &self.sandbox;
        match self.verb {
            Verb::Use | Verb::Share => {}
            Verb::Login | Verb::Exec | Verb::Logout => _ = sandbox.neto(["login", "acme"]).run().code(0),
            Verb::Refresh => {
                let has_refresh_token =
                    sandbox.token_file("acme").exists() && !sandbox.sealed_token("acme")["refresh_token"].is_null();
                if !has_refresh_token {
                    sandbox.neto(["login", "acme", "--force"]).run().code(0);
                }
                sandbox.backdate_token("acme", TWO_DAYS_SECONDS);
            }
            Verb::Add | Verb::Seal => {
                let credential = sandbox.server().add_tenant(&self.new_profile(), "soc");
                if self.verb == Verb::Seal {
                    let block =
                        format!("\n[profiles.{}]\nnetosecret = \"{}\"\n", self.new_profile(), credential.netosecret());
                    sandbox.write_store(sandbox.store() + &block);
                }
                self.credential = Some(credential);
            }
        }
    }

    /// Name of the profile that this round adds or encrypts.
    fn new_profile(&self) -> String {
        format!("new-{}", self.round)
    }

    /// Name of the profile that this round makes current.
    fn profile_to_use(&self) -> &'static str {
        SURVIVING_PROFILES[self.round % SURVIVING_PROFILES.len()]
    }

    /// Returns whether the other recipient is in the store.
    fn is_shared(&self) -> bool {
        self.sandbox.store().contains(OTHER_RECIPIENT)
    }

    /// Arguments of the command under test.
    pub(super) fn arguments(&self) -> Vec<String> {
        let new_profile = self.new_profile();
        let words = match self.verb {
            Verb::Login => vec!["login", "acme", "--force"],
            Verb::Refresh => vec!["login", "acme"],
            Verb::Add => vec!["profile", "add", &new_profile],
            Verb::Seal => vec!["seal", &new_profile],
            Verb::Use => vec!["use", self.profile_to_use()],
            Verb::Logout => vec!["logout", "acme"],
            Verb::Exec => vec!["exec", "acme", "--", "true"],
            Verb::Share if self.is_shared() => vec!["recipient", "remove", "other"],
            Verb::Share => vec!["recipient", "add", "other", OTHER_RECIPIENT],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// Standard input of the command under test.
    pub(super) fn stdin(&self) -> String {
        self.credential.as_ref().filter(|_| self.verb == Verb::Add).map(Credential::netosecret).unwrap_or_default()
    }

    /// Checks the state after a run with this exit code. All files must be intact, exit code 0 must mean success, and
    /// the next run must work.
    pub(super) fn check(&self, code: i32) {
        let sandbox = &self.sandbox;
        sandbox.assert_intact(&SURVIVING_PROFILES);
        let new_profile = self.new_profile();
        let rerun = || _ = sandbox.neto(self.arguments()).stdin(self.stdin()).run().code(0);
        match self.verb {
            Verb::Login | Verb::Refresh => {
                sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0);
            }
            Verb::Add => {
                let was_added = sandbox.has_profile(&new_profile);
                assert!(was_added || code != 0, "`profile add` exits with 0 and {new_profile} is not there");
                if !was_added {
                    rerun();
                }
                sandbox.neto(["login", &new_profile]).run().code(0);
            }
            Verb::Seal => {
                let is_plaintext = sandbox.store().contains("netosecret");
                assert!(!is_plaintext || code != 0, "`seal` exits with 0 and {new_profile} stands in clear");
                rerun();
                assert!(!sandbox.store().contains("netosecret"));
                sandbox.neto(["login", &new_profile]).run().code(0);
            }
            Verb::Use => {
                let current = sandbox.neto(["profile", "current"]).run().code(0).stdout_trimmed().to_owned();
                assert!(SURVIVING_PROFILES.contains(&current.as_str()), "{current:?} is current");
                assert!(current == self.profile_to_use() || code != 0, "`use` exits with 0 and {current} is current");
                rerun();
                sandbox.neto(["profile", "current"]).run().code(0).stdout(&format!("{}\n", self.profile_to_use()));
            }
            Verb::Logout => {
                let is_logged_out = !sandbox.token_file("acme").exists();
                assert!(is_logged_out || code != 0, "`logout` exits with 0 and the token is there");
                rerun();
            }
            Verb::Exec => rerun(),
            // Even if the run failed, all secrets must be encrypted to exactly the store's recipients.
            Verb::Share => {
                sandbox.neto(["seal", "--check"]).run().code(0);
                rerun();
                sandbox.neto(["seal", "--check"]).run().code(0);
            }
        }
        assert_eq!(sandbox.server().reused_refresh_tokens(), [""; 0]);
    }
}
