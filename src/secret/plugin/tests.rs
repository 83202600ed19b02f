//! Tests of the plugin client with a real plugin, `tests/plugin/toy.rs`, in all modes of that plugin.

use super::process::{PluginTimeouts, TIMEOUTS};
use super::{PluginError, PluginIdentities, PluginIdentity, PluginRecipient, PluginRecipients};
use crate::environment::Environment;
use crate::secret::age_file::{self, OpenError};
use crate::secret::{Prompter, PrompterError, Secret};
use age::armor::Format;
use age::x25519;
use bech32::{Bech32, Hrp};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use toy::{TOY_PIN, Toy};

#[path = "../../../tests/harness/plugin.rs"]
#[allow(clippy::disallowed_methods, reason = "the tests' own file, which writes where no product does")]
mod toy;

/// Three variables of neto that no plugin may see, and `SEEN`, which a plugin gets.
const VARIABLES: [(&str, &str); 4] = [
    ("NETO_IDENTITY", "canary"),
    ("NETO_IDENTITY_FILE", "canary"),
    ("NETO_PASSPHRASE_FILE", "canary"),
    ("SEEN", "yes"),
];

const SOON: Duration = Duration::from_millis(200);

/// Time limits for a plugin that sends nothing.
const SHORT_TIMEOUT: PluginTimeouts = PluginTimeouts { next_command: SOON, ..TIMEOUTS };

/// Simulated user: gives the answers in order, and records the messages and questions of the plugin.
#[derive(Default)]
struct User {
    answers: RefCell<VecDeque<Result<&'static str, PrompterError>>>,
    received: RefCell<Vec<String>>,
}

impl User {
    fn new(answers: &[Result<&'static str, PrompterError>]) -> Self {
        Self { answers: RefCell::new(answers.iter().cloned().collect()), received: RefCell::default() }
    }

    fn answer(&self, text: String) -> Result<&'static str, PrompterError> {
        self.received.borrow_mut().push(text);
        self.answers.borrow_mut().pop_front().unwrap_or(Err(PrompterError::Unavailable))
    }
}

impl Prompter for User {
    fn passphrase(&self, _: &str, _: bool) -> Result<Secret, PrompterError> {
        unreachable!("no plugin asks for the passphrase of an identity")
    }

    fn plugin_message(&self, plugin: &str, text: &str) {
        self.received.borrow_mut().push(format!("{plugin} tells: {text}"));
    }

    fn plugin_input(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, PrompterError> {
        let how = if hidden { "in hiding" } else { "openly" };
        self.answer(format!("{plugin} asks {how}: {prompt}")).map(|answer| Secret::new(answer.to_owned()))
    }

    fn plugin_confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, PrompterError> {
        self.answer(format!("{plugin} offers: {prompt} {yes:?} {no:?}")).map(|answer| answer == "yes")
    }
}

/// Toy plugin on a `PATH`, and the directory with the plugin's report file.
struct World {
    toy: Toy,
    directory: tempfile::TempDir,
    environment: Environment,
}

/// Result of decryption: the plaintext or age's error, and the plugin's failure.
type Opening = (Result<Vec<u8>, OpenError>, Option<PluginError>);

impl World {
    fn new() -> Self {
        let (toy, directory) = (Toy::new(), tempfile::tempdir().unwrap());
        let path = format!("{}:/usr/bin:/bin", toy.folder().display());
        let report = directory.path().join("report");
        let own = [("PATH", path.as_str()), ("TOY_REPORT", report.to_str().unwrap())];
        let variables = VARIABLES.iter().chain(&own).map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::new(variables.collect::<Vec<_>>());
        Self { toy, directory, environment }
    }

    /// Encrypts `canary` to native keys and to toy keys.
    fn seal(&self, native: &[x25519::Recipient], toys: &[&str], user: &User) -> (Option<Vec<u8>>, Option<PluginError>) {
        let keys = toys.iter().map(|data| PluginRecipient::parse(&self.toy.key(data).recipient).unwrap());
        let keys: Vec<_> = keys.collect();
        let toys = PluginRecipients::by_plugin(&keys, user, &self.environment);
        assert_eq!(toys.len(), 1);
        let native = native.iter().map(|key| key as &dyn age::Recipient);
        let all: Vec<&dyn age::Recipient> = native.chain(toys.iter().map(|key| key as _)).collect();
        let sealed = age_file::encrypt(b"canary", &all, Format::Binary).ok();
        (sealed, toys[0].failure())
    }

    /// Returns `canary` encrypted to these toy keys.
    fn sealed(&self, toys: &[&str]) -> Vec<u8> {
        let (sealed, failure) = self.seal(&[], toys, &User::default());
        assert_eq!(failure, None);
        std::fs::remove_file(self.report_file()).unwrap();
        sealed.unwrap()
    }

    fn open(&self, sealed: &[u8], toys: &[&str], user: &User) -> Opening {
        self.open_in(sealed, toys, user, TIMEOUTS, None)
    }

    /// Decrypts with toy keys, under these time limits, and then with a native key.
    fn open_in(
        &self,
        sealed: &[u8],
        toys: &[&str],
        user: &User,
        timeouts: PluginTimeouts,
        native: Option<&x25519::Identity>,
    ) -> Opening {
        let keys = toys.iter().map(|data| PluginIdentity::parse(&self.toy.key(data).identity).unwrap());
        let keys: Vec<_> = keys.collect();
        let mut toys = PluginIdentities::by_plugin(&keys, user, &self.environment);
        assert_eq!(toys.len(), 1);
        toys[0].context.timeouts = timeouts;
        let native = native.into_iter().map(|key| key as &dyn age::Identity);
        let opened = age_file::decrypt_binary(sealed, toys.iter().map(|key| key as _).chain(native));
        (opened.map(|plain| plain.to_vec()), toys[0].failure())
    }

    fn report_file(&self) -> PathBuf {
        self.directory.path().join("report")
    }

    /// Returns the rest of every report line whose first word is `word`.
    fn reported(&self, word: &str) -> Vec<String> {
        let rules = crate::disk::ReadRules { cap: 1 << 20, privacy: crate::disk::Privacy::NotWritable };
        let text = String::from_utf8(crate::disk::read(&self.report_file(), rules).unwrap()).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(' ')).filter(|(first, _)| *first == word);
        lines.map(|(_, rest)| rest.to_owned()).collect()
    }

    /// Asserts that no process of the plugin remains, not even a zombie.
    #[track_caller]
    fn assert_no_process_left(&self) {
        let processes = self.reported("pid");
        assert!(!processes.is_empty());
        for process in processes {
            let process = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
            assert_eq!(rustix::process::test_kill_process(process), Err(rustix::io::Errno::SRCH), "{process:?}");
        }
    }
}

fn opened() -> Opening {
    (Ok(b"canary".to_vec()), None)
}

fn refused(message: &str) -> (Result<Vec<u8>, OpenError>, Option<String>) {
    (Err(OpenError::WrongIdentity), Some(message.to_owned()))
}

fn with_message((opened, failure): Opening) -> (Result<Vec<u8>, OpenError>, Option<String>) {
    (opened, failure.map(|failure| failure.to_string()))
}

#[test]
fn one_plugin_process_handles_all_keys_of_a_file() {
    let (world, own) = (World::new(), x25519::Identity::generate());
    let (sealed, failure) = world.seal(&[own.to_public()], &["alice", "bob"], &User::default());
    let sealed = sealed.unwrap();
    assert_eq!(failure, None);
    assert_eq!(world.reported("run"), ["recipient-v1"]);
    assert_eq!(world.reported("key"), [world.toy.key("alice").recipient, world.toy.key("bob").recipient]);
    for keys in [&["alice"][..], &["bob"], &["eve", "bob"]] {
        assert_eq!(world.open(&sealed, keys, &User::default()), opened(), "{keys:?}");
    }
    let native = age_file::decrypt_binary(&sealed, std::iter::once(&own as &dyn age::Identity));
    assert_eq!(native.unwrap().as_slice(), b"canary");
    std::fs::remove_file(world.report_file()).unwrap();
    let user = User::default();
    assert_eq!(world.open(&sealed, &["eve", "mallory"], &user), (Err(OpenError::WrongIdentity), None));
    assert_eq!(world.reported("run"), ["identity-v1"]);
    let stanzas = world.reported("stanza");
    assert_eq!(stanzas.iter().filter(|stanza| *stanza == "toy").count(), 2, "{stanzas:?}");
    assert!(stanzas.contains(&"X25519".to_owned()), "{stanzas:?}");
    assert_eq!(*user.received.borrow(), [""; 0]);
    // The plugin exited by itself, and neto waited for its exit.
    assert_eq!(world.reported("end"), ["after 0 bytes"]);
    world.assert_no_process_left();
}

#[test]
fn r59_a_plugin_gets_no_neto_keys_and_runs_in_the_root_directory() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    assert_eq!(world.open(&sealed, &["alice"], &User::default()), opened());
    let variables = world.reported("variable");
    assert!(variables.contains(&"SEEN=yes".to_owned()), "{variables:?}");
    assert!(variables.iter().any(|variable| variable.starts_with("PATH=")), "{variables:?}");
    assert!(
        !variables.iter().any(|variable| variable.contains("NETO") || variable.contains("canary")),
        "{variables:?}"
    );
    assert_eq!(variables.len(), 3, "nothing of this process's own: {variables:?}");
    assert_eq!(world.reported("folder"), ["/"]);
    assert_eq!(world.reported("arguments"), ["--age-plugin=identity-v1"]);
}

#[test]
fn keys_are_grouped_by_plugin_in_order() {
    let key = |plugin: &str, data: &[u8]| {
        let text = bech32::encode::<Bech32>(Hrp::parse(&format!("age1{plugin}")).unwrap(), data).unwrap();
        PluginRecipient::parse(&text).unwrap()
    };
    let keys = [key("b", b"1"), key("a", b"2"), key("b", b"3"), key("aa", b"4")];
    let groups = super::group_by_plugin(&keys, PluginRecipient::plugin);
    let groups: Vec<_> = groups.into_iter().map(|(plugin, keys)| (plugin.program(), keys)).collect();
    let wanted = [("b", vec![&keys[0], &keys[2]]), ("a", vec![&keys[1]]), ("aa", vec![&keys[3]])];
    assert_eq!(groups, wanted.map(|(plugin, keys)| (format!("age-plugin-{plugin}"), keys)));
}

#[test]
fn plugin_questions_are_answered_by_the_user() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let nobody = || Err(PrompterError::Unavailable);
    let unasked = "'age-plugin-toy' asked for something: there is nobody to ask: standard input is not a terminal";
    let (asked, chosen) =
        ("toy asks in hiding: PIN of alice:", "toy offers: use the toy? \"Use it\" Some(\"Skip it\")");
    for (mode, answer, received, wanted) in [
        ("touch", None, "toy tells: touch the \u{1b}[1mtoy\u{1b}[0m now", None),
        ("pin", Some(Ok(TOY_PIN)), asked, None),
        ("pin", Some(Ok("31415")), asked, Some("'age-plugin-toy' says: the PIN is wrong")),
        ("pin", Some(Ok("")), asked, Some("'age-plugin-toy' says: the PIN is wrong")),
        ("pin", Some(nobody()), asked, Some(unasked)),
        (
            "pin",
            Some(Err(PrompterError::Failed("the terminal is gone".to_owned()))),
            asked,
            Some("'age-plugin-toy' asked for something: the terminal is gone"),
        ),
        ("slot", Some(Ok("nine \u{2713}")), "toy asks openly: which sl\u{f6}t?", None),
        ("slot", Some(nobody()), "toy asks openly: which sl\u{f6}t?", Some(unasked)),
        ("confirm", Some(Ok("yes")), chosen, None),
        ("confirm", Some(Ok("no")), chosen, Some("'age-plugin-toy' says: skipped")),
        ("confirm", Some(nobody()), chosen, Some(unasked)),
        ("confirm-one", Some(Ok("yes")), "toy offers: use the toy? \"Use it\" None", None),
    ] {
        let user = User::new(&Vec::from_iter(answer.clone()));
        let found = world.open(&sealed, &[&format!("alice:{mode}")], &user);
        match wanted {
            None => assert_eq!(found, opened(), "{mode} {answer:?}"),
            Some(wanted) => assert_eq!(with_message(found), refused(wanted), "{mode} {answer:?}"),
        }
        assert_eq!(*user.received.borrow(), [received], "{mode} {answer:?}");
    }
    let confirmed = world.reported("confirmed");
    assert_eq!(confirmed, ["ok yes", "ok no", "fail", "ok yes"]);
    assert_eq!(world.reported("touched"), ["ok"]);
    world.assert_no_process_left();
}

#[test]
fn an_unanswered_question_does_not_prevent_decryption_with_another_key() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let user = User::default();
    assert_eq!(world.open(&sealed, &["alice:pin", "alice"], &user), opened());
    assert_eq!(user.received.borrow().len(), 1);
}

#[test]
fn r18_a_signal_during_a_question_stops_decryption_and_encryption() {
    let (world, own) = (World::new(), x25519::Identity::generate());
    let (sealed, _) = world.seal(&[own.to_public()], &["alice"], &User::default());
    let sealed = sealed.unwrap();
    for why in [PrompterError::Interrupted, PrompterError::Terminated] {
        for mode in ["pin", "slot", "confirm"] {
            let user = User::new(&[Err(why.clone())]);
            let key = format!("alice:{mode}");
            // The next question is not asked, and the native key, which could decrypt the file, is not tried.
            let (found, failure) = world.open_in(&sealed, &[&key, "alice:pin"], &user, TIMEOUTS, Some(&own));
            assert_eq!(user.received.borrow().len(), 1, "{mode}");
            assert_eq!(found, Err(OpenError::Damaged), "age is told that reading failed");
            assert_eq!(failure.unwrap().stop_signal(), Some(&why));
            let user = User::new(&[Err(why.clone())]);
            let (sealed, failure) = world.seal(&[], &[&key], &user);
            assert_eq!(sealed, None);
            assert_eq!(failure.unwrap().stop_signal(), Some(&why));
        }
    }
    let failure = world.open(&sealed, &["alice:pin"], &User::default()).1.unwrap();
    assert_eq!(failure.stop_signal(), None, "{failure}");
    world.assert_no_process_left();
}

#[test]
fn unknown_commands_and_late_errors_do_not_prevent_decryption() {
    let world = World::new();
    let sealed = world.sealed(&["alice:newer"]);
    assert_eq!(world.open(&sealed, &["alice:newer"], &User::default()), opened());
    assert_eq!(world.reported("newer"), ["unsupported"]);
    assert_eq!(world.open(&sealed, &["alice:key-and-error"], &User::default()), opened());
}

#[test]
fn a_misbehaving_plugin_is_killed_and_reported() {
    const PROTOCOL: &str = "does not keep to the protocol of age plugins: ";
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let no_stanza = format!("{PROTOCOL}what it says is no age stanza");
    let other = format!("{PROTOCOL}it gives the key of a file that it was not asked about");
    let length = format!("{PROTOCOL}it gives a file key of a wrong length");
    let choices = format!("{PROTOCOL}it asks for a decision without saying between what");
    let silent = "was ended after 0 s without an answer";
    let much = "was ended because it says too much";
    let cases = [
        ("hang", silent, SHORT_TIMEOUT),
        ("deaf", silent, SHORT_TIMEOUT),
        ("drip", silent, SHORT_TIMEOUT),
        ("die", "ended too early (exit code 3)", TIMEOUTS),
        ("die-early", "ended too early (exit code 3)", TIMEOUTS),
        ("killed", "ended too early (ended by signal 6)", TIMEOUTS),
        ("orphan", "ended too early (exit code 3)", TIMEOUTS),
        ("key-and-die", "ended too early (exit code 3)", TIMEOUTS),
        ("garbage", &no_stanza, TIMEOUTS),
        ("steering", &no_stanza, TIMEOUTS),
        ("bytes", &no_stanza, TIMEOUTS),
        ("base64", &no_stanza, TIMEOUTS),
        ("endless-line", much, TIMEOUTS),
        ("endless-body", much, TIMEOUTS),
        ("endless-words", much, TIMEOUTS),
        ("flood", much, TIMEOUTS),
        ("short-key", &length, TIMEOUTS),
        ("long-key", &length, TIMEOUTS),
        ("other-file", &other, TIMEOUTS),
        ("no-file", &other, TIMEOUTS),
        ("both-keys", &format!("{PROTOCOL}it gives more than one file key"), TIMEOUTS),
        ("confirm-none", &choices, TIMEOUTS),
        ("confirm-many", &choices, TIMEOUTS),
        ("confirm-text", &choices, TIMEOUTS),
        ("error", "says: out of order", TIMEOUTS),
    ];
    for (mode, wanted, timeouts) in cases {
        let found = world.open_in(&sealed, &[&format!("alice:{mode}")], &User::default(), timeouts, None);
        assert_eq!(with_message(found), refused(&format!("'age-plugin-toy' {wanted}")), "{mode}");
        world.assert_no_process_left();
    }
    for helper in world.reported("helper") {
        let helper = rustix::process::Pid::from_raw(helper.parse().unwrap()).unwrap();
        rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();
    }
    assert_eq!(world.reported("pid").len(), cases.len());
}

#[test]
fn plugin_output_is_limited() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    for (enough, too_much) in [("words=3900", "words=4001"), ("body=48000", "body=52000"), ("bulk=25", "bulk=27")] {
        let found = world.open(&sealed, &[&format!("alice:{enough}")], &User::default());
        assert_eq!(found, opened(), "{enough}");
        let found = world.open(&sealed, &[&format!("alice:{too_much}")], &User::default());
        assert_eq!(with_message(found), refused("'age-plugin-toy' was ended because it says too much"), "{too_much}");
    }
    world.assert_no_process_left();
}

#[test]
fn a_plugin_that_closes_its_output_or_does_not_exit_is_killed() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let found =
        world.open_in(&sealed, &["alice:linger"], &User::default(), PluginTimeouts { exit: SOON, ..TIMEOUTS }, None);
    assert_eq!(found, opened());
    let found =
        world.open_in(&sealed, &["alice:close"], &User::default(), PluginTimeouts { exit: SOON, ..TIMEOUTS }, None);
    assert_eq!(with_message(found), refused("'age-plugin-toy' ended too early (it closed its output)"));
    world.assert_no_process_left();
}

#[test]
fn a_wrong_file_key_decrypts_nothing() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let found = world.open(&sealed, &["alice:wrong-key"], &User::default());
    assert_eq!(found, (Err(OpenError::Damaged), None));
}

#[test]
fn a_plugin_that_does_not_read_its_input_does_not_block_neto() {
    let world = World::new();
    // The stanzas of 900 recipients are larger than the buffer of any pipe.
    let own = x25519::Identity::generate().to_public();
    let (sealed, _) = world.seal(&vec![own; 900], &["alice"], &User::default());
    let sealed = sealed.unwrap();
    assert!(sealed.len() > 80 * 1024);
    assert_eq!(world.open(&sealed, &["alice"], &User::default()), opened());
    let found = world.open_in(&sealed, &["alice:deaf"], &User::default(), SHORT_TIMEOUT, None);
    assert_eq!(with_message(found), refused("'age-plugin-toy' was ended after 0 s without an answer"));
    world.assert_no_process_left();
}

#[test]
fn the_next_identity_is_tried_after_a_plugin_fails() {
    let (world, own) = (World::new(), x25519::Identity::generate());
    let (sealed, _) = world.seal(&[own.to_public()], &["alice"], &User::default());
    let sealed = sealed.unwrap();
    for mode in ["die", "garbage", "error", "pin"] {
        let key = format!("alice:{mode}");
        let (found, failure) = world.open_in(&sealed, &[&key], &User::default(), TIMEOUTS, Some(&own));
        assert_eq!(found.unwrap(), b"canary", "{mode}");
        assert!(failure.is_some(), "{mode}");
    }
}

#[test]
fn r55_plugins_are_found_only_in_absolute_directories_of_path() {
    let world = World::new();
    let key = world.toy.key("alice");
    let (identity, recipient) = (PluginIdentity::parse(&key.identity), PluginRecipient::parse(&key.recipient));
    let (identity, recipient) = ([identity.unwrap()], [recipient.unwrap()]);
    let sealed = world.sealed(&["alice"]);
    // Relative path to the toy's directory. A plugin in a relative directory must not be found.
    let up = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).components().skip(1).map(|_| "..").collect::<PathBuf>();
    let relative = up.join(world.toy.folder().strip_prefix("/").unwrap());
    assert!(relative.join("age-plugin-toy").exists());
    for path in ["/nowhere", "", ".", relative.to_str().unwrap()] {
        let environment = Environment::new([("PATH".into(), path.into())]);
        let toys = PluginIdentities::by_plugin(&identity, &(), &environment);
        let found = age_file::decrypt_binary(&sealed, toys.iter().map(|key| key as _));
        assert_eq!(found, Err(OpenError::WrongIdentity), "{path}");
        let missing = PluginError::Missing { program: "age-plugin-toy".to_owned() };
        assert_eq!(missing.to_string(), "the program 'age-plugin-toy' was not found");
        assert_eq!(toys[0].failure(), Some(missing.clone()), "{path}");
        let toys = PluginRecipients::by_plugin(&recipient, &(), &environment);
        assert!(age_file::encrypt(b"canary", &[&toys[0]], Format::Binary).is_err(), "{path}");
        assert_eq!(toys[0].failure(), Some(missing), "{path}");
    }
}

#[test]
fn a_plugin_that_cannot_start_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let path = directory.path().join("age-plugin-toy");
    crate::disk::replace(&path, b"\x7fELF no program", crate::disk::Durability::Atomic).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let environment = Environment::new([("PATH".into(), directory.path().into())]);
    let key = [PluginRecipient::parse(&world.toy.key("alice").recipient).unwrap()];
    let toys = PluginRecipients::by_plugin(&key, &(), &environment);
    assert!(age_file::encrypt(b"canary", &[&toys[0]], Format::Binary).is_err());
    let failure = toys[0].failure().unwrap().to_string();
    assert_eq!(failure, "'age-plugin-toy' could not be run: exec format error");
}

#[test]
fn encryption_failures_give_the_reason() {
    const PROTOCOL: &str = "does not keep to the protocol of age plugins: ";
    let world = World::new();
    let start = |data: &str| format!("{}\u{2026}", &world.toy.key(data).recipient[..23]);
    let other = format!("{PROTOCOL}it seals a file key that it was not given");
    let labels = format!("{PROTOCOL}it gives labels twice");
    let cases = [
        (vec!["alice", "bob:error"], format!("says: {}: out of order", start("bob:error"))),
        (
            vec!["a:error", "b:error"],
            format!("says: {}: out of order; {}: out of order", start("a:error"), start("b:error")),
        ),
        (vec!["alice:both"], "says: not so sure".to_owned()),
        (vec!["alice:nothing"], format!("{PROTOCOL}it gives neither a sealed file key nor an error")),
        (vec!["alice:other-file"], other.clone()),
        (vec!["alice:no-tag"], other),
        (vec!["alice:labels-twice"], labels.clone()),
        (vec!["alice:label-twice"], labels),
        (vec!["alice:die"], "ended too early (exit code 3)".to_owned()),
        (vec!["alice:garbage"], format!("{PROTOCOL}what it says is no age stanza")),
        (vec!["alice:pin"], "asked for something: there is nobody to ask: standard input is not a terminal".to_owned()),
    ];
    for (keys, wanted) in &cases {
        let (sealed, failure) = world.seal(&[], keys, &User::default());
        assert_eq!(sealed, None, "{keys:?}");
        assert_eq!(failure.unwrap().to_string(), format!("'age-plugin-toy' {wanted}"), "{keys:?}");
        world.assert_no_process_left();
    }
    assert_eq!(world.reported("run"), vec!["recipient-v1"; cases.len()]);
    let user = User::new(&[Ok(TOY_PIN)]);
    let (sealed, failure) = world.seal(&[], &["alice:pin"], &user);
    assert_eq!(failure, None);
    assert_eq!(world.open(&sealed.unwrap(), &["alice"], &user), opened());
}

#[test]
fn incompatible_recipients_are_refused() {
    let (world, own) = (World::new(), x25519::Identity::generate().to_public());
    let (sealed, failure) = world.seal(&[], &["alice:labels"], &User::default());
    assert_eq!(failure, None);
    assert_eq!(world.reported("extension"), ["labels"]);
    assert_eq!(world.open(&sealed.unwrap(), &["alice"], &User::default()), opened());
    let (sealed, failure) = world.seal(&[own], &["alice:labels"], &User::default());
    assert_eq!((sealed, failure), (None, None), "age itself refuses this, not the plugin");
}

#[test]
fn reported_errors_are_truncated_and_redacted() {
    let world = World::new();
    let sealed = world.sealed(&["alice"]);
    let reported_error = |mode: &str, user: &User| {
        let (found, failure) = world.open(&sealed, &[&format!("alice:{mode}")], user);
        assert_eq!(found, Err(OpenError::WrongIdentity), "{mode}");
        let failure = failure.unwrap().to_string();
        failure.strip_prefix("'age-plugin-toy' says: ").unwrap_or_else(|| panic!("{failure}")).to_owned()
    };
    let long = reported_error("long-error", &User::default());
    assert_eq!((long.chars().count(), long.ends_with('\u{2026}')), (500, true), "{long}");
    assert_eq!(reported_error("errors", &User::default()), "one; two hint: run 'rm -r x'; three; four");
    let user = User::new(&[Ok("141421")]);
    assert_eq!(reported_error("echo", &user), "[redacted] is no PIN of [redacted]");
    assert_eq!(user.received.borrow().last().unwrap(), "toy tells: you typed [redacted]");
    // The redaction of a short answer would reveal the answer.
    assert_eq!(reported_error("echo", &User::new(&[Ok("abc")])), "abc is no PIN of [redacted]");
}

#[test]
fn neto_and_age_decrypt_each_others_files_with_a_plugin() {
    let world = World::new();
    let key = world.toy.key("alice");
    let file = |name: &str, bytes: &[u8]| {
        let path = world.directory.path().join(name);
        crate::disk::replace(&path, bytes, crate::disk::Durability::Atomic).unwrap();
        path
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "a test of another program asks where it is and whether it may be missing"
    )]
    let variable = |name: &str| std::env::var_os(name).unwrap_or_default();
    let age = |arguments: &[&str]| {
        let mut path = world.toy.folder().as_os_str().to_owned();
        path.push(":");
        path.push(variable("PATH"));
        Command::new("age").args(arguments).env("PATH", path).output()
    };
    let identity = file("identity.txt", key.identity.as_bytes());
    let sealed = file("sealed.age", &world.sealed(&["alice"]));
    let output = match age(&["--decrypt", "-i", identity.to_str().unwrap(), sealed.to_str().unwrap()]) {
        Ok(output) => output,
        Err(error) => {
            assert!(variable("CI").is_empty(), "the program age is not here: {error}");
            #[allow(clippy::disallowed_macros, clippy::print_stderr, reason = "a test that could not test says so")]
            {
                eprintln!("SKIPPED: the program age is not installed, so nothing was compared with it");
            }
            return;
        }
    };
    assert_eq!((output.stdout.as_slice(), output.status.success()), (b"canary".as_slice(), true), "{output:?}");
    let plain = file("plain", b"canary");
    let output = age(&["--encrypt", "-r", &key.recipient, plain.to_str().unwrap()]).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.open(&output.stdout, &["alice"], &User::default()), opened());
}
