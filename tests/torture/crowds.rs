//! many processes add profiles to one store at once, and log in to different profiles without waiting for
//! each other.

use super::scale::{print_summary, rounds};
use crate::fusion::{Fault, Gate, TOKEN};
use crate::harness::Sandbox;
use serde_json::json;

const PROFILES: usize = 64;

const COMMENTS: [&str; 3] = ["# of the whole file", "# of nobody in particular", "# at the very end"];

#[test]
fn r14_r15_sixty_four_profiles_are_added_at_once_and_never_wait_for_each_other() {
    let rounds = rounds(20, 1);
    for _ in 0..rounds {
        let sandbox = Sandbox::new();
        sandbox.neto(["init"]).run().code(0);
        let text = sandbox.store().replace("\n[recipients]", &format!("\n{}\n\n[recipients]", COMMENTS[1]));
        sandbox.write_store(format!("{}\n{text}\n{}\n", COMMENTS[0], COMMENTS[2]));
        let names: Vec<String> = (0..PROFILES).map(|number| format!("tenant-{number:02}")).collect();
        let add = |name: &String| {
            let netosecret = sandbox.server().add_tenant(name, "soc").netosecret();
            sandbox.neto(["profile", "add", name]).stdin(netosecret).start()
        };
        let runs: Vec<_> = names.iter().map(add).collect();
        for run in runs {
            run.finish().code(0);
        }
        let listed = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
        let mut found: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["profile"].clone()).collect();
        found.sort_by_key(ToString::to_string);
        assert_eq!(json!(found), json!(names));
        let store = sandbox.store();
        for comment in COMMENTS {
            assert_eq!(store.lines().filter(|line| *line == comment).count(), 1, "{comment:?} in\n{store}");
        }
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
        let token = |name: &String| sandbox.neto(["token", name]).allow_secret("access token").start();
        let runs: Vec<_> = names.iter().map(token).collect();
        // All requests wait at the server at the same time, so no login waits for another.
        gate.wait_for_requests(PROFILES);
        gate.open();
        for run in runs {
            run.finish().code(0).stderr("");
        }
        assert_eq!(sandbox.server().logins(), PROFILES);
    }
    print_summary(&format!(
        "{PROFILES} profiles added at once and {PROFILES} logins at the server at once, {rounds} times"
    ));
}
