//! What a changed message is, octet for octet, when the MTA has done what it was told.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::gateway::Gateway;
use crate::mta::{MODERN, Mta, OLD, Queued};
use crate::stages::{replied, words};

fn processed(gateway: &Gateway, dialect: (u32, u32, u32), message: &Queued) -> Queued {
    let mut mta = Mta::connect(gateway.address, dialect);
    mta.until("mail", message);
    let said = mta.message(message);
    mta.changed(message, &said)
}

#[test]
fn only_what_was_asked_for_changes() {
    let gateway = Gateway::start();
    let message = Queued::asking("edit");
    for dialect in [MODERN, OLD] {
        let mut expected = message.clone();
        expected.header.retain(|(name, _)| name != "X-Gone");
        expected
            .header
            .iter_mut()
            .find(|(name, _)| name == "Subject")
            .unwrap()
            .1 = " changed".into();
        let new = ("X-New".to_owned(), " on top".to_owned());
        expected.header.insert(0, new);
        assert_eq!(processed(&gateway, dialect, &message), expected);
    }
}

#[test]
fn a_signature_covers_what_arrives() {
    let gateway = Gateway::start();
    for dialect in [MODERN, OLD] {
        let mut message = Queued::asking("sign");
        message.header.insert(
            3,
            (
                "Content-Type".into(),
                " text/plain;\n\tcharset=us-ascii".into(),
            ),
        );
        let signed = processed(&gateway, dialect, &message);
        assert_eq!(
            (&signed.sender, &signed.recipients),
            (&message.sender, &message.recipients)
        );
        // Content-Type changed where it stood, MIME-Version is new; nothing else is different.
        let is_kept = |(name, _): &&(String, String)| {
            !name.eq_ignore_ascii_case("MIME-Version") && !name.starts_with("Content-")
        };
        let kept = |of: &Queued| {
            of.header
                .iter()
                .filter(is_kept)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(&signed), kept(&message));
        verify(&octets(&signed), &message.body);
    }
}

/// As the MTA sends it.
fn octets(message: &Queued) -> Vec<u8> {
    let mut octets = Vec::new();
    for (name, value) in &message.header {
        octets.extend_from_slice(format!("{name}:{value}\n").replace('\n', "\r\n").as_bytes());
    }
    octets.extend_from_slice(b"\r\n");
    octets.extend_from_slice(&message.body);
    octets
}

/// OpenSSL finds the signature sound, over content with this text.
fn verify(octets: &[u8], text: &[u8]) {
    let arguments = [
        "cms",
        "-verify",
        "-noverify",
        "-inform",
        "SMIME",
        "-in",
        "/dev/stdin",
    ];
    let mut openssl = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = openssl.stdin.take().unwrap();
    let octets = octets.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&octets).unwrap());
    let output = openssl.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(output.stdout.ends_with(text), "{said}");
}

#[test]
fn a_long_message_goes_through_in_pieces() {
    let gateway = Gateway::start();
    let mut message = Queued::asking("sign");
    let line = b"0123456789 abcdefghijklmnopqrstuvwxyz 0123456789\r\n";
    message.body = line.repeat((25 << 20) / line.len());
    let mut mta = Mta::connect(gateway.address, MODERN);
    mta.until("mail", &message);
    let said = mta.message(&message);
    assert!(said.iter().all(|(_, data)| data.len() <= 65_535));
    let signed = mta.changed(&message, &said);
    verify(&octets(&signed), &message.body);
    // And a short one after it.
    assert_eq!(words(&mta.message(&Queued::asking("nothing"))), "a");
}

#[test]
fn long_and_odd_fields_stay_as_they_are() {
    let gateway = Gateway::start();
    let mut message = Queued::asking("edit");
    let long = format!(" {}", "x".repeat(60_000));
    for (name, value) in [
        ("X-Long", long.as_str()),
        ("X-Folded", " a\n b\n \n c"),
        ("X-Umlaut", " Grüße"),
        ("X-Tab", "\ta"),
        ("X-Empty", ""),
        ("X-Blank", "  "),
    ] {
        message.header.push((name.into(), value.into()));
    }
    let changed = processed(&gateway, MODERN, &message);
    for (name, value) in &message.header {
        if !matches!(name.as_str(), "Subject" | "X-Gone") {
            assert!(
                changed.header.contains(&(name.clone(), value.clone())),
                "{name}"
            );
        }
    }
}

#[test]
fn whom_the_profile_drops_is_taken_off_the_envelope() {
    let gateway = Gateway::start();
    let message = Queued::asking("encrypt");
    let encrypted = processed(&gateway, MODERN, &message);
    assert_eq!(encrypted.recipients, ["<carol@example.net>"]);
    assert!(
        encrypted
            .value("Content-Type")
            .unwrap()
            .contains("enveloped-data")
    );
}

#[test]
fn an_mta_that_grants_nothing_still_gets_its_mail_through() {
    let gateway = Gateway::start();
    let mut mta = Mta::connect(gateway.address, (6, 0, 0x1f_ffff));
    mta.until("mail", &Queued::asking("nothing"));
    assert_eq!(words(&mta.message(&Queued::asking("nothing"))), "a");
    assert_eq!(words(&mta.message(&Queued::asking("discard"))), "d");
    let reason = "the MTA does not grant this filter the changes and no next hop is set";
    let said = mta.message(&Queued::asking("edit"));
    replied(&said, &format!("451 4.3.5 {reason}"));
    let said = mta.message(&Queued::asking("quarantine"));
    replied(
        &said,
        "451 4.7.1 the MTA does not let this filter hold mail",
    );
}
