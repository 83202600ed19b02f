//! What went wrong, in words: kind, what is the case, what to do next, exit code.
//!
//! The one place where the rooms' errors become sentences for the user. Each room's error says what is the
//! case; here stand the line to paste and the exit code.

use crate::context::ContextError;
use crate::disk::DiskError;
use crate::fusion::{FusionError, TlsFault};
use crate::output::{AskError, quoted};
use crate::profile::{ChoiceError, CurrentError, EditError, Problem, SelectionError, StoreError, StoreFileError};
use crate::secret::{
    BindingError, CredentialError, KeyError, MemoryError, NetoSecretError, OpenError, PluginError, SealError,
    SourceError, Unanswered,
};
use crate::session::{AcquireError, RotationError, SessionError, VaultError};
use std::fmt;
use std::io;
use std::path::Path;

/// The kinds of failure, by their exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// 1: an error of the system, or a bug.
    System,
    /// 2: wrong usage; something to confirm and nobody to ask.
    Usage,
    /// 3: the store or the profile; a bad NETOSECRET.
    Store,
    /// 4: the server rejected the credential.
    Rejected,
    /// 5: the server could not be reached or did not answer usably.
    Unreachable,
    /// 6: the secret cannot be opened.
    Secret,
    /// 7: waited too long for another neto.
    Busy,
    /// 8: several profiles were selected and some failed.
    Partial,
    /// 9: a check found something.
    Found,
    /// 10: the server refuses a call, for another reason than the credential.
    Refused,
    /// 125 to 127: what `exec` says.
    Exec(u8),
    /// 130: interrupted.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
    /// 0: nobody reads any more (a closed pipe); no failure.
    Quiet,
}

/// The profile that NETOSECRET makes; no command can change it.
const ENV: &str = "env";

/// A failure as the user sees it.
#[derive(Debug)]
pub(crate) struct Error {
    code: Code,
    message: String,
    hint: Option<String>,
}

impl Code {
    /// The exit code.
    #[must_use]
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Quiet => 0,
            Self::System => 1,
            Self::Usage => 2,
            Self::Store => 3,
            Self::Rejected => 4,
            Self::Unreachable => 5,
            Self::Secret => 6,
            Self::Busy => 7,
            Self::Partial => 8,
            Self::Found => 9,
            Self::Refused => 10,
            Self::Exec(status) => status,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl Error {
    /// A failure of that kind.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// With what to do next, as a line to paste.
    #[must_use]
    ///
    /// A remark may follow after four blanks; it is shown on a line of its own, so that the first can be pasted whole.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(lines(&hint.into()));
        self
    }

    /// A failure of which nothing is said, because the user knows.
    #[must_use]
    pub(crate) fn silent(code: Code) -> Self {
        Self { code, message: String::new(), hint: None }
    }

    /// A state that cannot be.
    #[must_use]
    pub(crate) fn bug(what: &str) -> Self {
        Self::new(Code::System, format!("this is a bug: {what}"))
    }

    /// The same, said of one profile or key; `NAME` in the line to paste becomes its name. What is silent stays so.
    #[must_use]
    pub(crate) fn about(mut self, what: &(impl fmt::Display + ?Sized)) -> Self {
        if self.message.is_empty() {
            return self;
        }
        let name = what.to_string();
        if !self.message.starts_with(&format!("{name}: ")) {
            self.message = format!("{name}: {}", self.message);
        }
        self.hint = self.hint.map(|hint| {
            let own = name == ENV && hint.contains("NAME");
            if own { for_env(&hint) } else { hint.replace("NAME", &name) }
        });
        self
    }

    /// Its kind.
    #[must_use]
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What is the case.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn hinted(code: Code, error: &impl fmt::Display, hint: Option<String>) -> Self {
        Self { code, message: error.to_string(), hint: hint.map(|hint| lines(&hint)) }
    }
}

impl From<io::Error> for Error {
    /// Only standard output is written without a name.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Code::Quiet),
            _ => Self::new(Code::System, format!("cannot write the answer: {}", crate::disk::plain(&error))),
        }
    }
}

impl From<DiskError> for Error {
    fn from(error: DiskError) -> Self {
        let path = paste(error.path());
        let hint = match &error {
            open if open.is_everybodys() => {
                let own = paste(&error.path().join("neto"));
                Some(format!("mkdir -m 700 {own}    and keep it there: this folder is everybody's"))
            }
            DiskError::TooOpen { writable: true, .. } => Some(format!("chmod go-w {path}")),
            DiskError::TooOpen { .. } => Some(format!("chmod 600 {path}")),
            DiskError::ForeignOwner { .. } => Some("run neto as the user whom its files belong to".to_owned()),
            _ => None,
        };
        Self::hinted(Code::System, &error, hint)
    }
}

impl From<ContextError> for Error {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Netosecret(inner) => {
                Self::new(Code::Store, format!("NETOSECRET cannot be used: {inner}")).with_hint("unset NETOSECRET")
            }
            ContextError::Store(error) => error.into(),
            ContextError::NoStore(path) => Self::new(Code::Store, format!("there is no store at {}", path.display()))
                .with_hint(format!("neto init --store {}", paste(&path))),
            ContextError::Choice(error) => error.into(),
            ContextError::Fault { ref profile, ref fault, .. } => {
                let hint = remedy(&fault.problem).unwrap_or_else(|| format!("neto profile edit {profile}"));
                Self::new(Code::Store, error.to_string()).with_hint(hint)
            }
            ContextError::Current(error) => error.into(),
        }
    }
}

impl From<StoreFileError> for Error {
    fn from(error: StoreFileError) -> Self {
        match error {
            StoreFileError::Disk(disk) => {
                let code = if matches!(disk, DiskError::Io { .. }) { Code::System } else { Code::Store };
                Self { code, ..disk.into() }
            }
            StoreFileError::Store { ref path, error: StoreError(ref fault) } => {
                Self::hinted(Code::Store, &format!("{}: {fault}", path.display()), remedy(&fault.problem))
            }
            StoreFileError::Edit(edit) => edit.into(),
            StoreFileError::Both(ref own, _) => {
                let line = format!("mv {} {}.before    and run this again", paste(own), paste(own));
                Self::hinted(Code::Store, &error, Some(line))
            }
            StoreFileError::Astray(..) => Self::hinted(
                Code::System,
                &error,
                Some("neto init --link FILE    with the place where it is now".into()),
            ),
            StoreFileError::Absent(_) => Self::hinted(Code::Store, &error, Some("neto profile add".to_owned())),
            StoreFileError::ChangedMeanwhile(_) => {
                Self::hinted(Code::Store, &error, Some("run the same command again".to_owned()))
            }
        }
    }
}

/// What mends a fault, where it can be said in general.
fn remedy(problem: &Problem) -> Option<String> {
    Some(match problem {
        Problem::UnknownKey { near: Some(near) } | Problem::UnknownRecipient { near: Some(near) } => {
            format!("did you mean '{near}'?")
        }
        Problem::Version => "a newer neto wrote this store; install that one".to_owned(),
        Problem::ConflictMarkers { .. } => {
            "finish the merge: keep one side, or both, and take the markers out".to_owned()
        }
        Problem::Utf16 => "save the file as UTF-8".to_owned(),
        _ => return None,
    })
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Self::new(Code::Store, error.to_string())
    }
}

impl From<ChoiceError> for Error {
    fn from(error: ChoiceError) -> Self {
        let (code, hint) = match &error {
            ChoiceError::Current(inner) => return Self::hinted(Code::System, inner, current_hint(inner)),
            ChoiceError::Argument(_) => (Code::Usage, "neto profile list".to_owned()),
            ChoiceError::Variable(_) => (Code::Store, "unset NETO_PROFILE".to_owned()),
            ChoiceError::Pin { path, .. } => {
                (Code::Store, format!("rm {}    or let it hold the name of a profile", paste(path)))
            }
            ChoiceError::Unknown { name, empty: true, .. } => (Code::Store, format!("neto profile add {name}")),
            ChoiceError::Unknown { near, .. } => (Code::Store, near_profiles(near)),
            ChoiceError::Twice => (Code::Usage, "name it once".to_owned()),
            ChoiceError::NoNetosecret => (Code::Store, "export NETOSECRET=...".to_owned()),
            ChoiceError::Empty => (Code::Store, "neto profile add".to_owned()),
            ChoiceError::Nobody { explicit, names } => {
                let line = if *explicit { "-p" } else { "neto use" };
                let (first, others) = names.split_first().map_or(("NAME", &[][..]), |(first, rest)| (first, rest));
                let others = if others.is_empty() { String::new() } else { format!("    or {}", others.join(", ")) };
                (Code::Store, format!("{line} {first}{others}"))
            }
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

/// A hint for the profile that NETOSECRET makes: it can be asked again, but no command can change it.
fn for_env(hint: &str) -> String {
    if hint.starts_with("neto login") || hint.starts_with("neto api") {
        hint.replace("NAME", ENV)
    } else if hint.contains("SSL_CERT_FILE") {
        "export SSL_CERT_FILE=FILE\n(with all root certificates that are to be trusted, in PEM)".to_owned()
    } else {
        "unset NETOSECRET\n(and take the right one from the portal)".to_owned()
    }
}

fn lines(hint: &str) -> String {
    match hint.split_once("    ") {
        Some((line, remark)) => format!("{line}\n({remark})"),
        None => hint.to_owned(),
    }
}

/// A path as a word of a line to paste.
fn paste(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// What is offered in place of a profile that there is not.
fn near_profiles(near: &[String]) -> String {
    if near.is_empty() { "neto profile list".to_owned() } else { did_you_mean(near) }
}

/// `did you mean 'acme' or 'acme-eu'?`
pub(crate) fn did_you_mean(near: &[String]) -> String {
    format!("did you mean {}?", near.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(" or "))
}

impl From<SelectionError> for Error {
    fn from(error: SelectionError) -> Self {
        let (code, hint) = match &error {
            SelectionError::Name(_) => (Code::Usage, "neto profile list".to_owned()),
            SelectionError::Unknown { name, empty: true, .. } => (Code::Store, format!("neto profile add {name}")),
            SelectionError::Unknown { near, .. } => (Code::Store, near_profiles(near)),
            SelectionError::Nothing { empty: true, .. } => {
                (Code::Store, "neto profile add    the store has no profile yet".to_owned())
            }
            SelectionError::Nothing { there_is, .. } => (Code::Store, format!("neto ls    {there_is}")),
            SelectionError::Untold => (Code::Usage, "name some, or give --tag TAG, or --all".to_owned()),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

impl From<CurrentError> for Error {
    fn from(error: CurrentError) -> Self {
        let hint = current_hint(&error);
        match error {
            CurrentError::Disk(error) if hint.is_none() => error.into(),
            _ => Self::hinted(Code::System, &error, hint),
        }
    }
}

/// What mends the file of the current profile; no command writes over one that it cannot read.
fn current_hint(error: &CurrentError) -> Option<String> {
    match error {
        CurrentError::Content(path) => Some(format!("rm {}", paste(path))),
        CurrentError::Disk(DiskError::NotAFile { path, .. } | DiskError::TooLarge { path, .. }) => {
            Some(format!("rm -r {}", paste(path)))
        }
        CurrentError::Disk(_) => None,
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        let (code, hint) = match error {
            SessionError::Disk(error) => return error.into(),
            SessionError::Vault(error) => return error.into(),
            SessionError::Fusion(error) | SessionError::Forbidden(error) => return error.into(),
            SessionError::Rotation(error) => return error.into(),
            SessionError::Unsure(_) => (Code::Unreachable, Some("look whether it was done before you send it again")),
            SessionError::Shared(ref failure) if failure.rejected => {
                (Code::Rejected, Some("neto profile set-secret NAME    if the key was rotated"))
            }
            SessionError::Shared(_) => (Code::Unreachable, Some("neto login NAME --force    asks all the same")),
            SessionError::NoSecret => (Code::Store, Some("neto profile set-secret NAME")),
            SessionError::InClear => (Code::Store, Some("neto seal NAME")),
            SessionError::Busy(_) => (Code::Busy, Some("try again, or wait longer with --lock-timeout 5m")),
            SessionError::Offline(_) => (Code::Unreachable, Some("neto login NAME")),
            SessionError::Runtime(_) => (Code::System, None),
        };
        Self::hinted(code, &error, hint.map(str::to_owned))
    }
}

impl From<RotationError> for Error {
    fn from(error: RotationError) -> Self {
        let message = error.to_string();
        let (code, hint) = match error {
            RotationError::Seal(error) => return error.into(),
            RotationError::Store(error) => return error.into(),
            RotationError::Disk(error) => return error.into(),
            RotationError::NotStored(inner) => (store_code(&inner), "neto rotate NAME    puts it there".to_owned()),
            RotationError::NotBegun(inner) => (store_code(&inner), "neto rotate NAME".to_owned()),
            RotationError::NotSealed(_) | RotationError::Name(_) => (Code::Store, "neto profile show NAME".to_owned()),
            RotationError::Unfinished => (Code::Store, "neto rotate NAME    finishes it".to_owned()),
            RotationError::Lost => (
                Code::Rejected,
                "neto profile set-secret NAME    with a new key, made in the portal: nobody knows the one there is"
                    .to_owned(),
            ),
            RotationError::Unchanged(error) => {
                let hint = match error {
                    FusionError::Status { status: 403, .. } => {
                        "rotate it in the portal, or give the key a role that may manage keys"
                    }
                    FusionError::Status { status: 404, .. } => "neto keys NAME    shows which keys its tenant has",
                    _ => "neto rotate NAME    in a while",
                };
                (Self::from(error).code(), hint.to_owned())
            }
            RotationError::Unknown(_) => {
                (Code::Unreachable, "neto rotate NAME    before its token expires, which finishes it".to_owned())
            }
            RotationError::NoToken => (Code::System, "neto login NAME    says why".to_owned()),
            RotationError::Overtaken => {
                (Code::Store, "neto login NAME --force    if that is rejected: neto rotate --recover NAME".to_owned())
            }
            RotationError::OtherRoles { .. } => {
                (Code::Found, "neto keys NAME    shows them; give the key its roles back in the portal".to_owned())
            }
            RotationError::Gone => (Code::Store, "neto profile list".to_owned()),
            RotationError::NoSecondKey => (Code::Store, "neto rotate NAME --overlap    makes one".to_owned()),
            RotationError::StillUsed { user, .. } => {
                (Code::Store, format!("neto rotate --recover {user}    if the second key is lost from the store"))
            }
            RotationError::NoName => (Code::Store, "neto keys NAME    shows which of them nobody uses".to_owned()),
            RotationError::Damaged(path) => (Code::System, format!("rm {}", paste(&path))),
        };
        Self::new(code, message).with_hint(hint)
    }
}

/// The code of what kept new keys out of the store, which several profiles share.
fn store_code(error: &SessionError) -> Code {
    match error {
        SessionError::Rotation(RotationError::Disk(_) | RotationError::Store(StoreFileError::Disk(_))) => Code::System,
        SessionError::Busy(_) => Code::Busy,
        _ => Code::Store,
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let (code, hint) = match error {
            VaultError::Key(error) => return error.into(),
            VaultError::Open(error) => return error.into(),
            VaultError::Binding(error) => return error.into(),
            VaultError::Source(error) => return error.into(),
            VaultError::Memory(error) => return error.into(),
            VaultError::CaFile(error) => return error.into(),
            VaultError::StrangeRecipient(name) => {
                return Self::new(Code::Store, VaultError::StrangeRecipient(name.clone()).to_string())
                    .with_hint(format!("neto trust --recipient {name}"));
            }
            VaultError::NoRecipient => (Code::Store, "neto init"),
            VaultError::Mismatch(_) => {
                (Code::Store, "neto seal NAME --accept    if you made that edit; if not, look at who did")
            }
            VaultError::OtherKind => (Code::Store, "neto profile set-secret NAME"),
            VaultError::Disagrees(_) => (Code::Store, "make the profile and what its source yields agree"),
            VaultError::Changed(_) => (Code::Store, "neto trust NAME    shows old and new"),
            VaultError::UntrustedSource(_) => (Code::Store, "neto trust NAME    after you looked at it"),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

impl From<FusionError> for Error {
    fn from(error: FusionError) -> Self {
        let (code, hint) = match &error {
            FusionError::Rejected { clock_skew: Some(skew), .. }
            | FusionError::Refusal { clock_skew: Some(skew), .. } => {
                let side = if *skew > 0 { "ahead of" } else { "behind" };
                let message = format!("{error}; this machine's clock is {} s {side} the server's", skew.unsigned_abs());
                return Self::new(Code::Rejected, message).with_hint("set the clock, then: neto login NAME");
            }
            FusionError::Rejected { .. } => (Code::Rejected, "neto profile set-secret NAME    if the key was rotated"),
            FusionError::Refusal { status, retry_after, .. } => {
                let (code, hint) = refusal(*status, *retry_after);
                return Self::new(code, error.to_string()).with_hint(hint);
            }
            FusionError::TooLarge { .. } => {
                (Code::Unreachable, "one profile's answer is passed on at any size, without --select")
            }
            FusionError::Status { status: 403, .. } => {
                (Code::Rejected, "neto profile set-secret NAME    with a key whose role allows it")
            }
            FusionError::Status { status: 404, .. } => {
                (Code::Unreachable, "neto profile show NAME    is the url right?")
            }
            FusionError::Redirect { .. } => (Code::Unreachable, "neto profile edit NAME --url ..."),
            FusionError::Tls { fault, .. } => (Code::Unreachable, tls_hint(fault)),
            FusionError::Proxy { denied: true, variable, .. } => {
                return Self::new(Code::Unreachable, error.to_string()).with_hint(format!(
                    "export {variable}=http://USER:PASSWORD@HOST:PORT    those of the proxy; the password percent-encoded"
                ));
            }
            FusionError::Proxy { variable, .. } => {
                return Self::new(Code::Unreachable, error.to_string())
                    .with_hint(format!("neto login NAME    in a while, if {variable} names the right proxy"));
            }
            FusionError::ProxySetting { variable, .. } => {
                return Self::new(Code::Unreachable, error.to_string())
                    .with_hint(format!("export {variable}=http://HOST:PORT    or, to go without: unset {variable}"));
            }
            FusionError::CaFile => (Code::Store, "neto profile edit NAME --ca-file FILE    with certificates in PEM"),
            FusionError::NoRoots => {
                (Code::Unreachable, "export SSL_CERT_FILE=FILE    with certificates in PEM; or install ca-certificates")
            }
            FusionError::Unusable { .. } => {
                (Code::Unreachable, "neto profile show NAME    is the url that of a Fusion API?")
            }
            _ => (Code::Unreachable, "neto login NAME    in a while"),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

/// What a call's status means, and what to do; `retry_after` in seconds.
fn refusal(status: u16, retry_after: Option<u64>) -> (Code, String) {
    if let (429, Some(seconds)) = (status, retry_after) {
        return (Code::Refused, format!("the same line in {seconds} s    that is what the server asks for"));
    }
    let (code, hint) = match status {
        400 => (Code::Rejected, "look at the query and the body of the call"),
        401 => (Code::Rejected, "neto login NAME --force    then the same line again"),
        403 => (Code::Rejected, "neto api GET /api-keys NAME    shows the roles of its keys"),
        404 => (Code::Refused, "look at the path; what it names may belong to another tenant"),
        429 => (Code::Refused, "the same line in a while"),
        other if (400..500).contains(&other) => {
            (Code::Refused, "look at the method, the path and the body of the call")
        }
        _ => (Code::Unreachable, "the same line in a while    a call that writes may have been done: look first"),
    };
    (code, hint.to_owned())
}

fn tls_hint(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::Authority => {
            "neto profile edit NAME --ca-file FILE    with the certificate, in PEM, of your own authority or of a proxy that \
             opens TLS; SSL_CERT_FILE does it for all profiles"
        }
        TlsFault::Expired | TlsFault::NotYet => {
            "neto login NAME    when its certificate is renewed, or this clock is set"
        }
        TlsFault::OwnAuthority => "neto login NAME    when it has a certificate that an authority signed",
        TlsFault::Name | TlsFault::Old | TlsFault::NoTls | TlsFault::Other(_) => {
            "neto profile show NAME    is the url that of a Fusion API?"
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        let (code, hint) = match &error {
            KeyError::Disk(DiskError::TooOpen { path, .. }) => {
                (Code::Secret, Some(format!("chmod 600 {}", paste(path))))
            }
            KeyError::Missing(_) => (Code::Secret, Some("neto init    or: export NETO_IDENTITY_FILE=...".to_owned())),
            KeyError::Named(_) => (Code::Secret, Some("unset NETO_IDENTITY_FILE    or let it name a file".to_owned())),
            KeyError::Exists(path) => {
                (Code::Store, Some(format!("it is never replaced; move {} away first", path.display())))
            }
            KeyError::Locked { why: Unanswered::Interrupted, .. } => return Self::silent(Code::Interrupted),
            KeyError::Locked { why: Unanswered::Terminated, .. } => return Self::silent(Code::Terminated),
            KeyError::Locked { .. } => (
                Code::Secret,
                Some("export NETO_PASSPHRASE_FILE=/run/secrets/passphrase    where nobody can be asked".to_owned()),
            ),
            KeyError::Disk(_)
            | KeyError::Identity { .. }
            | KeyError::Passphrase { .. }
            | KeyError::NoFile(_)
            | KeyError::PassphraseText(_) => (Code::Secret, None),
            KeyError::Device { path, .. } => {
                (Code::System, Some(format!("rm {}    costs one login a profile", paste(path))))
            }
        };
        Self::hinted(code, &error, hint)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        if let OpenError::Plugin(error) = error {
            return error.into();
        }
        let set_anew = "neto profile set-secret NAME    with the credential from the portal";
        let (code, hint) = match &error {
            OpenError::WrongIdentity => {
                (Code::Secret, "neto recipient list -p NAME    shows who can open it and could add you")
            }
            OpenError::NotAge | OpenError::NewerFormat | OpenError::NeedsPassphrase => (Code::Secret, set_anew),
            // No identity would open it: the store itself is not what it was.
            _ => (Code::Store, set_anew),
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}

impl From<BindingError> for Error {
    fn from(error: BindingError) -> Self {
        Self::new(Code::Store, error.to_string()).with_hint("neto profile edit NAME")
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Plugin(error) => error.into(),
            error => Self::new(Code::Store, error.to_string()),
        }
    }
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        match (error.stopped(), &error) {
            (Some(Unanswered::Interrupted), _) => Self::silent(Code::Interrupted),
            (Some(_), _) => Self::silent(Code::Terminated),
            (None, PluginError::Missing { .. }) => {
                Self::new(Code::Secret, error.to_string()).with_hint("install it, or put its folder on PATH")
            }
            (None, _) => Self::new(Code::Secret, error.to_string()),
        }
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        let hint = match &error {
            SourceError::Unset(name) => Some(format!("export {name}=...")),
            _ => None,
        };
        Self::hinted(Code::Secret, &error, hint)
    }
}

impl From<MemoryError> for Error {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Disk(error) => error.into(),
            MemoryError::Damaged(_) => Self::new(Code::System, error.to_string())
                .with_hint("move the file away; what it remembered is then asked again by: neto trust --all"),
        }
    }
}

impl From<NetoSecretError> for Error {
    fn from(error: NetoSecretError) -> Self {
        Self::new(Code::Store, error.to_string()).with_hint("copy the whole NETOSECRET from the portal again")
    }
}

impl From<CredentialError> for Error {
    fn from(error: CredentialError) -> Self {
        Self::new(Code::Store, error.to_string()).with_hint(r#"it should be {"appkey": "...", "sharedsecret": "..."}"#)
    }
}

impl From<AcquireError> for Error {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Disk(error) => error.into(),
            AcquireError::Busy(error) => {
                Self::new(Code::Busy, error.to_string()).with_hint("try again, or wait longer with --lock-timeout 5m")
            }
        }
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Interrupted => Self::silent(Code::Interrupted),
            AskError::Terminated => Self::silent(Code::Terminated),
            AskError::Terminal(_) => Self::new(Code::System, error.to_string()),
            other => Self::new(Code::Usage, other.to_string()),
        }
    }
}
