//! Tests the pictures of the README, `docs/session-light.svg` and `docs/session-dark.svg`, which show a real session.
//!
//! With `UPDATE_GOLDEN` set, both pictures are rewritten. Times differ from run to run and are not compared.

use crate::fusion::Lifetime;
use crate::harness::Sandbox;
use crate::transcript::comparable_words;
use anstyle::{Color, RgbColor};
use anstyle_svg::{Palette, Term, VGA, WIN10_CONSOLE};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const HOUR: i64 = 3_600;
/// Tenants: name, tag, token lifetime in hours, token age in hours.
const TENANTS: [(&str, &str, i64, i64); 5] = [
    ("acme", "prod", 24, 11),
    ("globex", "prod", 12, 11),
    ("hooli", "lab", 6, 9),
    ("initech", "prod", 24, 2),
    ("umbrella", "prod", 24, 5),
];
/// Typed lines; `sh` runs each line with neto's colors on.
const SESSION: [&str; 5] = [
    "neto status",
    "neto login --tag prod --min-ttl 2h",
    "neto use acme",
    "neto exec -- sh -c 'echo \"$NETO_SHORTNAME, token of ${#NETO_TOKEN} characters\"'",
    "neto api GET /api-keys --tag prod --select /data/0/appname",
];

/// Creates the tenants with tokens of various ages, and makes `globex` current.
fn create_tenants() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, tag, access, _) in TENANTS {
        let refresh = Some(7 * 24 * HOUR.unsigned_abs());
        sandbox
            .server()
            .set_tenant_lifetime(name, Lifetime { access: access.unsigned_abs() * HOUR.unsigned_abs(), refresh });
        let netosecret = sandbox.server().add_tenant(name, "soc").netosecret();
        sandbox.neto(["profile", "add", name, "--tag", tag]).stdin(netosecret).run().code(0);
    }
    sandbox.neto(["login", "--all"]).run().code(0);
    for (name, .., ago) in TENANTS {
        sandbox.backdate_token(name, ago * HOUR);
    }
    sandbox.neto(["use", "globex"]).run().code(0);
    sandbox
}

/// Runs the session and returns its output in color.
fn session(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    for line in SESSION {
        let coloured = line.replace("neto ", "neto --color always ");
        let outcome = sandbox.program("sh", ["-c", &format!("exec 2>&1; {coloured}")]).run();
        let _ = writeln!(text, "\u{1b}[1m$ {line}\u{1b}[0m\n{}", outcome.code(0).stdout_trimmed());
    }
    text
}

fn picture(session: &str, ink: RgbColor, paper: RgbColor, palette: Palette) -> String {
    let term = Term::new().fg_color(Color::Rgb(ink)).bg_color(Color::Rgb(paper)).palette(palette);
    term.render_svg(session.trim_end())
}

/// Returns the words of a picture without tags; the values of times are replaced.
fn visible_words(svg: &str) -> Vec<String> {
    let text = svg.rsplit_once("</style>").map_or(svg, |(_, drawn)| drawn);
    let spans = text.split('<').filter_map(|piece| Some(piece.split_once('>')?.1));
    comparable_words(&spans.collect::<Vec<_>>().join(" "))
}

#[test]
fn the_readme_shows_a_real_session() {
    let sandbox = create_tenants();
    let session = session(&sandbox);
    assert!(session.contains("\u{1b}[") && session.contains("renewable") && session.contains("expiring"), "{session}");
    let (black, white) = (RgbColor(0x1f, 0x23, 0x28), RgbColor(0xff, 0xff, 0xff));
    let (ink, night) = (RgbColor(0xe6, 0xed, 0xf3), RgbColor(0x0d, 0x11, 0x17));
    for (name, svg) in [
        ("session-light.svg", picture(&session, black, white, VGA)),
        ("session-dark.svg", picture(&session, ink, night, WIN10_CONSOLE)),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let shown = fs::read_to_string(&file).unwrap_or_default();
        if visible_words(&shown) == visible_words(&svg) {
            continue;
        }
        assert!(
            std::env::var_os("UPDATE_GOLDEN").is_some(),
            "docs/{name} is not what neto prints: just golden\n{session}"
        );
        fs::write(&file, &svg).unwrap();
    }
}
