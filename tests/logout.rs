//! Tests `neto logout`, which deletes cached tokens, does not revoke them at the server, and says so.

use crate::fusion::REFRESH;
use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::Sandbox;

#[test]
fn a_token_is_forgotten_here_and_lives_on_at_the_server() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let token = sandbox.neto(["token"]).allow_secret("access token").run().code(0).stdout_trimmed().to_owned();
    let before = sandbox.server().connections();
    sandbox.neto(["logout"]).run().code(0).stdout("").stderr_has("'acme'").stderr_has("At the server nothing ends");
    assert!(!sandbox.token_file("acme").exists());
    sandbox.neto(["logout", "acme"]).run().code(0).stdout("").stderr_has("no token").stderr_lacks("At the server");
    assert_eq!(sandbox.server().connections(), before, "nobody was asked");
    let next = sandbox.neto(["token"]).allow_secret("access token").run().code(0).stdout_trimmed().to_owned();
    assert_ne!(next, token);
    assert_eq!((sandbox.server().logins(), sandbox.server().request_count(REFRESH)), (2, 0));
}

#[test]
fn only_what_is_selected_is_forgotten() {
    let sandbox = Sandbox::new();
    let names = ["acme", "globex", "hooli"];
    for name in names {
        sandbox.add(name);
    }
    sandbox.neto(["login", "--all"]).run().code(0);
    sandbox.neto(["logout"]).run().code(3).stdout("").stderr_has("no profile is chosen");
    sandbox.neto(["logout", "nosuch"]).run().code(3).stdout("").stderr_has("nosuch");
    sandbox.neto(["logout", "*x", "acme"]).run().code(0).stdout("").stderr_has("2 token");
    let remaining = || names.into_iter().filter(|name| sandbox.token_file(name).exists()).collect::<Vec<_>>();
    assert_eq!(remaining(), ["hooli"]);
    sandbox.neto(["logout", "--all", "-q"]).run().code(0).stdout("").stderr("");
    assert_eq!(remaining(), [""; 0]);
}

#[test]
fn all_means_also_profiles_that_are_gone_or_faulty() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex"] {
        sandbox.add(name);
    }
    sandbox.neto(["login", "--all"]).run().code(0);
    let store = sandbox.store();
    let gone = store.find("[profiles.globex]").unwrap();
    sandbox.write_store(store[..gone].replace("appname", "appnam"));
    sandbox.neto(["logout", "--all"]).run().code(0).stdout("").stderr_has("2 token");
    assert!(!sandbox.token_file("acme").exists() && !sandbox.token_file("globex").exists());
}

#[test]
fn a_token_file_of_no_use_is_forgotten_too() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    std::fs::write(sandbox.token_file("acme"), "damaged").unwrap();
    sandbox.neto(["logout", "acme"]).run().code(0).stdout("").stderr_has("acme");
    assert!(!sandbox.token_file("acme").exists());
}

#[test]
fn r18_a_login_in_flight_writes_nothing_back_after_a_logout_or_a_removal() {
    for verb in [&["logout", "acme"][..], &["profile", "remove", "acme", "--yes"]] {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.neto(["login", "acme"]).run().code(0);
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).once().hold_at(&gate));
        let login = sandbox.neto(["login", "acme", "--force"]).start();
        gate.wait_for_requests(1);
        let ending = sandbox.neto(verb).start();
        ending.wait_for_stderr(&format!("waiting for neto process {}, which holds", login.id()));
        gate.open();
        login.finish().code(0);
        ending.finish().code(0);
        assert!(!sandbox.token_file("acme").exists(), "{verb:?}");
    }
}
