//! Environment variables, files and exit codes, as sections of `neto(1)`.

use super::roff::Page;
use neto::internals::error::Code;

/// Variables that neto reads.
const READ: [(&str, &str); 15] = [
    ("NETO_PROFILE", "The profile, where neither an argument nor --profile names one."),
    ("NETOSECRET", "A credential; it makes the profile `env`, without a store."),
    ("NETO_STORE", "Another store than the standard one; --store is stronger."),
    ("NETO_HOME", "One folder for the store, the keys, the tokens and all else."),
    ("NETO_IDENTITY_FILE", "The identity, in place of the one that `neto init` made: an age identity file."),
    ("NETO_IDENTITY", "The same as text."),
    ("NETO_PASSPHRASE_FILE", "A file with the passphrase of the identity, where nobody can be asked."),
    ("NO_COLOR", "Set: nothing is coloured."),
    (
        "HTTPS_PROXY, https_proxy, ALL_PROXY, all_proxy",
        "The proxy that servers beyond this machine are reached through: http://HOST:PORT or https://HOST:PORT. The \
         first that is set holds.",
    ),
    ("NO_PROXY, no_proxy", "What is reached without it."),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Root certificates in place of the system's."),
    ("VISUAL, EDITOR", "What `neto profile edit` opens a profile with."),
    ("SHELL", "What `neto exec` starts where no program is given."),
    ("GITHUB_ENV", "The file that `neto export --format github` writes to."),
    ("XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CACHE_HOME, XDG_STATE_HOME", "Where the folders below stand."),
];

/// Variables that `neto export` and `neto exec` set.
const SET: [(&str, &str); 8] = [
    ("NETO_PROFILE", "The profile."),
    ("NETO_SHORTNAME", "Its tenant; not set for a person."),
    ("NETO_URL", "The address of the API; ends in /api/v1."),
    ("NETO_TOKEN", "The bearer token."),
    ("NETO_TOKEN_EXPIRES_AT", "When it expires, in seconds since the epoch."),
    ("NETO_STORE", "The store, where it is not the standard one."),
    ("NETO_EXPORTED", "The names that an export set; shells only."),
    (
        "NETOSECRET, NETO_APPNAME, NETO_APPKEY, NETO_SHARED_SECRET, NETO_USERNAME, NETO_PASSWORD",
        "With --with-secret: the credential of an API key, or of a person.",
    ),
];

const FILES: [(&str, &str); 5] = [
    ("~/.config/neto/profiles.toml", "The store; see `neto-profiles`(5)."),
    ("~/.local/share/neto/keys/identity.txt", "The identity, which opens the secrets: an age identity file."),
    ("~/.local/share/neto/keys/device.key", "The device key, which opens the cached tokens of this machine."),
    ("~/.cache/neto/tokens/NAME.token", "The cached token of a profile."),
    ("~/.local/state/neto/", "The current profile, what was trusted, locks."),
];

/// Kinds of failure. The compiler reports a kind that [`meaning`] lacks.
pub(crate) const CODES: [Code; 15] = [
    Code::BrokenPipe,
    Code::System,
    Code::Usage,
    Code::Store,
    Code::Rejected,
    Code::Unreachable,
    Code::Secret,
    Code::Busy,
    Code::Partial,
    Code::ProblemFound,
    Code::Refused,
    Code::Exec(125),
    Code::Exec(126),
    Code::Exec(127),
    Code::Interrupted,
];

fn meaning(code: Code) -> &'static str {
    match code {
        Code::BrokenPipe => "Done.",
        Code::System => "An error of the system (disk, permissions), or a bug.",
        Code::Usage => "Wrong usage; something to confirm and nobody to ask.",
        Code::Store => {
            "The store or the profile: not found, there already, invalid, in clear, tampered with, not trusted; a bad \
             NETOSECRET."
        }
        Code::Rejected => "The server rejected the credential.",
        Code::Unreachable => {
            "The server could not be reached or did not answer usably: trying later may help; --offline without a usable \
             token."
        }
        Code::Secret => "The secret cannot be opened: the identity is missing, wrong or locked; its source failed.",
        Code::Busy => "Waited too long for another neto.",
        Code::Partial => "Several profiles were selected and some failed.",
        Code::ProblemFound => "A --check found something.",
        Code::Refused => "`neto api`: another 4xx of the server.",
        Code::Exec(125) => "`neto exec`: neto failed before the program started.",
        Code::Exec(126) => "`neto exec`: the program cannot be run.",
        Code::Exec(_) => "`neto exec`: the program is not found. Else its own.",
        Code::Interrupted => "Ended by Ctrl-C.",
        Code::Terminated => "Ended by SIGTERM.",
    }
}

/// Adds the sections of `neto(1)` that apply to every verb.
pub(crate) fn describe(page: &mut Page) {
    page.section("Environment").paragraph("neto reads these; an empty one counts as unset.");
    terms(page, &READ);
    page.paragraph("These are set by `neto export` and `neto exec`, with those that the profile declares as `env`.");
    terms(page, &SET);
    page.section("Files");
    terms(page, &FILES);
    page.section("Exit status");
    for code in CODES.into_iter().chain([Code::Terminated]) {
        page.term(&code.status().to_string(), meaning(code));
    }
}

fn terms(page: &mut Page, terms: &[(&str, &str)]) {
    for (names, text) in terms {
        let names: Vec<String> = names.split(", ").map(|name| format!("`{name}`")).collect();
        page.term(&names.join(", "), text);
    }
}
