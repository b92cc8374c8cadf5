//! Received mail through a policy with the stock filter `inbound`: for whom it is decrypted
//! (rule 13), what the next hop gets (rule 8), and which header fields (rule 10).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use waxseal_tests::openssl::Identity;
use waxseal_tests::operator::{Policy, Ran, binary};
use waxseal_tests::smtp::Careless;

const SENDER: &str = "carol@elsewhere.example";
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const SECRET: &str = "the merger is on friday";
const CLIENT: [&str; 2] = ["--client-ip", "203.0.113.9"];

fn policy() -> Policy {
    let policy = Policy::new(
        r#"
[[filter]]
name = "inbound"
component = "filters/inbound.wasm"
grant = ["actions", "inspect", "open", "harvest", "quarantine"]
settings = "inbound.json"

[origin]
authenticated = true
domains = ["example.org"]
"#,
    );
    std::fs::write(policy.directory().join("inbound.json"), "{}").unwrap();
    policy
}

/// A mail from Carol, encrypted by OpenSSL.
fn encrypted(policy: &Policy, entity: &[u8], to: &[&Identity]) -> String {
    let file = policy.elsewhere("entity");
    std::fs::write(&file, entity).unwrap();
    let mut command = Command::new("openssl");
    command.args(["cms", "-encrypt", "-binary", "-aes-256-cbc", "-in"]);
    command.arg(&file);
    to.iter().for_each(|identity| {
        command.arg(&identity.certificate);
    });
    with_fields(&command.output().unwrap().stdout)
}

fn signed(policy: &Policy, entity: &[u8], by: &Identity) -> Vec<u8> {
    let file = policy.elsewhere("entity");
    std::fs::write(&file, entity).unwrap();
    let mut command = Command::new("openssl");
    command.args(["cms", "-sign", "-binary", "-nodetach", "-in"]);
    command.arg(&file).arg("-signer").arg(&by.certificate);
    command.arg("-inkey").arg(&by.key).output().unwrap().stdout
}

fn with_fields(entity: &[u8]) -> String {
    let entity = String::from_utf8_lossy(entity).replace("\r\n", "\n");
    format!(
        "From: {SENDER}\nTo: {ALICE}, {BOB}\nSubject: news\nMessage-ID: <1@e.example>\n{entity}"
    )
}

fn entity() -> Vec<u8> {
    format!("Content-Type: text/plain\r\n\r\n{SECRET}\r\n").into_bytes()
}

fn run(policy: &Policy, mail: &str, to: &[&str]) -> Ran {
    let ran = policy.run(mail, SENDER, to, &CLIENT);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran
}

/// As it came: header fields may be added, the body is the same.
fn check_closed(ran: &Ran, address: &str, mail: &str) {
    let copy = ran.copy_for(address).unwrap_or_else(|| panic!("{ran:#?}"));
    let body = |text: &str| {
        text.replace("\r\n", "\n")
            .split_once("\n\n")
            .unwrap()
            .1
            .to_owned()
    };
    assert!(!copy.reveals(SECRET), "{address}: {ran:#?}");
    assert_eq!(body(&copy.text), body(mail), "{address}");
    assert_eq!(copy.recipients, [address], "{ran:#?}");
}

fn check_open(ran: &Ran, address: &str) {
    let copy = ran.copy_for(address).unwrap_or_else(|| panic!("{ran:#?}"));
    assert!(copy.reveals(SECRET), "{address}: {ran:#?}");
    assert!(!copy.text.contains("pkcs7-mime"), "{address}: {ran:#?}");
    assert_eq!(copy.recipients, [address], "{ran:#?}");
}

/// The gateway has Alice's key and Bob's. Carol's mail is encrypted to Alice alone.
#[test]
fn rule_13_what_is_encrypted_to_alice_is_opened_for_alice_alone() {
    let mut policy = policy();
    let alice = policy.reader("alice", ALICE);
    policy.reader("bob", BOB);
    let mail = encrypted(&policy, &entity(), &[&alice]);

    check_open(&run(&policy, &mail, &[ALICE]), ALICE);
    check_closed(&run(&policy, &mail, &[BOB]), BOB, &mail);

    let both = run(&policy, &mail, &[ALICE, BOB]);
    assert_eq!(both.copies.len(), 2, "{both:#?}");
    check_open(&both, ALICE);
    check_closed(&both, BOB, &mail);
}

/// A stranger mails herself, or somebody without a key, what she captured on its way to Alice.
#[test]
fn rule_13_no_stranger_is_read_alices_mail() {
    let mut policy = policy();
    let alice = policy.reader("alice", ALICE);
    let mail = encrypted(&policy, &entity(), &[&alice]);
    for address in [
        "eve@nowhere.example",
        "clerk@example.org",
        "alice@elsewhere.example",
        "alice@example.org.example",
        "Alice.@example.org",
    ] {
        let ran = policy.run(&mail, SENDER, &[address], &CLIENT);
        for copy in &ran.copies {
            assert!(!copy.reveals(SECRET), "{address}: {ran:#?}");
        }
    }
    // Named in the header only, she is no recipient.
    let forged = mail.replace("To: ", &format!("Delivered-To: {ALICE}\nTo: "));
    check_closed(
        &run(&policy, &forged, &["clerk@example.org"]),
        "clerk@example.org",
        &forged,
    );
}

/// Encrypted to both, both get it open.
#[test]
fn rule_13_what_is_encrypted_to_both_is_opened_for_both() {
    let mut policy = policy();
    let people = [policy.reader("alice", ALICE), policy.reader("bob", BOB)];
    let mail = encrypted(&policy, &entity(), &[&people[0], &people[1]]);
    let ran = run(&policy, &mail, &[ALICE, BOB]);
    for address in [ALICE, BOB] {
        let copy = ran.copy_for(address).unwrap();
        assert!(copy.reveals(SECRET), "{ran:#?}");
    }
}

/// An identity that has the domain decrypts for each of its addresses, and for no other domain's.
#[test]
fn rule_13_an_identity_of_the_domain_opens_for_the_domain() {
    let mut policy = policy();
    let gateway = policy.domain_reader("gateway", "gateway@example.org", "example.org");
    let mail = encrypted(&policy, &entity(), &[&gateway]);
    for address in [ALICE, "Anybody@EXAMPLE.org"] {
        let ran = run(&policy, &mail, &[address]);
        assert!(ran.copy().reveals(SECRET), "{address}: {ran:#?}");
    }
    for address in ["eve@sub.example.org", "eve@example.org.nowhere.example"] {
        let ran = policy.run(&mail, SENDER, &[address], &CLIENT);
        assert!(
            ran.copies.iter().all(|copy| !copy.reveals(SECRET)),
            "{address}: {ran:#?}"
        );
    }
}

/// EFAIL: what she captured stands between two parts of her own, or is forwarded. The default
/// policy quarantines the mail, as it came.
#[test]
fn rule_08_an_encrypted_part_in_a_clear_tree_is_quarantined_closed() {
    let mut policy = policy();
    let alice = policy.reader("alice", ALICE);
    let captured = encrypted(&policy, &entity(), &[&alice]);
    let (_, part) = captured.split_once("Message-ID: <1@e.example>\n").unwrap();
    let part = part.replace("MIME-Version: 1.0\n", "");
    let html = |text: &str| format!("--x\nContent-Type: text/html\n\n{text}\n");
    let trees = [
        format!(
            "Content-Type: multipart/mixed; boundary=x\n\n{}--x\n{part}\n{}--x--\n",
            html("<img src=\"http://efail.example/"),
            html("\">")
        ),
        format!("Content-Type: message/rfc822\n\nFrom: {SENDER}\nMIME-Version: 1.0\n{part}"),
    ];
    let open: Vec<_> = trees
        .iter()
        .map(|tree| with_fields(tree.as_bytes()))
        .collect();
    // And inside an envelope of her own.
    let hidden = encrypted(
        &policy,
        trees[0].replace('\n', "\r\n").as_bytes(),
        &[&alice],
    );
    for mail in open.iter().chain([&hidden]) {
        let ran = policy.run(mail, SENDER, &[ALICE], &CLIENT);
        assert_eq!(ran.report["disposition"], "quarantine", "{mail}\n{ran:#?}");
        assert!(
            ran.copies.iter().all(|copy| !copy.reveals(SECRET)),
            "{ran:#?}"
        );
    }
}

/// The text of a second transaction, behind each end of data that some server takes for one.
fn smuggling(end: &str) -> Vec<u8> {
    let second = "MAIL FROM:<ceo@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\
                  Subject: pay\r\n\r\nat once\r\n.\r\n";
    format!("Content-Type: text/plain\r\n\r\n{SECRET}{end}{second}last\r\n").into_bytes()
}

const ENDS: [&str; 5] = ["\n.\r\n", "\n.\n", "\r.\r\n", "\r.\r", "\n.\r"];

/// Without this the test below would prove nothing.
#[test]
fn a_careless_server_takes_one_mail_for_two() {
    for end in ENDS {
        let received = Careless::start().deliver(&smuggling(end));
        assert!(received.len() > 1, "{end:?}: {received:#?}");
    }
}

#[test]
fn rule_08_what_was_inside_is_one_mail_for_the_next_hop() {
    let mut policy = policy();
    let alice = policy.reader("alice", ALICE);
    let carol = policy.correspondent(SENDER);
    for end in ENDS {
        for layers in ["encrypted", "signed", "signed and encrypted"] {
            let mut entity = smuggling(end);
            if layers.contains("signed") {
                entity = signed(&policy, &entity, &carol);
            }
            let mail = match layers {
                "signed" => with_fields(&entity),
                _ => encrypted(&policy, &entity, &[&alice]),
            };
            let ran = run(&policy, &mail, &[ALICE]);
            let octets = std::fs::read(&ran.copy().file).unwrap();
            let received = Careless::start().deliver(&octets);
            assert_eq!(received.len(), 1, "{layers} {end:?}: {received:#?}");
            check_fit(&octets, &format!("{layers} {end:?}"));
            if layers != "signed" {
                let inside = decoded(&ran.copy().text);
                assert!(inside.contains(SECRET), "{layers} {end:?}: {ran:#?}");
            }
        }
    }
}

/// The body, whose bare line ends made base64 of it.
fn decoded(mail: &str) -> String {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    if !head.contains("Content-Transfer-Encoding: base64") {
        return body.to_owned();
    }
    let mut command = Command::new("openssl");
    command.args(["base64", "-d", "-A"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let text = body.replace("\r\n", "");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// CRLF and nothing else ends a line; none is longer than 998 octets.
fn check_fit(octets: &[u8], what: &str) {
    for line in octets.split(|octet| *octet == b'\n') {
        let line = match line {
            [] if octets.last() == Some(&b'\n') => continue,
            [line @ .., b'\r'] => line,
            _ => panic!(
                "{what}: a bare LF after {:?}",
                String::from_utf8_lossy(line)
            ),
        };
        assert!(
            !line.contains(&b'\r') && !line.contains(&0),
            "{what}: {line:?}"
        );
        assert!(line.len() <= 998, "{what}: a line of {} octets", line.len());
    }
}

/// RFC 9788 §4: what stands outside is a stand-in, or somebody else's.
#[test]
fn rule_10_protected_fields_replace_the_outer_ones() {
    let mut policy = policy();
    let alice = policy.reader("alice", ALICE);
    let plain = policy.elsewhere("plain.eml");
    let text = format!(
        "From: Carol <{SENDER}>\r\nTo: {ALICE}\r\nSubject: the merger\r\nMessage-ID: <1@e.example>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain\r\n\r\n{SECRET}\r\n"
    );
    std::fs::write(&plain, text).unwrap();
    for protection in ["baseline", "shy"] {
        let made = made_by_waxseal(&plain, &alice, protection);
        assert!(!made.contains("the merger"), "{protection}: {made}");
        let ran = run(&policy, &made, &[ALICE]);
        let copy = ran.copy();
        assert_eq!(
            copy.field("Subject"),
            Some("the merger"),
            "{protection}: {copy:#?}"
        );
        assert!(
            copy.field("From").unwrap().contains("Carol"),
            "{protection}: {copy:#?}"
        );
        assert_eq!(
            copy.text.matches("Subject:").count(),
            1,
            "{protection}: {copy:#?}"
        );
        assert!(copy.reveals(SECRET), "{protection}: {copy:#?}");
    }
}

fn made_by_waxseal(source: &Path, to: &Identity, protection: &str) -> String {
    let mut command = Command::new(binary());
    command.args(["encrypt", "--header-protection", protection, "--to"]);
    let output = command.arg(&to.certificate).arg(source).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n", "\n")
}
