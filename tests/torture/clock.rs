//! a jump of the clock costs at most one login and never makes neto fail.

use super::scale::{faketime_works, print_summary};
use crate::fusion::{REFRESH, TOKEN};
use crate::harness::Sandbox;

/// Clock offsets in libfaketime's notation, applied one after the other.
const JUMPS: [&str; 10] = ["-10y", "+0", "-1d", "+0", "-1h", "+0", "+1h", "+0", "+10y", "+0"];

#[test]
fn r20_a_clock_that_jumps_costs_one_login_a_jump_at_most() {
    if !faketime_works() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.server().set_iat_tolerance(None);
    sandbox.add("acme");
    let login_requests = || sandbox.server().request_count(TOKEN) + sandbox.server().request_count(REFRESH);
    let token = |jump: &str| {
        let arguments = ["--exclude-monotonic", "-f", jump, env!("CARGO_BIN_EXE_neto"), "token", "acme"];
        let before = login_requests();
        let outcome = sandbox.program("faketime", arguments).allow_secret("access token").run();
        (outcome.code(0).stdout_trimmed().to_owned(), login_requests() - before)
    };
    let (_, first) = token("+0");
    assert_eq!(first, 1);
    let mut logins = Vec::new();
    for jump in JUMPS {
        let (token_after_jump, login_requests) = token(jump);
        assert!(login_requests <= 1, "{login_requests} logins at {jump}");
        assert_eq!(token(jump), (token_after_jump, 0), "the second run at {jump}");
        logins.push(login_requests);
    }
    // The offsets +0, +1h and +0 cost no login, because the token is still valid.
    assert_eq!(logins, [1, 1, 1, 1, 1, 0, 0, 0, 1, 1]);
    print_summary(&format!("{} jumps of the clock: {} logins, none twice", JUMPS.len(), logins.iter().sum::<usize>()));
}
