//! TLS: certificates, protocol versions, root certificates, and servers that speak another protocol.

use crate::fusion::{Authority, Credential, Leaf, Server, TOKEN, Versions};
use crate::harness::{Outcome, Peer, Reaction, Sandbox};
use std::fs;
use std::path::PathBuf;

/// Types of TLS records.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
/// Extension of the client's hello that lists the TLS versions from 1.3 on.
const SUPPORTED_VERSIONS: u16 = 43;

/// Writes the authority's certificate to a file in the working directory.
fn pem_file(sandbox: &Sandbox, name: &str, authority: &Authority) -> PathBuf {
    let path = sandbox.work(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, authority.pem()).unwrap();
    path
}

/// Adds a tenant and its profile, with these flags.
fn add<const N: usize>(sandbox: &Sandbox, flags: [&str; N]) {
    let credential = sandbox.server().add_tenant("acme", "soc");
    add_credential(sandbox, &credential, flags);
}

fn add_credential<const N: usize>(sandbox: &Sandbox, credential: &Credential, flags: [&str; N]) {
    sandbox.neto(["profile", "add", "acme"].into_iter().chain(flags)).stdin(credential.netosecret()).run().code(0);
}

fn login(sandbox: &Sandbox) -> Outcome {
    sandbox.neto(["login", "acme", "--force"]).run()
}

/// Returns the type and the content of each TLS record.
fn records(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        assert!(rest.len() >= length, "a record that breaks off");
        let (content, after) = rest.split_at(length);
        records.push((head[0], content));
        bytes = after;
    }
    assert!(bytes.is_empty(), "something else than TLS records: {bytes:?}");
    records
}

/// Returns whether these bytes are exactly the client's complete hello.
fn is_complete_hello(received: &[u8]) -> bool {
    received
        .first_chunk::<5>()
        .is_some_and(|head| received.len() == 5 + usize::from(u16::from_be_bytes([head[3], head[4]])))
}

/// Returns the versions that a client's hello offers.
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    // Type and length, version, random; then three lists, each after its length: session, ciphers, compression.
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + usize::from(number(at));
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + usize::from(number(at));
    assert_eq!(end, hello.len(), "the extensions end the hello");
    at += 2;
    while at < end {
        let (kind, length) = (number(at), usize::from(number(at + 2)));
        if kind == SUPPORTED_VERSIONS {
            let list = &hello[at + 5..at + 4 + length];
            return list.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        }
        at += 4 + length;
    }
    vec![u16::from_be_bytes([hello[4], hello[5]])]
}

/// Builds a server's hello with this version and a cipher of its time.
fn server_hello(version: u16) -> Vec<u8> {
    let [major, minor] = version.to_be_bytes();
    let mut hello = vec![major, minor];
    hello.extend([7; 32]);
    // No session, ECDHE with RSA and AES-128 (which TLS 1.0 also has), no compression.
    hello.extend([0, 0xc0, 0x13, 0]);
    let mut message = vec![2, 0, 0, u8::try_from(hello.len()).unwrap()];
    message.extend(hello);
    let mut record = vec![HANDSHAKE, major, minor, 0, u8::try_from(message.len()).unwrap()];
    record.extend(message);
    record
}

#[test]
fn r25_only_a_certificate_that_is_trusted_valid_and_for_this_host_sees_a_request() {
    let authority = "neto profile edit acme --ca-file FILE";
    for (leaf, why, hint) in [
        (Leaf::SelfSigned, "its certificate comes from an authority that is not trusted here", authority),
        (Leaf::Root, "its certificate is an authority's own, not a server's", "neto login acme"),
        (Leaf::Expired, "its certificate has expired", "when its certificate is renewed, or this clock is set"),
        (Leaf::NotYet, "its certificate is not valid yet", "when its certificate is renewed, or this clock is set"),
        (Leaf::OtherName, "its certificate is for another name", "neto profile show acme"),
    ] {
        let authority = Authority::new();
        let sandbox = Sandbox::with_server(Server::https(&authority, leaf));
        pem_file(&sandbox, "ca.pem", &authority);
        add(&sandbox, ["--ca-file", "ca.pem"]);
        let host = sandbox.server().origin().replace("https://", "");
        let outcome = login(&sandbox);
        outcome.code(5).stdout("").stderr_has(hint);
        outcome.stderr_has(&format!("acme: the identity of {host} cannot be verified: {why}\n"));
        assert_eq!(sandbox.server().requests().len(), 0, "{leaf:?}");
        assert_eq!(sandbox.server().connections(), 1, "a certificate does not get better by asking again: {leaf:?}");
    }
    // Another authority has the same name.
    let (trusted, other) = (Authority::new(), Authority::new());
    let sandbox = Sandbox::with_server(Server::https(&other, Leaf::Valid));
    pem_file(&sandbox, "ca.pem", &trusted);
    add(&sandbox, ["--ca-file", "ca.pem"]);
    let outcome = login(&sandbox);
    outcome.code(5).stderr_has("comes from an authority that is not trusted here").stderr_has(authority);
    assert_eq!(sandbox.server().requests().len(), 0);
    // The control: the hint's command makes the login succeed.
    pem_file(&sandbox, "other.pem", &other);
    sandbox.neto(["profile", "edit", "acme", "--ca-file", "other.pem"]).run().code(0);
    login(&sandbox).code(0);
    assert_eq!((sandbox.server().requests().len(), sandbox.server().logins()), (1, 1));
}

#[test]
fn r25_addresses_and_names_are_both_looked_for_in_a_certificate() {
    for (leaf, host, good) in [
        (Leaf::OnlyFor("127.0.0.1"), "127.0.0.1", true),
        (Leaf::OnlyFor("localhost"), "localhost", true),
        (Leaf::OnlyFor("localhost"), "127.0.0.1", false),
        (Leaf::OnlyFor("127.0.0.1"), "localhost", false),
        (Leaf::OnlyFor("127.0.0.2"), "127.0.0.1", false),
    ] {
        let authority = Authority::new();
        let sandbox = Sandbox::with_server(Server::https(&authority, leaf));
        pem_file(&sandbox, "ca.pem", &authority);
        let mut credential = sandbox.server().add_tenant("acme", "soc");
        credential.url = credential.url.replace("127.0.0.1", host);
        add_credential(&sandbox, &credential, ["--ca-file", "ca.pem"]);
        let outcome = login(&sandbox);
        if good {
            outcome.code(0);
        } else {
            outcome.code(5).stderr_has("its certificate is for another name");
        }
        assert_eq!(sandbox.server().requests().len(), usize::from(good), "{leaf:?} {host}");
    }
}

#[test]
fn r25_tls_1_2_and_1_3_are_spoken() {
    for versions in [Versions::Only12, Versions::Only13, Versions::Both] {
        let authority = Authority::new();
        let sandbox = Sandbox::with_server(Server::https_with_versions(&authority, Leaf::Valid, versions));
        pem_file(&sandbox, "ca.pem", &authority);
        add(&sandbox, ["--ca-file", "ca.pem"]);
        login(&sandbox).code(0);
        assert_eq!(sandbox.server().logins(), 1, "{versions:?}");
    }
}

#[test]
fn r25_older_versions_of_tls_are_refused_before_anything_is_sent() {
    let protocol_version = vec![ALERT, 3, 1, 0, 2, 2, 70];
    for (name, answer) in [
        ("TLS 1.1", server_hello(0x0302)),
        ("TLS 1.0", server_hello(0x0301)),
        ("SSL 3", server_hello(0x0300)),
        ("an alert", protocol_version),
    ] {
        let peer = Peer::new(
            move |received| if is_complete_hello(received) { Reaction::Send(answer.clone()) } else { Reaction::Wait },
        );
        let sandbox = Sandbox::new();
        let mut credential = sandbox.server().add_tenant("acme", "soc");
        credential.url = format!("https://{}", peer.address());
        add_credential(&sandbox, &credential, []);
        let outcome = login(&sandbox);
        outcome
            .code(5)
            .stdout("")
            .stderr_has("it does not speak TLS 1.2 or newer\n")
            .stderr_has("neto profile show acme");
        let [received] = &peer.received()[..] else { panic!("{name}: one connection") };
        let [(HANDSHAKE, hello), after @ ..] = &records(received)[..] else { panic!("{name}: a hello first") };
        assert_eq!(offered_versions(hello), [0x0304, 0x0303], "{name}: TLS 1.3 and 1.2 and nothing older");
        assert!(after.iter().all(|(kind, _)| *kind == ALERT), "{name}: {after:?}");
    }
}

#[test]
fn a_request_within_tls_would_have_been_noticed() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https_with_versions(&authority, Leaf::Valid, Versions::Only12));
    let address = sandbox.server().origin().replace("https://", "").parse().unwrap();
    let peer = Peer::new(move |_| Reaction::Relay(address));
    pem_file(&sandbox, "ca.pem", &authority);
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = format!("https://{}", peer.address());
    add_credential(&sandbox, &credential, ["--ca-file", "ca.pem"]);
    login(&sandbox).code(0);
    let [received] = &peer.received()[..] else { panic!("one connection") };
    let kinds: Vec<u8> = records(received).iter().map(|(kind, _)| *kind).collect();
    assert!(kinds[0] == HANDSHAKE && kinds.contains(&DATA), "{kinds:?}");
}

#[test]
fn r25_a_ca_file_is_used_and_its_faults_are_told() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    add(&sandbox, []);
    let outcome = login(&sandbox);
    outcome.code(5).stderr_has("not trusted here").stderr_has("hint: neto profile edit acme --ca-file FILE\n");
    let ca = pem_file(&sandbox, "ca.pem", &authority);
    sandbox.neto(["profile", "edit", "acme", "--ca-file", "ca.pem"]).run().code(0);
    login(&sandbox).code(0);
    // The login works from any directory, because the store has an absolute path.
    sandbox.neto(["login", "acme", "--force"]).current_dir(sandbox.root()).run().code(0);
    assert_eq!(sandbox.server().requests().len(), 2);

    // The secret is bound to the CA file's old content. So neto refuses before it parses the file, until the user
    // accepts the change.
    fs::write(&ca, format!("{}{}", Authority::new().pem(), authority.pem())).unwrap();
    sandbox.assert_login_refused("acme", 3, &["the secret is bound to another ca_file", "neto seal acme --accept"]);
    sandbox.neto(["seal", "acme", "--accept", "--yes"]).run().code(0);
    sandbox.assert_logs_in("acme");
    let renewed = fs::read(&ca).unwrap();
    fs::remove_file(&ca).unwrap();
    sandbox.assert_login_refused("acme", 3, &["ca.pem", "neto profile edit acme"]);
    fs::write(&ca, renewed).unwrap();

    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = authority.pem().replace("-----END CERTIFICATE-----", "");
    for (number, content) in ["", "no certificate\n", &key, broken, &cut, "\u{0}\u{1}\u{2}"].into_iter().enumerate() {
        let name = format!("{number}.pem");
        fs::write(sandbox.work(&name), content).unwrap();
        sandbox.neto(["profile", "edit", "acme", "--ca-file", &name]).run().code(0);
        let words = ["the ca_file holds no certificate that can be read", "neto profile edit acme --ca-file FILE"];
        sandbox.assert_login_refused("acme", 3, &words);
    }
    sandbox.neto(["profile", "edit", "acme", "--ca-file", "ca.pem"]).run().code(0);
    sandbox.assert_logs_in("acme");
    sandbox.write_store(sandbox.store().replace(ca.to_str().unwrap(), "ca.pem"));
    sandbox.assert_login_refused("acme", 3, &["profiles.acme.ca_file: the path must be absolute"]);
}

#[test]
fn r25_a_ca_file_of_the_defaults_is_that_of_every_profile() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    pem_file(&sandbox, "ca.pem", &authority);
    add(&sandbox, []);
    login(&sandbox).code(5);
    sandbox.neto(["profile", "edit", "--defaults", "--ca-file", "ca.pem"]).run().code(0);
    sandbox.assert_logs_in("acme");
}

#[test]
fn r25_ssl_cert_file_and_ssl_cert_dir_name_the_roots() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let file = pem_file(&sandbox, "roots/private.pem", &authority);
    let folder = file.parent().unwrap();
    let other = pem_file(&sandbox, "other.pem", &Authority::new());
    add(&sandbox, []);
    let login = |variables: &[(&str, &std::path::Path)]| {
        let call = sandbox.neto(["login", "acme", "--force"]);
        variables.iter().fold(call, |call, (name, value)| call.env(name, value)).run()
    };
    login(&[]).code(5).stderr_has("not trusted here");
    login(&[("SSL_CERT_FILE", &other)]).code(5).stderr_has("not trusted here").stderr_has("SSL_CERT_FILE");
    assert_eq!(sandbox.server().requests().len(), 0);
    login(&[("SSL_CERT_FILE", &file)]).code(0);
    login(&[("SSL_CERT_DIR", folder)]).code(0);
    login(&[("SSL_CERT_FILE", &other), ("SSL_CERT_DIR", folder)]).code(0);
    assert_eq!(sandbox.server().requests().len(), 3);

    let before = sandbox.server().connections();
    let nothing = sandbox.work("gone");
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let outcome = login(&[(variable, &nothing)]);
        outcome.code(5).stderr_has("no root certificates that can be read").stderr_has("SSL_CERT_FILE");
    }
    assert_eq!(sandbox.server().connections(), before);
}

#[test]
fn r25_without_a_store_the_hint_is_one_that_works() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let credential = sandbox.server().add_tenant("acme", "soc");
    let secret = sandbox.write_secret("netosecret.txt", credential.netosecret());
    let token = || sandbox.neto(["token"]).env("NETOSECRET", fs::read_to_string(&secret).unwrap());
    token().run().code(5).stdout("").stderr_has("hint: export SSL_CERT_FILE=FILE\n").stderr_lacks("unset NETOSECRET");
    let file = pem_file(&sandbox, "ca.pem", &authority);
    token().env("SSL_CERT_FILE", &file).allow_secret("access token").run().code(0);
}

#[test]
fn r25_the_keys_of_a_connection_are_logged_nowhere() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    pem_file(&sandbox, "ca.pem", &authority);
    add(&sandbox, ["--ca-file", "ca.pem"]);
    let log = sandbox.work("keys.log");
    sandbox.neto(["login", "acme"]).env("SSLKEYLOGFILE", &log).run().code(0);
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
    assert!(!log.exists());
}

#[test]
fn r25_a_refresh_goes_to_a_server_that_is_known_and_else_stays_unsent() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let server = sandbox.server();
    let roots = pem_file(&sandbox, "ca.pem", &authority);
    add(&sandbox, []);
    sandbox.neto(["login", "acme"]).env("SSL_CERT_FILE", &roots).run().code(0);
    sandbox.backdate_token("acme", 86_400);
    // Without trusted roots neither the refresh nor the login after it is sent, and the refresh token stays unused.
    let outcome = sandbox.neto(["token", "acme"]).run();
    outcome.code(5).stdout("").stderr_has("refreshing failed").stderr_has("not trusted here");
    assert_eq!((server.requests().len(), server.logins(), server.refreshes()), (1, 1, 0));
    sandbox.neto(["token", "acme"]).env("SSL_CERT_FILE", &roots).allow_secret("access token").run().code(0).stderr("");
    assert_eq!((server.logins(), server.refreshes()), (1, 1));
    assert_eq!(server.reused_refresh_tokens().len(), 0);

    // With a `ca_file`, whose content the trust record does not contain, neto logs in instead of refreshing.
    sandbox.neto(["profile", "edit", "acme", "--ca-file", "ca.pem"]).run().code(0);
    login(&sandbox).code(0);
    sandbox.backdate_token("acme", 86_400);
    sandbox.neto(["token", "acme"]).allow_secret("access token").run().code(0).stderr("");
    assert_eq!((server.logins(), server.refreshes()), (3, 1));
}

#[test]
fn r25_a_server_without_tls_is_told_from_one_with_it() {
    // Plain http behind an https URL: the server receives only a hello.
    let answer = |received: &[u8]| {
        if is_complete_hello(received) {
            Reaction::SendAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
        } else {
            Reaction::Wait
        }
    };
    let peer = Peer::new(answer);
    let sandbox = Sandbox::new();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = format!("https://{}", peer.address());
    add_credential(&sandbox, &credential, []);
    let outcome = login(&sandbox);
    outcome.code(5).stdout("").stderr_has("it does not speak TLS\n").stderr_has("hint: neto profile show acme\n");
    let received = peer.received();
    assert_eq!(received.len(), 1);
    assert!(records(&received[0]).iter().all(|(kind, _)| [HANDSHAKE, ALERT].contains(kind)), "{received:?}");

    // TLS behind an http URL, which is allowed only for a loopback address.
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = credential.url.replace("https:", "http:");
    add_credential(&sandbox, &credential, []);
    let host = sandbox.server().origin().replace("https://", "");
    login(&sandbox).code(5).stdout("").stderr_has(&format!("the connection to {host} broke: "));
    assert_eq!(sandbox.server().requests().len(), 0);
}

#[test]
fn r25_a_server_that_never_shows_itself_is_left_in_time() {
    let peer = Peer::new(|_| Reaction::Wait);
    let sandbox = Sandbox::new();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = format!("https://{}", peer.address());
    add_credential(&sandbox, &credential, ["--timeout", "1s"]);
    login(&sandbox).code(5).stdout("").stderr_has(&format!("no answer from {} within 1 s\n", peer.address()));
    let received = peer.received();
    let kinds: Vec<u8> = received.iter().flat_map(|received| records(received)).map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [HANDSHAKE], "a hello, once, and nothing else");
}
