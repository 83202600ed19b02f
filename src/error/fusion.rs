//! Hints and exit codes for the errors of `fusion`.

use super::{Code, Error, Hint};
use crate::fusion::{FusionError, TlsFault};

impl From<FusionError> for Error {
    fn from(error: FusionError) -> Self {
        let (code, hint) = match &error {
            FusionError::Rejected { clock_skew: Some(skew), .. }
            | FusionError::Refusal { clock_skew: Some(skew), .. } => {
                let side = if *skew > 0 { "ahead of" } else { "behind" };
                let message = format!("{error}; this machine's clock is {} s {side} the server's", skew.unsigned_abs());
                let set_clock =
                    Hint::of_profile(|name| Hint::advice(format!("set the clock, then: neto login {name}")));
                return Self::new(Code::Rejected, message).with_hint(set_clock);
            }
            FusionError::Rejected { .. } => (Code::Rejected, Hint::set_secret().remark("if the key was rotated")),
            FusionError::Refusal { status, retry_after, .. } => refusal_code_and_hint(*status, *retry_after),
            FusionError::TooLarge { .. } => {
                (Code::Unreachable, Hint::advice("one profile's answer is passed on at any size, without --select"))
            }
            FusionError::Status { status: 403, .. } => {
                (Code::Rejected, Hint::set_secret().remark("with a key whose role allows it"))
            }
            FusionError::Status { status: 404, .. } => {
                (Code::Unreachable, Hint::show_profile().remark("is the url right?"))
            }
            FusionError::Redirect { .. } => {
                (Code::Unreachable, Hint::profile_command(|name| format!("neto profile edit {name} --url ...")))
            }
            FusionError::Tls { fault, .. } => (Code::Unreachable, tls_hint(fault)),
            FusionError::Proxy { denied: true, variable, .. } => {
                let export = Hint::command(format!("export {variable}=http://USER:PASSWORD@HOST:PORT"));
                (Code::Unreachable, export.remark("those of the proxy; the password percent-encoded"))
            }
            FusionError::Proxy { variable, .. } => {
                let remark = format!("in a while, if {variable} names the right proxy");
                (Code::Unreachable, Hint::login().remark(remark))
            }
            FusionError::ProxySetting { variable, .. } => {
                let export = Hint::command(format!("export {variable}=http://HOST:PORT"));
                (Code::Unreachable, export.remark(format!("or, to go without: unset {variable}")))
            }
            FusionError::CaFile => (Code::Store, set_ca_file_hint().remark("with certificates in PEM")),
            FusionError::NoRoots => {
                let export = Hint::command("export SSL_CERT_FILE=FILE");
                (Code::Unreachable, export.remark("with certificates in PEM; or install ca-certificates"))
            }
            FusionError::Unusable { .. } => (Code::Unreachable, check_url_hint()),
            _ => (Code::Unreachable, Hint::login().remark("in a while")),
        };
        Self::hinted(code, &error, hint)
    }
}

fn set_ca_file_hint() -> Hint {
    Hint::profile_command(|name| format!("neto profile edit {name} --ca-file FILE"))
}

fn check_url_hint() -> Hint {
    Hint::show_profile().remark("is the url that of a Fusion API?")
}

/// Returns the exit code and the hint for a call that the user requested and the server refused. `retry_after` is in
/// seconds.
fn refusal_code_and_hint(status: u16, retry_after: Option<u64>) -> (Code, Hint) {
    match (status, retry_after) {
        (400, _) => (Code::Rejected, Hint::advice("look at the query and the body of the call")),
        (401, _) => (Code::Rejected, Hint::forced_login().remark("then the same line again")),
        (403, _) => {
            let roles = Hint::profile_command(|name| format!("neto api GET /api-keys {name}")).works_for_env();
            (Code::Rejected, roles.remark("shows the roles of its keys"))
        }
        (404, _) => (Code::Refused, Hint::advice("look at the path; what it names may belong to another tenant")),
        (429, Some(seconds)) => {
            let wait = Hint::advice(format!("the same line in {seconds} s"));
            (Code::Refused, wait.remark("that is what the server asks for"))
        }
        (429, None) => (Code::Refused, Hint::advice("the same line in a while")),
        (400..500, _) => (Code::Refused, Hint::advice("look at the method, the path and the body of the call")),
        _ => {
            let wait = Hint::advice("the same line in a while");
            (Code::Unreachable, wait.remark("a call that writes may have been done: look first"))
        }
    }
}

fn tls_hint(fault: &TlsFault) -> Hint {
    match fault {
        TlsFault::UnknownAuthority => set_ca_file_hint()
            .remark(
                "with the certificate, in PEM, of your own authority or of a proxy that opens TLS; SSL_CERT_FILE does it \
                 for all profiles",
            )
            .for_env(
                Hint::command("export SSL_CERT_FILE=FILE")
                    .remark("with all root certificates that are to be trusted, in PEM"),
            ),
        TlsFault::Expired | TlsFault::NotYetValid => {
            Hint::login().remark("when its certificate is renewed, or this clock is set")
        }
        TlsFault::AuthorityCertificate => Hint::login().remark("when it has a certificate that an authority signed"),
        TlsFault::WrongName | TlsFault::OldVersion | TlsFault::NoTls | TlsFault::Other(_) => check_url_hint(),
    }
}
